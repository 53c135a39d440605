//! One writer at a time, across processes.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::error::{Error, Result};

/// The lock's file in the gallery's folder. It stays there; what counts is the lock on it, which ends with its holder.
pub(super) const FILE: &str = "lock";

/// Held while a gallery is open for writing.
pub(super) struct WriteLock {
    file: File,
}

impl Drop for WriteLock {
    /// Closing the file would not do: a process that is being started has a copy of it for a moment, and with it the lock.
    fn drop(&mut self) {
        if let Err(error) = self.file.unlock() {
            tracing::debug!(%error, "cannot give the lock back; it goes with the file");
        }
    }
}

impl WriteLock {
    /// Takes the lock, or fails with `gallery_locked` at once.
    pub(super) fn acquire(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = open.map_err(|e| Error::io("open for writing", &path, e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let known = (&file).take(64).read_to_string(&mut holder).is_ok() && !holder.trim().is_empty();
                let holder = if known { holder.trim().to_owned() } else { "unknown process".into() };
                return Err(Error::GalleryLocked { path: folder.to_path_buf(), holder });
            }
            Err(TryLockError::Error(error)) => return Err(Error::io("lock", &path, error)),
        }
        // Who holds it is a courtesy to whoever has to wait: on a full disk the lock holds without it.
        let note = |file: &mut File| {
            file.set_len(0)?;
            file.seek(SeekFrom::Start(0))?;
            writeln!(file, "process {}", std::process::id())
        };
        if let Err(error) = note(&mut file) {
            tracing::debug!(path = %path.display(), %error, "cannot note the holder of the lock");
        }
        Ok(Self { file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_writer_is_told_who_holds_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let first = WriteLock::acquire(folder.path()).unwrap();
        let refused = WriteLock::acquire(folder.path()).err().unwrap();
        assert_eq!(refused.kind().code(), "gallery_locked");
        assert!(refused.to_string().contains(&format!("process {}", std::process::id())), "{refused}");
        // As a process that is just being started has one.
        let _copy = first.file.try_clone().unwrap();
        drop(first);
        WriteLock::acquire(folder.path()).unwrap();
    }
}
