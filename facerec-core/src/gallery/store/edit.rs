//! Writing: what a transaction may do.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::{OptionalExtension, Params, Transaction, params};

use super::snapshot::{Checked, face_row};
use super::{FACE_COLUMNS, REMEDY, corrupt, error};
use crate::error::{Error, Result};
use crate::gallery::records::{FaceId, PersonId, quality_values};
use crate::gallery::rows::{FaceRow, PersonRow, State};

/// A write transaction under way.
pub(in crate::gallery) struct Edit<'a> {
    folder: &'a Path,
    tx: Transaction<'a>,
    state: State,
    last_person: i64,
    last_face: i64,
    now_ms: i64,
    rewritten: bool,
}

impl<'a> Edit<'a> {
    /// `last_person` and `last_face` are the highest ids ever given out.
    pub(super) fn new(folder: &'a Path, tx: Transaction<'a>, state: State, last_person: i64, last_face: i64, now_ms: i64) -> Self {
        Self { folder, tx, state, last_person, last_face, now_ms, rewritten: false }
    }

    /// What is left to commit: the transaction, the counts, and whether anything was removed or renamed.
    pub(super) fn finish(self) -> (Transaction<'a>, State, bool) {
        (self.tx, self.state, self.rewritten)
    }

    /// The id of a person, who is created when there is none of that name; and whether they were.
    pub(in crate::gallery) fn person(&mut self, name: &str) -> Result<(PersonId, bool)> {
        if let Some(id) = self.find_person(name)? {
            return Ok((id, false));
        }
        let row = PersonRow { id: PersonId(self.last_person + 1), name, created_ms: self.now_ms };
        let sql = "INSERT INTO persons (id, name, created_ms, checksum) VALUES (?1, ?2, ?3, ?4)";
        self.execute(sql, params![row.id.0, row.name, row.created_ms, row.checksum()])?;
        self.last_person += 1;
        self.state.persons += 1;
        Ok((row.id, true))
    }

    /// The id of a person, if there is one of that name.
    pub(in crate::gallery) fn find_person(&self, name: &str) -> Result<Option<PersonId>> {
        let find = || {
            let mut statement = self.tx.prepare_cached("SELECT id FROM persons WHERE name = ?1")?;
            statement.query_row([name], |row| row.get(0).map(PersonId)).optional()
        };
        find().map_err(|e| self.error(e))
    }

    /// Whether the person already has this very vector.
    pub(in crate::gallery) fn has_vector(&self, person: PersonId, vector: &[u8]) -> Result<bool> {
        let find = || {
            let mut statement = self.tx.prepare_cached("SELECT 1 FROM faces WHERE person = ?1 AND vector = ?2 LIMIT 1")?;
            statement.exists(params![person.0, vector])
        };
        find().map_err(|e| self.error(e))
    }

    /// Adds a face; its id is given out here, and the time too unless the row has one (not 0).
    pub(in crate::gallery) fn add_face(&mut self, face: FaceRow<'_>) -> Result<FaceId> {
        let dim = face.vector.len() / 4;
        if self.state.dim != 0 && self.state.dim != dim {
            return Err(Error::DimensionMismatch { what: "embedding", expected: self.state.dim, actual: dim });
        }
        let created_ms = if face.created_ms == 0 { self.now_ms } else { face.created_ms };
        let row = FaceRow { id: FaceId(self.last_face + 1), created_ms, ..face };
        let [score, sharpness, yaw, pitch, roll, px, exposure] = match row.quality.as_ref().map(quality_values) {
            Some(values) => values.map(|v| Some(f64::from(v))),
            None => [None; 7],
        };
        let sql = format!("INSERT INTO faces ({FACE_COLUMNS}) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15)");
        self.execute(
            &sql,
            params![
                row.id.0,
                row.person.0,
                row.vector,
                score,
                sharpness,
                yaw,
                pitch,
                roll,
                px,
                exposure,
                row.source,
                row.digest,
                row.metadata,
                row.created_ms,
                row.checksum()
            ],
        )?;
        self.last_face += 1;
        self.state.faces += 1;
        self.state.dim = dim;
        Ok(row.id)
    }

    /// Removes a person with all faces; returns how many there were.
    pub(in crate::gallery) fn remove_person(&mut self, person: PersonId) -> Result<usize> {
        let faces = self.execute("DELETE FROM faces WHERE person = ?1", [person.0])?;
        self.execute("DELETE FROM persons WHERE id = ?1", [person.0])?;
        self.state.faces = self.state.faces.saturating_sub(faces as u64);
        self.state.persons = self.state.persons.saturating_sub(1);
        self.rewritten = true;
        Ok(faces)
    }

    /// Removes a face, and its person when it was the last one. `false` when there is no such face.
    pub(in crate::gallery) fn remove_face(&mut self, face: FaceId) -> Result<bool> {
        let find = || {
            let mut statement = self.tx.prepare_cached("SELECT person FROM faces WHERE id = ?1")?;
            statement.query_row([face.0], |row| row.get::<_, i64>(0)).optional()
        };
        let Some(person) = find().map_err(|e| self.error(e))? else { return Ok(false) };
        self.execute("DELETE FROM faces WHERE id = ?1", [face.0])?;
        self.state.faces = self.state.faces.saturating_sub(1);
        let sql = "DELETE FROM persons WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM faces WHERE person = ?1)";
        self.state.persons = self.state.persons.saturating_sub(self.execute(sql, [person])? as u64);
        self.rewritten = true;
        Ok(true)
    }

    /// The faces of a person, in the order of enrolment.
    pub(in crate::gallery) fn faces_of(&self, person: PersonId) -> Result<Vec<FaceId>> {
        let find = || {
            let mut statement = self.tx.prepare_cached("SELECT id FROM faces WHERE person = ?1 ORDER BY id")?;
            statement.query_map([person.0], |row| row.get(0).map(FaceId))?.collect::<Result<Vec<_>, _>>()
        };
        find().map_err(|e| self.error(e))
    }

    /// Gives faces to a person, and removes whoever has lost their last one. Faces that are not there are left out.
    pub(in crate::gallery) fn move_faces(&mut self, faces: &[FaceId], to: PersonId) -> Result<()> {
        let sql = format!("SELECT {FACE_COLUMNS} FROM faces WHERE id = ?1");
        let mut former = BTreeSet::new();
        for face in faces {
            let find = || {
                let moved = |row: &rusqlite::Row<'_>| match face_row(row)? {
                    Checked::Good(found) => Ok(Some((found.person, FaceRow { person: to, ..found }.checksum()))),
                    Checked::Damaged(_) => Ok(None),
                };
                self.tx.prepare_cached(&sql)?.query_row([face.0], moved).optional()
            };
            let Some(found) = find().map_err(|e| self.error(e))? else { continue };
            // A damaged row must not get a checksum that says it is whole.
            let damaged = || corrupt(self.folder, &format!("face {face} does not match its checksum; {REMEDY}"));
            let (person, checksum) = found.ok_or_else(damaged)?;
            self.execute("UPDATE faces SET person = ?2, checksum = ?3 WHERE id = ?1", params![face.0, to.0, checksum])?;
            former.insert(person);
        }
        for person in former {
            let sql = "DELETE FROM persons WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM faces WHERE person = ?1)";
            self.state.persons = self.state.persons.saturating_sub(self.execute(sql, [person.0])? as u64);
        }
        self.rewritten = true;
        Ok(())
    }

    /// Gives a person another name, which must be free.
    pub(in crate::gallery) fn rename(&mut self, person: PersonId, name: &str) -> Result<()> {
        let find = || self.tx.query_row("SELECT created_ms FROM persons WHERE id = ?1", [person.0], |row| row.get(0));
        let row = PersonRow { id: person, name, created_ms: find().map_err(|e| self.error(e))? };
        self.execute("UPDATE persons SET name = ?2, checksum = ?3 WHERE id = ?1", params![person.0, name, row.checksum()])?;
        self.rewritten = true;
        Ok(())
    }

    fn execute(&self, sql: &str, params: impl Params) -> Result<usize> {
        let run = || self.tx.prepare_cached(sql)?.execute(params);
        run().map_err(|e| self.error(e))
    }

    fn error(&self, source: rusqlite::Error) -> Error {
        error(self.folder, "write", source)
    }
}
