//! The search index: inner product over unit vectors. Only this folder names `faiss`.
//!
//! [`Vectors`] holds the true vectors in exact shards; a search of kind `Flat` compares them all. The other kinds add a
//! [`Base`]: a smaller or faster structure that proposes candidates, which are then ranked by their true similarity. What was
//! added since a base was built is searched exactly beside it; what was removed is passed over until it is built again.

#[cfg(feature = "faiss")]
mod base;
mod exact;
#[cfg(feature = "faiss")]
mod flat;
#[cfg(not(feature = "faiss"))]
mod no_base;
#[cfg(test)]
mod tests;
#[cfg(feature = "faiss")]
mod threads;
#[cfg(feature = "faiss")]
mod trained;
mod vectors;

#[cfg(feature = "faiss")]
pub(super) use base::{Base, SavedBase};
#[cfg(not(feature = "faiss"))]
use exact::Exact as Shard;
pub(crate) use exact::dot;
#[cfg(feature = "faiss")]
use flat::Flat as Shard;
#[cfg(not(feature = "faiss"))]
pub(super) use no_base::{Base, PartReader, SavedBase};
#[cfg(feature = "faiss")]
pub(super) use trained::PartReader;
pub(super) use vectors::Vectors;

use std::num::NonZero;
use std::thread::available_parallelism;

use crate::error::{Error, Result};

/// How many more candidates are looked at than are wanted, because FAISS's sums differ from ours in the last bits.
pub(super) const ROUNDING: usize = 8;

/// A position in the index and its similarity to the query.
type Hit = (usize, f32);

/// How a gallery is searched. Whatever the kind, the similarities of what is found are those of the true vectors.
///
/// Memory per face, beside the true vector of 4 bytes per value (2 kB at 512), which every kind keeps:
///
/// | kind | more memory at 512 values | removed faces |
/// |---|---|---|
/// | `Flat` | 0 | gone at once |
/// | `Sq8` | 520 bytes | passed over until the next rebuild |
/// | `Fp16` | 1,032 bytes | as above |
/// | `Ivf` | 80 bytes | as above |
/// | `Hnsw` | about 800 bytes | as above |
///
/// A rebuild runs in the background. Below a thousand faces every kind searches like `Flat`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IndexKind {
    /// The kind that the gallery was searched by last, else by size: [`Flat`](Self::Flat) below 200,000 faces, [`Ivf`](Self::Ivf) from there on.
    #[default]
    Auto,
    /// Every face is compared with the query: exact.
    Flat,
    /// Every face is compared in 8 bits per value, and the best again by their true vectors. Misses the most similar face only
    /// where many are equally similar to within the rounding.
    Sq8,
    /// As [`Sq8`](Self::Sq8) with 16 bits per value: as good as exact.
    Fp16,
    /// Only the groups of faces near the query are compared, in half a bit per value, and the best again by their true vectors: the
    /// fastest for the largest galleries. `recall` in [`GalleryStats`](super::GalleryStats) says how often it finds the most similar face.
    Ivf,
    /// A graph of neighbours: fast, slow to build, for galleries that change seldom.
    Hnsw,
}

impl IndexKind {
    /// Every kind, in the order of their documentation.
    pub const ALL: [Self; 6] = [Self::Auto, Self::Flat, Self::Sq8, Self::Fp16, Self::Ivf, Self::Hnsw];

    /// The kind's stable name in lower case: `auto`, `flat`, `sq8`, `fp16`, `ivf`, `hnsw`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Flat => "flat",
            Self::Sq8 => "sq8",
            Self::Fp16 => "fp16",
            Self::Ivf => "ivf",
            Self::Hnsw => "hnsw",
        }
    }

    /// What `stats` calls it.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Auto | Self::Flat => Shard::KIND,
            Self::Sq8 => "faiss-sq8",
            Self::Fp16 => "faiss-fp16",
            Self::Ivf => "faiss-ivf",
            Self::Hnsw => "faiss-hnsw",
        }
    }
}

impl std::str::FromStr for IndexKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|kind| kind.code() == text);
        known.ok_or_else(|| Error::argument("index", format!("expected one of auto flat sq8 fp16 ivf hnsw, got `{text}`")))
    }
}

/// What every structure that is searched can do. Vectors are known by their position, in the order in which they were added.
trait VectorIndex {
    /// Number of vectors.
    fn len(&self) -> usize;
    /// Appends whole vectors.
    fn add(&mut self, vectors: &[f32]) -> Result<()>;
    /// The `k` most similar vectors for each query as far as this structure can tell, best first.
    fn search(&self, queries: &[f32], k: usize) -> Result<Vec<Vec<Hit>>>;
}

/// The similarity of two unit vectors. Everything that a search returns went through here, so that a face has the same
/// similarity whichever kind found it, alone or in a batch.
pub(super) fn similarity(a: &[f32], b: &[f32]) -> f32 {
    exact::dot(a, b)
}

/// The hits of several structures as those of one: `offset` is the position of a structure's first vector.
fn merge(parts: impl IntoIterator<Item = (usize, Vec<Vec<Hit>>)>, queries: usize, k: usize) -> Vec<Vec<Hit>> {
    let mut merged = vec![Vec::new(); queries];
    for (offset, found) in parts {
        for (all, hits) in merged.iter_mut().zip(found) {
            all.extend(hits.into_iter().map(|(position, similarity)| (offset + position, similarity)));
        }
    }
    let best_first = |a: &Hit, b: &Hit| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    for hits in &mut merged {
        if hits.len() > k && k > 0 {
            hits.select_nth_unstable_by(k - 1, best_first);
        }
        hits.truncate(k);
        hits.sort_unstable_by(best_first);
    }
    merged
}

/// Runs `work` on every item, on all processors when `parallel`; the results are in the order of the items.
pub(super) fn each<T: Sync, R: Send>(items: &[T], parallel: bool, work: impl Fn(&T) -> Result<R> + Sync) -> Result<Vec<R>> {
    let threads = if parallel { available_parallelism().map_or(1, NonZero::get).min(items.len()) } else { 1 };
    if threads < 2 {
        return items.iter().map(work).collect();
    }
    let share = items.len().div_ceil(threads);
    let work = &work;
    std::thread::scope(|scope| {
        let others: Vec<_> = items.chunks(share).skip(1).map(|part| scope.spawn(move || part.iter().map(work).collect())).collect();
        let mut done: Vec<R> = items.iter().take(share).map(work).collect::<Result<_>>()?;
        for other in others {
            let part: Result<Vec<R>> = other.join().map_err(|_| Error::internal("a thread of the search ended early"))?;
            done.extend(part?);
        }
        Ok(done)
    })
}
