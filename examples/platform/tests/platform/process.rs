//! The program itself, with the real models: killed in the middle of a video and started again, it loses nothing.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;

use super::harness::{Answer, call};

struct Program {
    child: Child,
    address: std::net::SocketAddr,
    key: Option<String>,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program(data: &Path, models: &Path) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_facerec-platform"));
    command.args(["all", "--listen", "127.0.0.1:0", "--data"]).arg(data).env("RUST_LOG", "warn");
    if std::env::var_os("FACEREC_MODELS").is_none() {
        command.env("FACEREC_MODELS", models);
    }
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let first = lines.next().expect("the program says where it listens");
    let address = first.rsplit("http://").next().unwrap().trim_end_matches('/').parse().unwrap();
    // A second line follows only with the first key; a data folder that was there has one already.
    let known = data.join("key");
    let key = std::fs::read_to_string(&known).ok().or_else(|| {
        let key = lines.next().unwrap().rsplit(' ').next().unwrap().to_owned();
        std::fs::write(known, &key).unwrap();
        Some(key)
    });
    Program { child, address, key }
}

impl Program {
    fn send(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> Answer {
        let bearer = format!("Bearer {}", self.key.as_deref().unwrap());
        call(self.address, method, path, &[("authorization", &bearer), ("content-type", kind), ("upload-offset", "0")], body)
    }

    fn until(&self, path: &str, wanted: &[&str]) -> serde_json::Value {
        for _ in 0..1200 {
            let answer = self.send("GET", path, "", b"").expect(200);
            if wanted.contains(&answer["state"].as_str().unwrap()) {
                return answer;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{path} never became {wanted:?}");
    }
}

#[test]
fn a_killed_program_finishes_the_video_once_when_it_starts_again() {
    let home = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.facerec").canonicalize();
    let Some(home) = home.ok().filter(|home| home.join("demo.mp4").is_file() && home.join("models").is_dir()) else {
        eprintln!("skipped: no models and no demo video; run `make demo`");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let platform = program(&data, &home.join("models"));
    for (person, photo) in [("Obama", "obama.jpg"), ("Biden", "biden.jpg")] {
        let photo = std::fs::read(home.join("photos/people").join(photo)).unwrap();
        let id = platform.send("POST", &format!("/v1/enrolments?person={person}"), "image/jpeg", &photo).expect(202)["id"].clone();
        let done = platform.until(&format!("/v1/enrolments/{}", id.as_str().unwrap()), &["accepted", "rejected", "failed"]);
        assert_eq!(done["state"], "accepted", "{done}");
    }
    let video = std::fs::read(home.join("demo.mp4")).unwrap();
    let upload = json!({"file_name": "demo.mp4", "bytes": video.len()}).to_string();
    let upload = platform.send("POST", "/v1/uploads", "application/json", upload.as_bytes()).expect(201)["id"].clone();
    platform.send("PATCH", &format!("/v1/uploads/{}", upload.as_str().unwrap()), "", &video).expect(200);
    let session = json!({"upload_id": upload}).to_string();
    let session = platform.send("POST", "/v1/sessions", "application/json", session.as_bytes()).expect(202)["id"].clone();
    let path = format!("/v1/sessions/{}", session.as_str().unwrap());
    platform.until(&path, &["running", "done"]);
    drop(platform); // kill -9

    let platform = program(&data, &home.join("models"));
    let done = platform.until(&path, &["done", "failed"]);
    assert_eq!(done["state"], "done", "{done}");
    let tracks = platform.send("GET", &format!("{path}/tracks?limit=200"), "", b"").expect(200);
    let tracks = tracks["items"].as_array().unwrap();
    let mut numbers: Vec<i64> = tracks.iter().map(|track| track["track"].as_i64().unwrap()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!((numbers.len(), done["tracks"].as_u64()), (tracks.len(), Some(tracks.len() as u64)), "no track twice");
    for person in ["Obama", "Biden"] {
        assert!(tracks.iter().any(|track| track["person"] == person), "{person} is in the demo video: {done}");
    }
}
