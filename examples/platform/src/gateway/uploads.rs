//! Resumable uploads: a file in a folder that grows. What was answered for is on the disk.
//!
//! Who writes to the file or takes it away holds a lock on it, which other processes with the same folder see too.

use std::fs::{File, TryLockError};
use std::io::{ErrorKind, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path as FilePath, PathBuf};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json as Answer};
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::json;
use sqlx::Row as _;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

use super::Gateway;
use super::auth::Caller;
use super::bodies::{Json, file_name, idempotency_key};
use super::enrolments::reused;
use crate::db::{Row, now_ms};
use crate::error::{Error, Result};
use crate::ids::{id_for, sha256};
use crate::litter;

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
    /// A session was asked for: the file may be the session's already.
    taken: bool,
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
    let statement = "SELECT id, file_name, bytes, taken FROM upload WHERE id = $1 AND owner = $2";
    let ask = async || -> Result<_> {
        let row = sqlx::query(statement).bind(id).bind(&caller.key).fetch_optional(gateway.app.db.pool()).await?;
        row.ok_or_else(|| Error::NotFound("no upload of this id".into()))
    };
    let row = ask().await?;
    let id: String = row.try_get("id")?; // the database's own, and so a plain file name
    let is_taken = |row: &Row| -> Result<bool> { Ok(row.try_get::<i64, _>("taken")? != 0) };
    let (bytes, mut taken) = (row.try_get("bytes")?, is_taken(&row)?);
    let offset = match tokio::fs::metadata(path(gateway, &id)).await {
        _ if taken => bytes,
        Ok(file) => i64::try_from(file.len()).unwrap_or(i64::MAX),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // Nothing has come yet, or it was taken since the row was read: a file goes only after its row says so.
            taken = is_taken(&ask().await?)?;
            if taken { bytes } else { 0 }
        }
        Err(error) => return Err(error.into()),
    };
    Ok(Upload { id, file_name: row.try_get("file_name")?, bytes, offset, taken })
}

/// The session that an upload becomes.
pub(super) fn session_of(upload: &str) -> String {
    sha256(format!("session of {upload}").as_bytes())[..32].to_owned()
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
    let statement =
        "INSERT INTO upload (id, owner, file_name, bytes, taken, created_ms) VALUES ($1, $2, $3, $4, 0, $5) ON CONFLICT (id) DO NOTHING";
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

/// Opens the file of an upload and locks it; makes it when `make`. `None`: there is none, or no longer.
///
/// # Errors
/// `conflict` when another request has it.
fn lock(path: &FilePath, make: bool) -> Result<Option<File>> {
    let file = match File::options().write(true).open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound && make => {
            let file = File::options().write(true).create(true).truncate(false).open(path)?;
            // Once: a new name in a folder survives a power cut once the folder is synced.
            path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())?;
            file
        }
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(Error::Conflict("another request is writing to this upload".into())),
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    // Whoever had it before may have taken it away, and what is locked now is not what lies there.
    let same = std::fs::metadata(path).is_ok_and(|there| file.metadata().is_ok_and(|ours| there.ino() == ours.ino()));
    Ok(same.then_some(file))
}

async fn lock_soon(path: PathBuf, make: bool) -> Result<Option<File>> {
    let locked = tokio::task::spawn_blocking(move || lock(&path, make)).await;
    locked.map_err(|error| Error::Internal(format!("a file task ended early: {error}")))?
}

/// Locks the file of an upload that is complete, once whoever else has it is done.
pub(super) async fn hold(gateway: &Gateway, upload: &Upload) -> Result<Option<File>> {
    let start = Instant::now();
    loop {
        match lock_soon(path(gateway, &upload.id), false).await {
            Err(Error::Conflict(_)) if start.elapsed() < gateway.app.config.patience() => {}
            locked => return locked,
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Removes the file of an upload, if there is one.
pub(super) async fn remove_file(gateway: &Gateway, id: &str) -> Result<()> {
    match tokio::fs::remove_file(path(gateway, id)).await {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Bytes a second below which an upload is broken off, beside the patience for each pause: else a byte now and then would hold a
/// connection and an upload for ever.
const SLOWEST: u32 = 16 << 10;

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
    let known = find(&gateway, &id, &caller).await?;
    if known.taken {
        return Err(Error::Conflict("a session was made of this upload; nothing can be added to it".into()));
    }
    let file = lock_soon(path(&gateway, &known.id), true).await?;
    let file = file.ok_or_else(|| Error::Conflict("a session was made of this upload just now".into()))?;
    // As it is now that nobody else can change it.
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
    let mut file = tokio::fs::File::from_std(file);
    file.seek(SeekFrom::Start(u64::try_from(offset).unwrap_or(0))).await?;
    let mut pieces = body.into_data_stream();
    let (start, patience) = (Instant::now(), gateway.app.config.patience());
    let outcome = loop {
        let most = patience + Duration::from_secs(u64::try_from(upload.offset - offset).unwrap_or(0)) / SLOWEST;
        let wait = patience.min(most.saturating_sub(start.elapsed()));
        let piece = match tokio::time::timeout(wait, pieces.next()).await {
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

/// `DELETE /v1/uploads/{id}`: an upload that is not wanted after all.
pub(super) async fn remove(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<StatusCode> {
    let upload = find(&gateway, &id, &caller).await?;
    if !discard(&gateway, &upload.id).await? {
        return Err(Error::Conflict("a session was made of this upload; remove the session instead".into()));
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Removes an upload and its file unless there is a session of it, and then answers false.
async fn discard(gateway: &Gateway, id: &str) -> Result<bool> {
    let _held = lock_soon(path(gateway, id), false).await?;
    let (mut tx, session) = (gateway.app.db.begin().await?, session_of(id));
    let statement = "DELETE FROM upload WHERE id = $1 AND NOT EXISTS (SELECT id FROM session WHERE id = $2)";
    if sqlx::query(statement).bind(id).bind(&session).execute(&mut *tx).await?.rows_affected() == 0 {
        return Ok(false);
    }
    // The file may have become the session's when whoever asked for it was cut off.
    let prefix = format!("sessions/{session}");
    litter::discard(&mut tx, &prefix, litter::after_workers(&gateway.app)).await?;
    tx.commit().await?;
    litter::remove_now(&gateway.app, &prefix).await;
    remove_file(gateway, id).await?;
    Ok(true)
}

/// How often what nobody will finish is looked for.
const EXPIRE_EVERY: Duration = Duration::from_secs(3600);

/// Removes uploads that nobody finishes, until the process is to end.
pub(super) async fn expire(gateway: Gateway) {
    while !gateway.app.stopping() {
        if let Err(error) = expire_once(&gateway).await {
            tracing::warn!(%error, "old uploads cannot be removed; trying again later");
        }
        tokio::select! {
            () = tokio::time::sleep(EXPIRE_EVERY) => {}
            () = gateway.app.stopped() => break,
        }
    }
}

async fn expire_once(gateway: &Gateway) -> Result<()> {
    let (db, keep_ms) = (gateway.app.db.pool(), i64::from(gateway.app.config.limits.keep_uploads_days) * 86_400_000);
    let statement = "SELECT id FROM upload WHERE created_ms < $1 AND NOT EXISTS (SELECT id FROM session WHERE session.upload = upload.id)";
    for id in sqlx::query_scalar::<_, String>(statement).bind(now_ms() - keep_ms).fetch_all(db).await? {
        match discard(gateway, &id).await {
            Err(Error::Conflict(_)) => {} // somebody is at it after all
            discarded => drop(discarded?),
        }
    }
    // Files whose upload is gone, or became a session when whoever asked for it was cut off.
    let mut files = tokio::fs::read_dir(gateway.app.config.data.join("uploads")).await?;
    while let Some(file) = files.next_entry().await? {
        let Ok(id) = file.file_name().into_string() else { continue };
        let statement = "SELECT id FROM upload WHERE id = $1 AND NOT EXISTS (SELECT id FROM session WHERE session.upload = upload.id)";
        if sqlx::query(statement).bind(&id).fetch_optional(db).await?.is_none() && lock_soon(file.path(), false).await.is_ok() {
            remove_file(gateway, &id).await?;
        }
    }
    Ok(())
}
