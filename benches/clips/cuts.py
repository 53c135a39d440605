"""Names at cuts: ten clips in which one face takes another's place, and short_hamilton_clip at eleven frame rates.

python cuts.py SHARED OUT --facerec PROGRAM [--only NAME] [-- GLOBAL OPTIONS OF facerec]

Per clip: time named wrongly (a name stands while its person is not in view), the longest such stretch, and the share of the time of enrolled
people that is named rightly; for short_hamilton_clip the share of what the full rate names. Clips are made in OUT once: same seed, same frames.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from kinds import Casting
from render import Renderer
from scene import FPS, Clip, Shot

RATES = (3, 4, 5, 6, 8, 10, 12, 15, 24, 30, 60)
# Seconds after the first frame, and who is in view; found by looking at the frames: singer and pianist, the pianist, the singer, the audience.
HAMILTON = [(0.0, 1.502, "Lin-Manuel"), (0.0, 1.502, "Alex"), (1.502, 3.569, "Alex"), (3.569, 7.875, "Lin-Manuel")]
PLACES = {"a": ("night", (0.2, 0.3)), "b": ("table", (0.6, 0.5)), "c": ("night", (0.2, 0.3))}  # c is a's again

# name: frames a second, shots (person A or B enrolled, U unknown; seconds; place), light, what happens at the changes
CLIPS = {
    "dark_cut": (25, [("A", 3, "a"), ("B", 3, "b")], 0.3, ""),
    "dark_cut_5fps": (5, [("A", 3, "a"), ("U", 3, "b")], 0.3, ""),
    "dark_cut_3fps": (3, [("U", 3, "a"), ("A", 4, "b")], 0.35, ""),
    "flash_cuts": (25, [("A", 3, "a"), ("B", 3, "b"), ("A", 2, "a")], 0.7, "flash"),
    "same_chair": (25, [("A", 3, "a"), ("B", 3, "c")], 0.9, ""),
    "same_chair_4fps": (4, [("A", 4, "a"), ("U", 3, "c")], 0.9, ""),
    "dissolve": (25, [("A", 3, "a"), ("B", 3, "c")], 0.9, "dissolve"),
    "reverse_shots": (6, [("A", 1.5, "a"), ("B", 1.5, "b")] * 3, 0.4, ""),
    "last_second": (10, [("A", 4, "a"), ("U", 1, "c")], 0.8, ""),
    "gap": (15, [("U", 3, "a"), ("A", 3, "c")], 0.8, "gap"),
}
DISSOLVE = 0.8  # seconds
GAP = (0.5, 0.3)  # seconds left out before and after the change


def make(name, lfw, out):
    """The clip, its enrolment photos and its truth [[start, end, person or None], ...] in seconds."""
    rate, parts, light, change = CLIPS[name]
    rng = np.random.default_rng([sum(name.encode()), 5])
    casting = Casting(rng, 3, 2)
    people = dict(zip("ABU", casting.names))
    shots, truth, time = [], [], 0.0
    for who, seconds, place in parts:
        background, (x, y) = PLACES[place]
        scene = Shot(time, time + seconds, background, False, (x, y, x, y, 0.2, 0.2))
        keys = [(time - 1, 0.5, 0.42, 120), (time + seconds + 1, 0.505, 0.42, 122)]
        scene.people.append(casting.appear(people[who], time - 1, time + seconds + 1, keys))
        shots.append(scene)
        truth.append([time, time + seconds, None if who == "U" else people[who]])
        time += seconds
    single = [Renderer(Clip("cuts", 1, time, [scene], casting.names, casting.enrolled), lfw, 640, 360) for scene in shots]
    out.mkdir(parents=True, exist_ok=True)
    frames = [index / rate for index in range(round(time * rate))]
    cut = parts[0][1]
    shown = [at for at in frames if not (change == "gap" and cut - GAP[0] <= at < cut + GAP[1])]
    stamps = out / "frames"
    stamps.mkdir(exist_ok=True)
    import cv2
    listing = ["ffconcat version 1.0"]
    for number, at in enumerate(shown):
        picture = light * picture_at(single, truth, at, change)
        if change == "flash" and any(abs(at - flash) < 0.5 / rate for flash in (1.2, 3.0, 4.2)):
            picture = picture * 2 + 130
        cv2.imwrite(str(stamps / f"{number:05}.png"), picture.clip(0, 255).astype(np.uint8))
        until = shown[number + 1] if number + 1 < len(shown) else at + 1 / rate
        listing += [f"file frames/{number:05}.png", f"duration {until - at:.6f}"]
    (out / "list.txt").write_text("\n".join(listing) + "\n")
    subprocess.run(["ffmpeg", "-y", "-v", "error", "-i", out / "list.txt", "-fps_mode", "vfr", "-c:v", "libx264", "-preset", "veryfast", "-threads", "1",
                    "-crf", "20", "-pix_fmt", "yuv420p", out / "clip.mp4"], check=True)
    for file in [*stamps.iterdir()]:
        file.unlink()
    stamps.rmdir()
    for person, photos in casting.enrolled.items():
        (out / "enrol" / person).mkdir(parents=True, exist_ok=True)
        for photo in photos:
            (out / "enrol" / person / photo.path(lfw).name).write_bytes(photo.path(lfw).read_bytes())
    (out / "cuts.json").write_text(json.dumps({"rate": rate, "truth": truth}) + "\n")


def picture_at(single, truth, at, change):
    index = next(i for i, (start, end, _) in enumerate(truth) if at < end - 1e-9)
    picture = single[index].frame(at * FPS)[0].astype(np.float32)
    if change == "dissolve" and index == 0 and at > truth[0][1] - DISSOLVE / 2 or change == "dissolve" and index == 1 and at < truth[1][0] + DISSOLVE / 2:
        later = single[1].frame(at * FPS)[0].astype(np.float32) if index == 0 else picture
        first = picture if index == 0 else single[0].frame(at * FPS)[0].astype(np.float32)
        part = (at - truth[0][1]) / DISSOLVE + 0.5
        picture = first * (1 - part) + later * part
    return picture


def hamilton(shared, rate, out):
    out.mkdir(parents=True, exist_ok=True)
    resample = ["-vf", f"fps={rate}"] if rate else []
    subprocess.run(["ffmpeg", "-y", "-v", "error", "-i", shared / "data/videos/short_hamilton_clip.mp4", "-an", *resample, "-c:v", "libx264", "-crf", "18",
                    "-threads", "1", out / "clip.mp4"], check=True)
    for person, photo in (("Lin-Manuel", "lin-manuel-miranda.png"), ("Alex", "alex-lacamoire.png")):
        (out / "enrol" / person).mkdir(parents=True, exist_ok=True)
        (out / "enrol" / person / photo).write_bytes((shared / "data/videos" / photo).read_bytes())
    (out / "cuts.json").write_text(json.dumps({"rate": rate or 29.97, "truth": HAMILTON}) + "\n")


def named(facerec, clip):
    """{person: [[start, end] in seconds after the first frame, ...]}, embeddings, detections, cuts."""
    probe = subprocess.run(["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "packet=pts_time", "-of", "csv=p=0", clip / "clip.mp4"],
                           capture_output=True, text=True, check=True).stdout.replace(",", " ").split()
    with tempfile.TemporaryDirectory() as gallery:
        for command in (["enroll", "--gallery", Path(gallery) / "g", "--from", clip / "enrol"],
                        ["video", "--gallery", Path(gallery) / "g", clip / "clip.mp4", "--boxes"]):
            done = subprocess.run([*facerec, "--json", *map(str, command)], capture_output=True, text=True)
            if done.returncode not in (0, 1):
                sys.exit(f"{command}: {done.stderr}")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    summary = lines[-1]["summary"]
    spans = {person: [[start / 1000, end / 1000] for start, end in spans] for person, spans in summary["persons"].items()}
    # Times may be the container's: those of the boxes say which frame is when.
    first = min(map(float, probe))
    shift = next((row[1] / 1000 - (sorted(map(float, probe))[row[0]] - first) for line in lines[:-1] for row in line.get("boxes", [])), 0.0)
    return {p: [[s - shift, e - shift] for s, e in spans] for p, spans in spans.items()}, summary


def judge(spans, truth, frame):
    """Seconds named wrongly; the longest such stretch; seconds named rightly. A name stands until the frame after its last one, `frame` seconds later."""
    wrong = longest = right = 0.0
    for person, parts in spans.items():
        own = sorted((start, end) for start, end, who in truth if who == person)
        for start, end in parts:
            right += sum(max(0.0, min(end + frame, e) - max(start, s)) for s, e in own)
            # What lies between the person's own times, each time stretch by itself.
            edges = [start, *(edge for span in own for edge in span), end]
            for s, e in zip(edges[::2], edges[1::2]):
                stretch = max(0.0, min(e, end) - max(s, start))
                wrong, longest = wrong + stretch, max(longest, stretch)
    return wrong, longest, right


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--facerec", required=True)
    parser.add_argument("--only", default="", help="clips whose name begins so")
    own = sys.argv[1:]
    split = own.index("--") if "--" in own else len(own)
    args = parser.parse_args(own[:split])
    options = own[split + 1:] or ["--models", str(args.shared / "models"), "--detector", "scrfd-2.5g", "--embedder", "edgeface-xs"]
    makers = {name: (lambda out, name=name: make(name, args.shared / "data/lfw", out)) for name in CLIPS}
    makers |= {f"hamilton_{rate or 'full'}": (lambda out, rate=rate: hamilton(args.shared, rate, out)) for rate in (None, *RATES)}
    print(f"{'clip':18}{'wrong s':>9}{'longest':>9}{'right s':>9}{'of':>7}{'share':>7}{'cuts':>6}{'embeddings':>12}{'detections':>12}")
    full, failed = None, 0
    for name, maker in makers.items():
        if not name.startswith(args.only):
            continue
        clip = args.out / name
        if not (clip / "cuts.json").exists():
            maker(clip)
        known = json.loads((clip / "cuts.json").read_text())
        truth = HAMILTON if name.startswith("hamilton") else known["truth"]
        spans, summary = named([args.facerec, *options], clip)
        # In a dissolve either name is right, and none is asked for; nor where frames are left out.
        fade = DISSOLVE / 2 if name == "dissolve" else 0.0
        wrong, longest, right = judge(spans, [(start - fade, end + fade, who) for start, end, who in truth], 1 / known["rate"])
        if name == "hamilton_full":
            full = right
        asked = sum(end - start for start, end, who in truth if who) - {"dissolve": DISSOLVE, "gap": GAP[1]}.get(name, 0.0)
        asked = full if name.startswith("hamilton") and full else asked
        share = right / asked if asked else 1.0
        failed += longest > 1 / known["rate"] + 1e-3 or share < 0.9
        print(f"{name:18}{wrong:9.2f}{longest:9.2f}{right:9.2f}{asked:7.2f}{share:7.2f}{summary['cuts']:6}{summary['embeddings']:12}{summary['detections']:12}",
              flush=True)
    print(f"{failed} clips below what is asked for: no wrong stretch longer than a frame, 0.9 named rightly")


if __name__ == "__main__":
    main()
