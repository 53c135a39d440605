//! The one error type of the crate: who is at fault, what was expected, what came, what to do next.

use std::path::{Path, PathBuf};

use crate::text::{Shown, escape, escape_path};

/// What every fallible function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The cause of an underlying failure, kept for `source()` without naming a foreign type.
pub type Cause = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Everything that can go wrong, split by who is at fault.
///
/// Absence is data, not an error: a photo without a face gives an empty list, a face that matches nobody is unknown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller asked for the work to stop.
    #[error("cancelled by the caller")]
    Cancelled,
    /// The bytes are not a picture that can be read: damaged, truncated or no picture at all.
    #[error("cannot decode the image: {}", Shown(reason))]
    DecodeImage {
        /// What the decoder met.
        reason: String,
        /// The decoder's own error.
        #[source]
        source: Option<Cause>,
    },
    /// The video cannot be read, or not to its end.
    #[error("cannot decode the video: {}", Shown(reason))]
    DecodeVideo {
        /// What the decoder met.
        reason: String,
        /// The decoder's own error.
        #[source]
        source: Option<Cause>,
    },
    /// A live source ended that had not said it would: the camera is off, or the way to it is interrupted. What came before is good.
    #[error("the source `{}` is lost: {}", escape_path(address), Shown(reason))]
    SourceLost {
        /// Its address, without passwords and tokens.
        address: String,
        /// How it was noticed, and what to do next.
        reason: String,
        /// The error of the connection, when there was one.
        #[source]
        source: Option<Cause>,
    },
    /// The picture or file is of a kind this build does not read.
    #[error("unsupported format: {}", Shown(reason))]
    UnsupportedFormat {
        /// What it is, and what is read instead.
        reason: String,
    },
    /// The input is larger than the limits allow.
    #[error("{what} exceeds its limit: at most {limit}, got `{actual}`")]
    LimitExceeded {
        /// The measured quantity, with its unit.
        what: &'static str,
        /// The limit in force.
        limit: u64,
        /// What the input has.
        actual: u64,
    },
    /// No file for this model was found.
    #[error("model `{}` not found; looked in {}; {hint}", escape(model), Shown(looked_in))]
    ModelNotFound {
        /// The model's id.
        model: String,
        /// The folders that were searched, joined for reading.
        looked_in: String,
        /// What to do next.
        hint: String,
    },
    /// A file does not have the contents its manifest promises.
    #[error(
        "checksum mismatch for `{}`: expected sha256 {expected}, got `{actual}`; delete the file and fetch it again",
        escape_path(path)
    )]
    ChecksumMismatch {
        /// The file.
        path: PathBuf,
        /// The manifest's sha256, lower-case hex.
        expected: String,
        /// The file's sha256, lower-case hex.
        actual: String,
    },
    /// A model manifest cannot be used, or the model file does not fit it.
    #[error("invalid manifest {}: {}", Shown(origin), Shown(reason))]
    InvalidManifest {
        /// The manifest file or built-in pack, and the model in it.
        origin: String,
        /// What is wrong and what was expected.
        reason: String,
    },
    /// The model's licence needs an explicit yes.
    #[error("model `{model}` is licensed `{licence}`; read it and pass `--accept-licence` (or `accept_licence(true)`) to agree")]
    LicenceNotAccepted {
        /// The model's id.
        model: String,
        /// Licence name, and where to read it.
        licence: String,
    },
    /// The ONNX Runtime shared library could not be found, loaded or used.
    #[error(
        "ONNX Runtime is not usable: {}; tried {}; install the Python package `onnxruntime` or set FACEREC_ORT to the library's path",
        Shown(reason),
        Shown(tried)
    )]
    RuntimeLibrary {
        /// Every place that was tried and why it did not do.
        tried: String,
        /// What failed.
        reason: String,
    },
    /// The requested device is not there. There is never a silent fall back to the CPU.
    #[error("device `{}` is not available: {}", escape(device), Shown(reason))]
    DeviceUnavailable {
        /// The device as asked for.
        device: String,
        /// Why not, and what would help.
        reason: String,
    },
    /// The model failed to run.
    #[error("inference failed in `{}`: {}", escape(model), Shown(reason))]
    Inference {
        /// The model's id.
        model: String,
        /// What ONNX Runtime said.
        reason: String,
    },
    /// Two things that must have the same size do not.
    #[error("{what} has the wrong size: expected {expected}, got `{actual}`")]
    DimensionMismatch {
        /// What was measured.
        what: &'static str,
        /// The size it must have.
        expected: usize,
        /// The size it has.
        actual: usize,
    },
    /// Embeddings of two different models (or preprocessings) were brought together.
    #[error(
        "embeddings of different models cannot be compared: expected `{expected}`, got `{actual}`; embed the photos again with one model"
    )]
    EmbeddingModelMismatch {
        /// The model that was there first.
        expected: String,
        /// The model of the newcomer.
        actual: String,
    },
    /// Another process is writing to the gallery.
    #[error(
        "gallery `{}` is locked by another writer ({}); try again when it is done, wait longer for it (`wait`, `--wait SECONDS`), or only read",
        escape_path(path),
        Shown(holder)
    )]
    GalleryLocked {
        /// The gallery's folder.
        path: PathBuf,
        /// Who holds it, as far as known.
        holder: String,
    },
    /// The gallery's files are damaged and nothing was guessed.
    #[error("gallery `{}` is corrupt: {}", escape_path(path), Shown(reason))]
    GalleryCorrupt {
        /// The gallery's folder.
        path: PathBuf,
        /// What is wrong and what to do next.
        reason: String,
    },
    /// The gallery was written by a newer version.
    #[error("gallery `{}` has format {found}, this version reads up to {supported}; update facerec", escape_path(path))]
    GalleryNewer {
        /// The gallery's folder.
        path: PathBuf,
        /// Its format version.
        found: u32,
        /// The newest version this build reads.
        supported: u32,
    },
    /// The key does not open the gallery.
    #[error("wrong key for gallery `{}`: {}", escape_path(path), Shown(reason))]
    WrongKey {
        /// The gallery's folder.
        path: PathBuf,
        /// Whether a key is missing, is another one, or is not wanted at all; and what to do next.
        reason: String,
    },
    /// No person of that name or id.
    #[error("person not found: `{}`", escape(person))]
    PersonNotFound {
        /// The name or id asked for.
        person: String,
    },
    /// An argument is outside its range.
    #[error("invalid argument `{name}`: {}", Shown(reason))]
    InvalidArgument {
        /// The argument's name.
        name: &'static str,
        /// What was expected and what came.
        reason: String,
    },
    /// The build lacks the Cargo feature for this.
    #[error("this build lacks feature `{feature}`, needed for {}; rebuild with it", Shown(what))]
    FeatureDisabled {
        /// The Cargo feature.
        feature: &'static str,
        /// What was asked for.
        what: String,
    },
    /// Reading or writing a file failed.
    #[error("cannot {action} `{}`: {}", escape_path(path), Shown(source))]
    Io {
        /// The verb: read, write, create, ...
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's error.
        #[source]
        source: std::io::Error,
    },
    /// A defect of facerec.
    #[error("internal error, please report it: {}", Shown(reason))]
    Internal {
        /// What did not hold.
        reason: String,
    },
}

impl Error {
    /// The kind of this error: what to match on when the details do not matter.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Cancelled => ErrorKind::Cancelled,
            Self::DecodeImage { .. } => ErrorKind::DecodeImage,
            Self::DecodeVideo { .. } => ErrorKind::DecodeVideo,
            Self::SourceLost { .. } => ErrorKind::SourceLost,
            Self::UnsupportedFormat { .. } => ErrorKind::UnsupportedFormat,
            Self::LimitExceeded { .. } => ErrorKind::LimitExceeded,
            Self::ModelNotFound { .. } => ErrorKind::ModelNotFound,
            Self::ChecksumMismatch { .. } => ErrorKind::ChecksumMismatch,
            Self::InvalidManifest { .. } => ErrorKind::InvalidManifest,
            Self::LicenceNotAccepted { .. } => ErrorKind::LicenceNotAccepted,
            Self::RuntimeLibrary { .. } => ErrorKind::RuntimeLibrary,
            Self::DeviceUnavailable { .. } => ErrorKind::DeviceUnavailable,
            Self::Inference { .. } => ErrorKind::Inference,
            Self::DimensionMismatch { .. } => ErrorKind::DimensionMismatch,
            Self::EmbeddingModelMismatch { .. } => ErrorKind::EmbeddingModelMismatch,
            Self::GalleryLocked { .. } => ErrorKind::GalleryLocked,
            Self::GalleryCorrupt { .. } => ErrorKind::GalleryCorrupt,
            Self::GalleryNewer { .. } => ErrorKind::GalleryNewer,
            Self::WrongKey { .. } => ErrorKind::WrongKey,
            Self::PersonNotFound { .. } => ErrorKind::PersonNotFound,
            Self::InvalidArgument { .. } => ErrorKind::InvalidArgument,
            Self::FeatureDisabled { .. } => ErrorKind::FeatureDisabled,
            Self::Io { .. } => ErrorKind::Io,
            Self::Internal { .. } => ErrorKind::Internal,
        }
    }

    /// An [`Error::Io`]: `action` is the verb of "cannot ... `path`".
    pub(crate) fn io(action: &'static str, path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io { action, path: path.as_ref().to_path_buf(), source }
    }

    /// An [`Error::InvalidArgument`].
    pub(crate) fn argument(name: &'static str, reason: impl Into<String>) -> Self {
        Self::InvalidArgument { name, reason: reason.into() }
    }

    /// An [`Error::Internal`].
    pub(crate) fn internal(reason: impl Into<String>) -> Self {
        Self::Internal { reason: reason.into() }
    }
}

/// The kind of an [`Error`], with a code that is the same in every language and in the command's JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(missing_docs)] // the variants of `Error`, one to one
pub enum ErrorKind {
    Cancelled,
    DecodeImage,
    DecodeVideo,
    SourceLost,
    UnsupportedFormat,
    LimitExceeded,
    ModelNotFound,
    ChecksumMismatch,
    InvalidManifest,
    LicenceNotAccepted,
    RuntimeLibrary,
    DeviceUnavailable,
    Inference,
    DimensionMismatch,
    EmbeddingModelMismatch,
    GalleryLocked,
    GalleryCorrupt,
    GalleryNewer,
    WrongKey,
    PersonNotFound,
    InvalidArgument,
    FeatureDisabled,
    Io,
    Internal,
}

impl ErrorKind {
    /// The stable snake_case code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::DecodeImage => "decode_image",
            Self::DecodeVideo => "decode_video",
            Self::SourceLost => "source_lost",
            Self::UnsupportedFormat => "unsupported_format",
            Self::LimitExceeded => "limit_exceeded",
            Self::ModelNotFound => "model_not_found",
            Self::ChecksumMismatch => "checksum_mismatch",
            Self::InvalidManifest => "invalid_manifest",
            Self::LicenceNotAccepted => "licence_not_accepted",
            Self::RuntimeLibrary => "runtime_library",
            Self::DeviceUnavailable => "device_unavailable",
            Self::Inference => "inference",
            Self::DimensionMismatch => "dimension_mismatch",
            Self::EmbeddingModelMismatch => "embedding_model_mismatch",
            Self::GalleryLocked => "gallery_locked",
            Self::GalleryCorrupt => "gallery_corrupt",
            Self::GalleryNewer => "gallery_newer",
            Self::WrongKey => "wrong_key",
            Self::PersonNotFound => "person_not_found",
            Self::InvalidArgument => "invalid_argument",
            Self::FeatureDisabled => "feature_disabled",
            Self::Io => "io",
            Self::Internal => "internal",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_what_was_expected_and_what_came() {
        let error = Error::DimensionMismatch { what: "embedding", expected: 512, actual: 192 };
        assert_eq!(error.to_string(), "embedding has the wrong size: expected 512, got `192`");
        assert_eq!(error.kind().code(), "dimension_mismatch");
    }

    #[test]
    fn nothing_in_a_message_can_play_tricks_on_a_terminal() {
        let evil = "x\u{1b}[31m\r\u{9b}\u{202e}y";
        let source = || std::io::Error::other(evil);
        for error in [
            Error::PersonNotFound { person: evil.into() },
            Error::io("read", evil, source()),
            Error::argument("person", format!("got `{evil}`")),
            Error::GalleryLocked { path: evil.into(), holder: evil.into() },
            Error::DecodeImage { reason: evil.into(), source: None },
            Error::internal(evil),
            Error::SourceLost { address: evil.into(), reason: evil.into(), source: None },
        ] {
            let text = error.to_string();
            assert!(!text.contains(crate::text::is_unsafe), "{text:?}");
            assert!(text.contains(r"x\u{1b}[31m\r\u{9b}\u{202e}y"), "{text}");
        }
    }
}
