//! Changes: commit them, show them to searches, and forget what they removed.

use std::sync::atomic::Ordering;

use super::{Db, Local};
use crate::error::Result;
use crate::gallery::audit::Action;
use crate::gallery::live::Live;
use crate::gallery::saved;
use crate::gallery::seal::Seal;
use crate::gallery::store::Edit;

/// The index is saved again when this many faces are not in it, or a quarter of the gallery if that is more: until then, the
/// next one who opens the gallery after a crash reads them from the database. Closing it saves from a 16th on.
const UNSAVED_FACES: usize = 4096;

impl Local {
    /// Commits a change, then shows it to searches.
    pub(super) fn change<T>(&self, action: Action, change: impl FnOnce(&mut Edit<'_>) -> Result<T>) -> Result<T> {
        self.writable()?;
        let mut db = self.db();
        self.purge_in(&mut db)?;
        self.change_in(&mut db, action, change)
    }

    pub(super) fn change_in<T>(&self, db: &mut Db, action: Action, change: impl FnOnce(&mut Edit<'_>) -> Result<T>) -> Result<T> {
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

    /// A change that says whether it removed vectors or a name: then none of them may live on in a file.
    pub(super) fn remove<T>(&self, action: Action, remove: impl FnOnce(&mut Edit<'_>) -> Result<(T, bool)>) -> Result<T> {
        self.writable()?;
        let mut db = self.db();
        self.purge_in(&mut db)?;
        self.remove_in(&mut db, action, remove)
    }

    /// What the change removes may not live on in the saved index, which has vectors and names, nor in SQLite's log.
    pub(super) fn remove_in<T>(&self, db: &mut Db, action: Action, remove: impl FnOnce(&mut Edit<'_>) -> Result<(T, bool)>) -> Result<T> {
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

    /// Deletes the faces whose time has come.
    pub(super) fn purge_in(&self, db: &mut Db) -> Result<usize> {
        if !db.store.has_expired()? {
            return Ok(0);
        }
        self.remove_in(db, Action::Expire, |edit| edit.remove_expired().map(|removed| (removed, removed > 0)))
    }

    /// Spells every name as it is looked up; people whose names differed in spelling only become one.
    pub(super) fn unite_names(&self, db: &mut Db) -> Result<()> {
        let people = self.live().names.doubles();
        self.remove_in(db, Action::Rename, |edit| edit.unite_names(&self.actor).map(|()| ((), true)))?;
        tracing::info!(gallery = %self.folder.display(), people, "names are spelt alike from now on; so many people were another one's double");
        Ok(())
    }

    /// Empties SQLite's log of what was removed, and the file where it has to be. A reader may be in the way: then it is tried again
    /// after the next change, when the gallery is closed, and when it is opened.
    pub(super) fn forget(&self, db: &mut Db) {
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
    pub(super) fn catch_up(&self, db: &Db) -> Result<()> {
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

    pub(super) fn save(&self, db: &mut Db) -> Result<()> {
        // Also when it fails: on a full disk it is not tried again with every face.
        db.unsaved = 0;
        // A copy that shares everything: nobody waits for the disk.
        let live = self.live().clone();
        saved::save(&self.folder, &live, &self.model, &Seal::new(db.store.cipher()))?;
        db.saved = true;
        db.saved_base = live.base;
        Ok(())
    }
}
