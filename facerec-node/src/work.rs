//! Work on libuv's threads, as a promise.

use std::panic::{AssertUnwindSafe, catch_unwind};

use facerec_core::{CancelToken, Error, Result};
use napi::bindgen_prelude::{AsyncTask, ToNapiValue, TypeName};
use napi::{Env, Task};

use crate::cancel::check;
use crate::error::{panicked, rejection};

/// One call: runs on a thread of libuv's pool and settles its promise on the event loop.
pub struct Work<T> {
    run: Option<Box<dyn FnOnce() -> Result<T> + Send>>,
}

impl<T: Send + ToNapiValue + TypeName + 'static> Work<T> {
    /// Queues `run`; work that was cancelled while it waited in the queue is not begun.
    pub(crate) fn queue(cancel: CancelToken, run: impl FnOnce() -> Result<T> + Send + 'static) -> AsyncTask<Self> {
        let run = move || {
            check(&cancel)?;
            run()
        };
        AsyncTask::new(Self { run: Some(Box::new(run)) })
    }
}

impl<T: Send + ToNapiValue + TypeName + 'static> Task for Work<T> {
    type Output = Result<T>;
    type JsValue = T;

    fn compute(&mut self) -> napi::Result<Self::Output> {
        let run = self.run.take().ok_or_else(|| Error::Internal { reason: "work was run twice".into() });
        Ok(run.and_then(|run| catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| Err(panicked(panic)))))
    }

    fn resolve(&mut self, env: Env, output: Self::Output) -> napi::Result<T> {
        output.map_err(|error| rejection(env, error))
    }
}
