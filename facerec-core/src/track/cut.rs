//! Scene cuts, from small grey pictures of consecutive frames.

use std::time::Duration;

/// Finds hard cuts: frames that have nothing to do with the one before.
///
/// A cut changes the picture by much (mean absolute difference), by far more than the frames before it did, and keeps nothing
/// of its structure (correlation). The last tells it from a flash, which changes every pixel and leaves the picture as it is;
/// the second tells it from a fast pan. InsightFace 2.1's PrivateFrame combines difference and correlations in the same way.
#[derive(Debug, Clone, Default)]
pub struct CutDetector {
    previous: Vec<u8>,
    /// Usual difference between neighbours.
    level: f32,
    last_cut: Option<Duration>,
}

/// Least mean difference of a cut, of 255.
const LEAST_DIFFERENCE: f32 = 10.0;
/// A cut differs by so many times more than usual.
const TIMES_USUAL: f32 = 3.0;
/// What a cut may keep of the structure at most.
const MOST_CORRELATION: f32 = 0.6;
/// Two cuts are at least this far apart: a shorter shot shows nobody.
const SHORTEST_SHOT: Duration = Duration::from_millis(120);

impl CutDetector {
    /// Has seen nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the frame at `time` begins a new scene. `thumbnail` is its luma, [`THUMBNAIL`](crate::image::THUMBNAIL) pixels, row by row; a picture of
    /// another size than the one before it (a stream that changed its format) is a cut too.
    pub fn is_cut(&mut self, thumbnail: &[u8], time: Duration) -> bool {
        let previous = std::mem::replace(&mut self.previous, thumbnail.to_vec());
        if previous.is_empty() {
            return false;
        }
        if previous.len() != thumbnail.len() {
            self.last_cut = Some(time);
            return true;
        }
        let difference = mean_difference(&previous, thumbnail);
        let soon = self.last_cut.is_some_and(|last| time.saturating_sub(last) < SHORTEST_SHOT);
        let unusual = difference > LEAST_DIFFERENCE && difference > TIMES_USUAL * self.level;
        let cut = !soon && unusual && correlation(&previous, thumbnail) < MOST_CORRELATION;
        if cut {
            (self.level, self.last_cut) = (0.0, Some(time));
        } else {
            self.level += 0.3 * (difference - self.level);
        }
        cut
    }
}

fn mean_difference(a: &[u8], b: &[u8]) -> f32 {
    let sum: u32 = a.iter().zip(b).map(|(&a, &b)| u32::from(a.abs_diff(b))).sum();
    sum as f32 / a.len().max(1) as f32
}

/// Pearson's correlation; 1 for two flat pictures, which differ in brightness only.
fn correlation(a: &[u8], b: &[u8]) -> f32 {
    let count = a.len().max(1) as f64;
    let mean = |values: &[u8]| values.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut product, mut square_a, mut square_b) = (0.0, 0.0, 0.0);
    for (&a, &b) in a.iter().zip(b) {
        let (a, b) = (f64::from(a) - mean_a, f64::from(b) - mean_b);
        product += a * b;
        square_a += a * a;
        square_b += b * b;
    }
    let flat = count; // a variance of 1: nothing but noise
    match (square_a < flat, square_b < flat) {
        (true, true) => 1.0,
        (false, false) => (product / (square_a * square_b).sqrt()) as f32,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A textured picture, moved by `shift` pixels and brightened by `light`.
    fn picture(seed: u32, shift: i32, light: i32) -> Vec<u8> {
        let value = |x: i32, y: i32| {
            let wave = ((x as f32 * 0.21 + seed as f32).sin() + (y as f32 * 0.33 + seed as f32 * 2.0).cos()) * 55.0 + 110.0;
            (wave as i32 + light).clamp(0, 255) as u8
        };
        (0..36).flat_map(|y| (0..64).map(move |x| value(x + shift, y))).collect()
    }

    fn cuts(frames: impl IntoIterator<Item = Vec<u8>>) -> Vec<usize> {
        let mut detector = CutDetector::new();
        let time = |index: usize| Duration::from_millis(40 * index as u64);
        frames.into_iter().enumerate().filter_map(|(index, frame)| detector.is_cut(&frame, time(index)).then_some(index)).collect()
    }

    #[test]
    fn a_cut_is_found_and_only_there() {
        assert_eq!(cuts((0..40).map(|i| picture(if i < 20 { 0 } else { 3 }, i, 0))), [20]);
    }

    #[test]
    fn a_flash_a_fade_and_a_pan_are_no_cuts() {
        assert_eq!(cuts((0..20).map(|i| picture(0, 0, if i == 10 { 90 } else { 0 }))), [0usize; 0]);
        assert_eq!(cuts((0..30).map(|i| picture(0, 0, -i * 8))), [0usize; 0]);
        assert_eq!(cuts((0..30).map(|i| picture(0, i * 3, 0))), [0usize; 0]);
        assert_eq!(cuts((0..9).map(|i| vec![100 + i * 10; 64 * 36])), [0usize; 0]);
    }

    #[test]
    fn another_size_is_a_cut_and_nothing_panics() {
        let mut detector = CutDetector::new();
        assert!(!detector.is_cut(&[], Duration::ZERO));
        assert!(!detector.is_cut(&[1, 2], Duration::ZERO));
        assert!(detector.is_cut(&[1, 2, 3], Duration::ZERO));
    }
}
