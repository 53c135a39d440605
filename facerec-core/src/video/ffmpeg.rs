//! FFmpeg, set up once, and its errors as ours.

use std::sync::Once;

pub(super) use video_rs::ffmpeg::*;

use crate::error::Error as OurError;

/// Sets FFmpeg up: protocols and devices registered, nothing printed to standard error (errors come back as values).
pub(super) fn init() -> Result<(), OurError> {
    static ONCE: Once = Once::new();
    let mut result = Ok(());
    ONCE.call_once(|| {
        result = video_rs::ffmpeg::init();
        log::set_level(log::Level::Quiet);
        format::network::init();
    });
    result.map_err(|error| failed("FFmpeg cannot be set up", &error))
}

/// An [`OurError::DecodeVideo`].
pub(super) fn failed(what: impl Into<String>, error: &Error) -> OurError {
    OurError::DecodeVideo { reason: format!("{}: {error}", what.into()), source: Some(Box::new(*error)) }
}

/// An [`OurError::DecodeVideo`] of our own finding.
pub(super) fn broken(reason: impl Into<String>) -> OurError {
    OurError::DecodeVideo { reason: reason.into(), source: None }
}
