"""How good is it: verification on pairs, closed-set identification, a threshold for one's own photos, clusters, tracks, and a report.

Photos are read in parallel. ``progress`` is called now and then with how many photos of how many are done. After
Ctrl-C the photos in work are finished in the background.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from . import _core
from ._reports import EvaluationReport

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable

    from ._core import Engine
    from ._reports import Calibration, ClusterReport, IdentificationReport, PairsReport, TrackReport
    from ._results import Table

    Path = str | os.PathLike[str]
    OnProgress = Callable[[int, int], object]

__all__ = ["calibrate", "clusters", "identification", "pairs", "report", "tracks"]


def pairs(engine: Engine, pairs: Path, images: Path, *, progress: OnProgress | None = None) -> PairsReport:
    """Tells pairs of photos apart, by the protocol of Labeled Faces in the Wild.

    Args:
        engine: Whose models are judged.
        pairs: A list in the format of LFW's ``pairs.txt``.
        images: The photos, one sub-folder per person.
        progress: Called with how many photos of how many are done.
    """
    return _core.pairs(engine, pairs, images, progress=progress)


def identification(engine: Engine, folder: Path, *, progress: OnProgress | None = None) -> IdentificationReport:
    """Enrols the first photo of everybody in ``folder`` (one sub-folder per person) and looks up the others."""
    return _core.identification(engine, folder, progress=progress)


def calibrate(
    engine: Engine, folder: Path, *, fmr: float | Iterable[float], progress: OnProgress | None = None
) -> Table[Calibration]:
    """Finds the threshold at which at most the share ``fmr`` of all pairs of different people passes, on your own photos.

    Args:
        engine: Whose embedder is calibrated.
        folder: One sub-folder of photos per person.
        fmr: False match rate, above 0 and below 1, or several; there must be at least ``1 / fmr`` pairs of different people.
        progress: Called with how many photos of how many are done.
    """
    rates = [fmr] if isinstance(fmr, (int, float)) else list(fmr)
    return _core.calibrate(engine, folder, fmr=rates, progress=progress)


def clusters(
    engine: Engine,
    folder: Path,
    *,
    threshold: float | Iterable[float] = (),
    strict_step: float | None = None,
    progress: OnProgress | None = None,
) -> Table[ClusterReport]:
    """Puts the faces of ``folder`` together as ``Engine.cluster`` does, without looking at whose they are, and compares.

    Args:
        engine: Whose models are judged.
        folder: One sub-folder of photos per person; the main face of each photo counts.
        threshold: Mean similarity from which large clusters are one person, or several to be compared; default the embedder's for
            naming.
        strict_step: How much more alike two single faces must be.
        progress: Called with how many photos of how many are done.

    Returns:
        One report for each threshold.
    """
    thresholds = [threshold] if isinstance(threshold, (int, float)) else list(threshold)
    return _core.clusters(engine, folder, threshold=thresholds, strict_step=strict_step, progress=progress)


def report(
    engines: Engine | Mapping[str, Engine],
    folder: Path,
    *,
    out: Path | None = None,
    pictures: bool = True,
    groups: Path | None = None,
    progress: OnProgress | None = None,
) -> EvaluationReport:
    """Judges the models of one or several engines on your own photos: error curves, thresholds with intervals, identification, and more.

    Args:
        engines: Whose models are judged: an engine, or up to seven by name, side by side.
        folder: One sub-folder of photos per person; the main face of each photo counts.
        out: Where a page with all of it is written, as HTML that needs nothing else.
        pictures: Whether the worst pairs are shown, with names, paths and faces. Without, nothing says who the people are.
        groups: A table of people and groups (CSV or with tabs, a header ``person,group``) to have the figures of each group.
        progress: Called with how many photos of how many are done.
    """
    named: list[tuple[str | None, Engine]] = [*engines.items()] if isinstance(engines, Mapping) else [(None, engines)]
    found = _core.report(named, folder, out=out, pictures=pictures, groups=groups, progress=progress)
    return EvaluationReport._of(json.loads(found))


def tracks(truth: Path, result: Path) -> TrackReport:
    """Compares tracks with a truth: JSON Lines as ``facerec --json video --boxes`` prints them, or MOT text."""
    return _core.tracks(truth, result)
