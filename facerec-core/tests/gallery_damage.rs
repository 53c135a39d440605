//! Bad days: flipped bits, foreign files, full disks, folders that cannot be written.
#![allow(clippy::print_stderr)] // what was skipped and what was measured is said aloud
#![allow(clippy::unwrap_used)]

mod gallery_vectors;

use std::fs;
use std::path::Path;
use std::process::Command;

use facerec_core::error::{Error, Result};
use facerec_core::gallery::{DecisionOptions, Gallery, GalleryOptions, NewFace};
use gallery_vectors::{embedding, model, values};

const PEOPLE: u64 = 40;

fn open(folder: &Path) -> Result<Gallery> {
    Gallery::open(folder, &model(), GalleryOptions::default())
}

fn reader(folder: &Path) -> Result<Gallery> {
    Gallery::open(folder, &model(), GalleryOptions::default().read_only(true))
}

/// A gallery of 40 people with one face each, closed.
fn make(folder: &Path) {
    let gallery = open(folder).unwrap();
    for number in 0..PEOPLE {
        gallery.add(&format!("person {number}"), NewFace::new(&embedding(number)).source("some/photo.jpg")).unwrap();
    }
}

/// Every answer is the right name or an error. Returns how many were right.
fn right_answers(gallery: &Gallery) -> Result<u64> {
    let mut right = 0;
    for number in 0..PEOPLE {
        let decision = gallery.identify(&embedding(number), &DecisionOptions::new(0.5))?;
        if let Some(name) = decision.name {
            assert_eq!(name, format!("person {number}"), "a wrong name");
            right += 1;
        }
    }
    Ok(right)
}

fn flip(path: &Path, at: usize, bit: u8) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1 << bit;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_flipped_bit_in_the_database_is_never_a_wrong_name() {
    let folder = tempfile::tempdir().unwrap();
    let (good, bad) = (folder.path().join("good"), folder.path().join("bad"));
    make(&good);
    let size = fs::metadata(good.join("gallery.db")).unwrap().len() as usize;
    let (mut refused, mut reported, mut in_use) = (0, 0, 0);
    for round in 0..400 {
        let dice = values(round, 2);
        // Every fourth flip is aimed at a name and every fourth at a vector; the others fall anywhere.
        let bytes = fs::read(good.join("gallery.db")).unwrap();
        let person = round / 4 % PEOPLE;
        let vector: Vec<u8> = embedding(person).as_slice().iter().flat_map(|v| v.to_le_bytes()).collect();
        let name = format!("person {person}").into_bytes();
        let find = |what: &[u8]| bytes.windows(what.len()).position(|w| w == what).unwrap() + what.len() - 1;
        let at = match round % 4 {
            0 => find(&name),
            1 => find(&vector),
            _ => ((dice[0] + 1.0) / 2.0 * size as f32) as usize % size,
        };
        let _ = fs::remove_dir_all(&bad);
        fs::create_dir(&bad).unwrap();
        for file in ["gallery.db", "index.snapshot"] {
            if good.join(file).exists() && (file == "gallery.db" || round % 3 == 0) {
                fs::copy(good.join(file), bad.join(file)).unwrap();
            }
        }
        flip(&bad.join("gallery.db"), at, (round % 7) as u8);
        // A byte may change without changing a value: free space, or a counter that nothing depends on.
        let outcome = reader(&bad).and_then(|gallery| {
            let right = right_answers(&gallery)?;
            Ok((right, gallery.verify()?.problems))
        });
        match outcome {
            Err(error) => {
                let code = error.kind().code();
                assert!(["gallery_corrupt", "gallery_newer", "embedding_model_mismatch", "io"].contains(&code), "byte {at}: {error}");
                refused += 1;
            }
            Ok((right, problems)) if problems.is_empty() => {
                assert_eq!(right, PEOPLE, "byte {at}: somebody was forgotten and verify did not notice");
                in_use += 1;
            }
            Ok(_) => reported += 1,
        }
    }
    eprintln!("400 flipped bits: {refused} refused, {reported} reported by verify, {in_use} without any effect");
    assert!(refused > 100 && reported > 30, "the flips missed the data");
}

/// Any byte of any file of a gallery of every kind: right answers, or a refusal. How many: `FACEREC_FLIPS`, default 100.
#[test]
#[cfg(feature = "faiss")]
fn a_flipped_byte_in_any_file_is_never_a_wrong_name() {
    use facerec_core::gallery::IndexKind;

    let flips = std::env::var("FACEREC_FLIPS").map_or(100, |flips| flips.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let kinds = [IndexKind::Flat, IndexKind::Sq8, IndexKind::Fp16, IndexKind::Ivf, IndexKind::Hnsw];
    let good = |kind: IndexKind| folder.path().join(kind.code());
    let bad = folder.path().join("bad");
    for kind in kinds {
        make(&good(kind));
        let gallery = Gallery::open(good(kind), &model(), GalleryOptions::default().index(kind)).unwrap();
        let vectors: Vec<_> = (0..1200).map(|i| embedding(50_000 + i)).collect();
        gallery.add_many(&vectors.iter().map(|v| ("crowd", NewFace::new(v))).collect::<Vec<_>>()).unwrap();
        gallery.compact().unwrap();
    }
    let (mut refused, mut rebuilt, mut in_use) = (0, 0, 0);
    for round in 0..flips {
        let dice = values(round ^ 0xf11b, 3).into_iter().map(|v| f64::from(v + 1.0) / 2.0).collect::<Vec<_>>();
        let kind = kinds[round as usize % kinds.len()];
        let _ = fs::remove_dir_all(&bad);
        fs::create_dir(&bad).unwrap();
        for file in ["gallery.db", "index.snapshot"] {
            fs::copy(good(kind).join(file), bad.join(file)).unwrap();
        }
        let file = bad.join(if round % 3 == 0 { "gallery.db" } else { "index.snapshot" });
        let mut bytes = fs::read(&file).unwrap();
        // Every tenth is among the first bytes, where the structure is.
        let range = if round % 10 == 0 { bytes.len().min(400) } else { bytes.len() };
        let at = (dice[0] * range as f64) as usize % bytes.len();
        bytes[at] ^= 1 + (dice[1] * 255.0) as u8 % 255;
        fs::write(&file, bytes).unwrap();
        let options = GalleryOptions::default().read_only(true).index(kind);
        match Gallery::open(&bad, &model(), options).and_then(|gallery| Ok((right_answers(&gallery)?, gallery.stats()?.index_building))) {
            Err(error) => {
                let code = error.kind().code();
                assert!(round % 3 == 0, "byte {at} of the index: {error}");
                assert!(["gallery_corrupt", "gallery_newer", "embedding_model_mismatch", "io"].contains(&code), "byte {at}: {error}");
                refused += 1;
            }
            Ok((right, building)) => {
                assert_eq!(right, PEOPLE, "{kind:?}: byte {at} of {}: somebody was forgotten", file.display());
                // A changed index is not used, whatever the byte.
                rebuilt += u64::from(building);
                in_use += 1;
            }
        }
    }
    eprintln!("{flips} flipped bytes: {refused} refused, {in_use} with right answers, {rebuilt} of them while the index was built again");
    assert!(refused > 0 && in_use > flips / 2);
}

#[test]
fn a_database_that_was_cut_short_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path());
    let database = folder.path().join("gallery.db");
    let whole = fs::read(&database).unwrap();
    for tenths in 1..10 {
        fs::write(&database, &whole[..whole.len() * tenths / 10]).unwrap();
        for open in [reader, |folder: &Path| Gallery::open_any(folder, GalleryOptions::default().read_only(true).salvage(true))] {
            match open(folder.path()) {
                Err(error) => assert_eq!(error.kind().code(), "gallery_corrupt", "{tenths}/10: {error}"),
                Ok(gallery) => assert!(!gallery.verify().unwrap().problems.is_empty(), "{tenths}/10"),
            }
        }
    }
    fs::write(&database, &whole).unwrap();
    assert_eq!(right_answers(&reader(folder.path()).unwrap()).unwrap(), PEOPLE);
}

#[test]
fn a_damaged_row_is_named_and_the_rest_can_be_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gallery");
    make(&path);
    let database = path.join("gallery.db");
    let vector: Vec<u8> = embedding(7).as_slice().iter().flat_map(|v| v.to_le_bytes()).collect();
    let at = fs::read(&database).unwrap().windows(vector.len()).position(|w| w == vector).unwrap();
    flip(&database, at + 17, 3);

    // The saved index still has the good vector: answers are right, and verify tells.
    let gallery = reader(&path).unwrap();
    assert_eq!(right_answers(&gallery).unwrap(), PEOPLE);
    let report = gallery.verify().unwrap();
    assert_eq!(report.problems, ["face 8 does not match its checksum"]);
    assert_eq!(right_answers(&gallery).unwrap_err().kind().code(), "gallery_corrupt", "it is not searched any more");
    drop(gallery);

    // Without the index nothing is guessed.
    fs::remove_file(path.join("index.snapshot")).unwrap();
    let error = open(&path).unwrap_err();
    assert_eq!(error.kind().code(), "gallery_corrupt");
    assert!(error.to_string().contains("face 8") && error.to_string().contains("restore a copy"), "{error}");

    // What is intact can be taken along, or the damaged face removed.
    let gallery = Gallery::open_any(&path, GalleryOptions::default().salvage(true)).unwrap();
    assert_eq!(right_answers(&gallery).unwrap(), PEOPLE - 1);
    let mut text = Vec::new();
    assert_eq!(gallery.export(&mut text).unwrap(), PEOPLE as usize - 1);
    let rescued = open(&folder.path().join("rescued")).unwrap();
    assert_eq!(rescued.import(&mut text.as_slice()).unwrap().faces, PEOPLE as usize - 1);
    assert!(gallery.remove_face(facerec_core::gallery::FaceId(8)).unwrap());
    drop(gallery);
    let gallery = open(&path).unwrap();
    assert_eq!(gallery.verify().unwrap().problems, Vec::<String>::new());
    assert_eq!(right_answers(&gallery).unwrap(), PEOPLE - 1);
}

#[test]
fn a_damaged_or_stale_index_is_built_again() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path());
    let index = folder.path().join("index.snapshot");
    let good_index = fs::read(&index).unwrap();
    let check = |what: &str| {
        let gallery = reader(folder.path()).unwrap();
        assert_eq!(right_answers(&gallery).unwrap(), PEOPLE, "{what}");
        assert_eq!(gallery.verify().unwrap().problems, Vec::<String>::new(), "{what}");
    };
    for at in [0, 5, 8, 11, 20, 33, 300, good_index.len() / 2, good_index.len() - 1] {
        let mut bad = good_index.clone();
        bad[at] ^= 4;
        fs::write(&index, bad).unwrap();
        check(&format!("bit at {at}"));
    }
    fs::write(&index, &good_index[..good_index.len() / 2]).unwrap();
    check("cut short");
    fs::write(&index, [&good_index[..], &[0]].concat()).unwrap();
    check("a byte too many");
    fs::write(&index, &good_index[..7]).unwrap();
    check("hardly anything");
    fs::remove_file(&index).unwrap();
    check("index gone");
    // A copy of the index from before somebody was removed: the removed must not come back.
    let gallery = open(folder.path()).unwrap();
    gallery.remove_person("person 5").unwrap();
    drop(gallery);
    fs::write(&index, &good_index).unwrap();
    let gallery = open(folder.path()).unwrap();
    assert_eq!(right_answers(&gallery).unwrap(), PEOPLE - 1);
    assert!(gallery.search(&embedding(5), 1).unwrap()[0].similarity < 0.6);
}

/// The index of a gallery whose story was another one, beside a database of as many generations and faces.
#[test]
fn the_index_of_another_copy_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    for (path, first) in [(&one, 0), (&other, 1000)] {
        let gallery = open(path).unwrap();
        for number in 0..PEOPLE {
            gallery.add(&format!("person {number}"), NewFace::new(&embedding(first + number))).unwrap();
        }
    }
    fs::copy(other.join("index.snapshot"), one.join("index.snapshot")).unwrap();
    let gallery = reader(&one).unwrap();
    assert_eq!(right_answers(&gallery).unwrap(), PEOPLE);
    assert_eq!(gallery.verify().unwrap().problems, Vec::<String>::new());
}

#[test]
fn removed_vectors_are_in_no_file() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path());
    let bytes: Vec<u8> = embedding(11).as_slice().iter().flat_map(|v| v.to_le_bytes()).collect();
    let holders = |needle: &[u8]| {
        let files = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|p| fs::read(p).unwrap().windows(needle.len()).any(|w| w == needle)).count()
    };
    let gallery = open(folder.path()).unwrap();
    assert_eq!(holders(&bytes[..64]), 2, "the database and the saved index");
    gallery.remove_person("person 11").unwrap();
    // Every piece of 16 bytes, while the gallery is open and after.
    assert_eq!(bytes.chunks(16).map(holders).sum::<usize>(), 0);
    assert_eq!(holders(b"person 11"), 0);
    drop(gallery);
    assert_eq!(bytes.chunks(16).map(holders).sum::<usize>(), 0);
}

#[test]
fn what_is_no_gallery_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("gallery.db");
    let mut outcomes = Vec::new();
    for contents in [&b"not a database, but long enough to be looked at by SQLite as if it were one: 0123456789012345"[..], &[0; 4096]] {
        fs::write(&database, contents).unwrap();
        for error in [open(folder.path()).unwrap_err(), reader(folder.path()).unwrap_err()] {
            outcomes.push(error.kind().code());
        }
    }
    assert_eq!(outcomes, ["gallery_corrupt"; 4]);
    assert_eq!(fs::read(&database).unwrap(), [0; 4096], "it was left alone");
    fs::remove_file(&database).unwrap();
    fs::create_dir(&database).unwrap();
    assert_eq!(open(folder.path()).unwrap_err().kind().code(), "io");
    fs::remove_dir(&database).unwrap();
    fs::write(&database, "").unwrap();
    assert_eq!(reader(folder.path()).unwrap_err().kind().code(), "io", "an empty file is no gallery yet");
    open(folder.path()).unwrap();
    assert_eq!(open(&database).unwrap_err().kind().code(), "io", "a file is no folder");
    let newer = fs::read(&database).unwrap();
    // SQLite keeps user_version, our format, big-endian at byte 60.
    let newer = [&newer[..60], &9_u32.to_be_bytes(), &newer[64..]].concat();
    fs::write(&database, newer).unwrap();
    assert!(matches!(open(folder.path()).unwrap_err(), Error::GalleryNewer { found: 9, supported: 2, .. }));
}

/// A small file system in memory that goes with the value. `None` where mounting is not allowed.
#[cfg(target_os = "linux")]
struct SmallDisk(tempfile::TempDir);

#[cfg(target_os = "linux")]
impl SmallDisk {
    fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(folder.path()).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(folder));
        }
        eprintln!("skipped: mounting a tmpfs is not permitted here");
        None
    }

    fn remount(&self, options: &str) {
        let done = Command::new("mount").args(["-o", &format!("remount,{options}")]).arg(self.0.path()).status();
        assert!(done.unwrap().success());
    }
}

#[cfg(target_os = "linux")]
impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error_and_loses_nothing() {
    use facerec_core::gallery::IndexKind;

    const CROWD: u64 = 1200;
    let faiss = cfg!(feature = "faiss");
    for (kind, crowd, size, more) in [
        (IndexKind::Flat, 0, "3m", "8m"),
        (IndexKind::Sq8, CROWD, "5m", "20m"),
        (IndexKind::Ivf, CROWD, "5m", "20m"),
        (IndexKind::Hnsw, CROWD, "5m", "20m"),
    ] {
        if kind != IndexKind::Flat && !faiss {
            continue;
        }
        let Some(disk) = SmallDisk::mount(size) else { return };
        let path = disk.0.path().join("gallery");
        let options = GalleryOptions::default().index(kind);
        let open = || Gallery::open(&path, &model(), options.clone()).unwrap();
        let gallery = open();
        let vectors: Vec<_> = (0..crowd).map(|i| embedding(50_000 + i)).collect();
        gallery.add_many(&vectors.iter().map(|v| ("crowd", NewFace::new(v))).collect::<Vec<_>>()).unwrap();
        if crowd > 0 {
            gallery.compact().unwrap();
            assert_eq!(gallery.stats().unwrap().index_kind, format!("faiss-{}", kind.code()));
        }
        let mut stored = 0;
        let error = loop {
            match gallery.add(&format!("person {stored}"), NewFace::new(&embedding(stored))) {
                Ok(_) => stored += 1,
                Err(error) => break error,
            }
            assert!(stored < 10_000, "the disk does not fill up");
        };
        assert_eq!(error.kind().code(), "io", "{error}");
        assert!(stored > 20, "{kind:?}: {stored}");
        // A batch is refused whole, and both this process and the next still know everybody.
        let vectors: Vec<_> = (0..2000).map(|i| embedding(90_000 + i)).collect();
        let batch: Vec<_> = vectors.iter().map(|v| ("more", NewFace::new(v))).collect();
        assert_eq!(gallery.add_many(&batch).unwrap_err().kind().code(), "io");
        let check = |gallery: &Gallery| {
            assert_eq!(gallery.verify().unwrap().problems, Vec::<String>::new());
            assert_eq!(gallery.stats().unwrap().faces as u64, stored + crowd);
            for number in 0..stored {
                assert_eq!(gallery.search(&embedding(number), 1).unwrap()[0].name, format!("person {number}"));
            }
        };
        check(&gallery);
        // It needs as much room again.
        assert_eq!(gallery.compact().unwrap_err().kind().code(), "io");
        check(&gallery);
        drop(gallery);
        check(&reader(&path).unwrap());
        check(&open());
        disk.remount(&format!("size={more}"));
        let gallery = open();
        gallery.add("late", NewFace::new(&embedding(stored))).unwrap();
        gallery.compact().unwrap();
        assert_eq!(gallery.search(&embedding(stored), 1).unwrap()[0].name, "late");
        drop(gallery);
    }

    // No room at all for a new gallery.
    let Some(full) = SmallDisk::mount("16k") else { return };
    assert_eq!(open(&full.0.path().join("gallery")).unwrap_err().kind().code(), "io");
}

#[test]
#[cfg(target_os = "linux")]
fn a_folder_that_cannot_be_written_can_be_read() {
    let Some(disk) = SmallDisk::mount("4m") else { return };
    let path = disk.0.path().join("a gallery? 100%");
    make(&path);
    disk.remount("ro");
    let gallery = reader(&path).unwrap();
    assert_eq!(right_answers(&gallery).unwrap(), PEOPLE);
    assert_eq!(gallery.verify().unwrap().problems, Vec::<String>::new());
    let error = open(&path).unwrap_err();
    assert_eq!(error.kind().code(), "io", "{error}");
    // Somebody else may write there: the reader notices, though SQLite was told that the file never changes.
    disk.remount("rw");
    let writer = open(&path).unwrap();
    writer.rename("person 3", "someone").unwrap();
    assert_eq!(gallery.search(&embedding(3), 1).unwrap()[0].name, "someone");
    drop(writer);
    assert_eq!(gallery.search(&embedding(3), 1).unwrap()[0].name, "someone");
}
