//! Closed doors: whoever should not pass does not, and nothing that is sent breaks the platform.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use facerec_core::Image;
use facerec_platform::gateway::routes::{Access, ROUTES, Scope};
use serde_json::json;

use super::harness::{Answer, Platform, call, config, start};
use super::people::{GREEN, RED, photo};

fn open() -> (tempfile::TempDir, Platform) {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.limits.patience_s = 2;
    let platform = start(config);
    (folder, platform)
}

/// A key with one scope, as `Authorization`.
fn key(platform: &Platform, scope: &str) -> String {
    let made = platform.send("POST", "/v1/keys", &json!({"name": scope, "scopes": [scope]})).expect(201);
    format!("Bearer {}", made["key"].as_str().unwrap())
}

/// Calls a route of the table with ids that lead nowhere.
fn try_route(platform: &Platform, method: &str, path: &str, key: Option<&str>) -> Answer {
    let path = path.replace("{id}", "0123456789abcdef").replace("{track}", "1").replace("{delivery}", "1").replace("{n}", "0");
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(key.map(|key| ("authorization", key)));
    call(platform.address, method, &path, &headers, if method == "GET" { b"" } else { b"{}" })
}

#[test]
fn every_route_asks_for_the_right_key() {
    let (_folder, platform) = open();
    let keys: Vec<(Scope, String)> = [Scope::Enrol, Scope::Query, Scope::Read].map(|scope| (scope, key(&platform, scope.name()))).into();
    for route in ROUTES {
        let (method, path) = (route.method, route.path);
        let name = format!("{method} {path}");
        if route.access == Access::Open {
            assert_eq!(try_route(&platform, method, path, None).status, 200, "{name}");
            continue;
        }
        assert_eq!(try_route(&platform, method, path, None).code(401), "unauthorized", "{name}");
        assert_eq!(try_route(&platform, method, path, Some("Bearer frk_0000")).code(401), "unauthorized", "{name}");
        assert_eq!(try_route(&platform, method, path, Some("Basic eDp5")).code(401), "unauthorized", "{name}");
        for (scope, key) in &keys {
            let answer = try_route(&platform, method, path, Some(key));
            match route.access {
                Access::Needs(needed) if needed != *scope => assert_eq!(answer.code(403), "forbidden", "{name} with {scope:?}"),
                // The route is there, and what leads nowhere is the caller's fault.
                _ => assert!(answer.status < 500 && ![401, 403, 405].contains(&answer.status), "{name}: {}", answer.status),
            }
        }
        let answer = try_route(&platform, method, path, Some(&platform.bearer()));
        assert!(answer.status < 500 && ![401, 403, 405].contains(&answer.status), "{name}: {}", answer.status);
        if answer.status >= 400 {
            let error = &answer.json()["error"];
            assert_eq!(error["request_id"], answer.header("x-request-id"), "{name}: {error}");
        }
    }
    assert_eq!(platform.get("/v1/nothing").code(404), "not_found");
    let document = platform.get("/openapi.json").expect(200);
    assert_eq!(document["openapi"], "3.1.0");
    let described: usize = document["paths"].as_object().unwrap().values().map(|methods| methods.as_object().unwrap().len()).sum();
    assert_eq!(described, ROUTES.len());
}

#[test]
fn a_revoked_key_and_anothers_upload_open_nothing() {
    let (_folder, platform) = open();
    let made = platform.send("POST", "/v1/keys", &json!({"name": "guest", "scopes": ["query"]})).expect(201);
    let guest = format!("Bearer {}", made["key"].as_str().unwrap());
    let upload = platform.send("POST", "/v1/uploads", &json!({"file_name": "a.mp4", "bytes": 10})).expect(201);
    let path = format!("/v1/uploads/{}", upload["id"].as_str().unwrap());
    assert_eq!(call(platform.address, "GET", &path, &[("authorization", &guest)], b"").code(404), "not_found");
    let write = call(platform.address, "PATCH", &path, &[("authorization", &guest), ("upload-offset", "0")], b"x");
    assert_eq!(write.code(404), "not_found");
    let body = json!({"upload_id": upload["id"]}).to_string();
    let headers = [("authorization", &*guest), ("content-type", "application/json")];
    assert_eq!(call(platform.address, "POST", "/v1/sessions", &headers, body.as_bytes()).code(404), "not_found");
    // A ticket is given only for what the key may read.
    let body = json!({"path": "/v1/persons"}).to_string();
    assert_eq!(call(platform.address, "POST", "/v1/tickets", &headers, body.as_bytes()).code(403), "forbidden");
    assert_eq!(platform.send("DELETE", &format!("/v1/keys/{}", made["id"].as_str().unwrap()), &json!({})).status, 204);
    assert_eq!(call(platform.address, "GET", "/v1/me", &[("authorization", &guest)], b"").code(401), "unauthorized");
    // Keys are kept as hashes only.
    let keys = String::from_utf8(platform.get("/v1/keys").body).unwrap();
    assert!(!keys.contains("frk_") && keys.contains("first key"), "{keys}");
}

#[test]
fn bad_bodies_are_the_callers_fault() {
    let (folder, platform) = open();
    let bearer = platform.bearer();
    let send = |path: &str, kind: &str, body: &[u8]| {
        call(platform.address, "POST", path, &[("authorization", &bearer), ("content-type", kind)], body)
    };
    // Multipart is not spoken here, well formed or not.
    for body in ["--x\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n1\r\n--x--", "--x\r\nContent-Disp", ""] {
        assert_eq!(send("/v1/enrolments?person=a", "multipart/form-data; boundary=x", body.as_bytes()).code(400), "invalid_argument");
        assert_eq!(send("/v1/uploads", "multipart/form-data; boundary=x", body.as_bytes()).code(400), "invalid_argument");
    }
    for body in [
        "",
        "{",
        "[]",
        "null",
        "{\"file_name\":1,\"bytes\":2}",
        "{\"file_name\":\"a\",\"bytes\":-1}",
        "{\"file_name\":\"a\",\"bytes\":1e99}",
    ] {
        assert_eq!(send("/v1/uploads", "application/json", body.as_bytes()).code(400), "invalid_argument", "{body}");
    }
    let nested = "[".repeat(60_000);
    assert_eq!(send("/v1/uploads", "application/json", nested.as_bytes()).code(400), "invalid_argument");
    assert_eq!(send("/v1/uploads", "application/json", &vec![b' '; 70_000]).code(413), "too_large");
    assert_eq!(send("/v1/uploads", "application/json", br#"{"file_name":"a","bytes":99999999999999}"#).code(413), "too_large");
    // A picture that claims 60,000 x 60,000 pixels in a few bytes, and one that is no picture.
    let mut bomb = photo(&[(RED, 40)]);
    bomb[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    assert_eq!(send("/v1/search", "image/png", &bomb).status, 422);
    assert_eq!(send("/v1/search", "image/png", b"PK\x03\x04zip").status, 422);
    // A real one: 100 million pixels of one colour in 1.5 MB. As a search it is refused, as a photo rejected.
    let bomb = Image::filled(10_000, 10_000, [0; 3]).encode_png().unwrap();
    assert!(bomb.len() < 2 << 20, "{}", bomb.len());
    assert_eq!(send("/v1/search", "image/png", &bomb).code(422), "limit_exceeded");
    let rejected = platform.enrol("Bomb", &bomb);
    assert_eq!((&rejected["state"], &rejected["reason"]), (&json!("rejected"), &json!("decode_image")), "{rejected}");
    assert_eq!(send("/v1/search", "image/png", b"").code(400), "invalid_argument");
    for path in [
        "/v1/persons?limit=0",
        "/v1/persons?limit=x",
        "/v1/persons?cursor=zz",
        "/v1/sessions?cursor=1",
        "/v1/sessions?cursor=1.'--",
        "/v1/events?cursor=x",
    ] {
        assert_eq!(platform.get(path).code(400), "invalid_argument", "{path}");
    }
    for path in ["/v1/sessions/..%2f..%2fplatform.db/video", "/v1/enrolments/%00/photo", "/v1/uploads/..%2fplatform.db", "/v1/sessions/%ff"]
    {
        assert!((400..500).contains(&platform.get(path).status), "{path}");
    }
    // Names are data, whatever is in them.
    let script = "<script>alert(1)</script>'; DROP TABLE photo; --";
    let shown =
        platform.enrol(&"%3Cscript%3Ealert(1)%3C%2Fscript%3E'%3B%20DROP%20TABLE%20photo%3B%20--".replace(' ', ""), &photo(&[(RED, 40)]));
    assert_eq!((&shown["person"], &shown["state"]), (&json!(script), &json!("accepted")), "{shown}");
    // The name of a file too: what is left of it has no folders, and no file is called so.
    let path = "/v1/enrolments?person=Ana&file=..%2F..%2F..%2Fetc%2F%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E.png";
    let id = platform.photo(path, &photo(&[(RED, 40)])).expect(202)["id"].clone();
    let named = platform.get(&format!("/v1/enrolments/{}", id.as_str().unwrap())).expect(200);
    assert_eq!(named["file_name"], "<img src=x onerror=alert(1)>.png");
    // PostgreSQL could not even look for a NUL.
    for (path, body) in [("/v1/uploads", json!({"file_name": "a\u{0}", "bytes": 1})), ("/v1/sessions", json!({"upload_id": "\u{0}"}))] {
        assert_eq!(platform.send("POST", path, &body).code(400), "invalid_argument", "{path}");
    }
    assert_eq!(platform.get("/v1/persons?q=%00").code(400), "invalid_argument");
    let upload = platform.send("POST", "/v1/uploads", &json!({"file_name": "../../../tmp/x.mp4", "bytes": 1})).expect(201);
    let id = upload["id"].as_str().unwrap();
    call(platform.address, "PATCH", &format!("/v1/uploads/{id}"), &[("authorization", &bearer), ("upload-offset", "0")], b"x").expect(200);
    let files: Vec<_> = folder.path().join("data/uploads").read_dir().unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, [id], "called by its id and nothing else");
    let list = platform.get("/v1/persons");
    assert_eq!((list.header("content-type"), list.header("x-content-type-options")), ("application/json", "nosniff"));
    assert_eq!(list.json()["items"][0]["name"], script);
    assert!(folder.path().join("data/platform.db").is_file());
}

#[test]
fn a_name_is_one_name_however_it_is_spelt() {
    let (_folder, platform) = open();
    // Decomposed, composed, and with spaces of other kinds.
    let spellings = ["Andre%CC%81%20L", "Andr%C3%A9%20L", "%EF%BB%BFAndr%C3%A9%C2%A0%20L%E3%80%80"];
    for (spelling, left) in spellings.into_iter().zip([40, 90, 140]) {
        assert_eq!(platform.enrol(spelling, &photo(&[(RED, left)]))["person"], "Andr\u{e9} L");
    }
    let people = platform.get("/v1/persons?q=andre%CC%81").expect(200);
    assert_eq!((people["items"].as_array().unwrap().len(), &people["items"][0]["name"]), (1, &json!("Andr\u{e9} L")), "{people}");
    let id = platform.enrol("Ben", &photo(&[(GREEN, 40)]))["person_id"].as_str().unwrap().to_owned();
    let rename = |name: &str| platform.send("PATCH", &format!("/v1/persons/{id}"), &json!({"name": name}));
    assert_eq!(rename("Andre\u{301} L").code(409), "conflict");
    for bad in ["", "\u{200b}\u{a0}", "a\u{1b}[31m", "a\u{85}b", "Jos\u{fffd}"] {
        assert_eq!(rename(bad).code(400), "invalid_argument", "{bad:?}");
    }
    assert_eq!(rename("Zoe\u{308}").expect(200)["name"], "Zo\u{eb}");
}

#[test]
fn idempotency_keys_make_one_thing_once() {
    let (_folder, platform) = open();
    let send = |key: &str, person: &str| {
        let headers = [("authorization", &*platform.bearer()), ("content-type", "image/png"), ("idempotency-key", key)];
        call(platform.address, "POST", &format!("/v1/enrolments?person={person}"), &headers, &photo(&[(RED, 40)]))
    };
    let (first, again, other) = (send("a", "Ana").expect(202), send("a", "Ana").expect(202), send("b", "Ana").expect(202));
    assert_eq!(first["id"], again["id"]);
    assert_ne!(first["id"], other["id"]);
    assert_eq!(send("a", "Ben").code(409), "conflict", "another request under the same key");
    assert_eq!(send("", "Ben").code(400), "invalid_argument");
}

#[test]
fn an_origin_that_is_named_may_call() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.cors_origins = vec!["https://ours.example".into()];
    let platform = start(config);
    for (origin, allowed) in [("https://ours.example", "https://ours.example"), ("https://ours.example.evil.example", ""), ("null", "")] {
        let asked = [("origin", origin), ("access-control-request-method", "PATCH")];
        let answer = call(platform.address, "OPTIONS", "/v1/persons", &asked, b"");
        assert_eq!(answer.header("access-control-allow-origin"), allowed, "{origin}");
        let answer = call(platform.address, "GET", "/v1/persons", &[("authorization", &platform.bearer()), ("origin", origin)], b"");
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, allowed), "{origin}");
    }
}

#[test]
fn browsers_keep_other_pages_out() {
    let (folder, platform) = open();
    let evil = [("authorization", &*platform.bearer()), ("origin", "https://evil.example")];
    let answer = call(platform.address, "GET", "/v1/persons", &evil, b"");
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, ""));
    let asked = [("origin", "https://evil.example"), ("access-control-request-method", "GET")];
    assert_eq!(call(platform.address, "OPTIONS", "/v1/persons", &asked, b"").header("access-control-allow-origin"), "");
    for (name, value) in [("x-frame-options", "DENY"), ("referrer-policy", "no-referrer"), ("cache-control", "no-store")] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    assert!(answer.header("content-security-policy").starts_with("default-src 'none'"));
    let page = call(platform.address, "GET", "/", &[], b"");
    assert!(page.status == 200 && String::from_utf8_lossy(&page.body).contains("make platform"), "says how to build the client");
    std::fs::create_dir(folder.path().join("web")).unwrap();
    std::fs::create_dir(folder.path().join("web/people")).unwrap();
    for file in ["index.html", "people/index.html", "404.html"] {
        std::fs::write(folder.path().join("web").join(file), file).unwrap();
    }
    for (path, status, file) in [("/", 200, "index.html"), ("/people/", 200, "people/index.html"), ("/nothing/", 404, "404.html")] {
        let page = call(platform.address, "GET", path, &[], b"");
        assert_eq!((page.status, &page.body[..]), (status, file.as_bytes()), "{path}");
        let policy = page.header("content-security-policy");
        assert!(policy.contains("script-src 'self';") && !policy.contains("unsafe"), "{path}: {policy}");
    }
    for path in ["/../data/platform.db", "/%2e%2e/data/platform.db", "/..%2fdata%2fplatform.db", "//etc/passwd", "/..\\data"] {
        let raw =
            raw(&platform, format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes(), Duration::from_secs(10));
        assert!(!raw.starts_with("HTTP/1.1 200"), "{path}: {raw}");
    }
}

/// Sends bytes as they are; what comes back until the connection ends.
fn raw(platform: &Platform, bytes: &[u8], patience: Duration) -> String {
    let mut stream = TcpStream::connect(platform.address).unwrap();
    stream.set_read_timeout(Some(patience)).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut piece) {
        answer.extend_from_slice(&piece[..count]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn who_sends_slowly_or_claims_much_is_cut_off() {
    let (_folder, platform) = open();
    let head = |path: &str, length: &str| {
        let bearer = platform.bearer();
        format!("POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: {bearer}\r\ncontent-type: image/png\r\ncontent-length: {length}\r\n\r\n")
    };
    let start = Instant::now();
    // Ten gigabytes are announced: refused before they come.
    let answer = raw(&platform, head("/v1/enrolments?person=a", "10737418240").as_bytes(), Duration::from_secs(1));
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    // A caller who says nothing, a head that never ends, and a body that never comes; patience is 2 s.
    for sent in [&b""[..], b"GET / HTTP/1.1\r\nhost: x\r\nx-slow: "] {
        let answer = raw(&platform, sent, Duration::from_secs(20));
        assert!(!answer.contains(" 200 "), "{answer}");
    }
    let answer = raw(&platform, format!("{}x", head("/v1/enrolments?person=a", "1000")).as_bytes(), Duration::from_secs(4));
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    // The same for a video, of which each piece must come in time.
    let upload = platform.send("POST", "/v1/uploads", &json!({"file_name": "a.mp4", "bytes": 1000})).expect(201);
    let path = format!("/v1/uploads/{}", upload["id"].as_str().unwrap());
    let patch = |length: &str| head(&path, length).replace("POST", "PATCH").replace("content-type: image/png", "upload-offset: 0");
    let answer = raw(&platform, patch("10737418240").as_bytes(), Duration::from_secs(1));
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let answer = raw(&platform, format!("{}x", patch("1000")).as_bytes(), Duration::from_secs(4));
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert_eq!(platform.get(&path).expect(200)["offset"], 1, "what came before stays");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert_eq!(platform.get("/healthz").status, 200);
}

#[test]
fn who_asks_too_often_waits() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    (config.limits.requests_per_second, config.limits.burst) = (1.0, 5.0);
    let platform = start(config);
    let answers: Vec<Answer> = (0..8).map(|_| platform.get("/v1/me")).collect();
    let refused = answers.iter().find(|answer| answer.status == 429).expect("one is refused");
    assert_eq!((refused.code(429).as_str(), refused.header("retry-after")), ("rate_limited", "1"));
    assert_eq!(platform.get("/healthz").status, 200);
}

#[test]
fn live_streams_are_limited_and_end_with_their_key() {
    let (folder, platform) = open();
    let file = folder.path().join("clip.mp4");
    super::people::video(&file, &[(RED, 20)], 2000);
    let session = platform.upload("clip.mp4", &std::fs::read(&file).unwrap());
    let made = platform.send("POST", "/v1/keys", &json!({"name": "viewer", "scopes": ["read"]})).expect(201);
    let path = format!("/v1/sessions/{session}/events");
    let open = || {
        let mut stream = TcpStream::connect(platform.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let key = made["key"].as_str().unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\nconnection: close\r\n\r\n").unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        (String::from_utf8_lossy(&status[9..]).into_owned(), stream)
    };
    let mut streams: Vec<_> = (0..32).map(|_| open()).collect();
    assert!(streams.iter().all(|(status, _)| status == "200"));
    assert_eq!(open().0, "429");
    platform.send("DELETE", &format!("/v1/keys/{}", made["id"].as_str().unwrap()), &json!({}));
    let mut rest = String::new();
    streams[0].1.read_to_string(&mut rest).expect("the stream ends");
    assert_eq!(platform.get(&format!("/v1/sessions/{session}")).expect(200)["state"], "running", "and not because the video is done");
}
