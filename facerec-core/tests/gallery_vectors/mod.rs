//! Made-up embeddings for the gallery's tests: the same on every run, unrelated unless they are made to be near.
#![allow(dead_code, clippy::unwrap_used)] // each test file uses some of it

use std::sync::Arc;

use facerec_core::face::{Embedding, ModelKey};

/// Values in a vector of these tests.
pub(crate) const DIM: usize = 128;

/// The model that all of them claim to come from.
pub(crate) fn model() -> Arc<ModelKey> {
    Arc::new(ModelKey { id: "test".into(), hash: "1111".repeat(16) })
}

/// An embedding that follows from its number; two of them have a similarity near 0.
pub(crate) fn embedding(number: u64) -> Embedding {
    Embedding::new(model(), values(number, DIM)).unwrap()
}

/// An embedding whose similarity with `embedding(number)` is `similarity`, in a direction that follows from `other`.
pub(crate) fn near(number: u64, similarity: f32, other: u64) -> Embedding {
    let base = embedding(number);
    let mut away = values(other ^ 0x5555_0000, DIM);
    let along: f32 = base.as_slice().iter().zip(&away).map(|(a, b)| a * b).sum();
    away.iter_mut().zip(base.as_slice()).for_each(|(a, b)| *a -= along * b);
    let length = away.iter().map(|v| v * v).sum::<f32>().sqrt();
    let across = (1.0 - similarity * similarity).sqrt() / length;
    let mixed = base.as_slice().iter().zip(&away).map(|(b, a)| similarity * b + across * a).collect();
    Embedding::new(model(), mixed).unwrap()
}

/// `dim` values in -1..1 that follow from `seed` (splitmix64).
pub(crate) fn values(seed: u64, dim: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678;
    let next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(dim).collect()
}
