//! What was found in a session.

use axum::Json as Answer;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use sqlx::Row as _;

use super::bodies::{Page, params};
use super::{Gateway, ranges, sessions};
use crate::db::{Db, Row};
use crate::error::{Error, Result};
use crate::people::read_document;
use crate::workers::track_key;

/// A track as the API shows it.
pub(super) fn shown(session: &str, row: &Row) -> Result<Value> {
    let (track, document) = (row.try_get::<i64, _>("track")?, read_document(&row.try_get::<String, _>("document")?)?);
    let shot = |(number, shot): (usize, &crate::results::Shot)| {
        let url = format!("/v1/sessions/{session}/tracks/{track}/shots/{number}");
        json!({"ms": shot.ms, "frame": shot.frame, "box": shot.rect, "quality": shot.quality, "url": url})
    };
    let shots: Vec<Value> = document.shots.iter().enumerate().map(shot).collect();
    Ok(json!({
        "track": track, "person_id": row.try_get::<Option<String>, _>("person_id")?, "person": row.try_get::<Option<String>, _>("person")?,
        "similarity": document.similarity, "threshold": document.threshold, "margin": document.margin, "reason": document.reason,
        "start_ms": document.start_ms, "end_ms": document.end_ms, "frames": document.frames, "spans_ms": document.spans_ms,
        "best_shots": shots, "candidates": document.candidates,
    }))
}

/// Tracks of the attempt that counts, after `ordinal`.
pub(super) async fn after(db: &Db, session: &str, attempt: i64, ordinal: i64, limit: i64) -> Result<Vec<Row>> {
    let statement = "SELECT track, ordinal, person_id, person, document FROM track WHERE session = $1 AND attempt = $2 AND ordinal > $3 \
                     ORDER BY ordinal LIMIT $4";
    Ok(sqlx::query(statement).bind(session).bind(attempt).bind(ordinal).bind(limit).fetch_all(db.pool()).await?)
}

/// `GET /v1/sessions/{id}/tracks`, in the order in which they were found.
pub(super) async fn list(State(gateway): State<Gateway>, Path(id): Path<String>, uri: Uri) -> Result<Answer<Value>> {
    let page: Page = params(&uri)?;
    let (limit, start) = (page.limit()?, page.number(0)?);
    let attempt: i64 = sessions::row(&gateway.app.db, &id).await?.try_get("attempt")?;
    let mut rows = after(&gateway.app.db, &id, attempt, start, limit + 1).await?;
    let more = rows.len() as i64 > limit;
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next = rows.last().filter(|_| more).map(|row| row.try_get::<i64, _>("ordinal")).transpose()?;
    let items = rows.iter().map(|row| shown(&id, row)).collect::<Result<Vec<_>>>()?;
    Ok(Answer(json!({"items": items, "next": next.map(|ordinal| ordinal.to_string())})))
}

/// Where the files of a track lie.
async fn key(gateway: &Gateway, session: &str, track: &str) -> Result<String> {
    let missing = || Error::NotFound("no such track".into());
    let attempt: i64 = sessions::row(&gateway.app.db, session).await?.try_get("attempt")?;
    Ok(track_key(session, attempt, track.parse().map_err(|_| missing())?))
}

/// `GET /v1/sessions/{id}/tracks/{track}/boxes`.
pub(super) async fn boxes(State(gateway): State<Gateway>, Path((id, track)): Path<(String, String)>) -> Result<Response> {
    let boxes = gateway.app.blobs.get(&format!("{}/boxes", key(&gateway, &id, &track).await?)).await?;
    let boxes = boxes.ok_or_else(|| Error::NotFound("no such track".into()))?;
    let text = [b"{\"boxes\":", boxes.as_ref(), b"}"].concat();
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}

/// `GET /v1/sessions/{id}/tracks/{track}/shots/{n}`.
pub(super) async fn shot(State(gateway): State<Gateway>, Path((id, track, number)): Path<(String, String, String)>) -> Result<Response> {
    let missing = || Error::NotFound("no such shot".into());
    let number: u32 = number.parse().map_err(|_| missing())?;
    let picture = gateway.app.blobs.get(&format!("{}/{number}", key(&gateway, &id, &track).await?)).await?;
    Ok(([(header::CONTENT_TYPE, "image/jpeg")], picture.ok_or_else(missing)?).into_response())
}

/// `GET /v1/sessions/{id}/video`, with ranges, so that players can jump.
pub(super) async fn video(State(gateway): State<Gateway>, Path(id): Path<String>, headers: HeaderMap) -> Result<Response> {
    let name: String = sessions::row(&gateway.app.db, &id).await?.try_get("file_name")?;
    let video = gateway.app.blobs.open(&format!("sessions/{id}/video")).await?;
    let video = video.ok_or_else(|| Error::NotFound("the video is gone".into()))?;
    // By its name, from a short list: nothing that a browser would run.
    let kind = match name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "mp4" | "m4v" => "video/mp4",
        "webm" => "video/webm",
        "mov" => "video/quicktime",
        "mkv" => "video/x-matroska",
        _ => "application/octet-stream",
    };
    Ok(ranges::answer(video, &headers, kind))
}
