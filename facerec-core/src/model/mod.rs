//! Models as data: what a model file is, how its input looks, where it comes from and under which licence.
//!
//! A new detector or embedder of a known kind needs only a manifest entry (see `models/README.md`).

mod catalog;
#[cfg(feature = "fetch")]
mod fetch;
mod input;
mod licence;
mod manifest;
mod summary;
mod template;

pub use catalog::{ModelCatalog, ResolvedModel};
#[cfg(feature = "fetch")]
pub use fetch::{FetchOptions, FetchProgress};
pub use licence::FileLicence;
pub use manifest::{
    Channels, DetectHead, DetectSpec, EmbedSpec, FmrThresholds, InputSpec, LandmarkSpec, Layout, Licence, ModelManifest, ModelPack,
    ModelSource, ModelTask,
};
pub use summary::PackSummary;
pub use template::AlignTemplate;
