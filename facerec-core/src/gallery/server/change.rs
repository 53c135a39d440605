//! What a transaction changed: for the audit log, and to know whether it changed anything.

use std::collections::BTreeSet;

use super::edit::now_ms;
use super::failure::Failure;
use super::pool::Tx;
use crate::error::Result;
use crate::gallery::audit::{Action, AuditRow, ranges};

/// A change, with the ids that it was about.
#[derive(Debug)]
pub(super) struct Change {
    action: Action,
    pub(super) persons: BTreeSet<i64>,
    pub(super) faces: BTreeSet<i64>,
}

impl Change {
    pub(super) fn new(action: Action) -> Self {
        Self { action, persons: BTreeSet::new(), faces: BTreeSet::new() }
    }

    /// The change, when there was any.
    pub(super) fn made(self) -> Option<Self> {
        (!self.persons.is_empty() || !self.faces.is_empty()).then_some(self)
    }

    /// Writes it into the audit log.
    pub(super) fn log(&self, tx: &mut Tx<'_>, actor: &str) -> Result<(), Failure> {
        let id: i64 = tx.one("SELECT nextval('audit_ids')", &[])?.get(0);
        let (persons, faces) = (ranges(&self.persons), ranges(&self.faces));
        let entry = AuditRow { id, at_ms: now_ms(), actor: actor.into(), action: self.action.code().into(), persons, faces, mark: 0 };
        let sql = "INSERT INTO audit (id, at_ms, actor, action, persons, faces, checksum) VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let AuditRow { at_ms, actor, action, persons, faces, .. } = &entry;
        tx.execute(sql, &[&id, at_ms, actor, action, persons, faces, &entry.checksum()]).map(drop)
    }
}
