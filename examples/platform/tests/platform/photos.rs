//! Photos on their way to a person: in a worker's hands while people change, refused, removed, sent twice.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use facerec_core::{Detect, Detection, ImageView, Result};
use facerec_platform::db::Db;
use facerec_platform::ids::sha256;
use facerec_platform::vision::Vision;
use serde_json::{Value, json};

use super::harness::{Platform, call, config, start, start_with};
use super::people::{BLUE, GREEN, RED, photo, vision};

/// A detector at which pictures wait while it is closed.
struct Gate {
    behind: Arc<dyn Detect>,
    closed: Mutex<(bool, usize)>,
    changed: Condvar,
}

impl Detect for Gate {
    fn detect_batch(&self, images: &[ImageView<'_>]) -> Result<Vec<Vec<Detection>>> {
        let mut closed = self.closed.lock().unwrap();
        closed.1 += 1;
        self.changed.notify_all();
        let _open = self.changed.wait_while(closed, |closed| closed.0).unwrap();
        self.behind.detect_batch(images)
    }
}

impl Gate {
    fn open(&self) {
        *self.closed.lock().unwrap() = (false, 0);
        self.changed.notify_all();
    }

    /// Sends a photo and closes the gate behind it: it is in a worker's hands when this returns.
    fn hold(&self, platform: &Platform, person: &str, bytes: &[u8]) -> String {
        *self.closed.lock().unwrap() = (true, 0);
        let id = platform.photo(&format!("/v1/enrolments?person={person}"), bytes).expect(202)["id"].as_str().unwrap().to_owned();
        let closed = self.closed.lock().unwrap();
        drop(self.changed.wait_timeout_while(closed, Duration::from_secs(20), |closed| closed.1 == 0).unwrap());
        assert_eq!(self.closed.lock().unwrap().1, 1, "the worker looks at the photo");
        id
    }
}

fn gated(folder: &Path) -> (Platform, Arc<Gate>) {
    let vision = vision();
    let gate = Arc::new(Gate { behind: Arc::clone(&vision.detector), closed: Mutex::default(), changed: Condvar::new() });
    let detector = Arc::clone(&gate) as Arc<dyn Detect>;
    (start_with(config(folder), Vision { detector, ..vision }), gate)
}

fn people(platform: &Platform) -> Vec<(String, u64)> {
    let list = platform.get("/v1/persons").expect(200);
    let one = |person: &Value| (person["name"].as_str().unwrap().to_owned(), person["faces"].as_u64().unwrap());
    list["items"].as_array().unwrap().iter().map(one).collect()
}

fn files(folder: &Path, kind: &str) -> usize {
    std::fs::read_dir(folder.join("data/files").join(kind)).map_or(0, Iterator::count)
}

/// Waits until the number of files is right: those that nobody needs are removed by a sweep.
#[track_caller]
fn wait_for_files(folder: &Path, kind: &str, count: usize) {
    let start = Instant::now();
    while files(folder, kind) != count {
        assert!(start.elapsed() < Duration::from_secs(20), "{} files of {kind}, not {count}", files(folder, kind));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_photo_in_a_workers_hands_follows_its_person() {
    let folder = tempfile::tempdir().unwrap();
    let (platform, gate) = gated(folder.path());
    let id = |photo: &Value| photo["person_id"].as_str().unwrap().to_owned();
    let (ana, ben) = (id(&platform.enrol("Ana", &photo(&[(RED, 40)]))), id(&platform.enrol("Ben", &photo(&[(GREEN, 40)]))));
    let held = gate.hold(&platform, "Ana", &photo(&[(RED, 60)]));
    platform.send("PATCH", &format!("/v1/persons/{ana}"), &json!({"name": "Anna"})).expect(200);
    let merge = |key: &str, from: &str| {
        let headers = [("authorization", &*platform.bearer()), ("content-type", "application/json"), ("idempotency-key", key)];
        call(platform.address, "POST", &format!("/v1/persons/{ben}/merge"), &headers, json!({"from": from}).to_string().as_bytes())
    };
    let merged = merge("once", &ana).expect(200);
    assert_eq!(merged["faces"], 2);
    gate.open();
    let done = platform.until(&format!("/v1/enrolments/{held}"), |state| !["queued", "running"].contains(&state));
    assert_eq!((&done["state"], &done["person"], id(&done)), (&json!("accepted"), &json!("Ben"), ben.clone()), "{done}");
    assert_eq!(people(&platform), [("Ben".into(), 3)], "no second person of the old name");
    assert_eq!(merge("once", &ana).expect(200), merged, "the first answer again");
    assert_eq!(merge("once", "999").code(409), "conflict", "another request under the same key");
    assert_eq!(merge("twice", &ana).expect(200)["faces"], 3, "all is done already");
    assert_eq!(merge("thrice", "999").code(404), "not_found");

    // Forgotten while a worker looks at the next photo: it leaves neither a face nor a picture.
    gate.hold(&platform, "Ben", &photo(&[(GREEN, 60)]));
    assert_eq!(platform.send("DELETE", &format!("/v1/persons/{ben}"), &json!({})).expect(200)["removed_faces"], 3);
    gate.open();
    platform.enrol("Cyd", &photo(&[(BLUE, 40)])); // by the same worker, after the other
    assert_eq!(people(&platform), [("Cyd".into(), 1)]);
    assert_eq!((files(folder.path(), "faces"), files(folder.path(), "photos")), (1, 1), "Cyd's");

    // Removed while a worker looks at it.
    let held = gate.hold(&platform, "Dan", &photo(&[(GREEN, 80)]));
    assert_eq!(platform.send("DELETE", &format!("/v1/enrolments/{held}"), &json!({})).status, 204);
    gate.open();
    platform.enrol("Cyd", &photo(&[(BLUE, 60)]));
    assert_eq!(people(&platform), [("Cyd".into(), 2)]);
    assert_eq!((files(folder.path(), "faces"), files(folder.path(), "photos")), (2, 2), "Cyd's");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_refused_photo_only_the_reason_is_kept_and_not_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(config(folder.path()));
    let refused = [platform.enrol("Nat", &photo(&[])), platform.enrol("Nat", b"no picture")];
    for refused in &refused {
        assert_eq!((&refused["state"], &refused["url"]), (&json!("rejected"), &Value::Null), "{refused}");
    }
    let path = |photo: &Value| format!("/v1/enrolments/{}", photo["id"].as_str().unwrap());
    assert_eq!(platform.get(&format!("{}/photo", path(&refused[0]))).code(404), "not_found");
    wait_for_files(folder.path(), "photos", 0);
    assert_eq!(platform.get(&path(&refused[0])).expect(200)["reason"], "no_face");
    assert_eq!(platform.send("DELETE", &path(&refused[0]), &json!({})).status, 204);
    assert_eq!(platform.send("DELETE", &path(&refused[0]), &json!({})).code(404), "not_found");
    let accepted = platform.enrol("Ana", &photo(&[(RED, 40)]));
    assert_eq!(platform.send("DELETE", &path(&accepted), &json!({})).code(409), "conflict", "the last face goes with its person");
    let another = platform.enrol("Ana", &photo(&[(RED, 90)]));
    assert_eq!(platform.send("DELETE", &path(&another), &json!({})).status, 204);
    let ana = platform.get(&format!("/v1/persons/{}", accepted["person_id"].as_str().unwrap())).expect(200);
    assert_eq!(ana["faces"], 1, "the other photo's face is gone");
    assert_eq!(platform.get(another["url"].as_str().unwrap()).status, 404);
    assert!(accepted["url"].is_string() && platform.get(accepted["url"].as_str().unwrap()).status == 200, "{accepted}");
    // A month later.
    let db = Db::open_file(&folder.path().join("data/platform.db")).await.unwrap();
    sqlx::query("UPDATE job SET created_ms = created_ms - 2678400000").execute(db.pool()).await.unwrap();
    let start = Instant::now();
    while platform.get(&path(&refused[1])).status != 404 {
        assert!(start.elapsed() < Duration::from_secs(20), "the second stays");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(platform.get(&path(&accepted)).status, 200);
}

#[test]
fn two_photos_at_once_under_one_key_do_not_mix() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(config(folder.path()));
    let photos = [photo(&[(RED, 40)]), photo(&[(RED, 60)])];
    for round in 0..20 {
        let key = format!("round {round}");
        let send = |bytes: &[u8]| {
            let headers = [("authorization", &*platform.bearer()), ("content-type", "image/png"), ("idempotency-key", &*key)];
            call(platform.address, "POST", "/v1/enrolments?person=Ana", &headers, bytes)
        };
        let send = &send;
        let answers: Vec<_> = std::thread::scope(|scope| {
            let sending = photos.each_ref().map(|bytes| scope.spawn(move || send(bytes)));
            sending.into_iter().map(|sent| sent.join().unwrap()).collect()
        });
        let taken: Vec<usize> = (0..2).filter(|&which| answers[which].status == 202).collect();
        assert_eq!(taken.len(), 1, "one is taken, and the other told that the key was used");
        assert_eq!(answers[1 - taken[0]].code(409), "conflict");
        let id = answers[taken[0]].json()["id"].as_str().unwrap().to_owned();
        platform.until(&format!("/v1/enrolments/{id}"), |state| state == "accepted");
        let kept = platform.get(&format!("/v1/enrolments/{id}/photo"));
        assert_eq!(sha256(&kept.body), sha256(&photos[taken[0]]), "round {round}");
    }
    wait_for_files(folder.path(), "photos", 20);
}
