//! Pictures turned by quarters, and where their points lie in the picture as it was.

use super::Image;
use crate::error::Result;
use crate::face::Detection;
use crate::geometry::{Landmarks, Point, Rect};

/// A clockwise turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum Turn {
    /// As it stands.
    #[default]
    None,
    /// By 90 degrees.
    Quarter,
    /// By 180 degrees.
    Half,
    /// By 270 degrees.
    ThreeQuarters,
}

impl Turn {
    /// Those that change something.
    pub(crate) const ALL: [Self; 3] = [Self::Quarter, Self::Half, Self::ThreeQuarters];

    /// In degrees.
    pub(crate) fn degrees(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Quarter => 90,
            Self::Half => 180,
            Self::ThreeQuarters => 270,
        }
    }

    /// Tightly packed RGB `pixels` of `size` (width, height), turned.
    pub(crate) fn apply(self, pixels: &[u8], size: (u32, u32)) -> Result<Image> {
        let (transpose, flip_x, flip_y) = match self {
            Self::None => (false, false, false),
            Self::Quarter => (true, true, false),
            Self::Half => (false, true, true),
            Self::ThreeQuarters => (true, false, true),
        };
        let (width, height) = if transpose { (size.1, size.0) } else { size };
        Image::from_rgb(width, height, rearranged(pixels, size, transpose, flip_x, flip_y))
    }

    /// An upright `image` is given back as it is.
    pub(crate) fn apply_to(self, image: Image) -> Result<Image> {
        if self == Self::None { Ok(image) } else { self.apply(image.data(), (image.width(), image.height())) }
    }

    /// Where a face of the turned picture lies in the picture of `size`.
    pub(crate) fn undo(self, face: Detection, size: (u32, u32)) -> Detection {
        Detection { rect: self.undo_rect(&face.rect, size), landmarks: self.undo_landmarks(&face.landmarks, size), ..face }
    }

    fn undo_rect(self, rect: &Rect, size: (u32, u32)) -> Rect {
        let (a, b) = (Point::new(rect.x1, rect.y1), Point::new(rect.x2, rect.y2));
        let [a, b] = [a, b].map(|corner| self.undo_point(corner, (size.0 as f32, size.1 as f32)));
        Rect::new(a.x.min(b.x), a.y.min(b.y), a.x.max(b.x), a.y.max(b.y))
    }

    /// Each landmark stays what it is, a left eye a left eye.
    fn undo_landmarks(self, landmarks: &Landmarks, size: (u32, u32)) -> Landmarks {
        // Landmarks are centres of pixels: the last one is at `side - 1`.
        Landmarks(landmarks.0.map(|point| self.undo_point(point, (size.0 as f32 - 1.0, size.1 as f32 - 1.0))))
    }

    fn undo_point(self, point: Point, (right, bottom): (f32, f32)) -> Point {
        match self {
            Self::None => point,
            Self::Quarter => Point::new(point.y, bottom - point.x),
            Self::Half => Point::new(right - point.x, bottom - point.y),
            Self::ThreeQuarters => Point::new(right - point.y, point.x),
        }
    }
}

/// RGB pixels of `size` with the sides swapped when `transpose`, then mirrored. In tiles that stay in the cache: a photo read down
/// its columns costs more than decoding it.
pub(crate) fn rearranged(pixels: &[u8], size: (u32, u32), transpose: bool, flip_x: bool, flip_y: bool) -> Vec<u8> {
    const TILE: usize = 32;
    let (from_width, from_height) = (size.0 as usize, size.1 as usize);
    let (width, height) = if transpose { (from_height, from_width) } else { (from_width, from_height) };
    let mut out = vec![0; width * height * 3];
    for (band, rows) in out.chunks_mut(TILE * width * 3).enumerate() {
        for left in (0..width).step_by(TILE) {
            let right = (left + TILE).min(width);
            for (line, row) in rows.chunks_exact_mut(width * 3).enumerate() {
                let y = band * TILE + line;
                let v = if flip_y { height - 1 - y } else { y };
                for (x, pixel) in (left..right).zip(row[left * 3..right * 3].chunks_exact_mut(3)) {
                    let u = if flip_x { width - 1 - x } else { x };
                    let (column, line) = if transpose { (v, u) } else { (u, v) };
                    let at = (line * from_width + column) * 3;
                    pixel.copy_from_slice(&pixels[at..at + 3]);
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_turn_is_undone_pixel_by_pixel() {
        let size = (70, 41);
        let pixels: Vec<u8> = (0..size.0 * size.1).flat_map(|n| [(n % 251) as u8, (n / 251) as u8, 7]).collect();
        for turn in Turn::ALL {
            let turned = turn.apply(&pixels, size).expect("a picture");
            for (x, y) in [(0, 0), (3, 5), (turned.width() - 1, turned.height() - 1)] {
                let at = ((y * turned.width() + x) * 3) as usize;
                let back = turn.undo_landmarks(&Landmarks([Point::new(x as f32, y as f32); 5]), size).0[0];
                let from = ((back.y as u32 * size.0 + back.x as u32) * 3) as usize;
                assert_eq!(turned.data()[at..at + 3], pixels[from..from + 3], "{turn:?} {x} {y}");
            }
            let whole = Rect::new(0.0, 0.0, turned.width() as f32, turned.height() as f32);
            assert_eq!(turn.undo_rect(&whole, size), Rect::new(0.0, 0.0, 70.0, 41.0));
        }
    }

    #[test]
    fn a_clockwise_quarter_brings_the_left_side_up() {
        // Two pixels one above the other become two in a row: the lower one is left.
        let turned = Turn::Quarter.apply(&[1, 1, 1, 2, 2, 2], (1, 2)).expect("a picture");
        assert_eq!((turned.width(), turned.height(), turned.data()), (2, 1, &[2, 2, 2, 1, 1, 1][..]));
    }
}
