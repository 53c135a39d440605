//! The rows of the gallery's tables, and the checksum that each carries.
//!
//! SQLite finds damage to its own structures, not a flipped bit inside a value. Every row therefore holds the first 8
//! bytes of a SHA-256 over all its values, and is compared whenever it is read: a damaged vector or name is reported,
//! never used.

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
}

impl State {
    pub(super) fn checksum(&self) -> i64 {
        let mut sum = Checksum::new("state");
        for number in [self.generation, self.rewritten, self.faces, self.persons, self.dim as u64] {
            sum.number(number as i64);
        }
        sum.bytes(self.model.id.as_bytes());
        sum.bytes(self.model.hash.as_bytes());
        sum.finish()
    }
}

/// A person without the count of faces.
#[derive(Debug, Clone, Copy)]
pub(super) struct PersonRow<'a> {
    pub(super) id: PersonId,
    pub(super) name: &'a str,
    pub(super) created_ms: i64,
}

impl PersonRow<'_> {
    pub(super) fn checksum(&self) -> i64 {
        let mut sum = Checksum::new("person");
        sum.number(self.id.0);
        sum.bytes(self.name.as_bytes());
        sum.number(self.created_ms);
        sum.finish()
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
}

impl FaceRow<'_> {
    pub(super) fn checksum(&self) -> i64 {
        let mut sum = Checksum::new("face");
        sum.number(self.id.0);
        sum.number(self.person.0);
        sum.bytes(self.vector);
        sum.number(i64::from(self.quality.is_some()));
        for value in self.quality.iter().flat_map(quality_values) {
            sum.number(i64::from(value.to_bits()));
        }
        for text in [self.source, self.digest, self.metadata] {
            sum.number(i64::from(text.is_some()));
            sum.bytes(text.unwrap_or_default().as_bytes());
        }
        sum.number(self.created_ms);
        sum.finish()
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

/// Length-prefixed, so that no two different rows feed the hash the same bytes.
struct Checksum(Sha256);

impl Checksum {
    fn new(kind: &str) -> Self {
        let mut sum = Self(Sha256::new());
        sum.bytes(kind.as_bytes());
        sum
    }

    fn number(&mut self, number: i64) {
        self.0.update(number.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as i64);
        self.0.update(bytes);
    }

    fn finish(self) -> i64 {
        let hash = self.0.finalize();
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
        ];
        for other in changed {
            assert_ne!(other.checksum(), row.checksum(), "{other:?}");
        }
        assert_eq!(vector_values(&vector).collect::<Vec<_>>(), [0.6, 0.8]);
        assert_eq!(row.record().source.as_deref(), Some("a.jpg"));
    }
}
