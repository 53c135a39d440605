"use client";

import { type ComponentProps, type ReactNode, useId } from "react";

interface Props extends Omit<ComponentProps<"input">, "id" | "onChange"> {
  label: string;
  hideLabel?: boolean;
  /** What helps to fill it in, below it. */
  note?: ReactNode;
  onText?: (text: string) => void;
}

/** A line of text with its label. */
export function Field({ label, hideLabel = false, note, onText, ...input }: Props) {
  const id = useId();
  const described = [note && `${id}-note`, input["aria-describedby"]].filter(Boolean).join(" ");
  return (
    <div className="field">
      <label htmlFor={id} className={hideLabel ? "unseen" : ""}>
        {label}
      </label>
      <input
        autoComplete="off"
        spellCheck={false}
        {...input}
        id={id}
        aria-describedby={described || undefined}
        onChange={(event) => onText?.(event.target.value)}
      />
      {note && (
        <p className="note" id={`${id}-note`}>
          {note}
        </p>
      )}
    </div>
  );
}

interface ChecksProps<T extends string> {
  legend: string;
  options: readonly { value: T; text: string }[];
  chosen: readonly T[];
  onChange: (chosen: T[]) => void;
}

/** Any number of a few things. */
export function Checks<T extends string>({ legend, options, chosen, onChange }: ChecksProps<T>) {
  const toggle = (value: T) =>
    onChange(chosen.includes(value) ? chosen.filter((each) => each !== value) : [...chosen, value]);
  return (
    <fieldset className="checks">
      <legend>{legend}</legend>
      {options.map(({ value, text }) => (
        <label key={value} className="check">
          <input type="checkbox" checked={chosen.includes(value)} onChange={() => toggle(value)} />
          <span>
            {value}
            <span className="note">{text}</span>
          </span>
        </label>
      ))}
    </fieldset>
  );
}
