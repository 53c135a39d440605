//! Large things: photos, videos, pictures of faces, boxes.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use crate::error::{Error, Result};
use crate::ids::new_id;

/// Keeps large things under keys made of the platform's own ids, such as `sessions/ID/video`. Names that callers give are
/// never part of a key.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Keeps `bytes`. It is there whole or not at all, and stays through a power cut.
    async fn put(&self, key: &str, bytes: Bytes) -> Result<()>;

    /// Keeps the file `path`, which is moved away.
    async fn put_file(&self, key: &str, path: &Path) -> Result<()>;

    /// Whether something is kept under `key`.
    async fn has(&self, key: &str) -> Result<bool>;

    /// What is kept under `key`.
    async fn get(&self, key: &str) -> Result<Option<Bytes>>;

    /// What is kept under `key`, to be read piece by piece.
    async fn open(&self, key: &str) -> Result<Option<Box<dyn Reading>>>;

    /// A file on this machine with what is kept under `key`.
    async fn fetch(&self, key: &str) -> Result<Option<PathBuf>>;

    /// Removes `prefix` and all keys below it.
    async fn remove(&self, prefix: &str) -> Result<()>;
}

/// Something large that is read from wherever it is wanted.
#[async_trait]
pub trait Reading: Send {
    /// How many bytes there are.
    fn size(&self) -> u64;

    /// Some bytes from `at` on, which must be less than the size; at least one, and no more than fit well into memory.
    async fn read(&mut self, at: u64) -> Result<Bytes>;
}

struct FileReading {
    file: tokio::fs::File,
    size: u64,
}

#[async_trait]
impl Reading for FileReading {
    fn size(&self) -> u64 {
        self.size
    }

    async fn read(&mut self, at: u64) -> Result<Bytes> {
        const PIECE: u64 = 256 << 10;
        self.file.seek(std::io::SeekFrom::Start(at)).await?;
        let mut bytes = vec![0; usize::try_from(PIECE.min(self.size - at)).unwrap_or_default()];
        self.file.read_exact(&mut bytes).await?;
        Ok(bytes.into())
    }
}

/// Where files are written until they are whole; what a process left there when it was killed is removed by a later one.
const UNFINISHED: &str = ".unfinished";

/// A folder as the store.
#[derive(Debug)]
pub struct FileBlobs {
    folder: PathBuf,
}

impl FileBlobs {
    /// A store in `folder`, made when missing.
    ///
    /// # Errors
    /// `io`.
    pub fn new(folder: PathBuf) -> Result<Self> {
        let unfinished = folder.join(UNFINISHED);
        std::fs::create_dir_all(&unfinished)?;
        remove_older(&unfinished, Duration::from_secs(3600))?;
        Ok(Self { folder })
    }

    fn path(&self, key: &str) -> Result<PathBuf> {
        let below = Path::new(key);
        // Keys are the platform's own; this is the second lock on the door.
        if key.is_empty() || !below.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(Error::Internal("a key that leaves its folder".into()));
        }
        Ok(self.folder.join(below))
    }
}

#[async_trait]
impl Blobs for FileBlobs {
    async fn put(&self, key: &str, bytes: Bytes) -> Result<()> {
        // Named by chance and not by the process: in containers all have the same number, and the folder may be shared.
        let (path, temporary) = (self.path(key)?, self.folder.join(UNFINISHED).join(new_id()));
        blocking(move || {
            make_parent(&path)?;
            let write = || {
                let mut file = std::fs::File::create(&temporary)?;
                std::io::Write::write_all(&mut file, &bytes)?;
                file.sync_all()?;
                std::fs::rename(&temporary, &path)?;
                sync_parent(&path)
            };
            write().inspect_err(|_| {
                let _ = std::fs::remove_file(&temporary); // the first error is the one that matters
            })
        })
        .await
    }

    async fn put_file(&self, key: &str, from: &Path) -> Result<()> {
        let (path, from) = (self.path(key)?, from.to_path_buf());
        blocking(move || {
            make_parent(&path)?;
            std::fs::rename(&from, &path)?;
            sync_parent(&path)
        })
        .await
    }

    async fn has(&self, key: &str) -> Result<bool> {
        Ok(tokio::fs::try_exists(self.path(key)?).await?)
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        match tokio::fs::read(self.path(key)?).await {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn open(&self, key: &str) -> Result<Option<Box<dyn Reading>>> {
        let file = match tokio::fs::File::open(self.path(key)?).await {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let size = file.metadata().await?.len();
        Ok(Some(Box::new(FileReading { file, size })))
    }

    async fn fetch(&self, key: &str) -> Result<Option<PathBuf>> {
        let path = self.path(key)?;
        Ok(tokio::fs::try_exists(&path).await?.then_some(path))
    }

    async fn remove(&self, prefix: &str) -> Result<()> {
        let path = self.path(prefix)?;
        blocking(move || {
            let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            match removed {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        })
        .await
    }
}

async fn blocking(work: impl FnOnce() -> std::io::Result<()> + Send + 'static) -> Result<()> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|error| Error::Internal(format!("a file task ended early: {error}")))??)
}

fn make_parent(path: &Path) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), std::fs::create_dir_all)
}

/// A new name in a folder survives a power cut once the folder is synced.
fn sync_parent(path: &Path) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), |folder| std::fs::File::open(folder)?.sync_all())
}

/// Removes the files in a folder that nobody has touched for so long.
pub(crate) fn remove_older(folder: &Path, than: Duration) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // Another process may have removed it meanwhile.
        if entry.metadata().and_then(|data| data.modified()).is_ok_and(|at| at.elapsed().is_ok_and(|age| age > than)) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_put_comes_back_until_it_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = FileBlobs::new(folder.path().join("blobs")).unwrap();
        blobs.put("faces/1", Bytes::from_static(b"one")).await.unwrap();
        let file = folder.path().join("upload");
        std::fs::write(&file, b"video").unwrap();
        blobs.put_file("sessions/a/video", &file).await.unwrap();
        assert_eq!(blobs.get("faces/1").await.unwrap().unwrap(), "one");
        assert_eq!(std::fs::read(blobs.fetch("sessions/a/video").await.unwrap().unwrap()).unwrap(), b"video");
        blobs.remove("sessions/a").await.unwrap();
        blobs.remove("sessions/a").await.unwrap();
        assert_eq!(blobs.fetch("sessions/a/video").await.unwrap(), None);
        for bad in ["", "../x", "/etc/passwd", "a/../../b"] {
            assert!(blobs.put(bad, Bytes::new()).await.is_err(), "{bad}");
        }
    }
}
