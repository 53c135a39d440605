//! Sessions: uploaded videos that are looked through.

use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json as Answer};
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::Row as _;

use super::auth::Caller;
use super::bodies::{Json, Page, params};
use super::enrolments::page_of;
use super::{Gateway, uploads};
use crate::db::{Db, Row, now_ms};
use crate::error::{Error, Result};
use crate::forwarder;
use crate::jobs::{self, Kind};
use crate::litter;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    upload_id: String,
}

/// `POST /v1/sessions`. An upload becomes one session, however often it is asked for.
pub(super) async fn create(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Json(wanted): Json<Wanted>,
) -> Result<Response> {
    let upload = uploads::find(&gateway, &wanted.upload_id, &caller).await?;
    let app = &gateway.app;
    if upload.offset != upload.bytes {
        return Err(Error::Conflict(format!("the upload is not complete: {} of {} bytes", upload.offset, upload.bytes)));
    }
    let id = uploads::session_of(&upload.id);
    let key = format!("sessions/{id}/video");
    if litter::is_pending(app, &format!("sessions/{id}")).await? {
        return Err(Error::Unavailable("what this upload became before is still being removed; try again in a minute".into()));
    }
    // Who asks at the same time waits here, and then finds the file moved.
    let held = uploads::hold(&gateway, &upload).await?;
    // Before the file is: whoever is cut off in between is not told that nothing has come.
    sqlx::query("UPDATE upload SET taken = 1 WHERE id = $1").bind(&upload.id).execute(app.db.pool()).await?;
    // An earlier request may have got as far as moving the file.
    if !app.blobs.has(&key).await? {
        if held.is_none() {
            return Err(Error::Conflict("the upload's file is gone; upload it again".into()));
        }
        app.blobs.put_file(&key, &uploads::path(&gateway, &upload.id)).await?;
    }
    uploads::remove_file(&gateway, &upload.id).await?;
    let mut tx = app.db.begin().await?;
    if jobs::insert(&mut tx, &id, Kind::Query).await? {
        let statement =
            "INSERT INTO session (id, upload, file_name, progress, frames, duration_ms, created_ms) VALUES ($1, $2, $3, 0.0, 0, 0, $4)";
        sqlx::query(statement).bind(&id).bind(&upload.id).bind(&upload.file_name).bind(now_ms()).execute(&mut *tx).await?;
        forwarder::record(&mut tx, &caller.name, "session.created", &id).await?;
    }
    tx.commit().await?;
    app.queue.push(Kind::Query, &id).await?;
    let state: String = sqlx::query_scalar("SELECT state FROM job WHERE id = $1").bind(&id).fetch_one(app.db.pool()).await?;
    Ok((StatusCode::ACCEPTED, Answer(json!({"id": id, "state": state}))).into_response())
}

const ONE: &str = "SELECT session.id AS id, file_name, progress, frames, duration_ms, session.created_ms AS created_ms, state, error, attempt \
                   FROM session JOIN job ON job.id = session.id WHERE session.id = $1";
const MANY: &str = "SELECT session.id AS id, file_name, progress, frames, duration_ms, session.created_ms AS created_ms, state, error, attempt \
                    FROM session JOIN job ON job.id = session.id WHERE session.created_ms < $1 OR (session.created_ms = $1 AND session.id < $2) \
                    ORDER BY session.created_ms DESC, session.id DESC LIMIT $3";

/// A session's row: the job's state and the session itself.
pub(super) async fn row(db: &Db, id: &str) -> Result<Row> {
    let row = sqlx::query(ONE).bind(id).fetch_optional(db.pool()).await?;
    row.ok_or_else(|| Error::NotFound("no session of this id".into()))
}

/// A session as the API shows it.
pub(super) async fn shown(db: &Db, row: &Row) -> Result<Value> {
    let (id, state): (String, String) = (row.try_get("id")?, row.try_get("state")?);
    let statement = "SELECT person_id, person, forgotten, COUNT(*) AS tracks, MIN(ordinal) AS first FROM track \
                     WHERE session = $1 AND attempt = $2 GROUP BY person_id, person, forgotten ORDER BY first";
    let groups = sqlx::query(statement).bind(&id).bind(row.try_get::<i64, _>("attempt")?).fetch_all(db.pool()).await?;
    let (mut persons, mut tracks, mut unknown) = (Vec::new(), 0, 0);
    for group in groups {
        let count: i64 = group.try_get("tracks")?;
        tracks += count;
        match (group.try_get::<Option<String>, _>("person_id")?, group.try_get::<Option<String>, _>("person")?) {
            (Some(person_id), Some(person)) => persons.push(json!({"person_id": person_id, "person": person})),
            _ if group.try_get::<i64, _>("forgotten")? == 1 => {}
            _ => unknown += count,
        }
    }
    let error: Option<String> = row.try_get::<Option<String>, _>("error")?.filter(|_| state == "failed");
    Ok(json!({
        "id": id, "file_name": row.try_get::<String, _>("file_name")?, "state": state,
        "progress": row.try_get::<f64, _>("progress")?, "frames": row.try_get::<i64, _>("frames")?,
        "created_ms": row.try_get::<i64, _>("created_ms")?, "duration_ms": row.try_get::<i64, _>("duration_ms")?,
        "persons": persons, "tracks": tracks, "unknown_tracks": unknown, "error": error,
    }))
}

/// `GET /v1/sessions`, newest first.
pub(super) async fn list(State(gateway): State<Gateway>, uri: Uri) -> Result<Answer<Value>> {
    let page: Page = params(&uri)?;
    let (limit, (before, last)) = (page.limit()?, page.before()?);
    let rows = sqlx::query(MANY).bind(before).bind(last).bind(limit + 1).fetch_all(gateway.app.db.pool()).await?;
    let mut items = Vec::with_capacity(rows.len());
    for row in rows {
        items.push(shown(&gateway.app.db, &row).await?);
    }
    Ok(Answer(page_of(items, limit)))
}

/// `GET /v1/sessions/{id}`.
pub(super) async fn one(State(gateway): State<Gateway>, Path(id): Path<String>) -> Result<Answer<Value>> {
    Ok(Answer(shown(&gateway.app.db, &row(&gateway.app.db, &id).await?).await?))
}

/// `POST /v1/sessions/{id}/cancel`. A session that is final stays what it is.
pub(super) async fn cancel(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Answer<Value>> {
    let db = &gateway.app.db;
    row(db, &id).await?;
    let mut tx = db.begin().await?;
    if jobs::cancel(&mut tx, &id).await? {
        forwarder::record(&mut tx, &caller.name, "session.cancelled", &id).await?;
    }
    tx.commit().await?;
    Ok(Answer(shown(db, &row(db, &id).await?).await?))
}

/// `DELETE /v1/sessions/{id}`: its results, its pictures and the video itself.
pub(super) async fn remove(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<StatusCode> {
    let app = &gateway.app;
    let upload: String = {
        let row = sqlx::query("SELECT upload FROM session WHERE id = $1").bind(&id).fetch_optional(app.db.pool()).await?;
        row.ok_or_else(|| Error::NotFound("no session of this id".into()))?.try_get("upload")?
    };
    let prefix = format!("sessions/{id}");
    let mut tx = app.db.begin().await?;
    for (statement, id) in [
        ("DELETE FROM job WHERE id = $1", &id),
        ("DELETE FROM set_aside WHERE job = $1", &id),
        ("DELETE FROM upload WHERE id = $1", &upload),
    ] {
        sqlx::query(statement).bind(id).execute(&mut *tx).await?;
    }
    litter::discard(&mut tx, &prefix, litter::after_workers(app)).await?;
    forwarder::record(&mut tx, &caller.name, "session.removed", &id).await?;
    tx.commit().await?;
    litter::remove_now(app, &prefix).await;
    uploads::remove_file(&gateway, &upload).await?;
    app.db.soil();
    app.db.scrub().await;
    Ok(StatusCode::NO_CONTENT)
}
