//! Searches: in the state of now, among those whom a filter lets be found.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLockReadGuard};

use super::Local;
use crate::error::{Error, Result};
use crate::face::Embedding;
use crate::gallery::decision::{Candidate, FIRST_LOOK, LOOK_FURTHER, best_per_person};
use crate::gallery::filter::SearchFilter;
use crate::gallery::live::Live;
use crate::gallery::records::{Match, PersonId};
use crate::gallery::rows::FaceRow;
use crate::gallery::store::{self, Checked};

/// Positions of faces, ascending.
type Positions = Arc<Vec<usize>>;

/// Positions of the faces that a filter lets be found, in one state.
pub(super) struct Filtered {
    version: Arc<()>,
    filter: SearchFilter,
    positions: Positions,
}

/// How many filters are remembered.
const FILTERS: usize = 16;

impl Local {
    /// The queries' values, one after the other.
    fn values(&self, live: &Live, queries: &[&Embedding]) -> Result<Vec<f32>> {
        queries.iter().try_for_each(|query| self.check_model(query))?;
        let Some(vectors) = &live.vectors else { return Ok(Vec::new()) };
        let mut values = Vec::with_capacity(queries.len() * vectors.dim());
        for query in queries {
            if query.as_slice().len() != vectors.dim() {
                return Err(Error::DimensionMismatch { what: "embedding", expected: vectors.dim(), actual: query.as_slice().len() });
            }
            values.extend_from_slice(query.as_slice());
        }
        Ok(values)
    }

    pub(super) fn search_in(&self, live: &Live, among: Option<&[usize]>, queries: &[&Embedding], k: usize) -> Result<Vec<Vec<Match>>> {
        let values = self.values(live, queries)?;
        if live.vectors.is_none() {
            return Ok(vec![Vec::new(); queries.len()]);
        }
        match among {
            Some(positions) => live.search_at(positions, &values, k),
            None => live.search(&values, k),
        }
    }

    /// The searchable state and the positions of the faces that a filter lets be found, `None` for all.
    pub(super) fn current_among(&self, filter: &SearchFilter) -> Result<(RwLockReadGuard<'_, Live>, Option<Positions>)> {
        if filter.is_empty() {
            return Ok((self.current()?, None));
        }
        loop {
            drop(self.current()?);
            let (version, positions) = self.allowed(filter)?;
            // Positions are those of one state: a change may have come between.
            let live = self.live();
            if Arc::ptr_eq(&live.version, &version) {
                return Ok((live, Some(positions)));
            }
        }
    }

    /// Positions of the faces that a filter lets be found, and the state they are of. What metadata holds is read once per state and
    /// filter.
    fn allowed(&self, filter: &SearchFilter) -> Result<(Arc<()>, Positions)> {
        let (version, owners, names) = {
            let live = self.live();
            (Arc::clone(&live.version), Arc::clone(&live.owners), Arc::clone(&live.names))
        };
        let mut known = self.filters.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|known| Arc::ptr_eq(&known.version, &version));
        if let Some(known) = known.iter().find(|known| known.filter == *filter) {
            return Ok((version, Arc::clone(&known.positions)));
        }
        drop(known);
        let people: Option<BTreeSet<PersonId>> =
            filter.persons.is_some().then(|| names.iter().filter(|(_, name)| filter.lets_person(name)).map(|(person, _)| person).collect());
        let mut allowed: Vec<usize> = match &people {
            Some(people) => (0..owners.len()).filter(|&at| people.contains(&owners[at].1)).collect(),
            None => (0..owners.len()).collect(),
        };
        if !filter.metadata.is_empty() {
            let mut faces = BTreeSet::new();
            self.db().store.snapshot(|snapshot| {
                let mut visit = |row: Checked<FaceRow<'_>>| {
                    faces.extend(self.intact(row, "face")?.filter(|face| filter.lets_metadata(face.metadata)).map(|face| face.id));
                    Ok(())
                };
                match &people {
                    Some(people) => people.iter().try_for_each(|&person| snapshot.scan_faces_of(person, &mut visit)),
                    None => snapshot.scan_faces(0, visit),
                }
            })?;
            allowed.retain(|&at| faces.contains(&owners[at].0));
        }
        let positions = Arc::new(allowed);
        let mut known = self.filters.lock().unwrap_or_else(PoisonError::into_inner);
        known.truncate(FILTERS - 1);
        known.push_front(Filtered { version: Arc::clone(&version), filter: filter.clone(), positions: Arc::clone(&positions) });
        Ok((version, positions))
    }

    /// The searchable state, with everything that other processes committed until now.
    pub(super) fn current(&self) -> Result<RwLockReadGuard<'_, Live>> {
        // A writer is alone and keeps its own state in step.
        if self.lock.is_none() || self.stale.load(Ordering::Acquire) {
            let mut db = self.db();
            let generation = db.store.generation()?;
            if generation != self.live().generation || self.stale.load(Ordering::Acquire) {
                self.catch_up(&db)?;
            }
        }
        let now = store::now_ms();
        if self.live().next_expiry().is_some_and(|time| time <= now) {
            // A writer deletes them later: a search does not wait for the disk.
            self.live_mut().drop_expired(now)?;
        }
        Ok(self.live())
    }

    /// The best people for each query: at least `wanted` where there are so many.
    pub(super) fn people_like(&self, queries: &[Embedding], wanted: usize, filter: &SearchFilter) -> Result<Vec<Vec<Candidate>>> {
        let (live, among) = self.current_among(filter)?;
        let among = among.as_deref().map(Vec::as_slice);
        let faces = among.map_or(live.owners.len(), <[usize]>::len);
        let wanted = wanted.min(live.people());
        let mut found: Vec<Option<Vec<Candidate>>> = vec![None; queries.len()];
        let mut k = FIRST_LOOK.max(4 * wanted);
        // One person's many faces may fill the whole list: look further until enough people are in it.
        loop {
            let open: Vec<usize> = (0..queries.len()).filter(|&i| found[i].is_none()).collect();
            if open.is_empty() {
                return Ok(found.into_iter().flatten().collect());
            }
            let asked: Vec<&Embedding> = open.iter().map(|&i| &queries[i]).collect();
            for (i, matches) in open.into_iter().zip(self.search_in(&live, among, &asked, k)?) {
                let people = best_per_person(matches);
                if people.len() >= wanted || k >= faces {
                    found[i] = Some(people);
                }
            }
            k = k.saturating_mul(LOOK_FURTHER);
        }
    }
}
