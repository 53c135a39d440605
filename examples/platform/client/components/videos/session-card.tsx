import Link from "next/link";
import { Badge, Progress, type Tone } from "@/components/ui/states";
import type { Session, SessionState } from "@/lib/types";
import { clock, count, sessionError, stateWords, when } from "@/lib/words";

export const stateTone: Record<SessionState, Tone> = {
  queued: "quiet",
  running: "busy",
  done: "good",
  failed: "bad",
  cancelled: "quiet",
};

export const sessionHref = (id: Session["id"]) => `/session/?id=${encodeURIComponent(id)}`;

export function SessionCard({ session }: { session: Session }) {
  const { state } = session;
  const names = session.persons.map((person) => person.person).join(", ");
  const live = state === "running" || state === "queued";
  return (
    <li className="session" data-state={state}>
      <div className="session-main">
        <Link href={sessionHref(session.id)}>{session.file_name}</Link>
        <p className="note">
          {when(session.created_ms)}
          {session.duration_ms ? ` · ${clock(session.duration_ms, false)} long` : ""}
        </p>
      </div>
      <div className="session-who">
        {state === "failed" ? (
          <p className="problem">{sessionError(session)}</p>
        ) : (
          <>
            {names && <p>{names}</p>}
            {(session.tracks > 0 || state === "done") && (
              <p className="note">
                {count(session.tracks, "track")}, {session.unknown_tracks} unknown
              </p>
            )}
          </>
        )}
        {live && <Progress value={session.progress} label={`Progress of ${session.file_name}`} />}
      </div>
      <Badge tone={stateTone[state]}>
        {stateWords[state]}
        {state === "running" && ` ${Math.round(session.progress * 100)}%`}
      </Badge>
    </li>
  );
}
