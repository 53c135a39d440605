//! Jobs and results while something is away, silent, lost or not to be understood.

use std::time::{Duration, Instant};

use facerec_platform::app::App;
use facerec_platform::forwarder;
use facerec_platform::jobs::{self, Claim, Kind};
use facerec_platform::nats;
use facerec_platform::results::{Message, What};
use serde_json::json;

use super::harness::{config, start};
use super::nats_server::NatsServer;
use super::once::{count, open_with_session, state, track};
use super::postgres_server::PgServer;

/// Waits until it holds.
async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < Duration::from_secs(30), "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn claimed(app: &App) -> Claim {
    jobs::claim(&app.db, Kind::Query, "one", 60_000).await.unwrap().unwrap()
}

async fn report(app: &App, claim: &Claim, what: What) {
    app.results.publish(&Message { job: claim.id.clone(), attempt: claim.attempt, what }).await.unwrap();
}

const DONE: What = What::Done { tracks: 1, frames: 9, duration_ms: 9 };

/// A track as an older version of the worker wrote it: a similarity that is not finite becomes `null`.
fn unreadable(claim: &Claim) -> String {
    let message = Message { job: claim.id.clone(), attempt: claim.attempt, what: track(1, Some("7")) };
    let text = message.write().unwrap();
    let broken = text.replace("\"similarity\":0.9", "\"similarity\":null");
    assert_ne!(text, broken);
    broken
}

/// What nobody can read is set aside; its job is tried again, until that was enough; all others go on.
async fn one_bad_message_does_not_stop_the_rest(app: &App, publish: impl AsyncFn(String)) {
    let forwarding = tokio::spawn(forwarder::forward(app.clone()));
    publish("\0 no JSON at all".into()).await;
    for attempt in 1..=i64::from(app.config.work.attempts) {
        let claim = claimed(app).await;
        assert_eq!((claim.attempt, claim.faults), (attempt, attempt - 1));
        publish(unreadable(&claim)).await;
        until("the job is taken back", async || state(app).await != "running").await;
    }
    assert_eq!(state(app).await, "failed");
    let mut tx = app.db.begin().await.unwrap();
    jobs::insert(&mut tx, "p", Kind::Enrol).await.unwrap();
    tx.commit().await.unwrap();
    let claim = jobs::claim(&app.db, Kind::Enrol, "two", 60_000).await.unwrap().unwrap();
    report(app, &claim, What::Rejected { reason: "no_face".into() }).await;
    until("a later result is written", async || count(app, "SELECT COUNT(*) FROM job WHERE state = 'rejected'").await == 1).await;
    assert_eq!(count(app, "SELECT COUNT(*) FROM set_aside").await, 1 + i64::from(app.config.work.attempts));
    assert_eq!(count(app, "SELECT COUNT(*) FROM set_aside WHERE job = 's' AND message LIKE '%null%'").await, 4);
    assert_eq!(app.results.take().await.unwrap().len(), 0, "nothing is left that would come again");
    forwarding.abort();
}

#[tokio::test]
async fn a_message_in_the_database_that_nobody_can_read_is_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let (_stop, app) = open_with_session(config(folder.path())).await;
    let publish = async |text: String| {
        sqlx::query("INSERT INTO result (message) VALUES ($1)").bind(text).execute(app.db.pool()).await.unwrap();
    };
    one_bad_message_does_not_stop_the_rest(&app, publish).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_in_jetstream_that_nobody_can_read_is_set_aside() {
    let Some(server) = NatsServer::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.nats = server.address();
    let context = nats::connect(&config).await.unwrap();
    let (_stop, app) = open_with_session(config).await;
    let publish = async |text: String| {
        context.publish("facerec.results", text.into()).await.unwrap().await.unwrap();
    };
    one_bad_message_does_not_stop_the_rest(&app, publish).await;
}

#[tokio::test]
async fn a_result_that_the_database_refuses_does_not_hold_up_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let (_stop, app) = open_with_session(config(folder.path())).await;
    let claim = claimed(&app).await;
    // Something that no statement of ours would let through.
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON track WHEN NEW.track = 13 BEGIN SELECT RAISE(ABORT, 'never'); END";
    sqlx::query(refuse).execute(app.db.pool()).await.unwrap();
    report(&app, &claim, track(13, None)).await;
    let _forwarding = tokio::spawn(forwarder::forward(app.clone()));
    until("the job is taken back", async || state(&app).await == "queued").await;
    assert_eq!(count(&app, "SELECT COUNT(*) FROM set_aside WHERE job = 's' AND error LIKE '%never%'").await, 1);
}

#[tokio::test]
async fn results_wait_for_a_forwarder_however_long_it_is_away() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.work.lease_ms = 1000;
    let (_stop, app) = open_with_session(config).await;
    let claim = jobs::claim(&app.db, Kind::Query, "one", 1).await.unwrap().unwrap();
    report(&app, &claim, track(1, None)).await;
    report(&app, &claim, DONE).await;
    app.queue.done(&claim).await.unwrap();
    // Everything that ends leases runs, and has known the database for long enough.
    let sweeping = tokio::spawn(forwarder::sweep(app.clone()));
    tokio::time::sleep(Duration::from_millis(4500)).await;
    assert_eq!(jobs::claim(&app.db, Kind::Query, "two", 1).await.unwrap(), None);
    let forwarding = tokio::spawn(forwarder::forward(app.clone()));
    until("the results count", async || state(&app).await == "done").await;
    assert_eq!(count(&app, "SELECT attempt FROM job WHERE id = 's'").await, 1);
    sweeping.abort();
    forwarding.abort();
}

#[tokio::test]
async fn a_final_result_that_was_lost_is_missed_within_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let (_stop, app) = open_with_session(config(folder.path())).await;
    let claim = claimed(&app).await;
    app.queue.done(&claim).await.unwrap();
    let _forwarding = tokio::spawn(forwarder::forward(app.clone()));
    let start = Instant::now();
    until("the job is done again", async || state(&app).await == "queued").await;
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert_eq!(claimed(&app).await.faults, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_for_longer_than_a_lease_is_nobodys_fault() {
    let Some(mut server) = PgServer::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.database = format!("postgres://facerec@127.0.0.1:{}/postgres", server.port);
    config.work.lease_ms = 1000;
    let (_stop, app) = open_with_session(config).await;
    let claim = jobs::claim(&app.db, Kind::Query, "one", 1000).await.unwrap().unwrap();
    let (beating, beaten) = (app.clone(), claim.clone());
    let beating = tokio::spawn(async move {
        loop {
            let _ = beating.queue.heartbeat(&beaten).await;
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    });
    let _sweeping = tokio::spawn(forwarder::sweep(app.clone()));
    tokio::time::sleep(Duration::from_millis(2500)).await;
    server.murder();
    tokio::time::sleep(Duration::from_millis(3000)).await;
    server.run();
    until("the worker is heard again", async || app.queue.heartbeat(&claim).await.is_ok_and(|ours| ours)).await;
    tokio::time::sleep(Duration::from_millis(4500)).await;
    assert!(app.queue.heartbeat(&claim).await.unwrap(), "the worker still has its job");
    assert_eq!(count(&app, "SELECT faults FROM job WHERE id = 's'").await, 0);
    // Now the worker falls silent, and that does count.
    beating.abort();
    until("the job goes to another", async || state(&app).await == "queued").await;
    assert_eq!(count(&app, "SELECT faults FROM job WHERE id = 's'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_whose_messages_were_lost_are_announced_again_and_not_all_the_time() {
    let Some(server) = NatsServer::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.nats = server.address();
    config.work.lease_ms = 1000;
    let context = nats::connect(&config).await.unwrap();
    let (_stop, app) = open_with_session(config).await;
    let stream = context.get_stream("facerec-jobs").await.unwrap();
    // But the one that keeps the stream from being empty.
    let messages = async || stream.get_info().await.unwrap().state.messages - 1;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    app.queue.sweep().await.unwrap();
    assert_eq!(messages().await, 1, "the session that was never announced");
    stream.purge().filter("facerec.jobs.>").await.unwrap();
    app.queue.sweep().await.unwrap();
    assert_eq!(messages().await, 0, "not at every look");
    let claim = loop {
        app.queue.push(Kind::Query, "s").await.unwrap();
        app.queue.push(Kind::Query, "s").await.unwrap();
        if let Some(claim) = app.queue.next(Kind::Query, "w").await.unwrap() {
            break claim;
        }
    };
    assert!(app.queue.heartbeat(&claim).await.unwrap());
    app.queue.release(&claim, "again", Duration::ZERO, false).await.unwrap();
    let second = loop {
        if let Some(claim) = app.queue.next(Kind::Query, "w").await.unwrap() {
            break claim;
        }
    };
    assert_eq!((second.attempt, second.faults), (2, 0));
    app.queue.done(&second).await.unwrap();
    let start = Instant::now();
    while messages().await > 0 {
        assert!(start.elapsed() < Duration::from_secs(10), "what is done has no message");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// nats-server 2.9 forgets how to read a stream that was empty when it was killed.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_killed_while_nothing_waited_brings_what_comes_later() {
    let Some(mut server) = NatsServer::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.nats = server.address();
    let (_stop, app) = open_with_session(config).await;
    let claim = claimed(&app).await;
    for round in 0..8 {
        for frames in 0..3 {
            report(&app, &claim, What::Progress { progress: 0.0, frames }).await;
        }
        for taken in app.results.take().await.unwrap() {
            app.results.acknowledge(&taken).await.unwrap();
        }
        server.kill();
        server.run();
        until("the server answers again", async || app.results.take().await.is_ok_and(|taken| taken.is_empty())).await;
        report(&app, &claim, What::Progress { progress: 0.0, frames: 9 }).await;
        assert_eq!(app.results.take().await.unwrap().len(), 1, "round {round}");
    }
}

/// A session that is removed while a worker writes its files: nothing of it stays, whoever is killed.
#[test]
fn files_of_a_removed_session_go_even_when_they_come_late() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.work.lease_ms = 1000;
    config.work.query_workers = 0;
    let platform = start(config.clone());
    let session = platform.upload("clip.mp4", b"no video");
    assert_eq!(platform.send("DELETE", &format!("/v1/sessions/{session}"), &json!({})).status, 204);
    let files = config.data.join("files/sessions").join(&session);
    assert!(!files.exists());
    // A worker that has not noticed yet, and dies.
    std::fs::create_dir_all(files.join("1/1")).unwrap();
    std::fs::write(files.join("1/1/boxes"), "[]").unwrap();
    let start = Instant::now();
    while files.exists() {
        assert!(start.elapsed() < Duration::from_secs(20), "it stays");
        std::thread::sleep(Duration::from_millis(50));
    }
}
