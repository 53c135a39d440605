"""How many of the faces of generate.py's pictures are found, per size, and how many that are none.

python score.py --pictures DIR --facerec PROGRAM [--detail fast auto full] [--only NAME] [-- OPTIONS OF facerec]

A face is found when a box overlaps its own by at least 0.3 (intersection over union). What is found beside the pasted portraits
is false; so is a second box on one face.
"""

import argparse
import json
import subprocess
from collections import Counter
from pathlib import Path


def overlap(a, b):
    shared = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def inside(box, area):
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return area[0] <= x <= area[2] and area[1] <= y <= area[3]


def score(pictures, truth, facerec, detail, options, name=""):
    files = sorted(file for file in pictures.glob("*.jpg") if file.name in truth and name in file.name)
    answer = subprocess.run([facerec, "--json", "--detail", detail, *options, "detect", *map(str, files)], capture_output=True, text=True, check=False)
    if answer.returncode not in (0, 1):
        raise SystemExit(answer.stderr)
    wanted, hit, false, twice, per_file = Counter(), Counter(), 0, 0, {}
    for line in answer.stdout.splitlines():
        record = json.loads(line)
        boxes, left = [face["box"] for face in record["faces"]], []
        faces = truth[Path(record["image"]).name]
        for face in faces:
            wanted[face["size"]] += 1
            hit[face["size"]] += any(overlap(face["box"], box) >= 0.3 for box in boxes)
        for box in boxes:
            own = [face for face in faces if overlap(face["box"], box) >= 0.3]
            if not own and not any(inside(box, face["pasted"]) for face in faces):
                left.append([round(value) for value in box])
        for face in faces:
            twice += max(0, sum(inside(box, face["pasted"]) for box in boxes) - 1)
        false += len(left)
        per_file[Path(record["image"]).name] = left
    return wanted, hit, false, twice, per_file, len(files)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--facerec", default="target/release/facerec")
    parser.add_argument("--detail", nargs="+", default=["fast", "auto", "full"])
    parser.add_argument("--only", default="", help="pictures whose name has this in it")
    parser.add_argument("--false", action="store_true", help="say where the false ones are")
    parser.add_argument("options", nargs="*")
    arguments = parser.parse_args()
    truth = json.loads((arguments.pictures / "truth.json").read_text())
    for detail in arguments.detail:
        wanted, hit, false, twice, per_file, files = score(arguments.pictures, truth, arguments.facerec, detail, arguments.options, arguments.only)
        sizes = "  ".join(f"{size}: {hit[size]}/{wanted[size]}" for size in sorted(wanted))
        print(f"{detail}: {sizes}; false: {false} in {files} pictures, twice: {twice}")
        if arguments.false:
            print("\n".join(f"  {name}: {boxes}" for name, boxes in per_file.items() if boxes))


if __name__ == "__main__":
    main()
