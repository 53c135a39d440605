//! From similarities to error rates.

use super::bootstrap::{Bootstrap, interval};
use super::figures::{CommonPoint, CurvePoint, Histogram, OperatingPoint, REPORT_FMR, Verification};
use super::impostors::{BINS, Impostors, bin, edge};
use super::sample::{Folder, Sample};
use super::scores::Scores;

/// Steps of the fine count per point of the curve: 0.005.
const CURVE_STEP: usize = 100;

/// Steps of the fine count per step of the histogram: 0.02.
const HISTOGRAM_STEP: usize = 400;

/// The similarities of some of the people.
#[derive(Clone, Copy)]
pub(super) struct Subset<'a> {
    pub(super) people: &'a [usize],
    pub(super) scores: &'a Scores,
    /// Pairs of different people of the subset.
    pub(super) impostors: &'a Impostors,
}

impl Subset<'_> {
    /// Genuine pairs, with those that could not be compared.
    pub(super) fn genuine_pairs(&self) -> u64 {
        self.people.iter().map(|&person| self.scores.missed[person] + self.scores.genuine[person].len() as u64).sum()
    }

    /// False non-match rate at `threshold`; `None` without a genuine pair.
    pub(super) fn fnmr(&self, threshold: f32) -> Option<f64> {
        let below = |person: &usize| {
            let scores = &self.scores.genuine[*person];
            self.scores.missed[*person] + scores.partition_point(|&score| score < threshold) as u64
        };
        share(self.people.iter().map(below).sum(), self.genuine_pairs())
    }

    /// The figures, with intervals from `replicates` replicates.
    pub(super) fn verification(&self, folder: &Folder, sample: &Sample, bootstrap: Bootstrap) -> Verification {
        let photos = || self.people.iter().flat_map(|&person| folder.photos_of[person].clone());
        let replicates = bootstrap.run(self, &folder.person_of);
        let point = |(at, &fmr): (usize, &f64)| {
            let threshold = self.impostors.threshold_at(fmr);
            let thresholds = replicates.iter().map(|replicate| replicate[at].threshold).collect();
            let rates = replicates.iter().map(|replicate| replicate[at].fnmr).collect();
            OperatingPoint {
                fmr,
                threshold,
                threshold_interval: threshold.and_then(|_| interval(thresholds, f32::total_cmp)),
                fnmr: threshold.and_then(|threshold| self.fnmr(threshold)),
                fnmr_interval: threshold.and_then(|_| interval(rates, f64::total_cmp)),
                false_matches: threshold.map(|threshold| self.impostors.reaching(threshold)),
            }
        };
        let genuine = self.genuine_bins();
        let rates = self.rates_by_step(&genuine);
        let apart = |rates: &&(f64, Option<f64>)| rates.1.map_or(f64::INFINITY, |fnmr| (fnmr - rates.0).abs());
        let nearest = rates.iter().min_by(|a, b| apart(a).total_cmp(&apart(b)));
        let comparable = self.impostors.pairs > 0;
        Verification {
            people: self.people.len(),
            photos: photos().count(),
            no_face: photos().filter(|&photo| sample.faces[photo].is_none()).count(),
            unrecognisable: photos().filter(|&photo| sample.faces[photo].is_some_and(|face| !face.recognisable)).count(),
            genuine_pairs: self.genuine_pairs(),
            impostor_pairs: self.impostors.pairs,
            eer: nearest.filter(|_| comparable).and_then(|&(fmr, fnmr)| Some(f64::midpoint(fmr, fnmr?))),
            operating_points: REPORT_FMR.iter().enumerate().map(point).collect(),
            curve: if comparable { curve(&rates) } else { Vec::new() },
        }
    }

    /// The error rates at thresholds that were chosen on others.
    pub(super) fn at_common(&self, thresholds: &[OperatingPoint]) -> Vec<CommonPoint> {
        let at = |point: &OperatingPoint| CommonPoint {
            fmr_of_all: point.fmr,
            threshold: point.threshold,
            fmr: point.threshold.and_then(|threshold| share(self.impostors.reaching(threshold), self.impostors.pairs)),
            fnmr: point.threshold.and_then(|threshold| self.fnmr(threshold)),
        };
        thresholds.iter().map(at).collect()
    }

    pub(super) fn histogram(&self) -> Histogram {
        let coarse = |fine: &[u64]| fine.chunks(HISTOGRAM_STEP).map(|steps| steps.iter().sum()).collect();
        Histogram { genuine: coarse(&self.genuine_bins()), impostor: coarse(&self.impostors.bins) }
    }

    fn genuine_bins(&self) -> Vec<u64> {
        let mut bins = vec![0; BINS];
        self.people.iter().flat_map(|&person| &self.scores.genuine[person]).for_each(|&score| bins[bin(score)] += 1);
        bins
    }

    /// False match and false non-match rate with the threshold at each step's lower edge, and above all of them.
    fn rates_by_step(&self, genuine: &[u64]) -> Vec<(f64, Option<f64>)> {
        let pairs = self.genuine_pairs();
        let mut reaching = self.impostors.pairs;
        let mut below = pairs - genuine.iter().sum::<u64>();
        let mut rates = Vec::with_capacity(BINS + 1);
        let point = |reaching, below| (share(reaching, self.impostors.pairs).unwrap_or_default(), share(below, pairs));
        rates.push(point(reaching, below));
        for (impostors, genuine) in self.impostors.bins.iter().zip(genuine) {
            reaching -= impostors;
            below += genuine;
            rates.push(point(reaching, below));
        }
        rates
    }
}

/// Every so many steps, from the last point at which nothing has changed to the first at which nothing changes any more.
fn curve(rates: &[(f64, Option<f64>)]) -> Vec<CurvePoint> {
    let points: Vec<CurvePoint> =
        rates.iter().enumerate().step_by(CURVE_STEP).map(|(step, &(fmr, fnmr))| CurvePoint { threshold: edge(step), fmr, fnmr }).collect();
    let same = |a: &CurvePoint, b: &CurvePoint| a.fmr.total_cmp(&b.fmr).is_eq() && a.fnmr == b.fnmr;
    let (Some(first), Some(last)) = (points.first().copied(), points.last().copied()) else { return points };
    let start = points.iter().take_while(|point| same(point, &first)).count().saturating_sub(1);
    let end = points.len() - points.iter().rev().take_while(|point| same(point, &last)).count().saturating_sub(1);
    points.get(start..end).unwrap_or_default().to_vec()
}

pub(super) fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::super::made::{folder_of, sample_of};
    use super::*;
    use crate::evaluate::EvaluateOptions;

    #[test]
    fn rates_of_a_set_that_can_be_counted_by_hand() {
        // Angles in degrees on a circle; similarity is the cosine of the difference. The last photo shows no face.
        let folder = folder_of(&[2, 1, 3]);
        let sample = sample_of(&[Some(0.0), Some(60.0), Some(90.0), Some(180.0), Some(150.0), None]);
        let scores = Scores::new(&folder, &sample, None, EvaluateOptions::default()).expect("scores");
        let all = Subset { people: &[0, 1, 2], scores: &scores, impostors: &scores.impostors };
        // Genuine: cos 60, cos 30, and two that could not be compared. Impostor: 0-90 60-90 0-180 0-150 60-180 60-150 90-180 90-150.
        assert_eq!((all.genuine_pairs(), scores.impostors.pairs), (4, 8));
        let near = |a: f32, degrees: f32| assert!((a - degrees.to_radians().cos()).abs() < 1e-6, "{a} cos {degrees}");
        near(scores.impostors.tail[0].score, 30.0);
        near(scores.impostors.tail[1].score, 60.0);
        assert_eq!(all.fnmr(-1.0), Some(0.5), "two of four have no face to compare");
        assert_eq!(all.fnmr(0.7), Some(0.75));
        let found = all.verification(&folder, &sample, Bootstrap { replicates: 20, workers: 1 });
        assert_eq!((found.people, found.photos, found.no_face, found.unrecognisable), (3, 6, 1, 0));
        assert!(found.operating_points.iter().all(|point| point.threshold.is_none()), "8 pairs tell nothing of 1e-2");
        assert_eq!(found.eer, Some(0.5625), "five of eight impostors reach 0, two of four genuine pairs do not");
        let (first, last) = (found.curve[0], found.curve[found.curve.len() - 1]);
        assert_eq!((first.fmr, first.fnmr, last.fmr, last.fnmr), (1.0, Some(0.5), 0.0, Some(1.0)));
        assert!(found.curve.windows(2).all(|two| two[0].fmr >= two[1].fmr && two[0].fnmr <= two[1].fnmr));
        let histogram = all.histogram();
        assert_eq!((histogram.genuine.iter().sum::<u64>(), histogram.impostor.iter().sum::<u64>()), (2, 8));
        assert_eq!((histogram.genuine.len(), histogram.impostor[0]), (100, 1), "0 and 180 degrees are as unlike as can be");
    }
}
