//! The pairs that are furthest on the wrong side, with their faces.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::figures::{PairedPhoto, WorstPair, WorstPairs};
use super::impostors::{Impostors, Pair};
use super::sample::{Folder, Sample};
use crate::align::align;
use crate::analyze::Analyzer;
use crate::error::Result;
use crate::image::Image;
use crate::text::path_text;

/// Pairs of each kind.
const MOST: usize = 8;

/// Faces are shown at the embedder's size; this quality shows no artefacts there.
const JPEG_QUALITY: u8 = 85;

pub(super) fn worst(analyzer: &Analyzer, root: &Path, folder: &Folder, sample: &Sample, impostors: &Impostors) -> Result<WorstPairs> {
    let impostor = each_photo_once(&impostors.tail);
    let genuine = each_photo_once(&least_alike(folder, sample));
    let mut pictures = BTreeMap::new();
    for photo in impostor.iter().chain(&genuine).flat_map(|pair| [pair.a as usize, pair.b as usize]) {
        let Some(face) = &sample.faces[photo] else { continue };
        let image = Image::open(&folder.photos[photo])?;
        let (template, side) = analyzer.template();
        let aligned = align((&image).into(), &face.landmarks, &template, side)?;
        pictures.insert(photo, aligned.encode_jpeg(JPEG_QUALITY)?);
    }
    let shown = |photo: u32| {
        let photo = photo as usize;
        let path = &folder.photos[photo];
        PairedPhoto {
            person: folder.people[folder.person_of[photo]].clone(),
            path: path_text(path.strip_prefix(root).unwrap_or(path)).into_owned(),
            picture: pictures.get(&photo).cloned().unwrap_or_default(),
        }
    };
    let pair = |pair: &Pair| WorstPair { similarity: pair.score, photos: [shown(pair.a), shown(pair.b)] };
    Ok(WorstPairs { impostor: impostor.iter().map(pair).collect(), genuine: genuine.iter().map(pair).collect() })
}

/// The first pairs, no photo twice: one photo in the wrong folder would fill the page.
fn each_photo_once(pairs: &[Pair]) -> Vec<Pair> {
    let mut seen = BTreeSet::new();
    let fresh = |pair: &&Pair| {
        let new = !seen.contains(&pair.a) && !seen.contains(&pair.b);
        if new {
            seen.extend([pair.a, pair.b]);
        }
        new
    };
    pairs.iter().filter(fresh).take(MOST).copied().collect()
}

/// Pairs of one person in which both faces can be told from others, the least alike first. No photo is of two people, so what is left out
/// among one person's pairs would be left out among all.
fn least_alike(folder: &Folder, sample: &Sample) -> Vec<Pair> {
    let recognisable = |photo: &usize| sample.faces[*photo].is_some_and(|face| face.recognisable);
    let mut found = Vec::new();
    for photos in &folder.photos_of {
        let photos: Vec<usize> = photos.clone().filter(recognisable).collect();
        let mut pairs = Vec::new();
        for (place, &a) in photos.iter().enumerate() {
            let others = photos[place + 1..].iter();
            pairs.extend(others.filter_map(|&b| sample.similarity(a, b).map(|score| Pair { score, a: a as u32, b: b as u32 })));
        }
        pairs.sort_by(|a, b| a.score.total_cmp(&b.score));
        found.extend(each_photo_once(&pairs));
    }
    found.sort_by(|a, b| a.score.total_cmp(&b.score));
    found
}

#[cfg(test)]
mod tests {
    use super::super::made::{folder_of, sample_of};
    use super::*;

    #[test]
    fn a_photo_in_the_wrong_folder_is_shown_once() {
        // The third photo of the first person is somebody else's.
        let folder = folder_of(&[4, 2]);
        let sample = sample_of(&[Some(0.0), Some(5.0), Some(90.0), Some(20.0), Some(200.0), Some(230.0)]);
        let worst = each_photo_once(&least_alike(&folder, &sample));
        assert_eq!(worst.iter().map(|pair| (pair.a, pair.b)).collect::<Vec<_>>(), [(0, 2), (4, 5), (1, 3)]);
        let none = sample_of(&[None, Some(5.0), None, None, None, Some(1.0)]);
        assert!(least_alike(&folder, &none).is_empty());
    }
}
