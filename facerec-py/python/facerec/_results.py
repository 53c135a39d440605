"""What facerec returns: frozen dataclasses. Pixels are those of the upright picture, origin top left; times are seconds.

They compare and hash by value, can be pickled, and ``to_dict()`` gives plain dicts, lists and numbers, ready for JSON.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import numpy
    import numpy.typing
    import pandas

    from ._core import Embedding

    Pixels = numpy.typing.NDArray[numpy.uint8]

Box = tuple[float, float, float, float]
"""Left, top, right, bottom. It may reach beyond the picture."""

Span = tuple[float, float]
"""Start and end in seconds."""

T = TypeVar("T")


def _plain(value: Any) -> Any:
    """``value`` as JSON has it."""
    if isinstance(value, _Record):
        return value.to_dict()
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if hasattr(value, "__fspath__"):
        return str(value)
    vector = getattr(value, "vector", None)
    return value if vector is None else vector.tolist()


class _Record:
    """What all results can do."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists and numbers, by the names of the fields. Pictures are left out."""
        fields = dataclasses.fields(self)  # type: ignore[arg-type] # every subclass is a dataclass
        return {one.name: _plain(getattr(self, one.name)) for one in fields if one.name != "picture"}


class Table(list[T]):
    """A list of results that can become a table."""

    def to_pandas(self) -> pandas.DataFrame:
        """A ``pandas.DataFrame`` with a row per result and a column per number or text of it (pandas must be installed)."""
        import pandas

        return pandas.DataFrame([_flat(item) for item in self])


def _flat(item: Any) -> dict[str, Any]:
    """A row: nested dicts become columns named ``quality_score``, lists stay as they are."""
    row: dict[str, Any] = {}
    for name, value in item.to_dict().items():
        if isinstance(value, dict):
            row.update({f"{name}_{inner}": one for inner, one in value.items()})
        else:
            row[name] = value
    return row


@dataclass(frozen=True, slots=True)
class Quality(_Record):
    """How usable a face is for recognition."""

    score: float
    """Overall, 0 to 1: the product of what follows, each mapped to 0 to 1."""
    sharpness: float
    """0 to 1; a face in focus is above 0.4."""
    yaw: float
    """Head turn in degrees, positive to the right of the picture."""
    pitch: float
    """Head nod in degrees, positive downwards."""
    roll: float
    """Rotation in the picture's plane in degrees, positive clockwise."""
    face_px: float
    """Side of the face in pixels: the square root of its box's area."""
    exposure: float
    """Mean brightness, 0 black to 1 white."""
    recognisability: float | None = None
    """How well the embedder can tell this face from others, 0 to 1: below 0.5 strangers look alike. ``None`` where it was not embedded."""


@dataclass(frozen=True, slots=True)
class Candidate(_Record):
    """A person and their most similar enrolled face."""

    person: str
    similarity: float
    """Cosine similarity, -1 to 1; higher means more alike."""
    person_id: int
    face_id: int


@dataclass(frozen=True, slots=True)
class Decision(_Record):
    """Who it is, with the evidence."""

    person: str | None
    """The name, ``None`` for unknown, which is a normal answer."""
    similarity: float
    """Of the best candidate, named or not, -1 to 1; -1 when nobody is enrolled."""
    threshold: float
    """Similarity from which somebody is named."""
    margin: float
    """Lead of the best candidate over the runner-up, 0 to 2."""
    reason: str
    """``match``, ``below_threshold``, ``ambiguous``, ``empty_gallery``, ``unrecognisable``; in a video also ``conflict``, ``seen_elsewhere``,
    ``no_evidence``."""
    candidates: tuple[Candidate, ...]
    """The best people, best first."""
    person_id: int | None


@dataclass(frozen=True, slots=True, repr=False)
class Face(_Record):
    """A face in a picture, with what was asked to be known about it."""

    box: Box
    score: float
    """The detector's confidence, 0 to 1."""
    landmarks: tuple[tuple[float, float], ...]
    """Left eye, right eye, nose, left and right mouth corner, as seen in the picture."""
    quality: Quality | None = None
    embedding: Embedding | None = None
    """After ``embed`` and ``identify``; ``embedding.vector`` is the array."""
    decision: Decision | None = None
    """After ``identify``."""

    @property
    def person(self) -> str | None:
        """The person's name; ``None`` for unknown, and when nobody was looked up."""
        return self.decision.person if self.decision else None

    @property
    def similarity(self) -> float | None:
        """Similarity of the best candidate; ``None`` when nobody was looked up."""
        return self.decision.similarity if self.decision else None

    def to_dict(self) -> dict[str, Any]:
        """As the command's JSON: the decision beside the box, what is not known left out."""
        plain = {"box": [*self.box], "score": self.score, "landmarks": [[*point] for point in self.landmarks]}
        plain["quality"] = _plain(self.quality)
        if self.embedding is not None and self.decision is None:
            plain["embedding"] = _plain(self.embedding)
        return plain | (self.decision.to_dict() if self.decision else {})

    def __repr__(self) -> str:
        corners = ", ".join(f"{edge:.0f}" for edge in self.box)
        quality = f", quality={self.quality.score:.2f}" if self.quality else ""
        person = f", person={self.person!r}, similarity={self.similarity:.2f}" if self.decision else ""
        return f"Face(box=({corners}), score={self.score:.2f}{quality}{person})"


class Faces(Table[Face]):
    """The faces of a picture, best score first: a list that Jupyter shows as the picture with its faces marked."""

    def __init__(self, faces: Iterable[Face] = (), image: Any = None, bgr: bool = False) -> None:
        super().__init__(faces)
        self.image = image
        """The picture as it was given; read again when it is to be shown."""
        self.bgr = bgr

    def annotated(self) -> Pixels:
        """The picture with the faces marked, as an RGB array ``(height, width, 3)``."""
        from ._core import annotate

        return annotate(self.image, self, bgr=self.bgr)

    def _repr_html_(self) -> str | None:
        if self.image is None or hasattr(self.image, "read"):
            return None
        rows = "".join(f"<li><code>{_escaped(repr(face))}</code></li>" for face in self)
        return f"{_img(self.annotated())}<ol>{rows}</ol>"


def _escaped(text: str) -> str:
    from html import escape

    return escape(text)


def _img(picture: Pixels, style: str = "max-width:100%;max-height:480px") -> str:
    """The picture inside the page."""
    from base64 import b64encode

    from ._core import jpeg

    return f'<img style="{style}" src="data:image/jpeg;base64,{b64encode(jpeg(picture)).decode()}">'


@dataclass(frozen=True, slots=True)
class Comparison(_Record):
    """Whether two photos show the same person."""

    same: bool
    """Whether the similarity reaches the threshold and both faces can be recognised; ``False`` without a face."""
    similarity: float | None
    """Cosine similarity of the two largest faces, -1 to 1; ``None`` when a photo has no face."""
    threshold: float
    a: Face | None
    """The largest face of the first photo."""
    b: Face | None
    """The largest face of the second photo."""
    recognisable: bool
    """Whether both photos have a face and both can be told from others; where not, the similarity says nothing."""

    def __bool__(self) -> bool:
        return self.same


@dataclass(frozen=True, slots=True)
class Enrolment(_Record):
    """What became of a photo that was to be enrolled. A refusal is an answer, not an error."""

    accepted: bool
    person: str
    face_id: int | None
    """The face's number in the gallery, when it was accepted."""
    reason: str | None
    """Why it was refused: ``no_face``, ``several_faces``, ``too_small``, ``blurred``, ``extreme_pose``, ``bad_exposure``,
    ``unrecognisable``, ``not_this_person``, ``duplicate``."""
    face: Face | None

    def __bool__(self) -> bool:
        return self.accepted


@dataclass(frozen=True, slots=True)
class Person(_Record):
    """A person of a gallery."""

    name: str
    faces: int
    """Enrolled faces."""
    id: int
    created: float
    """When first enrolled, seconds since 1970 UTC."""


@dataclass(frozen=True, slots=True)
class EnrolledFace(_Record):
    """A face of a gallery, without its vector."""

    id: int
    person_id: int
    quality: Quality | None
    source: str | None
    metadata: str | None
    created: float
    """When enrolled, seconds since 1970 UTC."""
    expires: float | None = None
    """When it is forgotten, seconds since 1970 UTC; ``None`` for never."""


@dataclass(frozen=True, slots=True)
class AuditEntry(_Record):
    """A change of a gallery: ids, and nothing else about people."""

    id: int
    at: float
    """When, seconds since 1970 UTC."""
    actor: str
    action: str
    """``create``, ``migrate``, ``add``, ``import``, ``rename``, ``remove``, ``expire``, ``merge``, ``split``, ``set_key``."""
    persons: tuple[int, ...]
    faces: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Match(_Record):
    """An enrolled face that resembles a query."""

    person: str
    similarity: float
    person_id: int
    face_id: int


@dataclass(frozen=True, slots=True)
class Duplicate(_Record):
    """Two people of a gallery who may be one."""

    first: str
    """The name that was enrolled first."""
    second: str
    similarity: float
    """Of their two most similar faces, -1 to 1."""
    supporting_faces: int
    """Faces of the two that are as similar to one of the other: the more, the surer."""
    first_id: int
    second_id: int
    first_face: int
    """The two most similar faces."""
    second_face: int


@dataclass(frozen=True, slots=True)
class Cluster(_Record):
    """Faces of, most likely, one person."""

    members: tuple[int, ...]
    """Positions in the list that was given, ascending."""
    typical: int
    """The one most like all the others."""
    cohesion: float
    """Mean similarity of two members, -1 to 1; 1 for a single face."""

    def __len__(self) -> int:
        return len(self.members)


@dataclass(frozen=True, slots=True)
class GalleryStats(_Record):
    """A gallery in numbers."""

    persons: int
    faces: int
    dim: int | None
    """Length of the vectors; ``None`` until the first face is enrolled."""
    model: str
    model_hash: str
    index_kind: str
    """How the search is done now: ``faiss-flat-ip`` (every face is compared), ``faiss-sq8``, ``faiss-fp16``, ``faiss-ivf``,
    ``faiss-hnsw``; on a server ``pgvector-exact``, ``pgvector-hnsw``."""
    recall: float | None
    """How often it finds the most similar face first, 0 to 1, as measured when the index was built; ``None`` where it was not: on a
    server with a graph."""
    tombstones: int
    """Removed faces that the index still passes over; its next building leaves none."""
    index_bytes_per_face: int
    """Memory, with the true vector; 0 on a server, which has it on its disk."""
    index_building: bool
    """Whether the index is being built in the background now."""
    bytes_on_disk: int
    generation: int
    """Changes since the gallery was made."""
    encrypted: bool


@dataclass(frozen=True, slots=True)
class VerifyReport(_Record):
    """What a check of a gallery found."""

    faces: int
    problems: tuple[str, ...]
    """What is wrong, one sentence each; empty when all is well."""

    def __bool__(self) -> bool:
        return not self.problems


@dataclass(frozen=True, slots=True)
class ImportReport(_Record):
    """What an import did."""

    persons: int
    """People who were not there before."""
    faces: int
    duplicates: int
    """Faces that were there already."""


@dataclass(frozen=True, slots=True)
class BestShot(_Record):
    """A good view of a tracked face."""

    frame: int
    """The frame's number, from 0."""
    time: float
    box: Box
    quality: Quality
    embedding: Embedding = field(repr=False)
    picture: Pixels | None = field(repr=False, compare=False)
    """The face with some surroundings, at most 160 pixels wide and high, RGB."""


@dataclass(frozen=True, slots=True)
class TrackBox(_Record):
    """A tracked face in one frame."""

    frame: int
    time: float
    box: Box
    detected: bool
    """Whether the face was detected in this frame; otherwise the box is interpolated."""


@dataclass(frozen=True, slots=True, repr=False)
class Sighting(_Record):
    """A person in a video: who, from when to when, how sure, and the shots that show it."""

    track: int
    start: float
    end: float
    spans: tuple[Span, ...]
    """When the person was in view: several when they went away and came back."""
    frames: int
    decision: Decision
    best_shots: tuple[BestShot, ...]
    """The shots the decision rests on."""
    embeddings: int
    boxes: tuple[TrackBox, ...]
    """The box in every frame, when asked for."""
    provisional: bool
    """The track goes on; its final sighting follows."""

    @property
    def person(self) -> str | None:
        """The person's name, ``None`` for unknown."""
        return self.decision.person

    @property
    def similarity(self) -> float:
        """Similarity of the best candidate."""
        return self.decision.similarity

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists and numbers, with the decision beside the times. Pictures are left out."""
        plain = _Record.to_dict(self)
        decision: dict[str, Any] = plain.pop("decision")
        return {"track": plain.pop("track")} | decision | plain

    def _repr_html_(self) -> str:
        shots = "".join(_img(shot.picture, "height:96px") for shot in self.best_shots if shot.picture is not None)
        return f"<p><code>{_escaped(repr(self))}</code></p>{shots}"

    def __repr__(self) -> str:
        times = ", ".join(f"{start:.1f}-{end:.1f}" for start, end in self.spans)
        return f"Sighting(track={self.track}, person={self.person!r}, similarity={self.similarity:.2f}, seconds={times})"


@dataclass(frozen=True, slots=True)
class Progress(_Record):
    """How far a video has been looked through."""

    frames: int
    total: int | None
    """Frames in all, when the file says so."""
    time: float
    """Presentation time of the last frame."""
    tracks: int
    """Tracks in view now."""


@dataclass(frozen=True, slots=True)
class VideoInfo(_Record):
    """What a video says of itself."""

    width: int
    height: int
    frames: int | None
    duration: float | None
    frame_rate: float | None
    codec: str
    live: bool


@dataclass(frozen=True, slots=True)
class Reception(_Record):
    """How a live source was received: what was left out and why, and where its times are not the camera's own."""

    too_slow: int
    """Frames left out because they came faster, for longer, than they were looked at."""
    undecodable: int
    """Packets that arrived damaged, or after others were lost, and gave no frame."""
    clock_jumps: int
    """Jumps of the source's clock. Times go on over them as if there were none."""
    absences: tuple[tuple[float, float | None], ...]
    """When the source was away: the last frame before and the first after, ``None`` when none came."""


@dataclass(frozen=True, slots=True)
class VideoSummary(_Record):
    """A video in numbers."""

    frames: int
    duration: float
    tracks: int
    persons: dict[str, list[Span]] = field(hash=False)
    """When each named person was in view."""
    unknown_tracks: int
    frames_detected: int
    """Frames in which faces were looked for."""
    detections: int
    embeddings: int
    cuts: int
    """Scene cuts."""
    turned_deg: int
    """By how many degrees clockwise the frames had to be turned for their faces to stand upright: 0, 90, 180 or 270."""
    wall: float
    """Time it took."""
    stages: dict[str, float] = field(hash=False)
    """Time per stage, summed over the threads that worked on it."""
    reception: Reception
    """How a live source was received."""


@dataclass(frozen=True, slots=True)
class TrackedFace(_Record):
    """A tracked face in a frame of your own."""

    track: int
    box: Box
    """The detection's, or where the face should be."""
    detection: int | None
    """Which of the frame's faces it is; ``None`` while it is missed for a moment."""
    speed: float
    """In its own sides a second."""
    ambiguous: bool
    """It touches another tracked face: who is who may be mixed up."""


@dataclass(frozen=True, slots=True)
class TrackStep(_Record):
    """What a frame's faces did to the tracks."""

    faces: tuple[TrackedFace, ...]
    ended: tuple[int, ...]
    """Tracks that are over."""


@dataclass(frozen=True, slots=True)
class ModelInfo(_Record):
    """A known model."""

    id: str
    task: str
    """``detect``, ``landmark`` or ``embed``."""
    pack: str
    path: Path | None
    """Its checked file, ``None`` when it is not here."""
    problem: str | None
    """Code of the error that keeps it from being used: ``model_not_found``, ``checksum_mismatch``, ``io``."""
    file: str
    bytes: int
    sha256: str
    licence: str
    """Name of the licence; where ``licence_source`` is ``manifest``, only what the manifest states."""
    licence_url: str
    commercial: bool | None
    """Whether the licence allows commercial use; ``None`` for a file that is not known: yours to check."""
    licence_source: str
    """``content`` for a known file, by its sha256 and whatever its name is, ``manifest`` for any other."""


@dataclass(frozen=True, slots=True)
class PackInfo(_Record):
    """What a pack costs and gives: all models that an engine with it needs, taken together."""

    name: str
    description: str
    models: tuple[str, ...]
    """Ids of the models."""
    installed: bool
    """Whether all files are here and right."""
    bytes: int
    """Size of the files."""
    download_bytes: int
    """What fetching them transfers: packages and archives may hold other files too."""
    licences: tuple[str, ...]
    """The licences in words, each once."""
    commercial: bool | None
    """Whether all licences allow commercial use; ``None`` when one is unknown and none forbids it."""
    lfw_accuracy: float | None
    """Accuracy on LFW, 0 to 1; ``None`` when not measured."""
    time_ratio: float | None
    """Time for a photo, as a multiple of what the pack ``default`` takes; ``None`` when not measured."""
