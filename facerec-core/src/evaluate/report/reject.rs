//! What refusing poor photos gains.

use super::figures::{RejectPoint, Rejection};
use super::sample::{Folder, MainFace, Sample};

/// Shares refused: 0 to 50 % in steps of 1 %.
const STEPS: usize = 50;

pub(super) fn rejection(folder: &Folder, sample: &Sample, threshold: Option<f32>) -> Rejection {
    let Some(at) = threshold else { return Rejection { threshold, by_quality: Vec::new(), by_recognisability: Vec::new() } };
    let by = |value: fn(&MainFace) -> Option<f32>| {
        let measured = sample.faces.iter().flatten().any(|face| value(face).is_some());
        if measured { curve(folder, sample, at, value) } else { Vec::new() }
    };
    Rejection { threshold, by_quality: by(|face| face.quality), by_recognisability: by(|face| face.recognisability) }
}

/// The photos without a face are refused first, then those of the lowest `value`. Only people with two photos and more matter.
fn curve(folder: &Folder, sample: &Sample, threshold: f32, value: fn(&MainFace) -> Option<f32>) -> Vec<RejectPoint> {
    let people = || folder.photos_of.iter().filter(|photos| photos.len() > 1);
    let value_of = |photo: usize| sample.faces[photo].as_ref().and_then(value).unwrap_or(f32::NEG_INFINITY);
    let mut order: Vec<usize> = people().flat_map(Clone::clone).collect();
    order.sort_by(|&a, &b| value_of(a).total_cmp(&value_of(b)));
    let mut rank = vec![0; folder.photos.len()];
    order.iter().enumerate().for_each(|(place, &photo)| rank[photo] = place);
    // A pair goes with the worse of its photos.
    let (mut pairs, mut missed) = (vec![0_u64; order.len()], vec![0_u64; order.len()]);
    for photos in people() {
        for a in photos.clone() {
            for b in a + 1..photos.end {
                let worse = rank[a].min(rank[b]);
                pairs[worse] += 1;
                missed[worse] += u64::from(sample.similarity(a, b).is_none_or(|score| score < threshold));
            }
        }
    }
    let point = |step: usize| {
        let refused = order.len() * step / (2 * STEPS);
        let left: u64 = pairs[refused..].iter().sum();
        let wrong: u64 = missed[refused..].iter().sum();
        (left > 0).then(|| RejectPoint { rejected: step as f64 / (2 * STEPS) as f64, fnmr: wrong as f64 / left as f64 })
    };
    (0..=STEPS).map_while(point).collect()
}

#[cfg(test)]
mod tests {
    use super::super::made::{folder_of, sample_with};
    use super::*;

    #[test]
    fn the_worst_photos_go_first_and_their_errors_with_them() {
        // Two people of two photos. The second person's second photo is of the lowest quality and unlike the first one.
        let folder = folder_of(&[2, 2]);
        let sample = sample_with(&[(0.0, 0.9), (10.0, 0.8), (90.0, 0.7), (170.0, 0.1)]);
        let found = rejection(&folder, &sample, Some(0.5));
        let at = |share: f64| found.by_quality.iter().find(|point| (point.rejected - share).abs() < 1e-9).map(|point| point.fnmr);
        assert_eq!((at(0.0), at(0.24), at(0.25), at(0.5)), (Some(0.5), Some(0.5), Some(0.0), Some(0.0)));
        assert!(found.by_recognisability.is_empty(), "the model has no such measure");
        assert!(rejection(&folder, &sample, None).by_quality.is_empty());
    }
}
