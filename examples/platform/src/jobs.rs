//! Jobs in the database: who works on what, and which attempt counts. The one truth about a job's state, whatever delivers it.
//!
//! A worker holds a job by a lease that its heartbeats prolong. Every time a worker begins, the job's attempt goes up by one,
//! and what earlier attempts still report counts nothing: a worker that was taken for dead cannot add to another's results.
//! A worker that is done lays its lease down: the job then waits, without a time limit, for its report to be written.

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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claim {
    /// The job's id.
    pub id: String,
    /// Which attempt this is, from 1.
    pub attempt: i64,
    /// How many attempts ended by the job's own fault, as far as anybody knows: its worker died, or could not do it.
    pub faults: i64,
    /// When the job was made.
    pub created_ms: i64,
}

impl Claim {
    fn read(row: &Row) -> Result<Self> {
        let (id, attempt) = (row.try_get("id")?, row.try_get("attempt")?);
        Ok(Self { id, attempt, faults: row.try_get("faults")?, created_ms: row.try_get("created_ms")? })
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

/// The next job that waits.
///
/// # Errors
/// `database`.
pub async fn claim(db: &Db, kind: Kind, worker: &str, lease_ms: i64) -> Result<Option<Claim>> {
    const ONE_WRITER: &str = "UPDATE job SET state = 'running', attempt = attempt + 1, lease_until_ms = $1, worker = $2 WHERE id = (\
        SELECT id FROM job WHERE kind = $3 AND state = 'queued' AND not_before_ms <= $4 ORDER BY created_ms, id LIMIT 1) \
        RETURNING id, attempt, faults, created_ms";
    const MANY_WRITERS: &str = "UPDATE job SET state = 'running', attempt = attempt + 1, lease_until_ms = $1, worker = $2 WHERE id = (\
        SELECT id FROM job WHERE kind = $3 AND state = 'queued' AND not_before_ms <= $4 ORDER BY created_ms, id LIMIT 1 \
        FOR UPDATE SKIP LOCKED) RETURNING id, attempt, faults, created_ms";
    let now = now_ms();
    let statement = sqlx::query(if db.is_postgres() { MANY_WRITERS } else { ONE_WRITER });
    let row = statement.bind(now + lease_ms).bind(worker).bind(kind.name()).bind(now).fetch_optional(db.pool()).await?;
    row.as_ref().map(Claim::read).transpose()
}

/// Begins a job that a queue delivered; `None` when it is final, was deleted, is to wait, or another worker is at it.
///
/// # Errors
/// `database`.
pub async fn begin(db: &Db, id: &str, worker: &str, lease_ms: i64) -> Result<Option<Claim>> {
    let statement = "UPDATE job SET state = 'running', attempt = attempt + 1, lease_until_ms = $1, worker = $2 \
                     WHERE id = $3 AND state = 'queued' AND not_before_ms <= $4 RETURNING id, attempt, faults, created_ms";
    let now = now_ms();
    let row = sqlx::query(statement).bind(now + lease_ms).bind(worker).bind(id).bind(now).fetch_optional(db.pool()).await?;
    row.as_ref().map(Claim::read).transpose()
}

/// Prolongs the lease. False: the job is no longer this worker's, and it should stop.
///
/// # Errors
/// `database`.
pub async fn heartbeat(db: &Db, claim: &Claim, lease_ms: i64) -> Result<bool> {
    // One that comes late must not bring back a lease that was laid down.
    let statement =
        "UPDATE job SET lease_until_ms = $1 WHERE id = $2 AND attempt = $3 AND state = 'running' AND lease_until_ms IS NOT NULL";
    let done = sqlx::query(statement).bind(now_ms() + lease_ms).bind(&claim.id).bind(claim.attempt).execute(db.pool()).await?;
    Ok(done.rows_affected() == 1)
}

/// Lays the lease down: the worker is done, and its final result is on its way.
///
/// # Errors
/// `database`.
pub async fn reported(db: &Db, claim: &Claim) -> Result<()> {
    let statement = "UPDATE job SET lease_until_ms = NULL WHERE id = $1 AND attempt = $2 AND state = 'running'";
    sqlx::query(statement).bind(&claim.id).bind(claim.attempt).execute(db.pool()).await?;
    Ok(())
}

/// Jobs whose worker is done and whose final result is not written yet.
///
/// # Errors
/// `database`.
pub async fn awaiting(db: &Db) -> Result<Vec<Claim>> {
    let statement = "SELECT id, attempt, faults, created_ms FROM job WHERE state = 'running' AND lease_until_ms IS NULL";
    sqlx::query(statement).fetch_all(db.pool()).await?.iter().map(Claim::read).collect()
}

/// Lets a job be tried again whose final result was lost on its way. That is nobody's fault. False: it came after all.
///
/// # Errors
/// `database`.
pub async fn lost(db: &Db, claim: &Claim) -> Result<bool> {
    let statement = "UPDATE job SET state = 'queued', not_before_ms = 0, error = 'its final result was lost' \
                     WHERE id = $1 AND attempt = $2 AND state = 'running' AND lease_until_ms IS NULL";
    let done = sqlx::query(statement).bind(&claim.id).bind(claim.attempt).execute(db.pool()).await?;
    Ok(done.rows_affected() == 1)
}

/// Takes jobs from workers that have been silent for longer than their lease; each counts against its job. Only for whoever
/// knows that the database answered all that time: a worker cannot be heard while it does not.
///
/// # Errors
/// `database`.
pub async fn end_leases(db: &Db) -> Result<u64> {
    let statement = "UPDATE job SET state = 'queued', not_before_ms = 0, faults = faults + 1, error = 'its worker fell silent' \
                     WHERE state = 'running' AND lease_until_ms < $1";
    Ok(sqlx::query(statement).bind(now_ms()).execute(db.pool()).await?.rows_affected())
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

/// Takes jobs from the workers of all other processes, for the only process there is: they ended with theirs.
///
/// # Errors
/// `database`.
pub async fn end_leases_of_others(db: &Db, process: &str) -> Result<u64> {
    let statement = "UPDATE job SET state = 'queued', not_before_ms = 0, faults = faults + 1, error = 'its worker ended' \
                     WHERE state = 'running' AND lease_until_ms IS NOT NULL AND worker NOT LIKE $1";
    Ok(sqlx::query(statement).bind(format!("%-{process}-%")).execute(db.pool()).await?.rows_affected())
}

/// The job of `claim` when that is the attempt that counts, with its row locked until the transaction ends.
///
/// # Errors
/// `database`.
pub async fn counts(tx: &mut Transaction<'static, Any>, claim: &Claim) -> Result<Option<Claim>> {
    // An update that changes nothing takes the lock on both databases.
    let statement = "UPDATE job SET attempt = attempt WHERE id = $1 AND attempt = $2 AND state = 'running' \
                     RETURNING id, attempt, faults, created_ms";
    let row = sqlx::query(statement).bind(&claim.id).bind(claim.attempt).fetch_optional(&mut **tx).await?;
    row.as_ref().map(Claim::read).transpose()
}

/// Takes a job back whose results cannot be used, to be tried again: a fault.
///
/// # Errors
/// `database`.
pub async fn again(tx: &mut Transaction<'static, Any>, claim: &Claim, error: &str) -> Result<()> {
    let statement = "UPDATE job SET state = 'queued', not_before_ms = 0, faults = faults + 1, error = $1 WHERE id = $2 AND attempt = $3";
    sqlx::query(statement).bind(error).bind(&claim.id).bind(claim.attempt).execute(&mut **tx).await?;
    Ok(())
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

/// Ids of jobs that wait and were not delivered for `older_ms`, the oldest first: a queue may have lost them.
///
/// # Errors
/// `database`.
pub async fn stranded(db: &Db, kind: Kind, older_ms: i64) -> Result<Vec<String>> {
    let statement = "SELECT id FROM job WHERE kind = $1 AND state = 'queued' AND created_ms < $2 AND not_before_ms <= $3 \
                     ORDER BY created_ms LIMIT 1000";
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
        let first = claim(&db, Kind::Query, "w1", 200).await.unwrap().unwrap();
        assert_eq!((first.attempt, first.faults), (1, 0));
        assert_eq!(end_leases(&db).await.unwrap(), 0);
        tokio::time::sleep(std::time::Duration::from_millis(210)).await;
        assert_eq!(
            claim(&db, Kind::Query, "w2", 200).await.unwrap(),
            None,
            "only whoever knows that the worker could be heard ends a lease"
        );
        assert_eq!(end_leases(&db).await.unwrap(), 1);
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
    async fn a_job_whose_report_is_on_its_way_has_no_lease_that_could_end() {
        let (_folder, db) = with_job().await;
        let first = claim(&db, Kind::Query, "w", -1).await.unwrap().unwrap();
        reported(&db, &first).await.unwrap();
        assert!(!heartbeat(&db, &first, -1).await.unwrap(), "a late heartbeat brings no lease back");
        assert_eq!(end_leases(&db).await.unwrap() + end_leases_of_others(&db, "me").await.unwrap(), 0);
        assert_eq!(awaiting(&db).await.unwrap(), std::slice::from_ref(&first));
        assert!(lost(&db, &first).await.unwrap());
        let second = claim(&db, Kind::Query, "w", -1).await.unwrap().unwrap();
        assert_eq!((second.attempt, second.faults), (2, 0), "a lost report is not the job's fault");
        assert!(!lost(&db, &first).await.unwrap());
        assert_eq!(awaiting(&db).await.unwrap(), []);
    }

    #[tokio::test]
    async fn the_only_process_knows_that_other_workers_ended() {
        let (_folder, db) = with_job().await;
        claim(&db, Kind::Query, "query-me-0", 60_000).await.unwrap().unwrap();
        assert_eq!(end_leases_of_others(&db, "me").await.unwrap(), 0);
        assert_eq!(end_leases_of_others(&db, "you").await.unwrap(), 1);
        assert_eq!(claim(&db, Kind::Query, "query-you-0", 60_000).await.unwrap().unwrap().faults, 1);
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
