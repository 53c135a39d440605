//! The front door: an engine owns a runtime, a detector and an embedder, and does each job in one call.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::analyze::Analyzer;
use crate::detect::{DetectOptions, Detector};
use crate::embed::{Embed, Embedder};
use crate::enroll::{self, EnrollOptions, Enrolment, Identified};
use crate::error::{Error, Result};
use crate::evaluate::JudgedPack;
use crate::face::{Embedding, Face, ModelKey};
use crate::gallery::{Cluster, ClusterOptions, DecisionOptions, Gallery, GalleryOptions, SearchFilter};
use crate::image::ImageView;
use crate::model::{FmrThresholds, ModelCatalog};
use crate::pipeline::{KnownPeople, PipelineOptions, Sightings, TrackDecisionOptions, VideoPipeline};
use crate::runtime::{Device, Runtime, RuntimeOptions};
use crate::video::FrameSource;

/// Finds, compares, enrols and identifies faces. Cheap to clone; shared by `&self` between any number of threads.
///
/// ```no_run
/// use facerec_core::{Engine, Image};
///
/// let engine = Engine::new()?;
/// let faces = engine.detect(&Image::open("group.jpg")?)?;
/// # Ok::<(), facerec_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Engine {
    runtime: Runtime,
    detector: Arc<Detector>,
    embedder: Arc<Embedder>,
    analyzer: Analyzer,
    threshold: Option<f32>,
    throughput: Option<Arc<Throughput>>,
}

/// The engine's models opened once more, for many pictures at a time: one thread per inference and an inference per core does
/// a fifth more than all cores for one inference after the other. Made when first needed.
#[derive(Debug)]
struct Throughput {
    catalog: ModelCatalog,
    detect: DetectOptions,
    runtime: RuntimeOptions,
    opened: OnceLock<(Arc<Detector>, Arc<Embedder>)>,
}

/// Whether two photos show the same person.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Comparison {
    /// Cosine similarity of the two largest faces, `-1..=1`; `None` when a photo has no face.
    pub similarity: Option<f32>,
    /// Similarity from which two faces are taken for the same person.
    pub threshold: f32,
    /// Whether the similarity reaches the threshold and both faces can be recognised; false without a face.
    pub same: bool,
    /// Whether both photos have a face and both can be told from others: faces that the embedder can read, neither too small nor blurred
    /// nor badly exposed by [`QualityGate::Standard`](crate::QualityGate). Where not, the similarity says nothing.
    pub recognisable: bool,
    /// The largest face of the first photo.
    pub a: Option<Face>,
    /// The largest face of the second photo.
    pub b: Option<Face>,
}

/// Chooses models, device and resources of an [`Engine`].
#[derive(Debug, Clone, Default)]
pub struct EngineBuilder {
    folders: Vec<PathBuf>,
    pack: Option<String>,
    detector: Option<String>,
    embedder: Option<String>,
    threshold: Option<f32>,
    as_it_stands: bool,
    detect: DetectOptions,
    runtime: RuntimeOptions,
    opened: Option<Runtime>,
}

impl EngineBuilder {
    /// A folder with model files and manifests, searched before `FACEREC_MODELS` and the usual places. Repeatable.
    #[must_use]
    pub fn model_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folders.push(folder.into());
        self
    }

    /// The pack whose detector and embedder are used; default `default`.
    #[must_use]
    pub fn pack(mut self, name: impl Into<String>) -> Self {
        self.pack = Some(name.into());
        self
    }

    /// Id of another detector than the pack's.
    #[must_use]
    pub fn detector(mut self, id: impl Into<String>) -> Self {
        self.detector = Some(id.into());
        self
    }

    /// Id of another embedder than the pack's.
    #[must_use]
    pub fn embedder(mut self, id: impl Into<String>) -> Self {
        self.embedder = Some(id.into());
        self
    }

    /// Similarity from which two faces are one person's, `-1..=1`, for comparison and identification alike. Default: the
    /// embedder's measured threshold at a false match rate of 1e-3 for comparing two photos, 1e-4 for looking a face up
    /// among many. Lower names more strangers, higher leaves more known people unknown; see `facerec calibrate`.
    #[must_use]
    pub fn threshold(mut self, similarity: f32) -> Self {
        self.threshold = Some(similarity);
        self
    }

    /// Whether photos and videos that stand on their side or upside down are read upright; default yes. See [`Analyzer::turned`]
    /// and [`PipelineOptions::turned`].
    #[must_use]
    pub fn turned(mut self, on: bool) -> Self {
        self.as_it_stands = !on;
        self
    }

    /// How faces are looked for.
    #[must_use]
    pub fn detect_options(mut self, options: DetectOptions) -> Self {
        self.detect = options;
        self
    }

    /// Where to compute; see [`RuntimeOptions::device`].
    #[must_use]
    pub fn device(mut self, device: Device) -> Self {
        self.runtime = self.runtime.device(device);
        self
    }

    /// Threads inside one inference; see [`RuntimeOptions::threads`].
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.runtime = self.runtime.threads(threads);
        self
    }

    /// Most inferences of one model at the same time; see [`RuntimeOptions::sessions`].
    #[must_use]
    pub fn sessions(mut self, sessions: usize) -> Self {
        self.runtime = self.runtime.sessions(sessions);
        self
    }

    /// Whether idle inference threads wait busily; see [`RuntimeOptions::spinning`].
    #[must_use]
    pub fn spinning(mut self, spinning: bool) -> Self {
        self.runtime = self.runtime.spinning(spinning);
        self
    }

    /// Path of the ONNX Runtime library; see [`RuntimeOptions::library`].
    #[must_use]
    pub fn runtime_library(mut self, path: impl Into<PathBuf>) -> Self {
        self.runtime = self.runtime.library(path);
        self
    }

    /// A runtime that is open already; device, threads, sessions and library of this builder are then not used.
    #[must_use]
    pub fn runtime(mut self, runtime: Runtime) -> Self {
        self.opened = Some(runtime);
        self
    }

    /// Opens the runtime and both models.
    ///
    /// # Errors
    /// `model_not_found`, `checksum_mismatch`, `invalid_manifest`, `runtime_library`, `device_unavailable`.
    pub fn build(self) -> Result<Engine> {
        if let Some(threshold) = self.threshold.filter(|t| !(-1.0..=1.0).contains(t)) {
            return Err(Error::argument("threshold", format!("expected a cosine similarity from -1 to 1, got `{threshold}`")));
        }
        let catalog = ModelCatalog::from_env(&self.folders)?;
        let pack = catalog.pack(self.pack.as_deref().unwrap_or("default"))?;
        let choose = |own: Option<String>, packs: &Option<String>, role: &str| {
            let missing = || Error::InvalidManifest { origin: format!("`{}`", pack.name), reason: format!("the pack names no {role}") };
            own.or_else(|| packs.clone()).ok_or_else(missing)
        };
        let detector = choose(self.detector, &pack.detector, "detector")?;
        let embedder = choose(self.embedder, &pack.embedder, "embedder")?;
        // Who chose threads or a device of their own gets just those.
        let own_threads = Some(&self.runtime).filter(|options| self.opened.is_none() && options.is_free_on_cpu()).cloned();
        let runtime = match self.opened {
            Some(runtime) => runtime,
            None => Runtime::new(self.runtime)?,
        };
        let detector = Arc::new(Detector::open(&runtime, &catalog, &detector, self.detect.clone())?);
        let embedder = Arc::new(Embedder::open(&runtime, &catalog, &embedder)?);
        let analyzer = Analyzer::new(Arc::clone(&detector) as _, Arc::clone(&embedder) as _).turned(!self.as_it_stands);
        let throughput = own_threads.map(|options| {
            let runtime = options.threads(1).spinning(false);
            Arc::new(Throughput { catalog, detect: self.detect, runtime, opened: OnceLock::new() })
        });
        Ok(Engine { runtime, detector, embedder, analyzer, threshold: self.threshold, throughput })
    }
}

/// What a decade of false matches costs in similarity where an embedder's thresholds do not tell; about what they say.
const DECADE: f32 = 0.07;

impl Engine {
    /// The default pack on the processor.
    ///
    /// # Errors
    /// As [`EngineBuilder::build`].
    pub fn new() -> Result<Self> {
        Self::builder().build()
    }

    /// Chooses models, device and resources.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    /// The faces of an image with their quality, best score first. No face is an empty list.
    ///
    /// # Errors
    /// `inference` when the network fails to run.
    pub fn detect<'a>(&self, image: impl Into<ImageView<'a>>) -> Result<Vec<Face>> {
        self.analyzer.detect(image)
    }

    /// The faces of an image with quality and embedding, best score first.
    ///
    /// # Errors
    /// `inference` when a network fails to run.
    pub fn embed<'a>(&self, image: impl Into<ImageView<'a>>) -> Result<Vec<Face>> {
        self.analyzer.embed(image)
    }

    /// [`Engine::embed`] for many images, in parallel, in order.
    pub fn embed_many(&self, images: &[ImageView<'_>]) -> Vec<Result<Vec<Face>>> {
        self.analyzer.embed_many(images, self.workers())
    }

    /// Whether the largest faces of two images are the same person's.
    ///
    /// # Errors
    /// `inference` when a network fails to run, `invalid_manifest` when the embedder has no measured threshold and none was given.
    pub fn compare<'a, 'b>(&self, a: impl Into<ImageView<'a>>, b: impl Into<ImageView<'b>>) -> Result<Comparison> {
        let threshold = self.threshold()?;
        let (a, b) = (enroll::main_face(self.embed(a)?), enroll::main_face(self.embed(b)?));
        let vector = |face: &Option<Face>| face.as_ref().and_then(|face| face.embedding.clone());
        let similarity = match (vector(&a), vector(&b)) {
            (Some(a), Some(b)) => Some(a.similarity(&b)?),
            _ => None,
        };
        let recognisable = [&a, &b].iter().all(|face| face.as_ref().is_some_and(enroll::is_comparable));
        Ok(Comparison { similarity, threshold, same: recognisable && similarity.is_some_and(|s| s >= threshold), recognisable, a, b })
    }

    /// Opens or creates a gallery of this engine's embeddings for reading and writing.
    ///
    /// # Errors
    /// `embedding_model_mismatch` when it holds embeddings of another model, `gallery_locked`, `gallery_corrupt`, `io`.
    pub fn open_gallery(&self, folder: impl AsRef<Path>) -> Result<Gallery> {
        self.open_gallery_with(folder, GalleryOptions::default())
    }

    /// [`Engine::open_gallery`] with options, for example read-only.
    ///
    /// # Errors
    /// As [`Engine::open_gallery`].
    pub fn open_gallery_with(&self, folder: impl AsRef<Path>, options: GalleryOptions) -> Result<Gallery> {
        Gallery::open(folder, self.model_key(), options)
    }

    /// Enrols the face of a photo as `person`. A refusal is an answer, not an error.
    ///
    /// # Errors
    /// `inference`, the gallery's errors, `invalid_argument` for an empty name.
    pub fn enroll<'a>(
        &self,
        gallery: &Gallery,
        person: &str,
        image: impl Into<ImageView<'a>>,
        options: &EnrollOptions,
    ) -> Result<Enrolment> {
        self.enroll_faces(gallery, person, self.embed(image)?, options)
    }

    /// [`Engine::enroll`] for faces that [`Engine::embed`] gave already: of several, the one that is meant is chosen.
    ///
    /// # Errors
    /// As [`Engine::enroll`].
    pub fn enroll_faces(&self, gallery: &Gallery, person: &str, faces: Vec<Face>, options: &EnrollOptions) -> Result<Enrolment> {
        enroll::enroll_faces(gallery, person, faces, self.threshold()?, options)
    }

    /// Says who the faces of an image are, best score first.
    ///
    /// # Errors
    /// `inference`, the gallery's errors.
    pub fn identify<'a>(&self, gallery: &Gallery, image: impl Into<ImageView<'a>>) -> Result<Vec<Identified>> {
        self.identify_with(gallery, image, &DecisionOptions::new(self.identify_threshold()?))
    }

    /// [`Engine::identify`] with a threshold and margin of one's own.
    ///
    /// # Errors
    /// As [`Engine::identify`].
    pub fn identify_with<'a>(
        &self,
        gallery: &Gallery,
        image: impl Into<ImageView<'a>>,
        options: &DecisionOptions,
    ) -> Result<Vec<Identified>> {
        self.identify_among(gallery, image, options, &SearchFilter::default())
    }

    /// [`Engine::identify_with`] among those whom `filter` lets be found: nobody else is a candidate or a runner-up.
    ///
    /// # Errors
    /// As [`Engine::identify`].
    pub fn identify_among<'a>(
        &self,
        gallery: &Gallery,
        image: impl Into<ImageView<'a>>,
        options: &DecisionOptions,
        filter: &SearchFilter,
    ) -> Result<Vec<Identified>> {
        enroll::identify_faces(gallery, self.embed(image)?, options, filter)
    }

    /// Looks through a video and says who of `known` (a [`Gallery`], or [`KnownPeople::Nobody`]) is in it: an iterator of one
    /// sighting per track, each as soon as it is final. Dropping it stops the work.
    ///
    /// # Errors
    /// As [`VideoReader::open`](crate::video::VideoReader::open) and [`VideoPipeline::run`]; the iterator gives what goes wrong later.
    #[cfg(feature = "video")]
    pub fn video<'g>(&self, path: impl AsRef<Path>, known: impl Into<KnownPeople<'g>>) -> Result<Sightings<'g>> {
        self.watch(crate::video::VideoReader::open(path)?, known, self.video_options()?)
    }

    /// [`Engine::video`] for any source of frames, with options of one's own (start from [`Engine::video_options`]).
    ///
    /// # Errors
    /// As [`VideoPipeline::new`] and [`VideoPipeline::run`].
    pub fn watch<'g>(
        &self,
        source: impl FrameSource + 'g,
        known: impl Into<KnownPeople<'g>>,
        options: PipelineOptions,
    ) -> Result<Sightings<'g>> {
        self.pipeline(options)?.run(source, known)
    }

    /// This engine's models as a pipeline, for many videos.
    ///
    /// # Errors
    /// `invalid_argument` for options out of range; those of opening the models once more.
    pub fn pipeline(&self, options: PipelineOptions) -> Result<VideoPipeline> {
        let Some(throughput) = &self.throughput else {
            return VideoPipeline::new(Arc::clone(&self.detector) as _, Arc::clone(&self.embedder) as _, options);
        };
        let (detector, embedder) = match throughput.opened.get() {
            Some(opened) => opened,
            None => {
                let runtime = Runtime::new(throughput.runtime.clone())?;
                let detector = Detector::open(&runtime, &throughput.catalog, self.detector.id(), throughput.detect.clone())?;
                let embedder = Embedder::open(&runtime, &throughput.catalog, self.embedder.id())?;
                // Two callers at once: the first one's is kept.
                throughput.opened.get_or_init(|| (Arc::new(detector), Arc::new(embedder)))
            }
        };
        VideoPipeline::new(Arc::clone(detector) as _, Arc::clone(embedder) as _, options)
    }

    /// How videos are looked through by default: thresholds of the embedder, one worker per inference that fits the cores.
    ///
    /// # Errors
    /// As [`Engine::identify_threshold`].
    pub fn video_options(&self) -> Result<PipelineOptions> {
        let (threshold, decade) = self.threshold_and_decade()?;
        let options = PipelineOptions::new(TrackDecisionOptions::new(threshold, decade)).turned(self.analyzer.reads_turned());
        Ok(if self.throughput.is_some() { options } else { options.workers(self.workers()) })
    }

    /// Puts faces of the same person together, the largest cluster first: positions in `faces`, each in one cluster. A face that
    /// belongs to nobody else is a cluster of one. Start from [`Engine::cluster_options`].
    ///
    /// # Errors
    /// As [`cluster`](crate::gallery::cluster).
    pub fn cluster(&self, faces: &[Embedding], options: &ClusterOptions) -> Result<Vec<Cluster>> {
        crate::gallery::cluster(faces, options)
    }

    /// How faces are put together by default: large clusters from the similarity at which a face is named among many, single
    /// faces one decade of false matches above it.
    ///
    /// # Errors
    /// As [`Engine::identify_threshold`].
    pub fn cluster_options(&self) -> Result<ClusterOptions> {
        let (threshold, decade) = self.threshold_and_decade()?;
        Ok(ClusterOptions::new(threshold, decade))
    }

    /// The similarity from which a face is named, and what one more decade of false matches costs.
    fn threshold_and_decade(&self) -> Result<(f32, f32)> {
        let threshold = self.identify_threshold()?;
        let decade = match (self.threshold, self.embedder.thresholds()) {
            (None, FmrThresholds { fmr_1e3: Some(at_1e3), .. }) => (threshold - at_1e3).max(0.0),
            _ => DECADE,
        };
        Ok((threshold, decade))
    }

    /// Similarity from which two photos show the same person: the one given, or the embedder's at a false match rate of 1e-3.
    ///
    /// # Errors
    /// `invalid_manifest` when the embedder has none and none was given.
    pub fn threshold(&self) -> Result<f32> {
        self.threshold.or(self.embedder.thresholds().fmr_1e3).ok_or_else(|| self.no_threshold("1e-3"))
    }

    /// Similarity from which a face is named among many: the one given, or the embedder's at a false match rate of 1e-4
    /// (each enrolled person is one more chance of a false match).
    ///
    /// # Errors
    /// `invalid_manifest` when the embedder has none and none was given.
    pub fn identify_threshold(&self) -> Result<f32> {
        self.threshold.or(self.embedder.thresholds().fmr_1e4).ok_or_else(|| self.no_threshold("1e-4"))
    }

    /// Photos worth analysing at the same time: the cores divided by the threads of one inference.
    pub fn workers(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        (cores / self.runtime.threads()).clamp(1, self.runtime.sessions())
    }

    /// The runtime, to open other models with.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The detector.
    pub fn detector(&self) -> &Detector {
        &self.detector
    }

    /// The embedder.
    pub fn embedder(&self) -> &Embedder {
        &self.embedder
    }

    /// Detection and embedding joined, as pipelines and evaluations use them.
    pub fn analyzer(&self) -> &Analyzer {
        &self.analyzer
    }

    /// This engine's models as a pack called `name`, or by their ids, in a [report](crate::evaluate::report()).
    pub fn judged_as(&self, name: Option<&str>) -> JudgedPack<'_> {
        let name = name.map_or_else(|| format!("{} + {}", self.detector.id(), self.embedder.id()), str::to_owned);
        JudgedPack::new(name, &self.analyzer, self.detector.files())
    }

    /// The model that this engine's embeddings come from.
    pub fn model_key(&self) -> &Arc<ModelKey> {
        self.embedder.model_key()
    }

    fn no_threshold(&self, rate: &str) -> Error {
        let reason = format!(
            "no threshold at a false match rate of {rate} is known; measure one with `facerec calibrate` and put it under \
             `embed.thresholds`, or pass a threshold"
        );
        Error::InvalidManifest { origin: format!("of model `{}`", self.embedder.id()), reason }
    }
}
