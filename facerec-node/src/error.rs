//! Errors of the core as JavaScript errors with a `.code`.

use std::any::Any;
use std::time::Duration;

use facerec_core::Error;
use napi::{Env, JsError};

/// What a synchronous method returns.
pub(crate) type JsResult<T> = Result<T, napi::Error<String>>;

/// `ERR_FACEREC_` and the core's code.
fn code(error: &Error) -> String {
    format!("ERR_FACEREC_{}", error.kind().code().to_ascii_uppercase())
}

/// The error of a synchronous method.
pub(crate) fn thrown(error: Error) -> napi::Error<String> {
    napi::Error::new(code(&error), error.to_string())
}

/// The error a promise rejects with. A promise takes an error of N-API's own statuses only, which may carry a finished
/// JavaScript value: this one.
pub(crate) fn rejection(env: Env, error: Error) -> napi::Error {
    napi::Error::from(JsError::from(thrown(error)).into_unknown(env))
}

/// An `invalid_argument`.
pub(crate) fn argument(name: &'static str, reason: impl Into<String>) -> Error {
    Error::InvalidArgument { name, reason: reason.into() }
}

/// JavaScript's numbers are floating; this one must be a whole number from 1.
pub(crate) fn whole(name: &'static str, number: f64) -> Result<u32, Error> {
    let fits = number.fract() == 0.0 && (1.0..=f64::from(u32::MAX)).contains(&number);
    if fits { Ok(number as u32) } else { Err(argument(name, format!("expected a whole number from 1, got `{number}`"))) }
}

/// The id of a person or face.
pub(crate) fn id(name: &'static str, number: f64) -> Result<i64, Error> {
    let fits = number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0; // 2^53: from there JavaScript's numbers have gaps
    if fits { Ok(number as i64) } else { Err(argument(name, format!("expected an id, a safe integer, got `{number}`"))) }
}

/// A time in milliseconds, from 0.
pub(crate) fn milliseconds(name: &'static str, number: f64) -> Result<Duration, Error> {
    Duration::try_from_secs_f64(number / 1e3).map_err(|_| argument(name, format!("expected milliseconds from 0, got `{number}`")))
}

/// What to report of a panic: unwinding into Node would end the process.
pub(crate) fn panicked(panic: Box<dyn Any + Send>) -> Error {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string).or_else(|| panic.downcast_ref::<String>().cloned());
    Error::Internal { reason: format!("a panic: {}", text.unwrap_or_else(|| "without a message".into())) }
}
