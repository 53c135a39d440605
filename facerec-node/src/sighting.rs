//! What a video gives, as plain objects.

use std::collections::HashMap;
use std::time::Duration;

use facerec_core::pipeline;
use facerec_core::{Decision, VideoSummary as CoreSummary};
use napi::bindgen_prelude::{Buffer, Float32Array};
use napi_derive::napi;

use crate::enroll::Candidate;
use crate::face::{Quality, rect, vector};

/// One person's track through a video: who, from when to when, how sure, and the shots that show it.
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct Sighting {
    /// The track's number, unique in the video.
    pub track: f64,
    /// The person's name; null for unknown, a normal answer.
    pub person: Option<String>,
    /// The person's id, a safe integer; null for unknown.
    pub person_id: Option<i64>,
    /// Similarity of the best candidate, named or not, -1 to 1.
    pub similarity: f64,
    /// Similarity from which the track is named: higher for thin evidence.
    pub threshold: f64,
    /// Lead of the best candidate over the runner-up, 0 to 2.
    pub margin: f64,
    /// Why the answer is what it is.
    #[napi(ts_type = "DecisionReason")]
    pub reason: String,
    /// The best people, best first.
    pub candidates: Vec<Candidate>,
    /// First time the person was seen, milliseconds from the start of the video.
    pub start_ms: f64,
    /// Last time the person was seen, milliseconds.
    pub end_ms: f64,
    /// When the person was in view: start and end of each part, milliseconds, in order.
    #[napi(ts_type = "Array<[startMs: number, endMs: number]>")]
    pub spans: Vec<Vec<f64>>,
    /// Frames in which the person has a box.
    pub frames: f64,
    /// Embeddings made for this track.
    pub embeddings: f64,
    /// The shots the decision rests on, in order of time.
    pub best_shots: Vec<BestShot>,
    /// The box in every frame, when `boxes` was asked for; else empty.
    pub boxes: Vec<TrackBox>,
    /// The track goes on: what is known so far. Its final sighting follows. Only with `provisional`.
    pub provisional: bool,
}

/// A good view of a tracked face.
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct BestShot {
    /// Number of the frame, from 0.
    pub frame: f64,
    /// Presentation time of the frame, milliseconds.
    pub ms: f64,
    /// `[x1, y1, x2, y2]` in pixels of the frame.
    #[napi(js_name = "box", ts_type = "Box")]
    pub rect: Vec<f64>,
    /// How usable the face is.
    pub quality: Quality,
    /// The face's vector.
    pub embedding: Float32Array,
    /// The face with some surroundings, at most 160 pixels wide and high; null with `pictures: false`.
    pub picture: Option<Picture>,
}

/// Pixels: `height` rows of `width` RGB triples. An `ImageInput`.
#[napi(object, object_from_js = false)]
pub struct Picture {
    /// The pixels, `width * height * 3` bytes.
    pub data: Buffer,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Always 3: red, green, blue.
    #[napi(ts_type = "3")]
    pub channels: u32,
}

/// A tracked face's box in one frame.
#[napi(object, object_from_js = false)]
pub struct TrackBox {
    /// Number of the frame, from 0.
    pub frame: f64,
    /// Presentation time of the frame, milliseconds.
    pub ms: f64,
    /// `[x1, y1, x2, y2]` in pixels of the frame.
    #[napi(js_name = "box", ts_type = "Box")]
    pub rect: Vec<f64>,
    /// Whether the face was detected in this frame; otherwise the box is interpolated.
    pub detected: bool,
}

/// A video in numbers.
#[napi(object, object_from_js = false)]
pub struct VideoSummary {
    /// Frames read.
    pub frames: f64,
    /// Frames in which faces were looked for.
    pub frames_detected: f64,
    /// Presentation time of the last frame, milliseconds.
    pub duration_ms: f64,
    /// Tracks reported.
    pub tracks: f64,
    /// When each named person was in view: start and end of each part, milliseconds.
    #[napi(ts_type = "Record<string, Array<[startMs: number, endMs: number]>>")]
    pub persons: HashMap<String, Vec<Vec<f64>>>,
    /// Tracks of people nobody knows.
    pub unknown_tracks: f64,
    /// Faces detected.
    pub detections: f64,
    /// Embeddings made.
    pub embeddings: f64,
    /// Scene cuts found.
    pub cuts: f64,
    /// By how many degrees clockwise the frames had to be turned for their faces to stand upright: 0, 90, 180 or 270.
    pub turned_deg: u32,
    /// Wall-clock time, milliseconds.
    pub wall_ms: f64,
    /// How a live source was received.
    pub reception: Reception,
}

/// How a live source was received: what was left out and why, and where its times are not the camera's own.
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct Reception {
    /// Frames left out because they came faster, for longer, than they were looked at.
    pub too_slow: f64,
    /// Packets that arrived damaged, or after others were lost, and gave no frame.
    pub undecodable: f64,
    /// Jumps of the source's clock. Times go on over them as if there were none.
    pub clock_jumps: f64,
    /// When the source was away, milliseconds: the last frame before and the first after, null when none came.
    #[napi(ts_type = "Array<[fromMs: number, toMs: number | null]>")]
    pub absences: Vec<Vec<Option<f64>>>,
}

/// How far a video has been looked through.
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct Progress {
    /// Frames read.
    pub frames: f64,
    /// Frames in all, when the file says so; an estimate.
    pub total: Option<f64>,
    /// Presentation time of the last frame, milliseconds.
    pub ms: f64,
}

/// Whole milliseconds, as in the command's JSON.
pub(crate) fn ms(time: Duration) -> f64 {
    time.as_millis() as f64
}

fn spans(spans: &[(Duration, Duration)]) -> Vec<Vec<f64>> {
    spans.iter().map(|&(start, end)| vec![ms(start), ms(end)]).collect()
}

impl From<pipeline::Sighting> for Sighting {
    fn from(seen: pipeline::Sighting) -> Self {
        let Decision { person, name, similarity, threshold, margin, reason, candidates, .. } = seen.decision;
        Self {
            track: seen.track as f64,
            person: name,
            person_id: person.map(|id| id.0),
            similarity: similarity.into(),
            threshold: threshold.into(),
            margin: margin.into(),
            reason: reason.code().into(),
            candidates: candidates.into_iter().map(Candidate::from).collect(),
            start_ms: ms(seen.start),
            end_ms: ms(seen.end),
            spans: spans(&seen.spans),
            frames: seen.frames as f64,
            embeddings: seen.embeddings as f64,
            best_shots: seen.best_shots.into_iter().map(BestShot::from).collect(),
            boxes: seen.boxes.into_iter().map(TrackBox::from).collect(),
            provisional: seen.provisional,
        }
    }
}

impl From<pipeline::BestShot> for BestShot {
    fn from(shot: pipeline::BestShot) -> Self {
        let picture = shot.picture.map(|picture| Picture {
            width: picture.width(),
            height: picture.height(),
            channels: 3,
            data: picture.into_data().into(),
        });
        let embedding = vector(&shot.embedding);
        Self { frame: shot.frame as f64, ms: ms(shot.time), rect: rect(&shot.rect), quality: shot.quality.into(), embedding, picture }
    }
}

impl From<pipeline::TrackBox> for TrackBox {
    fn from(one: pipeline::TrackBox) -> Self {
        Self { frame: one.frame as f64, ms: ms(one.time), rect: rect(&one.rect), detected: one.detected }
    }
}

impl From<&CoreSummary> for VideoSummary {
    fn from(summary: &CoreSummary) -> Self {
        Self {
            frames: summary.frames as f64,
            frames_detected: summary.frames_detected as f64,
            duration_ms: ms(summary.duration),
            tracks: summary.tracks as f64,
            persons: summary.persons.iter().map(|(name, times)| (name.clone(), spans(times))).collect(),
            unknown_tracks: summary.unknown_tracks as f64,
            detections: summary.detections as f64,
            embeddings: summary.embeddings as f64,
            cuts: summary.cuts as f64,
            turned_deg: summary.turned_deg,
            wall_ms: ms(summary.wall),
            reception: (&summary.reception).into(),
        }
    }
}

impl From<&facerec_core::Reception> for Reception {
    fn from(reception: &facerec_core::Reception) -> Self {
        Self {
            too_slow: reception.too_slow as f64,
            undecodable: reception.undecodable as f64,
            clock_jumps: reception.clock_jumps as f64,
            absences: reception.absences.iter().map(|away| vec![Some(ms(away.from)), away.to.map(ms)]).collect(),
        }
    }
}

impl From<&pipeline::Progress> for Progress {
    fn from(progress: &pipeline::Progress) -> Self {
        Self { frames: progress.frames as f64, total: progress.total.map(|total| total as f64), ms: ms(progress.time) }
    }
}
