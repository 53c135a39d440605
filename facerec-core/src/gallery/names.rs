//! What people are called: two million names are three allocations.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

use super::records::PersonId;
use crate::text::canonical_name;

/// Names by person, in their canonical spelling. Ids only grow, so a newcomer is always the last.
///
/// A gallery of an older version may have people whose names differ in spelling only, until it is opened for writing: here they have one
/// name, and one of them stands for all.
#[derive(Clone, Default)]
pub(super) struct Names {
    /// Ascending.
    ids: Vec<i64>,
    /// Where each name ends in `text`.
    ends: Vec<u64>,
    text: String,
    /// The names that are stored in another spelling.
    respelt: BTreeMap<i64, Box<str>>,
    /// Who stands for whom, when somebody does.
    standing: OnceLock<HashMap<i64, i64>>,
}

impl Names {
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// `person` must be higher than all before.
    pub(super) fn push(&mut self, person: PersonId, name: &str) {
        self.ids.push(person.0);
        self.text.push_str(name);
        self.ends.push(self.text.len() as u64);
        self.respell(person.0, name);
        self.standing = OnceLock::new();
    }

    pub(super) fn get(&self, person: PersonId) -> Option<&str> {
        match self.respelt.get(&person.0) {
            Some(name) => Some(name),
            None => self.at(self.ids.binary_search(&person.0).ok()?),
        }
    }

    /// Whether names are stored in another spelling than the canonical one.
    pub(super) fn any_respelt(&self) -> bool {
        !self.respelt.is_empty()
    }

    /// The first person of the same name: themselves but in a gallery that has one name in several spellings.
    pub(super) fn standing_for(&self, person: PersonId) -> PersonId {
        self.standing().get(&person.0).map_or(person, |&first| PersonId(first))
    }

    /// Everybody of that person's name, in the order of their ids.
    pub(super) fn namesakes(&self, person: PersonId) -> Vec<PersonId> {
        let first = self.standing_for(person);
        let others = self.standing().iter().filter(|other| *other.1 == first.0).map(|other| PersonId(*other.0));
        let mut all: Vec<PersonId> = std::iter::once(first).chain(others).collect();
        all.sort_unstable();
        all
    }

    /// How many people another one stands for.
    pub(super) fn doubles(&self) -> usize {
        self.standing().len()
    }

    fn standing(&self) -> &HashMap<i64, i64> {
        self.standing.get_or_init(|| {
            let wanted: std::collections::HashSet<&str> = self.respelt.values().map(AsRef::as_ref).collect();
            let mut first: HashMap<&str, i64> = HashMap::new();
            let mut standing = HashMap::new();
            if wanted.is_empty() {
                return standing;
            }
            for (person, name) in self.iter().filter(|(_, name)| wanted.contains(name)) {
                let first = *first.entry(name).or_insert(person.0);
                if first != person.0 {
                    standing.insert(person.0, first);
                }
            }
            standing
        })
    }

    fn respell(&mut self, person: i64, name: &str) {
        let canonical = canonical_name(name);
        if canonical != name {
            self.respelt.insert(person, canonical.into());
        }
    }

    /// Who is called so. Looks at every name: milliseconds for a million, and no memory for a second map.
    pub(super) fn find(&self, name: &str) -> Option<PersonId> {
        self.iter().find(|known| known.1 == name).map(|known| known.0)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (PersonId, &str)> {
        self.ids.iter().enumerate().filter_map(|(at, &id)| {
            let stored = || self.at(at);
            Some((PersonId(id), self.respelt.get(&id).map(AsRef::as_ref).or_else(stored)?))
        })
    }

    fn at(&self, at: usize) -> Option<&str> {
        let start = if at == 0 { 0 } else { *self.ends.get(at - 1)? };
        self.text.get(start as usize..*self.ends.get(at)? as usize)
    }

    /// As bytes: the number of names, the ids, the ends, the text; numbers little-endian.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 + 16 * self.len() + self.text.len());
        bytes.extend((self.len() as u64).to_le_bytes());
        self.ids.iter().for_each(|id| bytes.extend(id.to_le_bytes()));
        self.ends.iter().for_each(|end| bytes.extend(end.to_le_bytes()));
        bytes.extend(self.text.as_bytes());
        bytes
    }

    /// What [`to_bytes`](Self::to_bytes) made; `None` for anything else.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (count, rest) = bytes.split_first_chunk::<8>()?;
        let count = usize::try_from(u64::from_le_bytes(*count)).ok()?;
        let (ids, rest) = rest.split_at_checked(count.checked_mul(8)?)?;
        let (ends, text) = rest.split_at_checked(ids.len())?;
        let ids: Vec<i64> = ids.as_chunks().0.iter().map(|&id| i64::from_le_bytes(id)).collect();
        let ends: Vec<u64> = ends.as_chunks().0.iter().map(|&end| u64::from_le_bytes(end)).collect();
        let text = String::from_utf8(text.to_vec()).ok()?;
        let whole = ids.is_sorted_by(|a, b| a < b) && ends.is_sorted() && ends.last().map_or(0, |&end| end as usize) == text.len();
        let mut names = Self { ids, ends, text, ..Self::default() };
        let respelt = (0..names.len()).filter_map(|at| {
            let name = names.at(at)?;
            let canonical = canonical_name(name);
            (canonical != name).then(|| (names.ids[at], Box::from(canonical)))
        });
        names.respelt = respelt.collect();
        whole.then_some(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_their_bytes_and_nothing_else_is_taken_for_them() {
        let mut names = Names::default();
        assert_eq!(Names::from_bytes(&names.to_bytes()).unwrap().len(), 0);
        for (id, name) in [(2, "Ana"), (5, "Éva"), (9, "Li Wei")] {
            names.push(PersonId(id), name);
        }
        assert_eq!((names.find("Éva"), names.find("Eva")), (Some(PersonId(5)), None));
        assert!(!names.any_respelt() && names.doubles() == 0);
        let bytes = names.to_bytes();
        let back = Names::from_bytes(&bytes).unwrap();
        assert_eq!(back.iter().collect::<Vec<_>>(), [(PersonId(2), "Ana"), (PersonId(5), "Éva"), (PersonId(9), "Li Wei")]);
        assert_eq!((back.get(PersonId(5)), back.get(PersonId(3))), (Some("Éva"), None));
        for cut in 0..bytes.len() {
            assert!(Names::from_bytes(&bytes[..cut]).is_none(), "{cut}");
        }
    }
    #[test]
    fn one_name_in_several_spellings_is_one_person() {
        let mut names = Names::default();
        for (id, name) in [(1, "Ana"), (2, "Andre\u{301}"), (3, "Bo  b"), (4, "Andr\u{e9}"), (5, "\u{feff}Andr\u{e9}")] {
            names.push(PersonId(id), name);
        }
        for names in [&names, &Names::from_bytes(&names.to_bytes()).unwrap()] {
            assert_eq!((names.len(), names.doubles(), names.any_respelt()), (5, 2, true));
            assert_eq!((names.get(PersonId(2)), names.get(PersonId(3))), (Some("Andr\u{e9}"), Some("Bo b")));
            assert_eq!((names.find("Andr\u{e9}"), names.find("Andre\u{301}")), (Some(PersonId(2)), None));
            assert_eq!([1, 2, 3, 4, 5].map(|id| names.standing_for(PersonId(id)).0), [1, 2, 3, 2, 2]);
            assert_eq!(names.namesakes(PersonId(5)), [2, 4, 5].map(PersonId));
            assert_eq!(names.namesakes(PersonId(1)), [PersonId(1)]);
        }
    }
}
