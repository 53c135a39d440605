//! An import: a thousand faces at a time, all in one transaction.

use std::collections::HashSet;

use super::change::Change;
use super::failure::Failure;
use super::rows::{FaceColumns, ROWS_AT_ONCE, Vectors};
use super::tx::Tx;
use super::{edit, schema};
use crate::error::{Error, Result};
use crate::face::Quality;
use crate::gallery::audit::Action;
use crate::gallery::records::{FaceId, ImportReport, PersonId};
use crate::gallery::rows::{FaceRow, vector_bytes, vector_values};
use crate::gallery::source::Sink;

/// A face of the import that waits to be sent.
struct Waiting {
    name: String,
    vector: Vec<f32>,
    quality: Option<Quality>,
    source: Option<String>,
    digest: Option<String>,
    metadata: Option<String>,
    created_ms: i64,
    expires_ms: Option<i64>,
}

/// An import into a gallery on a server.
pub(super) struct ServerSink<'t, 'a> {
    tx: &'t mut Tx<'a>,
    waiting: Vec<Waiting>,
    report: ImportReport,
    change: Change,
    /// What the server said, which [`Sink`] has no room for.
    failure: Option<Failure>,
}

impl<'t, 'a> ServerSink<'t, 'a> {
    pub(super) fn new(tx: &'t mut Tx<'a>) -> Self {
        let report = ImportReport { persons: 0, faces: 0, duplicates: 0 };
        Self { tx, waiting: Vec::new(), report, change: Change::new(Action::Import), failure: None }
    }

    /// The failure behind the error that the import ended with.
    pub(super) fn failure(&mut self, error: Error) -> Failure {
        self.failure.take().unwrap_or_else(|| error.into())
    }

    /// What the import changed.
    pub(super) fn change(self) -> Option<Change> {
        self.change.made()
    }

    fn send(&mut self) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        self.send_all(&waiting).map_err(|failure| {
            let error = Error::internal("the import failed");
            self.failure = Some(failure);
            error
        })
    }

    fn send_all(&mut self, waiting: &[Waiting]) -> Result<(), Failure> {
        let Some(first) = waiting.first() else { return Ok(()) };
        schema::fix_dim(self.tx, first.vector.len())?;
        if let Some(other) = waiting.iter().find(|face| face.vector.len() != first.vector.len()) {
            let (expected, actual) = (first.vector.len(), other.vector.len());
            return Err(Error::DimensionMismatch { what: "embedding", expected, actual }.into());
        }
        let people = edit::people(self.tx, waiting.iter().map(|face| face.name.as_str()), &mut self.change)?;
        let owner = |face: &Waiting| people.get(&face.name).map_or(PersonId(0), |person| person.0);
        self.report.persons += people.values().filter(|person| person.1).count();
        let mut there = HashSet::new();
        let dim = first.vector.len();
        let known = self.known(dim, waiting.iter().map(|face| (owner(face), &face.vector)))?;
        let new: Vec<(&Waiting, Vec<u8>)> = (0..)
            .zip(waiting)
            .map(|(number, face)| (number, face, vector_bytes(&face.vector)))
            .filter(|(number, face, bytes)| !known.contains(number) && there.insert((owner(face), bytes.clone())))
            .map(|(_, face, bytes)| (face, bytes))
            .collect();
        let ids = edit::new_ids(self.tx, "face_ids", new.len())?;
        let now_ms = edit::now_ms();
        let mut columns = FaceColumns::new(dim);
        for (id, (face, bytes)) in ids.into_iter().zip(&new) {
            let row = FaceRow {
                id: FaceId(id),
                person: owner(face),
                vector: bytes,
                quality: face.quality,
                source: face.source.as_deref(),
                digest: face.digest.as_deref(),
                metadata: face.metadata.as_deref(),
                created_ms: if face.created_ms == 0 { now_ms } else { face.created_ms },
                expires_ms: face.expires_ms,
                mark: 0,
            };
            self.change.persons.insert(row.person.0);
            self.change.faces.insert(id);
            self.change.face_row(1, columns.push(&face.vector, &row));
        }
        columns.insert(self.tx)?;
        self.report.faces += new.len();
        self.report.duplicates += waiting.len() - new.len();
        Ok(())
    }

    /// The positions of those whose person has the very same vector already, bit by bit.
    fn known<'v>(&mut self, dim: usize, faces: impl Iterator<Item = (PersonId, &'v Vec<f32>)>) -> Result<HashSet<i64>, Failure> {
        let (mut people, mut vectors): (Vec<i64>, _) = (Vec::new(), Vectors::new(dim));
        for (person, vector) in faces {
            people.push(person.0);
            vectors.push(vector);
        }
        let sql = format!(
            "SELECT DISTINCT number - 1 FROM unnest($3::bigint[]) WITH ORDINALITY new (person, number) JOIN gallery.faces f \
             ON f.person = new.person AND pgvector.vector_send(f.vector) = pgvector.vector_send({})",
            Vectors::at("number", "$1", "$2")
        );
        let [dim, values] = vectors.params();
        Ok(self.tx.query(&sql, &[dim, values, &people])?.iter().map(|row| row.get(0)).collect())
    }
}

impl Sink for ServerSink<'_, '_> {
    fn take(&mut self, name: &str, face: FaceRow<'_>) -> Result<()> {
        edit::check_text(face.source)?;
        self.waiting.push(Waiting {
            name: name.into(),
            vector: vector_values(face.vector).collect(),
            quality: face.quality,
            source: face.source.map(Into::into),
            digest: face.digest.map(Into::into),
            metadata: face.metadata.map(Into::into),
            created_ms: face.created_ms,
            expires_ms: face.expires_ms,
        });
        if self.waiting.len() >= ROWS_AT_ONCE { self.send() } else { Ok(()) }
    }

    fn finish(&mut self) -> Result<ImportReport> {
        self.send()?;
        Ok(self.report)
    }
}
