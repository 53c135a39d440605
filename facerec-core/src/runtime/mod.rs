//! Inference through ONNX Runtime: the library, the devices, and pools of sessions. The only folder that names `ort`.

mod device;
mod environment;
mod model;
mod tensor;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use device::Device;
pub use environment::default_library_paths;
pub use model::Model;
pub use tensor::{Output, TensorInfo};

use crate::error::Result;

/// How to load ONNX Runtime and how much of the machine to use.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RuntimeOptions {
    library: Option<PathBuf>,
    device: Device,
    threads: Option<usize>,
    sessions: Option<usize>,
    spinning: Option<bool>,
}

impl RuntimeOptions {
    /// Path of the ONNX Runtime shared library, or of a folder that holds it. Default: searched for (see
    /// [`default_library_paths`]). The first runtime of a process decides for all.
    #[must_use]
    pub fn library(mut self, path: impl Into<PathBuf>) -> Self {
        self.library = Some(path.into());
        self
    }

    /// Where to compute. Default [`Device::Cpu`]. A device that is not there is an error, never a silent fall back.
    #[must_use]
    pub fn device(mut self, device: Device) -> Self {
        self.device = device;
        self
    }

    /// Threads inside one inference; default: the machine's cores. 1 gives the best throughput when many callers
    /// share the engine; more shortens a single call. More than the cores slows everything.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads.max(1));
        self
    }

    /// Most inferences of one model at the same time; default: the machine's cores. Each costs the model's working
    /// memory and is made when first needed; too few make callers wait, too many compete for the cores.
    #[must_use]
    pub fn sessions(mut self, sessions: usize) -> Self {
        self.sessions = Some(sessions.max(1));
        self
    }

    /// Whether an inference's idle threads wait busily. On (the default) shortens a single caller's calls by 5-30 %;
    /// off frees the cores for others: choose off for services and when several pipelines share a machine.
    #[must_use]
    pub fn spinning(mut self, spinning: bool) -> Self {
        self.spinning = Some(spinning);
        self
    }
}

impl RuntimeOptions {
    /// Whether it computes on the processor with as many threads and sessions as are best there.
    pub(crate) fn is_free_on_cpu(&self) -> bool {
        self.device == Device::Cpu && self.threads.is_none() && self.sessions.is_none()
    }
}

/// ONNX Runtime, loaded: what models are opened with. Cheap to clone and to share between threads.
#[derive(Debug, Clone)]
pub struct Runtime {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    environment: environment::Loaded,
    device: Device,
    pool: environment::Pool,
    sessions: usize,
}

impl Runtime {
    /// Loads ONNX Runtime and checks that the device can be used.
    ///
    /// # Errors
    /// `runtime_library` when no usable library is found (with every place that was tried), `device_unavailable`
    /// when the device is not compiled in, not in the library or not in the machine.
    pub fn new(options: RuntimeOptions) -> Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let pool = environment::Pool { threads: options.threads.unwrap_or(cores), spinning: options.spinning.unwrap_or(true) };
        let environment = environment::load(options.library.as_deref(), pool)?;
        let device = device::choose(&environment, &options.device)?;
        let inner = Inner { environment, device, pool, sessions: options.sessions.unwrap_or(cores) };
        tracing::info!(device = %inner.device, threads = pool.threads, sessions = inner.sessions, "runtime ready");
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The device in use; for [`Device::Auto`], the one that was chosen.
    pub fn device(&self) -> &Device {
        &self.inner.device
    }

    /// Threads inside one inference.
    pub fn threads(&self) -> usize {
        self.inner.pool.threads
    }

    /// Most inferences of one model at the same time.
    pub fn sessions(&self) -> usize {
        self.inner.sessions
    }

    /// The shared library in use; `None` when ONNX Runtime is linked into the program.
    pub fn library(&self) -> Option<&Path> {
        self.inner.environment.library.as_deref()
    }

    /// ONNX Runtime's own description of its build, with its version.
    pub fn build_info(&self) -> &'static str {
        ort::info()
    }

    /// Opens a model file: one session now, more when callers run at the same time.
    ///
    /// # Errors
    /// `io` when the file cannot be read, `invalid_manifest` when ONNX Runtime cannot use it as a model.
    pub fn open(&self, id: &str, path: impl AsRef<Path>) -> Result<Model> {
        Model::open(self.clone(), id, path.as_ref())
    }
}
