//! What people are called: two million names are three allocations.

use super::records::PersonId;

/// Names by person. Ids only grow, so a newcomer is always the last.
#[derive(Clone, Default)]
pub(super) struct Names {
    /// Ascending.
    ids: Vec<i64>,
    /// Where each name ends in `text`.
    ends: Vec<u64>,
    text: String,
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
    }

    pub(super) fn get(&self, person: PersonId) -> Option<&str> {
        self.at(self.ids.binary_search(&person.0).ok()?)
    }

    /// Who is called so. Looks at every name: milliseconds for a million, and no memory for a second map.
    pub(super) fn find(&self, name: &str) -> Option<PersonId> {
        self.iter().find(|known| known.1 == name).map(|known| known.0)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (PersonId, &str)> {
        self.ids.iter().enumerate().filter_map(|(at, &id)| Some((PersonId(id), self.at(at)?)))
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
        whole.then_some(Self { ids, ends, text })
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
        let bytes = names.to_bytes();
        let back = Names::from_bytes(&bytes).unwrap();
        assert_eq!(back.iter().collect::<Vec<_>>(), [(PersonId(2), "Ana"), (PersonId(5), "Éva"), (PersonId(9), "Li Wei")]);
        assert_eq!((back.get(PersonId(5)), back.get(PersonId(3))), (Some("Éva"), None));
        for cut in 0..bytes.len() {
            assert!(Names::from_bytes(&bytes[..cut]).is_none(), "{cut}");
        }
    }
}
