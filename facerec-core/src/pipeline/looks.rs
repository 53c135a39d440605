//! What a face looks like, small enough to be compared in every frame: to notice that another one took its place.

use std::collections::VecDeque;
use std::time::Duration;

use crate::image::Image;

/// An aligned face in few numbers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Looks {
    /// Mean luma of [`CELLS`] x [`CELLS`] cells, less their mean, of unit length; zero for a flat picture.
    cells: Vec<f32>,
    /// Mean red and blue against green, as logarithms: skin and light.
    colour: [f32; 2],
}

const CELLS: usize = 16;

/// Correlation of two aligned faces below which it may be another one. Measured on four clips of `benches/clips` and on
/// short_hamilton_clip at 3 to 30 frames a second: 2.6 % of 3,220 pairs of one face, one look after the other, lie below it (most
/// are half hidden), and 83 % of 2,846 pairs of two faces in one frame, so in like light. With the colour 2.7 % and 86 %.
const SAME: f32 = 0.5;
/// Change of colour above which it may be another one: of those pairs 0.03 % and 23 %.
const SAME_COLOUR: f32 = 0.15;

impl Looks {
    pub(super) fn new(aligned: &Image) -> Self {
        let (width, height) = (aligned.width() as usize, aligned.height() as usize);
        let (mut sums, mut colour) = (vec![[0u32; 4]; CELLS * CELLS], [0u32; 3]);
        for (y, row) in aligned.data().chunks_exact(width * 3).enumerate() {
            let cells = &mut sums[y * CELLS / height * CELLS..][..CELLS];
            for (x, pixel) in row.chunks_exact(3).enumerate() {
                let cell = &mut cells[x * CELLS / width];
                for channel in 0..3 {
                    cell[channel] += u32::from(pixel[channel]);
                }
                cell[3] += 1;
            }
        }
        sums.iter().for_each(|cell| (0..3).for_each(|channel| colour[channel] += cell[channel]));
        let luma = |cell: &[u32; 4]| (0.3 * cell[0] as f32 + 0.59 * cell[1] as f32 + 0.11 * cell[2] as f32) / cell[3].max(1) as f32;
        let mut cells: Vec<f32> = sums.iter().map(luma).collect();
        let mean = cells.iter().sum::<f32>() / cells.len() as f32;
        cells.iter_mut().for_each(|cell| *cell -= mean);
        let length = cells.iter().map(|cell| cell * cell).sum::<f32>().sqrt();
        let flat = length < CELLS as f32; // a deviation of one level: nothing but noise
        cells.iter_mut().for_each(|cell| *cell = if flat { 0.0 } else { *cell / length });
        let level = |channel: usize| (colour[channel] as f32 / (width * height).max(1) as f32 + 8.0).ln();
        Self { cells, colour: [level(0) - level(1), level(2) - level(1)] }
    }

    fn likeness(&self, other: &Self) -> f32 {
        self.cells.iter().zip(&other.cells).map(|(a, b)| a * b).sum()
    }

    /// How like the face is to the same face a moment before or after, 0 to 1.
    pub(super) fn steadiness(&self, other: &Self) -> f32 {
        self.likeness(other).max(0.0)
    }

    fn has_colour_of(&self, other: &Self) -> bool {
        self.colour.iter().zip(&other.colour).all(|(a, b)| (a - b).abs() <= SAME_COLOUR)
    }

    /// Whether it may be another face.
    fn differs(&self, other: &Self) -> bool {
        !self.has_colour_of(other) || self.likeness(other) < SAME
    }
}

/// How a track looked in the last second.
#[derive(Debug, Default)]
pub(super) struct Lately {
    looks: VecDeque<(Duration, Looks)>,
    /// Since when it is compared: the last change, or the beginning.
    since: Duration,
}

/// What a look says beside those of the last second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beside {
    /// The face has changed so much that it may be another one; from now on it is compared with this look.
    pub(super) changed: bool,
    /// How like it is to what was just before, 0 to 1: a face that dissolves into another one, or turns fast, is a poor likeness of anybody.
    pub(super) steadiness: f32,
}

/// Dissolves are about that long.
const LATELY: Duration = Duration::from_secs(1);
/// Most of a dissolve is over in that time.
pub(super) const MOST_OF_A_DISSOLVE: Duration = Duration::from_millis(400);

impl Lately {
    /// Takes the look of this moment.
    pub(super) fn see(&mut self, now: Duration, looks: &Looks) -> Beside {
        while self.looks.front().is_some_and(|(time, _)| now.saturating_sub(*time) > LATELY) {
            self.looks.pop_front();
        }
        let oldest = |since: Duration| self.looks.iter().find(|(time, _)| *time >= since).map(|(_, before)| before);
        let changed = oldest(self.since).is_some_and(|before| before.differs(looks));
        let steadiness = oldest(now.saturating_sub(MOST_OF_A_DISSOLVE)).map_or(1.0, |before| before.steadiness(looks));
        if changed {
            self.since = now;
        }
        self.looks.push_back((now, looks.clone()));
        Beside { changed, steadiness }
    }

    /// Forgets what was before a jump.
    pub(super) fn clear(&mut self) {
        self.looks.clear();
    }
}

/// How much a track's looks change from one to the next.
#[derive(Debug)]
pub(super) struct Changes {
    usual: f32,
}

impl Default for Changes {
    fn default() -> Self {
        Self { usual: (1.0 - SAME) / UNUSUAL }
    }
}

impl Changes {
    /// Whether another face may have taken the place of the one `before`: light, pose and expression change less from one look to
    /// the next, and less suddenly.
    pub(super) fn jump(&mut self, before: &Looks, after: &Looks) -> bool {
        let change = 1.0 - before.likeness(after);
        let jump = !before.has_colour_of(after) || change > (UNUSUAL * self.usual.max(LEAST_USUAL)).min(1.0 - SAME);
        if !jump {
            self.usual += (change - self.usual) * RECENT;
        }
        jump
    }
}

/// A face that changes so many times as much as usual may be another one, however alike the two are.
const UNUSUAL: f32 = 6.0;
/// No face stands stiller than that, as a change of correlation.
const LEAST_USUAL: f32 = 0.05;
/// Share of the latest change in what is usual.
const RECENT: f32 = 0.25;

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(mix: f32) -> Looks {
        let mut cells = vec![0.0; CELLS * CELLS];
        (cells[0], cells[1]) = ((1.0 - mix * mix).sqrt(), mix);
        Looks { cells, colour: [0.0; 2] }
    }

    #[test]
    fn a_still_face_that_suddenly_changes_may_be_another_one() {
        let (mut still, mut lively) = (Changes::default(), Changes::default());
        for _ in 0..10 {
            assert!(!still.jump(&looks(0.0), &looks(0.05)));
            assert!(!lively.jump(&looks(0.0), &looks(0.55)), "a sixth of it changes all the time");
        }
        assert!(still.jump(&looks(0.0), &looks(0.75)));
        assert!(!lively.jump(&looks(0.0), &looks(0.75)));
        assert!(lively.jump(&looks(0.0), &looks(0.9)), "less than half of it is alike");
    }

    #[test]
    fn a_face_that_slowly_becomes_another_one_has_changed() {
        let mut lately = Lately::default();
        let at = |step: u64| Duration::from_millis(step * 100);
        let changes: Vec<u64> =
            (0..40).filter(|&step| lately.see(at(step), &looks((step as f32 / 12.0 - 1.0).clamp(0.0, 1.0))).changed).collect();
        assert_eq!(changes.len(), 1, "{changes:?}");
        assert!((18..24).contains(&changes[0]), "{changes:?}");
        let mut lately = Lately::default();
        let steadiness: Vec<f32> = (0..30).map(|step| lately.see(at(step), &looks(if step < 15 { 0.0 } else { 0.9 })).steadiness).collect();
        assert!(steadiness[14] == 1.0 && steadiness[15] < 0.5 && steadiness[18] < 0.5 && steadiness[20] == 1.0, "{steadiness:?}");
        let mut slow = Lately::default();
        assert!((0..200).all(|step| !slow.see(at(step), &looks(step as f32 / 200.0)).changed), "in twenty seconds");
    }
}
