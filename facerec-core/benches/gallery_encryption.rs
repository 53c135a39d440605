//! What encryption costs: enrolling, opening, searching and changing the key of 20,000 x 512, plain and encrypted. One JSON line each.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::sync::Arc;
use std::time::Instant;

use facerec_core::face::{Embedding, ModelKey};
use facerec_core::gallery::{Gallery, GalleryKey, GalleryOptions, NewFace};

const FACES: u64 = 20_000;
const DIM: usize = 512;

fn main() {
    let model = Arc::new(ModelKey::new("bench", "00"));
    let embedding = |number: u64| {
        let mut state = number;
        let values = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        });
        Embedding::new(Arc::clone(&model), values.take(DIM).collect()).unwrap()
    };
    let vectors: Vec<Embedding> = (0..FACES).map(embedding).collect();
    let names: Vec<String> = (0..FACES).map(|i| format!("person {i}")).collect();
    let faces: Vec<_> = vectors.iter().zip(&names).map(|(v, name)| (name.as_str(), NewFace::new(v))).collect();
    for key in [None, Some(GalleryKey::bytes([7; 32]))] {
        let folder = tempfile::tempdir().unwrap();
        let open = |key: &Option<GalleryKey>| {
            let options = key.iter().cloned().fold(GalleryOptions::default(), GalleryOptions::key);
            Gallery::open(folder.path(), &model, options).unwrap()
        };
        let timed = |work: &mut dyn FnMut()| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        };
        let gallery = open(&key);
        let add_s = timed(&mut || drop(gallery.add_many(&faces).unwrap()));
        let add_one_s = timed(&mut || (0..50).for_each(|i| assert!(gallery.add("late", NewFace::new(&vectors[i])).is_ok()))) / 50.0;
        drop(gallery);
        // Twice: from the database, which is how it is when the saved index does not fit.
        let open_s = timed(&mut || drop(open(&key)));
        std::fs::read_dir(folder.path())
            .unwrap()
            .map(Result::unwrap)
            .filter(|file| file.file_name().as_encoded_bytes().starts_with(b"index."))
            .for_each(|f| std::fs::remove_file(f.path()).unwrap());
        let build_s = timed(&mut || drop(open(&key)));
        let gallery = open(&key);
        let search_s = timed(&mut || (0..200).for_each(|i| drop(gallery.search(&vectors[i], 5).unwrap()))) / 200.0;
        let bytes = gallery.stats().unwrap().bytes_on_disk / FACES;
        let rekey_s = timed(&mut || gallery.set_key(Some(GalleryKey::bytes([8; 32]))).unwrap());
        println!(
            "{{\"encrypted\":{},\"faces\":{FACES},\"dim\":{DIM},\"add_s\":{add_s:.2},\"add_one_ms\":{:.2},\"open_s\":{open_s:.3},\"build_s\":{build_s:.3},\"search_ms\":{:.2},\"rekey_s\":{rekey_s:.2},\"bytes_per_face\":{bytes}}}",
            key.is_some(),
            add_one_s * 1e3,
            search_s * 1e3
        );
    }
}
