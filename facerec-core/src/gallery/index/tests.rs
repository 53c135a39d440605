//! The structures against similarities computed by hand.

#[cfg(feature = "faiss")]
use std::sync::atomic::AtomicBool;

use super::*;
#[cfg(feature = "faiss")]
use crate::gallery::records::FaceId;

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

macro_rules! shard_tests {
    ($name:ident, $shard:ty) => {
        mod $name {
            use super::*;

            #[test]
            fn search_is_exact_alone_and_in_batches() {
                for dim in [7, 128] {
                    let vectors = unit_vectors(500, dim, 1);
                    let queries = unit_vectors(45, dim, 2);
                    let mut shard = <$shard>::new(dim).unwrap();
                    shard.add(&vectors).unwrap();
                    for (query, hits) in queries.chunks(dim).zip(shard.search(&queries, 9).unwrap()) {
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
                let mut shard = <$shard>::new(4).unwrap();
                shard.add(&vectors).unwrap();
                shard.remove(&[0, 3]).unwrap();
                assert_eq!(shard.len(), 4);
                let kept: Vec<f32> = [1, 2, 4, 5].iter().flat_map(|&i| vectors[i * 4..][..4].to_vec()).collect();
                assert_eq!(shard.vectors(), kept);
                assert_eq!(shard.search(&vectors[5 * 4..], 1).unwrap()[0][0].0, 3);
            }

            #[test]
            fn sizes_are_checked() {
                assert!(<$shard>::new(0).is_err());
                let mut shard = <$shard>::new(4).unwrap();
                assert_eq!(shard.add(&[0.5; 6]).unwrap_err().kind().code(), "dimension_mismatch");
                assert_eq!(shard.search(&[0.5; 6], 1).unwrap_err().kind().code(), "dimension_mismatch");
                assert_eq!(shard.search(&[0.5; 8], 3).unwrap(), [vec![], vec![]]);
                shard.add(&[0.5; 8]).unwrap();
                assert_eq!(shard.search(&[0.5; 4], 100).unwrap()[0].len(), 2);
            }
        }
    };
}

shard_tests!(plain, exact::Exact);
#[cfg(feature = "faiss")]
shard_tests!(faiss, flat::Flat);

#[test]
fn shards_together_are_one_index() {
    let dim = 8;
    let count = 2 * vectors::SHARD_ROWS + 100;
    let all = unit_vectors(count, dim, 5);
    let mut index = Vectors::new(dim).unwrap();
    all.chunks(3000 * dim).for_each(|part| index.add(part).unwrap());
    assert_eq!((index.len(), index.shards().count()), (count, 3));
    let query = unit_vectors(1, dim, 6);
    let expected = by_hand(&all, &query, 5);
    let found = index.search(&query, 5, false).unwrap();
    assert_eq!(found[0].iter().map(|hit| hit.0).collect::<Vec<_>>(), expected.iter().map(|hit| hit.0).collect::<Vec<_>>());

    // Somebody who holds the shards is not disturbed, and what comes later stays apart.
    let held = index.clone();
    index.close();
    index.add(&query).unwrap();
    let gone = [0, 5, vectors::SHARD_ROWS, count - 1];
    index.remove(&gone).unwrap();
    assert_eq!((held.len(), index.len()), (count, count - 3));
    let same = |from: usize, to: usize| held.rows().get(from) == index.rows().get(to);
    assert!(same(1, 0) && same(6, 4) && same(vectors::SHARD_ROWS + 1, vectors::SHARD_ROWS - 2) && same(count - 2, count - 5));
    assert!(index.cover(count - 4) && !index.clone().cover(count - 5));
    assert_eq!(index.uncovered(), 1);
    assert_eq!(index.search(&query, 5, true).unwrap()[0].len(), 1);
    assert!(index.remove(&[count]).is_err());
}

/// Vectors in groups, as faces are: each person has a direction, and each face is a step away from it.
#[cfg(feature = "faiss")]
fn faces(people: usize, each: usize, dim: usize) -> Vec<f32> {
    let centres = unit_vectors(people, dim, 11);
    let steps = unit_vectors(people * each, dim, 12);
    let unit = |v: Vec<f32>| {
        let length = v.iter().map(|v| v * v).sum::<f32>().sqrt();
        v.into_iter().map(move |v| v / length)
    };
    let row = |i: usize| centres[i / each * dim..][..dim].iter().zip(&steps[i * dim..][..dim]).map(|(c, s)| c + 0.6 * s).collect();
    (0..people * each).flat_map(|i| unit(row(i))).collect()
}

#[test]
#[cfg(feature = "faiss")]
fn every_kind_finds_what_is_nearest_and_survives_its_bytes() {
    let dim = 64;
    let all = faces(1000, 5, dim);
    let mut vectors = Vectors::new(dim).unwrap();
    vectors.add(&all[..4000 * dim]).unwrap();
    vectors.close();
    let ids = |count: i64| (0..count).map(|i| FaceId(3 * i + 1)).collect::<Vec<_>>();
    let mut more = vectors.clone();
    more.add(&all[4000 * dim..]).unwrap();
    let queries = &all[100 * dim..140 * dim];
    for kind in [IndexKind::Sq8, IndexKind::Fp16, IndexKind::Ivf, IndexKind::Hnsw] {
        let base = Base::build(kind, &vectors, ids(4000), &AtomicBool::new(false)).unwrap();
        assert!(base.recall() > 0.99, "{kind:?}: {}", base.recall());
        let extended = base.extend(&more, ids(5000), &AtomicBool::new(false)).unwrap();
        assert_eq!((base.faces().len(), extended.faces().len()), (4000, 5000));
        assert!(extended.recall() > 0.99, "{kind:?}: {}", extended.recall());
        let newest = &extended.search(&all[4999 * dim..], extended.candidates(1)).unwrap()[0];
        assert!(newest.iter().any(|hit| hit.0 == 4999), "{kind:?}");
        let cancelled = Base::build(kind, &vectors, ids(4000), &AtomicBool::new(true)).err();
        assert_eq!(cancelled.map(|error| error.kind().code()), Some("cancelled"));
        let blocks: Vec<Vec<u8>> = base.to_bytes().collect::<Result<_, _>>().unwrap();
        let saved = |faces| SavedBase { kind, faces, effort: base.effort(), recall: base.recall(), trained_on: base.trained_on() };
        let parts = |dim| {
            let mut reader = PartReader::new(dim)?;
            blocks.iter().map(|bytes| reader.read(bytes)).collect::<Result<Vec<_>, _>>()
        };
        assert!(Base::from_parts(saved(ids(3999)), parts(dim).unwrap()).is_err());
        assert!(parts(dim + 1).is_err());
        let back = Base::from_parts(saved(ids(4000)), parts(dim).unwrap()).unwrap();
        assert_eq!(back.search(queries, 20).unwrap(), base.search(queries, 20).unwrap(), "{kind:?}");
        for (i, hits) in base.search(queries, base.candidates(1)).unwrap().into_iter().enumerate() {
            assert!(hits.iter().any(|hit| hit.0 == 100 + i), "{kind:?}");
        }
    }
}

#[test]
fn work_is_shared_in_order_and_its_errors_come_back() {
    let items: Vec<usize> = (0..101).collect();
    let double = |i: &usize| Ok(2 * i);
    assert_eq!(each(&items, true, double).unwrap(), each(&items, false, double).unwrap());
    for bad in [0, 100] {
        let fail = |i: &usize| if *i == bad { Err(Error::internal("no")) } else { Ok(()) };
        assert!(each(&items, true, fail).is_err());
    }
}
