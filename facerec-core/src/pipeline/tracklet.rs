//! What is kept of a track while it runs: its extent, its boxes when asked for, and its best shots.

use std::collections::VecDeque;
use std::time::Duration;

use super::decide::{Evidence, Spans, TrackDecisionOptions, Verdict};
use super::options::PipelineOptions;
use super::sighting::TrackBox;
use super::workers::LookedFace;
use crate::error::Result;
use crate::face::{Embedding, Quality};
use crate::gallery::Gallery;
use crate::geometry::Rect;
use crate::image::Image;
use crate::track::BestShots;

/// A frame's number and presentation time.
pub(super) type Moment = (u64, Duration);

/// A part of a person's track between two losses, or several parts joined for good.
pub(super) struct Tracklet {
    pub(super) id: u64,
    /// When it was in view; never empty.
    spans: Spans,
    pub(super) frames: u64,
    /// Frames in which it was detected.
    detections: usize,
    pub(super) boxes: Vec<TrackBox>,
    pub(super) shots: BestShots<Shot>,
    /// Embeddings made for it, some of shots that better ones have replaced.
    pub(super) embedded: usize,
    last: Option<(u64, Rect)>,
    /// What its shots say, kept until they change.
    verdict: Option<Verdict>,
}

/// A shot that may become evidence.
pub(super) struct Shot {
    pub(super) frame: u64,
    pub(super) rect: Rect,
    pub(super) quality: Quality,
    pub(super) picture: Option<Image>,
    pub(super) state: ShotState,
}

/// An aligned picture until it is embedded, then the vector.
pub(super) enum ShotState {
    Aligned(Image),
    Embedded(Embedding),
}

/// A shot of a face of which another face covers more than this share may show the other one.
const MOST_COVERED: f32 = 0.4;

/// Neighbouring shots say the same thing again: a short track is decided on a few.
pub(super) const DETECTIONS_PER_EMBEDDING: usize = 10;

/// Sides of a shot's picture: the face, with this much of its side around it, at most so many pixels.
const SURROUNDINGS: f32 = 0.35;
const PICTURE_SIDE: u32 = 160;

impl Tracklet {
    pub(super) fn new(id: u64, time: Duration, options: &PipelineOptions) -> Self {
        let shots = BestShots::new(options.best_shots, options.shot_gap);
        Self { id, spans: vec![(time, time)], frames: 0, detections: 0, boxes: Vec::new(), shots, embedded: 0, last: None, verdict: None }
    }

    /// When it was in view: spans without overlap, in order, at least one.
    pub(super) fn spans(&self) -> &Spans {
        &self.spans
    }

    /// The first time it was seen.
    pub(super) fn start(&self) -> Duration {
        self.spans.first().map_or(Duration::ZERO, |span| span.0)
    }

    /// The last time it was seen.
    pub(super) fn end(&self) -> Duration {
        self.spans.last().map_or(Duration::ZERO, |span| span.1)
    }

    /// The face was detected. Boxes of the frames since the last detection (among `recent`) are interpolated; the tracker
    /// bridges no gap for which a box would have to be made up.
    pub(super) fn see(&mut self, (frame, time): Moment, rect: Rect, recent: &VecDeque<Moment>, keep_boxes: bool) {
        if let Some((last_frame, last_rect)) = self.last {
            let (end, whole) = (self.end(), time.saturating_sub(self.end()).as_secs_f32());
            for &(between, at) in recent.iter().filter(|(between, _)| (last_frame + 1..frame).contains(between)) {
                let part = if whole > 0.0 { at.saturating_sub(end).as_secs_f32() / whole } else { 0.0 };
                self.add_box(TrackBox { frame: between, time: at, rect: blend(&last_rect, &rect, part), detected: false }, keep_boxes);
            }
        }
        self.add_box(TrackBox { frame, time, rect, detected: true }, keep_boxes);
        if let Some(span) = self.spans.last_mut() {
            span.1 = time;
        }
        self.last = Some((frame, rect));
        self.detections += 1;
    }

    fn add_box(&mut self, new: TrackBox, keep: bool) {
        self.frames += 1;
        if keep {
            self.boxes.push(new);
        }
    }

    /// Offers the face as a shot; `covered` is the largest share of it that another face covers.
    pub(super) fn offer(&mut self, (frame, time): Moment, image: &Image, face: &LookedFace, covered: f32, options: &PipelineOptions) {
        let score = face.quality.score * (1.0 - covered);
        if covered > MOST_COVERED || score < options.min_quality {
            return;
        }
        let kept = self.shots.offer(time, score, || Shot {
            frame,
            rect: face.detection.rect,
            quality: face.quality,
            // A picture that cannot be made is left out: the shot is evidence without it.
            picture: options.pictures.then(|| picture(image, &face.detection.rect).ok()).flatten(),
            state: ShotState::Aligned(face.aligned.clone()),
        });
        if kept {
            self.verdict = None;
        }
    }

    /// How many more of its shots are worth embedding now: one in [`DETECTIONS_PER_EMBEDDING`] detections, at least one.
    pub(super) fn wanted(&self) -> usize {
        let open = self.shots.iter().filter(|kept| matches!(kept.value.state, ShotState::Aligned(_))).count();
        (self.detections / DETECTIONS_PER_EMBEDDING).max(1).saturating_sub(self.embedded).min(open)
    }

    /// The best `count` shots that have no vector yet, to be embedded.
    pub(super) fn open_shots(&mut self, count: usize) -> Vec<&mut ShotState> {
        let mut open: Vec<_> = self.shots.iter_mut().filter(|kept| matches!(kept.value.state, ShotState::Aligned(_))).collect();
        open.sort_by(|a, b| b.score.total_cmp(&a.score));
        open.truncate(count);
        if !open.is_empty() {
            self.verdict = None;
        }
        self.embedded += open.len();
        open.into_iter().map(|kept| &mut kept.value.state).collect()
    }

    /// The shots that are embedded, as evidence.
    pub(super) fn evidence(&self) -> impl Iterator<Item = Evidence<'_>> {
        self.shots.iter().filter_map(|kept| match &kept.value.state {
            ShotState::Embedded(embedding) => Some(Evidence { time: kept.time, quality: kept.score, embedding }),
            ShotState::Aligned(_) => None,
        })
    }

    /// What the evidence says by itself.
    pub(super) fn verdict(&mut self, gallery: Option<&Gallery>, options: &TrackDecisionOptions) -> Result<&Verdict> {
        let verdict = match self.verdict.take() {
            Some(verdict) => verdict,
            None => Verdict::new(gallery, &self.evidence().collect::<Vec<_>>(), options)?,
        };
        Ok(self.verdict.insert(verdict))
    }

    /// It is over, and its shots are embedded: pictures that will never be are let go.
    pub(super) fn settle(&mut self) {
        self.shots.retain(|shot| matches!(shot.state, ShotState::Embedded(_)));
    }

    /// Takes up another part of the same person's track: of both parts' shots the best are kept, spread over the whole time.
    pub(super) fn absorb(&mut self, other: Self) {
        self.id = self.id.min(other.id);
        self.spans = merged(self.spans.iter().chain(&other.spans));
        self.frames += other.frames;
        self.detections += other.detections;
        self.embedded += other.embedded;
        self.boxes.extend(other.boxes);
        self.boxes.sort_by_key(|one| one.frame);
        for shot in other.shots.into_vec() {
            self.shots.offer(shot.time, shot.score, || shot.value);
        }
        (self.last, self.verdict) = (None, None);
    }
}

/// Spans in order, neighbours that touch joined.
pub(super) fn merged<'s>(spans: impl Iterator<Item = &'s (Duration, Duration)>) -> Spans {
    let mut spans: Spans = spans.copied().collect();
    spans.sort();
    spans.dedup_by(|next, previous| {
        let touching = next.0 <= previous.1;
        if touching {
            previous.1 = previous.1.max(next.1);
        }
        touching
    });
    spans
}

/// The box `part` of the way from `a` to `b`.
fn blend(a: &Rect, b: &Rect, part: f32) -> Rect {
    let mix = |a: f32, b: f32| a + (b - a) * part;
    Rect::new(mix(a.x1, b.x1), mix(a.y1, b.y1), mix(a.x2, b.x2), mix(a.y2, b.y2))
}

/// The face with some surroundings, small.
fn picture(image: &Image, rect: &Rect) -> Result<Image> {
    let side = rect.width().max(rect.height()) * (1.0 + 2.0 * SURROUNDINGS);
    let center = rect.center();
    let around = Rect::new(center.x - side / 2.0, center.y - side / 2.0, center.x + side / 2.0, center.y + side / 2.0);
    image.crop(&around)?.fit(PICTURE_SIDE)
}
