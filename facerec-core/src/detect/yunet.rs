//! YuNet (Wu et al. 2023; decoding as in OpenCV's `FaceDetectorYN`): score is the root of class times objectness,
//! boxes are centre offsets and log sizes, landmarks offsets from the cell, in strides.

use super::heads::Level;
use super::scrfd::offsets;
use crate::face::Detection;
use crate::geometry::Rect;

pub(super) fn decode(level: &Level<'_>, threshold: f32, found: &mut Vec<Detection>) {
    let stride = level.stride as f32;
    for (index, (&class, &object)) in level.scores.iter().zip(level.objectness).enumerate() {
        let score = (class.clamp(0.0, 1.0) * object.clamp(0.0, 1.0)).sqrt();
        if score.is_nan() || score < threshold {
            continue;
        }
        let (column, row) = ((index % level.columns) as f32, (index / level.columns) as f32);
        let b = &level.boxes[index * 4..index * 4 + 4];
        let (cx, cy) = ((column + b[0]) * stride, (row + b[1]) * stride);
        let (w, h) = (b[2].exp() * stride / 2.0, b[3].exp() * stride / 2.0);
        let landmarks = offsets(level.landmarks, index, |dx, dy| ((column + dx) * stride, (row + dy) * stride));
        found.push(Detection { rect: Rect::new(cx - w, cy - h, cx + w, cy + h), score, landmarks });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Point;

    #[test]
    fn boxes_are_centred_in_the_cell() {
        let boxes = [0.0, 0.0, 0.0, 0.0, 0.5, 0.5, 0.0, 2f32.ln()];
        let landmarks = [0.25; 20];
        let level = Level { stride: 8, columns: 1, scores: &[0.1, 0.9], objectness: &[0.9, 0.4], boxes: &boxes, landmarks: &landmarks };
        let mut found = Vec::new();
        decode(&level, 0.5, &mut found);
        assert_eq!(found.len(), 1);
        assert!((found[0].score - 0.6).abs() < 1e-6);
        assert_eq!(found[0].rect, Rect::new(0.0, 4.0, 8.0, 20.0));
        assert_eq!(found[0].landmarks.0[4], Point::new(2.0, 10.0));
    }
}
