//! facerec: face recognition for photos and videos.

pub mod align;
pub mod analyze;
pub mod detect;
pub mod embed;
pub mod engine;
pub mod enroll;
pub mod error;
pub mod evaluate;
pub mod face;
pub mod gallery;
pub mod geometry;
pub mod image;
pub mod model;
pub mod quality;
pub mod runtime;

pub use analyze::Analyzer;
pub use detect::{Detect, DetectOptions, Detector};
pub use embed::{Embed, Embedder};
pub use engine::{Comparison, Engine, EngineBuilder};
pub use enroll::{EnrollOptions, Enrolment, Identified, RejectReason};
pub use error::{Error, ErrorKind, Result};
pub use face::{Detection, Embedding, Face, ModelKey, Quality};
pub use gallery::{Candidate, Decision, DecisionOptions, DecisionReason, FaceId, Gallery, GalleryOptions, NewFace, PersonId};
pub use geometry::{Landmarks, Point, Rect};
pub use image::{Annotation, DecodeLimits, Image, ImageView, PixelFormat, Tone, annotate};
pub use model::{ModelCatalog, ModelManifest, ModelPack};
pub use quality::{QualityGate, QualityIssue};
pub use runtime::{Device, Runtime, RuntimeOptions};
