//! The database: SQLite in a file or PostgreSQL, one schema and one set of statements for both.

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::any::{AnyPoolOptions, AnyRow};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{Any, AnyPool, AssertSqlSafe, Executor, SqlSafeStr, Transaction};

use crate::config::Config;
use crate::error::{Error, Result};

/// A row of an answer.
pub type Row = AnyRow;

/// Every migration in order: version, description, statements.
const MIGRATIONS: &[(i64, &str, &str)] = &[(1, "start", include_str!("../migrations/0001_start.sql"))];

/// A pool of connections.
#[derive(Debug, Clone)]
pub struct Db {
    pool: AnyPool,
    postgres: bool,
}

impl Db {
    /// Opens `url` (`sqlite:FILE` or `postgres://...`) and brings its schema up to date.
    ///
    /// # Errors
    /// `config` when it cannot be reached or migrated.
    pub async fn open(url: &str) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let postgres = url.starts_with("postgres");
        let options = AnyPoolOptions::new().max_connections(if postgres { 16 } else { 8 }).acquire_timeout(Duration::from_secs(10));
        let options = options.after_connect(move |connection, _| {
            Box::pin(async move {
                if !postgres {
                    // FULL: what was acknowledged survives a power cut. secure_delete: what was forgotten leaves no bytes behind.
                    let setup = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; \
                                 PRAGMA busy_timeout = 10000; PRAGMA foreign_keys = ON;";
                    connection.execute(setup).await?;
                }
                Ok(())
            })
        });
        let unreachable = |error: sqlx::Error| Error::Config(format!("cannot open the database: {error}"));
        let pool = options.connect(url).await.map_err(unreachable)?;
        let key = if postgres { "BIGSERIAL PRIMARY KEY" } else { "INTEGER PRIMARY KEY AUTOINCREMENT" };
        let migration = |&(version, description, text): &(i64, &'static str, &str)| {
            let text = AssertSqlSafe(text.replace("SERIAL_KEY", key)).into_sql_str();
            Migration::new(version, description.into(), MigrationType::Simple, text, false)
        };
        let migrator = Migrator::with_migrations(MIGRATIONS.iter().map(migration).collect());
        migrator.run(&pool).await.map_err(|error| Error::Config(format!("cannot migrate the database: {error}")))?;
        Ok(Self { pool, postgres })
    }

    /// The database that the configuration names.
    ///
    /// # Errors
    /// As [`Db::open`].
    pub async fn of(config: &Config) -> Result<Self> {
        if config.database.is_empty() {
            return Self::open_file(&config.folder("")?.join("platform.db")).await;
        }
        Self::open(&with_tls(&config.database)).await
    }

    /// SQLite in the file `path`, made when missing.
    ///
    /// # Errors
    /// As [`Db::open`].
    pub async fn open_file(path: &Path) -> Result<Self> {
        let name = path.to_str().ok_or_else(|| Error::Config("expected a data folder whose path is Unicode".into()))?;
        Self::open(&format!("sqlite:{name}?mode=rwc")).await
    }

    /// The connections, for single statements.
    pub fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// Whether it is PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        self.postgres
    }

    /// A transaction for writing. SQLite's takes the write lock at once: one that reads first and writes later can be refused.
    ///
    /// # Errors
    /// `database`.
    pub async fn begin(&self) -> Result<Transaction<'static, Any>> {
        Ok(if self.postgres { self.pool.begin().await? } else { self.pool.begin_with("BEGIN IMMEDIATE").await? })
    }

    /// The value of a setting, made by `make` when there is none yet; the same for everybody who asks.
    ///
    /// # Errors
    /// `database`.
    pub async fn setting(&self, name: &str, make: impl FnOnce() -> String) -> Result<String> {
        let statement = "INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
        sqlx::query(statement).bind(name).bind(make()).execute(&self.pool).await?;
        let value = sqlx::query_scalar("SELECT value FROM setting WHERE name = $1").bind(name).fetch_one(&self.pool).await?;
        Ok(value)
    }
}

/// The address of a PostgreSQL server: without a word about `sslmode`, TLS with a checked certificate is required for every host but
/// this machine's own, as facerec-core does it for a gallery on a server.
fn with_tls(url: &str) -> String {
    let (address, query) = url.split_once('?').unwrap_or((url, ""));
    let host = address.split_once("://").map_or("", |(_, rest)| rest).split('/').next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_matches(['[', ']']);
    let here = ["", "localhost"].contains(&name) || name.starts_with("%2F") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match query {
        _ if here || query.split('&').any(|pair| pair.starts_with("sslmode=")) => url.to_owned(),
        "" => format!("{address}?sslmode=verify-full"),
        query => format!("{address}?{query}&sslmode=verify-full"),
    }
}

/// Milliseconds since 1970 UTC.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_hosts_need_tls_unless_the_address_says_otherwise() {
        for here in ["postgres://a@localhost/d", "postgres://a@127.0.0.1:5433/d", "postgres://a:p@[::1]:5432/d?x=1", "postgres:///d"] {
            assert_eq!(with_tls(here), here);
        }
        assert_eq!(with_tls("postgres://a:p@db:5432/d"), "postgres://a:p@db:5432/d?sslmode=verify-full");
        assert_eq!(with_tls("postgres://db/d?x=1"), "postgres://db/d?x=1&sslmode=verify-full");
        assert_eq!(with_tls("postgres://db/d?sslmode=disable"), "postgres://db/d?sslmode=disable");
    }

    #[tokio::test]
    async fn a_file_is_made_once_and_opens_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("platform.db");
        let first = Db::open_file(&path).await.unwrap().setting("secret", || "one".into()).await.unwrap();
        let second = Db::open_file(&path).await.unwrap().setting("secret", || "two".into()).await.unwrap();
        assert_eq!((first.as_str(), second.as_str()), ("one", "one"));
    }

    #[tokio::test]
    async fn an_address_that_leads_nowhere_says_so() {
        let error = Db::open("sqlite:/nowhere/at/all.db").await.unwrap_err();
        assert_eq!(error.code(), "config");
        assert!(error.to_string().contains("cannot open the database"), "{error}");
    }
}
