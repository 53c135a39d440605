//! A gallery of a hundred thousand: enrolled in bulk in under a minute, opened in under two seconds.
#![allow(clippy::print_stderr)] // what was skipped and what was measured is said aloud
#![allow(clippy::unwrap_used)]

mod gallery_vectors;

use std::time::{Duration, Instant};

use facerec_core::face::Embedding;
use facerec_core::gallery::{DecisionOptions, Gallery, GalleryOptions, NewFace};
use gallery_vectors::{model, values};

const FACES: usize = 100_000;
const DIM: usize = 512;

#[test]
fn a_hundred_thousand_faces() {
    let folder = tempfile::tempdir().unwrap();
    let vectors: Vec<Embedding> = (0..FACES as u64).map(|i| Embedding::new(model(), values(i, DIM)).unwrap()).collect();
    let names: Vec<String> = (0..FACES).map(|i| format!("person {}", i / 5)).collect();
    let faces: Vec<_> = vectors.iter().zip(&names).map(|(v, name)| (name.as_str(), NewFace::new(v).source("bulk"))).collect();

    let gallery = Gallery::open(folder.path(), &model(), GalleryOptions::default()).unwrap();
    let (added, ids) = timed(|| gallery.add_many(&faces).unwrap());
    assert_eq!(ids.len(), FACES);
    let options = DecisionOptions::new(0.5);
    let ask = |gallery: &Gallery| {
        for i in [0, 777, FACES - 1] {
            let decision = gallery.identify(&vectors[i], &options).unwrap();
            assert_eq!((decision.name.as_ref(), decision.candidates[0].face), (Some(&names[i]), ids[i]));
        }
    };
    ask(&gallery);
    let (one_more, _) = timed(|| gallery.add("late", NewFace::new(&vectors[5])).unwrap());
    let (closed, ()) = timed(|| drop(gallery));
    let (opened, gallery) = timed(|| Gallery::open(folder.path(), &model(), GalleryOptions::default()).unwrap());
    ask(&gallery);
    assert_eq!(gallery.stats().unwrap().faces, FACES + 1);
    let (removed, _) = timed(|| gallery.remove_person("late").unwrap());
    let (verified, report) = timed(|| gallery.verify().unwrap());
    assert_eq!((report.faces, report.problems), (FACES, vec![]));
    // The removal took the saved index along.
    let (rebuilt, reader) = timed(|| Gallery::open(folder.path(), &model(), GalleryOptions::default().read_only(true)).unwrap());
    ask(&reader);
    eprintln!(
        "100000 x 512: added in {added:.2?}, one more {one_more:.2?}, closed {closed:.2?}, opened {opened:.2?}, \
         one removed {removed:.2?}, verified {verified:.2?}, opened without an index {rebuilt:.2?}"
    );
    assert!(added < Duration::from_secs(60), "{added:?}");
    assert!(opened < Duration::from_secs(2), "{opened:?}");
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let result = work();
    (start.elapsed(), result)
}
