//! What a search needs, in memory: the vectors, whose they are, and what people are called.
//!
//! It is brought up to date from the database in one way only, by [`Live::catch_up`], whether the change was made here,
//! by another process, or before the gallery was opened. What was added since is read by its ids, which only grow; a
//! generation that removed or renamed compares the ids and reads the names again.

use std::collections::{HashMap, HashSet};

use super::index::VectorIndex;
use super::records::{FaceId, Match, PersonId};
use super::rows::{State, vector_values};
use super::store::{Checked, Snapshot};
use crate::error::{Error, Result};

/// Vectors handed to the index at once while it is filled: 8 MB at 512 values.
const ROWS_AT_ONCE: usize = 4096;

/// The searchable state of one generation.
pub(super) struct Live {
    /// `None` until the first face is there.
    pub(super) index: Option<VectorIndex>,
    /// Face and person at each position of the index; ids ascend.
    pub(super) owners: Vec<(FaceId, PersonId)>,
    names: HashMap<PersonId, Box<str>>,
    /// The highest ids that were read.
    last_face: i64,
    last_person: i64,
    /// The database's generation that this shows.
    pub(super) generation: u64,
    /// Rows left out because they are damaged: only with [`salvage`](super::GalleryOptions::salvage).
    damaged_faces: Vec<FaceId>,
    damaged_people: Vec<PersonId>,
}

impl Live {
    /// Nothing read yet.
    pub(super) fn empty() -> Self {
        Self {
            index: None,
            owners: Vec::new(),
            names: HashMap::new(),
            last_face: 0,
            last_person: 0,
            generation: 0,
            damaged_faces: Vec::new(),
            damaged_people: Vec::new(),
        }
    }

    /// An index read from its file; the names follow with the first [`catch_up`](Self::catch_up).
    pub(super) fn from_saved(index: VectorIndex, owners: Vec<(FaceId, PersonId)>, generation: u64) -> Self {
        let last_face = owners.last().map_or(0, |owner| owner.0.0);
        Self { index: Some(index), owners, last_face, generation, ..Self::empty() }
    }

    /// Applies everything that happened since this generation.
    ///
    /// # Errors
    /// `gallery_corrupt` when a row does not match its checksum or rows are missing, unless `salvage` leaves them out.
    /// After an error the state may be half way: start again from [`empty`](Self::empty).
    pub(super) fn catch_up(&mut self, snapshot: &Snapshot<'_>, salvage: bool) -> Result<()> {
        let state = snapshot.state()?;
        if state.rewritten > self.generation {
            self.names.clear();
            self.last_person = 0;
            self.damaged_people.clear();
            self.follow(snapshot)?;
        }
        self.add_people(snapshot)?;
        self.add_faces(snapshot, &state)?;
        let whole = self.owners.len() as u64 == state.faces && self.names.len() as u64 == state.persons;
        if !salvage && !whole {
            let found = match (self.damaged_people.first(), self.damaged_faces.first()) {
                (Some(person), _) => format!("person {person} does not match its checksum"),
                (_, Some(face)) => format!("face {face} does not match its checksum"),
                _ => "rows are missing".into(),
            };
            let counts =
                format!("{} of {} faces and {} of {} people are intact", self.owners.len(), state.faces, self.names.len(), state.persons);
            return Err(snapshot.corrupt(&format!("{found}; {counts}; `facerec gallery verify` lists the damage")));
        }
        self.generation = state.generation;
        Ok(())
    }

    /// Takes out every face that is no longer there, and gives those that were moved to their new people.
    fn follow(&mut self, snapshot: &Snapshot<'_>) -> Result<()> {
        let there = snapshot.owners()?;
        let person_of = |face: &FaceId| there.binary_search_by_key(face, |o| o.0).ok().map(|at| there[at].1);
        for (face, person) in &mut self.owners {
            if person_of(face).is_some_and(|now| now != *person) {
                // `owners` comes from an index that no checksum covers: the row itself says whose face it is.
                let mut intact = false;
                snapshot.face(*face, |row| {
                    if let Checked::Good(row) = row {
                        (*person, intact) = (row.person, true);
                    }
                    Ok(())
                })?;
                if !intact {
                    self.damaged_faces.push(*face);
                }
            }
        }
        let damaged: HashSet<FaceId> = self.damaged_faces.iter().copied().collect();
        let stays = |owner: &(FaceId, PersonId)| person_of(&owner.0).is_some() && !damaged.contains(&owner.0);
        let gone: Vec<usize> = self.owners.iter().enumerate().filter(|(_, owner)| !stays(owner)).map(|(i, _)| i).collect();
        if let Some(index) = self.index.as_mut().filter(|_| !gone.is_empty()) {
            index.remove(&gone)?;
        }
        self.owners.retain(stays);
        self.damaged_faces.retain(|face| person_of(face).is_some());
        Ok(())
    }

    fn add_people(&mut self, snapshot: &Snapshot<'_>) -> Result<()> {
        let Self { names, last_person, damaged_people, .. } = self;
        snapshot.scan_persons(*last_person, |row| {
            *last_person = row.id();
            match row {
                Checked::Good(person) => drop(names.insert(person.id, person.name.into())),
                Checked::Damaged(id) => damaged_people.push(PersonId(id)),
            }
            Ok(())
        })
    }

    fn add_faces(&mut self, snapshot: &Snapshot<'_>, state: &State) -> Result<()> {
        if self.index.is_none() && state.dim > 0 {
            self.index = Some(VectorIndex::new(state.dim)?);
        }
        let Some(index) = &mut self.index else { return Ok(()) };
        let Self { owners, names, last_face, damaged_faces, .. } = self;
        let mut vectors = Vec::new();
        snapshot.scan_faces(*last_face, |row| {
            *last_face = row.id();
            match row {
                Checked::Good(face) if face.vector.len() == state.dim * 4 && names.contains_key(&face.person) => {
                    vectors.extend(vector_values(face.vector));
                    owners.push((face.id, face.person));
                }
                other => damaged_faces.push(FaceId(other.id())),
            }
            if vectors.len() >= ROWS_AT_ONCE * state.dim {
                index.add(&vectors)?;
                vectors.clear();
            }
            Ok(())
        })?;
        index.add(&vectors)
    }

    /// The `k` most similar faces for each query, best first; equal similarities in the order of enrolment.
    pub(super) fn search(&self, index: &VectorIndex, queries: &[f32], k: usize) -> Result<Vec<Vec<Match>>> {
        let found = index.search(queries, k)?;
        found.into_iter().map(|hits| hits.into_iter().map(|hit| self.matched(hit)).collect()).map(sorted).collect()
    }

    /// Number of people who can be found.
    pub(super) fn people(&self) -> usize {
        self.names.len()
    }

    fn matched(&self, (position, similarity): (usize, f32)) -> Result<Match> {
        let owner = self.owners.get(position).and_then(|&(face, person)| Some((face, person, self.names.get(&person)?)));
        let (face, person, name) = owner.ok_or_else(|| Error::internal(format!("the index has no owner at position {position}")))?;
        // Rounding may leave the product of two unit vectors a few parts in ten million beyond 1.
        Ok(Match { person, name: name.to_string(), face, similarity: similarity.clamp(-1.0, 1.0) })
    }
}

fn sorted(matches: Result<Vec<Match>>) -> Result<Vec<Match>> {
    let mut matches = matches?;
    matches.sort_by(|a, b| b.similarity.total_cmp(&a.similarity).then(a.face.cmp(&b.face)));
    Ok(matches)
}
