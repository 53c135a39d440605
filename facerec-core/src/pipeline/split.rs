//! Who a track was when: its segments are given to the people whom their evidence shows.
//!
//! A tracker follows a face; another one that takes its place at a cut it missed, in a dissolve, in the same chair, it follows
//! as well. So evidence decides: segments with like evidence are one person's, a segment without any belongs to its neighbours
//! only where nothing jumps on the way and both agree, and after a jump without evidence it is nobody's.

use std::cmp::Ordering;
use std::time::Duration;

use super::decide::tally;
use crate::error::Result;
use crate::face::Embedding;
use crate::gallery::PersonId;

/// A segment as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Piece {
    /// It may be another person than the segment before.
    pub(super) jump: bool,
    /// The person whom its evidence shows.
    pub(super) person: Option<usize>,
    /// When it was detected last before it, first in it and last in it.
    pub(super) times: [Duration; 3],
    /// Frames in which it was detected.
    pub(super) detections: usize,
}

/// A shot as it speaks for a person.
#[derive(Debug, Clone, Copy)]
pub(super) struct Witness<'a> {
    pub(super) embedding: &'a Embedding,
    pub(super) weight: f32,
    /// Whom the gallery knows it as, by itself.
    pub(super) vote: Option<PersonId>,
    /// Good enough to tell people apart.
    pub(super) clear: bool,
    /// How many jumps the track had up to it.
    pub(super) jumps: u32,
}

/// Similarities from which a shot may be a person's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Links {
    /// Of whom something shows between the same two jumps.
    pub(super) within: f32,
    /// Of whom only what lies across a jump shows.
    pub(super) across: f32,
}

/// What is known of a person of a track.
pub(super) struct Person<'a> {
    shots: Vec<Witness<'a>>,
    /// How many jumps the track had up to what shows the person.
    pub(super) jumps: Vec<u32>,
}

impl<'a> Person<'a> {
    pub(super) fn new(shots: impl IntoIterator<Item = Witness<'a>>) -> Self {
        let shots: Vec<_> = shots.into_iter().collect();
        let jumps = shots.iter().map(|shot| shot.jumps).collect();
        Self { shots, jumps }
    }

    fn take(&mut self, shot: Witness<'a>) {
        self.jumps.push(shot.jumps);
        self.shots.push(shot);
    }
}

/// Who of `people` each of the `witnesses` shows, in the order of time; numbers from `people.len()` on are new
/// people. `None`: there is no shot, or one that resembles nobody and is not clear enough to be somebody new.
///
/// # Errors
/// `embedding_model_mismatch` when they come from different models.
pub(super) fn persons<'a>(mut people: Vec<Person<'a>>, witnesses: &[Option<Witness<'a>>], links: Links) -> Result<Vec<Option<usize>>> {
    let mut found = vec![None; witnesses.len()];
    let mut order: Vec<(usize, Witness<'_>)> =
        witnesses.iter().enumerate().filter_map(|(index, witness)| Some((index, (*witness)?))).collect();
    // The clear ones in order of time, then the others, the best first.
    order.sort_by(|(_, a), (_, b)| b.clear.cmp(&a.clear).then(if a.clear { Ordering::Equal } else { b.weight.total_cmp(&a.weight) }));
    for (index, witness) in order {
        found[index] = match nearest(&people, &witness, links)? {
            Some(person) => {
                people[person].take(witness);
                Some(person)
            }
            // What nothing clear speaks against is worth an opinion.
            None if witness.clear || people.is_empty() => {
                people.push(Person::new([witness]));
                Some(people.len() - 1)
            }
            None => None,
        };
    }
    Ok(found)
}

/// The person whom a shot resembles most, and enough.
fn nearest(people: &[Person<'_>], witness: &Witness<'_>, links: Links) -> Result<Option<usize>> {
    let mut best: Option<(usize, f32)> = None;
    for (index, Person { shots, jumps }) in people.iter().enumerate() {
        let link = if jumps.contains(&witness.jumps) { links.within } else { links.across };
        let Some(template) = Embedding::template(shots.iter().map(|shot| (shot.embedding, shot.weight)))? else { continue };
        let known = voted(shots).zip(witness.vote).map(|(a, b)| a == b);
        let similarity = template.similarity(witness.embedding)?;
        let score = if known == Some(true) { similarity + KNOWN } else { similarity };
        if known != Some(false) && score >= link && best.is_none_or(|(_, highest)| score > highest) {
            best = Some((index, score));
        }
    }
    Ok(best.map(|(index, _)| index))
}

/// More than any similarity: whom the gallery knows by one name is one person.
const KNOWN: f32 = 2.0;

/// Whom the gallery knows the shots as, by weight.
fn voted(shots: &[Witness<'_>]) -> Option<PersonId> {
    tally(shots.iter().map(|shot| (shot.vote, shot.weight))).into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).map(|(person, _)| person)
}

/// Forgets shots of faces that were half hidden or smeared when they came into view. Such a shot follows a jump, it alone shows its
/// person, and within [`GLIMPSE`] the face has `changed`, without a jump, into somebody else's. `known` is as for [`forgive`].
pub(super) fn forgive_glimpses(pieces: &mut [Piece], changed: &[bool], known: &[bool]) {
    for index in 0..pieces.len().saturating_sub(1) {
        let (Some(person), true, false) = (pieces[index].person, changed[index + 1], known[index]) else { continue };
        let brief = pieces[index + 1].times[1].saturating_sub(pieces[index].times[1]) <= GLIMPSE;
        let next = pieces[index + 1].person.or_else(|| later(pieces, index + 1));
        if pieces[index].jump && brief && is_alone(pieces, person) && next.is_some() && next != Some(person) {
            pieces[index].person = None;
        }
    }
}

/// Whether a single segment shows the person.
fn is_alone(pieces: &[Piece], person: usize) -> bool {
    pieces.iter().filter(|piece| piece.person == Some(person)).count() == 1
}

/// Dissolves last longer.
const GLIMPSE: Duration = Duration::from_millis(200);

/// Where a face has slowly `changed` and is somebody else's after that than before, the one ends and the other begins there.
pub(super) fn part_changed(pieces: &mut [Piece], before: Option<usize>, changed: &[bool]) {
    let parts = |index: usize| {
        let (last, next) = (earlier(pieces, index, before), pieces[index].person.or_else(|| later(pieces, index)));
        changed[index] && last.is_some() && next.is_some() && last != next
    };
    let jumps: Vec<usize> = (0..pieces.len()).filter(|&index| parts(index)).collect();
    jumps.into_iter().for_each(|index| pieces[index].jump = true);
}

/// A single shot that says otherwise than those before and after it has failed, where nothing jumps on the way or the look was
/// [brief](is_brief). `known` says of which segments the gallery knows the person by that shot alone: those stay.
pub(super) fn forgive(pieces: &mut [Piece], before: Option<usize>, known: &[bool]) {
    for index in 0..pieces.len() {
        let (Some(person), false) = (pieces[index].person, known[index]) else { continue };
        let jumps = pieces[index..].iter().take(2).any(|piece| piece.jump);
        if !is_alone(pieces, person) || jumps && !is_brief(pieces, index, index + 1) {
            continue;
        }
        let last = if index == 0 { before } else { pieces[index - 1].person.or_else(|| earlier(pieces, index - 1, before)) };
        let next = pieces.get(index + 1).and_then(|piece| piece.person.or_else(|| later(pieces, index + 1)));
        if last.is_some() && last == next && last != Some(person) {
            pieces[index].person = None;
        }
    }
}

/// Numbers the people beyond the `known` ones in the order in which they come.
pub(super) fn in_order(pieces: &mut [Piece], known: usize) {
    let mut new: Vec<usize> = Vec::new();
    for person in pieces.iter_mut().filter_map(|piece| piece.person.as_mut()).filter(|person| **person >= known) {
        let place = new.iter().position(|other| other == person).unwrap_or_else(|| {
            new.push(*person);
            new.len() - 1
        });
        *person = known + place;
    }
}

/// Whose each segment is; `before` is whose the segment before the first one was.
pub(super) fn owners(pieces: &[Piece], before: Option<usize>) -> Vec<Option<usize>> {
    let mut owners: Vec<Option<usize>> = (0..pieces.len())
        .map(|index| match pieces[index].person {
            Some(person) => Some(person),
            None => match (earlier(pieces, index, before), later(pieces, index)) {
                (Some(last), Some(next)) => (last == next).then_some(last),
                (last, next) => last.or(next),
            },
        })
        .collect();
    bridge_brief(pieces, before, &mut owners);
    owners
}

/// Gives what is nobody's for a brief time between two looks at one person to that person, and a single look at an end of the track
/// to whoever is next to it: the face was turned, smeared or half hidden.
fn bridge_brief(pieces: &[Piece], before: Option<usize>, owners: &mut [Option<usize>]) {
    let mut start = 0;
    while let Some(first) = (start..owners.len()).find(|&index| owners[index].is_none()) {
        let next = (first..owners.len()).find(|&index| owners[index].is_some()).unwrap_or(owners.len());
        let last = if first == 0 { before } else { owners[first - 1] };
        let owner = match owners.get(next) {
            Some(&owner) if owner == last => owner.filter(|_| is_brief(pieces, first, next)),
            Some(&owner) => owner.filter(|_| first == 0 && last.is_none() && detections(&pieces[..next]) <= 1),
            None => last.filter(|_| detections(&pieces[first..]) <= 1),
        };
        owners[first..next].fill(owner);
        start = next;
    }
}

/// Whether the segments `first..next` show a face once, or for less time than anybody cuts to another one and back.
fn is_brief(pieces: &[Piece], first: usize, next: usize) -> bool {
    let Some(after) = pieces.get(next) else { return false };
    detections(&pieces[first..next]) <= 1 || after.times[1].saturating_sub(pieces[first].times[0]) <= BRIEF
}

fn detections(pieces: &[Piece]) -> usize {
    pieces.iter().map(|piece| piece.detections).sum()
}

/// The shortest shots of films last about so long.
const BRIEF: Duration = Duration::from_millis(500);

/// Who was shown last before the segment, with no jump on the way.
pub(super) fn earlier(pieces: &[Piece], index: usize, before: Option<usize>) -> Option<usize> {
    for at in (0..index).rev() {
        if pieces[at + 1].jump {
            return None;
        }
        if pieces[at].person.is_some() {
            return pieces[at].person;
        }
    }
    if pieces[0].jump { None } else { before }
}

/// Who is shown next after the segment, with no jump on the way.
pub(super) fn later(pieces: &[Piece], index: usize) -> Option<usize> {
    pieces[index + 1..].iter().take_while(|piece| !piece.jump).find_map(|piece| piece.person)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Segments as text: a letter is a person whom evidence shows, `.` no evidence, `|` a jump; a capital or `,` is seen once.
    fn pieces(text: &str) -> Vec<Piece> {
        let mut jump = false;
        let mut pieces = Vec::new();
        for letter in text.chars() {
            match letter {
                '|' => jump = true,
                letter => {
                    let person = letter.is_ascii_alphabetic().then(|| letter.to_ascii_lowercase() as usize - 'a' as usize);
                    let at = |part: u64| Duration::from_millis(1000 * pieces.len() as u64 + part);
                    let once = letter == ',' || letter.is_ascii_uppercase();
                    let (times, detections) = if once { ([at(0); 3], 1) } else { ([at(0), at(100), at(1000)], 10) };
                    pieces.push(Piece { jump: std::mem::take(&mut jump), person, times, detections });
                }
            }
        }
        pieces
    }

    /// Owners as text, `-` for nobody.
    fn owned(text: &str, before: Option<usize>) -> String {
        let mut pieces = pieces(text);
        let known = vec![false; pieces.len()];
        forgive(&mut pieces, before, &known);
        owners(&pieces, before).into_iter().map(|owner| owner.map_or('-', |person| (b'a' + person as u8) as char)).collect()
    }

    #[test]
    fn evidence_speaks_as_far_as_nothing_jumps() {
        assert_eq!(owned("..a..a.", None), "aaaaaaa");
        assert_eq!(owned("a.|.b.", None), "aabbb");
        assert_eq!(owned("aa|..|aa", None), "aa--aa", "after a jump without evidence it is nobody");
        assert_eq!(owned("aa|..", None), "aa--");
        assert_eq!(owned("..|aa", None), "--aa");
        assert_eq!(owned("aa|b|aa", None), "aabaa");
        assert_eq!(owned("a|b|a|b", None), "abab");
        assert_eq!(owned("a..b", None), "a--b", "between two people without a jump it is nobody");
        assert_eq!(owned("...", None), "---");
        assert_eq!(owned("", None), "");
    }

    #[test]
    fn where_a_changed_face_is_another_ones_the_one_ends_and_the_other_begins() {
        let parted = |text: &str, changed: &[usize]| {
            let mut pieces = pieces(text);
            let flags: Vec<bool> = (0..pieces.len()).map(|index| changed.contains(&index)).collect();
            part_changed(&mut pieces, None, &flags);
            (0..pieces.len()).filter(|&index| pieces[index].jump).collect::<Vec<_>>()
        };
        assert_eq!(parted("a..b.", &[2]), [2]);
        assert_eq!(parted("a..b.a", &[1, 2, 5]), [1, 2, 5]);
        assert_eq!(parted("a..a", &[2]), [] as [usize; 0], "the head turned");
        assert_eq!(parted("a..", &[2]), [] as [usize; 0]);
        assert_eq!(parted("a|.b", &[2]), [1]);
    }

    #[test]
    fn a_face_that_was_half_hidden_when_it_came_is_no_stranger() {
        let shown = |text: &str, changed: usize, before: Option<usize>| {
            let mut pieces = pieces(text);
            let (flags, known): (Vec<_>, Vec<_>) = (0..pieces.len()).map(|index| (index == changed, false)).unzip();
            // The segment before the change lasts 80 ms.
            let soon = pieces[changed - 1].times[1] + Duration::from_millis(120);
            pieces[changed..].iter_mut().for_each(|piece| piece.times[1] = soon);
            forgive_glimpses(&mut pieces, &flags, &known);
            owners(&pieces, before).into_iter().map(|owner| owner.map_or('-', |person| (b'a' + person as u8) as char)).collect::<String>()
        };
        assert_eq!(shown("|ab", 1, None), "bb");
        assert_eq!(shown("c|ab", 2, None), "cbb");
        assert_eq!(shown("a|ab", 2, None), "aab", "known from before");
        assert_eq!(shown("ab", 1, Some(2)), "ab", "it did not come");
    }

    #[test]
    fn new_people_are_numbered_as_they_come() {
        let mut pieces = pieces("e|b|d|e");
        in_order(&mut pieces, 2);
        assert_eq!(pieces.iter().map(|piece| piece.person).collect::<Vec<_>>(), [2, 1, 3, 2].map(Some));
    }

    #[test]
    fn what_was_before_goes_on_unless_something_jumps() {
        assert_eq!(owned("..a", Some(0)), "aaa");
        assert_eq!(owned("..b", Some(0)), "--b");
        assert_eq!(owned("..", Some(0)), "aa");
        assert_eq!(owned("|..b", Some(0)), "bbb");
    }

    #[test]
    fn one_failed_shot_and_one_bad_look_are_no_strangers() {
        assert_eq!(owned("aabaa", None), "aaaaa");
        assert_eq!(owned("aabb", None), "aabb");
        assert_eq!(owned("aab", None), "aab", "the end may be another's");
        assert_eq!(owned("aabaab", None), "aabaab", "twice the same is no accident");
        assert_eq!(owned("a|,|a", None), "aaa");
        assert_eq!(owned("a|,|b", None), "a-b");
        assert_eq!(owned("a|B|a", None), "aaa");
        assert_eq!(owned("|B|a", Some(0)), "aa");
        assert_eq!(owned("a|B|b", None), "abb");
        assert_eq!(owned("a|B", None), "ab", "the end may be another's");
        assert_eq!(owned("a.|B|.a", None), "aaaaa");
        assert_eq!(owned("a|,", None), "aa");
        assert_eq!(owned(",|a", None), "aa");
        assert_eq!(owned("a|.", None), "a-");
    }
}
