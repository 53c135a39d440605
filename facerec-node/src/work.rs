//! Work off the event loop, as a promise.

use std::panic::{AssertUnwindSafe, catch_unwind};

use facerec_core::{CancelToken, Error, Result};
use napi::bindgen_prelude::{JsValue, ToNapiValue};
use napi::{Env, JsDeferred, sys};
use napi_derive::napi;

use crate::cancel::check;
use crate::error::{panicked, rejection};
use crate::threads::{self, Job};
use crate::video;

/// One call: what is returned to JavaScript as a promise, and begun by that.
pub struct Work<T> {
    cancel: CancelToken,
    run: Box<dyn FnOnce() -> Result<T> + Send>,
    waits: bool,
}

type Settled<T> = JsDeferred<T, Box<dyn FnOnce(Env) -> napi::Result<T> + Send>>;

impl<T> Work<T> {
    /// Queues `run`; work that was cancelled while it waited in the queue is not begun.
    pub(crate) fn queue(cancel: CancelToken, run: impl FnOnce() -> Result<T> + Send + 'static) -> Self {
        Self { cancel, run: Box::new(run), waits: false }
    }

    /// [`queue`](Self::queue) for work that may wait for what other calls do: it takes no thread from them.
    pub(crate) fn waiting(cancel: CancelToken, run: impl FnOnce() -> Result<T> + Send + 'static) -> Self {
        Self { waits: true, ..Self::queue(cancel, run) }
    }
}

impl<T: Send + ToNapiValue + 'static> Work<T> {
    fn begin(self, promise: Settled<T>) {
        let Self { cancel, run, waits } = self;
        let token = cancel.clone();
        let run = move |started: std::io::Result<()>| {
            let started = started.map_err(|error| Error::Internal { reason: format!("cannot start a thread: {error}") });
            let run = AssertUnwindSafe(|| started.and_then(|()| check(&token)).and_then(|()| run()));
            let output = catch_unwind(run).unwrap_or_else(|panic| Err(panicked(panic)));
            promise.resolve(Box::new(|env| output.map_err(|error| rejection(env, error))));
        };
        threads::submit(Job { cancel, run: Box::new(run), waits });
    }
}

impl<T: Send + ToNapiValue + 'static> ToNapiValue for Work<T> {
    #[allow(unsafe_code)] // the trait's method is declared so; what it is given is used by napi's safe interface only
    unsafe fn to_napi_value(env: sys::napi_env, work: Self) -> napi::Result<sys::napi_value> {
        let env = Env::from_raw(env);
        let (settled, promise) = env.create_deferred()?;
        let promise = promise.raw();
        work.begin(settled);
        Ok(promise)
    }
}

/// Stops all work before the process ends. `js/binding.js` calls it.
#[napi(skip_typescript, catch_unwind)]
pub fn halt_work() {
    threads::halt();
    video::halt_all();
}
