//! People features: two names become one person, one person becomes two, and the same face under two names is found.
#![allow(clippy::unwrap_used, missing_docs)]

mod gallery_checks;
mod gallery_vectors;

use facerec_core::SearchFilter;
use facerec_core::face::Embedding;
use facerec_core::gallery::{DecisionOptions, FaceId, Gallery, GalleryOptions, NewFace};
use gallery_checks::{assert_clean, code, open};
use gallery_vectors::{embedding, near};

/// `(name, faces)` of everybody.
fn people(gallery: &Gallery) -> Vec<(String, usize)> {
    gallery.persons().unwrap().into_iter().map(|person| (person.name, person.faces)).collect()
}

fn who(gallery: &Gallery, probe: &Embedding) -> Option<String> {
    gallery.identify(probe, &DecisionOptions::new(0.4)).unwrap().name
}

#[test]
fn two_become_one_and_one_becomes_two_at_once_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let gallery = open(folder.path());
    let ids: Vec<FaceId> = ["ana", "ana", "Anna", "ben"]
        .iter()
        .enumerate()
        .map(|(i, name)| gallery.add(name, NewFace::new(&embedding(i as u64)).source("a photo").metadata(r#"{"n":1}"#)).unwrap())
        .collect();
    let before = gallery.faces("Anna").unwrap();
    let reader = Gallery::open_any(folder.path(), GalleryOptions::default().read_only(true)).unwrap();
    assert_eq!(who(&reader, &embedding(2)).as_deref(), Some("Anna"));

    assert_eq!(gallery.merge(" Anna ", "ana").unwrap(), 1);
    for gallery in [&gallery, &reader] {
        assert_eq!(who(gallery, &embedding(2)).as_deref(), Some("ana"));
        assert_eq!(people(gallery), [("ana".to_string(), 3), ("ben".to_string(), 1)]);
        assert_eq!(code(gallery.person("Anna")), "person_not_found");
        assert_clean(gallery);
    }
    let after = gallery.faces("ana").unwrap().pop().unwrap();
    assert_eq!(after.person, gallery.person("ana").unwrap().id);
    let unchanged = |face: &facerec_core::gallery::FaceRecord| (face.id, face.source.clone(), face.metadata.clone(), face.created_ms);
    assert_eq!(unchanged(&after), unchanged(&before[0]));

    // To a new person, and to one who is there; the last face takes the person along.
    assert_eq!(gallery.split("ana", &[ids[1], ids[2], ids[1]], "Anna").unwrap(), 2);
    assert_eq!(gallery.split("ana", &[ids[0]], "ben").unwrap(), 1);
    for gallery in [&gallery, &reader] {
        let names: Vec<_> = (0..4).map(|i| who(gallery, &embedding(i)).unwrap()).collect();
        assert_eq!(names, ["ben", "Anna", "Anna", "ben"]);
        assert_eq!(people(gallery), [("Anna".to_string(), 2), ("ben".to_string(), 2)]);
        assert_clean(gallery);
    }
    drop((gallery, reader));
    let gallery = open(folder.path());
    assert_eq!(who(&gallery, &embedding(0)).as_deref(), Some("ben"));
    assert_clean(&gallery);
}

#[test]
fn what_cannot_be_merged_or_split_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let gallery = open(folder.path());
    let ana = gallery.add("ana", NewFace::new(&embedding(1))).unwrap();
    let ben = gallery.add("ben", NewFace::new(&embedding(2))).unwrap();
    let before = gallery.stats().unwrap().generation;
    for (from, into, expected) in
        [("ana", "ana", "invalid_argument"), ("cai", "ana", "person_not_found"), ("ana", "cai", "person_not_found")]
    {
        assert_eq!(code(gallery.merge(from, into)), expected, "{from} {into}");
    }
    assert_eq!(code(gallery.split("cai", &[ana], "dora")), "person_not_found");
    for (faces, into) in [(&[] as &[FaceId], "dora"), (&[ana, ben], "dora"), (&[FaceId(99)], "dora"), (&[ana], "ana"), (&[ana], "")] {
        assert_eq!(code(gallery.split("ana", faces, into)), "invalid_argument", "{faces:?} {into}");
    }
    assert_eq!(gallery.stats().unwrap().generation, before);
    let reader = Gallery::open_any(folder.path(), GalleryOptions::default().read_only(true)).unwrap();
    assert_eq!(code(reader.merge("ana", "ben")), "invalid_argument");
    assert_eq!(code(reader.split("ana", &[ana], "ben")), "invalid_argument");
    assert_eq!(people(&gallery), [("ana".to_string(), 1), ("ben".to_string(), 1)]);
}

#[test]
fn a_merged_name_is_in_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let gallery = open(folder.path());
    gallery.add("Maximiliane Unverwechselbar", NewFace::new(&embedding(1))).unwrap();
    gallery.add("ana", NewFace::new(&embedding(2))).unwrap();
    let holds = || {
        let files = std::fs::read_dir(folder.path()).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
        files.into_iter().any(|bytes| bytes.windows(13).any(|part| part == b"Unverwechselb"))
    };
    assert!(holds());
    gallery.merge("Maximiliane Unverwechselbar", "ana").unwrap();
    assert!(!holds());
}

#[test]
fn the_same_face_under_two_names_is_found_once_with_its_evidence() {
    let folder = tempfile::tempdir().unwrap();
    let gallery = open(folder.path());
    for i in 0..40 {
        for shot in 0..3 {
            gallery.add(&format!("person {i}"), NewFace::new(&near(i, 0.9, 1000 + 10 * i + shot))).unwrap();
        }
    }
    assert_eq!(gallery.duplicates(0.5, 10).unwrap(), []);
    // Person 7 once more, twice; person 9 once more, less alike.
    let first = gallery.add("seven", NewFace::new(&near(7, 0.95, 5000))).unwrap();
    gallery.add("seven", NewFace::new(&near(7, 0.85, 5001))).unwrap();
    gallery.add("nine", NewFace::new(&near(9, 0.7, 5002))).unwrap();
    let found = gallery.duplicates(0.5, 10).unwrap();
    let pairs: Vec<_> = found.iter().map(|pair| (pair.first_name.as_str(), pair.second_name.as_str(), pair.supporting_faces)).collect();
    assert_eq!(pairs, [("person 7", "seven", 5), ("person 9", "nine", 4)]);
    assert_eq!(found[0].second_face, first);
    let (a, b) = (gallery.embedding(found[0].first_face).unwrap().unwrap(), gallery.embedding(found[0].second_face).unwrap().unwrap());
    assert!((a.similarity(&b).unwrap() - found[0].similarity).abs() < 1e-5 && found[0].similarity > found[1].similarity);
    assert_eq!(gallery.duplicates(0.5, 1).unwrap()[..], found[..1]);
    assert_eq!(code(gallery.duplicates(1.5, 10)), "invalid_argument");

    gallery.merge(&found[0].second_name, &found[0].first_name).unwrap();
    assert_eq!(gallery.duplicates(0.5, 10).unwrap().len(), 1);
}

#[test]
fn searches_among_some_people_and_some_metadata() {
    let folder = tempfile::tempdir().unwrap();
    let gallery = open(folder.path());
    gallery.add("ana", NewFace::new(&near(1, 0.9, 1)).metadata(r#"{"site":"north","n":{"a":1}}"#)).unwrap();
    gallery.add("ben", NewFace::new(&near(1, 0.8, 2)).metadata(r#"{"site":"south"}"#)).unwrap();
    let among = |filter: SearchFilter| gallery.identify_among(&[embedding(1)], &DecisionOptions::new(0.4), &filter).unwrap().remove(0);
    assert_eq!(among(SearchFilter::new()).name.as_deref(), Some("ana"));
    assert_eq!(among(SearchFilter::new().persons(["ben", "cai"])).name.as_deref(), Some("ben"));
    let south = among(SearchFilter::new().metadata_json(r#"{"site":"south"}"#).unwrap());
    assert_eq!((south.name.as_deref(), south.candidates.len()), (Some("ben"), 1));
    assert_eq!(among(SearchFilter::new().metadata_json(r#"{"n":{"a":1}}"#).unwrap()).name.as_deref(), Some("ana"));
    assert_eq!(among(SearchFilter::new().persons(["ana"]).metadata("site", "south")).reason.code(), "empty_gallery");
    for bad in ["", "[1]", "{"] {
        assert_eq!(code(SearchFilter::new().metadata_json(bad)), "invalid_argument", "{bad}");
    }
}
