//! The true vectors of all faces, in shards that are shared and not copied.
//!
//! A shard that somebody else holds, such as the builder of a base or the writer of the saved index, never changes under
//! their hands: additions go to a new one, and a removal leaves them the old one.

use std::sync::Arc;

use super::{Hit, Shard, VectorIndex, each, merge, similarity};
use crate::error::{Error, Result};

/// Rows in a full shard: 32 MB at 512 values. Small enough to share a search between processors and to remove from quickly.
pub(in super::super) const SHARD_ROWS: usize = 16_384;
/// From how many values on a search pays for a second thread: 2 ms of work.
const PARALLEL_VALUES: usize = 8 << 20;
/// From how many queries on FAISS multiplies matrices, which uses every processor by itself.
const BATCH: usize = 20;

#[derive(Clone)]
struct Slot {
    shard: Arc<Shard>,
    /// Takes no more vectors.
    closed: bool,
    /// A base knows its vectors.
    covered: bool,
}

/// Unit vectors by position. Cloning shares them.
#[derive(Clone)]
pub(in super::super) struct Vectors {
    dim: usize,
    slots: Vec<Slot>,
}

impl Vectors {
    pub(in super::super) fn new(dim: usize) -> Result<Self> {
        // Checks the dimension.
        Shard::new(dim)?;
        Ok(Self { dim, slots: Vec::new() })
    }

    /// One shard that takes no more: a block of a saved index.
    pub(in super::super) fn shard(dim: usize, values: &[f32]) -> Result<Self> {
        let mut shard = Shard::new(dim)?;
        shard.add(values)?;
        Ok(Self { dim, slots: vec![Slot { shard: Arc::new(shard), closed: true, covered: false }] })
    }

    /// Puts such shards together.
    pub(in super::super) fn join(dim: usize, parts: Vec<Self>) -> Result<Self> {
        let mut all = Self::new(dim)?;
        all.slots = parts.into_iter().flat_map(|part| part.slots).filter(|slot| slot.shard.len() > 0).collect();
        // The last may go on growing, unless a base is installed over it.
        if let Some(last) = all.slots.last_mut() {
            last.closed = false;
        }
        Ok(all)
    }

    pub(in super::super) fn dim(&self) -> usize {
        self.dim
    }

    pub(in super::super) fn len(&self) -> usize {
        self.slots.iter().map(|slot| slot.shard.len()).sum()
    }

    /// The values of each shard, in order.
    pub(in super::super) fn shards(&self) -> impl Iterator<Item = &[f32]> {
        self.slots.iter().map(|slot| slot.shard.vectors())
    }

    /// Random access by position, for many accesses.
    pub(in super::super) fn rows(&self) -> Rows<'_> {
        let mut start = 0;
        let shards = self.slots.iter().map(|slot| {
            let at = start;
            start += slot.shard.len();
            (at, slot.shard.vectors())
        });
        Rows { dim: self.dim, shards: shards.collect() }
    }

    /// Appends whole vectors.
    pub(in super::super) fn add(&mut self, vectors: &[f32]) -> Result<()> {
        if !vectors.len().is_multiple_of(self.dim) {
            return Err(Error::DimensionMismatch { what: "vectors", expected: self.dim, actual: vectors.len() });
        }
        let mut rest = vectors;
        while !rest.is_empty() {
            let open = match self.slots.last_mut() {
                Some(slot) if !slot.closed && slot.shard.len() < SHARD_ROWS => Arc::get_mut(&mut slot.shard),
                _ => None,
            };
            let Some(shard) = open else {
                self.slots.push(Slot { shard: Arc::new(Shard::new(self.dim)?), closed: false, covered: false });
                continue;
            };
            let room = (SHARD_ROWS - shard.len()) * self.dim;
            let (now, later) = rest.split_at(room.min(rest.len()));
            shard.add(now)?;
            rest = later;
        }
        Ok(())
    }

    /// Appends the vectors of `other`: whole shards without copying them.
    pub(in super::super) fn append(&mut self, other: Self) -> Result<()> {
        for slot in other.slots {
            if slot.shard.len() < SHARD_ROWS {
                self.add(slot.shard.vectors())?;
            } else {
                self.slots.push(slot);
            }
        }
        Ok(())
    }

    /// Removes the vectors at `positions`, ascending; those behind them move up.
    pub(in super::super) fn remove(&mut self, positions: &[usize]) -> Result<()> {
        let (mut start, mut rest) = (0, positions);
        for slot in &mut self.slots {
            let len = slot.shard.len();
            let (here, later) = rest.split_at(rest.partition_point(|&p| p < start + len));
            if !here.is_empty() {
                let local: Vec<usize> = here.iter().map(|p| p - start).collect();
                match Arc::get_mut(&mut slot.shard) {
                    Some(shard) => shard.remove(&local)?,
                    None => {
                        let mut kept = Shard::new(self.dim)?;
                        kept.add(slot.shard.vectors())?;
                        kept.remove(&local)?;
                        slot.shard = Arc::new(kept);
                    }
                }
            }
            (start, rest) = (start + len, later);
        }
        if !rest.is_empty() {
            return Err(Error::internal(format!("{} vectors to remove are not in the index", rest.len())));
        }
        self.slots.retain(|slot| slot.shard.len() > 0);
        Ok(())
    }

    /// From now on additions go to new shards, so that what is there now stays apart from them.
    pub(in super::super) fn close(&mut self) {
        self.slots.iter_mut().for_each(|slot| slot.closed = true);
    }

    /// The first `count` vectors are in a base from now on, and no others. `false` when that is not the border of a shard.
    pub(in super::super) fn cover(&mut self, count: usize) -> bool {
        let mut start = 0;
        for slot in &mut self.slots {
            slot.covered = start < count;
            slot.closed |= slot.covered;
            start += slot.shard.len();
            if slot.covered && start > count {
                self.slots.iter_mut().for_each(|slot| slot.covered = false);
                return false;
            }
        }
        true
    }

    /// Number of vectors that no base knows; they are the last.
    pub(in super::super) fn uncovered(&self) -> usize {
        self.slots.iter().filter(|slot| !slot.covered).map(|slot| slot.shard.len()).sum()
    }

    /// The `k` most similar vectors for each query, by comparing all of them; only those that no base knows with `uncovered`.
    pub(in super::super) fn search(&self, queries: &[f32], k: usize, uncovered: bool) -> Result<Vec<Vec<Hit>>> {
        let count = queries.len() / self.dim;
        let mut parts: Vec<(usize, &Shard)> = Vec::with_capacity(self.slots.len());
        let (mut start, mut rows) = (0, 0);
        for slot in &self.slots {
            if !(uncovered && slot.covered) {
                parts.push((start, &slot.shard));
                rows += slot.shard.len();
            }
            start += slot.shard.len();
        }
        let large = rows * count * self.dim >= PARALLEL_VALUES;
        let own_threads = cfg!(feature = "faiss") && count >= BATCH;
        let found = each(&parts, large && !own_threads, |&(start, shard)| Ok((start, shard.search(queries, k)?)))?;
        Ok(merge(found, count, k))
    }
}

/// Vectors by position.
pub(in super::super) struct Rows<'a> {
    dim: usize,
    shards: Vec<(usize, &'a [f32])>,
}

impl<'a> Rows<'a> {
    pub(in super::super) fn get(&self, position: usize) -> Option<&'a [f32]> {
        let (start, values) = self.shards.get(self.shards.partition_point(|shard| shard.0 <= position).checked_sub(1)?)?;
        let at = (position - start) * self.dim;
        values.get(at..at + self.dim)
    }

    /// The `k` of `positions` that are truly most similar to `query`, best first; of equal ones the earlier first.
    pub(in super::super) fn rank(&self, query: &[f32], positions: impl IntoIterator<Item = usize>, k: usize) -> Vec<Hit> {
        let true_hits = positions.into_iter().filter_map(|p| Some((p, similarity(query, self.get(p)?))));
        let mut hits: Vec<Hit> = true_hits.collect();
        let best_first = |a: &Hit, b: &Hit| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if hits.len() > 4 * k && k > 0 {
            hits.select_nth_unstable_by(k - 1, best_first);
            hits.truncate(k);
        }
        hits.sort_unstable_by(best_first);
        hits.truncate(k);
        hits
    }
}
