//! Jobs in the database: who works on what, and which attempt counts. The one truth about a job's state, whatever delivers it.
//!
//! A worker holds a job by a lease that its heartbeats prolong. Every time a worker begins, the job's attempt goes up by one,
//! and what earlier attempts still report counts nothing: a worker that was taken for dead cannot add to another's results.

use sqlx::{Any, Row as _, Transaction};

use crate::db::{Db, Row, now_ms};
use crate::error::Result;

/// The final states, as SQL writes them: a job in one of them never changes again.
pub const FINAL: [&str; 5] = ["done", "accepted", "rejected", "failed", "cancelled"];

/// What kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A photo to enrol.
    Enrol,
    /// A video to look through.
    Query,
}

impl Kind {
    /// As the database and the queue write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Enrol => "enrol",
            Self::Query => "query",
        }
    }
}

/// A job in a worker's hands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The job's id.
    pub id: String,
    /// Which attempt this is, from 1.
    pub attempt: i64,
    /// How many attempts ended by the job's own fault, as far as anybody knows: its worker died, or could not do it.
    pub faults: i64,
}

impl Claim {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self { id: row.try_get("id")?, attempt: row.try_get("attempt")?, faults: row.try_get("faults")? })
    }
}

/// Writes a new job. An id that is there already is left as it is, and the answer is false.
///
/// # Errors
/// `database`.
pub async fn insert(tx: &mut Transaction<'static, Any>, id: &str, kind: Kind) -> Result<bool> {
    let statement = "INSERT INTO job (id, kind, state, attempt, faults, lease_until_ms, not_before_ms, created_ms) \
                     VALUES ($1, $2, 'queued', 0, 0, 0, 0, $3) ON CONFLICT (id) DO NOTHING";
    let done = sqlx::query(statement).bind(id).bind(kind.name()).bind(now_ms()).execute(&mut **tx).await?;
    Ok(done.rows_affected() == 1)
}

/// The next job that waits, or whose worker has been silent for longer than its lease.
///
/// # Errors
/// `database`.
pub async fn claim(db: &Db, kind: Kind, worker: &str, lease_ms: i64) -> Result<Option<Claim>> {
    const ONE_WRITER: &str = "UPDATE job SET faults = faults + CASE state WHEN 'running' THEN 1 ELSE 0 END, \
        state = 'running', attempt = attempt + 1, lease_until_ms = $1, worker = $2 WHERE id = (\
        SELECT id FROM job WHERE kind = $3 AND ((state = 'queued' AND not_before_ms <= $4) OR (state = 'running' AND lease_until_ms < $4)) \
        ORDER BY created_ms, id LIMIT 1) RETURNING id, attempt, faults";
    const MANY_WRITERS: &str = "UPDATE job SET faults = faults + CASE state WHEN 'running' THEN 1 ELSE 0 END, \
        state = 'running', attempt = attempt + 1, lease_until_ms = $1, worker = $2 WHERE id = (\
        SELECT id FROM job WHERE kind = $3 AND ((state = 'queued' AND not_before_ms <= $4) OR (state = 'running' AND lease_until_ms < $4)) \
        ORDER BY created_ms, id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id, attempt, faults";
    let now = now_ms();
    let statement = sqlx::query(if db.is_postgres() { MANY_WRITERS } else { ONE_WRITER });
    let row = statement.bind(now + lease_ms).bind(worker).bind(kind.name()).bind(now).fetch_optional(db.pool()).await?;
    row.as_ref().map(Claim::read).transpose()
}

/// Begins a job that a queue delivered; `None` when it is final, was deleted, or another worker is at it.
///
/// # Errors
/// `database`.
pub async fn begin(db: &Db, id: &str, worker: &str, lease_ms: i64) -> Result<Option<Claim>> {
    let statement = "UPDATE job SET faults = faults + CASE state WHEN 'running' THEN 1 ELSE 0 END, \
                     state = 'running', attempt = attempt + 1, lease_until_ms = $1, worker = $2 WHERE id = $3 \
                     AND (state = 'queued' OR (state = 'running' AND lease_until_ms < $4)) RETURNING id, attempt, faults";
    let now = now_ms();
    let row = sqlx::query(statement).bind(now + lease_ms).bind(worker).bind(id).bind(now).fetch_optional(db.pool()).await?;
    row.as_ref().map(Claim::read).transpose()
}

/// Prolongs the lease. False: the job is no longer this worker's, and it should stop.
///
/// # Errors
/// `database`.
pub async fn heartbeat(db: &Db, claim: &Claim, lease_ms: i64) -> Result<bool> {
    let statement = "UPDATE job SET lease_until_ms = $1 WHERE id = $2 AND attempt = $3 AND state = 'running'";
    let done = sqlx::query(statement).bind(now_ms() + lease_ms).bind(&claim.id).bind(claim.attempt).execute(db.pool()).await?;
    Ok(done.rows_affected() == 1)
}

/// Gives a job back to be tried again after `delay_ms`; `fault` when it was the job's own.
///
/// # Errors
/// `database`.
pub async fn release(db: &Db, claim: &Claim, error: &str, delay_ms: i64, fault: bool) -> Result<()> {
    let statement = "UPDATE job SET state = 'queued', not_before_ms = $1, error = $2, faults = faults + $3 \
                     WHERE id = $4 AND attempt = $5 AND state = 'running'";
    let update = sqlx::query(statement).bind(now_ms() + delay_ms).bind(error).bind(i64::from(fault));
    update.bind(&claim.id).bind(claim.attempt).execute(db.pool()).await?;
    Ok(())
}

/// Whether `claim` is the attempt that counts, with its row locked until the transaction ends.
///
/// # Errors
/// `database`.
pub async fn counts(tx: &mut Transaction<'static, Any>, claim: &Claim) -> Result<bool> {
    // An update that changes nothing takes the lock on both databases.
    let statement = "UPDATE job SET attempt = attempt WHERE id = $1 AND attempt = $2 AND state = 'running'";
    let done = sqlx::query(statement).bind(&claim.id).bind(claim.attempt).execute(&mut **tx).await?;
    Ok(done.rows_affected() == 1)
}

/// Gives a job its final state, once: false when it has one, or when another attempt counts.
///
/// # Errors
/// `database`.
pub async fn finish(tx: &mut Transaction<'static, Any>, claim: &Claim, state: &str, error: Option<&str>) -> Result<bool> {
    let statement = "UPDATE job SET state = $1, error = $2, finished_ms = $3 WHERE id = $4 AND attempt = $5 AND state = 'running'";
    let query = sqlx::query(statement).bind(state).bind(error).bind(now_ms()).bind(&claim.id).bind(claim.attempt);
    Ok(query.execute(&mut **tx).await?.rows_affected() == 1)
}

/// Cancels a job that is not final; false when it is.
///
/// # Errors
/// `database`.
pub async fn cancel(tx: &mut Transaction<'static, Any>, id: &str) -> Result<bool> {
    let statement = "UPDATE job SET state = 'cancelled', finished_ms = $1 WHERE id = $2 AND state IN ('queued', 'running')";
    Ok(sqlx::query(statement).bind(now_ms()).bind(id).execute(&mut **tx).await?.rows_affected() == 1)
}

/// Ids of jobs that wait and were not delivered for `older_ms`, or whose worker is silent: a queue may have lost them.
///
/// # Errors
/// `database`.
pub async fn stranded(db: &Db, kind: Kind, older_ms: i64) -> Result<Vec<String>> {
    let statement = "SELECT id FROM job WHERE kind = $1 AND ((state = 'queued' AND created_ms < $2 AND not_before_ms <= $3) \
                     OR (state = 'running' AND lease_until_ms < $3)) ORDER BY created_ms LIMIT 1000";
    let now = now_ms();
    Ok(sqlx::query_scalar(statement).bind(kind.name()).bind(now - older_ms).bind(now).fetch_all(db.pool()).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn with_job() -> (tempfile::TempDir, Db) {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open_file(&folder.path().join("platform.db")).await.unwrap();
        let mut tx = db.begin().await.unwrap();
        assert!(insert(&mut tx, "a", Kind::Query).await.unwrap());
        assert!(!insert(&mut tx, "a", Kind::Query).await.unwrap());
        tx.commit().await.unwrap();
        (folder, db)
    }

    #[tokio::test]
    async fn a_job_has_one_worker_until_its_lease_ends() {
        let (_folder, db) = with_job().await;
        assert_eq!(claim(&db, Kind::Enrol, "w", 50).await.unwrap(), None);
        let first = claim(&db, Kind::Query, "w1", 2000).await.unwrap().unwrap();
        assert_eq!((first.attempt, first.faults), (1, 0));
        assert_eq!(claim(&db, Kind::Query, "w2", 2000).await.unwrap(), None);
        tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
        let second = claim(&db, Kind::Query, "w2", 60_000).await.unwrap().unwrap();
        assert_eq!((second.attempt, second.faults), (2, 1), "a worker that fell silent counts against the job");
        assert!(!heartbeat(&db, &first, 50).await.unwrap(), "the first worker is told that it lost the job");
        assert!(heartbeat(&db, &second, 50).await.unwrap());
        let mut tx = db.begin().await.unwrap();
        assert!(!finish(&mut tx, &first, "done", None).await.unwrap(), "a lost attempt cannot finish the job");
        assert!(finish(&mut tx, &second, "done", None).await.unwrap());
        assert!(!finish(&mut tx, &second, "failed", None).await.unwrap(), "final is final");
        tx.commit().await.unwrap();
        assert_eq!(begin(&db, "a", "w3", 50).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_job_given_back_waits_for_its_time() {
        let (_folder, db) = with_job().await;
        let first = claim(&db, Kind::Query, "w", 60_000).await.unwrap().unwrap();
        release(&db, &first, "the disk was full", 60_000, true).await.unwrap();
        assert_eq!(claim(&db, Kind::Query, "w", 60_000).await.unwrap(), None);
        let mut tx = db.begin().await.unwrap();
        assert!(cancel(&mut tx, "a").await.unwrap());
        assert!(!cancel(&mut tx, "a").await.unwrap());
    }
}
