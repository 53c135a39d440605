//! The audit log: one entry for each change, with ids and nothing else about people.

use std::collections::BTreeSet;

use super::records::{AuditEntry, FaceId, PersonId};
use super::rows::Fields;
use crate::error::{Error, Result};

/// Longest name of an actor, in characters.
const MAX_ACTOR_CHARS: usize = 200;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Create,
    Migrate,
    Add,
    Import,
    Rename,
    Remove,
    Expire,
    Merge,
    Split,
    SetKey,
}

impl Action {
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Migrate => "migrate",
            Self::Add => "add",
            Self::Import => "import",
            Self::Rename => "rename",
            Self::Remove => "remove",
            Self::Expire => "expire",
            Self::Merge => "merge",
            Self::Split => "split",
            Self::SetKey => "set_key",
        }
    }
}

/// An entry as it is stored: ids as ranges, `1-1000,1007`, since those of a batch follow one another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AuditRow {
    pub(super) id: i64,
    pub(super) at_ms: i64,
    pub(super) actor: String,
    pub(super) action: String,
    pub(super) persons: String,
    pub(super) faces: String,
    pub(super) mark: i64,
}

impl AuditRow {
    pub(super) fn checksum(&self) -> i64 {
        let mut fields = Fields::new("audit");
        fields.number(self.id);
        fields.number(self.at_ms);
        for text in [&self.actor, &self.action, &self.persons, &self.faces] {
            fields.bytes(text.as_bytes());
        }
        fields.checksum()
    }

    pub(super) fn entry(self) -> AuditEntry {
        let persons = ids(&self.persons).map(PersonId).collect();
        let faces = ids(&self.faces).map(FaceId).collect();
        AuditEntry { id: self.id, at_ms: self.at_ms, actor: self.actor, action: self.action, persons, faces }
    }
}

/// Sorted ids as text.
pub(super) fn ranges(ids: &BTreeSet<i64>) -> String {
    let mut ranges: Vec<(i64, i64)> = Vec::new();
    for &id in ids {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(id) => *last = id,
            _ => ranges.push((id, id)),
        }
    }
    let texts = ranges.into_iter().map(|(first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") });
    texts.collect::<Vec<_>>().join(",")
}

/// The inverse of [`ranges`]. Its text was checked against a checksum or a seal.
fn ids(text: &str) -> impl Iterator<Item = i64> {
    text.split(',').flat_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        match (first.parse::<i64>(), last.parse::<i64>()) {
            (Ok(first), Ok(last)) => first..last.saturating_add(1),
            _ => 0..0,
        }
    })
}

/// Who makes the changes: as the caller says, else the operating system's user.
pub(super) fn actor_of(asked: Option<&str>) -> Result<String> {
    let actor = asked.map_or_else(default_actor, |asked| asked.trim().to_owned());
    if actor.is_empty() || actor.chars().count() > MAX_ACTOR_CHARS || actor.chars().any(char::is_control) {
        let expected = format!("expected 1 to {MAX_ACTOR_CHARS} characters without control characters, got `{}`", actor.escape_debug());
        return Err(Error::argument("actor", expected));
    }
    Ok(actor)
}

/// Who makes changes when the caller does not say: the operating system's user.
fn default_actor() -> String {
    let user = ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| std::env::var(name).ok());
    let user = user.map(|user| user.chars().filter(|c| !c.is_control()).take(MAX_ACTOR_CHARS).collect::<String>());
    user.filter(|user| !user.trim().is_empty()).unwrap_or_else(|| "unknown".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_written_as_ranges_and_read_back() {
        for (set, text) in [(vec![], ""), (vec![7], "7"), (vec![1, 2, 3, 9, 11, 12], "1-3,9,11-12")] {
            let set: BTreeSet<i64> = set.into_iter().collect();
            assert_eq!(ranges(&set), text);
            assert_eq!(ids(text).collect::<BTreeSet<_>>(), set);
        }
    }
}
