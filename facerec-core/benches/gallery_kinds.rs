//! Every kind of index over the same faces, told what to do line by line by `benches/compare/faiss_kinds.py`, which runs the `faiss-cpu`
//! wheel beside it: `gallery_kinds VECTORS QUERIES FACES DIM` fills a gallery with the first FACES vectors (f32, little-endian), five of
//! each person, and then answers each line with one of JSON.
//!
//! - `kind K`: builds index K, closes and opens the gallery, and says what that took;
//! - `ask N`: the next N queries one by one: milliseconds of each;
//! - `found`: the most similar face of every query, counted from 0.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::fs::File;
use std::io::{BufReader, Read};
use std::sync::Arc;
use std::time::Instant;

use facerec_core::face::{Embedding, ModelKey};
use facerec_core::gallery::{Gallery, GalleryOptions, IndexKind, NewFace};

const PER_PERSON: usize = 5;
const AT_ONCE: usize = 50_000;

fn main() {
    let arguments: Vec<String> = std::env::args().filter(|a| a != "--bench").collect();
    if let [_, folder, code] = &arguments[..] {
        let before = resident();
        let options = GalleryOptions::default().index(code.parse().unwrap()).read_only(true);
        let gallery = Gallery::open_any(folder, options).unwrap();
        println!("{}", resident() - before);
        drop(gallery);
        return;
    }
    let [_, vectors, queries, faces, dim] = &arguments[..] else {
        println!("run by benches/compare/faiss_kinds.py: gallery_kinds VECTORS QUERIES FACES DIM");
        return;
    };
    let (faces, dim): (usize, usize) = (faces.parse().unwrap(), dim.parse().unwrap());
    let model = Arc::new(ModelKey::new("bench", "00"));
    let queries = read(&mut File::open(queries).unwrap(), usize::MAX, dim, &model);
    let folder = tempfile::tempdir().unwrap();
    let open = |kind| Gallery::open(folder.path(), &model, GalleryOptions::default().index(kind)).unwrap();

    let mut file = BufReader::new(File::open(vectors).unwrap());
    let (mut done, mut add_s) = (0, 0.0);
    let gallery = open(IndexKind::Flat);
    while done < faces {
        let part = read(&mut file, AT_ONCE.min(faces - done), dim, &model);
        let names: Vec<String> = (done..done + part.len()).map(|i| format!("person {}", i / PER_PERSON)).collect();
        let new: Vec<_> = part.iter().zip(&names).map(|(v, name)| (name.as_str(), NewFace::new(v))).collect();
        let start = Instant::now();
        gallery.add_many(&new).unwrap();
        add_s += start.elapsed().as_secs_f64();
        done += part.len();
    }
    let database = gallery.stats().unwrap().bytes_on_disk;
    println!("{{\"add_s\":{add_s:.2},\"database_bytes\":{database}}}");

    let mut gallery = Some(gallery);
    let mut asked = queries.iter().cycle();
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("kind", code) => {
                let kind: IndexKind = code.parse().unwrap();
                // The exact one first, so that only the building is timed.
                drop(gallery.take());
                let building = open(kind);
                let start = Instant::now();
                building.compact().unwrap();
                let build_s = start.elapsed().as_secs_f64();
                drop(building);
                // In a process of its own, where no memory is used a second time.
                let output = std::process::Command::new(std::env::current_exe().unwrap()).arg(folder.path()).arg(code).output().unwrap();
                let growth: u64 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
                let mut opened = Vec::new();
                for _ in 0..3 {
                    drop(gallery.take());
                    let start = Instant::now();
                    gallery = Some(open(kind));
                    opened.push(start.elapsed().as_secs_f64());
                }
                opened.sort_by(f64::total_cmp);
                let stats = gallery.as_ref().unwrap().stats().unwrap();
                println!(
                    "{{\"index\":\"{}\",\"build_and_save_s\":{build_s:.2},\"open_s\":{:.3},\"open_worst_s\":{:.3},\"own_recall\":{:.4},\
                     \"index_bytes_per_face\":{},\"disk_bytes\":{},\"resident_growth_bytes\":{},\"building\":{}}}",
                    stats.index_kind,
                    opened[1],
                    opened[2],
                    stats.recall.unwrap_or_default(),
                    stats.index_bytes_per_face,
                    stats.bytes_on_disk,
                    growth,
                    stats.index_building,
                );
            }
            ("ask", count) => {
                let gallery = gallery.as_ref().unwrap();
                let one = |query: &Embedding| {
                    let start = Instant::now();
                    assert_eq!(gallery.search(query, 5).unwrap().len(), 5);
                    start.elapsed().as_secs_f64() * 1e3
                };
                let times: Vec<f64> = asked.by_ref().take(count.parse().unwrap()).map(one).collect();
                println!("{times:?}");
            }
            ("found", _) => {
                let start = Instant::now();
                let found = gallery.as_ref().unwrap().search_many(&queries, 1).unwrap();
                let ms = start.elapsed().as_secs_f64() * 1e3 / queries.len() as f64;
                let best: Vec<i64> = found.iter().map(|hits| hits[0].face.0 - 1).collect();
                println!("{{\"found\":{best:?},\"batch_ms_per_query\":{ms:.3}}}");
            }
            other => panic!("{other:?}"),
        }
    }
}

fn read(file: &mut impl Read, rows: usize, dim: usize, model: &Arc<ModelKey>) -> Vec<Embedding> {
    let mut bytes = Vec::new();
    file.take((rows as u64).saturating_mul(dim as u64 * 4)).read_to_end(&mut bytes).unwrap();
    let values: Vec<f32> = bytes.as_chunks().0.iter().map(|&v| f32::from_le_bytes(v)).collect();
    values.chunks_exact(dim).map(|row| Embedding::new(Arc::clone(model), row.to_vec()).unwrap()).collect()
}

/// Bytes of memory that are this process's own; 0 where the system does not say.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() * 1024
}
