//! Where a gallery is kept, as the rest of the engine sees it: one trait, so that a folder on this machine and a server that
//! many share answer alike.

use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::Arc;

use super::decision::Candidate;
use super::filter::SearchFilter;
use super::key::GalleryKey;
use super::records::{AuditEntry, FaceId, FaceRecord, GalleryStats, ImportReport, Match, NewFace, Person, PersonId, VerifyReport};
use crate::error::Result;
use crate::face::{Embedding, ModelKey};

/// What every place that keeps people and faces can do. [`Gallery`](super::Gallery) documents each operation.
///
/// Names and options were checked by the caller, embeddings and what needs the stored data are checked here.
pub(super) trait Backend: Send + Sync {
    /// The folder, or the address without its password.
    fn location(&self) -> &Path;
    fn model(&self) -> &Arc<ModelKey>;

    fn add_many(&self, faces: &[(&str, NewFace<'_>)]) -> Result<Vec<FaceId>>;
    fn remove_person(&self, name: &str) -> Result<usize>;
    fn remove_face(&self, face: FaceId) -> Result<bool>;
    fn rename(&self, name: &str, new_name: &str) -> Result<()>;
    fn merge(&self, from: &str, into: &str) -> Result<usize>;
    fn split(&self, person: &str, faces: &[FaceId], into: &str) -> Result<usize>;

    fn persons(&self) -> Result<Vec<Person>>;
    fn person(&self, name: &str) -> Result<Person>;
    fn person_by_id(&self, person: PersonId) -> Result<Option<Person>>;
    fn faces(&self, name: &str) -> Result<Vec<FaceRecord>>;
    fn embedding(&self, face: FaceId) -> Result<Option<Embedding>>;
    /// A person's faces with their vectors, in the order of enrolment.
    fn vectors(&self, name: &str) -> Result<Vec<(FaceId, Embedding)>>;

    /// The `k` most similar faces for each query, best first; equal similarities in the order of enrolment.
    fn search(&self, queries: &[Embedding], k: usize, filter: &SearchFilter) -> Result<Vec<Vec<Match>>>;
    /// The `wanted` most similar people for each query with their best face, best first; fewer when there are fewer. All
    /// queries are answered from one state of the gallery.
    fn best_people(&self, queries: &[Embedding], wanted: usize, filter: &SearchFilter) -> Result<Vec<Vec<Candidate>>>;

    fn stats(&self) -> Result<GalleryStats>;
    fn verify(&self) -> Result<VerifyReport>;
    fn compact(&self) -> Result<()>;
    fn export(&self, out: &mut dyn Write) -> Result<usize>;
    fn export_person(&self, name: &str, out: &mut dyn Write) -> Result<usize>;
    fn import(&self, input: &mut dyn BufRead) -> Result<ImportReport>;

    fn purge_expired(&self) -> Result<usize>;
    fn set_key(&self, key: Option<GalleryKey>) -> Result<()>;
    fn audit(&self, after_id: i64, limit: usize) -> Result<Vec<AuditEntry>>;
}
