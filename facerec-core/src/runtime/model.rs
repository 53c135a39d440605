//! An open model: a pool of sessions behind `&self`, so that callers run in parallel and no lock is held during inference.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};

use ort::session::Session;
use ort::session::builder::PrepackedWeights;
use ort::value::TensorRef;

use super::tensor::{self, Output, TensorInfo};
use super::{Inner, Runtime};
use crate::error::{Error, Result};

/// An open model with one float input. Shared by `&self` between any number of threads.
pub struct Model {
    id: String,
    path: PathBuf,
    runtime: Runtime,
    input: TensorInfo,
    outputs: Vec<TensorInfo>,
    weights: PrepackedWeights,
    pool: Mutex<Pool>,
    returned: Condvar,
}

struct Pool {
    idle: Vec<Session>,
    made: usize,
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Model({} on {})", self.id, self.runtime.device())
    }
}

impl Model {
    pub(super) fn open(runtime: Runtime, id: &str, path: &Path) -> Result<Self> {
        std::fs::File::open(path).map_err(|source| Error::io("read", path, source))?;
        let weights = PrepackedWeights::new();
        let session = session(&runtime.inner, path, &weights).map_err(|error| load_error(&runtime, id, path, &error))?;
        let [input] = session.inputs() else {
            let reason = format!("expected a model with 1 input, got `{}`", session.inputs().len());
            return Err(Error::InvalidManifest { origin: format!("of model `{id}` (`{}`)", crate::text::escape_path(path)), reason });
        };
        let input = TensorInfo::new(input);
        let outputs: Vec<TensorInfo> = session.outputs().iter().map(TensorInfo::new).collect();
        if let Some(other) = std::iter::once(&input).chain(&outputs).find(|info| !info.float32) {
            let reason = format!("expected tensors of 32-bit floats, but `{}` is not one", other.name);
            return Err(Error::InvalidManifest { origin: format!("of model `{id}` (`{}`)", crate::text::escape_path(path)), reason });
        }
        let pool = Mutex::new(Pool { idle: vec![session], made: 1 });
        Ok(Self { id: id.into(), path: path.into(), runtime, input, outputs, weights, pool, returned: Condvar::new() })
    }

    /// The id it was opened under.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The declared input.
    pub fn input(&self) -> &TensorInfo {
        &self.input
    }

    /// The declared outputs, in order.
    pub fn outputs(&self) -> &[TensorInfo] {
        &self.outputs
    }

    /// Most runs at the same time.
    pub fn parallel_runs(&self) -> usize {
        self.runtime.sessions()
    }

    /// Runs the model on `data` of `shape` and hands the outputs, in declared order, to `read` without copying them.
    ///
    /// Waits when as many callers as there may be sessions are running already.
    ///
    /// # Errors
    /// `dimension_mismatch` when `data` does not fill `shape`, `inference` when the run fails, and whatever `read` returns.
    pub fn run<T>(&self, shape: &[usize], data: &[f32], read: impl FnOnce(&[Output<'_>]) -> Result<T>) -> Result<T> {
        let expected = shape.iter().product();
        if data.len() != expected {
            return Err(Error::DimensionMismatch { what: "model input", expected, actual: data.len() });
        }
        let failed = |error: ort::Error| Error::Inference { model: self.id.clone(), reason: error.to_string() };
        let tensor = TensorRef::from_array_view((shape, data)).map_err(failed)?;
        let mut session = self.checkout()?;
        let outputs = session.run(ort::inputs![tensor]).map_err(failed)?;
        let views = tensor::read(&outputs, &self.outputs).map_err(failed)?;
        read(&views)
    }

    fn checkout(&self) -> Result<Checkout<'_>> {
        let mut pool = self.lock();
        loop {
            if let Some(session) = pool.idle.pop() {
                return Ok(Checkout { model: self, session: Some(session) });
            }
            if pool.made < self.runtime.sessions() {
                pool.made += 1;
                break;
            }
            pool = self.returned.wait(pool).unwrap_or_else(PoisonError::into_inner);
        }
        drop(pool);
        match session(&self.runtime.inner, &self.path, &self.weights) {
            Ok(session) => Ok(Checkout { model: self, session: Some(session) }),
            Err(error) => {
                self.lock().made -= 1;
                self.returned.notify_one();
                Err(Error::Inference { model: self.id.clone(), reason: format!("cannot open another session: {error}") })
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Pool> {
        // The pool is only pushed to and popped from: a panic elsewhere cannot leave it half changed.
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session on loan; it goes back to the pool when dropped, also after an error.
struct Checkout<'a> {
    model: &'a Model,
    session: Option<Session>,
}

impl Deref for Checkout<'_> {
    type Target = Session;

    fn deref(&self) -> &Session {
        self.session.as_ref().expect("present until drop")
    }
}

impl DerefMut for Checkout<'_> {
    fn deref_mut(&mut self) -> &mut Session {
        self.session.as_mut().expect("present until drop")
    }
}

impl Drop for Checkout<'_> {
    fn drop(&mut self) {
        self.model.lock().idle.extend(self.session.take());
        self.model.returned.notify_one();
    }
}

/// One session. Builder errors cannot be converted one by one (they carry the builder), so all of it is one `ort::Result`.
fn session(inner: &Inner, path: &Path, weights: &PrepackedWeights) -> ort::Result<Session> {
    let mut builder = Session::builder(&inner.environment.environment)?
        // Inputs change their size from photo to photo: planned memory would be planned again each time.
        .with_memory_pattern(false)?
        .with_prepacked_weights(weights)?;
    // The first runtime of the process decided about the shared workers; one that asks for others gets its own.
    if inner.pool != inner.environment.pool {
        builder =
            builder.with_independent_thread_pool()?.with_intra_threads(inner.pool.threads)?.with_intra_op_spinning(inner.pool.spinning)?;
    }
    if let Some(provider) = inner.device.provider(inner.pool.threads) {
        builder = builder.with_execution_providers([provider])?;
    }
    builder.commit_from_file(path)
}

fn load_error(runtime: &Runtime, id: &str, path: &Path, error: &ort::Error) -> Error {
    let text = error.to_string();
    // On another device than the CPU a refusal may be the device's (out of memory, unsupported operator).
    if *runtime.device() != super::Device::Cpu {
        return Error::DeviceUnavailable { device: runtime.device().to_string(), reason: format!("cannot open model `{id}`: {text}") };
    }
    Error::InvalidManifest {
        origin: format!("of model `{id}` (`{}`)", crate::text::escape_path(path)),
        reason: format!("not a usable ONNX model: {text}"),
    }
}
