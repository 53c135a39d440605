//! One transaction. In its SQL `gallery.` stands for the gallery's schema and `pgvector.` for that of pgvector: every statement says
//! where its tables are, and nothing is found by a search path, which could lead two galleries to the same tables.

use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use tokio_postgres::{Client, Row};

use super::address::Address;
use super::connection::ALIVE_EVERY;
use super::failure::Failure;
use super::param::{Params, typed};
use super::pool::{Extension, Pool};
use super::wait::{wait, wait_while};
use crate::error::{Error, Result};

/// Candidates that a search of the graph keeps: more finds more of the true neighbours and takes longer (pgvector's `hnsw.ef_search`).
/// At 200 the best face was found for all of 100 queries among 100,000 faces (docs/hundred-million.md).
pub(super) const EF_SEARCH: usize = 200;
/// How much longer than the server's own limit its answer is waited for.
pub(super) const ON_THE_WAY: Duration = Duration::from_secs(5);

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Sees one state of the gallery from its beginning to its end.
    Read,
    /// Sees what others have committed, statement by statement.
    Follow,
    Write,
}

pub(super) struct Tx<'a> {
    pool: &'a Pool,
    client: &'a Client,
    action: &'static str,
    /// `None`: as long as the server lives.
    deadline: Option<Instant>,
    extension: Option<Extension>,
    /// A statement has failed: a commit would undo everything and succeed.
    failed: bool,
}

impl<'a> Tx<'a> {
    pub(super) fn begin(
        pool: &'a Pool,
        client: &'a Client,
        extension: Option<Extension>,
        action: &'static str,
        mode: Mode,
    ) -> Result<Self, Failure> {
        let limit = pool.statement_timeout();
        let mut tx = Self { pool, client, action, deadline: Some(Instant::now() + limit + ON_THE_WAY), extension, failed: false };
        let begin = match mode {
            Mode::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
            Mode::Follow => "BEGIN ISOLATION LEVEL READ COMMITTED, READ ONLY",
            Mode::Write => "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE",
        };
        // `jit` takes longer to compile such queries than to run them. A client that stops in the middle holds its locks no longer than that.
        let mut settings = format!(
            "{begin}; SET LOCAL search_path = ''; SET LOCAL statement_timeout = '{limit}s'; SET LOCAL lock_timeout = {lock_ms}; \
             SET LOCAL idle_in_transaction_session_timeout = '{limit}s'; SET LOCAL jit = off; SET LOCAL client_min_messages = warning",
            limit = limit.as_secs(),
            // For PostgreSQL 0 is for ever.
            lock_ms = pool.wait.as_millis().clamp(1, i32::MAX as u128),
        );
        if mode == Mode::Read {
            settings += &format!("; SET LOCAL hnsw.ef_search = {EF_SEARCH}");
            if tx.extension.as_ref().is_some_and(|extension| extension.iterates) {
                settings += "; SET LOCAL hnsw.iterative_scan = strict_order";
            }
        }
        tx.batch(&settings)?;
        Ok(tx)
    }

    pub(super) fn place(&self) -> &Path {
        self.pool.place()
    }

    /// The schema of the gallery.
    pub(super) fn schema(&self) -> String {
        self.pool.address().schema()
    }

    /// Takes as long as it takes, while the server lives.
    pub(super) fn without_limit(&mut self) -> Result<(), Failure> {
        self.deadline = None;
        self.batch("SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0")
    }

    /// pgvector was installed by this transaction.
    pub(super) fn installed(&mut self, extension: Extension) {
        self.extension = Some(extension);
    }

    fn named(&self, sql: &str) -> String {
        named(sql, self.pool.address(), self.extension.as_ref())
    }

    fn wait<T>(&mut self, work: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, Failure> {
        let done = match self.deadline {
            Some(deadline) => wait(work, deadline.saturating_duration_since(Instant::now())),
            None => wait_while(work, ALIVE_EVERY, || self.pool.is_alive()),
        };
        let result = match done {
            Some(result) => result.map_err(|error| Failure::new(self.place(), self.action, &error)),
            None => Err(self.pool.silent(self.action)),
        };
        self.failed |= result.is_err();
        result
    }

    pub(super) fn query(&mut self, sql: &str, params: &Params<'_>) -> Result<Vec<Row>, Failure> {
        let (client, sql) = (self.client, self.named(sql));
        self.wait(client.query_typed(&sql, &typed(params)))
    }

    pub(super) fn one(&mut self, sql: &str, params: &Params<'_>) -> Result<Row, Failure> {
        self.query(sql, params)?.pop().ok_or_else(|| self.corrupt("its state row is missing").into())
    }

    pub(super) fn execute(&mut self, sql: &str, params: &Params<'_>) -> Result<u64, Failure> {
        let (client, sql) = (self.client, self.named(sql));
        self.wait(client.execute_typed(&sql, &typed(params)))
    }

    /// Several statements that return nothing.
    pub(super) fn batch(&mut self, sql: &str) -> Result<(), Failure> {
        let (client, sql) = (self.client, self.named(sql));
        self.wait(client.batch_execute(&sql))
    }

    /// Hands one row after the other to `visit`, without holding them all.
    pub(super) fn each(
        &mut self,
        sql: &str,
        params: &Params<'_>,
        mut visit: impl FnMut(Row) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let (client, sql) = (self.client, self.named(sql));
        let mut rows = pin!(self.wait(client.query_typed_raw(&sql, typed(params)))?);
        while let Some(row) = self.wait(rows.try_next())? {
            visit(row)?;
        }
        Ok(())
    }

    pub(super) fn corrupt(&self, reason: &str) -> Error {
        corrupt(self.place(), reason)
    }

    /// Undoes what came after the savepoint, with the failure that it ended in.
    pub(super) fn back_to(&mut self, savepoint: &str) -> Result<(), Failure> {
        self.batch(&format!("ROLLBACK TO SAVEPOINT {savepoint}"))?;
        self.failed = false;
        Ok(())
    }

    pub(super) fn commit(mut self) -> Result<(), Failure> {
        if self.failed {
            return Err(Error::internal("a transaction of which a statement failed was to be committed").into());
        }
        self.batch("COMMIT")
    }

    /// Gives the connection back to whoever comes next; `false` when it cannot be.
    pub(super) fn undo(mut self) -> bool {
        self.deadline = Some(Instant::now() + ON_THE_WAY);
        self.batch("ROLLBACK").is_ok()
    }
}

/// A statement with the names of the schemas in it.
pub(super) fn named(sql: &str, address: &Address, extension: Option<&Extension>) -> String {
    let home = extension.map_or("pgvector", |extension| &extension.schema);
    sql.replace("pgvector.", &format!("{home}.")).replace("gallery.", &format!("\"{}\".", address.schema()))
}

/// A `gallery_corrupt` that says what to do.
pub(super) fn corrupt(place: &Path, reason: &str) -> Error {
    Error::GalleryCorrupt { path: place.into(), reason: format!("{reason}; restore a backup, or import an export into a new gallery") }
}
