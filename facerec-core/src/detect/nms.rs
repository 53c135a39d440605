//! Greedy non-maximum suppression.

use crate::face::Detection;

/// Share of a box that may lie inside a better one. No face shows inside another; on faces that fill the picture the
/// networks also report the mouth and chin as a small face of their own.
const INSIDE: f32 = 0.9;

/// Sorts by score, best first, and drops every box that overlaps a better one by more than `iou` or lies inside one.
/// Candidates with coordinates that are not finite are dropped too.
pub(super) fn suppress(faces: &mut Vec<Detection>, iou: f32) {
    keep_best(faces, |better, face| better.rect.iou(&face.rect) <= iou && better.rect.intersection(&face.rect) < INSIDE * face.rect.area());
}

/// [`suppress`] for guesses, of which a better one may be wrong: what lies inside it is kept.
pub(super) fn merge(guesses: &mut Vec<Detection>, iou: f32) {
    keep_best(guesses, |better, guess| better.rect.iou(&guess.rect) <= iou);
}

fn keep_best(faces: &mut Vec<Detection>, apart: impl Fn(&Detection, &Detection) -> bool) {
    faces.retain(|face| face.rect.area().is_normal() && face.score.is_finite());
    faces.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut kept: Vec<Detection> = Vec::with_capacity(faces.len().min(64));
    for face in faces.drain(..) {
        if kept.iter().all(|better| apart(better, &face)) {
            kept.push(face);
        }
    }
    *faces = kept;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Landmarks, Rect};

    #[test]
    fn the_best_of_overlapping_boxes_stays() {
        let face = |x: f32, score: f32| Detection { rect: Rect::new(x, 0.0, x + 10.0, 10.0), score, landmarks: Landmarks::default() };
        let mut faces = vec![face(0.0, 0.7), face(1.0, 0.9), face(30.0, 0.6), face(f32::NAN, 1.0)];
        suppress(&mut faces, 0.4);
        assert_eq!(faces.iter().map(|f| f.score).collect::<Vec<_>>(), [0.9, 0.6]);
        let mouth = Detection { rect: Rect::new(3.0, 5.0, 7.0, 10.0), score: 0.8, landmarks: Landmarks::default() };
        let mut faces = vec![face(0.0, 0.9), mouth];
        let mut guesses = faces.clone();
        suppress(&mut faces, 0.4);
        assert_eq!(faces.len(), 1, "a box inside a better one is no face of its own");
        merge(&mut guesses, 0.4);
        assert_eq!(guesses.len(), 2, "but it may be the better guess");
    }
}
