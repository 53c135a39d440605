import type { Box, BoxRow } from "./types";

/** A face is drawn between two of its boxes when they are at most this far apart in time, in ms: frames left out by the detector,
 * not a face that was away. */
const GAP = 400;

/** And that long after its last box or before its first: half a frame of a slow video. */
const EDGE = 60;

/** Where a track's face is at `ms`: between the boxes before and after, or null when it is not in the picture. Rows are in order
 * of time. */
export function boxAt(rows: readonly BoxRow[], ms: number): Box | null {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((rows[middle] as BoxRow)[1] <= ms) low = middle + 1;
    else high = middle;
  }
  const before = rows[low - 1];
  const after = rows[low];
  const near = (row: BoxRow | undefined) => row !== undefined && Math.abs(row[1] - ms) <= EDGE;
  if (before && after && after[1] - before[1] <= GAP) {
    const share = (ms - before[1]) / (after[1] - before[1] || 1);
    const between = (k: 2 | 3 | 4 | 5) => before[k] + (after[k] - before[k]) * share;
    return [between(2), between(3), between(4), between(5)];
  }
  if (before && near(before)) return [before[2], before[3], before[4], before[5]];
  if (after && near(after)) return [after[2], after[3], after[4], after[5]];
  return null;
}

/** Where a picture of `wide` x `high` lies in an element that shows it whole (`object-fit: contain`): scale and offset. */
export function contain(wide: number, high: number, width: number, height: number) {
  const scale = Math.min(width / wide, height / high);
  return { scale, left: (width - wide * scale) / 2, top: (height - high * scale) / 2 };
}
