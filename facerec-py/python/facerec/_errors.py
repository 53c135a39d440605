"""One exception per kind of error; ``code`` is the same in every language and in the command's JSON.

>>> import facerec
>>> try:
...     facerec.Engine(device="toaster")
... except facerec.Error as error:
...     print(error.code)
invalid_argument
"""

from __future__ import annotations

import builtins


class Error(Exception):
    """Whatever goes wrong in facerec. Absence does not: no face is an empty list, nobody known is an unknown."""

    code: str = "internal"


class Cancelled(Error):
    """The caller asked for the work to stop."""

    code = "cancelled"


class DecodeImageError(Error, ValueError):
    """The bytes are damaged, truncated or no picture."""

    code = "decode_image"


class DecodeVideoError(Error, ValueError):
    """The video cannot be read, or not to its end."""

    code = "decode_video"


class SourceLost(Error, ConnectionError):
    """A live source ended that had not said it would. What came before is good; ``reconnect=`` tries again."""

    code = "source_lost"


class UnsupportedFormat(Error, ValueError):
    """A picture or video of a kind that this build does not read."""

    code = "unsupported_format"


class LimitExceeded(Error, ValueError):
    """The input is larger than the limits allow."""

    code = "limit_exceeded"


class ModelNotFound(Error, LookupError):
    """No file for this model was found, or no such model is known."""

    code = "model_not_found"


class ChecksumMismatch(Error):
    """A model file does not have the contents its manifest promises."""

    code = "checksum_mismatch"


class InvalidManifest(Error, ValueError):
    """A model manifest cannot be used, or the model file does not fit it."""

    code = "invalid_manifest"


class LicenceNotAccepted(Error):
    """The model's licence needs an explicit yes: ``accept_licence=True``."""

    code = "licence_not_accepted"


class RuntimeLibraryError(Error, RuntimeError):
    """ONNX Runtime was not found, cannot be loaded, or cannot be used (any more, after a fork)."""

    code = "runtime_library"


class DeviceUnavailable(Error, RuntimeError):
    """The requested device is not there. There is never a silent fall back to the processor."""

    code = "device_unavailable"


class InferenceError(Error, RuntimeError):
    """The model failed to run."""

    code = "inference"


class DimensionMismatch(Error, ValueError):
    """Two things that must have the same size do not."""

    code = "dimension_mismatch"


class EmbeddingModelMismatch(Error, ValueError):
    """Embeddings of different models were brought together."""

    code = "embedding_model_mismatch"


class GalleryLocked(Error):
    """Another writer has the gallery open, and had it for as long as was waited."""

    code = "gallery_locked"


class GalleryCorrupt(Error):
    """The gallery's files are damaged, and nothing was guessed."""

    code = "gallery_corrupt"


class GalleryNewer(Error):
    """The gallery was written by a newer version."""

    code = "gallery_newer"


class WrongKey(Error):
    """The key does not open the gallery."""

    code = "wrong_key"


class PersonNotFound(Error, LookupError):
    """Nobody of that name."""

    code = "person_not_found"


class InvalidArgument(Error, ValueError):
    """An argument is outside its range, of the wrong shape or type of numbers, or the gallery is closed."""

    code = "invalid_argument"


class FeatureDisabled(Error, RuntimeError):
    """This build lacks the feature."""

    code = "feature_disabled"


class IoError(Error, builtins.OSError):
    """Reading or writing a file failed. ``filename`` and ``errno`` say which and why, as in any ``OSError``."""

    code = "io"

    def __str__(self) -> str:
        return str(self.args[0])


class InternalError(Error, RuntimeError):
    """A defect of facerec, please report it."""

    code = "internal"


_CLASSES = {kind.code: kind for kind in Error.__subclasses__()}


def _of_code(code: str, message: str) -> Error:
    """The exception for an error of the core."""
    error = _CLASSES.get(code, Error)(message)
    error.code = code
    return error
