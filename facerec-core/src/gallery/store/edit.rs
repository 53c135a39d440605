//! Writing: what a transaction may do.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use rusqlite::{OptionalExtension, Params, Transaction, params};

use super::schema::{AUDIT, FACE, PERSON};
use super::{Checked, FORMAT, REMEDY, Snapshot, corrupt, error, write_state};
use crate::error::{Error, Result};
use crate::gallery::audit::{Action, AuditRow, ranges};
use crate::gallery::crypto::Cipher;
use crate::gallery::records::{FaceId, PersonId, quality_values};
use crate::gallery::rows::{FaceRow, PersonRow, State};
use crate::gallery::sealed::{self, new_mark};
use crate::text::canonical_name;

/// Bytes kept in each face's row for columns that grow, so that the row stays as long as it is: see `schema`. An owner and a
/// checksum take at most 8 bytes each.
const PAD: usize = 16;

/// The ids of people by name: SQLite has no index of names, see `schema`.
pub(super) type Names = HashMap<Box<str>, PersonId>;

/// A write transaction under way.
pub(in crate::gallery) struct Edit<'a> {
    folder: &'a Path,
    tx: Transaction<'a>,
    cipher: Option<&'a Cipher>,
    state: State,
    /// Read when a person is first looked for by name.
    names: Option<Names>,
    last_row: i64,
    last_face: i64,
    now_ms: i64,
    /// Something was removed, renamed or moved.
    rewritten: bool,
    /// A gallery that was just created has generation 0.
    created: bool,
    /// The mark of a damaged row is unknown: all are added up again.
    recount: bool,
    /// Something is in the audit log already.
    logged: bool,
    /// For the audit log.
    persons: BTreeSet<i64>,
    faces: BTreeSet<i64>,
}

/// How a transaction ended.
pub(super) struct Finished {
    pub(super) names: Option<Names>,
}

impl<'a> Edit<'a> {
    pub(super) fn new(
        folder: &'a Path,
        tx: Transaction<'a>,
        cipher: Option<&'a Cipher>,
        state: State,
        names: Option<Names>,
        now_ms: i64,
    ) -> Result<Self> {
        let sequence = |table: &str| {
            let sql = "SELECT seq FROM sqlite_sequence WHERE name = ?1";
            let last = tx.query_row(sql, [table], |row| row.get::<_, i64>(0)).optional();
            last.map(Option::unwrap_or_default).map_err(|e| error(folder, "write", e))
        };
        let (last_row, last_face) = (sequence("persons")?, sequence("faces")?);
        let (persons, faces) = (BTreeSet::new(), BTreeSet::new());
        Ok(Self {
            folder,
            tx,
            cipher,
            state,
            names,
            last_row,
            last_face,
            now_ms,
            rewritten: false,
            created: false,
            recount: false,
            logged: false,
            persons,
            faces,
        })
    }

    /// Everything is another than before.
    pub(super) fn rewrite_all(&mut self) {
        self.rewritten = true;
    }

    /// The transaction creates the gallery, whose generation stays 0.
    pub(super) fn stay_generation(&mut self) {
        self.created = true;
    }

    /// Commits, when anything was changed.
    pub(super) fn finish(mut self, action: Action, actor: &str) -> Result<Finished> {
        if !self.created && !self.rewritten && self.persons.is_empty() && self.faces.is_empty() {
            return Ok(Finished { names: self.names });
        }
        self.state.generation += u64::from(!self.created);
        if self.rewritten {
            self.state.rewritten = self.state.generation;
        }
        if self.recount {
            self.state.marks = Some(self.snapshot().marks()?);
        }
        if !self.logged || !self.persons.is_empty() || !self.faces.is_empty() {
            self.log(action, actor)?;
        }
        write_state(self.folder, &self.tx, self.cipher, &self.state)?;
        let folder = self.folder;
        self.tx.commit().map_err(|e| error(folder, "write", e))?;
        Ok(Finished { names: self.names })
    }

    /// The id of a person, who is created when there is none of that name; and whether they were.
    pub(in crate::gallery) fn person(&mut self, name: &str) -> Result<(PersonId, bool)> {
        if let Some(id) = self.find_person(name)? {
            return Ok((id, false));
        }
        // The numbers of rows are never used again, so neither are those of people.
        let id = PersonId(self.last_row + 1);
        self.insert_person(id, name, self.now_ms)?;
        self.state.persons += 1;
        Ok((id, true))
    }

    /// The id of a person, if there is one of that name.
    pub(in crate::gallery) fn find_person(&mut self, name: &str) -> Result<Option<PersonId>> {
        if self.names.is_none() {
            let mut names = Names::new();
            self.snapshot().scan_persons(0, |row| {
                if let Checked::Good(person) = row {
                    names.entry(canonical_name(person.name).into()).or_insert(person.id);
                }
                Ok(())
            })?;
            self.names = Some(names);
        }
        Ok(self.names.as_ref().and_then(|names| names.get(name)).copied())
    }

    /// Whether the person already has this very vector.
    pub(in crate::gallery) fn has_vector(&self, person: PersonId, vector: &[u8]) -> Result<bool> {
        let mut found = false;
        self.snapshot().scan_faces_of(person, |row| {
            found |= matches!(row, Checked::Good(face) if face.vector == vector);
            Ok(())
        })?;
        Ok(found)
    }

    /// Adds a face; its id is given out here, and the time too unless the row has one (not 0).
    pub(in crate::gallery) fn add_face(&mut self, face: FaceRow<'_>) -> Result<FaceId> {
        let dim = face.vector.len() / 4;
        if self.state.dim != 0 && self.state.dim != dim {
            return Err(Error::DimensionMismatch { what: "embedding", expected: self.state.dim, actual: dim });
        }
        let created_ms = if face.created_ms == 0 { self.now_ms } else { face.created_ms };
        let row = FaceRow { id: FaceId(self.last_face + 1), created_ms, ..face };
        let mark = self.insert_face(row)?;
        self.last_face += 1;
        self.state.faces += 1;
        self.state.dim = dim;
        self.mark_faces(mark);
        self.note(row.person, Some(row.id));
        Ok(row.id)
    }

    /// Removes a person with all faces; returns how many there were.
    pub(in crate::gallery) fn remove_person(&mut self, person: PersonId) -> Result<usize> {
        let faces = self.faces_of(person)?;
        faces.iter().try_for_each(|&face| self.erase_face(face))?;
        self.erase_person(person)?;
        Ok(faces.len())
    }

    /// Removes a face, and its person when it was the last one. `false` when there is no such face.
    pub(in crate::gallery) fn remove_face(&mut self, face: FaceId) -> Result<bool> {
        let Some(person) = self.owner(face)? else { return Ok(false) };
        self.erase_face(face)?;
        self.erase_if_without_faces(person)?;
        Ok(true)
    }

    /// Removes every face whose time has come; returns how many.
    pub(in crate::gallery) fn remove_expired(&mut self) -> Result<usize> {
        let find = || {
            let mut statement = self.tx.prepare_cached("SELECT id FROM faces WHERE expires_ms <= ?1")?;
            let ids = statement.query_map([self.now_ms], |row| row.get(0).map(FaceId))?;
            ids.collect::<rusqlite::Result<Vec<_>>>()
        };
        let expired = find().map_err(|e| self.error(e))?;
        expired.iter().try_for_each(|&face| self.remove_face(face).map(drop))?;
        Ok(expired.len())
    }

    /// Gives a person another name, which must be free.
    pub(in crate::gallery) fn rename(&mut self, person: PersonId, name: &str) -> Result<()> {
        let mut created_ms = self.now_ms;
        self.snapshot().person_row(person, |row| {
            created_ms = if let Checked::Good(row) = row { row.created_ms } else { created_ms };
            Ok(())
        })?;
        self.erase_person(person)?;
        self.insert_person(person, name, created_ms)?;
        self.state.persons += 1;
        Ok(())
    }

    /// Gives everybody the canonical spelling of their name. People who then have one name become the first of them, each with an entry of
    /// its own in the audit log.
    pub(in crate::gallery) fn unite_names(&mut self, actor: &str) -> Result<()> {
        let mut groups: BTreeMap<String, Vec<PersonId>> = BTreeMap::new();
        let mut respelt = BTreeSet::new();
        self.snapshot().scan_persons(0, |row| {
            if let Checked::Good(person) = row {
                let name = canonical_name(person.name);
                if name != person.name {
                    respelt.insert(person.id);
                }
                groups.entry(name.into_owned()).or_default().push(person.id);
            }
            Ok(())
        })?;
        // While two people have a name, the map of names cannot be kept in step.
        self.names = None;
        let mut renamed = Vec::new();
        for (name, mut people) in groups {
            people.sort_unstable();
            let Some((&first, others)) = people.split_first().filter(|_| people.iter().any(|id| respelt.contains(id))) else { continue };
            if others.is_empty() {
                renamed.push((first, name));
                continue;
            }
            for &other in others {
                let faces = self.faces_of(other)?;
                self.move_faces(&faces, first)?;
            }
            if respelt.contains(&first) {
                self.rename(first, &name)?;
            }
            self.log(Action::Merge, actor)?;
            self.logged = true;
            self.persons.clear();
            self.faces.clear();
        }
        renamed.into_iter().try_for_each(|(person, name)| self.rename(person, &name))
    }

    /// The faces of a person, in the order of enrolment.
    pub(in crate::gallery) fn faces_of(&self, person: PersonId) -> Result<Vec<FaceId>> {
        let mut faces = Vec::new();
        self.snapshot().scan_faces_of(person, |row| {
            faces.push(FaceId(row.id()));
            Ok(())
        })?;
        Ok(faces)
    }

    /// Gives faces to another person; a person who is left without faces is removed. Faces that are theirs already, or are not
    /// there, are passed over. Returns how many changed hands.
    pub(in crate::gallery) fn move_faces(&mut self, faces: &[FaceId], to: PersonId) -> Result<usize> {
        let mut moved = 0;
        for &face in faces {
            let Some(from) = self.owner(face)?.filter(|&from| from != to) else { continue };
            self.change_owner(face, from, to)?;
            self.erase_if_without_faces(from)?;
            self.note(from, Some(face));
            self.note(to, Some(face));
            moved += 1;
        }
        self.rewritten |= moved > 0;
        Ok(moved)
    }

    fn change_owner(&mut self, face: FaceId, from: PersonId, to: PersonId) -> Result<()> {
        let mut new = None;
        self.snapshot().face(face, |row| {
            let Checked::Good(row) = row else {
                return Err(corrupt(self.folder, &format!("face {face} does not match its checksum; {REMEDY}")));
            };
            let mut moved = FaceRow { person: to, ..row };
            let (sealed, checksum) = self.sealed_face(&mut moved)?;
            new = Some((sealed, checksum, row.mark, moved.mark));
            Ok(())
        })?;
        let Some((sealed, checksum, old_mark, mark)) = new else { return Ok(()) };
        // The row stays exactly as long as it is.
        let sizes = [integer_bytes(from.0), checksum.map_or(0, |_| integer_bytes(old_mark))];
        let new_sizes = [integer_bytes(to.0), checksum.map_or(0, integer_bytes)];
        let growth = new_sizes.iter().sum::<i64>() - sizes.iter().sum::<i64>();
        let sql = "UPDATE faces SET person = ?2, sealed = ?3, checksum = ?4, pad = zeroblob(max(0, length(pad) - ?5)) WHERE id = ?1";
        self.execute(sql, params![face.0, to.0, sealed, checksum, growth])?;
        self.mark_faces(old_mark ^ mark);
        Ok(())
    }

    fn insert_person(&mut self, id: PersonId, name: &str, created_ms: i64) -> Result<()> {
        let mut row = PersonRow { row: self.last_row + 1, id, name, created_ms, mark: 0 };
        let sql = format!("INSERT INTO persons ({PERSON}) VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
        match self.cipher {
            Some(cipher) => {
                row.mark = new_mark()?;
                let sealed = sealed::seal_person(cipher, &row)?;
                self.execute(&sql, params![row.row, id.0, None::<&str>, sealed, created_ms, None::<i64>])?;
            }
            None => {
                row.mark = row.checksum();
                self.execute(&sql, params![row.row, id.0, name, None::<&[u8]>, created_ms, row.mark])?;
            }
        }
        self.last_row += 1;
        self.mark_persons(row.mark);
        self.names.as_mut().and_then(|names| names.insert(name.into(), id));
        self.note(id, None);
        Ok(())
    }

    /// Returns the row's mark.
    fn insert_face(&self, mut row: FaceRow<'_>) -> Result<i64> {
        let (sealed, checksum) = self.sealed_face(&mut row)?;
        let plain = sealed.is_none();
        let [score, sharpness, yaw, pitch, roll, px, exposure] = match row.quality.as_ref().filter(|_| plain).map(quality_values) {
            Some(values) => values.map(|v| Some(f64::from(v))),
            None => [None; 7],
        };
        let pad = PAD as i64 - integer_bytes(row.person.0) - checksum.map_or(0, integer_bytes);
        let sql = format!(
            "INSERT INTO faces ({FACE}, pad) \
             VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,zeroblob(?18))"
        );
        self.execute(
            &sql,
            params![
                row.id.0,
                row.person.0,
                plain.then_some(row.vector),
                score,
                sharpness,
                yaw,
                pitch,
                roll,
                px,
                exposure,
                row.source.filter(|_| plain),
                row.digest.filter(|_| plain),
                row.metadata.filter(|_| plain),
                sealed,
                row.created_ms,
                row.expires_ms,
                checksum,
                pad
            ],
        )?;
        Ok(row.mark)
    }

    /// The face's seal or its checksum, whichever this gallery has, and its mark.
    fn sealed_face(&self, row: &mut FaceRow<'_>) -> Result<(Option<Vec<u8>>, Option<i64>)> {
        match self.cipher {
            Some(cipher) => {
                row.mark = new_mark()?;
                Ok((Some(sealed::seal_face(cipher, row)?), None))
            }
            None => {
                row.mark = row.checksum();
                Ok((None, Some(row.mark)))
            }
        }
    }

    /// Empties a face's row.
    fn erase_face(&mut self, face: FaceId) -> Result<()> {
        let mut mark = None;
        self.snapshot().face(face, |row| {
            mark = if let Checked::Good(face) = row { Some((face.mark, face.person)) } else { None };
            Ok(())
        })?;
        match mark {
            Some((mark, person)) => {
                self.mark_faces(mark);
                self.note(person, Some(face));
            }
            None => self.recount = true,
        }
        let sql = "UPDATE faces SET person = NULL, vector = NULL, score = NULL, sharpness = NULL, yaw_deg = NULL, pitch_deg = NULL, \
                   roll_deg = NULL, face_px = NULL, exposure = NULL, source = NULL, digest = NULL, metadata = NULL, sealed = NULL, \
                   created_ms = NULL, expires_ms = NULL, checksum = NULL, pad = NULL WHERE id = ?1";
        self.execute(sql, [face.0])?;
        self.state.faces = self.state.faces.saturating_sub(1);
        self.faces.insert(face.0);
        self.rewritten = true;
        Ok(())
    }

    /// Empties a person's row.
    fn erase_person(&mut self, person: PersonId) -> Result<()> {
        let mut found = None;
        self.snapshot().person_row(person, |row| {
            found = if let Checked::Good(person) = row { Some((person.mark, Box::<str>::from(person.name))) } else { None };
            Ok(())
        })?;
        match found {
            Some((mark, name)) => {
                self.mark_persons(mark);
                self.names.as_mut().and_then(|names| names.remove(canonical_name(&name).as_ref()));
            }
            None => self.recount = true,
        }
        let sql = "UPDATE persons SET person = NULL, name = NULL, sealed = NULL, created_ms = NULL, checksum = NULL WHERE person = ?1";
        self.execute(sql, [person.0])?;
        self.state.persons = self.state.persons.saturating_sub(1);
        self.note(person, None);
        self.rewritten = true;
        Ok(())
    }

    fn erase_if_without_faces(&mut self, person: PersonId) -> Result<()> {
        let find = || self.tx.prepare_cached("SELECT 1 FROM faces WHERE person = ?1")?.exists([person.0]);
        if find().map_err(|e| self.error(e))? { Ok(()) } else { self.erase_person(person) }
    }

    fn owner(&self, face: FaceId) -> Result<Option<PersonId>> {
        let find = || {
            let mut statement = self.tx.prepare_cached("SELECT person FROM faces WHERE id = ?1 AND person IS NOT NULL")?;
            statement.query_row([face.0], |row| row.get(0).map(PersonId)).optional()
        };
        find().map_err(|e| self.error(e))
    }

    /// Writes what this transaction did into the audit log.
    fn log(&mut self, action: Action, actor: &str) -> Result<()> {
        let find = || self.tx.query_row("SELECT seq FROM sqlite_sequence WHERE name = 'audit'", [], |row| row.get::<_, i64>(0)).optional();
        let last = find().map_err(|e| self.error(e))?.unwrap_or_default();
        let mut entry = AuditRow {
            id: last + 1,
            at_ms: self.now_ms,
            actor: actor.into(),
            action: action.code().into(),
            persons: ranges(&self.persons),
            faces: ranges(&self.faces),
            mark: 0,
        };
        let sql = format!("INSERT INTO audit ({AUDIT}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
        match self.cipher {
            Some(cipher) => {
                entry.mark = new_mark()?;
                let sealed = sealed::seal_audit(cipher, &entry)?;
                let none = None::<&str>;
                self.execute(&sql, params![entry.id, entry.at_ms, none, none, none, none, sealed, None::<i64>])?;
            }
            None => {
                entry.mark = entry.checksum();
                let sealed = None::<&[u8]>;
                let AuditRow { id, at_ms, actor, action, persons, faces, mark } = &entry;
                self.execute(&sql, params![id, at_ms, actor, action, persons, faces, sealed, mark])?;
            }
        }
        let marks = self.state.marks.get_or_insert_default();
        marks.audit ^= entry.mark;
        Ok(())
    }

    fn note(&mut self, person: PersonId, face: Option<FaceId>) {
        self.persons.insert(person.0);
        self.faces.extend(face.map(|face| face.0));
    }

    fn mark_persons(&mut self, mark: i64) {
        self.state.marks.get_or_insert_default().persons ^= mark;
    }

    fn mark_faces(&mut self, mark: i64) {
        self.state.marks.get_or_insert_default().faces ^= mark;
    }

    fn snapshot(&self) -> Snapshot<'_> {
        Snapshot::new(self.folder, &self.tx, FORMAT, self.cipher)
    }

    fn execute(&self, sql: &str, params: impl Params) -> Result<usize> {
        let run = || self.tx.prepare_cached(sql)?.execute(params);
        run().map_err(|e| self.error(e))
    }

    fn error(&self, source: rusqlite::Error) -> Error {
        error(self.folder, "write", source)
    }
}

/// The bytes that an integer takes in SQLite's record format.
fn integer_bytes(number: i64) -> i64 {
    match number {
        0 | 1 => 0,
        -0x80..=0x7f => 1,
        -0x8000..=0x7fff => 2,
        -0x80_0000..=0x7f_ffff => 3,
        -0x8000_0000..=0x7fff_ffff => 4,
        -0x8000_0000_0000..=0x7fff_ffff_ffff => 6,
        _ => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::ModelKey;
    use crate::gallery::key::GalleryKey;
    use crate::gallery::rows::vector_bytes;
    use crate::gallery::store::Store;

    fn row(vector: &[u8], person: PersonId) -> FaceRow<'_> {
        FaceRow {
            id: FaceId(0),
            person,
            vector,
            quality: None,
            source: Some("a.jpg"),
            digest: None,
            metadata: None,
            created_ms: 0,
            expires_ms: Some(i64::MAX),
            mark: 0,
        }
    }

    #[test]
    fn faces_change_hands_and_their_rows_keep_their_length() {
        for key in [None, Some(GalleryKey::bytes([3; 32]))] {
            let folder = tempfile::tempdir().expect("a folder");
            let model = ModelKey::new("m", "1");
            let mut store = Store::open_writer(folder.path(), Some(&model), key, "test", std::time::Duration::ZERO).expect("a store");
            let vector = vector_bytes(&[0.6, 0.8]);
            store
                .write(Action::Add, "test", |edit| {
                    // Ids of one, two and three bytes.
                    for number in 0..40_000 {
                        let (person, _) = edit.person(&format!("person {number}"))?;
                        if [0, 1, 300, 39_999].contains(&number) {
                            edit.add_face(row(&vector, person))?;
                        }
                    }
                    let ana = edit.find_person("person 0")?.expect("person 0");
                    edit.add_face(row(&vector, ana)).map(drop)
                })
                .expect("written");
            let lengths = |store: &Store| -> Vec<i64> {
                let sql = "SELECT length(person) * 0 + length(pad) + coalesce(length(vector), length(sealed)) FROM faces ORDER BY id";
                let mut statement = store.conn.prepare(sql).expect("a statement");
                statement.query_map([], |row| row.get(0)).expect("rows").map(|row| row.expect("a length")).collect()
            };
            let before = lengths(&store);
            let moved = store.write(Action::Merge, "test", |edit| {
                let to = edit.find_person("person 39999")?.expect("the last");
                edit.move_faces(&[FaceId(1), FaceId(2), FaceId(3), FaceId(4), FaceId(77)], to)
            });
            assert_eq!(moved.expect("moved"), 3, "face 4 is theirs, and there is no face 77");
            let change = lengths(&store).iter().zip(&before).map(|(now, then)| then - now).collect::<Vec<_>>();
            // A checksum may by chance be shorter.
            assert!(change[3..] == [0, 0] && change[..3].iter().all(|&c| (1..=5).contains(&c)), "{change:?}");
            let state = store.snapshot(|snapshot| {
                assert_eq!(Some(snapshot.marks()?), snapshot.state()?.marks);
                let owners = snapshot.owners()?.into_iter().map(|(face, person)| (face.0, person.0)).collect::<Vec<_>>();
                assert_eq!(owners, [(1, 40_000), (2, 40_000), (3, 40_000), (4, 40_000), (5, 1)]);
                snapshot.state()
            });
            let state = state.expect("the state");
            assert_eq!((state.faces, state.persons, state.rewritten), (5, 39_998, 2), "who has no face left is gone");
        }
    }

    #[test]
    fn integers_take_the_bytes_that_sqlite_gives_them() {
        let conn = rusqlite::Connection::open_in_memory().expect("a database");
        conn.execute_batch("CREATE TABLE t (a INTEGER, b BLOB)").expect("a table");
        for number in [0, 1, 2, 127, 128, -128, -129, 32767, 32768, 8_388_607, 8_388_608, i64::from(i32::MAX), 1 << 31, 1 << 47, i64::MIN] {
            conn.execute_batch("DELETE FROM t").expect("emptied");
            // dbstat counts the bytes of the only row: two bytes of types and one of the header's length besides the integer.
            conn.execute("INSERT INTO t VALUES (?1, NULL)", [number]).expect("a row");
            let payload: i64 = conn.query_row("SELECT payload FROM dbstat WHERE name = 't'", [], |row| row.get(0)).expect("its size");
            assert_eq!(payload - 3, integer_bytes(number), "{number}");
        }
    }
}
