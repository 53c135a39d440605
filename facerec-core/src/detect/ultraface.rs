//! Ultra-Light-Fast-Generic-Face-Detector RFB (Linzaer 2019): SSD priors over four feature maps, boxes only.

use super::heads::expect_len;
use crate::error::Result;
use crate::face::Detection;
use crate::geometry::{Landmarks, Rect};

/// Sides of the square priors per stride, in canvas pixels (`min_boxes` of the reference's `fd_config.py`).
const SIDES: [&[f32]; 4] = [&[10.0, 16.0, 24.0], &[32.0, 48.0], &[64.0, 96.0], &[128.0, 192.0, 256.0]];
/// Variances the offsets were trained with (`center_variance`, `size_variance`).
const CENTER: f32 = 0.1;
const SIZE: f32 = 0.2;

/// Decodes `scores` (background, face per prior) and `deltas` (centre and log-size offsets per prior).
pub(super) fn decode(scores: &[f32], deltas: &[f32], strides: &[u32], canvas: (u32, u32), threshold: f32) -> Result<Vec<Detection>> {
    let cells = |stride: u32| (canvas.0.div_ceil(stride) as usize, canvas.1.div_ceil(stride) as usize);
    let levels = || strides.iter().zip(SIDES);
    let priors: usize = levels().map(|(&stride, sides)| cells(stride).0 * cells(stride).1 * sides.len()).sum();
    let scores = expect_len(scores, priors * 2)?;
    let deltas = expect_len(deltas, priors * 4)?;
    let mut found = Vec::new();
    let mut index = 0;
    for (&stride, sides) in levels() {
        let (columns, rows) = cells(stride);
        for cell in 0..columns * rows {
            for &side in sides {
                let score = scores[index * 2 + 1];
                if score >= threshold {
                    let center = |n: usize| (n as f32 + 0.5) * stride as f32;
                    let d = &deltas[index * 4..index * 4 + 4];
                    let (cx, cy) = (center(cell % columns) + d[0] * CENTER * side, center(cell / columns) + d[1] * CENTER * side);
                    let (w, h) = ((d[2] * SIZE).exp() * side / 2.0, (d[3] * SIZE).exp() * side / 2.0);
                    found.push(Detection { rect: Rect::new(cx - w, cy - h, cx + w, cy + h), score, landmarks: Landmarks::default() });
                }
                index += 1;
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_prior_is_the_largest_of_the_last_cell() {
        let strides = [8, 16, 32, 64];
        let priors = 8 * 8 * 3 + 4 * 4 * 2 + 2 * 2 * 2 + 3;
        let mut scores = vec![0.0; priors * 2];
        scores[priors * 2 - 1] = 0.9;
        let found = decode(&scores, &vec![0.0; priors * 4], &strides, (64, 64), 0.5).expect("sizes fit");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].rect, Rect::new(32.0 - 128.0, 32.0 - 128.0, 32.0 + 128.0, 32.0 + 128.0));
        assert!(decode(&scores, &[0.0; 4], &strides, (64, 64), 0.5).is_err());
    }
}
