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

/// `FACEREC_UPLOAD_MB` (200) of nothing, as a stream that is never whole anywhere.
#[test]
fn an_upload_takes_memory_that_does_not_grow_with_it() {
    let models = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.facerec/models");
    if !models.is_dir() {
        assert!(std::env::var_os("CI").is_none(), "no models: scripts/setup.sh gets them");
        eprintln!("SKIPPED: no models; scripts/setup.sh gets them");
        return;
    }
    let megabytes: u64 = std::env::var("FACEREC_UPLOAD_MB").map_or(200, |text| text.parse().unwrap());
    let (folder, bytes) = (tempfile::tempdir().unwrap(), megabytes << 20);
    let platform = program(folder.path(), &models);
    let wanted = json!({"file_name": "large.mp4", "bytes": bytes}).to_string();
    let upload = platform.send("POST", "/v1/uploads", "application/json", wanted.as_bytes()).expect(201)["id"].clone();
    let path = format!("/v1/uploads/{}", upload.as_str().unwrap());
    let most = |field: &str| {
        let status = std::fs::read_to_string(format!("/proc/{}/status", platform.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.trim().strip_suffix(" kB")).unwrap().trim().parse::<u64>();
        line.unwrap() >> 10
    };
    let (before, start) = (most("VmRSS:"), std::time::Instant::now());
    let mut body = std::io::Read::take(std::io::repeat(0), bytes);
    let request = ureq::patch(format!("http://{}{path}", platform.address)).header("upload-offset", "0");
    let request = request.header("authorization", format!("Bearer {}", platform.key.as_deref().unwrap()));
    let answer = request.send(ureq::SendBody::from_reader(&mut body)).unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    let (took, after) = (start.elapsed().as_secs_f64(), most("VmHWM:"));
    eprintln!("upload of {megabytes} MB in {took:.1} s: {before} MB resident before, {after} MB at most");
    assert!(after < before + 48, "{before} MB before, {after} MB at most");
    assert_eq!(platform.send("GET", &path, "", b"").expect(200)["offset"], bytes);
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
