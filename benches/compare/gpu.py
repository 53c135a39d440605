"""A GPU against the processor of the same machine, and against bare ONNX Runtime on the same GPU: the same results, and how fast.

    python benches/compare/gpu.py PHOTO... [--clip VIDEO] [--device cuda] [--models FOLDER --pairs DETECTOR,EMBEDDER...] [--bare ONNX...]

Needs the wheel (`scripts/wheel.sh`), onnxruntime-gpu and a GPU. Prints one JSON object; exits with 1 when results differ.
Bare ONNX Runtime runs the detector on a tensor of the photo's size that is ready in memory: no decoding, no resizing, no faces.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any

import numpy
import onnxruntime

import facerec

ROUNDS = 3


def rate(work: Callable[[], Any], count: int) -> float:
    """Things a second, the median of rounds after one that is not counted."""
    work()
    taken = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return count / median(taken)


def same(here: Any, there: Any) -> tuple[float, float]:
    """The largest distance of boxes in pixels and the smallest similarity of vectors; the same number of faces in the same order."""
    assert len(here) == len(there), f"{len(here)} faces, and {len(there)} on the other device"
    pixels, similarity = 0.0, 1.0
    for one, other in zip(here, there):
        pixels = max(pixels, float(numpy.abs(numpy.subtract(one.box, other.box)).max()))
        similarity = min(similarity, one.embedding.similarity(other.embedding))
    return pixels, similarity


def bare(path: str, device: str, side: int) -> float:
    """Runs a second of a detector on one ready tensor."""
    providers = ["CUDAExecutionProvider"] if device.startswith("cuda") else ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(path, providers=providers)
    assert session.get_providers()[0] == providers[0], session.get_providers()
    feed = {session.get_inputs()[0].name: numpy.zeros((1, 3, side, side), numpy.float32)}
    return rate(lambda: [session.run(None, feed) for _ in range(50)], 50)


def measure(photos: list[Any], clip: str | None, device: str, settings: dict[str, Any]) -> dict[str, Any]:
    cpu, gpu = facerec.Engine(device="cpu", **settings), facerec.Engine(device=device, **settings)
    found = [same(cpu.embed(photo), gpu.embed(photo)) for photo in photos]
    result: dict[str, Any] = {"detector": gpu.detector, "embedder": gpu.embedder, "faces": sum(len(gpu.detect(photo)) for photo in photos)}
    result |= {"boxes_differ_px": max(pixels for pixels, _ in found), "vectors_agree": min(similarity for _, similarity in found)}
    for name, engine in (("cpu", cpu), (device, gpu)):
        result[f"detect_per_s_{name}"] = rate(lambda: [engine.detect(photo) for photo in photos * 4], 4 * len(photos))
        result[f"embed_per_s_{name}"] = rate(lambda: [engine.embed(photo) for photo in photos * 4], 4 * len(photos))
        with ThreadPoolExecutor(16) as pool:
            result[f"embed_per_s_16_callers_{name}"] = rate(lambda: list(pool.map(engine.embed, photos * 16)), 16 * len(photos))
        if clip:
            frames, start = 0, time.perf_counter()
            for _ in range(3):
                with engine.video(clip, pictures=False) as video:
                    people = len(list(video))
                    frames += video.summary.frames
            result[f"video_frames_per_s_{name}"] = frames / (time.perf_counter() - start)
            result[f"video_tracks_{name}"] = people
    return result


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("photos", nargs="+")
    arguments.add_argument("--clip")
    arguments.add_argument("--device", default="cuda")
    arguments.add_argument("--models", help="a folder with further models")
    arguments.add_argument("--pairs", nargs="*", default=[], help="DETECTOR,EMBEDDER of that folder")
    arguments.add_argument("--bare", nargs="*", default=[], help="detectors as ONNX files for bare ONNX Runtime at 640x640")
    given = arguments.parse_args()
    # Decoded once: photos are not read by the GPU.
    from PIL import Image

    photos = [numpy.asarray(Image.open(path).convert("RGB")) for path in given.photos]
    report: dict[str, Any] = {"onnxruntime": onnxruntime.__version__, "runs": []}
    settings: list[dict[str, Any]] = [{}]
    settings += [dict(zip(("detector", "embedder"), pair.split(",")), models=[given.models]) for pair in given.pairs]
    for one in settings:
        report["runs"].append(measure(photos, given.clip, given.device, one))
    report["bare_runs_per_s"] = {path: bare(path, given.device, 640) for path in given.bare}
    try:
        facerec.Engine(device=f"{given.device.split(':')[0]}:99")
        report["missing_device"] = "NOT NOTICED"
    except facerec.Error as error:
        report["missing_device"] = f"{error.code}: {error}"
    print(json.dumps(report, indent=1))
    wrong = any(run["boxes_differ_px"] > 1.0 or run["vectors_agree"] < 0.999 for run in report["runs"])
    sys.exit(1 if wrong or report["missing_device"] == "NOT NOTICED" else 0)


if __name__ == "__main__":
    main()
