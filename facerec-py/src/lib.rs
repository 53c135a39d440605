//! The engine for Python: argument conversion, releasing the GIL, error mapping and Python's protocols, nothing else.
//! What is returned are the frozen dataclasses of `python/facerec/_results.py` and `_reports.py`.

mod embedding;
mod engine;
mod error;
mod evaluate;
mod gallery;
mod models;
mod name;
mod opening;
mod picture;
mod process;
mod records;
mod tracker;
mod video;

use pyo3::prelude::*;

/// The compiled part of facerec; use the package `facerec`.
#[pymodule]
mod _core {
    #[pymodule_export]
    use super::command;
    #[pymodule_export]
    use super::embedding::Embedding;
    #[pymodule_export]
    use super::engine::Engine;
    #[pymodule_export]
    use super::evaluate::{calibrate, clusters, identification, pairs, report, tracks};
    #[pymodule_export]
    use super::gallery::Gallery;
    #[pymodule_export]
    use super::models::{model_fetch, model_folders, model_list, model_packs, model_path};
    #[pymodule_export]
    use super::picture::{annotate, jpeg};
    #[pymodule_export]
    use super::tracker::Tracker;
    #[pymodule_export]
    use super::video::Video;

    #[pymodule_export]
    #[allow(non_upper_case_globals)] // Python's name
    const __version__: &str = env!("CARGO_PKG_VERSION");
}

/// Runs the command `facerec` with these arguments, the first of which is its name; returns the exit code.
#[pyfunction]
fn command(py: Python<'_>, args: Vec<std::ffi::OsString>) -> u8 {
    py.detach(|| facerec_core::cli::main(args)) as u8
}
