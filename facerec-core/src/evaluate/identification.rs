//! Closed-set identification: each person's first photo is enrolled, every other photo is a probe.

use std::path::Path;

use super::{EvaluateOptions, embed_photos, labelled, similarity};
use crate::analyze::{Analyzer, parallel};
use crate::error::{Error, Result};
use crate::folder::{PassedOver, PeopleFolder};

/// How often the right person came first.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct IdentificationReport {
    /// People enrolled with one photo each.
    pub persons: usize,
    /// Photos looked up.
    pub probes: usize,
    /// Photos, enrolled or looked up, without a face that was found; each counts as a miss.
    pub no_face: usize,
    /// Share of probes whose most similar enrolled face is the right person's, `0..=1`.
    pub rank1: f64,
    /// Files and folders that were left out.
    pub passed_over: PassedOver,
}

/// Enrols the first photo of every person of `folder` (one sub-folder per person) who has at least two, and looks up the rest.
///
/// # Errors
/// `invalid_argument` when nobody has two photos, `io` and `decode_image` for a photo that cannot be read.
pub fn identification(analyzer: &Analyzer, folder: &Path, options: EvaluateOptions<'_>) -> Result<IdentificationReport> {
    let PeopleFolder { people, passed_over, .. } = labelled(folder)?;
    let people: Vec<_> = people.into_iter().filter(|person| person.photos.len() > 1).collect();
    if people.is_empty() {
        return Err(Error::argument(
            "folder",
            format!("expected people with at least 2 photos, found none in `{}`", crate::text::escape_path(folder)),
        ));
    }
    let photos: Vec<(usize, &Path)> =
        people.iter().enumerate().flat_map(|(person, folder)| folder.photos.iter().map(move |photo| (person, photo.as_path()))).collect();
    let paths: Vec<&Path> = photos.iter().map(|(_, path)| *path).collect();
    let embeddings = embed_photos(analyzer, &paths, options)?;
    let no_face = embeddings.iter().filter(|embedding| embedding.is_none()).count();
    let (mut enrolled, mut probes) = (Vec::with_capacity(people.len()), Vec::new());
    for (index, (person, _)) in photos.iter().enumerate() {
        let first = index == 0 || photos[index - 1].0 != *person;
        if first { enrolled.push((*person, &embeddings[index])) } else { probes.push((*person, &embeddings[index])) }
    }
    let hits = parallel(probes.len(), options.workers, |n| -> Result<bool> {
        let (person, Some(probe)) = &probes[n] else { return Ok(false) };
        let mut best = (f32::NEG_INFINITY, None);
        for (candidate, embedding) in &enrolled {
            if let Some(embedding) = embedding {
                let similarity = similarity(probe, embedding)?;
                if similarity > best.0 {
                    best = (similarity, Some(candidate));
                }
            }
        }
        Ok(best.1 == Some(person))
    });
    let hits = hits.into_iter().collect::<Result<Vec<bool>>>()?.into_iter().filter(|hit| *hit).count();
    Ok(IdentificationReport {
        persons: people.len(),
        probes: probes.len(),
        no_face,
        rank1: hits as f64 / probes.len().max(1) as f64,
        passed_over,
    })
}
