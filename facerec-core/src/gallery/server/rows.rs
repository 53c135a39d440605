//! The gallery's rows as they come from the server and go to it. Each carries the same checksum as in a folder.

use pgvector::Vector;
use postgres::Row;
use serde_json::Value;

use super::failure::Failure;
use super::pool::Tx;
use crate::error::Result;
use crate::gallery::audit::AuditRow;
use crate::gallery::filter::SearchFilter;
use crate::gallery::records::{FaceId, PersonId, quality_from, quality_values};
use crate::gallery::rows::{FaceRow, PersonRow, vector_bytes};
use crate::gallery::store::Checked;

/// The columns of `faces f` that [`OwnedFace`] is read from.
pub(super) const FACE: &str = "f.id, f.person, f.vector, f.score, f.sharpness, f.yaw_deg, f.pitch_deg, f.roll_deg, f.face_px, \
                               f.exposure, f.source, f.digest, f.metadata, f.created_ms, f.checksum, f.expires_ms";
const FACE_COLUMNS: usize = 16;
/// Of `faces f`, those whose time has not come by `$1`, in milliseconds since 1970 UTC.
pub(super) const CURRENT: &str = "(f.expires_ms IS NULL OR f.expires_ms > $1)";
/// The columns of `persons p` that [`person`] is read from, after those of a face.
pub(super) const PERSON: &str = "p.id, p.name, p.created_ms, p.checksum";
/// Faces that are sent at once: 2 MB of vectors at 512 values.
pub(super) const ROWS_AT_ONCE: usize = 1000;

/// A row of `faces`.
pub(super) struct OwnedFace {
    row: Row,
    pub(super) vector: Vec<f32>,
    bytes: Vec<u8>,
}

impl OwnedFace {
    pub(super) fn new(row: Row) -> Self {
        let vector: Vec<f32> = row.get::<_, Vector>(2).into();
        let bytes = vector_bytes(&vector);
        Self { row, vector, bytes }
    }

    /// The face, when its values match its checksum.
    pub(super) fn checked(&self) -> Checked<FaceRow<'_>> {
        let row = &self.row;
        let mut values = [0.0; 7];
        let mut whole = true;
        for (column, value) in (3..).zip(&mut values) {
            match row.get::<_, Option<f32>>(column) {
                Some(there) => *value = there,
                None => whole = false,
            }
        }
        let face = FaceRow {
            id: FaceId(row.get(0)),
            person: PersonId(row.get(1)),
            vector: &self.bytes,
            quality: whole.then(|| quality_from(values)),
            source: row.get(10),
            digest: row.get(11),
            metadata: row.get(12),
            created_ms: row.get(13),
            expires_ms: row.get(15),
            mark: row.get(14),
        };
        if face.checksum() == face.mark { Checked::Good(face) } else { Checked::Damaged(face.id.0) }
    }

    /// Their person, when [`PERSON`] was asked for too.
    pub(super) fn person(&self) -> Checked<PersonRow<'_>> {
        person(&self.row, FACE_COLUMNS)
    }
}

/// A row of `persons` that begins at column `first`.
pub(super) fn person(row: &Row, first: usize) -> Checked<PersonRow<'_>> {
    let id: i64 = row.get(first);
    let (name, created_ms, mark) = (row.get(first + 1), row.get(first + 2), row.get(first + 3));
    let person = PersonRow { row: id, id: PersonId(id), name, created_ms, mark };
    if person.checksum() == mark { Checked::Good(person) } else { Checked::Damaged(person.id.0) }
}

/// The columns of `audit` that [`entry`] is read from.
pub(super) const ENTRY: &str = "id, at_ms, actor, action, persons, faces, checksum";

/// A row of `audit`.
pub(super) fn entry(row: &Row) -> Checked<AuditRow> {
    let (persons, faces, mark) = (row.get(4), row.get(5), row.get(6));
    let entry = AuditRow { id: row.get(0), at_ms: row.get(1), actor: row.get(2), action: row.get(3), persons, faces, mark };
    if entry.checksum() == mark { Checked::Good(entry) } else { Checked::Damaged(entry.id) }
}

/// Faces on their way to the server, column by column.
#[derive(Default)]
pub(super) struct FaceColumns {
    ids: Vec<i64>,
    persons: Vec<i64>,
    vectors: Vec<Vector>,
    quality: [Vec<Option<f32>>; 7],
    texts: [Vec<Option<String>>; 3],
    created: Vec<i64>,
    checksums: Vec<i64>,
    expires: Vec<Option<i64>>,
    entries: Vec<Option<String>>,
}

impl FaceColumns {
    pub(super) fn push(&mut self, vector: Vec<f32>, face: &FaceRow<'_>) {
        self.ids.push(face.id.0);
        self.persons.push(face.person.0);
        self.vectors.push(vector.into());
        let values = face.quality.as_ref().map(quality_values);
        for (index, column) in self.quality.iter_mut().enumerate() {
            column.push(values.map(|values| values[index]));
        }
        for (column, text) in self.texts.iter_mut().zip([face.source, face.digest, face.metadata]) {
            column.push(text.map(Into::into));
        }
        self.created.push(face.created_ms);
        self.checksums.push(face.checksum());
        self.expires.push(face.expires_ms);
        self.entries.push(face.metadata.and_then(entries));
    }

    pub(super) fn insert(&self, tx: &mut Tx<'_>) -> Result<(), Failure> {
        if self.ids.is_empty() {
            return Ok(());
        }
        let sql = "INSERT INTO faces (id, person, vector, score, sharpness, yaw_deg, pitch_deg, roll_deg, face_px, exposure, source, digest, \
                   metadata, created_ms, checksum, entries, expires_ms) SELECT a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p::jsonb, q FROM \
                   unnest($1::bigint[], $2::bigint[], $3::vector[], $4::real[], $5::real[], $6::real[], $7::real[], $8::real[], $9::real[], \
                   $10::real[], $11::text[], $12::text[], $13::text[], $14::bigint[], $15::bigint[], $16::text[], $17::bigint[]) \
                   faces (a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q)";
        let [score, sharpness, yaw, pitch, roll, px, exposure] = &self.quality;
        let [source, digest, metadata] = &self.texts;
        tx.execute(
            sql,
            &[
                &self.ids,
                &self.persons,
                &self.vectors,
                score,
                sharpness,
                yaw,
                pitch,
                roll,
                px,
                exposure,
                source,
                digest,
                metadata,
                &self.created,
                &self.checksums,
                &self.entries,
                &self.expires,
            ],
        )
        .map(drop)
    }
}

/// Metadata as PostgreSQL may hold it: written as our parser reads it, so that equal values are equal texts, and without the
/// character 0, which `jsonb` refuses. What it finds is looked at again.
fn entries(metadata: &str) -> Option<String> {
    let parsed: Value = serde_json::from_str(metadata).ok()?;
    Some(without_zero(parsed).to_string())
}

/// The entries that a filter asks for, in the same form; `None` when it asks for none.
pub(super) fn wanted(filter: &SearchFilter) -> Option<String> {
    (!filter.metadata.is_empty()).then(|| without_zero(Value::Object(filter.metadata.clone())).to_string())
}

fn without_zero(value: Value) -> Value {
    let clean = |text: String| if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text };
    match value {
        Value::String(text) => Value::String(clean(text)),
        Value::Array(values) => values.into_iter().map(without_zero).collect(),
        Value::Object(map) => map.into_iter().map(|(key, value)| (clean(key), without_zero(value))).collect(),
        other => other,
    }
}
