import { expect, test } from "@playwright/test";
import { boxAt, contain } from "../lib/boxes";
import { EventReader } from "../lib/events";
import { targets, ticks, timelineRows } from "../lib/timeline";
import type { BoxRow, Track } from "../lib/types";
import { clock, rejectWords, size } from "../lib/words";

// No browser: the parts that compute something.

test("events are read whole from pieces cut anywhere", () => {
  const text =
    ': hello\n\nid: 1\nevent: progress\ndata: {"progress":0.5}\n\nid: 2\r\nevent: state\r\ndata: a\r\ndata:  b\r\n\r\nretry: 5\n\ndata\n\n';
  const expected = [
    { id: "1", name: "progress", data: '{"progress":0.5}' },
    { id: "2", name: "state", data: "a\n b" },
    { id: "2", name: "message", data: "" },
  ];
  for (let size = 1; size <= text.length; size += 1) {
    const reader = new EventReader();
    const events = [];
    for (let at = 0; at < text.length; at += size) events.push(...reader.push(text.slice(at, at + size)));
    expect(events, `pieces of ${size}`).toEqual(expected);
  }
});

test("a box lies between the two around its time, and nowhere while the face is away", () => {
  const rows: BoxRow[] = [
    [0, 0, 0, 0, 10, 10],
    [3, 100, 10, 20, 20, 30],
    [60, 2000, 50, 50, 60, 60],
  ];
  expect(boxAt(rows, 0)).toEqual([0, 0, 10, 10]);
  expect(boxAt(rows, 50)).toEqual([5, 10, 15, 20]);
  expect(boxAt(rows, 100)).toEqual([10, 20, 20, 30]);
  expect(boxAt(rows, 140)).toEqual([10, 20, 20, 30]);
  expect(boxAt(rows, 1000)).toBeNull();
  expect(boxAt(rows, 1960)).toEqual([50, 50, 60, 60]);
  expect(boxAt(rows, 2500)).toBeNull();
  expect(boxAt([], 0)).toBeNull();
});

test("a picture is placed as `object-fit: contain` places it", () => {
  expect(contain(640, 360, 1280, 720)).toEqual({ scale: 2, left: 0, top: 0 });
  expect(contain(100, 200, 400, 400)).toEqual({ scale: 2, left: 100, top: 0 });
});

test("a person has one line, unknown ones a line per group, named ones first", () => {
  const track = (number: number, person: string | null, start: number): Track => {
    const decision = { similarity: 0.5, threshold: 0.5, margin: 0.1, reason: "match", candidates: [] };
    const spans: [number, number][] = [[start, start + 10]];
    return {
      ...decision,
      track: number,
      person,
      person_id: person,
      start_ms: start,
      end_ms: start + 10,
      frames: 1,
      spans_ms: spans,
      best_shots: [],
    };
  };
  const tracks = [track(1, null, 0), track(2, "Ann", 20), track(3, null, 30), track(4, "Ann", 50), track(5, null, 60)];
  const rows = timelineRows(tracks, [{ id: "g", tracks: [1, 5], size: 2, url: null }]);
  expect(rows.map((row) => [row.label, row.tracks.map((each) => each.track)])).toEqual([
    ["Ann", [2, 4]],
    ["Unknown 1", [1, 5]],
    ["Unknown 2", [3]],
  ]);
});

test("spans that fingers could not tell apart are one to press", () => {
  const spans = (...spans_ms: [number, number][]) => ({ tracks: [{ spans_ms } as Track] });
  expect(targets(spans([9000, 9800], [10_000, 11_900], [0, 2900]), 15_000)).toEqual([
    [0, 2900],
    [9000, 11_900],
  ]);
  expect(targets(spans([0, 5000], [1000, 2000]), 15_000)).toEqual([[0, 5000]]);
});

test("words and numbers", () => {
  expect(clock(7540)).toBe("0:07.5");
  expect(clock(59_990)).toBe("1:00.0");
  expect(clock(3_723_400)).toBe("1:02:03.4");
  expect(clock(14_960, false)).toBe("0:15");
  expect(size(999)).toBe("999 bytes");
  expect(size(420_052)).toBe("420 KB");
  expect(size(2_000_000_000)).toBe("2.0 GB");
  expect(rejectWords("too_small")).toContain("too small");
  expect(rejectWords("a_new_reason")).toBe("a new reason.");
  expect(ticks(14_960)).toEqual([0, 2000, 4000, 6000, 8000, 10_000, 12_000, 14_000]);
  expect(ticks(90_000_000).length).toBeLessThanOrEqual(9);
});
