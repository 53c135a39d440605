"use client";

import { Listed } from "@/components/ui/listed";
import { Empty } from "@/components/ui/states";
import * as api from "@/lib/api";
import { usePages } from "@/lib/load";
import { when } from "@/lib/words";

/** Who changed what, newest first. */
export function History() {
  const events = usePages("events", (cursor, signal) => api.auditEvents(cursor, signal));
  return (
    <section aria-labelledby="history">
      <div className="section-head">
        <h2 id="history">History</h2>
      </div>
      <Listed
        of={events}
        className="rows history"
        label="History"
        empty={<Empty icon="clock" title="Nothing was changed yet." />}
      >
        {(event) => (
          <li key={event.seq}>
            <span className="note">{when(event.at_ms)}</span>
            <div className="row-main">
              <span className="row-name">{event.kind.replaceAll(/[._]/g, " ")}</span>
              {event.subject && <span className="note">{event.subject}</span>}
            </div>
            <span className="note">{event.actor}</span>
          </li>
        )}
      </Listed>
    </section>
  );
}
