//! The key of an encrypted gallery: reading it, and changing it with everything that it seals.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::schema::AUDIT;
use super::{Checked, FORMAT, REMEDY, Snapshot, Store, corrupt, error, now_ms};
use crate::error::{Error, Result};
use crate::gallery::audit::Action;
use crate::gallery::crypto::{Cipher, Kdf, WrappedKey};
use crate::gallery::key::GalleryKey;
use crate::gallery::records::quality_values;
use crate::gallery::rows::{Fields, Marks, PersonRow};
use crate::gallery::sealed::{self, new_mark};

/// The wrapped key with its checksum; `None` in a plain gallery.
type Stored = Option<(WrappedKey, i64)>;

impl Store {
    /// Finds the cipher with the key that was given, or says why it does not fit.
    pub(super) fn unlock(&mut self) -> Result<()> {
        let stored = if self.format == FORMAT { self.stored_key()? } else { None };
        self.key_seen = stored.as_ref().map(|stored| stored.1);
        self.cipher = match (stored, &self.key) {
            (None, None) => None,
            (None, Some(_)) => return Err(self.wrong_key("it is not encrypted; open it without a key, or give it one with `set_key`")),
            (Some(_), None) => return Err(self.wrong_key("it is encrypted, and no key was given")),
            (Some((wrapped, checksum)), Some(key)) => {
                if key_checksum(&wrapped) != checksum {
                    return Err(corrupt(&self.folder, &format!("its stored key does not match its checksum; {REMEDY}")));
                }
                match Cipher::unwrap(key, &wrapped)? {
                    Some(cipher) => Some(cipher.into()),
                    None => return Err(self.wrong_key("it is encrypted with another key than the one given")),
                }
            }
        };
        Ok(())
    }

    /// Whether somebody changed the key since it was read.
    pub(super) fn key_changed(&self) -> Result<bool> {
        Ok(self.format == FORMAT && self.stored_key()?.map(|stored| stored.1) != self.key_seen)
    }

    pub(super) fn wrong_key(&self, reason: &str) -> Error {
        Error::WrongKey { path: self.folder.clone(), reason: reason.into() }
    }

    fn stored_key(&self) -> Result<Stored> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT salt, memory_kib, passes, lanes, sealed, checksum FROM key WHERE id = 1")
            .map_err(|e| self.error("read", e))?;
        let row = statement.query_row([], |row| {
            let numbers: [Option<u32>; 3] = [row.get(1)?, row.get(2)?, row.get(3)?];
            let kdf = match numbers {
                [Some(memory_kib), Some(passes), Some(lanes)] => Some(Kdf { memory_kib, passes, lanes }),
                _ => None,
            };
            Ok((WrappedKey { salt: row.get(0)?, kdf, sealed: row.get(4)? }, row.get(5)?))
        });
        row.optional().map_err(|e| self.error("read", e))
    }

    /// Seals everything anew under a new data key, which `key` opens; without one, everything becomes plain. All of it in one
    /// transaction: after a crash the gallery has the old key or the new one. What was written before stays in the file's free space
    /// until [`tidy`](Self::tidy).
    pub(in crate::gallery) fn set_key(&mut self, key: Option<GalleryKey>, actor: &str) -> Result<()> {
        let new = key.as_ref().map(Cipher::create).transpose()?;
        let (cipher, wrapped) = new.map_or((None, None), |(cipher, wrapped)| (Some(cipher), Some(wrapped)));
        let folder = self.folder.clone();
        let fail = |e| error(&folder, "write", e);
        let mut state = self.state()?;
        let old = self.cipher.clone();
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail)?;
        let from = Snapshot::new(&folder, &tx, FORMAT, old.as_deref());
        let marks = reseal(&from, &tx, cipher.as_ref(), &fail)?;
        if state.marks != Some(marks.0) {
            return Err(corrupt(&folder, &format!("rows were taken away or exchanged; {REMEDY}")));
        }
        tx.execute("DELETE FROM key", []).map_err(fail)?;
        if let Some(wrapped) = &wrapped {
            write_key(&tx, wrapped).map_err(fail)?;
        }
        state.marks = Some(marks.1);
        state.unclean = true;
        let mut edit = super::Edit::new(&folder, tx, cipher.as_ref(), state, self.names.take(), now_ms())?;
        edit.rewrite_all();
        self.names = edit.finish(Action::SetKey, actor)?.names;
        self.key = key;
        self.key_seen = wrapped.as_ref().map(key_checksum);
        self.cipher = cipher.map(Into::into);
        Ok(())
    }
}

/// The marks before and after.
type BothMarks = (Marks, Marks);

/// Rewrites every row of people, faces and the audit log with another cipher.
fn reseal(from: &Snapshot<'_>, tx: &Connection, to: Option<&Cipher>, fail: &impl Fn(rusqlite::Error) -> Error) -> Result<BothMarks> {
    let (mut before, mut after) = (Marks::default(), Marks::default());
    let damaged = |what: &str, id: i64| Err(from.corrupt(&format!("{what} {id} does not match its checksum, and the key stays as it is")));
    // Rows are collected by number first: what is being read is not changed under the reader.
    let (mut rows, mut entries) = (Vec::new(), Vec::new());
    from.scan_persons(0, |row| {
        rows.push(row.row());
        Ok(())
    })?;
    for number in rows {
        let mut update = || -> Result<()> {
            let mut new = None;
            from.scan_persons_at(number, |row| {
                let Checked::Good(person) = row else { return damaged("person", number) };
                let mut person = PersonRow { ..person };
                before.persons ^= person.mark;
                person.mark = if to.is_some() { new_mark()? } else { person.checksum() };
                after.persons ^= person.mark;
                let sealed = to.map(|to| sealed::seal_person(to, &person)).transpose()?;
                let plain = to.is_none();
                new = Some((plain.then(|| person.name.to_owned()), sealed, plain.then_some(person.mark)));
                Ok(())
            })?;
            let Some((name, sealed, checksum)) = new else { return Ok(()) };
            let sql = "UPDATE persons SET name = ?2, sealed = ?3, checksum = ?4 WHERE row = ?1";
            let done = tx.prepare_cached(sql).and_then(|mut update| update.execute(params![number, name, sealed, checksum]));
            done.map(drop).map_err(fail)
        };
        update()?;
    }
    for (face, _) in from.owners()? {
        let mut values = None;
        from.face(face, |row| {
            let Checked::Good(mut row) = row else { return damaged("face", face.0) };
            before.faces ^= row.mark;
            row.mark = if to.is_some() { new_mark()? } else { row.checksum() };
            after.faces ^= row.mark;
            let sql = "UPDATE faces SET vector = ?2, score = ?3, sharpness = ?4, yaw_deg = ?5, pitch_deg = ?6, roll_deg = ?7, \
                       face_px = ?8, exposure = ?9, source = ?10, digest = ?11, metadata = ?12, sealed = ?13, checksum = ?14 \
                       WHERE id = ?1";
            let plain = to.is_none();
            let sealed = to.map(|to| sealed::seal_face(to, &row)).transpose()?;
            let quality = row.quality.filter(|_| plain).map(|quality| quality_values(&quality).map(f64::from));
            let [score, sharpness, yaw, pitch, roll, px, exposure] = quality.map_or([None; 7], |values| values.map(Some));
            let text = |text: Option<&str>| text.filter(|_| plain).map(str::to_owned);
            let texts = [row.source, row.digest, row.metadata].map(text);
            let vector = plain.then(|| row.vector.to_vec());
            values = Some((sql, vector, [score, sharpness, yaw, pitch, roll, px, exposure], texts, sealed, plain.then_some(row.mark)));
            Ok(())
        })?;
        let Some((sql, vector, q, texts, sealed, checksum)) = values else { continue };
        let [source, digest, metadata] = texts;
        let values = params![face.0, vector, q[0], q[1], q[2], q[3], q[4], q[5], q[6], source, digest, metadata, sealed, checksum];
        tx.prepare_cached(sql).and_then(|mut update| update.execute(values)).map_err(fail)?;
    }
    from.scan_audit(0, usize::MAX, |row| match row {
        Checked::Good(entry) => {
            entries.push(entry);
            Ok(())
        }
        Checked::Damaged(id) => damaged("audit entry", id),
    })?;
    for mut entry in entries {
        before.audit ^= entry.mark;
        entry.mark = if to.is_some() { new_mark()? } else { entry.checksum() };
        after.audit ^= entry.mark;
        let sealed = to.map(|to| sealed::seal_audit(to, &entry)).transpose()?;
        let plain = |text: &str| to.is_none().then(|| text.to_owned());
        let sql = format!("REPLACE INTO audit ({AUDIT}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
        let [actor, action, persons, faces] = [&entry.actor, &entry.action, &entry.persons, &entry.faces].map(|text| plain(text));
        let values = params![entry.id, entry.at_ms, actor, action, persons, faces, sealed, to.is_none().then_some(entry.mark)];
        tx.prepare_cached(&sql).and_then(|mut replace| replace.execute(values)).map_err(fail)?;
    }
    Ok((before, after))
}

pub(super) fn write_key(conn: &Connection, wrapped: &WrappedKey) -> rusqlite::Result<()> {
    let sql = "INSERT INTO key (id, salt, memory_kib, passes, lanes, sealed, checksum) VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6)";
    let [memory, passes, lanes] = match wrapped.kdf {
        Some(Kdf { memory_kib, passes, lanes }) => [memory_kib, passes, lanes].map(Some),
        None => [None; 3],
    };
    conn.execute(sql, params![wrapped.salt, memory, passes, lanes, wrapped.sealed, key_checksum(wrapped)]).map(drop)
}

pub(super) fn key_checksum(wrapped: &WrappedKey) -> i64 {
    let mut fields = Fields::new("key");
    fields.bytes(&wrapped.salt);
    for number in wrapped.kdf.iter().flat_map(|kdf| [kdf.memory_kib, kdf.passes, kdf.lanes]) {
        fields.number(i64::from(number));
    }
    fields.bytes(&wrapped.sealed);
    fields.checksum()
}
