"use client";

import Link from "next/link";
import type { RefObject } from "react";
import { Photo } from "@/components/ui/photo";
import { type Row, targets, ticks } from "@/lib/timeline";
import { clock } from "@/lib/words";

interface Props {
  rows: Row[];
  durationMs: number;
  seek: (ms: number) => void;
  /** Moved from outside with every frame, without drawing the timeline again. */
  playhead: RefObject<HTMLDivElement | null>;
}

export function Timeline({ rows, durationMs, seek, playhead }: Props) {
  const percent = (ms: number) => `${(100 * Math.min(ms, durationMs)) / durationMs}%`;
  const place = (start: number, end: number) => ({ left: percent(start), width: percent(Math.max(end - start, 0)) });
  return (
    <div className="timeline">
      <ul aria-label="Timeline, a line per person">
        {rows.map((row) => (
          <li key={row.key} className={`line colour-${row.colour}`}>
            <div className="line-who">
              <Photo path={row.tracks[0]?.best_shots[0]?.url ?? null} alt="" />
              {row.personId !== null ? (
                <Link href={`/person/?id=${encodeURIComponent(row.personId)}`}>{row.label}</Link>
              ) : (
                <span>{row.label}</span>
              )}
            </div>
            <div className="line-bar">
              {row.tracks.flatMap((track) =>
                track.spans_ms.map(([start, end]) => (
                  <span
                    key={`${track.track} ${start}`}
                    className={track.person === null ? "span unknown" : "span"}
                    style={place(start, end)}
                  />
                )),
              )}
              {targets(row, durationMs).map(([start, end]) => (
                <button
                  type="button"
                  key={start}
                  className="target"
                  style={place(start, end)}
                  onClick={() => seek(start)}
                  aria-label={`${row.label}, ${clock(start)} to ${clock(end)}: go there`}
                  title={`${clock(start)} – ${clock(end)}`}
                />
              ))}
            </div>
          </li>
        ))}
      </ul>
      <div className="axis" aria-hidden="true">
        <div className="axis-bar">
          {ticks(durationMs).map((ms) => (
            <span key={ms} className="tick" style={{ left: percent(ms) }}>
              {clock(ms, false)}
            </span>
          ))}
          <div className="playhead" ref={playhead} />
        </div>
      </div>
    </div>
  );
}
