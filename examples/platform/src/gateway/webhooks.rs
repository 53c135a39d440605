//! Webhooks: who is told of final states, what they were sent, and what was given up.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json as Answer};
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::Row as _;

use super::auth::Caller;
use super::bodies::{Json, Page, idempotency_key, params};
use super::enrolments::page_of;
use super::{Gateway, admin};
use crate::db::{Row, now_ms};
use crate::error::{Error, Result};
use crate::ids::id_for;

fn shown(row: &Row) -> Result<Value> {
    let events: String = row.try_get("events")?;
    let (id, url): (String, String) = (row.try_get("id")?, row.try_get("url")?);
    Ok(json!({"id": id, "url": url, "events": events.split(' ').collect::<Vec<_>>(), "created_ms": row.try_get::<i64, _>("created_ms")?}))
}

/// `GET /v1/webhooks`. Secrets are not shown again.
pub(super) async fn list(State(gateway): State<Gateway>, uri: Uri) -> Result<Answer<Value>> {
    const WEBHOOKS: &str = "SELECT id, url, events, created_ms FROM webhook WHERE (created_ms < $1 OR (created_ms = $1 AND id < $2)) AND $4 = '' \
                            ORDER BY created_ms DESC, id DESC LIMIT $3";
    admin::list(&gateway, WEBHOOKS, "", &uri, shown).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    url: String,
    secret: String,
    events: Vec<String>,
}

/// Events that a webhook can hear of; `*` is all of them.
const EVENTS: [&str; 6] = ["*", "session.done", "session.failed", "enrolment.accepted", "enrolment.rejected", "enrolment.failed"];

/// `POST /v1/webhooks`.
pub(super) async fn make(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Json(wanted): Json<Wanted>,
) -> Result<Response> {
    let address = wanted.url.parse::<Uri>().ok().filter(|url| matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some());
    if address.is_none() || wanted.url.len() > 2000 {
        return Err(Error::Invalid("`url`: expected an address that starts with http:// or https://".into()));
    }
    if !(16..=200).contains(&wanted.secret.len()) || wanted.secret.chars().any(char::is_control) {
        return Err(Error::Invalid(
            "`secret`: expected 16 to 200 characters, none of them a control character; it signs what is sent".into(),
        ));
    }
    if wanted.events.is_empty() || !wanted.events.iter().all(|event| EVENTS.contains(&event.as_str())) {
        return Err(Error::Invalid(format!("`events`: expected some of {}", EVENTS.join(", "))));
    }
    let id = id_for(&caller.key, "webhook", idempotency_key(&headers)?);
    let statement = "INSERT INTO webhook (id, url, secret, events, created_ms) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING";
    let insert = sqlx::query(statement).bind(&id).bind(&wanted.url).bind(&wanted.secret).bind(wanted.events.join(" "));
    if insert.bind(now_ms()).execute(gateway.app.db.pool()).await?.rows_affected() == 1 {
        admin::record(&gateway, &caller, "webhook.made", &id).await?;
    }
    let row =
        sqlx::query("SELECT id, url, events, created_ms FROM webhook WHERE id = $1").bind(&id).fetch_one(gateway.app.db.pool()).await?;
    Ok((StatusCode::CREATED, Answer(shown(&row)?)).into_response())
}

/// `DELETE /v1/webhooks/{id}`.
pub(super) async fn remove(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<StatusCode> {
    admin::remove(&gateway, "DELETE FROM webhook WHERE id = $1", &id).await?;
    admin::record(&gateway, &caller, "webhook.removed", &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
struct Asked {
    state: Option<String>,
    #[serde(flatten)]
    page: Page,
}

/// `GET /v1/webhooks/{id}/deliveries`: with `state=dead` those that were given up.
pub(super) async fn deliveries(State(gateway): State<Gateway>, Path(id): Path<String>, uri: Uri) -> Result<Answer<Value>> {
    let Asked { state, page } = params(&uri)?;
    let (limit, (before, last), state) = (page.limit()?, page.before()?, state.unwrap_or_default());
    if !["", "pending", "delivered", "dead"].contains(&state.as_str()) {
        return Err(Error::Invalid("`state`: expected pending, delivered or dead".into()));
    }
    let statement = "SELECT id, event, state, attempts, next_ms, answer, created_ms FROM delivery \
                     WHERE (created_ms < $1 OR (created_ms = $1 AND id < $2)) AND webhook = $3 AND ($4 = '' OR state = $4) \
                     ORDER BY created_ms DESC, id DESC LIMIT $5";
    let query = sqlx::query(statement).bind(before).bind(last).bind(id).bind(state).bind(limit + 1);
    let items = query.fetch_all(gateway.app.db.pool()).await?.iter().map(shown_delivery).collect::<Result<Vec<_>>>()?;
    Ok(Answer(page_of(items, limit)))
}

fn shown_delivery(row: &Row) -> Result<Value> {
    let (id, event, state): (String, String, String) = (row.try_get("id")?, row.try_get("event")?, row.try_get("state")?);
    let next = row.try_get::<i64, _>("next_ms").map(|next| (state == "pending").then_some(next))?;
    Ok(json!({
        "id": id, "event": event, "state": state, "attempts": row.try_get::<i64, _>("attempts")?, "next_ms": next,
        "answer": row.try_get::<Option<String>, _>("answer")?, "created_ms": row.try_get::<i64, _>("created_ms")?,
    }))
}

/// `POST /v1/webhooks/{id}/deliveries/{delivery}/retry`: a delivery that was given up has all its attempts again.
pub(super) async fn retry(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Path((id, delivery)): Path<(String, String)>,
) -> Result<Answer<Value>> {
    let pool = gateway.app.db.pool();
    let statement = "UPDATE delivery SET state = 'pending', attempts = 0, next_ms = $1 WHERE id = $2 AND webhook = $3 AND state = 'dead'";
    let changed = sqlx::query(statement).bind(now_ms()).bind(&delivery).bind(&id).execute(pool).await?.rows_affected();
    let statement = "SELECT id, event, state, attempts, next_ms, answer, created_ms FROM delivery WHERE id = $1 AND webhook = $2";
    let row = sqlx::query(statement).bind(&delivery).bind(&id).fetch_optional(pool).await?;
    let row = row.ok_or_else(|| Error::NotFound("no delivery of this id".into()))?;
    if changed == 1 {
        admin::record(&gateway, &caller, "delivery.retried", &delivery).await?;
    }
    shown_delivery(&row).map(Answer)
}
