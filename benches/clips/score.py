"""Scores facerec and the peers' trackers on generated clips.

python score.py SHARED CLIPS --facerec PROGRAM [--trackers-python PYTHON] [--peers-only] [--only KIND] [--out FILE] [-- GLOBAL OPTIONS OF facerec]
(default: the models the peers' detections come from)

Per clip folder (made by generate.py): enrol into a fresh gallery, `facerec video --boxes`, `facerec evaluate tracks`; ByteTrack and OC-SORT on one
file of detections (made by ../compare/detections.py, kept beside the clip). Boxes that cover a face of which truth says that it can only be
glimpsed (`hidden`) are taken out of every result first, as MOT's benchmark does with distractors. Run by score.sh.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
COMPARE = HERE.parent / "compare"
PEERS = ("bytetrack", "ocsort")
NEAR = 0.3  # overlap from which on a box is one of the glimpsed face, if no counted face is nearer


def run(*command, fine=(0,)):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode not in fine:
        sys.exit(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stderr.strip()[-1500:]}")
    return done.stdout


def overlap(a, b):
    inner = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
    return inner / max(1e-6, (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inner)


def lines_of(text):
    return [line for line in map(json.loads, filter(str.strip, text.splitlines())) if line.get("boxes")]


def without_glimpses(tracks, truth):
    """The result's tracks less the boxes whose nearest face is one that can only be glimpsed."""
    faces = {}
    for line in truth:
        for hidden, boxes in ((False, line["boxes"]), (True, line.get("hidden", []))):
            for frame, _, *box in boxes:
                faces.setdefault(frame, []).append((hidden, box))

    def counts(frame, box):
        nearest = max(faces.get(frame, []), key=lambda face: overlap(face[1], box), default=None)
        return nearest is None or not nearest[0] or overlap(nearest[1], box) < NEAR

    kept = [{**track, "boxes": [row for row in track["boxes"] if counts(row[0], row[2:])]} for track in tracks]
    return [track for track in kept if track["boxes"]]


class Scorer:
    def __init__(self, args):
        self.args = args
        self.facerec = [args.facerec, *args.options, "--json"]

    def judge(self, clip, name, text):
        """`evaluate tracks` on a result, printed lines as text."""
        truth = lines_of((clip / "truth.jsonl").read_text())
        result = clip / f"{name}.judged.jsonl"
        result.write_text("".join(json.dumps(track) + "\n" for track in without_glimpses(lines_of(text), truth)))
        return json.loads(run(*self.facerec, "evaluate", "tracks", "--truth", clip / "truth.jsonl", "--result", result))

    def ours(self, clip):
        with tempfile.TemporaryDirectory() as gallery:
            # A photo may be refused (1) as long as everybody is enrolled with another.
            enrolled = run(*self.facerec, "enroll", "--gallery", Path(gallery) / "g", "--from", clip / "enrol", fine=(0, 1))
            if json.loads(enrolled.splitlines()[-1])["summary"]["persons"] != sum(1 for _ in (clip / "enrol").iterdir()):
                sys.exit(f"{clip}: somebody could not be enrolled:\n{enrolled}")
            text = run(*self.facerec, "video", "--gallery", Path(gallery) / "g", clip / "clip.mp4", "--boxes")
        (clip / "facerec.jsonl").write_text(text)
        return self.judge(clip, "facerec", text)

    def peer(self, clip, name):
        detections, result = clip / "detections.jsonl", clip / f"{name}.jsonl"
        if not detections.exists() or detections.stat().st_mtime < (clip / "clip.mp4").stat().st_mtime:
            run(sys.executable, COMPARE / "detections.py", self.args.shared, clip / "clip.mp4", "--out", detections)
        run(self.args.trackers_python, COMPARE / "trackers_peer.py", name, detections, result)
        return self.judge(clip, name, result.read_text())


def table(rows):
    print(f"{'clip':17}{'':11}{'IDF1':>7}{'MOTA':>7}{'switches':>10}{'tracks/person':>15}{'precision':>11}{'recall':>8}")
    for clip, sides in rows.items():
        for name, row in sides.items():
            names = row.get("identification") if name == "facerec" else None
            named = f"{names['precision']:11.3f}{names['recall']:8.3f}" if names else ""
            print(f"{clip:17}{name:11}{row['idf1']:7.3f}{row['mota']:7.3f}{row['id_switches']:10}{row['tracks_per_person']:15.2f}{named}")


def totals(rows):
    """Sums of counts, means of rates; precision and recall over all named tracks and all appearances."""
    answer = {}
    for name in next(iter(rows.values())):
        sides = [row[name] for row in rows.values()]
        mean = lambda key: round(sum(side[key] for side in sides) / len(sides), 4)
        answer[name] = {"idf1": mean("idf1"), "mota": mean("mota"), "id_switches": sum(side["id_switches"] for side in sides),
                        "tracks_per_person": mean("tracks_per_person")}
        named = [side["identification"] for side in sides if side.get("identification")]
        if name == "facerec" and named:
            share = lambda rate, weight: round(sum(n[rate] * n[weight] for n in named) / max(1, sum(n[weight] for n in named)), 4)
            answer[name]["identification"] = {"precision": share("precision", "named"), "recall": share("recall", "appearances")}
    return answer


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("clips", type=Path, help="folder of clip folders")
    parser.add_argument("--facerec", required=True)
    parser.add_argument("--trackers-python", default=COMPARE / ".venv-trackers/bin/python", help="the Python that has `trackers`")
    parser.add_argument("--only", default="", help="clips whose name begins so")
    parser.add_argument("--peers-only", action="store_true")
    parser.add_argument("--out", type=Path)
    # argparse gives what follows -- to no positional argument once options stand between: taken off by hand.
    own = sys.argv[1:]
    split = own.index("--") if "--" in own else len(own)
    args = parser.parse_args(own[:split])
    args.options = own[split + 1:] or ["--models", str(args.shared / "models"), "--detector", "scrfd-2.5g", "--embedder", "edgeface-xs"]
    scorer, rows = Scorer(args), {}
    for clip in sorted(path for path in args.clips.iterdir() if (path / "truth.jsonl").exists() and path.name.startswith(args.only)):
        sides = {} if args.peers_only else {"facerec": scorer.ours(clip)}
        rows[clip.name] = sides | {name: scorer.peer(clip, name) for name in PEERS}
    if not rows:
        sys.exit(f"no clips in {args.clips}: make them with generate.py --all --out {args.clips}")
    table(rows | {"all": totals(rows)})
    if args.out:
        args.out.write_text(json.dumps({"clips": rows, "all": totals(rows)}, indent=2) + "\n")


if __name__ == "__main__":
    main()
