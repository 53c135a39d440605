"""The same answers as the Rust command, box by box and vector by vector, and the same command from Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy
import pytest

import facerec
from conftest import HOME, ROOT


def lines(program: list[str], *args: object, code: int = 0) -> list[dict]:
    environment = {**os.environ, "FACEREC_MODELS": str(HOME / "models"), "FACEREC_ORT": facerec._runtime.library() or ""}
    result = subprocess.run([*program, "--json", *map(str, args)], capture_output=True, text=True, env=environment)
    assert result.returncode == code, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def assert_same(faces: facerec.Faces, record: dict) -> None:
    """As the command: boxes to the last digit it prints, vectors to a cosine of 0.99999."""
    assert len(faces) == len(record["faces"])
    for face, expected in zip(faces, record["faces"], strict=True):
        assert face.box == pytest.approx(expected["box"], abs=0.00501)
        assert face.score == pytest.approx(expected["score"], abs=0.0000501)
        assert numpy.allclose(face.landmarks, expected["landmarks"], atol=0.00501)
        assert face.quality.score == pytest.approx(expected["quality"]["score"], abs=0.0000501)
        assert float(face.embedding.vector @ numpy.asarray(expected["embedding"], "float32")) >= 0.99999


def test_photos_give_what_the_command_gives(engine, command, photos):
    files = sorted(photos.glob("*/*.jpg"))
    assert len(files) > 10
    for file, record in zip(files, lines([str(command)], "embed", *files), strict=True):
        assert record["embedder"] == engine.embedder
        assert_same(engine.embed(file), record)


def test_the_fixture_photos_give_what_the_command_gives(command, shared):
    """The photos of fixtures/reference, whose answers the Rust tests compare with InsightFace's."""
    fixture = json.loads((ROOT / "fixtures" / "reference" / "reference.json").read_text())
    files = sorted({shared / "data" / "photos" / photo["file"] for photo in fixture["photos"]})
    assert len(files) > 5
    engine = facerec.Engine(detector="scrfd-2.5g", embedder="edgeface-xs", models=shared / "models")
    options = ["--models", shared / "models", "--detector", "scrfd-2.5g", "--embedder", "edgeface-xs"]
    for file, record in zip(files, lines([str(command)], *options, "embed", *files), strict=True):
        assert_same(engine.embed(file), record)


def test_comparisons_galleries_and_videos_give_what_the_command_gives(engine, command, photos, people, clip):
    program = [str(command)]
    a, b = photos / "people" / "obama.jpg", photos / "people" / "biden.jpg"
    [record] = lines(program, "compare", a, b)
    result = engine.compare(a, b)
    assert result.same == record["same"]
    assert (result.similarity, result.threshold) == pytest.approx((record["similarity"], record["threshold"]), abs=1e-4)
    [record] = lines(program, "identify", "--gallery", people, b)
    with engine.gallery(people, read_only=True) as gallery:
        [face] = gallery.identify(b)
    expected = record["faces"][0]
    assert (face.person, round(face.similarity, 4), face.decision.reason) == (expected["person"], expected["similarity"], expected["reason"])
    *tracks, summary = lines(program, "video", "--gallery", people, clip, "--boxes")
    found = list(engine.video(clip, people, boxes=True))
    assert [(one.person, one.frames, round(one.start * 1000)) for one in found] == [(t["person"], t["frames"], t["start_ms"]) for t in tracks]
    for one, track in zip(found, tracks, strict=True):
        for box, (frame, _, *edges) in zip(one.boxes, track["boxes"], strict=True):
            # The wheel decodes with its own build of the same FFmpeg: the same pixels.
            assert box.frame == frame and box.box == pytest.approx(edges, abs=0.00501)
    assert summary["summary"]["tracks"] == 2


def test_python_has_the_same_command(command, obama, people, tmp_path):
    python, rust = [sys.executable, "-m", "facerec"], [str(command)]
    for args, code in (
        (["embed", obama], 0),
        (["detect", obama, tmp_path / "missing.jpg"], 1),
        (["gallery", "list", "--gallery", people], 0),
        (["gallery", "list", "--gallery", tmp_path / "missing"], 4),
        (["--device", "cuda", "detect", obama], 3),
    ):
        assert lines(python, *args, code=code) == lines(rust, *args, code=code)
    for args in (["--help"], ["--version"], ["video", "--help"], ["nonsense"]):
        both = [subprocess.run([*program, *args], capture_output=True, text=True) for program in (python, rust)]
        assert both[0].returncode == both[1].returncode and both[0].stdout == both[1].stdout and both[0].stderr == both[1].stderr
    script = Path(sys.executable).parent / "facerec"
    assert "facerec" in subprocess.run([script, "--version"], capture_output=True, text=True, check=True).stdout


def test_the_command_needs_nothing_but_the_wheel(clip, people, tmp_path):
    """Models, ONNX Runtime, and an H.264 encoder for the annotated copy."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FACEREC_")}
    out = tmp_path / "out.mp4"
    args = ["--json", "video", "--gallery", str(people), str(clip), "--annotate", str(out), "--report", str(tmp_path / "out.html")]
    result = subprocess.run([sys.executable, "-m", "facerec", *args], capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert [json.loads(line).get("person") for line in result.stdout.splitlines()] == ["Obama", "Biden", None]
    assert out.stat().st_size > 10_000 and (tmp_path / "out.html").exists()
    doctor = subprocess.run([sys.executable, "-m", "facerec", "--json", "doctor"], capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert doctor.returncode == 0, doctor.stdout
