//! What a transaction changed: for the audit log, and to know whether it changed anything.

use std::collections::BTreeSet;

use postgres::Client;

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
    pub(super) fn log(&self, tx: &mut Tx<'_>, actor: &str) -> Result<Logged, Failure> {
        let id: i64 = tx.one("SELECT nextval('audit_ids')", &[])?.get(0);
        let (persons, faces) = (ranges(&self.persons), ranges(&self.faces));
        let entry = AuditRow { id, at_ms: now_ms(), actor: actor.into(), action: self.action.code().into(), persons, faces, mark: 0 };
        let sql = "INSERT INTO audit (id, at_ms, actor, action, persons, faces, checksum) VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let AuditRow { at_ms, actor, action, persons, faces, .. } = &entry;
        let checksum = entry.checksum();
        tx.execute(sql, &[&id, at_ms, actor, action, persons, faces, &checksum])?;
        Ok(Logged { id, checksum })
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
    pub(super) fn is_there(&self, client: &mut Client) -> Result<bool, postgres::Error> {
        let sql = "SELECT EXISTS (SELECT FROM audit WHERE id = $1 AND checksum = $2)";
        Ok(client.query_one(sql, &[&self.id, &self.checksum])?.get(0))
    }
}
