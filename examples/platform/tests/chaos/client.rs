//! A client as it should be: it repeats what was not acknowledged under the same idempotency key.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long a request is repeated before the platform counts as lost.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Client {
    pub address: SocketAddr,
    pub key: String,
}

impl Client {
    /// One try: the status and the JSON, or what kept it from being answered.
    fn once(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<(u16, Value), String> {
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(20))).build();
        let mut request = ureq::http::Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        request = request.header("authorization", format!("Bearer {}", self.key));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let agent = ureq::Agent::new_with_config(config);
        let answer =
            if ["GET", "DELETE"].contains(&method) { agent.run(request.body(()).unwrap()) } else { agent.run(request.body(body).unwrap()) };
        let mut answer = answer.map_err(|error| error.to_string())?;
        let text = answer.body_mut().read_to_string().map_err(|error| error.to_string())?;
        let json = if text.is_empty() { Ok(Value::Null) } else { serde_json::from_str(&text) };
        Ok((answer.status().as_u16(), json.map_err(|error| format!("{error}: {text}"))?))
    }

    /// Repeats until the answer is `wanted`. Refusals of the client's own fault are not repeated.
    fn until(&self, wanted: u16, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Value, String> {
        let start = Instant::now();
        loop {
            let said = match self.once(method, path, headers, body) {
                Ok((status, answer)) if status == wanted => return Ok(answer),
                Ok((status, answer)) if status < 500 && ![408, 429].contains(&status) => {
                    return Err(format!("{method} {path}: {status} {answer}"));
                }
                said => said,
            };
            if start.elapsed() > PATIENCE {
                return Err(format!("{method} {path}: no {wanted} within {PATIENCE:?}, last {said:?}"));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        self.until(200, "GET", path, &[], b"").unwrap()
    }

    /// Every item of a list.
    pub fn list(&self, path: &str) -> Vec<Value> {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let mut page = self.get(&format!("{path}?limit=200{cursor}"));
            items.append(page["items"].as_array_mut().unwrap());
            let Some(next) = page["next"].as_str() else { return items };
            cursor = format!("&cursor={next}");
        }
    }

    /// Hands in a photo; the id of its job once it is acknowledged.
    pub fn enrol(&self, key: &str, person: &str, photo: &[u8]) -> Result<String, String> {
        let path = format!("/v1/enrolments?person={}", person.replace(' ', "%20"));
        let answer = self.until(202, "POST", &path, &[("content-type", "image/jpeg"), ("idempotency-key", key)], photo)?;
        Ok(answer["id"].as_str().unwrap().to_owned())
    }

    /// Asks until it is done: what was done already, by a try whose answer was lost, is not found again.
    pub fn undo(&self, method: &str, path: &str, body: &Value) -> Result<(), String> {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let start = Instant::now();
        loop {
            match self.once(method, path, &[("content-type", "application/json")], &body) {
                Ok((200 | 204 | 404, _)) => return Ok(()),
                said if start.elapsed() > PATIENCE => return Err(format!("{method} {path}: {said:?}")),
                _ => std::thread::sleep(Duration::from_millis(200)),
            }
        }
    }

    /// The status of a question that need not be answered with 200.
    pub fn status(&self, path: &str) -> u16 {
        self.once("GET", path, &[], b"").unwrap().0
    }

    /// Uploads a video, going on where the last try ended, and asks for it to be looked through; the session's id once it is acknowledged.
    pub fn query(&self, key: &str, video: &[u8]) -> Result<String, String> {
        let json = |body: &Value| body.to_string().into_bytes();
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        let wanted = json(&json!({"file_name": "clip.mp4", "bytes": video.len()}));
        let upload = self.until(201, "POST", "/v1/uploads", &headers, &wanted)?["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/uploads/{upload}");
        let start = Instant::now();
        loop {
            let at = self.until(200, "GET", &path, &[], b"")?["offset"].as_u64().unwrap();
            if at == video.len() as u64 {
                break;
            }
            // A conflict: an earlier try was still being written. The next question tells where it came to.
            let _ = self.once("PATCH", &path, &[("upload-offset", &at.to_string())], &video[at as usize..]);
            assert!(start.elapsed() < PATIENCE, "the upload of {key} does not end");
        }
        let answer = self.until(202, "POST", "/v1/sessions", &headers, &json(&json!({"upload_id": upload})))?;
        Ok(answer["id"].as_str().unwrap().to_owned())
    }

    /// Waits for the final state.
    pub fn settled(&self, path: &str, patience: Duration) -> Value {
        let start = Instant::now();
        loop {
            let answer = self.get(path);
            if !["queued", "running"].contains(&answer["state"].as_str().unwrap()) {
                return answer;
            }
            assert!(start.elapsed() < patience, "stuck: {path} {answer}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// The tracks of a session that must become done, without what may differ: the order of arrival.
    pub fn tracks(&self, session: &str) -> Vec<String> {
        let done = self.settled(&format!("/v1/sessions/{session}"), Duration::from_secs(300));
        assert_eq!(done["state"], "done", "{done}");
        let tracks = self.list(&format!("/v1/sessions/{session}/tracks"));
        assert_eq!(done["tracks"], tracks.len(), "{done}");
        let shown =
            |track: &Value| format!("{} {} {} {} {}", track["track"], track["person"], track["start_ms"], track["end_ms"], track["frames"]);
        let mut shown: Vec<String> = tracks.iter().map(shown).collect();
        shown.sort();
        shown
    }
}
