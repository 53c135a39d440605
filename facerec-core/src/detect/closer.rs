//! The closer look at a large picture: tiles give guesses, and each guess is looked at on its own.
//!
//! A tile shows the smallest faces wanted so small that the network only half believes in them. Half a belief is enough for a guess;
//! a guess is a face when the network believes in it fully at a size at which it sees faces well. So tiles stay few, texture that
//! looks like a face at one size is seen through at another, and boxes and landmarks come from a look that shows them large.

use super::network::{Part, Picture};
use super::tiles::{self, Level, Sight};
use super::{Detector, apart, nms};
use crate::error::Result;
use crate::face::Detection;
use crate::geometry::Rect;

/// Share of the score threshold from which a candidate is a guess. A model's `detect.min_face` is measured with it.
const GUESS: f32 = 0.5;

/// Side, in canvas pixels, at which a guess is looked at: scores and landmarks of the networks here are at their best there.
const CLOSE: f64 = 64.0;

/// Side, in canvas pixels, of what is shown of the picture around a guess.
const AROUND: u32 = 192;

/// Pixels of the tiles that go through the network together: more gains nothing on a CPU and costs memory.
const TOGETHER: u32 = 640 * 640;

/// A face of the first look is left as it is when the network saw it this many times larger than the smallest that it finds.
const SEEN_WELL: f32 = 1.5;

/// Least intersection over union of a guess and what the look at it shows.
const SAME: f32 = 0.3;

impl Detector {
    /// Least score of a guess.
    pub(super) fn guess(&self) -> f32 {
        self.threshold() * GUESS
    }

    /// How a picture of `size` is looked at more closely; empty when the first look will do.
    pub(super) fn levels(&self, size: (u32, u32)) -> Vec<Level> {
        let Some(wanted) = self.options.detail.smallest_face(size) else { return Vec::new() };
        let (input, spec) = (self.network.input(), self.network.spec());
        let sight = Sight {
            canvas: (input.size[0], input.size[1]),
            stride: spec.strides.iter().copied().max().unwrap_or(1).max(1),
            dynamic: input.dynamic,
            min_face: f64::from(spec.min_face),
            max_face: f64::from(spec.max_face),
        };
        let first = f64::from(self.network.plan(size, self.side(size)).scale);
        tiles::levels(size, first, &sight, f64::from(wanted.max(self.options.min_face_px)))
    }

    /// `faces` of the first look, made more exact where it saw them small, and those that only a closer look shows. `guesses` are
    /// the candidates of the first look that were no faces.
    pub(super) fn look_closer(
        &self,
        picture: Picture<'_>,
        levels: &[Level],
        faces: Vec<Detection>,
        mut guesses: Vec<Detection>,
    ) -> Result<Vec<Detection>> {
        let scale = self.network.plan(picture.1, self.side(picture.1)).scale;
        let well = SEEN_WELL * self.network.spec().min_face / scale;
        let (mut faces, small): (Vec<_>, Vec<_>) = faces.into_iter().partition(|face| face.rect.area() >= well * well);
        guesses.extend(&small);
        for level in levels {
            guesses.extend(self.scan(picture, level)?);
        }
        // A part of a face that was seen whole is no other face, however sure the network is of it.
        let new = |face: &Detection| faces.iter().all(|seen| apart(&seen.rect, &face.rect));
        guesses.retain(new);
        nms::merge(&mut guesses, self.nms_iou());
        let mut found = self.look_at_each(picture, &guesses)?;
        found.retain(new);
        faces.extend(small.into_iter().filter(|face| found.iter().all(|exact| apart(&exact.rect, &face.rect))));
        faces.extend(found);
        nms::suppress(&mut faces, self.nms_iou());
        Ok(faces)
    }

    /// The guesses of a level's tiles, without those that a tile's border cuts: another tile shows them whole.
    fn scan(&self, picture: Picture<'_>, level: &Level) -> Result<Vec<Detection>> {
        let (width, height) = picture.1;
        let whole = |pixels: u32, most: u32, from: u32| most.min(((f64::from(pixels) * level.scale) as u32).max(1) - from);
        let canvas = self.canvas(level.tile);
        let part = |&(left, top): &(u32, u32)| {
            let content = (whole(width, level.tile.0, left), whole(height, level.tile.1, top));
            Part { left: f64::from(left) / level.scale, top: f64::from(top) / level.scale, scale: level.scale, content }
        };
        let parts: Vec<Part> = level.places.iter().map(part).collect();
        let most = (TOGETHER / (canvas.0 * canvas.1)).max(1) as usize;
        let mut guesses = Vec::new();
        for parts in parts.chunks(most.min(self.network.batch())) {
            for (mut found, part) in self.network.look(picture, parts, canvas, self.guess())?.into_iter().zip(parts) {
                found.retain(|face| !is_cut(&face.rect, part, picture.1));
                nms::merge(&mut found, self.nms_iou());
                guesses.extend(found);
            }
        }
        Ok(guesses)
    }

    /// Those guesses that are faces, as a look at each of them shows them.
    fn look_at_each(&self, picture: Picture<'_>, guesses: &[Detection]) -> Result<Vec<Detection>> {
        let canvas = self.canvas((AROUND, AROUND));
        let mut found = Vec::with_capacity(guesses.len());
        for guesses in guesses.chunks(self.network.batch()) {
            let parts: Vec<Part> = guesses.iter().map(|guess| around(&guess.rect, picture.1, canvas)).collect();
            for (mut faces, guess) in self.network.look(picture, &parts, canvas, self.threshold())?.into_iter().zip(guesses) {
                nms::suppress(&mut faces, self.nms_iou());
                let fit = |face: &Detection| face.rect.iou(&guess.rect);
                found.extend(faces.into_iter().filter(|face| fit(face) >= SAME).max_by(|a, b| fit(a).total_cmp(&fit(b))));
            }
        }
        Ok(found)
    }

    /// The canvas for `content` (width, height) pixels.
    fn canvas(&self, content: (u32, u32)) -> (u32, u32) {
        let input = self.network.input();
        let stride = self.network.spec().strides.iter().copied().max().unwrap_or(1).max(1);
        if input.dynamic {
            (content.0.next_multiple_of(stride), content.1.next_multiple_of(stride))
        } else {
            (input.size[0], input.size[1])
        }
    }
}

/// The part of a picture of `size` around a guess that shows it at [`CLOSE`] pixels, not enlarged.
fn around(guess: &Rect, size: (u32, u32), canvas: (u32, u32)) -> Part {
    let scale = (CLOSE / f64::from(guess.area().sqrt())).min(1.0);
    let center = guess.center();
    let span = |center: f32, canvas: u32, size: u32| {
        let half = f64::from(canvas) / scale / 2.0;
        let from = (f64::from(center) - half).clamp(0.0, f64::from(size - 1));
        let pixels = (f64::from(size) - from).min(half * 2.0) * scale;
        (from, (pixels as u32).clamp(1, canvas))
    };
    let ((left, width), (top, height)) = (span(center.x, canvas.0, size.0), span(center.y, canvas.1, size.1));
    Part { left, top, scale, content: (width, height) }
}

/// Whether a face reaches a border of `part` that is none of the picture's.
fn is_cut(face: &Rect, part: &Part, size: (u32, u32)) -> bool {
    let pixel = 1.0 / part.scale;
    let (right, bottom) = (part.left + f64::from(part.content.0) * pixel, part.top + f64::from(part.content.1) * pixel);
    (part.left > 0.0 && f64::from(face.x1) < part.left + pixel)
        || (part.top > 0.0 && f64::from(face.y1) < part.top + pixel)
        || (right + 2.0 * pixel < f64::from(size.0) && f64::from(face.x2) > right - pixel)
        || (bottom + 2.0 * pixel < f64::from(size.1) && f64::from(face.y2) > bottom - pixel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guess_stands_in_the_middle_of_what_is_looked_at_unless_the_picture_ends() {
        let canvas = (192, 192);
        let part = around(&Rect::new(1000.0, 1000.0, 1128.0, 1128.0), (4000, 3000), canvas);
        assert_eq!((part.left, part.top, part.scale, part.content), (872.0, 872.0, 0.5, (192, 192)));
        let corner = around(&Rect::new(-5.0, 2980.0, 35.0, 3020.0), (4000, 3000), canvas);
        assert_eq!((corner.left, corner.top, corner.scale, corner.content), (0.0, 2904.0, 1.0, (192, 96)));
        let outside = around(&Rect::new(5000.0, -900.0, 5040.0, -860.0), (4000, 3000), canvas);
        assert_eq!((outside.left, outside.top, outside.content.0), (3999.0, 0.0, 1));
        assert_eq!(around(&Rect::new(0.0, 0.0, 9.0, 9.0), (3, 2), canvas).content, (3, 2));
    }

    #[test]
    fn a_border_cuts_what_reaches_it_but_the_pictures_edge_does_not() {
        let part = Part { left: 0.0, top: 100.0, scale: 0.5, content: (100, 100) };
        let cut = |x: f32, y: f32| is_cut(&Rect::new(x, y, x + 40.0, y + 40.0), &part, (1000, 300));
        assert!(!cut(-3.0, 150.0) && !cut(50.0, 150.0) && !cut(50.0, 270.0));
        assert!(cut(165.0, 150.0) && cut(50.0, 99.0));
    }
}
