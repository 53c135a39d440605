//! The core's errors as Python's: one class per code, all in `facerec._errors`.

use facerec_core::text::without_secrets;
use facerec_core::{Error, ErrorKind};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The exception for an error of the core.
pub(crate) fn raise(error: Error) -> PyErr {
    Python::attach(|py| {
        let code = error.kind().code();
        let made = instance(py, code, &error.to_string()).and_then(|exception| {
            if let Error::Io { source, path, .. } = &error {
                exception.setattr("errno", source.raw_os_error())?;
                // An address that was taken for a file has secrets.
                let masked = path.to_str().map(without_secrets);
                match masked {
                    Some(shown) => exception.setattr("filename", &*shown)?,
                    None => exception.setattr("filename", path.as_os_str())?,
                }
            }
            Ok(exception)
        });
        made.map_or_else(|error| error, PyErr::from_value)
    })
}

fn instance<'py>(py: Python<'py>, code: &str, message: &str) -> PyResult<Bound<'py, PyAny>> {
    py.import("facerec._errors")?.getattr("_of_code")?.call1((code, message))
}

/// `InvalidArgument`: the argument `name` is not what was expected.
pub(crate) fn argument(name: &'static str, reason: impl Into<String>) -> PyErr {
    raise(Error::InvalidArgument { name, reason: reason.into() })
}

/// `RuntimeLibraryError` with a text of our own.
pub(crate) fn unusable(message: &str) -> PyErr {
    Python::attach(|py| instance(py, ErrorKind::RuntimeLibrary.code(), message).map_or_else(|error| error, PyErr::from_value))
}

/// For results of the core.
pub(crate) trait OrRaise<T> {
    fn or_raise(self) -> PyResult<T>;
}

impl<T> OrRaise<T> for facerec_core::Result<T> {
    fn or_raise(self) -> PyResult<T> {
        self.map_err(raise)
    }
}

/// A keyword that was given, in `options`.
pub(crate) fn given<'py, T: IntoPyObject<'py>>(options: &Bound<'py, PyDict>, name: &str, value: Option<T>) -> PyResult<()> {
    match value {
        Some(value) => options.set_item(name, value),
        None => Ok(()),
    }
}
