//! What the gallery's tests do again and again: open one of the made-up model's, name an error, check that all is well.
#![allow(dead_code, clippy::unwrap_used)] // each test file uses some of it

use std::path::Path;

use facerec_core::error::Result;
use facerec_core::gallery::{Gallery, GalleryOptions};

use super::gallery_vectors::model;

/// Opens it for writing, and makes it when there is none.
pub(crate) fn open(path: &Path) -> Gallery {
    Gallery::open(path, &model(), GalleryOptions::default()).unwrap()
}

/// Opens it for reading, whatever model it is for.
pub(crate) fn reader(path: &Path) -> Gallery {
    Gallery::open_any(path, GalleryOptions::default().read_only(true)).unwrap()
}

/// The code of the error that this must be.
pub(crate) fn code<T>(result: Result<T>) -> &'static str {
    result.err().expect("an error").kind().code()
}

/// Nothing is damaged or lost.
pub(crate) fn assert_clean(gallery: &Gallery) {
    let report = gallery.verify().unwrap();
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    assert_eq!(report.faces, gallery.stats().unwrap().faces);
}
