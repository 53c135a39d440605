"""Fits a detector's measure of uprightness.

    python benches/recognisability/uprightness.py FACEREC LFW DETECTOR...

LFW is a folder with `images/`. Of 700 people's photos, upright and turned, a logistic regression tells by the landmarks of the largest
face and its box whether it stands upright; 0.5 lies where one upright face in twenty is below. Fitted on every second person, it prints
how many faces of the others are above 0.5; fitted on all, the manifest's line. Needs numpy, scikit-learn and opencv-python-headless.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
from sklearn.linear_model import LogisticRegression

from fit import shuffled_people
from pictures import make

WAYS = ["upright", "quarter", "half", "three_quarters"]
PEOPLE = 700


def main() -> None:
    facerec, lfw, detectors = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
    portraits = [sorted(person.glob("*.jpg"))[0] for person in shuffled_people(lfw)[:PEOPLE]]
    folder = Path(tempfile.gettempdir()) / "facerec-recognisability"
    make(portraits, folder, WAYS)
    for detector in detectors:
        places = [landmarks(facerec, detector, [folder / way / path.parent.name / path.name for path in portraits]) for way in WAYS]
        weights, bias = fit([[place for person, place in way.items() if person % 2 == 0] for way in places])
        above = [[place @ weights + bias >= 0 for person, place in way.items() if person % 2] for way in places]
        print(detector, {way: f"{sum(faces)} of {len(faces)}" for way, faces in zip(WAYS, above)}, file=sys.stderr)
        weights, bias = fit([list(way.values()) for way in places])
        print(f"uprightness = {{ bias = {bias}, weights = {weights.tolist()} }}", flush=True)


def fit(ways):
    """Weights and bias that tell the first way's places from all others'."""
    places, upright = numpy.concatenate(ways), numpy.repeat([True, False, False, False], [len(way) for way in ways])
    mean, spread = places.mean(axis=0), places.std(axis=0)
    model = LogisticRegression(C=10, max_iter=10000).fit((places - mean) / spread, upright)
    weights = (model.coef_[0] / spread).round(2)
    return weights, round(-float(numpy.quantile(places[upright] @ weights, 0.05)), 2)


def landmarks(facerec, detector, photos):
    """By person, where the landmarks of the largest face lie in its box, and the box's width over its height."""
    command = [facerec, "--json", "--as-it-stands", "--detail", "fast", "--detector", detector, "detect", *map(str, photos)]
    found = {}
    for person, line in enumerate(map(json.loads, subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines())):
        for face in sorted(line.get("faces", []), key=lambda face: (face["box"][2] - face["box"][0]) * (face["box"][3] - face["box"][1]))[-1:]:
            left, top, right, bottom = face["box"]
            inside = (numpy.array(face["landmarks"]) - [left, top]) / [right - left, bottom - top]
            found[person] = numpy.append(inside.ravel(), (right - left) / (bottom - top))
    return found


if __name__ == "__main__":
    main()
