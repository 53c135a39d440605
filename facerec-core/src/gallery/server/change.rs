//! What a transaction changed: for the audit log, for the state of the gallery, and to know whether it changed anything.

use std::collections::BTreeSet;

use super::edit::now_ms;
use super::failure::Failure;
use super::tx::Tx;
use crate::error::Result;
use crate::gallery::audit::{Action, AuditRow, ranges};
use crate::gallery::rows::Marks;

/// A change, with the ids that it was about.
#[derive(Debug)]
pub(super) struct Change {
    action: Action,
    pub(super) persons: BTreeSet<i64>,
    pub(super) faces: BTreeSet<i64>,
    rows: Rows,
}

/// How the rows of the gallery became more or fewer, and others: the state says of all of them how many there are, and the XOR of their
/// checksums, so that a row that is taken away or brought back is noticed.
#[derive(Debug, Default)]
struct Rows {
    persons: i64,
    faces: i64,
    marks: Marks,
}

impl Change {
    pub(super) fn new(action: Action) -> Self {
        Self { action, persons: BTreeSet::new(), faces: BTreeSet::new(), rows: Rows::default() }
    }

    /// A row of a person that came (1) or went (-1).
    pub(super) fn person_row(&mut self, more: i64, checksum: i64) {
        self.rows.persons += more;
        self.rows.marks.persons ^= checksum;
    }

    /// A row of a face that came (1) or went (-1).
    pub(super) fn face_row(&mut self, more: i64, checksum: i64) {
        self.rows.faces += more;
        self.rows.marks.faces ^= checksum;
    }

    /// Takes over the rows of `other`, a change that was made and logged before in the same transaction.
    pub(super) fn join(&mut self, other: &Self) {
        self.rows.persons += other.rows.persons;
        self.rows.faces += other.rows.faces;
        self.rows.marks.persons ^= other.rows.marks.persons;
        self.rows.marks.faces ^= other.rows.marks.faces;
        self.rows.marks.audit ^= other.rows.marks.audit;
    }

    /// The change, when there was any.
    pub(super) fn made(self) -> Option<Self> {
        (!self.persons.is_empty() || !self.faces.is_empty()).then_some(self)
    }

    /// Writes it into the audit log.
    pub(super) fn log(&mut self, tx: &mut Tx<'_>, actor: &str) -> Result<Logged, Failure> {
        let id: i64 = tx.one("SELECT nextval('gallery.audit_ids')", &[])?.get(0);
        let (persons, faces) = (ranges(&self.persons), ranges(&self.faces));
        let entry = AuditRow { id, at_ms: now_ms(), actor: actor.into(), action: self.action.code().into(), persons, faces, mark: 0 };
        let sql = "INSERT INTO gallery.audit (id, at_ms, actor, action, persons, faces, checksum) VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let AuditRow { at_ms, actor, action, persons, faces, .. } = &entry;
        let checksum = entry.checksum();
        tx.execute(sql, &[&id, at_ms, actor, action, persons, faces, &checksum])?;
        self.rows.marks.audit ^= checksum;
        Ok(Logged { id, checksum })
    }

    /// Writes it into the state of the gallery, which makes other changes wait until the transaction ends; returns the transaction's
    /// number. The creation is no change.
    pub(super) fn settle(&self, tx: &mut Tx<'_>) -> Result<String, Failure> {
        let sql = "UPDATE gallery.state SET generation = generation + $1, persons = persons + $2, faces = faces + $3, \
                   persons_mark = persons_mark # $4, faces_mark = faces_mark # $5, audit_mark = audit_mark # $6 \
                   RETURNING pg_current_xact_id()::text";
        let Rows { persons, faces, marks } = &self.rows;
        let generations = i64::from(self.action != Action::Create);
        Ok(tx.one(sql, &[&generations, persons, faces, &marks.persons, &marks.faces, &marks.audit])?.get(0))
    }
}

/// An entry of the audit log, by which a change is found again: PostgreSQL gives ids and numbers of transactions that a crash has
/// undone to others, who do not make the same change in the same millisecond.
#[derive(Debug)]
pub(super) struct Logged {
    id: i64,
    checksum: i64,
}

impl Logged {
    /// Whether the change is there.
    pub(super) fn is_there(&self, tx: &mut Tx<'_>) -> Result<bool, Failure> {
        let sql = "SELECT FROM gallery.audit WHERE id = $1 AND checksum = $2";
        Ok(!tx.query(sql, &[&self.id, &self.checksum])?.is_empty())
    }
}
