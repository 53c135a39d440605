//! What is forgotten, refused, renamed or merged: nothing of it is left where it should not be, also not of what was on its way.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use facerec_core::{Embedding, NewFace};
use facerec_platform::app::App;
use facerec_platform::blobs::{Blobs, Reading};
use facerec_platform::config::Config;
use facerec_platform::error::{Error, Result};
use facerec_platform::forwarder::apply;
use facerec_platform::jobs::{self, Claim, Kind};
use facerec_platform::people;
use facerec_platform::results::{CandidateDocument, Message, Shot, Track, TrackDocument, What};
use facerec_platform::workers::track_key;
use tokio::sync::watch;

use super::harness::config;
use super::once::document;
use super::people::vision;
use super::postgres_server::PgServer;

/// A platform without any role, with a session that is looked through.
struct Bench {
    app: App,
    session: Claim,
    _stop: watch::Sender<bool>,
}

impl Bench {
    async fn open(config: Config) -> Self {
        let (stop, stopped) = watch::channel(false);
        let app = App::open(config, vision(), stopped).await.unwrap();
        let mut tx = app.db.begin().await.unwrap();
        jobs::insert(&mut tx, "s", Kind::Query).await.unwrap();
        let session = "INSERT INTO session (id, upload, file_name, progress, frames, duration_ms, created_ms) VALUES ('s', 'u', 'a.mp4', 0.0, 0, 0, 0)";
        sqlx::query(session).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        let session = jobs::claim(&app.db, Kind::Query, "one", 60_000).await.unwrap().unwrap();
        Self { app, session, _stop: stop }
    }

    /// Enrols a face of the person; their id.
    async fn person(&self, name: &str, vector: [f32; 3]) -> String {
        let name = name.to_owned();
        let add = move |app: &App| {
            let face = Embedding::new(Arc::clone(app.gallery.model()), vector.to_vec())?;
            app.gallery.add(&name, NewFace::new(&face))?;
            Ok(app.gallery.person(&name)?.id.to_string())
        };
        self.app.blocking(add).await.unwrap()
    }

    /// A photo in the state in which a worker has it.
    async fn photo(&self, id: &str, person: &str) -> Claim {
        let mut tx = self.app.db.begin().await.unwrap();
        jobs::insert(&mut tx, id, Kind::Enrol).await.unwrap();
        let statement = "INSERT INTO photo (id, person, file_name, sha256, media_type, file, created_ms) VALUES ($1, $2, 'a.png', '', 'image/png', $3, 0)";
        sqlx::query(statement).bind(id).bind(person).bind(format!("photos/of-{id}")).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        self.app.blobs.put(&format!("photos/of-{id}"), Bytes::from_static(b"bytes of a photo")).await.unwrap();
        jobs::begin(&self.app.db, id, "one", 60_000).await.unwrap().unwrap()
    }

    async fn say(&self, claim: &Claim, what: What) {
        apply(&self.app, &Message { job: claim.id.clone(), attempt: claim.attempt, what }).await.unwrap();
    }

    /// A track of the first person, in which the others were considered too, with a picture.
    async fn track(&self, number: i64, people: &[(&str, &str)], vector: Vec<f32>) {
        let key = track_key("s", self.session.attempt, number);
        for file in ["boxes", "0"] {
            self.app.blobs.put(&format!("{key}/{file}"), Bytes::from_static(b"a face")).await.unwrap();
        }
        self.say(&self.session, What::Track(Box::new(track(number, people, vector)))).await;
    }

    async fn read(&self, number: i64) -> (Option<String>, Option<String>, TrackDocument) {
        let statement = "SELECT person_id, person, document FROM track WHERE session = 's' AND track = $1";
        let row: sqlx::any::AnyRow = sqlx::query(statement).bind(number).fetch_one(self.app.db.pool()).await.unwrap();
        use sqlx::Row as _;
        (row.get("person_id"), row.get("person"), people::read_document(&row.get::<String, _>("document")).unwrap())
    }

    async fn rows(&self, statement: &'static str, value: &str) -> i64 {
        sqlx::query_scalar(statement).bind(value).fetch_one(self.app.db.pool()).await.unwrap()
    }

    async fn names(&self) -> Vec<String> {
        self.app.blocking(|app| Ok(app.gallery.persons()?.into_iter().map(|person| person.name).collect())).await.unwrap()
    }
}

fn track(number: i64, people: &[(&str, &str)], vector: Vec<f32>) -> Track {
    let candidate = |(id, name): &(&str, &str)| CandidateDocument { person_id: (*id).into(), person: (*name).into(), similarity: 0.9 };
    let shot = Shot { ms: 5, frame: 1, rect: [0.0, 0.0, 9.0, 9.0], quality: 0.8, vector };
    let candidates = people.iter().map(candidate).collect();
    let document = TrackDocument { shots: vec![shot], candidates, ..document() };
    let first = people.first();
    Track { track: number, person_id: first.map(|(id, _)| (*id).into()), person: first.map(|(_, name)| (*name).into()), document }
}

async fn embedded() -> (tempfile::TempDir, Bench) {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::open(config(folder.path())).await;
    (folder, bench)
}

#[tokio::test]
async fn of_a_forgotten_persons_tracks_nothing_stays_but_when_they_were() {
    let (_folder, bench) = embedded().await;
    let (ana, ben) = (bench.person("Ana", [1.0, 0.0, 0.0]).await, bench.person("Ben", [0.0, 1.0, 0.0]).await);
    bench.track(1, &[(&ana, "Ana"), (&ben, "Ben")], vec![1.0; 3]).await;
    bench.track(2, &[(&ben, "Ben"), (&ana, "Ana")], vec![1.0; 3]).await;
    assert_eq!(people::forget(&bench.app, "test", &ana).await.unwrap(), 1);
    bench.track(3, &[(&ana, "Ana")], vec![1.0; 3]).await; // was on its way
    people::sweep(&bench.app).await.unwrap();
    for number in [1, 3] {
        let (id, name, document) = bench.read(number).await;
        assert_eq!((id, name, document.reason.as_str(), document.end_ms), (None, None, "forgotten", 10));
        assert!(document.shots.is_empty() && document.candidates.is_empty(), "{document:?}");
        for file in ["0", "boxes"] {
            let key = format!("{}/{file}", track_key("s", 1, number));
            assert_eq!(bench.app.blobs.get(&key).await.unwrap(), None, "{key}");
        }
    }
    let (id, _, document) = bench.read(2).await;
    assert_eq!((id, document.shots.len(), document.candidates.len()), (Some(ben), 1, 1), "Ben's track stays, without Ana");
    assert!(bench.app.blobs.has(&format!("{}/0", track_key("s", 1, 2))).await.unwrap());
    assert_eq!(bench.names().await, ["Ben"]);
    assert_eq!(people::forget(&bench.app, "test", &ana).await.unwrap_err().code(), "not_found");
}

#[tokio::test]
async fn a_new_name_and_a_new_person_reach_all_that_waits_was_refused_or_is_on_its_way() {
    let (_folder, bench) = embedded().await;
    let (ben, benny) = (bench.person("Ben", [1.0, 0.0, 0.0]).await, bench.person("Benny", [0.0, 1.0, 0.0]).await);
    let refused = bench.photo("refused", "Benny").await;
    bench.say(&refused, What::Rejected { reason: "no_face".into() }).await;
    let waiting = bench.photo("waiting", "Benny").await;
    bench.track(1, &[(&benny, "Benny"), (&ben, "Ben")], vec![1.0; 3]).await;

    people::rename(&bench.app, "test", &benny, "Benjamin").await.unwrap();
    assert_eq!(bench.rows("SELECT COUNT(*) FROM photo WHERE person = $1", "Benjamin").await, 2);
    bench.track(2, &[(&benny, "Benny")], vec![1.0; 3]).await;
    for number in [1, 2] {
        let (_, name, document) = bench.read(number).await;
        assert_eq!((name.as_deref(), document.candidates[0].person.as_str()), (Some("Benjamin"), "Benjamin"));
    }

    people::merge(&bench.app, "test", &ben, &benny).await.unwrap();
    bench.track(3, &[(&benny, "Benny")], vec![1.0; 3]).await;
    bench.say(&waiting, What::Accepted { person_id: benny.clone(), face_id: "77".into() }).await;
    people::rename(&bench.app, "test", &ben, "Benedict").await.unwrap();
    bench.track(4, &[(&benny, "Benjamin")], vec![1.0; 3]).await;
    for number in 1..=4 {
        let (id, name, document) = bench.read(number).await;
        assert_eq!((id.as_deref(), name.as_deref()), (Some(&*ben), Some("Benedict")), "track {number}");
        let candidates: Vec<_> = document.candidates.iter().map(|one| (one.person_id.as_str(), one.person.as_str())).collect();
        assert_eq!(candidates, [(&*ben, "Benedict")], "track {number}: two who became one are one candidate");
    }
    assert_eq!(bench.rows("SELECT COUNT(*) FROM photo WHERE person = $1", "Benedict").await, 2);
    assert_eq!(bench.rows("SELECT COUNT(*) FROM photo WHERE id = 'waiting' AND person_id = $1", &ben).await, 1);
    // A repeated merge finds that all is done.
    assert_eq!(people::merge(&bench.app, "test", &ben, &benny).await.unwrap().faces, 2);

    // Who is forgotten now is forgotten as everybody they were.
    people::forget(&bench.app, "test", &ben).await.unwrap();
    bench.track(5, &[(&benny, "Benny")], vec![1.0; 3]).await;
    for number in 1..=5 {
        assert_eq!(bench.read(number).await.2.reason, "forgotten", "track {number}");
    }
    assert_eq!(bench.rows("SELECT COUNT(*) FROM photo WHERE person LIKE $1", "Ben%").await, 0);
    assert_eq!(bench.rows("SELECT COUNT(*) FROM known_as WHERE name LIKE $1", "Ben%").await, 0);
    assert!(!bench.app.blobs.has("photos/of-waiting").await.unwrap());
    assert_eq!(bench.names().await, [""; 0]);
}

/// Files that cannot be removed for a while.
struct Stuck(Arc<dyn Blobs>, AtomicBool);

#[async_trait::async_trait]
impl Blobs for Stuck {
    async fn put(&self, key: &str, bytes: Bytes) -> Result<()> {
        self.0.put(key, bytes).await
    }
    async fn put_file(&self, key: &str, path: &Path) -> Result<()> {
        self.0.put_file(key, path).await
    }
    async fn has(&self, key: &str) -> Result<bool> {
        self.0.has(key).await
    }
    async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        self.0.get(key).await
    }
    async fn open(&self, key: &str) -> Result<Option<Box<dyn Reading>>> {
        self.0.open(key).await
    }
    async fn fetch(&self, key: &str) -> Result<Option<std::path::PathBuf>> {
        self.0.fetch(key).await
    }
    async fn remove(&self, prefix: &str) -> Result<()> {
        if self.1.load(Ordering::Relaxed) {
            return Err(Error::Unavailable("the files are away".into()));
        }
        self.0.remove(prefix).await
    }
}

#[tokio::test]
async fn an_interrupted_forget_hides_the_person_at_once_and_is_finished_later() {
    for asks_again in [true, false] {
        let (_folder, mut bench) = embedded().await;
        let stuck = Arc::new(Stuck(Arc::clone(&bench.app.blobs), AtomicBool::new(true)));
        bench.app.blobs = Arc::clone(&stuck) as Arc<dyn Blobs>;
        let ana = bench.person("Ana", [1.0, 0.0, 0.0]).await;
        bench.track(1, &[(&ana, "Ana")], vec![1.0; 3]).await;
        let photo = bench.photo("p", "Ana").await;
        bench.say(&photo, What::Accepted { person_id: ana.clone(), face_id: "1".into() }).await;
        assert_eq!(people::forget(&bench.app, "test", &ana).await.unwrap_err().code(), "unavailable");
        assert_eq!(bench.read(1).await.2.reason, "forgotten");
        assert_eq!(bench.names().await, ["Ana"], "who asks again finds the person");
        assert_eq!(people::rename(&bench.app, "test", &ana, "Anna").await.unwrap_err().code(), "not_found");
        let mut tx = people::watching(&bench.app.db).await.unwrap();
        assert_eq!(people::check_free(&bench.app, &mut tx, "Ana").await.unwrap_err().code(), "unavailable", "nobody is enrolled as them");
        drop(tx);
        stuck.1.store(false, Ordering::Relaxed);
        if asks_again {
            people::forget(&bench.app, "test", &ana).await.unwrap();
        } else {
            people::sweep(&bench.app).await.unwrap();
        }
        assert_eq!(bench.names().await, [""; 0]);
        assert!(!bench.app.blobs.has("photos/of-p").await.unwrap());
        assert_eq!(bench.rows("SELECT COUNT(*) FROM event WHERE kind = $1", "person.forgotten").await, 1);
        assert_eq!(bench.rows("SELECT COUNT(*) FROM litter WHERE key <> $1", "").await, 0);
    }
}

#[tokio::test]
async fn pictures_of_attempts_that_came_to_nothing_go_when_the_video_is_done() {
    let (_folder, bench) = embedded().await;
    bench.track(1, &[], vec![1.0; 3]).await;
    jobs::release(&bench.app.db, &bench.session, "stopped", 0, false).await.unwrap();
    let second = jobs::claim(&bench.app.db, Kind::Query, "two", 60_000).await.unwrap().unwrap();
    bench.say(&second, What::Done { tracks: 0, frames: 1, duration_ms: 1 }).await;
    let in_vain = facerec_platform::db::now_ms();
    assert_eq!(bench.rows("SELECT COUNT(*) FROM track WHERE session = $1", "s").await, 0);
    let due: i64 = sqlx::query_scalar("SELECT due_ms FROM litter WHERE key = 'sessions/s/1'").fetch_one(bench.app.db.pool()).await.unwrap();
    assert!(due > in_vain, "a worker that lost its job may still be writing");
    sqlx::query("UPDATE litter SET due_ms = 0").execute(bench.app.db.pool()).await.unwrap();
    people::sweep(&bench.app).await.unwrap();
    assert!(!bench.app.blobs.has("sessions/s/1/1/0").await.unwrap());
}

/// How many files below `folder` hold `needle`.
fn holders(folder: &Path, needle: &[u8]) -> usize {
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        count += if path.is_dir() {
            holders(&path, needle)
        } else {
            usize::from(std::fs::read(&path).unwrap().windows(needle.len()).any(|piece| piece == needle))
        };
    }
    count
}

#[tokio::test]
async fn what_was_forgotten_is_in_no_file() {
    let (folder, bench) = embedded().await;
    let vector: Vec<f32> = (1..=128_u8).map(|n| 1.0 / f32::from(n) + 0.001_234).collect();
    let traces = [
        b"Quentin Zyx".to_vec(),
        serde_json::to_vec(&vector[..4]).unwrap()[1..20].to_vec(),
        [1.0_f32 / 3.0, 2.0 / 3.0, 2.0 / 3.0].iter().flat_map(|value| value.to_le_bytes()).collect(),
    ];
    let check = |when: &str, there: bool| {
        for trace in &traces {
            assert_eq!(holders(folder.path(), trace) > 0, there, "{when}: {}", String::from_utf8_lossy(trace));
        }
    };
    let id = bench.person("Quentin Zyx", [1.0 / 3.0, 2.0 / 3.0, 2.0 / 3.0]).await;
    bench.track(1, &[(&id, "Quentin Zyx")], vector.clone()).await;
    bench.photo("p", "Quentin Zyx").await;
    // A report that nobody could read, which tells of them by name and vector alone.
    let statement = "INSERT INTO set_aside (id, job, message, error, at_ms) VALUES ('a', 's', $1, 'cut off', $2)";
    let cut_off = serde_json::json!({"person": "Quentin Zyx", "vector": &vector}).to_string() + "{";
    sqlx::query(statement).bind(cut_off).bind(facerec_platform::db::now_ms()).execute(bench.app.db.pool()).await.unwrap();
    check("before", true);
    people::forget(&bench.app, "test", &id).await.unwrap();
    check("after", false);
    // A result that was on its way lies in the database until it is written.
    let message = Message { job: "s".into(), attempt: 1, what: What::Track(Box::new(track(2, &[(&id, "Quentin Zyx")], vector.clone()))) };
    bench.app.results.publish(&message).await.unwrap();
    for taken in bench.app.results.take().await.unwrap() {
        apply(&bench.app, taken.message.as_ref().unwrap()).await.unwrap();
        bench.app.results.acknowledge(&taken).await.unwrap();
    }
    people::sweep(&bench.app).await.unwrap();
    check("after a late result", false);
}

/// Without a lock between them, one reads that nobody is forgotten while the other reads that nobody is named.
#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_a_forget_waits_for_results_that_are_being_written() {
    let Some(server) = PgServer::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.database = format!("postgres://facerec@127.0.0.1:{}/postgres", server.port);
    let bench = Arc::new(Bench::open(config).await);
    let ana = bench.person("Ana", [1.0, 0.0, 0.0]).await;
    let waits = async |what: &str| {
        let start = Instant::now();
        while server.sql("SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") == "0" {
            assert!(start.elapsed() < Duration::from_secs(20), "{what} does not wait");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    // A result is half written when the person is forgotten.
    let mut writing = people::watching(&bench.app.db).await.unwrap();
    people::add(&mut writing, &bench.session, &track(1, &[(&ana, "Ana")], vec![1.0; 3])).await.unwrap();
    let (other, id) = (Arc::clone(&bench), ana.clone());
    let forgetting = tokio::spawn(async move { people::forget(&other.app, "test", &id).await });
    waits("forgetting").await;
    writing.commit().await.unwrap();
    forgetting.await.unwrap().unwrap();
    assert_eq!(bench.read(1).await.2.reason, "forgotten");
    // And the other way about: a result comes while people change.
    let changing = people::changing(&bench.app.db).await.unwrap();
    let (other, id) = (Arc::clone(&bench), ana.clone());
    let result = tokio::spawn(async move { other.track(2, &[(&id, "Ana")], vec![1.0; 3]).await });
    waits("a result").await;
    changing.commit().await.unwrap();
    result.await.unwrap();
    assert_eq!(bench.read(2).await.2.reason, "forgotten");
    people::sweep(&bench.app).await.unwrap();
    assert!(!bench.app.blobs.has("sessions/s/1/2/0").await.unwrap());
}
