"use client";

import { createStore, useStore } from "@/lib/store";
import { errorWords } from "@/lib/words";

interface Toast {
  id: number;
  text: string;
  bad: boolean;
}

const toasts = createStore<Toast[]>([]);
const none: Toast[] = [];
let last = 0;

function add(text: string, bad: boolean) {
  last += 1;
  const id = last;
  toasts.set((all) => [...all.slice(-2), { id, text, bad }]);
  setTimeout(() => toasts.set((all) => all.filter((toast) => toast.id !== id)), bad ? 10_000 : 6_000);
}

/** Tells that something was done: shown for a while and read aloud. */
export const tell = (text: string) => add(text, false);

/** Tells that something went wrong. */
export const tellError = (error: unknown) => add(errorWords(error), true);

/** The place for both. It is always there, because a live region that comes with its text is not read aloud. */
export function Toasts() {
  const all = useStore(toasts, none);
  return (
    <div className="toasts" role="status" aria-live="polite">
      {all.map((toast) => (
        <p key={toast.id} className={toast.bad ? "toast bad" : "toast"}>
          {toast.text}
        </p>
      ))}
    </div>
  );
}
