//! Health, the caller's key, tickets; keys and the log of changes.

use std::time::Instant;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json as Answer};
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::Row as _;

use super::Gateway;
use super::auth::{self, Caller};
use super::bodies::{Json, Page, idempotency_key, params};
use super::enrolments::page_of;
use super::observe::FRESH;
use super::routes::{Scope, access_of_path};
use crate::db::{Row, now_ms};
use crate::error::{Error, Result};
use crate::forwarder;
use crate::ids::id_for;

/// `GET /healthz`.
pub(super) async fn health() -> Answer<Value> {
    Answer(json!({"status": "ok"}))
}

/// `GET /readyz`.
pub(super) async fn ready(State(gateway): State<Gateway>) -> Result<Answer<Value>> {
    let mut last = gateway.metrics.ready.lock().await;
    if last.is_some_and(|at| at.elapsed() < FRESH) {
        return Ok(Answer(json!({"status": "ok"})));
    }
    let down = |what: &str| Error::Unavailable(format!("{what} does not answer"));
    sqlx::query("SELECT 1").execute(gateway.app.db.pool()).await.map_err(|_| down("the database"))?;
    gateway.app.blocking(|app| Ok(app.gallery.stats()?)).await.map_err(|_| down("the gallery"))?;
    // Nothing is kept under this key; the question alone tells.
    gateway.app.blobs.has("ready").await.map_err(|_| down("the store of files"))?;
    *last = Some(Instant::now());
    Ok(Answer(json!({"status": "ok"})))
}

/// `GET /v1/me`.
pub(super) async fn me(Extension(caller): Extension<Caller>) -> Answer<Value> {
    Answer(json!({"name": caller.name, "scopes": names(&caller.scopes)}))
}

fn names(scopes: &[Scope]) -> Vec<&'static str> {
    scopes.iter().map(|scope| scope.name()).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TicketWanted {
    path: String,
}

/// `POST /v1/tickets`: only for what the caller may read.
pub(super) async fn ticket(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Json(wanted): Json<TicketWanted>,
) -> Result<Answer<Value>> {
    let access = access_of_path(&wanted.path).filter(|_| wanted.path.starts_with("/v1/"));
    caller.check(access.ok_or_else(|| Error::Invalid("`path`: expected a path of this API that GET reads".into()))?)?;
    Ok(Answer(json!({"ticket": gateway.auth.ticket(&wanted.path, &caller.key)})))
}

pub(super) async fn list(
    gateway: &Gateway,
    statement: &'static str,
    of: &str,
    uri: &Uri,
    shown: fn(&Row) -> Result<Value>,
) -> Result<Answer<Value>> {
    let page: Page = params(uri)?;
    let (limit, (before, last)) = (page.limit()?, page.before()?);
    let rows = sqlx::query(statement).bind(before).bind(last).bind(limit + 1).bind(of).fetch_all(gateway.app.db.pool()).await?;
    Ok(Answer(page_of(rows.iter().map(shown).collect::<Result<Vec<_>>>()?, limit)))
}

/// `GET /v1/keys`.
pub(super) async fn keys(State(gateway): State<Gateway>, uri: Uri) -> Result<Answer<Value>> {
    const KEYS: &str = "SELECT id, name, scopes, created_ms FROM api_key WHERE (created_ms < $1 OR (created_ms = $1 AND id < $2)) AND $4 = '' \
                        ORDER BY created_ms DESC, id DESC LIMIT $3";
    let shown = |row: &Row| {
        let (id, name, scopes): (String, String, String) = (row.try_get("id")?, row.try_get("name")?, row.try_get("scopes")?);
        let scopes: Vec<&str> = scopes.split(' ').collect();
        Ok(json!({"id": id, "name": name, "scopes": scopes, "created_ms": row.try_get::<i64, _>("created_ms")?}))
    };
    list(&gateway, KEYS, "", &uri, shown).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyWanted {
    name: String,
    scopes: Vec<String>,
}

/// `POST /v1/keys`.
pub(super) async fn make_key(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Json(wanted): Json<KeyWanted>,
) -> Result<Response> {
    let name = super::bodies::person_name(&wanted.name)?;
    let scopes: Option<Vec<Scope>> = wanted.scopes.iter().map(|scope| Scope::parse(scope)).collect();
    let scopes = scopes.filter(|scopes| !scopes.is_empty());
    let scopes = scopes.ok_or_else(|| Error::Invalid("`scopes`: expected one or more of admin, enrol, query, read".into()))?;
    let id = id_for(&caller.key, "key", idempotency_key(&headers)?);
    let (key, id) = auth::make_key(&gateway.app.db, Some(id), &name, &scopes).await?;
    record(&gateway, &caller, "key.made", &id).await?;
    Ok((StatusCode::CREATED, Answer(json!({"id": id, "name": name, "scopes": names(&scopes), "key": key}))).into_response())
}

pub(super) async fn record(gateway: &Gateway, caller: &Caller, kind: &str, subject: &str) -> Result<()> {
    let mut tx = gateway.app.db.begin().await?;
    forwarder::record(&mut tx, &caller.name, kind, subject).await?;
    Ok(tx.commit().await?)
}

/// `DELETE /v1/keys/{id}`. Not the key that asks: nobody locks themselves out.
pub(super) async fn revoke_key(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<StatusCode> {
    if id == caller.key {
        return Err(Error::Conflict("a key cannot revoke itself; use another admin key".into()));
    }
    remove(&gateway, "DELETE FROM api_key WHERE id = $1", &id).await?;
    gateway.auth.forget();
    record(&gateway, &caller, "key.revoked", &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn remove(gateway: &Gateway, statement: &'static str, id: &str) -> Result<()> {
    match sqlx::query(statement).bind(id).execute(gateway.app.db.pool()).await?.rows_affected() {
        0 => Err(Error::NotFound("nothing of this id".into())),
        _ => Ok(()),
    }
}

/// `GET /v1/events`.
pub(super) async fn events(State(gateway): State<Gateway>, uri: Uri) -> Result<Answer<Value>> {
    let page: Page = params(&uri)?;
    let (limit, before) = (page.limit()?, page.number(i64::MAX)?);
    let statement = "SELECT seq, at_ms, actor, kind, subject FROM event WHERE seq < $1 ORDER BY seq DESC LIMIT $2";
    let rows = sqlx::query(statement).bind(before).bind(limit + 1).fetch_all(gateway.app.db.pool()).await?;
    let shown = |row: &Row| {
        let (actor, kind, subject): (String, String, String) = (row.try_get("actor")?, row.try_get("kind")?, row.try_get("subject")?);
        Ok(
            json!({"seq": row.try_get::<i64, _>("seq")?, "at_ms": row.try_get::<i64, _>("at_ms")?, "actor": actor, "kind": kind, "subject": subject}),
        )
    };
    let mut items = rows.iter().map(shown).collect::<Result<Vec<_>>>()?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = items.len() > wanted;
    items.truncate(wanted);
    let next = items.last().filter(|_| more).map(|item| item["seq"].to_string());
    Ok(Answer(json!({"items": items, "next": next})))
}
