"""Fits an embedder's measure of recognisability, and shows it beside the distance of Deng et al. 2021.

    python benches/recognisability/fit.py FACEREC LFW [-- OPTIONS OF FACEREC]

LFW is a folder with `images/` and `pairs.txt`. A spoiled picture is unrecognisable when its vector does not match the upright picture
it was made from (the threshold at a false match rate of 1e-2). Even people are fitted on and odd ones judged; the manifest's numbers
are then fitted on all. The photos of folds 1 and 2 place the scale: 0.5 is where one in a thousand of them lies below, 0.8 where two
in a hundred do. Prints the manifest's line on standard output, figures on standard error. Needs numpy and opencv-python-headless.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import numpy

from pictures import WAYS, make

PEOPLE = 400


def main() -> None:
    facerec, lfw, options = sys.argv[1], Path(sys.argv[2]), sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    chosen = shuffled_people(lfw)[:PEOPLE]
    portraits = [sorted(person.glob("*.jpg"))[0] for person in chosen]
    folder = Path(tempfile.gettempdir()) / "facerec-recognisability"
    make(portraits, folder, list(WAYS))
    vectors = {way: embed(facerec, options, [folder / way / path.parent.name / path.name for path in portraits]) for way in WAYS}
    samples = spoiled_or_not(vectors, known_threshold(options))
    judge(samples)
    scale = numpy.array(list(embed(facerec, options, photos_of_folds(lfw)).values()))
    print_measure(samples, scale)


def shuffled_people(lfw):
    """The folders of all people, always in the same order; the first PEOPLE are fitted on."""
    people = sorted(path for path in (lfw / "images").iterdir() if path.is_dir())
    return [people[index] for index in numpy.random.default_rng(1).permutation(len(people))]


def photos_of_folds(lfw, folds=2):
    """The photos of the first folds of pairs.txt."""
    lines = (lfw / "pairs.txt").read_text().splitlines()
    names = set()
    for line in lines[1 : 1 + folds * 2 * int(lines[0].split()[1])]:
        fields = line.split()
        pairs = [fields[:2], [fields[0], fields[2]]] if len(fields) == 3 else [fields[:2], fields[2:]]
        names |= {f"{name}/{name}_{int(number):04}.jpg" for name, number in pairs}
    return [lfw / "images" / name for name in sorted(names)]


def embed(facerec, options, paths):
    """The vector of the largest face per photo, by its place in `paths`."""
    found = {}
    for start in range(0, len(paths), 250):
        batch = paths[start : start + 250]
        command = [facerec, "--json", "--as-it-stands", *options, "embed", *map(str, batch)]
        lines = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
        for index, line in enumerate(map(json.loads, lines)):
            faces = sorted(line.get("faces", []), key=lambda face: (face["box"][2] - face["box"][0]) * (face["box"][3] - face["box"][1]))
            if faces:
                found[start + index] = numpy.array(faces[-1]["embedding"], dtype=numpy.float64)
    return found


def known_threshold(options):
    """The similarity at a false match rate of 1e-2 that the embedder's manifest states."""
    wanted = options[options.index("--embedder") + 1] if "--embedder" in options else "mobilefacenet-expo"
    for pack in Path("models").glob("*.toml"):
        for model in tomllib.loads(pack.read_text()).get("model", []):
            if model["id"] == wanted:
                return model["embed"]["thresholds"]["1e-2"]
    raise SystemExit(f"no manifest in models/ states the thresholds of {wanted}")


def spoiled_or_not(vectors, threshold):
    """Way, person, vector and whether it is upright, for upright faces and for those that are recognised no more."""
    upright = vectors["upright"]
    rows = [("upright", person, vector, True) for person, vector in upright.items()]
    for way, found in vectors.items():
        lost = [(person, vector) for person, vector in found.items() if person in upright and vector @ upright[person] < threshold]
        rows += [(way, person, vector, False) for person, vector in lost]
    return rows


def judge(samples):
    """The fitted measure and Deng's on people who were not fitted on: what is missed where one in 200 upright faces is refused."""
    train, held = [row for row in samples if row[1] % 2 == 0], [row for row in samples if row[1] % 2 == 1]
    weights, bias = fitted(train)
    center = numpy.mean([vector for *_, vector, good in train if not good], axis=0)
    center /= numpy.linalg.norm(center)
    for name, value in [("fitted", lambda v: v @ weights + bias), ("distance to the mean (Deng)", lambda v: -(v @ center))]:
        good = numpy.sort([value(vector) for *_, vector, good in held if good])
        refused = good[len(good) // 200]
        bad = {way: [value(vector) for w, _, vector, good in held if w == way and not good] for way in WAYS}
        every = numpy.array([one for values in bad.values() for one in values])
        area = numpy.searchsorted(numpy.sort(every), good).mean() / len(every)
        missed = {way: f"{numpy.mean(numpy.array(values) >= refused):.1%} of {len(values)}" for way, values in bad.items() if values}
        print(f"{name}: area under the curve {area:.5f}; missed: {missed}", file=sys.stderr)


def fitted(samples):
    return logistic(numpy.array([vector for *_, vector, _ in samples]), numpy.array([good for *_, good in samples], dtype=float))


def print_measure(samples, scale):
    """The manifest's line, its scale placed by the vectors of upright photos."""
    weights, _ = fitted(samples)
    sums = numpy.sort(scale @ weights)
    lowest, low = sums[len(sums) // 1000], sums[len(sums) * 2 // 100]
    factor = numpy.log(0.8 / 0.2) / (low - lowest)
    numbers = ", ".join(f"{weight:.3g}" for weight in weights * factor)
    print(f"recognisability = {{ bias = {-lowest * factor:.4g}, weights = [{numbers}] }}")


def logistic(x, y, ridge=5.0, rounds=30):
    """Weights and bias of a logistic regression with both classes weighing the same (iteratively reweighted least squares)."""
    x1 = numpy.hstack([x, numpy.ones((len(x), 1))])
    share = numpy.where(y == 1, 0.5 / y.mean(), 0.5 / (1 - y.mean()))
    w = numpy.zeros(x1.shape[1])
    penalty = numpy.eye(len(w)) * ridge
    penalty[-1, -1] = 0
    for _ in range(rounds):
        p = 1 / (1 + numpy.exp(-(x1 @ w)))
        gradient = x1.T @ (share * (p - y)) + penalty @ w
        hessian = (x1 * (share * p * (1 - p))[:, None]).T @ x1 + penalty + 1e-9 * numpy.eye(len(w))
        w -= numpy.linalg.solve(hessian, gradient)
    return w[:-1], w[-1]


if __name__ == "__main__":
    main()
