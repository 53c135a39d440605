//! Workers: they take jobs, do them, and report what they found. They write nothing but reports, files and the gallery.

mod enrolment;
mod query;

use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use crate::app::App;
use crate::db::now_ms;
use crate::error::{Error, Result};
use crate::ids::process;
use crate::jobs::{Claim, Kind};
use crate::results::{Message, What};

pub use enrolment::{enrolled_from, enrolment};
pub use query::{query, track_key};

/// Takes jobs of `kind` one after the other until the process is to end, and does them with `work`.
async fn serve<F: Future<Output = Result<()>>>(app: App, kind: Kind, number: usize, work: impl Fn(App, Claim) -> F) {
    let name = format!("{}-{}-{number}", kind.name(), process());
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
        let outcome = work(app.clone(), claim.clone()).await;
        if let Err(error) = holding(&app, &claim, || {}, finish(&app, &claim, outcome)).await {
            // Nothing could be reported: the lease ends, and another attempt follows.
            tracing::warn!(worker = name, job = claim.id, %error, "the outcome could not be reported");
        }
    }
}

/// What becomes of a job whose work ended: reported, tried again, or failed for good.
async fn finish(app: &App, claim: &Claim, outcome: Result<()>) -> Result<()> {
    let Err(error) = outcome else { return patiently(app, || app.queue.done(claim)).await };
    if matches!(&error, Error::Core(core) if core.kind().code() == "cancelled") {
        // The job is somebody else's now, or nobody's: this only lets go of what announced it.
        return patiently(app, || app.queue.done(claim)).await;
    }
    let fault = is_fault(&error, claim, app.config.work.patience_hours);
    if error.is_transient() && (!fault || claim.faults + 1 < i64::from(app.config.work.attempts)) {
        tracing::warn!(job = claim.id, attempt = claim.attempt, %error, "will be tried again");
        let text = error.to_string();
        return patiently(app, || app.queue.release(claim, &text, delay(claim), fault)).await;
    }
    tracing::warn!(job = claim.id, attempt = claim.attempt, %error, "failed");
    report(app, claim, What::Failed { error: error.public() }).await?;
    patiently(app, || app.queue.done(claim)).await
}

/// Whether what went wrong counts against the job. A server that is away is not its fault, but a job does not wait for it for ever.
fn is_fault(error: &Error, claim: &Claim, patience_hours: u32) -> bool {
    !error.is_outage() || now_ms() - claim.created_ms > i64::from(patience_hours) * 3_600_000
}

/// The wait until the next try: from half a second after the first attempt to half a minute.
fn delay(claim: &Claim) -> Duration {
    Duration::from_millis(500 << (claim.attempt - 1).clamp(0, 6))
}

/// Does `deed` until no server that it needs is away; whoever is to end does not wait.
async fn patiently<F: Future<Output = Result<()>>>(app: &App, deed: impl Fn() -> F) -> Result<()> {
    loop {
        match deed().await {
            Err(error) if error.is_outage() && !app.stopping() => tracing::warn!(%error, "trying again"),
            done => return done,
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_counts_only_when_it_lasts_and_tries_grow_rare() {
        let (away, broken) = (Error::Unavailable("the queue".into()), Error::Internal("a defect".into()));
        let made = |hours: i64| Claim { attempt: 1, created_ms: now_ms() - hours * 3_600_000, ..Claim::default() };
        assert!(!is_fault(&away, &made(23), 24) && is_fault(&away, &made(25), 24) && is_fault(&broken, &made(0), 24));
        let waits = [1, 2, 7, 1000].map(|attempt| delay(&Claim { attempt, ..Claim::default() }).as_millis());
        assert_eq!(waits, [500, 1000, 32_000, 32_000]);
    }
}
