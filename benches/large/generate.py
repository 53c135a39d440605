"""Large pictures with a known truth: portraits pasted at known sizes and places, and pictures without any face.

python generate.py --facerec PROGRAM --shared ../shared --out DIR      21 collages with truth.json, 14 pictures without faces

A face's size is the square root of its box's area. The boxes of the portraits are what facerec says of each portrait on its own.
Needs numpy and opencv-python-headless. Everything is drawn from fixed seeds.
"""

import argparse
import json
import math
import random
import subprocess
from pathlib import Path

import cv2
import numpy as np

SIZES = {40: 14, 48: 14, 64: 12, 96: 10, 128: 8, 200: 6, 400: 3, 1000: 1, 3000: 1}
SCENES = {"8mp": (3264, 2448), "24mp": (6000, 4000), "50mp": (8160, 6120), "100mp": (11540, 8660),
          "wide8000": (8000, 1500), "wide20000": (20000, 2000), "tall8000": (1500, 8000)}
GROUNDS = ("noise", "gradient", "real")


def found(facerec, files):
    """The faces of each file, as the program says."""
    answer = subprocess.run([facerec, "--json", "--detail", "fast", "detect", *map(str, files)], capture_output=True, text=True, check=False)
    records = [json.loads(line) for line in answer.stdout.splitlines()]
    return {Path(record["image"]): record.get("faces", []) for record in records}


def side(box):
    return math.sqrt((box[2] - box[0]) * (box[3] - box[1]))


def portraits(facerec, shared):
    """Pictures of one face with its box, hair and shoulders around it as far as the photo reaches: small ones of LFW, and large ones."""
    people = sorted((shared / "data/lfw").rglob("*_0001.jpg"))
    random.Random(1).shuffle(people)
    large = sorted((shared / "data/photos/face_recognition").rglob("*.jpg"))
    small, big = [], []
    for file, faces in found(facerec, people[:150] + large).items():
        if len(faces) != 1 or faces[0]["score"] < 0.9:
            continue
        picture, box = cv2.imread(str(file)), faces[0]["box"]
        room = side(box) * 0.6
        x1, y1 = (max(0, round(value - room)) for value in box[:2])
        x2, y2 = (min(most, round(value + room)) for value, most in zip(box[2:], picture.shape[1::-1]))
        if not (box[0] >= 0 and box[1] >= 0 and box[2] <= picture.shape[1] and box[3] <= picture.shape[0]):
            continue
        cut = picture[y1:y2, x1:x2], [box[0] - x1, box[1] - y1, box[2] - x1, box[3] - y1]
        (big if side(box) >= 150 else small).append(cut)
    return small, big


def without_faces(facerec, shared):
    """Patches of real photos in which no face is."""
    files = [shared / "data/photos/groups" / name for name in ("office1.jpg", "office2.jpg", "office3.jpg", "t1.jpg", "solvay_conference_1927.png")]
    files += sorted((shared / "data/photos/dlib_faces").glob("200*.jpg"))
    patches = []
    for file, faces in found(facerec, files).items():
        picture = cv2.imread(str(file))
        height, width = picture.shape[:2]
        for top in range(0, height - 120, 60):
            for left in range(0, width - 120, 60):
                def free(face):
                    box, room = face["box"], side(face["box"]) * 0.5
                    return box[2] + room < left or box[0] - room > left + 120 or box[3] + room < top or box[1] - room > top + 120
                if all(map(free, faces)):
                    patches.append(picture[top:top + 120, left:left + 120])
    return patches


def ground(kind, width, height, rng, patches):
    if kind == "noise":
        coarse = rng.integers(40, 200, (height // 6 + 1, width // 6 + 1, 3), np.uint8)
        return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    if kind == "gradient":
        corners = rng.integers(20, 235, (2, 2, 3), np.uint8)
        return cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR)
    picture, cell = np.empty((height, width, 3), np.uint8), 480
    for top in range(0, height, cell):
        for left in range(0, width, cell):
            patch = cv2.resize(patches[rng.integers(len(patches))], (cell, cell), interpolation=cv2.INTER_CUBIC)
            if rng.integers(2):
                patch = patch[:, ::-1]
            part = picture[top:top + cell, left:left + cell]
            part[:] = patch[:part.shape[0], :part.shape[1]]
    return picture


def collage(picture, small, big, rng):
    """Pastes faces, the largest first, where none is yet; also across the picture's own edges' neighbourhood. Returns the truth."""
    height, width = picture.shape[:2]
    truth, taken = [], []
    for size in sorted(SIZES, reverse=True):
        for _ in range(SIZES[size]):
            pool = big if size > 128 else small
            cut, box = pool[rng.integers(len(pool))]
            scale = size / side(box)
            w, h = round(cut.shape[1] * scale), round(cut.shape[0] * scale)
            if w > width or h > height:
                continue
            for _ in range(200):
                x, y = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
                if all(x + w <= a or x >= c or y + h <= b or y >= d for a, b, c, d in taken):
                    break
            else:
                continue
            picture[y:y + h, x:x + w] = cv2.resize(cut, (w, h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
            taken.append((x, y, x + w, y + h))
            truth.append({"size": size, "box": [x + box[0] * scale, y + box[1] * scale, x + box[2] * scale, y + box[3] * scale],
                          "pasted": taken[-1]})
    return truth


def empty(out, patches):
    """Pictures without faces in which a network may see some: noise of many grains, text, foliage, stripes, real things magnified."""
    rng = np.random.default_rng(5)
    width, height = 6000, 4000
    pictures = {}
    for grain in (1, 4, 16, 64):
        coarse = rng.integers(0, 256, (height // grain + 1, width // grain + 1, 3), np.uint8)
        pictures[f"noise{grain}"] = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    text = np.full((height, width, 3), 245, np.uint8)
    words = "the quick brown fox OO oo 8% (o_o) {:-)} @@ jumps over 0123456789 lazy dogs".split()
    for row, top in enumerate(range(40, height, 60)):
        line = " ".join(rng.choice(words, 60))
        cv2.putText(text, line, (10, top), row % 8, 0.6 + row % 5 * 0.5, (30, 30, 30), 2, cv2.LINE_AA)
    pictures["text"] = text
    for count, longest in ((60000, 40), (12000, 120)):
        leaves = np.full((height, width, 3), (20, 50, 30), np.uint8)
        for _ in range(count):
            center = int(rng.integers(width)), int(rng.integers(height))
            axes = int(rng.integers(6, longest)), int(rng.integers(3, longest // 2))
            colour = tuple(int(v) for v in rng.integers((10, 60, 20), (90, 200, 120)))
            cv2.ellipse(leaves, center, axes, float(rng.integers(360)), 0, 360, colour, -1, cv2.LINE_AA)
        pictures[f"leaves{longest}"] = leaves
    for skin in (False, True):
        blobs = np.full((height, width, 3), (90, 110, 140), np.uint8)
        for _ in range(9000):
            center, radius = (int(rng.integers(width)), int(rng.integers(height))), int(rng.integers(8, 60))
            tone = rng.integers(110, 230)
            colour = (int(tone * 0.7), int(tone * 0.8), int(tone)) if skin else tuple(int(v) for v in rng.integers(0, 255, 3))
            cv2.circle(blobs, center, radius, colour, -1, cv2.LINE_AA)
        pictures["pebbles" if skin else "balls"] = blobs
    y, x = np.mgrid[0:height, 0:width]
    pictures["bricks"] = np.repeat(((((x + (y // 60 % 2) * 60) % 120 < 8) | (y % 60 < 8)) * 90 + 100)[..., None], 3, 2).astype(np.uint8)
    pictures["stripes"] = np.repeat((np.sin(x / 9 + np.sin(y / 70) * 5) * 90 + 128)[..., None], 3, 2).astype(np.uint8)
    for number in range(3):
        pictures[f"real{number}"] = ground("real", width, height, np.random.default_rng(100 + number), patches)
    for name, picture in pictures.items():
        cv2.imwrite(str(out / f"empty_{name}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return {f"empty_{name}.jpg": [] for name in pictures}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--facerec", default="target/release/facerec")
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", default="", help="collages whose name has this in it, and `empty` for those without faces")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    small, big = portraits(options.facerec, options.shared)
    patches = without_faces(options.facerec, options.shared)
    print(f"{len(small)} small and {len(big)} large portraits, {len(patches)} patches without a face")
    truth = empty(options.out, patches) if options.only in "empty" else {}
    for number, (scene, (width, height)) in enumerate(SCENES.items()):
        for kind in GROUNDS:
            if options.only not in f"{scene}_{kind}":
                continue
            rng = np.random.default_rng(number * 10 + GROUNDS.index(kind))
            picture = ground(kind, width, height, rng, patches)
            truth[f"{scene}_{kind}.jpg"] = collage(picture, small, big, rng)
            cv2.imwrite(str(options.out / f"{scene}_{kind}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 90])
    (options.out / "truth.json").write_text(json.dumps(truth) + "\n")


if __name__ == "__main__":
    main()
