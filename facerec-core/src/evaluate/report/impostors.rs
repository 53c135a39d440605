//! The similarities of different people, of which there are too many to keep: all counted finely, the highest kept exactly.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Steps of the fine count from -1 to 1: 5e-5 each.
pub(super) const BINS: usize = 40_000;

/// Share of the pairs that is kept exactly: thresholds down to a false match rate of 1e-2 lie in it, in the bootstrap's replicates too.
const KEPT_SHARE: u64 = 20;

/// So many pairs are kept of small sets, and at most so many of large ones (100 MB while they are collected).
const KEPT: std::ops::RangeInclusive<u64> = 100_000..=4 << 20;

/// A similarity and the two photos it is of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pair {
    pub(super) score: f32,
    pub(super) a: u32,
    pub(super) b: u32,
}

impl Pair {
    /// The highest first; a total order, so that what is kept does not depend on who came first.
    fn order(&self, other: &Self) -> std::cmp::Ordering {
        other.score.total_cmp(&self.score).then((self.a, self.b).cmp(&(other.a, other.b)))
    }
}

/// The step of the fine count that `score` falls into.
pub(super) fn bin(score: f32) -> usize {
    // The thousandth keeps a step's own edge in it, whatever single precision made of it. A cast saturates: nothing is below 0.
    ((((f64::from(score) + 1.0) * (BINS as f64 / 2.0)) + 1e-3) as usize).min(BINS - 1)
}

/// Takes scores from several threads.
pub(super) struct Collector {
    bins: Vec<AtomicU64>,
    kept: Mutex<Vec<Pair>>,
    /// Bits of the score below which nothing is kept any more.
    cut: AtomicU32,
    most: usize,
}

impl Collector {
    /// For about `pairs` pairs.
    pub(super) fn new(pairs: u64) -> Self {
        let most = (pairs / KEPT_SHARE).clamp(*KEPT.start(), *KEPT.end()) as usize;
        let bins = std::iter::repeat_with(|| AtomicU64::new(0)).take(BINS).collect();
        Self { bins, kept: Mutex::default(), cut: AtomicU32::new(f32::NEG_INFINITY.to_bits()), most }
    }

    /// Counts `pairs`, and keeps what is among the highest.
    pub(super) fn add(&self, pairs: &[Pair]) {
        for pair in pairs {
            self.bins[bin(pair.score)].fetch_add(1, Ordering::Relaxed);
        }
        let cut = f32::from_bits(self.cut.load(Ordering::Relaxed));
        let high: Vec<Pair> = pairs.iter().copied().filter(|pair| pair.score >= cut).collect();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(high);
        if kept.len() > 2 * self.most {
            let (_, lowest, _) = kept.select_nth_unstable_by(self.most - 1, Pair::order);
            self.cut.store(lowest.score.to_bits(), Ordering::Relaxed);
            kept.truncate(self.most);
        }
    }

    pub(super) fn finish(self) -> Impostors {
        let mut tail = self.kept.into_inner().unwrap_or_else(PoisonError::into_inner);
        tail.sort_unstable_by(Pair::order);
        tail.truncate(self.most);
        let bins: Vec<u64> = self.bins.into_iter().map(AtomicU64::into_inner).collect();
        Impostors { pairs: bins.iter().sum(), bins, tail }
    }
}

/// Counted similarities of different people.
#[derive(Debug)]
pub(super) struct Impostors {
    /// Number of pairs.
    pub(super) pairs: u64,
    /// Pairs per step of the fine count.
    pub(super) bins: Vec<u64>,
    /// The highest, descending.
    pub(super) tail: Vec<Pair>,
}

impl Impostors {
    /// Whether every pair was kept.
    pub(super) fn is_complete(&self) -> bool {
        self.tail.len() as u64 == self.pairs
    }

    /// The lowest threshold that at most `fmr` of the pairs reach: exact where it lies among those that were kept, else to a step of the
    /// fine count. `None` where there are fewer than `1 / fmr` pairs.
    pub(super) fn threshold_at(&self, fmr: f64) -> Option<f32> {
        let passing = passing(self.pairs, fmr);
        if passing == 0 {
            return None;
        }
        if let Some(first_out) = self.tail.get(passing as usize) {
            return Some(first_out.score.next_up());
        }
        let mut reached = 0;
        let lowest = self.bins.iter().rposition(|count| {
            reached += count;
            reached > passing
        });
        Some(lowest.map_or(-1.0, |bin| edge(bin + 1)))
    }

    /// Pairs that reach `threshold`.
    pub(super) fn reaching(&self, threshold: f32) -> u64 {
        let kept = self.tail.partition_point(|pair| pair.score >= threshold);
        if kept < self.tail.len() || self.is_complete() {
            return kept as u64;
        }
        self.bins[bin(threshold)..].iter().sum()
    }
}

/// How many of `pairs` may pass at `fmr`. What is a whole number but for rounding is that number: 1e-3 of 3,000 is 3.
pub(super) fn passing(pairs: u64, fmr: f64) -> u64 {
    (pairs as f64 * fmr * (1.0 + 1e-12)).floor() as u64
}

/// The lower edge of a step of the fine count.
pub(super) fn edge(bin: usize) -> f32 {
    (bin as f64 * 2.0 / BINS as f64 - 1.0) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collected(scores: impl Iterator<Item = f32>, most: usize) -> Impostors {
        let collector = Collector { most, ..Collector::new(0) };
        let pairs: Vec<Pair> = scores.enumerate().map(|(n, score)| Pair { score, a: 0, b: n as u32 }).collect();
        pairs.chunks(7).for_each(|pairs| collector.add(pairs));
        collector.finish()
    }

    #[test]
    fn the_highest_are_exact_and_the_rest_is_counted() {
        // 0.000, 0.001, ... 0.999, in an order of its own.
        let scores = || (0..1000_u32).map(|n| (n * 387 % 1000) as f32 / 1000.0);
        let (all, few) = (collected(scores(), 5000), collected(scores(), 50));
        assert!(all.is_complete() && !few.is_complete());
        assert_eq!((few.pairs, few.tail.len(), few.tail[0].score, few.tail[49].score), (1000, 50, 0.999, 0.95));
        for fmr in [1e-3, 1e-2, 0.04, 0.3] {
            let (exact, counted) = (all.threshold_at(fmr).expect("enough"), few.threshold_at(fmr).expect("enough"));
            assert!((exact - counted).abs() <= 1e-4, "{exact} {counted}");
            assert_eq!(all.reaching(exact), (1000.0 * fmr) as u64);
            assert_eq!(few.reaching(counted), (1000.0 * fmr) as u64);
        }
        assert_eq!(all.threshold_at(1e-2), Some(0.989_f32.next_up()));
        assert_eq!(all.threshold_at(1e-4), None, "1000 pairs cannot tell");
        assert_eq!(all.threshold_at(1.0), Some(-1.0));
    }

    #[test]
    fn whatever_score_comes_is_counted() {
        let found = collected([-1.0, 1.0, 0.0, -1.5, 1.5].into_iter(), 100);
        assert_eq!((found.pairs, found.bins[0], found.bins[BINS - 1], found.bins[BINS / 2]), (5, 2, 2, 1));
        assert!((0..BINS).all(|step| bin(edge(step)) == step));
        assert_eq!(collected(std::iter::empty(), 10).threshold_at(0.5), None);
    }
}
