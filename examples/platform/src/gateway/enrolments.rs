//! Photos to enrol: taken in, kept, and handed to the workers.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json as Answer};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::Row as _;
use tokio::sync::OwnedSemaphorePermit;

use super::Gateway;
use super::auth::Caller;
use super::bodies::{Page, file_name, idempotency_key, params, person_name, read};
use super::persons::find;
use crate::db::{Row, now_ms};
use crate::error::{Error, Result};
use crate::ids::{id_for, sha256};
use crate::jobs::{self, Kind};

#[derive(Deserialize)]
struct Wanted {
    person: String,
    file: Option<String>,
}

/// `POST /v1/enrolments`. When the answer is given, the photo and its job are on the disk.
pub(super) async fn create(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response> {
    let wanted: Wanted = params(&uri)?;
    let (person, file) = (person_name(&wanted.person)?, file_name(&wanted.file.unwrap_or_default()));
    let photo = photo_of(&gateway, &headers, body).await?;
    let (id, digest) = (id_for(&caller.key, "enrolment", idempotency_key(&headers)?), sha256(&photo.bytes));
    let app = &gateway.app;
    let earlier = sqlx::query("SELECT person, sha256 FROM photo WHERE id = $1").bind(&id).fetch_optional(app.db.pool()).await?;
    if let Some(row) = earlier {
        let same = row.try_get::<String, _>("sha256")? == digest && row.try_get::<String, _>("person")? == person;
        return if same { accepted(&gateway, &id).await } else { Err(reused()) };
    }
    app.blobs.put(&format!("photos/{id}"), photo.bytes).await?;
    let mut tx = app.db.begin().await?;
    if jobs::insert(&mut tx, &id, Kind::Enrol).await? {
        let statement = "INSERT INTO photo (id, person, file_name, sha256, media_type, created_ms) VALUES ($1, $2, $3, $4, $5, $6)";
        let insert = sqlx::query(statement).bind(&id).bind(person).bind(file).bind(digest).bind(photo.media_type).bind(now_ms());
        insert.execute(&mut *tx).await?;
    }
    tx.commit().await?;
    app.queue.push(Kind::Enrol, &id).await?;
    accepted(&gateway, &id).await
}

async fn accepted(gateway: &Gateway, id: &str) -> Result<Response> {
    let state: String = sqlx::query_scalar("SELECT state FROM job WHERE id = $1").bind(id).fetch_one(gateway.app.db.pool()).await?;
    Ok((StatusCode::ACCEPTED, Answer(json!({"id": id, "state": state}))).into_response())
}

/// Another request came with an idempotency key that was used already.
pub(super) fn reused() -> Error {
    Error::Conflict("this `Idempotency-Key` was used for another request".into())
}

/// A photo as a body. Only a few are in memory at the same time, until they are dropped; others wait.
pub(super) struct Photo {
    pub(super) media_type: String,
    pub(super) bytes: Bytes,
    _turn: OwnedSemaphorePermit,
}

/// The photo that a body holds.
pub(super) async fn photo_of(gateway: &Gateway, headers: &HeaderMap, body: Body) -> Result<Photo> {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
    let plain = media_type.len() <= 60 && media_type.bytes().all(|b| b.is_ascii_alphanumeric() || b"/+-.".contains(&b));
    if !media_type.starts_with("image/") || !plain {
        return Err(Error::Invalid("expected the bytes of a photo as the body, with content-type image/jpeg or another image type".into()));
    }
    let limits = &gateway.app.config.limits;
    let patience = gateway.app.config.patience();
    let busy = || Error::Unavailable("too many photos at the same time; try again".into());
    let turn = tokio::time::timeout(patience, Arc::clone(&gateway.photos).acquire_owned()).await;
    let turn = turn.map_err(|_| busy())?.map_err(|_| busy())?;
    let bytes = read(headers, body, "the photo", limits.photo_bytes, patience).await?;
    if bytes.is_empty() {
        return Err(Error::Invalid("expected the bytes of a photo as the body, got none".into()));
    }
    Ok(Photo { media_type, bytes, _turn: turn })
}

const COLUMNS: &str = "photo.id AS id, person, file_name, reason, person_id, face_id, photo.created_ms AS created_ms, state, error";

fn shown(row: &Row) -> Result<Value> {
    let id: String = row.try_get("id")?;
    let (state, error): (String, Option<String>) = (row.try_get("state")?, row.try_get("error")?);
    let reason: Option<String> = row.try_get("reason")?;
    let message = error.filter(|_| state == "failed").or_else(|| reason.as_deref().map(|reason| explain(reason).to_owned()));
    Ok(json!({
        "id": id, "state": state, "reason": reason, "message": message,
        "person_id": row.try_get::<Option<String>, _>("person_id")?, "face_id": row.try_get::<Option<String>, _>("face_id")?,
        "person": row.try_get::<String, _>("person")?, "file_name": row.try_get::<String, _>("file_name")?,
        "created_ms": row.try_get::<i64, _>("created_ms")?, "url": format!("/v1/enrolments/{id}/photo"),
    }))
}

/// A reason in words, with what to do.
fn explain(reason: &str) -> &'static str {
    match reason {
        "decode_image" => "this is not a picture that can be read; save it as JPEG or PNG",
        "no_face" => "no face was found; choose a photo that shows the face",
        "several_faces" => "more than one face could be meant; crop the photo to one person",
        "too_small" => "the face is too small; choose a larger photo",
        "blurred" => "the face is not sharp; choose a sharper photo",
        "extreme_pose" => "the head is turned too far; choose a photo from the front",
        "bad_exposure" => "the face is too dark or too bright",
        "not_this_person" => "the face does not fit this person's other photos",
        "duplicate" => "this person has this photo already",
        _ => "the photo was refused",
    }
}

/// `GET /v1/enrolments/{id}`.
pub(super) async fn one(State(gateway): State<Gateway>, Path(id): Path<String>) -> Result<Answer<Value>> {
    let statement = sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM photo JOIN job ON job.id = photo.id WHERE photo.id = $1"));
    let row = sqlx::query(statement).bind(id).fetch_optional(gateway.app.db.pool()).await?;
    Ok(Answer(shown(&row.ok_or_else(|| Error::NotFound("no photo of this id".into()))?)?))
}

/// `GET /v1/persons/{id}/photos`, newest first.
pub(super) async fn of_person(State(gateway): State<Gateway>, Path(id): Path<String>, uri: Uri) -> Result<Answer<Value>> {
    let page: Page = params(&uri)?;
    let (limit, (before, last)) = (page.limit()?, page.before()?);
    let wanted = id.clone();
    let person = gateway.app.blocking(move |app| find(&app.gallery, &wanted)).await?;
    let statement = format!(
        "SELECT {COLUMNS} FROM photo JOIN job ON job.id = photo.id WHERE (person_id = $1 OR (person_id IS NULL AND person = $2)) \
         AND (photo.created_ms < $3 OR (photo.created_ms = $3 AND photo.id < $4)) ORDER BY photo.created_ms DESC, photo.id DESC LIMIT $5"
    );
    let query = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(id).bind(person.name).bind(before).bind(last).bind(limit + 1);
    let items = query.fetch_all(gateway.app.db.pool()).await?.iter().map(shown).collect::<Result<Vec<_>>>()?;
    Ok(Answer(page_of(items, limit)))
}

/// A page of a list by time: one item more than wanted says that there is another page.
pub(super) fn page_of(mut items: Vec<Value>, limit: i64) -> Value {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = items.len() > limit;
    items.truncate(limit);
    let cursor = |item: &Value| Some(format!("{}.{}", item["created_ms"].as_i64()?, item["id"].as_str()?));
    let next = items.last().filter(|_| more).and_then(cursor);
    json!({"items": items, "next": next})
}

/// `GET /v1/enrolments/{id}/photo`.
pub(super) async fn photo(State(gateway): State<Gateway>, Path(id): Path<String>) -> Result<Response> {
    let missing = || Error::NotFound("no photo of this id".into());
    let row = sqlx::query("SELECT media_type FROM photo WHERE id = $1").bind(&id).fetch_optional(gateway.app.db.pool()).await?;
    let media_type: String = row.ok_or_else(missing)?.try_get("media_type")?;
    // An SVG could hold script; as a picture in a page it is inert, opened alone it is not.
    let media_type = if media_type.contains("svg") { "application/octet-stream".to_owned() } else { media_type };
    let photo = gateway.app.blobs.get(&format!("photos/{id}")).await?.ok_or_else(missing)?;
    Ok(([(header::CONTENT_TYPE, media_type)], photo).into_response())
}
