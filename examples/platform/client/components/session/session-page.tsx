"use client";

import { useRouter } from "next/navigation";
import { useMemo, useRef, useState } from "react";
import { ById } from "@/components/shell/by-id";
import { useMay } from "@/components/shell/me";
import { AskDialog } from "@/components/ui/dialog";
import { PageHead } from "@/components/ui/page-head";
import { Badge, Empty, Failure, Loading, Progress, Shown } from "@/components/ui/states";
import { tell, tellError } from "@/components/ui/toasts";
import { stateTone } from "@/components/videos/session-card";
import * as api from "@/lib/api";
import { forgetPictures } from "@/lib/pictures";
import { timelineRows } from "@/lib/timeline";
import type { Id, Session } from "@/lib/types";
import { clock, count, isForgotten, sessionError, stateWords, when } from "@/lib/words";
import { Player } from "./player";
import { Results } from "./results";
import { Timeline } from "./timeline";
import { Unknown } from "./unknown";
import { useSession } from "./use-session";

export function SessionPage() {
  return (
    <ById list={{ href: "/videos/", label: "Videos" }} icon="video" what="video">
      {(id) => <One id={id} />}
    </ById>
  );
}

function One({ id }: { id: Id }) {
  const { session, tracks, groups, boxes, live, reload } = useSession(id);
  const video = useRef<HTMLVideoElement>(null);
  const playhead = useRef<HTMLDivElement>(null);
  const mayEnrol = useMay("enrol");
  const rows = useMemo(() => timelineRows(tracks.data ?? [], groups.data ?? []), [tracks.data, groups.data]);
  const lastEnd = Math.max(1, ...rows.flatMap((row) => row.tracks.map((track) => track.end_ms)));
  const duration = Math.max(session.data?.duration_ms ?? 0, lastEnd);
  const unknown = rows.filter(({ tracks: [first] }) => first?.person === null && !isForgotten(first));
  const seek = (ms: number) => {
    const element = video.current;
    if (!element) return;
    element.currentTime = ms / 1000;
    element.scrollIntoView({ block: "nearest", behavior: "smooth" });
  };
  const onTime = (ms: number) => {
    if (playhead.current) playhead.current.style.left = `${Math.min(100, (100 * ms) / duration)}%`;
  };
  return (
    <Shown of={session} title="Video">
      {(now) => (
        <>
          <Head session={now} live={live} onChanged={reload} />
          {live && <Live session={now} tracks={tracks.data?.length ?? 0} />}
          {now.state === "failed" && (
            <Failure error={new Error(sessionError(now) || "This video could not be looked at.")} />
          )}
          <Player id={id} video={video} rows={rows} boxes={boxes} state={now.state} onTime={onTime} />
          {tracks.error && <Failure error={tracks.error} retry={tracks.reload} />}
          {tracks.data === undefined && !tracks.error && <Loading label="Loading the results" />}
          {rows.length > 0 && (
            <section aria-labelledby="timeline">
              <h2 id="timeline">Timeline</h2>
              <Timeline rows={rows} durationMs={duration} seek={seek} playhead={playhead} />
            </section>
          )}
          {tracks.data?.length === 0 && now.state === "done" && (
            <Empty icon="face" title="No face was found in this video." />
          )}
          {unknown.length > 0 && (
            <section aria-labelledby="unknown">
              <h2 id="unknown">Unknown people</h2>
              <p className="lead">
                {!mayEnrol
                  ? "Nobody enrolled looks like them."
                  : live
                    ? "They can be given names when the whole video was looked at."
                    : "Give one a name, and the gallery recognises them from now on."}
              </p>
              {groups.error && <Failure error={groups.error} retry={groups.reload} />}
              <Unknown id={id} rows={unknown} mayEnrol={mayEnrol && !live} onEnrolled={reload} />
            </section>
          )}
          {rows.length > 0 && (
            <section aria-labelledby="results">
              <h2 id="results">Results</h2>
              <Results rows={rows} seek={seek} />
            </section>
          )}
        </>
      )}
    </Shown>
  );
}

function Live({ session, tracks }: { session: Session; tracks: number }) {
  return (
    <section className="panel live" aria-label="Progress">
      <Progress value={session.progress} label="Progress" />
      <p role="status">
        {session.state === "queued"
          ? "Waiting for a free worker."
          : `${Math.round(session.progress * 100)}% looked at, ${count(tracks, "track")} so far.`}
      </p>
    </section>
  );
}

function Head({ session, live, onChanged }: { session: Session; live: boolean; onChanged: () => void }) {
  const router = useRouter();
  const mayQuery = useMay("query");
  const [asking, setAsking] = useState(false);
  const cancel = () => api.cancelSession(session.id).then(onChanged, tellError);
  const remove = async () => {
    await api.deleteSession(session.id);
    forgetPictures();
    tell(`${session.file_name} and its results are deleted.`);
    router.replace("/videos/");
  };
  const length = session.duration_ms ? ` · ${clock(session.duration_ms, false)} long` : "";
  const found =
    session.state === "done" ? ` · ${count(session.tracks, "track")}, ${session.unknown_tracks} unknown` : "";
  return (
    <PageHead title={session.file_name} lead={`${when(session.created_ms)}${length}${found}`}>
      <Badge tone={stateTone[session.state]}>{stateWords[session.state]}</Badge>
      {mayQuery && live && (
        <button type="button" className="button" onClick={cancel}>
          Cancel
        </button>
      )}
      {mayQuery && (
        <button type="button" className="button danger-quiet" onClick={() => setAsking(true)}>
          Delete…
        </button>
      )}
      {asking && (
        <AskDialog title="Delete this video?" label="Delete" onClose={() => setAsking(false)} act={remove} danger>
          <p>The video, its results and its pictures are erased. People enrolled from it stay.</p>
        </AskDialog>
      )}
    </PageHead>
  );
}
