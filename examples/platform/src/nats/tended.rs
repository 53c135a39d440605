//! Streams that survive the end of a nats-server 2.9.
//!
//! Such a server that is killed when the newest file of a stream holds nothing but what was deleted comes back with a stream that takes
//! messages, says that they are safe, and can never give them back. So that this does not come about, an anchor, a message that
//! nobody reads, is laid behind messages before they are deleted; where it came about all the same, it is noticed and mended.

use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::stream::{Config, LastRawMessageErrorKind, Stream};

use super::{PATIENCE, unavailable};
use crate::error::Result;
use crate::ids::new_id;

/// How often a stream is tended in which nothing happens.
pub(super) const TEND_EVERY: Duration = Duration::from_secs(2);

/// A stream with an anchor.
pub(super) struct Tended {
    pub(super) context: Context,
    pub(super) stream: Stream,
    what: &'static str,
    anchors: String,
}

impl Tended {
    /// The stream of `config`, made when missing. `what` it is, for messages.
    ///
    /// # Errors
    /// `unavailable`.
    pub(super) async fn open(context: Context, what: &'static str, mut config: Config) -> Result<Self> {
        let anchors = format!("facerec.anchor.{}.*", config.name);
        config.subjects.push(anchors.clone());
        let stream = context.get_or_create_stream(config).await.map_err(unavailable(what))?;
        let tended = Self::over(context, what, stream, anchors);
        tended.anchor().await?;
        Ok(tended)
    }

    /// A stream that is there already, with a subject of it for anchors, which ends in `*`.
    pub(super) fn over(context: Context, what: &'static str, stream: Stream, anchors: String) -> Self {
        Self { context, stream, what, anchors }
    }

    /// Lays a new anchor behind everything, and takes up the older ones; its number.
    ///
    /// # Errors
    /// `unavailable`.
    pub(super) async fn anchor(&self) -> Result<u64> {
        let laid = async {
            let subject = self.anchors.replace('*', &new_id());
            let sent = self.context.publish(subject, "".into()).await.map_err(unavailable(self.what))?;
            let laid = sent.await.map_err(unavailable(self.what))?;
            self.stream.purge().filter(&self.anchors).keep(1).await.map_err(unavailable(self.what))?;
            Ok(laid.sequence)
        };
        tokio::time::timeout(2 * PATIENCE, laid).await.map_err(unavailable(self.what))?
    }

    /// Lays an anchor and sees whether it can be read. A stream that gives nothing back is emptied, which makes it whole; what it
    /// had taken is lost, as it was before. For streams only of which everything that is lost is sent again.
    ///
    /// # Errors
    /// `unavailable`.
    pub(super) async fn tend(&self) -> Result<()> {
        let laid = self.anchor().await?;
        let newest = tokio::time::timeout(PATIENCE, self.stream.get_last_raw_message_by_subject(&self.anchors)).await;
        match newest.map_err(unavailable(self.what))? {
            Ok(newest) if newest.sequence >= laid => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => {}
            Err(error) => return Err(unavailable(self.what)(error)),
        }
        tracing::error!(what = self.what, "a stream gives nothing back that it takes, and is emptied; what is lost is done again");
        let emptied = tokio::time::timeout(2 * PATIENCE, self.stream.purge()).await.map_err(unavailable(self.what))?;
        emptied.map_err(unavailable(self.what))?;
        self.anchor().await.map(drop)
    }
}
