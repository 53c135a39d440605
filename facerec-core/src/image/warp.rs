//! Affine warp with bilinear sampling, as OpenCV's `warpAffine` with `INTER_LINEAR` and a black border.

/// Where a target pixel comes from: `x = m[0] u + m[1] v + m[2]`, `y = m[3] u + m[4] v + m[5]`.
pub(super) type Affine = [f32; 6];

/// Source coordinates have 16 fractional bits; the upper 11 of them weigh the four neighbours.
const FRACTION: u32 = 16;
const WEIGHT: u32 = 11;

/// Samples tightly packed RGB `src` of `from` (width, height) at the places `inverse` gives for each target pixel.
/// Places outside the source are black. In whole numbers, which is twice as fast as in floats here.
pub(crate) fn warp_affine(src: &[u8], from: (u32, u32), inverse: Affine, to: (u32, u32)) -> Vec<u8> {
    let (width, height) = (i64::from(from.0), i64::from(from.1));
    let stride = from.0 as usize * 3;
    let mut out = vec![0u8; to.0 as usize * to.1 as usize * 3];
    // A transform that leaves every picture by a wide margin, or is no number, shows nothing.
    if !inverse.iter().all(|v| v.abs() < 1e7) {
        return out;
    }
    let m = inverse.map(|v| (f64::from(v) * f64::from(1u32 << FRACTION)).round() as i64);
    for (v, row) in (0i64..).zip(out.chunks_exact_mut(to.0 as usize * 3)) {
        let base = (m[1] * v + m[2], m[4] * v + m[5]);
        for (u, pixel) in (0i64..).zip(row.chunks_exact_mut(3)) {
            let (x, y) = (m[0] * u + base.0, m[3] * u + base.1);
            let (x0, y0) = (x >> FRACTION, y >> FRACTION);
            if x0 < -1 || y0 < -1 || x0 >= width || y0 >= height {
                continue;
            }
            let weight = |v: i64| ((v >> (FRACTION - WEIGHT)) & ((1 << WEIGHT) - 1)) as u32;
            let (fx, fy) = (weight(x), weight(y));
            let (gx, gy) = ((1 << WEIGHT) - fx, (1 << WEIGHT) - fy);
            let weights = [gx * gy, fx * gy, gx * fy, fx * fy];
            if x0 >= 0 && y0 >= 0 && x0 + 1 < width && y0 + 1 < height {
                let at = y0 as usize * stride + x0 as usize * 3;
                let (top, bottom) = (&src[at..at + 6], &src[at + stride..at + stride + 6]);
                for c in 0..3 {
                    pixel[c] = level(
                        u32::from(top[c]) * weights[0]
                            + u32::from(top[c + 3]) * weights[1]
                            + u32::from(bottom[c]) * weights[2]
                            + u32::from(bottom[c + 3]) * weights[3],
                    );
                }
            } else {
                let mut sum = [0; 3];
                for (weight, (dx, dy)) in weights.into_iter().zip([(0, 0), (1, 0), (0, 1), (1, 1)]) {
                    let (x, y) = (x0 + dx, y0 + dy);
                    if x >= 0 && y >= 0 && x < width && y < height {
                        let at = y as usize * stride + x as usize * 3;
                        for (sum, &value) in sum.iter_mut().zip(&src[at..at + 3]) {
                            *sum += u32::from(value) * weight;
                        }
                    }
                }
                pixel.copy_from_slice(&sum.map(level));
            }
        }
    }
    out
}

/// A weighted sum of 8-bit levels, rounded. The weights add up to 2^22, so the sum fits and the result is at most 255.
fn level(sum: u32) -> u8 {
    ((sum + (1 << (2 * WEIGHT - 1))) >> (2 * WEIGHT)) as u8
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
