//! Made-up embeddings for the gallery's tests: the same on every run, unrelated unless they are made to be near.
#![allow(dead_code, clippy::unwrap_used)] // each test file uses some of it

use std::sync::Arc;

use facerec_core::face::{Embedding, ModelKey};

/// Values in a vector of these tests.
pub(crate) const DIM: usize = 128;

/// The model that all of them claim to come from.
pub(crate) fn model() -> Arc<ModelKey> {
    Arc::new(ModelKey::new("test", "1111".repeat(16)))
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

/// How many files of `folder` hold `needle`.
pub(crate) fn holders(folder: &std::path::Path, needle: &[u8]) -> usize {
    contents(folder).iter().filter(|bytes| holds(bytes, needle)).count()
}

/// All files of a folder, whatever they are called.
pub(crate) fn contents(folder: &std::path::Path) -> Vec<Vec<u8>> {
    std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect()
}

pub(crate) fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    let (&first, rest) = needle.split_first().unwrap();
    let mut at = 0;
    // The first byte is found fast; windows() over megabytes is not.
    while let Some(found) = bytes[at..].iter().position(|&byte| byte == first) {
        at += found + 1;
        if bytes[at..].starts_with(rest) {
            return true;
        }
    }
    false
}

/// What betrays an embedding and its person in a file: pieces of the vector in fp32, fp16 and 8 bits, and the name in UTF-8 and UTF-16.
pub(crate) fn traces(embedding: &Embedding, name: &str) -> Vec<Vec<u8>> {
    let vector = embedding.as_slice();
    let mut traces: Vec<Vec<u8>> = vector.chunks(4).map(|chunk| chunk.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
    traces.extend(vector.chunks(8).map(|chunk| chunk.iter().flat_map(|&v| half(v).to_le_bytes()).collect()));
    // 8 bits over -1..1, and over the vector's own range as FAISS's SQ8 has it.
    let (low, high) = vector.iter().fold((f32::MAX, f32::MIN), |(low, high), &v| (low.min(v), high.max(v)));
    for (low, high) in [(-1.0, 1.0), (low, high)] {
        let byte = |v: f32| ((v - low) / (high - low) * 255.0) as u8;
        traces.extend(vector.chunks(16).map(|chunk| chunk.iter().map(|&v| byte(v)).collect()));
    }
    traces.push(name.as_bytes().to_vec());
    traces.push(name.encode_utf16().flat_map(u16::to_le_bytes).collect());
    traces
}

/// IEEE 754 half precision of a value within -1..1, rounded to nearest.
fn half(value: f32) -> u16 {
    let sign = if value.is_sign_negative() { 0x8000 } else { 0 };
    let magnitude = value.abs();
    if magnitude < 6.1e-5 {
        return sign | (magnitude * (1 << 24) as f32).round() as u16;
    }
    let bits = magnitude.to_bits() + 0x1000;
    sign | (((bits >> 23) - 112) << 10) as u16 | ((bits >> 13) & 0x3ff) as u16
}
