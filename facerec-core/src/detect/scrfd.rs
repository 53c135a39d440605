//! SCRFD and the RetinaFace family of InsightFace (Guo et al. 2021; decoding as in insightface `retinaface.py`):
//! per anchor a score, the distances from the anchor's centre to the four edges, and landmark offsets, in strides.

use super::heads::Level;
use crate::face::Detection;
use crate::geometry::{Landmarks, Point, Rect};

pub(super) fn decode(level: &Level<'_>, anchors: usize, threshold: f32, found: &mut Vec<Detection>) {
    let stride = level.stride as f32;
    for (index, &score) in level.scores.iter().enumerate() {
        if score < threshold {
            continue;
        }
        let cell = index / anchors;
        let (x, y) = ((cell % level.columns) as f32 * stride, (cell / level.columns) as f32 * stride);
        let d = &level.boxes[index * 4..index * 4 + 4];
        let rect = Rect::new(x - d[0] * stride, y - d[1] * stride, x + d[2] * stride, y + d[3] * stride);
        found.push(Detection { rect, score, landmarks: offsets(level.landmarks, index, |dx, dy| (x + dx * stride, y + dy * stride)) });
    }
}

/// The five points of row `index`, each made from its two numbers by `place`; all zero when the network gives none.
pub(super) fn offsets(data: &[f32], index: usize, place: impl Fn(f32, f32) -> (f32, f32)) -> Landmarks {
    let mut landmarks = Landmarks::default();
    if let Some(row) = data.get(index * 10..index * 10 + 10) {
        for (point, offset) in landmarks.0.iter_mut().zip(row.chunks_exact(2)) {
            let (x, y) = place(offset[0], offset[1]);
            *point = Point::new(x, y);
        }
    }
    landmarks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_measured_from_the_cell() {
        // Two columns, one row, two anchors: the fourth anchor is the second of cell (1, 0).
        let mut boxes = [0.0; 16];
        boxes[12..].copy_from_slice(&[1.0, 0.5, 2.0, 1.5]);
        let mut landmarks = [0.0; 40];
        landmarks[30] = -0.5;
        let level = Level { stride: 8, columns: 2, scores: &[0.1, 0.2, 0.3, 0.9], objectness: &[], boxes: &boxes, landmarks: &landmarks };
        let mut found = Vec::new();
        decode(&level, 2, 0.5, &mut found);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].rect, Rect::new(0.0, -4.0, 24.0, 12.0));
        assert_eq!(found[0].landmarks.0[0], Point::new(4.0, 0.0));
    }
}
