//! stub
use std::path::PathBuf;
use super::ModelManifest;
/// A model whose file was found and verified.
#[derive(Debug, Clone)]
pub struct ResolvedModel {
    /// Its manifest entry.
    pub manifest: ModelManifest,
    /// The file.
    pub path: PathBuf,
    /// The file's sha256, lower-case hex.
    pub sha256: String,
}
/// stub
#[derive(Debug)]
pub struct ModelCatalog;

impl ModelCatalog {
    /// stub
    pub fn resolve(&self, _id: &str) -> crate::Result<ResolvedModel> { Err(crate::Error::internal("stub")) }
}
