//! The truth: an SQLite database in WAL mode. Only this file and its folder name `rusqlite`.
//!
//! `synchronous=FULL` makes a committed change survive `kill -9` and power loss; `secure_delete` overwrites what is removed. Ids
//! are given out here rather than by SQLite, because each row's checksum covers its id.

mod edit;
mod migrate;
mod rekey;
mod schema;
mod snapshot;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, Params, TransactionBehavior, params};

pub(super) use edit::Edit;
pub(super) use snapshot::{Checked, Snapshot};

use super::audit::Action;
use super::crypto::Cipher;
use super::key::GalleryKey;
use super::lock::NO_LOCKS;
use super::rows::{Marks, State};
use super::sealed;
use crate::error::{Error, Result};
use crate::face::ModelKey;
use edit::Names;
use schema::{COLUMNS, SCHEMA, SCHEMA_1};

/// The database's file in the gallery's folder.
pub(super) const FILE: &str = "gallery.db";
/// The newest format this version reads and the one it writes.
pub(super) const FORMAT: u32 = 2;
/// `FREC`: marks an SQLite file as a gallery.
const APPLICATION_ID: i32 = 0x4652_4543;

/// How long every connection waits for a lock of SQLite's: a reader that recovers the log has one for a moment.
const MOMENT: Duration = Duration::from_secs(5);

/// How a writer's connection works. `temp_store`: no vector in a temporary file. `wal_autocheckpoint`: a log of 1 MB, which is
/// what a small gallery needs in space beside its own.
const WRITER_PRAGMAS: [(&str, &str); 6] = [
    ("journal_mode", "WAL"),
    ("synchronous", "FULL"),
    ("fullfsync", "ON"),
    ("secure_delete", "ON"),
    ("temp_store", "MEMORY"),
    ("wal_autocheckpoint", "128"),
];

/// One connection to a gallery's database.
pub(super) struct Store {
    folder: PathBuf,
    conn: Connection,
    /// Set when the folder cannot be written and the file is read as immutable: what it looked like when it was opened.
    immutable: Option<FileStamp>,
    /// That of the file; older ones are read only.
    format: u32,
    /// As it was given.
    key: Option<GalleryKey>,
    /// Which stored key it opened.
    key_seen: Option<i64>,
    cipher: Option<Arc<Cipher>>,
    /// Kept for the next transaction.
    names: Option<Names>,
    /// How long a change waits for a lock of SQLite's.
    patience: Duration,
}

type FileStamp = (u64, Option<SystemTime>);

impl Store {
    /// Opens for writing. The caller holds the write lock. `model` creates the database when there is none yet. `wait` is for programs
    /// that know nothing of our lock: a backup, or SQLite's own shell.
    pub(super) fn open_writer(
        folder: &Path,
        model: Option<&ModelKey>,
        key: Option<GalleryKey>,
        actor: &str,
        wait: Duration,
    ) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(folder.join(FILE), flags).map_err(|e| error(folder, "open", e))?;
        let mut store = Self::new(folder, conn, None, key);
        store.patience = wait.max(MOMENT);
        store.conn.busy_timeout(store.patience).map_err(|e| store.error("open", e))?;
        store.harden()?;
        if store.is_blank()? {
            let model = model.ok_or_else(|| missing(folder))?;
            store.create(model, actor)?;
        }
        store.check_format()?;
        for (name, value) in WRITER_PRAGMAS {
            store.conn.pragma_update(None, name, value).map_err(|e| store.error("open", e))?;
        }
        store.unlock()?;
        if store.format != FORMAT {
            store.migrate(actor)?;
        }
        Ok(store)
    }

    /// Opens for reading only: never blocks a writer and never writes.
    ///
    /// SQLite wants to write a small shared-memory file beside a WAL database. Where the folder cannot be written
    /// and no writer left a log behind, the file is read as immutable instead.
    pub(super) fn open_reader(folder: &Path, key: Option<GalleryKey>) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let path = folder.join(FILE);
        let stamp = file_stamp(&path).map_err(|e| Error::io("open", &path, e))?;
        let opened = Connection::open_with_flags(&path, flags).map_err(|e| error(folder, "open", e)).and_then(|conn| {
            let store = Self::new(folder, conn, None, key.clone());
            store.harden()?;
            store.is_blank()?;
            Ok(store)
        });
        let mut store = match opened {
            Ok(store) => store,
            Err(Error::Io { .. }) if !has_log(folder) => {
                let conn = Connection::open_with_flags(immutable_uri(&path), flags | OpenFlags::SQLITE_OPEN_URI);
                let store = Self::new(folder, conn.map_err(|e| error(folder, "open", e))?, Some(stamp), key);
                store.harden()?;
                store
            }
            Err(other) => return Err(other),
        };
        if store.is_blank()? {
            return Err(missing(folder));
        }
        store.check_format()?;
        store.unlock()?;
        Ok(store)
    }

    fn new(folder: &Path, conn: Connection, immutable: Option<FileStamp>, key: Option<GalleryKey>) -> Self {
        Self {
            folder: folder.to_path_buf(),
            conn,
            immutable,
            format: FORMAT,
            key,
            key_seen: None,
            cipher: None,
            names: None,
            patience: MOMENT,
        }
    }

    /// What seals and opens the contents of an encrypted gallery.
    pub(super) fn cipher(&self) -> Option<&Arc<Cipher>> {
        self.cipher.as_ref()
    }

    /// A gallery comes from anywhere: nothing in its schema may run, and damaged pages must be noticed.
    fn harden(&self) -> Result<()> {
        let set = || {
            self.conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
            self.conn.pragma_update(None, "trusted_schema", false)?;
            self.conn.pragma_update(None, "cell_size_check", true)
        };
        set().map_err(|e| self.error("open", e))
    }

    /// Nothing was ever committed: a new file, or one whose creation was cut short.
    fn is_blank(&self) -> Result<bool> {
        let tables: i64 = self.one("SELECT count(*) FROM sqlite_schema", [])?;
        Ok(tables == 0 && self.pragma("user_version")? == 0)
    }

    fn create(&mut self, model: &ModelKey, actor: &str) -> Result<()> {
        let marks = Some(Marks::default());
        let state = State { generation: 0, rewritten: 0, faces: 0, persons: 0, dim: 0, model: model.clone(), unclean: false, marks };
        let (cipher, wrapped) = self.key.as_ref().map(Cipher::create).transpose()?.unzip();
        let make = |conn: &Connection| {
            // A vector of 512 takes 2 kB: 3 rows fit in a page of 8 kB, one in SQLite's usual 4 kB.
            conn.pragma_update(None, "page_size", 8192)?;
            conn.pragma_update(None, "journal_mode", "WAL")?;
            conn.pragma_update(None, "synchronous", "FULL")
        };
        let folder = self.folder.clone();
        let fail = |e| error(&folder, "create", e);
        make(&self.conn).map_err(fail)?;
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail)?;
        let fill = || {
            tx.pragma_update(None, "application_id", APPLICATION_ID)?;
            tx.pragma_update(None, "user_version", FORMAT)?;
            for (_, sql) in SCHEMA {
                tx.execute_batch(sql)?;
            }
            wrapped.as_ref().map_or(Ok(()), |wrapped| rekey::write_key(&tx, wrapped))
        };
        fill().map_err(fail)?;
        let mut edit = Edit::new(&folder, tx, cipher.as_ref(), state, None, now_ms())?;
        edit.stay_generation();
        edit.finish(Action::Create, actor)?;
        Ok(())
    }

    fn check_format(&mut self) -> Result<()> {
        if self.pragma("application_id")? != i64::from(APPLICATION_ID) {
            return Err(corrupt(&self.folder, "gallery.db is not a facerec gallery; name another folder"));
        }
        let found = u32::try_from(self.pragma("user_version")?).unwrap_or(u32::MAX);
        let schema = match found {
            1 => &SCHEMA_1[..],
            FORMAT => &SCHEMA[..],
            _ => return Err(Error::GalleryNewer { path: self.folder.clone(), found, supported: FORMAT }),
        };
        let read = || {
            let mut statement = self.conn.prepare("SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<rusqlite::Result<Vec<(String, String)>>>()
        };
        let tables = read().map_err(|e| self.error("open", e))?;
        if tables.len() != schema.len() || !schema.iter().all(|&(name, sql)| tables.iter().any(|t| t.0 == name && t.1 == sql)) {
            return Err(corrupt(&self.folder, &format!("its tables are not those of a gallery; {REMEDY}")));
        }
        self.format = found;
        Ok(())
    }

    /// Runs `read` on one consistent state of the database.
    pub(super) fn snapshot<T>(&self, read: impl FnOnce(&Snapshot<'_>) -> Result<T>) -> Result<T> {
        let tx = self.conn.unchecked_transaction().map_err(|e| self.error("read", e))?;
        read(&Snapshot::new(&self.folder, &tx, self.format, self.cipher.as_deref()))
    }

    /// The number of changes so far, as cheap as SQLite can tell it.
    pub(super) fn generation(&mut self) -> Result<u64> {
        if let Some(then) = self.immutable {
            let path = self.folder.join(FILE);
            if has_log(&self.folder) || file_stamp(&path).map_err(|e| Error::io("read", &path, e))? != then {
                *self = Self::open_reader(&self.folder, self.key.clone())?;
            }
        }
        if self.format != FORMAT && self.pragma("user_version")? != i64::from(self.format) {
            // A writer migrated it.
            *self = Self::open_reader(&self.folder, self.key.clone())?;
        }
        if self.key_changed()? {
            return Err(self.wrong_key("its key was changed since it was opened; open it again with the new one"));
        }
        self.state().map(|state| state.generation)
    }

    fn state(&self) -> Result<State> {
        Snapshot::new(&self.folder, &self.conn, self.format, self.cipher.as_deref()).state()
    }

    /// Runs `change` in one transaction: all of it is on the disk when this returns `Ok`, and none of it otherwise.
    /// A closure that changes nothing leaves the generation as it is.
    pub(super) fn write<T>(&mut self, action: Action, actor: &str, change: impl FnOnce(&mut Edit<'_>) -> Result<T>) -> Result<T> {
        let state = self.state()?;
        let folder = self.folder.clone();
        let cipher = self.cipher.clone();
        // Left out when the transaction fails, for then they say too much.
        let names = self.names.take();
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(|e| error(&folder, "write", e))?;
        let mut edit = Edit::new(&folder, tx, cipher.as_deref(), state, names, now_ms())?;
        let result = change(&mut edit)?;
        self.names = edit.finish(action, actor)?.names;
        Ok(result)
    }

    /// Whether there are faces whose time has come.
    pub(super) fn has_expired(&self) -> Result<bool> {
        self.one("SELECT EXISTS (SELECT 1 FROM faces WHERE expires_ms <= ?1)", [now_ms()])
    }

    /// Whether free space in the file may hold what must not be there any more.
    pub(super) fn is_unclean(&self) -> Result<bool> {
        self.state().map(|state| state.unclean)
    }

    /// Writes the whole file anew, without free space, and empties the log. `false` when a reader keeps the log from being emptied.
    pub(super) fn tidy(&mut self) -> Result<bool> {
        self.conn.execute_batch("VACUUM").map_err(|e| self.error("compact", e))?;
        if !self.empty_log()? {
            return Ok(false);
        }
        let mut state = self.state()?;
        if state.unclean {
            state.unclean = false;
            write_state(&self.folder, &self.conn, self.cipher.as_deref(), &state)?;
        }
        Ok(true)
    }

    /// Moves the write-ahead log into the database and empties it, so that nothing removed lives on in it.
    /// `false` when a reader is in the way just now.
    pub(super) fn empty_log(&self) -> Result<bool> {
        let empty = || {
            // A reader may stay for long.
            self.conn.busy_timeout(MOMENT)?;
            let busy: i64 = self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
            self.conn.busy_timeout(self.patience)?;
            Ok(busy == 0)
        };
        empty().map_err(|e| self.error("write", e))
    }

    fn one<T: rusqlite::types::FromSql>(&self, sql: &str, params: impl Params) -> Result<T> {
        self.conn.query_row(sql, params, |row| row.get(0)).map_err(|e| self.error("read", e))
    }

    fn pragma(&self, name: &str) -> Result<i64> {
        self.conn.pragma_query_value(None, name, |row| row.get(0)).map_err(|e| self.error("read", e))
    }

    fn error(&self, action: &'static str, source: rusqlite::Error) -> Error {
        error(&self.folder, action, source)
    }
}

fn write_state(folder: &Path, conn: &Connection, cipher: Option<&Cipher>, state: &State) -> Result<()> {
    let sql = format!("INSERT OR REPLACE INTO state (id, {}) VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)", COLUMNS.state);
    let numbers = [state.generation, state.rewritten, state.faces, state.persons, state.dim as u64].map(|n| n as i64);
    let [generation, rewritten, faces, persons, dim] = numbers;
    let marks = sealed::store_marks(cipher, state)?;
    let checksum = state.checksum(Some(&marks));
    let model = &state.model;
    let values = params![generation, rewritten, faces, persons, dim, model.id, model.hash, state.unclean, marks, checksum];
    conn.execute(&sql, values).map(drop).map_err(|e| error(folder, "write", e))
}

/// Milliseconds since 1970 UTC.
pub(super) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// What to do about damage that cannot be told from the rest.
pub(super) const REMEDY: &str = "restore a copy of the folder, or import an export into a new gallery";

pub(super) fn corrupt(folder: &Path, reason: &str) -> Error {
    Error::GalleryCorrupt { path: folder.to_path_buf(), reason: reason.to_owned() }
}

pub(super) fn missing(folder: &Path) -> Error {
    let source = std::io::Error::new(std::io::ErrorKind::NotFound, "there is no gallery in this folder; enrol a face to create one");
    Error::io("open", folder.join(FILE), source)
}

/// SQLite's extended codes for a file system without locks on parts of a file or without shared memory: `SQLITE_IOERR_` and `UNLOCK`,
/// `RDLOCK`, `CHECKRESERVEDLOCK`, `LOCK`, `SHMOPEN`, `SHMSIZE`, `SHMLOCK`, `SHMMAP` (<https://www.sqlite.org/rescode.html>).
const CANNOT_LOCK: [i32; 8] = [2058, 2314, 3594, 3850, 4618, 4874, 5130, 5386];

/// Sorts SQLite's errors into ours. The statements here are fixed, so one that does not fit the file means that
/// the file is damaged.
fn error(folder: &Path, action: &'static str, source: rusqlite::Error) -> Error {
    use std::io::ErrorKind;
    let io = |kind, text: String| Error::io(action, folder.join(FILE), std::io::Error::new(kind, text));
    match source.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => io(ErrorKind::StorageFull, "the disk is full; nothing was changed, free some space".into()),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => io(ErrorKind::PermissionDenied, source.to_string()),
        Some(ErrorCode::SystemIoFailure) if source.sqlite_error().is_some_and(|e| CANNOT_LOCK.contains(&e.extended_code)) => {
            io(ErrorKind::Unsupported, format!("{source}; {NO_LOCKS}"))
        }
        Some(ErrorCode::CannotOpen | ErrorCode::SystemIoFailure | ErrorCode::NoLargeFileSupport) => {
            io(ErrorKind::Other, source.to_string())
        }
        Some(ErrorCode::OutOfMemory) => io(ErrorKind::OutOfMemory, source.to_string()),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
            Error::GalleryLocked { path: folder.to_path_buf(), holder: format!("another program on its database: {source}") }
        }
        Some(ErrorCode::TooBig) => Error::argument("face", format!("expected a row that SQLite can store, got `{source}`")),
        Some(ErrorCode::ApiMisuse | ErrorCode::InternalMalfunction | ErrorCode::ParameterOutOfRange) => {
            Error::internal(format!("SQLite: {source}"))
        }
        _ => corrupt(folder, &format!("{source}; {REMEDY}")),
    }
}

fn file_stamp(path: &Path) -> std::io::Result<FileStamp> {
    std::fs::metadata(path).map(|data| (data.len(), data.modified().ok()))
}

/// Whether a write-ahead log with contents stands beside the database.
fn has_log(folder: &Path) -> bool {
    std::fs::metadata(folder.join("gallery.db-wal")).is_ok_and(|data| data.len() > 0)
}

/// SQLite's URI for a file that nobody writes.
fn immutable_uri(path: &Path) -> String {
    let mut uri = String::from("file:");
    if cfg!(windows) {
        uri.push('/');
    }
    for &byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'\\' if cfg!(windows) => uri.push('/'),
            b'/' | b'.' | b'-' | b'_' | b':' => uri.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => uri.push(char::from(byte)),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri + "?immutable=1"
}

/// Writes another name and its checksum into the row of a person in a gallery of format 1, as `new` makes them of the time they were enrolled.
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) fn rewrite_name_for_tests(folder: &Path, person: i64, new: impl FnOnce(i64) -> (String, i64)) {
    let conn = Connection::open(folder.join(FILE)).unwrap();
    let created_ms = conn.query_row("SELECT created_ms FROM persons WHERE id = ?1", [person], |row| row.get(0)).unwrap();
    let (name, checksum) = new(created_ms);
    conn.execute("UPDATE persons SET name = ?2, checksum = ?3 WHERE id = ?1", params![person, name, checksum]).unwrap();
}
