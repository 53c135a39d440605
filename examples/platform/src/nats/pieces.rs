//! The numbers that a stream gave to the pieces of a file, in few characters: they mostly follow each other.

use std::fmt;

/// Runs of numbers: the first one, and how many.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pieces(Vec<(u64, u64)>);

impl Pieces {
    /// The next piece has this number.
    pub(super) fn push(&mut self, sequence: u64) {
        match self.0.last_mut() {
            Some((first, count)) if *first + *count == sequence => *count += 1,
            _ => self.0.push((sequence, 1)),
        }
    }

    /// How many pieces there are.
    pub(super) fn count(&self) -> u64 {
        self.0.iter().map(|(_, count)| count).sum()
    }

    /// The number of the `piece`th, from 0.
    pub(super) fn sequence(&self, mut piece: u64) -> Option<u64> {
        for &(first, count) in &self.0 {
            if piece < count {
                return Some(first + piece);
            }
            piece -= count;
        }
        None
    }

    /// What [`fmt::Display`] wrote.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let run = |run: &str| {
            let (first, count) = run.split_once('+').unwrap_or((run, "1"));
            Some((first.parse().ok()?, count.parse().ok()?))
        };
        text.split(' ').map(run).collect::<Option<_>>().map(Self)
    }
}

impl fmt::Display for Pieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (first, count)) in self.0.iter().enumerate() {
            let space = if number == 0 { "" } else { " " };
            if *count == 1 { write!(f, "{space}{first}")? } else { write!(f, "{space}{first}+{count}")? }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_again() {
        let numbers = [7, 8, 9, 12, 20, 21];
        let mut pieces = Pieces::default();
        numbers.iter().for_each(|&number| pieces.push(number));
        assert_eq!(pieces.to_string(), "7+3 12 20+2");
        assert_eq!(Pieces::parse("7+3 12 20+2").as_ref(), Some(&pieces));
        assert_eq!((0..7).map_while(|piece| pieces.sequence(piece)).collect::<Vec<_>>(), numbers);
        assert_eq!((pieces.count(), Pieces::parse("7+x")), (6, None));
    }
}
