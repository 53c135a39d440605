"""The process: what is loaded from where, threads, forks, other processes, memory."""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
import pytest

import facerec

PACKAGE = Path(facerec.__file__).parent


def run(code: str, *args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`code` in a new Python, with what it printed."""
    result = subprocess.run(
        [sys.executable, "-c", code, *args], capture_output=True, text=True, timeout=60, env={**os.environ, **environment}
    )
    assert result.returncode == 0, result.stderr
    return result


def test_everything_comes_from_the_wheel_and_onnxruntime(obama):
    """No FFmpeg, BLAS or OpenMP of the system, and no model of the checkout."""
    code = """
import sys, facerec
engine = facerec.Engine()
assert engine.detect(sys.argv[1])
assert "onnxruntime" not in sys.modules
paths = {line.split()[-1] for line in open("/proc/self/maps") if ".so" in line}
print("\\n".join(sorted(paths)))
print(facerec.models.path("centerface"))
"""
    *libraries, model = run(code, str(obama)).stdout.split()
    ours = [Path(path) for path in libraries if any(part in path for part in ("libav", "libsw", "blas", "gomp", "gfortran", "dav1d", "264"))]
    assert {path.parent.name for path in ours} == {"facerec.libs"} or {path.parent for path in ours} <= {
        PACKAGE.parent / "facerec.libs",
        PACKAGE.parent / "numpy.libs",
    }
    assert len([path for path in ours if path.parent.name == "facerec.libs"]) > 8
    [runtime] = [path for path in libraries if "libonnxruntime" in path]
    assert "/onnxruntime/capi/" in runtime and runtime.startswith(sys.prefix)
    assert Path(model).parent == PACKAGE / "models"


def test_importing_is_quick_and_loads_neither_numpy_nor_onnxruntime():
    code = "import sys, facerec; assert not {'numpy', 'onnxruntime', 'pandas', 'tqdm'} & set(sys.modules)"
    run(code)

    def cost(code):  # processor time, so that other work on the machine does not count
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run(code)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    times = [cost("import facerec") - cost("pass") for _ in range(3)]
    assert min(times) < 0.2, times


def test_onnxruntime_may_be_imported_before_and_after(obama):
    for order in ("import onnxruntime, facerec", "import facerec; facerec.Engine(); import onnxruntime"):
        code = f"""
import sys
{order}
assert facerec.Engine().detect(sys.argv[1])
print(onnxruntime.get_available_providers())
"""
        assert "CPUExecutionProvider" in run(code, str(obama)).stdout


def test_the_library_can_be_chosen_and_a_missing_one_is_told():
    code = """
import facerec
try: facerec.Engine(library="/nowhere/lib.so")
except facerec.RuntimeLibraryError as error: print(error.code, error)
"""
    assert "runtime_library" in run(code).stdout
    code = "import facerec\ntry: facerec.Engine()\nexcept facerec.RuntimeLibraryError as error: print(error)"
    assert "/nowhere/ort.so" in run(code, FACEREC_ORT="/nowhere/ort.so").stdout


def test_options_of_an_engine(engine):
    assert (engine.detector, engine.embedder, engine.device) == ("centerface", "mobilefacenet-expo", "cpu")
    assert engine.library is not None and "onnxruntime" in engine.library.name
    assert "centerface" in repr(engine) and engine.identify_threshold > engine.threshold
    strict = facerec.Engine(threshold=0.9, threads=1, max_faces=1, spinning=False)
    assert strict.threshold == pytest.approx(0.9) == strict.identify_threshold and strict.threads == 1
    for wrong, kind in (
        ({"device": "toaster"}, facerec.InvalidArgument),
        ({"device": "cuda:7"}, facerec.DeviceUnavailable),
        ({"detector": "nothing"}, facerec.ModelNotFound),
        ({"pack": "nothing"}, facerec.InvalidArgument),
        ({"threshold": 2.0}, facerec.InvalidArgument),
        ({"detail": "everything"}, facerec.InvalidArgument),
    ):
        with pytest.raises(kind) as caught:
            facerec.Engine(**wrong)
        assert isinstance(caught.value, facerec.Error) and caught.value.code != "internal"
    with pytest.raises(TypeError):
        facerec.Engine("default")
    with pytest.raises(TypeError):
        facerec.Engine(threads="two")


def test_threads_share_an_engine_and_get_the_same_answers(engine, photos):
    pictures = [photos / "people" / "obama.jpg", photos / "strangers" / "t1.jpg", photos / "people" / "biden.jpg"] * 6
    alone = [engine.embed(picture) for picture in pictures[:3]] * 6
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(engine.embed, pictures)) == alone


def test_the_gil_is_free_while_the_engine_works(engine, group):
    """Python counts on while pictures are looked at."""
    import threading

    stop, counted = threading.Event(), [0]

    def count():
        while not stop.is_set():
            counted[0] += 1
            time.sleep(0.0005)

    thread = threading.Thread(target=count)
    thread.start()
    start = time.monotonic()
    picture = numpy.zeros((6000, 6000, 3), "uint8")
    for _ in range(5):
        engine.embed(picture)
    elapsed = time.monotonic() - start
    stop.set()
    thread.join()
    assert counted[0] > elapsed / 0.0005 * 0.1, f"{counted[0]} steps in {elapsed:.2f} s"


def test_a_forked_child_is_refused_instead_of_hanging(engine, obama, gallery, people):
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        said = []
        for call in (lambda: engine.detect(obama), gallery.people, facerec.Engine, lambda: engine.gallery(people)):
            try:
                call()
                said.append("worked")
            except facerec.RuntimeLibraryError as error:
                said.append(error.code if "spawn" in str(error) else str(error))
            except BaseException as error:
                said.append(repr(error))
        os.write(write, ",".join(said).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        assert pipe.read() == ",".join(["runtime_library"] * 4)
    os.waitpid(child, 0)
    assert len(engine.detect(obama)) == 1, "the parent goes on"
    assert gallery.people() == []


def test_a_child_that_drops_what_it_inherited_leaves_it_alone(obama, tmp_path):
    """Nothing is closed, written or waited for."""
    code = """
import os, sys, facerec
engine = facerec.Engine()
gallery = engine.gallery(sys.argv[2])
gallery.enroll("Obama", sys.argv[1])
if os.fork() == 0:
    del engine, gallery
    os._exit(0)
assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
assert [face.person for face in gallery.identify(sys.argv[1])] == ["Obama"]
assert gallery.verify()
"""
    run(code, str(obama), str(tmp_path / "gallery"))


def test_forking_before_the_first_use_is_fine(obama):
    code = """
import os, sys, facerec
if os.fork() == 0:
    os._exit(len(facerec.Engine().detect(sys.argv[1])))
assert os.waitstatus_to_exitcode(os.wait()[1]) == 1
assert len(facerec.Engine().detect(sys.argv[1])) == 1
"""
    run(code, str(obama))


def test_an_engine_goes_to_spawned_processes(engine, obama):
    tuned = facerec.Engine(threshold=0.6, threads=1, max_faces=1)
    restored = pickle.loads(pickle.dumps(tuned))
    assert restored.threshold == pytest.approx(0.6) and restored.threads == engine.threads or restored.threads == 1
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(tuned.detect, (obama,)) == tuned.detect(obama)


def test_nothing_leaks(engine, obama, tmp_path):
    """FACEREC_LEAK_CALLS=1000000 for the long run."""
    calls = int(os.environ.get("FACEREC_LEAK_CALLS", "8000"))
    tiny = numpy.zeros((8, 8, 3), "uint8")
    strided = numpy.zeros((8, 8, 6), "uint8")[:, ::-1, ::2]
    embedding = engine.embed(obama)[0].embedding
    gallery = engine.gallery(tmp_path)
    gallery.add("Obama", embedding)
    face = engine.embed(obama)[0]
    tracker = facerec.Tracker()
    bad = [
        lambda: engine.detect(None),
        lambda: engine.detect(numpy.full((2, 2, 3), 1.5)),
        lambda: engine.detect(numpy.zeros((0, 2, 3), "uint8")),
        lambda: engine.detect(b"no picture"),
        lambda: engine.detect("/nowhere/x.jpg"),
        lambda: engine.detect(tiny, wrong=1),
        lambda: facerec.Embedding([0.0], "m", "1"),
        lambda: gallery.remove("nobody"),
        lambda: gallery.add("", embedding),
        lambda: engine.video("/nowhere/x.mp4"),
        lambda: facerec.Engine(device="toaster"),
        lambda: tracker.update(-1, []),
    ]
    good = [
        lambda: pickle.loads(pickle.dumps(face)),
        lambda: embedding.similarity(embedding),
        lambda: embedding.vector,
        lambda: gallery.search(embedding),
        lambda: gallery.people(),
        lambda: facerec.Embedding([0.6, 0.8], "m", "1"),
        lambda: facerec.annotate(tiny, [face]),
        lambda: facerec.jpeg(strided),
        lambda: facerec.Tracker().update(0, [face]),
        lambda: facerec.Table([face]),
        lambda: face.to_dict(),
    ]

    def call(times):
        for number in range(times):
            good[number % len(good)]()
            try:
                bad[number % len(bad)]()
            except (facerec.Error, TypeError):
                pass
            else:
                raise AssertionError(f"call {number % len(bad)} did not raise")
            if number % 100 == 0:
                engine.detect(tiny)
                engine.detect(strided)

    def rss():
        gc.collect()
        return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

    call(calls // 8)
    before = rss()
    call(calls // 2)
    after = rss()
    gallery.close()
    print(f"{calls} calls: {before / 1e6:.1f} MB, then {after / 1e6:.1f} MB")
    assert after < before * 1.02
