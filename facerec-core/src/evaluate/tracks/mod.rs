//! How good tracks are: the field's measures against a truth, frame by frame and identity by identity.

mod read;

use std::collections::{BTreeMap, BTreeSet, HashMap};

pub use read::{TrackFile, TruthTrack};

use crate::geometry::Rect;
use crate::track::assign;

/// Two boxes show the same face from this intersection over union on.
const SAME: f32 = 0.5;

/// What [`tracks`] measures. Counts are over all frames.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct TrackReport {
    /// Multiple object tracking accuracy (Bernardin and Stiefelhagen 2008): 1 less misses, false boxes and switches per true
    /// box. Below 0 when there are more errors than boxes.
    pub mota: f64,
    /// Identity F1 (Ristani et al. 2016): boxes under the right identity, for the best one-to-one match of tracks to identities.
    pub idf1: f64,
    /// Times an identity went on under another track.
    pub id_switches: u64,
    /// Times an identity was lost and found again.
    pub fragments: u64,
    /// Share of the matched boxes of each track that belong to its most frequent identity.
    pub purity: f64,
    /// True boxes that no track covers.
    pub misses: u64,
    /// Boxes that cover nobody.
    pub false_boxes: u64,
    /// Boxes in the truth.
    pub true_boxes: u64,
    /// Tracks per identity: mean number of tracks that cover at least [`TrackReport::COUNTS_FROM`] boxes of it.
    pub tracks_per_person: f64,
    /// Names, when both files have them.
    pub identification: Option<Identification>,
}

impl TrackReport {
    /// A track counts for an identity from so many boxes on.
    pub const COUNTS_FROM: u64 = 6;
}

/// How well tracks are named.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct Identification {
    /// Share of the named tracks whose boxes mostly show the person named; 1 when none is named.
    pub precision: f64,
    /// Share of the appearances of enrolled people (half a second or more without a gap of a second) during which most
    /// matched boxes carry the right name; 1 when nobody enrolled appears.
    pub recall: f64,
    /// Tracks with a name.
    pub named: u64,
    /// Appearances of enrolled people.
    pub appearances: u64,
}

/// One box of a truth or a result.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FrameBox {
    /// The frame's number, from 0.
    pub frame: i64,
    /// Its presentation time in milliseconds.
    pub ms: f64,
    /// The box.
    pub rect: Rect,
}

/// A truth box and the result box that covers it, by their places in the files.
type Pair = (usize, usize);

/// Compares the tracks of `result` with `truth`.
///
/// The definitions are those of py-motmetrics, with which the tests compare: in each frame pairs of the frame before are kept
/// while they overlap, the rest is assigned optimally.
pub fn tracks(truth: &TrackFile, result: &TrackFile) -> TrackReport {
    let (true_frames, result_frames) = (by_frame(truth), by_frame(result));
    let frames: BTreeSet<i64> = true_frames.keys().chain(result_frames.keys()).copied().collect();
    let mut report = TrackReport::default();
    let mut current: HashMap<usize, usize> = HashMap::new();
    let mut matched_frames: Vec<Vec<bool>> = vec![Vec::new(); truth.tracks.len()];
    let mut matches: BTreeMap<Pair, Vec<f64>> = BTreeMap::new();
    let mut overlaps: BTreeMap<Pair, u64> = BTreeMap::new();
    let none = Vec::new();
    for frame in frames {
        let (truths, results) = (true_frames.get(&frame).unwrap_or(&none), result_frames.get(&frame).unwrap_or(&none));
        for (t, true_box) in truths {
            for (r, result_box) in results {
                if true_box.rect.iou(&result_box.rect) >= SAME {
                    *overlaps.entry((*t, *r)).or_default() += 1;
                }
            }
        }
        let pairs = match_frame(truths, results, &current);
        report.true_boxes += truths.len() as u64;
        report.misses += (truths.len() - pairs.len()) as u64;
        report.false_boxes += (results.len() - pairs.len()) as u64;
        for (t, true_box) in truths {
            let pair = pairs.iter().find(|(matched, _)| matched == t);
            matched_frames[*t].push(pair.is_some());
            if let Some(&(_, r)) = pair {
                report.id_switches += u64::from(current.insert(*t, r).is_some_and(|before| before != r));
                matches.entry((*t, r)).or_default().push(true_box.ms);
            }
        }
    }
    let errors = report.misses + report.false_boxes + report.id_switches;
    report.mota = 1.0 - errors as f64 / report.true_boxes.max(1) as f64;
    report.fragments = matched_frames.iter().map(|frames| fragments(frames)).sum();
    let result_boxes: usize = result.tracks.iter().map(|track| track.boxes.len()).sum();
    let correct = best_identity_overlap(&overlaps, truth.tracks.len(), result.tracks.len());
    report.idf1 = 2.0 * correct as f64 / (report.true_boxes + result_boxes as u64).max(1) as f64;
    report.purity = purity(&matches);
    report.tracks_per_person = tracks_per_person(&matches, truth.tracks.len());
    report.identification = identification(truth, result, &matches);
    report
}

fn by_frame(file: &TrackFile) -> BTreeMap<i64, Vec<(usize, FrameBox)>> {
    let mut frames: BTreeMap<i64, Vec<(usize, FrameBox)>> = BTreeMap::new();
    for (index, track) in file.tracks.iter().enumerate() {
        for one in &track.boxes {
            frames.entry(one.frame).or_default().push((index, *one));
        }
    }
    frames
}

fn match_frame(truths: &[(usize, FrameBox)], results: &[(usize, FrameBox)], current: &HashMap<usize, usize>) -> Vec<Pair> {
    let mut pairs = Vec::new();
    let mut taken = vec![false; results.len()];
    let mut open = Vec::new();
    for (t, true_box) in truths {
        let kept = current.get(t).and_then(|before| {
            let same = |(r, found): &(usize, FrameBox)| r == before && true_box.rect.iou(&found.rect) >= SAME;
            results.iter().position(same).filter(|&place| !taken[place])
        });
        match kept {
            Some(place) => {
                taken[place] = true;
                pairs.push((*t, results[place].0));
            }
            None => open.push((*t, true_box)),
        }
    }
    let free: Vec<&(usize, FrameBox)> = results.iter().zip(&taken).filter(|(_, taken)| !**taken).map(|(found, _)| found).collect();
    let mut costs = Vec::with_capacity(open.len() * free.len());
    for (_, true_box) in &open {
        costs.extend(
            free.iter()
                .map(|(_, found)| Some(true_box.rect.iou(&found.rect)).filter(|iou| *iou >= SAME).map_or(f32::INFINITY, |iou| 1.0 - iou)),
        );
    }
    // As many pairs as possible: staying alone costs more than any chain of swaps.
    let alone = (open.len().min(free.len()) + 1) as f32;
    let assigned = assign(&costs, open.len(), free.len(), alone);
    pairs.extend(open.iter().zip(assigned).filter_map(|((t, _), column)| Some((*t, free[column?].0))));
    pairs
}

/// Changes from matched to unmatched between an identity's first and last match.
fn fragments(matched: &[bool]) -> u64 {
    let Some(last) = matched.iter().rposition(|&hit| hit) else { return 0 };
    matched[..=last].windows(2).filter(|pair| pair[0] && !pair[1]).count() as u64
}

/// Boxes under the right identity when each track is given at most one identity, in the best way.
fn best_identity_overlap(overlaps: &BTreeMap<Pair, u64>, truths: usize, results: usize) -> u64 {
    let most = overlaps.values().copied().max().unwrap_or_default() as f32;
    let mut costs = vec![f32::INFINITY; truths * results];
    for (&(t, r), &count) in overlaps {
        costs[t * results + r] = most - count as f32;
    }
    let assigned = assign(&costs, truths, results, most);
    assigned.iter().enumerate().filter_map(|(t, r)| overlaps.get(&(t, (*r)?))).sum()
}

fn purity(matches: &BTreeMap<Pair, Vec<f64>>) -> f64 {
    let mut per_track: HashMap<usize, (usize, usize)> = HashMap::new();
    for (&(_, r), times) in matches {
        let (most, all) = per_track.entry(r).or_default();
        (*most, *all) = ((*most).max(times.len()), *all + times.len());
    }
    let (most, all) = per_track.values().fold((0, 0), |sum, track| (sum.0 + track.0, sum.1 + track.1));
    if all == 0 { 1.0 } else { most as f64 / all as f64 }
}

fn tracks_per_person(matches: &BTreeMap<Pair, Vec<f64>>, truths: usize) -> f64 {
    let mut counts = vec![0u64; truths];
    for (&(t, _), times) in matches {
        counts[t] += u64::from(times.len() as u64 >= TrackReport::COUNTS_FROM);
    }
    let seen: Vec<u64> = counts.into_iter().filter(|count| *count > 0).collect();
    seen.iter().sum::<u64>() as f64 / seen.len().max(1) as f64
}

/// Longest gap within an appearance, and the shortest appearance that counts, in milliseconds.
const GAP_MS: f64 = 1000.0;
const APPEARANCE_MS: f64 = 500.0;

fn identification(truth: &TrackFile, result: &TrackFile, matches: &BTreeMap<Pair, Vec<f64>>) -> Option<Identification> {
    if truth.tracks.iter().all(|track| track.person.is_none()) {
        return None;
    }
    let mut found = Identification::default();
    let mut right = 0;
    for (r, track) in result.tracks.iter().enumerate() {
        let Some(name) = &track.person else { continue };
        found.named += 1;
        let counts = || matches.iter().filter(move |((_, matched), _)| *matched == r).map(|((t, _), times)| (*t, times.len()));
        let mostly = counts().max_by_key(|(_, count)| *count);
        right += u64::from(mostly.is_some_and(|(t, _)| truth.tracks[t].person.as_ref() == Some(name)));
    }
    let mut recalled = 0;
    for (t, track) in truth.tracks.iter().enumerate().filter(|(_, track)| track.person.is_some() && track.enrolled) {
        for (start, end) in appearances(&track.boxes) {
            found.appearances += 1;
            let (mut named_right, mut all) = (0, 0);
            for ((_, r), times) in matches.iter().filter(|((matched, _), _)| *matched == t) {
                let inside = times.iter().filter(|ms| (start..=end).contains(*ms)).count();
                all += inside;
                named_right += if result.tracks[*r].person == track.person { inside } else { 0 };
            }
            recalled += u64::from(2 * named_right > all);
        }
    }
    found.precision = if found.named == 0 { 1.0 } else { right as f64 / found.named as f64 };
    found.recall = if found.appearances == 0 { 1.0 } else { recalled as f64 / found.appearances as f64 };
    Some(found)
}

/// First and last time of each appearance.
fn appearances(boxes: &[FrameBox]) -> Vec<(f64, f64)> {
    let mut times: Vec<f64> = boxes.iter().map(|one| one.ms).collect();
    times.sort_by(f64::total_cmp);
    let runs = times.chunk_by(|a, b| b - a <= GAP_MS);
    runs.filter_map(|run| Some((*run.first()?, *run.last()?))).filter(|(start, end)| end - start >= APPEARANCE_MS).collect()
}
