//! Every kind of index through the gallery: the same answers as the exact search, with true similarities, whatever happens to the
//! gallery meanwhile.
#![cfg(feature = "faiss")]
#![allow(clippy::unwrap_used)]

mod gallery_vectors;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use facerec_core::face::Embedding;
use facerec_core::gallery::{DecisionOptions, Gallery, GalleryKey, GalleryOptions, IndexKind, NewFace, SearchFilter};
use gallery_vectors::{DIM, model, near};

const PEOPLE: u64 = 500;
const EACH: u64 = 4;
const KINDS: [(IndexKind, &str); 4] =
    [(IndexKind::Sq8, "faiss-sq8"), (IndexKind::Fp16, "faiss-fp16"), (IndexKind::Ivf, "faiss-ivf"), (IndexKind::Hnsw, "faiss-hnsw")];

fn name(person: u64) -> String {
    format!("person {person}")
}

/// The face `number` of a person.
fn face(person: u64, number: u64) -> Embedding {
    near(person, 0.85, 10_000 + person * 100 + number)
}

fn add(gallery: &Gallery, people: std::ops::Range<u64>) {
    let faces: Vec<_> = people.flat_map(|p| (0..EACH).map(move |f| (name(p), face(p, f), format!(r#"{{"camera":{}}}"#, f % 2)))).collect();
    let faces: Vec<_> = faces.iter().map(|(name, vector, metadata)| (name.as_str(), NewFace::new(vector).metadata(metadata))).collect();
    gallery.add_many(&faces).unwrap();
}

fn open(folder: &Path, kind: IndexKind) -> Gallery {
    Gallery::open(folder, &model(), GalleryOptions::default().index(kind)).unwrap()
}

fn wait_until_built(gallery: &Gallery) {
    let start = Instant::now();
    while gallery.stats().unwrap().index_building {
        assert!(start.elapsed() < Duration::from_secs(120));
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Compares the answers with those of an exact gallery of the same faces; returns how many best faces differ.
fn differing(gallery: &Gallery, exact: &Gallery, people: impl Iterator<Item = u64>) -> usize {
    let queries: Vec<Embedding> = people.map(|p| near(p, 0.8, 777 + p)).collect();
    let (found, truth) = (gallery.search_many(&queries, 3).unwrap(), exact.search_many(&queries, 3).unwrap());
    for ((query, found), truth) in queries.iter().zip(&found).zip(&truth) {
        assert_eq!(found.len(), 3);
        assert_eq!(gallery.search(query, 3).unwrap(), *found, "a batch answers as single queries do");
        for hit in found {
            if let Some(same) = truth.iter().find(|t| t.face == hit.face) {
                assert_eq!(hit, same, "the similarity is that of the true vectors, to the last bit");
            }
        }
    }
    found.iter().zip(&truth).filter(|(found, truth)| found[0].face != truth[0].face).count()
}

#[test]
fn every_kind_answers_like_the_exact_search() {
    let folder = tempfile::tempdir().unwrap();
    let exact = open(&folder.path().join("exact"), IndexKind::Flat);
    add(&exact, 0..PEOPLE);
    exact.compact().unwrap();
    let stats = exact.stats().unwrap();
    assert_eq!((stats.index_kind.as_str(), stats.recall, stats.tombstones), ("faiss-flat-ip", Some(1.0), 0));
    for (kind, label) in KINDS {
        let path = folder.path().join(kind.code());
        let gallery = open(&path, kind);
        add(&gallery, 0..PEOPLE);
        // Exact until the index is there.
        assert!(differing(&gallery, &exact, 0..3) == 0 || gallery.stats().unwrap().index_kind == label);
        gallery.compact().unwrap();
        let stats = gallery.stats().unwrap();
        assert_eq!((stats.index_kind.as_str(), stats.tombstones, stats.index_building), (label, 0, false));
        assert!(stats.recall >= Some(0.99), "{label}: {:?}", stats.recall);
        assert!(stats.index_bytes_per_face > exact.stats().unwrap().index_bytes_per_face);
        assert!(differing(&gallery, &exact, 0..200) <= 2, "{label}");

        // What is added is found at once, what is removed never again.
        add(&gallery, PEOPLE..PEOPLE + 5);
        assert_eq!(gallery.search(&face(PEOPLE + 4, 1), 1).unwrap()[0].name, name(PEOPLE + 4));
        for person in [3, 77, PEOPLE + 1] {
            assert_eq!(gallery.remove_person(&name(person)).unwrap(), EACH as usize);
            let best = gallery.search(&face(person, 0), 2 * PEOPLE as usize).unwrap();
            assert_eq!(best.len(), 2 * PEOPLE as usize);
            assert!(best.iter().all(|hit| hit.name != name(person)), "{label}");
        }
        gallery.rename(&name(9), "someone").unwrap();
        let decision = gallery.identify(&face(9, 2), &DecisionOptions::new(0.5)).unwrap();
        assert_eq!(decision.name.as_deref(), Some("someone"), "{label}");
        gallery.rename("someone", &name(9)).unwrap();
        wait_until_built(&gallery);
        assert_eq!(gallery.verify().unwrap().problems, Vec::<String>::new());
        gallery.compact().unwrap();
        assert_eq!(gallery.stats().unwrap().tombstones, 0, "{label}");
        drop(gallery);

        // Opened again without being told the kind, for reading too.
        for read_only in [true, false] {
            let options = GalleryOptions::default().read_only(read_only);
            let gallery = Gallery::open(&path, &model(), options).unwrap();
            let again = gallery.stats().unwrap();
            assert_eq!((again.index_kind.as_str(), again.index_building), (label, false), "the saved index is used");
            assert!(differing(&gallery, &exact, 100..200) <= 1, "{label}");
            assert_eq!(gallery.search(&face(PEOPLE + 4, 1), 1).unwrap()[0].name, name(PEOPLE + 4));
        }
        // Told to be exact again.
        let gallery = open(&path, IndexKind::Flat);
        assert_eq!(gallery.stats().unwrap().index_kind, "faiss-flat-ip");
    }
}

#[test]
fn a_gallery_stays_with_its_kind() {
    let folder = tempfile::tempdir().unwrap();
    let gallery = open(folder.path(), IndexKind::Sq8);
    add(&gallery, 0..PEOPLE);
    gallery.compact().unwrap();
    drop(gallery);
    let reopened = || {
        let gallery = open(folder.path(), IndexKind::Auto);
        wait_until_built(&gallery);
        (gallery.stats().unwrap().index_kind, gallery)
    };
    let (kind, gallery) = reopened();
    assert_eq!(kind, "faiss-sq8");
    // The index that knew the removed is on no disk, so it has to be built again.
    gallery.remove_person(&name(7)).unwrap();
    drop(gallery);
    let (kind, gallery) = reopened();
    assert_eq!((kind.as_str(), gallery.stats().unwrap().tombstones), ("faiss-sq8", 0));
    drop(gallery);
    // Until another one is asked for.
    let gallery = open(folder.path(), IndexKind::Flat);
    gallery.compact().unwrap();
    drop(gallery);
    assert_eq!(reopened().0, "faiss-flat-ip");
}

#[test]
fn filters_are_exact_in_every_kind() {
    let folder = tempfile::tempdir().unwrap();
    for kind in [IndexKind::Flat, IndexKind::Ivf] {
        let gallery = open(&folder.path().join(kind.code()), kind);
        add(&gallery, 0..PEOPLE);
        gallery.compact().unwrap();
        let query = near(42, 0.8, 1);
        let all = gallery.search(&query, (PEOPLE * EACH) as usize).unwrap();
        let chosen: BTreeSet<String> = [name(42), name(43), name(400), "nobody".into()].into();
        let filters = [
            SearchFilter::new().persons(chosen.clone()),
            SearchFilter::new().metadata("camera", 1),
            SearchFilter::new().persons(chosen.clone()).metadata("camera", 0),
            SearchFilter::new().persons(["nobody"]),
            SearchFilter::new().metadata("camera", "1"),
        ];
        for filter in &filters {
            let by_hand: Vec<_> = all
                .iter()
                .filter(|hit| filter.persons.as_ref().is_none_or(|names| names.contains(&hit.name)))
                .filter(|hit| {
                    let number = gallery.faces(&hit.name).unwrap().iter().position(|face| face.id == hit.face).unwrap();
                    filter.metadata.get("camera").is_none_or(|camera| *camera == (number % 2))
                })
                .take(10)
                .cloned()
                .collect();
            for _ in 0..2 {
                assert_eq!(
                    gallery.search_among(std::slice::from_ref(&query), 10, filter).unwrap(),
                    std::slice::from_ref(&by_hand),
                    "{filter:?}"
                );
            }
        }
        let options = DecisionOptions::new(0.5);
        let among = |filter: &SearchFilter| gallery.identify_among(std::slice::from_ref(&query), &options, filter).unwrap().remove(0);
        let decision = among(&filters[0]);
        assert_eq!(decision.name.as_deref(), Some("person 42"));
        let best = |person: &str| all.iter().find(|hit| hit.name == person).unwrap().similarity;
        assert_eq!(decision.margin, best("person 42") - best("person 43").max(best("person 400")), "over the runner-up among the allowed");
        assert_eq!(among(&filters[3]).name, None);
        // A change is seen by a filter that was used before.
        gallery.remove_person("person 43").unwrap();
        gallery.rename("person 400", "person 43").unwrap();
        assert_eq!(among(&filters[0]).candidates.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["person 42", "person 43"]);
    }
}

#[test]
fn opening_tells_how_far_it_is() {
    let folder = tempfile::tempdir().unwrap();
    add(&open(folder.path(), IndexKind::Flat), 0..1500);
    let calls = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
    let count = Arc::clone(&calls);
    let options = || {
        let count = Arc::clone(&count);
        GalleryOptions::default().read_only(true).progress(move |done, total| {
            assert!(done <= total && total == 6000);
            count.0.fetch_add(1, Ordering::Relaxed);
            count.1.store(done, Ordering::Relaxed);
        })
    };
    drop(Gallery::open(folder.path(), &model(), options()).unwrap());
    assert_eq!(calls.0.load(Ordering::Relaxed), 0, "the saved index needs no reading of rows");
    fs::remove_file(folder.path().join("index.snapshot")).unwrap();
    drop(Gallery::open(folder.path(), &model(), options()).unwrap());
    assert!(calls.0.load(Ordering::Relaxed) >= 2);
    assert_eq!(calls.1.load(Ordering::Relaxed), 6000);
}

/// How many pieces of 16 bytes of `bytes` are in any file of the folder.
fn pieces_in_files(folder: &Path, bytes: &[u8]) -> usize {
    let files: Vec<Vec<u8>> = fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect();
    bytes.chunks_exact(16).filter(|piece| files.iter().any(|file| memchr(file, piece))).count()
}

fn memchr(file: &[u8], piece: &[u8]) -> bool {
    let first = piece[0];
    let mut from = 0;
    while let Some(at) = file[from..].iter().position(|&b| b == first) {
        if file[from + at..].starts_with(piece) {
            return true;
        }
        from += at + 1;
    }
    false
}

/// IEEE half precision, rounded to nearest, for values that are neither tiny nor huge.
fn half(value: f32) -> u16 {
    let bits = value.to_bits();
    let (sign, exponent, fraction) = ((bits >> 16) & 0x8000, ((bits >> 23) & 0xff) as i32 - 112, bits & 0x7f_ffff);
    if exponent <= 0 {
        return sign as u16;
    }
    let round = u32::from(fraction & 0x1fff > 0x1000 || (fraction & 0x1fff == 0x1000 && fraction & 0x2000 != 0));
    (sign + ((exponent as u32) << 10) + (fraction >> 13) + round) as u16
}

#[test]
fn the_removed_are_in_no_file_in_any_form() {
    let folder = tempfile::tempdir().unwrap();
    let everyone: Vec<Vec<f32>> = (0..PEOPLE).flat_map(|p| (0..EACH).map(move |f| face(p, f).as_slice().to_vec())).collect();
    let range = |d: usize| {
        let values = || everyone.iter().map(|v| v[d]);
        (values().fold(f32::INFINITY, f32::min), values().fold(f32::NEG_INFINITY, f32::max))
    };
    let victim = face(123, 2);
    let raw: Vec<u8> = victim.as_slice().iter().flat_map(|v| v.to_le_bytes()).collect();
    let halves: Vec<u8> = victim.as_slice().iter().flat_map(|v| half(*v).to_le_bytes()).collect();
    let eighths: Vec<u8> = (0..DIM)
        .map(|d| {
            let (low, high) = range(d);
            (255.0 * ((victim.as_slice()[d] - low) / (high - low)).clamp(0.0, 1.0)) as u8
        })
        .collect();
    for (kind, label) in KINDS {
        let path = folder.path().join(kind.code());
        let gallery = open(&path, kind);
        add(&gallery, 0..PEOPLE);
        gallery.compact().unwrap();
        // They are there to be found.
        assert_eq!(pieces_in_files(&path, &raw), raw.len() / 16);
        let compressed = match kind {
            IndexKind::Sq8 | IndexKind::Hnsw => Some(&eighths),
            IndexKind::Fp16 => Some(&halves),
            _ => None,
        };
        if let Some(bytes) = compressed {
            let found = pieces_in_files(&path, bytes);
            assert!(found > bytes.len() / 16 / 2, "{label}: {found} of {}", bytes.len() / 16);
        }
        gallery.remove_person(&name(123)).unwrap();
        let none = |when: &str| {
            for bytes in [&raw, &halves, &eighths] {
                assert_eq!(pieces_in_files(&path, bytes), 0, "{label} {when}");
            }
        };
        none("after the removal");
        wait_until_built(&gallery);
        drop(gallery);
        none("after closing");
        let gallery = open(&path, kind);
        wait_until_built(&gallery);
        gallery.compact().unwrap();
        assert_eq!(gallery.stats().unwrap().index_kind, label);
        none("after compaction");
    }
}

#[test]
fn the_index_of_an_encrypted_gallery_says_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let key = || GalleryKey::bytes([7; 32]);
    for (kind, label) in KINDS {
        let path = folder.path().join(kind.code());
        let options = || GalleryOptions::default().index(kind).key(key());
        let gallery = Gallery::open(&path, &model(), options()).unwrap();
        add(&gallery, 0..PEOPLE);
        gallery.compact().unwrap();
        drop(gallery);
        let index = path.join("index.snapshot");
        let sealed = fs::read(&index).unwrap();
        assert!(sealed.len() > (PEOPLE * EACH) as usize * DIM * 4);
        for (person, number) in [(0, 0), (123, 2), (PEOPLE - 1, EACH - 1)] {
            let raw: Vec<u8> = face(person, number).as_slice().iter().flat_map(|v| v.to_le_bytes()).collect();
            let halves: Vec<u8> = face(person, number).as_slice().iter().flat_map(|v| half(*v).to_le_bytes()).collect();
            assert_eq!((pieces_in_files(&path, &raw), pieces_in_files(&path, &halves)), (0, 0), "{label}");
            assert!(!sealed.windows(10).any(|w| w == &name(123).as_bytes()[..10]), "{label}");
        }
        let ids: Vec<u8> = (500..504_i64).flat_map(i64::to_le_bytes).collect();
        assert!(!memchr(&sealed, &ids) && !memchr(&sealed, b"generation"), "{label}");
        let open = || Gallery::open(&path, &model(), options().read_only(true)).unwrap();
        let stats = open().stats().unwrap();
        assert_eq!((stats.index_kind.as_str(), stats.index_building), (label, false), "the saved index is used");
        for at in [3, 9, 40, sealed.len() / 2, sealed.len() - 1] {
            let mut bad = sealed.clone();
            bad[at] ^= 1;
            fs::write(&index, bad).unwrap();
            let gallery = open();
            assert_eq!(gallery.search(&face(77, 1), 1).unwrap()[0].name, name(77), "{label}: byte {at}");
            assert_eq!(gallery.verify().unwrap().problems, Vec::<String>::new());
        }
        fs::write(&index, &sealed).unwrap();
        // Under another key it is of no use, and is gone.
        let gallery = Gallery::open(&path, &model(), options()).unwrap();
        gallery.set_key(Some(GalleryKey::bytes([8; 32]))).unwrap();
        assert!(!index.exists());
        gallery.compact().unwrap();
        assert!(index.exists());
        drop(gallery);
        assert_eq!(Gallery::open(&path, &model(), options()).unwrap_err().kind().code(), "wrong_key");
    }
}
