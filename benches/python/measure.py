"""What the Python package costs: import, overhead over the Rust command, threads, size.

    python benches/python/measure.py RUST_COMMAND WHEEL PHOTO CLIP [ROUNDS]

Run it with the Python that has the wheel installed, on an idle machine. Both sides do one inference after the other with a thread per
core, and take turns; given is the median of the ratios within rounds. Processor time is given beside wall time: it says the same
on a machine that has other work too. What starting costs is measured apart and taken off on both sides.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import facerec

CORES = os.cpu_count() or 1
FEW, MANY = 10, 60
Cost = tuple[float, float]


def cost(call: Callable[[], object]) -> Cost:
    """Wall and processor time in seconds, of this process and its children."""

    def processor() -> float:
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(one.ru_utime + one.ru_stime for one in used)

    start, before = time.perf_counter(), processor()
    call()
    return time.perf_counter() - start, processor() - before


def beyond(call: Callable[[bool], object]) -> Cost:
    """What `call(True)` costs more than `call(False)`."""
    less, more = cost(lambda: call(False)), cost(lambda: call(True))
    return more[0] - less[0], more[1] - less[1]


def run(command: str, *args: str) -> None:
    """The Rust command, with the models and the ONNX Runtime that Python uses."""
    settings = {"FACEREC_ORT": facerec._runtime.library() or "", "FACEREC_MODELS": facerec._runtime.model_folder()}
    subprocess.run([command, "--json", *args], check=True, stdout=subprocess.DEVNULL, env={**os.environ, **settings})


def report(what: str, ours: list[Cost], theirs: list[Cost], unit: float, name: str) -> None:
    for number, kind in enumerate(("wall", "processor")):
        python, rust = [one[number] for one in ours], [one[number] for one in theirs]
        ratio = median(a / b for a, b in zip(python, rust))
        print(
            f"{what}, {kind:9}  Python {unit * median(python):7.1f} {name}  Rust {unit * median(rust):7.1f} {name}  {100 * (ratio - 1):+.1f} %",
            flush=True,
        )


def main() -> None:
    command, wheel, photo, clip = sys.argv[1:5]
    rounds = int(sys.argv[5]) if len(sys.argv) > 5 else 5
    print(f"wheel               {os.path.getsize(wheel) / 1e6:.1f} MB")
    imports = [beyond(lambda full: subprocess.run([sys.executable, "-c", "import facerec" if full else "pass"], check=True)) for _ in range(9)]
    print(f"import facerec      {1000 * median(one[0] for one in imports):.0f} ms wall, {1000 * median(one[1] for one in imports):.0f} ms processor")

    engine = facerec.Engine(threads=CORES, spinning=False)
    engine.embed(photo)
    photos: tuple[list[Cost], list[Cost]] = ([], [])
    clips: tuple[list[Cost], list[Cost]] = ([], [])
    many = facerec.Engine(threads=1, spinning=False)  # as the command opens it for a video
    for _ in range(rounds):
        for _ in range(FEW):  # the other side has just had the processor's caches: its own first photos are not counted either
            engine.embed(photo)
        photos[0].append(cost(lambda: [engine.embed(photo) for _ in range(MANY - FEW)]))
        photos[1].append(beyond(lambda full: run(command, "--threads", str(CORES), "embed", *[photo] * (MANY if full else FEW))))
        clips[0].append(beyond(lambda full: list(many.video(clip, pictures=False, end=None if full else 0.1))))
        clips[1].append(beyond(lambda full: run(command, "video", clip, *([] if full else ["--end", "0.1"]))))
    report("photo", *photos, 1000 / (MANY - FEW), "ms")
    report("clip ", *clips, 1000, "ms")

    rates = {}
    for threads in (1, 2, 4):
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(many.embed, [photo] * 4))
            rates[threads] = 40 / median(cost(lambda: list(pool.map(many.embed, [photo] * 40)))[0] for _ in range(3))
    print("threads             " + ", ".join(f"{threads}: {rate:.1f}/s ({rate / rates[1]:.2f}x)" for threads, rate in rates.items()))


if __name__ == "__main__":
    main()
