//! The forwarder: reads the stream of results and writes sessions, tracks, photos and events, in order and each once.

mod webhooks;

use std::time::Duration;

use sqlx::{Any, Transaction};

use crate::app::App;
use crate::db::now_ms;
use crate::error::{Error, Result};
use crate::jobs::{self, Claim};
use crate::people;
use crate::results::{Message, What};

pub use webhooks::{deliver, signature};

/// Writes results until the process is to end.
pub async fn forward(app: App) {
    while !app.stopping() {
        let round = async {
            for taken in app.results.take().await? {
                apply(&app, &taken.message).await?;
                app.results.acknowledge(&taken).await?;
            }
            Ok::<_, Error>(())
        };
        let done = tokio::select! {
            done = round => done,
            () = app.stopped() => break,
        };
        if let Err(error) = done {
            // What was not acknowledged comes again.
            tracing::warn!(%error, "results cannot be written; trying again");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

/// How often jobs are looked for that a queue has lost.
const SWEEP_EVERY: Duration = Duration::from_secs(2);

/// Brings back jobs that were lost on their way to a worker, until the process is to end.
pub async fn sweep(app: App) {
    while !app.stopping() {
        if let Err(error) = app.queue.sweep().await {
            tracing::warn!(%error, "lost jobs cannot be looked for; trying again");
        }
        if let Err(error) = people::sweep(&app).await {
            tracing::warn!(%error, "what nobody needs any more cannot be removed; trying again");
        }
        tokio::select! {
            () = tokio::time::sleep(SWEEP_EVERY) => {}
            () = app.stopped() => break,
        }
    }
}

/// Writes one result. Writing it again changes nothing, and what a lost attempt reports is dropped.
///
/// # Errors
/// `database`.
pub async fn apply(app: &App, message: &Message) -> Result<()> {
    let claim = Claim { id: message.job.clone(), attempt: message.attempt, faults: 0 };
    let mut tx = people::watching(&app.db).await?;
    if !jobs::counts(&mut tx, &claim).await? {
        return Ok(());
    }
    match &message.what {
        What::Progress { progress, frames } => {
            let statement = "UPDATE session SET progress = $1, frames = $2 WHERE id = $3";
            sqlx::query(statement).bind(*progress).bind(*frames).bind(&claim.id).execute(&mut *tx).await?;
        }
        What::Track(track) => {
            if people::add(&mut tx, &claim, track).await? {
                app.db.soil(); // the message named somebody who was forgotten
            }
        }
        What::Done { tracks, frames, duration_ms } => {
            let statement = "SELECT COUNT(*) FROM track WHERE session = $1 AND attempt = $2";
            let written: i64 = sqlx::query_scalar(statement).bind(&claim.id).bind(claim.attempt).fetch_one(&mut *tx).await?;
            if written != *tracks {
                tracing::error!(job = claim.id, written, reported = tracks, "tracks are missing; the video is looked through again");
                let statement = "UPDATE job SET state = 'queued', not_before_ms = 0 WHERE id = $1";
                sqlx::query(statement).bind(&claim.id).execute(&mut *tx).await?;
                return Ok(tx.commit().await?);
            }
            let statement = "UPDATE session SET progress = 1.0, frames = $1, duration_ms = $2 WHERE id = $3";
            sqlx::query(statement).bind(*frames).bind(*duration_ms).bind(&claim.id).execute(&mut *tx).await?;
            lose(app, &mut tx, &claim).await?;
            close(&mut tx, &claim, "done", None, "session").await?;
        }
        What::Accepted { person_id, face_id } => {
            if people::accepted(&mut tx, &claim.id, person_id, face_id).await? {
                close(&mut tx, &claim, "accepted", None, "enrolment").await?;
            }
        }
        What::Rejected { reason } => {
            sqlx::query("UPDATE photo SET reason = $1 WHERE id = $2").bind(reason).bind(&claim.id).execute(&mut *tx).await?;
            people::drop_file(&mut tx, &claim.id).await?;
            close(&mut tx, &claim, "rejected", None, "enrolment").await?;
        }
        What::Failed { error } => {
            let statement = "SELECT kind FROM job WHERE id = $1";
            let kind: String = sqlx::query_scalar(statement).bind(&claim.id).fetch_one(&mut *tx).await?;
            let subject = if kind == "query" {
                lose(app, &mut tx, &claim).await?;
                "session"
            } else {
                people::drop_file(&mut tx, &claim.id).await?;
                "enrolment"
            };
            close(&mut tx, &claim, "failed", Some(error), subject).await?;
        }
    }
    Ok(tx.commit().await?)
}

/// Removes the tracks of attempts that came to nothing, and their pictures once no worker can be at them any more.
async fn lose(app: &App, tx: &mut Transaction<'static, Any>, claim: &Claim) -> Result<()> {
    let statement = "DELETE FROM track WHERE session = $1 AND attempt < $2";
    sqlx::query(statement).bind(&claim.id).bind(claim.attempt).execute(&mut **tx).await?;
    let due = now_ms() + 2 * i64::try_from(app.config.work.lease_ms).unwrap_or(i64::MAX / 4);
    for attempt in 1..claim.attempt {
        people::discard(tx, &format!("sessions/{}/{attempt}", claim.id), due).await?;
    }
    Ok(())
}

/// The final state of a job, with its event and its webhooks, all in one transaction: all of it once, or nothing.
async fn close(tx: &mut Transaction<'static, Any>, claim: &Claim, state: &str, error: Option<&str>, subject: &str) -> Result<()> {
    if jobs::finish(tx, claim, state, error).await? {
        let kind = format!("{subject}.{state}");
        record(tx, "forwarder", &kind, &claim.id).await?;
        webhooks::announce(tx, &kind, &claim.id).await?;
    }
    Ok(())
}

/// Writes into the log of changes.
///
/// # Errors
/// `database`.
pub async fn record(tx: &mut Transaction<'static, Any>, actor: &str, kind: &str, subject: &str) -> Result<()> {
    let statement = "INSERT INTO event (at_ms, actor, kind, subject) VALUES ($1, $2, $3, $4)";
    sqlx::query(statement).bind(now_ms()).bind(actor).bind(kind).bind(subject).execute(&mut **tx).await?;
    Ok(())
}
