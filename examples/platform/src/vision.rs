//! Detection and embedding, wherever they run: in this process or in services of their own.

use std::sync::Arc;

use facerec_core::model::ModelCatalog;
use facerec_core::pipeline::TrackDecisionOptions;
use facerec_core::{
    Analyzer, Detect, DetectOptions, Detector, Embed, Embedder, Error as CoreError, PipelineOptions, Runtime, RuntimeOptions,
};

use crate::config::Config;
use crate::error::{Error, Result};

/// Detection and embedding with the similarities from which faces are one person's. Cheap to clone.
#[derive(Clone)]
pub struct Vision {
    /// Finds faces.
    pub detector: Arc<dyn Detect>,
    /// Makes vectors of aligned faces.
    pub embedder: Arc<dyn Embed>,
    /// From this similarity on two photos show the same person.
    pub compare: f32,
    /// From this similarity on a face is named among many.
    pub identify: f32,
}

impl Vision {
    /// Opens the models in this process, as many inferences at the same time as the machine has cores.
    ///
    /// # Errors
    /// `model_not_found`, `runtime_library` and whatever else keeps the models from opening.
    pub fn open(config: &Config) -> Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        // One thread per inference: services have many callers, and an inference per core does more than all cores for one.
        let runtime = Runtime::new(RuntimeOptions::default().threads(1).sessions(cores).spinning(false))?;
        let catalog = ModelCatalog::from_env(&config.models)?;
        let pack = catalog.pack(&config.pack)?;
        let lacks = |role: &str| Error::Config(format!("`pack`: `{}` names no {role}", config.pack));
        let detector = pack.detector.clone().ok_or_else(|| lacks("detector"))?;
        let embedder = pack.embedder.clone().ok_or_else(|| lacks("embedder"))?;
        let detector = Detector::open(&runtime, &catalog, &detector, DetectOptions::default())?;
        let embedder = Embedder::open(&runtime, &catalog, &embedder)?;
        let thresholds = embedder.thresholds();
        let (Some(compare), Some(identify)) = (thresholds.fmr_1e3, thresholds.fmr_1e4) else {
            return Err(Error::Config(format!("the embedder `{}` has no measured thresholds; run `facerec calibrate`", embedder.id())));
        };
        Ok(Self { detector: Arc::new(detector), embedder: Arc::new(embedder), compare, identify })
    }

    /// Both joined, for photos.
    pub fn analyzer(&self) -> Analyzer {
        Analyzer::new(Arc::clone(&self.detector), Arc::clone(&self.embedder))
    }

    /// How videos are looked through.
    pub fn video_options(&self) -> PipelineOptions {
        PipelineOptions::new(TrackDecisionOptions::new(self.identify, (self.identify - self.compare).max(0.0)))
    }
}

/// A core error out of another service's words.
pub(crate) fn remote_error(service: &str, reason: impl std::fmt::Display) -> CoreError {
    CoreError::Inference { model: service.to_owned(), reason: reason.to_string() }
}
