//! Formats, the audit log, and what is held about one person.
#![allow(clippy::unwrap_used)]

mod gallery_vectors;

use std::fs;
use std::path::{Path, PathBuf};

use facerec_core::gallery::{FaceId, Gallery, GalleryOptions, NewFace};
use gallery_vectors::{embedding, model};

/// A gallery of format 1 with 3 people and 4 faces, see fixtures/gallery-1/generate.py.
fn format_1(folder: &Path) -> PathBuf {
    let path = folder.join("gallery");
    fs::create_dir(&path).unwrap();
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/gallery-1/gallery.db"), path.join("gallery.db")).unwrap();
    path
}

fn reader(path: &Path) -> Gallery {
    Gallery::open(path, &model(), GalleryOptions::default().read_only(true)).unwrap()
}

fn check(gallery: &Gallery) {
    for (number, name) in [(1, "Ana María"), (2, "Ana María"), (3, "Bo"), (4, "Cy")] {
        let found = &gallery.search(&embedding(number), 1).unwrap()[0];
        assert_eq!((found.name.as_str(), found.face), (name, FaceId(number as i64)));
        assert!(found.similarity > 0.9999);
    }
    let faces = gallery.faces("Ana María").unwrap();
    assert_eq!(faces[0].metadata.as_deref(), Some(r#"{"camera":[1,"é"]}"#));
    assert_eq!(faces[0].digest, Some("0f".repeat(32)));
    assert_eq!(faces[0].quality.unwrap().yaw_deg, 1.0);
    assert_eq!(faces[0].created_ms, 1_700_000_000_001);
    assert_eq!((faces[1].quality, faces[1].expires_ms), (None, None));
    assert_eq!(gallery.persons().unwrap().len(), 3);
    assert_eq!(gallery.verify().unwrap().problems, Vec::<String>::new());
}

#[test]
fn a_gallery_of_format_1_is_read_as_it_is_and_migrated_by_the_first_writer() {
    let folder = tempfile::tempdir().unwrap();
    let path = format_1(folder.path());
    let before = fs::read(path.join("gallery.db")).unwrap();
    let early = reader(&path);
    check(&early);
    assert!(early.audit(0, 10).unwrap().is_empty());
    assert_eq!(fs::read(path.join("gallery.db")).unwrap(), before, "reading leaves it alone");

    let gallery = Gallery::open_any(&path, GalleryOptions::default().actor("the migrator")).unwrap();
    check(&gallery);
    check(&early);
    let log = gallery.audit(0, 10).unwrap();
    assert_eq!(log.iter().map(|e| (e.action.as_str(), e.actor.as_str())).collect::<Vec<_>>(), [("migrate", "the migrator")]);
    // Ids go on where they were.
    assert_eq!(gallery.add("Dee", NewFace::new(&embedding(5))).unwrap(), FaceId(5));
    assert_eq!(gallery.person("Dee").unwrap().id.0, 4);
    assert_eq!(gallery.remove_person("Bo").unwrap(), 1);
    drop(gallery);
    let gallery = reader(&path);
    assert_eq!(gallery.stats().unwrap().persons, 3);
    assert_eq!(gallery.verify().unwrap().problems, Vec::<String>::new());
    assert!(early.search(&embedding(3), 1).unwrap()[0].similarity < 0.9);
}

#[test]
fn a_migration_that_fails_leaves_the_gallery_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = format_1(folder.path());
    // A count that the state's checksum does not know.
    rusqlite::Connection::open(path.join("gallery.db")).unwrap().execute_batch("UPDATE state SET faces = 9").unwrap();
    for _ in 0..2 {
        assert_eq!(Gallery::open_any(&path, GalleryOptions::default()).unwrap_err().kind().code(), "gallery_corrupt");
    }
    let version: i64 =
        rusqlite::Connection::open(path.join("gallery.db")).unwrap().query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(version, 1);
}

#[test]
fn the_audit_log_says_who_did_what_to_whom_and_no_names() {
    let folder = tempfile::tempdir().unwrap();
    let open = |actor: &str| Gallery::open(folder.path(), &model(), GalleryOptions::default().actor(actor)).unwrap();
    let gallery = open("front desk");
    let vectors: Vec<_> = (0..5).map(embedding).collect();
    let batch: Vec<_> = vectors.iter().zip(["Ana", "Ana", "Bo", "Cy", "Cy"]).map(|(v, name)| (name, NewFace::new(v))).collect();
    gallery.add_many(&batch).unwrap();
    assert!(gallery.add("", NewFace::new(&vectors[0])).is_err());
    assert!(!gallery.remove_face(FaceId(99)).unwrap(), "nothing was changed");
    drop(gallery);
    let gallery = open("admin");
    gallery.rename("Ana", "Ana María").unwrap();
    gallery.remove_person("Cy").unwrap();
    let log = gallery.audit(0, 100).unwrap();
    let ids = |ids: &[i64]| ids.to_vec();
    let said: Vec<_> = log
        .iter()
        .map(|e| {
            let persons: Vec<i64> = e.persons.iter().map(|id| id.0).collect();
            let faces: Vec<i64> = e.faces.iter().map(|id| id.0).collect();
            (e.actor.as_str(), e.action.as_str(), persons, faces)
        })
        .collect();
    let expected = [
        ("front desk", "create", ids(&[]), ids(&[])),
        ("front desk", "add", ids(&[1, 2, 3]), ids(&[1, 2, 3, 4, 5])),
        ("admin", "rename", ids(&[1]), ids(&[])),
        ("admin", "remove", ids(&[3]), ids(&[4, 5])),
    ];
    assert_eq!(said, expected);
    assert_eq!(gallery.audit(log[1].id, 1).unwrap(), log[2..3]);
    for bad in ["", "a\nb", &"x".repeat(201)] {
        let error = Gallery::open(folder.path(), &model(), GalleryOptions::default().read_only(true).actor(bad)).unwrap_err();
        assert_eq!(error.kind().code(), "invalid_argument");
    }
}

#[test]
fn what_is_held_about_one_person_can_be_handed_out_and_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let gallery = Gallery::open(folder.path().join("a"), &model(), GalleryOptions::default().actor("desk")).unwrap();
    let (ana, bo) = (embedding(1), embedding(2));
    let later = 99_999_999_999_999;
    let of_ana = NewFace::new(&ana).source("a.jpg").metadata(r#"{"seen":"lobby"}"#).expires_at_ms(later);
    gallery.add_many(&[("Ana", of_ana), ("Bo", NewFace::new(&bo))]).unwrap();
    gallery.add("Ana", NewFace::new(&embedding(3))).unwrap();
    let mut text = Vec::new();
    assert_eq!(gallery.export_person(" Ana ", &mut text).unwrap(), 2);
    let text = String::from_utf8(text).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["person"]["name"], "Ana");
    assert_eq!((lines[1]["metadata"]["seen"].as_str(), lines[1]["expires_ms"].as_i64()), (Some("lobby"), Some(later)));
    assert_eq!(lines[3]["audit"]["action"], "add");
    assert_eq!(lines[3]["audit"]["faces"], serde_json::json!([1]), "the faces of others are not theirs to see");
    assert_eq!(lines.len(), 5);
    assert!(!text.contains("Bo"));
    let copy = Gallery::open(folder.path().join("b"), &model(), GalleryOptions::default()).unwrap();
    let report = copy.import(&mut text.as_bytes()).unwrap();
    assert_eq!((report.persons, report.faces), (1, 2));
    assert_eq!(copy.faces("Ana").unwrap()[0].expires_ms, Some(later));
    assert_eq!(copy.search(&embedding(3), 1).unwrap()[0].name, "Ana");
    assert_eq!(gallery.export_person("Nobody", &mut Vec::new()).unwrap_err().kind().code(), "person_not_found");
}
