//! Bringing pictures upright: the display matrix of a video.

use crate::error::Result;
use crate::image::{Image, rearranged};

/// How stored pixels are shown: the sides swapped first, then mirrored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(not(feature = "video"), allow(dead_code))] // frames of one's own are upright
pub(super) struct Orientation {
    transpose: bool,
    flip_x: bool,
    flip_y: bool,
}

#[cfg_attr(not(feature = "video"), allow(dead_code))]
impl Orientation {
    /// From a display matrix: nine 32-bit fixed-point numbers in native byte order, row by row (FFmpeg's
    /// `libavutil/display.h`: `x' = a x + c y`, `y' = b x + d y`, stored as `a b u c d v x y w`). Only quarter turns and
    /// mirrors are told apart, as players do; anything else is left as it is.
    pub(super) fn from_matrix(bytes: &[u8]) -> Self {
        let number = |index: usize| {
            let bytes = bytes.get(index * 4..index * 4 + 4).and_then(|bytes| bytes.try_into().ok());
            i64::from(bytes.map_or(0, i32::from_ne_bytes))
        };
        let (a, b, c, d) = (number(0), number(1), number(3), number(4));
        if a.abs() + d.abs() >= b.abs() + c.abs() {
            Self { transpose: false, flip_x: a < 0, flip_y: d < 0 }
        } else {
            Self { transpose: true, flip_x: c < 0, flip_y: b < 0 }
        }
    }

    /// Width and height once upright.
    pub(super) fn size(self, (width, height): (u32, u32)) -> (u32, u32) {
        if self.transpose { (height, width) } else { (width, height) }
    }

    /// The picture upright.
    pub(super) fn apply(self, image: Image) -> Result<Image> {
        if self == Self::default() {
            return Ok(image);
        }
        let size = (image.width(), image.height());
        let (width, height) = self.size(size);
        Image::from_rgb(width, height, rearranged(image.data(), size, self.transpose, self.flip_x, self.flip_y))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(a: i32, b: i32, c: i32, d: i32) -> Orientation {
        let numbers = [a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30];
        Orientation::from_matrix(&numbers.iter().flat_map(|n| n.to_ne_bytes()).collect::<Vec<_>>())
    }

    /// The first channel of a picture of 2 x 3 pixels `0 1 / 2 3 / 4 5` brought upright, and its size.
    fn shown(orientation: Orientation) -> (Vec<u8>, (u32, u32)) {
        let image = Image::from_rgb(2, 3, (0..6).flat_map(|v| [v, 0, 0]).collect()).expect("fits");
        let image = orientation.apply(image).expect("fits");
        (image.data().chunks(3).map(|p| p[0]).collect(), (image.width(), image.height()))
    }

    #[test]
    fn quarter_turns_and_mirrors() {
        assert_eq!(shown(matrix(1, 0, 0, 1)), (vec![0, 1, 2, 3, 4, 5], (2, 3)));
        assert_eq!(shown(matrix(-1, 0, 0, -1)), (vec![5, 4, 3, 2, 1, 0], (2, 3)));
        // Clockwise: x' = -y, y' = x, as a phone held upright records.
        assert_eq!(shown(matrix(0, 1, -1, 0)), (vec![4, 2, 0, 5, 3, 1], (3, 2)));
        assert_eq!(shown(matrix(0, -1, 1, 0)), (vec![1, 3, 5, 0, 2, 4], (3, 2)));
        assert_eq!(shown(matrix(-1, 0, 0, 1)), (vec![1, 0, 3, 2, 5, 4], (2, 3)));
        assert_eq!(Orientation::from_matrix(&[1, 2]), Orientation::default());
    }
}
