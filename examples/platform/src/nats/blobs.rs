//! Large files in JetStream's object store, with copies on this machine while they are looked at.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::object_store::{Config, GetErrorKind, InfoErrorKind, ObjectStore};
use async_nats::jetstream::stream::StorageType;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use super::{PATIENCE, unavailable};
use crate::blobs::Blobs;
use crate::error::Result;
use crate::ids::new_id;

const BUCKET: &str = "facerec-files";

/// A copy that nobody asked for this long is removed from this machine.
const KEPT: Duration = Duration::from_secs(600);

/// The object store.
pub struct NatsBlobs {
    bucket: ObjectStore,
    copies: PathBuf,
}

impl NatsBlobs {
    /// A store whose copies on this machine lie in `copies`, which is emptied.
    ///
    /// # Errors
    /// `unavailable`, `io`.
    pub async fn open(context: Context, copies: PathBuf) -> Result<Self> {
        if copies.exists() {
            std::fs::remove_dir_all(&copies)?;
        }
        std::fs::create_dir_all(&copies)?;
        let config = Config { bucket: BUCKET.into(), storage: StorageType::File, ..Config::default() };
        // Made or found: whoever asks for the same bucket gets the same.
        let bucket = context.create_object_store(config).await.map_err(unavailable("the object store"))?;
        let folder = copies.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(KEPT / 10).await;
                let folder = folder.clone();
                // An error: the folder or a file went away meanwhile, which is what was wanted.
                let _ = tokio::task::spawn_blocking(move || remove_old(&folder)).await;
            }
        });
        Ok(Self { bucket, copies })
    }

    async fn write(&self, key: &str, mut bytes: impl AsyncRead + Unpin) -> Result<()> {
        self.bucket.put(key, &mut bytes).await.map(|_| ()).map_err(unavailable("the object store"))
    }

    /// The name of the copy of what is kept under `key` now; it changes with what is kept.
    async fn copy_of(&self, key: &str) -> Result<Option<PathBuf>> {
        let info = tokio::time::timeout(PATIENCE, self.bucket.info(key)).await.map_err(unavailable("the object store"))?;
        match info {
            Ok(info) if info.deleted => Ok(None),
            Ok(info) => Ok(Some(self.copies.join(info.nuid))),
            Err(error) if error.kind() == InfoErrorKind::NotFound => Ok(None),
            Err(error) => Err(unavailable("the object store")(error)),
        }
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.bucket.delete(key).await.map_err(unavailable("the object store"))
    }
}

#[async_trait]
impl Blobs for NatsBlobs {
    async fn put(&self, key: &str, bytes: Bytes) -> Result<()> {
        // A put of small things that hangs is a server that went away.
        let written = tokio::time::timeout(6 * PATIENCE, self.write(key, &bytes[..])).await;
        written.map_err(unavailable("the object store"))?
    }

    async fn put_file(&self, key: &str, path: &Path) -> Result<()> {
        self.write(key, tokio::fs::File::open(path).await?).await?;
        Ok(tokio::fs::remove_file(path).await?)
    }

    async fn has(&self, key: &str) -> Result<bool> {
        Ok(self.copy_of(key).await?.is_some())
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        let whole = async {
            let mut object = match self.bucket.get(key).await {
                Ok(object) => object,
                Err(error) if error.kind() == GetErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(unavailable("the object store")(error)),
            };
            let mut bytes = Vec::with_capacity(object.info.size);
            object.read_to_end(&mut bytes).await.map_err(unavailable("the object store"))?;
            Ok(Some(bytes.into()))
        };
        tokio::time::timeout(6 * PATIENCE, whole).await.map_err(unavailable("the object store"))?
    }

    async fn fetch(&self, key: &str) -> Result<Option<PathBuf>> {
        let Some(copy) = self.copy_of(key).await? else { return Ok(None) };
        if let Ok(file) = tokio::fs::File::open(&copy).await {
            // Used now: it is kept a while longer.
            file.into_std().await.set_modified(std::time::SystemTime::now())?;
            return Ok(Some(copy));
        }
        let temporary = self.copies.join(format!(".{}", new_id()));
        let copied = async {
            let mut object = self.bucket.get(key).await.map_err(unavailable("the object store"))?;
            let mut file = tokio::fs::File::create(&temporary).await?;
            let mut piece = vec![0; 256 << 10];
            loop {
                let read = tokio::time::timeout(6 * PATIENCE, object.read(&mut piece)).await.map_err(unavailable("the object store"))?;
                let count = read.map_err(unavailable("the object store"))?;
                if count == 0 {
                    break;
                }
                file.write_all(&piece[..count]).await?;
            }
            file.flush().await?;
            Ok(tokio::fs::rename(&temporary, &copy).await?)
        };
        if let Err(error) = copied.await {
            let _ = tokio::fs::remove_file(&temporary).await; // the first error is the one that matters
            return Err(error);
        }
        Ok(Some(copy))
    }

    async fn remove(&self, prefix: &str) -> Result<()> {
        if let Some(copy) = self.copy_of(prefix).await? {
            let _ = tokio::fs::remove_file(copy).await; // there may be none
            return self.delete(prefix).await;
        }
        let below = format!("{prefix}/");
        let list = self.bucket.list().await.map_err(unavailable("the object store"))?;
        let objects: Vec<_> = list
            .try_filter(|object| std::future::ready(object.name.starts_with(&below)))
            .try_collect()
            .await
            .map_err(unavailable("the object store"))?;
        for object in objects {
            let _ = tokio::fs::remove_file(self.copies.join(&object.nuid)).await;
            self.delete(&object.name).await?;
        }
        Ok(())
    }
}

fn remove_old(folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.metadata()?.modified()?.elapsed().is_ok_and(|age| age > KEPT) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
