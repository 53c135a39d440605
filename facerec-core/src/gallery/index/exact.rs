//! The plain exact search: the same answers as FAISS's flat index, with nothing but Rust.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::{Hit, VectorIndex};
use crate::error::{Error, Result};

/// Independent sums per dot product: as many as fill two AVX registers, so that the compiler vectorises the loop.
const LANES: usize = 16;

/// Unit vectors, one after the other.
pub(super) struct Exact {
    dim: usize,
    vectors: Vec<f32>,
}

#[cfg_attr(feature = "faiss", allow(dead_code))] // then only the tests use it
impl Exact {
    /// What `stats` calls this kind.
    pub(super) const KIND: &'static str = "exact";

    pub(super) fn new(dim: usize) -> Result<Self> {
        if !(1..=1 << 16).contains(&dim) {
            return Err(Error::argument("dim", format!("expected 1 to 65536 values in a vector, got `{dim}`")));
        }
        Ok(Self { dim, vectors: Vec::new() })
    }

    /// All vectors, one after the other.
    pub(super) fn vectors(&self) -> &[f32] {
        &self.vectors
    }

    /// Removes the vectors at `positions`, ascending; those behind them move up.
    pub(super) fn remove(&mut self, positions: &[usize]) -> Result<()> {
        let mut to = 0;
        let mut gone = positions.iter().peekable();
        for from in 0..self.len() {
            if gone.next_if(|&&p| p == from).is_none() {
                self.vectors.copy_within(from * self.dim..(from + 1) * self.dim, to * self.dim);
                to += 1;
            }
        }
        // What is left behind is removed people's data: not even the spare capacity keeps it.
        self.vectors[to * self.dim..].fill(0.0);
        self.vectors.truncate(to * self.dim);
        Ok(())
    }

    fn search_one(&self, query: &[f32], k: usize) -> Vec<Hit> {
        // The heap's top is the worst of the best so far: what a newcomer has to beat.
        let mut best: BinaryHeap<Reverse<Ranked>> = BinaryHeap::with_capacity(k + 1);
        for (position, vector) in self.vectors.chunks_exact(self.dim).enumerate() {
            let ranked = Ranked { similarity: dot(query, vector), position };
            if best.len() < k {
                best.push(Reverse(ranked));
            } else if best.peek().is_some_and(|worst| ranked > worst.0) {
                best.pop();
                best.push(Reverse(ranked));
            }
        }
        best.into_sorted_vec().into_iter().map(|Reverse(r)| (r.position, r.similarity)).collect()
    }
}

#[cfg_attr(feature = "faiss", allow(dead_code))]
impl VectorIndex for Exact {
    fn len(&self) -> usize {
        self.vectors.len() / self.dim
    }

    fn add(&mut self, vectors: &[f32]) -> Result<()> {
        if !vectors.len().is_multiple_of(self.dim) {
            return Err(Error::DimensionMismatch { what: "vectors", expected: self.dim, actual: vectors.len() });
        }
        self.vectors.extend_from_slice(vectors);
        Ok(())
    }

    fn search(&self, queries: &[f32], k: usize) -> Result<Vec<Vec<Hit>>> {
        if !queries.len().is_multiple_of(self.dim) {
            return Err(Error::DimensionMismatch { what: "query", expected: self.dim, actual: queries.len() });
        }
        let k = k.min(self.len());
        Ok(queries.chunks_exact(self.dim).map(|query| self.search_one(query, k)).collect())
    }
}

/// Ordered by similarity; of two equal ones the earlier vector is the better.
#[derive(Clone, Copy)]
struct Ranked {
    similarity: f32,
    position: usize,
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        self.similarity.total_cmp(&other.similarity).then(other.position.cmp(&self.position))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ranked {}

/// The inner product of two vectors of equal length.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0.0_f32; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}
