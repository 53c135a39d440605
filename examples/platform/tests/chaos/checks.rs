//! What must hold when the dust has settled.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use serde_json::json;

use super::client::Client;
use super::cluster::Cluster;

/// `enrolled` are names and ids of acknowledged photos, `queried` ids of acknowledged sessions, `reference` the tracks of the video.
pub fn everything_is_final_once(
    client: &Client,
    cluster: &Mutex<Cluster>,
    enrolled: &[(String, String)],
    queried: &[String],
    reference: &[String],
) {
    let ids: BTreeSet<&String> = enrolled.iter().map(|(_, id)| id).chain(queried).collect();
    assert_eq!(ids.len(), enrolled.len() + queried.len(), "every acknowledged upload has a job of its own");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            for (person, id) in enrolled {
                let photo = client.settled(&format!("/v1/enrolments/{id}"), Duration::from_secs(300));
                assert_eq!(photo["state"], "accepted", "{person}: {photo}");
            }
            for session in queried {
                assert_eq!(client.tracks(session), reference, "session {session}: every track once");
            }
        });
        while !waiting.is_finished() {
            cluster.lock().unwrap().supervise();
            std::thread::sleep(Duration::from_millis(200));
        }
        waiting.join().unwrap();
    });
    // The gallery has exactly one face of every photo, and nobody else.
    let people: BTreeMap<String, i64> = client
        .list("/v1/persons")
        .iter()
        .map(|person| (person["name"].as_str().unwrap().to_owned(), person["faces"].as_i64().unwrap()))
        .collect();
    let expected: BTreeMap<String, i64> = enrolled.iter().map(|(name, _)| (name.clone(), 1)).collect();
    assert_eq!(people, expected, "one face per photo");
    // Every job reached its final state once: one event, and one delivery to the webhook that hears of all of them.
    let mut events = BTreeMap::<String, Vec<String>>::new();
    for event in client.list("/v1/events") {
        let kind = event["kind"].as_str().unwrap();
        if kind.starts_with("enrolment.") || ["session.done", "session.failed", "session.cancelled"].contains(&kind) {
            events.entry(event["subject"].as_str().unwrap().to_owned()).or_default().push(kind.to_owned());
        }
    }
    for (person, id) in enrolled {
        assert_eq!(events.get(id), Some(&vec!["enrolment.accepted".to_owned()]), "{person}");
    }
    for session in queried {
        assert_eq!(events.get(session), Some(&vec!["session.done".to_owned()]), "{session}");
    }
    let hooks = client.get("/v1/webhooks");
    let deliveries = client.list(&format!("/v1/webhooks/{}/deliveries", hooks["items"][0]["id"].as_str().unwrap()));
    // The reference video is in both.
    assert_eq!(json!(deliveries.len()), json!(events.len()), "one delivery per final state");
    assert_eq!(events.len(), enrolled.len() + queried.len() + 1);
}
