#!/usr/bin/env python3
"""Every kind of index at 1e3 to 1e6 realistic faces: facerec's gallery beside the faiss-cpu wheel's equivalent, in one run.

    faiss_kinds.py SHARED FACEREC [--sizes 1000,10000,...] [--kinds flat,sq8,...] [--bench FILE] [--out FILE]

SHARED has data/lfw and models; FACEREC is the compiled command, which embeds LFW's photos once. Both sides get the same vectors, queries
and two threads, and take turns in small blocks, so that whatever else the machine does falls on both. Writes JSON after every step.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import faiss
import numpy as np
from realistic_faces import Maker, embeddings

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "target/kinds"
QUERIES, BLOCK, BLOCKS = 500, 10, 10
# What facerec's kinds are in FAISS's words; all but the flat one rank their candidates again by the true vectors, as facerec does.
EQUIVALENT = {"flat": "Flat", "sq8": "SQ8,RFlat", "fp16": "SQfp16,RFlat", "ivf": "IVF{lists},PQ128x4fs,RFlat", "hnsw": "HNSW32_SQ8,RFlat"}


def built_bench() -> str:
    command = "cargo build --release -p facerec-core --features cli,cuda,tensorrt,openvino --bench gallery_kinds --message-format=json"
    output = subprocess.run(command.split(), cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    found = [json.loads(line).get("executable") for line in output.splitlines() if '"gallery_kinds"' in line]
    return next(path for path in found if path)


class Ours:
    def __init__(self, bench: str, vectors: Path, queries: Path, faces: int, dim: int):
        command = [bench, str(vectors), str(queries), str(faces), str(dim)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.about = json.loads(self.process.stdout.readline())

    def tell(self, line: str):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def lists(faces: int) -> int:
    """As facerec chooses them."""
    return 1 << int(np.log2(max(1, min(faces // 40, 1 << int(np.ceil(np.log2(np.sqrt(faces))))))))


def faiss_index(kind: str, vectors: np.ndarray) -> tuple[faiss.Index, float]:
    """The equivalent index, filled, and the seconds that took."""
    n, dim = vectors.shape
    start = time.perf_counter()
    index = faiss.index_factory(dim, EQUIVALENT[kind].format(lists=lists(n)), faiss.METRIC_INNER_PRODUCT)
    rows = min(n, 40 * lists(n) if kind == "ivf" else 16384)
    index.train(vectors[:: max(1, n // rows)][:rows])
    index.add(vectors)
    if kind != "flat":
        index.k_factor = {"sq8": 8, "fp16": 3, "ivf": 15, "hnsw": 15}[kind]
    if kind == "ivf":
        faiss.extract_index_ivf(index.base_index).nprobe = min(64, lists(n))
    if kind == "hnsw":
        faiss.downcast_index(index.base_index).hnsw.efSearch = 128
    return index, time.perf_counter() - start


def ask_faiss(index: faiss.Index, queries: np.ndarray, first: int) -> list[float]:
    times = []
    for i in range(first, first + BLOCK):
        query = queries[i % len(queries)][None]
        begin = time.perf_counter()
        index.search(query, 5)
        times.append((time.perf_counter() - begin) * 1e3)
    return times


def compare(ours: Ours, kind: str, vectors: np.ndarray, queries: np.ndarray, truth: np.ndarray) -> dict:
    opened = ours.tell(f"kind {kind}")
    index, faiss_build = faiss_index(kind, vectors)
    ours.tell(f"ask {BLOCK}"), ask_faiss(index, queries, 0)  # warm up
    mine, theirs, ratios = [], [], []
    for block in range(BLOCKS):
        turns = [lambda: mine.extend(ours.tell(f"ask {BLOCK}")), lambda: theirs.extend(ask_faiss(index, queries, block * BLOCK))]
        for turn in turns if block % 2 == 0 else turns[::-1]:
            turn()
        ratios.append(statistics.median(mine[-BLOCK:]) / statistics.median(theirs[-BLOCK:]))
    found = ours.tell("found")
    others = np.concatenate([index.search(q[None], 1)[1][0] for q in queries])
    n = len(vectors)
    return {
        "faces": n,
        "kind": kind,
        **opened,
        "top5_ms": round(statistics.median(mine), 3),
        "top5_best_ms": round(min(mine), 3),
        "top5_p95_ms": round(sorted(mine)[len(mine) * 95 // 100], 3),
        "batch_ms_per_query": found["batch_ms_per_query"],
        "recall_at_1": round(float((np.array(found["found"]) == truth).mean()), 4),
        "memory_bytes_per_face": round(opened["resident_growth_bytes"] / n),
        "disk_bytes_per_face": round(opened["disk_bytes"] / n),
        "faiss_cpu": EQUIVALENT[kind].format(lists=lists(n)),
        "faiss_cpu_top5_ms": round(statistics.median(theirs), 3),
        "faiss_cpu_best_ms": round(min(theirs), 3),
        "faiss_cpu_recall_at_1": round(float((others == truth).mean()), 4),
        "faiss_cpu_build_s": round(faiss_build, 2),
        "time_ratio": round(statistics.median(mine) / statistics.median(theirs), 3),
        "time_ratio_of_blocks": round(statistics.median(ratios), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("shared", type=Path)
    parser.add_argument("facerec", type=Path)
    parser.add_argument("--sizes", default="1000,10000,100000,1000000")
    parser.add_argument("--kinds", default="flat,sq8,fp16,ivf,hnsw")
    parser.add_argument("--hnsw-up-to", type=int, default=100_000, help="its graph takes minutes to build beyond")
    parser.add_argument("--bench", help="the compiled benches/gallery_kinds.rs; built when not given")
    parser.add_argument("--out", type=Path, default=ROOT / "benches/results/gallery_kinds.json")
    options = parser.parse_args()
    sizes = [int(float(size)) for size in options.sizes.split(",")]
    lfw = embeddings(options.shared, options.facerec, CACHE / "lfw.npz")
    vectors_file = CACHE / "faces.f32"
    dim = lfw["people"].shape[1]
    if not vectors_file.exists() or vectors_file.stat().st_size < max(sizes) * dim * 4:
        Maker(lfw).write(vectors_file, max(sizes), sizes, QUERIES)
    faiss.omp_set_num_threads(2)
    bench = options.bench or built_bench()
    known = json.loads(options.out.read_text())["runs"] if options.out.exists() else []
    for n in sizes:
        vectors = np.memmap(vectors_file, dtype="<f4", mode="r", shape=(n, dim))
        queries_file = CACHE / f"queries-{n}.f32"
        queries = np.fromfile(queries_file, dtype="<f4").reshape(-1, dim)
        exact = faiss.IndexFlatIP(dim)
        truth, best = np.zeros(len(queries), dtype=int), np.full(len(queries), -2, dtype="f4")
        for start in range(0, n, 50_000):
            exact.reset()
            exact.add(np.ascontiguousarray(vectors[start : start + 50_000]))
            similarity, row = exact.search(queries, 1)
            better = similarity[:, 0] > best
            best[better], truth[better] = similarity[better, 0], row[better, 0] + start
        exact.reset()
        ours = Ours(bench, vectors_file, queries_file, n, dim)
        for kind in options.kinds.split(","):
            if kind == "hnsw" and n > options.hnsw_up_to:
                continue
            run = {**compare(ours, kind, np.ascontiguousarray(vectors), queries, truth), "add_s": ours.about["add_s"], "cpu_load": round(os.getloadavg()[0], 1)}
            print(json.dumps(run), flush=True)
            known = [k for k in known if (k["faces"], k["kind"]) != (n, kind)] + [run]
            about = {"dim": dim, "cores": os.cpu_count(), "faiss_cpu": faiss.__version__}
            options.out.write_text(json.dumps({**about, "runs": known}, indent=1) + "\n")
        ours.end()


if __name__ == "__main__":
    sys.exit(main())
