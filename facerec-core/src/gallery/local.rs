//! A gallery in a folder: SQLite is the truth, and the search runs in memory.

use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::audit::{Action, actor_of};
use super::backend::Backend;
use super::decision::{Candidate, best_per_person};
use super::filter::SearchFilter;
use super::index::{Base, IndexKind};
use super::key::GalleryKey;
use super::live::{Live, Owner};
use super::lock::WriteLock;
use super::options::GalleryOptions;
use super::records::{
    AuditEntry, FaceId, FaceRecord, GalleryStats, ImportReport, Match, NewFace, Person, PersonId, VerifyReport, check_name,
};
use super::rows::{FaceRow, vector_bytes, vector_values};
use super::seal::Seal;
use super::source::LocalSink;
use super::store::{self, Checked, Edit, Store};
use super::{saved, transfer, verify};
use crate::error::{Error, Result};
use crate::face::{Embedding, ModelKey};

/// The index is saved again when this many faces are not in it, or a quarter of the gallery if that is more: until then, the
/// next one who opens the gallery after a crash reads them from the database. Closing it saves from a 16th on.
const UNSAVED_FACES: usize = 4096;
/// Faces looked at first when people are wanted, and how many times more when they were too few people.
const FIRST_LOOK: usize = 32;
const LOOK_FURTHER: usize = 8;

/// Positions of the faces that a filter lets be found, ascending.
type Allowed = Arc<Vec<usize>>;

/// People and their faces in a folder.
pub(super) struct Local {
    folder: PathBuf,
    model: Arc<ModelKey>,
    salvage: bool,
    /// Who makes the changes.
    actor: String,
    /// Taken before `live` where both are needed. Held while a change waits for the disk: a search in a gallery that is
    /// open for writing does not take it.
    db: Mutex<Db>,
    live: Arc<RwLock<Live>>,
    /// `live` lost step with the database, because an update of it failed.
    stale: AtomicBool,
    kind: IndexKind,
    /// A base is being built in the background.
    building: Arc<AtomicBool>,
    /// Whom the last filters let be found.
    filters: Mutex<VecDeque<Filtered>>,
    /// Some while open for writing. Last, so that the database is closed before the next writer may come.
    lock: Option<WriteLock>,
}

struct Db {
    store: Store,
    /// There is a saved index.
    saved: bool,
    /// Its base; the one in use may be newer.
    saved_base: Option<Arc<Base>>,
    /// Faces that are not in it.
    unsaved: usize,
    /// Something removed is still in the log or the file, because a reader or a full disk was in the way.
    leftovers: bool,
}

/// Positions of the faces that a filter lets be found, in one state.
struct Filtered {
    version: Arc<()>,
    filter: SearchFilter,
    positions: Arc<Vec<usize>>,
}

/// How many filters are remembered.
const FILTERS: usize = 16;

impl std::fmt::Debug for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Local").field("folder", &self.folder).field("model", &self.model).finish_non_exhaustive()
    }
}

impl Local {
    /// Opens the gallery in `folder`; with a model, it must be that one's, and may be created.
    pub(super) fn open(folder: &Path, model: Option<&Arc<ModelKey>>, options: &GalleryOptions) -> Result<Self> {
        #[cfg(feature = "faiss")]
        super::processor::check()?;
        let actor = actor_of(options.actor.as_deref())?;
        let key = options.key.clone();
        let create = options.create && !options.read_only && model.is_some();
        let exists = folder.join(store::FILE).try_exists().map_err(|e| Error::io("open", folder, e))?;
        if !exists && !create {
            return Err(store::missing(folder));
        }
        let (lock, store) = if options.read_only {
            (None, Store::open_reader(folder, key)?)
        } else {
            std::fs::create_dir_all(folder).map_err(|e| Error::io("create", folder, e))?;
            let lock = WriteLock::acquire(folder)?;
            let store = Store::open_writer(folder, model.map(Arc::as_ref).filter(|_| create), key, &actor)?;
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
        let kind = options.index;
        if !cfg!(feature = "faiss") && !matches!(kind, IndexKind::Auto | IndexKind::Flat) {
            return Err(Error::FeatureDisabled { feature: "faiss", what: format!("index `{}`", kind.code()) });
        }
        let (live, saved) = store.snapshot(|snapshot| {
            let read = |mut live: Live| {
                let changes = live.point().changes(snapshot, options.progress.as_ref())?;
                live.apply(changes, folder, options.salvage)?;
                Ok(live)
            };
            let reason = match saved::load(folder, snapshot, &Seal::new(store.cipher())) {
                Ok(saved) => {
                    let faces = saved.owners.len();
                    match read(saved) {
                        Ok(live) => return Ok((live, Some(faces))),
                        // Only the database can say whether it is the one or the other that is wrong.
                        Err(Error::GalleryCorrupt { reason, .. }) => reason,
                        Err(other) => return Err(other),
                    }
                }
                Err(reason) => reason,
            };
            if snapshot.state()?.faces > 0 {
                tracing::info!(gallery = %folder.display(), reason, "no saved index that fits; building it from the database");
            }
            Ok((read(Live::empty())?, None))
        })?;
        let unsaved = live.owners.len() - saved.unwrap_or_default().min(live.owners.len());
        // A crash may have come between a removal and its last step.
        let leftovers = lock.is_some();
        let db = Mutex::new(Db { store, saved: saved.is_some(), saved_base: live.base.clone(), unsaved, leftovers });
        let local = Self {
            folder: folder.into(),
            model,
            salvage: options.salvage,
            actor,
            db,
            live: Arc::new(RwLock::new(live)),
            stale: AtomicBool::new(false),
            kind,
            building: Arc::default(),
            filters: Mutex::default(),
            lock,
        };
        if local.lock.is_some() {
            let mut db = local.db();
            // A gallery on a full disk can be opened all the same.
            if let Err(error) = local.purge_in(&mut db) {
                tracing::warn!(gallery = %folder.display(), %error, "expired faces are not deleted yet");
            }
            local.forget(&mut db);
        }
        local.tend();
        Ok(local)
    }

    /// Starts building a base where one is due. Searches go on meanwhile, exactly, or with the old one.
    fn tend(&self) {
        if self.building.swap(true, Ordering::AcqRel) {
            return;
        }
        let (live, building, kind, folder) = (Arc::clone(&self.live), Arc::clone(&self.building), self.kind, self.folder.clone());
        let Some(plan) = self.live_mut().plan(kind) else {
            building.store(false, Ordering::Release);
            return;
        };
        let work = move || {
            let mut next = Some(plan);
            while let Some(plan) = next.take() {
                match plan.build() {
                    Ok(base) => {
                        let mut live = live.write().unwrap_or_else(PoisonError::into_inner);
                        live.install(Arc::new(base), &plan.line);
                        next = live.plan(kind);
                    }
                    Err(error) => tracing::warn!(gallery = %folder.display(), %error, "the index cannot be built; the search stays exact"),
                }
            }
            building.store(false, Ordering::Release);
        };
        if let Err(error) = std::thread::Builder::new().name("facerec-index".into()).spawn(work) {
            self.building.store(false, Ordering::Release);
            tracing::warn!(gallery = %self.folder.display(), %error, "no thread to build the index; the search stays exact");
        }
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
    fn change<T>(&self, action: Action, change: impl FnOnce(&mut Edit<'_>) -> Result<T>) -> Result<T> {
        self.writable()?;
        let mut db = self.db();
        self.purge_in(&mut db)?;
        self.change_in(&mut db, action, change)
    }

    fn change_in<T>(&self, db: &mut Db, action: Action, change: impl FnOnce(&mut Edit<'_>) -> Result<T>) -> Result<T> {
        let result = db.store.write(action, &self.actor, change)?;
        // The change is on the disk: what fails from here on must not be reported as if it were not.
        let faces = self.live().owners.len();
        let shown = self.catch_up(db).and_then(|()| {
            let now = self.live().owners.len();
            db.unsaved += now.saturating_sub(faces);
            if db.unsaved >= UNSAVED_FACES.max(now / 4) { self.save(db) } else { Ok(()) }
        });
        if let Err(error) = shown {
            tracing::warn!(gallery = %self.folder.display(), %error, "the change is stored; the index will be brought up to date later");
        }
        self.forget(db);
        Ok(result)
    }

    /// A change that removes vectors: none may live on in the saved index, nor in SQLite's log.
    fn remove<T>(&self, remove: impl FnOnce(&mut Edit<'_>) -> Result<(T, bool)>) -> Result<T> {
        self.writable()?;
        let mut db = self.db();
        self.purge_in(&mut db)?;
        self.remove_in(&mut db, Action::Remove, remove)
    }

    fn remove_in<T>(&self, db: &mut Db, action: Action, remove: impl FnOnce(&mut Edit<'_>) -> Result<(T, bool)>) -> Result<T> {
        let mut discarded = false;
        // Until the log is emptied, also when the change itself fails half way.
        let leftovers = std::mem::replace(&mut db.leftovers, true);
        let result = self.change_in(db, action, |edit| {
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
        } else {
            db.leftovers = leftovers;
        }
        result
    }

    /// A change after which a name may be no more: it must not live on in SQLite's log.
    fn forget_name<T>(&self, action: Action, change: impl FnOnce(&mut Edit<'_>) -> Result<T>) -> Result<T> {
        self.writable()?;
        let mut db = self.db();
        self.purge_in(&mut db)?;
        db.leftovers = true;
        self.change_in(&mut db, action, change)
    }

    /// Deletes the faces whose time has come.
    fn purge_in(&self, db: &mut Db) -> Result<usize> {
        if !db.store.has_expired()? {
            return Ok(0);
        }
        self.remove_in(db, Action::Expire, |edit| edit.remove_expired().map(|removed| (removed, removed > 0)))
    }

    /// Empties SQLite's log of what was removed, and the file where it has to be. A reader may be in the way: then it is tried again
    /// after the next change, when the gallery is closed, and when it is opened.
    fn forget(&self, db: &mut Db) {
        if !db.leftovers {
            return;
        }
        let done = match db.store.is_unclean() {
            Ok(true) => db.store.tidy(),
            Ok(false) => db.store.empty_log(),
            Err(error) => Err(error),
        };
        db.leftovers = !matches!(done, Ok(true));
        match done {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!(gallery = %self.folder.display(), "what was removed stays in the log until no reader is in the way");
            }
            Err(error) => tracing::warn!(gallery = %self.folder.display(), %error, "what was removed stays in the file for now"),
        }
    }

    /// Brings the searchable state up to the database's.
    fn catch_up(&self, db: &Db) -> Result<()> {
        let point = self.live().point();
        let read = db.store.snapshot(|snapshot| point.changes(snapshot, None));
        let done = {
            let mut live = self.live_mut();
            let done = read.and_then(|changes| live.apply(changes, &self.folder, self.salvage));
            if done.is_err() {
                *live = Live::empty();
            }
            done
        };
        self.stale.store(done.is_err(), Ordering::Release);
        self.tend();
        done
    }

    fn save(&self, db: &mut Db) -> Result<()> {
        // Also when it fails: on a full disk it is not tried again with every face.
        db.unsaved = 0;
        // A copy that shares everything: nobody waits for the disk.
        let live = self.live().clone();
        saved::save(&self.folder, &live, &self.model, &Seal::new(db.store.cipher()))?;
        db.saved = true;
        db.saved_base = live.base;
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

    /// The queries' values, one after the other.
    fn values(&self, live: &Live, queries: &[&Embedding]) -> Result<Vec<f32>> {
        queries.iter().try_for_each(|query| self.check_model(query))?;
        let Some(vectors) = &live.vectors else { return Ok(Vec::new()) };
        let mut values = Vec::with_capacity(queries.len() * vectors.dim());
        for query in queries {
            if query.as_slice().len() != vectors.dim() {
                return Err(Error::DimensionMismatch { what: "embedding", expected: vectors.dim(), actual: query.as_slice().len() });
            }
            values.extend_from_slice(query.as_slice());
        }
        Ok(values)
    }

    fn search_in(&self, live: &Live, among: Option<&[usize]>, queries: &[&Embedding], k: usize) -> Result<Vec<Vec<Match>>> {
        let values = self.values(live, queries)?;
        if live.vectors.is_none() {
            return Ok(vec![Vec::new(); queries.len()]);
        }
        match among {
            Some(positions) => live.search_at(positions, &values, k),
            None => live.search(&values, k),
        }
    }

    /// The searchable state and the positions of the faces that a filter lets be found, `None` for all.
    fn current_among(&self, filter: &SearchFilter) -> Result<(RwLockReadGuard<'_, Live>, Option<Allowed>)> {
        if filter.is_empty() {
            return Ok((self.current()?, None));
        }
        loop {
            drop(self.current()?);
            let (version, positions) = self.allowed(filter)?;
            // Positions are those of one state: a change may have come between.
            let live = self.live();
            if Arc::ptr_eq(&live.version, &version) {
                return Ok((live, Some(positions)));
            }
        }
    }

    /// Positions of the faces that a filter lets be found, and the state they are of. What metadata holds is read once per state and
    /// filter.
    fn allowed(&self, filter: &SearchFilter) -> Result<(Arc<()>, Arc<Vec<usize>>)> {
        let (version, owners, names) = {
            let live = self.live();
            (Arc::clone(&live.version), Arc::clone(&live.owners), Arc::clone(&live.names))
        };
        let mut known = self.filters.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|known| Arc::ptr_eq(&known.version, &version));
        if let Some(known) = known.iter().find(|known| known.filter == *filter) {
            return Ok((version, Arc::clone(&known.positions)));
        }
        drop(known);
        let people: Option<BTreeSet<PersonId>> =
            filter.persons.is_some().then(|| names.iter().filter(|(_, name)| filter.lets_person(name)).map(|(person, _)| person).collect());
        let mut allowed: Vec<usize> = match &people {
            Some(people) => (0..owners.len()).filter(|&at| people.contains(&owners[at].1)).collect(),
            None => (0..owners.len()).collect(),
        };
        if !filter.metadata.is_empty() {
            let mut faces = BTreeSet::new();
            self.db().store.snapshot(|snapshot| {
                let mut visit = |row: Checked<FaceRow<'_>>| {
                    faces.extend(self.intact(row, "face")?.filter(|face| filter.lets_metadata(face.metadata)).map(|face| face.id));
                    Ok(())
                };
                match &people {
                    Some(people) => people.iter().try_for_each(|&person| snapshot.scan_faces_of(person, &mut visit)),
                    None => snapshot.scan_faces(0, visit),
                }
            })?;
            allowed.retain(|&at| faces.contains(&owners[at].0));
        }
        let positions = Arc::new(allowed);
        let mut known = self.filters.lock().unwrap_or_else(PoisonError::into_inner);
        known.truncate(FILTERS - 1);
        known.push_front(Filtered { version: Arc::clone(&version), filter: filter.clone(), positions: Arc::clone(&positions) });
        Ok((version, positions))
    }

    /// The searchable state, with everything that other processes committed until now.
    fn current(&self) -> Result<RwLockReadGuard<'_, Live>> {
        // A writer is alone and keeps its own state in step.
        if self.lock.is_none() || self.stale.load(Ordering::Acquire) {
            let mut db = self.db();
            let generation = db.store.generation()?;
            if generation != self.live().generation || self.stale.load(Ordering::Acquire) {
                self.catch_up(&db)?;
            }
        }
        let now = store::now_ms();
        if self.live().next_expiry().is_some_and(|time| time <= now) {
            // A writer deletes them later: a search does not wait for the disk.
            self.live_mut().drop_expired(now)?;
        }
        Ok(self.live())
    }
}

impl Backend for Local {
    fn location(&self) -> &Path {
        &self.folder
    }

    fn model(&self) -> &Arc<ModelKey> {
        &self.model
    }

    fn add_many(&self, faces: &[(&str, NewFace<'_>)]) -> Result<Vec<FaceId>> {
        self.change(Action::Add, |edit| {
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
                    expires_ms: face.expires_ms,
                    mark: 0,
                })?);
            }
            Ok(ids)
        })
    }

    fn remove_person(&self, name: &str) -> Result<usize> {
        let name = name.trim();
        self.remove(|edit| match edit.find_person(name)? {
            Some(person) => edit.remove_person(person).map(|faces| (faces, true)),
            None => Err(Error::PersonNotFound { person: name.into() }),
        })
    }

    fn remove_face(&self, face: FaceId) -> Result<bool> {
        self.remove(|edit| edit.remove_face(face).map(|removed| (removed, removed)))
    }

    fn rename(&self, name: &str, new_name: &str) -> Result<()> {
        let (name, new_name) = (name.trim(), check_name(new_name)?);
        self.writable()?;
        let mut db = self.db();
        self.purge_in(&mut db)?;
        // The name so far is to be forgotten too.
        db.leftovers = true;
        self.change_in(&mut db, Action::Rename, |edit| {
            let person = edit.find_person(name)?.ok_or_else(|| Error::PersonNotFound { person: name.into() })?;
            match edit.find_person(new_name)? {
                Some(other) if other == person => Ok(()),
                Some(_) => Err(Error::argument("new_name", format!("expected a name that nobody has, got `{new_name}`"))),
                None => edit.rename(person, new_name),
            }
        })
    }

    fn merge(&self, from: &str, into: &str) -> Result<usize> {
        self.forget_name(Action::Merge, |edit| {
            let mut find = |name: &str| edit.find_person(name)?.ok_or_else(|| Error::PersonNotFound { person: name.into() });
            let (from, into) = (find(from)?, find(into)?);
            let faces = edit.faces_of(from)?;
            edit.move_faces(&faces, into)?;
            Ok(faces.len())
        })
    }

    fn split(&self, person: &str, faces: &[FaceId], into: &str) -> Result<usize> {
        self.forget_name(Action::Split, |edit| {
            let from = edit.find_person(person)?.ok_or_else(|| Error::PersonNotFound { person: person.into() })?;
            let own: BTreeSet<FaceId> = edit.faces_of(from)?.into_iter().collect();
            if let Some(other) = faces.iter().find(|face| !own.contains(face)) {
                return Err(Error::argument("faces", format!("expected faces of `{person}`, got `{other}`, which is none of theirs")));
            }
            let faces: BTreeSet<FaceId> = faces.iter().copied().collect();
            let (into, _) = edit.person(into)?;
            edit.move_faces(&faces.iter().copied().collect::<Vec<_>>(), into)?;
            Ok(faces.len())
        })
    }

    fn persons(&self) -> Result<Vec<Person>> {
        let persons = self.db().store.snapshot(|snapshot| snapshot.persons(None))?;
        persons.into_iter().filter_map(|person| self.intact(person, "person").transpose()).collect()
    }

    fn person(&self, name: &str) -> Result<Person> {
        let name = name.trim();
        let found = self.db().store.snapshot(|snapshot| snapshot.persons(Some(name)))?.pop();
        let person = found.map_or(Ok(None), |person| self.intact(person, "person"))?;
        person.ok_or_else(|| Error::PersonNotFound { person: name.into() })
    }

    fn faces(&self, name: &str) -> Result<Vec<FaceRecord>> {
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

    fn embedding(&self, face: FaceId) -> Result<Option<Embedding>> {
        let mut vector = None;
        self.db().store.snapshot(|snapshot| {
            snapshot.face(face, |row| {
                vector = self.intact(row, "face")?.map(|face| vector_values(face.vector).collect::<Vec<_>>());
                Ok(())
            })
        })?;
        vector.map(|vector| Embedding::new(Arc::clone(&self.model), vector)).transpose()
    }

    fn vectors(&self, name: &str) -> Result<Vec<(FaceId, Embedding)>> {
        let person = self.person(name)?.id;
        let mut vectors = Vec::new();
        self.db().store.snapshot(|snapshot| {
            snapshot.scan_faces_of(person, |row| {
                if let Some(face) = self.intact(row, "face")? {
                    vectors.push((face.id, Embedding::new(Arc::clone(&self.model), vector_values(face.vector).collect())?));
                }
                Ok(())
            })
        })?;
        Ok(vectors)
    }

    fn stats(&self) -> Result<GalleryStats> {
        let state = self.db().store.snapshot(|snapshot| snapshot.state())?;
        let read = |e| Error::io("read", &self.folder, e);
        let mut bytes_on_disk = 0;
        for entry in std::fs::read_dir(&self.folder).map_err(read)? {
            // A file may go between the listing and the question for its size.
            bytes_on_disk += entry.map_err(read)?.metadata().map_or(0, |data| data.len());
        }
        let (base, tombstones) = {
            let live = self.live();
            (live.base.clone(), live.tombstones())
        };
        Ok(GalleryStats {
            persons: state.persons as usize,
            faces: state.faces as usize,
            dim: Some(state.dim).filter(|&dim| dim > 0),
            model: state.model.id,
            model_hash: state.model.hash,
            index_kind: base.as_ref().map_or(IndexKind::Flat, |base| base.kind()).label().into(),
            recall: Some(base.as_ref().map_or(1.0, |base| base.recall())),
            tombstones,
            index_bytes_per_face: state.dim * size_of::<f32>() + size_of::<Owner>() + base.map_or(0, |base| base.bytes_per_face()),
            index_building: self.building.load(Ordering::Acquire),
            bytes_on_disk,
            generation: state.generation,
            encrypted: self.db().store.cipher().is_some(),
        })
    }

    fn verify(&self) -> Result<VerifyReport> {
        // All of it from one state of the database; `db` is held, so that nobody else applies anything meanwhile.
        let db = self.db();
        let live = self.live().clone();
        let (report, done) = db.store.snapshot(|snapshot| {
            let mut live = live;
            let changed = live.point().changes(snapshot, None).and_then(|changes| live.apply(changes, &self.folder, true));
            let current = match changed {
                Ok(()) => Some(&live),
                Err(Error::GalleryCorrupt { .. }) => None,
                Err(other) => return Err(other),
            };
            let report = verify::verify(snapshot, snapshot.integrity_problems()?, current)?;
            Ok((report, current.is_some()))
        })?;
        if !done || (!self.salvage && !report.problems.is_empty()) {
            // Damaged rows were left out above: the next search must not quietly do without them.
            *self.live_mut() = Live::empty();
            self.stale.store(true, Ordering::Release);
        }
        Ok(report)
    }

    fn compact(&self) -> Result<()> {
        self.writable()?;
        let mut db = self.db();
        self.purge_in(&mut db)?;
        db.leftovers = !db.store.tidy()?;
        // What is being built was planned before now.
        while self.building.load(Ordering::Acquire) {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let plan = self.live_mut().plan_fresh(self.kind);
        if let Some(plan) = plan {
            let base = plan.build()?;
            self.live_mut().install(Arc::new(base), &plan.line);
        }
        self.save(&mut db)
    }

    fn export(&self, out: &mut dyn Write) -> Result<usize> {
        self.db().store.snapshot(|snapshot| transfer::export(snapshot, self.salvage, out))
    }

    fn import(&self, input: &mut dyn BufRead) -> Result<ImportReport> {
        self.change(Action::Import, |edit| transfer::import(&mut LocalSink::new(edit), &self.model, input))
    }

    fn export_person(&self, name: &str, out: &mut dyn Write) -> Result<usize> {
        let person = self.person(name)?;
        self.db().store.snapshot(|snapshot| transfer::export_person(snapshot, &person, self.salvage, out))
    }

    fn purge_expired(&self) -> Result<usize> {
        self.writable()?;
        self.purge_in(&mut self.db())
    }

    fn set_key(&self, key: Option<GalleryKey>) -> Result<()> {
        self.writable()?;
        let mut db = self.db();
        self.purge_in(&mut db)?;
        // It is readable without a key, or for the old one.
        saved::discard(&self.folder)?;
        db.saved = false;
        db.store.set_key(key, &self.actor)?;
        let done = db.store.tidy();
        db.leftovers = !matches!(done, Ok(true));
        self.catch_up(&db)?;
        if !done? {
            tracing::warn!(gallery = %self.folder.display(), "what the old key opens stays in the log until no reader is in the way");
        }
        Ok(())
    }

    fn audit(&self, after_id: i64, limit: usize) -> Result<Vec<AuditEntry>> {
        let mut entries = Vec::new();
        self.db().store.snapshot(|snapshot| {
            snapshot.scan_audit(after_id, limit, |row| {
                entries.extend(self.intact(row, "audit entry")?.map(|entry| entry.entry()));
                Ok(())
            })
        })?;
        Ok(entries)
    }

    fn search(&self, queries: &[Embedding], k: usize, filter: &SearchFilter) -> Result<Vec<Vec<Match>>> {
        let (live, among) = self.current_among(filter)?;
        let queries: Vec<&Embedding> = queries.iter().collect();
        self.search_in(&live, among.as_deref().map(Vec::as_slice), &queries, k)
    }

    fn best_people(&self, queries: &[Embedding], wanted: usize, filter: &SearchFilter) -> Result<Vec<Vec<Candidate>>> {
        let (live, among) = self.current_among(filter)?;
        let among = among.as_deref().map(Vec::as_slice);
        let faces = among.map_or(live.owners.len(), <[usize]>::len);
        let wanted = wanted.min(live.people());
        let mut found: Vec<Option<Vec<Candidate>>> = vec![None; queries.len()];
        let mut k = FIRST_LOOK.max(4 * wanted);
        // One person's many faces may fill the whole list: look further until enough people are in it.
        loop {
            let open: Vec<usize> = (0..queries.len()).filter(|&i| found[i].is_none()).collect();
            if open.is_empty() {
                return Ok(found.into_iter().flatten().collect());
            }
            let asked: Vec<&Embedding> = open.iter().map(|&i| &queries[i]).collect();
            for (i, matches) in open.into_iter().zip(self.search_in(&live, among, &asked, k)?) {
                let people = best_per_person(matches);
                if people.len() >= wanted || k >= faces {
                    found[i] = Some(people);
                }
            }
            k = k.saturating_mul(LOOK_FURTHER);
        }
    }
}

impl Drop for Local {
    /// Saves the index where that spares the next one who opens the gallery more than it costs.
    fn drop(&mut self) {
        if self.lock.is_none() || self.stale.load(Ordering::Acquire) {
            return;
        }
        let mut db = self.db();
        if let Err(error) = self.purge_in(&mut db) {
            tracing::warn!(gallery = %self.folder.display(), %error, "expired faces are not deleted yet");
        }
        self.forget(&mut db);
        let faces = self.live().owners.len();
        let new_base = match (&self.live().base, &db.saved_base) {
            (Some(now), Some(then)) => !Arc::ptr_eq(now, then),
            (now, _) => now.is_some(),
        };
        let worth_it = faces > 0 && (!db.saved || new_base || db.unsaved > faces / 16);
        if worth_it && let Err(error) = self.save(&mut db) {
            tracing::warn!(gallery = %self.folder.display(), %error, "cannot save the index; it will be built when the gallery is opened");
        }
    }
}
