//! How a video is looked through.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::decide::TrackDecisionOptions;
use super::sighting::Progress;
use crate::error::{Error, Result};
use crate::track::TrackOptions;

/// On which frames faces are looked for.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Cadence {
    /// On every frame: the most exact boxes, at the full price of detection.
    EveryFrame,
    /// About `per_second` times a second of video, more often when faces move fast, meet, or a cut comes. Boxes in between
    /// are interpolated between two detections.
    Adaptive {
        /// Detections a second when nothing much moves, above 0.
        per_second: f32,
    },
}

impl Default for Cadence {
    /// Ten detections a second: a walking head moves about a third of its size between two.
    fn default() -> Self {
        Self::Adaptive { per_second: 10.0 }
    }
}

/// Stops work from another thread. Clones stop the same work.
#[derive(Debug, Clone, Default)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    /// Nothing is cancelled yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops the work at the next frame; it then ends with `cancelled`.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Each worker holds a frame.
const MOST_WORKERS: usize = 64;

/// Called as a video advances.
pub type OnProgress = Arc<dyn Fn(&Progress) + Send + Sync>;

/// How a video is looked through and how sure a track must be.
#[derive(Clone)]
#[non_exhaustive]
pub struct PipelineOptions {
    pub(super) decision: TrackDecisionOptions,
    pub(super) cadence: Cadence,
    pub(super) workers: usize,
    pub(super) tracker: TrackOptions,
    pub(super) best_shots: usize,
    pub(super) shot_gap: Duration,
    pub(super) min_quality: f32,
    pub(super) rejoin_within: Duration,
    pub(super) rejoin_similarity: f32,
    pub(super) boxes: bool,
    pub(super) pictures: bool,
    pub(super) provisional: bool,
    pub(super) turned: bool,
    pub(super) gallery_patience: Duration,
    pub(super) cancel: CancelToken,
    pub(super) progress: Option<OnProgress>,
}

impl std::fmt::Debug for PipelineOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PipelineOptions").field("decision", &self.decision).field("cadence", &self.cadence).finish_non_exhaustive()
    }
}

impl PipelineOptions {
    /// Names tracks by `decision`; everything else at its default.
    pub fn new(decision: TrackDecisionOptions) -> Self {
        Self {
            decision,
            cadence: Cadence::default(),
            workers: std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get).min(MOST_WORKERS),
            tracker: TrackOptions::default(),
            best_shots: 5,
            shot_gap: Duration::from_millis(400),
            min_quality: 0.02,
            rejoin_within: Duration::from_secs(30),
            rejoin_similarity: decision.threshold,
            boxes: false,
            pictures: true,
            provisional: false,
            turned: true,
            gallery_patience: Duration::from_secs(60),
            cancel: CancelToken::new(),
            progress: None,
        }
    }

    /// On which frames faces are looked for; default [`Cadence::Adaptive`] with 10 a second. Fewer is faster and loses people
    /// who pass quickly; [`Cadence::EveryFrame`] is two to three times the work.
    #[must_use]
    pub fn cadence(mut self, cadence: Cadence) -> Self {
        self.cadence = cadence;
        self
    }

    /// Frames looked at in parallel; default: the machine's cores. More than the cores slows everything; the answers do not
    /// depend on timing, but the adaptive cadence reacts later with more workers.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers.clamp(1, MOST_WORKERS);
        self
    }

    /// How faces are followed.
    #[must_use]
    pub fn tracker(mut self, options: TrackOptions) -> Self {
        self.tracker = options;
        self
    }

    /// Most shots kept and embedded per track, default 5, at least 1. More costs embeddings and memory; fewer decides on
    /// thinner evidence.
    #[must_use]
    pub fn best_shots(mut self, most: usize) -> Self {
        self.best_shots = most.clamp(1, 64);
        self
    }

    /// Least time between two best shots of a track, default 400 ms: nearer ones say the same thing twice.
    #[must_use]
    pub fn shot_gap(mut self, gap: Duration) -> Self {
        self.shot_gap = gap;
        self
    }

    /// Least quality score of a shot, `0..=1`, default 0.02: below it an embedding says more about blur than about a person.
    /// Higher leaves more tracks without evidence.
    #[must_use]
    pub fn min_quality(mut self, score: f32) -> Self {
        self.min_quality = score;
        self
    }

    /// How long a person may be out of sight and still continue the same track, default 30 s of video. A finished track is
    /// reported when this time has passed, or at the end; 0 never rejoins.
    #[must_use]
    pub fn rejoin_within(mut self, time: Duration) -> Self {
        self.rejoin_within = time;
        self
    }

    /// Similarity of two tracks' vectors from which they are one person's, default the threshold of naming. Lower joins
    /// strangers, higher leaves more tracks per person.
    #[must_use]
    pub fn rejoin_similarity(mut self, similarity: f32) -> Self {
        self.rejoin_similarity = similarity;
        self
    }

    /// Whether each sighting lists its box in every frame, default no: they grow with the length of the video.
    #[must_use]
    pub fn boxes(mut self, yes: bool) -> Self {
        self.boxes = yes;
        self
    }

    /// Whether best shots carry a small picture of the face, default yes (at most 160 px wide and high).
    #[must_use]
    pub fn pictures(mut self, yes: bool) -> Self {
        self.pictures = yes;
        self
    }

    /// Whether a track is also reported as soon as it can be named, marked `provisional`, before it ends; default no. For live
    /// sources. The final report of the track follows and may differ.
    #[must_use]
    pub fn provisional(mut self, yes: bool) -> Self {
        self.provisional = yes;
        self
    }

    /// Whether a video that was filmed on its side or upside down is read upright, default yes. It costs two looks at the first
    /// faces; a video in which nobody can be recognised is looked at from all sides every five seconds.
    #[must_use]
    pub fn turned(mut self, yes: bool) -> Self {
        self.turned = yes;
        self
    }

    /// How long a gallery on a server is asked again when it does not answer, default 60 s: long enough for a restart or a failover.
    /// Frames of a live source wait meanwhile, as [`LiveOptions::backlog`](crate::LiveOptions::backlog) says. After it the run ends with
    /// the gallery's error.
    #[must_use]
    pub fn gallery_patience(mut self, time: Duration) -> Self {
        self.gallery_patience = time;
        self
    }

    /// For a live source, whose results are wanted soon: provisional reports, and whoever is away for 5 s starts a new track.
    #[must_use]
    pub fn live(self) -> Self {
        self.provisional(true).rejoin_within(Duration::from_secs(5))
    }

    /// Stops the work from elsewhere.
    #[must_use]
    pub fn cancel(mut self, token: CancelToken) -> Self {
        self.cancel = token;
        self
    }

    /// Called after every frame that was looked at. Default nothing.
    #[must_use]
    pub fn progress(mut self, call: OnProgress) -> Self {
        self.progress = Some(call);
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        self.decision.check()?;
        self.tracker.check()?;
        if !(0.0..=1.0).contains(&self.min_quality) {
            return Err(Error::argument("min_quality", format!("expected a score from 0 to 1, got `{}`", self.min_quality)));
        }
        if let Cadence::Adaptive { per_second } = self.cadence
            && !(per_second > 0.0 && per_second.is_finite())
        {
            return Err(Error::argument("cadence", format!("expected detections a second above 0, got `{per_second}`")));
        }
        if !(-1.0..=1.0).contains(&self.rejoin_similarity) {
            let reason = format!("expected a cosine similarity from -1 to 1, got `{}`", self.rejoin_similarity);
            return Err(Error::argument("rejoin_similarity", reason));
        }
        Ok(())
    }
}
