//! What the roles share: the parts of a running platform.

use std::path::PathBuf;
use std::sync::Arc;

use facerec_core::{Gallery, GalleryOptions, ModelKey};
use tokio::sync::watch;

use crate::blobs::{Blobs, FileBlobs};
use crate::config::Config;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::nats::{self, NatsBlobs, NatsQueue, NatsResults};
use crate::queue::{Queue, SqlQueue};
use crate::results::{Results, SqlResults};
use crate::vision::Vision;

/// The parts of a running platform. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The checked configuration.
    pub config: Arc<Config>,
    /// The database.
    pub db: Db,
    /// Brings jobs to workers.
    pub queue: Arc<dyn Queue>,
    /// Brings results to the forwarder.
    pub results: Arc<dyn Results>,
    /// Keeps large things.
    pub blobs: Arc<dyn Blobs>,
    /// Detection and embedding.
    pub vision: Vision,
    /// The people.
    pub gallery: Arc<Gallery>,
    /// Becomes true when the process is to end.
    pub stop: watch::Receiver<bool>,
}

/// Opens the gallery that the configuration names, for vectors of the model `key`.
///
/// # Errors
/// `config` without a folder for it; the gallery's own.
pub async fn open_gallery(config: &Config, key: &Arc<ModelKey>) -> Result<Arc<Gallery>> {
    let at = if config.gallery.is_empty() { config.folder("gallery")? } else { PathBuf::from(&config.gallery) };
    // On a thread of its own: a gallery on a server waits for it in its own way.
    let key = Arc::clone(key);
    let opened = tokio::task::spawn_blocking(move || Gallery::open(at, &key, GalleryOptions::default())).await;
    Ok(Arc::new(opened.map_err(|error| Error::Internal(format!("opening the gallery ended early: {error}")))??))
}

impl App {
    /// Opens everything.
    ///
    /// # Errors
    /// `config` and whatever keeps a part from opening.
    pub async fn open(config: Config, vision: Vision, stop: watch::Receiver<bool>) -> Result<Self> {
        config.check()?;
        config.folder("uploads")?;
        let db = Db::of(&config).await?;
        let (queue, results, blobs): (Arc<dyn Queue>, Arc<dyn Results>, Arc<dyn Blobs>) = if config.nats.is_empty() {
            let (queue, results) = (SqlQueue::new(db.clone(), config.lease()), SqlResults::new(db.clone()));
            (Arc::new(queue), Arc::new(results), Arc::new(FileBlobs::new(config.folder("files")?)?))
        } else {
            let context = nats::connect(&config).await?;
            let queue = NatsQueue::open(context.clone(), db.clone(), config.lease()).await?;
            let results = NatsResults::open(context.clone()).await?;
            (Arc::new(queue), Arc::new(results), Arc::new(NatsBlobs::open(context, config.folder("copies")?).await?))
        };
        let gallery = open_gallery(&config, vision.embedder.model_key()).await?;
        Ok(Self { config: Arc::new(config), db, queue, results, blobs, vision, gallery, stop })
    }

    /// Work that keeps a thread busy, on a thread for that; a panic is an error of this one call.
    ///
    /// # Errors
    /// Those of `work`; `internal` when it panicked.
    pub async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(&Self) -> Result<T> + Send + 'static) -> Result<T> {
        let app = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&app)).await;
        done.map_err(|error| Error::Internal(format!("a task ended early: {error}")))?
    }

    /// Waits until the process is to end.
    pub async fn stopped(&self) {
        let mut stop = self.stop.clone();
        // An error: whoever could say so is gone, which says the same.
        drop(stop.wait_for(|stop| *stop).await);
    }

    /// Whether the process is to end.
    pub fn stopping(&self) -> bool {
        *self.stop.borrow()
    }
}
