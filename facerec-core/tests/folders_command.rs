//! `--from FOLDER` among the files that people have: JSON keys, exit codes, what is passed over, with real models.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)] // what is skipped is said aloud

mod facerec_command;

use std::fs;
use std::path::Path;
use std::process::Command;

use facerec_command::{engine_options, facerec, shared, with_models};

/// A folder of two people, with what a Mac, a Synology drive and a browser leave there.
fn people(shared: &Path) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let photos = shared.join("data/photos/face_recognition/tests/test_images");
    let copy = |name: &str, to: &str| {
        let to = root.path().join(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(photos.join(name), to).unwrap();
    };
    copy("obama.jpg", "Obama/1.jpg");
    copy("obama2.jpg", "Obama/2.JFIF");
    copy("obama3.jpg", "Obama/3");
    copy("biden.jpg", "Biden/1.jpe");
    // Another person's face in every place that is to be passed over.
    for place in ["Obama/@eaDir/1.jpg/SYNOPHOTO_THUMB_XL.jpg", "Obama/._1.jpg", "@eaDir/x.jpg", "Obama/Thumbs.db", "Biden/.hidden.jpg"] {
        copy("biden.jpg", place);
    }
    copy("biden.jpg", "Obama/nested/x.jpg");
    copy("biden.jpg", "top.jpg");
    fs::write(root.path().join("Obama/notes.txt"), "no photo").unwrap();
    root
}

#[test]
fn people_are_enrolled_among_the_files_of_systems() {
    let Some(shared) = shared() else { return };
    let root = people(&shared);
    let (from, gallery) = (root.path().to_str().unwrap(), tempfile::tempdir().unwrap());
    let gallery = gallery.path().to_str().unwrap();
    let run = with_models(&shared, ["enroll", "--gallery", gallery, "--from", from]);
    assert_eq!(run.code, 0, "{:?}{}", run.lines, run.stderr);
    assert_eq!(run.lines.len(), 5);
    let summary = run.summary();
    assert_eq!((summary["persons"].as_i64(), summary["faces"].as_i64(), summary["rejected"].as_i64()), (Some(2), Some(4), Some(0)));
    let expected = serde_json::json!({
        "system_file": 4, "hidden": 1, "not_a_picture": 1, "no_person": 1, "nested_folder": 1, "camera_raw": 0, "empty_folder": 0, "link": 0,
        "special_file": 0,
    });
    assert_eq!(summary["passed_over"], expected);
    let listed = facerec(["gallery", "list", "--gallery", gallery]).lines;
    assert_eq!(listed.iter().map(|line| line["person"].as_str().unwrap()).collect::<Vec<_>>(), ["Biden", "Obama"]);

    // People are told too.
    let mut text = Command::new(env!("CARGO_BIN_EXE_facerec"));
    let text = text.args(engine_options(&shared)).args(["enroll", "--gallery", gallery, "--from", from]).output().unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.ends_with("1, folders below a person's 1)\n") && text.contains("passed over: 8 (system files 4, hidden 1"), "{text}");

    for args in [&["evaluate", "identification", "--from", from][..], &["evaluate", "clusters", "--from", from]] {
        let run = with_models(&shared, args.iter().copied());
        assert_eq!((run.code, &run.lines[0]["passed_over"]), (0, &expected), "{}", run.stderr);
    }
    let run = with_models(&shared, ["gallery", "cluster", "--from", from, "--min-size", "1"]);
    assert_eq!((run.code, run.summary()["files"].as_i64()), (0, Some(6)), "{:?}", run.lines);
    assert_eq!(run.summary()["passed_over"]["system_file"], 4);
    let run = with_models(&shared, ["calibrate", "--from", from, "--fmr", "0.4"]);
    assert_eq!((run.code, &run.lines[0]["passed_over"]), (0, &expected), "{:?}", run.lines);
}

#[test]
fn nobody_is_missed_silently() {
    let Some(shared) = shared() else { return };
    let root = people(&shared);
    let gallery = root.path().join("gallery");
    let gallery = gallery.to_str().unwrap();
    let from = root.path().join("Obama");
    let from = from.to_str().unwrap();
    let level = with_models(&shared, ["enroll", "--gallery", gallery, "--from", from]);
    // `nested` is a person there; that Obama's own photos have no name is told.
    assert_eq!((level.code, level.summary()["persons"].as_i64()), (0, Some(1)));
    assert_eq!(level.summary()["passed_over"]["no_person"], 3);
    fs::write(root.path().join("Obama/broken.jpg"), "no photo").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("nowhere", root.path().join("Obama/gone.jpg")).unwrap();
    let broken = with_models(&shared, ["enroll", "--gallery", gallery, "--from", root.path().to_str().unwrap()]);
    let failed: Vec<&str> = broken.lines.iter().filter_map(|line| line["error"]["code"].as_str()).collect();
    assert_eq!((broken.code, failed), (1, if cfg!(unix) { vec!["decode_image", "io"] } else { vec!["decode_image"] }));

    let empty = root.path().join("Biden");
    let empty = with_models(&shared, ["enroll", "--gallery", gallery, "--from", empty.to_str().unwrap()]);
    assert_eq!(empty.failed(), (2, "invalid_argument"));
    assert!(empty.stderr.contains("photos outside a person's folder 1"), "{}", empty.stderr);
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_read_fails_and_the_others_are_done() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;

    let Some(shared) = shared() else { return };
    let root = people(&shared);
    let allow = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let (locked, gallery) = (root.path().join("Biden"), root.path().join("gallery"));
    fs::create_dir(&gallery).unwrap();
    allow(root.path(), 0o755);
    allow(&gallery, 0o777);
    allow(&locked, 0o0);
    let mut command = facerec_command::command();
    command.args(engine_options(&shared)).args(["enroll", "--gallery"]).arg(&gallery).arg("--from").arg(root.path());
    if fs::read_dir(&locked).is_ok() {
        // Root reads everything.
        command.uid(65534).gid(65534).env("HOME", &gallery).env_remove("XDG_CACHE_HOME").current_dir("/");
    }
    let run = facerec_command::Run::of(&mut command);
    allow(&locked, 0o755);
    assert_eq!(run.failed(), (1, "io"), "{:?}{}", run.lines, run.stderr);
    let first = &run.lines[0];
    assert_eq!(
        (first["person"].as_str(), first["accepted"].as_bool(), first["image"].as_str()),
        (Some("Biden"), Some(false), locked.to_str())
    );
    assert_eq!((run.summary()["persons"].as_i64(), run.summary()["faces"].as_i64()), (Some(1), Some(3)), "{:?}", run.lines);
}
