//! Workers: they take jobs, do them, and report what they found. They write nothing but reports, files and the gallery.

mod enrolment;
mod query;

use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use crate::app::App;
use crate::error::{Error, Result};
use crate::jobs::{Claim, Kind};
use crate::results::{Message, What};

pub use enrolment::{enrolled_from, enrolment};
pub use query::{query, track_key};

/// Takes jobs of `kind` one after the other until the process is to end, and does them with `work`.
async fn serve<F: Future<Output = Result<()>>>(app: App, kind: Kind, number: usize, work: impl Fn(App, Claim) -> F) {
    let name = format!("{}-{}-{number}", kind.name(), std::process::id());
    while !app.stopping() {
        let next = tokio::select! {
            next = app.queue.next(kind, &name) => next,
            () = app.stopped() => break,
        };
        let claim = match next {
            Ok(Some(claim)) => claim,
            Ok(None) => continue,
            Err(error) => {
                tracing::warn!(worker = name, %error, "no job can be taken; trying again");
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            }
        };
        tracing::info!(worker = name, job = claim.id, attempt = claim.attempt, "begins");
        if let Err(error) = finish(&app, &claim, work(app.clone(), claim.clone()).await).await {
            // Nothing could be reported: the lease ends, and another attempt follows.
            tracing::warn!(worker = name, job = claim.id, %error, "the outcome could not be reported");
        }
    }
}

/// What becomes of a job whose work ended: reported, tried again, or failed for good.
async fn finish(app: &App, claim: &Claim, outcome: Result<()>) -> Result<()> {
    let Err(error) = outcome else { return app.queue.done(claim).await };
    if matches!(&error, Error::Core(core) if core.kind().code() == "cancelled") {
        return Ok(()); // the job is somebody else's now, or nobody's
    }
    // A server that is away is not the job's fault, and does not count against it.
    let fault = !error.is_outage();
    if error.is_transient() && (!fault || claim.faults + 1 < i64::from(app.config.work.attempts)) {
        tracing::warn!(job = claim.id, attempt = claim.attempt, %error, "will be tried again");
        let delay = Duration::from_millis(500 << claim.faults.clamp(0, 8));
        return app.queue.release(claim, &error.to_string(), delay, fault).await;
    }
    tracing::warn!(job = claim.id, attempt = claim.attempt, %error, "failed");
    report(app, claim, What::Failed { error: error.public() }).await?;
    app.queue.done(claim).await
}

/// Refuses a job that has killed its workers too often to be tried again.
fn check_attempts(app: &App, claim: &Claim) -> Result<()> {
    if claim.faults >= i64::from(app.config.work.attempts) {
        return Err(Error::Invalid(format!("given up after {} attempts: its workers ended without an answer", claim.faults)));
    }
    Ok(())
}

/// How often a report is sent when whoever takes it is away, a second apart: as long as a restart takes.
const REPORTS: u32 = 20;

async fn report(app: &App, claim: &Claim, what: What) -> Result<()> {
    let message = Message { job: claim.id.clone(), attempt: claim.attempt, what };
    for _ in 1..REPORTS {
        match app.results.publish(&message).await {
            Err(error) if error.is_outage() => tracing::warn!(job = claim.id, %error, "a report is not taken; trying again"),
            sent => return sent,
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    app.results.publish(&message).await
}

/// Keeps the lease while `work` runs; calls `lost` once when the job is no longer ours.
async fn holding<T>(app: &App, claim: &Claim, lost: impl Fn(), work: impl Future<Output = T>) -> T {
    tokio::select! {
        done = work => done,
        never = beat(app, claim, lost) => match never {},
    }
}

async fn beat(app: &App, claim: &Claim, lost: impl Fn()) -> Infallible {
    loop {
        tokio::time::sleep(app.config.lease() / 4).await;
        match app.queue.heartbeat(claim).await {
            Ok(true) => {}
            Ok(false) => {
                lost();
                std::future::pending::<()>().await;
            }
            Err(error) => tracing::warn!(job = claim.id, %error, "no heartbeat"),
        }
    }
}
