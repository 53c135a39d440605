//! What goes into a gallery and what comes out: plain data and the rules for names and metadata.

use std::fmt;

use crate::error::{Error, Result};
use crate::face::{Embedding, Quality};
pub use crate::text::MAX_NAME_CHARS;

/// Identifies a person of one gallery. Never reused, not even after the person was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PersonId(pub i64);

/// Identifies an enrolled face of one gallery. Never reused, not even after the face was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FaceId(pub i64);

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for FaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A face to enrol: its embedding and what is known about it.
#[derive(Debug, Clone, Copy)]
pub struct NewFace<'a> {
    pub(super) embedding: &'a Embedding,
    pub(super) quality: Option<Quality>,
    pub(super) source: Option<&'a str>,
    pub(super) digest: Option<&'a str>,
    pub(super) metadata: Option<&'a str>,
    pub(super) expires_ms: Option<i64>,
}

impl<'a> NewFace<'a> {
    /// A face of which only the embedding is known.
    pub fn new(embedding: &'a Embedding) -> Self {
        Self { embedding, quality: None, source: None, digest: None, metadata: None, expires_ms: None }
    }

    /// How usable the face is; every value must be finite.
    #[must_use]
    pub fn quality(mut self, quality: Quality) -> Self {
        self.quality = Some(quality);
        self
    }

    /// Where the face came from, in the caller's words: a path, a URL, a camera.
    #[must_use]
    pub fn source(mut self, source: &'a str) -> Self {
        self.source = Some(source);
        self
    }

    /// SHA-256 of the photo's bytes, 64 hex digits: finds a photo that was enrolled before.
    #[must_use]
    pub fn digest(mut self, digest: &'a str) -> Self {
        self.digest = Some(digest);
        self
    }

    /// Anything the caller wants to keep: the text of one JSON object.
    #[must_use]
    pub fn metadata(mut self, metadata: &'a str) -> Self {
        self.metadata = Some(metadata);
        self
    }

    /// When the face expires, milliseconds since 1970 UTC. From that moment no search returns it, and whoever has the gallery
    /// open for writing deletes it as [`remove_face`](super::Gallery::remove_face) does: with the next change, when the
    /// gallery is opened, or by [`purge_expired`](super::Gallery::purge_expired). Default: never.
    #[must_use]
    pub fn expires_at_ms(mut self, time: i64) -> Self {
        self.expires_ms = Some(time);
        self
    }

    /// Refuses what SQLite could not give back unchanged.
    pub(super) fn check(&self) -> Result<()> {
        check_details(self.quality.as_ref(), self.digest, self.metadata)
    }
}

/// A person of a gallery.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Person {
    /// Stable id.
    pub id: PersonId,
    /// Name, unique in the gallery.
    pub name: String,
    /// Number of enrolled faces, at least 1.
    pub faces: usize,
    /// When the person was first enrolled, milliseconds since 1970 UTC.
    pub created_ms: i64,
}

/// An enrolled face without its vector.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FaceRecord {
    /// Stable id.
    pub id: FaceId,
    /// Whose face it is.
    pub person: PersonId,
    /// How usable the face is, if it was given.
    pub quality: Option<Quality>,
    /// Where it came from, if it was given.
    pub source: Option<String>,
    /// SHA-256 of the photo, lower-case hex, if it was given.
    pub digest: Option<String>,
    /// The caller's JSON object, if it was given.
    pub metadata: Option<String>,
    /// When it was enrolled, milliseconds since 1970 UTC.
    pub created_ms: i64,
    /// When it expires, milliseconds since 1970 UTC; `None` for never.
    pub expires_ms: Option<i64>,
}

/// An enrolled face that resembles a query.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Match {
    /// Whose face it is.
    pub person: PersonId,
    /// That person's name.
    pub name: String,
    /// The enrolled face.
    pub face: FaceId,
    /// Cosine similarity with the query, `-1..=1`; higher means more alike.
    pub similarity: f32,
}

/// A gallery in numbers.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct GalleryStats {
    /// Number of people.
    pub persons: usize,
    /// Number of faces.
    pub faces: usize,
    /// Length of the vectors; `None` until the first face is enrolled.
    pub dim: Option<usize>,
    /// Id of the embedding model.
    pub model: String,
    /// Hash of the model's weights and preprocessing.
    pub model_hash: String,
    /// How the search is done at this moment: `faiss-flat-ip` or `exact`, both exhaustive, or `faiss-sq8`, `faiss-fp16`, `faiss-ivf`,
    /// `faiss-hnsw` (see [`IndexKind`](super::IndexKind)).
    pub index_kind: String,
    /// How often it finds the most similar face first, `0..=1`: measured with queries made from stored faces when the index was
    /// built, and kept with it. 1 for an exhaustive search; `None` where it was not measured: on a server with a graph.
    pub recall: Option<f32>,
    /// Removed faces that the index still passes over; the next rebuild leaves none.
    pub tombstones: usize,
    /// Memory of the index for each face, in bytes, with the true vector; 0 on a server, which has it on its disk.
    pub index_bytes_per_face: usize,
    /// Whether the index is being built or extended in the background just now.
    pub index_building: bool,
    /// Size of all files of the gallery, in bytes.
    pub bytes_on_disk: u64,
    /// Number of changes since the gallery was created.
    pub generation: u64,
    /// Whether names, vectors and everything else about people is unreadable without a key.
    pub encrypted: bool,
}

/// One change of a gallery, as its audit log remembers it: who, when and what, with ids only. Names and biometric data are never
/// in it, so that it may outlive the people it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct AuditEntry {
    /// Ascends; a gap is a change that was not committed.
    pub id: i64,
    /// When, milliseconds since 1970 UTC.
    pub at_ms: i64,
    /// Who, see [`GalleryOptions::actor`](super::GalleryOptions::actor).
    pub actor: String,
    /// What: `create`, `migrate`, `add`, `import`, `rename`, `remove`, `expire`, `merge`, `split` or `set_key`.
    pub action: String,
    /// The people it was about.
    pub persons: Vec<PersonId>,
    /// The faces that were added, removed or given to another person.
    pub faces: Vec<FaceId>,
}

/// What [`Gallery::verify`](super::Gallery::verify) found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct VerifyReport {
    /// Faces that were read and compared.
    pub faces: usize,
    /// What is wrong, one sentence each; empty when all is well.
    pub problems: Vec<String>,
}

/// What [`Gallery::import`](super::Gallery::import) did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ImportReport {
    /// People who were not there before.
    pub persons: usize,
    /// Faces added.
    pub faces: usize,
    /// Faces left out because the person already had the very same vector.
    pub duplicates: usize,
}

/// The rules for everything of a face but its vector and its person.
pub(super) fn check_details(quality: Option<&Quality>, digest: Option<&str>, metadata: Option<&str>) -> Result<()> {
    // SQLite has no NaN: it would come back as NULL.
    if let Some(bad) = quality.and_then(|q| quality_values(q).into_iter().find(|v| !v.is_finite())) {
        return Err(Error::argument("quality", format!("expected finite values, got `{bad}`")));
    }
    if let Some(digest) = digest
        && (digest.len() != 64 || !digest.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)))
    {
        return Err(Error::argument("digest", format!("expected a sha256 of 64 lower-case hex digits, got `{digest}`")));
    }
    if let Some(metadata) = metadata
        && let Err(error) = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(metadata)
    {
        return Err(Error::argument("metadata", format!("expected the text of one JSON object, got `{error}`")));
    }
    Ok(())
}

/// The values of a quality in the order of their columns.
pub(super) fn quality_values(q: &Quality) -> [f32; 7] {
    [q.score, q.sharpness, q.yaw_deg, q.pitch_deg, q.roll_deg, q.face_px, q.exposure]
}

/// The inverse of [`quality_values`].
pub(super) fn quality_from(values: [f32; 7]) -> Quality {
    let [score, sharpness, yaw_deg, pitch_deg, roll_deg, face_px, exposure] = values;
    Quality { score, sharpness, yaw_deg, pitch_deg, roll_deg, face_px, exposure, recognisability: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_that_could_not_come_back_are_refused() {
        let good = quality_from([0.9, 0.5, 1.0, -2.0, 3.0, 120.0, 0.4]);
        assert_eq!(quality_from(quality_values(&good)), good);
        let digest = "0f".repeat(32);
        check_details(Some(&good), Some(&digest), Some(r#"{"camera": [1, "é"]}"#)).expect("good details");
        let nan = Quality { yaw_deg: f32::NAN, ..good };
        assert!(check_details(Some(&nan), None, None).is_err());
        for bad in ["", "0F", &"0F".repeat(32), &"zz".repeat(32)] {
            assert!(check_details(None, Some(bad), None).is_err(), "{bad}");
        }
        for bad in ["", "[]", "1", "{", r#"{"a":1} x"#] {
            assert!(check_details(None, None, Some(bad)).is_err(), "{bad}");
        }
    }
}
