//! Connections to the server: a few that are used again, another try where nothing can have happened twice, and the truth about
//! a commit whose answer was lost.
//!
//! A pool of our own, since what matters here is what a general one leaves out: which failures may be tried again, and with what.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use postgres::error::SqlState;
use postgres::fallible_iterator::FallibleIterator;
use postgres::types::ToSql;
use postgres::{Client, IsolationLevel, Row, Statement, Transaction};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::address::Address;
use super::change::{Change, Logged};
use super::failure::{Failure, Retry};
use super::tls;
use crate::error::{Error, Result};

/// Tries of a read or a change in all, and the wait before the second one, which doubles: 1.5 s together, which a restart of the
/// server fits in, and which nobody mistakes for a hang.
const TRIES: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// Candidates that a search of the graph keeps: more finds more of the true neighbours and takes longer (pgvector's `hnsw.ef_search`).
/// At 200 the best face was found for all of 100 queries among 100,000 faces (docs/hundred-million.md).
pub(super) const EF_SEARCH: usize = 200;
/// The oldest server that can tell what became of a transaction (`pg_xact_status` of an `xid8`).
const OLDEST_SERVER: i32 = 130_000;

type Params<'a> = [&'a (dyn ToSql + Sync)];

/// The connections of one opened gallery.
pub(super) struct Pool {
    address: Address,
    read_only: bool,
    actor: String,
    /// How long a change waits for another one that has locked the same rows.
    wait: Duration,
    tls: MakeRustlsConnect,
    idle: Mutex<Vec<Connection>>,
    /// How many more may be made.
    free: Mutex<usize>,
    given_back: Condvar,
    /// Where pgvector is, once that is known.
    extension: OnceLock<Extension>,
    /// The server answered at least once: when it does not, it may be coming back.
    answered: AtomicBool,
}

/// Where pgvector's types are, and whether a search of the graph can go on until it has found enough (from 0.8.0 on).
struct Extension {
    schema: String,
    iterates: bool,
}

struct Connection {
    client: Client,
    statements: HashMap<String, Statement>,
    /// Not to be used by the next one.
    spent: bool,
}

/// The right to have one connection.
struct Permit<'a>(&'a Pool);

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.given_back.notify_one();
    }
}

impl Drop for Pool {
    /// On a thread of its own: the `postgres` crate closes a connection by blocking on its runtime, which panics where the caller
    /// is inside another one, as an async host is.
    fn drop(&mut self) {
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        if let Ok(thread) = std::thread::Builder::new().name("facerec-close".into()).spawn(move || drop(idle)) {
            // A panic there is the crate's, and the connections are gone either way.
            let _ = thread.join();
        }
    }
}

/// One transaction. Statements are prepared once per connection.
pub(super) struct Tx<'a> {
    tx: Transaction<'a>,
    statements: &'a mut HashMap<String, Statement>,
    place: &'a Path,
    action: &'static str,
}

impl Pool {
    pub(super) fn new(address: Address, read_only: bool, actor: String, wait: Duration) -> Result<Self> {
        let tls = tls::connector(address.roots.as_deref())?;
        let free = Mutex::new(address.pool);
        Ok(Self {
            address,
            read_only,
            actor,
            wait,
            tls,
            idle: Mutex::default(),
            free,
            given_back: Condvar::new(),
            extension: OnceLock::new(),
            answered: AtomicBool::new(false),
        })
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    pub(super) fn place(&self) -> &Path {
        &self.address.shown
    }

    /// Who makes the changes.
    pub(super) fn actor(&self) -> &str {
        &self.actor
    }

    /// Runs `read` on one consistent state of the gallery, and again on a new connection when the old one is lost.
    pub(super) fn read<T>(&self, mut read: impl FnMut(&mut Tx<'_>) -> Result<T, Failure>) -> Result<T> {
        self.tries(TRIES, |connection| self.transaction(connection, "read", true, &mut read).map(|(result, _)| result))
    }

    /// [`read`](Self::read) for what cannot be read twice.
    pub(super) fn read_once<T>(&self, mut read: impl FnMut(&mut Tx<'_>) -> Result<T, Failure>) -> Result<T> {
        self.wake()?;
        self.tries(1, |connection| self.transaction(connection, "read", true, &mut read).map(|(result, _)| result))
    }

    /// Makes no more use of the connections there are: they do not know yet that pgvector was installed.
    pub(super) fn renew(&self) {
        if self.extension.get().is_none() {
            tokio::task::block_in_place(|| self.idle().clear());
        }
    }

    /// What was idle for long may be lost already: that must not cost the one try there is.
    fn wake(&self) -> Result<()> {
        self.tries(TRIES, |connection| self.run(connection, "connect to", "SELECT 1"))
    }

    /// Runs `change` in one transaction: all of it is stored when this returns `Ok`, and none of it otherwise, but for the one
    /// error that says that it is not known. `change` returns what it changed; it may run several times.
    pub(super) fn write<T>(&self, change: impl FnMut(&mut Tx<'_>) -> Result<(T, Option<Change>), Failure>) -> Result<T> {
        self.write_with(TRIES, change)
    }

    /// [`write`](Self::write) for a change that cannot run twice.
    pub(super) fn write_once<T>(&self, change: impl FnMut(&mut Tx<'_>) -> Result<(T, Option<Change>), Failure>) -> Result<T> {
        self.wake()?;
        self.write_with(1, change)
    }

    fn write_with<T>(&self, tries: u32, mut change: impl FnMut(&mut Tx<'_>) -> Result<(T, Option<Change>), Failure>) -> Result<T> {
        let mut numbered = |tx: &mut Tx<'_>| {
            let (result, changed) = change(tx)?;
            let Some(changed) = changed else { return Ok((result, None)) };
            let logged = changed.log(tx, &self.actor)?;
            // Last, since it makes others wait until this is committed.
            let row = tx.one("UPDATE state SET generation = generation + 1 RETURNING pg_current_xact_id()::text", &[])?;
            Ok((result, Some((row.get::<_, String>(0), logged))))
        };
        self.tries(tries, |connection| {
            let ((result, made), committed) = self.transaction(connection, "write", false, &mut numbered)?;
            match (committed, made) {
                (Ok(()), _) | (Err(_), None) => Ok(result),
                (Err(lost), Some((xid, logged))) if lost.retry == Retry::Lost => {
                    connection.spent = true;
                    self.outcome(&xid, &logged, lost.error).map(|()| result)
                }
                (Err(refused), Some(_)) => Err(refused),
            }
        })
    }

    /// Asks the server, when it is back, what became of a transaction whose commit it did not answer.
    fn outcome(&self, xid: &str, logged: &Logged, lost: Error) -> Result<(), Failure> {
        let unknown = |why: &str| {
            let text =
                format!("the connection was lost while the change was committed, and {why}: look whether it is there before you repeat it");
            Failure::from(Error::io("write", self.place(), std::io::Error::new(std::io::ErrorKind::ConnectionAborted, text)))
        };
        for attempt in 0..TRIES {
            std::thread::sleep(FIRST_WAIT * 2u32.pow(attempt));
            let mut connection = match self.connect() {
                Ok(connection) => connection,
                Err(failure) if failure.retry == Retry::Lost => continue,
                Err(failure) => return Err(unknown(&failure.error.to_string())),
            };
            // Only once it has ended, its entry says whether it was committed. A number to come, as a crash may make it, is refused.
            let asked = connection.client.query_one("SELECT pg_xact_status($1::text::xid8)", &[&xid]);
            let ended = match asked {
                Ok(row) => row.get::<_, Option<&str>>(0) != Some("in progress"),
                Err(error) => error.code() == Some(&SqlState::INVALID_PARAMETER_VALUE),
            };
            match ended.then(|| logged.is_there(&mut connection.client)) {
                Some(Ok(true)) => return Ok(()),
                Some(Ok(false)) => return Err(Failure { error: lost, retry: Retry::Lost, code: None }),
                // The server has not yet noticed that we are gone, or went again.
                _ => {}
            }
        }
        Err(unknown("the server does not say what became of it"))
    }

    /// Runs one statement outside a transaction, without a limit of time, for what PostgreSQL wants alone: `VACUUM`, an index.
    pub(super) fn maintain(&self, action: &'static str, statements: &[&str]) -> Result<()> {
        self.tries(1, |connection| {
            // Its settings are not those of the others any more.
            connection.spent = true;
            self.run(connection, action, "SET statement_timeout = 0")?;
            statements.iter().try_for_each(|sql| self.run(connection, action, sql))
        })
    }

    /// Runs `work` on a connection that is in no transaction.
    fn tries<T>(&self, tries: u32, mut work: impl FnMut(&mut Connection) -> Result<T, Failure>) -> Result<T> {
        let mut wait = FIRST_WAIT;
        let mut attempt = 1;
        loop {
            let failure = match self.attempt(&mut work) {
                Ok(result) => return Ok(result),
                Err(failure) => failure,
            };
            let answers = self.answered.load(Ordering::Relaxed) || failure.code.is_some();
            if attempt >= tries || failure.retry == Retry::Never || !answers {
                return Err(failure.error);
            }
            tracing::debug!(gallery = %self.place().display(), error = %failure.error, attempt, "trying again");
            std::thread::sleep(wait);
            wait *= 2;
            attempt += 1;
        }
    }

    /// From a thread of an async host too: its runtime is told that the thread blocks, since the `postgres` crate has a runtime of its
    /// own, which must not run inside another one.
    fn attempt<T>(&self, work: &mut impl FnMut(&mut Connection) -> Result<T, Failure>) -> Result<T, Failure> {
        tokio::task::block_in_place(|| self.attempt_here(work))
    }

    fn attempt_here<T>(&self, work: &mut impl FnMut(&mut Connection) -> Result<T, Failure>) -> Result<T, Failure> {
        let _permit = self.permit()?;
        let idle = self.idle().pop().filter(|connection| !connection.client.is_closed());
        let mut connection = idle.map_or_else(|| self.connect(), Ok)?;
        self.answered.store(true, Ordering::Relaxed);
        let result = work(&mut connection);
        let closed = connection.client.is_closed();
        if closed || matches!(&result, Err(failure) if failure.retry == Retry::Lost) {
            // What ended this one has most likely ended the others too.
            self.idle().clear();
        } else if !connection.spent {
            self.idle().push(connection);
        }
        result
    }

    fn permit(&self) -> Result<Permit<'_>> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let deadline = Instant::now() + Duration::from_secs(u64::from(self.address.statement_timeout_s));
        while *free == 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let text = format!("all {} connections are busy; `pool` in the address allows more", self.address.pool);
                return Err(Error::io("connect to", self.place(), std::io::Error::new(std::io::ErrorKind::TimedOut, text)));
            }
            free = self.given_back.wait_timeout(free, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        *free -= 1;
        Ok(Permit(self))
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connect(&self) -> Result<Connection, Failure> {
        let fail = |e: &postgres::Error| Failure::new(self.place(), "connect to", e);
        let mut client = self.address.config.connect(self.tls.clone()).map_err(|e| fail(&e))?;
        let extension = match self.extension.get() {
            Some(known) => Some(known),
            None => self.find_extension(&mut client)?.map(|found| self.extension.get_or_init(|| found)),
        };
        // PostgreSQL's own schema comes first by itself. `jit` takes longer to compile such queries than to run them.
        let home = extension.map_or("public", |extension| &extension.schema);
        let path = format!("\"{}\", {home}", self.address.schema());
        // For PostgreSQL 0 is for ever.
        let lock_timeout_ms = self.wait.as_millis().clamp(1, i32::MAX as u128);
        let mut settings = format!(
            "SET statement_timeout = '{}s'; SET lock_timeout = {lock_timeout_ms}; SET jit = off; SET plan_cache_mode = force_custom_plan; \
             SET client_min_messages = warning; SET bytea_output = hex; SET hnsw.ef_search = {EF_SEARCH};",
            self.address.statement_timeout_s
        );
        if extension.is_some_and(|extension| extension.iterates) {
            settings += " SET hnsw.iterative_scan = strict_order;";
        }
        settings += &format!(" SET search_path = {path};");
        if self.read_only {
            settings += " SET default_transaction_read_only = on;";
        }
        client.batch_execute(&settings).map_err(|e| fail(&e))?;
        Ok(Connection { client, statements: HashMap::new(), spent: false })
    }

    /// `None` until pgvector is installed in the database, which the creation of a gallery does.
    fn find_extension(&self, client: &mut Client) -> Result<Option<Extension>, Failure> {
        let sql = "SELECT current_setting('server_version_num')::int, quote_ident(n.nspname), e.extversion \
                   FROM (VALUES (1)) one LEFT JOIN pg_extension e ON e.extname = 'vector' LEFT JOIN pg_namespace n ON n.oid = e.extnamespace";
        let row = client.query_one(sql, &[]).map_err(|e| Failure::new(self.place(), "connect to", &e))?;
        if row.get::<_, i32>(0) < OLDEST_SERVER {
            let text = format!("expected PostgreSQL 13 or later, got `{}`", row.get::<_, i32>(0) / 10_000);
            return Err(Error::io("use", self.place(), std::io::Error::new(std::io::ErrorKind::Unsupported, text)).into());
        }
        let (Some(schema), Some(version)) = (row.get::<_, Option<String>>(1), row.get::<_, Option<String>>(2)) else { return Ok(None) };
        let mut numbers = version.split('.').map(|part| part.parse::<u32>().unwrap_or_default());
        let iterates = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default()) >= (0, 8);
        Ok(Some(Extension { schema, iterates }))
    }

    /// Runs `work` in a transaction; the second result is that of the commit.
    fn transaction<T>(
        &self,
        connection: &mut Connection,
        action: &'static str,
        read: bool,
        work: &mut impl FnMut(&mut Tx<'_>) -> Result<T, Failure>,
    ) -> Result<(T, Result<(), Failure>), Failure> {
        let place = self.place();
        let fail = |e: &postgres::Error| Failure::new(place, action, e);
        let builder = connection.client.build_transaction().read_only(read || self.read_only);
        let builder = if read { builder.isolation_level(IsolationLevel::RepeatableRead) } else { builder };
        let tx = builder.start().map_err(|e| fail(&e))?;
        let mut tx = Tx { tx, statements: &mut connection.statements, place, action };
        let result = work(&mut tx)?;
        let committed = tx.tx.commit().map_err(|e| fail(&e));
        Ok((result, committed))
    }

    fn run(&self, connection: &mut Connection, action: &'static str, sql: &str) -> Result<(), Failure> {
        connection.client.batch_execute(sql).map_err(|e| Failure::new(self.place(), action, &e))
    }
}

impl Tx<'_> {
    pub(super) fn place(&self) -> &Path {
        self.place
    }

    fn prepared(&mut self, sql: &str) -> Result<Statement, Failure> {
        if let Some(known) = self.statements.get(sql) {
            return Ok(known.clone());
        }
        let statement = self.tx.prepare(sql).map_err(|e| Failure::new(self.place, self.action, &e))?;
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    pub(super) fn query(&mut self, sql: &str, params: &Params<'_>) -> Result<Vec<Row>, Failure> {
        let statement = self.prepared(sql)?;
        self.tx.query(&statement, params).map_err(|e| Failure::new(self.place, self.action, &e))
    }

    pub(super) fn one(&mut self, sql: &str, params: &Params<'_>) -> Result<Row, Failure> {
        self.query(sql, params)?.pop().ok_or_else(|| self.corrupt("its state row is missing").into())
    }

    pub(super) fn execute(&mut self, sql: &str, params: &Params<'_>) -> Result<u64, Failure> {
        let statement = self.prepared(sql)?;
        self.tx.execute(&statement, params).map_err(|e| Failure::new(self.place, self.action, &e))
    }

    /// Several statements that return nothing.
    pub(super) fn batch(&mut self, sql: &str) -> Result<(), Failure> {
        self.tx.batch_execute(sql).map_err(|e| Failure::new(self.place, self.action, &e))
    }

    /// Hands one row after the other to `visit`, without holding them all.
    pub(super) fn each(
        &mut self,
        sql: &str,
        params: &Params<'_>,
        mut visit: impl FnMut(Row) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let statement = self.prepared(sql)?;
        let mut rows = self.tx.query_raw(&statement, params.iter().copied()).map_err(|e| Failure::new(self.place, self.action, &e))?;
        while let Some(row) = rows.next().map_err(|e| Failure::new(self.place, self.action, &e))? {
            visit(row)?;
        }
        Ok(())
    }

    pub(super) fn corrupt(&self, reason: &str) -> Error {
        corrupt(self.place, reason)
    }
}

/// A `gallery_corrupt` that says what to do.
pub(super) fn corrupt(place: &Path, reason: &str) -> Error {
    Error::GalleryCorrupt { path: place.into(), reason: format!("{reason}; restore a backup, or import an export into a new gallery") }
}
