//! A work queue. The database keeps each job's state; a message says only that a job is there.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use async_nats::jetstream::{AckKind, Context, Message};
use async_trait::async_trait;
use futures_util::StreamExt;

use super::tended::Tended;
use super::{PATIENCE, unavailable};
use crate::db::Db;
use crate::error::Result;
use crate::jobs::{self, Claim, Kind};
use crate::queue::Queue;

const STREAM: &str = "facerec-jobs";

/// How long the server is asked to wait for a job.
const WAIT: Duration = Duration::from_secs(1);

/// How many messages the sweep has on their way at the same time.
const AT_ONCE: usize = 64;

/// JetStream as the queue. There is at most one message of a job at any time, so that whoever fears that one was lost may send it
/// again without a thought.
pub struct NatsQueue {
    db: Db,
    lease_ms: i64,
    tended: Tended,
    consumers: HashMap<Kind, PullConsumer>,
    held: Mutex<HashMap<String, Message>>,
    /// Jobs that the sweep has sent again, and when.
    again: Mutex<HashMap<String, Instant>>,
}

impl NatsQueue {
    /// A queue whose workers may be silent for `lease`.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn open(context: Context, db: Db, lease: Duration) -> Result<Self> {
        let config = Config {
            name: STREAM.into(),
            subjects: vec!["facerec.jobs.*.*".into()],
            retention: RetentionPolicy::WorkQueue,
            storage: StorageType::File,
            discard: DiscardPolicy::New,
            discard_new_per_subject: true,
            max_messages_per_subject: 1,
            ..Config::default()
        };
        let tended = Tended::open(context, "the queue", config).await?;
        let mut consumers = HashMap::new();
        for kind in [Kind::Enrol, Kind::Query] {
            let config = pull::Config {
                durable_name: Some(kind.name().into()),
                ack_policy: AckPolicy::Explicit,
                // A little longer than the lease in the database: whoever gets the message then may begin.
                ack_wait: lease + Duration::from_millis(500),
                filter_subject: format!("facerec.jobs.{}.*", kind.name()),
                max_ack_pending: 10_000,
                ..pull::Config::default()
            };
            let consumer = tended.stream.create_consumer(config).await;
            consumers.insert(kind, consumer.map_err(unavailable("the queue"))?);
        }
        let lease_ms = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX);
        Ok(Self { db, lease_ms, tended, consumers, held: Mutex::default(), again: Mutex::default() })
    }

    fn held(&self) -> std::sync::MutexGuard<'_, HashMap<String, Message>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send(&self, kind: Kind, id: &str) -> std::result::Result<(), String> {
        let sending = async {
            let sent =
                self.tended.context.publish(format!("facerec.jobs.{}.{id}", kind.name()), "".into()).await.map_err(|e| e.to_string())?;
            match sent.await.map_err(|error| error.to_string()) {
                Err(error) if error.contains("maximum messages per subject") => Ok(()), // it is there already
                answer => answer.map(|_| ()),
            }
        };
        tokio::time::timeout(PATIENCE, sending).await.unwrap_or_else(|_| Err("no answer".into()))
    }

    /// Answers for the message of a job; without an answer it comes again, which does no harm.
    async fn answer(&self, message: Option<Message>, kind: AckKind) {
        let Some(message) = message else { return };
        match tokio::time::timeout(PATIENCE, message.ack_with(kind)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a job's message could not be answered for"),
            Err(_) => tracing::debug!("a job's message could not be answered for: no answer"),
        }
    }

    /// Of `jobs`, which may all have lost their messages, those that were not sent again lately: the rest only wait for a worker.
    fn not_lately(&self, jobs: Vec<String>) -> Vec<String> {
        let lately = Duration::from_millis(self.lease_ms.unsigned_abs()).max(Duration::from_secs(10));
        let mut again = self.again.lock().unwrap_or_else(PoisonError::into_inner);
        again.retain(|_, at| at.elapsed() < lately);
        jobs.into_iter().filter(|id| !again.contains_key(id)).collect()
    }

    /// Sends messages again. One that is refused does not keep the others back; a server that is away is not waited for each time.
    async fn send_again(&self, kind: Kind, jobs: Vec<String>) -> Result<()> {
        let sent = futures_util::stream::iter(jobs).map(async |id| {
            let sent = self.send(kind, &id).await;
            if sent.is_ok() {
                self.again.lock().unwrap_or_else(PoisonError::into_inner).insert(id, Instant::now());
            }
            sent
        });
        let all = sent.buffer_unordered(AT_ONCE).filter_map(async |sent| sent.err()).collect::<Vec<_>>();
        let failed = tokio::time::timeout(2 * PATIENCE, all).await.map_err(unavailable("the queue"))?;
        failed.into_iter().next().map_or(Ok(()), |error| Err(unavailable("the queue")(error)))
    }
}

#[async_trait]
impl Queue for NatsQueue {
    async fn push(&self, kind: Kind, id: &str) -> Result<()> {
        // The job is in the database, and the sweep will find it: the caller need not worry.
        if let Err(error) = self.send(kind, id).await {
            tracing::warn!(job = id, error, "a job could not be announced; the sweep does it later");
        }
        Ok(())
    }

    async fn next(&self, kind: Kind, worker: &str) -> Result<Option<Claim>> {
        let Some(consumer) = self.consumers.get(&kind) else { return Ok(None) };
        let fetched = async {
            let mut messages = consumer.fetch().max_messages(1).expires(WAIT).messages().await.map_err(unavailable("the queue"))?;
            messages.next().await.transpose().map_err(unavailable("the queue"))
        };
        // A server that went away says nothing at all.
        let Ok(fetched) = tokio::time::timeout(WAIT + PATIENCE, fetched).await else { return Ok(None) };
        let Some(message) = fetched? else { return Ok(None) };
        let id = message.subject.rsplit('.').next().unwrap_or_default().to_owned();
        match jobs::begin(&self.db, &id, worker, self.lease_ms).await {
            Ok(Some(claim)) => {
                self.held().insert(id, message);
                Ok(Some(claim))
            }
            // Final, gone, or in another's hands; should those die, the sweep brings the job back.
            Ok(None) => {
                self.answer(Some(message), AckKind::Ack).await;
                Ok(None)
            }
            Err(error) => {
                self.answer(Some(message), AckKind::Nak(Some(Duration::from_secs(1)))).await;
                Err(error)
            }
        }
    }

    async fn heartbeat(&self, claim: &Claim) -> Result<bool> {
        // The lease first: it is what counts.
        let ours = jobs::heartbeat(&self.db, claim, self.lease_ms).await?;
        let message = self.held().get(&claim.id).cloned();
        if ours {
            self.answer(message, AckKind::Progress).await;
        } else {
            self.held().remove(&claim.id);
        }
        Ok(ours)
    }

    async fn done(&self, claim: &Claim) -> Result<()> {
        jobs::reported(&self.db, claim).await?;
        let message = self.held().remove(&claim.id);
        self.answer(message, AckKind::Ack).await;
        Ok(())
    }

    async fn release(&self, claim: &Claim, error: &str, delay: Duration, fault: bool) -> Result<()> {
        jobs::release(&self.db, claim, error, i64::try_from(delay.as_millis()).unwrap_or(i64::MAX), fault).await?;
        let message = self.held().remove(&claim.id);
        self.answer(message, AckKind::Nak(Some(delay))).await;
        Ok(())
    }

    async fn sweep(&self) -> Result<()> {
        self.tended.tend().await?;
        for kind in [Kind::Enrol, Kind::Query] {
            let waiting = jobs::stranded(&self.db, kind, self.lease_ms).await?;
            self.send_again(kind, self.not_lately(waiting)).await?;
        }
        Ok(())
    }
}
