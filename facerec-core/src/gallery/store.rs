//! The truth: an SQLite database in WAL mode. Only this file and its folder name `rusqlite`.
//!
//! `synchronous=FULL` makes a committed change survive `kill -9` and power loss; `secure_delete` overwrites what is removed. Ids
//! are given out here rather than by SQLite, because each row's checksum covers its id.

mod edit;
mod snapshot;

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Params, TransactionBehavior, params};

pub(super) use edit::Edit;
pub(super) use snapshot::{Checked, Snapshot};

use super::rows::State;
use crate::error::{Error, Result};
use crate::face::ModelKey;

/// The database's file in the gallery's folder.
pub(super) const FILE: &str = "gallery.db";
/// The newest format this version reads and the one it writes.
pub(super) const FORMAT: u32 = 1;
/// `FREC`: marks an SQLite file as a gallery.
const APPLICATION_ID: i32 = 0x4652_4543;

const SCHEMA: [(&str, &str); 4] = [
    (
        "state",
        "CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), generation INTEGER NOT NULL, rewritten INTEGER NOT NULL, \
         faces INTEGER NOT NULL, persons INTEGER NOT NULL, dim INTEGER NOT NULL, model_id TEXT NOT NULL, model_hash TEXT NOT NULL, \
         checksum INTEGER NOT NULL) STRICT",
    ),
    (
        "persons",
        "CREATE TABLE persons (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, created_ms INTEGER NOT NULL, \
         checksum INTEGER NOT NULL) STRICT",
    ),
    (
        "faces",
        "CREATE TABLE faces (id INTEGER PRIMARY KEY AUTOINCREMENT, person INTEGER NOT NULL REFERENCES persons (id), \
         vector BLOB NOT NULL, score REAL, sharpness REAL, yaw_deg REAL, pitch_deg REAL, roll_deg REAL, face_px REAL, exposure REAL, \
         source TEXT, digest TEXT, metadata TEXT, created_ms INTEGER NOT NULL, checksum INTEGER NOT NULL) STRICT",
    ),
    ("faces_person", "CREATE INDEX faces_person ON faces (person)"),
];
const STATE_COLUMNS: &str = "generation, rewritten, faces, persons, dim, model_id, model_hash, checksum";
const FACE_COLUMNS: &str = "id, person, vector, score, sharpness, yaw_deg, pitch_deg, roll_deg, face_px, exposure, \
                            source, digest, metadata, created_ms, checksum";

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
}

type FileStamp = (u64, Option<SystemTime>);

impl Store {
    /// Opens for writing. The caller holds the write lock. `model` creates the database when there is none yet.
    pub(super) fn open_writer(folder: &Path, model: Option<&ModelKey>) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(folder.join(FILE), flags).map_err(|e| error(folder, "open", e))?;
        let mut store = Self { folder: folder.to_path_buf(), conn, immutable: None };
        store.harden()?;
        if store.is_blank()? {
            let model = model.ok_or_else(|| missing(folder))?;
            store.create(model)?;
        }
        store.check_format()?;
        for (name, value) in WRITER_PRAGMAS {
            store.conn.pragma_update(None, name, value).map_err(|e| store.error("open", e))?;
        }
        Ok(store)
    }

    /// Opens for reading only: never blocks a writer and never writes.
    ///
    /// SQLite wants to write a small shared-memory file beside a WAL database. Where the folder cannot be written
    /// and no writer left a log behind, the file is read as immutable instead.
    pub(super) fn open_reader(folder: &Path) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let path = folder.join(FILE);
        let stamp = file_stamp(&path).map_err(|e| Error::io("open", &path, e))?;
        let opened = Connection::open_with_flags(&path, flags).map_err(|e| error(folder, "open", e)).and_then(|conn| {
            let store = Self { folder: folder.to_path_buf(), conn, immutable: None };
            store.harden()?;
            store.is_blank()?;
            Ok(store)
        });
        let store = match opened {
            Ok(store) => store,
            Err(Error::Io { .. }) if !has_log(folder) => {
                let conn = Connection::open_with_flags(immutable_uri(&path), flags | OpenFlags::SQLITE_OPEN_URI);
                let store =
                    Self { folder: folder.to_path_buf(), conn: conn.map_err(|e| error(folder, "open", e))?, immutable: Some(stamp) };
                store.harden()?;
                store
            }
            Err(other) => return Err(other),
        };
        if store.is_blank()? {
            return Err(missing(folder));
        }
        store.check_format()?;
        Ok(store)
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

    fn create(&mut self, model: &ModelKey) -> Result<()> {
        let state = State { generation: 0, rewritten: 0, faces: 0, persons: 0, dim: 0, model: model.clone() };
        let make = |conn: &mut Connection| {
            // A vector of 512 takes 2 kB: 3 rows fit in a page of 8 kB, one in SQLite's usual 4 kB.
            conn.pragma_update(None, "page_size", 8192)?;
            conn.pragma_update(None, "journal_mode", "WAL")?;
            conn.pragma_update(None, "synchronous", "FULL")?;
            let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            tx.pragma_update(None, "application_id", APPLICATION_ID)?;
            tx.pragma_update(None, "user_version", FORMAT)?;
            for (_, sql) in SCHEMA {
                tx.execute_batch(sql)?;
            }
            write_state(&tx, &state)?;
            tx.commit()
        };
        make(&mut self.conn).map_err(|e| error(&self.folder, "create", e))
    }

    fn check_format(&self) -> Result<()> {
        if self.pragma("application_id")? != i64::from(APPLICATION_ID) {
            return Err(corrupt(&self.folder, "gallery.db is not a facerec gallery; name another folder"));
        }
        let found = self.pragma("user_version")?;
        if found != i64::from(FORMAT) {
            let found = u32::try_from(found).unwrap_or(u32::MAX);
            return Err(Error::GalleryNewer { path: self.folder.clone(), found, supported: FORMAT });
        }
        let read = || {
            let mut statement = self.conn.prepare("SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<rusqlite::Result<Vec<(String, String)>>>()
        };
        let tables = read().map_err(|e| self.error("open", e))?;
        if tables.len() != SCHEMA.len() || !SCHEMA.iter().all(|&(name, sql)| tables.iter().any(|t| t.0 == name && t.1 == sql)) {
            return Err(corrupt(&self.folder, &format!("its tables are not those of a gallery; {REMEDY}")));
        }
        Ok(())
    }

    /// Runs `read` on one consistent state of the database.
    pub(super) fn snapshot<T>(&self, read: impl FnOnce(&Snapshot<'_>) -> Result<T>) -> Result<T> {
        let tx = self.conn.unchecked_transaction().map_err(|e| self.error("read", e))?;
        read(&Snapshot::new(&self.folder, &tx))
    }

    /// The number of changes so far, as cheap as SQLite can tell it.
    pub(super) fn generation(&mut self) -> Result<u64> {
        if let Some(then) = self.immutable {
            let path = self.folder.join(FILE);
            if has_log(&self.folder) || file_stamp(&path).map_err(|e| Error::io("read", &path, e))? != then {
                *self = Self::open_reader(&self.folder)?;
            }
        }
        self.state().map(|state| state.generation)
    }

    fn state(&self) -> Result<State> {
        Snapshot::new(&self.folder, &self.conn).state()
    }

    /// Runs `change` in one transaction: all of it is on the disk when this returns `Ok`, and none of it otherwise.
    /// A closure that changes nothing leaves the generation as it is.
    pub(super) fn write<T>(&mut self, change: impl FnOnce(&mut Edit<'_>) -> Result<T>) -> Result<T> {
        let before = self.state()?;
        let folder = self.folder.clone();
        let fail = |e| error(&folder, "write", e);
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail)?;
        let sequence = |table: &str| {
            let sql = "SELECT seq FROM sqlite_sequence WHERE name = ?1";
            tx.query_row(sql, [table], |row| row.get::<_, i64>(0)).optional().map(Option::unwrap_or_default)
        };
        let (last_person, last_face) = (sequence("persons").map_err(fail)?, sequence("faces").map_err(fail)?);
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
        let mut edit = Edit::new(&folder, tx, before.clone(), last_person, last_face, now_ms);
        let result = change(&mut edit)?;
        let (tx, mut state, rewritten) = edit.finish();
        if rewritten || state != before {
            state.generation += 1;
            if rewritten {
                state.rewritten = state.generation;
            }
            write_state(&tx, &state).map_err(fail)?;
            tx.commit().map_err(fail)?;
        }
        Ok(result)
    }

    /// Moves the write-ahead log into the database and empties it, so that nothing removed lives on in it.
    /// `false` when a reader is in the way just now.
    pub(super) fn empty_log(&self) -> Result<bool> {
        let busy: i64 = self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).map_err(|e| self.error("write", e))?;
        Ok(busy == 0)
    }

    /// Gives the space of removed rows back to the disk.
    pub(super) fn vacuum(&self) -> Result<()> {
        self.conn.execute_batch("VACUUM").map_err(|e| self.error("compact", e))
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

fn write_state(conn: &Connection, state: &State) -> rusqlite::Result<()> {
    let sql = format!("INSERT OR REPLACE INTO state (id, {STATE_COLUMNS}) VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
    let numbers = [state.generation, state.rewritten, state.faces, state.persons, state.dim as u64].map(|n| n as i64);
    let [generation, rewritten, faces, persons, dim] = numbers;
    let values = params![generation, rewritten, faces, persons, dim, state.model.id, state.model.hash, state.checksum()];
    conn.execute(&sql, values).map(drop)
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

/// Sorts SQLite's errors into ours. The statements here are fixed, so one that does not fit the file means that
/// the file is damaged.
fn error(folder: &Path, action: &'static str, source: rusqlite::Error) -> Error {
    use std::io::ErrorKind;
    let io = |kind, text: String| Error::io(action, folder.join(FILE), std::io::Error::new(kind, text));
    match source.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => io(ErrorKind::StorageFull, "the disk is full; nothing was changed, free some space".into()),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => io(ErrorKind::PermissionDenied, source.to_string()),
        Some(ErrorCode::CannotOpen | ErrorCode::SystemIoFailure | ErrorCode::NoLargeFileSupport) => {
            io(ErrorKind::Other, source.to_string())
        }
        Some(ErrorCode::OutOfMemory) => io(ErrorKind::OutOfMemory, source.to_string()),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
            Error::GalleryLocked { path: folder.to_path_buf(), holder: source.to_string() }
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
