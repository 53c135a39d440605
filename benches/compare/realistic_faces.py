"""Made-up face vectors that are distributed like real ones, in any number: derived from the embeddings of LFW's photos.

A person's direction is a mixture of a real person's and of others'; each photo is a step away from it with the covariance that photos of
one person of LFW have. What comes out is checked by its cosines: photos of one person about 0.7, as in LFW with edgeface-xs.
"""
import json
import os
import subprocess
from pathlib import Path

import numpy as np

PER_PERSON = 5
CHUNK = 50_000


def embeddings(shared: Path, facerec: Path, cache: Path) -> np.lib.npyio.NpzFile:
    """`people`: the mean direction of each person, `steps`: photos minus their person's mean, `freedom`: independent ones among them."""
    if not cache.exists():
        images = sorted(map(str, (shared / "data/lfw/images").glob("*/*.jpg")))
        by_person: dict[str, list] = {}
        environment = {**os.environ, "FACEREC_MODELS": str(shared / "models")}
        for start in range(0, len(images), 500):
            command = [facerec, "--json", "--embedder", "edgeface-xs", "embed", *images[start : start + 500]]
            output = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, check=False).stdout
            for line in map(json.loads, output.splitlines()):
                faces = [f for f in line.get("faces", []) if "embedding" in f]
                if faces:
                    largest = max(faces, key=lambda f: (f["box"][2] - f["box"][0]) * (f["box"][3] - f["box"][1]))
                    by_person.setdefault(Path(line["image"]).parent.name, []).append(largest["embedding"])
        groups = [np.array(group, dtype="f4") for group in by_person.values()]
        several = [group for group in groups if len(group) > 1]
        steps = np.concatenate([group - group.mean(0) for group in several])
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.savez(cache, people=unit(np.stack([g.mean(0) for g in groups])), steps=steps, freedom=len(steps) - len(several))
    return np.load(cache)


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype("f4")


class Maker:
    def __init__(self, lfw: np.lib.npyio.NpzFile, seed: int = 1):
        self.random = np.random.default_rng(seed)
        self.people, self.steps, self.freedom = lfw["people"], lfw["steps"], int(lfw["freedom"])
        self.dim = self.people.shape[1]

    def directions(self, count: int) -> np.ndarray:
        chosen = self.people[self.random.choice(len(self.people), min(256, len(self.people)), replace=False)]
        others = unit(self.random.standard_normal((count, len(chosen)), dtype="f4") @ chosen)
        return unit(self.people[self.random.integers(0, len(self.people), count)] + others)

    def photos(self, directions: np.ndarray) -> np.ndarray:
        chosen = self.steps[self.random.choice(len(self.steps), min(768, len(self.steps)), replace=False)]
        scale = np.float32(np.sqrt(len(self.steps) / self.freedom / len(chosen)))
        return unit(directions + self.random.standard_normal((len(directions), len(chosen)), dtype="f4") @ chosen * scale)

    def write(self, path: Path, faces: int, sizes: list[int], queries: int) -> None:
        """`faces` vectors, PER_PERSON of each person; beside them `queries` new photos of people among the first n, for each size n."""
        asked = {n: np.sort(self.random.integers(0, n // PER_PERSON, queries)) for n in sizes}
        new = {n: np.empty((queries, self.dim), dtype="f4") for n in sizes}
        with open(path, "wb") as file:
            for start in range(0, faces, CHUNK):
                people = min(CHUNK, faces - start) // PER_PERSON
                directions = self.directions(people)
                self.photos(np.repeat(directions, PER_PERSON, axis=0)).tofile(file)
                first = start // PER_PERSON
                for n in sizes:
                    here = (asked[n] >= first) & (asked[n] < first + people)
                    if here.any():
                        new[n][here] = self.photos(directions[asked[n][here] - first])
        for n in sizes:
            self.random.permutation(new[n]).tofile(path.with_name(f"queries-{n}.f32"))
