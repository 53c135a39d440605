//! Who is known: people, their faces as vectors, and the search among them.
//!
//! A [`Gallery`] is a folder. `gallery.db` (SQLite) is the truth; the search index is made from it, saved beside it to open
//! faster, and made again when it does not fit. One process writes at a time, any number read and see its changes.
//!
//! With the feature `postgres` a gallery may also be on a PostgreSQL server with pgvector, for many processes on many machines to
//! enrol into and search at the same time: give an address, `postgres://USER@HOST/DATABASE?gallery=NAME`, where a folder would stand.

mod audit;
mod backend;
mod cluster;
mod crypto;
mod decision;
mod duplicates;
mod files;
mod filter;
mod index;
mod key;
mod live;
mod local;
mod lock;
mod names;
mod options;
#[cfg(feature = "faiss")]
mod processor;
mod records;
mod rows;
mod saved;
mod seal;
mod sealed;
#[cfg(feature = "postgres")]
mod server;
mod source;
mod store;
mod transfer;
mod verify;

use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::Arc;

pub use cluster::{Cluster, ClusterOptions, cluster};
pub use decision::{Candidate, Decision, DecisionOptions, DecisionReason};
pub use duplicates::Duplicate;
pub use filter::SearchFilter;
pub use index::IndexKind;
pub(crate) use index::dot;
pub use key::GalleryKey;
pub use options::GalleryOptions;
pub use records::{
    AuditEntry, FaceId, FaceRecord, GalleryStats, ImportReport, MAX_NAME_CHARS, Match, NewFace, Person, PersonId, VerifyReport,
};

use crate::error::{Error, Result};
use crate::face::{Embedding, ModelKey};
use crate::text::{canonical_name, person_name};
use backend::Backend;
use decision::decide;
use local::Local;

/// People and their faces, on disk, with exact search. Shared between threads by reference.
///
/// Names are text: two spellings that nobody can tell apart are one name, see [`canonical_name`]. A gallery that an older version left
/// with people of one name in two spellings shows each as one person, and makes them one when it is opened for writing.
///
/// A change that returned `Ok` is on the disk: it survives `kill -9` and power loss. A change that returned an error
/// left nothing behind.
pub struct Gallery {
    backend: Box<dyn Backend>,
}

impl std::fmt::Debug for Gallery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gallery").field("path", &self.path()).field("model", self.model()).finish_non_exhaustive()
    }
}

impl Gallery {
    /// Opens the gallery in the folder `path` for embeddings of `model`, and creates it when the options allow.
    ///
    /// `postgres://USER@HOST/DATABASE?gallery=NAME` opens one on a server (feature `postgres`). Passwords are best left out of it:
    /// `PGPASSWORD` and the password file (`~/.pgpass`) are read. More in the query: `sslmode` (default: TLS is required, and the
    /// certificate checked, for every host but this machine's own), `sslrootcert`, `passfile`, `timeout_s` of a statement (default
    /// 60), `pool` (connections, default 8), `index` (`hnsw` makes a graph when there is none, `exact` does without one that is
    /// there). From async code it is called as any function that blocks: tokio's threads of a multi-threaded runtime may, elsewhere use
    /// `spawn_blocking`.
    ///
    /// # Errors
    /// `gallery_locked` when another writer has it open, `embedding_model_mismatch` when it holds embeddings of another model,
    /// `gallery_newer`, `gallery_corrupt`, `io`, and `device_unavailable` on a processor that this build's search cannot use.
    pub fn open(path: impl AsRef<Path>, model: &Arc<ModelKey>, options: GalleryOptions) -> Result<Self> {
        Self::open_as(path.as_ref(), Some(model), &options)
    }

    /// Opens an existing gallery for whatever model it was made with: to list, remove, rename, export or verify.
    ///
    /// # Errors
    /// As [`open`](Self::open), but for the model.
    pub fn open_any(path: impl AsRef<Path>, options: GalleryOptions) -> Result<Self> {
        Self::open_as(path.as_ref(), None, &options)
    }

    fn open_as(path: &Path, model: Option<&Arc<ModelKey>>, options: &GalleryOptions) -> Result<Self> {
        if is_address(path)? {
            return Self::open_server(path, model, options);
        }
        Ok(Self { backend: Box::new(Local::open(path, model, options)?) })
    }

    #[cfg(feature = "postgres")]
    fn open_server(address: &Path, model: Option<&Arc<ModelKey>>, options: &GalleryOptions) -> Result<Self> {
        Ok(Self { backend: Box::new(server::Server::open(address, model, options)?) })
    }

    #[cfg(not(feature = "postgres"))]
    fn open_server(_: &Path, _: Option<&Arc<ModelKey>>, _: &GalleryOptions) -> Result<Self> {
        Err(Error::FeatureDisabled { feature: "postgres", what: "a gallery on a PostgreSQL server".into() })
    }

    /// The gallery's folder, or its address without the password.
    pub fn path(&self) -> &Path {
        self.backend.location()
    }

    /// The model whose embeddings it holds.
    pub fn model(&self) -> &Arc<ModelKey> {
        self.backend.model()
    }

    /// Enrols one face under a person's name; a new name creates the person.
    ///
    /// # Errors
    /// `embedding_model_mismatch`, `dimension_mismatch`, `invalid_argument` for a bad name (see
    /// [`person_name`]), quality, digest or metadata, or a gallery opened for reading only; `io`.
    pub fn add(&self, person: &str, face: NewFace<'_>) -> Result<FaceId> {
        let ids = self.add_many(&[(person, face)])?;
        ids.first().copied().ok_or_else(|| Error::internal("one face was added and no id came back"))
    }

    /// Enrols many faces in one transaction: all or none. Much faster than one by one, since the disk is waited for once.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn add_many(&self, faces: &[(&str, NewFace<'_>)]) -> Result<Vec<FaceId>> {
        let names = faces.iter().map(|(person, face)| face.check().and_then(|()| person_name(person))).collect::<Result<Vec<_>>>()?;
        let checked: Vec<(&str, NewFace<'_>)> = names.iter().zip(faces).map(|(name, (_, face))| (name.as_ref(), *face)).collect();
        self.backend.add_many(&checked)
    }

    /// Removes a person with all faces, from every file of the gallery; returns how many faces there were.
    ///
    /// # Errors
    /// `person_not_found`, `invalid_argument` in a gallery opened for reading only, `io`.
    pub fn remove_person(&self, name: &str) -> Result<usize> {
        self.backend.remove_person(&canonical_name(name))
    }

    /// Removes a face from every file of the gallery, and its person when it was their last. `false` when there is no such face.
    ///
    /// # Errors
    /// `invalid_argument` in a gallery opened for reading only, `io`.
    pub fn remove_face(&self, face: FaceId) -> Result<bool> {
        self.backend.remove_face(face)
    }

    /// Gives a person another name. The id stays.
    ///
    /// # Errors
    /// `person_not_found`; `invalid_argument` when the new name is taken or bad, or in a gallery opened for reading only; `io`.
    pub fn rename(&self, name: &str, new_name: &str) -> Result<()> {
        self.backend.rename(&canonical_name(name), &person_name(new_name)?)
    }

    /// Makes one person of two: all faces of `from` become those of `into`, and `from` is no more. Returns how many faces there were.
    /// Searches name the one person from then on; all or nothing, as every change.
    ///
    /// # Errors
    /// `person_not_found`; `invalid_argument` when the two are the same, or in a gallery opened for reading only; `gallery_corrupt`,
    /// `io`.
    pub fn merge(&self, from: &str, into: &str) -> Result<usize> {
        let (from, into) = (&canonical_name(from), &canonical_name(into));
        if from == into {
            return Err(Error::argument("into", format!("expected another person than `{from}` to merge with")));
        }
        self.backend.merge(from, into)
    }

    /// Gives faces of `person` to another one, who is created when there is none of that name: undoes a [`merge`](Self::merge), and
    /// rights a face that was enrolled under the wrong name. Returns how many faces there were. A person whose last face goes is no
    /// more.
    ///
    /// # Errors
    /// `person_not_found`; `invalid_argument` for no face, one that is not the person's, a bad name, the person's own, or in a
    /// gallery opened for reading only; `gallery_corrupt`, `io`.
    pub fn split(&self, person: &str, faces: &[FaceId], into: &str) -> Result<usize> {
        let (person, into) = (&canonical_name(person), &person_name(into)?);
        if person == into {
            return Err(Error::argument("into", format!("expected another person than `{person}` to give the faces to")));
        }
        if faces.is_empty() {
            return Err(Error::argument("faces", "expected at least one face, got `none`"));
        }
        self.backend.split(person, faces, into)
    }

    /// Everybody, by name.
    ///
    /// # Errors
    /// `gallery_corrupt`, `io`.
    pub fn persons(&self) -> Result<Vec<Person>> {
        self.backend.persons()
    }

    /// One person.
    ///
    /// # Errors
    /// `person_not_found`, `gallery_corrupt`, `io`.
    pub fn person(&self, name: &str) -> Result<Person> {
        self.backend.person(&canonical_name(name))
    }

    /// One person by their id; `None` when there is none, or none any more. Costs the same however many people there are.
    ///
    /// # Errors
    /// `gallery_corrupt`, `io`.
    pub fn person_by_id(&self, person: PersonId) -> Result<Option<Person>> {
        self.backend.person_by_id(person)
    }

    /// A person's faces, in the order of enrolment.
    ///
    /// # Errors
    /// `person_not_found`, `gallery_corrupt`, `io`.
    pub fn faces(&self, name: &str) -> Result<Vec<FaceRecord>> {
        self.backend.faces(&canonical_name(name))
    }

    /// The vector of an enrolled face; `None` when there is no such face.
    ///
    /// # Errors
    /// `gallery_corrupt`, `io`.
    pub fn embedding(&self, face: FaceId) -> Result<Option<Embedding>> {
        self.backend.embedding(face)
    }

    /// The `k` enrolled faces most similar to `query`, best first; fewer when there are fewer. Exact: every face is compared.
    ///
    /// # Errors
    /// `embedding_model_mismatch`, `dimension_mismatch`; `gallery_corrupt` or `io` while reading another process's changes.
    pub fn search(&self, query: &Embedding, k: usize) -> Result<Vec<Match>> {
        Ok(self.search_many(std::slice::from_ref(query), k)?.pop().unwrap_or_default())
    }

    /// [`search`](Self::search) for many queries at once, which uses every processor; the answers are the same.
    ///
    /// # Errors
    /// As [`search`](Self::search).
    pub fn search_many(&self, queries: &[Embedding], k: usize) -> Result<Vec<Vec<Match>>> {
        self.search_among(queries, k, &SearchFilter::default())
    }

    /// [`search_many`](Self::search_many) among those whom `filter` lets be found.
    ///
    /// # Errors
    /// As [`search`](Self::search).
    pub fn search_among(&self, queries: &[Embedding], k: usize, filter: &SearchFilter) -> Result<Vec<Vec<Match>>> {
        self.backend.search(queries, k, &filter.canonical())
    }

    /// Who it is: the person with the most similar face, when that reaches the threshold and leads the runner-up by the margin, and
    /// the face is one that can be [recognised](Embedding::is_recognisable).
    ///
    /// # Errors
    /// `invalid_argument` for options out of range, else as [`search`](Self::search). Unknown is an answer, not an error.
    pub fn identify(&self, query: &Embedding, options: &DecisionOptions) -> Result<Decision> {
        let decision = self.identify_many(std::slice::from_ref(query), options)?.pop();
        decision.ok_or_else(|| Error::internal("one query was asked and no decision came back"))
    }

    /// [`identify`](Self::identify) for many queries at once, against one state of the gallery.
    ///
    /// # Errors
    /// As [`identify`](Self::identify).
    pub fn identify_many(&self, queries: &[Embedding], options: &DecisionOptions) -> Result<Vec<Decision>> {
        self.identify_among(queries, options, &SearchFilter::default())
    }

    /// [`identify_many`](Self::identify_many) among those whom `filter` lets be found: nobody else is a candidate or a runner-up.
    ///
    /// # Errors
    /// As [`identify`](Self::identify).
    pub fn identify_among(&self, queries: &[Embedding], options: &DecisionOptions, filter: &SearchFilter) -> Result<Vec<Decision>> {
        options.check()?;
        let found = self.backend.best_people(queries, options.wanted_people(), &filter.canonical())?;
        let answer = |(query, people): (&Embedding, _)| {
            let decision = decide(people, options);
            // The gallery's own measure: a vector that came as bare numbers has none of its own.
            if self.model().is_recognisable(query.as_slice()) { decision } else { decision.unrecognisable() }
        };
        Ok(queries.iter().zip(found).map(answer).collect())
    }

    /// Pairs of people who look alike, the most alike first, at most `limit`: most likely one person under two names, to be
    /// [merged](Self::merge). `threshold` is the similarity from which two faces are one person's, `-1..=1`; the lower, the more
    /// pairs of people who only resemble each other. Every face is looked up once, through the index.
    ///
    /// # Errors
    /// `invalid_argument` for a threshold out of range, else as [`search`](Self::search).
    pub fn duplicates(&self, threshold: f32, limit: usize) -> Result<Vec<Duplicate>> {
        duplicates::duplicates(&*self.backend, threshold, limit)
    }

    /// The gallery in numbers.
    ///
    /// # Errors
    /// `gallery_corrupt`, `io`.
    pub fn stats(&self) -> Result<GalleryStats> {
        self.backend.stats()
    }

    /// Reads and compares everything: SQLite's own structures, the checksum of every row, the length of every vector, and
    /// the index with the database, bit by bit. It repairs nothing. Open with [`GalleryOptions::salvage`] to verify a
    /// gallery that is damaged.
    ///
    /// # Errors
    /// `io`; damage is what it reports, not an error.
    pub fn verify(&self) -> Result<VerifyReport> {
        self.backend.verify()
    }

    /// Gives the space of removed faces back to the disk and saves the index. Needs as much free space again as the
    /// gallery takes.
    ///
    /// # Errors
    /// `invalid_argument` in a gallery opened for reading only, `io`.
    pub fn compact(&self) -> Result<()> {
        self.backend.compact()
    }

    /// Writes the gallery as JSON Lines: a header, then one face per line with its vector. Returns the number of faces. It is a copy of
    /// what is stored: faces whose time has come are in it until they are deleted, with their time, and an import deletes them.
    ///
    /// # Errors
    /// `gallery_corrupt`, `io`.
    pub fn export(&self, out: &mut dyn Write) -> Result<usize> {
        self.backend.export(out)
    }

    /// Writes everything that is held about one person as JSON Lines, for somebody who asks what is known about them: a header, their
    /// faces with vectors as in [`export`](Self::export), and the entries of the audit log about them. Returns the number of
    /// faces. The file can be imported.
    ///
    /// # Errors
    /// `person_not_found`, `gallery_corrupt`, `io`.
    pub fn export_person(&self, name: &str, out: &mut dyn Write) -> Result<usize> {
        self.backend.export_person(&canonical_name(name), out)
    }

    /// Adds the faces of an [`export`](Self::export), all or none. People are matched by name; a face that its person already
    /// has, with the very same vector, is left out, so that an import can be repeated.
    ///
    /// # Errors
    /// `embedding_model_mismatch` for an export of another model, `invalid_argument` for anything that is not an export or
    /// was cut short, or in a gallery opened for reading only; `limit_exceeded`, `io`.
    pub fn import(&self, input: &mut dyn BufRead) -> Result<ImportReport> {
        self.backend.import(input)
    }

    /// Deletes the faces whose time has come, as [`remove_face`](Self::remove_face) does; returns how many there were. Opening for
    /// writing and every change do so too: call it where a gallery stays open for long without either.
    ///
    /// # Errors
    /// `invalid_argument` in a gallery opened for reading only, `io`.
    pub fn purge_expired(&self) -> Result<usize> {
        self.backend.purge_expired()
    }

    /// Encrypts the gallery, gives it another key, or with `None` makes it plain. Everything is written anew under a new data key, in
    /// one transaction: after a crash at any moment the gallery opens with the old key or the new one, and nothing is lost.
    /// Then the file is written anew as [`compact`](Self::compact) does, so that nothing of before is left in it. Needs as much free
    /// space again as the gallery takes, twice. Other processes that have the gallery open get `wrong_key` from then on.
    ///
    /// Copies that were made before, and what a disk keeps of overwritten blocks, still open with the old key.
    ///
    /// # Errors
    /// `invalid_argument` for an empty passphrase or in a gallery opened for reading only; `gallery_corrupt` when a row is damaged;
    /// `io`. When it is the last step that fails, for want of space, the new key counts already and the step is made up for when the
    /// gallery is opened for writing: see the log.
    pub fn set_key(&self, key: Option<GalleryKey>) -> Result<()> {
        self.backend.set_key(key)
    }

    /// At most `limit` entries of the audit log, which has one for each change, in their order: those after the entry `after_id`, 0
    /// for the first.
    ///
    /// # Errors
    /// `gallery_corrupt`, `io`.
    pub fn audit(&self, after_id: i64, limit: usize) -> Result<Vec<AuditEntry>> {
        self.backend.audit(after_id, limit)
    }
}

/// Whether a path is the address of a server.
fn is_address(path: &Path) -> Result<bool> {
    let text = path.to_string_lossy();
    let Some(rest) = ["postgres:/", "postgresql:/"].iter().find_map(|scheme| text.strip_prefix(scheme)) else { return Ok(false) };
    if rest.starts_with('/') {
        return Ok(true);
    }
    Err(Error::argument("gallery", "expected an address with `://`, got one with `:/`; pass it as text, since a path object drops a slash"))
}
