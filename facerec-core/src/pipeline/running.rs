//! A track while it is followed, and its parts by person as far as evidence has told them apart.

use std::collections::VecDeque;
use std::time::Duration;

use super::give::Giver;
use super::looks::{Beside, Changes, Lately, Looks};
use super::options::PipelineOptions;
use super::segment::{Moment, Segment, Start};
use super::sighting::TrackBox;
use super::split::{Links, Person, Piece, Witness, forgive, forgive_glimpses, in_order, owners, part_changed, persons};
use super::tracklet::{Shot, Tracklet};
use crate::error::Result;
use crate::geometry::Rect;

/// What the tracker follows as one face.
pub(super) struct RunningTrack {
    pub(super) id: u64,
    /// The people whom it showed so far.
    pub(super) parts: Vec<Tracklet>,
    /// Whose the last segment was that is in `parts`, by index.
    pub(super) current: Option<usize>,
    /// What was given to `current` from the last evidence for it on: taken back if somebody else comes without a jump.
    pub(super) tail: Vec<TrackBox>,
    /// What is not given to anybody yet, in order of time.
    pub(super) segments: Vec<Segment>,
    /// Detections since the last embedding, in the stretch that goes on.
    unspent: usize,
    last: Option<(Moment, Rect, Looks)>,
    changes: Changes,
    lately: Lately,
    /// How many jumps it had up to the last segment that is in `parts`.
    given: u32,
    over: bool,
    /// Whether its last embedding is near to a name ([`is_near`](super::decide::TrackDecisionOptions::is_near)).
    pub(super) near: bool,
    /// A part has its number.
    numbered: bool,
}

/// Neighbouring shots say the same thing again: one detection in so many is embedded, and one after each jump.
pub(super) const DETECTIONS_PER_EMBEDDING: usize = 10;

/// So many shots of a track are embedded however tight the budget is: the first ones decide most.
const ENOUGH: usize = 3;

/// However tight the budget, a track is looked at again after this many times as many detections.
const PATIENCE: usize = 4;

/// A stretch of so many segments has evidence at both ends.
const LONG: usize = 4;

/// A stretch without any evidence is waited with, in the hope of some, up to so many segments.
const MOST_WAITING: usize = 10;

impl RunningTrack {
    pub(super) fn new(id: u64) -> Self {
        Self {
            id,
            parts: Vec::new(),
            current: None,
            tail: Vec::new(),
            segments: Vec::new(),
            unspent: 0,
            last: None,
            changes: Changes::default(),
            lately: Lately::default(),
            given: 0,
            over: false,
            near: false,
            numbered: false,
        }
    }

    /// The last time it was seen.
    pub(super) fn end(&self) -> Duration {
        self.last.as_ref().map_or(Duration::ZERO, |((_, time), ..)| *time)
    }

    /// It goes on no more.
    pub(super) fn end_here(&mut self) {
        self.over = true;
    }

    /// The part that goes on.
    pub(super) fn current_mut(&mut self) -> Option<&mut Tracklet> {
        self.parts.get_mut(self.current?)
    }

    /// The face was detected; in doubt the scene or the time jumped before it. Boxes of the frames since the last detection
    /// (among `recent`) are interpolated; the tracker bridges no gap for which a box would have to be made up. Gives the
    /// segment, to which the face may be offered.
    pub(super) fn see(&mut self, moment: Moment, rect: Rect, looks: &Looks, doubt: bool, recent: &VecDeque<Moment>) -> &mut Segment {
        let (mut between, mut jump, after) = (Vec::new(), true, self.end());
        if let Some(((frame, time), last, before)) = self.last.replace((moment, rect, looks.clone())) {
            jump = self.changes.jump(&before, looks) || doubt;
            let whole = moment.1.saturating_sub(time).as_secs_f32();
            between.extend(recent.iter().filter(|(between, _)| (frame + 1..moment.0).contains(between)).map(|&(frame, at)| {
                let part = if whole > 0.0 { at.saturating_sub(time).as_secs_f32() / whole } else { 0.0 };
                TrackBox { frame, time: at, rect: blend(&last, &rect, part), detected: false }
            }));
        }
        if jump {
            self.lately.clear();
        }
        let Beside { changed, steadiness } = self.lately.see(moment.1, looks);
        let start = if jump {
            Start::Jump
        } else if changed {
            Start::Changed
        } else {
            Start::Same
        };
        if start != Start::Same || self.segments.last().is_none_or(Segment::is_full) {
            let jumps = self.segments.last().map_or(self.given, |segment| segment.jumps) + u32::from(start == Start::Jump);
            self.segments.push(Segment::new(start, jumps, after, std::mem::take(&mut between)));
        }
        let last = self.segments.len() - 1;
        self.segments[last].see(between, moment, rect, steadiness);
        &mut self.segments[last]
    }

    /// Which segments' best shots are worth embedding: those that must be, one of each stretch, both ends of a long
    /// one and [`ENOUGH`] of the track, and those that may be, up to one in [`DETECTIONS_PER_EMBEDDING`] detections.
    pub(super) fn wanted(&self) -> (Vec<usize>, Vec<usize>) {
        let (mut must, mut may) = (Vec::new(), Vec::new());
        let mut missing = ENOUGH.saturating_sub(self.parts.iter().map(|part| part.embedded).sum());
        for stretch in self.stretches() {
            let goes_on = self.segments[stretch.start].start == Start::Same;
            let spent = if goes_on { self.unspent } else { 0 };
            let detections = spent + self.segments[stretch.clone()].iter().map(|segment| segment.detections).sum::<usize>();
            let proved = goes_on && self.current.is_some() || self.segments[stretch.clone()].iter().any(|s| s.evidence.is_some());
            let mut open: Vec<usize> = stretch.filter(|&index| self.segments[index].best.is_some()).collect();
            let score = |index: &usize| self.segments[*index].best.as_ref().map_or(0.0, |best| best.value.rank);
            let ends = self.ends(&open, proved);
            open.sort_by(|a, b| ends.contains(b).cmp(&ends.contains(a)).then(score(b).total_cmp(&score(a))));
            let share = detections / DETECTIONS_PER_EMBEDDING;
            // A stretch without evidence is nobody's: it needs one shot, however short it is.
            let least = ends.len().max(usize::from(!proved || share >= PATIENCE));
            open.truncate(share.max(least));
            let rest = open.split_off(share.min(missing).max(least).min(open.len()));
            missing = missing.saturating_sub(open.len());
            must.extend(open);
            may.extend(rest);
        }
        (must, may)
    }

    /// Which segments' best shots may still decide who it is, the best first. Empty where no name is [near](Self::near), and where
    /// [`ENOUGH`] shots of the track are embedded.
    pub(super) fn deciding(&self) -> Vec<usize> {
        if !self.near {
            return Vec::new();
        }
        let of_parts: usize = self.parts.iter().map(|part| part.embedded).sum();
        let embedded = of_parts + self.segments.iter().filter(|segment| segment.evidence.is_some()).count();
        let rank = |index: usize| self.segments[index].best.as_ref().map(|best| best.value.rank);
        let mut open: Vec<(usize, f32)> = (0..self.segments.len()).filter_map(|index| Some((index, rank(index)?))).collect();
        open.sort_by(|a, b| b.1.total_cmp(&a.1));
        open.truncate(ENOUGH.saturating_sub(embedded));
        open.into_iter().map(|(index, _)| index).collect()
    }

    /// Of a long stretch the first segment with a shot, unless the stretch has evidence already, and the last one once the stretch is
    /// over: nobody is named for long before or after what shows him.
    fn ends(&self, open: &[usize], proved: bool) -> Vec<usize> {
        if open.len() < LONG {
            return Vec::new();
        }
        let is_over = |last: usize| self.over || self.segments[last + 1..].iter().any(|segment| segment.start != Start::Same);
        let mut ends: Vec<usize> = open.first().copied().filter(|_| !proved).into_iter().collect();
        ends.extend(open.last().copied().filter(|&last| is_over(last)));
        ends
    }

    /// Gives the segments to the people whom their evidence shows. Returns parts that are nobody's; `number` numbers those that
    /// are not the first person's.
    pub(super) fn give(&mut self, links: Links, options: &PipelineOptions, number: &mut dyn FnMut() -> u64) -> Result<Vec<Tracklet>> {
        let (id, mut numbered) = (self.id, self.numbered);
        let mut number = || if std::mem::replace(&mut numbered, true) { number() } else { id };
        let nobody = self.give_numbered(links, options, &mut number);
        self.numbered = numbered;
        nobody
    }

    fn give_numbered(&mut self, links: Links, options: &PipelineOptions, number: &mut dyn FnMut() -> u64) -> Result<Vec<Tracklet>> {
        let waiting = self.waiting();
        let held = self.segments.split_off(self.segments.len() - waiting);
        let segments = std::mem::replace(&mut self.segments, held);
        if segments.is_empty() {
            return Ok(Vec::new());
        }
        let pieces = self.pieces(&segments, links)?;
        let owners = owners(&pieces, self.current);
        self.unspent = self.unspent_after(&segments);
        self.given = segments.last().map_or(self.given, |segment| segment.jumps);
        Ok(Giver::new(self, options, number).give(segments, &pieces, &owners))
    }

    /// Detections since the last embedding once `segments` are given away.
    fn unspent_after(&self, segments: &[Segment]) -> usize {
        let detections = |segments: &[Segment]| segments.iter().map(|segment| segment.detections).sum::<usize>();
        match segments.iter().rposition(|segment| segment.evidence.is_some()) {
            Some(last) => detections(&segments[last + 1..]),
            None if segments.iter().any(|segment| segment.start != Start::Same) => 0,
            None => self.unspent + detections(segments),
        }
    }

    /// Its parts, when it is over.
    pub(super) fn into_parts(self) -> Vec<Tracklet> {
        self.parts
    }

    /// How many of the last segments wait for evidence: a stretch that goes on and has none.
    fn waiting(&self) -> usize {
        let Some(stretch) = self.stretches().pop().filter(|stretch| !self.over && stretch.len() <= MOST_WAITING) else { return 0 };
        let segments = &self.segments[stretch.clone()];
        let open = segments.iter().all(|segment| segment.evidence.is_none()) && segments[0].start != Start::Same;
        if open { stretch.len() } else { 0 }
    }

    /// The segments of each stretch.
    fn stretches(&self) -> Vec<std::ops::Range<usize>> {
        let mut stretches: Vec<std::ops::Range<usize>> = Vec::new();
        for (index, segment) in self.segments.iter().enumerate() {
            match stretches.last_mut().filter(|_| segment.start == Start::Same) {
                Some(stretch) => stretch.end = index + 1,
                None => stretches.push(index..index + 1),
            }
        }
        stretches
    }

    /// Whom the segments' evidence shows: numbers of parts, and beyond them of new people in the order in which they come.
    fn pieces(&self, segments: &[Segment], links: Links) -> Result<Vec<Piece>> {
        let mut people: Vec<Person<'_>> = self.parts.iter().map(|part| Person::new(part.witnesses())).collect();
        if let Some(current) = self.current.and_then(|current| people.get_mut(current)) {
            current.jumps.push(self.given);
        }
        let witnesses: Vec<Option<Witness<'_>>> = segments.iter().map(|segment| segment.evidence.as_ref().map(Shot::witness)).collect();
        let known: Vec<bool> = witnesses.iter().map(|witness| witness.is_some_and(|witness| witness.vote.is_some())).collect();
        let persons = persons(people, &witnesses, links)?;
        let piece = |(segment, person): (&Segment, _)| Piece {
            jump: segment.start == Start::Jump,
            person,
            times: segment.times(),
            detections: segment.detections,
        };
        let mut pieces: Vec<Piece> = segments.iter().zip(persons).map(piece).collect();
        let changed: Vec<bool> = segments.iter().map(|segment| segment.start == Start::Changed).collect();
        forgive_glimpses(&mut pieces, &changed, &known);
        part_changed(&mut pieces, self.current, &changed);
        forgive(&mut pieces, self.current, &known);
        in_order(&mut pieces, self.parts.len());
        Ok(pieces)
    }
}

/// The box `part` of the way from `a` to `b`.
fn blend(a: &Rect, b: &Rect, part: f32) -> Rect {
    let mix = |a: f32, b: f32| a + (b - a) * part;
    Rect::new(mix(a.x1, b.x1), mix(a.y1, b.y1), mix(a.x2, b.x2), mix(a.y2, b.y2))
}
