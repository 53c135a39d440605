//! Scene cuts, from small grey pictures of consecutive frames.

use std::time::Duration;

use crate::image::THUMBNAIL;

/// What a frame is to the scene before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SceneChange {
    /// The scene goes on.
    None,
    /// The scene may have changed: motion explains too little of the picture, or it flashes. Who is who needs evidence again.
    Doubt,
    /// A new scene begins.
    Cut,
    /// A new scene began at the frame before, which was in doubt: it flashed, and the flash stays.
    CutBefore,
}

/// Finds hard cuts: frames whose structure does not come from the frame before, wherever it moved.
///
/// Two pictures are compared by correlation (in square roots of luma, in which dark scenes count as much as bright ones): the
/// whole picture at its best shift, which follows pans and shake, and blocks each at its own, which follow what moves in the
/// picture (motion-compensated frame difference; Koprinska and Carrato 2001, "Temporal video segmentation: a survey").
/// Correlation does not see brightness and contrast, so a fade or a pulse of compression is no cut. A flat picture has no
/// structure: the next one that has some is compared with the last one that had, which finds a cut behind a fade to black.
/// Neither is a flash: the frame after it is like the one before. The frame rate does not enter: between two frames of
/// one scene a third of a second apart motion explains more than between two scenes.
#[derive(Debug, Clone, Default)]
pub struct CutDetector {
    /// Bytes of a thumbnail, 0 before the first.
    length: usize,
    reference: Option<Picture>,
    /// What the picture was like before it last changed, and when it did.
    earlier: Option<(Picture, Duration)>,
    /// When the reference was seen.
    last: Duration,
    /// The last frame flashed: whether a new scene began there shows now.
    undecided: bool,
}

/// Likeness below which a new scene begins. Measured: the cuts of short_hamilton_clip and of `benches/clips` are at most 0.51 at
/// any rate from 3 to 60 frames a second; everything else is at least 0.63, but for a head as high as the picture that swings
/// into it within a third of a second (0.49).
const CUT: f32 = 0.56;
/// Likeness below which the scene is in doubt.
const DOUBT: f32 = 0.72;
/// Correlation from which two pictures are alike without a look at motion.
const STILL: f32 = 0.8;
/// A picture this much brighter on average (of 255), and this many times, flashes.
const FLASH: (f32, f32) = (30.0, 1.4);
/// A flash is over after this time, or at the next frame.
const FLASH_TIME: Duration = Duration::from_millis(300);
/// Standard deviation of luma below which a picture, a row or a column is flat.
const FLAT: f32 = 1.0;

impl CutDetector {
    /// Has seen nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the frame at `time` is to the scene before it. `thumbnail` is its luma, [`THUMBNAIL`](crate::image::THUMBNAIL) pixels, row by row; a
    /// picture of another size than the one before it (a stream that changed its format) is a cut.
    pub fn compare(&mut self, thumbnail: &[u8], time: Duration) -> SceneChange {
        if self.length != thumbnail.len() {
            let first = self.length == 0;
            *self = Self { length: thumbnail.len(), ..Self::default() };
            self.reference = Picture::new(thumbnail);
            return if first { SceneChange::None } else { SceneChange::Cut };
        }
        let Some(picture) = Picture::new(thumbnail) else { return SceneChange::None };
        let last = std::mem::replace(&mut self.last, time);
        let Some(reference) = self.reference.replace(picture.clone()) else { return SceneChange::None };
        let undecided = std::mem::take(&mut self.undecided);
        // A shot that lasts is no flash: who comes back to the scene before it cuts.
        let recent = |(_, since): &(Picture, Duration)| *since == last || time.saturating_sub(*since) <= FLASH_TIME;
        self.earlier = self.earlier.take().filter(recent);
        let likeness = reference.likeness(&picture);
        if likeness >= DOUBT && !undecided {
            return SceneChange::None;
        }
        if self.earlier.as_ref().is_some_and(|(before, _)| before.likeness(&picture) >= DOUBT) {
            // As before the flash; a light that goes on and off comes back to the flash as well.
            self.earlier = Some((reference, time));
            return SceneChange::None;
        }
        let flashes = !undecided && picture.mean > reference.mean + FLASH.0 && picture.mean > reference.mean * FLASH.1;
        (self.earlier, self.undecided) = (Some((reference, time)), flashes);
        match likeness {
            likeness if undecided && likeness >= DOUBT => SceneChange::CutBefore,
            likeness if flashes || likeness >= CUT => SceneChange::Doubt,
            _ => SceneChange::Cut,
        }
    }
}

/// Width and height of the compared pictures: half of a thumbnail's.
const WIDE: usize = THUMBNAIL.0 as usize / 2;
const HIGH: usize = THUMBNAIL.1 as usize / 2;
/// How far the whole picture may have moved, in cells: a fifth of its sides.
const SHIFT: (usize, usize) = (6, 4);
/// How far a block may have moved.
const BLOCK_SHIFT: (isize, isize) = (4, 3);
/// Blocks across and down.
const BLOCKS: (usize, usize) = (4, 3);
/// Standard deviation of a dark block's noise, in square roots of luma.
const NOISE: f32 = 0.2;

/// A picture with structure, in square roots of luma.
#[derive(Debug, Clone)]
struct Picture {
    cells: Vec<f32>,
    /// Mean luma.
    mean: f32,
    /// Columns and rows inside flat bars at the edges: first, and one past the last.
    inside: [(usize, usize); 2],
}

/// A rectangle of cells: left, top, width, height.
type Part = [usize; 4];

impl Picture {
    /// `None` for a picture without structure, or not of a thumbnail's size.
    fn new(thumbnail: &[u8]) -> Option<Self> {
        if thumbnail.len() != 4 * WIDE * HIGH {
            return None;
        }
        let cell = |index: usize| {
            let (x, y) = (2 * (index % WIDE), 2 * (index / WIDE));
            [(0, 0), (1, 0), (0, 1), (1, 1)].iter().map(|(dx, dy)| f32::from(thumbnail[(y + dy) * 2 * WIDE + x + dx])).sum::<f32>() / 4.0
        };
        let luma: Vec<f32> = (0..WIDE * HIGH).map(cell).collect();
        let column = |x: usize| deviation(luma.iter().skip(x).step_by(WIDE)) > FLAT;
        let row = |y: usize| deviation(luma[y * WIDE..][..WIDE].iter()) > FLAT;
        let within = |structured: &dyn Fn(usize) -> bool, length: usize| {
            let first = (0..length).find(|&at| structured(at))?;
            Some((first, (0..length).rev().find(|&at| structured(at))? + 1))
        };
        let inside = [within(&column, WIDE)?, within(&row, HIGH)?];
        let mean = luma.iter().sum::<f32>() / luma.len() as f32;
        (deviation(luma.iter()) > FLAT).then(|| Self { cells: luma.iter().map(|luma| (luma + 6.0).sqrt()).collect(), mean, inside })
    }

    /// How much of `later` comes from this picture, at most 1.
    fn likeness(&self, later: &Self) -> f32 {
        let whole = self.common(later);
        let still = self.correlation(later, whole, whole);
        if still >= STILL {
            return still;
        }
        let (shifted, shift) = self.shifted(later, whole);
        // The blocks say more: something large that enters spoils the whole more than it spoils them.
        (shifted + 2.0 * self.moved(later, whole, shift)) / 3.0
    }

    /// What lies inside the bars of both.
    fn common(&self, other: &Self) -> Part {
        let [(left, right), (top, bottom)] = [0, 1].map(|axis| {
            let (a, b) = (self.inside[axis], other.inside[axis]);
            (a.0.min(b.0), a.1.max(b.1))
        });
        if right - left < 2 * BLOCKS.0 || bottom - top < 2 * BLOCKS.1 {
            [0, 0, WIDE, HIGH]
        } else {
            [left, top, right - left, bottom - top]
        }
    }

    /// Best correlation of the whole pictures over all shifts, and that shift of `later`'s places to this picture's.
    fn shifted(&self, later: &Self, [left, top, wide, high]: Part) -> (f32, [isize; 2]) {
        let (most_x, most_y) = (SHIFT.0.min(wide / 4) as isize, SHIFT.1.min(high / 4) as isize);
        let mut best = (-1.0f32, [0, 0]);
        for (dx, dy) in (-most_y..=most_y).flat_map(|dy| (-most_x..=most_x).map(move |dx| (dx, dy))) {
            let at = |d: isize| (d.max(0) as usize, (-d).max(0) as usize);
            let ((from_x, to_x), (from_y, to_y)) = (at(dx), at(dy));
            let (w, h) = (wide - dx.unsigned_abs(), high - dy.unsigned_abs());
            let correlation = self.correlation(later, [left + from_x, top + from_y, w, h], [left + to_x, top + to_y, w, h]);
            if correlation > best.0 {
                best = (correlation, [dx, dy]);
            }
        }
        best
    }

    /// Mean over the blocks of `later` of their best correlations, nearby and where the whole picture moved by `shift`. Blocks
    /// with nothing but noise count little, and those with much contrast no more than others: something bright that enters hides
    /// no more than where it is.
    fn moved(&self, later: &Self, [left, top, wide, high]: Part, shift: [isize; 2]) -> f32 {
        let (w, h) = (wide / BLOCKS.0, high / BLOCKS.1);
        let near = (-BLOCK_SHIFT.1..=BLOCK_SHIFT.1).flat_map(|dy| (-BLOCK_SHIFT.0..=BLOCK_SHIFT.0).map(move |dx| [dx, dy]));
        let along = (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| [shift[0] + dx, shift[1] + dy]));
        let moves: Vec<[isize; 2]> = near.chain(along).collect();
        let (mut sum, mut weights) = (0.0, 0.0);
        for (x, y) in (0..BLOCKS.1).flat_map(|y| (0..BLOCKS.0).map(move |x| (left + x * w, top + y * h))) {
            let within =
                |at: usize, by: isize, first: usize, last: usize| at.checked_add_signed(by).filter(|at| (first..=last).contains(at));
            let mut best = -1.0f32;
            for [dx, dy] in &moves {
                if let (Some(from_x), Some(from_y)) = (within(x, *dx, left, left + wide - w), within(y, *dy, top, top + high - h)) {
                    best = best.max(self.correlation(later, [from_x, from_y, w, h], [x, y, w, h]));
                }
            }
            let structure = deviation((y..y + h).flat_map(|y| &later.cells[y * WIDE + x..][..w]));
            let weight = structure / (structure + NOISE);
            (sum, weights) = (sum + weight * best, weights + weight);
        }
        sum / f32::max(weights, 1e-6)
    }

    /// Pearson's correlation of two parts of one size; 0 where one is flat.
    fn correlation(&self, later: &Self, from: Part, to: Part) -> f32 {
        let (mut a1, mut b1, mut aa, mut bb, mut ab) = (0.0f32, 0.0f32, 0.0f32, 0.0f32, 0.0f32);
        for row in 0..to[3] {
            let a = &self.cells[(from[1] + row) * WIDE + from[0]..][..to[2]];
            let b = &later.cells[(to[1] + row) * WIDE + to[0]..][..to[2]];
            for (&a, &b) in a.iter().zip(b) {
                (a1, b1, aa, bb, ab) = (a1 + a, b1 + b, aa + a * a, bb + b * b, ab + a * b);
            }
        }
        let count = (to[2] * to[3]) as f32;
        let (square_a, square_b) = (aa - a1 * a1 / count, bb - b1 * b1 / count);
        // Rounding leaves so much of a flat part.
        let least = 1e-5 * aa.max(bb);
        if square_a <= least || square_b <= least { 0.0 } else { (ab - a1 * b1 / count) / (square_a * square_b).sqrt() }
    }
}

/// Standard deviation.
fn deviation<'v>(values: impl Iterator<Item = &'v f32>) -> f32 {
    let (mut count, mut sum, mut squares) = (0.0f32, 0.0f32, 0.0f32);
    for value in values {
        (count, sum, squares) = (count + 1.0, sum + value, squares + value * value);
    }
    (squares / count - (sum / count).powi(2)).max(0.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A scene of smooth blotches (value noise over 1000 x 1000 cells), seen through a window.
    struct Scene(u32);

    impl Scene {
        fn blotch(&self, x: i32, y: i32) -> f32 {
            let mut h = (x as u32).wrapping_mul(0x9E37_79B1) ^ (y as u32).wrapping_mul(0x85EB_CA77) ^ self.0.wrapping_mul(0xC2B2_AE3D);
            for _ in 0..2 {
                h = (h ^ (h >> 15)).wrapping_mul(0x2C1B_3C6D);
            }
            (h >> 16) as f32 / 65536.0
        }

        /// Luma from 0 to 1 at a place in thumbnail pixels.
        fn at(&self, x: f32, y: f32) -> f32 {
            [(15.0, 0.3), (6.0, 0.35), (3.0, 0.35)].iter().fold(0.0, |sum, (size, share)| {
                let (u, v) = (x / size + 200.0, y / size + 200.0);
                let (i, j, fx, fy) = (u as i32, v as i32, u.fract(), v.fract());
                let mix = |a: f32, b: f32, t: f32| a + (b - a) * t * t * (3.0 - 2.0 * t);
                let row = |j: i32| mix(self.blotch(i, j), self.blotch(i + 1, j), fx);
                sum + share * mix(row(j), row(j + 1), fy)
            })
        }

        /// The window at `(x, y)`, luma from `low` to `high`.
        fn picture(&self, x: f32, y: f32, low: f32, high: f32) -> Vec<u8> {
            let pixel = |i: usize| (low + (high - low) * self.at(x + (i % 64) as f32, y + (i / 64) as f32)).clamp(0.0, 255.0) as u8;
            (0..64 * 36).map(pixel).collect()
        }
    }

    fn changes(rate: f32, frames: impl IntoIterator<Item = Vec<u8>>) -> Vec<(usize, SceneChange)> {
        let mut detector = CutDetector::new();
        let time = |index: usize| Duration::from_secs_f32(index as f32 / rate);
        let all = frames.into_iter().enumerate().map(|(index, frame)| (index, detector.compare(&frame, time(index))));
        all.filter(|(_, change)| *change != SceneChange::None).collect()
    }

    fn cuts(rate: f32, frames: impl IntoIterator<Item = Vec<u8>>) -> Vec<usize> {
        changes(rate, frames).into_iter().filter(|(_, change)| *change == SceneChange::Cut).map(|(index, _)| index).collect()
    }

    const RATES: [f32; 8] = [3.0, 4.0, 5.0, 8.0, 10.0, 15.0, 30.0, 60.0];

    #[test]
    fn cuts_are_found_at_any_rate_bright_and_dark_during_a_pan() {
        for (low, high) in [(20.0, 230.0), (4.0, 40.0), (2.0, 14.0)] {
            for rate in RATES {
                for seed in 0..12 {
                    // A pan of 30 of 64 pixels a second, before and after.
                    let half = (rate * 2.0) as usize;
                    let frame = |i: usize| Scene(seed + (i >= half) as u32 * 100).picture(30.0 * i as f32 / rate, 0.0, low, high);
                    let found = cuts(rate, (0..2 * half).map(frame));
                    assert_eq!(found, [half], "seed {seed} at {rate} frames a second, luma {low} to {high}");
                }
            }
        }
    }

    #[test]
    fn a_pan_shake_light_fades_flashes_and_noise_are_no_cuts() {
        for rate in RATES {
            let count = (rate * 3.0) as usize;
            let t = |i: usize| i as f32 / rate;
            let scene = Scene(7);
            let none = [0usize; 0];
            assert_eq!(cuts(rate, (0..count).map(|i| scene.picture(35.0 * t(i), 8.0 * t(i), 10.0, 200.0))), none, "pan at {rate}");
            let shake = |i: usize| scene.picture(5.0 * (9.0 * t(i)).sin(), 4.0 * (13.0 * t(i)).cos(), 10.0, 200.0);
            assert_eq!(cuts(rate, (0..count).map(shake)), none, "shake at {rate}");
            let fade = |i: usize| scene.picture(0.0, 0.0, 0.0, 200.0 * (1.0 - (t(i) - 1.5).abs() / 1.5));
            assert_eq!(cuts(rate, (0..count).map(fade)), none, "light that comes and goes at {rate}");
            let flash =
                |i: usize| if i == count / 2 { scene.picture(0.0, 0.0, 150.0, 500.0) } else { scene.picture(0.0, 0.0, 10.0, 200.0) };
            assert_eq!(cuts(rate, (0..count).map(flash)), none, "flash at {rate}");
            let strobe = |i: usize| if i % 2 == 1 { scene.picture(0.0, 0.0, 200.0, 700.0) } else { scene.picture(0.0, 0.0, 5.0, 60.0) };
            assert_eq!(cuts(rate, (0..count).map(strobe)), none, "strobe at {rate}");
            let pulse =
                |i: usize| scene.picture(0.0, 0.0, 10.0, 200.0).iter().map(|v| if i.is_multiple_of(12) { v / 8 * 8 } else { *v }).collect();
            assert_eq!(changes(rate, (0..count).map(pulse)), [], "compression that breathes at {rate}");
        }
        assert_eq!(changes(25.0, (0..9).map(|i| vec![100 + i * 10; 64 * 36])), [], "nothing to see");
    }

    #[test]
    fn a_large_thing_that_passes_in_front_is_no_cut() {
        for rate in [8.0, 15.0, 30.0] {
            // Half as wide as the picture, across it in a second.
            let (back, front) = (Scene(1), Scene(2));
            let frame = |i: usize| {
                let left = 96.0 * i as f32 / rate - 32.0;
                let (far, near) = (back.picture(0.0, 0.0, 10.0, 120.0), front.picture(-left, 0.0, 60.0, 220.0));
                (0..64 * 36).map(|p| if ((p % 64) as f32 - left - 16.0).abs() < 16.0 { near[p] } else { far[p] }).collect()
            };
            assert_eq!(cuts(rate, (0..rate as usize).map(frame)), [0usize; 0], "at {rate} frames a second");
        }
    }

    #[test]
    fn a_cut_hides_neither_behind_a_fade_nor_in_a_flash_nor_between_bars() {
        for rate in RATES {
            let (a, b) = (Scene(3), Scene(4));
            let count = (rate * 4.0) as usize;
            let fade = |i: usize| {
                let t = i as f32 / rate;
                let light = ((t - 2.0).abs() * 150.0 - 40.0).clamp(0.0, 200.0);
                if t < 2.0 { a.picture(0.0, 0.0, 0.0, light) } else { b.picture(0.0, 0.0, 0.0, light) }
            };
            assert_eq!(cuts(rate, (0..count).map(fade)).len(), 1, "through black at {rate}");
            let flash = |i: usize| if i == 10 { vec![255; 64 * 36] } else { (if i < 10 { &a } else { &b }).picture(0.0, 0.0, 5.0, 90.0) };
            assert_eq!(cuts(rate, (0..20).map(flash)), [11], "a white frame at the cut at {rate}");
            let brighter = |i: usize| if i < 10 { a.picture(0.0, 0.0, 5.0, 60.0) } else { b.picture(0.0, 0.0, 100.0, 250.0) };
            let found = changes(rate, (0..20).map(brighter));
            assert_eq!(found, [(10, SceneChange::Doubt), (11, SceneChange::CutBefore)], "into a bright scene at {rate}");
            let barred = |i: usize| {
                let picture = (if i < 10 { &a } else { &b }).picture(0.0, 0.0, 90.0, 250.0);
                (0..64 * 36).map(|p| if (16..48).contains(&(p % 64)) { picture[p] } else { 16 }).collect()
            };
            assert_eq!(cuts(rate, (0..20).map(barred)), [10], "between bars at {rate}");
        }
    }

    #[test]
    fn another_size_is_a_cut_and_nothing_panics() {
        let mut detector = CutDetector::new();
        let mut compare = |thumbnail: &[u8]| detector.compare(thumbnail, Duration::ZERO);
        assert_eq!([compare(&[]), compare(&[1, 2])], [SceneChange::None; 2]);
        assert_eq!(compare(&[1, 2, 3]), SceneChange::Cut);
        assert_eq!(compare(&[0; 64 * 36]), SceneChange::Cut);
    }
}
