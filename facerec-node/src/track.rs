//! Following faces by one's own detections.

use std::sync::{Mutex, PoisonError};

use facerec_core as core;
use facerec_core::{Detection, Landmarks, Point, Rect, Result as CoreResult};
use napi_derive::napi;

use crate::error::{JsResult as Result, argument, milliseconds, thrown};
use crate::face::rect;

/// How a tracker follows faces. What is left out is at the core's default.
#[napi(object, object_to_js = false)]
#[derive(Default)]
pub struct TrackerOptions {
    /// Detector score from which a detection may start a track, 0 to 1. Weaker ones only continue tracks.
    pub high_score: Option<f64>,
    /// Detector score from which one detection is a track at once, 0 to 1; a weaker one must be seen again.
    pub sure_score: Option<f64>,
    /// How long a missed face's track stays open, milliseconds.
    pub keep_lost_ms: Option<f64>,
    /// How long a missed face's box is foreseen, milliseconds.
    pub coast_ms: Option<f64>,
    /// A face that was missed for longer starts a new track when it appears again, milliseconds.
    pub split_after_ms: Option<f64>,
}

impl TrackerOptions {
    fn into_core(self) -> CoreResult<core::TrackOptions> {
        let mut options = core::TrackOptions::default();
        if let Some(score) = self.high_score {
            options = options.high_score(score as f32);
        }
        if let Some(score) = self.sure_score {
            options = options.sure_score(score as f32);
        }
        if let Some(time) = self.keep_lost_ms {
            options = options.keep_lost(milliseconds("keepLostMs", time)?);
        }
        if let Some(time) = self.coast_ms {
            options = options.coast(milliseconds("coastMs", time)?);
        }
        if let Some(time) = self.split_after_ms {
            options = options.split_after(milliseconds("splitAfterMs", time)?);
        }
        Ok(options)
    }
}

/// A detection to follow: any face the engine found is one.
#[napi(object, object_to_js = false)]
pub struct TrackerDetection {
    /// `[x1, y1, x2, y2]` in pixels.
    #[napi(js_name = "box", ts_type = "Box")]
    pub rect: Vec<f64>,
    /// The detector's confidence, 0 to 1.
    pub score: f64,
}

/// What a frame's detections did to the tracks.
#[napi(object, object_from_js = false)]
pub struct TrackStep {
    /// The tracks in view, oldest first.
    pub faces: Vec<TrackedFace>,
    /// Numbers of the tracks that are over.
    pub ended: Vec<f64>,
}

/// A tracked face in one frame.
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct TrackedFace {
    /// Its track's number: 1, 2, 3 in the order in which tracks are confirmed.
    pub track: f64,
    /// `[x1, y1, x2, y2]` in pixels: the detection's box, or where it should be.
    #[napi(js_name = "box", ts_type = "Box")]
    pub rect: Vec<f64>,
    /// Which of the frame's detections it is, from 0; null while it is missed for a moment.
    pub detection: Option<u32>,
    /// How fast it moves, in its own sides a second.
    pub speed: f64,
    /// It touches another tracked face: who is who may be mixed up.
    pub ambiguous: bool,
}

/// Follows faces through frames of your own: detections and times in, tracks out. Needs no engine and no model; a step takes
/// microseconds, so its methods are synchronous. Frames come in the order of their times.
#[napi]
pub struct Tracker {
    inner: Mutex<core::Tracker>,
}

#[napi]
impl Tracker {
    /// Follows nobody yet.
    #[napi(constructor, catch_unwind)]
    pub fn new(options: Option<TrackerOptions>) -> Result<Self> {
        let options = options.unwrap_or_default().into_core().map_err(thrown)?;
        Ok(Self { inner: Mutex::new(core::Tracker::new(options)) })
    }

    /// The detections of the frame at `ms`. Throws `ERR_FACEREC_INVALID_ARGUMENT` for a time before the last frame's.
    #[napi(catch_unwind)]
    pub fn update(&self, ms: f64, detections: Vec<TrackerDetection>) -> Result<TrackStep> {
        let time = milliseconds("ms", ms).map_err(thrown)?;
        let detections: Vec<Detection> = detections.iter().map(detection).collect::<CoreResult<_>>().map_err(thrown)?;
        let step = self.lock().update(time, &detections).map_err(thrown)?;
        Ok(TrackStep { faces: step.faces.iter().map(TrackedFace::from).collect(), ended: numbers(&step.ended) })
    }

    /// Where the tracked faces should be at `ms`, in a frame without detections. Changes nothing.
    #[napi(catch_unwind)]
    pub fn predict(&self, ms: f64) -> Result<Vec<TrackedFace>> {
        let time = milliseconds("ms", ms).map_err(thrown)?;
        Ok(self.lock().predict(time).iter().map(TrackedFace::from).collect())
    }

    /// The scene was cut: every track is over. Returns their numbers.
    #[napi(catch_unwind)]
    pub fn cut(&self) -> Vec<f64> {
        numbers(&self.lock().cut())
    }

    /// The video is over. Returns the numbers of the tracks that were running.
    #[napi(catch_unwind)]
    pub fn finish(&self) -> Vec<f64> {
        numbers(&self.lock().finish())
    }
}

impl Tracker {
    fn lock(&self) -> std::sync::MutexGuard<'_, core::Tracker> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tracker looks at boxes and scores alone.
fn detection(one: &TrackerDetection) -> CoreResult<Detection> {
    let [x1, y1, x2, y2] = one.rect[..] else {
        return Err(argument("detections", format!("expected a box of 4 numbers, got `{}`", one.rect.len())));
    };
    let rect = Rect::new(x1 as f32, y1 as f32, x2 as f32, y2 as f32);
    Ok(Detection { rect, score: one.score as f32, landmarks: Landmarks([Point::default(); 5]) })
}

fn numbers(tracks: &[core::TrackId]) -> Vec<f64> {
    tracks.iter().map(|track| track.0 as f64).collect()
}

impl From<&core::TrackedFace> for TrackedFace {
    fn from(face: &core::TrackedFace) -> Self {
        Self {
            track: face.track.0 as f64,
            rect: rect(&face.rect),
            detection: face.detection.and_then(|index| u32::try_from(index).ok()),
            speed: face.speed.into(),
            ambiguous: face.ambiguous,
        }
    }
}
