//! Rows of an encrypted gallery: everything about a person, a face or a change in one sealed piece.
//!
//! A piece is bound to its table and to what stands beside it in plain columns (ids and times), so that it opens in its own row
//! only. The first thing in it is the row's mark.

use super::audit::AuditRow;
use super::crypto::{Cipher, random};
use super::records::quality_from;
use super::rows::{FaceRow, Fields, Marks, PersonRow, State};
use crate::error::Result;

/// A number that no other row has and nobody can guess.
pub(super) fn new_mark() -> Result<i64> {
    let mut mark = [0; 8];
    random(&mut mark)?;
    Ok(i64::from_le_bytes(mark))
}

/// Seals a person under their mark.
pub(super) fn seal_person(cipher: &Cipher, person: &PersonRow<'_>) -> Result<Vec<u8>> {
    let mut fields = Fields(Vec::new());
    fields.number(person.mark);
    fields.bytes(person.name.as_bytes());
    cipher.seal(&person_context(person), &fields.0)
}

/// The person in `sealed`, whose plain columns are those of `row`. `None` when it is not what was sealed there.
pub(super) fn open_person<'b>(cipher: &Cipher, row: PersonRow<'_>, sealed: &[u8], buffer: &'b mut Vec<u8>) -> Option<PersonRow<'b>> {
    *buffer = cipher.open(&person_context(&row), sealed).ok()?;
    let mut rest = Rest(buffer);
    let (mark, name) = (rest.number()?, rest.text()?);
    Some(PersonRow { row: row.row, id: row.id, created_ms: row.created_ms, name, mark })
}

/// Seals a face under its mark.
pub(super) fn seal_face(cipher: &Cipher, face: &FaceRow<'_>) -> Result<Vec<u8>> {
    let mut fields = Fields(Vec::with_capacity(face.vector.len() + 256));
    fields.number(face.mark);
    fields.details(face);
    cipher.seal(&face_context(face), &fields.0)
}

/// The face in `sealed`, whose plain columns are those of `row`. `None` when it is not what was sealed there.
pub(super) fn open_face<'b>(cipher: &Cipher, row: FaceRow<'_>, sealed: &[u8], buffer: &'b mut Vec<u8>) -> Option<FaceRow<'b>> {
    *buffer = cipher.open(&face_context(&row), sealed).ok()?;
    let mut rest = Rest(buffer);
    let (mark, vector) = (rest.number()?, rest.bytes()?);
    let mut quality = None;
    if rest.number()? == 1 {
        let mut values = [0.0; 7];
        for value in &mut values {
            *value = f32::from_bits(rest.number()? as u32);
        }
        quality = Some(quality_from(values));
    }
    let mut optional = || {
        let there = rest.number()? == 1;
        rest.text().map(|text| there.then_some(text))
    };
    let (source, digest, metadata) = (optional()?, optional()?, optional()?);
    let FaceRow { id, person, created_ms, expires_ms, .. } = row;
    Some(FaceRow { id, person, vector, quality, source, digest, metadata, created_ms, expires_ms, mark })
}

/// Seals an entry of the audit log under its mark.
pub(super) fn seal_audit(cipher: &Cipher, entry: &AuditRow) -> Result<Vec<u8>> {
    let mut fields = Fields(Vec::new());
    fields.number(entry.mark);
    for text in [&entry.actor, &entry.action, &entry.persons, &entry.faces] {
        fields.bytes(text.as_bytes());
    }
    cipher.seal(&audit_context(entry.id, entry.at_ms), &fields.0)
}

/// The entry in `sealed`. `None` when it is not what was sealed there.
pub(super) fn open_audit(cipher: &Cipher, id: i64, at_ms: i64, sealed: &[u8]) -> Option<AuditRow> {
    let opened = cipher.open(&audit_context(id, at_ms), sealed).ok()?;
    let mut rest = Rest(&opened);
    let mark = rest.number()?;
    let mut text = || rest.text().map(str::to_owned);
    Some(AuditRow { id, at_ms, actor: text()?, action: text()?, persons: text()?, faces: text()?, mark })
}

/// The marks as they are stored in the state: sealed and bound to the rest of it, or plain.
pub(super) fn store_marks(cipher: Option<&Cipher>, state: &State) -> Result<Vec<u8>> {
    let marks = state.marks.unwrap_or_default().to_bytes();
    cipher.map_or_else(|| Ok(marks.to_vec()), |cipher| cipher.seal(&state.fields().0, &marks))
}

/// The inverse of [`store_marks`].
pub(super) fn read_marks(cipher: Option<&Cipher>, state: &State, stored: &[u8]) -> Option<Marks> {
    match cipher {
        Some(cipher) => Marks::from_bytes(&cipher.open(&state.fields().0, stored).ok()?),
        None => Marks::from_bytes(stored),
    }
}

fn person_context(row: &PersonRow<'_>) -> Vec<u8> {
    context("person", &[row.row, row.id.0, row.created_ms])
}

fn face_context(row: &FaceRow<'_>) -> Vec<u8> {
    context("face", &[row.id.0, row.person.0, row.created_ms, i64::from(row.expires_ms.is_some()), row.expires_ms.unwrap_or_default()])
}

fn audit_context(id: i64, at_ms: i64) -> Vec<u8> {
    context("audit", &[id, at_ms])
}

fn context(kind: &str, numbers: &[i64]) -> Vec<u8> {
    let mut fields = Fields::new(kind);
    numbers.iter().for_each(|&number| fields.number(number));
    fields.0
}

/// What is left to read of opened data; the inverse of [`Fields`].
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn number(&mut self) -> Option<i64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(i64::from_le_bytes(*number))
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }
}
