"""Is a generated clip a fair question? How many of its truth boxes a detector finds, and how alike the faces are to the enrolment photos.

python check_clips.py SHARED CLIP_FOLDER...

Per clip: truth boxes; the part that SCRFD finds (score 0.5, overlap 0.5); how many of its detections hit neither a truth box nor a glimpse; the mean similarity of enrolled faces (every fifth frame) to their own person, the part of them above the threshold
of 0.35, and the mean of the best similarity of an unknown person to anybody enrolled.
"""

import json
import sys
from pathlib import Path

import cv2
import numpy as np

from detections import EMBEDDER, canvas, frames, open_detector, open_model

EVERY = 5
THRESHOLD = 0.35


def overlap(a, b):
    inner = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
    return inner / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inner)


class Checker:
    def __init__(self, shared):
        self.detector = open_detector(shared, 1)
        self.embedder = open_model(shared / "models" / EMBEDDER, 1)

    def embed(self, picture, points):
        from insightface.utils.face_align import norm_crop

        vector = self.embedder.get_feat(norm_crop(picture, points)).ravel()
        return vector / np.linalg.norm(vector)

    def enrol(self, folder):
        people = {}
        for person in sorted(folder.iterdir()):
            vectors = []
            for file in sorted(person.iterdir()):
                photo = cv2.imread(str(file))
                boxes, points = self.detector.detect(photo, input_size=(256, 256))
                vectors += [self.embed(photo, points[0])] if len(boxes) else []
            mean = np.mean(vectors, axis=0)
            people[person.name] = mean / np.linalg.norm(mean)
        return people

    def check(self, clip):
        people = self.enrol(clip / "enrol")
        truth, glimpses = {}, {}
        for line in (clip / "truth.jsonl").read_text().splitlines():
            track = json.loads(line)
            for frame, _, *box in track["boxes"]:
                truth.setdefault(frame, []).append((track["person"], box))
            for frame, _, *box in track["hidden"]:
                glimpses.setdefault(frame, []).append(box)
        total = found = extra = 0
        missed, own, strangers = {}, [], []
        for index, _, picture in frames(clip / "clip.mp4"):
            boxes, points = self.detector.detect(picture, input_size=canvas(picture.shape[1], picture.shape[0]))
            free = set(range(len(boxes)))
            for person, box in truth.get(index, []):
                total += 1
                best = max(free, key=lambda i: overlap(boxes[i], box), default=None)
                if best is None or overlap(boxes[best], box) < 0.5:
                    missed.setdefault(person, []).append(index)
                    continue
                free.remove(best)
                found += 1
                if index % EVERY == 0:
                    vector = self.embed(picture, points[best])
                    if person in people:
                        own.append(vector @ people[person])
                    else:
                        strangers.append(max(vector @ other for other in people.values()))
            extra += sum(all(overlap(boxes[i], box) < 0.3 for box in glimpses.get(index, [])) for i in free)
        return {"clip": clip.name, "boxes": total, "recall": round(found / total, 4), "extra": extra, "own_mean": round(float(np.mean(own)), 3),
                "own_above": round(float(np.mean(np.array(own) >= THRESHOLD)), 3),
                "stranger_mean": round(float(np.mean(strangers)), 3) if strangers else None,
                "stranger_above": round(float(np.mean(np.array(strangers) >= THRESHOLD)), 3) if strangers else None,
                "missed": {person: f"{len(at)}: {at[0]}-{at[-1]}" for person, at in missed.items()}}


def main():
    checker = Checker(Path(sys.argv[1]))
    for clip in sys.argv[2:]:
        print(json.dumps(checker.check(Path(clip))), flush=True)


if __name__ == "__main__":
    main()
