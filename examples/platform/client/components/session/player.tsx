"use client";

import { type RefObject, useCallback, useEffect, useEffectEvent, useRef, useState } from "react";
import { Empty, Failure, Loading } from "@/components/ui/states";
import * as api from "@/lib/api";
import { boxAt } from "@/lib/boxes";
import { useLoad } from "@/lib/load";
import type { Row } from "@/lib/timeline";
import type { BoxRow, Id, SessionState } from "@/lib/types";
import { draw, type Shown } from "./draw";

interface Props {
  id: Id;
  video: RefObject<HTMLVideoElement | null>;
  rows: Row[];
  boxes: ReadonlyMap<number, BoxRow[]>;
  state: SessionState;
  onTime: (ms: number) => void;
}

/** The video, with the boxes of the very frame that is on the screen drawn over it. */
export function Player({ id, video, rows, boxes, state, onTime }: Props) {
  const ticket = useLoad(`video ${id}`, (signal) => api.ticketed(api.videoPath(id), signal));
  const canvas = useRef<HTMLCanvasElement>(null);
  const [withBoxes, setWithBoxes] = useState(true);
  const [present, setPresent] = useState("");
  const [broken, setBroken] = useState(false);
  const renewed = useRef({ at: 0, time: 0 });

  const paint = useEffectEvent((ms: number) => {
    onTime(ms);
    const shown: Shown[] = [];
    for (const row of rows) {
      for (const track of row.tracks) {
        const box = boxAt(boxes.get(track.track) ?? [], ms);
        if (box) shown.push({ box, label: row.label, colour: row.colour, known: track.person !== null });
      }
    }
    if (canvas.current && video.current) draw(canvas.current, video.current, withBoxes ? shown : []);
    setPresent([...new Set(shown.map((each) => each.label))].join(", "));
  });

  const address = ticket.data;
  useEffect(() => {
    const element = video.current;
    if (!element || !address) return;
    const now = () => paint(element.currentTime * 1000);
    const exact = "requestVideoFrameCallback" in element;
    let handle = 0;
    const onFrame = (_: number, { mediaTime }: { mediaTime: number }) => {
      paint(mediaTime * 1000);
      handle = element.requestVideoFrameCallback(onFrame);
    };
    const onScreen = () => {
      now();
      handle = requestAnimationFrame(onScreen);
    };
    handle = exact ? element.requestVideoFrameCallback(onFrame) : requestAnimationFrame(onScreen);
    const watch = new ResizeObserver(now);
    watch.observe(element);
    for (const name of ["loadeddata", "seeked"]) element.addEventListener(name, now);
    return () => {
      if (exact) element.cancelVideoFrameCallback(handle);
      else cancelAnimationFrame(handle);
      watch.disconnect();
      for (const name of ["loadeddata", "seeked"]) element.removeEventListener(name, now);
    };
  }, [address, video]);

  // Whatever changes what is to be drawn, while the video stands still.
  // biome-ignore lint/correctness/useExhaustiveDependencies: they are what `paint` reads.
  useEffect(() => paint((video.current?.currentTime ?? 0) * 1000), [rows, boxes, withBoxes, video]);

  const { reload } = ticket;
  /** A ticket is short-lived: a paused video asks with an old one. Then a new one is fetched, and playing goes on from there. */
  const onError = useCallback(() => {
    const at = Date.now();
    if (at - renewed.current.at < 5_000) return setBroken(true);
    renewed.current = { at, time: video.current?.currentTime ?? 0 };
    reload();
  }, [reload, video]);

  if (ticket.error && !address) return <Failure error={ticket.error} retry={reload} />;
  if (!address) return <Loading label="Loading the video" />;
  if (broken) {
    return (
      <Empty icon="video" title="The browser cannot play this video.">
        {state === "done" && <p>The results below are complete all the same.</p>}
      </Empty>
    );
  }
  const live = state === "queued" || state === "running";
  return (
    <div className="player">
      <div className="stage">
        {/* biome-ignore lint/a11y/useMediaCaption: an uploaded video has no captions; who is in it is told below, in text. */}
        <video
          key={address}
          ref={video}
          src={address}
          controls
          playsInline
          preload="auto"
          aria-label="The video"
          onError={onError}
          onLoadedMetadata={(event) => {
            if (renewed.current.time > 0) event.currentTarget.currentTime = renewed.current.time;
          }}
        />
        <canvas ref={canvas} />
      </div>
      <div className="player-foot">
        <p className="present">
          <span className="note">In the picture:</span>{" "}
          <span data-present>{present || (live ? "nobody found so far" : "nobody")}</span>
        </p>
        <label className="check">
          <input type="checkbox" checked={withBoxes} onChange={(event) => setWithBoxes(event.target.checked)} />
          Show boxes
        </label>
      </div>
    </div>
  );
}
