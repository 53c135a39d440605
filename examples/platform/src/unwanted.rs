//! Files that are to go. A worker that does not know yet may still be writing some of them: they are removed at once, and once more when
//! it must have noticed. What a process that was killed could not remove goes then too.

use sqlx::{Any, Row as _, Transaction};

use crate::app::App;
use crate::db::now_ms;
use crate::error::Result;

/// Leases until a worker whose job is gone has certainly heard of it.
const LEASES: i64 = 4;

/// Writes down that `prefix` and all below it is to go, in the transaction that takes away its reason.
///
/// # Errors
/// `database`.
pub async fn write_down(app: &App, tx: &mut Transaction<'static, Any>, prefix: &str) -> Result<()> {
    let due = now_ms() + LEASES * i64::try_from(app.config.work.lease_ms).unwrap_or(i64::MAX / LEASES);
    let statement = "INSERT INTO unwanted (prefix, due_ms) VALUES ($1, $2) ON CONFLICT (prefix) DO UPDATE SET due_ms = $2";
    sqlx::query(statement).bind(prefix).bind(due).execute(&mut **tx).await?;
    Ok(())
}

/// Whether `prefix` is still to go. Nothing new may come to lie there until it is gone.
///
/// # Errors
/// `database`.
pub async fn is_pending(app: &App, prefix: &str) -> Result<bool> {
    let found = sqlx::query("SELECT prefix FROM unwanted WHERE prefix = $1").bind(prefix).fetch_optional(app.db.pool()).await?;
    Ok(found.is_some())
}

/// Removes what was written down, after the transaction; what cannot be removed now is removed later.
pub async fn remove(app: &App, prefix: &str) {
    if let Err(error) = app.blobs.remove(prefix).await {
        tracing::warn!(%error, "files cannot be removed now; it is done later");
    }
}

/// Removes what is due.
///
/// # Errors
/// `database`, and those of the store of files.
pub async fn remove_due(app: &App) -> Result<()> {
    let due = sqlx::query("SELECT prefix, due_ms FROM unwanted WHERE due_ms <= $1 ORDER BY due_ms LIMIT 100");
    for row in due.bind(now_ms()).fetch_all(app.db.pool()).await? {
        let (prefix, due): (String, i64) = (row.try_get("prefix")?, row.try_get("due_ms")?);
        app.blobs.remove(&prefix).await?;
        sqlx::query("DELETE FROM unwanted WHERE prefix = $1 AND due_ms = $2").bind(prefix).bind(due).execute(app.db.pool()).await?;
    }
    Ok(())
}
