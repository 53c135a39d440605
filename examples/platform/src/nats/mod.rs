//! NATS JetStream between machines: work queues, the stream of results, and large files in its object store.

mod blobs;
mod copies;
mod pieces;
mod queue;
mod results;
mod tended;

use std::time::Duration;

use async_nats::ConnectOptions;
use async_nats::jetstream::{self, Context};

use crate::config::Config;
use crate::error::{Error, Result};

pub use blobs::NatsBlobs;
pub use queue::NatsQueue;
pub use results::NatsResults;

/// How long an answer of the server is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection to the server of `config.nats` that comes back by itself for as long as the process runs.
///
/// # Errors
/// `config` when it cannot be reached at the start or has no JetStream.
pub async fn connect(config: &Config) -> Result<Context> {
    let mut options = ConnectOptions::new().name("facerec-platform").connection_timeout(PATIENCE).max_reconnects(None);
    options = options.reconnect_delay_callback(|tries| Duration::from_millis(100 * tries.min(20) as u64));
    if let Some(authority) = &config.tls_authority {
        options = options.add_root_certificates(authority.clone());
    }
    // Without the address, which may hold a password.
    let addresses: Vec<&str> = config.nats.split(',').map(str::trim).collect();
    let client = options.connect(addresses).await.map_err(|error| Error::Config(format!("`nats`: cannot connect: {error}")))?;
    if !client.server_info().jetstream {
        return Err(Error::Config("`nats`: the server has no JetStream; start it with --jetstream".into()));
    }
    let mut context = jetstream::new(client);
    context.set_timeout(PATIENCE);
    Ok(context)
}

/// An error of the server as one that goes away by itself; its words are for the log.
fn unavailable<E: std::fmt::Display>(what: &'static str) -> impl Fn(E) -> Error {
    move |error| {
        tracing::warn!(%error, what, "NATS does not do what it should");
        Error::Unavailable(format!("{what} does not answer; try again"))
    }
}
