"""Clips with a known truth: LFW portraits walk over real backgrounds, into an mp4 and the truth beside it.

python generate.py --kind crowd --seed 1 --out DIR      one clip, into DIR
python generate.py --all --out DIR                      ten clips (two seeds of each kind), into DIR/KIND_SEED
"""

import argparse
import dataclasses
import json
import shutil
import subprocess
from pathlib import Path

from kinds import KINDS, SEEDS, make
from render import Renderer
from scene import FPS

HERE = Path(__file__).parent


def write_clip(kind, seed, lfw, out, width=1280, height=720, seconds=None):
    clip = make(kind, seed)
    out.mkdir(parents=True, exist_ok=True)
    renderer = Renderer(clip, lfw, width, height)
    frames = round((seconds or clip.seconds) * FPS)
    tracks, hidden = {name: [] for name in clip.cast}, {name: [] for name in clip.cast}
    # B-frames and a closed loop of quantiser: what cameras and editors make; one thread, so that the file is the same each time.
    encoder = subprocess.Popen(
        ["ffmpeg", "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{width}x{height}", "-r", str(FPS), "-i", "-",
         "-c:v", "libx264", "-preset", "veryfast", "-threads", "1", "-bf", "3", "-crf", "21", "-pix_fmt", "yuv420p", "-movflags", "+faststart",
         str(out / "clip.mp4")], stdin=subprocess.PIPE)
    for index in range(frames):
        picture, truth = renderer.frame(index)
        encoder.stdin.write(picture.tobytes())
        for name, visible, *box in truth:
            (tracks if visible else hidden)[name].append([index, round(index * 1000 / FPS), *box])
    encoder.stdin.close()
    if encoder.wait():
        raise SystemExit(f"ffmpeg failed with {encoder.returncode} on {out / 'clip.mp4'}")
    write_truth(clip, tracks, hidden, out)
    write_enrolment(clip, lfw, out)
    (out / "scene.json").write_text(json.dumps(dataclasses.asdict(clip), indent=1) + "\n")
    return frames, tracks


def write_truth(clip, tracks, hidden, out):
    """truth.jsonl: a line per identity, boxes [frame from 0, ms, x1, y1, x2, y2]; truth.txt: the same as MOT text, frames from 1.

    `hidden` are boxes of faces that can only be glimpsed; in MOT text their seventh value is 0 and their class 8 (a distractor there).
    """
    lines, rows = [], []
    for identity, name in enumerate(clip.cast, 1):
        boxes = tracks[name]
        if not boxes:
            continue
        lines.append({"track": identity, "person": name, "enrolled": name in clip.enrolled, "start_ms": boxes[0][1], "end_ms": boxes[-1][1],
                      "boxes": boxes, "hidden": hidden[name]})
        for counted, some in ((1, boxes), (0, hidden[name])):
            rows += [(frame + 1, identity, x1, y1, round(x2 - x1, 1), round(y2 - y1, 1), counted, 1 if counted else 8, 1) for frame, _, x1, y1, x2, y2 in some]
    (out / "truth.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (out / "truth.txt").write_text("".join(",".join(map(str, row)) + "\n" for row in sorted(rows)))


def write_enrolment(clip, lfw, out):
    shutil.rmtree(out / "enrol", ignore_errors=True)
    for name, photos in clip.enrolled.items():
        (out / "enrol" / name).mkdir(parents=True)
        for photo in photos:
            shutil.copyfile(photo.path(lfw), out / "enrol" / name / photo.path(lfw).name)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--kind", choices=KINDS)
    which.add_argument("--all", action="store_true", help=f"every kind with the seeds {SEEDS}")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--lfw", type=Path, default=HERE / "../../../shared/data/lfw", help="folder with LFW's `images` (deep-funneled, 250x250)")
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--seconds", type=float, help="stop after so many")
    args = parser.parse_args()
    width, height = map(int, args.size.split("x"))
    clips = [(k, s, args.out / f"{k}_{s}") for k in KINDS for s in SEEDS] if args.all else [(args.kind, args.seed, args.out)]
    for kind, seed, out in clips:
        frames, tracks = write_clip(kind, seed, args.lfw, out, width, height, args.seconds)
        print(f"{out}: {frames} frames, {sum(bool(t) for t in tracks.values())} people, {sum(map(len, tracks.values()))} face boxes", flush=True)


if __name__ == "__main__":
    main()
