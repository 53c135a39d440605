//! A platform in this process on a free port, and a plain HTTP client.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use facerec_platform::config::Config;
use facerec_platform::run::{self, Roles};
use facerec_platform::vision::Vision;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::people;

/// A running platform.
pub struct Platform {
    pub address: SocketAddr,
    /// The first key, when this start made it.
    pub key: String,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// An answer.
pub struct Answer {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("no JSON ({e}): {}", String::from_utf8_lossy(&self.body)))
    }

    /// The JSON of an answer that must have this status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self.json()
    }

    /// The code of an error.
    #[track_caller]
    pub fn code(&self, status: u16) -> String {
        self.expect(status)["error"]["code"].as_str().unwrap().to_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub fn config(folder: &Path) -> Config {
    let mut config = Config {
        data: folder.join("data"),
        listen: ([127, 0, 0, 1], 0).into(),
        web: folder.join("web"),
        gate: "off".into(),
        ..Config::default()
    };
    config.work.lease_ms = 2000;
    config.limits.requests_per_second = 10_000.0;
    config.limits.burst = 10_000.0;
    config
}

pub fn start(config: Config) -> Platform {
    start_with(config, people::vision())
}

pub fn start_with(config: Config, vision: Vision) -> Platform {
    start_roles(config, vision, Roles::ALL)
}

/// Some roles as a process of their own would run them.
pub fn start_roles(config: Config, vision: Vision, roles: Roles) -> Platform {
    let (stop, stopped) = watch::channel(false);
    let (started, start) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let none = SocketAddr::from(([0, 0, 0, 0], 0));
        let started = |address: Option<_>, key: Option<String>| started.send((address.unwrap_or(none), key.unwrap_or_default())).unwrap();
        runtime.block_on(run::platform(roles, config, vision, stopped, started)).unwrap();
    });
    let (address, key) = start.recv_timeout(Duration::from_secs(60)).expect("the platform starts");
    Platform { address, key, stop, thread: Some(thread) }
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join)
            && !std::thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

/// One request.
pub fn call(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(60))).build();
    let agent = ureq::Agent::new_with_config(config);
    let mut request = ureq::http::Request::builder().method(method).uri(format!("http://{address}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let bodiless = ["GET", "HEAD", "DELETE", "OPTIONS"].contains(&method);
    let answer = if bodiless { agent.run(request.body(()).unwrap()) } else { agent.run(request.body(body.to_vec()).unwrap()) };
    let mut answer = answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
    let headers = answer.headers().clone();
    let body = answer.body_mut().with_config().limit(100 << 20).read_to_vec().unwrap();
    Answer { status: answer.status().as_u16(), headers, body }
}

impl Platform {
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.key)
    }

    pub fn get(&self, path: &str) -> Answer {
        call(self.address, "GET", path, &[("authorization", &self.bearer())], b"")
    }

    pub fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        let headers = [("authorization", &*self.bearer()), ("content-type", "application/json")];
        call(self.address, method, path, &headers, body.to_string().as_bytes())
    }

    /// Sends a photo.
    pub fn photo(&self, path: &str, photo: &[u8]) -> Answer {
        call(self.address, "POST", path, &[("authorization", &self.bearer()), ("content-type", "image/png")], photo)
    }

    /// Enrols a photo and waits for what becomes of it.
    pub fn enrol(&self, person: &str, photo: &[u8]) -> Value {
        let id = self.photo(&format!("/v1/enrolments?person={person}&file=a.png"), photo).expect(202)["id"].as_str().unwrap().to_owned();
        self.until(&format!("/v1/enrolments/{id}"), |state| !["queued", "running"].contains(&state))
    }

    /// Asks until the state fits.
    #[track_caller]
    pub fn until(&self, path: &str, fits: impl Fn(&str) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let answer = self.get(path).expect(200);
            if fits(answer["state"].as_str().unwrap()) {
                return answer;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "{answer}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Uploads a video in one piece; the id of its session.
    pub fn upload(&self, name: &str, video: &[u8]) -> String {
        let upload = self.send("POST", "/v1/uploads", &json!({"file_name": name, "bytes": video.len()})).expect(201);
        let path = format!("/v1/uploads/{}", upload["id"].as_str().unwrap());
        call(self.address, "PATCH", &path, &[("authorization", &self.bearer()), ("upload-offset", "0")], video).expect(200);
        let session = self.send("POST", "/v1/sessions", &json!({"upload_id": upload["id"]})).expect(202);
        session["id"].as_str().unwrap().to_owned()
    }
}
