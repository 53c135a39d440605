//! The gallery's rows as they come from the server and go to it. Each carries the same checksum as in a folder.

use serde_json::Value;
use tokio_postgres::Row;

use super::failure::Failure;
use super::param::Param;
use super::tx::Tx;
use crate::error::Result;
use crate::gallery::audit::AuditRow;
use crate::gallery::filter::SearchFilter;
use crate::gallery::records::{FaceId, PersonId, quality_from, quality_values};
use crate::gallery::rows::{FaceRow, PersonRow, vector_bytes};
use crate::gallery::store::Checked;

/// The columns of `faces f` that [`OwnedFace`] is read from.
pub(super) const FACE: &str = "f.id, f.person, f.vector::real[], f.score, f.sharpness, f.yaw_deg, f.pitch_deg, f.roll_deg, f.face_px, \
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
        let vector: Vec<f32> = row.get(2);
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
pub(super) struct FaceColumns {
    ids: Vec<i64>,
    persons: Vec<i64>,
    vectors: Vectors,
    quality: [Vec<Option<f32>>; 7],
    texts: [Vec<Option<String>>; 3],
    created: Vec<i64>,
    checksums: Vec<i64>,
    expires: Vec<Option<i64>>,
    entries: Vec<Option<String>>,
}

/// Vectors of one length, one after the other: pgvector's type has no number that is the same on every server.
pub(super) struct Vectors {
    dim: i32,
    values: Vec<f32>,
}

impl Vectors {
    pub(super) fn new(dim: usize) -> Self {
        Self { dim: i32::try_from(dim).unwrap_or(i32::MAX), values: Vec::new() }
    }

    pub(super) fn push(&mut self, vector: &[f32]) {
        self.values.extend_from_slice(vector);
    }

    pub(super) fn params(&self) -> [&dyn Param; 2] {
        [&self.dim, &self.values]
    }

    /// SQL for the vector of a row's `number`, from 1, by what stands for the [`params`](Self::params).
    pub(super) fn at(number: &str, dim: &str, values: &str) -> String {
        format!("({values}[({number} - 1) * {dim} + 1 : {number} * {dim}])::pgvector.vector")
    }
}

impl FaceColumns {
    /// For vectors of `dim` values.
    pub(super) fn new(dim: usize) -> Self {
        Self {
            ids: Vec::new(),
            persons: Vec::new(),
            vectors: Vectors::new(dim),
            quality: Default::default(),
            texts: Default::default(),
            created: Vec::new(),
            checksums: Vec::new(),
            expires: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// Takes a face; returns its checksum.
    pub(super) fn push(&mut self, vector: &[f32], face: &FaceRow<'_>) -> i64 {
        self.ids.push(face.id.0);
        self.persons.push(face.person.0);
        self.vectors.push(vector);
        let values = face.quality.as_ref().map(quality_values);
        for (index, column) in self.quality.iter_mut().enumerate() {
            column.push(values.map(|values| values[index]));
        }
        for (column, text) in self.texts.iter_mut().zip([face.source, face.digest, face.metadata]) {
            column.push(text.map(Into::into));
        }
        let checksum = face.checksum();
        self.created.push(face.created_ms);
        self.checksums.push(checksum);
        self.expires.push(face.expires_ms);
        self.entries.push(face.metadata.and_then(entries));
        checksum
    }

    pub(super) fn insert(&self, tx: &mut Tx<'_>) -> Result<(), Failure> {
        if self.ids.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "INSERT INTO gallery.faces (id, person, vector, score, sharpness, yaw_deg, pitch_deg, roll_deg, face_px, exposure, source, \
             digest, metadata, created_ms, checksum, entries, expires_ms) \
             SELECT a, b, {vector}, d, e, f, g, h, i, j, k, l, m, n, o, p::jsonb, q FROM \
             unnest($3::bigint[], $4::bigint[], $5::real[], $6::real[], $7::real[], $8::real[], $9::real[], $10::real[], $11::real[], \
             $12::text[], $13::text[], $14::text[], $15::bigint[], $16::bigint[], $17::text[], $18::bigint[]) \
             WITH ORDINALITY faces (a, b, d, e, f, g, h, i, j, k, l, m, n, o, p, q, number)",
            vector = Vectors::at("number", "$1", "$2"),
        );
        let mut params = self.vectors.params().to_vec();
        params.extend([&self.ids as &dyn Param, &self.persons]);
        params.extend(self.quality.iter().map(|column| column as &dyn Param));
        params.extend(self.texts.iter().map(|column| column as &dyn Param));
        params.extend([&self.created as &dyn Param, &self.checksums, &self.entries, &self.expires]);
        tx.execute(&sql, &params).map(drop)
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
