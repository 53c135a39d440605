//! How far the figures would move with other people: the subsets bootstrap (Bolle, Ratha and Pankanti 2004, "Error analysis of pattern
//! recognition systems: the subsets bootstrap"), with people as the subsets.
//!
//! Pairs are not independent: a person with many photos is in many of them. People are drawn with replacement, and a pair counts as often
//! as its people were drawn together: `w` times for a genuine pair, `w_a w_b` times for an impostor pair (two copies of one person make
//! none). So a replicate needs no pair anew: it walks down the highest impostor pairs until their weights sum to the rate, and counts each
//! person's genuine pairs below the threshold found.

use super::figures::REPORT_FMR;
use super::impostors::passing;
use super::rates::Subset;
use super::scores::pairs_between;
use crate::analyze::parallel;

/// Share of the replicates outside the interval, on each side.
const OUTSIDE: f64 = 0.025;

/// How many replicates, and on how many threads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bootstrap {
    pub(super) replicates: usize,
    pub(super) workers: usize,
}

/// What one replicate finds at one rate.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Replicate {
    /// `None` where it lies below the impostor pairs that were kept.
    pub(super) threshold: Option<f32>,
    pub(super) fnmr: Option<f64>,
}

impl Bootstrap {
    /// The replicates of a subset, the same ones each time.
    pub(super) fn run(self, subset: &Subset<'_>, person_of: &[usize]) -> Vec<[Replicate; REPORT_FMR.len()]> {
        // What cannot be measured has no interval.
        if REPORT_FMR.iter().all(|&fmr| passing(subset.impostors.pairs, fmr) == 0) {
            return Vec::new();
        }
        parallel(self.replicates, self.workers, |number| {
            let mut weights = vec![0_u64; subset.scores.faces.len()];
            let mut random = SplitMix(number as u64);
            for _ in subset.people {
                weights[subset.people[random.below(subset.people.len())]] += 1;
            }
            let thresholds = thresholds(subset, &weights, person_of);
            thresholds.map(|threshold| Replicate { threshold, fnmr: threshold.and_then(|at| fnmr(subset, &weights, at)) })
        })
    }
}

/// The thresholds for [`REPORT_FMR`] where each person counts `weights` times.
fn thresholds(subset: &Subset<'_>, weights: &[u64], person_of: &[usize]) -> [Option<f32>; REPORT_FMR.len()] {
    let pairs = pairs_between(&subset.scores.faces, |person| weights[person]);
    let mut found = [None; REPORT_FMR.len()];
    // The strictest rate is met first on the way down.
    let mut open = REPORT_FMR.len();
    let mut reached = 0;
    for pair in &subset.impostors.tail {
        reached += weights[person_of[pair.a as usize]] * weights[person_of[pair.b as usize]];
        while open > 0 && reached > passing(pairs, REPORT_FMR[open - 1]) {
            open -= 1;
            found[open] = Some(pair.score.next_up());
        }
        if open == 0 {
            break;
        }
    }
    found
}

fn fnmr(subset: &Subset<'_>, weights: &[u64], threshold: f32) -> Option<f64> {
    let (mut below, mut pairs) = (0, 0);
    for &person in subset.people {
        let (scores, missed) = (&subset.scores.genuine[person], subset.scores.missed[person]);
        below += weights[person] * (missed + scores.partition_point(|&score| score < threshold) as u64);
        pairs += weights[person] * (missed + scores.len() as u64);
    }
    super::rates::share(below, pairs)
}

/// The middle 95 % of `values`; `None` where one of them is not known, or there are too few to cut off any.
pub(super) fn interval<T: Copy>(values: Vec<Option<T>>, order: impl FnMut(&T, &T) -> std::cmp::Ordering) -> Option<[T; 2]> {
    let mut values = values.into_iter().collect::<Option<Vec<T>>>()?;
    values.sort_unstable_by(order);
    let outside = (values.len() as f64 * OUTSIDE).floor() as usize;
    (outside > 0).then(|| [values[outside], values[values.len() - 1 - outside]])
}

/// SplitMix64 (Steele, Lea and Flood 2014): small, and the same everywhere.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `limit`, which is not 0 and far from 2^64.
    fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.next()) * limit as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::super::made::{folder_of, sample_of};
    use super::super::scores::Scores;
    use super::*;
    use crate::evaluate::EvaluateOptions;

    /// Thirty people of three photos, a few degrees apart, spread over the circle.
    fn scores() -> (Vec<usize>, Scores) {
        let folder = folder_of(&[3; 30]);
        let degrees: Vec<_> = (0..90).map(|n| Some((n / 3) as f32 * 137.5 + (n % 3) as f32 * (2.0 + (n % 7) as f32))).collect();
        let scores = Scores::new(&folder, &sample_of(&degrees), None, EvaluateOptions::default()).expect("scores");
        (folder.person_of, scores)
    }

    #[test]
    fn people_who_all_count_once_give_the_figures_themselves() {
        let (person_of, scores) = scores();
        let people: Vec<usize> = (0..30).collect();
        let all = Subset { people: &people, scores: &scores, impostors: &scores.impostors };
        let once = thresholds(&all, &[1; 30], &person_of);
        assert_eq!(scores.impostors.pairs, 90 * 87 / 2);
        for (found, fmr) in once.into_iter().zip(REPORT_FMR).take(2) {
            assert_eq!(found, scores.impostors.threshold_at(fmr));
            assert_eq!(fnmr(&all, &[1; 30], found.expect("kept")), all.fnmr(found.expect("kept")));
        }
        // Two people alone have 9 pairs. At every rate the highest stays out.
        let mut two = [0; 30];
        (two[0], two[8]) = (1, 2);
        let pair = scores.impostors.tail.iter().find(|pair| {
            let [a, b] = [pair.a, pair.b].map(|photo| person_of[photo as usize]);
            (a, b) == (0, 8)
        });
        assert_eq!(thresholds(&all, &two, &person_of), [pair.map(|pair| pair.score.next_up()); 4]);
    }

    #[test]
    fn intervals_hold_the_figure_and_are_the_same_each_time() {
        let (person_of, scores) = scores();
        let people: Vec<usize> = (0..30).collect();
        let all = Subset { people: &people, scores: &scores, impostors: &scores.impostors };
        let run = |workers| Bootstrap { replicates: 400, workers }.run(&all, &person_of);
        let found = run(1);
        assert_eq!(found, run(3));
        let threshold = scores.impostors.threshold_at(1e-2).expect("3,915 pairs");
        let [low, high] = interval(found.iter().map(|one| one[0].threshold).collect(), f32::total_cmp).expect("all kept");
        assert!(low < high && (low..=high).contains(&threshold), "{low} {threshold} {high}");
        let [low, high] = interval(found.iter().map(|one| one[0].fnmr).collect(), f64::total_cmp).expect("all known");
        assert!((low..=high).contains(&all.fnmr(threshold).expect("pairs")), "{low} {high}");
    }

    #[test]
    fn the_middle_is_what_is_left_of_the_ends() {
        let values = |count: usize| (0..count).rev().map(Some).collect::<Vec<_>>();
        assert_eq!(interval(values(1000), usize::cmp), Some([25, 974]));
        assert_eq!(interval(values(40), usize::cmp), Some([1, 38]));
        assert_eq!(interval(values(39), usize::cmp), None, "nothing to cut off");
        assert_eq!(interval(vec![Some(1), None, Some(3)], usize::cmp), None, "one is not known");
    }
}
