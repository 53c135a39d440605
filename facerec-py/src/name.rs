//! Names as Python gives them.

use std::ops::Deref;

use facerec_core::text::escape_bytes;
use pyo3::exceptions::PyUnicodeEncodeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::error::argument;

/// A person's name. Python's strings may hold bytes that are no text, as `os.fsdecode` and `sys.argv` make them: `InvalidArgument`.
#[derive(Debug)]
pub(crate) struct Name(pub(crate) String);

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'py> FromPyObject<'_, 'py> for Name {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let text = object.cast::<PyString>()?;
        match text.to_str() {
            Ok(text) => Ok(Self(text.to_owned())),
            Err(error) if error.is_instance_of::<PyUnicodeEncodeError>(object.py()) => {
                let bytes = text.call_method1("encode", ("utf-8", "surrogateescape"));
                let bytes = bytes.or_else(|_| text.call_method1("encode", ("utf-8", "backslashreplace")))?;
                let shown = escape_bytes(bytes.cast::<PyBytes>()?.as_bytes());
                Err(argument("person", format!("expected a name in Unicode, got `{shown}`, which is not UTF-8")))
            }
            Err(error) => Err(error),
        }
    }
}

/// The names of a list, when there is one.
pub(crate) fn all(names: Option<Vec<Name>>) -> Option<Vec<String>> {
    names.map(|names| names.into_iter().map(|name| name.0).collect())
}
