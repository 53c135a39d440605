"use client";

import type { ReactNode } from "react";
import { errorWords } from "@/lib/words";
import { Icon, type IconName } from "./icons";

/** Nothing is there yet, and what to do about it. */
export function Empty({ icon, title, children }: { icon: IconName; title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <Icon name={icon} />
      <p className="empty-title">{title}</p>
      {children}
    </div>
  );
}

/** It went wrong, and a way to try again. */
export function Failure({ error, retry }: { error: unknown; retry?: () => void }) {
  return (
    <div className="failure" role="alert">
      <Icon name="alert" />
      <p>{errorWords(error)}</p>
      {retry && (
        <button type="button" className="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

export function Loading({ label = "Loading" }: { label?: string }) {
  return (
    <div className="loading" role="status">
      <span className="spinner" aria-hidden="true" />
      {label}…
    </div>
  );
}

/** What to show of something that is asked for: its loading, its failure, or itself. */
export function Shown<T>({
  of,
  title,
  children,
}: {
  of: { data: T | undefined; error: Error | undefined; loading: boolean; reload: () => void };
  /** The page's heading for as long as nothing else gives it one. */
  title?: string;
  children: (data: T) => ReactNode;
}) {
  return (
    <>
      {title && of.data === undefined && <h1 className="unseen">{title}</h1>}
      {of.error && <Failure error={of.error} retry={of.reload} />}
      {of.data !== undefined ? children(of.data) : !of.error && <Loading />}
    </>
  );
}

export type Tone = "good" | "bad" | "busy" | "quiet";

export function Badge({ tone, children }: { tone: Tone; children: ReactNode }) {
  return <span className={`badge ${tone}`}>{children}</span>;
}

/** `value` is 0..1. */
export function Progress({ value, label }: { value: number; label: string }) {
  const percent = Math.round(Math.min(Math.max(value, 0), 1) * 100);
  return <progress className="progress" max={100} value={percent} aria-label={label} />;
}

/** What went wrong in a form. It is always there, because an alert that comes with its text is not read aloud everywhere. */
export function Problem({ id, children }: { id?: string; children: ReactNode }) {
  return (
    <p className="problem" role="alert" id={id}>
      {children}
    </p>
  );
}
