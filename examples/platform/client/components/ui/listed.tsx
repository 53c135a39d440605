"use client";

import type { ReactNode } from "react";
import type { Pages } from "@/lib/load";
import { Shown } from "./states";

interface Props<T> {
  of: Pages<T>;
  className: string;
  label?: string;
  /** What is shown when there is nothing. */
  empty: ReactNode;
  /** A list item for each. */
  children: (item: T) => ReactNode;
}

/** A list that comes in pages. */
export function Listed<T>({ of, className, label, empty, children }: Props<T>) {
  return (
    <Shown of={of}>
      {(items) =>
        items.length === 0 ? (
          empty
        ) : (
          <>
            <ul className={className} aria-busy={of.loading} aria-label={label}>
              {items.map(children)}
            </ul>
            {of.more && (
              <p className="more">
                <button type="button" className="button" onClick={of.more}>
                  Show more
                </button>
              </p>
            )}
          </>
        )
      }
    </Shown>
  );
}
