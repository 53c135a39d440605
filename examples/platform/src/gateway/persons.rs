//! People. The gallery is the truth about them; the database knows their photos and where they were seen.

use axum::extract::{Path, State};
use axum::http::{Uri, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json as Answer};
use facerec_core::gallery::Person;
use facerec_core::{FaceId, Gallery};
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::Row as _;

use super::Gateway;
use super::auth::Caller;
use super::bodies::{Json, Page, bad_cursor, params, person_name};
use crate::error::{Error, Result};
use crate::forwarder;
use crate::ids::hex;
use crate::jobs;

/// A person as the API shows them.
pub(super) fn shown(person: &Person) -> Value {
    let thumbnail = format!("/v1/persons/{}/thumbnail", person.id);
    json!({"id": person.id.to_string(), "name": person.name, "faces": person.faces, "created_ms": person.created_ms, "thumbnail": thumbnail})
}

/// The person of an id.
///
/// # Errors
/// `not_found`.
pub(super) fn find(gallery: &Gallery, id: &str) -> Result<Person> {
    let person = gallery.persons()?.into_iter().find(|person| person.id.to_string() == id);
    person.ok_or_else(|| Error::NotFound("no person of this id".into()))
}

#[derive(Deserialize)]
struct Wanted {
    q: Option<String>,
    #[serde(flatten)]
    page: Page,
}

/// `GET /v1/persons`: by name; the cursor is the last name in hex.
pub(super) async fn list(State(gateway): State<Gateway>, uri: Uri) -> Result<Answer<Value>> {
    let Wanted { q, page } = params(&uri)?;
    let limit = usize::try_from(page.limit()?).unwrap_or(50);
    let bytes = |cursor: &String| {
        let digits = cursor.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
        String::from_utf8(digits.collect::<Option<Vec<u8>>>()?).ok()
    };
    let after = page.cursor.as_ref().map(|cursor| bytes(cursor).ok_or_else(bad_cursor)).transpose()?;
    let mut people = gateway.app.blocking(|app| Ok(app.gallery.persons()?)).await?;
    people.sort_by(|a, b| a.name.cmp(&b.name));
    let wanted = q.unwrap_or_default().to_lowercase();
    let fits = |person: &Person| after.as_ref().is_none_or(|after| person.name > *after) && person.name.to_lowercase().contains(&wanted);
    let mut found: Vec<Person> = people.into_iter().filter(fits).take(limit + 1).collect();
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|person| hex(person.name.as_bytes()));
    Ok(Answer(json!({"items": found.iter().map(shown).collect::<Vec<_>>(), "next": next})))
}

/// `GET /v1/persons/{id}`.
pub(super) async fn one(State(gateway): State<Gateway>, Path(id): Path<String>) -> Result<Answer<Value>> {
    let person = gateway.app.blocking(move |app| find(&app.gallery, &id)).await?;
    Ok(Answer(shown(&person)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rename {
    name: String,
}

/// `PATCH /v1/persons/{id}`.
pub(super) async fn rename(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Json(body): Json<Rename>,
) -> Result<Answer<Value>> {
    let (name, wanted) = (person_name(&body.name)?, id.clone());
    let renamed = name.clone();
    let person = gateway.app.blocking(move |app| {
        let person = find(&app.gallery, &wanted)?;
        if person.name != renamed {
            if app.gallery.person(&renamed).is_ok() {
                return Err(Error::Conflict("another person has this name; merge the two instead".into()));
            }
            app.gallery.rename(&person.name, &renamed)?;
        }
        find(&app.gallery, &wanted)
    });
    let person = person.await?;
    let mut tx = gateway.app.db.begin().await?;
    sqlx::query("UPDATE track SET person = $1 WHERE person_id = $2").bind(&name).bind(&id).execute(&mut *tx).await?;
    sqlx::query("UPDATE photo SET person = $1 WHERE person_id = $2").bind(&name).bind(&id).execute(&mut *tx).await?;
    forwarder::record(&mut tx, &caller.name, "person.renamed", &id).await?;
    tx.commit().await?;
    Ok(Answer(shown(&person)))
}

/// `DELETE /v1/persons/{id}`: files first, then the database, the gallery last. Who is interrupted finds the person still
/// there and can ask again; nothing is left over that nobody can reach.
pub(super) async fn forget(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Answer<Value>> {
    let app = &gateway.app;
    let wanted = id.clone();
    let (person, faces) = app
        .blocking(move |app| {
            let person = find(&app.gallery, &wanted)?;
            let faces: Vec<FaceId> = app.gallery.faces(&person.name)?.into_iter().map(|face| face.id).collect();
            Ok((person, faces))
        })
        .await?;
    let mut tx = app.db.begin().await?;
    let statement = "SELECT id FROM photo WHERE person_id = $1 OR (person_id IS NULL AND person = $2)";
    let photos: Vec<String> = sqlx::query_scalar(statement).bind(&id).bind(&person.name).fetch_all(&mut *tx).await?;
    for photo in &photos {
        // Final first: a worker that is at it right now sees that its job is gone and takes its face back.
        jobs::cancel(&mut tx, photo).await?;
        sqlx::query("DELETE FROM job WHERE id = $1").bind(photo).execute(&mut *tx).await?;
    }
    forwarder::forget(&mut tx, &id).await?;
    forwarder::record(&mut tx, &caller.name, "person.forgotten", &id).await?;
    for photo in &photos {
        app.blobs.remove(&format!("photos/{photo}")).await?;
    }
    for face in &faces {
        app.blobs.remove(&format!("faces/{face}")).await?;
    }
    tx.commit().await?;
    let removed = app.blocking(move |app| Ok(app.gallery.remove_person(&person.name)?)).await?;
    Ok(Answer(json!({"removed_faces": removed})))
}

/// `GET /v1/persons/{id}/thumbnail`: the newest face of which there is a picture.
pub(super) async fn thumbnail(State(gateway): State<Gateway>, Path(id): Path<String>) -> Result<Response> {
    let faces = gateway.app.blocking(move |app| Ok(app.gallery.faces(&find(&app.gallery, &id)?.name)?)).await?;
    for face in faces.iter().rev() {
        if let Some(picture) = gateway.app.blobs.get(&format!("faces/{}", face.id)).await? {
            return Ok(([(header::CONTENT_TYPE, "image/jpeg")], picture).into_response());
        }
    }
    Err(Error::NotFound("no picture of this person".into()))
}

/// `GET /v1/persons/{id}/export`: for whoever asks what is kept about them.
pub(super) async fn export(State(gateway): State<Gateway>, Path(id): Path<String>) -> Result<Response> {
    let wanted = id.clone();
    let mut lines = gateway
        .app
        .blocking(move |app| {
            let person = find(&app.gallery, &wanted)?;
            let mut lines = vec![json!({"type": "person", "id": wanted, "name": person.name, "created_ms": person.created_ms})];
            for face in app.gallery.faces(&person.name)? {
                let vector = app.gallery.embedding(face.id)?.map(|embedding| embedding.as_slice().to_vec());
                let (id, model) = (face.id.to_string(), &app.gallery.model().id);
                lines.push(json!({"type": "face", "id": id, "source": face.source, "created_ms": face.created_ms, "model": model, "vector": vector}));
            }
            Ok(lines)
        })
        .await?;
    let statement = "SELECT id, file_name, face_id, created_ms FROM photo WHERE person_id = $1 ORDER BY created_ms, id";
    for row in sqlx::query(statement).bind(&id).fetch_all(gateway.app.db.pool()).await? {
        let (photo, file, face): (String, String, Option<String>) =
            (row.try_get("id")?, row.try_get("file_name")?, row.try_get("face_id")?);
        let at: i64 = row.try_get("created_ms")?;
        lines.push(json!({"type": "photo", "id": photo, "file_name": file, "face_id": face, "created_ms": at}));
    }
    for row in sqlx::query("SELECT session, track FROM track WHERE person_id = $1 ORDER BY session, track")
        .bind(&id)
        .fetch_all(gateway.app.db.pool())
        .await?
    {
        lines.push(json!({"type": "track", "session": row.try_get::<String, _>("session")?, "track": row.try_get::<i64, _>("track")?}));
    }
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    Ok(([(header::CONTENT_TYPE, "application/jsonl")], text).into_response())
}
