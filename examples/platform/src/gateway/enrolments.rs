//! Photos to enrol: taken in, kept, and handed to the workers.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json as Answer};
use bytes::Bytes;
use facerec_core::FaceId;
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::Row as _;
use tokio::sync::OwnedSemaphorePermit;

use super::Gateway;
use super::auth::Caller;
use super::bodies::{Page, file_name, idempotency_key, params, person_name, read};
use crate::app::App;
use crate::db::{Row, now_ms};
use crate::error::{Error, Result};
use crate::forwarder::record;
use crate::ids::{id_for, new_id, sha256};
use crate::jobs::{self, Kind};
use crate::litter;
use crate::people;
use crate::workers::enrolled_from;

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
    if let Some(answer) = repeated(&gateway, &id, &digest, &person).await? {
        return Ok(answer);
    }
    // A file of its own for every request: of two at once under one key, each writes its own, and one is thrown away.
    let key = format!("photos/{}", new_id());
    let mut tx = app.db.begin().await?;
    litter::discard(&mut tx, &key, now_ms() + LOST_MS).await?;
    tx.commit().await?;
    app.blobs.put(&key, photo.bytes).await?;
    let mut tx = app.db.begin().await?;
    if jobs::insert(&mut tx, &id, Kind::Enrol).await? {
        let statement =
            "INSERT INTO photo (id, person, file_name, sha256, media_type, file, created_ms) VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let insert =
            sqlx::query(statement).bind(&id).bind(&person).bind(file).bind(&digest).bind(photo.media_type).bind(&key).bind(now_ms());
        insert.execute(&mut *tx).await?;
        litter::keep(&mut tx, &key).await?;
        tx.commit().await?;
        app.queue.push(Kind::Enrol, &id).await?;
        return accepted(&gateway, &id).await;
    }
    litter::discard(&mut tx, &key, now_ms()).await?;
    tx.commit().await?;
    match repeated(&gateway, &id, &digest, &person).await? {
        Some(answer) => Ok(answer),
        None => Err(Error::Conflict("this request's photo was removed meanwhile; send it with another `Idempotency-Key`".into())),
    }
}

/// A file without a photo this long after it was begun is nobody's: its request was cut off.
const LOST_MS: i64 = 3_600_000;

/// The answer to a request that was made before; `None` when it is the first.
async fn repeated(gateway: &Gateway, id: &str, digest: &str, person: &str) -> Result<Option<Response>> {
    let earlier = sqlx::query("SELECT person, sha256 FROM photo WHERE id = $1").bind(id).fetch_optional(gateway.app.db.pool()).await?;
    let Some(row) = earlier else { return Ok(None) };
    let same = row.try_get::<String, _>("sha256")? == digest && row.try_get::<String, _>("person")? == person;
    if same { accepted(gateway, id).await.map(Some) } else { Err(reused()) }
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

const COLUMNS: &str = "photo.id AS id, person, file_name, file, reason, person_id, face_id, photo.created_ms AS created_ms, state, error";

fn shown(row: &Row) -> Result<Value> {
    let id: String = row.try_get("id")?;
    let (state, error): (String, Option<String>) = (row.try_get("state")?, row.try_get("error")?);
    let reason: Option<String> = row.try_get("reason")?;
    let url = row.try_get::<Option<String>, _>("file")?.map(|_| format!("/v1/enrolments/{id}/photo"));
    let message = error.filter(|_| state == "failed").or_else(|| reason.as_deref().map(|reason| explain(reason).to_owned()));
    Ok(json!({
        "id": id, "state": state, "reason": reason, "message": message,
        "person_id": row.try_get::<Option<String>, _>("person_id")?, "face_id": row.try_get::<Option<String>, _>("face_id")?,
        "person": row.try_get::<String, _>("person")?, "file_name": row.try_get::<String, _>("file_name")?,
        "created_ms": row.try_get::<i64, _>("created_ms")?, "url": url,
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
        "unrecognisable" => "the face cannot be told from others; take a clear, upright photo",
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
    let person = people::find(&gateway.app, &id).await?;
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
    let row = sqlx::query("SELECT media_type, file FROM photo WHERE id = $1").bind(&id).fetch_optional(gateway.app.db.pool()).await?;
    let row = row.ok_or_else(missing)?;
    let (media_type, file): (String, Option<String>) = (row.try_get("media_type")?, row.try_get("file")?);
    // An SVG could hold script; as a picture in a page it is inert, opened alone it is not.
    let media_type = if media_type.contains("svg") { "application/octet-stream".to_owned() } else { media_type };
    let photo = gateway.app.blobs.get(&file.ok_or_else(missing)?).await?.ok_or_else(missing)?;
    Ok(([(header::CONTENT_TYPE, media_type)], photo).into_response())
}

/// `DELETE /v1/enrolments/{id}`: the photo, and the face that it became. A person's last face goes with the person: they may be
/// named in results.
pub(super) async fn remove(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<StatusCode> {
    let app = gateway.app.clone();
    gateway.app.whole(async move { drop_with_face(&app, &caller.name, &id).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn drop_with_face(app: &App, actor: &str, id: &str) -> Result<()> {
    let mut tx = people::changing(&app.db).await?;
    let statement = "SELECT person, state FROM photo JOIN job ON job.id = photo.id WHERE photo.id = $1";
    let row = sqlx::query(statement).bind(id).fetch_optional(&mut *tx).await?;
    let row = row.ok_or_else(|| Error::NotFound("no photo of this id".into()))?;
    let (person, accepted): (String, bool) = (row.try_get("person")?, row.try_get::<String, _>("state")? == "accepted");
    // The gallery is asked: a worker may have got that far, and has not said so yet.
    let photo = id.to_owned();
    let face = app.blocking(move |app| {
        let face = enrolled_from(&app.gallery, &person, &photo)?.and_then(|(_, face)| face.parse().ok()).map(FaceId);
        if accepted && face.is_some() && app.gallery.person(&person)?.faces == 1 {
            return Err(Error::Conflict("this is the person's last face; forget the person instead".into()));
        }
        face.map(|face| app.gallery.remove_face(face)).transpose()?;
        Ok(face)
    });
    if let Some(face) = face.await? {
        litter::discard(&mut tx, &format!("faces/{face}"), now_ms()).await?;
    }
    people::drop_photo(&mut tx, id).await?;
    record(&mut tx, actor, "enrolment.removed", id).await?;
    tx.commit().await?;
    litter::remove_due(app).await?;
    app.db.soil();
    app.db.scrub().await;
    Ok(())
}
