"""Fixtures: photos that scripts/setup.sh fetched, a clip made of them, and the folder of larger data where it is there."""

from __future__ import annotations

import os
import subprocess
import warnings
from pathlib import Path

import numpy
import pytest

import facerec

ROOT = Path(__file__).resolve().parents[2]
HOME = Path(os.environ.get("FACEREC_HOME", ROOT / ".facerec")).resolve()
SHARED = Path(os.environ.get("FACEREC_SHARED", ROOT.parent / "shared"))


@pytest.fixture(scope="session")
def photos() -> Path:
    folder = HOME / "photos"
    assert (folder / "complete").exists(), "run scripts/setup.sh first"
    return folder


@pytest.fixture(scope="session")
def obama(photos: Path) -> Path:
    return photos / "people" / "obama.jpg"


@pytest.fixture(scope="session")
def group(photos: Path) -> Path:
    return photos / "strangers" / "t1.jpg"


@pytest.fixture(scope="session")
def engine() -> facerec.Engine:
    return facerec.Engine()


@pytest.fixture
def gallery(engine: facerec.Engine, tmp_path: Path):
    with engine.gallery(tmp_path / "gallery") as gallery:
        yield gallery


@pytest.fixture(scope="session")
def people(engine: facerec.Engine, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery of Obama and Biden."""
    folder = tmp_path_factory.mktemp("people")
    with engine.gallery(folder) as gallery:
        for name in ("obama", "biden"):
            assert gallery.enroll(name.title(), photos / "people" / f"{name}.jpg")
    return folder


def make_clip(pictures: list[Path], seconds: float, out: Path) -> Path:
    """An H.264 video of pictures, each shown for so many seconds while slowly coming nearer."""
    inputs = [part for picture in pictures for part in ("-i", str(picture))]
    frames = round(seconds * 25)
    scene = (
        "[{n}:v]scale=960:540:force_original_aspect_ratio=decrease,pad=960:540:(ow-iw)/2:(oh-ih)/2,"
        f"zoompan=z='1+0.002*on':d={frames}:s=640x360:fps=25,setsar=1,format=yuv420p[v{{n}}];"
    )
    graph = "".join(scene.format(n=n) for n in range(len(pictures)))
    graph += "".join(f"[v{n}]" for n in range(len(pictures))) + f"concat=n={len(pictures)}:v=1[v]"
    command = ["ffmpeg", "-y", "-v", "error", *inputs, "-filter_complex", graph, "-map", "[v]", "-c:v", "libx264", "-preset", "veryfast", str(out)]
    subprocess.run(command, check=True)
    return out


@pytest.fixture(scope="session")
def clip(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds: Obama, then Biden."""
    pictures = [photos / "people" / "obama3.jpg", photos / "people" / "biden.jpg"]
    return make_clip(pictures, 2, tmp_path_factory.mktemp("clip") / "two people.mp4")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Photos and weights that are not part of the repository."""
    if not (SHARED / "models").is_dir():
        warnings.warn(f"SKIPPED: `{SHARED}` has no models and photos; set FACEREC_SHARED", stacklevel=1)
        pytest.skip("no shared data")
    return SHARED


@pytest.fixture(scope="session")
def command() -> Path:
    """The Rust command, built by `cargo build`."""
    path = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "facerec"
    if not path.exists():
        warnings.warn(f"SKIPPED: `{path}` is not built", stacklevel=1)
        pytest.skip("no Rust command")
    return path


@pytest.fixture
def rgb(obama: Path) -> numpy.ndarray:
    """Obama's photo as PIL decodes it."""
    from PIL import Image

    return numpy.asarray(Image.open(obama).convert("RGB"))
