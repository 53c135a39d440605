//! Reading: one consistent state of the database, and rows as they come out of it.

use std::path::Path;

use rusqlite::{Connection, Params, Row};

use super::{FACE_COLUMNS, REMEDY, STATE_COLUMNS, corrupt, error};
use crate::error::{Error, Result};
use crate::face::ModelKey;
use crate::gallery::records::{FaceId, Person, PersonId};
use crate::gallery::rows::{FaceRow, PersonRow, State, quality_columns};

/// A row as its reader meets it.
pub(in crate::gallery) enum Checked<T> {
    Good(T),
    /// Its values do not match its checksum: only the id is known.
    Damaged(i64),
}

impl Checked<FaceRow<'_>> {
    pub(in crate::gallery) fn id(&self) -> i64 {
        match self {
            Self::Good(face) => face.id.0,
            Self::Damaged(id) => *id,
        }
    }
}

impl Checked<PersonRow<'_>> {
    pub(in crate::gallery) fn id(&self) -> i64 {
        match self {
            Self::Good(person) => person.id.0,
            Self::Damaged(id) => *id,
        }
    }
}

/// One consistent state of the database, for reading.
pub(in crate::gallery) struct Snapshot<'a> {
    folder: &'a Path,
    conn: &'a Connection,
}

impl<'a> Snapshot<'a> {
    pub(super) fn new(folder: &'a Path, conn: &'a Connection) -> Self {
        Self { folder, conn }
    }

    pub(in crate::gallery) fn state(&self) -> Result<State> {
        let read = |row: &Row<'_>| {
            let model = ModelKey { id: row.get(5)?, hash: row.get(6)? };
            let [generation, rewritten, faces, persons, dim]: [i64; 5] = [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?];
            let state = State {
                generation: generation as u64,
                rewritten: rewritten as u64,
                faces: faces as u64,
                persons: persons as u64,
                dim: dim as usize,
                model,
            };
            Ok((state, row.get::<_, i64>(7)?))
        };
        let mut statement =
            self.conn.prepare_cached(&format!("SELECT {STATE_COLUMNS} FROM state WHERE id = 1")).map_err(|e| self.error(e))?;
        let (state, checksum) = statement.query_row([], read).map_err(|e| self.error(e))?;
        if state.checksum() != checksum {
            return Err(self.corrupt("its state row does not match its checksum"));
        }
        Ok(state)
    }

    /// Every person after `after`, in the order of their ids.
    pub(in crate::gallery) fn scan_persons(&self, after: i64, mut visit: impl FnMut(Checked<PersonRow<'_>>) -> Result<()>) -> Result<()> {
        let sql = "SELECT id, name, created_ms, checksum FROM persons WHERE id > ?1 ORDER BY id";
        self.each(sql, [after], |row| Ok(visit(person_row(row)?)?))
    }

    /// Every face after `after`, in the order of their ids.
    pub(in crate::gallery) fn scan_faces(&self, after: i64, mut visit: impl FnMut(Checked<FaceRow<'_>>) -> Result<()>) -> Result<()> {
        let sql = format!("SELECT {FACE_COLUMNS} FROM faces WHERE id > ?1 ORDER BY id");
        self.each(&sql, [after], |row| Ok(visit(face_row(row)?)?))
    }

    /// The faces of one person, in the order of their ids.
    pub(in crate::gallery) fn scan_faces_of(
        &self,
        person: PersonId,
        mut visit: impl FnMut(Checked<FaceRow<'_>>) -> Result<()>,
    ) -> Result<()> {
        let sql = format!("SELECT {FACE_COLUMNS} FROM faces WHERE person = ?1 ORDER BY id");
        self.each(&sql, [person.0], |row| Ok(visit(face_row(row)?)?))
    }

    /// One face, if it is there.
    pub(in crate::gallery) fn face(&self, face: FaceId, mut visit: impl FnMut(Checked<FaceRow<'_>>) -> Result<()>) -> Result<()> {
        let sql = format!("SELECT {FACE_COLUMNS} FROM faces WHERE id = ?1");
        self.each(&sql, [face.0], |row| Ok(visit(face_row(row)?)?))
    }

    /// Which person each face belongs to, sorted by face. It reads the index `faces_person` alone, which no row
    /// checksum covers: compare the result with one that is known to be good.
    pub(in crate::gallery) fn owners(&self) -> Result<Vec<(FaceId, PersonId)>> {
        let mut owners = Vec::new();
        self.each("SELECT id, person FROM faces INDEXED BY faces_person", [], |row| {
            owners.push((FaceId(get(row, 0)?), PersonId(get(row, 1)?)));
            Ok(())
        })?;
        owners.sort_unstable();
        Ok(owners)
    }

    /// People with their number of faces, by name; only the one called `name` when it is given.
    pub(in crate::gallery) fn persons(&self, name: Option<&str>) -> Result<Vec<Checked<Person>>> {
        let mut persons = Vec::new();
        let sql = "SELECT id, name, created_ms, checksum, (SELECT count(*) FROM faces WHERE person = persons.id) FROM persons \
                   WHERE ?1 IS NULL OR name = ?1 ORDER BY name";
        self.each(sql, [name], |row| {
            let faces = get::<i64>(row, 4)? as usize;
            persons.push(match person_row(row)? {
                Checked::Good(PersonRow { id, name, created_ms }) => Checked::Good(Person { id, name: name.into(), faces, created_ms }),
                Checked::Damaged(id) => Checked::Damaged(id),
            });
            Ok(())
        })?;
        Ok(persons)
    }

    /// What SQLite itself finds wrong with the file.
    pub(in crate::gallery) fn integrity_problems(&self) -> Result<Vec<String>> {
        let mut problems = Vec::new();
        for sql in ["PRAGMA integrity_check", "PRAGMA foreign_key_check"] {
            let found = self.each(sql, [], |row| {
                let text: rusqlite::types::Value = get(row, 0)?;
                match text {
                    rusqlite::types::Value::Text(text) if text == "ok" => {}
                    rusqlite::types::Value::Text(text) => problems.push(format!("SQLite: {text}")),
                    other => problems.push(format!("SQLite: {other:?}")),
                }
                Ok(())
            });
            match found {
                Err(Error::GalleryCorrupt { reason, .. }) => problems.push(reason),
                other => other?,
            }
        }
        Ok(problems)
    }

    fn each(&self, sql: &str, params: impl Params, mut visit: impl FnMut(&Row<'_>) -> Result<(), RowError>) -> Result<()> {
        let mut statement = self.conn.prepare_cached(sql).map_err(|e| self.error(e))?;
        let mut rows = statement.query(params).map_err(|e| self.error(e))?;
        while let Some(row) = rows.next().map_err(|e| self.error(e))? {
            visit(row).map_err(|e| match e {
                RowError::Sqlite(e) => self.error(e),
                RowError::Ours(e) => e,
            })?;
        }
        Ok(())
    }

    /// A `gallery_corrupt` that says what to do.
    pub(in crate::gallery) fn corrupt(&self, reason: &str) -> Error {
        corrupt(self.folder, &format!("{reason}; {REMEDY}"))
    }

    fn error(&self, source: rusqlite::Error) -> Error {
        error(self.folder, "read", source)
    }
}

/// What a visitor of rows may fail with.
enum RowError {
    Sqlite(rusqlite::Error),
    Ours(Error),
}

impl From<rusqlite::Error> for RowError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Error> for RowError {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

fn get<T: rusqlite::types::FromSql>(row: &Row<'_>, column: usize) -> Result<T, rusqlite::Error> {
    row.get(column)
}

fn person_row<'r>(row: &'r Row<'_>) -> rusqlite::Result<Checked<PersonRow<'r>>> {
    let id = row.get(0)?;
    // Text that is no longer UTF-8 is damage to this row, not to the file.
    let Ok(name) = row.get_ref(1)?.as_str() else { return Ok(Checked::Damaged(id)) };
    let person = PersonRow { id: PersonId(id), name, created_ms: row.get(2)? };
    Ok(if person.checksum() == row.get::<_, i64>(3)? { Checked::Good(person) } else { Checked::Damaged(id) })
}

pub(super) fn face_row<'r>(row: &'r Row<'_>) -> rusqlite::Result<Checked<FaceRow<'r>>> {
    let id = row.get(0)?;
    let text = |column| row.get_ref(column).map(|value| value.as_str_or_null());
    let mut columns = [None; 7];
    for (column, number) in columns.iter_mut().zip(3..) {
        *column = row.get(number)?;
    }
    let (Ok(source), Ok(digest), Ok(metadata)) = (text(10)?, text(11)?, text(12)?) else { return Ok(Checked::Damaged(id)) };
    let face = FaceRow {
        id: FaceId(id),
        person: PersonId(row.get(1)?),
        vector: row.get_ref(2)?.as_blob().unwrap_or_default(),
        quality: quality_columns(columns),
        source,
        digest,
        metadata,
        created_ms: row.get(13)?,
    };
    Ok(if face.checksum() == row.get::<_, i64>(14)? { Checked::Good(face) } else { Checked::Damaged(id) })
}
