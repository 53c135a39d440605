"""What becomes of people in photos that stand on their side or upside down, beside the same photos upright.

    python benches/recognisability/turned.py FACEREC LFW [-- OPTIONS OF FACEREC]

LFW is a folder with `images/`. The script takes 400 people with two photos or more. `fit.py` fits on none of them. It enrols each
person's first photo upright. The second photos are the probes, upright and turned. It prints a line of JSON per way that the probes stand:

- `right`, `wrong`, `unknown`: number of probes for whose largest face `facerec identify` says the right name, a wrong name, no name;
- `rank1`: number of probes whose first candidate is the right person;
- `same`: number of impostor pairs of probes that `facerec compare` calls one person;
- `mixed`: number of clusters of `facerec gallery cluster` that hold two people.

Needs numpy and opencv-python-headless.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy

from fit import PEOPLE, shuffled_people
from pictures import make

WAYS = ["upright", "quarter", "half", "three_quarters"]


def main() -> None:
    facerec, lfw, options = sys.argv[1], Path(sys.argv[2]), sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []

    def run(*arguments):
        command = [facerec, "--json", *options, *map(str, arguments)]
        return [json.loads(line) for line in subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()]

    people = [sorted(person.glob("*.jpg")) for person in shuffled_people(lfw)[PEOPLE:]]
    people = [photos for photos in people if len(photos) > 1][:400]
    probes = [photos[1] for photos in people]
    with tempfile.TemporaryDirectory() as place:
        folder, gallery = Path(place), Path(place) / "gallery"
        make(probes, folder, WAYS)
        make([photos[0] for photos in people], folder / "known", ["upright"])
        enrolled = run("enroll", "--gallery", gallery, "--from", folder / "known" / "upright", "--gate", "off")[-1]["summary"]
        print(json.dumps({"people": len(people), "enrolled": enrolled["faces"]}), flush=True)
        for way in WAYS:
            photos = [folder / way / probe.parent.name / probe.name for probe in probes]
            figures = identified(run, gallery, photos) | impostors(run, photos) | clustered(run, folder / way)
            print(json.dumps({"way": way, **figures}), flush=True)
        print(json.dumps({"way": "all of them together", **clustered(run, folder)}))


def largest(line):
    """The largest face of a photo, if any."""
    return max(line.get("faces", []), key=lambda face: (face["box"][2] - face["box"][0]) * (face["box"][3] - face["box"][1]), default=None)


def identified(run, gallery, photos):
    figures = dict.fromkeys(["right", "wrong", "unknown", "rank1"], 0)
    for line in run("identify", "--gallery", gallery, *photos):
        owner, face = Path(line["image"]).parent.name, largest(line)
        if face is None:
            continue
        figures["unknown" if face["person"] is None else "right" if face["person"] == owner else "wrong"] += 1
        figures["rank1"] += face["candidates"][0]["person"] == owner
    return figures


def impostors(run, photos):
    faces = [face for face in map(largest, run("embed", *photos)) if face is not None]
    vectors = numpy.array([face["embedding"] for face in faces if face["quality"]["recognisability"] >= 0.5])
    threshold = run("compare", photos[0], photos[1])[0]["threshold"]
    similar = (vectors @ vectors.T)[numpy.triu_indices(len(vectors), 1)]
    pairs = len(photos) * (len(photos) - 1) // 2
    return {"faces": len(faces), "recognisable": len(vectors), "pairs": pairs, "same": int((similar >= threshold).sum())}


def clustered(run, folder):
    clusters = [line["members"] for line in run("gallery", "cluster", "--from", folder, "--gate", "off") if "members" in line]
    people = [{Path(face["file"]).parent.name for face in members} for members in clusters]
    return {"clusters": len(people), "mixed": sum(len(names) > 1 for names in people)}


if __name__ == "__main__":
    main()
