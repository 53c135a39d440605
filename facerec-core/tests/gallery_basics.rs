//! What a gallery promises on a good day: enrol, search, identify, rename, remove, list, export, import, reopen.
#![allow(clippy::unwrap_used)]

mod gallery_vectors;

use std::sync::Arc;

use facerec_core::face::{Embedding, ModelKey, Quality};
use facerec_core::gallery::{DecisionOptions, FaceId, Gallery, GalleryOptions, NewFace};
use gallery_vectors::{embedding, model, near};

fn open(folder: &std::path::Path) -> Gallery {
    Gallery::open(folder, &model(), GalleryOptions::default()).unwrap()
}

fn code<T>(result: facerec_core::error::Result<T>) -> &'static str {
    result.err().expect("an error").kind().code()
}

fn assert_clean(gallery: &Gallery) {
    let report = gallery.verify().unwrap();
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    assert_eq!(report.faces, gallery.stats().unwrap().faces);
}

#[test]
fn enrol_search_identify_and_reopen() {
    fn shared<T: Send + Sync>() {}
    shared::<Gallery>();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("not/there/yet");
    let gallery = open(&path);
    let options = DecisionOptions::new(0.4);
    assert_eq!(gallery.identify(&embedding(1), &options).unwrap().reason.code(), "empty_gallery");
    assert_eq!(gallery.search(&embedding(1), 5).unwrap(), []);

    let first = gallery.add("ana", NewFace::new(&embedding(1))).unwrap();
    gallery.add("  ana ", NewFace::new(&near(1, 0.8, 50))).unwrap();
    gallery.add("ben", NewFace::new(&embedding(2))).unwrap();
    drop(gallery);
    let reader = || Gallery::open_any(&path, GalleryOptions::default().read_only(true)).unwrap();
    for open in [&|| open(&path), &reader as &dyn Fn() -> Gallery] {
        let gallery = open();
        let found = gallery.search(&embedding(1), 10).unwrap();
        assert_eq!(found.len(), 3);
        assert_eq!((found[0].face, found[0].name.as_str()), (first, "ana"));
        assert!((found[0].similarity - 1.0).abs() < 1e-6 && (found[1].similarity - 0.8).abs() < 1e-5);
        let decision = gallery.identify(&near(1, 0.7, 60), &options).unwrap();
        assert_eq!((decision.name.as_deref(), decision.reason.code()), (Some("ana"), "match"));
        assert_eq!(decision.candidates.len(), 2);
        let stranger = gallery.identify(&embedding(99), &options).unwrap();
        assert_eq!((stranger.person, stranger.reason.code()), (None, "below_threshold"));
        assert_clean(&gallery);
    }
}

#[test]
fn everything_about_a_face_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let gallery = open(folder.path());
    let quality = Quality { score: 0.91, sharpness: 0.5, yaw_deg: -12.5, pitch_deg: 3.1, roll_deg: 0.1, face_px: 143.7, exposure: 0.44 };
    let digest = "ab".repeat(32);
    let source = embedding(7);
    let face = NewFace::new(&source).quality(quality).source("photos/ána.jpg").digest(&digest).metadata(r#"{"camera": 3}"#);
    let id = gallery.add("ana", face).unwrap();
    let records = gallery.faces("ana").unwrap();
    assert_eq!(records.len(), 1);
    let record = &records[0];
    assert_eq!((record.id, record.quality), (id, Some(quality)));
    assert_eq!(record.source.as_deref(), Some("photos/ána.jpg"));
    assert_eq!((record.digest.as_deref(), record.metadata.as_deref()), (Some(digest.as_str()), Some(r#"{"camera": 3}"#)));
    assert!(record.created_ms > 1_700_000_000_000);
    assert!(gallery.embedding(id).unwrap().unwrap().similarity(&source).unwrap() > 0.999_999);
    assert_eq!(gallery.embedding(FaceId(999)).unwrap(), None);
    assert_eq!(code(gallery.faces("nobody")), "person_not_found");
    let person = gallery.person("ana").unwrap();
    assert_eq!((person.faces, gallery.persons().unwrap()), (1, vec![person]));
}

#[test]
fn names_can_change_and_people_can_go() {
    let folder = tempfile::tempdir().unwrap();
    let gallery = open(folder.path());
    for i in 0..6 {
        gallery.add(["ana", "ben", "cai"][i as usize % 3], NewFace::new(&embedding(i))).unwrap();
    }
    gallery.rename("ana", "Ana María").unwrap();
    assert_eq!(gallery.search(&embedding(0), 1).unwrap()[0].name, "Ana María");
    assert_eq!(code(gallery.rename("Ana María", "ben")), "invalid_argument");
    assert_eq!(code(gallery.rename("ana", "dora")), "person_not_found");
    gallery.rename("ben", "ben").unwrap();

    let ben = gallery.person("ben").unwrap().id;
    assert_eq!(gallery.remove_person("ben").unwrap(), 2);
    assert_eq!(code(gallery.remove_person("ben")), "person_not_found");
    assert!(gallery.search(&embedding(1), 10).unwrap().iter().all(|m| m.person != ben));
    let last = gallery.faces("cai").unwrap();
    assert!(gallery.remove_face(last[0].id).unwrap());
    assert!(!gallery.remove_face(last[0].id).unwrap());
    assert!(gallery.remove_face(last[1].id).unwrap());
    assert_eq!(code(gallery.person("cai")), "person_not_found");
    assert_clean(&gallery);

    // Ids are not given out twice, not even after a restart.
    drop(gallery);
    let gallery = open(folder.path());
    assert!(gallery.add("ben", NewFace::new(&embedding(1))).unwrap() > last[1].id);
    assert!(gallery.person("ben").unwrap().id > ben);
    assert_eq!(gallery.stats().unwrap().faces, 3);
    gallery.compact().unwrap();
    assert_clean(&gallery);
}

#[test]
fn many_faces_of_one_person_do_not_hide_the_runner_up() {
    let folder = tempfile::tempdir().unwrap();
    let gallery = open(folder.path());
    let crowd: Vec<Embedding> = (0..300).map(|i| near(1, 0.95, 1000 + i)).collect();
    let faces: Vec<_> = crowd.iter().map(|e| ("ana", NewFace::new(e))).collect();
    gallery.add_many(&faces).unwrap();
    gallery.add("twin", NewFace::new(&near(1, 0.94, 5000))).unwrap();
    let decision = gallery.identify(&embedding(1), &DecisionOptions::new(0.4)).unwrap();
    let names: Vec<_> = decision.candidates.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["ana", "twin"]);
    assert_eq!(decision.reason.code(), "ambiguous");
    assert!((decision.margin - 0.01).abs() < 1e-3, "{}", decision.margin);
    let decision = gallery.identify(&embedding(1), &DecisionOptions::new(0.4).min_margin(0.0)).unwrap();
    assert_eq!(decision.name.as_deref(), Some("ana"));
}

#[test]
fn other_models_and_bad_arguments_are_refused_and_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let gallery = open(folder.path());
    gallery.add("ana", NewFace::new(&embedding(1))).unwrap();
    let before = gallery.stats().unwrap();
    let other = Arc::new(ModelKey { id: "test".into(), hash: "other preprocessing".into() });
    let alien = Embedding::new(Arc::clone(&other), embedding(1).as_slice().to_vec()).unwrap();
    assert_eq!(code(gallery.add("ana", NewFace::new(&alien))), "embedding_model_mismatch");
    assert_eq!(code(gallery.search(&alien, 1)), "embedding_model_mismatch");
    let short = Embedding::new(model(), vec![1.0, 2.0]).unwrap();
    assert_eq!(code(gallery.add("ana", NewFace::new(&short))), "dimension_mismatch");
    assert_eq!(code(gallery.search(&short, 1)), "dimension_mismatch");
    let good = embedding(2);
    assert_eq!(code(gallery.add("a\u{7}", NewFace::new(&good))), "invalid_argument");
    assert_eq!(code(gallery.add("ana", NewFace::new(&good).metadata("[1]"))), "invalid_argument");
    // All or none, also in the middle of a batch.
    assert_eq!(code(gallery.add_many(&[("ben", NewFace::new(&good)), ("", NewFace::new(&good))])), "invalid_argument");
    assert_eq!(gallery.stats().unwrap().generation, before.generation);
    assert_eq!(gallery.persons().unwrap().len(), 1);
    drop(gallery);
    assert_eq!(code(Gallery::open(folder.path(), &other, GalleryOptions::default())), "embedding_model_mismatch");
    assert_eq!(code(Gallery::open_any(folder.path().join("none"), GalleryOptions::default())), "io");
    assert!(!folder.path().join("none").exists());
    let reader = Gallery::open(folder.path(), &model(), GalleryOptions::default().read_only(true)).unwrap();
    assert_eq!(code(reader.add("ben", NewFace::new(&good))), "invalid_argument");
    assert_eq!(code(reader.compact()), "invalid_argument");
}

#[test]
fn an_export_can_be_imported_and_says_everything() {
    let folder = tempfile::tempdir().unwrap();
    let from = open(&folder.path().join("from"));
    for i in 0..5 {
        let quality = Quality { score: 0.1, sharpness: 0.2, yaw_deg: 0.3, pitch_deg: -0.4, roll_deg: 0.5, face_px: 60.6, exposure: 0.7 };
        let vector = embedding(i);
        let face = NewFace::new(&vector).quality(quality).metadata(r#"{"a":[1,2]}"#).source("x.jpg");
        from.add(if i < 3 { "ana" } else { "ben \"b\" é" }, face).unwrap();
    }
    let mut text = Vec::new();
    assert_eq!(from.export(&mut text).unwrap(), 5);
    let to = open(&folder.path().join("to"));
    let report = to.import(&mut text.as_slice()).unwrap();
    assert_eq!((report.persons, report.faces, report.duplicates), (2, 5, 0));
    let mut again = Vec::new();
    to.export(&mut again).unwrap();
    assert_eq!(String::from_utf8(again).unwrap(), String::from_utf8(text.clone()).unwrap());
    let report = to.import(&mut text.as_slice()).unwrap();
    assert_eq!((report.persons, report.faces, report.duplicates), (0, 0, 5), "an import can be repeated");
    assert_clean(&to);

    // Damaged or foreign imports change nothing.
    let into = open(&folder.path().join("into"));
    let lines = String::from_utf8(text).unwrap();
    let cut = lines.rsplitn(3, '\n').last().unwrap();
    for bad in
        [cut, "", "{}", "x", &lines.replace("facerec-gallery", "other"), &lines.replacen("\"ana\"", "\"\"", 1), &format!("{lines}{{")]
    {
        assert_eq!(code(into.import(&mut bad.as_bytes())), "invalid_argument", "{bad:.60}");
    }
    assert_eq!(code(into.import(&mut lines.replace("1111", "2222").as_bytes())), "embedding_model_mismatch");
    assert_eq!((into.persons().unwrap().len(), into.stats().unwrap().generation), (0, 0));
}
