"""What ``facerec.evaluate`` returns, as ``_results`` has the rest."""

from __future__ import annotations

from dataclasses import dataclass

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
