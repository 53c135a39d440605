//! What a search needs, in memory: the vectors, whose they are, and what people are called.
//!
//! It is brought up to date from the database in one way only, by [`Live::catch_up`], whether the change was made here,
//! by another process, or before the gallery was opened. What was added since is read by its ids, which only grow; a
//! generation that removed or renamed compares the ids and reads the names again.

use std::collections::{BTreeSet, HashMap};

use super::index::VectorIndex;
use super::records::{FaceId, Match, PersonId};
use super::rows::{State, vector_values};
use super::store::{Checked, Snapshot, now_ms};
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
    /// The highest face and row of a person that were read.
    last_face: i64,
    last_person: i64,
    /// The XOR of the marks of the rows that were read; of faces, `None` when it is not known any more.
    people_mark: i64,
    faces_mark: Option<i64>,
    /// When faces expire, in milliseconds since 1970 UTC; some of them may be gone already.
    expiries: BTreeSet<(i64, FaceId)>,
    /// Faces that expired: out of the index, and in the database until a writer deletes them.
    expired: BTreeSet<FaceId>,
    /// The expiries of the faces of a saved index are not read yet.
    expiries_unread: bool,
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
            people_mark: 0,
            faces_mark: Some(0),
            expiries: BTreeSet::new(),
            expired: BTreeSet::new(),
            expiries_unread: false,
            generation: 0,
            damaged_faces: Vec::new(),
            damaged_people: Vec::new(),
        }
    }

    /// An index read from its file; the names follow with the first [`catch_up`](Self::catch_up).
    pub(super) fn from_saved(index: VectorIndex, owners: Vec<(FaceId, PersonId)>, generation: u64) -> Self {
        let last_face = owners.last().map_or(0, |owner| owner.0.0);
        Self { index: Some(index), owners, last_face, generation, faces_mark: None, expiries_unread: true, ..Self::empty() }
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
            self.people_mark = 0;
            self.damaged_people.clear();
            if self.last_face > 0 {
                // Rows that were read may be gone, another's, or sealed anew.
                self.faces_mark = None;
            }
            self.drop_removed(snapshot)?;
        }
        self.add_people(snapshot)?;
        if std::mem::take(&mut self.expiries_unread) {
            self.expiries.extend(snapshot.expiries(FaceId(self.last_face))?);
        }
        self.add_faces(snapshot, &state)?;
        self.drop_expired(now_ms())?;
        let faces = self.owners.len() + self.expired.len();
        let marked =
            state.marks.is_none_or(|marks| marks.persons == self.people_mark && self.faces_mark.is_none_or(|mark| marks.faces == mark));
        let whole = marked && faces as u64 == state.faces && self.names.len() as u64 == state.persons;
        if !salvage && !whole {
            let found = match (self.damaged_people.first(), self.damaged_faces.first()) {
                (Some(person), _) => format!("person {person} does not match its checksum"),
                (_, Some(face)) => format!("face {face} does not match its checksum"),
                _ => "rows are missing or were exchanged".into(),
            };
            let counts = format!("{faces} of {} faces and {} of {} people are intact", state.faces, self.names.len(), state.persons);
            return Err(snapshot.corrupt(&format!("{found}; {counts}; `facerec gallery verify` lists the damage")));
        }
        self.generation = state.generation;
        Ok(())
    }

    /// Takes out every face that is no longer there, and gives those that were moved to their new people.
    fn drop_removed(&mut self, snapshot: &Snapshot<'_>) -> Result<()> {
        let there = snapshot.owners()?;
        let owner_of = |face: &FaceId| there.binary_search_by_key(face, |o| o.0).ok().map(|at| there[at].1);
        let mut gone = Vec::new();
        for (position, (face, person)) in self.owners.iter_mut().enumerate() {
            match owner_of(face) {
                Some(now) if now != *person => {
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
                        gone.push(position);
                    }
                }
                Some(_) => {}
                None => gone.push(position),
            }
        }
        if let Some(index) = self.index.as_mut().filter(|_| !gone.is_empty()) {
            index.remove(&gone)?;
        }
        let mut position = 0;
        self.owners.retain(|_| {
            position += 1;
            gone.binary_search(&(position - 1)).is_err()
        });
        self.damaged_faces.retain(|face| owner_of(face).is_some());
        self.expired.retain(|face| owner_of(face).is_some());
        Ok(())
    }

    /// When the next face expires, milliseconds since 1970 UTC.
    pub(super) fn next_expiry(&self) -> Option<i64> {
        self.expiries.first().map(|first| first.0)
    }

    /// Whether the face expired and is still in the database.
    pub(super) fn is_expired(&self, face: FaceId) -> bool {
        self.expired.contains(&face)
    }

    /// Takes out every face whose time has come.
    pub(super) fn drop_expired(&mut self, now_ms: i64) -> Result<()> {
        let mut gone = Vec::new();
        while let Some(&(time, face)) = self.expiries.first().filter(|first| first.0 <= now_ms) {
            self.expiries.remove(&(time, face));
            if let Ok(position) = self.owners.binary_search_by_key(&face, |owner| owner.0) {
                gone.push(position);
                self.expired.insert(face);
            }
        }
        gone.sort_unstable();
        if let Some(index) = self.index.as_mut().filter(|_| !gone.is_empty()) {
            index.remove(&gone)?;
        }
        let expired = &self.expired;
        if !gone.is_empty() {
            self.owners.retain(|(face, _)| !expired.contains(face));
        }
        Ok(())
    }

    fn add_people(&mut self, snapshot: &Snapshot<'_>) -> Result<()> {
        let Self { names, last_person, people_mark, damaged_people, .. } = self;
        snapshot.scan_persons(*last_person, |row| {
            *last_person = row.row().max(*last_person);
            match row {
                Checked::Good(person) => {
                    *people_mark ^= person.mark;
                    names.insert(person.id, person.name.into());
                }
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
        let Self { owners, names, last_face, faces_mark, expiries, damaged_faces, .. } = self;
        let mut vectors = Vec::new();
        snapshot.scan_faces(*last_face, |row| {
            *last_face = row.id();
            match row {
                Checked::Good(face) if face.vector.len() == state.dim * 4 && names.contains_key(&face.person) => {
                    *faces_mark = faces_mark.map(|mark| mark ^ face.mark);
                    expiries.extend(face.expires_ms.map(|time| (time, face.id)));
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
