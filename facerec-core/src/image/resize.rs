//! Bilinear resize without antialiasing, as OpenCV's `INTER_LINEAR`: what the reference detectors were run with.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

use crate::error::{Error, Result};

/// Resizes tightly packed RGB `src` of `from` (width, height) to `to`, four taps per pixel whatever the scale.
///
/// # Errors
/// `internal` when a buffer does not fit its size, which the callers rule out.
pub(crate) fn resize_bilinear(src: &[u8], from: (u32, u32), to: (u32, u32)) -> Result<Vec<u8>> {
    if from == to {
        return Ok(src.to_vec());
    }
    let failed = |reason: String| Error::internal(format!("resize {from:?} to {to:?}: {reason}"));
    let source = TypedImageRef::<U8x3>::from_buffer(from.0, from.1, src).map_err(|e| failed(e.to_string()))?;
    let mut data = vec![0; to.0 as usize * to.1 as usize * 3];
    let mut target = TypedImage::<U8x3>::from_buffer(to.0, to.1, &mut data).map_err(|e| failed(e.to_string()))?;
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Interpolation(FilterType::Bilinear));
    Resizer::new().resize_typed(&source, &mut target, &options).map_err(|e| failed(e.to_string()))?;
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halving_takes_the_four_middle_pixels() {
        // 4x1 to 2x1: OpenCV samples at 0.5 and 2.5, the means of neighbours.
        let src = [0, 0, 0, 100, 100, 100, 200, 200, 200, 100, 0, 50];
        let out = resize_bilinear(&src, (4, 1), (2, 1)).expect("fits");
        for (got, want) in out.iter().zip([50, 50, 50, 150, 100, 125]) {
            assert!(got.abs_diff(want) <= 1, "{out:?}");
        }
    }
}
