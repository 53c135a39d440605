//! What is seen of a track between two jumps, or for a second: one good shot speaks for all of it.

use std::time::Duration;

use super::looks::MOST_OF_A_DISSOLVE;
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
    /// Its score times its steadiness. The best likeness of its segment has the highest.
    pub(super) rank: f32,
}

/// A shot of a face of which another face covers more than this share may show the other one.
const MOST_COVERED: f32 = 0.4;

/// A segment is over when it has so many detections and lasts so long.
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
        // The first look after a jump has none before it. The looks after it tell whether it was steady.
        if let Some(best) = self.best.as_mut().filter(|best| time.saturating_sub(best.time) <= MOST_OF_A_DISSOLVE) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::{Detection, Quality};
    use crate::geometry::Landmarks;
    use crate::image::Turn;
    use crate::pipeline::decide::TrackDecisionOptions;
    use crate::pipeline::looks::Looks;
    use crate::quality::assess;

    /// A face of stripes of this direction.
    fn face(upright: bool, score: f32) -> LookedFace {
        let mut aligned = Image::filled(32, 32, [40; 3]);
        for (index, pixel) in aligned.data_mut().chunks_exact_mut(3).enumerate() {
            if (if upright { index % 32 } else { index / 32 }) % 8 < 4 {
                pixel.fill(200);
            }
        }
        let looks = Looks::new(&aligned);
        let detection = Detection { rect: Rect::new(0.0, 0.0, 32.0, 32.0), score: 0.9, landmarks: Landmarks::default() };
        LookedFace { detection, quality: Quality { score, ..assess(&detection, &aligned) }, aligned, looks }
    }

    #[test]
    fn the_first_look_after_a_jump_is_steady_only_if_the_next_ones_are_like_it() {
        let options = PipelineOptions::new(TrackDecisionOptions::new(0.5, 0.05)).pictures(false);
        let best = |changes: bool| {
            let mut segment = Segment::new(Start::Jump, 1, Duration::ZERO, Vec::new());
            for step in 0..6u64 {
                let (first, moment) = (step == 0, (step, Duration::from_millis(step * 100)));
                let face = face(first || !changes, if first { 0.9 } else { 0.6 });
                let looked = Looked {
                    image: face.aligned.clone(),
                    turn: Turn::None,
                    faces: Vec::new(),
                    convert: Duration::ZERO,
                    detect: Duration::ZERO,
                    quality: Duration::ZERO,
                };
                segment.see(Vec::new(), moment, face.detection.rect, if step < 5 && changes && !first { 0.0 } else { 1.0 });
                segment.offer(moment, &looked, &face, 0.0, &options);
            }
            segment.best.map(|best| best.value.frame)
        };
        assert_eq!(best(false), Some(0));
        assert_eq!(best(true), Some(5), "the rest of a dissolve is nobody's likeness");
    }
}
