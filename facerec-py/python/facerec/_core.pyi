# Stubs of the compiled module, written by hand and compared with it by mypy.stubtest.
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, final

import numpy
import numpy.typing
import pandas

from ._reports import Calibration, ClusterReport, IdentificationReport, PairsReport, TrackReport
from ._results import (
    AuditEntry,
    Cluster,
    Comparison,
    Decision,
    Duplicate,
    EnrolledFace,
    Enrolment,
    Face,
    Faces,
    GalleryStats,
    ImportReport,
    Match,
    ModelInfo,
    PackInfo,
    Person,
    Progress,
    Sighting,
    Table,
    TrackedFace,
    TrackStep,
    VerifyReport,
    VideoInfo,
    VideoSummary,
)

_StrPath = str | os.PathLike[str]
_Folders = _StrPath | Sequence[_StrPath]

class _File(Protocol):
    def read(self) -> bytes: ...

class _Array(Protocol):
    def __array__(self) -> numpy.typing.NDArray[Any]: ...

class _PilImage(Protocol):
    def convert(self, mode: str) -> Any: ...
    def getbands(self) -> tuple[str, ...]: ...

_Pixels = numpy.typing.NDArray[numpy.uint8] | numpy.typing.NDArray[numpy.uint16] | numpy.typing.NDArray[numpy.floating[Any]]
_Image = _StrPath | bytes | bytearray | memoryview | _Pixels | _Array | _PilImage | _File

__all__ = [
    "Embedding",
    "Engine",
    "Gallery",
    "Tracker",
    "Video",
    "__version__",
    "annotate",
    "calibrate",
    "clusters",
    "command",
    "identification",
    "jpeg",
    "model_fetch",
    "model_folders",
    "model_list",
    "model_packs",
    "model_path",
    "pairs",
    "report",
    "tracks",
]

__version__: str

def annotate(image: _Image, faces: Sequence[Face], *, bgr: bool = False) -> numpy.typing.NDArray[numpy.uint8]: ...
def jpeg(image: _Image, *, quality: int = 92) -> bytes: ...
def command(args: Sequence[str]) -> int: ...
def pairs(
    engine: Engine, pairs: _StrPath, images: _StrPath, *, progress: Callable[[int, int], object] | None = None
) -> PairsReport: ...
def identification(
    engine: Engine, folder: _StrPath, *, progress: Callable[[int, int], object] | None = None
) -> IdentificationReport: ...
def calibrate(
    engine: Engine, folder: _StrPath, *, fmr: Sequence[float], progress: Callable[[int, int], object] | None = None
) -> Table[Calibration]: ...
def clusters(
    engine: Engine,
    folder: _StrPath,
    *,
    threshold: Sequence[float],
    strict_step: float | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Table[ClusterReport]: ...
def report(
    engines: Sequence[tuple[str | None, Engine]],
    folder: _StrPath,
    *,
    out: _StrPath | None = None,
    pictures: bool = True,
    groups: _StrPath | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> str: ...
def tracks(truth: _StrPath, result: _StrPath) -> TrackReport: ...
def model_list(models: _Folders | None = None) -> Table[ModelInfo]: ...
def model_packs(models: _Folders | None = None) -> Table[PackInfo]: ...
def model_folders(models: _Folders | None = None) -> list[Path]: ...
def model_path(id: str, models: _Folders | None = None) -> Path: ...
def model_fetch(
    ids: Sequence[str],
    *,
    pack: str | None = None,
    to: _StrPath | None = None,
    accept_licence: bool = False,
    models: _Folders | None = None,
    progress: Callable[[str, int, int | None], object] | None = None,
) -> list[Path]: ...
@final
class Embedding:
    def __new__(cls, vector: numpy.typing.ArrayLike, model: str, model_hash: str) -> Embedding: ...
    @property
    def vector(self) -> numpy.typing.NDArray[numpy.float32]: ...
    @property
    def model(self) -> str: ...
    @property
    def model_hash(self) -> str: ...
    def similarity(self, other: Embedding) -> float: ...
    def __array__(self, dtype: numpy.typing.DTypeLike | None = None, copy: bool | None = None) -> numpy.typing.NDArray[Any]: ...
    def __len__(self) -> int: ...
    def __hash__(self) -> int: ...
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __getnewargs__(self) -> tuple[numpy.typing.NDArray[numpy.float32], str, str]: ...

@final
class Engine:
    def __new__(
        cls,
        *,
        pack: str | None = None,
        detector: str | None = None,
        embedder: str | None = None,
        device: str | None = None,
        threads: int | None = None,
        sessions: int | None = None,
        spinning: bool | None = None,
        threshold: float | None = None,
        turned: bool | None = None,
        models: _Folders | None = None,
        library: _StrPath | None = None,
        max_side: int | None = None,
        score_threshold: float | None = None,
        max_faces: int | None = None,
        min_face_px: float | None = None,
        detail: str | None = None,
    ) -> Engine: ...
    def detect(self, image: _Image, *, bgr: bool = False) -> Faces: ...
    def embed(self, image: _Image, *, bgr: bool = False) -> Faces: ...
    def compare(self, a: _Image, b: _Image, *, bgr: bool = False) -> Comparison: ...
    def enroll(
        self,
        gallery: Gallery,
        person: str,
        image: _Image | Face,
        *,
        gate: str | None = None,
        source: str | None = None,
        metadata: str | None = None,
        expires: float | None = None,
        bgr: bool = False,
    ) -> Enrolment: ...
    def identify(
        self,
        gallery: Gallery,
        image: _Image,
        *,
        threshold: float | None = None,
        margin: float | None = None,
        candidates: int | None = None,
        only: Sequence[str] | None = None,
        where: str | None = None,
        bgr: bool = False,
    ) -> Faces: ...
    def cluster(
        self,
        faces: Sequence[Face | Embedding],
        *,
        threshold: float | None = None,
        strict_step: float | None = None,
        min_size: int | None = None,
    ) -> Table[Cluster]: ...
    def gallery(
        self,
        path: _StrPath,
        *,
        read_only: bool | None = None,
        create: bool | None = None,
        salvage: bool | None = None,
        index: str | None = None,
        key: bytes | None = None,
        passphrase: str | None = None,
        actor: str | None = None,
        wait: float | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> Gallery: ...
    def video(
        self,
        path: _StrPath,
        gallery: Gallery | _StrPath | None = None,
        *,
        every_frame: bool | None = None,
        start: float | None = None,
        end: float | None = None,
        boxes: bool | None = None,
        pictures: bool | None = None,
        best_shots: int | None = None,
        rejoin_within: float | None = None,
        provisional: bool | None = None,
        hardware: str | None = None,
        deinterlace: str | None = None,
        timeout: float | None = None,
        reconnect: bool | float | None = None,
        backlog: float | None = None,
        progress: bool | Callable[[Progress], object] | None = None,
    ) -> Video: ...
    @property
    def detector(self) -> str: ...
    @property
    def embedder(self) -> str: ...
    @property
    def device(self) -> str: ...
    @property
    def library(self) -> Path | None: ...
    @property
    def threads(self) -> int: ...
    @property
    def threshold(self) -> float: ...
    @property
    def identify_threshold(self) -> float: ...
    def __getnewargs_ex__(self) -> tuple[tuple[()], dict[str, Any]]: ...

@final
class Gallery:
    @staticmethod
    def open(
        path: _StrPath,
        engine: Engine | None = None,
        *,
        read_only: bool | None = None,
        create: bool | None = None,
        salvage: bool | None = None,
        index: str | None = None,
        key: bytes | None = None,
        passphrase: str | None = None,
        actor: str | None = None,
        wait: float | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> Gallery: ...
    def enroll(
        self,
        person: str,
        image: _Image | Face,
        *,
        gate: str | None = None,
        source: str | None = None,
        metadata: str | None = None,
        expires: float | None = None,
        bgr: bool = False,
    ) -> Enrolment: ...
    def identify(
        self,
        image: _Image,
        *,
        threshold: float | None = None,
        margin: float | None = None,
        candidates: int | None = None,
        only: Sequence[str] | None = None,
        where: str | None = None,
        bgr: bool = False,
    ) -> Faces: ...
    def decide(
        self,
        embedding: Embedding,
        threshold: float,
        *,
        margin: float | None = None,
        candidates: int | None = None,
        only: Sequence[str] | None = None,
        where: str | None = None,
    ) -> Decision: ...
    def search(
        self, embedding: Embedding, k: int = 10, *, only: Sequence[str] | None = None, where: str | None = None
    ) -> Table[Match]: ...
    def add(
        self,
        person: str,
        embedding: Embedding,
        *,
        source: str | None = None,
        metadata: str | None = None,
        expires: float | None = None,
    ) -> int: ...
    def people(self) -> Table[Person]: ...
    def person(self, person: str) -> Person: ...
    def faces(self, person: str) -> Table[EnrolledFace]: ...
    def embedding(self, face: int) -> Embedding | None: ...
    def remove(self, person: str) -> int: ...
    def remove_face(self, face: int) -> bool: ...
    def rename(self, person: str, new_name: str) -> None: ...
    def merge(self, person: str, into: str) -> int: ...
    def split(self, person: str, faces: Sequence[int], into: str) -> int: ...
    def duplicates(self, threshold: float | None = None, *, limit: int = 100) -> Table[Duplicate]: ...
    def export(self, path: _StrPath) -> int: ...
    def export_person(self, person: str, path: _StrPath) -> int: ...
    def set_key(self, *, key: bytes | None = None, passphrase: str | None = None) -> None: ...
    def purge_expired(self) -> int: ...
    def audit(self, after: int = 0, *, limit: int = 1000) -> Table[AuditEntry]: ...
    def import_(self, path: _StrPath) -> ImportReport: ...
    def verify(self) -> VerifyReport: ...
    def stats(self) -> GalleryStats: ...
    def compact(self) -> None: ...
    def close(self) -> None: ...
    @property
    def path(self) -> Path | str: ...
    @property
    def closed(self) -> bool: ...
    @property
    def model(self) -> str: ...
    @property
    def model_hash(self) -> str: ...
    def __enter__(self) -> Gallery: ...
    def __exit__(
        self,
        _exc_type: type[BaseException] | None,
        _exc: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None: ...

@final
class Video:
    def __iter__(self) -> Iterator[Sighting]: ...
    def __next__(self) -> Sighting: ...
    def close(self) -> None: ...
    def to_pandas(self) -> pandas.DataFrame: ...
    @property
    def path(self) -> Path: ...
    @property
    def info(self) -> VideoInfo: ...
    @property
    def progress(self) -> Progress: ...
    @property
    def summary(self) -> VideoSummary: ...
    def __enter__(self) -> Video: ...
    def __exit__(
        self,
        _exc_type: type[BaseException] | None,
        _exc: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None: ...

@final
class Tracker:
    def __new__(
        cls,
        *,
        high_score: float | None = None,
        sure_score: float | None = None,
        keep_lost: float | None = None,
        coast: float | None = None,
        split_after: float | None = None,
    ) -> Tracker: ...
    def update(self, time: float, faces: Sequence[Face]) -> TrackStep: ...
    def predict(self, time: float) -> tuple[TrackedFace, ...]: ...
    def cut(self) -> tuple[int, ...]: ...
    def finish(self) -> tuple[int, ...]: ...
