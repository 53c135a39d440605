//! Exact search with FAISS, which keeps the very bytes it was given.

use faiss::error::Error as FaissError;
use faiss::index::flat::FlatIndexImpl;
use faiss::index::{ConcurrentIndex, Idx, Index};
use faiss::selector::IdSelector;
use faiss::{FlatIndex, MetricType};

use super::super::processor;
use super::{Hit, VectorIndex};
use crate::error::{Error, Result};

/// FAISS's `IndexFlatIP`. It checks no lengths, so everything is checked here.
pub(super) struct Flat {
    flat: FlatIndexImpl,
    dim: usize,
}

impl Flat {
    /// What `stats` calls this kind.
    pub(super) const KIND: &'static str = "faiss-flat-ip";

    pub(super) fn new(dim: usize) -> Result<Self> {
        processor::check()?;
        let d = u32::try_from(dim).ok().filter(|&d| d > 0 && d <= 1 << 16);
        let d = d.ok_or_else(|| Error::argument("dim", format!("expected 1 to 65536 values in a vector, got `{dim}`")))?;
        Ok(Self { flat: FlatIndex::new(d, MetricType::InnerProduct).map_err(failed)?, dim })
    }

    /// All vectors, one after the other.
    pub(super) fn vectors(&self) -> &[f32] {
        // An empty std::vector may have a null pointer, which no slice may have.
        if self.len() == 0 { &[] } else { self.flat.xb() }
    }

    /// Removes the vectors at `positions`; those behind them move up.
    pub(super) fn remove(&mut self, positions: &[usize]) -> Result<()> {
        let ids: Vec<Idx> = positions.iter().map(|&p| Idx::new(p as u64)).collect();
        let selector = IdSelector::batch(&ids).map_err(failed)?;
        let removed = self.flat.remove_ids(&selector).map_err(failed)?;
        if removed != positions.len() {
            return Err(Error::internal(format!("index removed {removed} vectors of {}", positions.len())));
        }
        Ok(())
    }
}

impl VectorIndex for Flat {
    fn len(&self) -> usize {
        self.flat.ntotal() as usize
    }

    fn add(&mut self, vectors: &[f32]) -> Result<()> {
        if !vectors.len().is_multiple_of(self.dim) {
            return Err(Error::DimensionMismatch { what: "vectors", expected: self.dim, actual: vectors.len() });
        }
        self.flat.add(vectors).map_err(failed)
    }

    fn search(&self, queries: &[f32], k: usize) -> Result<Vec<Vec<Hit>>> {
        if !queries.len().is_multiple_of(self.dim) {
            return Err(Error::DimensionMismatch { what: "query", expected: self.dim, actual: queries.len() });
        }
        let k = k.min(self.len());
        if k == 0 || queries.is_empty() {
            return Ok(vec![Vec::new(); queries.len() / self.dim]);
        }
        let result = ConcurrentIndex::search(&self.flat, queries, k).map_err(failed)?;
        Ok(hits(&result.labels, &result.distances, k))
    }
}

/// FAISS's two flat lists as one list per query; places that it could not fill are left out.
pub(super) fn hits(labels: &[Idx], similarities: &[f32], k: usize) -> Vec<Vec<Hit>> {
    let rows = labels.chunks_exact(k).zip(similarities.chunks_exact(k));
    rows.map(|(labels, found)| labels.iter().zip(found).filter_map(|(label, &s)| Some((label.get()? as usize, s))).collect()).collect()
}

pub(super) fn failed(error: FaissError) -> Error {
    Error::internal(format!("FAISS: {error}"))
}
