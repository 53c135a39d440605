//! The rows of the gallery's tables, and the checksum that each carries.
//!
//! SQLite finds damage to its own structures, not a flipped bit inside a value. Every row therefore holds the first 8
//! bytes of a SHA-256 over all its values, and is compared whenever it is read: a damaged vector or name is reported,
//! never used. In an encrypted gallery the row is sealed instead, see `sealed`.
//!
//! Every row also has a mark, 8 bytes that no other row has: its checksum, or a random number inside the seal. The state holds
//! the XOR of all marks, so that rows cannot be taken away, brought back or exchanged for older ones unnoticed; under
//! encryption not even on purpose, since nobody without the key knows a mark.

use sha2::{Digest, Sha256};

use super::records::{FaceId, FaceRecord, PersonId, quality_from, quality_values};
use crate::face::{ModelKey, Quality};

/// The gallery as a whole: one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    /// Number of write transactions so far.
    pub(super) generation: u64,
    /// The last generation that removed or renamed something, rather than only adding.
    pub(super) rewritten: u64,
    pub(super) faces: u64,
    pub(super) persons: u64,
    /// Length of the vectors, 0 until there is one.
    pub(super) dim: usize,
    pub(super) model: ModelKey,
    /// The file has free space that may hold what was removed or what is encrypted by now: it has to be made anew.
    pub(super) unclean: bool,
    /// `None` in a gallery of format 1.
    pub(super) marks: Option<Marks>,
}

impl State {
    /// What is said about the gallery as a whole but for the marks, as bytes.
    pub(super) fn fields(&self) -> Fields {
        let mut fields = Fields::new("state");
        for number in [self.generation, self.rewritten, self.faces, self.persons, self.dim as u64] {
            fields.number(number as i64);
        }
        fields.bytes(self.model.id.as_bytes());
        fields.bytes(self.model.hash.as_bytes());
        if self.unclean {
            fields.number(1);
        }
        fields
    }

    /// `marks` as they are stored.
    pub(super) fn checksum(&self, marks: Option<&[u8]>) -> i64 {
        let mut fields = self.fields();
        marks.inspect(|marks| fields.bytes(marks));
        fields.checksum()
    }
}

/// The XOR of the marks of all rows, by table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Marks {
    pub(super) persons: i64,
    pub(super) faces: i64,
    pub(super) audit: i64,
}

impl Marks {
    pub(super) fn to_bytes(self) -> [u8; 24] {
        let mut bytes = [0; 24];
        for (place, mark) in bytes.chunks_mut(8).zip([self.persons, self.faces, self.audit]) {
            place.copy_from_slice(&mark.to_le_bytes());
        }
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&[persons, faces, audit], []) = bytes.as_chunks().0.split_first_chunk::<3>()? else { return None };
        let rest = bytes.len().is_multiple_of(8);
        rest.then(|| Self { persons: i64::from_le_bytes(persons), faces: i64::from_le_bytes(faces), audit: i64::from_le_bytes(audit) })
    }
}

/// A person without the count of faces.
#[derive(Debug, Clone, Copy)]
pub(super) struct PersonRow<'a> {
    /// The row's own number: a new name is a new row.
    pub(super) row: i64,
    pub(super) id: PersonId,
    pub(super) name: &'a str,
    pub(super) created_ms: i64,
    /// Known of a row that was read or sealed.
    pub(super) mark: i64,
}

impl PersonRow<'_> {
    pub(super) fn checksum(&self) -> i64 {
        let mut fields = Fields::new("person");
        fields.number(self.id.0);
        fields.bytes(self.name.as_bytes());
        fields.number(self.created_ms);
        fields.checksum()
    }
}

/// A face with its vector as little-endian bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct FaceRow<'a> {
    pub(super) id: FaceId,
    pub(super) person: PersonId,
    pub(super) vector: &'a [u8],
    pub(super) quality: Option<Quality>,
    pub(super) source: Option<&'a str>,
    pub(super) digest: Option<&'a str>,
    pub(super) metadata: Option<&'a str>,
    pub(super) created_ms: i64,
    pub(super) expires_ms: Option<i64>,
    /// Known of a row that was read or sealed.
    pub(super) mark: i64,
}

impl FaceRow<'_> {
    pub(super) fn checksum(&self) -> i64 {
        let mut fields = Fields::new("face");
        fields.number(self.id.0);
        fields.number(self.person.0);
        fields.details(self);
        fields.number(self.created_ms);
        // In this way rows of format 1 keep their checksums.
        self.expires_ms.inspect(|&ms| fields.number(ms));
        fields.checksum()
    }

    /// Whether its time has come; `now_ms` is in milliseconds since 1970 UTC.
    pub(super) fn is_expired(&self, now_ms: i64) -> bool {
        self.expires_ms.is_some_and(|time| time <= now_ms)
    }

    pub(super) fn record(&self) -> FaceRecord {
        FaceRecord {
            id: self.id,
            person: self.person,
            quality: self.quality,
            source: self.source.map(Into::into),
            digest: self.digest.map(Into::into),
            metadata: self.metadata.map(Into::into),
            created_ms: self.created_ms,
            expires_ms: self.expires_ms,
        }
    }
}

/// The values of a stored vector; a rest of fewer than 4 bytes is left to the checksum to find.
pub(super) fn vector_values(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.as_chunks().0.iter().map(|&value| f32::from_le_bytes(value))
}

/// The bytes in which a vector is stored.
pub(super) fn vector_bytes(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// A quality from its seven columns; all or none must be there.
pub(super) fn quality_columns(columns: [Option<f64>; 7]) -> Option<Quality> {
    let mut values = [0.0; 7];
    for (value, column) in values.iter_mut().zip(columns) {
        *value = column? as f32;
    }
    Some(quality_from(values))
}

/// Values as bytes, length-prefixed, so that no two different rows give the same bytes.
pub(super) struct Fields(pub(super) Vec<u8>);

impl Fields {
    pub(super) fn new(kind: &str) -> Self {
        let mut fields = Self(Vec::new());
        fields.bytes(kind.as_bytes());
        fields
    }

    pub(super) fn number(&mut self, number: i64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as i64);
        self.0.extend_from_slice(bytes);
    }

    /// What is known about a face but its ids and times.
    pub(super) fn details(&mut self, face: &FaceRow<'_>) {
        self.bytes(face.vector);
        self.number(i64::from(face.quality.is_some()));
        for value in face.quality.iter().flat_map(quality_values) {
            self.number(i64::from(value.to_bits()));
        }
        for text in [face.source, face.digest, face.metadata] {
            self.number(i64::from(text.is_some()));
            self.bytes(text.unwrap_or_default().as_bytes());
        }
    }

    /// The first 8 bytes of their SHA-256.
    pub(super) fn checksum(&self) -> i64 {
        let hash = Sha256::digest(&self.0);
        let mut first = [0; 8];
        first.copy_from_slice(&hash[..8]);
        i64::from_le_bytes(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_of_a_face_is_in_its_checksum() {
        let vector = vector_bytes(&[0.6, 0.8]);
        let row = FaceRow {
            id: FaceId(7),
            person: PersonId(3),
            vector: &vector,
            quality: Some(quality_from([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])),
            source: Some("a.jpg"),
            digest: None,
            metadata: Some("{}"),
            created_ms: 12,
            expires_ms: None,
            mark: 0,
        };
        let mut flipped = vector.clone();
        flipped[5] ^= 1;
        let changed = [
            FaceRow { id: FaceId(8), ..row },
            FaceRow { person: PersonId(4), ..row },
            FaceRow { vector: &flipped, ..row },
            FaceRow { quality: None, ..row },
            FaceRow { quality: Some(quality_from([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.75])), ..row },
            FaceRow { source: Some("b.jpg"), ..row },
            FaceRow { source: None, digest: Some("a.jpg"), ..row },
            FaceRow { metadata: None, ..row },
            FaceRow { created_ms: 13, ..row },
            FaceRow { expires_ms: Some(12), ..row },
        ];
        for other in changed {
            assert_ne!(other.checksum(), row.checksum(), "{other:?}");
        }
        assert_eq!(vector_values(&vector).collect::<Vec<_>>(), [0.6, 0.8]);
        assert_eq!(row.record().source.as_deref(), Some("a.jpg"));
    }
}
