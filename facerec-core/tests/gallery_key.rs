//! Encryption at rest: nothing is readable without the key, nothing changed goes unnoticed, and a key can be changed.
#![allow(clippy::print_stderr)] // what was measured is said aloud
#![allow(clippy::unwrap_used)]

mod gallery_vectors;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use facerec_core::error::Result;
use facerec_core::gallery::{DecisionOptions, Gallery, GalleryKey, GalleryOptions, NewFace};
use gallery_vectors::{contents, embedding, holders, holds, model, traces, values};

const PEOPLE: u64 = 40;
const VICTIM: &str = "FACEREC_TEST_KEY_VICTIM";

fn key(byte: u8) -> GalleryKey {
    GalleryKey::bytes([byte; 32])
}

fn options(key: Option<GalleryKey>) -> GalleryOptions {
    key.into_iter().fold(GalleryOptions::default(), GalleryOptions::key)
}

fn open(folder: &Path, key: Option<GalleryKey>) -> Result<Gallery> {
    Gallery::open(folder, &model(), options(key))
}

fn reader(folder: &Path, key: Option<GalleryKey>) -> Result<Gallery> {
    Gallery::open(folder, &model(), options(key).read_only(true))
}

fn name(number: u64) -> String {
    format!("Quentin {:06} Zyx", number * 7919 % 1_000_000)
}

fn fill(gallery: &Gallery) {
    for number in 0..PEOPLE {
        let (source, metadata) = (format!("photos/of-{number:06}.jpg"), format!(r#"{{"note":"secret {number:06} of theirs"}}"#));
        gallery.add(&name(number), NewFace::new(&embedding(number)).source(&source).metadata(&metadata)).unwrap();
    }
}

/// How many traces of people the files of a folder hold.
fn traces_in(folder: &Path) -> usize {
    let files = contents(folder);
    let found = |trace: &[u8]| usize::from(files.iter().any(|file| holds(file, trace)));
    (0..PEOPLE)
        .flat_map(|number| {
            let mut all = traces(&embedding(number), &name(number));
            all.extend([format!("secret {number:06} of"), format!("photos/of-{number:06}")].map(String::into_bytes));
            all
        })
        .map(|trace| found(&trace))
        .sum()
}

/// Every answer is the right name or an error. Returns how many were right.
fn right_answers(gallery: &Gallery) -> Result<u64> {
    let mut right = 0;
    for number in 0..PEOPLE {
        if let Some(found) = gallery.identify(&embedding(number), &DecisionOptions::new(0.5))?.name {
            assert_eq!(found, name(number), "a wrong name");
            right += 1;
        }
    }
    Ok(right)
}

#[test]
fn an_encrypted_gallery_shows_nothing_without_its_key() {
    for key in [key(7), GalleryKey::passphrase("correct horse battery staple")] {
        let folder = tempfile::tempdir().unwrap();
        let gallery = Gallery::open(folder.path(), &model(), options(Some(key.clone())).actor("Dr. Actor")).unwrap();
        fill(&gallery);
        assert_eq!(traces_in(folder.path()), 0, "while it is open");
        drop(gallery);
        assert_eq!(traces_in(folder.path()), 0);
        for text in ["Quentin", "secret", "photos/", "Dr. Actor", "\"note\""] {
            assert_eq!(holders(folder.path(), text.as_bytes()), 0, "{text}");
        }
        let gallery = reader(folder.path(), Some(key.clone())).unwrap();
        assert!(gallery.stats().unwrap().encrypted);
        assert_eq!(right_answers(&gallery).unwrap(), PEOPLE);
        assert_eq!(gallery.verify().unwrap().problems, Vec::<String>::new());
        let face = &gallery.faces(&name(3)).unwrap()[0];
        assert_eq!(face.source.as_deref(), Some("photos/of-000003.jpg"));
        assert_eq!(gallery.persons().unwrap().len(), PEOPLE as usize);
        assert_eq!(gallery.audit(0, 1000).unwrap().len(), PEOPLE as usize + 1);
        // What an export says is plain, and the same as that of a plain gallery.
        let mut text = Vec::new();
        assert_eq!(gallery.export(&mut text).unwrap(), PEOPLE as usize);
        let plain = tempfile::tempdir().unwrap();
        let copy = open(plain.path(), None).unwrap();
        assert_eq!(copy.import(&mut text.as_slice()).unwrap().faces, PEOPLE as usize);
        assert!(!copy.stats().unwrap().encrypted);
        drop(copy);
        assert!(traces_in(plain.path()) > PEOPLE as usize * 30, "the scan finds what is there to find");
    }
}

#[test]
fn a_wrong_key_is_told_from_a_missing_and_an_unwanted_one() {
    let folder = tempfile::tempdir().unwrap();
    let (sealed, plain) = (folder.path().join("sealed"), folder.path().join("plain"));
    fill(&open(&sealed, Some(key(7))).unwrap());
    fill(&open(&plain, None).unwrap());
    let cases = [
        (&sealed, None, "no key was given"),
        (&sealed, Some(key(8)), "another key"),
        (&sealed, Some(GalleryKey::passphrase("x")), "another key"),
        (&plain, Some(key(7)), "not encrypted"),
    ];
    for (folder, key, says) in cases {
        for error in [open(folder, key.clone()).unwrap_err(), reader(folder, key).unwrap_err()] {
            assert_eq!(error.kind().code(), "wrong_key");
            assert!(error.to_string().contains(says), "{error}");
        }
    }
    assert_eq!(right_answers(&open(&sealed, Some(key(7))).unwrap()).unwrap(), PEOPLE);
}

#[test]
fn a_flipped_bit_of_an_encrypted_gallery_is_never_a_wrong_name() {
    let folder = tempfile::tempdir().unwrap();
    let (good, bad) = (folder.path().join("good"), folder.path().join("bad"));
    fill(&open(&good, Some(key(7))).unwrap());
    let files: Vec<_> = fs::read_dir(&good).unwrap().map(|entry| entry.unwrap()).filter(|f| f.metadata().unwrap().len() > 100).collect();
    let (mut refused, mut reported, mut in_use) = (0, 0, 0);
    for round in 0..1000_u64 {
        let dice = values(round ^ 0xbeef, 2);
        let file = &files[round as usize % files.len()];
        let _ = fs::remove_dir_all(&bad);
        fs::create_dir(&bad).unwrap();
        for file in &files {
            fs::copy(file.path(), bad.join(file.file_name())).unwrap();
        }
        let path = bad.join(file.file_name());
        let mut bytes = fs::read(&path).unwrap();
        let at = ((f64::from(dice[0]) + 1.0) / 2.0 * bytes.len() as f64) as usize % bytes.len();
        bytes[at] ^= 1 << (round % 8);
        fs::write(&path, bytes).unwrap();
        match reader(&bad, Some(key(7))).and_then(|gallery| Ok((right_answers(&gallery)?, gallery.verify()?.problems))) {
            Err(error) => {
                let code = error.kind().code();
                assert!(
                    ["gallery_corrupt", "gallery_newer", "embedding_model_mismatch", "wrong_key", "io"].contains(&code),
                    "{at}: {error}"
                );
                refused += 1;
            }
            Ok((right, problems)) if problems.is_empty() => {
                assert_eq!(right, PEOPLE, "byte {at}: somebody was forgotten and verify did not notice");
                in_use += 1;
            }
            Ok(_) => reported += 1,
        }
    }
    eprintln!("1000 flipped bits of an encrypted gallery: {refused} refused, {reported} reported by verify, {in_use} without any effect");
    assert!(refused + reported > 300, "the flips missed the data");
}

/// Somebody who can write the file, and has older copies of it, but not the key.
#[test]
fn rows_cannot_be_removed_exchanged_or_brought_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gallery");
    let gallery = open(&path, Some(key(7))).unwrap();
    fill(&gallery);
    gallery.rename(&name(1), "was one").unwrap();
    gallery.remove_person(&name(2)).unwrap();
    drop(gallery);
    let database = path.join("gallery.db");
    let good = fs::read(&database).unwrap();
    let old = folder.path().join("old.db");
    fs::write(&old, &good).unwrap();
    let gallery = open(&path, Some(key(7))).unwrap();
    gallery.rename("was one", "is one").unwrap();
    gallery.remove_person(&name(3)).unwrap();
    gallery.add("newcomer", NewFace::new(&embedding(99))).unwrap();
    drop(gallery);
    let good = fs::read(&database).unwrap();
    let attach = format!("ATTACH '{}' AS old; ", old.display());
    let columns = "person = o.person, sealed = o.sealed, created_ms = o.created_ms";
    let attacks = [
        "DELETE FROM faces WHERE id = 8".to_string(),
        "DELETE FROM faces WHERE id = 8; UPDATE state SET faces = faces - 1".into(),
        "UPDATE faces SET person = 9 WHERE id = 8".into(),
        "UPDATE faces SET sealed = (SELECT sealed FROM faces WHERE id = 9) WHERE id = 8".into(),
        "UPDATE faces SET expires_ms = 99999999999999 WHERE id = 8".into(),
        "UPDATE faces SET created_ms = 1 WHERE id = 8".into(),
        "UPDATE persons SET sealed = (SELECT sealed FROM persons WHERE row = 9) WHERE row = 8".into(),
        "UPDATE persons SET person = 9 WHERE row = 8; UPDATE faces SET person = 9 WHERE person = 8".into(),
        "UPDATE state SET generation = generation + 1".into(),
        // The face of person 3 is brought back with person 3, in place of others, so that the counts fit.
        format!(
            "{attach} UPDATE faces SET {columns} FROM old.faces o WHERE faces.id = o.id AND o.id = 4; \
             UPDATE persons SET {columns} FROM old.persons o WHERE persons.row = o.row AND o.row = 4; \
             DELETE FROM faces WHERE id = 10; DELETE FROM persons WHERE row = 10"
        ),
        // An old name of the same person.
        format!(
            "{attach} UPDATE persons SET sealed = NULL, person = NULL WHERE row = (SELECT max(row) - 1 FROM persons); \
             UPDATE persons SET {columns} FROM old.persons o WHERE persons.row = o.row AND o.row = (SELECT max(row) FROM old.persons)"
        ),
        // The whole state of before.
        format!("{attach} DELETE FROM state; INSERT INTO state SELECT * FROM old.state"),
    ];
    for attack in &attacks {
        fs::write(&database, &good).unwrap();
        let attacker = rusqlite::Connection::open(&database).unwrap();
        attacker.execute_batch(attack).unwrap();
        drop(attacker);
        let error = open(&path, Some(key(7))).and_then(|gallery| right_answers(&gallery).map(drop)).expect_err(attack);
        assert_eq!(error.kind().code(), "gallery_corrupt", "{attack}: {error}");
    }
    // The audit log is looked at by whoever reads it, and by `verify`.
    for attack in ["DELETE FROM audit WHERE id = 5", "UPDATE audit SET at_ms = 5 WHERE id = 5"] {
        fs::write(&database, &good).unwrap();
        rusqlite::Connection::open(&database).unwrap().execute_batch(attack).unwrap();
        assert!(!open(&path, Some(key(7))).unwrap().verify().unwrap().problems.is_empty(), "{attack}");
    }
    fs::write(&database, &good).unwrap();
    let gallery = open(&path, Some(key(7))).unwrap();
    assert_eq!(gallery.verify().unwrap().problems, Vec::<String>::new());
}

#[test]
fn a_gallery_is_encrypted_rekeyed_and_decrypted_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let gallery = open(folder.path(), None).unwrap();
    fill(&gallery);
    gallery.remove_person(&name(5)).unwrap();
    let other = reader(folder.path(), None).unwrap();
    assert_eq!(right_answers(&other).unwrap(), PEOPLE - 1);
    let before = gallery.audit(0, 1000).unwrap();
    let mut keys: Vec<Option<GalleryKey>> = vec![None];
    for next in [Some(key(7)), Some(GalleryKey::passphrase("a long passphrase")), Some(key(8)), None] {
        gallery.set_key(next.clone()).unwrap();
        assert_eq!(traces_in(folder.path()) > 0, next.is_none());
        assert_eq!(right_answers(&gallery).unwrap(), PEOPLE - 1);
        assert_eq!(gallery.verify().unwrap().problems, Vec::<String>::new());
        for old in &keys {
            assert_eq!(
                reader(folder.path(), old.clone()).map(drop).map_err(|e| e.kind().code()),
                if *old == next { Ok(()) } else { Err("wrong_key") }
            );
        }
        assert_eq!(right_answers(&reader(folder.path(), next.clone()).unwrap()).unwrap(), PEOPLE - 1);
        keys.push(next);
    }
    assert_eq!(gallery.audit(0, before.len()).unwrap(), before, "the log goes on");
    // Who had it open is told to open it again, and is never given damage for an answer.
    assert_eq!(right_answers(&other).map_err(|e| e.kind().code()), Ok(PEOPLE - 1), "it is plain again");
    gallery.set_key(Some(key(1))).unwrap();
    let error = right_answers(&other).unwrap_err();
    assert_eq!(error.kind().code(), "wrong_key");
    assert!(error.to_string().contains("open it again"), "{error}");
    gallery.add("late", NewFace::new(&embedding(77))).unwrap();
    drop(gallery);
    assert_eq!(open(folder.path(), Some(key(1))).unwrap().search(&embedding(77), 1).unwrap()[0].name, "late");
}

#[test]
#[cfg(unix)]
fn a_key_change_survives_kills_at_any_moment() {
    let keys = [None, Some(key(1)), Some(key(2))];
    if let Ok(work) = std::env::var(VICTIM) {
        // The victim: one key after another, until it is killed.
        let (now, folder) = work.split_once(' ').unwrap();
        let mut now: usize = now.parse().unwrap();
        let gallery = open(Path::new(folder), keys[now].clone()).unwrap();
        loop {
            now = (now + 1) % keys.len();
            gallery.set_key(keys[now].clone()).unwrap();
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gallery");
    fill(&open(&path, None).unwrap());
    let (mut now, mut changes) = (0, 0);
    for round in 0..100_u64 {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_key_change_survives_kills_at_any_moment", "--nocapture"])
            .env(VICTIM, format!("{now} {}", path.display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_micros((60_000.0 + 50_000.0 * values(round ^ 0xdead, 1)[0]) as u64));
        victim.kill().unwrap();
        assert_eq!(victim.wait().unwrap().code(), None, "the victim was killed, it did not end");
        // Exactly one key opens it.
        let fits: Vec<usize> = (0..keys.len()).filter(|&i| reader(&path, keys[i].clone()).is_ok()).collect();
        assert_eq!(fits.len(), 1, "round {round}: {fits:?}");
        changes += usize::from(fits[0] != now);
        now = fits[0];
        let gallery = open(&path, keys[now].clone()).unwrap();
        assert_eq!(right_answers(&gallery).unwrap(), PEOPLE, "round {round}");
        assert_eq!(gallery.verify().unwrap().problems, Vec::<String>::new(), "round {round}");
        assert_eq!(traces_in(&path) > 0, keys[now].is_none(), "round {round}: what the crash left is cleared away");
    }
    eprintln!("100 kills, the key was another one after {changes} of them");
    assert!(changes > 20);
}
