"use client";

import { type ComponentProps, useDeferredValue, useId } from "react";
import * as api from "@/lib/api";
import { useLoad } from "@/lib/load";
import { Field } from "./field";

/** A name, with the enrolled people as suggestions. */
export function PersonInput(props: Omit<ComponentProps<typeof Field>, "list"> & { value: string }) {
  const id = useId();
  const q = useDeferredValue(props.value.trim());
  const known = useLoad(`persons ${q}`, (signal) => api.persons(q, null, signal, 8));
  return (
    <>
      <Field {...props} list={id} maxLength={200} required />
      <datalist id={id}>
        {known.data?.items.map((person) => (
          <option key={person.id} value={person.name} />
        ))}
      </datalist>
    </>
  );
}
