//! From photos and a video to names, and back to nothing.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use super::harness::{Platform, call, config, start};
use super::people::{BLUE, GREEN, RED, photo, video};

#[test]
fn people_are_enrolled_found_named_merged_and_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(config(folder.path()));

    // Enrolment, with an answer for each photo.
    let ana = platform.enrol("Ana", &photo(&[(RED, 40)]));
    assert_eq!((&ana["state"], &ana["person"], &ana["reason"]), (&json!("accepted"), &json!("Ana"), &Value::Null), "{ana}");
    let ben = platform.enrol("Ben", &photo(&[(GREEN, 40)]));
    let nobody = platform.enrol("Ana", &photo(&[]));
    assert_eq!((&nobody["state"], &nobody["reason"]), (&json!("rejected"), &json!("no_face")), "{nobody}");
    let damaged = platform.enrol("Ana", b"GIF89a, or so it says");
    assert_eq!((&damaged["state"], &damaged["reason"]), (&json!("rejected"), &json!("decode_image")), "{damaged}");
    let people = platform.get("/v1/persons").expect(200);
    assert_eq!(names(&people), ["Ana", "Ben"]);
    let first = platform.get("/v1/persons?limit=1").expect(200);
    let rest = platform.get(&format!("/v1/persons?limit=1&cursor={}", first["next"].as_str().unwrap())).expect(200);
    assert_eq!((names(&first), names(&rest)), (vec!["Ana".into()], vec!["Ben".into()]));
    let ana_id = ana["person_id"].as_str().unwrap();
    let photos = platform.get(&format!("/v1/persons/{ana_id}/photos")).expect(200);
    assert_eq!(photos["items"].as_array().unwrap().len(), 3, "refused photos are shown with their reason");
    assert_eq!(platform.get(people["items"][0]["thumbnail"].as_str().unwrap()).header("content-type"), "image/jpeg");

    // A video with Ana and somebody unknown.
    let file = folder.path().join("clip.mp4");
    video(&file, &[(RED, 20), (BLUE, 300)], 60);
    let clip = std::fs::read(&file).unwrap();
    let session = resumed_upload(&platform, &clip);
    let live = follow(&platform, &session);
    let done = platform.until(&format!("/v1/sessions/{session}"), |state| state == "done");
    assert_eq!((&done["tracks"], &done["unknown_tracks"], &done["progress"]), (&json!(2), &json!(1), &json!(1.0)), "{done}");
    assert_eq!(done["persons"], json!([{"person_id": ana_id, "person": "Ana"}]));
    let tracks = platform.get(&format!("/v1/sessions/{session}/tracks")).expect(200)["items"].as_array().unwrap().clone();
    let live: Vec<Value> = live.join().unwrap();
    assert_eq!(live, tracks, "the live stream gave each track once, and ended");
    let named = tracks.iter().find(|track| track["person"] == "Ana").expect("Ana's track");
    assert_eq!((&named["reason"], &named["person_id"]), (&json!("match"), &json!(ana_id)));
    let shot = platform.get(named["best_shots"][0]["url"].as_str().unwrap());
    assert_eq!((shot.header("content-type"), &shot.body[..2]), ("image/jpeg", &[0xff, 0xd8][..]));
    let boxes = platform.get(&format!("/v1/sessions/{session}/tracks/{}/boxes", named["track"])).expect(200);
    let boxes = boxes["boxes"].as_array().unwrap().len();
    assert!((50..=60).contains(&boxes), "a box in every frame from the first to the last look: {boxes} of 60");
    ranges_and_tickets(&platform, &session, &clip);

    // The unknown person gets a name from there.
    let groups = platform.get(&format!("/v1/sessions/{session}/unknown")).expect(200);
    assert_eq!(groups["groups"].as_array().unwrap().len(), 1, "{groups}");
    let body = json!({"tracks": groups["groups"][0]["tracks"], "person": "Cyd"});
    let headers = [("authorization", &*platform.bearer()), ("content-type", "application/json"), ("idempotency-key", "cyd")];
    let path = format!("/v1/sessions/{session}/enrol");
    let enrol = || call(platform.address, "POST", &path, &headers, body.to_string().as_bytes()).expect(200);
    let enrolled = enrol();
    assert!(enrolled["faces"].as_u64().unwrap() > 0, "{enrolled}");
    assert_eq!(enrol(), enrolled, "the first answer again");
    let again = platform.send("POST", &format!("/v1/sessions/{session}/enrol"), &body).expect(200);
    assert_eq!((&again["faces"], &again["added"]), (&enrolled["faces"], &json!(0)), "asking again adds nothing");
    let found = platform.photo("/v1/search", &photo(&[(BLUE, 100)])).expect(200);
    assert_eq!((&found["faces"][0]["person"], &found["width"]), (&json!("Cyd"), &json!(480)), "{found}");

    // Ben is renamed, and Cyd turns out to be Ben.
    let ben_id = ben["person_id"].as_str().unwrap();
    let path = format!("/v1/persons/{ben_id}");
    assert_eq!(platform.send("PATCH", &path, &json!({"name": "Ana"})).code(409), "conflict");
    platform.send("PATCH", &path, &json!({"name": "Benedict"})).expect(200);
    let merged = platform.send("POST", &format!("{path}/merge"), &json!({"from": enrolled["person_id"]})).expect(200);
    assert_eq!(merged["faces"].as_u64(), enrolled["faces"].as_u64().map(|faces| faces + 1));
    let session_now = platform.get(&format!("/v1/sessions/{session}")).expect(200);
    assert_eq!(names(&json!({"items": session_now["persons"]})), ["Ana", "Benedict"]);

    exported(&platform, ana_id, &tracks);

    // Ana is forgotten.
    let gone = platform.send("DELETE", &format!("/v1/persons/{ana_id}"), &json!({})).expect(200);
    assert_eq!(gone["removed_faces"], 1);
    assert_eq!(platform.get(&format!("/v1/persons/{ana_id}")).code(404), "not_found");
    assert_eq!(names(&platform.get("/v1/persons").expect(200)), ["Benedict"]);
    let text = String::from_utf8(platform.get(&format!("/v1/sessions/{session}/tracks")).body).unwrap();
    assert!(!text.contains("Ana"), "{text}");
    assert_ne!(platform.photo("/v1/search", &photo(&[(RED, 100)])).expect(200)["faces"][0]["person"], json!("Ana"));
    assert_eq!(platform.get(&format!("/v1/enrolments/{}", ana["id"].as_str().unwrap())).status, 404);
    let left: Vec<_> = std::fs::read_dir(folder.path().join("data/files/photos")).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(left.len(), 1, "only Ben's photo is left on the disk");
    let tracks = platform.get(&format!("/v1/sessions/{session}/tracks")).expect(200)["items"].as_array().unwrap().clone();
    let hers = tracks.iter().find(|track| track["track"] == named["track"]).unwrap();
    assert_eq!((&hers["reason"], &hers["best_shots"], &hers["person"]), (&json!("forgotten"), &json!([]), &Value::Null), "{hers}");
    assert_eq!(platform.get(named["best_shots"][0]["url"].as_str().unwrap()).status, 404);
    assert_eq!(platform.get(&format!("/v1/sessions/{session}/tracks/{}/boxes", named["track"])).status, 404);
    assert_eq!(platform.get(&format!("/v1/sessions/{session}/unknown")).expect(200)["groups"], json!([]));
    let body = json!({"tracks": [named["track"]], "person": "Ana"});
    assert_eq!(platform.send("POST", &format!("/v1/sessions/{session}/enrol"), &body).code(404), "not_found");
    let now = platform.get(&format!("/v1/sessions/{session}")).expect(200);
    assert_eq!((&now["tracks"], &now["unknown_tracks"]), (&json!(2), &json!(0)), "{now}");

    // The session is removed with everything in it.
    assert_eq!(platform.send("DELETE", &format!("/v1/sessions/{session}"), &json!({})).status, 204);
    assert_eq!(platform.get(&format!("/v1/sessions/{session}")).status, 404);
    assert!(!folder.path().join("data/files/sessions").join(&session).exists());
}

fn names(list: &Value) -> Vec<String> {
    let name = |item: &Value| item.get("name").or_else(|| item.get("person")).and_then(Value::as_str).unwrap().to_owned();
    list["items"].as_array().unwrap().iter().map(name).collect()
}

/// An upload in two pieces with a mistake in between.
fn resumed_upload(platform: &Platform, clip: &[u8]) -> String {
    let upload = platform.send("POST", "/v1/uploads", &json!({"file_name": "../../clip.mp4", "bytes": clip.len()})).expect(201);
    let path = format!("/v1/uploads/{}", upload["id"].as_str().unwrap());
    let piece = |offset: &str, bytes: &[u8]| {
        call(platform.address, "PATCH", &path, &[("authorization", &platform.bearer()), ("upload-offset", offset)], bytes)
    };
    piece("0", &clip[..1000]).expect(200);
    assert_eq!(piece("0", &clip[..1000]).code(409), "conflict", "bytes are not taken twice");
    assert_eq!(platform.send("POST", "/v1/sessions", &json!({"upload_id": upload["id"]})).code(409), "conflict", "not complete");
    let head = call(platform.address, "HEAD", &path, &[("authorization", &platform.bearer())], b"");
    assert_eq!((head.header("upload-offset"), head.body.len()), ("1000", 0));
    assert_eq!(piece("1000", &clip[1000..]).expect(200)["offset"], clip.len());
    assert_eq!(piece(&clip.len().to_string(), b"more").code(413), "too_large");
    let session = platform.send("POST", "/v1/sessions", &json!({"upload_id": upload["id"]})).expect(202);
    let again = platform.send("POST", "/v1/sessions", &json!({"upload_id": upload["id"]})).expect(202);
    assert_eq!(session["id"], again["id"], "one session, however often it is asked for");
    let list = platform.get("/v1/sessions").expect(200);
    assert_eq!((list["items"].as_array().unwrap().len(), &list["items"][0]["file_name"]), (1, &json!("clip.mp4")));
    session["id"].as_str().unwrap().to_owned()
}

/// Reads the live stream to its end in a thread; the tracks that it gave.
fn follow(platform: &Platform, session: &str) -> std::thread::JoinHandle<Vec<Value>> {
    let mut stream = TcpStream::connect(platform.address).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    let request = format!(
        "GET /v1/sessions/{session}/events HTTP/1.1\r\nhost: x\r\nauthorization: {}\r\nconnection: close\r\n\r\n",
        platform.bearer()
    );
    stream.write_all(request.as_bytes()).unwrap();
    std::thread::spawn(move || {
        let lines: Vec<String> = BufReader::new(stream).lines().map(Result::unwrap).collect();
        assert!(lines.iter().any(|line| line.contains("\"state\":\"done\"")), "{lines:?}");
        let tracks = lines.windows(2).filter(|pair| pair[0] == "event: track").map(|pair| pair[1].strip_prefix("data: ").unwrap());
        tracks.map(|text| serde_json::from_str(text).unwrap()).collect()
    })
}

fn ranges_and_tickets(platform: &Platform, session: &str, clip: &[u8]) {
    let path = format!("/v1/sessions/{session}/video");
    let part = call(platform.address, "GET", &path, &[("authorization", &platform.bearer()), ("range", "bytes=10-19")], b"");
    assert_eq!((part.status, part.header("content-type"), &part.body[..]), (206, "video/mp4", &clip[10..20]));
    let ticket = platform.send("POST", "/v1/tickets", &json!({"path": path})).expect(200)["ticket"].as_str().unwrap().to_owned();
    let with = |path: &str| call(platform.address, "GET", &format!("{path}?ticket={ticket}"), &[], b"").status;
    assert_eq!((with(&path), with("/v1/persons"), with(&format!("/v1/sessions/{session}"))), (200, 401, 401));
}

/// All that is kept about Ana, for nobody but an administrator, and nothing about others.
fn exported(platform: &Platform, ana: &str, tracks: &[Value]) {
    let path = format!("/v1/persons/{ana}/export");
    let reader = platform.send("POST", "/v1/keys", &json!({"name": "reader", "scopes": ["read", "enrol", "query"]})).expect(201);
    let bearer = format!("Bearer {}", reader["key"].as_str().unwrap());
    assert_eq!(call(platform.address, "GET", &path, &[("authorization", &bearer)], b"").code(403), "forbidden");
    assert_eq!(platform.send("POST", "/v1/tickets", &json!({"path": path})).code(400), "invalid_argument");
    let text = String::from_utf8(platform.get(&path).body).unwrap();
    assert!(!text.contains("Ben") && !text.contains("Cyd"), "{text}");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| lines.iter().filter(|line| line["type"] == kind).collect::<Vec<_>>();
    assert_eq!((of("person").len(), of("face").len(), of("photo").len(), of("track").len()), (1, 1, 3, 1), "{text}");
    assert_eq!(of("face")[0]["vector"].as_array().unwrap().len(), 3);
    assert_eq!(of("track")[0]["document"]["shots"][0]["vector"].as_array().unwrap().len(), 3);
    let considered =
        |track: &&Value| track["person_id"] != ana && track["candidates"].to_string().contains(&format!("\"person_id\":\"{ana}\""));
    assert_eq!(of("candidate").len(), tracks.iter().filter(considered).count(), "{text}");
}
