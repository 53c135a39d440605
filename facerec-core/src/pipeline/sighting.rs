//! What a video gives: one sighting per track, and a summary.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::face::{Embedding, Quality};
use crate::gallery::Decision;
use crate::geometry::Rect;
use crate::image::Image;
use crate::video::Reception;

/// One person's track through a video: who, from when to when, how sure, and the shots that show it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Sighting {
    /// The track's number: unique in the video, the lowest of the parts it was joined from.
    pub track: u64,
    /// First time the person was seen.
    pub start: Duration,
    /// Last time the person was seen.
    pub end: Duration,
    /// When the person was in view: one span per part, without overlap, in order.
    pub spans: Vec<(Duration, Duration)>,
    /// Frames in which the person has a box.
    pub frames: u64,
    /// Who it is. Unknown is a normal answer.
    pub decision: Decision,
    /// The best of the shots the decision rests on, some of every appearance if there is room, in order of time.
    pub best_shots: Vec<BestShot>,
    /// Embeddings made for this track.
    pub embeddings: usize,
    /// The box in every frame, when asked for: exact where faces were looked for, interpolated in between.
    pub boxes: Vec<TrackBox>,
    /// The track goes on: what is known so far. Its final sighting follows.
    pub provisional: bool,
}

impl Sighting {
    /// The person's name, `None` for unknown.
    pub fn name(&self) -> Option<&str> {
        self.decision.name.as_deref()
    }
}

/// A good view of a tracked face.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct BestShot {
    /// Number of the frame, from 0.
    pub frame: u64,
    /// Presentation time of the frame.
    pub time: Duration,
    /// The face's box in the frame.
    pub rect: Rect,
    /// How usable the face is.
    pub quality: Quality,
    /// The face's vector.
    pub embedding: Embedding,
    /// The face with some surroundings, at most 160 px wide and high, when pictures are kept.
    pub picture: Option<Image>,
}

/// A tracked face's box in one frame.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct TrackBox {
    /// Number of the frame, from 0.
    pub frame: u64,
    /// Presentation time of the frame.
    pub time: Duration,
    /// The box.
    pub rect: Rect,
    /// Whether the face was detected in this frame; otherwise the box is interpolated.
    pub detected: bool,
}

/// How far a video has been looked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Progress {
    /// Frames read.
    pub frames: u64,
    /// Frames in all, when the file says so.
    pub total: Option<u64>,
    /// Presentation time of the last frame.
    pub time: Duration,
    /// Tracks in view now.
    pub tracks: usize,
}

/// A video in numbers.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct VideoSummary {
    /// Frames read.
    pub frames: u64,
    /// Frames in which faces were looked for.
    pub frames_detected: u64,
    /// Presentation time of the last frame.
    pub duration: Duration,
    /// Tracks reported.
    pub tracks: usize,
    /// When each named person was in view.
    pub persons: BTreeMap<String, Vec<(Duration, Duration)>>,
    /// Tracks of people nobody knows.
    pub unknown_tracks: usize,
    /// Faces detected.
    pub detections: u64,
    /// Embeddings made.
    pub embeddings: u64,
    /// Scene cuts found.
    pub cuts: u64,
    /// By how many degrees clockwise the frames had to be turned for their faces to stand upright: 0, 90, 180 or 270. A video that
    /// is turned as a whole is noticed; its boxes are those of the frames as they are.
    pub turned_deg: u32,
    /// Wall-clock time.
    pub wall: Duration,
    /// Time per stage, summed over the threads that worked on it.
    pub stages: Stages,
    /// How a live source was received: frames left out, jumps of its clock, times away.
    pub reception: Reception,
}

/// Time per stage. Stages overlap, so their sum may exceed the wall-clock time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stages {
    /// Waiting for the next frame: what decoding costs beyond what runs beside the other stages.
    pub decode: Duration,
    /// Conversion to RGB.
    pub convert: Duration,
    /// Detection.
    pub detect: Duration,
    /// Alignment and quality of every detected face.
    pub quality: Duration,
    /// Tracking and choosing shots.
    pub track: Duration,
    /// Embedding.
    pub embed: Duration,
    /// Search and decisions.
    pub identify: Duration,
}

impl VideoSummary {
    /// Counts a final sighting.
    pub(super) fn count(&mut self, sighting: &Sighting) {
        self.tracks += 1;
        match sighting.name() {
            Some(name) => {
                let spans = self.persons.entry(name.to_owned()).or_default();
                spans.extend(&sighting.spans);
                spans.sort();
            }
            None => self.unknown_tracks += 1,
        }
    }
}
