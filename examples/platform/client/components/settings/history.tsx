"use client";

import Link from "next/link";
import { Listed } from "@/components/ui/listed";
import { Empty } from "@/components/ui/states";
import * as api from "@/lib/api";
import { usePages } from "@/lib/load";
import type { AuditEvent } from "@/lib/types";
import { eventWords, when } from "@/lib/words";

/** Where one sees what it happened to, for as long as that is there. */
function place({ kind, subject }: AuditEvent): string | null {
  const [what] = kind.split(".");
  if (!subject || kind.endsWith(".removed") || kind.endsWith(".forgotten")) return null;
  return what === "person" || what === "session" ? `/${what}/?id=${encodeURIComponent(subject)}` : null;
}

/** The forwarder writes down how work ended; to whoever reads it here, that is the platform. */
const who = (actor: string) => (actor === "forwarder" ? "the platform" : actor);

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
            <span className="row-main">
              <What event={event} />
            </span>
            <span className="note">by {who(event.actor)}</span>
          </li>
        )}
      </Listed>
    </section>
  );
}

function What({ event }: { event: AuditEvent }) {
  const [words, href] = [eventWords(event.kind), place(event)];
  return href ? <Link href={href}>{words}</Link> : words;
}
