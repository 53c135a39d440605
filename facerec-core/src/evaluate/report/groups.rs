//! Whose group is which: a small table that the user gives.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::figures::Grouping;
use crate::error::{Error, Result};
use crate::text::{canonical_name, escape};

/// The groups of the people of a folder.
#[derive(Debug)]
pub(super) struct Groups {
    pub(super) grouping: Grouping,
    /// For each person, the place of the group among [`Grouping::groups`].
    pub(super) of_person: Vec<Option<usize>>,
}

impl Groups {
    /// Reads a table with a header and the columns `person` and group, parted by tabs where the header has one, else by commas; fields may
    /// stand in double quotes.
    ///
    /// # Errors
    /// `io`; `invalid_argument` with the line that cannot be understood, for a person who is in two groups, and where nobody of `people` is
    /// named.
    pub(super) fn read(path: &Path, people: &[String]) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|source| Error::io("read", path, source))?;
        let text = std::str::from_utf8(&bytes).map_err(|wrong| {
            let line = bytes[..wrong.valid_up_to()].iter().filter(|&&byte| byte == b'\n').count() + 1;
            invalid(line, "expected text in UTF-8; save the file as UTF-8")
        })?;
        Self::parse(text.trim_start_matches('\u{feff}'), people)
    }

    fn parse(text: &str, people: &[String]) -> Result<Self> {
        let mut lines = text.lines().enumerate().map(|(n, line)| (n + 1, line)).filter(|(_, line)| !line.trim().is_empty());
        let (line, header) = lines.next().unwrap_or((1, ""));
        let separator = if header.contains('\t') { '\t' } else { ',' };
        let attribute = match fields(header, separator).as_deref() {
            Some([person, attribute]) if person.eq_ignore_ascii_case("person") && !attribute.is_empty() => attribute.clone(),
            _ => return Err(invalid(line, &format!("expected a header `person,group`, got `{}`", escape(header)))),
        };
        let mut group_of: BTreeMap<String, String> = BTreeMap::new();
        for (line, text) in lines {
            let (person, group) = match fields(text, separator).as_deref() {
                Some([person, group]) if !person.is_empty() && !group.is_empty() => (canonical_name(person).into_owned(), group.clone()),
                _ => return Err(invalid(line, &format!("expected a person and a group as the header has them, got `{}`", escape(text)))),
            };
            if let Some(other) = group_of.insert(person, group.clone()).filter(|other| *other != group) {
                let reason = format!("expected each person in one group, got `{}`, who is in `{}` too", escape(text), escape(&other));
                return Err(invalid(line, &reason));
            }
        }
        let found: Vec<Option<&String>> = people.iter().map(|person| group_of.get(person)).collect();
        let groups: Vec<String> = found.iter().flatten().copied().cloned().collect::<BTreeSet<_>>().into_iter().collect();
        if groups.is_empty() {
            let reason =
                format!("expected the people of the folder, whose names are those of their folders; got {} others", group_of.len());
            return Err(Error::argument("groups", reason));
        }
        let of_person: Vec<_> = found.iter().map(|group| group.and_then(|group| groups.binary_search(group).ok())).collect();
        let named = of_person.iter().flatten().count();
        let grouping = Grouping {
            attribute,
            groups,
            people_without: people.len() - named,
            people_elsewhere: group_of.keys().filter(|person| !people.contains(person)).count(),
        };
        Ok(Self { grouping, of_person })
    }
}

fn invalid(line: usize, reason: &str) -> Error {
    Error::argument("groups", format!("line {line}: {reason}"))
}

/// The fields of a line; `None` where a quote is left open or stands in the middle of a field.
fn fields(line: &str, separator: char) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let field = rest.trim_start_matches(' ');
        let (value, after) = match field.strip_prefix('"') {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let end = field.find(separator).unwrap_or(field.len());
                (field[..end].to_owned(), &field[end..])
            }
        };
        fields.push(value.trim().to_owned());
        let after = after.trim_start_matches(' ');
        match after.strip_prefix(separator) {
            Some(next) => rest = next,
            None => return after.trim().is_empty().then_some(fields),
        }
    }
}

/// What stands before the closing quote, and what follows it; two quotes are one that is meant.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let end = rest.find('"')?;
        value.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(next) => {
                value.push('"');
                rest = next;
            }
            None => return Some((value, rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people() -> Vec<String> {
        ["Ana", "Bob, Jr.", "Zoë"].map(String::from).to_vec()
    }

    #[test]
    fn tables_of_commas_and_tabs_are_read() {
        let comma = "person,region\nAna,north\n\"Bob, Jr.\" , \"the \"\"south\"\"\"\nElse,west\n\n";
        let found = Groups::parse(comma, &people()).expect("well formed");
        assert_eq!(found.grouping.groups, ["north", "the \"south\""]);
        assert_eq!(found.of_person, [Some(0), Some(1), None]);
        let Grouping { attribute, people_without, people_elsewhere, .. } = &found.grouping;
        assert_eq!((attribute.as_str(), *people_without, *people_elsewhere), ("region", 1, 1));
        // Tabs, Windows line ends, and a name in another spelling.
        let tab = Groups::parse("Person\tage\r\nZoe\u{308}\t30+\r\nBob, Jr.\t30+\r\n", &people()).expect("well formed");
        assert_eq!(tab.of_person, [None, Some(0), Some(0)]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, said) in [
            ("", "line 1: expected a header"),
            ("Ana,north\n", "line 1: expected a header `person,group`, got `Ana,north`"),
            ("person\nAna\n", "line 1"),
            ("person,group\nAna\n", "line 2: expected a person and a group"),
            ("person,group\nAna,\n", "line 2"),
            ("person,group\nAna,a,b\n", "line 2"),
            ("person,group\n\nAna,a\nAna,b\n", "line 4: expected each person in one group"),
            ("person,group\n\"Ana,a\n", "line 2"),
            ("person,group\n\"Ana\"x,a\n", "line 2"),
            ("person,group\nNobody,a\n", "got 1 others"),
        ] {
            let error = Groups::parse(text, &people()).expect_err(text);
            assert_eq!(error.kind().code(), "invalid_argument");
            assert!(error.to_string().contains(said), "{text:?}: {error}");
        }
    }
}
