"""Fits an embedder's measure of recognisability, and shows it beside the distance of Deng et al. 2021.

    python benches/recognisability/fit.py FACEREC LFW_IMAGES [-- OPTIONS OF FACEREC]

A face counts as recognised when its vector still matches the upright picture it was made from (threshold at a false match rate of
1e-4), as unrecognisable when it does not (threshold at 1e-2); what lies between is left out. Half of the people are fitted on, the
other half judged. Prints the manifest's lines on standard output, figures on standard error.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy

from pictures import WAYS, make

PEOPLE = 400


def main() -> None:
    facerec, images, options = sys.argv[1], Path(sys.argv[2]), sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    people = sorted(path for path in images.iterdir() if path.is_dir())
    chosen = [people[index] for index in numpy.random.default_rng(1).permutation(len(people))[:PEOPLE]]
    portraits = [sorted(person.glob("*.jpg"))[0] for person in chosen]
    folder = Path(tempfile.gettempdir()) / "facerec-recognisability"
    make(portraits, folder, list(WAYS))
    vectors = {way: embed(facerec, options, [folder / way / path.parent.name / path.name for path in portraits]) for way in WAYS}
    thresholds = known_thresholds(facerec, options)
    upright = vectors["upright"]
    samples = {way: label(found, upright, thresholds) for way, found in vectors.items()}
    fit(samples)


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


def known_thresholds(facerec, options):
    """The similarities at false match rates of 1e-2 and 1e-4 that the embedder's manifest states."""
    id_of = options[options.index("--embedder") + 1] if "--embedder" in options else "mobilefacenet-expo"
    for pack in Path("models").glob("*.toml"):
        import tomllib

        for model in tomllib.loads(pack.read_text())["model"]:
            if model["id"] == id_of:
                stated = model["embed"]["thresholds"]
                return stated["1e-2"], stated["1e-4"]
    raise SystemExit(f"no manifest in models/ states the thresholds of {id_of}")


def label(found, upright, thresholds):
    """Index, vector and whether it is recognised, for the faces of which that is clear."""
    low, high = thresholds
    clear = []
    for index, vector in found.items():
        if index in upright:
            likeness = float(vector @ upright[index])
            if likeness >= high or likeness < low:
                clear.append((index, vector, likeness >= high))
    return clear


def fit(samples):
    train = [sample for way in samples.values() for sample in way if sample[0] % 2 == 0]
    held = {way: [sample for sample in found if sample[0] % 2 == 1] for way, found in samples.items()}
    x, y = numpy.array([vector for _, vector, _ in train]), numpy.array([good for *_, good in train], dtype=float)
    weights, bias = logistic(x, y)
    center = x[y == 0].mean(0)
    center /= numpy.linalg.norm(center)
    good = numpy.array([vector for found in held.values() for _, vector, good in found if good])
    bad = numpy.array([vector for found in held.values() for _, vector, good in found if not good])
    say(f"held-back faces: {len(good)} recognised, {len(bad)} not")
    for name, value in [("fitted", lambda v: v @ weights + bias), ("distance to the mean (Deng)", lambda v: -(v @ center))]:
        a, b = numpy.sort(value(good)), numpy.sort(value(bad))
        say(f"{name}: area under the curve {auc(a, b):.5f}, " + ", ".join(f"{miss(a, b, share):.2%} missed at {share:.1%} refused" for share in (0.001, 0.003, 0.01)))
    for way, found in held.items():
        for kind in (True, False):
            values = numpy.array([vector @ weights + bias for _, vector, good in found if good is kind])
            if len(values):
                say(f"  {way:15} {'recognised' if kind else 'unrecognisable':14} {len(values):4} of which {numpy.mean(values < 0):.2%} refused")
    numbers = ", ".join(f"{weight:.3g}" for weight in weights)
    print(f"recognisability = {{ bias = {bias:.4g}, weights = [{numbers}] }}")


def logistic(x, y, ridge=0.05, rounds=30):
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


def auc(good, bad):
    return numpy.searchsorted(bad, good).mean() / len(bad)


def miss(good, bad, share):
    return numpy.mean(bad >= good[int(share * len(good))])


def say(text):
    print(text, file=sys.stderr)


main()
