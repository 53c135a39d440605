//! Panics on purpose: a test build has them, a released one does not.

use napi_derive::napi;

use crate::cancel::token;
use crate::work::Work;

/// Panics on a thread that does the work of promises.
#[napi(skip_typescript, catch_unwind)]
pub fn panic_in_work() -> Work<()> {
    Work::queue(token(None), || panic!("provoked in work"))
}

/// Panics on the event loop.
#[napi(skip_typescript, catch_unwind)]
pub fn panic_in_call() {
    panic!("provoked in a call")
}
