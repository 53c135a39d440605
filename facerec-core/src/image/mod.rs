//! Pictures in memory: an owned RGB [`Image`], a borrowed [`ImageView`] of a caller's pixels, and how to read, resize and draw on them.

mod decode;
mod draw;
mod encode;
mod format;
mod resize;
mod samples;
mod turn;
mod warp;

use std::borrow::Cow;

pub use decode::DecodeLimits;
pub use draw::{Annotation, Tone, annotate};
#[cfg(feature = "video")]
pub(crate) use draw::{Namesakes, annotate_among};
#[cfg(feature = "charts")]
pub(crate) use encode::write_whole;
pub(crate) use resize::{resize_bilinear, resize_part};
pub use samples::Samples;
pub(crate) use turn::{Turn, rearranged};
pub(crate) use warp::warp_affine;

use crate::error::{Error, Result};

/// Width and height of the small grey pictures by which scene cuts are found.
pub const THUMBNAIL: (u32, u32) = (64, 36);

/// The order and number of 8-bit channels of a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PixelFormat {
    /// Red, green, blue.
    Rgb8,
    /// Blue, green, red (OpenCV's order).
    Bgr8,
    /// Red, green, blue, alpha (a browser canvas). Alpha is ignored.
    Rgba8,
    /// One grey channel.
    Gray8,
}

impl PixelFormat {
    /// Bytes in a pixel.
    pub fn channels(self) -> usize {
        match self {
            Self::Rgb8 | Self::Bgr8 => 3,
            Self::Rgba8 => 4,
            Self::Gray8 => 1,
        }
    }
}

/// An owned 8-bit RGB picture, rows tightly packed, upright.
#[derive(Clone, PartialEq, Eq)]
pub struct Image {
    width: u32,
    height: u32,
    data: Vec<u8>,
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Image({}x{})", self.width, self.height)
    }
}

impl Image {
    /// Takes `data` as `width` x `height` RGB pixels, rows from the top.
    ///
    /// # Errors
    /// `invalid_argument` for a side of zero, `dimension_mismatch` when `data` is not `width * height * 3` bytes.
    pub fn from_rgb(width: u32, height: u32, data: Vec<u8>) -> Result<Self> {
        ImageView::new(&data, width, height, PixelFormat::Rgb8)?;
        let expected = width as usize * height as usize * 3;
        if data.len() != expected {
            return Err(Error::DimensionMismatch { what: "RGB image in bytes", expected, actual: data.len() });
        }
        Ok(Self { width, height, data })
    }

    /// A picture of one colour. Sides of zero become one.
    pub fn filled(width: u32, height: u32, rgb: [u8; 3]) -> Self {
        let (width, height) = (width.max(1), height.max(1));
        Self { width, height, data: rgb.repeat(width as usize * height as usize) }
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The pixels: `height` rows of `width` RGB triples.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The pixels, to change in place.
    pub fn data_mut(&mut self) -> &mut [u8] {
        &mut self.data
    }

    /// The pixels, taken out.
    pub fn into_data(self) -> Vec<u8> {
        self.data
    }

    /// A borrowed view of the whole picture.
    pub fn view(&self) -> ImageView<'_> {
        ImageView { data: &self.data, width: self.width, height: self.height, stride: self.width as usize * 3, format: PixelFormat::Rgb8 }
    }
}

impl<'a> From<&'a Image> for ImageView<'a> {
    fn from(image: &'a Image) -> Self {
        image.view()
    }
}

impl From<image::RgbImage> for Image {
    /// Takes the pixels of the `image` crate's picture without copying. An empty picture becomes one black pixel.
    fn from(image: image::RgbImage) -> Self {
        let (width, height) = image.dimensions();
        if width == 0 || height == 0 {
            return Self::filled(1, 1, [0; 3]);
        }
        Self { width, height, data: image.into_raw() }
    }
}

/// A caller's pixels, borrowed: any [`PixelFormat`], any row stride.
#[derive(Clone, Copy)]
pub struct ImageView<'a> {
    data: &'a [u8],
    width: u32,
    height: u32,
    stride: usize,
    format: PixelFormat,
}

impl std::fmt::Debug for ImageView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ImageView({}x{} {:?})", self.width, self.height, self.format)
    }
}

impl<'a> ImageView<'a> {
    /// A view of tightly packed rows.
    ///
    /// # Errors
    /// As [`ImageView::with_stride`].
    pub fn new(data: &'a [u8], width: u32, height: u32, format: PixelFormat) -> Result<Self> {
        Self::with_stride(data, width, height, width as usize * format.channels(), format)
    }

    /// A view of rows that start `stride` bytes apart.
    ///
    /// # Errors
    /// `invalid_argument` for a side of zero or a stride shorter than a row, `dimension_mismatch` when `data` is too short.
    pub fn with_stride(data: &'a [u8], width: u32, height: u32, stride: usize, format: PixelFormat) -> Result<Self> {
        if width == 0 || height == 0 {
            return Err(Error::argument("image", format!("expected sides of at least 1 pixel, got `{width}x{height}`")));
        }
        let row = (width as usize).checked_mul(format.channels());
        let Some(row) = row.filter(|&row| row <= stride) else {
            return Err(Error::argument("stride", format!("expected at least {width} x {} bytes, got `{stride}`", format.channels())));
        };
        let expected = stride.checked_mul(height as usize - 1).and_then(|bytes| bytes.checked_add(row));
        match expected {
            Some(expected) if data.len() >= expected => Ok(Self { data, width, height, stride, format }),
            _ => Err(Error::DimensionMismatch { what: "image in bytes", expected: expected.unwrap_or(usize::MAX), actual: data.len() }),
        }
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Bytes from the start of a row to the start of the next.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// The channel order.
    pub fn format(&self) -> PixelFormat {
        self.format
    }

    /// The pixels of row `y`, without padding. `None` below the last row.
    pub fn row(&self, y: u32) -> Option<&'a [u8]> {
        let start = self.stride.checked_mul(y as usize)?;
        let bytes = self.width as usize * self.format.channels();
        (y < self.height).then(|| &self.data[start..start + bytes])
    }

    /// The same picture as tightly packed RGB: borrowed when it is that already, converted otherwise.
    pub fn to_rgb(&self) -> Cow<'a, [u8]> {
        let row_bytes = self.width as usize * 3;
        if self.format == PixelFormat::Rgb8 && self.stride == row_bytes {
            return Cow::Borrowed(&self.data[..row_bytes * self.height as usize]);
        }
        let mut rgb = Vec::with_capacity(row_bytes * self.height as usize);
        for y in 0..self.height {
            let row = self.row(y).unwrap_or_default();
            match self.format {
                PixelFormat::Rgb8 => rgb.extend_from_slice(row),
                PixelFormat::Bgr8 => rgb.extend(row.chunks_exact(3).flat_map(|p| [p[2], p[1], p[0]])),
                PixelFormat::Rgba8 => rgb.extend(row.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]])),
                PixelFormat::Gray8 => rgb.extend(row.iter().flat_map(|&v| [v, v, v])),
            }
        }
        Cow::Owned(rgb)
    }

    /// An owned RGB copy.
    pub fn to_image(&self) -> Image {
        Image { width: self.width, height: self.height, data: self.to_rgb().into_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_convert_every_format_to_the_same_rgb() {
        let rgb = [10, 20, 30, 40, 50, 60];
        let padded = [10, 20, 30, 0, 40, 50, 60, 0];
        let bgr = [30, 20, 10, 60, 50, 40];
        let rgba = [10, 20, 30, 255, 40, 50, 60, 0];
        let of = |data, stride, format| ImageView::with_stride(data, 1, 2, stride, format).expect("fits").to_rgb().into_owned();
        assert_eq!(of(&rgb, 3, PixelFormat::Rgb8), rgb);
        assert_eq!(of(&padded, 4, PixelFormat::Rgb8), rgb);
        assert_eq!(of(&bgr, 3, PixelFormat::Bgr8), rgb);
        assert_eq!(of(&rgba, 4, PixelFormat::Rgba8), rgb);
        assert_eq!(of(&[7, 8], 1, PixelFormat::Gray8), [7, 7, 7, 8, 8, 8]);
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        let code = |r: Result<ImageView<'_>>| r.expect_err("refused").kind().code();
        assert_eq!(code(ImageView::new(&[0; 12], 0, 2, PixelFormat::Rgb8)), "invalid_argument");
        assert_eq!(code(ImageView::new(&[0; 11], 2, 2, PixelFormat::Rgb8)), "dimension_mismatch");
        assert_eq!(code(ImageView::with_stride(&[0; 12], 2, 2, 5, PixelFormat::Rgb8)), "invalid_argument");
        assert_eq!(code(ImageView::new(&[0; 12], u32::MAX, u32::MAX, PixelFormat::Rgba8)), "dimension_mismatch");
        assert!(Image::from_rgb(2, 2, vec![0; 13]).is_err());
    }
}
