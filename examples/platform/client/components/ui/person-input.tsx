"use client";

import { useDeferredValue, useId } from "react";
import * as api from "@/lib/api";
import { useLoad } from "@/lib/load";

interface Props {
  label: string;
  value: string;
  onChange: (name: string) => void;
  placeholder?: string;
  hideLabel?: boolean;
}

/** A name, with the enrolled people as suggestions. */
export function PersonInput({ label, value, onChange, placeholder, hideLabel = false }: Props) {
  const id = useId();
  const q = useDeferredValue(value.trim());
  const known = useLoad(`persons ${q}`, (signal) => api.persons(q, null, signal, 8));
  return (
    <div className="field">
      <label htmlFor={id} className={hideLabel ? "unseen" : ""}>
        {label}
      </label>
      <input
        id={id}
        value={value}
        onChange={(event) => onChange(event.target.value)}
        placeholder={placeholder}
        list={`${id}-known`}
        maxLength={200}
        autoComplete="off"
        spellCheck={false}
        required
      />
      <datalist id={`${id}-known`}>
        {known.data?.items.map((person) => (
          <option key={person.id} value={person.name} />
        ))}
      </datalist>
    </div>
  );
}
