//! Files that are to go. A file cannot be removed in the transaction that makes it nobody's, so its key is written down there, and
//! whoever comes next removes it: nothing is left over when a process dies in between.

use sqlx::{Any, Row as _, Transaction};

use crate::app::App;
use crate::db::now_ms;
use crate::error::{Error, Result};

/// Files removed between two looks at the table.
const AT_ONCE: i64 = 100;

/// Leases until a worker whose job is gone has certainly heard of it.
const LEASES: i64 = 4;

/// Writes down that `key` and what is below it go, from `due_ms` on.
///
/// # Errors
/// `database`.
pub async fn discard(tx: &mut Transaction<'static, Any>, key: &str, due_ms: i64) -> Result<()> {
    let statement = "INSERT INTO litter (key, due_ms) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET due_ms = $2";
    sqlx::query(statement).bind(key).bind(due_ms).execute(&mut **tx).await?;
    Ok(())
}

/// When no worker can be writing files of a job any more that is gone now.
pub fn after_workers(app: &App) -> i64 {
    now_ms() + LEASES * i64::try_from(app.config.work.lease_ms).unwrap_or(i64::MAX / (2 * LEASES))
}

/// The file has found its row, and stays.
///
/// # Errors
/// `database`.
pub async fn keep(tx: &mut Transaction<'static, Any>, key: &str) -> Result<()> {
    sqlx::query("DELETE FROM litter WHERE key = $1").bind(key).execute(&mut **tx).await?;
    Ok(())
}

/// Whether `key` is still to go. Nothing new may come to lie there until it is gone.
///
/// # Errors
/// `database`.
pub async fn is_pending(app: &App, key: &str) -> Result<bool> {
    let found = sqlx::query("SELECT key FROM litter WHERE key = $1").bind(key).fetch_optional(app.db.pool()).await?;
    Ok(found.is_some())
}

/// Removes what was written down for later at once too, after the transaction.
pub async fn remove_now(app: &App, key: &str) {
    if let Err(error) = app.blobs.remove(key).await {
        tracing::warn!(%error, "files cannot be removed now; it is done later");
    }
}

/// Removes what is due. A file that cannot be removed does not keep the others.
///
/// # Errors
/// The first that came; what is left is tried again.
pub async fn remove_due(app: &App) -> Result<()> {
    let (mut last, mut failed): (String, Option<Error>) = (String::new(), None);
    loop {
        let statement = "SELECT key, due_ms FROM litter WHERE due_ms <= $1 AND key > $2 ORDER BY key LIMIT $3";
        let rows = sqlx::query(statement).bind(now_ms()).bind(&last).bind(AT_ONCE).fetch_all(app.db.pool()).await?;
        for row in &rows {
            let due: i64 = row.try_get("due_ms")?;
            last = row.try_get("key")?;
            match app.blobs.remove(&last).await {
                Ok(()) => {
                    // Unless it was put off meanwhile.
                    let statement = "DELETE FROM litter WHERE key = $1 AND due_ms = $2";
                    sqlx::query(statement).bind(&last).bind(due).execute(app.db.pool()).await?;
                }
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        if rows.is_empty() {
            return failed.map_or(Ok(()), Err);
        }
    }
}
