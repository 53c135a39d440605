"""Checks `facerec evaluate tracks` against py-motmetrics on random tracks: python tracks_reference.py FACEREC [CASES [FOLDER]].

Needs `pip install motmetrics==1.4.0`. With FOLDER the cases and the reference's answers are kept there: that is how
fixtures/tracks was made.
"""

import json
import pathlib
import random
import subprocess
import sys
import tempfile

import motmetrics
import numpy as np

if not hasattr(np, "asfarray"):  # removed in numpy 2, still used by motmetrics
    np.asfarray = lambda values, dtype=float: np.asarray(values, dtype=dtype)


def walk(rng, frames, people):
    """Boxes of people who wander about and leave and return."""
    boxes = []
    for person in range(1, people + 1):
        x, y = rng.uniform(0, 600), rng.uniform(0, 300)
        dx, dy, side = rng.uniform(-8, 8), rng.uniform(-4, 4), rng.uniform(30, 60)
        away = 0
        for frame in range(1, frames + 1):
            x, y = x + dx, y + dy
            away = away - 1 if away else (rng.randint(1, 6) if rng.random() < 0.04 else 0)
            if not away:
                boxes.append((frame, person, x, y, side, side * 1.2))
    return boxes


def track(rng, truth):
    """The truth as a poor tracker would see it: misses, jitter, false boxes, switches, new numbers."""
    number, seen, next_number = {}, [], 100
    for frame, person, x, y, w, h in sorted(truth):
        if rng.random() < 0.1:
            continue
        if person not in number or rng.random() < 0.03:
            number[person], next_number = next_number, next_number + 1
        if rng.random() < 0.02 and len(number) > 1:
            a, b = rng.sample(sorted(number), 2)
            number[a], number[b] = number[b], number[a]
        jitter = lambda: rng.gauss(0, 0.12 * w)
        seen.append((frame, number[person], x + jitter(), y + jitter(), w, h))
        if rng.random() < 0.03:
            seen.append((frame, 9000 + len(seen), rng.uniform(0, 600), rng.uniform(0, 300), w, h))
    # A number twice in a frame is no track.
    return list({(row[0], row[1]): row for row in seen}.values())


def write(path, rows):
    path.write_text("".join(f"{f},{i},{x:.3f},{y:.3f},{w:.3f},{h:.3f},1,-1,-1,-1\n" for f, i, x, y, w, h in rows))


def reference(truth, result):
    read = lambda path: motmetrics.io.loadtxt(str(path), fmt="mot15-2D")
    accumulator = motmetrics.utils.compare_to_groundtruth(read(truth), read(result), "iou", distth=0.5)
    names = ["mota", "idf1", "num_switches", "num_fragmentations", "num_misses", "num_false_positives"]
    row = motmetrics.metrics.create().compute(accumulator, metrics=names, name="all").loc["all"]
    keys = ["mota", "idf1", "id_switches", "fragments", "misses", "false_boxes"]
    return {key: float(row[name]) for key, name in zip(keys, names)}


def main():
    facerec, cases = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 30
    keep = pathlib.Path(sys.argv[3]) if len(sys.argv) > 3 else None
    with tempfile.TemporaryDirectory() as temporary:
        for case in range(cases):
            rng = random.Random(case)
            folder = keep or pathlib.Path(temporary)
            truth, result = folder / f"case{case}-truth.txt", folder / f"case{case}-result.txt"
            rows = walk(rng, rng.randint(10, 60), rng.randint(1, 8))
            write(truth, rows)
            write(result, track(rng, rows))
            expected = reference(truth, result)
            command = [facerec, "--json", "evaluate", "tracks", "--truth", str(truth), "--result", str(result)]
            ours = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            for key, value in expected.items():
                if abs(ours[key] - value) > 1e-5:
                    sys.exit(f"case {case}: {key} is {ours[key]}, py-motmetrics says {value}")
            if keep:
                (folder / f"case{case}-motmetrics.json").write_text(json.dumps(expected) + "\n")
    print(f"{cases} cases: mota, idf1, switches, fragments, misses and false boxes as py-motmetrics has them")


main()
