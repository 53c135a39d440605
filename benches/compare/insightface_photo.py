"""facerec and InsightFace side by side in one run: the same models, the same threads, turn by turn on the same photos.

python insightface_photo.py SHARED PHOTO_BENCH ORT_LIBRARY [--rounds N] [--out FILE]
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
MODELS = ("scrfd_2.5g_bnkps.onnx", "edgeface_xs_dequant.onnx")
PHOTOS = {"t1.jpg (6 faces)": "groups/t1.jpg", "obama.jpg (1 face)": "face_recognition/examples/obama.jpg"}
CALLS = 5  # per round and side
CALLERS = 8
SECONDS = 3.0  # of each throughput measurement


class Worker:
    def __init__(self, *command):
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, order):
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline() or '{"error": "the worker ended"}')
        if "error" in answer:
            sys.exit(f"{self.process.args[0]}: {answer['error']}")
        return answer

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def compare_photos(ours, bare, peer, rounds):
    """Median milliseconds per side and photo, and the median over the rounds of the ratios within a round."""
    table = {}
    for index, name in enumerate(PHOTOS):
        faces = ours.ask(f"embed {index} {CALLS}")["faces"]  # also warms up
        assert faces == peer.ask(f"embed {index} {CALLS}")["faces"], name
        orders = {"facerec": (ours, f"embed {index} {CALLS}"), "bare_onnxruntime": (bare, f"embed {index} {CALLS} {faces}"),
                  "insightface": (peer, f"embed {index} {CALLS}")}
        bare.ask(orders["bare_onnxruntime"][1])
        medians = {side: [] for side in orders}
        for _ in range(rounds):
            for side, (worker, order) in orders.items():
                medians[side].append(statistics.median(worker.ask(order)["ms"]))
        row = {f"{side}_ms": round(statistics.median(times), 2) for side, times in medians.items()}
        ratio = lambda a, b: round(statistics.median(x / y for x, y in zip(medians[a], medians[b])), 3)
        row |= {"faces": faces, "faster_than_insightface": ratio("insightface", "facerec"), "of_bare_onnxruntime": ratio("facerec", "bare_onnxruntime")}
        table[name] = row
    return table


def compare_callers(engine, rounds):
    """Photos per second of one thread and of many that share the engine, turn by turn."""
    engine.ask("callers 8 0.5")
    one, many = [], []
    for _ in range(rounds):
        one.append(engine.ask(f"callers 1 {SECONDS}")["photos_per_s"])
        many.append(engine.ask(f"callers {CALLERS} {SECONDS}")["photos_per_s"])
    gain = statistics.median(m / o for m, o in zip(many, one))
    return {"callers": CALLERS, "one_per_s": round(statistics.median(one), 2), "many_per_s": round(statistics.median(many), 2), "gain": round(gain, 3)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("bench", type=Path, help="the built facerec-core/benches/photo.rs")
    parser.add_argument("library", type=Path, help="the ONNX Runtime library of this Python's onnxruntime")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=HERE.parent / "results" / "insightface_photo.json")
    args = parser.parse_args()
    images = [args.shared / "data/photos" / file for file in PHOTOS.values()]
    models = args.shared / "models"
    with tempfile.TemporaryDirectory() as folder:
        for name in MODELS:
            os.symlink((models / name).resolve(), Path(folder) / name)
        ours = Worker(args.bench, "engine", models, args.library, args.threads, 1, *images)
        bare = Worker(args.bench, "bare", models, args.library, args.threads, 1, *images)
        peer = Worker(sys.executable, HERE / "insightface_worker.py", folder, args.threads, *images)
        photos = compare_photos(ours, bare, peer, args.rounds)
        memory = {"facerec": ours.ask("memory")["peak_mib"], "insightface": peer.ask("memory")["peak_mib"]}
        for worker in (ours, bare, peer):
            worker.close()
    engine = Worker(args.bench, "engine", models, args.library, 1, os.cpu_count(), *images)
    callers = compare_callers(engine, 3)
    engine.close()

    import insightface
    import onnxruntime
    result = {
        "machine": {"cpus": os.cpu_count(), "processor": processor(), "system": platform.platform()},
        "versions": {"insightface": insightface.__version__, "onnxruntime": onnxruntime.__version__},
        "models": MODELS, "threads": args.threads, "rounds": args.rounds, "photos": photos,
        "peak_memory_mib": {side: round(mib) for side, mib in memory.items()}, "shared_engine": callers,
    }
    args.out.parent.mkdir(exist_ok=True)
    args.out.write_text(json.dumps(result, indent=2) + "\n")
    print(f"detect + embed from a decoded photo, {args.threads} threads, medians of {args.rounds} rounds")
    print(f"{'photo':22}{'facerec':>10}{'bare ORT':>10}{'InsightFace':>13}{'faster':>9}{'of bare':>9}")
    for name, row in photos.items():
        print(f"{name:22}{row['facerec_ms']:8.1f}ms{row['bare_onnxruntime_ms']:8.1f}ms{row['insightface_ms']:11.1f}ms"
              f"{row['faster_than_insightface']:8.2f}x{row['of_bare_onnxruntime']:8.2f}x")
    print(f"peak memory: facerec {memory['facerec']:.0f} MiB, InsightFace {memory['insightface']:.0f} MiB")
    print(f"one engine, one-thread sessions: 1 caller {callers['one_per_s']:.1f} photos/s, {CALLERS} callers {callers['many_per_s']:.1f} "
          f"({callers['gain']:.2f}x)")
    print(f"written to {args.out}")


def processor():
    with open("/proc/cpuinfo") as info:
        return next((line.split(":")[1].strip() for line in info if line.startswith("model name")), "unknown")


if __name__ == "__main__":
    main()
