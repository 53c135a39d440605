"""What the package brings along or finds in its neighbours: ONNX Runtime's shared library, and the default models."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path


def library() -> str | None:
    """ONNX Runtime's shared library in the package ``onnxruntime``, which is not imported for this.

    ``None`` leaves the search to the core: when ``FACEREC_ORT`` or ``ORT_DYLIB_PATH`` name a library, or the package is missing.
    """
    if os.environ.get("FACEREC_ORT") or os.environ.get("ORT_DYLIB_PATH"):
        return None
    package = importlib.util.find_spec("onnxruntime")
    for folder in (package.submodule_search_locations if package else None) or ():
        pattern = {"win32": "onnxruntime.dll", "darwin": "libonnxruntime*.dylib"}.get(sys.platform, "libonnxruntime.so*")
        found = sorted(path for path in Path(folder, "capi").glob(pattern) if "providers" not in path.name)
        if found:
            return str(_installed(found))
    return None


def _installed(libraries: list[Path]) -> Path:
    """``onnxruntime`` and ``onnxruntime-gpu`` share a folder: of two libraries, the GPU's, if it is there."""
    if len(libraries) > 1:
        from importlib.metadata import PackageNotFoundError, version

        for package in ("onnxruntime-gpu", "onnxruntime"):
            try:
                wanted = version(package)
            except PackageNotFoundError:
                continue
            for library in libraries:
                if library.name.endswith(wanted):
                    return library
    return libraries[-1]


def model_folder() -> str:
    """The folder of the default models."""
    return str(Path(__file__).parent / "models")
