//! Face recognition for photos: find faces, turn them into vectors, enrol people, and say who is in a picture, with the
//! evidence and an honest "unknown".
//!
//! [`Engine`] is the front door; it owns a [`Runtime`], a [`Detector`] and an [`Embedder`], which can also be used alone.
//!
//! ```no_run
//! use facerec_core::{Engine, EnrollOptions, Image};
//!
//! let engine = Engine::new()?;
//! let gallery = engine.open_gallery("people")?;
//! engine.enroll(&gallery, "Ana", &Image::open("ana.jpg")?, &EnrollOptions::default())?;
//! for found in engine.identify(&gallery, &Image::open("party.jpg")?)? {
//!     println!("{:?} {:?}", found.face.detection.rect, found.decision.name);
//! }
//! # Ok::<(), facerec_core::Error>(())
//! ```
//!
//! Everything but inference works without a model, for example a gallery of vectors you have already:
//!
//! ```
//! use std::sync::Arc;
//! use facerec_core::{DecisionOptions, Embedding, Gallery, GalleryOptions, ModelKey, NewFace};
//!
//! let model = Arc::new(ModelKey::new("mine", "1"));
//! let folder = std::env::temp_dir().join(format!("facerec-doc-{}", std::process::id()));
//! let gallery = Gallery::open(&folder, &model, GalleryOptions::default())?;
//! let ana = Embedding::new(Arc::clone(&model), vec![0.9, 0.1, 0.2])?;
//! gallery.add("Ana", NewFace::new(&ana))?;
//!
//! let probe = Embedding::new(model, vec![0.8, 0.2, 0.2])?;
//! let decision = gallery.identify(&probe, &DecisionOptions::new(0.4))?;
//! assert_eq!(decision.name.as_deref(), Some("Ana"));
//! # drop(gallery);
//! # std::fs::remove_dir_all(&folder).ok();
//! # Ok::<(), facerec_core::Error>(())
//! ```
//!
//! # Cargo features
//!
//! Features only add; none changes what another does.
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `load-dynamic` | yes | ONNX Runtime loaded at run time from a path ([`RuntimeOptions::library`]) |
//! | `faiss` | yes | search with FAISS, built from source; without it a plain exact search |
//! | `video` | yes | reading and writing videos with FFmpeg; without it frames of one's own |
//! | `fetch` | yes | downloading models over https |
//! | `charts` | yes | the page of [`evaluate::report`](evaluate::report()) with its curves; without it the figures |
//! | `cli` | | the `facerec` command |
//! | `cuda` `tensorrt` `coreml` `directml` `openvino` | | devices, used only when a [`Device`] asks for them |
//! | `download-binaries` | | ONNX Runtime fetched and linked when the crate is built (needs the open internet) |
//! | `serde` | | `Serialize` and `Deserialize` on the result types |
//!
//! Without default features the crate needs nothing but Rust and a C compiler (for SQLite).

pub mod align;
/// The command sees the crate as everybody does.
#[cfg(feature = "cli")]
extern crate self as facerec_core;

pub mod analyze;
/// The `facerec` command, for the program and for packages that bring it along. Its interface is the command line.
#[cfg(feature = "cli")]
#[doc(hidden)]
#[path = "bin/facerec/mod.rs"]
pub mod cli;
pub mod detect;
pub mod embed;
pub mod engine;
pub mod enroll;
pub mod error;
pub mod evaluate;
pub mod face;
pub mod folder;
pub mod gallery;
pub mod geometry;
pub mod image;
pub mod model;
pub mod pipeline;
pub mod quality;
pub mod recognisability;
pub mod report;
pub mod runtime;
pub mod text;
pub mod track;
pub mod uprightness;
pub mod video;

pub use analyze::Analyzer;
pub use detect::{Detail, Detect, DetectOptions, Detector};
pub use embed::{Embed, Embedder};
pub use engine::{Comparison, Engine, EngineBuilder};
pub use enroll::{EnrollOptions, Enrolment, Identified, RejectReason};
pub use error::{Error, ErrorKind, Result};
pub use face::{Detection, Embedding, Face, ModelKey, Quality};
pub use gallery::{
    Candidate, Cluster, ClusterOptions, Decision, DecisionOptions, DecisionReason, FaceId, Gallery, GalleryOptions, IndexKind, NewFace,
    PersonId, SearchFilter,
};
pub use geometry::{Landmarks, Point, Rect};
pub use image::{Annotation, DecodeLimits, Image, ImageView, PixelFormat, Samples, Tone, annotate};
pub use model::{ModelCatalog, ModelManifest, ModelPack};
pub use pipeline::{BestShot, Cadence, CancelToken, KnownPeople, PipelineOptions, Sighting, Sightings, VideoPipeline, VideoSummary};
pub use quality::{QualityGate, QualityIssue};
pub use recognisability::{RECOGNISABLE, Recognisability};
pub use report::Report;
pub use runtime::{Device, Runtime, RuntimeOptions};
pub use track::{TrackId, TrackOptions, TrackStep, TrackedFace, Tracker};
pub use uprightness::Uprightness;
pub use video::{Absence, Deinterlace, Frame, FrameSource, Reception, VideoInfo};
#[cfg(feature = "video")]
pub use video::{LiveOptions, LiveSource, VideoOptions, VideoReader, VideoSource, VideoWriter};

/// The README's examples, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct ReadmeExamples;
