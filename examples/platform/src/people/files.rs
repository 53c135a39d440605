//! Files that are to go. A file cannot be removed in the transaction that makes it nobody's, so its key is written down there, and
//! whoever comes next removes it: nothing is left over when a process dies in between.

use sqlx::{Any, Row as _, Transaction};

use crate::app::App;
use crate::db::now_ms;
use crate::error::{Error, Result};

/// Files removed between two looks at the table.
const AT_ONCE: i64 = 100;

/// Writes down that `key` and what is below it go, from `due_ms` on.
///
/// # Errors
/// `database`.
pub async fn discard(tx: &mut Transaction<'static, Any>, key: &str, due_ms: i64) -> Result<()> {
    let statement = "INSERT INTO litter (key, due_ms) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET due_ms = $2";
    sqlx::query(statement).bind(key).bind(due_ms).execute(&mut **tx).await?;
    Ok(())
}

/// The file has found its row, and stays.
///
/// # Errors
/// `database`.
pub async fn keep(tx: &mut Transaction<'static, Any>, key: &str) -> Result<()> {
    sqlx::query("DELETE FROM litter WHERE key = $1").bind(key).execute(&mut **tx).await?;
    Ok(())
}

/// Removes what is due. A file that cannot be removed does not keep the others.
///
/// # Errors
/// The first that came; what is left is tried again.
pub async fn remove_files(app: &App) -> Result<()> {
    let (mut last, mut failed): (String, Option<Error>) = (String::new(), None);
    loop {
        let statement = "SELECT key FROM litter WHERE due_ms <= $1 AND key > $2 ORDER BY key LIMIT $3";
        let rows = sqlx::query(statement).bind(now_ms()).bind(&last).bind(AT_ONCE).fetch_all(app.db.pool()).await?;
        for row in &rows {
            last = row.try_get("key")?;
            match app.blobs.remove(&last).await {
                Ok(()) => {
                    sqlx::query("DELETE FROM litter WHERE key = $1").bind(&last).execute(app.db.pool()).await?;
                }
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        if rows.is_empty() {
            return failed.map_or(Ok(()), Err);
        }
    }
}
