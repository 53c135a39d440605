//! What a gallery promises wherever it is kept: the same scenarios in a folder and on a server.
#![allow(clippy::unwrap_used)]

mod gallery_checks;
mod gallery_vectors;
#[cfg(all(unix, feature = "postgres"))]
mod postgres_server;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use facerec_core::face::{Embedding, ModelKey, Quality};
use facerec_core::gallery::{DecisionOptions, FaceId, Gallery, GalleryOptions, NewFace, PersonId, SearchFilter};
use gallery_checks::{assert_clean, code, open, reader};
use gallery_vectors::{embedding, model, near};
#[cfg(all(unix, feature = "postgres"))]
use postgres_server::{PgServer, bouncer::Bouncer};

/// Where the galleries of a scenario are, by name.
type Place<'a> = &'a dyn Fn(&str) -> PathBuf;

fn everywhere(scenario: fn(Place<'_>)) {
    let folder = tempfile::tempdir().unwrap();
    scenario(&|name| folder.path().join(name));
    #[cfg(all(unix, feature = "postgres"))]
    if let Some(server) = PgServer::start() {
        scenario(&|name| server.address(name));
        if let Some(bouncer) = Bouncer::start(&server) {
            scenario(&|name| server.address_at(bouncer.port, &format!("{name}-bounced")));
        }
        // The same again where every search may use the graph.
        scenario(&|name| PathBuf::from(format!("{}-graph&index=hnsw", server.address(name).display())));
    }
}

#[test]
fn enrol_search_identify_and_reopen() {
    everywhere(|place| {
        let path = place("first");
        let gallery = open(&path);
        let options = DecisionOptions::new(0.4);
        assert_eq!(gallery.identify(&embedding(1), &options).unwrap().reason.code(), "empty_gallery");
        assert_eq!(gallery.search(&embedding(1), 5).unwrap(), []);
        assert_eq!(gallery.stats().unwrap().dim, None);
        let first = gallery.add("ana", NewFace::new(&embedding(1))).unwrap();
        gallery.add("  ana ", NewFace::new(&near(1, 0.8, 50))).unwrap();
        gallery.add("ben", NewFace::new(&embedding(2))).unwrap();
        drop(gallery);
        for gallery in [reader(&path), open(&path)] {
            let found = gallery.search(&embedding(1), 10).unwrap();
            assert_eq!(found.len(), 3);
            assert_eq!((found[0].face, found[0].name.as_str()), (first, "ana"));
            assert!((found[0].similarity - 1.0).abs() < 1e-6 && (found[1].similarity - 0.8).abs() < 1e-5);
            let decisions = gallery.identify_many(&[near(1, 0.7, 60), embedding(99)], &options).unwrap();
            assert_eq!((decisions[0].name.as_deref(), decisions[0].candidates.len()), (Some("ana"), 2));
            assert_eq!((decisions[1].person, decisions[1].reason.code()), (None, "below_threshold"));
            assert_clean(&gallery);
            let stats = gallery.stats().unwrap();
            assert_eq!((stats.persons, stats.faces, stats.dim, stats.generation), (2, 3, Some(128), 3));
            assert!(stats.bytes_on_disk > 3 * 512);
        }
    });
}

#[test]
fn everything_about_a_face_comes_back() {
    everywhere(|place| {
        let gallery = open(&place("details"));
        let quality = Quality {
            score: 0.91,
            sharpness: 0.5,
            yaw_deg: -12.5,
            pitch_deg: 3.1,
            roll_deg: 0.1,
            face_px: 143.7,
            exposure: 0.44,
            recognisability: None,
        };
        let digest = "ab".repeat(32);
        let source = embedding(7);
        let metadata = r#"{"z": 1.50,  "a": "\u0000\\u0000 é", "a": [1]}"#;
        let face = NewFace::new(&source).quality(quality).source("photos/ána.jpg").digest(&digest).metadata(metadata);
        let id = gallery.add("ána \"x\" '; --", face).unwrap();
        let records = gallery.faces("ána \"x\" '; --").unwrap();
        assert_eq!(records.len(), 1);
        assert_eq!((records[0].id, records[0].quality), (id, Some(quality)));
        assert_eq!(records[0].source.as_deref(), Some("photos/ána.jpg"));
        assert_eq!((records[0].digest.as_deref(), records[0].metadata.as_deref()), (Some(digest.as_str()), Some(metadata)));
        assert!(records[0].created_ms > 1_700_000_000_000);
        assert_eq!(gallery.embedding(id).unwrap().unwrap(), source);
        assert_eq!(gallery.embedding(FaceId(999)).unwrap(), None);
        assert_eq!(code(gallery.faces("nobody")), "person_not_found");
        assert_eq!(gallery.persons().unwrap(), [gallery.person("ána \"x\" '; --").unwrap()]);
    });
}

#[test]
fn names_can_change_and_people_can_go() {
    everywhere(|place| {
        let path = place("people");
        let gallery = open(&path);
        for i in 0..6 {
            gallery.add(["ana", "ben", "cai"][i as usize % 3], NewFace::new(&embedding(i))).unwrap();
        }
        gallery.rename("ana", "Ana María").unwrap();
        assert_eq!(gallery.search(&embedding(0), 1).unwrap()[0].name, "Ana María");
        assert_eq!(code(gallery.rename("Ana María", "ben")), "invalid_argument");
        assert_eq!(code(gallery.rename("ana", "dora")), "person_not_found");
        gallery.rename("ben", "ben").unwrap();
        assert_eq!(gallery.stats().unwrap().generation, 7, "what changes nothing is no change");

        let (ana, ben) = (gallery.person("Ana María").unwrap(), gallery.person("ben").unwrap().id);
        assert_eq!(gallery.person_by_id(ana.id).unwrap(), Some(ana), "the id stays");
        assert_eq!(gallery.person_by_id(ben).unwrap().map(|person| (person.name, person.faces)), Some(("ben".into(), 2)));
        assert_eq!(gallery.person_by_id(PersonId(-1)).unwrap(), None);
        assert_eq!(gallery.remove_person("ben").unwrap(), 2);
        assert_eq!(gallery.person_by_id(ben).unwrap(), None);
        assert_eq!(code(gallery.remove_person("ben")), "person_not_found");
        assert!(gallery.search(&embedding(1), 10).unwrap().iter().all(|m| m.person != ben));
        let last = gallery.faces("cai").unwrap();
        assert!(gallery.remove_face(last[0].id).unwrap());
        assert!(!gallery.remove_face(last[0].id).unwrap());
        assert!(gallery.remove_face(last[1].id).unwrap());
        assert_eq!(code(gallery.person("cai")), "person_not_found");
        assert_clean(&gallery);
        let names: Vec<_> = gallery.persons().unwrap().into_iter().map(|person| (person.name, person.faces)).collect();
        assert_eq!(names, [("Ana María".into(), 2)]);

        // Ids are not given out twice, not even after it was closed.
        drop(gallery);
        let gallery = open(&path);
        assert!(gallery.add("ben", NewFace::new(&embedding(1))).unwrap() > last[1].id);
        assert!(gallery.person("ben").unwrap().id > ben);
        gallery.compact().unwrap();
        assert_eq!(gallery.stats().unwrap().faces, 3);
        assert_clean(&gallery);
    });
}

#[test]
fn equal_faces_come_in_the_order_of_enrolment() {
    everywhere(|place| {
        let gallery = open(&place("ties"));
        let same = embedding(4);
        let faces: Vec<_> = (0..40).map(|i| (["ana", "ben", "cai", "dee"][i % 4], NewFace::new(&same))).collect();
        let ids = gallery.add_many(&faces).unwrap();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        let found: Vec<_> = gallery.search(&same, 40).unwrap().into_iter().map(|m| m.face).collect();
        assert_eq!(found, ids);
        let decision = gallery.identify(&same, &DecisionOptions::new(0.4).candidates(4)).unwrap();
        let names: Vec<_> = decision.candidates.iter().map(|c| c.name.as_str()).collect();
        assert_eq!((names, decision.reason.code()), (vec!["ana", "ben", "cai", "dee"], "ambiguous"));
    });
}

#[test]
fn many_faces_of_one_person_do_not_hide_the_runner_up() {
    everywhere(|place| {
        let gallery = open(&place("crowd"));
        let crowd: Vec<Embedding> = (0..300).map(|i| near(1, 0.95, 1000 + i)).collect();
        let faces: Vec<_> = crowd.iter().map(|e| ("ana", NewFace::new(e))).collect();
        gallery.add_many(&faces).unwrap();
        gallery.add("twin", NewFace::new(&near(1, 0.94, 5000))).unwrap();
        let decision = gallery.identify(&embedding(1), &DecisionOptions::new(0.4)).unwrap();
        let names: Vec<_> = decision.candidates.iter().map(|c| c.name.as_str()).collect();
        assert_eq!((names, decision.reason.code()), (vec!["ana", "twin"], "ambiguous"));
        assert!((decision.margin - 0.01).abs() < 1e-3, "{}", decision.margin);
        let decision = gallery.identify(&embedding(1), &DecisionOptions::new(0.4).min_margin(0.0)).unwrap();
        assert_eq!((decision.name.as_deref(), decision.reason.code()), (Some("ana"), "match"));
    });
}

#[test]
fn a_filter_narrows_the_search_to_people_and_to_equal_metadata() {
    everywhere(|place| {
        let gallery = open(&place("filters"));
        let metadata = [
            r#"{"site":1}"#,
            r#"{"site":1.0}"#,
            r#"{"site":{"a":1}}"#,
            r#"{"site":{"a":1,"b":2}}"#,
            r#"{"site":null}"#,
            "{}",
            r#"{"site":"\u0000"}"#,
        ];
        for (i, text) in (0..).zip(metadata) {
            gallery.add(["ana", "ben"][i as usize % 2], NewFace::new(&near(1, 0.9 - 0.1 * i as f32, 70 + i)).metadata(text)).unwrap();
        }
        gallery.add("cai", NewFace::new(&embedding(1))).unwrap();
        let found = |filter: &SearchFilter, k| {
            let found = gallery.search_among(&[embedding(1)], k, filter).unwrap().remove(0);
            found.into_iter().map(|m| m.name).collect::<Vec<_>>()
        };
        let with = |value: serde_json::Value| SearchFilter::new().metadata("site", value);
        assert_eq!(found(&SearchFilter::new(), 1), ["cai"]);
        assert_eq!(found(&SearchFilter::new().persons(["ben", "nobody"]), 9), ["ben"; 3]);
        assert_eq!(found(&SearchFilter::new().persons(["nobody"]), 9), [""; 0]);
        // Equal as `filter.rs` has it: a number is not its float, an object is not one with more in it, null is not absence.
        assert_eq!(found(&with(1.into()), 9), ["ana"]);
        assert_eq!(found(&with(serde_json::json!(1.0)), 1), ["ben"]);
        assert_eq!(found(&with(serde_json::json!({"a": 1})), 9), ["ana"]);
        assert_eq!(found(&with(serde_json::json!({"b": 2, "a": 1})), 9), ["ben"]);
        assert_eq!(found(&with(serde_json::Value::Null), 9), ["ana"]);
        assert_eq!(found(&with("\0".into()), 9), ["ana"]);
        assert_eq!(found(&with("\u{fffd}".into()), 9), [""; 0]);
        assert_eq!(found(&with(1.into()).persons(["ben"]), 9), [""; 0]);
        let among = SearchFilter::new().persons(["ben"]);
        let decision = gallery.identify_among(&[embedding(1)], &DecisionOptions::new(0.4), &among).unwrap().remove(0);
        assert_eq!((decision.name.as_deref(), decision.candidates.len()), (Some("ben"), 1));
    });
}

#[test]
fn other_models_and_bad_arguments_are_refused_and_change_nothing() {
    everywhere(|place| {
        let path = place("refusals");
        let gallery = open(&path);
        gallery.add("ana", NewFace::new(&embedding(1))).unwrap();
        let before = gallery.stats().unwrap();
        let other = Arc::new(ModelKey::new("test", "other preprocessing"));
        let alien = Embedding::new(Arc::clone(&other), embedding(1).as_slice().to_vec()).unwrap();
        assert_eq!(code(gallery.add("ana", NewFace::new(&alien))), "embedding_model_mismatch");
        assert_eq!(code(gallery.search(&alien, 1)), "embedding_model_mismatch");
        let short = Embedding::new(model(), vec![1.0, 2.0]).unwrap();
        assert_eq!(code(gallery.add("ana", NewFace::new(&short))), "dimension_mismatch");
        assert_eq!(code(gallery.add_many(&[("x", NewFace::new(&embedding(3))), ("y", NewFace::new(&short))])), "dimension_mismatch");
        assert_eq!(code(gallery.search(&short, 1)), "dimension_mismatch");
        let good = embedding(2);
        assert_eq!(code(gallery.add("a\u{7}", NewFace::new(&good))), "invalid_argument");
        assert_eq!(code(gallery.add("ana", NewFace::new(&good).metadata("[1]"))), "invalid_argument");
        assert_eq!(code(gallery.add_many(&[("ben", NewFace::new(&good)), ("", NewFace::new(&good))])), "invalid_argument");
        assert_eq!(gallery.add_many(&[]).unwrap(), []);
        assert_eq!(gallery.stats().unwrap().generation, before.generation);
        assert_eq!(gallery.persons().unwrap().len(), 1);
        drop(gallery);
        assert_eq!(code(Gallery::open(&path, &other, GalleryOptions::default())), "embedding_model_mismatch");
        let none = place("none");
        assert_eq!(code(Gallery::open_any(&none, GalleryOptions::default())), "io");
        assert_eq!(code(Gallery::open(&none, &model(), GalleryOptions::default().create(false))), "io");
        assert_eq!(code(Gallery::open(&none, &model(), GalleryOptions::default().read_only(true))), "io");
        let reader = reader(&path);
        assert_eq!(code(reader.add("ben", NewFace::new(&good))), "invalid_argument");
        assert_eq!(code(reader.import(&mut "".as_bytes())), "invalid_argument");
        assert_eq!(code(reader.compact()), "invalid_argument");
    });
}

#[test]
fn two_people_become_one_and_one_becomes_two() {
    everywhere(|place| {
        let gallery = open(&place("merge"));
        let ids: Vec<_> = (0..4).map(|i| gallery.add(["ana", "Anna"][i as usize % 2], NewFace::new(&embedding(i))).unwrap()).collect();
        let ben = gallery.add("ben", NewFace::new(&embedding(9))).unwrap();
        assert_eq!(code(gallery.merge("nobody", "ana")), "person_not_found");
        assert_eq!(gallery.merge("Anna", "ana").unwrap(), 2);
        assert_eq!(code(gallery.person("Anna")), "person_not_found");
        assert_eq!(gallery.search(&embedding(1), 1).unwrap()[0].name, "ana");
        assert_eq!(gallery.faces("ana").unwrap().iter().map(|face| face.id).collect::<Vec<_>>(), ids);
        assert_eq!(code(gallery.split("ana", &[ben], "Anna")), "invalid_argument");
        assert_eq!(gallery.split("ana", &[ids[1], ids[3], ids[1]], "Anna").unwrap(), 2);
        assert_eq!(gallery.search(&embedding(3), 1).unwrap()[0].name, "Anna");
        assert_eq!(gallery.split("ben", &[ben], "Anna").unwrap(), 1);
        assert_eq!(code(gallery.person("ben")), "person_not_found");
        assert_clean(&gallery);
    });
}

#[test]
fn faces_expire_and_the_log_says_who_did_what() {
    everywhere(|place| {
        let path = place("expiry");
        let options = GalleryOptions::default().actor("the test");
        let gallery = Gallery::open(&path, &model(), options).unwrap();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
        let kept = gallery.add("ana", NewFace::new(&embedding(1)).expires_at_ms(now + 3_600_000)).unwrap();
        let gone = gallery.add("ana", NewFace::new(&embedding(2)).expires_at_ms(now - 1)).unwrap();
        gallery.add("ben", NewFace::new(&embedding(3)).expires_at_ms(now - 1)).unwrap();
        let found: Vec<_> = gallery.search(&embedding(2), 9).unwrap().into_iter().map(|m| m.face).collect();
        assert_eq!(found, [kept]);
        // Not listed either, deleted or not.
        assert_eq!(
            gallery.persons().unwrap().into_iter().map(|person| (person.name, person.faces)).collect::<Vec<_>>(),
            [("ana".into(), 1)]
        );
        assert_eq!(gallery.person("ben").unwrap_err().kind().code(), "person_not_found");
        assert_eq!((gallery.faces("ana").unwrap().len(), gallery.embedding(gone).unwrap().is_none()), (1, true));
        assert_eq!((gallery.stats().unwrap().persons, gallery.stats().unwrap().faces), (1, 1));
        gallery.purge_expired().unwrap();
        assert_eq!((gallery.stats().unwrap().faces, gallery.persons().unwrap().len()), (1, 1));
        assert_eq!(gallery.faces("ana").unwrap()[0].expires_ms, Some(now + 3_600_000));
        assert_clean(&gallery);

        let log = gallery.audit(0, 100).unwrap();
        let mut actions: Vec<_> = log.iter().map(|entry| entry.action.as_str()).collect();
        actions.dedup();
        assert_eq!((actions[0], actions[1]), ("create", "add"));
        assert!(log.iter().all(|entry| entry.actor == "the test") && log.windows(2).all(|pair| pair[0].id < pair[1].id));
        let expired: Vec<_> = log.iter().filter(|entry| entry.action == "expire").flat_map(|entry| entry.faces.clone()).collect();
        assert!(expired.contains(&gone) && !expired.contains(&kept), "{log:?}");
        assert_eq!(gallery.audit(log[0].id, 1).unwrap(), log[1..2]);

        let mut text = Vec::new();
        assert_eq!(gallery.export_person("ana", &mut text).unwrap(), 1);
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("\"expires_ms\"") && text.contains("\"audit\"") && !text.contains("ben"), "{text}");
        let report = open(&place("copy")).import(&mut text.as_bytes()).unwrap();
        assert_eq!((report.persons, report.faces), (1, 1));
    });
}

fn filled(path: &Path) -> Gallery {
    let gallery = open(path);
    for i in 0..5 {
        let quality = Quality {
            score: 0.1,
            sharpness: 0.2,
            yaw_deg: 0.3,
            pitch_deg: -0.4,
            roll_deg: 0.5,
            face_px: 60.6,
            exposure: 0.7,
            recognisability: None,
        };
        let vector = embedding(i);
        let face = NewFace::new(&vector).quality(quality).metadata(r#"{"a":[1,2]}"#).source("x.jpg");
        gallery.add(if i < 3 { "ana" } else { "ben \"b\" é" }, face).unwrap();
    }
    gallery
}

fn exported(gallery: &Gallery) -> String {
    let mut text = Vec::new();
    assert_eq!(gallery.export(&mut text).unwrap(), gallery.stats().unwrap().faces);
    String::from_utf8(text).unwrap()
}

#[test]
fn an_export_can_be_imported_and_says_everything() {
    everywhere(|place| {
        let text = exported(&filled(&place("from")));
        let to = open(&place("to"));
        let report = to.import(&mut text.as_bytes()).unwrap();
        assert_eq!((report.persons, report.faces, report.duplicates), (2, 5, 0));
        assert_eq!(exported(&to), text);
        let report = to.import(&mut text.as_bytes()).unwrap();
        assert_eq!((report.persons, report.faces, report.duplicates), (0, 0, 5), "an import can be repeated");
        assert_eq!(to.stats().unwrap().generation, 1);
        assert_clean(&to);

        // A face that is in the file twice is enrolled once.
        let twice = format!("{text}{}\n", text.lines().last().unwrap()).replacen("\"faces\":5", "\"faces\":6", 1);
        let report = open(&place("twice")).import(&mut twice.as_bytes()).unwrap();
        assert_eq!((report.persons, report.faces, report.duplicates), (2, 5, 1));

        // Damaged or foreign imports change nothing.
        let into = open(&place("into"));
        let cut = text.rsplitn(3, '\n').last().unwrap();
        let bad_name = text.replacen("\"ana\"", "\"\"", 1);
        for bad in [cut, "", "{}", "x", &text.replace("facerec-gallery", "other"), &bad_name, &format!("{text}{{")] {
            assert_eq!(code(into.import(&mut bad.as_bytes())), "invalid_argument", "{bad:.60}");
        }
        assert_eq!(code(into.import(&mut text.replace("1111", "2222").as_bytes())), "embedding_model_mismatch");
        assert_eq!((into.persons().unwrap().len(), into.stats().unwrap().generation), (0, 0));
    });
}

#[test]
fn a_folder_is_made_with_those_above_it_but_not_for_somebody_who_only_looks() {
    fn shared<T: Send + Sync>() {}
    shared::<Gallery>();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("not/there/yet");
    for options in [GalleryOptions::default(), GalleryOptions::default().read_only(true)] {
        assert_eq!(code(Gallery::open_any(&path, options)), "io");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
    open(&path).add("ana", NewFace::new(&embedding(1))).unwrap();
    assert_eq!(reader(&path).persons().unwrap().len(), 1);
}

#[test]
#[cfg(all(unix, feature = "postgres"))]
fn a_gallery_moves_from_a_folder_to_a_server_and_back() {
    let Some(server) = PgServer::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let here = filled(&folder.path().join("here"));
    let crowd: Vec<Embedding> = (100..2600).map(embedding).collect();
    let names: Vec<String> = (0..2500).map(|i| format!("person {}", i % 700)).collect();
    let faces: Vec<_> = names.iter().zip(&crowd).map(|(name, vector)| (name.as_str(), NewFace::new(vector))).collect();
    here.add_many(&faces).unwrap();
    let there = open(&server.address("there"));
    let report = there.import(&mut exported(&here).as_bytes()).unwrap();
    assert_eq!((report.persons, report.faces), (702, 2505));
    assert_clean(&there);
    let back = open(&folder.path().join("back"));
    back.import(&mut exported(&there).as_bytes()).unwrap();
    assert_eq!(exported(&back), exported(&here));
    for i in [0, 3, 150, 2599] {
        let options = DecisionOptions::new(0.3);
        let (ours, theirs) = (here.identify(&near(i, 0.6, 9), &options).unwrap(), there.identify(&near(i, 0.6, 9), &options).unwrap());
        assert_eq!((&ours.name, ours.reason), (&theirs.name, theirs.reason));
        let names = |d: &facerec_core::gallery::Decision| d.candidates.iter().map(|c| c.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&ours), names(&theirs));
        assert!((ours.similarity - theirs.similarity).abs() < 1e-6);
    }
}
