"""InsightFace's usual loop over a video: `get` on every frame, and a name for each face if there is a gallery. Or ONNX Runtime's detection alone.

python insightface_video.py SHARED VIDEO [--threads 2] [--gallery DIR] [--threshold T] [--out NAMES.jsonl]
python insightface_video.py SHARED VIDEO --bare [--threads 2] [--frames N]

The loop: OpenCV decodes, FaceAnalysis (640 x 640, as it is used everywhere) finds and embeds every face of every frame with the same ONNX files as
facerec. `--gallery` is a folder NAME/*.jpg; each face gets the name of the most similar person (mean vector of the photos) from the threshold on.
`--bare`: what no engine on this library can go below: the detector's inferences alone, on facerec's canvas (640 x 384 for 16:9), inputs made
beforehand; one session on all threads and one session per thread, the better one counts. Prints one line of JSON.
"""

import argparse
import contextlib
import itertools
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from detections import DETECTOR, EMBEDDER, LONGER_SIDE, canvas, frames, session_options

KEPT = 16  # inputs made beforehand, used in turn


@contextlib.contextmanager
def open_app(shared, threads):
    """FaceAnalysis on a folder with the two models alone, which it must find again later: it opens the detector anew for its input size."""
    with tempfile.TemporaryDirectory() as folder:
        for name in (DETECTOR, EMBEDDER):
            os.symlink((shared / "models" / name).resolve(), Path(folder) / name)
        with contextlib.redirect_stdout(sys.stderr):
            from insightface.app import FaceAnalysis

            app = FaceAnalysis(folder, sess_options=session_options(threads), providers=["CPUExecutionProvider"])
            app.prepare(ctx_id=-1, det_size=(LONGER_SIDE, LONGER_SIDE))
        yield app


def enrol(app, folder):
    """Names and their unit vectors: the mean of each photo's largest face."""
    names, vectors = [], []
    for person in sorted(p for p in folder.iterdir() if p.is_dir()):
        found = []
        for photo in sorted(person.glob("*.jpg")):
            faces = app.get(cv2.imread(str(photo)))
            if faces:
                found.append(max(faces, key=lambda f: (f.bbox[2] - f.bbox[0]) * (f.bbox[3] - f.bbox[1])).normed_embedding)
        if found:
            mean = np.mean(found, axis=0)
            names.append(person.name)
            vectors.append(mean / np.linalg.norm(mean))
    return names, np.array(vectors)


def run_loop(app, args):
    names, vectors = enrol(app, args.gallery) if args.gallery else ([], None)
    app.get(np.zeros((720, 1280, 3), np.uint8))  # warms up
    found, out, count, faces_found = {}, [], 0, 0
    start = time.perf_counter()
    for index, ms, picture in frames(args.video):
        faces = app.get(picture)
        count, faces_found = count + 1, faces_found + len(faces)
        row = []
        for face in faces if names else []:
            alike = vectors @ face.normed_embedding
            best = int(alike.argmax())
            name = names[best] if alike[best] >= args.threshold else None
            row.append({"box": [round(float(v), 1) for v in face.bbox], "name": name, "similarity": round(float(alike[best]), 3)})
            if name:
                found[name] = found.get(name, 0) + 1
        out.append({"frame": index, "ms": ms, "faces": row})
    seconds = time.perf_counter() - start
    if args.out:
        args.out.write_text("".join(json.dumps(row) + "\n" for row in out))
    answer = {"frames": count, "seconds": round(seconds, 3), "fps": round(count / seconds, 2), "faces": faces_found, "embeddings": faces_found}
    return answer | ({"threshold": args.threshold, "people": dict(sorted(found.items()))} if names else {})


def run_bare(args):
    inputs, count = [], 0
    for _, _, picture in frames(args.video):
        count += 1
        if len(inputs) < KEPT:
            inputs.append(prepared(picture))
    count = args.frames or count
    path = str(args.shared / "models" / DETECTOR)
    seconds = {f"1 session x {args.threads} threads": timed(path, 1, args.threads, inputs, count),
               f"{args.threads} sessions x 1 thread": timed(path, args.threads, 1, inputs, count)}
    best = min(seconds, key=seconds.get)
    return {"frames": count, "seconds": round(seconds[best], 3), "fps": round(count / seconds[best], 2), "best": best, "canvas": list(inputs[0].shape[:1:-1]),
            "fps_of": {name: round(count / value, 2) for name, value in seconds.items()}}


def prepared(picture):
    height, width = picture.shape[:2]
    wide, high = canvas(width, height)
    scale = LONGER_SIDE / max(width, height)
    board = np.zeros((high, wide, 3), np.uint8)
    small = cv2.resize(picture, (round(width * scale), round(height * scale)))
    board[:small.shape[0], :small.shape[1]] = small
    return cv2.dnn.blobFromImage(board, 1 / 128, (wide, high), (127.5, 127.5, 127.5), swapRB=True)


def timed(path, sessions, threads, inputs, count):
    """Seconds for `count` inferences shared by so many sessions, each on its own Python thread."""
    opened = [onnxruntime.InferenceSession(path, session_options(threads), providers=["CPUExecutionProvider"]) for _ in range(sessions)]
    name = opened[0].get_inputs()[0].name
    numbers = itertools.count()  # `next` on it is atomic

    def work(session):
        while (number := next(numbers)) < count:
            session.run(None, {name: inputs[number % len(inputs)]})

    for session in opened:
        session.run(None, {name: inputs[0]})
    workers = [threading.Thread(target=work, args=(session,)) for session in opened]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("video", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--gallery", type=Path, help="folder NAME/*.jpg of people to name")
    parser.add_argument("--threshold", type=float, default=0.35, help="cosine similarity from which on a face has a name")
    parser.add_argument("--out", type=Path, help="every frame's faces and names as JSON Lines")
    parser.add_argument("--bare", action="store_true")
    parser.add_argument("--frames", type=int, help="with --bare: so many inferences instead of one per frame")
    args = parser.parse_args()
    if args.bare:
        answer = run_bare(args)
    else:
        with open_app(args.shared, args.threads) as app:
            answer = run_loop(app, args)
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
