//! Roles as processes of their own, over a real PostgreSQL server that holds queue, results, database and the shared gallery.

use std::time::Duration;

use facerec_platform::run::Roles;
use serde_json::json;

use super::harness::{config, start_roles};
use super::people::{BLUE, RED, photo, video, vision};
use super::postgres_server::PgServer;

#[test]
fn roles_share_a_server_and_a_worker_that_ends_loses_nothing() {
    let Some(server) = PgServer::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.database = format!("postgres://facerec@127.0.0.1:{}/postgres", server.port);
    config.gallery = server.address("platform").to_str().unwrap().to_owned();
    config.check().unwrap();
    let none = Roles::default();
    let role = |roles| start_roles(config.clone(), vision(), roles);
    let platform = role(Roles { gateway: true, ..none });
    let _forwarder = role(Roles { forwarder: true, ..none });
    let _enrolment = role(Roles { enrolment: true, ..none });
    let first = role(Roles { query: true, ..none });
    let _second = role(Roles { query: true, ..none });

    let ana = platform.enrol("Ana", &photo(&[(RED, 40)]));
    assert_eq!(ana["state"], "accepted", "{ana}");
    let file = folder.path().join("clip.mp4");
    video(&file, &[(RED, 20), (BLUE, 300)], 50);
    let clip = std::fs::read(&file).unwrap();
    let sessions: Vec<String> = (0..4).map(|_| platform.upload("clip.mp4", &clip)).collect();
    std::thread::sleep(Duration::from_millis(300));
    drop(first); // in the middle of its work
    for session in &sessions {
        let done = platform.until(&format!("/v1/sessions/{session}"), |state| ["done", "failed"].contains(&state));
        assert_eq!((&done["state"], &done["tracks"], &done["unknown_tracks"]), (&json!("done"), &json!(2), &json!(1)), "{done}");
        assert_eq!(done["persons"][0]["person"], "Ana", "{done}");
    }
    let events = platform.get("/v1/events?limit=200").expect(200);
    let done = events["items"].as_array().unwrap().iter().filter(|event| event["kind"] == "session.done").count();
    assert_eq!(done, sessions.len(), "each session is done once");
    let id = ana["person_id"].as_str().unwrap();
    platform.send("DELETE", &format!("/v1/persons/{id}"), &json!({})).expect(200);
    let found = platform.photo("/v1/search", &photo(&[(RED, 100)])).expect(200);
    assert_eq!(found["faces"][0]["person"], json!(null), "the gateway sees the shared gallery");
}

#[test]
fn roles_apart_need_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let roles = Roles { query: true, ..Roles::default() };
    let refused = runtime.block_on(facerec_platform::run::platform(roles, config(folder.path()), vision(), stopped, |_, _| {}));
    assert!(refused.unwrap_err().to_string().contains("gallery"));
}
