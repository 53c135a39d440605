#!/usr/bin/env python3
"""Exact top-5 of a single query over 100,000 x 512: facerec's gallery beside faiss-cpu's IndexFlatIP, in one run.

Needs numpy and faiss-cpu in the Python that runs it. Both sides get the same vectors and queries and one thread, and
take turns in small blocks, so that whatever else the machine does falls on both. Prints one JSON line.
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BLOCK, BLOCKS = 20, 20

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.pop("OPENBLAS_CORETYPE", None)

import faiss  # noqa: E402  (after the number of threads is set)
import numpy as np  # noqa: E402


def built_bench() -> str:
    """The path of the compiled benches/gallery_flat.rs."""
    command = ["cargo", "build", "--release", "-p", "facerec-core", "--features", "cli,cuda,tensorrt,openvino", "--bench", "gallery_flat", "--message-format=json"]
    output = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    found = [json.loads(line).get("executable") for line in output.splitlines() if '"gallery_flat"' in line]
    return next(path for path in found if path)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        shared = Path(folder) / "vectors.f32"
        ours = subprocess.Popen([built_bench(), "--serve", shared], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        about = json.loads(ours.stdout.readline())
        data = np.fromfile(shared, dtype="<f4").reshape(-1, about["dim"])
        vectors, queries = data[: about["faces"]], data[about["faces"] :]
        faiss.omp_set_num_threads(1)
        index = faiss.IndexFlatIP(about["dim"])
        index.add(vectors)

        def ask_ours(count: int) -> list[float]:
            ours.stdin.write(f"{count}\n")
            ours.stdin.flush()
            return json.loads(ours.stdout.readline())

        def ask_faiss(start: int, count: int) -> list[float]:
            times = []
            for i in range(start, start + count):
                query = queries[i % len(queries)][None]
                begin = time.perf_counter()
                index.search(query, 5)
                times.append((time.perf_counter() - begin) * 1e3)
            return times

        ask_ours(BLOCK), ask_faiss(0, BLOCK)  # warm up
        mine, theirs = [], []
        for block in range(BLOCKS):
            turns = [lambda: mine.extend(ask_ours(BLOCK)), lambda: theirs.extend(ask_faiss(block * BLOCK, BLOCK))]
            for turn in turns if block % 2 == 0 else turns[::-1]:
                turn()
        ours.stdin.close()
        ours.wait()
    a, b = statistics.median(mine), statistics.median(theirs)
    result = {
        "faces": about["faces"],
        "dim": about["dim"],
        "queries_each": len(mine),
        "facerec_top5_ms": round(a, 2),
        "faiss_cpu_top5_ms": round(b, 2),
        "ratio": round(a / b, 3),
        "facerec_best_ms": round(min(mine), 2),
        "faiss_cpu_best_ms": round(min(theirs), 2),
        "faiss_cpu": faiss.__version__,
        "facerec_add_s": about["add_s"],
        "facerec_open_s": about["open_s"],
    }
    print(json.dumps(result))


if __name__ == "__main__":
    sys.exit(main())
