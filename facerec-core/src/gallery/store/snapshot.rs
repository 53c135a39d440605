//! Reading: one consistent state of the database, and rows as they come out of it.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::{Connection, Params, Row};

use super::schema::{AUDIT, COLUMNS, COLUMNS_1, Columns, FACE, PERSON};
use super::{FORMAT, REMEDY, corrupt, error};
use crate::error::{Error, Result};
use crate::face::ModelKey;
use crate::gallery::audit::AuditRow;
use crate::gallery::crypto::Cipher;
use crate::gallery::records::{FaceId, Person, PersonId};
use crate::gallery::rows::{FaceRow, Marks, PersonRow, State, quality_columns};
use crate::gallery::sealed;

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
    /// The row, which is where the next scan goes on.
    pub(in crate::gallery) fn row(&self) -> i64 {
        match self {
            Self::Good(person) => person.row,
            Self::Damaged(id) => *id,
        }
    }
}

/// Faces whose time has come, and the people who have no others.
#[derive(Default)]
pub(in crate::gallery) struct Expired {
    pub(in crate::gallery) faces: usize,
    pub(in crate::gallery) people: usize,
    /// How many of each person's.
    of: HashMap<PersonId, usize>,
}

/// One consistent state of the database, for reading.
pub(in crate::gallery) struct Snapshot<'a> {
    folder: &'a Path,
    conn: &'a Connection,
    format: u32,
    cipher: Option<&'a Cipher>,
}

impl<'a> Snapshot<'a> {
    pub(super) fn new(folder: &'a Path, conn: &'a Connection, format: u32, cipher: Option<&'a Cipher>) -> Self {
        Self { folder, conn, format, cipher }
    }

    fn columns(&self) -> &'static Columns {
        if self.format == FORMAT { &COLUMNS } else { &COLUMNS_1 }
    }

    pub(in crate::gallery) fn state(&self) -> Result<State> {
        let read = |row: &Row<'_>| {
            let model = ModelKey::new(row.get::<_, String>(5)?, row.get::<_, String>(6)?);
            let [generation, rewritten, faces, persons, dim]: [i64; 5] = [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?];
            let state = State {
                generation: generation as u64,
                rewritten: rewritten as u64,
                faces: faces as u64,
                persons: persons as u64,
                dim: dim as usize,
                model,
                unclean: row.get::<_, i64>(7)? != 0,
                marks: None,
            };
            Ok((state, row.get::<_, Option<Vec<u8>>>(8)?, row.get::<_, i64>(9)?))
        };
        let sql = format!("SELECT {} FROM state WHERE id = 1", self.columns().state);
        let mut statement = self.conn.prepare_cached(&sql).map_err(|e| self.error(e))?;
        let (mut state, marks, checksum) = statement.query_row([], read).map_err(|e| self.error(e))?;
        if state.checksum(marks.as_deref()) != checksum {
            return Err(self.corrupt("its state row does not match its checksum"));
        }
        if let Some(stored) = marks {
            state.marks = sealed::read_marks(self.cipher, &state, &stored);
            if state.marks.is_none() {
                return Err(self.corrupt("its state row is not what was sealed with its key"));
            }
        }
        Ok(state)
    }

    /// The marks of all rows that are intact, to be compared with the [`state`](Self::state)'s.
    pub(in crate::gallery) fn marks(&self) -> Result<Marks> {
        let mut marks = Marks::default();
        self.scan_persons(0, |row| {
            marks.persons ^= if let Checked::Good(person) = row { person.mark } else { 0 };
            Ok(())
        })?;
        self.scan_faces(0, |row| {
            marks.faces ^= if let Checked::Good(face) = row { face.mark } else { 0 };
            Ok(())
        })?;
        self.scan_audit(0, usize::MAX, |row| {
            marks.audit ^= if let Checked::Good(entry) = row { entry.mark } else { 0 };
            Ok(())
        })?;
        Ok(marks)
    }

    /// Every person after the row `after`, in the order of their rows.
    pub(in crate::gallery) fn scan_persons(&self, after: i64, visit: impl FnMut(Checked<PersonRow<'_>>) -> Result<()>) -> Result<()> {
        let sql = format!("SELECT {PERSON} FROM {} WHERE row > ?1 AND person IS NOT NULL ORDER BY row", self.columns().persons);
        self.each_person(&sql, [after], visit)
    }

    /// The person in one row.
    pub(super) fn scan_persons_at(&self, number: i64, visit: impl FnMut(Checked<PersonRow<'_>>) -> Result<()>) -> Result<()> {
        let sql = format!("SELECT {PERSON} FROM {} WHERE row = ?1 AND person IS NOT NULL", self.columns().persons);
        self.each_person(&sql, [number], visit)
    }

    /// Every face after `after`, in the order of their ids.
    pub(in crate::gallery) fn scan_faces(&self, after: i64, visit: impl FnMut(Checked<FaceRow<'_>>) -> Result<()>) -> Result<()> {
        let sql = format!("SELECT {FACE} FROM {} WHERE id > ?1 AND person IS NOT NULL ORDER BY id", self.columns().faces);
        self.each_face(&sql, [after], visit)
    }

    /// The faces of one person, in the order of their ids.
    pub(in crate::gallery) fn scan_faces_of(&self, person: PersonId, visit: impl FnMut(Checked<FaceRow<'_>>) -> Result<()>) -> Result<()> {
        let sql = format!("SELECT {FACE} FROM {} WHERE person = ?1 ORDER BY id", self.columns().faces);
        self.each_face(&sql, [person.0], visit)
    }

    /// One face, if it is there.
    pub(in crate::gallery) fn face(&self, face: FaceId, visit: impl FnMut(Checked<FaceRow<'_>>) -> Result<()>) -> Result<()> {
        let sql = format!("SELECT {FACE} FROM {} WHERE id = ?1 AND person IS NOT NULL", self.columns().faces);
        self.each_face(&sql, [face.0], visit)
    }

    /// The row of a person, if they are there.
    pub(super) fn person_row(&self, person: PersonId, visit: impl FnMut(Checked<PersonRow<'_>>) -> Result<()>) -> Result<()> {
        let sql = format!("SELECT {PERSON} FROM {} WHERE person = ?1", self.columns().persons);
        self.each_person(&sql, [person.0], visit)
    }

    /// Which person each face belongs to, sorted by face. It reads the index `faces_person` alone, which no row
    /// checksum covers: compare the result with one that is known to be good.
    pub(in crate::gallery) fn owners(&self) -> Result<Vec<(FaceId, PersonId)>> {
        let mut owners = Vec::new();
        self.each("SELECT id, person FROM faces INDEXED BY faces_person WHERE person IS NOT NULL", [], |row| {
            owners.push((FaceId(get(row, 0)?), PersonId(get(row, 1)?)));
            Ok(())
        })?;
        owners.sort_unstable();
        Ok(owners)
    }

    /// The faces up to `last` that expire, with the time in milliseconds since 1970 UTC. Like [`owners`](Self::owners), from an
    /// index.
    pub(in crate::gallery) fn expiries(&self, last: FaceId) -> Result<Vec<(i64, FaceId)>> {
        let mut expiries = Vec::new();
        if self.format == FORMAT {
            self.each("SELECT expires_ms, id FROM faces WHERE expires_ms IS NOT NULL AND id <= ?1", [last.0], |row| {
                expiries.push((get(row, 0)?, FaceId(get(row, 1)?)));
                Ok(())
            })?;
        }
        Ok(expiries)
    }

    /// At most `limit` entries of the audit log after `after`, in their order.
    pub(in crate::gallery) fn scan_audit(
        &self,
        after: i64,
        limit: usize,
        mut visit: impl FnMut(Checked<AuditRow>) -> Result<()>,
    ) -> Result<()> {
        if self.format != FORMAT {
            return Ok(());
        }
        let sql = format!("SELECT {AUDIT} FROM audit WHERE id > ?1 ORDER BY id LIMIT ?2");
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.each(&sql, [after, limit], |row| Ok(visit(audit_row(row, self.cipher)?)?))
    }

    /// People with their number of faces, by name. Faces whose time has come by `now_ms` do not count, nor people who have no others.
    pub(in crate::gallery) fn persons(&self, now_ms: i64) -> Result<Vec<Checked<Person>>> {
        let gone = self.expired(now_ms)?.of;
        let mut persons = Vec::new();
        self.scan_persons(0, |row| {
            persons.extend(self.counted(row, &gone)?);
            Ok(())
        })?;
        persons.sort_by(|a, b| match (a, b) {
            (Checked::Good(a), Checked::Good(b)) => a.name.cmp(&b.name),
            (a, b) => matches!(a, Checked::Good(_)).cmp(&matches!(b, Checked::Good(_))),
        });
        Ok(persons)
    }

    /// One of them.
    pub(in crate::gallery) fn person(&self, person: PersonId, now_ms: i64) -> Result<Option<Checked<Person>>> {
        let gone = self.expired(now_ms)?.of;
        let mut found = None;
        self.person_row(person, |row| {
            found = self.counted(row, &gone)?;
            Ok(())
        })?;
        Ok(found)
    }

    fn counted(&self, row: Checked<PersonRow<'_>>, gone: &HashMap<PersonId, usize>) -> Result<Option<Checked<Person>>> {
        let PersonRow { id, name, created_ms, .. } = match row {
            Checked::Good(person) => person,
            Checked::Damaged(id) => return Ok(Some(Checked::Damaged(id))),
        };
        let faces = self.faces_of(id)?.saturating_sub(gone.get(&id).copied().unwrap_or_default());
        Ok((faces > 0 || !gone.contains_key(&id)).then(|| Checked::Good(Person { id, name: name.into(), faces, created_ms })))
    }

    fn faces_of(&self, person: PersonId) -> Result<usize> {
        let count = self.conn.prepare_cached("SELECT count(*) FROM faces WHERE person = ?1");
        let count = count.and_then(|mut count| count.query_row([person.0], |row| row.get::<_, i64>(0)));
        count.map(|count| count as usize).map_err(|e| self.error(e))
    }

    /// The faces whose time has come by `now_ms` and which no writer has deleted yet.
    pub(in crate::gallery) fn expired(&self, now_ms: i64) -> Result<Expired> {
        let mut expired = Expired::default();
        if self.format != FORMAT {
            return Ok(expired);
        }
        self.each("SELECT person, count(*) FROM faces WHERE expires_ms <= ?1 GROUP BY person", [now_ms], |row| {
            expired.of.insert(PersonId(get(row, 0)?), get::<i64>(row, 1)? as usize);
            Ok(())
        })?;
        for (&person, &faces) in &expired.of {
            expired.faces += faces;
            expired.people += usize::from(self.faces_of(person)? == faces);
        }
        Ok(expired)
    }

    /// What SQLite itself finds wrong with the file.
    pub(in crate::gallery) fn integrity_problems(&self) -> Result<Vec<String>> {
        let mut problems = Vec::new();
        let found = self.each("PRAGMA integrity_check", [], |row| {
            let text: String = get(row, 0)?;
            if text != "ok" {
                problems.push(format!("SQLite: {text}"));
            }
            Ok(())
        });
        match found {
            Err(Error::GalleryCorrupt { reason, .. }) => problems.push(reason),
            other => other?,
        }
        Ok(problems)
    }

    fn each_person(&self, sql: &str, params: impl Params, mut visit: impl FnMut(Checked<PersonRow<'_>>) -> Result<()>) -> Result<()> {
        let mut buffer = Vec::new();
        self.each(sql, params, |row| Ok(visit(person_row(row, self.cipher, &mut buffer)?)?))
    }

    fn each_face(&self, sql: &str, params: impl Params, mut visit: impl FnMut(Checked<FaceRow<'_>>) -> Result<()>) -> Result<()> {
        let mut buffer = Vec::new();
        self.each(sql, params, |row| Ok(visit(face_row(row, self.cipher, &mut buffer)?)?))
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

/// Plain or sealed, as the whole gallery is: a row of the other kind was put there.
fn person_row<'r>(row: &'r Row<'_>, cipher: Option<&Cipher>, buffer: &'r mut Vec<u8>) -> rusqlite::Result<Checked<PersonRow<'r>>> {
    let id = row.get(1)?;
    let mut person = PersonRow { row: row.get(0)?, id: PersonId(id), name: "", created_ms: row.get(4)?, mark: 0 };
    let good = match (cipher, row.get_ref(3)?.as_blob_or_null()) {
        (Some(cipher), Ok(Some(sealed))) => sealed::open_person(cipher, person, sealed, buffer),
        (None, Ok(None)) => {
            // Text that is no longer UTF-8 is damage to this row, not to the file.
            let Ok(name) = row.get_ref(2)?.as_str() else { return Ok(Checked::Damaged(id)) };
            (person.name, person.mark) = (name, row.get(5)?);
            (person.checksum() == person.mark).then_some(person)
        }
        _ => None,
    };
    Ok(good.map_or(Checked::Damaged(id), Checked::Good))
}

fn face_row<'r>(row: &'r Row<'_>, cipher: Option<&Cipher>, buffer: &'r mut Vec<u8>) -> rusqlite::Result<Checked<FaceRow<'r>>> {
    let id = row.get(0)?;
    let mut face = FaceRow {
        id: FaceId(id),
        person: PersonId(row.get(1)?),
        vector: &[],
        quality: None,
        source: None,
        digest: None,
        metadata: None,
        created_ms: row.get(14)?,
        expires_ms: row.get(15)?,
        mark: 0,
    };
    let good = match (cipher, row.get_ref(13)?.as_blob_or_null()) {
        (Some(cipher), Ok(Some(sealed))) => sealed::open_face(cipher, face, sealed, buffer),
        (None, Ok(None)) => {
            let text = |column| row.get_ref(column).map(|value| value.as_str_or_null());
            let (Ok(source), Ok(digest), Ok(metadata)) = (text(10)?, text(11)?, text(12)?) else { return Ok(Checked::Damaged(id)) };
            let mut columns = [None; 7];
            for (column, number) in columns.iter_mut().zip(3..) {
                *column = row.get(number)?;
            }
            face.vector = row.get_ref(2)?.as_blob().unwrap_or_default();
            (face.quality, face.source, face.digest, face.metadata) = (quality_columns(columns), source, digest, metadata);
            face.mark = row.get(16)?;
            (face.checksum() == face.mark).then_some(face)
        }
        _ => None,
    };
    Ok(good.map_or(Checked::Damaged(id), Checked::Good))
}

fn audit_row(row: &Row<'_>, cipher: Option<&Cipher>) -> rusqlite::Result<Checked<AuditRow>> {
    let (id, at_ms) = (row.get(0)?, row.get(1)?);
    let good = match (cipher, row.get_ref(6)?.as_blob_or_null()) {
        (Some(cipher), Ok(Some(sealed))) => sealed::open_audit(cipher, id, at_ms, sealed),
        (None, Ok(None)) => {
            let text = |column| row.get_ref(column).map(|value| value.as_str().map(str::to_owned));
            let (Ok(actor), Ok(action), Ok(persons), Ok(faces)) = (text(2)?, text(3)?, text(4)?, text(5)?) else {
                return Ok(Checked::Damaged(id));
            };
            let entry = AuditRow { id, at_ms, actor, action, persons, faces, mark: row.get(7)? };
            (entry.checksum() == entry.mark).then_some(entry)
        }
        _ => None,
    };
    Ok(good.map_or(Checked::Damaged(id), Checked::Good))
}
