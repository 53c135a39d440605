//! Copies of large files on this machine, while they are looked at.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::sync::{Mutex, MutexGuard};

use crate::blobs::remove_older;
use crate::error::Result;
use crate::ids::new_id;

/// A copy that nobody asked for this long is removed from this machine.
const KEPT: Duration = Duration::from_secs(600);

/// A folder of copies that is this process's own, though others may have theirs beside it.
pub(super) struct Copies {
    folder: PathBuf,
    /// Says to others, for as long as this process lives, that the folder is in use.
    _lock: File,
    /// Turns to make a copy, by the copy's name.
    turns: [Mutex<()>; 16],
}

impl Copies {
    /// A folder in `all`. Those of processes that ended are removed.
    ///
    /// # Errors
    /// `io`.
    pub(super) fn open(all: &Path) -> Result<Self> {
        // Held only here: nobody takes a folder for abandoned between its making and its locking.
        let opening = File::create(all.join("lock"))?;
        opening.lock()?;
        for entry in std::fs::read_dir(all)? {
            let path = entry?.path();
            if path.is_dir() && File::open(lock_of(&path)).is_ok_and(|lock| lock.try_lock().is_ok()) {
                std::fs::remove_dir_all(&path)?;
                std::fs::remove_file(lock_of(&path))?;
            }
        }
        let folder = all.join(new_id());
        let lock = File::create(lock_of(&folder))?;
        lock.lock()?;
        std::fs::create_dir(&folder)?;
        Ok(Self { folder, _lock: lock, turns: Default::default() })
    }

    /// Removes copies that nobody asks for any more, for as long as the process runs.
    pub(super) fn forget_old(&self) {
        let folder = self.folder.clone();
        tokio::spawn(async move {
            while folder.exists() {
                tokio::time::sleep(KEPT / 10).await;
                let folder = folder.clone();
                let _ = tokio::task::spawn_blocking(move || remove_older(&folder, KEPT)).await;
            }
        });
    }

    /// The copy of that name, used now and so kept a while longer.
    pub(super) async fn find(&self, name: &str) -> Option<PathBuf> {
        let path = self.folder.join(name);
        let file = tokio::fs::File::open(&path).await.ok()?.into_std().await;
        file.set_modified(SystemTime::now()).ok()?;
        Some(path)
    }

    /// Waits for the turn to make the copy of that name: nobody makes it twice at the same time.
    pub(super) async fn turn(&self, name: &str) -> MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        self.turns[(hasher.finish() % self.turns.len() as u64) as usize].lock().await
    }

    /// A copy that is being made; it goes away again unless it becomes whole.
    pub(super) fn begin(&self) -> Unfinished {
        Unfinished(self.folder.join(format!(".{}", new_id())))
    }

    /// Names a copy that is whole.
    pub(super) async fn finish(&self, unfinished: Unfinished, name: &str) -> Result<PathBuf> {
        let path = self.folder.join(name);
        tokio::fs::rename(&unfinished.0, &path).await?;
        Ok(path)
    }

    /// Removes the copy of that name, if there is one.
    pub(super) async fn remove(&self, name: &str) {
        let _ = tokio::fs::remove_file(self.folder.join(name)).await;
    }
}

/// The file that is locked for as long as a folder is in use.
fn lock_of(folder: &Path) -> PathBuf {
    folder.with_extension("lock")
}

impl Drop for Copies {
    fn drop(&mut self) {
        // Else the next process does it.
        if std::fs::remove_dir_all(&self.folder).is_ok() {
            let _ = std::fs::remove_file(lock_of(&self.folder));
        }
    }
}

/// The file of a copy that is not whole yet.
pub(super) struct Unfinished(pub(super) PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0); // it was renamed, or nobody wants it any more
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn processes_leave_each_others_copies_alone_and_clear_away_the_dead_ones() {
        let folder = tempfile::tempdir().unwrap();
        let dead = folder.path().join("dead");
        std::fs::create_dir(&dead).unwrap();
        std::fs::write(lock_of(&dead), "").unwrap();
        let first = Copies::open(folder.path()).unwrap();
        let unfinished = first.begin();
        std::fs::write(&unfinished.0, "video").unwrap();
        let copy = first.finish(unfinished, "a").await.unwrap();
        let second = Copies::open(folder.path()).unwrap();
        assert!(copy.exists() && !dead.exists());
        assert_eq!((first.find("a").await, second.find("a").await), (Some(copy), None));
        let broken_off = first.begin();
        std::fs::write(&broken_off.0, "half").unwrap();
        let path = broken_off.0.clone();
        drop(broken_off);
        assert!(!path.exists());
        drop((first, second));
        assert_eq!(folder.path().read_dir().unwrap().count(), 1, "only the lock is left");
    }
}
