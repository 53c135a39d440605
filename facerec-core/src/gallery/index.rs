//! The search index: exact inner product over unit vectors. The only file that names `faiss`.
//!
//! Vectors are known by their position, in the order in which they were added; what stands at a position is the
//! business of [`live`](super::live). A flat index keeps the very bytes it was given, so similarities are those of the
//! stored vectors, and `verify` can compare the two bit by bit.

#[cfg(not(feature = "faiss"))]
pub(super) use super::exact::VectorIndex;
#[cfg(feature = "faiss")]
pub(super) use flat::VectorIndex;

/// A position in the index and its similarity to the query.
pub(super) type Hit = (usize, f32);

#[cfg(feature = "faiss")]
mod flat {
    use std::path::Path;

    use faiss::error::Error as FaissError;
    use faiss::index::flat::FlatIndexImpl;
    use faiss::index::io::{read_index, write_index};
    use faiss::index::{ConcurrentIndex, Idx, Index};
    use faiss::selector::IdSelector;
    use faiss::{FlatIndex, MetricType};

    use super::super::processor;
    use super::Hit;
    use crate::error::{Error, Result};

    /// Most queries handed to FAISS at once. From 20 on it multiplies matrices through BLAS, whose sums differ in the
    /// last bits from those of a single query: the same face must get the same similarity either way.
    const MAX_BATCH: usize = 19;

    /// FAISS's `IndexFlatIP`. It checks no lengths, so everything is checked here.
    pub(in super::super) struct VectorIndex {
        flat: FlatIndexImpl,
        dim: usize,
    }

    impl VectorIndex {
        /// What `stats` and the saved index call this kind.
        pub(in super::super) const KIND: &'static str = "faiss-flat-ip";
        /// The file it is saved in.
        pub(in super::super) const FILE: &'static str = "index.faiss";

        pub(in super::super) fn new(dim: usize) -> Result<Self> {
            processor::check()?;
            let d = u32::try_from(dim).ok().filter(|&d| d > 0 && d <= 1 << 16);
            let d = d.ok_or_else(|| Error::argument("dim", format!("expected 1 to 65536 values in a vector, got `{dim}`")))?;
            Ok(Self { flat: FlatIndex::new(d, MetricType::InnerProduct).map_err(failed)?, dim })
        }

        pub(in super::super) fn dim(&self) -> usize {
            self.dim
        }

        pub(in super::super) fn len(&self) -> usize {
            self.flat.ntotal() as usize
        }

        /// All vectors, one after the other.
        pub(in super::super) fn vectors(&self) -> &[f32] {
            // An empty std::vector may have a null pointer, which no slice may have.
            if self.len() == 0 { &[] } else { self.flat.xb() }
        }

        /// Appends whole vectors.
        pub(in super::super) fn add(&mut self, vectors: &[f32]) -> Result<()> {
            if !vectors.len().is_multiple_of(self.dim) {
                return Err(Error::DimensionMismatch { what: "vectors", expected: self.dim, actual: vectors.len() });
            }
            self.flat.add(vectors).map_err(failed)
        }

        /// Removes the vectors at `positions`; those behind them move up.
        pub(in super::super) fn remove(&mut self, positions: &[usize]) -> Result<()> {
            let ids: Vec<Idx> = positions.iter().map(|&p| Idx::new(p as u64)).collect();
            let selector = IdSelector::batch(&ids).map_err(failed)?;
            let removed = self.flat.remove_ids(&selector).map_err(failed)?;
            if removed != positions.len() {
                return Err(Error::internal(format!("index removed {removed} vectors of {}", positions.len())));
            }
            Ok(())
        }

        /// The `k` most similar vectors for each query, best first.
        pub(in super::super) fn search(&self, queries: &[f32], k: usize) -> Result<Vec<Vec<Hit>>> {
            if !queries.len().is_multiple_of(self.dim) {
                return Err(Error::DimensionMismatch { what: "query", expected: self.dim, actual: queries.len() });
            }
            let k = k.min(self.len());
            if k == 0 {
                return Ok(vec![Vec::new(); queries.len() / self.dim]);
            }
            let mut found = Vec::with_capacity(queries.len() / self.dim);
            for batch in queries.chunks(MAX_BATCH * self.dim) {
                let result = ConcurrentIndex::search(&self.flat, batch, k).map_err(failed)?;
                for (labels, similarities) in result.labels.chunks_exact(k).zip(result.distances.chunks_exact(k)) {
                    let hits = labels.iter().zip(similarities).filter_map(|(label, &s)| Some((label.get()? as usize, s)));
                    found.push(hits.collect());
                }
            }
            Ok(found)
        }

        /// Writes the index to a file.
        pub(in super::super) fn save(&self, path: &Path) -> Result<()> {
            let name = path.to_str().ok_or_else(|| unusable(path, "FAISS needs a path in UTF-8"))?;
            write_index(&self.flat, name).map_err(|e| unusable(path, &e.to_string()))
        }

        /// Reads what [`save`](Self::save) wrote. The caller has compared the file's checksum: FAISS trusts its bytes.
        pub(in super::super) fn load(path: &Path, dim: usize) -> Result<Self> {
            processor::check()?;
            let name = path.to_str().ok_or_else(|| unusable(path, "FAISS needs a path in UTF-8"))?;
            let index = read_index(name).map_err(|e| unusable(path, &e.to_string()))?;
            if index.d() as usize != dim || !matches!(index.metric_type(), MetricType::InnerProduct) {
                return Err(unusable(path, "it has another dimension or metric"));
            }
            let flat = index.into_flat().map_err(|e| unusable(path, &e.to_string()))?;
            Ok(Self { flat, dim })
        }
    }

    fn failed(error: FaissError) -> Error {
        Error::internal(format!("FAISS: {error}"))
    }

    fn unusable(path: &Path, reason: &str) -> Error {
        Error::io("use", path, std::io::Error::other(reason.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::exact;
    use super::*;

    /// `count` unit vectors of `dim` values, the same on every run.
    fn unit_vectors(count: usize, dim: usize, mut seed: u64) -> Vec<f32> {
        let mut vectors = Vec::with_capacity(count * dim);
        for _ in 0..count {
            let row: Vec<f32> = (0..dim)
                .map(|_| {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    (seed >> 40) as f32 / (1u64 << 23) as f32 - 1.0
                })
                .collect();
            let norm = row.iter().map(|v| v * v).sum::<f32>().sqrt();
            vectors.extend(row.iter().map(|v| v / norm));
        }
        vectors
    }

    /// Sorted by similarity computed the plain way, in f64.
    fn by_hand(vectors: &[f32], query: &[f32], k: usize) -> Vec<(usize, f64)> {
        let dot = |row: &[f32]| row.iter().zip(query).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
        let mut all: Vec<_> = vectors.chunks(query.len()).map(dot).enumerate().collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1));
        all.truncate(k);
        all
    }

    macro_rules! index_tests {
        ($name:ident, $index:ty) => {
            mod $name {
                use super::*;

                #[test]
                fn search_is_exact_alone_and_in_batches() {
                    for dim in [7, 128] {
                        let vectors = unit_vectors(500, dim, 1);
                        let queries = unit_vectors(45, dim, 2);
                        let mut index = <$index>::new(dim).unwrap();
                        index.add(&vectors).unwrap();
                        let many = index.search(&queries, 9).unwrap();
                        for (query, hits) in queries.chunks(dim).zip(&many) {
                            assert_eq!(index.search(query, 9).unwrap()[0], *hits, "a batch answers as single queries do");
                            for (hit, expected) in hits.iter().zip(by_hand(&vectors, query, 9)) {
                                assert_eq!(hit.0, expected.0);
                                assert!((f64::from(hit.1) - expected.1).abs() < 1e-6);
                            }
                        }
                    }
                }

                #[test]
                fn removal_moves_positions_up() {
                    let vectors = unit_vectors(6, 4, 3);
                    let mut index = <$index>::new(4).unwrap();
                    index.add(&vectors).unwrap();
                    index.remove(&[0, 3]).unwrap();
                    assert_eq!(index.len(), 4);
                    let kept: Vec<f32> = [1, 2, 4, 5].iter().flat_map(|&i| vectors[i * 4..][..4].to_vec()).collect();
                    assert_eq!(index.vectors(), kept);
                    assert_eq!(index.search(&vectors[5 * 4..], 1).unwrap()[0][0].0, 3);
                }

                #[test]
                fn saved_and_loaded_is_the_same() {
                    let folder = tempfile::tempdir().unwrap();
                    let path = folder.path().join("index");
                    let mut index = <$index>::new(5).unwrap();
                    index.save(&path).unwrap();
                    assert_eq!(<$index>::load(&path, 5).unwrap().len(), 0);
                    index.add(&unit_vectors(40, 5, 4)).unwrap();
                    index.save(&path).unwrap();
                    assert_eq!(<$index>::load(&path, 5).unwrap().vectors(), index.vectors());
                    assert!(<$index>::load(&path, 6).is_err());
                    assert!(<$index>::load(&folder.path().join("none"), 5).is_err());
                }

                #[test]
                fn sizes_are_checked() {
                    assert!(<$index>::new(0).is_err());
                    let mut index = <$index>::new(4).unwrap();
                    assert_eq!(index.add(&[0.5; 6]).unwrap_err().kind().code(), "dimension_mismatch");
                    assert_eq!(index.search(&[0.5; 6], 1).unwrap_err().kind().code(), "dimension_mismatch");
                    assert_eq!(index.search(&[0.5; 8], 3).unwrap(), [vec![], vec![]]);
                    index.add(&[0.5; 8]).unwrap();
                    assert_eq!(index.search(&[0.5; 4], 100).unwrap()[0].len(), 2);
                }
            }
        };
    }

    index_tests!(plain, exact::VectorIndex);
    #[cfg(feature = "faiss")]
    index_tests!(faiss, flat::VectorIndex);
}
