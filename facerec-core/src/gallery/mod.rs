//! Who is known: people, their faces as vectors, and the search among them.
//!
//! A [`Gallery`] is a folder. `gallery.db` (SQLite) is the truth; the search index is made from it, saved beside it to open
//! faster, and made again when it does not fit. One process writes at a time, any number read and see its changes.

mod decision;
#[cfg(any(test, not(feature = "faiss")))]
mod exact;
mod files;
mod index;
mod live;
mod lock;
#[cfg(feature = "faiss")]
mod processor;
mod records;
mod rows;
mod saved;
mod search;
mod store;
mod transfer;
mod verify;

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

pub use decision::{Candidate, Decision, DecisionOptions, DecisionReason};
pub use records::{FaceId, FaceRecord, GalleryStats, ImportReport, MAX_NAME_CHARS, Match, NewFace, Person, PersonId, VerifyReport};

use crate::error::{Error, Result};
use crate::face::{Embedding, ModelKey};
use index::VectorIndex;
use live::Live;
use lock::WriteLock;
use records::check_name;
use rows::{FaceRow, vector_bytes, vector_values};
use store::{Checked, Edit, Store};

/// The index is saved again when this many faces are not in it, or a 16th of the gallery if that is more: until then, the
/// next one who opens the gallery reads them from the database, in less time than it takes to write the index.
const UNSAVED_FACES: usize = 4096;

/// How to open a gallery.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GalleryOptions {
    /// Never write and take no lock.
    pub read_only: bool,
    /// Create the gallery when there is none.
    pub create: bool,
    /// Open in spite of damaged rows.
    pub salvage: bool,
}

impl Default for GalleryOptions {
    fn default() -> Self {
        Self { read_only: false, create: true, salvage: false }
    }
}

impl GalleryOptions {
    /// Only read: takes no lock, works in a folder that cannot be written, and sees the changes of a writer at its next
    /// search. Default `false`.
    #[must_use]
    pub fn read_only(mut self, yes: bool) -> Self {
        self.read_only = yes;
        self
    }

    /// Create the folder and the gallery when there is none. Default `true`; it has no meaning when only reading.
    #[must_use]
    pub fn create(mut self, yes: bool) -> Self {
        self.create = yes;
        self
    }

    /// Open although rows are damaged: they are left out of searches and exports, and listed by
    /// [`verify`](Gallery::verify). Default `false`: a damaged gallery is `gallery_corrupt`, rather than one that quietly
    /// does not know somebody.
    #[must_use]
    pub fn salvage(mut self, yes: bool) -> Self {
        self.salvage = yes;
        self
    }
}

/// People and their faces, on disk, with exact search. Shared between threads by reference.
///
/// A change that returned `Ok` is on the disk: it survives `kill -9` and power loss. A change that returned an error
/// left nothing behind.
pub struct Gallery {
    folder: PathBuf,
    model: Arc<ModelKey>,
    salvage: bool,
    /// Taken before `live` where both are needed. Held while a change waits for the disk: a search in a gallery that is
    /// open for writing does not take it.
    db: Mutex<Db>,
    live: RwLock<Live>,
    /// `live` lost step with the database, because an update of it failed.
    stale: AtomicBool,
    /// Some while open for writing. Last, so that the database is closed before the next writer may come.
    lock: Option<WriteLock>,
}

struct Db {
    store: Store,
    /// There is a saved index.
    saved: bool,
    /// Faces that are not in it.
    unsaved: usize,
}

impl std::fmt::Debug for Gallery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gallery").field("folder", &self.folder).field("model", &self.model).finish_non_exhaustive()
    }
}

impl Gallery {
    /// Opens the gallery in the folder `path` for embeddings of `model`, and creates it when the options allow.
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

    fn open_as(folder: &Path, model: Option<&Arc<ModelKey>>, options: &GalleryOptions) -> Result<Self> {
        #[cfg(feature = "faiss")]
        processor::check()?;
        let create = options.create && !options.read_only && model.is_some();
        let exists = folder.join(store::FILE).try_exists().map_err(|e| Error::io("open", folder, e))?;
        if !exists && !create {
            return Err(store::missing(folder));
        }
        let (lock, store) = if options.read_only {
            (None, Store::open_reader(folder)?)
        } else {
            std::fs::create_dir_all(folder).map_err(|e| Error::io("create", folder, e))?;
            let lock = WriteLock::acquire(folder)?;
            let store = Store::open_writer(folder, model.map(Arc::as_ref).filter(|_| create))?;
            if !exists {
                saved::sync_folder(folder)?;
                // A bare name has the empty path as its parent: the current folder.
                let parent = folder.parent().map(|p| if p.as_os_str().is_empty() { Path::new(".") } else { p });
                parent.map_or(Ok(()), saved::sync_folder)?;
            }
            saved::discard_parts(folder)?;
            (Some(lock), store)
        };
        let found = store.snapshot(|snapshot| snapshot.state())?.model;
        let model = match model {
            Some(asked) if **asked != found => {
                return Err(Error::EmbeddingModelMismatch { expected: found.to_string(), actual: asked.to_string() });
            }
            Some(asked) => Arc::clone(asked),
            None => Arc::new(found),
        };
        let (live, saved) = store.snapshot(|snapshot| {
            let (mut live, saved) = match saved::load(folder, snapshot) {
                Ok(live) => {
                    let faces = live.owners.len();
                    (live, Some(faces))
                }
                Err(reason) => {
                    if snapshot.state()?.faces > 0 {
                        tracing::info!(gallery = %folder.display(), reason, "no saved index that fits; building it from the database");
                    }
                    (Live::empty(), None)
                }
            };
            live.catch_up(snapshot, options.salvage)?;
            Ok((live, saved))
        })?;
        let unsaved = live.owners.len() - saved.unwrap_or_default().min(live.owners.len());
        let db = Mutex::new(Db { store, saved: saved.is_some(), unsaved });
        let stale = AtomicBool::new(false);
        Ok(Self { folder: folder.into(), model, salvage: options.salvage, db, live: RwLock::new(live), stale, lock })
    }

    /// The gallery's folder.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// The model whose embeddings it holds.
    pub fn model(&self) -> &Arc<ModelKey> {
        &self.model
    }

    /// Enrols one face under a person's name; a new name creates the person.
    ///
    /// # Errors
    /// `embedding_model_mismatch`, `dimension_mismatch`, `invalid_argument` for a bad name (1 to 200 characters, none of them a
    /// control character), quality, digest or metadata, or a gallery opened for reading only; `io`.
    pub fn add(&self, person: &str, face: NewFace<'_>) -> Result<FaceId> {
        let ids = self.add_many(&[(person, face)])?;
        ids.first().copied().ok_or_else(|| Error::internal("one face was added and no id came back"))
    }

    /// Enrols many faces in one transaction: all or none. Much faster than one by one, since the disk is waited for once.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn add_many(&self, faces: &[(&str, NewFace<'_>)]) -> Result<Vec<FaceId>> {
        self.change(|edit| {
            let mut ids = Vec::with_capacity(faces.len());
            for (person, face) in faces {
                self.check_model(face.embedding)?;
                face.check()?;
                let (person, _) = edit.person(check_name(person)?)?;
                ids.push(edit.add_face(FaceRow {
                    id: FaceId(0),
                    person,
                    vector: &vector_bytes(face.embedding.as_slice()),
                    quality: face.quality,
                    source: face.source,
                    digest: face.digest,
                    metadata: face.metadata,
                    created_ms: 0,
                })?);
            }
            Ok(ids)
        })
    }

    /// Removes a person with all faces, from every file of the gallery; returns how many faces there were.
    ///
    /// # Errors
    /// `person_not_found`, `invalid_argument` in a gallery opened for reading only, `io`.
    pub fn remove_person(&self, name: &str) -> Result<usize> {
        let name = name.trim();
        self.remove(|edit| match edit.find_person(name)? {
            Some(person) => edit.remove_person(person).map(|faces| (faces, true)),
            None => Err(Error::PersonNotFound { person: name.into() }),
        })
    }

    /// Removes a face from every file of the gallery, and its person when it was their last. `false` when there is no such face.
    ///
    /// # Errors
    /// `invalid_argument` in a gallery opened for reading only, `io`.
    pub fn remove_face(&self, face: FaceId) -> Result<bool> {
        self.remove(|edit| edit.remove_face(face).map(|removed| (removed, removed)))
    }

    /// Gives a person another name. The id stays.
    ///
    /// # Errors
    /// `person_not_found`; `invalid_argument` when the new name is taken or bad, or in a gallery opened for reading only; `io`.
    pub fn rename(&self, name: &str, new_name: &str) -> Result<()> {
        let (name, new_name) = (name.trim(), check_name(new_name)?);
        self.change(|edit| {
            let person = edit.find_person(name)?.ok_or_else(|| Error::PersonNotFound { person: name.into() })?;
            match edit.find_person(new_name)? {
                Some(other) if other == person => Ok(()),
                Some(_) => Err(Error::argument("new_name", format!("expected a name that nobody has, got `{new_name}`"))),
                None => edit.rename(person, new_name),
            }
        })
    }

    /// Everybody, by name.
    ///
    /// # Errors
    /// `gallery_corrupt`, `io`.
    pub fn persons(&self) -> Result<Vec<Person>> {
        let persons = self.db().store.snapshot(|snapshot| snapshot.persons(None))?;
        persons.into_iter().filter_map(|person| self.intact(person, "person").transpose()).collect()
    }

    /// One person.
    ///
    /// # Errors
    /// `person_not_found`, `gallery_corrupt`, `io`.
    pub fn person(&self, name: &str) -> Result<Person> {
        let name = name.trim();
        let found = self.db().store.snapshot(|snapshot| snapshot.persons(Some(name)))?.pop();
        let person = found.map_or(Ok(None), |person| self.intact(person, "person"))?;
        person.ok_or_else(|| Error::PersonNotFound { person: name.into() })
    }

    /// A person's faces, in the order of enrolment.
    ///
    /// # Errors
    /// `person_not_found`, `gallery_corrupt`, `io`.
    pub fn faces(&self, name: &str) -> Result<Vec<FaceRecord>> {
        let person = self.person(name)?.id;
        let mut faces = Vec::new();
        self.db().store.snapshot(|snapshot| {
            snapshot.scan_faces_of(person, |row| {
                faces.extend(self.intact(row, "face")?.map(|face| face.record()));
                Ok(())
            })
        })?;
        Ok(faces)
    }

    /// The vector of an enrolled face; `None` when there is no such face.
    ///
    /// # Errors
    /// `gallery_corrupt`, `io`.
    pub fn embedding(&self, face: FaceId) -> Result<Option<Embedding>> {
        let mut vector = None;
        self.db().store.snapshot(|snapshot| {
            snapshot.face(face, |row| {
                vector = self.intact(row, "face")?.map(|face| vector_values(face.vector).collect::<Vec<_>>());
                Ok(())
            })
        })?;
        vector.map(|vector| Embedding::new(Arc::clone(&self.model), vector)).transpose()
    }

    /// The gallery in numbers.
    ///
    /// # Errors
    /// `gallery_corrupt`, `io`.
    pub fn stats(&self) -> Result<GalleryStats> {
        let state = self.db().store.snapshot(|snapshot| snapshot.state())?;
        let read = |e| Error::io("read", &self.folder, e);
        let mut bytes_on_disk = 0;
        for entry in std::fs::read_dir(&self.folder).map_err(read)? {
            // A file may go between the listing and the question for its size.
            bytes_on_disk += entry.map_err(read)?.metadata().map_or(0, |data| data.len());
        }
        Ok(GalleryStats {
            persons: state.persons as usize,
            faces: state.faces as usize,
            dim: Some(state.dim).filter(|&dim| dim > 0),
            model: state.model.id,
            model_hash: state.model.hash,
            index_kind: VectorIndex::KIND.into(),
            bytes_on_disk,
            generation: state.generation,
        })
    }

    /// Reads and compares everything: SQLite's own structures, the checksum of every row, the length of every vector, and
    /// the index with the database, bit by bit. It repairs nothing. Open with [`GalleryOptions::salvage`] to verify a
    /// gallery that is damaged.
    ///
    /// # Errors
    /// `io`; damage is what it reports, not an error.
    pub fn verify(&self) -> Result<VerifyReport> {
        self.db().store.snapshot(|snapshot| {
            let mut live = self.live_mut();
            let current = match live.catch_up(snapshot, true) {
                Ok(()) => Some(&*live),
                Err(Error::GalleryCorrupt { .. }) => None,
                Err(other) => return Err(other),
            };
            let report = verify::verify(snapshot, current)?;
            if !self.salvage && !report.problems.is_empty() {
                // Damaged rows were left out above: the next search must not quietly do without them.
                *live = Live::empty();
                self.stale.store(true, Ordering::Release);
            }
            Ok(report)
        })
    }

    /// Gives the space of removed faces back to the disk and saves the index. Needs as much free space again as the
    /// gallery takes.
    ///
    /// # Errors
    /// `invalid_argument` in a gallery opened for reading only, `io`.
    pub fn compact(&self) -> Result<()> {
        self.writable()?;
        let mut db = self.db();
        db.store.vacuum()?;
        db.store.empty_log()?;
        self.save(&mut db)
    }

    /// Writes the gallery as JSON Lines: a header, then one face per line with its vector. Returns the number of faces.
    ///
    /// # Errors
    /// `gallery_corrupt`, `io`.
    pub fn export(&self, out: &mut dyn Write) -> Result<usize> {
        self.db().store.snapshot(|snapshot| transfer::export(snapshot, self.salvage, out))
    }

    /// Adds the faces of an [`export`](Self::export), all or none. People are matched by name; a face that its person already
    /// has, with the very same vector, is left out, so that an import can be repeated.
    ///
    /// # Errors
    /// `embedding_model_mismatch` for an export of another model, `invalid_argument` for anything that is not an export or
    /// was cut short, or in a gallery opened for reading only; `limit_exceeded`, `io`.
    pub fn import(&self, input: &mut dyn BufRead) -> Result<ImportReport> {
        self.change(|edit| transfer::import(edit, &self.model, input))
    }

    fn writable(&self) -> Result<()> {
        match self.lock {
            Some(_) => Ok(()),
            None => Err(Error::argument("gallery", "expected one that is open for writing, got `read_only`; open it without it")),
        }
    }

    fn check_model(&self, embedding: &Embedding) -> Result<()> {
        if **embedding.model() == *self.model {
            return Ok(());
        }
        Err(Error::EmbeddingModelMismatch { expected: self.model.to_string(), actual: embedding.model().to_string() })
    }

    /// Leaves damaged rows out where that was asked for.
    fn intact<T>(&self, row: Checked<T>, what: &str) -> Result<Option<T>> {
        match row {
            Checked::Good(row) => Ok(Some(row)),
            Checked::Damaged(_) if self.salvage => Ok(None),
            Checked::Damaged(id) => {
                Err(store::corrupt(&self.folder, &format!("{what} {id} does not match its checksum; {}", store::REMEDY)))
            }
        }
    }

    /// Commits a change, then shows it to searches.
    fn change<T>(&self, change: impl FnOnce(&mut Edit<'_>) -> Result<T>) -> Result<T> {
        self.writable()?;
        let mut db = self.db();
        self.change_in(&mut db, change)
    }

    fn change_in<T>(&self, db: &mut Db, change: impl FnOnce(&mut Edit<'_>) -> Result<T>) -> Result<T> {
        let result = db.store.write(change)?;
        // The change is on the disk: what fails from here on must not be reported as if it were not.
        let faces = self.live().owners.len();
        let shown = self.catch_up(db).and_then(|()| {
            let now = self.live().owners.len();
            db.unsaved += now.saturating_sub(faces);
            if db.unsaved >= UNSAVED_FACES.max(now / 16) { self.save(db) } else { Ok(()) }
        });
        if let Err(error) = shown {
            tracing::warn!(gallery = %self.folder.display(), %error, "the change is stored; the index will be brought up to date later");
        }
        Ok(result)
    }

    /// A change that removes vectors: none may live on in the saved index, nor in SQLite's log.
    fn remove<T>(&self, remove: impl FnOnce(&mut Edit<'_>) -> Result<(T, bool)>) -> Result<T> {
        self.writable()?;
        let mut db = self.db();
        let mut discarded = false;
        let result = self.change_in(&mut db, |edit| {
            let (result, removed) = remove(edit)?;
            if removed {
                // Before the commit: after a crash in between, the index is merely built again.
                discarded = true;
                saved::discard(&self.folder)?;
            }
            Ok(result)
        });
        if discarded {
            db.saved = false;
            if !matches!(db.store.empty_log(), Ok(true)) {
                tracing::warn!(gallery = %self.folder.display(), "removed faces stay in the log until no reader is in the way");
            }
        }
        result
    }

    /// Brings the searchable state up to the database's.
    fn catch_up(&self, db: &Db) -> Result<()> {
        let mut live = self.live_mut();
        let done = db.store.snapshot(|snapshot| live.catch_up(snapshot, self.salvage));
        if done.is_err() {
            *live = Live::empty();
        }
        self.stale.store(done.is_err(), Ordering::Release);
        done
    }

    fn save(&self, db: &mut Db) -> Result<()> {
        // Also when it fails: on a full disk it is not tried again with every face.
        db.unsaved = 0;
        let state = db.store.snapshot(|snapshot| snapshot.state())?;
        saved::save(&self.folder, &self.live(), &state)?;
        db.saved = true;
        Ok(())
    }

    fn db(&self) -> MutexGuard<'_, Db> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn live(&self) -> RwLockReadGuard<'_, Live> {
        self.live.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn live_mut(&self) -> RwLockWriteGuard<'_, Live> {
        self.live.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Gallery {
    /// Saves the index where that spares the next one who opens the gallery more than it costs.
    fn drop(&mut self) {
        if self.lock.is_none() || self.stale.load(Ordering::Acquire) {
            return;
        }
        let mut db = self.db();
        let faces = self.live().owners.len();
        let worth_it = faces > 0 && (!db.saved || db.unsaved > faces / 16);
        if worth_it && let Err(error) = self.save(&mut db) {
            tracing::warn!(gallery = %self.folder.display(), %error, "cannot save the index; it will be built when the gallery is opened");
        }
    }
}
