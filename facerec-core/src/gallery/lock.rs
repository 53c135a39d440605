//! One writer at a time, across processes, threads and handles.

use std::cell::Cell;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::options::GalleryOptions;
use crate::error::{Error, Result};

/// The lock's file in the gallery's folder. It stays there; what counts is the lock on it, which ends with its holder, killed or not.
pub(super) const FILE: &str = "lock";
/// Locked by whoever is next: a newcomer cannot overtake one that waits.
const NEXT: &str = "lock.next";
/// Between two looks at a lock: at first, and at most.
const PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(25)];
/// Whoever waits longer is told for whom.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a file system without locks means, and what to do about it.
pub(super) const NO_LOCKS: &str = "it seems that this file system does not lock files, and without locks two writers would damage the gallery: keep it on a \
                                   local disk (ext4, XFS, Btrfs, APFS, NTFS), mount the network drive with locks (NFS without `nolock`, SMB \
                                   without `nobrl`), or use a gallery on a PostgreSQL server";

/// Held while a gallery is open for writing.
pub(super) struct WriteLock(Locked);

impl WriteLock {
    /// Takes the lock, waiting for it as long as the options say.
    pub(super) fn acquire(folder: &Path, options: &GalleryOptions) -> Result<Self> {
        let waiting = Waiting::new(folder, options);
        loop {
            let turn = waiting.take(NEXT)?;
            let mut held = waiting.take(FILE)?;
            drop(turn);
            // The folder may have been removed and made again meanwhile: then others lock another file.
            if !held.is_in_place() {
                continue;
            }
            // Who holds it is a courtesy to whoever has to wait: on a full disk the lock holds without it.
            if let Err(error) = held.note_holder() {
                tracing::debug!(path = %held.path.display(), %error, "cannot note the holder of the lock");
            }
            return Ok(Self(held));
        }
    }
}

impl std::fmt::Debug for WriteLock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WriteLock({})", self.0.path.display())
    }
}

/// A file with a lock on it.
struct Locked {
    path: PathBuf,
    file: File,
}

impl Drop for Locked {
    /// Closing the file would not do: a process that is being started has a copy of it for a moment, and with it the lock.
    fn drop(&mut self) {
        if let Err(error) = self.file.unlock() {
            tracing::debug!(%error, "cannot give the lock back; it goes with the file");
        }
    }
}

impl Locked {
    /// Whether the file is still the one of that name.
    #[cfg(unix)]
    fn is_in_place(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        let same = |ours: std::fs::Metadata, there: std::fs::Metadata| (ours.dev(), ours.ino()) == (there.dev(), there.ino());
        self.file.metadata().and_then(|ours| Ok(same(ours, std::fs::metadata(&self.path)?))).unwrap_or(false)
    }

    /// Elsewhere an open file cannot be removed.
    #[cfg(not(unix))]
    fn is_in_place(&self) -> bool {
        true
    }

    fn note_holder(&mut self) -> std::io::Result<()> {
        let program = std::env::current_exe().ok().and_then(|path| Some(format!(", {}", path.file_name()?.to_string_lossy())));
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        writeln!(self.file, "process {}{}", std::process::id(), program.unwrap_or_default())
    }
}

/// Somebody who wants to write, and until when.
struct Waiting<'a> {
    folder: &'a Path,
    options: &'a GalleryOptions,
    start: Instant,
    told: Cell<bool>,
}

impl<'a> Waiting<'a> {
    fn new(folder: &'a Path, options: &'a GalleryOptions) -> Self {
        Self { folder, options, start: Instant::now(), told: Cell::new(false) }
    }

    /// Looks at the lock again and again: a blocking call could neither be given up in time nor be cancelled.
    fn take(&self, name: &str) -> Result<Locked> {
        let path = self.folder.join(name);
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = open.map_err(|e| Error::io("open for writing", &path, e))?;
        let [mut pause, longest] = PAUSES;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Locked { path, file }),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Interrupted => continue,
                Err(TryLockError::Error(error)) => return Err(cannot_lock(&path, error)),
            }
            if self.options.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let left = self.options.wait.saturating_sub(self.start.elapsed());
            if left.is_zero() {
                let holder = self.holder().unwrap_or_else(|| "unknown process".into());
                return Err(Error::GalleryLocked { path: self.folder.to_path_buf(), holder });
            }
            if self.start.elapsed() >= PATIENCE && !self.told.replace(true) {
                let (gallery, holder) = (self.folder.display(), self.holder().unwrap_or_default());
                tracing::warn!(%gallery, holder, for_s = self.options.wait.as_secs(), "waiting for another writer to be done");
            }
            std::thread::sleep(pause.min(left));
            pause = longest.min(pause * 2);
        }
    }

    /// What the holder wrote into the lock's file.
    fn holder(&self) -> Option<String> {
        let mut text = String::new();
        File::open(self.folder.join(FILE)).ok()?.take(256).read_to_string(&mut text).ok()?;
        Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned)
    }
}

/// Says what is missing: "Function not implemented" says nothing to whoever put a gallery on a network drive.
fn cannot_lock(path: &Path, source: std::io::Error) -> Error {
    Error::io("lock", path, std::io::Error::new(source.kind(), format!("{source}; {NO_LOCKS}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_writer_is_told_who_holds_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let impatient = GalleryOptions::default().wait(Duration::ZERO);
        let first = WriteLock::acquire(folder.path(), &impatient).unwrap();
        let refused = WriteLock::acquire(folder.path(), &impatient).unwrap_err();
        assert_eq!(refused.kind().code(), "gallery_locked");
        assert!(refused.to_string().contains(&format!("process {}", std::process::id())), "{refused}");
        // As a process that is just being started has one.
        let _copy = first.0.file.try_clone().unwrap();
        drop(first);
        WriteLock::acquire(folder.path(), &impatient).unwrap();
    }
}
