"""Makes people.tsv: which LFW photos the generator may use, and where the detector frames the face in each.

python choose_people.py LFW MODELS > people.tsv     (needs insightface and onnxruntime, see ../compare/requirements.txt)

Kept are photos with exactly one face, near the middle and not in profile; then people with at least five such photos. Photos that
look like nobody else of the same name (LFW has a few wrong names) are left out: the truth of a clip must be true.
"""

import contextlib
import sys
import warnings
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

warnings.filterwarnings("ignore")
onnxruntime.set_default_logger_severity(3)
PHOTOS_OF_ONE = 8  # the first so many photos of a person are looked at
FEWEST = 5
WRONG_NAME = 0.15  # best cosine similarity with the other photos of the name


def main():
    lfw, models = Path(sys.argv[1]), Path(sys.argv[2])
    with contextlib.redirect_stdout(sys.stderr):
        from insightface.model_zoo import get_model
        from insightface.utils.face_align import norm_crop

        detector = get_model(str(models / "scrfd_2.5g_bnkps.onnx"), providers=["CPUExecutionProvider"])
        detector.prepare(-1, input_size=(256, 256), det_thresh=0.5)
        embedder = get_model(str(models / "edgeface_xs_dequant.onnx"), providers=["CPUExecutionProvider"])
    dropped = 0
    for folder in sorted((lfw / "images").iterdir()):
        files = sorted(folder.glob("*.jpg"))[:PHOTOS_OF_ONE]
        if len(files) < FEWEST:
            continue
        kept = []
        for file in files:
            image = cv2.imread(str(file))
            boxes, points = detector.detect(image)
            if len(boxes) == 1 and is_portrait(boxes[0], points[0]):
                vector = embedder.get_feat(norm_crop(image, points[0])).ravel()
                kept.append((int(file.stem[-4:]), boxes[0][:4], vector / np.linalg.norm(vector)))
        alike = np.array([[a[2] @ b[2] if a is not b else -1 for b in kept] for a in kept])
        right = [photo for photo, row in zip(kept, alike) if max(row, default=-1) >= WRONG_NAME]
        dropped += len(kept) - len(right)
        if len(right) >= FEWEST:
            print(folder.name, *(f"{number}:" + ",".join(f"{v:.0f}" for v in box) for number, box, _ in right), sep="\t", flush=True)
    print(f"{dropped} photos left out as wrongly named", file=sys.stderr)


def is_portrait(box, points):
    x1, y1, x2, y2 = box[:4]
    eyes = (points[0] + points[1]) / 2
    turned = abs(points[2][0] - eyes[0]) / max(1.0, points[1][0] - points[0][0])
    centred = abs((x1 + x2) / 2 - 125) < 16 and abs((y1 + y2) / 2 - 127) < 20
    return bool(turned < 0.25 and centred and 75 < x2 - x1 < 120)


if __name__ == "__main__":
    main()
