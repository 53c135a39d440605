//! Which models there are, and where.

use std::path::PathBuf;

use facerec_core::ModelCatalog;
use facerec_core::model::{FetchOptions, FetchProgress, ModelTask};
use pyo3::exceptions::PyNotImplementedError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::error::OrRaise;
use crate::records;

/// The folders to look into first: `given` (a path or several), and those of the package.
pub(crate) fn folders(py: Python<'_>, given: Option<Bound<'_, PyAny>>) -> PyResult<Vec<PathBuf>> {
    let mut folders = match given {
        None => Vec::new(),
        Some(given) => match given.extract::<PathBuf>() {
            Ok(folder) => vec![folder],
            Err(_) => given.extract()?,
        },
    };
    folders.push(py.import("facerec._runtime")?.getattr("model_folder")?.call0()?.extract()?);
    Ok(folders)
}

fn catalog(py: Python<'_>, given: Option<Bound<'_, PyAny>>) -> PyResult<ModelCatalog> {
    ModelCatalog::from_env(&folders(py, given)?).or_raise()
}

#[pyfunction]
#[pyo3(signature = (models=None))]
pub(crate) fn model_folders(py: Python<'_>, models: Option<Bound<'_, PyAny>>) -> PyResult<Vec<PathBuf>> {
    Ok(catalog(py, models)?.folders().to_vec())
}

#[pyfunction]
#[pyo3(signature = (models=None))]
pub(crate) fn model_list<'py>(py: Python<'py>, models: Option<Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyAny>> {
    let catalog = catalog(py, models)?;
    let mut models = Vec::new();
    for (pack, model) in catalog.models() {
        let task = match model.task {
            ModelTask::Detect => "detect",
            ModelTask::Landmark => "landmark",
            ModelTask::Embed => "embed",
            other => return Err(PyNotImplementedError::new_err(format!("{other:?}"))),
        };
        let found = py.detach(|| catalog.resolve(&model.id));
        let (path, problem, known) = match found {
            Ok(found) => (Some(found.path), None, found.licence),
            Err(error) => (None, Some(error.kind().code()), catalog.licence(model)),
        };
        let licence = known.licence();
        let fields = (
            &model.id,
            task,
            &pack.name,
            path,
            problem,
            &model.file,
            model.bytes,
            &model.sha256,
            &licence.name,
            &licence.url,
            known.commercial(),
            known.source(),
        );
        models.push(records::make(py, "ModelInfo", fields)?);
    }
    records::table(py, models, Ok)
}

#[pyfunction]
#[pyo3(signature = (models=None))]
pub(crate) fn model_packs<'py>(py: Python<'py>, models: Option<Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyAny>> {
    let catalog = catalog(py, models)?;
    let mut packs = Vec::new();
    for pack in catalog.packs() {
        let found = py.detach(|| catalog.summary(&pack.name)).or_raise()?;
        let licences = PyTuple::new(py, found.licences.iter().map(ToString::to_string))?;
        let fields = (
            &pack.name,
            &pack.description,
            PyTuple::new(py, &found.models)?,
            found.installed,
            found.bytes,
            found.download_bytes,
            licences,
            found.commercial,
            found.lfw_accuracy,
            found.time_ratio,
        );
        packs.push(records::make(py, "PackInfo", fields)?);
    }
    records::table(py, packs, Ok)
}

#[pyfunction]
#[pyo3(signature = (id, models=None))]
pub(crate) fn model_path(py: Python<'_>, id: &str, models: Option<Bound<'_, PyAny>>) -> PyResult<PathBuf> {
    let catalog = catalog(py, models)?;
    py.detach(|| catalog.resolve(id)).or_raise().map(|found| found.path)
}

#[pyfunction]
#[pyo3(signature = (ids, *, pack=None, to=None, accept_licence=false, models=None, progress=None))]
pub(crate) fn model_fetch(
    py: Python<'_>,
    ids: Vec<String>,
    pack: Option<String>,
    to: Option<PathBuf>,
    accept_licence: bool,
    models: Option<Bound<'_, PyAny>>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Vec<PathBuf>> {
    let catalog = catalog(py, models)?;
    // What needs Python for its conversion, or pip, has this one.
    let python: PathBuf = py.import("sys")?.getattr("executable")?.extract()?;
    let mut options = FetchOptions::default().accept_licence(accept_licence).python(python);
    if let Some(folder) = to {
        options = options.destination(folder);
    }
    let mut failed = None;
    let mut tell = |now: FetchProgress<'_>| {
        let Some(call) = &progress else { return };
        let told = Python::attach(|py| call.call1(py, (now.model, now.received, now.total)).map(drop));
        failed = failed.take().or(told.err());
    };
    let fetched = py.detach(|| match pack {
        Some(pack) => catalog.fetch_pack(&pack, &options, &mut tell),
        None => catalog.fetch_many(&ids, &options, &mut tell),
    });
    match failed {
        Some(error) => Err(error),
        None => fetched.or_raise(),
    }
}
