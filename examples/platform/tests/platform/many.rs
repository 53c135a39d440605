//! Roles as processes of their own, over real servers: PostgreSQL for database and the shared gallery, and either it or NATS for
//! queue, results and files.

use std::time::Duration;

use facerec_platform::run::Roles;
use serde_json::json;

use super::harness::{call, config, start_roles};
use super::nats_server::NatsServer;
use super::people::{BLUE, RED, photo, video, vision};
use super::postgres_server::PgServer;

#[test]
fn roles_share_a_server_and_a_worker_that_ends_loses_nothing() {
    roles_share(None);
}

#[test]
fn roles_with_a_folder_each_share_nats_and_a_server() {
    let Some(nats) = NatsServer::start() else { return };
    roles_share(Some(nats));
}

fn roles_share(nats: Option<NatsServer>) {
    let Some(server) = PgServer::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.nats = nats.as_ref().map(NatsServer::address).unwrap_or_default();
    config.database = format!("postgres://facerec@127.0.0.1:{}/postgres", server.port);
    config.gallery = server.address("platform").to_str().unwrap().to_owned();
    config.check().unwrap();
    let none = Roles::default();
    let started = std::cell::Cell::new(0);
    let role = |roles| {
        let mut config = config.clone();
        if nats.is_some() {
            started.set(started.get() + 1);
            config.data = folder.path().join(format!("data-{}", started.get()));
        }
        start_roles(config, vision(), roles)
    };
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
        let tracks = platform.get(&format!("/v1/sessions/{session}/tracks")).expect(200);
        assert_eq!(platform.get(tracks["items"][0]["best_shots"][0]["url"].as_str().unwrap()).header("content-type"), "image/jpeg");
    }
    let video = format!("/v1/sessions/{}/video", sessions[0]);
    let range = [("authorization", &*platform.bearer()), ("range", "bytes=10-19")];
    let part = call(platform.address, "GET", &video, &range, b"");
    assert_eq!((part.status, &part.body[..]), (206, &clip[10..20]));
    platform.send("DELETE", &format!("/v1/sessions/{}", sessions[0]), &json!({}));
    assert_eq!(platform.get(&video).status, 404);
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

#[test]
fn a_busy_port_ends_the_platform_and_costs_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = config(folder.path());
    config.listen = held.local_addr().unwrap();
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (told, patience) = (|_, _| panic!("nobody can be told of an address"), Duration::from_secs(20));
    let ended = runtime.block_on(async {
        let running = facerec_platform::run::platform(Roles::ALL, config.clone(), vision(), stopped, told);
        tokio::time::timeout(patience, running).await
    });
    let error = ended.expect("it ends by itself").unwrap_err();
    assert!(error.to_string().contains("`listen`"), "{error}");
    config.listen = ([127, 0, 0, 1], 0).into();
    let platform = start_roles(config.clone(), vision(), Roles::ALL);
    assert!(platform.key.starts_with("frk_"), "the first key is shown at the first start that works");
    let further = runtime.block_on(facerec_platform::run::further_key(&config)).unwrap();
    let me = call(platform.address, "GET", "/v1/me", &[("authorization", &format!("Bearer {further}"))], b"").expect(200);
    assert_eq!(me["scopes"], json!(["admin"]));
}
