//! Two query workers against the library called directly: frames a second of each, on the same videos with the same models.
//!
//!     cargo bench -p facerec-platform --bench queries -- [VIDEO] [COPIES]
//!
//! The video is by default .facerec/demo.mp4 (`make demo`). Direct: one process, one video after the other, the library's own choice of
//! threads. Platform: `facerec-platform all` with two query workers, from the first session asked for until the last is done.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use facerec_core::Engine;
use serde_json::{Value, json};

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Frames a second of the library alone.
fn direct(video: &Path, copies: usize) -> f64 {
    let engine = Engine::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let gallery = engine.open_gallery(folder.path()).unwrap();
    let (start, mut frames) = (Instant::now(), 0);
    for _ in 0..copies {
        let mut sightings = engine.video(video, &gallery).unwrap();
        assert!(sightings.by_ref().map(Result::unwrap).count() > 0, "somebody is in the video");
        frames += sightings.summary().frames;
    }
    frames as f64 / start.elapsed().as_secs_f64()
}

/// Frames a second of the platform.
fn platform(video: &Path, copies: usize) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    std::fs::write(&config, "listen = '127.0.0.1:0'\n[work]\nquery_workers = 2\n").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_facerec-platform"));
    command.arg("all").arg("--config").arg(config).arg("--data").arg(folder.path().join("data")).env("RUST_LOG", "warn");
    let mut running = Running(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(running.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let address = lines.next().expect("the platform starts").rsplit("http://").next().unwrap().trim_end_matches('/').to_owned();
    let key = format!("Bearer {}", lines.next().unwrap().rsplit(' ').next().unwrap());
    let url = |path: &str| format!("http://{address}{path}");
    let post = |path: &str, body: &Value| -> Value {
        let request = ureq::post(url(path)).header("authorization", &key).header("content-type", "application/json");
        serde_json::from_reader(request.send(body.to_string()).unwrap().into_body().into_reader()).unwrap()
    };
    let bytes = std::fs::read(video).unwrap();
    let uploads: Vec<Value> = (0..copies)
        .map(|_| {
            let upload = post("/v1/uploads", &json!({"file_name": "video.mp4", "bytes": bytes.len()}))["id"].clone();
            let path = url(&format!("/v1/uploads/{}", upload.as_str().unwrap()));
            ureq::patch(path).header("authorization", &key).header("upload-offset", "0").send(&bytes[..]).unwrap();
            upload
        })
        .collect();
    let start = Instant::now();
    let sessions: Vec<Value> = uploads.iter().map(|upload| post("/v1/sessions", &json!({"upload_id": upload}))["id"].clone()).collect();
    let mut frames = 0;
    for session in sessions {
        let path = url(&format!("/v1/sessions/{}", session.as_str().unwrap()));
        loop {
            let answer = ureq::get(&path).header("authorization", &key).call().unwrap();
            let answer: Value = serde_json::from_reader(answer.into_body().into_reader()).unwrap();
            if answer["state"] == "done" {
                frames += answer["frames"].as_u64().unwrap();
                break;
            }
            assert!(["queued", "running"].contains(&answer["state"].as_str().unwrap()), "{answer}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    frames as f64 / start.elapsed().as_secs_f64()
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let usual = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.facerec/demo.mp4");
    let video = arguments.first().map_or_else(usual, PathBuf::from);
    let copies = arguments.get(1).map_or(6, |text| text.parse().expect("COPIES: expected a number"));
    if std::env::var_os("FACEREC_MODELS").is_none() {
        println!("FACEREC_MODELS is not set: the default models are looked for in the usual places");
    }
    // In turn, so that what else the machine does hits both.
    for round in 1..=3 {
        let (alone, served) = (direct(&video, copies), platform(&video, copies));
        println!("round {round}: library {alone:.1} frames/s, two query workers {served:.1} frames/s, ratio {:.2}", served / alone);
    }
}
