#!/usr/bin/env python3
"""How unknown faces are put together, against other ways, on one labelled folder of photos (one sub-folder per person).

    python clusters.py FACEREC FOLDER [--pack NAME] [--out results/clusters.json]      needs requirements-clusters.txt

facerec scores itself with `facerec evaluate clusters`, at its own thresholds. The others get the same vectors (the main face of
each photo) and the threshold at which they do best, which nobody knows beforehand: DBSCAN and HDBSCAN of scikit-learn, average and
complete linkage of scikit-learn, Chinese Whispers (Biemann 2006; as dlib clusters faces) and approximate rank order (Otto, Wang and
Jain 2017) as written down here. Faces that a way calls noise count as clusters of one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path

import numpy
from sklearn.cluster import DBSCAN, HDBSCAN, AgglomerativeClustering


def embed(facerec: list[str], folder: Path) -> tuple[numpy.ndarray, numpy.ndarray]:
    """The main face of each photo as a vector, and whose it is."""
    photos = sorted(path for path in folder.glob("*/*") if path.is_file())
    vectors, names = [], []
    for start in range(0, len(photos), 1000):
        command = [*facerec, "--json", "embed", *map(str, photos[start : start + 1000])]
        for line in subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout.splitlines():
            photo = json.loads(line)
            if not photo.get("faces"):
                continue

            def weight(face: dict) -> float:
                x1, y1, x2, y2 = face["box"]
                dx, dy = (x1 + x2 - photo["width"]) / 2, (y1 + y2 - photo["height"]) / 2
                return (x2 - x1) * (y2 - y1) - 2 * (dx * dx + dy * dy)

            vectors.append(max(photo["faces"], key=weight)["embedding"])
            names.append(Path(photo["image"]).parent.name)
    return numpy.array(vectors, "float32"), numpy.unique(names, return_inverse=True)[1]


def score(people: numpy.ndarray, labels: numpy.ndarray) -> dict:
    """Pairs and BCubed, as `facerec evaluate clusters` counts them."""
    alone = labels < 0
    labels = numpy.where(alone, labels.max() + 1 + numpy.cumsum(alone), labels)
    labels = numpy.unique(labels, return_inverse=True)[1]
    table = numpy.zeros((people.max() + 1, labels.max() + 1))
    numpy.add.at(table, (people, labels), 1)
    pairs = lambda counts: (counts * (counts - 1) / 2).sum()
    values = lambda precision, recall: {"precision": precision, "recall": recall, "f1": 2 * precision * recall / max(precision + recall, 1e-9)}
    right = pairs(table)
    cluster, person = table.sum(0), table.sum(1, keepdims=True)
    return {
        "clusters": len(cluster),
        "mixed": int(((table > 0).sum(0) > 1).sum()),
        "pairs": values(right / max(pairs(cluster), 1), right / pairs(person)),
        "bcubed": values((table**2 / cluster).sum() / len(people), (table**2 / person).sum() / len(people)),
    }


def components(count: int, edges) -> numpy.ndarray:
    parent = list(range(count))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = node = parent[parent[node]]
        return node

    for a, b in edges:
        a, b = root(a), root(b)
        parent[max(a, b)] = min(a, b)
    return numpy.array([root(node) for node in range(count)])


def chinese_whispers(alike: numpy.ndarray, threshold: float) -> numpy.ndarray:
    near = [numpy.setdiff1d(numpy.nonzero(row >= threshold)[0], [node]) for node, row in enumerate(alike)]
    labels, random = numpy.arange(len(alike)), numpy.random.default_rng(0)
    for _ in range(20):
        before = labels.copy()
        for node in random.permutation(len(alike)):
            if len(near[node]):
                labels[node] = numpy.bincount(labels[near[node]], weights=alike[node, near[node]]).argmax()
        if (labels == before).all():
            break
    return labels


def rank_order(order: numpy.ndarray, threshold: float) -> numpy.ndarray:
    """`order`: each face's nearest neighbours, itself first."""
    rank = [{int(other): place for place, other in enumerate(row)} for row in order]
    distance = lambda a, b: sum(int(other) not in rank[b] for other in order[a][: rank[a][b] + 1])
    edges = []
    for a, row in enumerate(order):
        for b in map(int, row[1:]):
            if a in rank[b] and (distance(a, b) + distance(b, a)) / min(rank[a][b], rank[b][a]) < threshold:
                edges.append((a, b))
    return components(len(order), edges)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("facerec")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pack", default="default")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    facerec = [args.facerec, "--pack", args.pack]
    ours = subprocess.run([*facerec, "--json", "evaluate", "clusters", "--from", args.folder], stdout=subprocess.PIPE, check=True, text=True)
    results = {"facerec": json.loads(ours.stdout)}
    vectors, people = embed(facerec, args.folder)
    alike = vectors @ vectors.T
    numpy.fill_diagonal(alike, 1)
    away = numpy.clip(1 - alike, 0, 2).astype("float64")
    order = numpy.argsort(-alike, axis=1, kind="stable")[:, :51]
    linked = lambda how, t: AgglomerativeClustering(None, metric="precomputed", linkage=how, distance_threshold=1 - t).fit_predict(away)
    thresholds = numpy.round(numpy.arange(0.2, 0.75, 0.025), 3)
    ways = {
        "dbscan, pairs (single linkage)": (lambda t: DBSCAN(eps=1 - t, min_samples=2, metric="precomputed").fit_predict(away), thresholds),
        "dbscan, min_samples 3": (lambda t: DBSCAN(eps=1 - t, min_samples=3, metric="precomputed").fit_predict(away), thresholds),
        "hdbscan, min_cluster_size 2": (lambda m: HDBSCAN(min_cluster_size=2, min_samples=m, metric="precomputed", copy=True).fit_predict(away), [1, 2, 3]),
        "average linkage": (lambda t: linked("average", t), thresholds),
        "complete linkage": (lambda t: linked("complete", t), thresholds),
        "chinese whispers": (lambda t: chinese_whispers(alike, t), thresholds),
        "approximate rank order": (lambda t: rank_order(order, t), [0.06, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0]),
    }
    for name, (way, knobs) in ways.items():
        tried = [{"knob": float(knob), **score(people, way(knob))} for knob in knobs]
        results[name] = max(tried, key=lambda one: one["bcubed"]["f1"])
    for name, result in results.items():
        pairs, bcubed = result["pairs"], result["bcubed"]
        print(f"{name:32} pairs {pairs['precision']:.4f} {pairs['recall']:.4f} {pairs['f1']:.4f}  BCubed {bcubed['precision']:.4f} "
              f"{bcubed['recall']:.4f} {bcubed['f1']:.4f}  {result['clusters']} clusters, {result['mixed']} mixed")  # fmt: skip
    if args.out:
        args.out.write_text(json.dumps({"pack": args.pack, "faces": len(people), "people": int(people.max() + 1), "ways": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
