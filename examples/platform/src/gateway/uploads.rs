//! Resumable uploads: a file in a folder that grows. What was answered for is on the disk.

use std::path::PathBuf;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json as Answer};
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::json;
use sqlx::Row as _;
use std::sync::PoisonError;
use tokio::io::AsyncWriteExt;

use super::Gateway;
use super::auth::Caller;
use super::bodies::{Json, file_name, idempotency_key};
use super::enrolments::reused;
use crate::db::now_ms;
use crate::error::{Error, Result};
use crate::ids::id_for;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    file_name: String,
    bytes: i64,
}

/// An upload.
pub(super) struct Upload {
    pub(super) id: String,
    pub(super) file_name: String,
    pub(super) bytes: i64,
    pub(super) offset: i64,
}

impl Upload {
    fn answer(&self, status: StatusCode) -> Response {
        let headers = [("upload-offset", self.offset.to_string()), ("upload-length", self.bytes.to_string())];
        (status, headers, Answer(json!({"id": self.id, "offset": self.offset, "bytes": self.bytes}))).into_response()
    }
}

/// The file that an upload grows in.
pub(super) fn path(gateway: &Gateway, id: &str) -> PathBuf {
    gateway.app.config.data.join("uploads").join(id)
}

/// The upload of an id, for the key that made it; for others there is none.
pub(super) async fn find(gateway: &Gateway, id: &str, caller: &Caller) -> Result<Upload> {
    let statement = "SELECT id, file_name, bytes FROM upload WHERE id = $1 AND owner = $2";
    let row = sqlx::query(statement).bind(id).bind(&caller.key).fetch_optional(gateway.app.db.pool()).await?;
    let row = row.ok_or_else(|| Error::NotFound("no upload of this id".into()))?;
    let id: String = row.try_get("id")?; // the database's own, and so a plain file name
    let offset = match tokio::fs::metadata(path(gateway, &id)).await {
        Ok(file) => i64::try_from(file.len()).unwrap_or(i64::MAX),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error.into()),
    };
    Ok(Upload { id, file_name: row.try_get("file_name")?, bytes: row.try_get("bytes")?, offset })
}

/// `POST /v1/uploads`.
pub(super) async fn create(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Json(wanted): Json<Wanted>,
) -> Result<Response> {
    let limit = gateway.app.config.limits.upload_bytes;
    if wanted.bytes < 1 {
        return Err(Error::Invalid("`bytes`: expected the size of the file, at least 1".into()));
    }
    if u64::try_from(wanted.bytes).is_ok_and(|bytes| bytes > limit) {
        return Err(Error::TooLarge { what: "the video", limit });
    }
    let (id, name) = (id_for(&caller.key, "upload", idempotency_key(&headers)?), file_name(&wanted.file_name));
    let statement = "INSERT INTO upload (id, owner, file_name, bytes, created_ms) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING";
    let insert = sqlx::query(statement).bind(&id).bind(&caller.key).bind(&name).bind(wanted.bytes).bind(now_ms());
    insert.execute(gateway.app.db.pool()).await?;
    let upload = find(&gateway, &id, &caller).await?;
    if (upload.bytes, &upload.file_name) != (wanted.bytes, &name) {
        return Err(reused());
    }
    Ok(upload.answer(StatusCode::CREATED))
}

/// `GET` and `HEAD /v1/uploads/{id}`.
pub(super) async fn one(State(gateway): State<Gateway>, Extension(caller): Extension<Caller>, Path(id): Path<String>) -> Result<Response> {
    Ok(find(&gateway, &id, &caller).await?.answer(StatusCode::OK))
}

/// Only one request at a time may write to an upload.
struct Writing<'a>(&'a Gateway, String);

impl<'a> Writing<'a> {
    fn begin(gateway: &'a Gateway, id: &str) -> Result<Self> {
        let mut writing = gateway.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if !writing.insert(id.to_owned()) {
            return Err(Error::Conflict("another request is writing to this upload".into()));
        }
        Ok(Self(gateway, id.to_owned()))
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.0.writing.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

fn too_large(upload: &Upload) -> Error {
    Error::TooLarge { what: "the upload, by what was announced,", limit: u64::try_from(upload.bytes).unwrap_or(0) }
}

/// `PATCH /v1/uploads/{id}`: streams to the disk, in constant memory. What came before a connection broke stays.
pub(super) async fn append(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response> {
    let _writing = Writing::begin(&gateway, &id)?;
    let mut upload = find(&gateway, &id, &caller).await?;
    let offset = headers.get("upload-offset").and_then(|offset| offset.to_str().ok()).and_then(|offset| offset.parse::<i64>().ok());
    let offset = offset.ok_or_else(|| Error::Invalid("expected the header `Upload-Offset` with the number of bytes sent so far".into()))?;
    if offset != upload.offset {
        return Err(Error::Conflict(format!("`Upload-Offset`: the upload is at {}, got `{offset}`", upload.offset)));
    }
    // What is announced is believed only to refuse at once.
    let announced =
        headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()).and_then(|length| length.parse::<i64>().ok());
    if announced.is_some_and(|length| length > upload.bytes - upload.offset) {
        return Err(too_large(&upload));
    }
    let mut file = tokio::fs::OpenOptions::new().create(true).append(true).open(path(&gateway, &upload.id)).await?;
    let mut pieces = body.into_data_stream();
    let outcome = loop {
        let piece = match tokio::time::timeout(gateway.app.config.patience(), pieces.next()).await {
            Err(_) => break Err(Error::TooSlow),
            Ok(None) => break Ok(()),
            Ok(Some(Err(error))) => break Err(Error::Invalid(format!("the body broke off: {error}"))),
            Ok(Some(Ok(piece))) => piece,
        };
        let length = i64::try_from(piece.len()).unwrap_or(i64::MAX);
        if length > upload.bytes - upload.offset {
            break Err(too_large(&upload));
        }
        if let Err(error) = file.write_all(&piece).await {
            break Err(error.into());
        }
        upload.offset += length;
    };
    file.flush().await?;
    file.sync_data().await?;
    outcome?;
    Ok(upload.answer(StatusCode::OK))
}
