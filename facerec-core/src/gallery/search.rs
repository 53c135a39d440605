//! Asking a gallery: the most similar faces, and who it is.

use std::sync::RwLockReadGuard;
use std::sync::atomic::Ordering;

use super::Gallery;
use super::decision::{Decision, DecisionOptions, best_per_person, decide};
use super::live::Live;
use super::records::Match;
use crate::error::{Error, Result};
use crate::face::Embedding;

/// Faces looked at first when people are wanted, and how many times more when they were too few people.
const FIRST_LOOK: usize = 32;
const LOOK_FURTHER: usize = 8;

impl Gallery {
    /// The `k` enrolled faces most similar to `query`, best first; fewer when there are fewer. Exact: every face is compared.
    ///
    /// # Errors
    /// `embedding_model_mismatch`, `dimension_mismatch`; `gallery_corrupt` or `io` while reading another process's changes.
    pub fn search(&self, query: &Embedding, k: usize) -> Result<Vec<Match>> {
        Ok(self.search_many(std::slice::from_ref(query), k)?.pop().unwrap_or_default())
    }

    /// [`search`](Self::search) for many queries at once, which uses every processor; the answers are the same.
    ///
    /// # Errors
    /// As [`search`](Self::search).
    pub fn search_many(&self, queries: &[Embedding], k: usize) -> Result<Vec<Vec<Match>>> {
        let live = self.current()?;
        self.search_in(&live, &queries.iter().collect::<Vec<_>>(), k)
    }

    /// Who it is: the person with the most similar face, when that reaches the threshold and leads the runner-up by the margin.
    ///
    /// # Errors
    /// `invalid_argument` for options out of range, else as [`search`](Self::search). Unknown is an answer, not an error.
    pub fn identify(&self, query: &Embedding, options: &DecisionOptions) -> Result<Decision> {
        let decision = self.identify_many(std::slice::from_ref(query), options)?.pop();
        decision.ok_or_else(|| Error::internal("one query was asked and no decision came back"))
    }

    /// [`identify`](Self::identify) for many queries at once, against one state of the gallery.
    ///
    /// # Errors
    /// As [`identify`](Self::identify).
    pub fn identify_many(&self, queries: &[Embedding], options: &DecisionOptions) -> Result<Vec<Decision>> {
        options.check()?;
        let live = self.current()?;
        let faces = live.owners.len();
        let wanted = options.wanted_people().min(live.people());
        let mut decisions: Vec<Option<Decision>> = vec![None; queries.len()];
        let mut k = FIRST_LOOK.max(4 * wanted);
        // One person's many faces may fill the whole list: look further until enough people are in it.
        loop {
            let open: Vec<usize> = (0..queries.len()).filter(|&i| decisions[i].is_none()).collect();
            if open.is_empty() {
                return Ok(decisions.into_iter().flatten().collect());
            }
            let asked: Vec<&Embedding> = open.iter().map(|&i| &queries[i]).collect();
            for (i, matches) in open.into_iter().zip(self.search_in(&live, &asked, k)?) {
                let people = best_per_person(matches);
                if people.len() >= wanted || k >= faces {
                    decisions[i] = Some(decide(people, options));
                }
            }
            k = k.saturating_mul(LOOK_FURTHER);
        }
    }

    fn search_in(&self, live: &Live, queries: &[&Embedding], k: usize) -> Result<Vec<Vec<Match>>> {
        queries.iter().try_for_each(|query| self.check_model(query))?;
        let Some(index) = &live.index else { return Ok(vec![Vec::new(); queries.len()]) };
        let mut values = Vec::with_capacity(queries.len() * index.dim());
        for query in queries {
            if query.as_slice().len() != index.dim() {
                return Err(Error::DimensionMismatch { what: "embedding", expected: index.dim(), actual: query.as_slice().len() });
            }
            values.extend_from_slice(query.as_slice());
        }
        live.search(index, &values, k)
    }

    /// The searchable state, with everything that other processes committed until now.
    fn current(&self) -> Result<RwLockReadGuard<'_, Live>> {
        // A writer is alone and keeps its own state in step.
        if self.lock.is_none() || self.stale.load(Ordering::Acquire) {
            let mut db = self.db();
            let generation = db.store.generation()?;
            if generation != self.live().generation || self.stale.load(Ordering::Acquire) {
                self.catch_up(&db)?;
            }
        }
        Ok(self.live())
    }
}
