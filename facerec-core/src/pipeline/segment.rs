//! What is seen of a track between two jumps, or for a second: one good shot speaks for all of it.

use std::time::Duration;

use super::looks::JUST_BEFORE;
use super::options::PipelineOptions;
use super::sighting::TrackBox;
use super::tracklet::{Shot, picture};
use super::workers::{Looked, LookedFace};
use crate::geometry::Rect;
use crate::image::Image;
use crate::track::Kept;

/// A frame's number and presentation time.
pub(super) type Moment = (u64, Duration);

/// How a segment begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// As the one before it ended.
    Same,
    /// Within about a second the face has come to look otherwise: its head turned, or another one came in a dissolve.
    Changed,
    /// Looks, scene or time jumped: it may be another person than before.
    Jump,
}

/// A part of a stretch of a track.
pub(super) struct Segment {
    pub(super) start: Start,
    /// How many jumps the track had up to it: between two that had as many, none lies.
    pub(super) jumps: u32,
    /// When it was detected last before.
    pub(super) after: Duration,
    /// Boxes between the segment before and this one: foreseen by both, seen in neither.
    pub(super) bridge: Vec<TrackBox>,
    /// Its boxes, from a detection to a detection.
    pub(super) boxes: Vec<TrackBox>,
    /// Frames in which it was detected.
    pub(super) detections: usize,
    /// How like the last detection was to those just before.
    steadiness: f32,
    /// Its best moment, until that is embedded.
    pub(super) best: Option<Kept<Candidate>>,
    /// Its best moment as evidence.
    pub(super) evidence: Option<Kept<Shot>>,
}

/// A view of a face that may become evidence.
pub(super) struct Candidate {
    pub(super) frame: u64,
    pub(super) rect: Rect,
    pub(super) face: LookedFace,
    pub(super) picture: Option<Image>,
    /// Its score times how like it is to what was just before and after: the best likeness of its segment.
    pub(super) rank: f32,
}

/// A shot of a face of which another face covers more than this share may show the other one.
const MOST_COVERED: f32 = 0.4;

/// A segment is over after so many detections that last so long.
const DETECTIONS: usize = 4;
const LENGTH: Duration = Duration::from_secs(1);

impl Segment {
    pub(super) fn new(start: Start, jumps: u32, after: Duration, bridge: Vec<TrackBox>) -> Self {
        Self { start, jumps, after, bridge, boxes: Vec::new(), detections: 0, steadiness: 1.0, best: None, evidence: None }
    }

    /// Whether what comes belongs to the next one.
    pub(super) fn is_full(&self) -> bool {
        let [_, first, last] = self.times();
        self.detections >= DETECTIONS && last.saturating_sub(first) >= LENGTH
    }

    /// When it was detected last before it, first in it and last in it.
    pub(super) fn times(&self) -> [Duration; 3] {
        let time = |one: Option<&TrackBox>| one.map_or(self.after, |one| one.time);
        [self.after, time(self.boxes.first()), time(self.boxes.last())]
    }

    /// The face was detected; `between` are the boxes since the detection before, `steadiness` says how like it is to those.
    pub(super) fn see(&mut self, between: Vec<TrackBox>, (frame, time): Moment, rect: Rect, steadiness: f32) {
        self.boxes.extend(between);
        self.boxes.push(TrackBox { frame, time, rect, detected: true });
        self.detections += 1;
        self.steadiness = steadiness;
    }

    /// Offers the face as its best shot; `covered` is the largest share of it that another face covers.
    pub(super) fn offer(&mut self, (frame, time): Moment, looked: &Looked, face: &LookedFace, covered: f32, options: &PipelineOptions) {
        let score = face.quality.score * (1.0 - covered);
        let rank = score * self.steadiness;
        // The first look after a jump has nothing before it: what comes tells whether it was steady.
        if let Some(best) = self.best.as_mut().filter(|best| time.saturating_sub(best.time) <= JUST_BEFORE) {
            best.value.rank = best.value.rank.min(best.score * best.value.face.looks.steadiness(&face.looks));
        }
        let better = self.best.as_ref().is_none_or(|best| rank > best.value.rank);
        if covered > MOST_COVERED || !score.is_finite() || score < options.min_quality || !better {
            return;
        }
        let rect = face.detection.rect;
        // A picture that cannot be made is left out: the shot is evidence without it.
        let picture = options.pictures.then(|| picture(&looked.image, &rect, looked.turn).ok()).flatten();
        self.best = Some(Kept { time, score, value: Candidate { frame, rect, face: face.clone(), picture, rank } });
    }
}
