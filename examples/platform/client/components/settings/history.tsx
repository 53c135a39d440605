"use client";

import { Empty, More, Shown } from "@/components/ui/states";
import * as api from "@/lib/api";
import { usePages } from "@/lib/load";
import { when } from "@/lib/words";

/** Who changed what, newest first. */
export function History() {
  const events = usePages("events", (cursor, signal) => api.auditEvents(cursor, signal));
  return (
    <section aria-labelledby="history">
      <h2 id="history">History</h2>
      <Shown of={events}>
        {(items) =>
          items.length === 0 ? (
            <Empty icon="clock" title="Nothing was changed yet." />
          ) : (
            <>
              <ul className="rows history" aria-label="History">
                {items.map((event) => (
                  <li key={event.seq}>
                    <span className="note">{when(event.at_ms)}</span>
                    <div className="row-main">
                      <span className="row-name">{event.kind.replaceAll(/[._]/g, " ")}</span>
                      {event.subject && <span className="note">{event.subject}</span>}
                    </div>
                    <span className="note">{event.actor}</span>
                  </li>
                ))}
              </ul>
              <More pages={events} />
            </>
          )
        }
      </Shown>
    </section>
  );
}
