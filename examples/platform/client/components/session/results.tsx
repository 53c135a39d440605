"use client";

import { Decided } from "@/components/ui/decided";
import { Photo } from "@/components/ui/photo";
import type { Row } from "@/lib/timeline";
import type { Track } from "@/lib/types";
import { clock, isForgotten, similarity } from "@/lib/words";

/** One result per track, with its evidence. */
export function Results({ rows, seek }: { rows: Row[]; seek: (ms: number) => void }) {
  return (
    <ul className="results" aria-label="Results, one per track">
      {rows.flatMap((row) =>
        row.tracks.map((track) => <Result key={track.track} row={row} track={track} seek={seek} />),
      )}
    </ul>
  );
}

function Result({ row, track, seek }: { row: Row; track: Track; seek: (ms: number) => void }) {
  // Below half of what is needed, the most similar person says nothing.
  const best = track.candidates[0];
  const nearest = track.person === null && best && best.similarity >= track.threshold / 2 ? best : null;
  return (
    <li className={`result colour-${row.colour}`} data-track={track.track} data-person={track.person ?? ""}>
      <Decided of={track} label={row.label}>
        <ul className="shots" aria-label={`Best shots of ${row.label}`}>
          {track.best_shots.map((shot) => (
            <li key={shot.frame}>
              <button
                type="button"
                onClick={() => seek(shot.ms)}
                aria-label={`${row.label} at ${clock(shot.ms)}: go there`}
              >
                <Photo path={shot.url} alt="" />
                <span aria-hidden="true">{clock(shot.ms)}</span>
              </button>
            </li>
          ))}
        </ul>
      </Decided>
      <p className="note">Seen {track.spans_ms.map(([start, end]) => `${clock(start)} – ${clock(end)}`).join(", ")}</p>
      {!isForgotten(track) && (
        <p className="note">
          Similarity {similarity(track.similarity)}, needed {similarity(track.threshold)}
          {nearest && `; nearest is ${nearest.person}`}
        </p>
      )}
    </li>
  );
}
