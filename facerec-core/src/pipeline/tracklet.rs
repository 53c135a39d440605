//! A part of a track that shows one person: its extent, its boxes when asked for, and its best shots.

use std::time::Duration;

use super::asked::Asked;
use super::decide::{Evidence, Spans, TrackDecisionOptions, Verdict};
use super::options::PipelineOptions;
use super::sighting::TrackBox;
use super::split::Witness;
use crate::error::Result;
use crate::face::{Embedding, Quality};
use crate::gallery::PersonId;
use crate::geometry::Rect;
use crate::image::{Image, Turn};
use crate::track::{BestShots, Kept};

/// A part of a person's track between two losses, or several parts joined for good.
pub(super) struct Tracklet {
    pub(super) id: u64,
    /// When it was in view.
    spans: Spans,
    pub(super) frames: u64,
    pub(super) boxes: Vec<TrackBox>,
    pub(super) shots: BestShots<Shot>,
    /// Embeddings made for it, some of shots that better ones have replaced.
    pub(super) embedded: usize,
    /// What its shots say, kept until they change.
    verdict: Option<Verdict>,
}

/// A shot that is evidence.
pub(super) struct Shot {
    pub(super) frame: u64,
    pub(super) rect: Rect,
    pub(super) quality: Quality,
    pub(super) picture: Option<Image>,
    pub(super) embedding: Embedding,
    /// Whom the gallery knows it as, by itself.
    pub(super) vote: Option<PersonId>,
    /// How many jumps its track had up to it.
    pub(super) jumps: u32,
}

/// Least quality score of a shot that tells people apart by what they look like: dark and smeared faces resemble each other more than
/// their owners do. (In the generated clips of `benches/clips` no track's best shot is below 0.15.)
pub(crate) const CLEAR: f32 = 0.15;

/// Sides of a shot's picture: the face, with this much of its side around it, at most so many pixels.
const SURROUNDINGS: f32 = 0.35;
const PICTURE_SIDE: u32 = 160;

impl Tracklet {
    /// Nothing was seen yet.
    pub(super) fn new(id: u64, options: &PipelineOptions) -> Self {
        let shots = BestShots::new(options.best_shots, options.shot_gap);
        Self { id, spans: Vec::new(), frames: 0, boxes: Vec::new(), shots, embedded: 0, verdict: None }
    }

    /// When it was in view: spans without overlap, in order.
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

    /// It was seen in these frames, later than before; `goes_on` without a break.
    pub(super) fn see(&mut self, boxes: Vec<TrackBox>, goes_on: bool, keep_boxes: bool) {
        let (Some(first), Some(last)) = (boxes.first(), boxes.last()) else { return };
        match self.spans.last_mut() {
            Some(span) if goes_on => span.1 = last.time,
            _ => self.spans.push((first.time, last.time)),
        }
        self.frames += boxes.len() as u64;
        if keep_boxes {
            self.boxes.extend(boxes);
        }
    }

    /// Of its last boxes, `tail`, all but the first are somebody else's: these are returned, if there are any.
    pub(super) fn take_back(&mut self, mut tail: Vec<TrackBox>) -> Option<Vec<TrackBox>> {
        let taken = tail.split_off(tail.len().min(1));
        let kept = tail.first()?.time;
        self.frames = self.frames.saturating_sub(taken.len() as u64);
        self.boxes.retain(|one| one.time <= kept);
        self.spans.retain(|span| span.0 <= kept);
        if let Some(span) = self.spans.last_mut() {
            span.1 = span.1.min(kept);
        }
        (!taken.is_empty()).then_some(taken)
    }

    /// Takes a shot as evidence.
    pub(super) fn add_shot(&mut self, shot: Kept<Shot>) {
        if self.shots.offer(shot.time, shot.score, || shot.value) {
            self.verdict = None;
        }
    }

    /// The shots as evidence.
    pub(super) fn evidence(&self) -> impl Iterator<Item = Evidence<'_>> {
        self.shots.iter().map(|kept| {
            let Shot { embedding, vote, .. } = &kept.value;
            Evidence { time: kept.time, quality: kept.score, embedding, vote: *vote }
        })
    }

    /// The shots as they tell who is shown elsewhere in the track.
    pub(super) fn witnesses(&self) -> impl Iterator<Item = Witness<'_>> {
        self.shots.iter().map(Shot::witness)
    }

    /// What the evidence says by itself.
    pub(super) fn verdict(&mut self, gallery: Option<Asked<'_>>, options: &TrackDecisionOptions) -> Result<&Verdict> {
        let verdict = match self.verdict.take() {
            Some(verdict) => verdict,
            None => Verdict::new(gallery, &self.evidence().collect::<Vec<_>>(), options)?,
        };
        Ok(self.verdict.insert(verdict))
    }

    /// Takes up another part of the same person's track: of both parts' shots the best are kept, spread over the whole time.
    pub(super) fn absorb(&mut self, other: Self) {
        self.id = self.id.min(other.id);
        self.spans = merged(self.spans.iter().chain(&other.spans), Duration::ZERO);
        self.frames += other.frames;
        self.embedded += other.embedded;
        self.boxes.extend(other.boxes);
        self.boxes.sort_by_key(|one| one.frame);
        other.shots.into_vec().into_iter().for_each(|shot| self.add_shot(shot));
        self.verdict = None;
    }
}

impl Shot {
    pub(super) fn witness(kept: &Kept<Self>) -> Witness<'_> {
        let Self { embedding, vote, jumps, .. } = &kept.value;
        let clear = kept.score >= CLEAR && embedding.is_recognisable();
        Witness { embedding, weight: kept.score, vote: *vote, clear, jumps: *jumps }
    }
}

/// Spans in order; neighbours no more than `gap` apart are joined.
pub(super) fn merged<'s>(spans: impl Iterator<Item = &'s (Duration, Duration)>, gap: Duration) -> Spans {
    let mut spans: Spans = spans.copied().collect();
    spans.sort();
    spans.dedup_by(|next, previous| {
        let touching = next.0 <= previous.1.saturating_add(gap);
        if touching {
            previous.1 = previous.1.max(next.1);
        }
        touching
    });
    spans
}

/// The face with some surroundings, small and upright.
pub(super) fn picture(image: &Image, rect: &Rect, turn: Turn) -> Result<Image> {
    let side = rect.width().max(rect.height()) * (1.0 + 2.0 * SURROUNDINGS);
    let center = rect.center();
    let around = Rect::new(center.x - side / 2.0, center.y - side / 2.0, center.x + side / 2.0, center.y + side / 2.0);
    turn.apply_to(image.crop(&around)?.fit(PICTURE_SIDE)?)
}
