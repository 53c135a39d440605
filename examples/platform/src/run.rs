//! Roles as tasks of one process, from start to a clean end.

use std::net::SocketAddr;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::app::{App, open_gallery};
use crate::config::Config;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::forwarder;
use crate::gateway::{self, auth, routes::Scope};
use crate::inference::{client, server};
use crate::vision::Vision;
use crate::workers;

/// The roles that have a process of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Frames in, faces out.
    Detection,
    /// Aligned faces in, vectors out; and a gallery.
    DataProcessing,
}

/// Detection and embedding as the configuration wants them: by services, or in this process.
///
/// # Errors
/// As [`client::connect`] and [`Vision::open`].
pub async fn vision(config: &Config) -> Result<Vision> {
    if !config.detection.is_empty() {
        return client::connect(config).await;
    }
    let config = config.clone();
    let opened = tokio::task::spawn_blocking(move || Vision::open(&config)).await;
    opened.map_err(|error| Error::Internal(format!("opening the models ended early: {error}")))?
}

/// One service with models of its own.
///
/// # Errors
/// Whatever keeps it from starting.
pub async fn serve(
    service: Service,
    config: Config,
    vision: Vision,
    stop: watch::Receiver<bool>,
    started: impl FnOnce(SocketAddr),
) -> Result<()> {
    let gallery = match service {
        Service::Detection => None,
        Service::DataProcessing => Some(open_gallery(&config, vision.embedder.model_key()).await?),
    };
    server::serve(&config, vision, service == Service::Detection, gallery, stop, started).await
}

/// The roles that share database, files and gallery. In one process with the default of each; in many with PostgreSQL for
/// database and gallery, and for the files JetStream or a data folder that all of them see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)] // the roles
pub struct Roles {
    pub gateway: bool,
    pub enrolment: bool,
    pub query: bool,
    /// One of these at a time: results are written in order.
    pub forwarder: bool,
}

impl Roles {
    /// Every role.
    pub const ALL: Self = Self { gateway: true, enrolment: true, query: true, forwarder: true };
}

/// These roles in this process. `started` hears of the gateway's address, and of the first admin key when there was none.
///
/// # Errors
/// Whatever keeps a part from starting; a part that ends too early.
pub async fn platform(
    roles: Roles,
    config: Config,
    vision: Vision,
    stop: watch::Receiver<bool>,
    started: impl FnOnce(Option<SocketAddr>, Option<String>),
) -> Result<()> {
    if roles != Roles::ALL && (config.database.is_empty() || config.gallery.is_empty()) {
        let message = "roles in processes of their own need `database` and `gallery` on a server that they share";
        return Err(Error::Config(message.into()));
    }
    // Ends when the process is to end, and when any part ends too early: half a platform helps nobody, and whoever looks after the
    // process can start it again.
    let (end, ending) = watch::channel(false);
    let (outer, mut stop) = (end.clone(), stop);
    tokio::spawn(async move {
        // An error: whoever could say so is gone, which says the same.
        drop(stop.wait_for(|stop| *stop).await);
        outer.send_replace(true);
    });
    let app = App::open(config, vision, ending).await?;
    let mut tasks = JoinSet::new();
    for number in 0..if roles.enrolment { app.config.work.enrolment_workers } else { 0 } {
        tasks.spawn(workers::enrolment(app.clone(), number));
    }
    for number in 0..if roles.query { app.config.work.query_workers } else { 0 } {
        tasks.spawn(workers::query(app.clone(), number));
    }
    if roles.forwarder {
        tasks.spawn(forwarder::forward(app.clone()));
        tasks.spawn(forwarder::deliver(app.clone()));
        tasks.spawn(forwarder::sweep(app.clone()));
    }
    let serve = async {
        if roles.gateway {
            // A key is shown once: it is made when nothing can keep the gateway from being used any more.
            let listener = gateway::bind(&app.config)?;
            let key = first_key(&app).await?;
            started(Some(listener.local_addr()?), key);
            return gateway::serve(app.clone(), listener).await;
        }
        started(None, None);
        app.stopped().await;
        Ok(())
    };
    let served = tokio::select! {
        served = serve => served,
        ended = tasks.join_next(), if !tasks.is_empty() => ended_early(&app, ended),
    };
    end.send_replace(true);
    // Workers give their jobs back and end; who still looks at something is waited for.
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a role ended badly");
        }
    }
    served
}

fn ended_early(app: &App, ended: Option<Result<(), tokio::task::JoinError>>) -> Result<()> {
    match ended {
        Some(Err(error)) => Err(Error::Internal(format!("a role ended: {error}"))),
        _ if app.stopping() => Ok(()),
        _ => Err(Error::Internal("a role ended without a reason".into())),
    }
}

/// A further admin key, for whoever can start programs here but has none.
///
/// # Errors
/// `config` when the database cannot be opened, `database`.
pub async fn further_key(config: &Config) -> Result<String> {
    let db = Db::of(config).await?;
    auth::make_key(&db, None, "made by `facerec-platform key`", &[Scope::Admin]).await.map(|(key, _)| key)
}

/// A new admin key when there is no key at all: the first start.
async fn first_key(app: &App) -> Result<Option<String>> {
    let keys: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM api_key").fetch_one(app.db.pool()).await?;
    if keys > 0 {
        return Ok(None);
    }
    auth::make_key(&app.db, None, "first key", &[Scope::Admin]).await.map(|(key, _)| Some(key))
}
