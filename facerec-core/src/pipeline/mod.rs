//! The video path: frames -> detect -> track -> best shots -> embed -> one decision per track.
//!
//! Decoding (in the source's own thread), detection and embedding (in worker threads) overlap; tracking and decisions run in
//! the caller's thread, in the order of the frames, so that the answers do not depend on timing.

mod asked;
mod cadence;
mod decide;
mod give;
mod looks;
mod options;
mod people;
mod running;
mod segment;
mod sighting;
mod sightings;
mod split;
mod standing;
mod tracklet;
mod workers;

use std::sync::Arc;

pub use decide::TrackDecisionOptions;
pub use options::{Cadence, CancelToken, OnProgress, PipelineOptions};
pub use sighting::{BestShot, Progress, Sighting, Stages, TrackBox, VideoSummary};
pub use sightings::Sightings;
pub(crate) use tracklet::CLEAR;

use crate::detect::Detect;
use crate::embed::Embed;
use crate::error::{Error, Result};
use crate::gallery::Gallery;
use crate::video::FrameSource;

/// Whom a video's people are looked up among.
#[derive(Debug, Clone)]
pub enum KnownPeople<'g> {
    /// Nobody: tracks without names.
    Nobody,
    /// A gallery, borrowed while the video is looked through.
    Gallery(&'g Gallery),
    /// A shared gallery, for results that outlive the caller.
    Shared(Arc<Gallery>),
}

impl KnownPeople<'_> {
    fn gallery(&self) -> Option<&Gallery> {
        match self {
            Self::Nobody => None,
            Self::Gallery(gallery) => Some(gallery),
            Self::Shared(gallery) => Some(gallery),
        }
    }
}

impl<'g> From<&'g Gallery> for KnownPeople<'g> {
    fn from(gallery: &'g Gallery) -> Self {
        Self::Gallery(gallery)
    }
}

impl From<Arc<Gallery>> for KnownPeople<'static> {
    fn from(gallery: Arc<Gallery>) -> Self {
        Self::Shared(gallery)
    }
}

/// Looks through videos. It knows inference only through [`Detect`] and [`Embed`], so a remote service or a test double can
/// take either place. Several videos may be looked through at the same time.
#[derive(Clone)]
pub struct VideoPipeline {
    detector: Arc<dyn Detect>,
    embedder: Arc<dyn Embed>,
    options: PipelineOptions,
}

impl std::fmt::Debug for VideoPipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VideoPipeline").field("embedder", &self.embedder.model_key().id).field("options", &self.options).finish()
    }
}

impl VideoPipeline {
    /// Joins a detector and an embedder.
    ///
    /// # Errors
    /// `invalid_argument` for options out of range.
    pub fn new(detector: Arc<dyn Detect>, embedder: Arc<dyn Embed>, options: PipelineOptions) -> Result<Self> {
        options.check()?;
        Ok(Self { detector, embedder, options })
    }

    /// Looks through the frames of `source` and says who of `known` is in them: an iterator of one sighting per track, each
    /// as soon as it is final, while the video runs. Dropping it stops the work.
    ///
    /// # Errors
    /// `embedding_model_mismatch` when the gallery holds embeddings of another model, `internal` without threads.
    pub fn run<'g>(&self, source: impl FrameSource + 'g, known: impl Into<KnownPeople<'g>>) -> Result<Sightings<'g>> {
        let known = known.into();
        if let Some(gallery) = known.gallery()
            && gallery.model() != self.embedder.model_key()
        {
            let (expected, actual) = (gallery.model().to_string(), self.embedder.model_key().to_string());
            return Err(Error::EmbeddingModelMismatch { expected, actual });
        }
        Sightings::new(self.clone(), Box::new(source), known)
    }
}
