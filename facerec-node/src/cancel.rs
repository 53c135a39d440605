//! The flag by which `js/abort.js` stops work.

use facerec_core::{CancelToken, Error, Result};
use napi::bindgen_prelude::External;
use napi_derive::napi;

/// A flag in JavaScript's hands. Not part of the public interface: callers have signals.
pub(crate) type Cancel = External<CancelToken>;

/// A flag that is not set yet.
#[napi(skip_typescript, catch_unwind)]
pub fn new_cancel() -> Cancel {
    External::new(CancelToken::new())
}

/// Stops the work of a flag as soon as it looks.
#[napi(skip_typescript, catch_unwind)]
pub fn cancel(flag: &Cancel) {
    flag.cancel();
}

/// The token of a call; one that nobody can set without a signal.
pub(crate) fn token(cancel: Option<&Cancel>) -> CancelToken {
    cancel.map_or_else(CancelToken::new, |cancel| (**cancel).clone())
}

/// Ends the work here when it was cancelled.
pub(crate) fn check(token: &CancelToken) -> Result<()> {
    if token.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
}
