//! The front door.

use facerec_core as core;
use facerec_core::{Detail, DetectOptions, EngineBuilder, KnownPeople, Result as CoreResult};
use napi::bindgen_prelude::{Float32Array, Unknown};
use napi_derive::napi;

use crate::cancel::{Cancel, check, token};
use crate::cluster::{Cluster, ClusterOptions};
use crate::enroll::{EnrollOptions, Enrolment, IdentifiedFace, IdentifyOptions};
use crate::error::{JsResult as Result, thrown, whole};
use crate::face::{Comparison, EmbeddedFace, Face};
use crate::gallery::Gallery;
use crate::image::Input;
use crate::opening::GalleryOptions;
use crate::video::{Sightings, VideoOptions};
use crate::work::Work;

/// Models, device and resources of an engine. What is left out is at the core's default.
#[napi(object, object_to_js = false)]
#[derive(Default)]
pub struct EngineOptions {
    /// Folders with model files and manifests, searched before `FACEREC_MODELS` and the usual places.
    pub models: Option<Vec<String>>,
    /// The pack whose detector and embedder are used. Default `default`.
    pub pack: Option<String>,
    /// Id of another detector than the pack's.
    pub detector: Option<String>,
    /// Id of another embedder than the pack's.
    pub embedder: Option<String>,
    /// Where to compute: `cpu`, `cuda[:N]`, `tensorrt[:N]`, `coreml`, `directml[:N]`, `openvino[:NAME]` or `auto`. Default
    /// `cpu`. A device that is not there is an error, never a silent fall back.
    pub device: Option<String>,
    /// Threads inside one inference, from 1. Default the machine's cores, of which the first engine of a process decides.
    /// 1 is best when many calls run at the same time.
    pub threads: Option<f64>,
    /// Most inferences of one model at the same time, from 1. Default the machine's cores.
    pub sessions: Option<f64>,
    /// Whether an inference's idle threads wait busily. Default true: shortens single calls, but takes cores from others;
    /// a server wants false. The first engine of a process decides.
    pub spinning: Option<bool>,
    /// Similarity from which two faces are one person's, -1 to 1, for comparing and identifying alike. Default: the
    /// embedder's measured thresholds (false match rate 1e-3 for comparing, 1e-4 for identifying).
    pub threshold: Option<f64>,
    /// Whether photos and videos that stand on their side or upside down are read upright. Default true.
    pub turned: Option<bool>,
    /// Path of the ONNX Runtime library, or of a folder that holds it. Default: `FACEREC_ORT`, then that of the npm package
    /// `onnxruntime-node` when it is installed, then the one that comes with this package. A process can load one.
    pub library_path: Option<String>,
    /// Longer side in pixels to which a picture is scaled for detection, 64 to 4096. Default 640. More finds smaller faces.
    pub max_side: Option<f64>,
    /// Least confidence of a face, 0 to 1. Default as the detector's manifest says.
    pub score_threshold: Option<f64>,
    /// Keep only this many faces of a picture, the largest; from 1. Default all.
    pub max_faces: Option<f64>,
    /// Least side of a face in pixels. Default 0.
    pub min_face_px: Option<f64>,
    /// How closely photos are looked at: `fast` (one look), `auto` (faces of 40 pixels and more in photos of more than 4 megapixels
    /// and in panoramas) or `full` (20 pixels and more in any photo; four times the work of `auto`). Default `auto`.
    #[napi(ts_type = "'fast' | 'auto' | 'full'")]
    pub detail: Option<String>,
}

impl EngineOptions {
    fn detect(&self) -> CoreResult<DetectOptions> {
        let mut options = DetectOptions::default();
        if let Some(side) = self.max_side {
            options = options.max_side(whole("maxSide", side)?);
        }
        if let Some(score) = self.score_threshold {
            options = options.score_threshold(score as f32);
        }
        if let Some(most) = self.max_faces {
            options = options.max_faces(whole("maxFaces", most)? as usize);
        }
        if let Some(side) = self.min_face_px {
            options = options.min_face_px(side as f32);
        }
        if let Some(detail) = &self.detail {
            options = options.detail(detail.parse::<Detail>()?);
        }
        Ok(options)
    }

    fn builder(self) -> CoreResult<EngineBuilder> {
        let mut builder = core::Engine::builder().detect_options(self.detect()?);
        for folder in self.models.into_iter().flatten() {
            builder = builder.model_folder(folder);
        }
        if let Some(name) = self.pack {
            builder = builder.pack(name);
        }
        if let Some(id) = self.detector {
            builder = builder.detector(id);
        }
        if let Some(id) = self.embedder {
            builder = builder.embedder(id);
        }
        if let Some(device) = self.device {
            builder = builder.device(device.parse()?);
        }
        if let Some(threads) = self.threads {
            builder = builder.threads(whole("threads", threads)?.min(1024) as usize);
        }
        if let Some(sessions) = self.sessions {
            builder = builder.sessions(whole("sessions", sessions)?.min(1024) as usize);
        }
        if let Some(spinning) = self.spinning {
            builder = builder.spinning(spinning);
        }
        if let Some(threshold) = self.threshold {
            builder = builder.threshold(threshold as f32);
        }
        if let Some(turned) = self.turned {
            builder = builder.turned(turned);
        }
        if let Some(path) = self.library_path {
            builder = builder.runtime_library(path);
        }
        Ok(builder)
    }
}

/// Finds, compares, enrols and identifies faces. Make one and share it: calls may overlap, and each runs on a thread of
/// its own (one per core and at least four), so the event loop stays free.
///
/// Errors have a `.code`: `ERR_FACEREC_DECODE_IMAGE`, `ERR_FACEREC_IO`, `ERR_FACEREC_INVALID_ARGUMENT` and so on. A picture
/// without faces is an empty list, and a face nobody knows is unknown: neither is an error.
#[napi]
pub struct Engine {
    inner: core::Engine,
}

#[napi]
impl Engine {
    /// Opens ONNX Runtime and the models.
    ///
    /// Rejects with `ERR_FACEREC_MODEL_NOT_FOUND` (the message says how to get it), `ERR_FACEREC_CHECKSUM_MISMATCH`,
    /// `ERR_FACEREC_RUNTIME_LIBRARY`, `ERR_FACEREC_DEVICE_UNAVAILABLE`, `ERR_FACEREC_INVALID_ARGUMENT`.
    // Writable: `index.js` wraps it.
    #[napi(ts_args_type = "options?: EngineOptions", ts_return_type = "Promise<Engine>", catch_unwind, writable = true)]
    pub fn create(options: Option<EngineOptions>, cancel: Option<&Cancel>) -> Work<Engine> {
        let options = options.unwrap_or_default();
        Work::queue(token(cancel), move || Ok(Self { inner: options.builder()?.build()? }))
    }

    /// The faces of a picture with their quality, best score first. No face is an empty list.
    #[napi(ts_args_type = "image: ImageInput, options?: CallOptions", ts_return_type = "Promise<Array<Face>>", catch_unwind)]
    pub fn detect(&self, image: Unknown<'_>, cancel: Option<&Cancel>) -> Result<Work<Vec<Face>>> {
        let (engine, cancel, image) = (self.inner.clone(), token(cancel), Input::new("image", image).map_err(thrown)?);
        Ok(Work::queue(cancel.clone(), move || {
            let image = image.open()?;
            check(&cancel)?;
            engine.detect(&image)?.into_iter().map(Face::try_from).collect()
        }))
    }

    /// The faces of a picture with quality and vector, best score first.
    #[napi(ts_args_type = "image: ImageInput, options?: CallOptions", ts_return_type = "Promise<Array<EmbeddedFace>>", catch_unwind)]
    pub fn embed(&self, image: Unknown<'_>, cancel: Option<&Cancel>) -> Result<Work<Vec<EmbeddedFace>>> {
        let (engine, cancel, image) = (self.inner.clone(), token(cancel), Input::new("image", image).map_err(thrown)?);
        Ok(Work::queue(cancel.clone(), move || {
            let image = image.open()?;
            check(&cancel)?;
            engine.embed(&image)?.into_iter().map(EmbeddedFace::try_from).collect()
        }))
    }

    /// Whether the largest faces of two pictures are the same person's.
    #[napi(ts_args_type = "a: ImageInput, b: ImageInput, options?: CallOptions", ts_return_type = "Promise<Comparison>", catch_unwind)]
    pub fn compare(&self, a: Unknown<'_>, b: Unknown<'_>, cancel: Option<&Cancel>) -> Result<Work<Comparison>> {
        let (engine, cancel) = (self.inner.clone(), token(cancel));
        let (a, b) = (Input::new("a", a).map_err(thrown)?, Input::new("b", b).map_err(thrown)?);
        Ok(Work::queue(cancel.clone(), move || {
            let (a, b) = (a.open()?, b.open()?);
            check(&cancel)?;
            engine.compare(&a, &b)?.try_into()
        }))
    }

    /// Cosine similarity of two vectors of this engine's embedder, -1 to 1; higher means more alike.
    ///
    /// Throws `ERR_FACEREC_DIMENSION_MISMATCH` for vectors of another length.
    #[napi(catch_unwind)]
    pub fn similarity(&self, a: Float32Array, b: Float32Array) -> Result<f64> {
        let vector = |values: Float32Array| {
            let (expected, actual) = (self.inner.embedder().dim(), values.len());
            if actual != expected {
                return Err(core::Error::DimensionMismatch { what: "vector", expected, actual });
            }
            core::Embedding::new(self.inner.model_key().clone(), values.to_vec())
        };
        let similarity = vector(a).and_then(|a| a.similarity(&vector(b)?)).map_err(thrown)?;
        Ok(similarity.into())
    }

    /// Opens or creates the gallery in the folder `path`, for vectors of this engine's embedder; or one on a PostgreSQL server, by
    /// its address: `postgres://USER@HOST/DATABASE?gallery=NAME`.
    ///
    /// Rejects with `ERR_FACEREC_GALLERY_LOCKED` when another writer still has it open after the wait, `ERR_FACEREC_EMBEDDING_MODEL_MISMATCH`
    /// when it holds vectors of another model, `ERR_FACEREC_WRONG_KEY` when a key is missing, wrong or not needed,
    /// `ERR_FACEREC_GALLERY_CORRUPT`, `ERR_FACEREC_IO`.
    #[napi(ts_args_type = "path: string, options?: GalleryOptions", ts_return_type = "Promise<Gallery>", catch_unwind)]
    pub fn open_gallery(&self, path: String, options: Option<GalleryOptions>, cancel: Option<&Cancel>) -> Result<Work<Gallery>> {
        let engine = self.inner.clone();
        let cancel = token(cancel);
        let options = options.unwrap_or_default().into_core(&cancel).map_err(thrown)?;
        // It may wait for a gallery that another call is to close.
        Ok(Work::waiting(cancel, move || engine.open_gallery_with(path, options).map(Gallery::new)))
    }

    /// Enrols the face of a picture as `person`, 1 to 200 characters. A refusal is an answer, not an error; an accepted face
    /// is on the disk when the promise resolves.
    #[napi(
        ts_args_type = "gallery: Gallery, person: string, image: ImageInput, options?: EnrollOptions",
        ts_return_type = "Promise<Enrolment>",
        catch_unwind
    )]
    pub fn enroll(
        &self,
        gallery: &Gallery,
        person: String,
        image: Unknown<'_>,
        options: Option<EnrollOptions>,
        cancel: Option<&Cancel>,
    ) -> Result<Work<Enrolment>> {
        let (engine, cancel, gallery) = (self.inner.clone(), token(cancel), gallery.open().map_err(thrown)?);
        let image = Input::new("image", image).map_err(thrown)?;
        let options = options.map_or_else(|| Ok(core::EnrollOptions::default()), EnrollOptions::into_core).map_err(thrown)?;
        Ok(Work::queue(cancel.clone(), move || {
            let faces = engine.embed(&image.open()?)?;
            // Whoever was told that it was aborted must not find the face enrolled.
            check(&cancel)?;
            engine.enroll_faces(&gallery, &person, faces, &options)?.try_into()
        }))
    }

    /// Says who the faces of a picture are, best score first.
    #[napi(
        ts_args_type = "gallery: Gallery, image: ImageInput, options?: IdentifyOptions",
        ts_return_type = "Promise<Array<IdentifiedFace>>",
        catch_unwind
    )]
    pub fn identify(
        &self,
        gallery: &Gallery,
        image: Unknown<'_>,
        options: Option<IdentifyOptions>,
        cancel: Option<&Cancel>,
    ) -> Result<Work<Vec<IdentifiedFace>>> {
        let (engine, cancel, gallery) = (self.inner.clone(), token(cancel), gallery.open().map_err(thrown)?);
        let image = Input::new("image", image).map_err(thrown)?;
        let (options, filter) = options.unwrap_or_default().into_core(&engine).map_err(thrown)?;
        Ok(Work::queue(cancel.clone(), move || {
            let image = image.open()?;
            check(&cancel)?;
            engine.identify_among(&gallery, &image, &options, &filter)?.into_iter().map(IdentifiedFace::try_from).collect()
        }))
    }

    /// Puts faces of the same person together, the largest cluster first: each face is in one, and a face that belongs to nobody
    /// else is a cluster of its own. For photos and videos of people whom nobody has named: give the `embedding` of what `embed`
    /// found, of any number of pictures.
    ///
    /// Rejects with `ERR_FACEREC_DIMENSION_MISMATCH` for vectors of another length.
    #[napi(
        ts_args_type = "embeddings: Array<Float32Array>, options?: ClusterOptions",
        ts_return_type = "Promise<Array<Cluster>>",
        catch_unwind
    )]
    pub fn cluster(
        &self,
        embeddings: Vec<Float32Array>,
        options: Option<ClusterOptions>,
        cancel: Option<&Cancel>,
    ) -> Result<Work<Vec<Cluster>>> {
        let engine = self.inner.clone();
        let options = options.unwrap_or_default().into_core(&engine).map_err(thrown)?;
        let vectors: Vec<Vec<f32>> = embeddings.iter().map(|values| values.to_vec()).collect();
        Ok(Work::queue(token(cancel), move || {
            let faces = vectors.into_iter().map(|values| core::Embedding::new(engine.model_key().clone(), values));
            let faces = faces.collect::<CoreResult<Vec<_>>>()?;
            Ok(engine.cluster(&faces, &options)?.into_iter().map(Cluster::from).collect())
        }))
    }

    /// Looks through a video file, or a live source (`rtsp://...`, `http://...`, `/dev/video0`), and says who of `gallery` is in
    /// it: one sighting per person's track, each as soon as it is final. Without a gallery: tracks without names.
    ///
    /// ```js
    /// for await (const seen of engine.video('party.mp4', gallery)) console.log(seen.person ?? 'unknown', seen.startMs)
    /// ```
    ///
    /// The work runs on threads of its own, a few sightings ahead of the loop. `break`, an error and an aborted signal end it
    /// and free everything. A file that cannot be read rejects the first step of the loop.
    #[napi(ts_args_type = "path: string, gallery?: Gallery | null, options?: VideoOptions", ts_return_type = "Sightings", catch_unwind)]
    pub fn video(
        &self,
        path: String,
        gallery: Option<&Gallery>,
        options: Option<VideoOptions>,
        cancel: Option<&Cancel>,
    ) -> Result<Sightings> {
        let known = gallery.map_or(Ok(KnownPeople::Nobody), |gallery| gallery.open().map(KnownPeople::Shared)).map_err(thrown)?;
        Sightings::start(self.inner.clone(), path, known, options.unwrap_or_default(), token(cancel)).map_err(thrown)
    }

    /// The device in use; for `auto`, the one that was chosen.
    #[napi(getter, catch_unwind)]
    pub fn device(&self) -> String {
        self.inner.runtime().device().to_string()
    }

    /// Id of the detector.
    #[napi(getter, catch_unwind)]
    pub fn detector(&self) -> String {
        self.inner.detector().id().into()
    }

    /// Id of the embedder: vectors of different embedders cannot be compared.
    #[napi(getter, catch_unwind)]
    pub fn embedder(&self) -> String {
        self.inner.embedder().id().into()
    }

    /// Similarity from which two photos show the same person.
    #[napi(getter, catch_unwind)]
    pub fn threshold(&self) -> Result<f64> {
        self.inner.threshold().map(f64::from).map_err(thrown)
    }

    /// Similarity from which a face is named among many.
    #[napi(getter, catch_unwind)]
    pub fn identify_threshold(&self) -> Result<f64> {
        self.inner.identify_threshold().map(f64::from).map_err(thrown)
    }

    /// Path of the ONNX Runtime library in use; null when it is part of the binary.
    #[napi(getter, ts_return_type = "string | null", catch_unwind)]
    pub fn library_path(&self) -> Option<String> {
        self.inner.runtime().library().map(|path| path.to_string_lossy().into_owned())
    }
}

impl Engine {
    /// The core's engine, for the functions that take one.
    pub(crate) fn core(&self) -> core::Engine {
        self.inner.clone()
    }
}
