"use client";

import { useCallback, useEffect, useEffectEvent, useRef, useState } from "react";
import * as api from "@/lib/api";
import { followSession } from "@/lib/events";
import { useLoad } from "@/lib/load";
import type { BoxRow, Id, Session, Track } from "@/lib/types";

/** Everything the page shows of a session, kept up to date while it runs. */
export function useSession(id: Id) {
  const session = useLoad(`session ${id}`, (signal) => api.session(id, signal));
  const tracks = useLoad(`tracks ${id}`, (signal) => api.tracks(id, signal));
  const groups = useLoad(`unknown ${id}`, async (signal) => (await api.unknown(id, signal)).groups);
  const live = session.data?.state === "queued" || session.data?.state === "running";

  const lastAttempt = useRef(0);
  const [attempt, setAttempt] = useState(0);

  const onEvent = useEffectEvent((name: string, data: unknown) => {
    if (name === "progress") {
      const { progress } = data as { progress: number };
      session.setData((now) => ({ ...now, state: now.state === "queued" ? "running" : now.state, progress }));
    } else if (name === "track") {
      const track = data as Track;
      tracks.setData((now) => [...now.filter((each) => each.track !== track.track), track]);
    } else if (name === "state") {
      const { state, attempt: now } = data as Pick<Session, "state"> & { attempt?: number };
      // Another worker begins anew where one died: what the first had found is found again.
      if (now !== undefined && lastAttempt.current > 0 && now > lastAttempt.current) tracks.setData(() => []);
      lastAttempt.current = now ?? lastAttempt.current;
      setAttempt(lastAttempt.current);
      session.setData((now) => ({ ...now, state }));
      if (state === "done" || state === "failed" || state === "cancelled") reload();
    }
  });
  const { reload: reloadSession } = session;
  const { reload: reloadTracks } = tracks;
  const { reload: reloadGroups } = groups;
  const reload = useCallback(() => {
    reloadSession();
    reloadTracks();
    reloadGroups();
  }, [reloadSession, reloadTracks, reloadGroups]);

  useEffect(() => {
    if (!live) return;
    const stop = new AbortController();
    // Refused for good means the session is gone, which asking for it again will tell.
    followSession(id, (name, data) => stop.signal.aborted || onEvent(name, data), stop.signal).catch(
      () => stop.signal.aborted || reloadSession(),
    );
    return () => stop.abort();
  }, [id, live, reloadSession]);

  // What was found last may still be added to until the end.
  const boxes = useBoxes(id, tracks.data ?? [], live ? `attempt ${attempt}` : "over");
  return { session, tracks, groups, boxes, live, reload };
}

const noBoxes: ReadonlyMap<number, BoxRow[]> = new Map();

/** The boxes of each track, a few at a time, asked for once in each `turn`. */
function useBoxes(id: Id, tracks: Track[], turn: string): ReadonlyMap<number, BoxRow[]> {
  const [known, setKnown] = useState({ turn, boxes: noBoxes });
  const boxes = known.turn === turn ? known.boxes : noBoxes;
  const missing = tracks.map((each) => each.track).filter((track) => !boxes.has(track));
  const batch = missing.slice(0, 6).join(" ");
  useEffect(() => {
    if (batch === "") return;
    const stop = new AbortController();
    const numbers = batch.split(" ").map(Number);
    Promise.all(
      // A track without boxes is drawn without them.
      numbers.map((track) =>
        api.boxes(id, track, stop.signal).then(
          (answer) => answer.boxes,
          () => [],
        ),
      ),
    ).then((rows) => {
      if (stop.signal.aborted) return;
      const more = numbers.map((track, index) => [track, rows[index] ?? []] as const);
      setKnown((now) => ({ turn, boxes: new Map([...(now.turn === turn ? now.boxes : []), ...more]) }));
    });
    return () => stop.abort();
  }, [id, batch, turn]);
  return boxes;
}
