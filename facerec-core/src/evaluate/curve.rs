//! Scores to rates: thresholds at a false match rate, true accept rates, equal error rate.

/// Similarities of pairs of the same person and of different people.
#[derive(Debug, Default)]
pub(super) struct Scores {
    genuine: Vec<f32>,
    impostor: Vec<f32>,
}

impl Scores {
    /// Sorts the scores. A pair that could not be compared belongs in neither.
    pub(super) fn new(mut genuine: Vec<f32>, mut impostor: Vec<f32>) -> Self {
        genuine.sort_unstable_by(f32::total_cmp);
        impostor.sort_unstable_by(f32::total_cmp);
        Self { genuine, impostor }
    }

    /// The lowest threshold at which at most `fmr` of the impostor pairs reach it.
    pub(super) fn threshold_at(&self, fmr: f64) -> f32 {
        let passing = (self.impostor.len() as f64 * fmr).floor() as usize;
        // The strongest impostor that must stay out; a hair above it.
        match self.impostor.len().checked_sub(passing + 1).and_then(|index| self.impostor.get(index)) {
            Some(&impostor) => impostor.next_up(),
            None => -1.0,
        }
    }

    /// Share of impostor pairs that reach `threshold`.
    pub(super) fn fmr(&self, threshold: f32) -> f64 {
        share_from(&self.impostor, threshold)
    }

    /// Share of genuine pairs that reach `threshold` among `genuine_pairs`, counting those that could not be compared as missed.
    pub(super) fn tar(&self, threshold: f32, genuine_pairs: usize) -> f64 {
        share_from(&self.genuine, threshold) * self.genuine.len() as f64 / genuine_pairs.max(1) as f64
    }

    /// Where the false match rate equals the false non-match rate: their mean at the nearest threshold.
    pub(super) fn eer(&self) -> f64 {
        let mut best = (f64::INFINITY, 1.0);
        for &threshold in self.genuine.iter().chain(&self.impostor) {
            let (fmr, fnmr) = (self.fmr(threshold), 1.0 - share_from(&self.genuine, threshold));
            if (fmr - fnmr).abs() < best.0 {
                best = ((fmr - fnmr).abs(), (fmr + fnmr) / 2.0);
            }
        }
        best.1
    }
}

/// Share of ascending `sorted` that is at least `threshold`.
fn share_from(sorted: &[f32], threshold: f32) -> f64 {
    let below = sorted.partition_point(|&score| score < threshold);
    (sorted.len() - below) as f64 / sorted.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_of_a_small_set() {
        let scores = Scores::new(vec![0.9, 0.8, 0.7, 0.2], vec![0.1, 0.3, 0.0, 0.5]);
        let threshold = scores.threshold_at(0.25); // one of four may pass: 0.5 does, 0.3 must not
        assert!(threshold > 0.3 && threshold <= 0.5);
        assert_eq!(scores.fmr(threshold), 0.25);
        assert_eq!(scores.tar(threshold, 4), 0.75);
        assert_eq!(scores.tar(threshold, 5), 0.6, "a genuine pair without a face counts as missed");
        assert_eq!(scores.eer(), 0.25);
        assert!(scores.threshold_at(0.0) > 0.5);
        assert_eq!(scores.threshold_at(1.0), -1.0);
    }
}
