//! Bilinear resize without antialiasing, as OpenCV's `INTER_LINEAR`: what the reference detectors were run with.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

use super::Image;
use crate::error::{Error, Result};
use crate::geometry::Rect;

impl Image {
    /// The part of the picture inside `rect`, whole pixels, as far as it lies in the picture.
    ///
    /// # Errors
    /// `invalid_argument` when no pixel of the picture lies inside.
    pub fn crop(&self, rect: &Rect) -> Result<Self> {
        let inside = rect.clamp(self.width, self.height);
        let (x, y) = (inside.x1 as u32, inside.y1 as u32);
        let (width, height) = ((inside.x2.ceil() as u32).saturating_sub(x), (inside.y2.ceil() as u32).saturating_sub(y));
        let finite = [rect.x1, rect.y1, rect.x2, rect.y2].iter().all(|edge| edge.is_finite());
        if width == 0 || height == 0 || !finite {
            let reason = format!("expected a part of the {} x {} picture, got `{rect:?}`", self.width, self.height);
            return Err(Error::argument("rect", reason));
        }
        let row = self.width as usize * 3;
        let (start, bytes) = (x as usize * 3, width as usize * 3);
        let rows = self.data.chunks_exact(row).skip(y as usize).take(height as usize);
        Ok(Self { width, height, data: rows.flat_map(|row| &row[start..start + bytes]).copied().collect() })
    }

    /// The picture made smaller, smoothly, so that no side is longer than `side` pixels; unchanged when it fits already.
    ///
    /// # Errors
    /// `internal` when the resize fails, which it does not.
    pub fn fit(self, side: u32) -> Result<Self> {
        let longest = self.width.max(self.height);
        if longest <= side.max(1) {
            return Ok(self);
        }
        let scaled = |pixels: u32| ((u64::from(pixels) * u64::from(side.max(1)) / u64::from(longest)) as u32).max(1);
        let (width, height) = (scaled(self.width), scaled(self.height));
        Ok(Self { width, height, data: resize_smooth(&self.data, (self.width, self.height), (width, height))? })
    }
}

/// Resizes tightly packed RGB `src` of `from` (width, height) to `to`, four taps per pixel whatever the scale.
///
/// # Errors
/// `internal` when a buffer does not fit its size, which the callers rule out.
pub(crate) fn resize_bilinear(src: &[u8], from: (u32, u32), to: (u32, u32)) -> Result<Vec<u8>> {
    resize(src, from, to, ResizeAlg::Interpolation(FilterType::Bilinear))
}

/// [`resize_bilinear`] of the part `left, top, width, height` (pixels of `src`, also fractions of one, inside the picture), read
/// where it lies: nothing is copied but what comes out.
///
/// # Errors
/// As [`resize_bilinear`].
pub(crate) fn resize_part(src: &[u8], from: (u32, u32), part: [f64; 4], to: (u32, u32)) -> Result<Vec<u8>> {
    let [left, top, width, height] = part;
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Interpolation(FilterType::Bilinear)).crop(left, top, width, height);
    resize_with(src, from, to, &options)
}

/// [`resize_bilinear`] with antialiasing: for pictures that people look at.
///
/// # Errors
/// As [`resize_bilinear`].
fn resize_smooth(src: &[u8], from: (u32, u32), to: (u32, u32)) -> Result<Vec<u8>> {
    resize(src, from, to, ResizeAlg::Convolution(FilterType::Bilinear))
}

fn resize(src: &[u8], from: (u32, u32), to: (u32, u32), method: ResizeAlg) -> Result<Vec<u8>> {
    if from == to {
        return Ok(src.to_vec());
    }
    resize_with(src, from, to, &ResizeOptions::new().resize_alg(method))
}

fn resize_with(src: &[u8], from: (u32, u32), to: (u32, u32), options: &ResizeOptions) -> Result<Vec<u8>> {
    let failed = |reason: String| Error::internal(format!("resize {from:?} to {to:?}: {reason}"));
    let source = TypedImageRef::<U8x3>::from_buffer(from.0, from.1, src).map_err(|e| failed(e.to_string()))?;
    let mut data = vec![0; to.0 as usize * to.1 as usize * 3];
    let mut target = TypedImage::<U8x3>::from_buffer(to.0, to.1, &mut data).map_err(|e| failed(e.to_string()))?;
    Resizer::new().resize_typed(&source, &mut target, options).map_err(|e| failed(e.to_string()))?;
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crop_stays_inside_and_a_fit_keeps_the_shape() {
        let mut image = Image::filled(40, 20, [0; 3]);
        image.data_mut()[(3 * 40 + 5) * 3] = 200;
        let part = image.crop(&Rect::new(5.0, 3.0, 7.5, 500.0)).expect("inside");
        assert_eq!((part.width(), part.height(), part.data()[0]), (3, 17, 200));
        for outside in [Rect::new(50.0, 0.0, 60.0, 10.0), Rect::new(f32::NAN, 0.0, 1.0, 1.0), Rect::new(5.0, 5.0, 5.0, 9.0)] {
            assert_eq!(image.crop(&outside).expect_err("nothing there").kind().code(), "invalid_argument");
        }
        let small = image.fit(10).expect("resized");
        assert_eq!((small.width(), small.height()), (10, 5));
    }

    #[test]
    fn a_part_is_what_the_whole_shows_there() {
        let src: Vec<u8> = (0..40 * 30 * 3).map(|i| (i * 7 % 251) as u8).collect();
        let whole = resize_bilinear(&src, (40, 30), (20, 15)).expect("fits");
        let part = resize_part(&src, (40, 30), [10.0, 4.0, 16.0, 20.0], (8, 10)).expect("inside");
        for (y, row) in part.chunks_exact(8 * 3).enumerate() {
            assert_eq!(row, &whole[((y + 2) * 20 + 5) * 3..][..8 * 3], "row {y}");
        }
        assert!(resize_part(&src, (40, 30), [30.0, 0.0, 16.0, 20.0], (8, 10)).is_err(), "outside");
    }

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
