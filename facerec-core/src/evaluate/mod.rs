//! How good is it: verification on pairs, calibration of a threshold, closed-set identification, clustering, and all of it as a report.

mod calibrate;
mod clusters;
mod curve;
mod identification;
mod pairs;
pub mod report;
mod tracks;

use std::path::Path;

pub use calibrate::{Calibration, calibrate};
pub use clusters::{ClusterReport, clusters};
pub use identification::{IdentificationReport, identification};
pub use pairs::{PairsReport, pairs};
pub use report::{EvaluationReport, JudgedPack, ReportOptions, report};
pub use tracks::{FrameBox, Identification, TrackFile, TrackReport, TruthTrack, tracks};

use crate::analyze::{Analyzer, parallel};
use crate::error::{Error, Result};
use crate::face::{Embedding, Face};
use crate::folder::{PeopleFolder, people};
use crate::image::Image;

/// Told how many of how many photos are done; called from several threads.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// How an evaluation runs.
#[derive(Clone, Copy)]
pub struct EvaluateOptions<'a> {
    /// Photos analysed at the same time; the engine's [`crate::Engine::workers`] is a good choice.
    pub workers: usize,
    /// Told about the progress.
    pub progress: Progress<'a>,
    /// Asked before every photo; from `true` on the evaluation ends with `cancelled`.
    pub cancelled: &'a (dyn Fn() -> bool + Sync),
}

impl Default for EvaluateOptions<'_> {
    fn default() -> Self {
        Self { workers: 1, progress: &|_, _| {}, cancelled: &|| false }
    }
}

impl std::fmt::Debug for EvaluateOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EvaluateOptions({} workers)", self.workers)
    }
}

/// The people of `folder`, one sub-folder of photos each.
///
/// # Errors
/// What cannot be read ends the evaluation: a figure over fewer photos would be another figure.
fn labelled(folder: &Path) -> Result<PeopleFolder> {
    let mut found = people(folder)?;
    if !found.unreadable.is_empty() {
        return Err(found.unreadable.swap_remove(0).error);
    }
    if found.people.is_empty() {
        return Err(found.nobody("folder", folder));
    }
    Ok(found)
}

/// The embedding of each photo's main face; `None` where no face was found.
///
/// # Errors
/// As [`main_faces`].
fn embed_photos(analyzer: &Analyzer, photos: &[impl AsRef<Path> + Sync], options: EvaluateOptions<'_>) -> Result<Vec<Option<Embedding>>> {
    Ok(main_faces(analyzer, photos, options)?.into_iter().map(|face| face?.embedding).collect())
}

/// Each photo's main face with its embedding; `None` where no face was found.
///
/// # Errors
/// The first photo that cannot be read or analysed ends the evaluation: a figure over fewer photos would be another figure.
fn main_faces(analyzer: &Analyzer, photos: &[impl AsRef<Path> + Sync], options: EvaluateOptions<'_>) -> Result<Vec<Option<Face>>> {
    let done = std::sync::atomic::AtomicUsize::new(0);
    let results = parallel(photos.len(), options.workers, |index| -> Result<Option<Face>> {
        if (options.cancelled)() {
            return Err(Error::Cancelled);
        }
        let image = Image::open(photos[index].as_ref())?;
        let faces = analyzer.embed(&image)?;
        let face = main_face(&faces, image.width(), image.height()).cloned();
        (options.progress)(done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1, photos.len());
        Ok(face)
    });
    results.into_iter().collect()
}

/// How alike two faces are, as every decision takes it: -1 where one of them cannot be told from others.
fn similarity(a: &Embedding, b: &Embedding) -> Result<f32> {
    let similarity = a.similarity(b)?;
    Ok(if a.is_recognisable() && b.is_recognisable() { similarity } else { -1.0 })
}

/// The face a portrait is about: large and near the middle (InsightFace `retinaface.py`: area less twice the squared
/// distance to the centre).
fn main_face(faces: &[Face], width: u32, height: u32) -> Option<&Face> {
    let weight = |face: &Face| {
        let center = face.detection.rect.center();
        let (dx, dy) = (center.x - width as f32 / 2.0, center.y - height as f32 / 2.0);
        face.detection.rect.area() - 2.0 * (dx * dx + dy * dy)
    };
    faces.iter().max_by(|a, b| weight(a).total_cmp(&weight(b)))
}
