"""facerec and InsightFace on one video, turn by turn in one run: how much faster, and how near to ONNX Runtime's own time.

python video.py SHARED VIDEO --facerec PROGRAM (--enrol FOLDER | --person NAME=PHOTO ...) [--rounds 3] [--threads 2] [--out FILE]

FOLDER holds NAME/*.jpg, as ../clips/generate.py makes it beside each clip. Each round runs, one after the other: InsightFace's per-frame loop,
ONNX Runtime's detection alone (insightface_video.py, both), `facerec video --every-frame` and `facerec video`. A ratio is the median of the ratios
within rounds, so that a machine that slows down for a while slows all sides.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
MODELS = ["--detector", "scrfd-2.5g", "--embedder", "edgeface-xs"]


def run(*command, fine=(0,)):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode not in fine:
        sys.exit(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stderr.strip()[-1500:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("video", type=Path)
    parser.add_argument("--facerec", required=True)
    people = parser.add_mutually_exclusive_group(required=True)
    people.add_argument("--enrol", type=Path, help="folder NAME/*.jpg")
    people.add_argument("--person", nargs="+", metavar="NAME=PHOTO")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2, help="for InsightFace and bare ONNX Runtime; facerec takes the cores there are")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    peer = [sys.executable, HERE / "insightface_video.py", args.shared, args.video, "--threads", args.threads]
    facerec = [args.facerec, "--json", "--models", args.shared / "models", *MODELS]
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        gallery, enrol = Path(folder) / "gallery", args.enrol or Path(folder) / "enrol"
        for name, photo in (person.split("=", 1) for person in args.person or []):
            (enrol / name).mkdir(parents=True)
            (enrol / name / "1.jpg").symlink_to(Path(photo).resolve())  # both sides look at the contents, not at the name
        run(*facerec, "enroll", "--gallery", gallery, "--from", enrol, fine=(0, 1))
        ours = [*facerec, "video", "--gallery", gallery, args.video]
        for number in range(args.rounds):
            loop, bare = run(*peer, "--gallery", enrol), run(*peer, "--bare")
            every, default = run(*ours, "--every-frame")["summary"], run(*ours)["summary"]
            fps = lambda summary: 1e3 * summary["frames"] / summary["wall_ms"]
            rounds.append({"insightface": loop["fps"], "bare": bare["fps"], "every_frame": fps(every), "default": fps(default)})
            print(f"round {number + 1}: " + ", ".join(f"{side} {value:.1f} frames/s" for side, value in rounds[-1].items()), file=sys.stderr)
    ratio = lambda a, b: round(statistics.median(one[a] / one[b] for one in rounds), 3)
    answer = {
        "video": args.video.name, "frames": loop["frames"], "rounds": args.rounds, "threads": args.threads,
        "fps": {side: round(statistics.median(one[side] for one in rounds), 1) for side in rounds[0]},
        "every_frame / insightface": ratio("every_frame", "insightface"), "every_frame / bare detection": ratio("every_frame", "bare"),
        "default / insightface": ratio("default", "insightface"),
        "people": {"insightface": sorted(loop["people"]), "every_frame": sorted(every["persons"]), "default": sorted(default["persons"])},
        "detections per embedding": round(default["detections"] / max(1, default["embeddings"]), 1),
        "tracks": {"every_frame": every["tracks"], "default": default["tracks"]},
    }
    print(json.dumps(answer, indent=2))
    if args.out:
        args.out.write_text(json.dumps(answer, indent=2) + "\n")


if __name__ == "__main__":
    main()
