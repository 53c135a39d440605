//! What is taken back while everything is killed: people who are forgotten, people who are merged, sessions that are removed.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::Client;
use super::material::Material;

/// What must be gone, and what must be left.
#[derive(Debug)]
pub struct Undone {
    pub forgotten: Gone,
    /// The name of whoever has the faces of two.
    pub merged: String,
    /// A session that was removed, done or not.
    pub session: String,
    /// The photos, that of the forgotten person first.
    pub photos: Vec<String>,
}

#[derive(Debug)]
pub struct Gone {
    pub id: String,
    pub name: String,
    pub face: String,
}

/// A round of it.
pub fn some(client: &Client, material: &Material, number: u64) -> Undone {
    let mut photos = Vec::new();
    let mut enrolled = |name: &str| {
        let name = format!("{name} {number}");
        let id = client.enrol(&format!("undone-{name}"), &name, &material.photos[0]).unwrap();
        let photo = client.settled(&format!("/v1/enrolments/{id}"), Duration::from_secs(180));
        assert_eq!(photo["state"], "accepted", "{name}: {photo}");
        photos.push(id);
        photo
    };
    let text = |photo: &Value, field: &str| photo[field].as_str().unwrap().to_owned();
    let (gone, kept, twin) = (enrolled("Gone"), enrolled("Kept"), enrolled("Twin"));
    let session = client.query(&format!("removed-{number}"), &material.clip).unwrap();
    client.undo("DELETE", &format!("/v1/persons/{}", text(&gone, "person_id")), &Value::Null).unwrap();
    let into = format!("/v1/persons/{}/merge", text(&kept, "person_id"));
    client.undo("POST", &into, &json!({"from": twin["person_id"]})).unwrap();
    client.undo("DELETE", &format!("/v1/sessions/{session}"), &Value::Null).unwrap();
    let forgotten = Gone { id: text(&gone, "person_id"), name: text(&gone, "person"), face: text(&gone, "face_id") };
    Undone { forgotten, merged: text(&kept, "person"), session, photos }
}
