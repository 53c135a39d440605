//! What must hold when the dust has settled.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::client::Client;
use super::cluster::Cluster;
use super::undone::Undone;

/// What was acknowledged.
pub struct Load {
    /// Names, and ids of photos.
    pub enrolled: Vec<(String, String)>,
    /// Ids of sessions.
    pub queried: Vec<String>,
    pub undone: Vec<Undone>,
    /// The tracks of the video.
    pub tracks: Vec<String>,
}

pub fn everything_is_final_once(client: &Client, cluster: &Mutex<Cluster>, load: &Load) {
    let Load { enrolled, queried, undone, tracks } = load;
    let ids: BTreeSet<&String> = enrolled.iter().map(|(_, id)| id).chain(queried).collect();
    assert_eq!(ids.len(), enrolled.len() + queried.len(), "every acknowledged upload has a job of its own");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            for (person, id) in enrolled {
                let photo = client.settled(&format!("/v1/enrolments/{id}"), Duration::from_secs(300));
                assert_eq!(photo["state"], "accepted", "{person}: {photo}");
            }
            for session in queried {
                assert_eq!(&client.tracks(session), tracks, "session {session}: every track once, with its name");
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
    let mut expected: BTreeMap<String, i64> = enrolled.iter().map(|(name, _)| (name.clone(), 1)).collect();
    expected.extend(undone.iter().map(|undone| (undone.merged.clone(), 2)));
    assert_eq!(people, expected, "one face per photo");
    // Every job reached its final state once: one event, and one delivery to the webhook that hears of all of them.
    let mut events = BTreeMap::<String, Vec<String>>::new();
    for event in client.list("/v1/events") {
        let kind = event["kind"].as_str().unwrap();
        if kind.starts_with("enrolment.") || ["session.done", "session.failed", "session.cancelled"].contains(&kind) {
            events.entry(event["subject"].as_str().unwrap().to_owned()).or_default().push(kind.to_owned());
        }
    }
    let photos = enrolled.iter().map(|(_, id)| id).chain(undone.iter().flat_map(|undone| &undone.photos));
    let mut left = events.clone();
    for id in photos {
        assert_eq!(left.remove(id), Some(vec!["enrolment.accepted".to_owned()]), "{id}");
    }
    for session in queried {
        assert_eq!(left.remove(session), Some(vec!["session.done".to_owned()]), "{session}");
    }
    for removed in undone.iter().filter_map(|undone| left.remove(&undone.session)) {
        assert_eq!(removed, ["session.done"], "it may have been done before it was removed, but once");
    }
    assert_eq!(left, BTreeMap::new(), "events of nobody");
    let hooks = client.get("/v1/webhooks");
    let deliveries = client.list(&format!("/v1/webhooks/{}/deliveries", hooks["items"][0]["id"].as_str().unwrap()));
    assert_eq!(deliveries.len(), events.len(), "one delivery per final state");
}

/// Files may go a little later, when whoever might still write them must have noticed.
pub fn nothing_is_left_of_what_was_undone(client: &Client, cluster: &Mutex<Cluster>, undone: &[Undone]) {
    let start = Instant::now();
    let none = |what: &str, count: &dyn Fn(&Cluster) -> usize| {
        loop {
            let left = {
                let mut cluster = cluster.lock().unwrap();
                cluster.supervise();
                count(&cluster)
            };
            if left == 0 {
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "{left} of {what} are left");
            std::thread::sleep(Duration::from_millis(200));
        }
    };
    // A photo's file has a key of its own: every one belongs to a photo, or to a request that was cut off and is known to be litter.
    none("files of photos that are nobody's", &|cluster| {
        let sql = "SELECT file FROM photo WHERE file IS NOT NULL \
                   UNION SELECT key FROM litter WHERE due_ms > extract(epoch FROM now()) * 1000";
        let known = cluster.sql(sql);
        let known: BTreeSet<String> = known.lines().map(str::to_owned).collect();
        let there = cluster.files("photos.>");
        assert!(!there.is_empty(), "the photos of those who stay");
        there.difference(&known).count()
    });
    for Undone { forgotten, session, photos, .. } in undone {
        assert_eq!(client.status(&format!("/v1/persons/{}", forgotten.id)), 404, "{forgotten:?}");
        assert_eq!(client.status(&format!("/v1/sessions/{session}")), 404);
        let (photo, face) = (&photos[0], &forgotten.face);
        none("the face", &|cluster| cluster.files(&format!("faces.{face}.>")).len());
        none("the session", &|cluster| cluster.files(&format!("sessions.{session}.>")).len());
        for (table, condition) in [
            ("photo", format!("person = '{}' OR id = '{photo}'", forgotten.name)),
            ("track", format!("person = '{}' OR document LIKE '%\"{}\"%' OR session = '{session}'", forgotten.name, forgotten.name)),
            ("session", format!("id = '{session}'")),
            ("job", format!("id IN ('{session}', '{photo}')")),
        ] {
            let sql = format!("SELECT COUNT(*) FROM {table} WHERE {condition}");
            none(table, &|cluster| cluster.sql(&sql).parse().unwrap());
        }
    }
}
