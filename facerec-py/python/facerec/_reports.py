"""What ``facerec.evaluate`` returns, as ``_results`` has the rest."""

from __future__ import annotations

import dataclasses
import types
import typing
from dataclasses import dataclass
from typing import Any

from ._results import _Record


@dataclass(frozen=True, slots=True)
class PairsReport(_Record):
    """How well pairs of photos were told apart."""

    pairs: int
    no_face: int
    """Pairs with a photo in which no face was found; they count as wrong."""
    accuracy: float
    accuracy_std: float
    eer: float
    """Equal error rate."""
    tar: tuple[float, float]
    """True accept rate at false accept rates 1e-2 and 1e-3."""
    threshold: tuple[float, float]
    """Thresholds at those rates."""
    wall: float


@dataclass(frozen=True, slots=True)
class IdentificationReport(_Record):
    """How often the right person came first."""

    persons: int
    probes: int
    no_face: int
    rank1: float


@dataclass(frozen=True, slots=True)
class Calibration(_Record):
    """A threshold and what it costs."""

    threshold: float
    fmr: float
    """False match rate at the threshold."""
    fnmr: float
    """False non-match rate at the threshold."""
    pairs: int
    no_face: int


@dataclass(frozen=True, slots=True)
class ClusterReport(_Record):
    """How well faces were put together."""

    threshold: float
    """Mean similarity from which large clusters were one person."""
    strict_step: float
    """How much more alike two single faces had to be."""
    faces: int
    no_face: int
    """Photos without a face that was found; they are left out."""
    persons: int
    clusters: int
    """Those of one face among them."""
    mixed: int
    """Clusters that hold faces of more than one person."""
    pairs: tuple[float, float, float]
    """Precision, recall and F1 over pairs of faces: large clusters decide them."""
    bcubed: tuple[float, float, float]
    """BCubed precision, recall and F1: every face counts the same."""


@dataclass(frozen=True, slots=True)
class Identification(_Record):
    """How well tracks are named."""

    precision: float
    recall: float
    named: int
    appearances: int


@dataclass(frozen=True, slots=True)
class TrackReport(_Record):
    """How good tracks are."""

    mota: float
    """Multiple object tracking accuracy."""
    idf1: float
    """Identity F1."""
    id_switches: int
    fragments: int
    purity: float
    misses: int
    false_boxes: int
    true_boxes: int
    tracks_per_person: float
    identification: Identification | None


@dataclass(frozen=True, slots=True)
class ModelName(_Record):
    """A model's file or key."""

    id: str
    hash: str
    """Of a detector the file's sha256, of an embedder that of the file and of what shapes its input."""


@dataclass(frozen=True, slots=True)
class Grouping(_Record):
    """Groups of people, as the table has them."""

    attribute: str
    groups: tuple[str, ...]
    people_without: int
    """People of the folder who are in no group."""
    people_elsewhere: int
    """People of the table who are not in the folder."""


@dataclass(frozen=True, slots=True)
class OperatingPoint(_Record):
    """The threshold for a false match rate, and what it costs; intervals hold 95 % of the bootstrap's replicates."""

    fmr: float
    threshold: float | None
    """``None`` where there are fewer than ``1 / fmr`` pairs of different people."""
    threshold_interval: tuple[float, float] | None
    fnmr: float | None
    """False non-match rate at the threshold."""
    fnmr_interval: tuple[float, float] | None
    false_matches: int | None
    """Pairs of different people that match: below 30 the rate is rough."""


@dataclass(frozen=True, slots=True)
class CurvePoint(_Record):
    """The error rates at a threshold."""

    threshold: float
    fmr: float
    fnmr: float | None


@dataclass(frozen=True, slots=True)
class Verification(_Record):
    """How well pairs of photos are told apart."""

    people: int
    photos: int
    no_face: int
    unrecognisable: int
    genuine_pairs: int
    """Pairs of one person; those without a face are not matched at any threshold."""
    impostor_pairs: int
    eer: float | None
    """Equal error rate."""
    operating_points: tuple[OperatingPoint, ...]
    """At false match rates of 1e-2, 1e-3, 1e-4 and 1e-5."""
    curve: tuple[CurvePoint, ...]


@dataclass(frozen=True, slots=True)
class Histogram(_Record):
    """Pairs by similarity, in steps of equal width from -1 to 1."""

    genuine: tuple[int, ...]
    impostor: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RejectPoint(_Record):
    """What is left after refusing photos."""

    rejected: float
    fnmr: float


@dataclass(frozen=True, slots=True)
class Rejection(_Record):
    """The false non-match rate when the worst photos are refused, at a false match rate of 1e-3 on all photos."""

    threshold: float | None
    by_quality: tuple[RejectPoint, ...]
    by_recognisability: tuple[RejectPoint, ...]


@dataclass(frozen=True, slots=True)
class OpenSetPoint(_Record):
    """Open-set identification at one threshold."""

    fpir: float
    threshold: float | None
    """``None`` where there are fewer than ``1 / fpir`` searches for somebody who is not enrolled."""
    false_positives: float | None
    fnir: float | None
    """False negative identification rate."""


@dataclass(frozen=True, slots=True)
class SearchReport(_Record):
    """Searches among the first photos of all people with two and more."""

    enrolled: int
    mated: int
    non_mated: int
    rank1: float
    open_set: tuple[OpenSetPoint, ...]
    """At false positive identification rates of 1e-2 and 1e-3."""


@dataclass(frozen=True, slots=True)
class CommonPoint(_Record):
    """A group's error rates at a threshold chosen on all people."""

    fmr_of_all: float
    threshold: float | None
    fmr: float | None
    fnmr: float | None


@dataclass(frozen=True, slots=True)
class GroupReport(_Record):
    """The figures of one group."""

    group: str
    verification: Verification
    """Among its people, with thresholds of its own."""
    at_common_thresholds: tuple[CommonPoint, ...]
    identification: SearchReport | None


@dataclass(frozen=True, slots=True)
class PairedPhoto(_Record):
    """A photo of a pair."""

    person: str
    path: str
    """Where it lies below the folder."""


@dataclass(frozen=True, slots=True)
class WorstPair(_Record):
    """Two photos on the wrong side."""

    similarity: float
    photos: tuple[PairedPhoto, PairedPhoto]


@dataclass(frozen=True, slots=True)
class WorstPairs(_Record):
    """The most similar pairs of different people, and the least similar ones of one person; empty without pictures."""

    impostor: tuple[WorstPair, ...]
    genuine: tuple[WorstPair, ...]


@dataclass(frozen=True, slots=True)
class PackReport(_Record):
    """One engine's figures."""

    pack: str
    detector: tuple[ModelName, ...]
    embedder: ModelName
    verification: Verification
    histogram: Histogram
    rejection: Rejection
    identification: SearchReport | None
    """``None`` where nobody has two photos."""
    groups: tuple[GroupReport, ...]
    worst: WorstPairs
    wall_ms: int


@dataclass(frozen=True, slots=True)
class EvaluationReport(_Record):
    """How good models are on your own photos. What cannot be measured on so few photos is ``None``."""

    facerec: str
    command: str | None
    people: int
    photos: int
    grouping: Grouping | None
    packs: tuple[PackReport, ...]

    @classmethod
    def _of(cls, value: dict[str, Any]) -> EvaluationReport:
        report: EvaluationReport = _made(cls, value)
        return report


def _made(kind: Any, value: Any) -> Any:
    """``value`` of JSON as ``kind``: a record of this module, a tuple, either of them or ``None``, or a plain value."""
    if value is None:
        return None
    if typing.get_origin(kind) is types.UnionType:
        kind = typing.get_args(kind)[0]
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return kind(**{name: _made(hints[name], part) for name, part in value.items()})  # type: ignore[operator]
    if typing.get_origin(kind) is tuple:
        return tuple(_made(typing.get_args(kind)[0], part) for part in value)
    return value
