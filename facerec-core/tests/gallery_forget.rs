//! Forgetting: what was removed or expired is in no file, also after churn, with a reader in the way, and after a crash.
#![allow(clippy::print_stderr)] // what was measured is said aloud
#![allow(clippy::unwrap_used)]

mod gallery_vectors;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use facerec_core::face::Embedding;
use facerec_core::gallery::{FaceId, Gallery, GalleryKey, GalleryOptions, NewFace};
use gallery_vectors::{contents, embedding, holders, holds, model, traces, values};

const VICTIM: &str = "FACEREC_TEST_FORGET_VICTIM";

fn keys() -> [Option<GalleryKey>; 2] {
    [None, Some(GalleryKey::bytes([9; 32]))]
}

fn options(key: &Option<GalleryKey>) -> GalleryOptions {
    key.iter().cloned().fold(GalleryOptions::default(), GalleryOptions::key)
}

fn open(folder: &Path, key: &Option<GalleryKey>) -> Gallery {
    Gallery::open(folder, &model(), options(key)).unwrap()
}

fn name(number: u64) -> String {
    format!("Quentin {:06} Zyx", number * 7919 % 1_000_000)
}

/// A face that can be found again in every way a file may hold it.
fn add(gallery: &Gallery, person: u64, number: u64) -> FaceId {
    let metadata = format!(r#"{{"note":"secret {number:06} of theirs"}}"#);
    let source = format!("photos/of-{number:06}.jpg");
    gallery.add(&name(person), NewFace::new(&embedding(number)).source(&source).metadata(&metadata)).unwrap()
}

/// Everything that must be gone with a face.
fn face_traces(person: u64, number: u64) -> Vec<Vec<u8>> {
    let mut traces = traces(&embedding(number), &name(person));
    traces.push(format!("secret {number:06} of").into_bytes());
    traces.push(format!("photos/of-{number:06}").into_bytes());
    traces
}

#[test]
fn a_removed_person_is_in_no_file() {
    for key in keys() {
        let folder = tempfile::tempdir().unwrap();
        let gallery = open(folder.path(), &key);
        for number in 0..60 {
            add(&gallery, number, number);
        }
        drop(gallery);
        let gallery = open(folder.path(), &key);
        let found = face_traces(11, 11).iter().filter(|trace| holders(folder.path(), trace) > 0).count();
        assert_eq!(found > 0, key.is_none(), "before the removal the search for traces finds what it looks for");
        assert_eq!(gallery.remove_person(&name(11)).unwrap(), 1);
        let check = |when: &str| {
            for trace in face_traces(11, 11) {
                assert_eq!(holders(folder.path(), &trace), 0, "{when}, {key:?}: {trace:02x?}");
            }
        };
        check("while it is open");
        drop(gallery);
        check("closed");
        let gallery = open(folder.path(), &key);
        assert_eq!(gallery.stats().unwrap().faces, 59);
        assert_eq!(gallery.verify().unwrap().problems, Vec::<String>::new());
    }
}

/// SQLite leaves copies of rows in free space when it moves them between pages. Here rows of all sizes come, go, and are renamed.
#[test]
fn churn_leaves_nothing_behind() {
    for key in keys() {
        let folder = tempfile::tempdir().unwrap();
        let gallery = open(folder.path(), &key);
        let mut there: BTreeMap<u64, Vec<(u64, FaceId)>> = BTreeMap::new();
        let (mut gone, mut old_names) = (Vec::new(), Vec::new());
        let mut names: BTreeMap<u64, String> = BTreeMap::new();
        let mut next = 0;
        for step in 0..700 {
            let dice = ((values(step, 1)[0] + 1.0) * 5e5) as u64;
            let someone = there.keys().nth(dice as usize % there.len().max(1)).copied();
            match (dice % 10, someone) {
                (0 | 1, Some(person)) => {
                    gallery.remove_person(&names.remove(&person).unwrap()).unwrap();
                    gone.extend(there.remove(&person).unwrap().into_iter().map(|(number, _)| (person, number)));
                }
                (2, Some(person)) => {
                    let to = format!("Renamed {step:06} {}", "x".repeat(dice as usize % 150));
                    let old = names.insert(person, to.clone()).unwrap();
                    gallery.rename(&old, &to).unwrap();
                    old_names.push(old);
                }
                (3, Some(person)) if there[&person].len() > 1 => {
                    let (number, face) = there.get_mut(&person).unwrap().pop().unwrap();
                    assert!(gallery.remove_face(face).unwrap());
                    gone.push((u64::MAX, number));
                }
                _ => {
                    let person = someone.filter(|_| dice.is_multiple_of(3)).unwrap_or(step);
                    let name = names.entry(person).or_insert_with(|| name(person)).clone();
                    let text = format!("photos/of-{next:06}.jpg{}", "y".repeat(dice as usize % 400));
                    let metadata = format!(r#"{{"note":"secret {next:06} of theirs"}}"#);
                    let vector = embedding(next);
                    let face = NewFace::new(&vector).source(&text).metadata(&metadata).quality_of_test();
                    let face = gallery.add(&name, face).unwrap();
                    there.entry(person).or_default().push((next, face));
                    next += 1;
                }
            }
        }
        assert!(gone.len() > 100 && old_names.len() > 30);
        let files = contents(folder.path());
        for (person, number) in gone {
            for trace in face_traces(person, number) {
                assert!(!files.iter().any(|file| holds(file, &trace)), "{key:?}: face {number}: {trace:02x?}");
            }
        }
        for old in old_names {
            assert!(!files.iter().any(|file| holds(file, old.as_bytes())), "{key:?}: {old}");
        }
        assert_eq!(gallery.verify().unwrap().problems, Vec::<String>::new());
        assert_eq!(gallery.stats().unwrap().faces, there.values().map(Vec::len).sum::<usize>());
        gallery.compact().unwrap();
        assert_eq!(gallery.verify().unwrap().problems, Vec::<String>::new());
    }
}

trait QualityOfTest {
    fn quality_of_test(self) -> Self;
}

impl QualityOfTest for NewFace<'_> {
    fn quality_of_test(self) -> Self {
        let quality = facerec_core::face::Quality {
            score: 0.5,
            sharpness: 0.25,
            yaw_deg: 1.0,
            pitch_deg: -2.0,
            roll_deg: 3.0,
            face_px: 120.0,
            exposure: 0.5,
            recognisability: None,
        };
        self.quality(quality)
    }
}

#[test]
fn a_reader_in_the_way_delays_forgetting_until_it_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let gallery = open(folder.path(), &None);
    for number in 0..20 {
        add(&gallery, number, number);
    }
    let held = |number: u64| face_traces(number, number).iter().filter(|trace| holders(folder.path(), trace) > 0).count();
    // A transaction of another connection that is open: it may still need what is in the log.
    let reader = rusqlite::Connection::open(folder.path().join("gallery.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM faces").unwrap();
    let faces: i64 = reader.query_row("SELECT count(vector) FROM faces", [], |row| row.get(0)).unwrap();
    assert_eq!(faces, 20);
    gallery.remove_person(&name(3)).unwrap();
    assert!(gallery.search(&embedding(3), 1).unwrap()[0].similarity < 0.9, "it is not found any more");
    assert!(held(3) > 0, "the reader's state of the gallery is still there, and the log says so");
    reader.execute_batch("COMMIT").unwrap();
    // The next change makes up for it.
    add(&gallery, 30, 30);
    assert_eq!(held(3), 0);
    // So does closing, whoever was in the way before.
    reader.execute_batch("BEGIN").unwrap();
    let _: i64 = reader.query_row("SELECT count(vector) FROM faces", [], |row| row.get(0)).unwrap();
    gallery.remove_person(&name(4)).unwrap();
    assert!(held(4) > 0);
    reader.execute_batch("COMMIT").unwrap();
    drop(gallery);
    assert_eq!(held(4), 0);
}

#[test]
fn a_crash_after_a_removal_is_made_up_for_when_the_gallery_is_opened() {
    if let Ok(folder) = std::env::var(VICTIM) {
        // Another connection's open transaction keeps the log from being emptied.
        let reader = rusqlite::Connection::open(Path::new(&folder).join("gallery.db")).unwrap();
        let gallery = open(Path::new(&folder), &None);
        reader.execute_batch("BEGIN").unwrap();
        let _: i64 = reader.query_row("SELECT count(vector) FROM faces", [], |row| row.get(0)).unwrap();
        gallery.remove_person(&name(5)).unwrap();
        std::io::stderr().write_all(b"removed\n").unwrap();
        std::thread::sleep(Duration::from_secs(600));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let gallery = open(folder.path(), &None);
    for number in 0..20 {
        add(&gallery, number, number);
    }
    drop(gallery);
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_crash_after_a_removal_is_made_up_for_when_the_gallery_is_opened", "--nocapture"])
        .env(VICTIM, folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(victim.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "removed\n");
    victim.kill().unwrap();
    victim.wait().unwrap();
    let held = || face_traces(5, 5).iter().filter(|trace| holders(folder.path(), trace) > 0).count();
    assert!(held() > 0, "the crash left it in the log or the database");
    let gallery = open(folder.path(), &None);
    assert_eq!(held(), 0);
    assert_eq!(gallery.stats().unwrap().faces, 19);
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

/// The saved index has names too.
#[test]
fn a_name_that_was_changed_is_in_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let gallery = open(folder.path(), &None);
    for person in 0..3 {
        gallery.add(&name(person), NewFace::new(&embedding(person))).unwrap();
    }
    gallery.compact().unwrap();
    for old in [name(0), name(1)] {
        assert_eq!(holders(folder.path(), old.as_bytes()), 2, "the database and the saved index");
    }
    gallery.rename(&name(0), "somebody").unwrap();
    gallery.merge(&name(1), "somebody").unwrap();
    let forgotten = || [name(0), name(1)].iter().all(|old| holders(folder.path(), old.as_bytes()) == 0);
    assert!(forgotten());
    drop(gallery);
    assert!(forgotten(), "it is saved when the gallery is closed");
    assert_eq!(best(&open(folder.path(), &None), &embedding(1)), "somebody");
}

fn best(gallery: &Gallery, embedding: &Embedding) -> String {
    gallery.search(embedding, 1).unwrap().first().filter(|found| found.similarity > 0.9).map_or_else(String::new, |m| m.name.clone())
}

#[test]
fn an_expired_face_is_never_found_and_soon_gone() {
    for key in keys() {
        let folder = tempfile::tempdir().unwrap();
        let gallery = open(folder.path(), &key);
        let end = now_ms() + 1500;
        let vectors: Vec<Embedding> = (0..4).map(embedding).collect();
        gallery.add(&name(0), NewFace::new(&vectors[0]).expires_at_ms(end)).unwrap();
        let gone = gallery.add(&name(1), NewFace::new(&vectors[1]).expires_at_ms(end)).unwrap();
        let kept = gallery.add(&name(1), NewFace::new(&vectors[2])).unwrap();
        gallery.add(&name(3), NewFace::new(&vectors[3]).expires_at_ms(end + 3_600_000)).unwrap();
        assert_eq!(gallery.faces(&name(0)).unwrap()[0].expires_ms, Some(end));
        let reader = Gallery::open(folder.path(), &model(), options(&key).read_only(true)).unwrap();
        assert_eq!(best(&reader, &vectors[0]), name(0));
        let mut found = 0;
        while now_ms() < end {
            found += usize::from(best(&gallery, &vectors[0]) == name(0));
            std::thread::sleep(Duration::from_millis(100));
        }
        assert!(found > 2);
        for gallery in [&gallery, &reader] {
            assert_eq!(best(gallery, &vectors[0]), "");
            assert_eq!(best(gallery, &vectors[1]), "");
            assert_eq!(best(gallery, &vectors[2]), name(1));
            assert_eq!(best(gallery, &vectors[3]), name(3));
            // Nor listed, though no writer has deleted them yet.
            let listed: Vec<_> = gallery.persons().unwrap().into_iter().map(|person| (person.name, person.faces)).collect();
            assert_eq!(listed, [(name(1), 1), (name(3), 1)]);
            assert_eq!(gallery.person(&name(0)).unwrap_err().kind().code(), "person_not_found");
            assert_eq!((gallery.faces(&name(1)).unwrap().len(), gallery.person(&name(1)).unwrap().faces), (1, 1));
            assert!(gallery.embedding(gone).unwrap().is_none() && gallery.embedding(kept).unwrap().is_some());
            assert_eq!((gallery.stats().unwrap().persons, gallery.stats().unwrap().faces), (2, 2));
        }
        assert_eq!(reader.purge_expired().unwrap_err().kind().code(), "invalid_argument");
        assert_eq!(gallery.purge_expired().unwrap(), 2);
        assert_eq!(gallery.purge_expired().unwrap(), 0);
        assert_eq!(gallery.stats().unwrap().faces, 2);
        assert_eq!(gallery.person(&name(0)).unwrap_err().kind().code(), "person_not_found");
        for trace in face_traces(0, 0) {
            assert_eq!(holders(folder.path(), &trace), 0, "{key:?}");
        }
        for gallery in [&gallery, &reader] {
            assert_eq!(gallery.verify().unwrap().problems, Vec::<String>::new());
            assert_eq!(best(gallery, &vectors[2]), name(1));
        }
        let expired: Vec<_> = gallery.audit(0, 100).unwrap().into_iter().filter(|entry| entry.action == "expire").collect();
        assert_eq!(expired.len(), 1);
        assert_eq!(expired[0].faces.len(), 2);
    }
}

#[test]
fn opening_and_changing_a_gallery_delete_what_expired() {
    let folder = tempfile::tempdir().unwrap();
    let vectors: Vec<Embedding> = (0..4).map(embedding).collect();
    let gallery = open(folder.path(), &None);
    gallery.add(&name(0), NewFace::new(&vectors[0]).expires_at_ms(now_ms() + 300)).unwrap();
    gallery.add(&name(1), NewFace::new(&vectors[1])).unwrap();
    std::thread::sleep(Duration::from_millis(400));
    gallery.add(&name(2), NewFace::new(&vectors[2]).expires_at_ms(now_ms() + 300)).unwrap();
    assert_eq!(gallery.stats().unwrap().faces, 2, "the change deleted the first");
    drop(gallery);
    // The saved index of the gallery knows a face that expires while it is closed.
    let reader = || Gallery::open(folder.path(), &model(), GalleryOptions::default().read_only(true)).unwrap();
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(best(&reader(), &vectors[2]), "");
    assert_eq!(reader().stats().unwrap().faces, 1);
    assert!(holders(folder.path(), name(2).as_bytes()) > 0, "a reader deleted it");
    let gallery = open(folder.path(), &None);
    assert_eq!(gallery.stats().unwrap().faces, 1);
    assert_eq!(best(&gallery, &vectors[1]), name(1));
    assert_eq!(holders(folder.path(), name(2).as_bytes()), 0);
}
