"""Every frame's faces of a video as JSON Lines, so that different trackers can be fed with the same detections.

python detections.py SHARED VIDEO [--out FILE] [--score 0.3] [--threads 1]

OpenCV decodes, InsightFace's SCRFD detects (scrfd_2.5g_bnkps) on facerec's canvas: the longer side scaled to 640, the shorter one filled
up to a multiple of 32. Scores down to 0.3 are written, because ByteTrack and OC-SORT make use of the weak ones.
A line: {"frame": 0, "ms": 0, "faces": [{"box": [x1, y1, x2, y2], "score": s}, ...]}
"""

import argparse
import contextlib
import json
import sys
import warnings
from pathlib import Path

import cv2
import onnxruntime

warnings.filterwarnings("ignore")
DETECTOR, EMBEDDER = "scrfd_2.5g_bnkps.onnx", "edgeface_xs_dequant.onnx"
LONGER_SIDE, STRIDE = 640, 32


def session_options(threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return options


def open_model(path, threads):
    """A model of InsightFace's model zoo; what it prints goes to stderr."""
    onnxruntime.set_default_logger_severity(3)
    with contextlib.redirect_stdout(sys.stderr):
        from insightface.model_zoo import get_model

        return get_model(str(path), sess_options=session_options(threads), providers=["CPUExecutionProvider"])


def open_detector(shared, threads, score=0.5):
    detector = open_model(Path(shared) / "models" / DETECTOR, threads)
    detector.prepare(-1, input_size=(LONGER_SIDE, LONGER_SIDE), det_thresh=score)
    return detector


def canvas(width, height):
    """(width, height) of the detector's input for a picture: the smallest multiples of 32 that hold it scaled to 640."""
    scale = LONGER_SIDE / max(width, height)
    return tuple(-(-round(side * scale) // STRIDE) * STRIDE for side in (width, height))


def frames(video):
    """(index, milliseconds, BGR picture) of each frame; times counted from the frame rate, which the generated clips keep."""
    capture = cv2.VideoCapture(str(video))
    if not capture.isOpened():
        raise SystemExit(f"OpenCV opens no video at {video}")
    index = 0
    while True:
        got, picture = capture.read()
        if not got:
            return
        yield index, round(index * 1000 / capture.get(cv2.CAP_PROP_FPS)), picture
        index += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("video", type=Path)
    parser.add_argument("--out", type=Path, default="-")
    parser.add_argument("--score", type=float, default=0.3)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    detector = open_detector(args.shared, args.threads, args.score)
    with contextlib.nullcontext(sys.stdout) if str(args.out) == "-" else open(args.out, "w") as out:
        for index, ms, picture in frames(args.video):
            boxes, _ = detector.detect(picture, input_size=canvas(picture.shape[1], picture.shape[0]))
            faces = [{"box": [round(float(v), 2) for v in box[:4]], "score": round(float(box[4]), 4)} for box in boxes]
            out.write(json.dumps({"frame": index, "ms": ms, "faces": faces}) + "\n")


if __name__ == "__main__":
    main()
