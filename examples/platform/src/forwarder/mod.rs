//! The forwarder: reads the stream of results and writes sessions, tracks, photos and events, in order and each once.

mod answering;
mod webhooks;

use std::time::{Duration, Instant};

use sqlx::{Any, Transaction};

use crate::app::App;
use crate::db::now_ms;
use crate::error::Result;
use crate::ids::{process, sha256};
use crate::jobs::{self, Claim};
use crate::litter;
use crate::people;
use crate::results::{MOST, Message, What};
use answering::Answering;

pub use webhooks::{deliver, signature};

/// How often jobs are looked for that were lost on their way, to a worker or back.
const SWEEP_EVERY: Duration = Duration::from_secs(2);

/// Writes results until the process is to end.
pub async fn forward(app: App) {
    let (mut looked, mut refused) = (Instant::now(), (0, 0));
    while !app.stopping() {
        let done = tokio::select! {
            done = forward_once(&app, &mut looked, &mut refused) => done,
            () = app.stopped() => break,
        };
        if let Err(error) = done {
            // What was not acknowledged comes again.
            tracing::warn!(%error, "results cannot be written; trying again");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

/// Takes and writes what is there. `looked` is when lost results were last looked for, `refused` which message could not be written
/// and how often.
async fn forward_once(app: &App, looked: &mut Instant, refused: &mut (i64, u32)) -> Result<()> {
    // Asked before the stream is read: what these jobs reported is in it, or is lost.
    let mut awaiting = Vec::new();
    if looked.elapsed() >= SWEEP_EVERY {
        (awaiting, *looked) = (jobs::awaiting(&app.db).await?, Instant::now());
    }
    let all = app.results.take().await?;
    let drained = all.len() < MOST;
    for taken in all {
        match &taken.message {
            Ok(message) => match apply(app, message).await {
                // Two transactions were in each other's way, perhaps. What is refused every time must not hold up the others.
                Err(error) if !error.is_outage() => {
                    let tries = if refused.0 == taken.token { refused.1 + 1 } else { 1 };
                    *refused = (taken.token, tries);
                    if tries < WRITES {
                        return Err(error);
                    }
                    let claim = Claim { id: message.job.clone(), attempt: message.attempt, ..Claim::default() };
                    set_aside(app, Some(claim), &message.write()?, &error.to_string()).await?;
                }
                written => written?,
            },
            Err(unreadable) => set_aside(app, unreadable.claim(), &unreadable.text, &unreadable.error).await?,
        }
        app.results.acknowledge(&taken).await?;
    }
    for claim in awaiting.iter().filter(|_| drained) {
        if jobs::lost(&app.db, claim).await? {
            tracing::warn!(job = claim.id, attempt = claim.attempt, "the final result was lost on its way; the job is done again");
        }
    }
    Ok(())
}

/// How often a result is tried to be written that the database refuses.
const WRITES: u32 = 3;

/// Keeps a message that cannot be used where whoever repairs finds it, and has its job tried again.
async fn set_aside(app: &App, claim: Option<Claim>, message: &str, error: &str) -> Result<()> {
    let mut tx = app.db.begin().await?;
    // The same once more, after this process was killed before it could acknowledge, has the same id.
    let statement = "INSERT INTO set_aside (id, job, message, error, at_ms) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING";
    let (id, job) = (sha256(message.as_bytes()), claim.as_ref().map(|claim| claim.id.clone()));
    tracing::error!(job, error, id, "a result cannot be used and is set aside");
    sqlx::query(statement).bind(id).bind(job).bind(message).bind(error).bind(now_ms()).execute(&mut *tx).await?;
    if let Some(claim) = claim
        && let Some(claim) = jobs::counts(&mut tx, &claim).await?
    {
        again(app, &mut tx, &claim, "a result could not be used; the log has the details").await?;
    }
    Ok(tx.commit().await?)
}

/// Has a job tried again whose results cannot be used, or ends it when that was its last try.
async fn again(app: &App, tx: &mut Transaction<'static, Any>, claim: &Claim, error: &str) -> Result<()> {
    if claim.faults + 1 < i64::from(app.config.work.attempts) {
        return jobs::again(tx, claim, error).await;
    }
    fail(app, tx, claim, error).await
}

async fn fail(app: &App, tx: &mut Transaction<'static, Any>, claim: &Claim, error: &str) -> Result<()> {
    let kind: String = sqlx::query_scalar("SELECT kind FROM job WHERE id = $1").bind(&claim.id).fetch_one(&mut **tx).await?;
    let subject = if kind == "query" {
        lose(app, tx, claim).await?;
        "session"
    } else {
        people::drop_file(tx, &claim.id).await?;
        "enrolment"
    };
    close(tx, claim, "failed", Some(error), subject).await
}

/// Brings back jobs whose worker fell silent, jobs that were lost on their way to a worker, and what else must not wait for ever, until the
/// process is to end.
pub async fn sweep(app: App) {
    let mut database = Answering::default();
    if !app.db.is_postgres() {
        // A database in a file is this process's alone: nobody need be waited for.
        match jobs::end_leases_of_others(&app.db, process()).await {
            Ok(0) => {}
            Ok(ended) => tracing::warn!(jobs = ended, "an earlier process ended in the middle of these"),
            Err(error) => tracing::warn!(%error, "jobs of an earlier process cannot be looked for; they are found a little later"),
        }
    }
    while !app.stopping() {
        if let Err(error) = sweep_once(&app, &mut database).await {
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

async fn sweep_once(app: &App, database: &mut Answering) -> Result<()> {
    // While the database was away nobody's heartbeat was heard: whoever lives gets the time for one.
    if database.answers_for(app).await? >= app.config.lease() * 3 / 2 {
        let ended = jobs::end_leases(&app.db).await?;
        if ended > 0 {
            tracing::warn!(jobs = ended, "workers fell silent; their jobs go to others");
        }
    }
    app.queue.sweep().await
}

/// Writes one result. Writing it again changes nothing, and what a lost attempt reports is dropped.
///
/// # Errors
/// `database`.
pub async fn apply(app: &App, message: &Message) -> Result<()> {
    let claim = Claim { id: message.job.clone(), attempt: message.attempt, ..Claim::default() };
    let mut tx = people::watching(&app.db).await?;
    let Some(claim) = jobs::counts(&mut tx, &claim).await? else { return Ok(()) };
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
                again(app, &mut tx, &claim, &format!("{written} of {tracks} tracks arrived")).await?;
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
        What::Failed { error } => fail(app, &mut tx, &claim, error).await?,
    }
    Ok(tx.commit().await?)
}

/// Removes the tracks of attempts that came to nothing, and their pictures once no worker can be at them any more.
async fn lose(app: &App, tx: &mut Transaction<'static, Any>, claim: &Claim) -> Result<()> {
    let statement = "DELETE FROM track WHERE session = $1 AND attempt < $2";
    sqlx::query(statement).bind(&claim.id).bind(claim.attempt).execute(&mut **tx).await?;
    for attempt in 1..claim.attempt {
        litter::discard(tx, &format!("sessions/{}/{attempt}", claim.id), litter::after_workers(app)).await?;
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
