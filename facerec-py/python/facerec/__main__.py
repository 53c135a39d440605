"""``python -m facerec``: the command ``facerec``, the same as the one in Rust."""

from __future__ import annotations

import os
import signal
import sys

from . import _runtime
from ._core import command


def main() -> int:
    """Runs the command on the arguments of this process; returns the exit code."""
    # Rust does not look for Python's flag: Ctrl-C ends the process as it ends any command.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    library = _runtime.library()
    if library is not None:
        os.environ["FACEREC_ORT"] = library
    folders = [os.environ.get("FACEREC_MODELS", ""), _runtime.model_folder()]
    os.environ["FACEREC_MODELS"] = os.pathsep.join(filter(None, folders))
    return command(["facerec", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
