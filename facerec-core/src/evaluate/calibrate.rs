//! A threshold for one's own photos: all pairs of a labelled folder.

use std::path::Path;

use super::curve::Scores;
use super::{EvaluateOptions, embed_photos, labelled, similarity};
use crate::analyze::{Analyzer, parallel};
use crate::error::{Error, Result};
use crate::face::Embedding;
use crate::folder::{PassedOver, PeopleFolder};

/// A threshold and what it costs.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Calibration {
    /// Lowest similarity at which the false match rate is kept.
    pub threshold: f32,
    /// False match rate at the threshold, on this folder.
    pub fmr: f64,
    /// False non-match rate at the threshold, on this folder.
    pub fnmr: f64,
    /// Number of pairs compared, of the same and of different people.
    pub pairs: usize,
    /// Photos without a face that was found; they are left out.
    pub no_face: usize,
    /// Files and folders that were left out.
    pub passed_over: PassedOver,
}

/// For each rate of `rates`, finds the threshold at which at most that share of the pairs of different people pass, over all
/// pairs of photos of `folder` (one sub-folder per person).
///
/// # Errors
/// `invalid_argument` when there are too few pairs for the rate asked for, or no person with two photos.
pub fn calibrate(analyzer: &Analyzer, folder: &Path, rates: &[f64], options: EvaluateOptions<'_>) -> Result<Vec<Calibration>> {
    if let Some(rate) = rates.iter().find(|rate| !(**rate > 0.0 && **rate < 1.0)) {
        return Err(Error::argument("fmr", format!("expected a rate above 0 and below 1, got `{rate}`")));
    }
    let lowest = rates.iter().copied().fold(1.0, f64::min);
    let PeopleFolder { people, passed_over, .. } = labelled(folder)?;
    let photos: Vec<(usize, &Path)> =
        people.iter().enumerate().flat_map(|(person, folder)| folder.photos.iter().map(move |photo| (person, photo.as_path()))).collect();
    let paths: Vec<&Path> = photos.iter().map(|(_, path)| *path).collect();
    let embeddings = embed_photos(analyzer, &paths, options)?;
    let known: Vec<(usize, &Embedding)> =
        photos.iter().zip(&embeddings).filter_map(|((person, _), embedding)| Some((*person, embedding.as_ref()?))).collect();
    let rows = parallel(known.len(), options.workers, |a| -> Result<(Vec<f32>, Vec<f32>)> {
        let (mut genuine, mut impostor) = (Vec::new(), Vec::new());
        for b in a + 1..known.len() {
            let similarity = similarity(known[a].1, known[b].1)?;
            if known[a].0 == known[b].0 { genuine.push(similarity) } else { impostor.push(similarity) }
        }
        Ok((genuine, impostor))
    });
    let (mut genuine, mut impostor) = (Vec::new(), Vec::new());
    for row in rows {
        let (same, different) = row?;
        genuine.extend(same);
        impostor.extend(different);
    }
    if genuine.is_empty() || (impostor.len() as f64) * lowest < 1.0 {
        let needed = (1.0 / lowest).ceil();
        let reason = format!(
            "expected a pair of the same person and at least {needed} pairs of different people for a rate of {lowest}, got `{} and {}`",
            genuine.len(),
            impostor.len()
        );
        return Err(Error::argument("folder", reason));
    }
    let (pairs, genuine_pairs) = (genuine.len() + impostor.len(), genuine.len());
    let scores = Scores::new(genuine, impostor);
    let no_face = photos.len() - known.len();
    let at = |rate: &f64| {
        let threshold = scores.threshold_at(*rate);
        let fnmr = 1.0 - scores.tar(threshold, genuine_pairs);
        Calibration { threshold, fmr: scores.fmr(threshold), fnmr, pairs, no_face, passed_over: passed_over.clone() }
    };
    Ok(rates.iter().map(at).collect())
}
