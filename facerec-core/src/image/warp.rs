//! Affine warp with bilinear sampling, as OpenCV's `warpAffine` with `INTER_LINEAR` and a black border.

/// Where a target pixel comes from: `x = m[0] u + m[1] v + m[2]`, `y = m[3] u + m[4] v + m[5]`.
pub(super) type Affine = [f32; 6];

/// Samples tightly packed RGB `src` of `from` (width, height) at the places `inverse` gives for each target pixel.
/// Places outside the source are black.
pub(crate) fn warp_affine(src: &[u8], from: (u32, u32), inverse: Affine, to: (u32, u32)) -> Vec<u8> {
    let (width, height) = (from.0 as usize, from.1 as usize);
    let stride = width * 3;
    let mut out = vec![0u8; to.0 as usize * to.1 as usize * 3];
    for (v, row) in out.chunks_exact_mut(to.0 as usize * 3).enumerate() {
        let base = (inverse[1] * v as f32 + inverse[2], inverse[4] * v as f32 + inverse[5]);
        for (u, pixel) in row.chunks_exact_mut(3).enumerate() {
            let (x, y) = (inverse[0] * u as f32 + base.0, inverse[3] * u as f32 + base.1);
            // Also false for NaN: a degenerate transform gives black, not a panic.
            if !(x > -1.0 && y > -1.0 && x < width as f32 && y < height as f32) {
                continue;
            }
            let (x0, y0) = (x.floor(), y.floor());
            let (fx, fy) = (x - x0, y - y0);
            let (x0, y0) = (x0 as isize, y0 as isize);
            let weights = [(1.0 - fx) * (1.0 - fy), fx * (1.0 - fy), (1.0 - fx) * fy, fx * fy];
            if x0 >= 0 && y0 >= 0 && (x0 as usize) + 1 < width && (y0 as usize) + 1 < height {
                let top = &src[y0 as usize * stride + x0 as usize * 3..][..6];
                let bottom = &src[(y0 as usize + 1) * stride + x0 as usize * 3..][..6];
                for c in 0..3 {
                    let value = f32::from(top[c]) * weights[0]
                        + f32::from(top[c + 3]) * weights[1]
                        + f32::from(bottom[c]) * weights[2]
                        + f32::from(bottom[c + 3]) * weights[3];
                    pixel[c] = (value + 0.5) as u8;
                }
            } else {
                let mut sum = [0.5f32; 3];
                for (weight, (dx, dy)) in weights.into_iter().zip([(0, 0), (1, 0), (0, 1), (1, 1)]) {
                    let (x, y) = (x0 + dx, y0 + dy);
                    if x >= 0 && y >= 0 && (x as usize) < width && (y as usize) < height {
                        let at = y as usize * stride + x as usize * 3;
                        for (sum, &value) in sum.iter_mut().zip(&src[at..at + 3]) {
                            *sum += f32::from(value) * weight;
                        }
                    }
                }
                pixel.copy_from_slice(&sum.map(|value| value as u8));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_copies_and_half_a_pixel_blends() {
        let src: Vec<u8> = (0..27).map(|v| v * 9).collect();
        assert_eq!(warp_affine(&src, (3, 3), [1.0, 0.0, 0.0, 0.0, 1.0, 0.0], (3, 3)), src);
        let half = warp_affine(&src, (3, 3), [1.0, 0.0, 0.5, 0.0, 1.0, 0.0], (1, 1));
        assert_eq!(half, [14, 23, 32]); // means of 0|27, 9|36, 18|45, rounded
    }

    #[test]
    fn outside_is_black_and_nothing_panics() {
        let src = vec![200u8; 12];
        assert_eq!(warp_affine(&src, (2, 2), [1.0, 0.0, 50.0, 0.0, 1.0, 0.0], (1, 1)), [0, 0, 0]);
        assert_eq!(warp_affine(&src, (2, 2), [1.0, 0.0, -0.5, 0.0, 1.0, 0.0], (1, 1)), [100, 100, 100]);
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX] {
            assert_eq!(warp_affine(&src, (2, 2), [bad, bad, bad, bad, bad, bad], (1, 1)), [0, 0, 0]);
        }
    }
}
