"""Telling how far a video is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._results import Progress


def reporter(progress: bool | Callable[[Progress], object]) -> Callable[[Progress, bool], None]:
    """What a video calls with its progress and whether it has ended: the caller's function, or a bar of tqdm for ``True``."""
    if callable(progress):
        call = progress
        return lambda now, finished: (call(now), None)[1]
    if not progress:
        return lambda now, finished: None
    try:
        from tqdm.auto import tqdm
    except ImportError:
        raise ImportError("progress=True needs tqdm: pip install tqdm, or pass a function") from None
    bar = tqdm(unit="frames")

    def tell(now: Progress, finished: bool) -> None:
        bar.total = now.total
        bar.update(now.frames - bar.n)
        if finished:
            bar.close()

    return tell
