//! What a face looks like, small enough to be compared in every frame: to notice that another one took its place.

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

    /// Whether another face may have taken this one's place: light, pose and expression change less from one look to the next.
    pub(super) fn jumps_to(&self, other: &Self) -> bool {
        let colour = self.colour.iter().zip(&other.colour).any(|(a, b)| (a - b).abs() > SAME_COLOUR);
        colour || self.likeness(other) < SAME
    }

    fn likeness(&self, other: &Self) -> f32 {
        self.cells.iter().zip(&other.cells).map(|(a, b)| a * b).sum()
    }
}
