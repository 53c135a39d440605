//! Gives a track's segments to the people whom their evidence shows: each person's part of the track takes its boxes and its shots.

use std::time::Duration;

use super::options::PipelineOptions;
use super::running::RunningTrack;
use super::segment::Segment;
use super::sighting::TrackBox;
use super::split::{Piece, earlier, later};
use super::tracklet::Tracklet;

/// So many boxes can be taken back: ten seconds and more.
const MOST_TAIL: usize = 600;

/// Gives segments away, in order of time.
pub(super) struct Giver<'t, 'n> {
    track: &'t mut RunningTrack,
    options: &'t PipelineOptions,
    /// Numbers the parts.
    number: &'n mut dyn FnMut() -> u64,
    /// Parts of the track that are nobody's.
    nobody: Vec<Tracklet>,
    /// Whose the last boxes were; `None` is nobody.
    last: Option<usize>,
}

/// Boxes of a segment that are its owner's, between two times at which the person may have changed unseen.
struct Sure {
    from: Option<Duration>,
    to: Option<Duration>,
}

impl<'t, 'n> Giver<'t, 'n> {
    pub(super) fn new(track: &'t mut RunningTrack, options: &'t PipelineOptions, number: &'n mut dyn FnMut() -> u64) -> Self {
        let last = track.current;
        Self { track, options, number, nobody: Vec::new(), last }
    }

    /// Gives `segments` to their `owners`; returns the parts that are nobody's.
    pub(super) fn give(mut self, segments: Vec<Segment>, pieces: &[Piece], owners: &[Option<usize>]) -> Vec<Tracklet> {
        let before = self.track.current;
        self.take_back(pieces, before);
        for (index, segment) in segments.into_iter().enumerate() {
            let sure = sure(&segment, pieces, index, before);
            self.give_segment(segment, owners[index], &pieces[index], &sure);
        }
        self.track.current = self.last;
        let tail = &mut self.track.tail;
        tail.drain(..tail.len().saturating_sub(MOST_TAIL));
        self.nobody
    }

    /// Where somebody else came without a jump, nobody saw when: what the person `before` was given after their last shot is nobody's.
    fn take_back(&mut self, pieces: &[Piece], before: Option<usize>) {
        let next = pieces[0].person.or_else(|| later(pieces, 0));
        let (Some(before), Some(next), false) = (before, next, pieces[0].jump) else { return };
        if before == next {
            return;
        }
        let tail = std::mem::take(&mut self.track.tail);
        if let Some(taken) = self.track.parts[before].take_back(tail) {
            self.last = None;
            self.add(None, taken, false);
        }
    }

    fn give_segment(&mut self, segment: Segment, owner: Option<usize>, piece: &Piece, sure: &Sure) {
        let Segment { bridge, mut boxes, evidence, .. } = segment;
        let (jump, proved) = (piece.jump, piece.person.is_some());
        if let Some(person) = owner {
            self.make_parts(person);
        }
        if jump && self.last != owner {
            self.track.tail.clear();
        }
        let after = sure.to.map_or(boxes.len(), |to| boxes.partition_point(|one| one.time <= to));
        let rest = boxes.split_off(after);
        let until = sure.from.map_or(0, |from| boxes.partition_point(|one| one.time < from));
        let own = boxes.split_off(until);
        let mut bridge = Some(bridge);
        for (owner, mut boxes) in [(None, boxes), (owner, own), (None, rest)] {
            if boxes.is_empty() {
                continue;
            }
            // Nobody before a jump and nobody after it may be two people.
            let goes_on = self.last == owner && (owner.is_some() || !jump);
            if let Some(bridge) = bridge.take().filter(|_| goes_on) {
                boxes.splice(0..0, bridge);
            }
            self.add(owner, boxes, goes_on);
        }
        let Some(shot) = evidence else { return };
        let part = match owner {
            Some(person) => self.track.parts.get_mut(person),
            None => self.nobody.last_mut(),
        };
        let Some(part) = part else { return };
        part.embedded += 1;
        if owner.is_some() && proved {
            self.track.tail.retain(|one| one.time >= shot.time);
        }
        // A shot that is not clear speaks for nobody whom the track showed, but for its own stretch.
        if owner.is_none() || proved {
            part.add_shot(shot);
        }
    }

    /// Boxes of one owner; `goes_on` without a break.
    fn add(&mut self, owner: Option<usize>, boxes: Vec<TrackBox>, goes_on: bool) {
        self.last = owner;
        if owner.is_some() {
            self.track.tail.extend(&boxes);
        } else if !goes_on || self.nobody.is_empty() {
            self.nobody.push(Tracklet::new((self.number)(), self.options));
        }
        let part = match owner {
            Some(person) => self.track.parts.get_mut(person),
            None => self.nobody.last_mut(),
        };
        if let Some(part) = part {
            part.see(boxes, goes_on, self.options.boxes);
        }
    }

    /// People are numbered in the order in which they come, and so are their parts.
    fn make_parts(&mut self, person: usize) {
        while self.track.parts.len() <= person {
            self.track.parts.push(Tracklet::new((self.number)(), self.options));
        }
    }
}

/// Between two people without a jump only what their shots show is sure: from which shot on, and up to which shot.
fn sure(segment: &Segment, pieces: &[Piece], index: usize, before: Option<usize>) -> Sure {
    let person = pieces[index].person;
    let shot = segment.evidence.as_ref().map(|shot| shot.time).filter(|_| person.is_some());
    let differs = |other: Option<usize>| other.is_some() && other != person;
    Sure { from: shot.filter(|_| differs(earlier(pieces, index, before))), to: shot.filter(|_| differs(later(pieces, index))) }
}
