//! How faces are followed.

use std::time::Duration;

use crate::error::{Error, Result};

/// How a [`Tracker`](super::Tracker) follows faces.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TrackOptions {
    pub(super) high_score: f32,
    pub(super) sure_score: f32,
    pub(super) keep_lost: Duration,
    pub(super) coast: Duration,
    pub(super) split_after: Duration,
}

impl Default for TrackOptions {
    fn default() -> Self {
        Self {
            high_score: 0.55,
            sure_score: 0.7,
            keep_lost: Duration::from_secs(1),
            coast: Duration::from_millis(300),
            split_after: Duration::from_millis(350),
        }
    }
}

impl TrackOptions {
    /// Detector score from which a detection may start a track, `0..=1`, default 0.55. Weaker ones only continue tracks
    /// (ByteTrack, Zhang et al. 2022). Lower starts tracks on hands and posters, higher misses faces in the dark.
    #[must_use]
    pub fn high_score(mut self, score: f32) -> Self {
        self.high_score = score;
        self
    }

    /// Detector score from which one detection is a track at once, `0..=1`, default 0.7; a weaker one must be seen again.
    #[must_use]
    pub fn sure_score(mut self, score: f32) -> Self {
        self.sure_score = score;
        self
    }

    /// How long a missed face's track stays open, default 1 s: whoever appears near it until then ends it.
    #[must_use]
    pub fn keep_lost(mut self, time: Duration) -> Self {
        self.keep_lost = time;
        self
    }

    /// How long a missed face's box is foreseen, default 300 ms. Longer draws boxes where nobody is any more.
    #[must_use]
    pub fn coast(mut self, time: Duration) -> Self {
        self.coast = time;
        self
    }

    /// A face that was missed for longer than this starts a new track when it appears again, default 350 ms: whether it is the
    /// same person is then for [`rejoin`](super::rejoin) to say. Longer trusts motion more.
    #[must_use]
    pub fn split_after(mut self, time: Duration) -> Self {
        self.split_after = time;
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        for (name, score) in [("high_score", self.high_score), ("sure_score", self.sure_score)] {
            if !(0.0..=1.0).contains(&score) {
                return Err(Error::argument(name, format!("expected a detector score from 0 to 1, got `{score}`")));
            }
        }
        Ok(())
    }
}
