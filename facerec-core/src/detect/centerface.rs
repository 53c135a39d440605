//! CenterFace (Xu et al. 2019, "CenterFace: Joint Face Detection and Alignment Using Face as Point"; decoding as in its `centerface.py`):
//! one heat map of the centres of faces, and at each of its cells the log size of the box, the centre's place within the cell, and
//! five landmarks in parts of the box.

use crate::face::Detection;
use crate::geometry::{Landmarks, Point, Rect};

/// The network's maps for one picture, each row by row, one channel after the other.
pub(super) struct Maps<'a> {
    /// Canvas pixels per cell.
    pub(super) stride: f32,
    pub(super) columns: usize,
    /// One channel: how surely a face's centre lies in the cell, `0..=1`.
    pub(super) scores: &'a [f32],
    /// Two channels: logarithm of height and width, in strides.
    pub(super) boxes: &'a [f32],
    /// Two channels: the centre's place, down and right of the cell's middle, in strides.
    pub(super) offsets: &'a [f32],
    /// Ten channels: down and right from the box's corner, in parts of its height and width, per landmark.
    pub(super) landmarks: &'a [f32],
}

pub(super) fn decode(maps: &Maps<'_>, threshold: f32) -> Vec<Detection> {
    let cells = maps.scores.len();
    let at = |map: &[f32], channel: usize, cell: usize| map[channel * cells + cell];
    let mut found = Vec::new();
    for (cell, &score) in maps.scores.iter().enumerate() {
        if score.is_nan() || score < threshold {
            continue;
        }
        let (column, row) = ((cell % maps.columns) as f32, (cell / maps.columns) as f32);
        let height = at(maps.boxes, 0, cell).exp() * maps.stride;
        let width = at(maps.boxes, 1, cell).exp() * maps.stride;
        let left = (column + at(maps.offsets, 1, cell) + 0.5) * maps.stride - width / 2.0;
        let top = (row + at(maps.offsets, 0, cell) + 0.5) * maps.stride - height / 2.0;
        let landmark = |index: usize| {
            let (down, right) = (at(maps.landmarks, 2 * index, cell), at(maps.landmarks, 2 * index + 1, cell));
            Point::new(left + right * width, top + down * height)
        };
        let landmarks = Landmarks([0, 1, 2, 3, 4].map(landmark));
        found.push(Detection { rect: Rect::new(left, top, left + width, top + height), score, landmarks });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_logarithms_and_landmarks_parts_of_the_box() {
        // Three columns and two rows; the face is in the last cell but one.
        let mut scores = [0.1; 6];
        scores[4] = 0.9;
        let (mut boxes, mut offsets, mut landmarks) = ([0.0; 12], [0.0; 12], [0.0; 60]);
        (boxes[4], boxes[6 + 4]) = (3_f32.ln(), 2_f32.ln());
        (offsets[4], offsets[6 + 4]) = (0.25, -0.5);
        (landmarks[4 * 6 + 4], landmarks[5 * 6 + 4]) = (0.5, 1.0);
        let maps = Maps { stride: 4.0, columns: 3, scores: &scores, boxes: &boxes, offsets: &offsets, landmarks: &landmarks };
        let found = decode(&maps, 0.5);
        assert_eq!(found.len(), 1);
        let rect = found[0].rect;
        let expected = [0.0, 1.0, 8.0, 13.0];
        assert!([rect.x1, rect.y1, rect.x2, rect.y2].iter().zip(expected).all(|(have, want)| (have - want).abs() < 1e-4), "{rect:?}");
        let [first, _, nose, ..] = found[0].landmarks.0;
        assert!((first.x - rect.x1).abs() < 1e-4 && (first.y - rect.y1).abs() < 1e-4);
        assert!((nose.x - 8.0).abs() < 1e-4 && (nose.y - 7.0).abs() < 1e-4, "{nose:?}");
    }
}
