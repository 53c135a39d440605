//! Exactly one final state and one set of results per job, whoever dies and whatever comes twice.

use facerec_platform::app::App;
use facerec_platform::config::Config;
use facerec_platform::forwarder::apply;
use facerec_platform::jobs::{self, Claim, Kind};
use facerec_platform::results::{Message, Track, TrackDocument, What};
use tokio::sync::watch;

use super::harness::config;
use super::people::vision;

async fn with_session() -> (tempfile::TempDir, watch::Sender<bool>, App) {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let (stop, app) = open_with_session(config).await;
    (folder, stop, app)
}

/// A platform without any role, and a session `s` that waits.
pub async fn open_with_session(config: Config) -> (watch::Sender<bool>, App) {
    let (stop, stopped) = watch::channel(false);
    let app = App::open(config, vision(), stopped).await.unwrap();
    let mut tx = app.db.begin().await.unwrap();
    jobs::insert(&mut tx, "s", Kind::Query).await.unwrap();
    for statement in [
        "INSERT INTO session (id, upload, file_name, progress, frames, duration_ms, created_ms) VALUES ('s', 'u', 'a.mp4', 0.0, 0, 0, 0)",
        "INSERT INTO webhook (id, url, secret, events, created_ms) VALUES ('w', 'http://127.0.0.1:9/', 'secret', '*', 0)",
    ] {
        sqlx::query(statement).execute(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();
    (stop, app)
}

/// What is known of a track, without its people and shots.
pub fn document() -> TrackDocument {
    TrackDocument {
        similarity: 0.9,
        threshold: 0.5,
        margin: 0.3,
        reason: "match".into(),
        start_ms: 0,
        end_ms: 10,
        frames: 3,
        spans_ms: vec![[0, 10]],
        shots: vec![],
        candidates: vec![],
    }
}

pub fn track(number: i64, person: Option<&str>) -> What {
    let person = person.map(str::to_owned);
    What::Track(Box::new(Track { track: number, person_id: person.clone(), person, document: document() }))
}

async fn send(app: &App, claim: &Claim, what: What) {
    apply(app, &Message { job: claim.id.clone(), attempt: claim.attempt, what }).await.unwrap();
}

pub async fn count(app: &App, statement: &'static str) -> i64 {
    sqlx::query_scalar(statement).fetch_one(app.db.pool()).await.unwrap()
}

pub async fn state(app: &App) -> String {
    sqlx::query_scalar("SELECT state FROM job WHERE id = 's'").fetch_one(app.db.pool()).await.unwrap()
}

#[tokio::test]
async fn a_dead_workers_results_do_not_mix_with_its_successors() {
    let (_folder, _stop, app) = with_session().await;
    let first = jobs::claim(&app.db, Kind::Query, "one", 0).await.unwrap().unwrap();
    send(&app, &first, track(1, None)).await;
    send(&app, &first, track(2, None)).await;
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    assert_eq!(jobs::end_leases(&app.db).await.unwrap(), 1);
    let second = jobs::claim(&app.db, Kind::Query, "two", 60_000).await.unwrap().expect("the lease of the first has ended");
    send(&app, &second, track(1, None)).await;
    // The first was only slow: nothing that it still says counts.
    send(&app, &first, track(3, None)).await;
    send(&app, &first, What::Done { tracks: 3, frames: 9, duration_ms: 9 }).await;
    assert_eq!(state(&app).await, "running");
    // Everything comes twice, as after a forwarder that died before it could say that it had written.
    for _ in 0..2 {
        send(&app, &second, track(1, None)).await;
        send(&app, &second, track(2, None)).await;
    }
    for _ in 0..2 {
        send(&app, &second, What::Done { tracks: 2, frames: 9, duration_ms: 9 }).await;
        send(&app, &second, What::Failed { error: "too late".into() }).await;
    }
    assert_eq!(state(&app).await, "done");
    assert_eq!(count(&app, "SELECT COUNT(*) FROM track").await, 2);
    assert_eq!(count(&app, "SELECT MAX(ordinal) FROM track").await, 2);
    assert_eq!(count(&app, "SELECT COUNT(*) FROM event WHERE kind = 'session.done'").await, 1);
    assert_eq!(count(&app, "SELECT COUNT(*) FROM delivery").await, 1);
}

#[tokio::test]
async fn a_final_message_without_its_tracks_is_not_believed() {
    let (_folder, _stop, app) = with_session().await;
    let claim = jobs::claim(&app.db, Kind::Query, "one", 60_000).await.unwrap().unwrap();
    send(&app, &claim, track(1, None)).await;
    send(&app, &claim, What::Done { tracks: 2, frames: 9, duration_ms: 9 }).await;
    assert_eq!(state(&app).await, "queued", "the video is looked through again");
    let mut claim = jobs::claim(&app.db, Kind::Query, "two", 60_000).await.unwrap().unwrap();
    assert_eq!((claim.attempt, claim.faults), (2, 1), "it counts: what goes wrong every time must end");
    while state(&app).await == "running" {
        send(&app, &claim, What::Done { tracks: 2, frames: 9, duration_ms: 9 }).await;
        claim = jobs::claim(&app.db, Kind::Query, "two", 60_000).await.unwrap().unwrap_or(claim);
    }
    assert_eq!((state(&app).await.as_str(), claim.attempt), ("failed", i64::from(app.config.work.attempts)));
    assert_eq!(count(&app, "SELECT COUNT(*) FROM event WHERE kind = 'session.failed'").await, 1);
}
