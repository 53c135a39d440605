//! The front door.

use std::path::PathBuf;
use std::sync::Arc;

use facerec_core::gallery::{DecisionOptions, GalleryOptions};
use facerec_core::text::canonical_name;
use facerec_core::{Comparison, Deinterlace, Detail, DetectOptions, Device, EnrollOptions, Enrolment, Identified, ImageView, SearchFilter};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::error::{OrRaise, given};
use crate::gallery::{Gallery, Known};
use crate::models::folders;
use crate::name::{self, Name};
use crate::opening::Opening;
use crate::picture::Input;
use crate::video::{Reconnect, Video, VideoRequest, receiving};
use crate::{process, records};

/// Finds, compares, enrols and identifies faces. Shared by any number of threads: the GIL is released while it works.
///
/// Pickling keeps the options, and opens the models again on the other side. Not usable in a forked child.
///
/// Args:
///     pack: The pack whose detector and embedder are used.
///     detector: Another detector than the pack's.
///     embedder: Another embedder than the pack's.
///     device: `cpu`, `cuda[:N]`, `tensorrt[:N]`, `openvino[:NAME]` or `auto`. One that is not there is an error.
///     threads: Threads inside one inference; 1 is best when many threads share the engine.
///     sessions: Most inferences at the same time.
///     spinning: Whether idle threads of an inference wait busily; `False` for services.
///     threshold: Similarity from which two faces are one person's, -1 to 1; default the embedder's own.
///     turned: Whether photos and videos that stand on their side or upside down are read upright; default `True`.
///     models: A folder with models and manifests, or several, searched first.
///     library: ONNX Runtime's shared library; default that of the package `onnxruntime`. One per process.
///     max_side: Longer side in pixels that pictures are scaled to before faces are looked for.
///     score_threshold: Least confidence of a face, 0 to 1.
///     max_faces: Keep only so many faces, the largest.
///     min_face_px: Least side of a face in pixels.
///     detail: How closely photos are looked at: `fast` (one look), `auto` (the default: faces of 40 pixels and more in photos of more
///         than 4 megapixels and in panoramas) or `full` (20 pixels and more in any photo; four times the work of `auto`).
///
/// Raises:
///     InvalidArgument: An option is out of range.
///     ModelNotFound, ChecksumMismatch, InvalidManifest: A model cannot be opened.
///     RuntimeLibraryError: ONNX Runtime is not there.
///     DeviceUnavailable: The device is not there.
#[pyclass(frozen, module = "facerec")]
pub(crate) struct Engine {
    pub(crate) core: Arc<facerec_core::Engine>,
    /// The keywords it was made with, for pickling.
    options: Py<PyDict>,
}

impl Engine {
    /// Does `work` on a picture, without the GIL.
    fn on<'py, T: Send>(
        &self,
        image: &Bound<'py, PyAny>,
        bgr: bool,
        work: impl FnOnce(&facerec_core::Engine, ImageView<'_>) -> facerec_core::Result<T> + Send,
    ) -> PyResult<T> {
        process::enter()?;
        let input = Input::new(image, bgr)?;
        let source = input.source()?;
        image.py().detach(|| work(&self.core, source.load()?.view())).or_raise()
    }

    pub(crate) fn enroll_into<'py>(
        &self,
        gallery: &facerec_core::Gallery,
        person: &str,
        image: &Bound<'py, PyAny>,
        options: EnrollOptions,
        bgr: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = image.py();
        let enrolment: Enrolment = match records::face_of(image)? {
            Some(face) => {
                process::enter()?;
                py.detach(|| self.core.enroll_faces(gallery, person, vec![face], &options)).or_raise()?
            }
            None => self.on(image, bgr, |engine, view| engine.enroll(gallery, person, view, &options))?,
        };
        records::enrolment(py, &canonical_name(person), &enrolment)
    }

    pub(crate) fn identify_in<'py>(
        &self,
        gallery: &facerec_core::Gallery,
        image: &Bound<'py, PyAny>,
        options: Choices,
        filter: SearchFilter,
        bgr: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let options = options.on(DecisionOptions::new(match options.threshold {
            Some(threshold) => threshold,
            None => self.core.identify_threshold().or_raise()?,
        }));
        let found: Vec<Identified> = self.on(image, bgr, |engine, view| engine.identify_among(gallery, view, &options, &filter))?;
        records::identified(&found, image, bgr)
    }
}

/// What a call may say about decisions.
#[derive(Clone, Copy)]
pub(crate) struct Choices {
    pub(crate) threshold: Option<f32>,
    pub(crate) margin: Option<f32>,
    pub(crate) candidates: Option<usize>,
}

impl Choices {
    pub(crate) fn on(self, mut options: DecisionOptions) -> DecisionOptions {
        if let Some(margin) = self.margin {
            options = options.min_margin(margin);
        }
        match self.candidates {
            Some(count) => options.candidates(count),
            None => options,
        }
    }
}

/// Whom a call looks among.
pub(crate) fn filter(only: Option<Vec<Name>>, metadata: Option<&str>) -> PyResult<SearchFilter> {
    let filter = name::all(only).map_or_else(SearchFilter::new, |names| SearchFilter::new().persons(names));
    match metadata {
        Some(json) => filter.metadata_json(json).or_raise(),
        None => Ok(filter),
    }
}

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(signature = (
        *, pack=None, detector=None, embedder=None, device=None, threads=None, sessions=None, spinning=None, threshold=None, turned=None, models=None,
        library=None, max_side=None, score_threshold=None, max_faces=None, min_face_px=None, detail=None
    ))]
    #[allow(clippy::too_many_arguments)] // keywords
    fn new(
        py: Python<'_>,
        pack: Option<String>,
        detector: Option<String>,
        embedder: Option<String>,
        device: Option<String>,
        threads: Option<usize>,
        sessions: Option<usize>,
        spinning: Option<bool>,
        threshold: Option<f32>,
        turned: Option<bool>,
        models: Option<Bound<'_, PyAny>>,
        library: Option<PathBuf>,
        max_side: Option<u32>,
        score_threshold: Option<f32>,
        max_faces: Option<usize>,
        min_face_px: Option<f32>,
        detail: Option<String>,
    ) -> PyResult<Self> {
        process::enter()?;
        let options = PyDict::new(py);
        given(&options, "models", models.as_ref())?;
        given(&options, "library", library.as_ref())?;
        let mut builder = facerec_core::Engine::builder();
        let mut detect = DetectOptions::default();
        // Each keyword that was given goes to the builder, and is kept for pickling.
        macro_rules! pass {
            ($on:ident: $($name:ident),*) => { $(if let Some(value) = $name {
                options.set_item(stringify!($name), value.clone())?;
                $on = $on.$name(value);
            })* };
        }
        pass!(builder: pack, detector, embedder, threads, sessions, spinning, threshold, turned);
        pass!(detect: max_side, score_threshold, max_faces, min_face_px);
        if let Some(name) = detail {
            detect = detect.detail(name.parse::<Detail>().or_raise()?);
            options.set_item("detail", name)?;
        }
        if let Some(device) = device {
            builder = builder.device(device.parse::<Device>().or_raise()?);
            options.set_item("device", device)?;
        }
        for folder in folders(py, models)? {
            builder = builder.model_folder(folder);
        }
        let library = match library {
            Some(path) => Some(path),
            None => py.import("facerec._runtime")?.getattr("library")?.call0()?.extract()?,
        };
        if let Some(path) = library {
            builder = builder.runtime_library(path);
        }
        let engine = py.detach(|| builder.detect_options(detect).build()).or_raise()?;
        Ok(Self { core: Arc::new(engine), options: options.unbind() })
    }

    /// Finds the faces of a picture.
    ///
    /// Args:
    ///     image: A path, the bytes of a picture file, a NumPy array `uint8 (H, W, 3)` (also `(H, W)` and RGBA), a PIL image or an
    ///         open binary file. Arrays in C order are not copied. EXIF orientation is applied to files; arrays and PIL images are
    ///         taken as they are.
    ///     bgr: The array has OpenCV's channel order.
    ///
    /// Returns:
    ///     The faces with their quality, best score first; an empty list when there is none.
    ///
    /// Raises:
    ///     DecodeImageError: The file is damaged or no picture.
    ///     InvalidArgument: An array of another type or shape.
    ///     IoError: The file cannot be read.
    ///
    /// >>> faces = engine.detect(photos / "strangers" / "t1.jpg")
    /// >>> len(faces)
    /// 6
    /// >>> faces[0].box[2] > faces[0].box[0]
    /// True
    #[pyo3(signature = (image, *, bgr=false))]
    fn detect<'py>(&self, image: &Bound<'py, PyAny>, bgr: bool) -> PyResult<Bound<'py, PyAny>> {
        let faces = self.on(image, bgr, |engine, view| engine.detect(view))?;
        records::faces(&faces, image, bgr)
    }

    /// Finds the faces of a picture and turns them into vectors; the arguments are those of `detect`.
    ///
    /// >>> face = engine.embed(photos / "people" / "obama.jpg")[0]
    /// >>> face.embedding.vector.shape, face.embedding.vector.dtype
    /// ((192,), dtype('float32'))
    #[pyo3(signature = (image, *, bgr=false))]
    fn embed<'py>(&self, image: &Bound<'py, PyAny>, bgr: bool) -> PyResult<Bound<'py, PyAny>> {
        let faces = self.on(image, bgr, |engine, view| engine.embed(view))?;
        records::faces(&faces, image, bgr)
    }

    /// Says whether the largest faces of two pictures are the same person's.
    ///
    /// >>> result = engine.compare(photos / "people" / "obama.jpg", photos / "people" / "biden.jpg")
    /// >>> result.same, result.similarity < result.threshold
    /// (False, True)
    #[pyo3(signature = (a, b, *, bgr=false))]
    fn compare<'py>(&self, a: &Bound<'py, PyAny>, b: &Bound<'py, PyAny>, bgr: bool) -> PyResult<Bound<'py, PyAny>> {
        process::enter()?;
        let py = a.py();
        let (a, b) = (Input::new(a, bgr)?, Input::new(b, bgr)?);
        let (a, b) = (a.source()?, b.source()?);
        let result: Comparison = py.detach(|| self.core.compare(a.load()?.view(), b.load()?.view())).or_raise()?;
        records::comparison(py, &result)
    }

    /// Enrols the face of a picture in `gallery`; see `Gallery.enroll`.
    #[pyo3(signature = (gallery, person, image, *, gate=None, source=None, metadata=None, expires=None, bgr=false))]
    #[allow(clippy::too_many_arguments)] // keywords
    fn enroll<'py>(
        &self,
        gallery: &Gallery,
        person: Name,
        image: &Bound<'py, PyAny>,
        gate: Option<&str>,
        source: Option<String>,
        metadata: Option<String>,
        expires: Option<f64>,
        bgr: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let options = crate::gallery::enroll_options(gate, source, metadata, expires)?;
        self.enroll_into(&*gallery.open()?, &person, image, options, bgr)
    }

    /// Says who of `gallery` is in a picture; see `Gallery.identify`.
    #[pyo3(signature = (gallery, image, *, threshold=None, margin=None, candidates=None, only=None, r#where=None, bgr=false))]
    #[allow(clippy::too_many_arguments)] // keywords
    fn identify<'py>(
        &self,
        gallery: &Gallery,
        image: &Bound<'py, PyAny>,
        threshold: Option<f32>,
        margin: Option<f32>,
        candidates: Option<usize>,
        only: Option<Vec<Name>>,
        r#where: Option<&str>,
        bgr: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.identify_in(&*gallery.open()?, image, Choices { threshold, margin, candidates }, filter(only, r#where)?, bgr)
    }

    /// Puts faces of the same person together, the largest cluster first: each face is in one, and a face that belongs to nobody
    /// else is a cluster of its own. For photos and videos of people whom nobody has named.
    ///
    /// Args:
    ///     faces: What `embed` gave, of any number of pictures, or their `Embedding`s; of videos, those of best shots.
    ///     threshold: Mean similarity from which large clusters are one person; default the embedder's for naming.
    ///     strict_step: How much more alike two single faces must be.
    ///     min_size: Smallest cluster that is reported.
    ///
    /// Raises:
    ///     InvalidArgument: A face without its embedding, or a number out of range.
    ///     EmbeddingModelMismatch: Faces of different models.
    ///
    /// >>> faces = [face for name in ("obama", "obama2", "biden") for face in engine.embed(photos / "people" / f"{name}.jpg")]
    /// >>> [cluster.members for cluster in engine.cluster(faces)]
    /// [(0, 1), (2,)]
    #[pyo3(signature = (faces, *, threshold=None, strict_step=None, min_size=None))]
    fn cluster<'py>(
        &self,
        py: Python<'py>,
        faces: Vec<Bound<'py, PyAny>>,
        threshold: Option<f32>,
        strict_step: Option<f32>,
        min_size: Option<usize>,
    ) -> PyResult<Bound<'py, PyAny>> {
        process::enter()?;
        let faces = faces.iter().map(records::embedding_of).collect::<PyResult<Vec<_>>>()?;
        let mut options = self.core.cluster_options().or_raise()?;
        options.threshold = threshold.unwrap_or(options.threshold);
        options.strict_step = strict_step.unwrap_or(options.strict_step);
        options.min_size = min_size.unwrap_or(options.min_size);
        let clusters = py.detach(|| self.core.cluster(&faces, &options)).or_raise()?;
        records::table(py, &clusters, |one| records::cluster(py, one))
    }

    /// Opens the gallery in the folder `path`, and makes it when there is none.
    ///
    /// Args:
    ///     path: The gallery's folder, or the address of one on a PostgreSQL server, as text:
    ///         `postgres://USER@HOST/DATABASE?gallery=NAME`.
    ///     read_only: Never write and take no lock: any number may read while one writes.
    ///     create: Whether to make a gallery that is not there.
    ///     salvage: Open in spite of damaged rows, which are left out.
    ///     index: How it is searched: `flat` (every face, exact), `sq8`, `fp16`, `ivf`, `hnsw`, or `auto` (the default): as it was, else
    ///         by size. Kinds but `flat` are built in the background, or by `compact`; `stats` tells their measured recall.
    ///     key: 32 bytes that open an encrypted gallery, or encrypt a new one.
    ///     passphrase: Instead of a key.
    ///     actor: Who makes the changes, for the audit log; default the operating system's user.
    ///     wait: How many seconds to wait for another writer, in this process or another one; 0 does not wait. Default 30. Ctrl-C ends
    ///         the wait.
    ///     progress: Called with how many faces of how many are read, where no saved index fits: every few thousand of them, never
    ///         for a gallery of few. What it raises comes out of here.
    ///
    /// Raises:
    ///     WrongKey: A key is missing, wrong, or not needed.
    ///     GalleryLocked: Another writer still has it open, after the wait.
    ///     EmbeddingModelMismatch: It holds embeddings of another model.
    ///     GalleryCorrupt, GalleryNewer, IoError: It cannot be read.
    #[pyo3(signature = (
        path, *, read_only=None, create=None, salvage=None, index=None, key=None, passphrase=None, actor=None, wait=None,
        progress=None
    ))]
    #[allow(clippy::too_many_arguments)] // keywords
    fn gallery(
        slf: &Bound<'_, Self>,
        path: PathBuf,
        read_only: Option<bool>,
        create: Option<bool>,
        salvage: Option<bool>,
        index: Option<String>,
        key: Option<Vec<u8>>,
        passphrase: Option<String>,
        actor: Option<String>,
        wait: Option<f64>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Gallery> {
        let opening = Opening { read_only, create, salvage, index, key, passphrase, actor, wait, progress };
        Gallery::open_with(slf.py(), path, Some(slf.clone().unbind()), opening)
    }

    /// Looks through a video: an iterator of one `Sighting` per person and appearance, each as soon as it is final.
    ///
    /// Args:
    ///     path: A video file, or a live source: `rtsp://...`, `http://...`, `/dev/video0`.
    ///     gallery: The people to look for: a `Gallery`, its folder or its address. Without one, tracks have no names.
    ///     every_frame: Look for faces in every frame, not about ten times a second.
    ///     start: Skip what comes before, in seconds.
    ///     end: Stop after, in seconds.
    ///     boxes: List the box of every frame in `Sighting.boxes`.
    ///     pictures: Whether best shots carry a small picture.
    ///     best_shots: Most shots kept per person.
    ///     rejoin_within: Seconds for which somebody may be out of sight and still continue the same track.
    ///     provisional: Also report a track as soon as it can be named.
    ///     hardware: Decode on a device: `vaapi`, `cuda`, `videotoolbox`, ...
    ///     deinterlace: Whether interlaced frames are taken apart: `auto` (the default), `off` or `on`.
    ///     timeout: Live sources: how many seconds to wait for the connection, and for each frame. Default 10.
    ///     reconnect: Live sources: whether to try again when the source is lost, or for how many seconds. Default `False`.
    ///     backlog: Live sources: how many seconds a frame may wait to be looked at before newer ones take its place. Default 20.
    ///     progress: A function called with a `Progress` now and then, or `True` for a bar (needs tqdm).
    ///
    /// Raises:
    ///     DecodeVideoError, UnsupportedFormat, IoError: It cannot be read. When it breaks off later, the iterator raises.
    ///     SourceLost: A live source ended that had not said it would: raised by the iterator, after the last sighting.
    ///
    /// >>> with engine.video(clip, end=1) as video:
    /// ...     sightings = list(video)
    /// >>> video.summary.frames > 20, video.summary.tracks == len(sightings)
    /// (True, True)
    #[pyo3(signature = (
        path, gallery=None, *, every_frame=None, start=None, end=None, boxes=None, pictures=None, best_shots=None, rejoin_within=None,
        provisional=None, hardware=None, deinterlace=None, timeout=None, reconnect=None, backlog=None, progress=None
    ))]
    #[allow(clippy::too_many_arguments)] // keywords
    fn video(
        &self,
        py: Python<'_>,
        path: PathBuf,
        gallery: Option<Known<'_>>,
        every_frame: Option<bool>,
        start: Option<f64>,
        end: Option<f64>,
        boxes: Option<bool>,
        pictures: Option<bool>,
        best_shots: Option<usize>,
        rejoin_within: Option<f64>,
        provisional: Option<bool>,
        hardware: Option<String>,
        deinterlace: Option<&str>,
        timeout: Option<f64>,
        reconnect: Option<Reconnect>,
        backlog: Option<f64>,
        progress: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Video> {
        process::enter()?;
        let known = match gallery {
            None => None,
            Some(Known::Opened(gallery)) => Some(gallery.get().open()?),
            Some(Known::At(folder)) => {
                let options = GalleryOptions::default().read_only(true);
                Some(Arc::new(py.detach(|| self.core.open_gallery_with(folder, options)).or_raise()?))
            }
        };
        let deinterlace = deinterlace.map_or(Ok(Deinterlace::default()), str::parse).or_raise()?;
        let live = receiving(timeout, reconnect, backlog)?;
        let request =
            VideoRequest { every_frame, start, end, boxes, pictures, best_shots, rejoin_within, provisional, hardware, deinterlace, live };
        Video::start(py, &self.core, path, known, request, progress)
    }

    /// Id of the detector.
    #[getter]
    fn detector(&self) -> &str {
        self.core.detector().id()
    }

    /// Id of the embedder.
    #[getter]
    fn embedder(&self) -> &str {
        self.core.embedder().id()
    }

    /// Where it computes.
    #[getter]
    fn device(&self) -> String {
        self.core.runtime().device().to_string()
    }

    /// ONNX Runtime's shared library in use.
    #[getter]
    fn library(&self) -> Option<PathBuf> {
        self.core.runtime().library().map(PathBuf::from)
    }

    /// Threads inside one inference.
    #[getter]
    fn threads(&self) -> usize {
        self.core.runtime().threads()
    }

    /// Similarity from which two photos show the same person.
    #[getter]
    fn threshold(&self) -> PyResult<f32> {
        self.core.threshold().or_raise()
    }

    /// Similarity from which a face is named among many.
    #[getter]
    fn identify_threshold(&self) -> PyResult<f32> {
        self.core.identify_threshold().or_raise()
    }

    fn __repr__(&self) -> String {
        format!("<Engine {} with {} on {}>", self.detector(), self.embedder(), self.device())
    }

    /// Pickled as its options: the other process opens the models for itself.
    fn __getnewargs_ex__<'py>(&self, py: Python<'py>) -> (Bound<'py, PyTuple>, Bound<'py, PyDict>) {
        (PyTuple::empty(py), self.options.bind(py).clone())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if process::is_forked() {
            std::mem::forget(Arc::clone(&self.core)); // its threads are in the other process: nothing to wait for
        }
    }
}
