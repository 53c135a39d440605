//! The stream of results. One reader takes the oldest messages and deletes each when it is written.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_nats::jetstream::Context;
use async_nats::jetstream::stream::{Config, LastRawMessageErrorKind, RetentionPolicy, StorageType};
use async_trait::async_trait;

use super::tended::{TEND_EVERY, Tended};
use super::{PATIENCE, unavailable};
use crate::error::Result;
use crate::results::{MOST, Message, Results, Taken};

const SUBJECT: &str = "facerec.results";
/// How often an empty stream is asked again.
const POLL: Duration = Duration::from_millis(100);

/// JetStream as the stream. No consumer is kept on the server: its redeliveries would overtake each other, and results are
/// written in order.
pub struct NatsResults {
    tended: Tended,
    /// When the stream was last tended.
    at: Mutex<Option<Instant>>,
}

impl NatsResults {
    /// The stream, made when missing.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn open(context: Context) -> Result<Self> {
        let config = Config {
            name: "facerec-results".into(),
            subjects: vec![SUBJECT.into()],
            retention: RetentionPolicy::Limits,
            storage: StorageType::File,
            ..Config::default()
        };
        Ok(Self { tended: Tended::open(context, "the stream of results", config).await?, at: Mutex::new(None) })
    }

    async fn oldest(&self) -> Result<Vec<Taken>> {
        let (mut taken, mut from) = (Vec::new(), 1);
        while taken.len() < MOST {
            let got = tokio::time::timeout(PATIENCE, self.tended.stream.get_first_raw_message_by_subject(SUBJECT, from)).await;
            let message = match got.map_err(unavailable("the stream of results"))? {
                Ok(message) => message,
                Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => break,
                Err(error) => return Err(unavailable("the stream of results")(error)),
            };
            from = message.sequence + 1;
            let token = i64::try_from(message.sequence).unwrap_or(i64::MAX);
            taken.push(Taken { message: Message::read(&message.payload), token });
        }
        Ok(taken)
    }
}

#[async_trait]
impl Results for NatsResults {
    async fn publish(&self, message: &Message) -> Result<()> {
        let text = message.write()?;
        let sent = async { self.tended.context.publish(SUBJECT, text.into()).await?.await };
        let sent = tokio::time::timeout(PATIENCE, sent).await.map_err(unavailable("the stream of results"))?;
        sent.map(|_| ()).map_err(unavailable("the stream of results"))
    }

    async fn take(&self) -> Result<Vec<Taken>> {
        let mut taken = self.oldest().await?;
        if taken.is_empty() {
            tokio::time::sleep(POLL).await;
            taken = self.oldest().await?;
        }
        // What is taken is deleted next.
        let due = self.at.lock().unwrap_or_else(PoisonError::into_inner).is_none_or(|at| at.elapsed() >= TEND_EVERY);
        if due || !taken.is_empty() {
            self.tended.tend().await?;
            *self.at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        Ok(taken)
    }

    async fn acknowledge(&self, taken: &Taken) -> Result<()> {
        let deleting = self.tended.stream.delete_message(u64::try_from(taken.token).unwrap_or(0));
        let deleted = tokio::time::timeout(PATIENCE, deleting).await.map_err(unavailable("the stream of results"))?;
        deleted.map(|_| ()).map_err(unavailable("the stream of results"))
    }
}
