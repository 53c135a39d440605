//! Names that would be drawn alike, and the number that tells them apart.

use std::collections::BTreeMap;

use unicode_security::skeleton;

use super::text::Lettering;

/// Names that begin with so many same characters share one row of numbers. A name is cut to fewer only in pictures a few letters wide.
const START: usize = 4;

/// How the names of a picture, or of a whole video, are drawn.
#[derive(Debug, Default)]
pub(crate) struct Namesakes {
    names: BTreeMap<String, Name>,
}

#[derive(Debug)]
struct Name {
    /// As it can be drawn.
    drawn: String,
    /// What it looks like: equal for names that nobody can tell apart (UTS #39, section 4).
    looks: String,
    /// Among those whose looks start alike, from 1.
    number: usize,
}

impl Namesakes {
    /// Those of `names`, each of which may be there many times.
    pub(crate) fn of<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let lettering = Lettering::new();
        let mut found: BTreeMap<String, Name> = BTreeMap::new();
        let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
        for name in names {
            if !found.contains_key(name) {
                let drawn = lettering.drawable(name);
                let looks = looks(&drawn);
                found.insert(name.into(), Name { drawn, looks, number: 0 });
            }
        }
        // In the order of the names, so that the same people have the same numbers in every picture.
        for name in found.values_mut() {
            let number = numbers.entry(name.looks.chars().take(START).collect()).or_default();
            *number += 1;
            name.number = *number;
        }
        Self { names: found }
    }

    /// `name` as it can be drawn.
    pub(super) fn drawn<'n>(&'n self, name: &'n str) -> &'n str {
        self.names.get(name).map_or(name, |name| &name.drawn)
    }

    /// The number that tells `name` from others when only its first `kept` characters are drawn; `None` where it needs none.
    pub(super) fn number(&self, name: &str, kept: Option<usize>) -> Option<usize> {
        let own = self.names.get(name)?;
        let start = kept.map(|kept| looks(&own.drawn.chars().take(kept).collect::<String>()));
        let alike = |(other, looks): (&String, &str)| {
            other != name && start.as_deref().map_or(looks == own.looks, |start| looks.starts_with(start))
        };
        self.names.iter().map(|(name, other)| (name, other.looks.as_str())).any(alike).then_some(own.number)
    }
}

fn looks(text: &str) -> String {
    skeleton(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_are_drawn_alike_get_numbers() {
        let long = ["Maximilian Schneider", "Maximilian Schmidt", "Max"];
        let names = Namesakes::of(long.into_iter().chain(["Paul", "\u{420}aul", "Paula", "Ana", "Ana", "ana", "\u{202e}Ana", "Anaïs"]));
        assert_eq!((names.number("Paul", None), names.number("\u{420}aul", None)), (Some(1), Some(3)), "Latin and Cyrillic P");
        assert_eq!(names.number("Paula", None), None);
        assert_eq!((names.number("Ana", None), names.number("\u{202e}Ana", None)), (Some(1), Some(2)), "the override is not drawn");
        assert_eq!((names.number("ana", None), names.number("Anaïs", None)), (None, None));
        assert_eq!(names.number(long[0], None), None);
        // Cut after `Maximilian Sch`.
        assert_eq!((names.number(long[1], Some(14)), names.number(long[0], Some(14))), (Some(1), Some(2)));
        assert_eq!(names.number(long[0], Some(15)), None);
        assert_eq!(names.number("nobody's", None), None);
    }
}
