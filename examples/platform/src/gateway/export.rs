//! All that is kept about a person, for whoever asks what is known about them.

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use facerec_core::gallery::{FaceRecord, Person};
use serde_json::{Value, json};
use sqlx::Row as _;

use super::Gateway;
use crate::app::App;
use crate::db::{Db, Row};
use crate::error::Result;
use crate::people;

/// `GET /v1/persons/{id}/export`: JSON lines, with vectors. Of others there is nothing in it: of a track that is theirs it has everything
/// but the other candidates, of one in which they were only considered their similarity.
pub(super) async fn export(State(gateway): State<Gateway>, Path(id): Path<String>) -> Result<Response> {
    let (app, person) = (&gateway.app, people::find(&gateway.app, &id).await?);
    let mut lines = vec![json!({"type": "person", "id": id, "name": person.name, "created_ms": person.created_ms})];
    let called = person.clone();
    lines.extend(app.blocking(move |app| faces(app, &called)).await?);
    lines.extend(photos(&app.db, &id, &person.name).await?);
    lines.extend(tracks(app, &id).await?);
    lines.extend(changes(&app.db, &id).await?);
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    Ok(([(header::CONTENT_TYPE, "application/jsonl")], text).into_response())
}

fn faces(app: &App, person: &Person) -> Result<Vec<Value>> {
    let line = |face: FaceRecord| {
        let vector = app.gallery.embedding(face.id)?.map(|embedding| embedding.as_slice().to_vec());
        let (id, model) = (face.id.to_string(), &app.gallery.model().id);
        Ok(json!({
            "type": "face", "id": id, "source": face.source, "created_ms": face.created_ms, "model": model, "vector": vector,
        }))
    };
    app.gallery.faces(&person.name)?.into_iter().map(line).collect()
}

/// Also those that wait and those that were refused.
async fn photos(db: &Db, id: &str, name: &str) -> Result<Vec<Value>> {
    let statement = "SELECT photo.id AS id, file_name, sha256, media_type, state, reason, face_id, photo.created_ms AS created_ms FROM photo \
                     JOIN job ON job.id = photo.id WHERE person_id = $1 OR (person_id IS NULL AND person = $2) \
                     ORDER BY photo.created_ms, photo.id";
    let rows = sqlx::query(statement).bind(id).bind(name).fetch_all(db.pool()).await?;
    let line = |row: &Row| {
        let text = |column: &str| row.try_get::<Option<String>, _>(column);
        Ok(json!({
            "type": "photo", "id": text("id")?, "file_name": text("file_name")?, "sha256": text("sha256")?,
            "media_type": text("media_type")?, "state": text("state")?, "reason": text("reason")?, "face_id": text("face_id")?,
            "created_ms": row.try_get::<i64, _>("created_ms")?,
        }))
    };
    rows.iter().map(line).collect()
}

async fn tracks(app: &App, id: &str) -> Result<Vec<Value>> {
    let statement = "SELECT track.session AS session, track.track AS track, track.person_id AS person_id, document FROM mention JOIN track ON \
                     track.session = mention.session AND track.attempt = mention.attempt AND track.track = mention.track \
                     JOIN job ON job.id = track.session AND job.attempt = track.attempt WHERE mention.person_id = $1 \
                     ORDER BY track.session, track.track";
    let rows = sqlx::query(statement).bind(id).fetch_all(app.db.pool()).await?;
    let id = id.to_owned();
    let work = app.blocking(move |_| {
        let line = |row: &Row| {
            let mut document = people::read_document(&row.try_get::<String, _>("document")?)?;
            document.candidates.retain(|candidate| candidate.person_id == id);
            let (session, track): (String, i64) = (row.try_get("session")?, row.try_get("track")?);
            let theirs = row.try_get::<Option<String>, _>("person_id")?.as_ref() == Some(&id);
            Ok(if theirs {
                json!({"type": "track", "session": session, "track": track, "document": document})
            } else {
                let similarity = document.candidates.first().map(|candidate| candidate.similarity);
                json!({"type": "candidate", "session": session, "track": track, "similarity": similarity})
            })
        };
        rows.iter().map(line).collect()
    });
    work.await
}

/// What was done to them, and by whom.
async fn changes(db: &Db, id: &str) -> Result<Vec<Value>> {
    let statement = "SELECT at_ms, actor, kind FROM event WHERE subject = $1 AND kind LIKE 'person.%' ORDER BY seq";
    let rows = sqlx::query(statement).bind(id).fetch_all(db.pool()).await?;
    let line = |row: &Row| {
        let (at, actor, kind): (i64, String, String) = (row.try_get("at_ms")?, row.try_get("actor")?, row.try_get("kind")?);
        Ok(json!({"type": "event", "at_ms": at, "actor": actor, "kind": kind}))
    };
    rows.iter().map(line).collect()
}
