//! One line per photo: what was found in it, or why it could not be read.

use std::path::Path;

use facerec_core::{Error, Image, Result, text};
use serde::Serialize;

use super::exit::{Exit, Outcome, ends_everything};
use super::output::{ErrorRecord, Output};
use super::record::FaceRecord;

/// What a worker hands over for one photo.
pub(crate) struct Photo<T> {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) faces: T,
}

impl<T> Photo<T> {
    /// Reads the photo at `path` and lets `work` look at it.
    pub(crate) fn open(path: &Path, work: impl FnOnce(&Image) -> Result<T>) -> Result<Self> {
        let image = Image::open(path)?;
        Ok(Self { width: image.width(), height: image.height(), faces: work(&image)? })
    }
}

/// The JSON of a photo whose faces were looked for.
#[derive(Debug, Serialize)]
pub(crate) struct PhotoRecord<'a> {
    pub(crate) image: &'a str,
    pub(crate) width: u32,
    pub(crate) height: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) embedder: Option<&'a str>,
    pub(crate) faces: Vec<FaceRecord<'a>>,
}

/// Reports a photo that failed and goes on; an error that every other photo would meet too ends the command.
pub(crate) fn report_failed(output: &mut Output, path: &Path, error: Error) -> Outcome {
    if ends_everything(&error) {
        return Err(error.into());
    }
    #[derive(Serialize)]
    struct Record<'a> {
        image: &'a str,
        error: ErrorRecord,
    }
    let (image, shown) = (text::path_text(path), text::escape_path(path));
    output.emit(&Record { image: &image, error: (&error).into() }, format_args!("{shown}\n  failed: {error}\n"))?;
    Ok(Exit::SomeFailed)
}
