"use client";

import { type FormEvent, type ReactNode, useId, useLayoutEffect, useRef } from "react";
import { useAct } from "@/lib/act";
import { errorWords } from "@/lib/words";
import { Problem } from "./states";

/** The browser's own modal dialog: it traps the focus, closes on Escape and gives the focus back. */
export function Dialog({ title, onClose, children }: { title: ReactNode; onClose: () => void; children: ReactNode }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  // Before the element is taken away: only an open dialog that is closed gives the focus back.
  useLayoutEffect(() => {
    const element = dialog.current;
    element?.showModal();
    return () => element?.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      className="dialog"
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <h2 id={id}>{title}</h2>
      {children}
    </dialog>
  );
}

interface Props {
  title: ReactNode;
  /** What the button says that does it. */
  label: string;
  onClose: () => void;
  /** Does it. What it throws is told here, and the dialog stays. */
  act: () => Promise<unknown>;
  /** Whether everything is said that is needed for it. */
  ready?: boolean;
  /** It takes something away for ever. */
  danger?: boolean;
  words?: (error: unknown) => string;
  children: ReactNode;
}

/** Asks for what is needed to do something, or whether it shall be done at all, and does it. */
export function AskDialog({ title, label, onClose, act, ready = true, danger, words = errorWords, children }: Props) {
  const { busy, error, run } = useAct();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void run(act);
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form onSubmit={submit}>
        {children}
        <Problem>{error === null ? null : words(error)}</Problem>
        <div className="actions">
          <button type="button" className="button" onClick={onClose}>
            {danger ? "Keep" : "Cancel"}
          </button>
          <button type="submit" className={danger ? "button danger" : "button main"} disabled={busy || !ready}>
            {label}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
