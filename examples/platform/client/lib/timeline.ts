import type { Id, Track, UnknownGroup } from "./types";
import { isForgotten } from "./words";

/** A line of the timeline: a person, or an unknown one, with all their tracks. */
export interface Row {
  key: string;
  label: string;
  personId: Id | null;
  group: UnknownGroup | null;
  tracks: Track[];
  /** Number of the colour, from 0. */
  colour: number;
}

/** How many colours there are; then they begin again. */
export const COLOURS = 8;

/** The people of a session in order of appearance, named ones first, then unknown ones: grouped as the gateway grouped them. */
export function timelineRows(tracks: readonly Track[], groups: readonly UnknownGroup[]): Row[] {
  const groupOf = new Map(groups.flatMap((group) => group.tracks.map((track) => [track, group] as const)));
  const rows = new Map<string, Row>();
  const inOrder = [...tracks].sort((a, b) => a.start_ms - b.start_ms || a.track - b.track);
  let unknown = 0;
  for (const track of inOrder) {
    const group = track.person === null ? (groupOf.get(track.track) ?? null) : null;
    const key =
      track.person !== null
        ? `person ${track.person_id ?? track.person}`
        : // The same before and after the groups are known, so that what is being typed there stays.
          `track ${group?.tracks[0] ?? track.track}`;
    let row = rows.get(key);
    if (!row) {
      const label = track.person ?? (isForgotten(track) ? "Forgotten" : `Unknown ${++unknown}`);
      row = { key, label, personId: track.person_id, group, tracks: [], colour: 0 };
      rows.set(key, row);
    }
    row.tracks.push(track);
  }
  const all = [...rows.values()];
  const sorted = [
    ...all.filter((row) => row.tracks[0]?.person != null),
    ...all.filter((row) => row.tracks[0]?.person == null),
  ];
  sorted.forEach((row, index) => {
    row.colour = index % COLOURS;
  });
  return sorted;
}

/** What can be pressed in a row's line, from where to where in ms: spans so close that fingers could not choose are one. */
export function targets({ tracks }: Pick<Row, "tracks">, durationMs: number): [number, number][] {
  const spans = tracks.flatMap((track) => track.spans_ms).sort((a, b) => a[0] - b[0]);
  const found: [number, number][] = [];
  for (const [start, end] of spans) {
    const last = found.at(-1);
    if (last && start - last[1] < durationMs / 20) last[1] = Math.max(last[1], end);
    else found.push([start, end]);
  }
  return found;
}

/** Round places for the marks of a time axis: at most `most` of them. */
export function ticks(durationMs: number, most = 8): number[] {
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200].map((seconds) => seconds * 1000);
  const step = steps.find((each) => durationMs / each <= most) ?? Math.ceil(durationMs / most / 3_600_000) * 3_600_000;
  return Array.from({ length: Math.floor(durationMs / step) + 1 }, (_, index) => index * step);
}
