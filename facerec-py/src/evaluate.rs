//! How good is it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use facerec_core::evaluate::{self as core, EvaluateOptions, TrackFile};
use facerec_core::gallery::ClusterOptions;
use pyo3::prelude::*;

use crate::engine::Engine;
use crate::error::{OrRaise, raise};
use crate::{process, records};

/// Runs `work` in a thread of its own, so that signals are seen and progress is told meanwhile. After an interrupt the
/// thread works on until it is done, and nobody looks at its result.
fn watched<T: Send + 'static>(
    py: Python<'_>,
    engine: &Engine,
    progress: Option<Bound<'_, PyAny>>,
    work: impl FnOnce(&facerec_core::Engine, EvaluateOptions<'_>) -> facerec_core::Result<T> + Send + 'static,
) -> PyResult<T> {
    let engine = Arc::clone(&engine.core);
    let workers = engine.workers();
    watched_with(py, workers, progress, move |options| work(&engine, options))
}

/// [`watched`] for work that brings its engines along.
fn watched_with<T: Send + 'static>(
    py: Python<'_>,
    workers: usize,
    progress: Option<Bound<'_, PyAny>>,
    work: impl FnOnce(EvaluateOptions<'_>) -> facerec_core::Result<T> + Send + 'static,
) -> PyResult<T> {
    process::enter()?;
    let counts = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let told = Arc::clone(&counts);
    let thread = std::thread::Builder::new().name("facerec-evaluate".into()).spawn(move || {
        let tell = |done: usize, all: usize| {
            told[0].fetch_max(done, Ordering::Relaxed);
            told[1].store(all, Ordering::Relaxed);
        };
        work(EvaluateOptions { workers, progress: &tell, ..EvaluateOptions::default() })
    })?;
    while !thread.is_finished() {
        py.detach(|| std::thread::sleep(Duration::from_millis(20)));
        py.check_signals()?;
        if let Some(call) = &progress {
            call.call1((counts[0].load(Ordering::Relaxed), counts[1].load(Ordering::Relaxed)))?;
        }
    }
    let finished = py.detach(|| thread.join());
    finished.unwrap_or_else(|_| Err(facerec_core::Error::Internal { reason: "an evaluation panicked".into() })).map_err(raise)
}

#[pyfunction]
#[pyo3(signature = (engine, pairs, images, *, progress=None))]
pub(crate) fn pairs<'py>(
    py: Python<'py>,
    engine: &Engine,
    pairs: PathBuf,
    images: PathBuf,
    progress: Option<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let report = watched(py, engine, progress, move |engine, options| core::pairs(engine.analyzer(), &pairs, &images, options))?;
    let core::PairsReport { pairs, no_face, accuracy, accuracy_std, eer, tar, threshold, wall_ms, .. } = report;
    records::report(
        py,
        "PairsReport",
        (pairs, no_face, accuracy, accuracy_std, eer, (tar[0], tar[1]), (threshold[0], threshold[1]), wall_ms as f64 / 1e3),
    )
}

#[pyfunction]
#[pyo3(signature = (engine, folder, *, progress=None))]
pub(crate) fn identification<'py>(
    py: Python<'py>,
    engine: &Engine,
    folder: PathBuf,
    progress: Option<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let report = watched(py, engine, progress, move |engine, options| core::identification(engine.analyzer(), &folder, options))?;
    records::report(py, "IdentificationReport", (report.persons, report.probes, report.no_face, report.rank1))
}

#[pyfunction]
#[pyo3(signature = (engine, folder, *, fmr, progress=None))]
pub(crate) fn calibrate<'py>(
    py: Python<'py>,
    engine: &Engine,
    folder: PathBuf,
    fmr: Vec<f64>,
    progress: Option<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let found = watched(py, engine, progress, move |engine, options| core::calibrate(engine.analyzer(), &folder, &fmr, options))?;
    records::table(py, found, |one| records::report(py, "Calibration", (one.threshold, one.fmr, one.fnmr, one.pairs, one.no_face)))
}

#[pyfunction]
#[pyo3(signature = (engine, folder, *, threshold, strict_step=None, progress=None))]
pub(crate) fn clusters<'py>(
    py: Python<'py>,
    engine: &Engine,
    folder: PathBuf,
    threshold: Vec<f32>,
    strict_step: Option<f32>,
    progress: Option<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let mut usual = engine.core.cluster_options().or_raise()?;
    usual.strict_step = strict_step.unwrap_or(usual.strict_step);
    let thresholds = if threshold.is_empty() { vec![usual.threshold] } else { threshold };
    let ways: Vec<_> = thresholds.into_iter().map(|threshold| ClusterOptions::new(threshold, usual.strict_step)).collect();
    let asked = ways.clone();
    let found = watched(py, engine, progress, move |engine, options| core::clusters(engine.analyzer(), &folder, &asked, options))?;
    records::table(py, ways.iter().zip(&found), |(way, report)| cluster_report(py, way, report))
}

fn cluster_report<'py>(py: Python<'py>, way: &ClusterOptions, report: &core::ClusterReport) -> PyResult<Bound<'py, PyAny>> {
    let core::ClusterReport { faces, no_face, persons, clusters, mixed, pair_precision, pair_recall, .. } = report;
    let pairs = (pair_precision, pair_recall, report.pair_f1());
    let bcubed = (report.bcubed_precision, report.bcubed_recall, report.bcubed_f1());
    records::report(py, "ClusterReport", (way.threshold, way.strict_step, faces, no_face, persons, clusters, mixed, pairs, bcubed))
}

/// The figures as JSON, of which `facerec.evaluate` makes dataclasses.
#[pyfunction]
#[pyo3(signature = (engines, folder, *, out=None, pictures=true, groups=None, progress=None))]
pub(crate) fn report(
    py: Python<'_>,
    engines: Vec<(Option<String>, PyRef<'_, Engine>)>,
    folder: PathBuf,
    out: Option<PathBuf>,
    pictures: bool,
    groups: Option<PathBuf>,
    progress: Option<Bound<'_, PyAny>>,
) -> PyResult<String> {
    let engines: Vec<_> = engines.into_iter().map(|(name, engine)| (name, Arc::clone(&engine.core))).collect();
    let workers = engines.iter().map(|(_, engine)| engine.workers()).max().unwrap_or(1);
    let mut wanted = core::ReportOptions::default();
    wanted.pictures = pictures;
    wanted.groups = groups;
    watched_with(py, workers, progress, move |options| {
        let packs: Vec<_> = engines.iter().map(|(name, engine)| engine.judged_as(name.as_deref())).collect();
        let found = core::report(&packs, &folder, &wanted, options)?;
        out.iter().try_for_each(|out| found.write_html(out))?;
        found.to_json()
    })
}

#[pyfunction]
pub(crate) fn tracks(py: Python<'_>, truth: PathBuf, result: PathBuf) -> PyResult<Bound<'_, PyAny>> {
    let judged = py.detach(|| Ok(core::tracks(&TrackFile::read(truth)?, &TrackFile::read(result)?)));
    let report = judged.or_raise()?;
    let named = report.identification;
    let named = named.map(|named| records::report(py, "Identification", (named.precision, named.recall, named.named, named.appearances)));
    let core::TrackReport { mota, idf1, id_switches, fragments, purity, misses, false_boxes, true_boxes, tracks_per_person, .. } = report;
    let fields = (mota, idf1, id_switches, fragments, purity, misses, false_boxes, true_boxes, tracks_per_person, named.transpose()?);
    records::report(py, "TrackReport", fields)
}
