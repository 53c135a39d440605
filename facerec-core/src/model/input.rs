//! From RGB pixels to a model's input tensor.

use super::manifest::{Channels, InputSpec, Layout};
use crate::error::{Error, Result};

impl InputSpec {
    /// Channels of the input tensor: 3, or 1 for grey.
    pub fn channel_count(&self) -> usize {
        if self.channels == Channels::Gray { 1 } else { 3 }
    }

    /// Shape of a tensor of `batch` pictures of `width` x `height`.
    pub fn shape(&self, batch: usize, width: u32, height: u32) -> [usize; 4] {
        let (c, w, h) = (self.channel_count(), width as usize, height as usize);
        match self.layout {
            Layout::Nchw => [batch, c, h, w],
            Layout::Nhwc => [batch, h, w, c],
        }
    }

    /// Writes one picture of tightly packed RGB `rgb` (`size` = width, height) to the top left of a canvas of `canvas`
    /// pixels as `(pixel - mean) * scale`; the rest of the canvas is a black picture, prepared the same way.
    ///
    /// # Errors
    /// `dimension_mismatch` when `rgb` or `out` does not have the size asked for.
    pub fn fill(&self, rgb: &[u8], size: (u32, u32), canvas: (u32, u32), out: &mut [f32]) -> Result<()> {
        let (width, height) = (size.0 as usize, size.1 as usize);
        let (canvas_w, canvas_h) = (canvas.0 as usize, canvas.1 as usize);
        check("pixels in bytes", width * height * 3, rgb.len())?;
        check("input tensor", canvas_w * canvas_h * self.channel_count(), out.len())?;
        if width > canvas_w || height > canvas_h {
            return Err(Error::internal(format!("a picture of {size:?} does not fit a canvas of {canvas:?}")));
        }
        // (pixel - mean) * scale as pixel * scale + offset.
        let offset: [f32; 3] = std::array::from_fn(|c| -self.mean[c] * self.scale[c]);
        let source = match self.channels {
            Channels::Bgr => [2, 1, 0],
            _ => [0, 1, 2],
        };
        match (self.layout, self.channels) {
            (_, Channels::Gray) => {
                out.fill(offset[0]);
                for (row, to) in rgb.chunks_exact(width * 3).zip(out.chunks_exact_mut(canvas_w)) {
                    for (p, to) in row.chunks_exact(3).zip(to) {
                        *to = luma(p) * self.scale[0] + offset[0];
                    }
                }
            }
            (Layout::Nchw, _) => {
                for (c, plane) in out.chunks_exact_mut(canvas_w * canvas_h).enumerate() {
                    let (scale, offset, from) = (self.scale[c], offset[c], source[c]);
                    for (row, to) in rgb.chunks_exact(width * 3).zip(plane.chunks_exact_mut(canvas_w)) {
                        let (to, padding) = to.split_at_mut(width);
                        for (p, to) in row.chunks_exact(3).zip(to) {
                            *to = f32::from(p[from]) * scale + offset;
                        }
                        padding.fill(offset);
                    }
                    plane[height * canvas_w..].fill(offset);
                }
            }
            (Layout::Nhwc, _) => {
                for pixel in out.chunks_exact_mut(3) {
                    pixel.copy_from_slice(&offset);
                }
                for (row, to) in rgb.chunks_exact(width * 3).zip(out.chunks_exact_mut(canvas_w * 3)) {
                    for (p, to) in row.chunks_exact(3).zip(to.chunks_exact_mut(3)) {
                        for c in 0..3 {
                            to[c] = f32::from(p[source[c]]) * self.scale[c] + offset[c];
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Turns the tensor of one picture of `size` (width, height) that [`InputSpec::fill`] wrote into that of its mirror image.
    pub(crate) fn mirror(&self, (width, _): (u32, u32), tensor: &mut [f32]) {
        let (width, channels) = (width as usize, self.channel_count());
        match self.layout {
            Layout::Nchw => tensor.chunks_exact_mut(width).for_each(<[f32]>::reverse),
            Layout::Nhwc => {
                for row in tensor.chunks_exact_mut(width * channels) {
                    row.reverse();
                    row.chunks_exact_mut(channels).for_each(<[f32]>::reverse);
                }
            }
        }
    }
}

/// ITU-R BT.601 luma, rounded to a whole level as OpenCV's `COLOR_RGB2GRAY` does; `0..=255`.
pub(crate) fn luma(rgb: &[u8]) -> f32 {
    (0.299 * f32::from(rgb[0]) + 0.587 * f32::from(rgb[1]) + 0.114 * f32::from(rgb[2])).round()
}

fn check(what: &'static str, expected: usize, actual: usize) -> Result<()> {
    if expected == actual { Ok(()) } else { Err(Error::DimensionMismatch { what, expected, actual }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(channels: Channels, layout: Layout) -> InputSpec {
        InputSpec { size: [2, 1], dynamic: true, batch: 0, channels, layout, mean: [10.0, 20.0, 30.0], scale: [0.5; 3] }
    }

    #[test]
    fn every_order_and_layout() {
        let rgb = [12, 22, 32]; // one pixel on a canvas of two: (2, 2, 2) * 0.5 after RGB means
        let filled = |channels, layout, n: usize| {
            let mut out = vec![9.0; n];
            spec(channels, layout).fill(&rgb, (1, 1), (2, 1), &mut out).expect("fits");
            out
        };
        assert_eq!(filled(Channels::Rgb, Layout::Nchw, 6), [1.0, -5.0, 1.0, -10.0, 1.0, -15.0]);
        assert_eq!(filled(Channels::Rgb, Layout::Nhwc, 6), [1.0, 1.0, 1.0, -5.0, -10.0, -15.0]);
        assert_eq!(filled(Channels::Bgr, Layout::Nchw, 6), [11.0, -5.0, 1.0, -10.0, -9.0, -15.0]);
        assert_eq!(filled(Channels::Gray, Layout::Nchw, 2), [(20.0 - 10.0) * 0.5, -5.0]);
    }

    #[test]
    fn a_mirrored_tensor_is_that_of_the_mirrored_picture() {
        let (rgb, mirrored) = ([12, 22, 32, 14, 24, 34], [14, 24, 34, 12, 22, 32]);
        for (channels, layout) in [(Channels::Rgb, Layout::Nchw), (Channels::Rgb, Layout::Nhwc), (Channels::Gray, Layout::Nhwc)] {
            let spec = spec(channels, layout);
            let filled = |rgb: &[u8]| {
                let mut out = vec![0.0; 2 * spec.channel_count()];
                spec.fill(rgb, (2, 1), (2, 1), &mut out).expect("fits");
                out
            };
            let mut turned = filled(&rgb);
            spec.mirror((2, 1), &mut turned);
            assert_ne!(turned, filled(&rgb));
            assert_eq!(turned, filled(&mirrored));
        }
    }

    #[test]
    fn wrong_sizes_are_errors() {
        let spec = spec(Channels::Rgb, Layout::Nchw);
        assert!(spec.fill(&[0; 3], (2, 1), (2, 1), &mut [0.0; 6]).is_err());
        assert!(spec.fill(&[0; 3], (1, 1), (2, 1), &mut [0.0; 5]).is_err());
        assert!(spec.fill(&[0; 9], (3, 1), (2, 1), &mut [0.0; 6]).is_err());
    }
}
