//! Identification: the first photo of everybody with two and more is enrolled, the rest is looked up.

use super::figures::{OpenSetPoint, REPORT_FPIR, SearchReport};
use super::impostors::passing;
use super::rates::share;
use super::sample::{Folder, Sample};
use crate::analyze::parallel;
use crate::error::{Error, Result};
use crate::evaluate::EvaluateOptions;

/// What looking up one photo gives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Search {
    person: usize,
    /// Whether the person is enrolled.
    mated: bool,
    /// Similarity to the person's own enrolled photo where that one came first; `None` where it did not.
    own_first: Option<f32>,
    /// The highest similarity to somebody else.
    other: Option<f32>,
}

/// Looks up every photo that is not enrolled.
pub(super) fn search(folder: &Folder, sample: &Sample, options: EvaluateOptions<'_>) -> Result<Vec<Search>> {
    let enrolled: Vec<(usize, usize)> =
        folder.photos_of.iter().enumerate().filter(|(_, photos)| photos.len() > 1).map(|(person, photos)| (person, photos.start)).collect();
    let probes: Vec<(usize, usize, bool)> = folder
        .photos_of
        .iter()
        .enumerate()
        .flat_map(|(person, photos)| {
            let mated = photos.len() > 1;
            photos.clone().skip(usize::from(mated)).map(move |photo| (person, photo, mated))
        })
        .collect();
    let found = parallel(probes.len(), options.workers, |probe| {
        if (options.cancelled)() {
            return Err(Error::Cancelled);
        }
        let (person, photo, mated) = probes[probe];
        let mut found = Search { person, mated, own_first: None, other: None };
        let mut first = f32::NEG_INFINITY;
        for &(candidate, enrolled) in &enrolled {
            let Some(score) = sample.similarity(photo, enrolled) else { continue };
            let own = candidate == person;
            // Of equals the first, as `identification` has it.
            if score > first {
                first = score;
                found.own_first = own.then_some(score);
            }
            if !own {
                found.other = Some(found.other.map_or(score, |other| other.max(score)));
            }
        }
        Ok(found)
    });
    found.into_iter().collect()
}

/// The thresholds that keep [`REPORT_FPIR`]: the lowest that at most that share of the non-mated searches reach.
pub(super) fn thresholds(searches: &[Search]) -> [Option<f32>; REPORT_FPIR.len()] {
    // Who has no face is named by no threshold.
    let mut others: Vec<f32> = searches.iter().map(|search| search.other.unwrap_or(f32::NEG_INFINITY)).collect();
    others.sort_unstable_by(|a, b| b.total_cmp(a));
    REPORT_FPIR.map(|fpir| {
        let passing = passing(others.len() as u64, fpir) as usize;
        let first_out = others.get(passing).filter(|_| passing > 0)?;
        Some(first_out.next_up().max(-1.0))
    })
}

/// The figures of the searches of `people`, whose number of enrolled is `enrolled`; `None` where none of them is mated.
pub(super) fn identification(
    searches: &[Search],
    thresholds: [Option<f32>; REPORT_FPIR.len()],
    enrolled: usize,
    of: impl Fn(usize) -> bool,
) -> Option<SearchReport> {
    let searches: Vec<&Search> = searches.iter().filter(|search| of(search.person)).collect();
    let mated = searches.iter().filter(|search| search.mated).count();
    let count = |holds: &dyn Fn(&Search) -> bool| searches.iter().filter(|search| holds(search)).count() as u64;
    let hits = count(&|search| search.own_first.is_some());
    let open_set = REPORT_FPIR.iter().zip(thresholds).map(|(&fpir, threshold)| {
        let named = threshold.map(|at| count(&|search| search.own_first.is_some_and(|score| score >= at)));
        let strangers = threshold.map(|at| count(&|search| search.other.is_some_and(|score| score >= at)));
        OpenSetPoint {
            fpir,
            threshold,
            false_positives: strangers.and_then(|strangers| share(strangers, searches.len() as u64)),
            fnir: named.and_then(|named| share(mated as u64 - named, mated as u64)),
        }
    });
    let open_set = open_set.collect();
    Some(SearchReport { enrolled, mated, non_mated: searches.len(), rank1: share(hits, mated as u64)?, open_set })
}

#[cfg(test)]
mod tests {
    use super::super::made::{folder_of, sample_of};
    use super::*;

    #[test]
    fn searches_are_counted_by_hand() {
        // Enrolled: 0 degrees and 100 degrees. Mated: 20 (right, .94), 30 (right, .87), 60 for the second (right, .77), and no face.
        let folder = folder_of(&[3, 3, 1]);
        let sample = sample_of(&[Some(0.0), Some(20.0), Some(30.0), Some(100.0), Some(60.0), None, Some(50.0)]);
        let found = search(&folder, &sample, EvaluateOptions::default()).expect("searches");
        assert_eq!(found.iter().filter(|search| search.mated).count(), 4);
        let cos = |degrees: f32| degrees.to_radians().cos();
        // 60 degrees lies 40 from its own and 60 from the other; the stranger at 50 lies 50 from both.
        assert!((found[2].own_first.expect("first") - cos(40.0)).abs() < 1e-6 && (found[2].other.expect("seen") - cos(60.0)).abs() < 1e-6);
        assert_eq!((found[3].own_first, found[3].other), (None, None));
        assert!(!found[4].mated && (found[4].other.expect("seen") - cos(50.0)).abs() < 1e-6);
        assert_eq!(thresholds(&found), [None, None], "five searches tell nothing of 1e-2");
        let report = identification(&found, [Some(0.8), Some(0.6)], 2, |_| true).expect("mated searches");
        assert_eq!((report.enrolled, report.mated, report.non_mated, report.rank1), (2, 4, 5, 0.75));
        assert_eq!(report.open_set[0].fnir, Some(0.5), "0.94 and 0.87 reach 0.8");
        assert_eq!(report.open_set[1].fnir, Some(0.25));
        assert_eq!((report.open_set[0].false_positives, report.open_set[1].false_positives), (Some(0.0), Some(0.2)));
        let second = identification(&found, [Some(0.8), None], 1, |person| person == 1).expect("mated searches");
        assert_eq!((second.mated, second.rank1, second.open_set[0].fnir, second.open_set[1].fnir), (2, 0.5, Some(1.0), None));
        assert_eq!(identification(&found, [None, None], 0, |person| person == 2), None, "nobody to be found");
    }

    #[test]
    fn the_threshold_keeps_the_rate() {
        let stranger = |n: usize| Search { person: n, mated: false, own_first: None, other: (n != 7).then(|| n as f32 / 1000.0) };
        let searches: Vec<Search> = (0..1000).map(stranger).collect();
        let [at_1e2, at_1e3] = thresholds(&searches);
        assert_eq!((at_1e2, at_1e3), (Some(0.989_f32.next_up()), Some(0.998_f32.next_up())));
    }
}
