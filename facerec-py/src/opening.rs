//! How a gallery is opened.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use facerec_core::gallery::{GalleryKey, GalleryOptions};
use pyo3::prelude::*;

use crate::error::{OrRaise, argument};

/// The keywords of `Engine.gallery` and `Gallery.open`.
#[derive(Default)]
pub(crate) struct Opening {
    pub(crate) read_only: Option<bool>,
    pub(crate) create: Option<bool>,
    pub(crate) salvage: Option<bool>,
    pub(crate) index: Option<String>,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) passphrase: Option<String>,
    pub(crate) actor: Option<String>,
    pub(crate) wait: Option<f64>,
    pub(crate) progress: Option<Py<PyAny>>,
}

impl Opening {
    /// The core's options, and where an exception of `progress` or of a signal's handler will be.
    pub(crate) fn into_core(self, py: Python<'_>) -> PyResult<(GalleryOptions, Raised)> {
        let mut options = GalleryOptions::default();
        options.read_only = self.read_only.unwrap_or(options.read_only);
        options.create = self.create.unwrap_or(options.create);
        options.salvage = self.salvage.unwrap_or(options.salvage);
        if let Some(kind) = self.index {
            options.index = kind.parse().or_raise()?;
        }
        options.key = key_of(self.key, self.passphrase)?;
        options.actor = self.actor;
        if let Some(seconds) = self.wait {
            let wrong = |_| argument("wait", format!("expected a number of seconds from 0 on, got `{seconds}`"));
            options.wait = Duration::try_from_secs_f64(seconds).map_err(wrong)?;
        }
        let raised = Raised::default();
        let signals = raised.clone();
        options = options.cancelled(move || signals.interrupted());
        let Some(call) = self.progress else { return Ok((options, raised)) };
        if !call.bind(py).is_callable() {
            return Err(argument("progress", "expected a function of two numbers, got something that cannot be called"));
        }
        let first = raised.clone();
        Ok((options.progress(move |done, total| first.tell(&call, done, total)), raised))
    }
}

/// The first exception of a function that the core calls, which knows none: it goes on, and does not call again.
#[derive(Clone, Default)]
pub(crate) struct Raised(Arc<Mutex<Option<PyErr>>>);

impl Raised {
    /// Calls `call` with the GIL, unless it raised before.
    fn tell(&self, call: &Py<PyAny>, done: usize, total: usize) {
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
            let told = Python::attach(|py| call.call1(py, (done, total)));
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = told.err();
        }
    }

    /// Whether a handler of a signal raised, as Ctrl-C's does.
    fn interrupted(&self) -> bool {
        let handled = Python::attach(|py| py.check_signals());
        handled.map_err(|exception| *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(exception)).is_err()
    }

    /// Raises it.
    pub(crate) fn check(&self) -> PyResult<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }
}

/// The key to a gallery, when one is given.
pub(crate) fn key_of(key: Option<Vec<u8>>, passphrase: Option<String>) -> PyResult<Option<GalleryKey>> {
    match (key, passphrase) {
        (None, None) => Ok(None),
        (None, Some(passphrase)) => Ok(Some(GalleryKey::passphrase(passphrase))),
        (Some(bytes), None) => {
            let length = bytes.len();
            let bytes: [u8; 32] = bytes.try_into().map_err(|_| argument("key", format!("expected 32 bytes, got `{length}`")))?;
            Ok(Some(GalleryKey::bytes(bytes)))
        }
        (Some(_), Some(_)) => Err(argument("key", "expected a key or a passphrase, got both")),
    }
}
