//! A frame of a video: its place in time, and its pixels when somebody asks for them.

use std::time::Duration;

#[cfg(feature = "video")]
use super::pixels::Decoded;
use crate::error::Result;
use crate::image::{Image, THUMBNAIL};

/// A frame. Decoded pixels are converted to RGB only by [`Frame::to_image`], so a frame that nobody looks at costs nothing.
#[derive(Debug)]
pub struct Frame {
    index: u64,
    time: Duration,
    pixels: Pixels,
}

#[derive(Debug)]
enum Pixels {
    Rgb(Image),
    #[cfg(feature = "video")]
    Decoded(Decoded),
}

impl Frame {
    /// A frame of one's own: its number from 0, its presentation time, and its upright picture.
    pub fn from_image(index: u64, time: Duration, image: Image) -> Self {
        Self { index, time, pixels: Pixels::Rgb(image) }
    }

    #[cfg(feature = "video")]
    pub(super) fn decoded(index: u64, time: Duration, decoded: Decoded) -> Self {
        Self { index, time, pixels: Pixels::Decoded(decoded) }
    }

    /// Its memory, in bytes.
    #[cfg(feature = "video")]
    pub(super) fn bytes(&self) -> usize {
        match &self.pixels {
            Pixels::Rgb(image) => image.data().len(),
            Pixels::Decoded(decoded) => decoded.bytes(),
        }
    }

    /// Its number, from 0 in the order of presentation.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Its presentation time on the container's clock, as a player shows it: the first frame of a file whose sound starts three
    /// seconds earlier is at 3 s. Containers whose time stamps start anywhere (MPEG-TS) start at zero with their first stream;
    /// a live source does with its first frame, and goes on as the world does where its own clock jumps.
    pub fn time(&self) -> Duration {
        self.time
    }

    /// Width and height of the upright picture, in square pixels.
    pub fn size(&self) -> (u32, u32) {
        match &self.pixels {
            Pixels::Rgb(image) => (image.width(), image.height()),
            #[cfg(feature = "video")]
            Pixels::Decoded(decoded) => decoded.size(),
        }
    }

    /// The upright picture in RGB.
    ///
    /// # Errors
    /// `decode_video` when FFmpeg cannot convert its pixel format.
    pub fn to_image(&self) -> Result<Image> {
        match &self.pixels {
            Pixels::Rgb(image) => Ok(image.clone()),
            #[cfg(feature = "video")]
            Pixels::Decoded(decoded) => decoded.to_image(),
        }
    }

    /// A small grey picture of [`THUMBNAIL`](crate::image::THUMBNAIL) pixels, row by row, for [`CutDetector`](crate::track::CutDetector). The picture as it
    /// is stored: neither a turn nor the shape of pixels matters for that.
    ///
    /// # Errors
    /// As [`Frame::to_image`].
    pub fn thumbnail(&self) -> Result<Vec<u8>> {
        match &self.pixels {
            Pixels::Rgb(image) => {
                let row = image.width() as usize * 3;
                let luma = |x: usize, y: usize| {
                    let p = &image.data()[y * row + x * 3..];
                    (u32::from(p[0]) * 77 + u32::from(p[1]) * 150 + u32::from(p[2]) * 29) >> 8
                };
                Ok(shrink(image.width() as usize, image.height() as usize, luma))
            }
            #[cfg(feature = "video")]
            Pixels::Decoded(decoded) => decoded.thumbnail(),
        }
    }
}

/// Samples in each direction of a thumbnail's cell: enough to average out noise, at no cost for large frames.
const SAMPLES: usize = 4;

/// A thumbnail of a picture of `width` x `height` pixels whose luma is `at(x, y)`.
pub(super) fn shrink(width: usize, height: usize, at: impl Fn(usize, usize) -> u32) -> Vec<u8> {
    let (columns, rows) = (THUMBNAIL.0 as usize, THUMBNAIL.1 as usize);
    // The middles of SAMPLES equal parts of each cell.
    let places = |cells: usize, length: usize| -> Vec<usize> {
        (0..cells * SAMPLES).map(|i| ((2 * i + 1) * length / (2 * cells * SAMPLES)).min(length.saturating_sub(1))).collect()
    };
    let (xs, ys) = (places(columns, width), places(rows, height));
    let mut small = Vec::with_capacity(columns * rows);
    for ys in ys.chunks(SAMPLES) {
        for xs in xs.chunks(SAMPLES) {
            let sum: u32 = ys.iter().flat_map(|&y| xs.iter().map(move |&x| (x, y))).map(|(x, y)| at(x, y)).sum();
            small.push((sum / (SAMPLES * SAMPLES) as u32).min(255) as u8);
        }
    }
    small
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbnail_shows_the_picture() {
        let mut image = Image::filled(640, 360, [200, 200, 200]);
        for y in 0..180 {
            image.data_mut()[y * 640 * 3..(y * 640 + 320) * 3].fill(0);
        }
        let small = Frame::from_image(0, Duration::ZERO, image).thumbnail().expect("made");
        assert_eq!(small.len(), 64 * 36);
        assert_eq!((small[0], small[63], small[35 * 64]), (0, 200, 200));
        let dot = Frame::from_image(0, Duration::ZERO, Image::filled(1, 1, [255; 3])).thumbnail().expect("made");
        assert!(dot.iter().all(|&v| v == 255));
    }
}
