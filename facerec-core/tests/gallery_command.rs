//! `--actor`: who the audit log says made a change with the command.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, missing_docs)]

mod facerec_command;
mod gallery_checks;
mod gallery_vectors;

use facerec_command::{Run, facerec, shared, with_models};
use facerec_core::gallery::NewFace;
use gallery_checks::open;
use gallery_vectors::embedding;

/// Who did what, in order.
fn log(gallery: &str) -> Vec<(String, String)> {
    let run = facerec(["gallery", "audit", "--gallery", gallery]);
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_string();
    run.lines.iter().map(|line| (text(&line["action"]), text(&line["actor"]))).collect()
}

#[test]
fn the_log_of_a_gallery_names_the_actor_that_was_given() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (gallery, export, copy) = (at("gallery"), at("export.jsonl"), at("copy"));
    {
        let gallery = open(folder.path().join("gallery").as_ref());
        for number in 0..3 {
            gallery.add(&format!("person {number}"), NewFace::new(&embedding(number))).unwrap();
        }
    }
    let act = |args: &[&str]| -> Run { facerec(["gallery", "--gallery", &gallery].iter().chain(args)) };
    let before = log(&gallery).len();
    let desk = "Ana at the desk";
    assert_eq!(act(&["rename", "person 0", "Ben", "--actor", desk]).code, 0);
    assert_eq!(facerec(["--actor", desk, "gallery", "merge", "person 1", "Ben", "--gallery", &gallery]).code, 0);
    assert_eq!(act(&["split", "Ben", "Cai", "--face", "2", "--actor", desk]).code, 0);
    assert_eq!(act(&["remove", "person 2"]).code, 0);
    let entries = log(&gallery).split_off(before);
    let actions: Vec<_> = entries.iter().map(|entry| entry.0.as_str()).collect();
    assert_eq!(actions, ["rename", "merge", "split", "remove"]);
    assert!(entries[..3].iter().all(|entry| entry.1 == desk) && entries[3].1 != desk, "{entries:?}");

    // One that is made by an import, too.
    assert_eq!(act(&["export", "--out", &export]).code, 0);
    assert_eq!(facerec(["gallery", "import", &export, "--gallery", &copy, "--actor", desk]).code, 0);
    assert_eq!(log(&copy), [("create".to_string(), desk.to_string()), ("import".to_string(), desk.to_string())]);

    let long = "x".repeat(201);
    for bad in ["", " ", "a\nb", &long] {
        assert_eq!(act(&["remove", "Ben", "--actor", bad]).failed(), (2, "invalid_argument"), "{bad:?}");
    }
    assert_eq!(act(&["list"]).lines.len(), 2, "nothing was removed");
}

#[test]
fn enrolment_is_logged_with_its_actor() {
    let Some(shared) = shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let gallery = folder.path().to_string_lossy().into_owned();
    let photo = shared.join("data/photos/face_recognition/tests/test_images/obama.jpg").to_string_lossy().into_owned();
    let run = with_models(&shared, ["enroll", "--gallery", &gallery, "--person", "Obama", &photo, "--actor", "the registrar"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let entries = log(&gallery);
    assert!(entries.iter().any(|entry| entry.0 == "add") && entries.iter().all(|entry| entry.1 == "the registrar"), "{entries:?}");
}
