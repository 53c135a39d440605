//! What a pack costs and gives.

use super::{FileLicence, ModelCatalog};
use crate::error::Result;

/// A pack in numbers: all models that an engine with it needs, taken together.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PackSummary {
    /// Ids of the models, as of [`ModelCatalog::required`].
    pub models: Vec<String>,
    /// Size of the files in bytes.
    pub bytes: u64,
    /// Bytes that fetching them transfers: packages and archives may hold other files too, and a file that one brings oneself is not fetched.
    pub download_bytes: u64,
    /// Their licences, each once.
    pub licences: Vec<FileLicence>,
    /// Whether all of them allow commercial use; `None` when that of a file is unknown and none forbids it.
    pub commercial: Option<bool>,
    /// LFW accuracy, `0..=1`; `None` when not measured.
    pub lfw_accuracy: Option<f32>,
    /// Time for a photo, as a multiple of what the pack `default` takes; `None` when not measured.
    pub time_ratio: Option<f32>,
    /// Whether all files are here and right.
    pub installed: bool,
}

impl ModelCatalog {
    /// What the pack of this name costs and gives. Files that are here are read, to check them and to know their licences.
    ///
    /// # Errors
    /// As [`ModelCatalog::required`].
    pub fn summary(&self, pack: &str) -> Result<PackSummary> {
        let required = self.required(pack)?;
        let pack = self.pack(pack)?;
        let mut installed = true;
        let mut licences = Vec::new();
        for model in &required {
            let licence = match self.resolve(&model.id) {
                Ok(found) => found.licence,
                Err(_) => {
                    installed = false;
                    self.licence(model)
                }
            };
            // One licence has several addresses.
            if !licences.iter().any(|one: &FileLicence| one.to_string() == licence.to_string()) {
                licences.push(licence);
            }
        }
        let each: Vec<_> = licences.iter().map(FileLicence::commercial).collect();
        let commercial = if each.contains(&Some(false)) { Some(false) } else { (!each.contains(&None)).then_some(true) };
        let to_fetch = required.iter().filter(|model| !model.sources.is_empty());
        let embedder = pack.embedder.as_ref().and_then(|id| self.model(id).ok()?.embed.as_ref());
        Ok(PackSummary {
            models: required.iter().map(|model| model.id.clone()).collect(),
            bytes: required.iter().map(|model| model.bytes).sum(),
            download_bytes: pack.download_bytes.unwrap_or_else(|| to_fetch.map(|model| model.bytes).sum()),
            licences,
            commercial,
            lfw_accuracy: pack.lfw_accuracy.or_else(|| embedder?.lfw_accuracy),
            time_ratio: pack.time_ratio,
            installed,
        })
    }
}
