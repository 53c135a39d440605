"use client";

import { useEffect, useRef } from "react";
import { useMay } from "@/components/shell/me";
import { Listed } from "@/components/ui/listed";
import { PageHead } from "@/components/ui/page-head";
import { Empty } from "@/components/ui/states";
import * as api from "@/lib/api";
import { usePages } from "@/lib/load";
import { useStore } from "@/lib/store";
import { type Upload, uploads } from "@/lib/uploads";
import { SessionCard } from "./session-card";
import { UploadPanel } from "./upload-panel";

const none: Upload[] = [];

/** How often the list is asked for while a video of it is under way, in ms. */
const EVERY = 1500;

export function Videos() {
  const mayQuery = useMay("query");
  const begun = useStore(uploads, none).filter((upload) => upload.state === "done").length;
  const sessions = usePages(`sessions ${begun}`, (cursor, signal) => api.sessions(cursor, signal));
  const live = sessions.data?.some((session) => session.state === "queued" || session.state === "running") ?? false;
  const { setItems } = sessions;
  const busy = useRef(false);
  useEffect(() => {
    if (!live) return;
    const timer = setInterval(async () => {
      if (busy.current || document.hidden) return;
      busy.current = true;
      try {
        const { items } = await api.sessions(null);
        const fresh = new Map(items.map((session) => [session.id, session]));
        setItems((now) => now.map((session) => fresh.get(session.id) ?? session));
      } catch {
        // The next turn tries again; what is shown stays true until then.
      } finally {
        busy.current = false;
      }
    }, EVERY);
    return () => clearInterval(timer);
  }, [live, setItems]);
  return (
    <>
      <PageHead title="Videos" lead="Upload a video to see who is in it, and from when to when." />
      {mayQuery && <UploadPanel />}
      <section aria-labelledby="sessions">
        <div className="section-head">
          <h2 id="sessions">Sessions</h2>
        </div>
        <Listed
          of={sessions}
          className="sessions"
          label="Sessions"
          empty={
            <Empty icon="video" title="No video was looked at yet.">
              <p>Each uploaded video becomes a session: who is in it, from when to when, with the best shots.</p>
            </Empty>
          }
        >
          {(session) => <SessionCard key={session.id} session={session} />}
        </Listed>
      </section>
    </>
  );
}
