//! Connections to the server: a few that are used again, another try where nothing can have happened twice, and the truth about
//! a commit whose answer was lost.
//!
//! A pool of our own, since what matters here is what a general one leaves out: which failures may be tried again, and with what.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio_postgres::error::SqlState;

use super::address::Address;
use super::change::{Change, Logged};
use super::connection::{Connection, Network};
use super::failure::{Failure, Retry};
use super::tx::{Mode, Tx, named};
use crate::error::{Error, Result};

/// Tries of a read or a change in all, and the wait before the second one, which doubles: 1.5 s together, which a restart of the
/// server fits in, and which nobody mistakes for a hang.
const TRIES: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The oldest server that can tell what became of a transaction (`pg_xact_status` of an `xid8`).
const OLDEST_SERVER: i32 = 130_000;

/// The connections of one opened gallery.
pub(super) struct Pool {
    address: Address,
    network: Network,
    read_only: bool,
    actor: String,
    /// How long a change waits for another one that has locked the same rows.
    pub(super) wait: Duration,
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
#[derive(Debug, Clone)]
pub(super) struct Extension {
    /// Quoted where it has to be.
    pub(super) schema: String,
    pub(super) iterates: bool,
}

/// The right to have one connection.
struct Permit<'a>(&'a Pool);

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.given_back.notify_one();
    }
}

impl Pool {
    pub(super) fn new(address: Address, read_only: bool, actor: String, wait: Duration) -> Result<Self> {
        let network = Network::new(&address)?;
        let free = Mutex::new(address.pool);
        Ok(Self {
            address,
            network,
            read_only,
            actor,
            wait,
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

    /// How long the server may take for one statement, and all of a transaction with what is on the way.
    pub(super) fn statement_timeout(&self) -> Duration {
        Duration::from_secs(u64::from(self.address.statement_timeout_s))
    }

    /// Runs `read` on one consistent state of the gallery, and again on a new connection when the old one is lost.
    pub(super) fn read<T>(&self, read: impl FnMut(&mut Tx<'_>) -> Result<T, Failure>) -> Result<T> {
        self.read_with(TRIES, read)
    }

    /// [`read`](Self::read) for what cannot be read twice.
    pub(super) fn read_once<T>(&self, read: impl FnMut(&mut Tx<'_>) -> Result<T, Failure>) -> Result<T> {
        self.wake()?;
        self.read_with(1, read)
    }

    fn read_with<T>(&self, tries: u32, mut read: impl FnMut(&mut Tx<'_>) -> Result<T, Failure>) -> Result<T> {
        self.tries(tries, |connection| self.transaction(connection, "read", Mode::Read, &mut read).map(|(result, _)| result))
    }

    /// What was idle for long may be lost already: that must not cost the one try there is.
    fn wake(&self) -> Result<()> {
        self.tries(TRIES, |connection| connection.check(self.place(), self.network.connect_limit))
    }

    /// Whether the server answers somebody who comes now.
    pub(super) fn is_alive(&self) -> bool {
        self.connect().and_then(|connection| connection.check(self.place(), self.network.connect_limit)).is_ok()
    }

    /// The server says nothing at all.
    pub(super) fn silent(&self, action: &'static str) -> Failure {
        let text = format!(
            "the server did not answer for {:?}: it is stopped, cut off or overloaded; `timeout_s` in the address says how long an answer may take",
            self.statement_timeout()
        );
        Failure::silent(self.place(), action, text)
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
        let mut logged = |tx: &mut Tx<'_>| {
            let (result, changed) = change(tx)?;
            let Some(mut changed) = changed else { return Ok((result, None)) };
            let logged = changed.log(tx, &self.actor)?;
            // Last, since it makes others wait until this is committed.
            let xid = changed.settle(tx)?;
            Ok((result, Some((xid, logged))))
        };
        self.tries(tries, |connection| {
            let ((result, made), committed) = self.transaction(connection, "write", Mode::Write, &mut logged)?;
            match (committed, made) {
                (Ok(()), _) | (Err(_), None) => Ok(result),
                (Err(lost), Some((xid, logged))) if lost.retry.is_lost() => {
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
            let asked = self.connect().and_then(|mut connection| {
                self.transaction(&mut connection, "write", Mode::Follow, &mut |tx| became(tx, xid, logged)).map(|(asked, _)| asked)
            });
            match asked {
                Ok(Some(true)) => return Ok(()),
                Ok(Some(false)) => return Err(Failure { error: lost, retry: Retry::Lost, code: None }),
                // The server has not yet noticed that we are gone, or is not back.
                Ok(None) => {}
                Err(failure) if failure.retry == Retry::Lost => {}
                Err(failure) => return Err(unknown(&failure.error.to_string())),
            }
        }
        Err(unknown("the server does not say what became of it"))
    }

    /// Runs statements outside a transaction, without a limit of time, for what PostgreSQL wants alone: `VACUUM`, an index.
    pub(super) fn maintain(&self, action: &'static str, statements: &[&str]) -> Result<()> {
        let extension = self.tries(1, |connection| self.extension(connection))?;
        let _permit = self.permit().map_err(|failure| failure.error)?;
        let connection = self.network.connect_to_maintain(&self.address).map_err(|failure| failure.error)?;
        for statement in statements {
            let sql = named(statement, &self.address, extension.as_ref());
            connection.work(self.place(), action, &sql, || self.is_alive()).map_err(|failure| failure.error)?;
        }
        Ok(())
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
            if attempt >= tries || !failure.retry.may_help() || !answers {
                return Err(failure.error);
            }
            tracing::debug!(gallery = %self.place().display(), error = %failure.error, attempt, "trying again");
            std::thread::sleep(wait);
            wait *= 2;
            attempt += 1;
        }
    }

    fn attempt<T>(&self, work: &mut impl FnMut(&mut Connection) -> Result<T, Failure>) -> Result<T, Failure> {
        let _permit = self.permit()?;
        let idle = self.idle().pop().filter(|connection| !connection.is_closed());
        let mut connection = idle.map_or_else(|| self.connect(), Ok)?;
        self.answered.store(true, Ordering::Relaxed);
        let result = work(&mut connection);
        if connection.is_closed() || matches!(&result, Err(failure) if failure.retry.is_lost()) {
            // What ended this one has most likely ended the others too.
            self.idle().clear();
        } else if !connection.spent {
            self.idle().push(connection);
        }
        result
    }

    fn permit(&self) -> Result<Permit<'_>, Failure> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let deadline = Instant::now() + self.statement_timeout();
        while *free == 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let text = format!("all {} connections are busy; `pool` in the address allows more", self.address.pool);
                return Err(Error::io("connect to", self.place(), std::io::Error::new(std::io::ErrorKind::TimedOut, text)).into());
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
        self.network.connect(&self.address)
    }

    /// `None` until pgvector is installed in the database, which the creation of a gallery does.
    fn extension(&self, connection: &Connection) -> Result<Option<Extension>, Failure> {
        if let Some(known) = self.extension.get() {
            return Ok(Some(known.clone()));
        }
        let (server, extension) = connection.extension(self.place(), self.network.connect_limit)?;
        if server < OLDEST_SERVER {
            let text = format!("expected PostgreSQL 13 or later, got `{}`", server / 10_000);
            return Err(Error::io("use", self.place(), std::io::Error::new(std::io::ErrorKind::Unsupported, text)).into());
        }
        Ok(extension.map(|extension| self.extension.get_or_init(|| extension).clone()))
    }

    /// Runs `work` in a transaction; the second result is that of the commit.
    fn transaction<T>(
        &self,
        connection: &mut Connection,
        action: &'static str,
        mode: Mode,
        work: &mut impl FnMut(&mut Tx<'_>) -> Result<T, Failure>,
    ) -> Result<(T, Result<(), Failure>), Failure> {
        let extension = self.extension(connection)?;
        let mode = if self.read_only && mode == Mode::Write { Mode::Read } else { mode };
        let mut tx = Tx::begin(self, connection.client(), extension, action, mode)?;
        match work(&mut tx) {
            Ok(result) if mode == Mode::Write => Ok((result, tx.commit())),
            Ok(result) => {
                connection.spent |= !tx.undo();
                Ok((result, Ok(())))
            }
            Err(failure) => {
                connection.spent |= failure.retry.is_lost() || !tx.undo();
                Err(failure)
            }
        }
    }
}

/// Whether a change is there, `None` while its transaction may still become one.
///
/// The number alone does not tell: PostgreSQL gives that of a transaction which a crash has undone to another one. Only once it has
/// ended, the entry in the log says whether it was committed. A number to come, as a crash may make it, is refused.
fn became(tx: &mut Tx<'_>, xid: &str, logged: &Logged) -> Result<Option<bool>, Failure> {
    tx.batch("SAVEPOINT asked")?;
    match tx.query("SELECT pg_xact_status($1::xid8)", &[&xid]) {
        Ok(rows) if rows.first().and_then(|row| row.get::<_, Option<&str>>(0)) == Some("in progress") => return Ok(None),
        Ok(_) => {}
        Err(failure) if failure.code == Some(SqlState::INVALID_PARAMETER_VALUE) => tx.back_to("asked")?,
        Err(failure) => return Err(failure),
    }
    logged.is_there(tx).map(Some)
}
