//! How good it is: verification, identification, calibration, clustering and tracking scores, and a report.

use std::path::Path;

use facerec_core::evaluate as core;
use facerec_core::evaluate::{EvaluateOptions, TrackFile};
use facerec_core::gallery::ClusterOptions;
use facerec_core::{CancelToken, Engine as CoreEngine, Error, Result};
use napi::bindgen_prelude::{ClassInstance, Either};
use napi_derive::napi;
use serde_json::{Map, Value};

use crate::cancel::{Cancel, token};
use crate::engine::Engine;
use crate::work::Work;

/// How well pairs of photos were told apart.
#[napi(object, object_from_js = false)]
pub struct PairsReport {
    /// Number of pairs.
    pub pairs: f64,
    /// Pairs in which a photo shows no face that was found; they count as wrong.
    pub no_face: f64,
    /// Mean accuracy over the folds, 0 to 1.
    pub accuracy: f64,
    /// Standard deviation of the accuracy over the folds.
    pub accuracy_std: f64,
    /// Equal error rate, 0 to 1.
    pub eer: f64,
    /// True accept rates at false accept rates of 1e-2 and 1e-3.
    #[napi(ts_type = "[at1e2: number, at1e3: number]")]
    pub tar: Vec<f64>,
    /// Thresholds at those rates.
    #[napi(ts_type = "[at1e2: number, at1e3: number]")]
    pub thresholds: Vec<f64>,
    /// Wall-clock time, milliseconds.
    pub wall_ms: f64,
}

/// How often the right person came first.
#[napi(object, object_from_js = false)]
pub struct IdentificationReport {
    /// People enrolled with one photo each.
    pub people: f64,
    /// Photos looked up.
    pub probes: f64,
    /// Photos without a face that was found; each counts as a miss.
    pub no_face: f64,
    /// Share of probes whose most similar enrolled face is the right person's, 0 to 1.
    pub rank1: f64,
}

/// A threshold and what it costs, measured on a folder.
#[napi(object, object_from_js = false)]
pub struct Calibration {
    /// Lowest similarity at which the false match rate is kept.
    pub threshold: f64,
    /// False match rate at the threshold.
    pub fmr: f64,
    /// False non-match rate at the threshold.
    pub fnmr: f64,
    /// Number of pairs compared.
    pub pairs: f64,
    /// Photos without a face that was found; they are left out.
    pub no_face: f64,
}

/// What clusters are scored for.
#[napi(object, object_to_js = false)]
#[derive(Default)]
pub struct ClusterScoreOptions {
    /// Mean similarities from which large clusters are one person, -1 to 1, to be compared. Default `engine.identifyThreshold`.
    pub thresholds: Option<Vec<f64>>,
    /// How much more alike two single faces must be, 0 to 1. Default what the embedder needs for one decade fewer false matches.
    pub strict_step: Option<f64>,
}

impl ClusterScoreOptions {
    fn into_core(self, engine: &CoreEngine) -> Result<Vec<ClusterOptions>> {
        let usual = engine.cluster_options()?;
        let step = self.strict_step.map_or(usual.strict_step, |step| step as f32);
        let thresholds = self.thresholds.unwrap_or_else(|| vec![usual.threshold.into()]);
        Ok(thresholds.into_iter().map(|threshold| ClusterOptions::new(threshold as f32, step)).collect())
    }
}

/// How well faces were put together.
#[napi(object, object_from_js = false)]
pub struct ClusterReport {
    /// Mean similarity from which large clusters were one person.
    pub threshold: f64,
    /// How much more alike two single faces had to be.
    pub strict_step: f64,
    /// Faces that were put together, one of each photo.
    pub faces: f64,
    /// Photos without a face that was found; they are left out.
    pub no_face: f64,
    /// People whose faces they are.
    pub people: f64,
    /// Clusters, those of one face among them.
    pub clusters: f64,
    /// Clusters that hold faces of more than one person.
    pub mixed: f64,
    /// Scores over pairs of faces: large clusters decide them.
    #[napi(ts_type = "[precision: number, recall: number, f1: number]")]
    pub pairs: Vec<f64>,
    /// BCubed scores: every face counts the same.
    #[napi(ts_type = "[precision: number, recall: number, f1: number]")]
    pub bcubed: Vec<f64>,
}

impl ClusterReport {
    fn new(way: &ClusterOptions, found: &core::ClusterReport) -> Self {
        Self {
            threshold: way.threshold.into(),
            strict_step: way.strict_step.into(),
            faces: found.faces as f64,
            no_face: found.no_face as f64,
            people: found.persons as f64,
            clusters: found.clusters as f64,
            mixed: found.mixed as f64,
            pairs: vec![found.pair_precision, found.pair_recall, found.pair_f1()],
            bcubed: vec![found.bcubed_precision, found.bcubed_recall, found.bcubed_f1()],
        }
    }
}

/// How good tracks are, against a truth.
#[napi(object, object_from_js = false)]
pub struct TrackReport {
    /// Multiple object tracking accuracy, up to 1; below 0 when there are more errors than boxes.
    pub mota: f64,
    /// Identity F1, 0 to 1.
    pub idf1: f64,
    /// Times an identity went on under another track.
    pub id_switches: f64,
    /// Times an identity was lost and found again.
    pub fragments: f64,
    /// Share of the matched boxes of each track that belong to its most frequent identity, 0 to 1.
    pub purity: f64,
    /// True boxes that no track covers.
    pub misses: f64,
    /// Boxes that cover nobody.
    pub false_boxes: f64,
    /// Boxes in the truth.
    pub boxes: f64,
    /// Mean number of tracks per identity.
    pub tracks_per_person: f64,
}

/// Runs an evaluation that stops at the next photo when it was cancelled.
fn evaluating<T>(
    engine: &CoreEngine,
    token: &CancelToken,
    run: impl FnOnce(&facerec_core::Analyzer, EvaluateOptions<'_>) -> Result<T>,
) -> Result<T> {
    let cancelled = || token.is_cancelled();
    run(engine.analyzer(), EvaluateOptions { workers: engine.workers(), cancelled: &cancelled, ..EvaluateOptions::default() })
}

/// Verification on the pairs of a file in the format of LFW's `pairs.txt`; `images` has one sub-folder per person.
#[napi(
    namespace = "evaluate",
    ts_args_type = "engine: Engine, pairs: string, images: string, options?: CallOptions",
    ts_return_type = "Promise<PairsReport>",
    catch_unwind
)]
pub fn pairs(engine: &Engine, pairs: String, images: String, cancel: Option<&Cancel>) -> Work<PairsReport> {
    let (engine, token) = (engine.core(), token(cancel));
    Work::queue(token.clone(), move || {
        let found = evaluating(&engine, &token, |analyzer, options| core::pairs(analyzer, Path::new(&pairs), Path::new(&images), options))?;
        Ok(PairsReport {
            pairs: found.pairs as f64,
            no_face: found.no_face as f64,
            accuracy: found.accuracy,
            accuracy_std: found.accuracy_std,
            eer: found.eer,
            tar: found.tar.into(),
            thresholds: found.threshold.map(f64::from).into(),
            wall_ms: found.wall_ms as f64,
        })
    })
}

/// Closed-set identification: the first photo of each sub-folder of `folder` is enrolled, every other one looked up.
#[napi(
    namespace = "evaluate",
    ts_args_type = "engine: Engine, folder: string, options?: CallOptions",
    ts_return_type = "Promise<IdentificationReport>",
    catch_unwind
)]
pub fn identification(engine: &Engine, folder: String, cancel: Option<&Cancel>) -> Work<IdentificationReport> {
    let (engine, token) = (engine.core(), token(cancel));
    Work::queue(token.clone(), move || {
        let found = evaluating(&engine, &token, |analyzer, options| core::identification(analyzer, Path::new(&folder), options))?;
        let (people, probes) = (found.persons as f64, found.probes as f64);
        Ok(IdentificationReport { people, probes, no_face: found.no_face as f64, rank1: found.rank1 })
    })
}

/// The threshold for each false match rate of `rates` (above 0, below 1) on one's own photos, one sub-folder per person.
#[napi(
    namespace = "evaluate",
    ts_args_type = "engine: Engine, folder: string, rates: Array<number>, options?: CallOptions",
    ts_return_type = "Promise<Array<Calibration>>",
    catch_unwind
)]
pub fn calibrate(engine: &Engine, folder: String, rates: Vec<f64>, cancel: Option<&Cancel>) -> Work<Vec<Calibration>> {
    let (engine, token) = (engine.core(), token(cancel));
    Work::queue(token.clone(), move || {
        let found = evaluating(&engine, &token, |analyzer, options| core::calibrate(analyzer, Path::new(&folder), &rates, options))?;
        let calibration = |found: core::Calibration| {
            let (threshold, pairs, no_face) = (found.threshold.into(), found.pairs as f64, found.no_face as f64);
            Calibration { threshold, fmr: found.fmr, fnmr: found.fnmr, pairs, no_face }
        };
        Ok(found.into_iter().map(calibration).collect())
    })
}

/// Puts the faces of `folder` (one sub-folder per person, the main face of each photo) together as `engine.cluster` does, without
/// looking at whose they are, and compares: one report for each threshold.
#[napi(
    namespace = "evaluate",
    ts_args_type = "engine: Engine, folder: string, options?: ClusterScoreOptions",
    ts_return_type = "Promise<Array<ClusterReport>>",
    catch_unwind
)]
pub fn clusters(
    engine: &Engine,
    folder: String,
    options: Option<ClusterScoreOptions>,
    cancel: Option<&Cancel>,
) -> Work<Vec<ClusterReport>> {
    let (engine, token) = (engine.core(), token(cancel));
    Work::queue(token.clone(), move || {
        let ways = options.unwrap_or_default().into_core(&engine)?;
        let found = evaluating(&engine, &token, |analyzer, options| core::clusters(analyzer, Path::new(&folder), &ways, options))?;
        Ok(ways.iter().zip(&found).map(|(way, found)| ClusterReport::new(way, found)).collect())
    })
}

/// What a report is to have.
#[napi(object, object_to_js = false)]
#[derive(Default)]
pub struct ReportOptions {
    /// Where a page with all of it is written, as HTML that needs nothing else.
    pub out: Option<String>,
    /// Whether the worst pairs are shown, with names, paths and faces; default yes. Without, nothing says who the people are.
    pub pictures: Option<bool>,
    /// A table of people and groups (CSV or with tabs, a header `person,group`) to have the figures of each group.
    pub groups: Option<String>,
    /// What the engines are called, in their order. Default: by the ids of their models.
    pub names: Option<Vec<String>>,
}

/// Judges the models of one or up to seven engines, side by side, on your own photos (one sub-folder of `folder` per person, the main
/// face of each photo): error curves, thresholds with intervals, what refusing poor photos gains, identification, groups, the worst pairs.
#[napi(
    namespace = "evaluate",
    ts_args_type = "engines: Engine | Array<Engine>, folder: string, options?: ReportOptions",
    ts_return_type = "Promise<EvaluationReport>",
    catch_unwind
)]
pub fn report(
    engines: Either<ClassInstance<'_, Engine>, Vec<ClassInstance<'_, Engine>>>,
    folder: String,
    options: Option<ReportOptions>,
    cancel: Option<&Cancel>,
) -> Work<Value> {
    let engines: Vec<_> = match &engines {
        Either::A(engine) => vec![engine.core()],
        Either::B(engines) => engines.iter().map(|engine| engine.core()).collect(),
    };
    let token = token(cancel);
    Work::queue(token.clone(), move || {
        let ReportOptions { out, pictures, groups, names } = options.unwrap_or_default();
        let names = names.unwrap_or_default();
        if !names.is_empty() && names.len() != engines.len() {
            let reason = format!("expected a name for each of {} engines, got `{}`", engines.len(), names.len());
            return Err(Error::InvalidArgument { name: "names", reason });
        }
        let packs: Vec<_> = engines.iter().enumerate().map(|(at, engine)| engine.judged_as(names.get(at).map(String::as_str))).collect();
        let mut wanted = core::ReportOptions::default();
        wanted.pictures = pictures.unwrap_or(true);
        wanted.groups = groups.map(Into::into);
        let cancelled = || token.is_cancelled();
        let workers = engines.iter().map(|engine| engine.workers()).max().unwrap_or(1);
        let options = EvaluateOptions { workers, cancelled: &cancelled, ..EvaluateOptions::default() };
        let found = core::report(&packs, Path::new(&folder), &wanted, options)?;
        out.iter().try_for_each(|out| found.write_html(out))?;
        let figures =
            serde_json::from_str(&found.to_json()?).map_err(|error| Error::Internal { reason: format!("read a report: {error}") });
        Ok(in_camel_case(figures?))
    })
}

/// The same figures under names as JavaScript has them.
fn in_camel_case(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(in_camel_case).collect(),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(name, part)| (camel(&name), in_camel_case(part))).collect::<Map<_, _>>())
        }
        plain => plain,
    }
}

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut out, word| {
        let mut letters = word.chars();
        out.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        out.push_str(letters.as_str());
        out
    })
}

/// Scores the tracks of the file `result` against those of `truth`: JSON Lines of `facerec video --json --boxes`, or
/// MOTChallenge text.
#[napi(
    namespace = "evaluate",
    ts_args_type = "truth: string, result: string, options?: CallOptions",
    ts_return_type = "Promise<TrackReport>",
    catch_unwind
)]
pub fn tracks(truth: String, result: String, cancel: Option<&Cancel>) -> Work<TrackReport> {
    Work::queue(token(cancel), move || {
        let found = core::tracks(&TrackFile::read(truth)?, &TrackFile::read(result)?);
        Ok(TrackReport {
            mota: found.mota,
            idf1: found.idf1,
            id_switches: found.id_switches as f64,
            fragments: found.fragments as f64,
            purity: found.purity,
            misses: found.misses as f64,
            false_boxes: found.false_boxes as f64,
            boxes: found.true_boxes as f64,
            tracks_per_person: found.tracks_per_person,
        })
    })
}
