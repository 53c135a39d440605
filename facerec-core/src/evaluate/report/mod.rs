//! The whole picture of one or several packs on one's own photos: figures, and a page that shows them.
//!
//! Input is a folder of people, one sub-folder of photos each, of which the main face counts. **Verification** compares every photo with
//! every other one: error rates by threshold, and thresholds for fixed false match rates (ISO/IEC 19795-1). Impostor pairs are those that
//! could be compared; a genuine pair in which a face was not found counts as not matched. **Intervals** are those of a bootstrap over
//! people (Bolle, Ratha and Pankanti 2004). **Rejection** is the error versus reject characteristic (Grother and Tabassi 2007).
//! **Identification** enrols the first photo of everybody with two and more; FPIR and FNIR are those of rank 1 (ISO/IEC 19795-1).

mod bootstrap;
#[cfg(feature = "charts")]
mod charts;
mod figures;
mod groups;
mod impostors;
#[cfg(test)]
mod made;
#[cfg(feature = "charts")]
mod page;
#[cfg(feature = "charts")]
mod plot;
mod rates;
mod reject;
mod sample;
mod scores;
mod search;
#[cfg(feature = "charts")]
mod tables;
mod worst;

use std::path::{Path, PathBuf};
use std::time::Instant;

pub use figures::{
    CommonPoint, CurvePoint, EvaluationReport, GroupReport, Grouping, Histogram, ModelName, OpenSetPoint, OperatingPoint, PackReport,
    PairedPhoto, REPORT_FMR, REPORT_FPIR, RejectPoint, Rejection, SearchReport, Verification, WorstPair, WorstPairs,
};

use self::bootstrap::Bootstrap;
use self::groups::Groups;
use self::rates::Subset;
use self::sample::{Folder, Sample};
use self::scores::Scores;
use super::EvaluateOptions;
use crate::analyze::Analyzer;
use crate::error::{Error, Result};
use crate::face::ModelKey;

/// Most packs side by side: as many as there are colours that every eye tells apart.
pub const MOST_PACKS: usize = 7;

/// A pack that is judged; [`crate::Engine::judged_as`] makes one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct JudgedPack<'a> {
    /// What it is called in the report.
    pub name: String,
    /// Its models, joined.
    pub analyzer: &'a Analyzer,
    /// The files of its detector.
    pub detector: &'a [ModelKey],
}

impl<'a> JudgedPack<'a> {
    /// A pack called `name`. The files of `detector` are only named in the report.
    pub fn new(name: impl Into<String>, analyzer: &'a Analyzer, detector: &'a [ModelKey]) -> Self {
        Self { name: name.into(), analyzer, detector }
    }
}

/// What goes into a report.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReportOptions {
    /// Whether the worst pairs are shown, with names, paths and faces. Without, nothing in the report says who the people are.
    pub pictures: bool,
    /// A table of people and groups, as CSV or with tabs: a header `person,group`, then a line per person.
    pub groups: Option<PathBuf>,
    /// Replicates of the bootstrap; below 40 there are no intervals.
    pub replicates: usize,
    /// How the report was asked for, to be shown in it.
    pub command: Option<String>,
}

impl Default for ReportOptions {
    fn default() -> Self {
        Self { pictures: true, groups: None, replicates: 1000, command: None }
    }
}

/// Judges `packs` on the photos of `folder` (one sub-folder per person, the main face of each photo). Memory: the vectors, 4 bytes per pair
/// of one person, and at most some 100 MB for the pairs of different people; their time grows with the square of the photos.
///
/// # Errors
/// `invalid_argument` without a pack, with more than [`MOST_PACKS`], for an empty folder, and for a table of groups that cannot be
/// understood (with its line); `io` and `decode_image` for a photo that cannot be read; `cancelled`.
pub fn report(packs: &[JudgedPack<'_>], folder: &Path, report: &ReportOptions, options: EvaluateOptions<'_>) -> Result<EvaluationReport> {
    if packs.is_empty() || packs.len() > MOST_PACKS {
        return Err(Error::argument("packs", format!("expected 1 to {MOST_PACKS} packs side by side, got `{}`", packs.len())));
    }
    let read = Folder::read(folder)?;
    let groups = report.groups.as_deref().map(|path| Groups::read(path, &read.people)).transpose()?;
    let judged = packs.iter().enumerate().map(|(at, pack)| {
        let photos = read.photos.len();
        let progress = |done: usize, _: usize| (options.progress)(at * photos + done, packs.len() * photos);
        let options = EvaluateOptions { progress: &progress, ..options };
        judge(pack, folder, &read, groups.as_ref(), report, options)
    });
    Ok(EvaluationReport {
        facerec: env!("CARGO_PKG_VERSION").into(),
        command: report.command.clone(),
        people: read.people.len(),
        photos: read.photos.len(),
        packs: judged.collect::<Result<_>>()?,
        grouping: groups.map(|groups| groups.grouping),
        passed_over: read.passed_over,
    })
}

fn judge(
    pack: &JudgedPack<'_>,
    root: &Path,
    folder: &Folder,
    groups: Option<&Groups>,
    report: &ReportOptions,
    options: EvaluateOptions<'_>,
) -> Result<PackReport> {
    let start = Instant::now();
    let sample = Sample::read(pack.analyzer, &folder.photos, options)?;
    let scores = Scores::new(folder, &sample, groups, options)?;
    let bootstrap = Bootstrap { replicates: report.replicates, workers: options.workers };
    let everybody: Vec<usize> = (0..folder.people.len()).collect();
    let all = Subset { people: &everybody, scores: &scores, impostors: &scores.impostors };
    let verification = all.verification(folder, &sample, bootstrap);
    let searches = search::search(folder, &sample, options)?;
    let thresholds = search::thresholds(&searches);
    let enrolled = |people: &[usize]| people.iter().filter(|&&person| folder.photos_of[person].len() > 1).count();
    let group = |(number, name): (usize, &String)| {
        let of_person = groups.map_or(&[][..], |groups| &groups.of_person);
        let people: Vec<usize> = everybody.iter().copied().filter(|&person| of_person[person] == Some(number)).collect();
        let subset = Subset { people: &people, scores: &scores, impostors: &scores.of_groups[number] };
        GroupReport {
            group: name.clone(),
            at_common_thresholds: subset.at_common(&verification.operating_points),
            identification: search::identification(&searches, thresholds, enrolled(&people), |person| of_person[person] == Some(number)),
            verification: subset.verification(folder, &sample, bootstrap),
        }
    };
    let names = groups.map_or(&[][..], |groups| &groups.grouping.groups);
    let at_1e3 = verification.operating_points.iter().find(|point| point.fmr.total_cmp(&1e-3).is_eq()).and_then(|point| point.threshold);
    Ok(PackReport {
        pack: pack.name.clone(),
        detector: pack.detector.iter().map(ModelName::from).collect(),
        embedder: ModelName::from(pack.analyzer.model_key().as_ref()),
        histogram: all.histogram(),
        rejection: reject::rejection(folder, &sample, at_1e3),
        identification: search::identification(&searches, thresholds, enrolled(&everybody), |_| true),
        groups: names.iter().enumerate().map(group).collect(),
        worst: match report.pictures {
            true => worst::worst(pack.analyzer, root, folder, &sample, &scores.impostors)?,
            false => WorstPairs::default(),
        },
        verification,
        wall_ms: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
    })
}

impl EvaluationReport {
    /// Writes one page that needs nothing else and runs no script: all figures, curves, the worst pairs, and how it was measured. The file
    /// appears whole or not at all.
    ///
    /// # Errors
    /// `io` when it cannot be written.
    #[cfg(feature = "charts")]
    pub fn write_html(&self, path: impl AsRef<Path>) -> Result<()> {
        crate::image::write_whole(path.as_ref(), page::page(self)?.as_bytes())
    }
}
