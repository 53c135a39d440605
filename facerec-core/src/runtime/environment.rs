//! Finding and loading the ONNX Runtime library. A process has one environment, ever; it is made here and kept.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ort::environment::{Environment, GlobalThreadPoolOptions};

use crate::error::{Error, Result};

/// The environment of this process and the library it came from.
#[derive(Clone)]
pub(super) struct Loaded {
    pub(super) environment: Environment,
    pub(super) library: Option<PathBuf>,
    pub(super) pool: Pool,
}

/// The worker threads that sessions share. With workers of its own for each session, the idle ones of one model would
/// wait busily while another model computes, and take its cores away: detect and embed take turns, so that halves the speed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pool {
    pub(super) threads: usize,
    pub(super) spinning: bool,
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Loaded({:?})", self.library)
    }
}

/// ONNX Runtime allows one environment per process, even after it is dropped: the first one serves everybody.
static LOADED: Mutex<Option<Loaded>> = Mutex::new(None);

/// The environment of this process: made now from `library` or from the search path with the worker threads of `pool`, or
/// the one already made.
pub(super) fn load(library: Option<&Path>, pool: Pool) -> Result<Loaded> {
    let mut slot = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(loaded) = slot.as_ref() {
        if let (Some(wanted), Some(have)) = (library.map(library_in), &loaded.library)
            && wanted.canonicalize().ok() != have.canonicalize().ok()
        {
            let reason = format!("this process already uses `{}`; one process can load one library", crate::text::escape_path(have));
            return Err(Error::RuntimeLibrary { tried: crate::text::escape_path(&wanted), reason });
        }
        return Ok(loaded.clone());
    }
    let loaded = first_load(library, pool)?;
    *slot = Some(loaded.clone());
    Ok(loaded)
}

#[cfg(feature = "load-dynamic")]
fn first_load(library: Option<&Path>, pool: Pool) -> Result<Loaded> {
    let candidates = match library {
        Some(path) => vec![("the option".to_string(), path.to_path_buf())],
        None => default_library_paths(),
    };
    let mut tried = Vec::new();
    for (origin, path) in candidates {
        let path = library_in(&path);
        // dlopen of a bare name asks the system's loader; any other path must exist and be absolute.
        let bare = path.components().count() == 1;
        if !bare && !path.is_file() {
            tried.push(format!("{} ({origin}): no such file", crate::text::escape_path(&path)));
            continue;
        }
        let path = if bare { path } else { std::path::absolute(&path).unwrap_or(path) };
        match ort::init_from(&path) {
            Ok(builder) => {
                let environment = build(builder, pool)
                    .map_err(|error| Error::RuntimeLibrary { tried: crate::text::escape_path(&path), reason: error.to_string() })?;
                tracing::info!(library = %path.display(), origin, "loaded ONNX Runtime");
                return Ok(Loaded { environment, library: Some(path), pool });
            }
            Err(error) => tried.push(format!("{} ({origin}): {error}", crate::text::escape_path(&path))),
        }
    }
    Err(Error::RuntimeLibrary { tried: tried.join("; "), reason: "no usable shared library found".into() })
}

#[cfg(not(feature = "load-dynamic"))]
fn first_load(_library: Option<&Path>, pool: Pool) -> Result<Loaded> {
    let environment = build(ort::init(), pool)
        .map_err(|error| Error::RuntimeLibrary { tried: "the linked library".into(), reason: error.to_string() })?;
    Ok(Loaded { environment, library: None, pool })
}

fn build(builder: ort::environment::EnvironmentBuilder, pool: Pool) -> ort::Result<Environment> {
    let workers = GlobalThreadPoolOptions::default().with_intra_threads(pool.threads)?.with_spin_control(pool.spinning)?;
    let environment = builder.with_name("facerec").with_telemetry(false).with_global_thread_pool(workers).build()?;
    // Models exported by older tools make ONNX Runtime warn once per weight; errors come back as results anyway.
    environment.set_log_level(ort::logging::LogLevel::Error);
    Ok(environment)
}

/// Where the ONNX Runtime library is looked for when no path is given, in order, each with the reason it is there:
/// `FACEREC_ORT`, `ORT_DYLIB_PATH`, beside the executable, where `scripts/setup.sh` puts it (`.facerec/lib` in the
/// current folder or above it or above the executable), then the system's loader.
pub fn default_library_paths() -> Vec<(String, PathBuf)> {
    let mut paths = Vec::new();
    for variable in ["FACEREC_ORT", "ORT_DYLIB_PATH"] {
        if let Some(value) = std::env::var_os(variable).filter(|value| !value.is_empty()) {
            paths.push((variable.to_string(), PathBuf::from(value)));
        }
    }
    // A library that was named is used or refused: falling back to another one would hide the mistake.
    if !paths.is_empty() {
        return paths;
    }
    let executable = std::env::current_exe().ok();
    let beside = executable.as_deref().and_then(Path::parent);
    if let Some(folder) = beside {
        paths.push(("beside the executable".into(), folder.join(LIBRARY)));
        paths.push(("beside the executable".into(), folder.join("lib").join(LIBRARY)));
    }
    let current = std::env::current_dir().ok();
    for start in [current.as_deref(), beside].into_iter().flatten() {
        for folder in start.ancestors() {
            let library = folder.join(".facerec").join("lib").join(LIBRARY);
            if library.is_file() && !paths.iter().any(|(_, path)| *path == library) {
                paths.push(("scripts/setup.sh".into(), library));
            }
        }
    }
    paths.push(("the system".into(), PathBuf::from(LIBRARY)));
    paths
}

#[cfg(target_os = "windows")]
const LIBRARY: &str = "onnxruntime.dll";
#[cfg(target_os = "macos")]
const LIBRARY: &str = "libonnxruntime.dylib";
#[cfg(not(any(target_os = "windows", target_os = "macos")))]
const LIBRARY: &str = "libonnxruntime.so";

/// For a folder, the library inside it, also under a versioned name as in Python's `onnxruntime/capi`.
fn library_in(path: &Path) -> PathBuf {
    if !path.is_dir() {
        return path.to_path_buf();
    }
    let mut names: Vec<PathBuf> =
        std::fs::read_dir(path).map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())).collect()).unwrap_or_default();
    names.retain(|p| p.file_name().is_some_and(|name| name.to_string_lossy().starts_with(LIBRARY)));
    names.sort();
    names.pop().unwrap_or_else(|| path.join(LIBRARY))
}
