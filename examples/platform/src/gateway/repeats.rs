//! Requests that come again with the same `Idempotency-Key`: they are answered as the first was.

use axum::http::HeaderMap;
use serde_json::Value;
use sqlx::Row as _;

use super::auth::Caller;
use super::bodies::idempotency_key;
use super::enrolments::reused;
use crate::db::{Db, now_ms};
use crate::error::{Error, Result};
use crate::ids::{id_for, sha256};

/// A request that may be a repeated one.
pub(super) struct Repeat {
    /// `None` without a key: it is then always a new one.
    id: Option<String>,
    request: String,
}

impl Repeat {
    /// The request of `kind` by `caller` that asks for `what`.
    ///
    /// # Errors
    /// `invalid_argument` for a bad key.
    pub(super) fn of(caller: &Caller, headers: &HeaderMap, kind: &str, what: &Value) -> Result<Self> {
        let id = idempotency_key(headers)?.map(|key| id_for(&caller.key, kind, Some(key)));
        Ok(Self { id, request: sha256(what.to_string().as_bytes()) })
    }

    /// What was answered the first time.
    ///
    /// # Errors
    /// `conflict` when the key was used for another request.
    pub(super) async fn answer(&self, db: &Db) -> Result<Option<Value>> {
        let Some(id) = &self.id else { return Ok(None) };
        let row = sqlx::query("SELECT request, answer FROM answer WHERE id = $1").bind(id).fetch_optional(db.pool()).await?;
        let Some(row) = row else { return Ok(None) };
        if row.try_get::<String, _>("request")? != self.request {
            return Err(reused());
        }
        let text: String = row.try_get("answer")?;
        serde_json::from_str(&text).map(Some).map_err(|e| Error::Internal(format!("an earlier answer cannot be read: {e}")))
    }

    /// Keeps the answer, and gives back the first: two such requests may have come at the same time.
    ///
    /// # Errors
    /// As [`Repeat::answer`].
    pub(super) async fn keep(&self, db: &Db, answer: Value) -> Result<Value> {
        let Some(id) = &self.id else { return Ok(answer) };
        let statement = "INSERT INTO answer (id, request, answer, created_ms) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING";
        sqlx::query(statement).bind(id).bind(&self.request).bind(answer.to_string()).bind(now_ms()).execute(db.pool()).await?;
        Ok(self.answer(db).await?.unwrap_or(answer))
    }
}
