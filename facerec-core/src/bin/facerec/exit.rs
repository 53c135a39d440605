//! How the command ends: the exit codes of the contract, and which error leads to which.

use std::process::ExitCode;

use facerec_core::{Error, ErrorKind};

/// What a subcommand returns.
pub(crate) type Outcome<T = Exit> = Result<T, Failure>;

/// The exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    SomeFailed = 1,
    Usage = 2,
    Model = 3,
    Gallery = 4,
    /// Ctrl-C, as shells have it.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error that ends the command.
#[derive(Debug)]
pub(crate) enum Failure {
    Error {
        exit: Exit,
        error: Error,
    },
    /// Whoever read our output has gone: there is nobody left to tell.
    ReaderGone,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error { exit: exit_of(error.kind()), error }
    }
}

fn exit_of(kind: ErrorKind) -> Exit {
    use ErrorKind as K;
    match kind {
        K::InvalidArgument => Exit::Usage,
        K::ModelNotFound
        | K::ChecksumMismatch
        | K::InvalidManifest
        | K::LicenceNotAccepted
        | K::RuntimeLibrary
        | K::DeviceUnavailable
        | K::Inference
        | K::FeatureDisabled => Exit::Model,
        K::GalleryLocked | K::GalleryCorrupt | K::GalleryNewer | K::WrongKey | K::EmbeddingModelMismatch | K::PersonNotFound => {
            Exit::Gallery
        }
        _ => Exit::SomeFailed,
    }
}

/// Whether an error about one photo is about all of them: then going on only repeats it.
pub(crate) fn ends_everything(error: &Error) -> bool {
    matches!(exit_of(error.kind()), Exit::Model | Exit::Gallery)
}

/// For results of a gallery's own work: what has no exit code of its own (`io`, say) is the gallery's failure there.
pub(crate) trait InGallery<T> {
    fn in_gallery(self) -> Outcome<T>;
}

impl<T> InGallery<T> for Result<T, Error> {
    fn in_gallery(self) -> Outcome<T> {
        self.map_err(|error| blame(error, Exit::Gallery))
    }
}

/// The same for models and the runtime.
pub(crate) trait InModels<T> {
    fn in_models(self) -> Outcome<T>;
}

impl<T> InModels<T> for Result<T, Error> {
    fn in_models(self) -> Outcome<T> {
        self.map_err(|error| blame(error, Exit::Model))
    }
}

fn blame(error: Error, otherwise: Exit) -> Failure {
    let exit = match exit_of(error.kind()) {
        Exit::SomeFailed => otherwise,
        exit => exit,
    };
    Failure::Error { exit, error }
}
