//! Who is known.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use facerec_core as core;
use facerec_core::Result as CoreResult;
use facerec_core::gallery::{FaceId, FaceRecord, NewFace};
use napi::bindgen_prelude::{Float32Array, ToNapiValue, TypeName};
use napi_derive::napi;
use serde_json::{Map, Value};

use crate::cancel::{Cancel, token};
use crate::enroll::filter;
use crate::error::{JsResult as Result, argument, id, thrown, whole};
use crate::face::Quality;
use crate::opening::KeyOptions;
use crate::work::Work;

/// A person of a gallery.
#[napi(object, object_from_js = false)]
pub struct Person {
    /// A safe integer that is never reused.
    pub id: i64,
    /// Unique in the gallery.
    pub name: String,
    /// Number of enrolled faces, at least 1.
    pub faces: f64,
    /// When the person was first enrolled, milliseconds since 1970 UTC.
    pub created_ms: i64,
}

/// An enrolled face without its vector.
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct EnrolledFace {
    /// A safe integer that is never reused.
    pub id: i64,
    /// Whose face it is.
    pub person_id: i64,
    /// How usable the face is.
    pub quality: Option<Quality>,
    /// Where it came from, if that was said.
    pub source: Option<String>,
    /// What was kept with it.
    #[napi(ts_type = "Metadata | null")]
    pub metadata: Option<Map<String, Value>>,
    /// When it was enrolled, milliseconds since 1970 UTC.
    pub created_ms: i64,
    /// When it is forgotten, milliseconds since 1970 UTC; null for never.
    pub expires_ms: Option<i64>,
}

/// A change of a gallery: ids, and nothing else about people.
#[napi(object, object_from_js = false)]
pub struct AuditEntry {
    /// Ascends.
    pub id: i64,
    /// When, milliseconds since 1970 UTC.
    pub at_ms: i64,
    /// Who.
    pub actor: String,
    /// What: `create`, `migrate`, `add`, `import`, `rename`, `remove`, `expire`, `merge`, `split` or `set_key`.
    pub action: String,
    /// The people it was about.
    pub person_ids: Vec<i64>,
    /// The faces that were added, removed or given to another person.
    pub face_ids: Vec<i64>,
}

/// An enrolled face that resembles a vector.
#[napi(object, object_from_js = false)]
pub struct Match {
    /// Whose face it is.
    pub person: String,
    /// That person's id.
    pub person_id: i64,
    /// The enrolled face.
    pub face_id: i64,
    /// Cosine similarity with the vector, -1 to 1; higher means more alike.
    pub similarity: f64,
}

/// Whom to look among.
#[napi(object, object_to_js = false)]
#[derive(Default)]
pub struct SearchOptions {
    /// Only these people. Default everybody.
    pub only: Option<Vec<String>>,
    /// Only faces whose metadata has these entries. Default all.
    #[napi(ts_type = "Metadata")]
    pub metadata: Option<Map<String, Value>>,
}

/// Two people who may be one.
#[napi(object, object_from_js = false)]
pub struct Duplicate {
    /// The one who was enrolled first.
    pub first: String,
    /// The other.
    pub second: String,
    /// Cosine similarity of their two most similar faces, -1 to 1.
    pub similarity: f64,
    /// Faces of the two that are as similar to one of the other: the more, the surer.
    pub supporting_faces: f64,
    /// The first one's id.
    pub first_id: i64,
    /// The other's id.
    pub second_id: i64,
    /// The first one's face that is most like one of the other.
    pub first_face_id: i64,
    /// That one.
    pub second_face_id: i64,
}

/// What is kept with a vector that is enrolled.
#[napi(object, object_to_js = false)]
#[derive(Default)]
pub struct AddOptions {
    /// Where the face came from, such as a file's name. Default nothing.
    pub source: Option<String>,
    /// Anything to be kept with the face. Default nothing.
    #[napi(ts_type = "Metadata")]
    pub metadata: Option<Map<String, Value>>,
    /// When the face is to be forgotten, milliseconds since 1970 UTC. Default never.
    pub expires_ms: Option<f64>,
}

/// A gallery in numbers.
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct GalleryStats {
    /// Number of people.
    pub people: f64,
    /// Number of faces.
    pub faces: f64,
    /// Length of the vectors; null until the first face is enrolled.
    pub dim: Option<f64>,
    /// Id of the embedding model.
    pub model: String,
    /// Hash of the model's weights and preprocessing.
    pub model_hash: String,
    /// How the search is done now: `faiss-flat-ip` (every face is compared), `faiss-sq8`, `faiss-fp16`, `faiss-ivf`, `faiss-hnsw`; on a
    /// server `pgvector-exact`, `pgvector-hnsw`.
    pub index_kind: String,
    /// How often it finds the most similar face first, 0 to 1, as measured when the index was built; null where it was not: on a
    /// server with a graph.
    pub recall: Option<f64>,
    /// Removed faces that the index still passes over; its next building leaves none.
    pub tombstones: f64,
    /// Memory of the index for each face in bytes, with the true vector; 0 on a server, which has it on its disk.
    pub index_bytes_per_face: f64,
    /// Whether the index is being built in the background now.
    pub index_building: bool,
    /// Size of all files of the gallery.
    pub bytes: f64,
    /// Changes since the gallery was made.
    pub generation: f64,
    /// Whether it is encrypted.
    pub encrypted: bool,
}

/// What `verify` found.
#[napi(object, object_from_js = false)]
pub struct VerifyReport {
    /// Whether all is well.
    pub ok: bool,
    /// Faces that were read and compared.
    pub faces: f64,
    /// What is wrong, one sentence each.
    pub problems: Vec<String>,
}

/// What `importFrom` did.
#[napi(object, object_from_js = false)]
pub struct ImportReport {
    /// People who were not there before.
    pub people: f64,
    /// Faces added.
    pub faces: f64,
    /// Faces left out because the person already had the very same vector.
    pub duplicates: f64,
}

/// People and their faces as vectors, in a folder on the disk or on a server. Opened with `engine.openGallery`.
///
/// A change is on the disk when its promise resolves. Close it when done (`await using` does): one process writes at a time.
/// After `close`, every method rejects with `ERR_FACEREC_INVALID_ARGUMENT`.
#[napi]
pub struct Gallery {
    path: PathBuf,
    inner: Mutex<Option<Arc<core::Gallery>>>,
}

impl Gallery {
    pub(crate) fn new(gallery: core::Gallery) -> Self {
        Self { path: gallery.path().into(), inner: Mutex::new(Some(Arc::new(gallery))) }
    }

    /// The gallery, unless it was closed.
    pub(crate) fn open(&self) -> CoreResult<Arc<core::Gallery>> {
        let gallery = self.inner.lock().unwrap_or_else(PoisonError::into_inner).clone();
        gallery.ok_or_else(|| argument("gallery", "expected an open gallery, got `a closed one`; open it again with `openGallery`"))
    }

    /// Queues work on the open gallery.
    fn queue<T: Send + ToNapiValue + TypeName + 'static>(
        &self,
        cancel: Option<&Cancel>,
        work: impl FnOnce(&core::Gallery) -> CoreResult<T> + Send + 'static,
    ) -> Result<Work<T>> {
        let gallery = self.open().map_err(thrown)?;
        Ok(Work::queue(token(cancel), move || work(&gallery)))
    }
}

#[napi]
impl Gallery {
    /// The gallery's folder; of one on a server its address without the password.
    #[napi(getter, catch_unwind)]
    pub fn path(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }

    /// Everybody, by name.
    #[napi(ts_args_type = "options?: CallOptions", ts_return_type = "Promise<Array<Person>>", catch_unwind)]
    pub fn people(&self, cancel: Option<&Cancel>) -> Result<Work<Vec<Person>>> {
        self.queue(cancel, |gallery| Ok(gallery.persons()?.into_iter().map(Person::from).collect()))
    }

    /// One person. Rejects with `ERR_FACEREC_PERSON_NOT_FOUND`.
    #[napi(ts_args_type = "name: string, options?: CallOptions", ts_return_type = "Promise<Person>", catch_unwind)]
    pub fn person(&self, name: String, cancel: Option<&Cancel>) -> Result<Work<Person>> {
        self.queue(cancel, move |gallery| gallery.person(&name).map(Person::from))
    }

    /// A person's faces, in the order of enrolment. Rejects with `ERR_FACEREC_PERSON_NOT_FOUND`.
    #[napi(ts_args_type = "person: string, options?: CallOptions", ts_return_type = "Promise<Array<EnrolledFace>>", catch_unwind)]
    pub fn faces(&self, person: String, cancel: Option<&Cancel>) -> Result<Work<Vec<EnrolledFace>>> {
        self.queue(cancel, move |gallery| Ok(gallery.faces(&person)?.into_iter().map(EnrolledFace::from).collect()))
    }

    /// The `k` enrolled faces most similar to a vector of the gallery's embedder, best first: the evidence, without a decision.
    /// Rejects with `ERR_FACEREC_DIMENSION_MISMATCH` for a vector of another length.
    #[napi(
        ts_args_type = "embedding: Float32Array, k: number, options?: SearchOptions",
        ts_return_type = "Promise<Array<Match>>",
        catch_unwind
    )]
    pub fn search(
        &self,
        embedding: Float32Array,
        k: f64,
        options: Option<SearchOptions>,
        cancel: Option<&Cancel>,
    ) -> Result<Work<Vec<Match>>> {
        let k =
            usize::try_from(id("k", k).map_err(thrown)?).map_err(|_| thrown(argument("k", format!("expected 0 or more, got `{k}`"))))?;
        let SearchOptions { only, metadata } = options.unwrap_or_default();
        let (values, filter) = (embedding.to_vec(), filter(only, metadata));
        self.queue(cancel, move |gallery| {
            let probe = core::Embedding::new(gallery.model().clone(), values)?;
            Ok(gallery.search_among(&[probe], k, &filter)?.into_iter().flatten().map(Match::from).collect())
        })
    }

    /// Enrols a vector of the gallery's embedder under a person's name, unseen; resolves to the face's id. `engine.enroll`
    /// checks the picture first.
    #[napi(
        ts_args_type = "person: string, embedding: Float32Array, options?: AddOptions",
        ts_return_type = "Promise<number>",
        catch_unwind
    )]
    pub fn add(&self, person: String, embedding: Float32Array, options: Option<AddOptions>, cancel: Option<&Cancel>) -> Result<Work<i64>> {
        let values = embedding.to_vec();
        let AddOptions { source, metadata, expires_ms } = options.unwrap_or_default();
        let metadata = metadata.map(|metadata| Value::Object(metadata).to_string());
        self.queue(cancel, move |gallery| {
            let embedding = core::Embedding::new(gallery.model().clone(), values)?;
            let mut face = NewFace::new(&embedding);
            if let Some(source) = &source {
                face = face.source(source);
            }
            if let Some(metadata) = &metadata {
                face = face.metadata(metadata);
            }
            if let Some(time) = expires_ms {
                face = face.expires_at_ms(time as i64);
            }
            gallery.add(&person, face).map(|face| face.0)
        })
    }

    /// Removes a person with all faces, from every file of the gallery; resolves to how many faces there were. Rejects with
    /// `ERR_FACEREC_PERSON_NOT_FOUND`.
    #[napi(ts_args_type = "person: string, options?: CallOptions", ts_return_type = "Promise<number>", catch_unwind)]
    pub fn remove(&self, person: String, cancel: Option<&Cancel>) -> Result<Work<f64>> {
        self.queue(cancel, move |gallery| gallery.remove_person(&person).map(count))
    }

    /// Removes one face, and its person when it was their last. Resolves to false when there is no such face.
    #[napi(ts_args_type = "faceId: number, options?: CallOptions", ts_return_type = "Promise<boolean>", catch_unwind)]
    pub fn remove_face(&self, face_id: f64, cancel: Option<&Cancel>) -> Result<Work<bool>> {
        let face = FaceId(id("faceId", face_id).map_err(thrown)?);
        self.queue(cancel, move |gallery| gallery.remove_face(face))
    }

    /// Gives a person another name; the id stays. Rejects with `ERR_FACEREC_PERSON_NOT_FOUND`, or
    /// `ERR_FACEREC_INVALID_ARGUMENT` when the new name is taken.
    #[napi(ts_args_type = "person: string, newName: string, options?: CallOptions", ts_return_type = "Promise<void>", catch_unwind)]
    pub fn rename(&self, person: String, new_name: String, cancel: Option<&Cancel>) -> Result<Work<()>> {
        self.queue(cancel, move |gallery| gallery.rename(&person, &new_name))
    }

    /// Makes one person of two: all faces of `person` become those of `into`, and `person` is no more. Resolves to how many faces
    /// there were. Rejects with `ERR_FACEREC_PERSON_NOT_FOUND`.
    #[napi(ts_args_type = "person: string, into: string, options?: CallOptions", ts_return_type = "Promise<number>", catch_unwind)]
    pub fn merge(&self, person: String, into: String, cancel: Option<&Cancel>) -> Result<Work<f64>> {
        self.queue(cancel, move |gallery| gallery.merge(&person, &into).map(count))
    }

    /// Gives faces of a person to another one, who is made when there is none of that name; resolves to how many there were.
    /// Rejects with `ERR_FACEREC_INVALID_ARGUMENT` when one of them is not the person's.
    #[napi(
        ts_args_type = "person: string, faceIds: Array<number>, into: string, options?: CallOptions",
        ts_return_type = "Promise<number>",
        catch_unwind
    )]
    pub fn split(&self, person: String, face_ids: Vec<f64>, into: String, cancel: Option<&Cancel>) -> Result<Work<f64>> {
        let faces = face_ids.into_iter().map(|face| id("faceIds", face).map(FaceId)).collect::<CoreResult<Vec<_>>>().map_err(thrown)?;
        self.queue(cancel, move |gallery| gallery.split(&person, &faces, &into).map(count))
    }

    /// At most `limit` pairs of people who look alike, the most alike first: most likely one person under two names, to be
    /// merged. `threshold` is the similarity from which two faces are one person's; `engine.identifyThreshold` is a good start.
    #[napi(
        ts_args_type = "threshold: number, limit: number, options?: CallOptions",
        ts_return_type = "Promise<Array<Duplicate>>",
        catch_unwind
    )]
    pub fn duplicates(&self, threshold: f64, limit: f64, cancel: Option<&Cancel>) -> Result<Work<Vec<Duplicate>>> {
        let limit = whole("limit", limit).map_err(thrown)? as usize;
        self.queue(cancel, move |gallery| Ok(gallery.duplicates(threshold as f32, limit)?.into_iter().map(Duplicate::from).collect()))
    }

    /// Writes everything to a file as JSON Lines with the vectors; resolves to the number of faces. The file appears whole or
    /// not at all.
    #[napi(ts_args_type = "file: string, options?: CallOptions", ts_return_type = "Promise<number>", catch_unwind)]
    pub fn export_to(&self, file: String, cancel: Option<&Cancel>) -> Result<Work<f64>> {
        self.queue(cancel, move |gallery| gallery.export_to(file).map(count))
    }

    /// Writes everything that is held about one person to a file as JSON Lines, with the audit log's entries about them; resolves to
    /// the number of faces. Rejects with `ERR_FACEREC_PERSON_NOT_FOUND`.
    #[napi(ts_args_type = "person: string, file: string, options?: CallOptions", ts_return_type = "Promise<number>", catch_unwind)]
    pub fn export_person(&self, person: String, file: String, cancel: Option<&Cancel>) -> Result<Work<f64>> {
        self.queue(cancel, move |gallery| gallery.export_person_to(&person, file).map(count))
    }

    /// Encrypts the gallery, gives it another key, or with neither a key nor a passphrase makes it plain: everything is written anew.
    #[napi(ts_args_type = "options?: KeyOptions", ts_return_type = "Promise<void>", catch_unwind)]
    pub fn set_key(&self, options: Option<KeyOptions>, cancel: Option<&Cancel>) -> Result<Work<()>> {
        let key = options.unwrap_or_default().into_core().map_err(thrown)?;
        self.queue(cancel, move |gallery| gallery.set_key(key))
    }

    /// Deletes the faces whose time has come, as opening for writing and every change do too; resolves to how many there were.
    #[napi(ts_args_type = "options?: CallOptions", ts_return_type = "Promise<number>", catch_unwind)]
    pub fn purge_expired(&self, cancel: Option<&Cancel>) -> Result<Work<f64>> {
        self.queue(cancel, |gallery| gallery.purge_expired().map(count))
    }

    /// The audit log: one entry for each change, at most `limit` of those after the entry `afterId`, 0 for the first.
    #[napi(
        ts_args_type = "afterId: number, limit: number, options?: CallOptions",
        ts_return_type = "Promise<Array<AuditEntry>>",
        catch_unwind
    )]
    pub fn audit(&self, after_id: f64, limit: f64, cancel: Option<&Cancel>) -> Result<Work<Vec<AuditEntry>>> {
        let (after, limit) = (id("afterId", after_id).map_err(thrown)?, whole("limit", limit).map_err(thrown)? as usize);
        self.queue(cancel, move |gallery| Ok(gallery.audit(after, limit)?.into_iter().map(AuditEntry::from).collect()))
    }

    /// Adds what an export holds, all or nothing; faces that are there already are left out.
    #[napi(ts_args_type = "file: string, options?: CallOptions", ts_return_type = "Promise<ImportReport>", catch_unwind)]
    pub fn import_from(&self, file: String, cancel: Option<&Cancel>) -> Result<Work<ImportReport>> {
        self.queue(cancel, move |gallery| {
            let done = gallery.import_from(file)?;
            Ok(ImportReport { people: count(done.persons), faces: count(done.faces), duplicates: count(done.duplicates) })
        })
    }

    /// Reads and compares everything the gallery holds; repairs nothing. Damage is what it reports, not a rejection.
    #[napi(ts_args_type = "options?: CallOptions", ts_return_type = "Promise<VerifyReport>", catch_unwind)]
    pub fn verify(&self, cancel: Option<&Cancel>) -> Result<Work<VerifyReport>> {
        self.queue(cancel, |gallery| {
            let found = gallery.verify()?;
            Ok(VerifyReport { ok: found.problems.is_empty(), faces: count(found.faces), problems: found.problems })
        })
    }

    /// Gives the space of removed faces back to the disk.
    #[napi(ts_args_type = "options?: CallOptions", ts_return_type = "Promise<void>", catch_unwind)]
    pub fn compact(&self, cancel: Option<&Cancel>) -> Result<Work<()>> {
        self.queue(cancel, core::Gallery::compact)
    }

    /// The gallery in numbers.
    #[napi(ts_args_type = "options?: CallOptions", ts_return_type = "Promise<GalleryStats>", catch_unwind)]
    pub fn stats(&self, cancel: Option<&Cancel>) -> Result<Work<GalleryStats>> {
        self.queue(cancel, |gallery| {
            let stats = gallery.stats()?;
            Ok(GalleryStats {
                people: count(stats.persons),
                faces: count(stats.faces),
                dim: stats.dim.map(count),
                model: stats.model,
                model_hash: stats.model_hash,
                index_kind: stats.index_kind,
                recall: stats.recall.map(f64::from),
                tombstones: count(stats.tombstones),
                index_bytes_per_face: count(stats.index_bytes_per_face),
                index_building: stats.index_building,
                bytes: stats.bytes_on_disk as f64,
                generation: stats.generation as f64,
                encrypted: stats.encrypted,
            })
        })
    }

    /// Closes the gallery and lets other writers in; once more does nothing. Calls and videos that are under way keep it open
    /// until they are done.
    #[napi(ts_return_type = "Promise<void>", catch_unwind)]
    pub fn close(&self) -> Work<()> {
        let gallery = self.inner.lock().unwrap_or_else(PoisonError::into_inner).take();
        Work::queue(token(None), move || {
            // Closing may write the index: not on the event loop.
            drop(gallery);
            Ok(())
        })
    }
}

/// Counts are far below 2^53, from where JavaScript's numbers have gaps.
fn count(number: usize) -> f64 {
    number as f64
}

impl From<core::gallery::Person> for Person {
    fn from(person: core::gallery::Person) -> Self {
        Self { id: person.id.0, name: person.name, faces: count(person.faces), created_ms: person.created_ms }
    }
}

impl From<core::gallery::Match> for Match {
    fn from(found: core::gallery::Match) -> Self {
        Self { person: found.name, person_id: found.person.0, face_id: found.face.0, similarity: found.similarity.into() }
    }
}

impl From<core::gallery::Duplicate> for Duplicate {
    fn from(pair: core::gallery::Duplicate) -> Self {
        Self {
            first: pair.first_name,
            second: pair.second_name,
            similarity: pair.similarity.into(),
            supporting_faces: count(pair.supporting_faces),
            first_id: pair.first.0,
            second_id: pair.second.0,
            first_face_id: pair.first_face.0,
            second_face_id: pair.second_face.0,
        }
    }
}

impl From<FaceRecord> for EnrolledFace {
    fn from(face: FaceRecord) -> Self {
        Self {
            id: face.id.0,
            person_id: face.person.0,
            quality: face.quality.map(Quality::from),
            source: face.source,
            // It was checked when it was stored.
            metadata: face.metadata.and_then(|text| serde_json::from_str(&text).ok()),
            created_ms: face.created_ms,
            expires_ms: face.expires_ms,
        }
    }
}

impl From<core::gallery::AuditEntry> for AuditEntry {
    fn from(entry: core::gallery::AuditEntry) -> Self {
        Self {
            id: entry.id,
            at_ms: entry.at_ms,
            actor: entry.actor,
            action: entry.action,
            person_ids: entry.persons.into_iter().map(|id| id.0).collect(),
            face_ids: entry.faces.into_iter().map(|id| id.0).collect(),
        }
    }
}
