//! What brings jobs to workers.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;

use crate::db::Db;
use crate::error::Result;
use crate::jobs::{self, Claim, Kind};

/// Brings jobs to workers. The database holds each job's state, so that a queue may deliver a job twice or late without harm.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Says that a job is there, after it was committed to the database.
    async fn push(&self, kind: Kind, id: &str) -> Result<()>;

    /// The next job for `worker`; `None` when there was none for a while.
    async fn next(&self, kind: Kind, worker: &str) -> Result<Option<Claim>>;

    /// Prolongs the lease. False: the job is no longer this worker's, and it should stop.
    async fn heartbeat(&self, claim: &Claim) -> Result<bool>;

    /// The worker is done with the job: its final result is on its way.
    async fn done(&self, claim: &Claim) -> Result<()>;

    /// Gives the job back to be tried again after `delay`; `fault` when it was the job's own.
    async fn release(&self, claim: &Claim, error: &str, delay: Duration, fault: bool) -> Result<()>;

    /// Brings back jobs that were lost on the way to a worker. Called every few seconds.
    async fn sweep(&self) -> Result<()>;
}

/// The database as the queue: SQLite for one process, PostgreSQL for many.
pub struct SqlQueue {
    db: Db,
    lease_ms: i64,
    wake: Notify,
}

/// How often the database is asked for jobs that nobody announced: another process's, retries.
const POLL: Duration = Duration::from_millis(250);

impl SqlQueue {
    /// A queue in `db` whose workers may be silent for `lease`.
    pub fn new(db: Db, lease: Duration) -> Self {
        Self { db, lease_ms: i64::try_from(lease.as_millis()).unwrap_or(i64::MAX), wake: Notify::new() }
    }
}

#[async_trait]
impl Queue for SqlQueue {
    async fn push(&self, _: Kind, _: &str) -> Result<()> {
        self.wake.notify_waiters();
        Ok(())
    }

    async fn next(&self, kind: Kind, worker: &str) -> Result<Option<Claim>> {
        if let Some(claim) = jobs::claim(&self.db, kind, worker, self.lease_ms).await? {
            return Ok(Some(claim));
        }
        // A push between the question and the wait is found by the next poll.
        let _ = tokio::time::timeout(POLL, self.wake.notified()).await;
        jobs::claim(&self.db, kind, worker, self.lease_ms).await
    }

    async fn heartbeat(&self, claim: &Claim) -> Result<bool> {
        jobs::heartbeat(&self.db, claim, self.lease_ms).await
    }

    async fn done(&self, claim: &Claim) -> Result<()> {
        jobs::reported(&self.db, claim).await
    }

    async fn release(&self, claim: &Claim, error: &str, delay: Duration, fault: bool) -> Result<()> {
        jobs::release(&self.db, claim, error, i64::try_from(delay.as_millis()).unwrap_or(i64::MAX), fault).await
    }

    async fn sweep(&self) -> Result<()> {
        Ok(()) // nothing is on its way: `next` reads the jobs themselves
    }
}
