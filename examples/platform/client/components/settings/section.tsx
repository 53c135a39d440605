"use client";

import { type ReactNode, useId, useState } from "react";
import { AskDialog } from "@/components/ui/dialog";
import { Listed } from "@/components/ui/listed";
import { tell } from "@/components/ui/toasts";
import type { Pages } from "@/lib/load";

interface Props<T> {
  title: string;
  of: Pages<T>;
  /** The button that makes a new one, and the dialog that it opens. */
  add: { label: string; dialog: (close: () => void) => ReactNode };
  empty: ReactNode;
  /** The row of one: what is in it, before the button that takes it away. */
  row: (item: T) => ReactNode;
  /** Taking one away: the words for it, what comes of it, and how it is done. */
  end: {
    label: string;
    of: (item: T) => { name: string; title: string; told: string; done: string };
    act: (item: T) => Promise<unknown>;
  };
}

/** What an administrator sets up: a list, a dialog that makes a new one, and one that takes one away. */
export function Section<T extends { id: string | number }>({ title, of, add, empty, row, end }: Props<T>) {
  const [adding, setAdding] = useState(false);
  const [ending, setEnding] = useState<T | null>(null);
  const id = useId();
  const ended = ending && end.of(ending);
  return (
    <section aria-labelledby={id}>
      <div className="section-head">
        <h2 id={id}>{title}</h2>
        <button type="button" className="button" onClick={() => setAdding(true)}>
          {add.label}
        </button>
      </div>
      <Listed of={of} className="rows" label={title} empty={empty}>
        {(item) => (
          <li key={item.id}>
            {row(item)}
            <button
              type="button"
              className="button small"
              onClick={() => setEnding(item)}
              aria-label={`${end.label} ${end.of(item).name}`}
            >
              {end.label}…
            </button>
          </li>
        )}
      </Listed>
      {adding && add.dialog(() => setAdding(false))}
      {ending && ended && (
        <AskDialog
          title={ended.title}
          label={end.label}
          onClose={() => setEnding(null)}
          act={async () => {
            await end.act(ending);
            setEnding(null);
            tell(ended.done);
            of.reload();
          }}
          danger
        >
          <p>{ended.told}</p>
        </AskDialog>
      )}
    </section>
  );
}
