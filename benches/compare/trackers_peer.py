"""ByteTrack and OC-SORT of the package `trackers` (Roboflow) on given detections, results as `facerec --json video --boxes` prints them.

python trackers_peer.py bytetrack|ocsort DETECTIONS.jsonl RESULT.jsonl [--fps 25] [--mot RESULT.txt]

The package's default parameters, except the frame rate. A detection that the package gives no track (id -1: a track's first frames
until it is confirmed) is left out, as its own evaluation does. Needs requirements-trackers.txt; torch is not needed.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import supervision
from trackers import ByteTrackTracker, OCSORTTracker

TRACKERS = {"bytetrack": ByteTrackTracker, "ocsort": OCSORTTracker}


def track(tracker, lines):
    """{track: [[frame, ms, x1, y1, x2, y2], ...]}"""
    tracks = {}
    for line in lines:
        frame = json.loads(line)
        boxes = np.array([face["box"] for face in frame["faces"]], np.float32).reshape(-1, 4)
        scores = np.array([face["score"] for face in frame["faces"]], np.float32)
        found = tracker.update(supervision.Detections(xyxy=boxes, confidence=scores, class_id=np.zeros(len(boxes), int)))
        for box, identity in zip(found.xyxy, found.tracker_id):
            if identity >= 0:
                tracks.setdefault(int(identity), []).append([frame["frame"], frame["ms"], *(round(float(v), 2) for v in box)])
    return tracks


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tracker", choices=TRACKERS)
    parser.add_argument("detections", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--fps", type=float, default=25)
    parser.add_argument("--mot", type=Path, help="MOT text as well, frames from 1")
    args = parser.parse_args()
    tracks = track(TRACKERS[args.tracker](frame_rate=args.fps), args.detections.read_text().splitlines())
    with open(args.result, "w") as out:
        for number, (_, boxes) in enumerate(sorted(tracks.items()), 1):
            out.write(json.dumps({"track": number, "person": None, "start_ms": boxes[0][1], "end_ms": boxes[-1][1], "boxes": boxes}) + "\n")
    if args.mot:
        rows = sorted((f + 1, number, x1, y1, round(x2 - x1, 2), round(y2 - y1, 2), 1, -1, -1, -1)
                      for number, (_, boxes) in enumerate(sorted(tracks.items()), 1) for f, _, x1, y1, x2, y2 in boxes)
        args.mot.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))


if __name__ == "__main__":
    main()
