//! Uploads that are cut off, repeated, given up and forgotten about.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use facerec_platform::config::Config;
use facerec_platform::db::Db;
use serde_json::json;

use super::harness::{Answer, Platform, call, config};

/// Nobody looks at the videos, which are none.
fn start(config: &Config) -> Platform {
    let mut config = config.clone();
    config.work.query_workers = 0;
    super::harness::start(config)
}

fn begin(platform: &Platform, bytes: usize) -> String {
    let upload = platform.send("POST", "/v1/uploads", &json!({"file_name": "a.mp4", "bytes": bytes})).expect(201);
    upload["id"].as_str().unwrap().to_owned()
}

fn append(platform: &Platform, upload: &str, offset: usize, bytes: &[u8]) -> Answer {
    let headers = [("authorization", &*platform.bearer()), ("upload-offset", &offset.to_string())];
    call(platform.address, "PATCH", &format!("/v1/uploads/{upload}"), &headers, bytes)
}

/// An upload whose five bytes have all come.
fn complete(platform: &Platform) -> String {
    let upload = begin(platform, 5);
    append(platform, &upload, 0, b"video").expect(200);
    upload
}

fn ask(platform: &Platform, upload: &str) -> Answer {
    platform.send("POST", "/v1/sessions", &json!({"upload_id": upload}))
}

fn offset(platform: &Platform, upload: &str) -> u64 {
    platform.get(&format!("/v1/uploads/{upload}")).expect(200)["offset"].as_u64().unwrap()
}

fn uploads(config: &Config) -> Vec<String> {
    let files = config.data.join("uploads").read_dir().unwrap();
    files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

fn sql(data: &Path, statement: &'static str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let db = Db::open_file(&data.join("platform.db")).await.unwrap();
        sqlx::query(statement).execute(db.pool()).await.unwrap();
    });
}

#[test]
fn an_upload_that_became_a_session_is_complete_and_takes_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let platform = start(&config);
    let upload = complete(&platform);
    let session = ask(&platform, &upload).expect(202)["id"].clone();
    assert_eq!(offset(&platform, &upload), 5, "a client that asks is not told to begin anew");
    assert_eq!(append(&platform, &upload, 0, b"video").code(409), "conflict");
    assert_eq!(ask(&platform, &upload).expect(202)["id"], session);
    assert_eq!(platform.send("DELETE", &format!("/v1/uploads/{upload}"), &json!({})).code(409), "conflict");
    assert_eq!(uploads(&config), [""; 0]);
    // What a gateway with another store left behind when it was killed.
    std::fs::write(config.data.join("uploads").join(&upload), "video").unwrap();
    assert_eq!(platform.send("DELETE", &format!("/v1/sessions/{}", session.as_str().unwrap()), &json!({})).status, 204);
    assert_eq!(uploads(&config), [""; 0]);
    assert_eq!(platform.get(&format!("/v1/uploads/{upload}")).status, 404);
}

#[test]
fn the_same_upload_again_waits_until_its_old_files_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.work.lease_ms = 1000;
    let platform = start(&config);
    let again = || {
        let headers = [("authorization", &*platform.bearer()), ("content-type", "application/json"), ("idempotency-key", "mine")];
        let made = call(platform.address, "POST", "/v1/uploads", &headers, br#"{"file_name":"a.mp4","bytes":5}"#).expect(201);
        let upload = made["id"].as_str().unwrap().to_owned();
        append(&platform, &upload, 0, b"video");
        upload
    };
    let session = ask(&platform, &again()).expect(202)["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/sessions/{session}");
    assert_eq!(platform.send("DELETE", &path, &json!({})).status, 204);
    let upload = again();
    assert_eq!(ask(&platform, &upload).code(503), "unavailable");
    let start = Instant::now();
    while ask(&platform, &upload).status != 202 {
        assert!(start.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(platform.get(&format!("{path}/video")).body, b"video", "what came later stays");
}

#[test]
fn a_gateway_that_is_cut_off_while_it_makes_a_session_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let platform = start(&config);
    let upload = complete(&platform);
    let session = ask(&platform, &upload).expect(202)["id"].clone();
    // As if it had been killed between the file and the database.
    sql(&config.data, "DELETE FROM job");
    assert_eq!(offset(&platform, &upload), 5);
    assert_eq!(ask(&platform, &upload).expect(202)["id"], session);
    let video = platform.get(&format!("/v1/sessions/{}/video", session.as_str().unwrap()));
    assert_eq!((video.status, &video.body[..]), (200, &b"video"[..]));
}

#[test]
fn who_asks_twice_at_once_gets_one_session() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let platform = start(&config);
    for _ in 0..10 {
        let upload = complete(&platform);
        let ids: Vec<_> = std::thread::scope(|scope| {
            let asked: Vec<_> = (0..4).map(|_| scope.spawn(|| ask(&platform, &upload).expect(202)["id"].clone())).collect();
            asked.into_iter().map(|asked| asked.join().unwrap()).collect()
        });
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    }
}

#[test]
fn nobody_writes_to_what_another_process_writes_to() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let platform = start(&config);
    let upload = begin(&platform, 5);
    append(&platform, &upload, 0, b"vi").expect(200);
    let file = std::fs::File::open(config.data.join("uploads").join(&upload)).unwrap();
    file.lock().unwrap();
    assert_eq!(append(&platform, &upload, 2, b"deo").code(409), "conflict");
    assert_eq!(platform.send("DELETE", &format!("/v1/uploads/{upload}"), &json!({})).code(409), "conflict");
    drop(file);
    append(&platform, &upload, 2, b"deo").expect(200);
    assert_eq!(std::fs::read(config.data.join("uploads").join(&upload)).unwrap(), b"video");
}

#[test]
fn an_upload_is_given_up_by_its_owner_or_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let platform = start(&config);
    let (given_up, old, new) = (begin(&platform, 5), begin(&platform, 5), begin(&platform, 5));
    for upload in [&given_up, &old, &new] {
        append(&platform, upload, 0, b"vi").expect(200);
    }
    let made = platform.send("POST", "/v1/keys", &json!({"name": "guest", "scopes": ["query"]})).expect(201);
    let guest = format!("Bearer {}", made["key"].as_str().unwrap());
    let path = format!("/v1/uploads/{given_up}");
    assert_eq!(call(platform.address, "DELETE", &path, &[("authorization", &guest)], b"").code(404), "not_found");
    assert_eq!(platform.send("DELETE", &path, &json!({})).status, 204);
    assert_eq!(platform.get(&path).status, 404);
    let key = platform.key.clone();
    drop(platform);
    std::fs::write(config.data.join("uploads/0123"), "of an upload that is gone").unwrap();
    sql(&config.data, "UPDATE upload SET created_ms = created_ms - 8 * 86400000 WHERE id = (SELECT MIN(id) FROM upload)");
    let (oldest, kept) = if old < new { (&old, &new) } else { (&new, &old) };
    let mut platform = start(&config);
    platform.key = key;
    let begun = Instant::now();
    while uploads(&config) != [kept.as_str()] {
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", uploads(&config));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!((platform.get(&format!("/v1/uploads/{oldest}")).status, offset(&platform, kept)), (404, 2));
}

#[test]
fn a_byte_now_and_then_does_not_hold_an_upload_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.limits.patience_s = 1;
    let platform = start(&config);
    let upload = begin(&platform, 1000);
    let mut stream = TcpStream::connect(platform.address).unwrap();
    let head = format!(
        "PATCH /v1/uploads/{upload} HTTP/1.1\r\nhost: x\r\nauthorization: {}\r\nupload-offset: 0\r\ncontent-length: 1000\r\n\r\n",
        platform.bearer()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let (start, mut answer) = (Instant::now(), [0; 12]);
    loop {
        let _ = stream.write_all(b"x");
        match stream.read_exact(&mut answer) {
            Ok(()) => break,
            Err(_) => assert!(start.elapsed() < Duration::from_secs(10), "a byte is taken every 200 ms"),
        }
    }
    assert_eq!(&answer, b"HTTP/1.1 408");
    // What came stays, and the upload is free for who goes on.
    let came = offset(&platform, &upload);
    assert!((1..20).contains(&came), "{came}");
    append(&platform, &upload, usize::try_from(came).unwrap(), &[0; 100]).expect(200);
}
