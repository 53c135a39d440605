//! The same face under two names: people who look alike enough to be one.

use std::collections::{BTreeMap, BTreeSet};

use super::backend::Backend;
use super::filter::SearchFilter;
use super::records::{FaceId, Person, PersonId};
use crate::error::{Error, Result};
use crate::face::Embedding;

/// Faces looked up at once.
const AT_ONCE: usize = 512;
/// People looked at per face: the person's own, and the nearest others. One face under five names is found in several looks.
const PEOPLE: usize = 4;

/// Two people who may be one.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Duplicate {
    /// The one who was enrolled first.
    pub first: PersonId,
    /// Their name.
    pub first_name: String,
    /// The other.
    pub second: PersonId,
    /// Their name.
    pub second_name: String,
    /// Cosine similarity of their two most similar faces, `-1..=1`.
    pub similarity: f32,
    /// The face of the first that is most like one of the second.
    pub first_face: FaceId,
    /// That one.
    pub second_face: FaceId,
    /// Faces of the two, taken together, that are at least as similar to one of the other as was asked for: the more, the surer.
    pub supporting_faces: usize,
}

/// What is known about a pair of people so far.
struct Found {
    similarity: f32,
    faces: (FaceId, FaceId),
    supporting: BTreeSet<FaceId>,
}

/// Looks every face of `gallery` up among the other people's.
pub(super) fn duplicates(gallery: &dyn Backend, threshold: f32, limit: usize) -> Result<Vec<Duplicate>> {
    if !(-1.0..=1.0).contains(&threshold) {
        return Err(Error::argument("threshold", format!("expected a cosine similarity from -1 to 1, got `{threshold}`")));
    }
    let people = gallery.persons()?;
    let mut pairs: BTreeMap<(PersonId, PersonId), Found> = BTreeMap::new();
    let (mut owners, mut vectors) = (Vec::new(), Vec::new());
    for (nth, person) in people.iter().enumerate() {
        // Somebody who is removed meanwhile is no duplicate.
        let faces = match gallery.vectors(&person.name) {
            Err(Error::PersonNotFound { .. }) => Vec::new(),
            faces => faces?,
        };
        for (face, vector) in faces {
            owners.push((face, person.id));
            vectors.push(vector);
        }
        if vectors.len() >= AT_ONCE || nth + 1 == people.len() {
            for (owners, vectors) in owners.chunks(AT_ONCE).zip(vectors.chunks(AT_ONCE)) {
                look_up(gallery, owners, vectors, threshold, &mut pairs)?;
            }
            owners.clear();
            vectors.clear();
        }
    }
    let names: BTreeMap<PersonId, Person> = people.into_iter().map(|person| (person.id, person)).collect();
    let named = pairs.into_iter().filter_map(|((first, second), found)| {
        let name = |person| names.get(&person).map(|person| person.name.clone());
        Some(Duplicate {
            first,
            first_name: name(first)?,
            second,
            second_name: name(second)?,
            similarity: found.similarity,
            first_face: found.faces.0,
            second_face: found.faces.1,
            supporting_faces: found.supporting.len(),
        })
    });
    let mut duplicates: Vec<Duplicate> = named.collect();
    duplicates.sort_by(|a, b| b.similarity.total_cmp(&a.similarity).then_with(|| (a.first, a.second).cmp(&(b.first, b.second))));
    duplicates.truncate(limit);
    Ok(duplicates)
}

fn look_up(
    gallery: &dyn Backend,
    owners: &[(FaceId, PersonId)],
    vectors: &[Embedding],
    threshold: f32,
    pairs: &mut BTreeMap<(PersonId, PersonId), Found>,
) -> Result<()> {
    let found = gallery.best_people(vectors, PEOPLE, &SearchFilter::default())?;
    for (&(face, person), people) in owners.iter().zip(found) {
        for other in people.into_iter().filter(|other| other.person != person && other.similarity >= threshold) {
            let pair = (person.min(other.person), person.max(other.person));
            let faces = if person < other.person { (face, other.face) } else { (other.face, face) };
            let found = pairs.entry(pair).or_insert(Found { similarity: f32::NEG_INFINITY, faces, supporting: BTreeSet::new() });
            found.supporting.insert(face);
            // The two directions may differ in the last bits; the lower ids decide between equals.
            if other.similarity > found.similarity || (other.similarity == found.similarity && faces < found.faces) {
                (found.similarity, found.faces) = (other.similarity, faces);
            }
        }
    }
    Ok(())
}
