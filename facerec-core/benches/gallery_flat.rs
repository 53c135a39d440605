//! One exact top-5 query over 100,000 x 512, through `Gallery::search`. Prints one JSON line.
//!
//! `benches/compare/faiss_flat.py` runs it beside the `faiss-cpu` wheel: with `--serve FILE` it writes its vectors to FILE (f32,
//! little-endian) and then answers each line `N` on its input with the times of N queries in milliseconds.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use facerec_core::face::{Embedding, ModelKey};
use facerec_core::gallery::{Gallery, GalleryOptions, NewFace};

const FACES: usize = 100_000;
const QUERIES: usize = 200;
const DIM: usize = 512;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let serve = arguments.iter().position(|a| a == "--serve").map(|at| &arguments[at + 1]);
    let model = Arc::new(ModelKey::new("bench", "00"));
    let mut seed = 1;
    let mut embedding = || Embedding::new(Arc::clone(&model), (0..DIM).map(|_| next(&mut seed)).collect()).unwrap();
    let vectors: Vec<Embedding> = (0..FACES).map(|_| embedding()).collect();
    let queries: Vec<Embedding> = (0..QUERIES).map(|_| embedding()).collect();

    let folder = tempfile::tempdir().unwrap();
    let gallery = Gallery::open(folder.path(), &model, GalleryOptions::default()).unwrap();
    let names: Vec<String> = (0..FACES).map(|i| format!("person {i}")).collect();
    let faces: Vec<_> = vectors.iter().zip(&names).map(|(v, name)| (name.as_str(), NewFace::new(v))).collect();
    let start = Instant::now();
    gallery.add_many(&faces).unwrap();
    let add_s = start.elapsed().as_secs_f64();
    drop(gallery);
    let start = Instant::now();
    let gallery = Gallery::open(folder.path(), &model, GalleryOptions::default()).unwrap();
    let open_s = start.elapsed().as_secs_f64();

    let mut asked = queries.iter().cycle();
    let mut times = |count: usize| -> Vec<f64> {
        let one = |query: &Embedding| {
            let start = Instant::now();
            assert_eq!(gallery.search(query, 5).unwrap().len(), 5);
            start.elapsed().as_secs_f64() * 1e3
        };
        asked.by_ref().take(count).map(one).collect()
    };
    if let Some(path) = serve {
        let mut file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
        for value in vectors.iter().chain(&queries).flat_map(|v| v.as_slice()) {
            file.write_all(&value.to_le_bytes()).unwrap();
        }
        file.flush().unwrap();
        println!("{{\"faces\":{FACES},\"queries\":{QUERIES},\"dim\":{DIM},\"add_s\":{add_s:.2},\"open_s\":{open_s:.2}}}");
        for line in std::io::stdin().lines() {
            println!("{:?}", times(line.unwrap().trim().parse().unwrap()));
        }
        return;
    }
    let mut sorted = times(QUERIES);
    sorted.sort_by(f64::total_cmp);
    let kind = gallery.stats().unwrap().index_kind;
    let (median, p95) = (sorted[QUERIES / 2], sorted[QUERIES * 95 / 100]);
    let top = gallery.search(&queries[0], 1).unwrap()[0].similarity;
    println!(
        "{{\"index\":\"{kind}\",\"faces\":{FACES},\"dim\":{DIM},\"add_s\":{add_s:.2},\"open_s\":{open_s:.2},\
         \"top5_ms\":{median:.2},\"top5_p95_ms\":{p95:.2},\"best\":{top:.6}}}"
    );
}

/// Uniform in -1..1 (splitmix64).
fn next(state: &mut u64) -> f32 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
}
