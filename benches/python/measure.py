"""What the Python binding costs: import, overhead over the Rust command, threads, size.

    python benches/python/measure.py RUST_COMMAND WHEEL PHOTO CLIP [ROUNDS]

Run it with the Python that has the wheel installed, on an idle machine. The two sides take turns, round by round, and the medians
of the rounds' ratios are given. Both sides use one inference after the other with a thread per core.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import facerec

CORES = os.cpu_count() or 1
FEW, MANY = 20, 120


def seconds(call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def of_command(command: str, *args: str) -> str:
    """What the Rust command prints, with the models and the ONNX Runtime that Python uses."""
    settings = {"FACEREC_ORT": facerec._runtime.library() or "", "FACEREC_MODELS": facerec._runtime.model_folder()}
    run = subprocess.run([command, "--json", *args], check=True, capture_output=True, text=True, env={**os.environ, **settings})
    return run.stdout


def importing() -> float:
    """Milliseconds of `import facerec`, beyond those of an empty Python."""
    once = lambda code: seconds(lambda: subprocess.run([sys.executable, "-c", code], check=True))  # noqa: E731
    return 1000 * statistics.median(once("import facerec") - once("pass") for _ in range(9))


def main() -> None:
    command, wheel, photo, clip = sys.argv[1:5]
    rounds = int(sys.argv[5]) if len(sys.argv) > 5 else 5
    engine = facerec.Engine(threads=CORES, spinning=False)
    engine.embed(photo)
    rust_photo, python_photo, rust_clip, python_clip = [], [], [], []
    for _ in range(rounds):
        # Many less few: what starting costs is in both.
        times = [seconds(lambda n=n: of_command(command, "--threads", str(CORES), "embed", *[photo] * n)) for n in (FEW, MANY)]
        rust_photo.append((times[1] - times[0]) / (MANY - FEW))
        python_photo.append(seconds(lambda: [engine.embed(photo) for _ in range(MANY - FEW)]) / (MANY - FEW))
        rust_clip.append(json.loads(of_command(command, "video", clip).splitlines()[-1])["summary"]["wall_ms"] / 1000)
        plain = facerec.Engine()
        list(plain.video(clip, end=0.2))  # as the command's figure, without opening the models
        python_clip.append(seconds(lambda: list(plain.video(clip, pictures=False))))
    shared = facerec.Engine(threads=1, spinning=False)
    throughput = {}
    for threads in (1, 2, 4):
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(shared.embed, [photo] * 4))
            throughput[threads] = 80 / statistics.median(seconds(lambda: list(pool.map(shared.embed, [photo] * 80))) for _ in range(3))
    median = statistics.median
    # The median of the ratios within rounds: a machine that slows down for a while slows both sides.
    overhead = lambda ours, theirs: f"{100 * (median(a / b for a, b in zip(ours, theirs)) - 1):+.1f} %"  # noqa: E731
    print(f"import facerec            {importing():.0f} ms")
    print(f"wheel                     {os.path.getsize(wheel) / 1e6:.1f} MB")
    print(f"photo, detect and embed   Python {1000 * median(python_photo):.1f} ms, Rust {1000 * median(rust_photo):.1f} ms: {overhead(python_photo, rust_photo)}")
    print(f"clip                      Python {median(python_clip):.2f} s, Rust {median(rust_clip):.2f} s: {overhead(python_clip, rust_clip)}")
    print(f"threads                   1: {throughput[1]:.1f}/s, 2: {throughput[2]:.1f}/s, 4: {throughput[4]:.1f}/s = {throughput[4] / throughput[1]:.2f}x")


if __name__ == "__main__":
    main()
