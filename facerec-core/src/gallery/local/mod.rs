//! A gallery in a folder: SQLite is the truth, and the search runs in memory.

mod backend;
mod change;
mod search;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;

use self::search::Filtered;
use super::audit::actor_of;
use super::index::{Base, IndexKind};
use super::live::Live;
use super::lock::WriteLock;
use super::options::GalleryOptions;
use super::saved;
use super::seal::Seal;
use super::store::{self, Checked, Store};
use crate::error::{Error, Result};
use crate::face::{Embedding, ModelKey};

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
    /// That thread, and what makes it end soon.
    builder: Mutex<Option<JoinHandle<()>>>,
    cancel: Arc<AtomicBool>,
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
            let lock = WriteLock::acquire(folder, options)?;
            let store = Store::open_writer(folder, model.map(Arc::as_ref).filter(|_| create), key, &actor, options.wait)?;
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
            builder: Mutex::default(),
            cancel: Arc::default(),
            filters: Mutex::default(),
            lock,
        };
        if local.lock.is_some() {
            let mut db = local.db();
            // A gallery on a full disk can be opened all the same.
            if let Err(error) = local.purge_in(&mut db) {
                tracing::warn!(gallery = %folder.display(), %error, "expired faces are not deleted yet");
            }
            if local.live().names.any_respelt()
                && let Err(error) = local.unite_names(&mut db)
            {
                tracing::warn!(gallery = %folder.display(), %error, "one name in two spellings is still that of two people");
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
        let cancel = Arc::clone(&self.cancel);
        let work = move || {
            let mut next = Some(plan);
            while let Some(plan) = next.take() {
                match plan.build(&cancel) {
                    Ok(base) => {
                        let mut live = live.write().unwrap_or_else(PoisonError::into_inner);
                        live.install(Arc::new(base), &plan.line);
                        next = live.plan(kind);
                    }
                    Err(Error::Cancelled) => {}
                    Err(error) => tracing::warn!(gallery = %folder.display(), %error, "the index cannot be built; the search stays exact"),
                }
            }
            building.store(false, Ordering::Release);
        };
        match std::thread::Builder::new().name("facerec-index".into()).spawn(work) {
            Ok(thread) => *self.builder.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread),
            Err(error) => {
                self.building.store(false, Ordering::Release);
                tracing::warn!(gallery = %self.folder.display(), %error, "no thread to build the index; the search stays exact");
            }
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

impl Drop for Local {
    /// Saves the index where that spares the next one who opens the gallery more than it costs.
    fn drop(&mut self) {
        // A thread that is still at work when the process ends would use what is being taken down.
        self.cancel.store(true, Ordering::Release);
        if let Some(thread) = self.builder.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // If it panicked, there is no base, and nothing to be done here.
            let _ = thread.join();
        }
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
