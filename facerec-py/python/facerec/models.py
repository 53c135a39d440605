"""Which models there are, where their files are, and getting more.

>>> from facerec import models
>>> [model.id for model in models.list() if model.pack == "default"]
['centerface', 'landmark68', 'mobilefacenet-expo']

The default pack is in the package. ``models`` is a folder, or several, to look into first, as for ``Engine``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import _core

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ._results import ModelInfo, PackInfo, Table

    StrPath = str | os.PathLike[str]
    Folders = StrPath | Sequence[StrPath]

__all__ = ["fetch", "folders", "list", "packs", "path", "verify"]


def list(*, models: Folders | None = None) -> Table[ModelInfo]:
    """All known models: whether their files are here and right, and their licences."""
    return _core.model_list(models)


def packs(*, models: Folders | None = None) -> Table[PackInfo]:
    """All known packs: what each costs to fetch, may be used for and gives, and whether it is here."""
    return _core.model_packs(models)


def verify(*, models: Folders | None = None) -> Table[ModelInfo]:
    """The models whose files are here but are not what their manifests promise; none when all is well."""
    known = _core.model_list(models)
    return type(known)(model for model in known if model.problem not in (None, "model_not_found"))


def folders(*, models: Folders | None = None) -> Sequence[Path]:
    """Where model files and manifests are looked for, in order."""
    return _core.model_folders(models)


def path(id: str, *, models: Folders | None = None) -> Path:
    """The checked file of a model.

    Raises:
        ModelNotFound: No such model is known, or its file is not here.
        ChecksumMismatch: There is a file, but not the right one.
    """
    return _core.model_path(id, models)


def fetch(
    *ids: str,
    pack: str | None = None,
    to: StrPath | None = None,
    accept_licence: bool = False,
    models: Folders | None = None,
    progress: Callable[[str, int, int | None], object] | None = None,
) -> Sequence[Path]:
    """Gets models from their sources, checked before they are installed; returns their files.

    Args:
        ids: Ids of models.
        pack: Instead of ids: all that an engine with this pack needs.
        to: The folder to install into; default the user's cache folder.
        accept_licence: Agrees to licences that forbid commercial use, which a file keeps under any name.
        models: Folders to look into first.
        progress: Called with the model's id, the bytes received and the bytes in all (``None`` when unknown).
    """
    return _core.model_fetch([*ids], pack=pack, to=to, accept_licence=accept_licence, models=models, progress=progress)
