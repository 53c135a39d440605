//! A gallery of 100,000 x 512 on a PostgreSQL server of its own (see `tests/postgres_server`): enrolment, exact search, the graph.
//! Prints one JSON line. `cargo bench -p facerec-core --features postgres --bench gallery_server [-- FACES]`
//!
//! The vectors are like faces, not uniform: each person lies somewhere in a space of 128 directions, in which two strangers have a
//! similarity of 0 +- 0.09, and each face at 0.75 from its person, so two faces of one person are at about 0.56.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../tests/gallery_vectors/mod.rs"]
mod gallery_vectors;
#[path = "../tests/postgres_server/mod.rs"]
mod postgres_server;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use facerec_core::face::{Embedding, ModelKey};
use facerec_core::gallery::{DecisionOptions, Gallery, GalleryOptions, NewFace};
use gallery_vectors::values;
use postgres_server::PgServer;

const DIM: usize = 512;
const SPACE: usize = 128;
const PER_PERSON: u64 = 4;
const QUERIES: u64 = 1000;

fn main() {
    let faces: u64 = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let server = PgServer::start_with(&["shared_buffers=512MB", "max_wal_size=4GB"]).expect("scripts/postgres.sh gets the server");
    let model = Arc::new(ModelKey::new("bench", "00"));
    let address = server.address("bench");
    let open = |more: &str| -> Gallery {
        let path = PathBuf::from(format!("{}{more}", address.display()));
        Gallery::open(Path::new(&path), &model, GalleryOptions::default()).unwrap()
    };
    let gallery = open("&timeout_s=3600");

    let single = Instant::now();
    for number in 0..200 {
        gallery.add("first", NewFace::new(&face(&model, u64::MAX, number))).unwrap();
    }
    let single_ms = single.elapsed().as_secs_f64() * 1e3 / 200.0;
    gallery.remove_person("first").unwrap();

    let start = Instant::now();
    for chunk in (0..faces).collect::<Vec<_>>().chunks(10_000) {
        let vectors: Vec<Embedding> = chunk.iter().map(|&n| face(&model, n / PER_PERSON, n)).collect();
        let names: Vec<String> = chunk.iter().map(|n| format!("person {}", n / PER_PERSON)).collect();
        gallery.add_many(&names.iter().zip(&vectors).map(|(name, v)| (name.as_str(), NewFace::new(v))).collect::<Vec<_>>()).unwrap();
    }
    let enrol_s = start.elapsed().as_secs_f64();
    server.sql("VACUUM ANALYZE facerec_bench.faces");
    let bytes_exact = gallery.stats().unwrap().bytes_on_disk;

    let queries: Vec<Embedding> = (0..QUERIES).map(|n| face(&model, n * 37 % (faces / PER_PERSON), 1 << 40 | n)).collect();
    let exact = open("&index=exact");
    exact.search(&queries[0], 1).unwrap();
    let few = 100;
    let (truth, [exact_ms, exact_best_ms]) = ask(&exact, &queries[..few]);
    let start = Instant::now();
    let graph = open("&index=hnsw&timeout_s=36000");
    let build_s = start.elapsed().as_secs_f64();
    let bytes_graph = graph.stats().unwrap().bytes_on_disk;
    ask(&graph, &queries);
    let (found, [graph_ms, graph_best_ms]) = ask(&graph, &queries);
    let right = truth.iter().zip(&found).filter(|(a, b)| a == b).count();
    let people = (0..QUERIES).zip(&found).filter(|(n, f)| f.1 == format!("person {}", n * 37 % (faces / PER_PERSON))).count();
    let start = Instant::now();
    for query in &queries[..few] {
        graph.identify(query, &DecisionOptions::new(0.4)).unwrap();
    }
    let identify_ms = start.elapsed().as_secs_f64() * 1e3 / few as f64;
    println!(
        "{{\"faces\":{faces},\"dim\":{DIM},\"enrol_single_ms\":{single_ms:.2},\"enrol_per_s\":{:.0},\"bytes_per_face\":{},\"exact_ms\":{exact_ms:.2},\"exact_best_ms\":{exact_best_ms:.2},\
         \"graph_build_s\":{build_s:.1},\"graph_bytes_per_face\":{},\"graph_ms\":{graph_ms:.2},\"graph_best_ms\":{graph_best_ms:.2},\"identify_ms\":{identify_ms:.2},\
         \"recall_at_1\":{},\"recall_queries\":{few},\"right_person\":{},\"right_person_queries\":{QUERIES}}}",
        faces as f64 / enrol_s,
        bytes_exact / faces,
        (bytes_graph - bytes_exact) / faces,
        right as f64 / few as f64,
        people as f64 / QUERIES as f64,
    );
}

/// The best face and person for each query, and the median and the best time of one: the best tells more on a busy machine.
fn ask(gallery: &Gallery, queries: &[Embedding]) -> (Vec<(i64, String)>, [f64; 2]) {
    let mut times = Vec::new();
    let mut found = Vec::new();
    for query in queries {
        let start = Instant::now();
        let best = gallery.search(query, 1).unwrap().remove(0);
        times.push(start.elapsed().as_secs_f64() * 1e3);
        found.push((best.face.0, best.name));
    }
    times.sort_by(f64::total_cmp);
    (found, [times[times.len() / 2], times[0]])
}

fn face(model: &Arc<ModelKey>, person: u64, number: u64) -> Embedding {
    let unit = |values: Vec<f32>| {
        let length = values.iter().map(|v| v * v).sum::<f32>().sqrt();
        values.into_iter().map(move |v| v / length)
    };
    let person: Vec<f32> = unit(values(person ^ 0xabcd_0000_0000, SPACE)).collect();
    let away: Vec<f32> = unit(values(number, DIM)).collect();
    let mixed = (0..DIM).map(|i| 0.75 * person.get(i).copied().unwrap_or_default() + 0.66 * away[i]).collect();
    Embedding::new(Arc::clone(model), mixed).unwrap()
}
