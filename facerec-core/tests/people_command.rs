//! `facerec gallery cluster|merge|split|duplicates` and `evaluate clusters`: JSON keys, exit codes, files, with real models.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, missing_docs)]

mod facerec_command;

use std::fs;
use std::path::Path;

use facerec_command::{Run, facerec, shared, with_models};
use serde_json::{Value, json};

/// The file names of each cluster's members.
fn clusters(run: &Run) -> Vec<Vec<String>> {
    let name = |member: &Value| Path::new(member["file"].as_str().unwrap()).file_name().unwrap().to_string_lossy().into_owned();
    let members = |line: &Value| line["members"].as_array().map(|members| members.iter().map(name).collect());
    run.lines.iter().filter_map(members).collect()
}

#[test]
fn unknown_people_in_photos_and_a_video_are_put_together_named_and_then_known() {
    let Some(shared) = shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (photos, gallery, thumbs) = (at("photos"), at("gallery"), at("thumbs"));
    fs::create_dir_all(folder.path().join("photos/more")).unwrap();
    let images = shared.join("data/photos/face_recognition/tests/test_images");
    for (from, to) in [("obama.jpg", "1.jpg"), ("biden.jpg", "2.jpg"), ("obama2.jpg", "more/3.jpg"), ("obama3.jpg", "more/4.jpg")] {
        fs::copy(images.join(from), folder.path().join("photos").join(to)).unwrap();
    }
    fs::write(folder.path().join("photos/broken.jpg"), "no photo").unwrap();
    let miranda = shared.join("data/photos/face_recognition/examples/lin-manuel-miranda.png").to_string_lossy().into_owned();
    let clip = shared.join("data/videos/short_hamilton_clip.mp4").to_string_lossy().into_owned();

    let found = with_models(&shared, ["gallery", "cluster", "--from", &photos, &miranda, &clip, "--thumbs", &thumbs]);
    assert_eq!(found.code, 1, "the broken one counts as failed: {}", found.stderr);
    assert!(found.lines.iter().any(|line| line["error"]["code"] == "decode_image"));
    let groups = clusters(&found);
    assert_eq!(groups[0], ["1.jpg", "3.jpg", "4.jpg"], "{groups:?}");
    let of_the_clip =
        groups.iter().position(|members| members.iter().any(|file| file == "short_hamilton_clip.mp4")).expect("his photo and the clip");
    assert!(groups[of_the_clip].contains(&"lin-manuel-miranda.png".to_string()), "{groups:?}");
    let lines: Vec<&Value> = found.lines.iter().filter(|line| line["cluster"].is_number()).collect();
    assert_eq!(lines[0]["size"], 3);
    assert!(lines[0]["best"]["box"].as_array().unwrap().len() == 4 && lines[0]["cohesion"].as_f64().unwrap() > 0.4);
    let tracked = lines[of_the_clip]["members"].as_array().unwrap().iter().find(|member| member["track"].is_number()).unwrap();
    assert!(tracked["ms"].is_number(), "{tracked}");
    for line in &lines {
        assert!(facerec_core::Image::open(line["thumb"].as_str().unwrap()).is_ok_and(|image| image.width() <= 160));
    }
    let summary = found.summary();
    assert_eq!((summary["files"].as_i64(), summary["failed"].as_i64(), summary["known"].as_i64()), (Some(7), Some(1), Some(0)));
    assert!(summary["alone"].as_i64().unwrap() >= 1, "Biden is seen once: {summary}");
    let everybody = with_models(&shared, ["gallery", "cluster", "--from", &photos, "--min-size", "1"]);
    assert_eq!(clusters(&everybody), [vec!["1.jpg", "3.jpg", "4.jpg"], vec!["2.jpg"]]);

    // The same files give the same clusters, to be named.
    let named = with_models(&shared, ["gallery", "cluster", "--gallery", &gallery, "--from", &photos, "--enroll", "1=Obama"]);
    assert_eq!((named.summary()["enrolled"].as_i64(), named.lines.iter().any(|line| line["enrolled"] == "Obama")), (Some(3), true));
    let rest = with_models(&shared, ["gallery", "cluster", "--gallery", &gallery, "--from", &photos, "--min-size", "1"]);
    assert_eq!((rest.summary()["known"].as_i64(), clusters(&rest)), (Some(3), vec![vec!["2.jpg".to_string()]]));

    // What cannot be recognised is nobody, alone too.
    let dogs = shared.join("data/photos/dlib_faces/dogs.jpg").to_string_lossy().into_owned();
    let none = with_models(&shared, ["gallery", "cluster", "--min-size", "1", &dogs]);
    assert_eq!((none.code, clusters(&none).len(), none.summary()["faces"].as_i64()), (0, 0, Some(0)), "{}", none.summary());
    assert!(none.summary()["poor"].as_i64().unwrap() >= 1, "{}", none.summary());

    let wrong = with_models(&shared, ["gallery", "cluster", "--gallery", &gallery, "--from", &photos, "--enroll", "9=Ana"]);
    assert_eq!((wrong.code, wrong.lines.last().unwrap()["error"]["code"].as_str()), (2, Some("invalid_argument")));
    for args in
        [&["--from", "x", "--enroll", "Ana"] as &[&str], &["--from", "x", "--enroll", "0=Ana"], &["--from", "x", "--enroll", "1=Ana"], &[]]
    {
        assert_eq!(facerec(["gallery", "cluster"].iter().chain(args)).code, 2, "{args:?}");
    }
}

#[test]
fn people_are_merged_split_and_found_alike() {
    let Some(shared) = shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let gallery = folder.path().join("gallery").to_string_lossy().into_owned();
    let photo = |name: &str| shared.join("data/photos/face_recognition/tests/test_images").join(name).to_string_lossy().into_owned();
    for (name, file) in [("Barack", "obama.jpg"), ("Obama", "obama2.jpg"), ("Biden", "biden.jpg")] {
        assert_eq!(with_models(&shared, ["enroll", "--gallery", &gallery, "--person", name, &photo(file)]).code, 0);
    }
    let act = |args: &[&str]| with_models(&shared, ["gallery", "--gallery", &gallery].into_iter().chain(args.iter().copied()));
    let alike = act(&["duplicates"]);
    assert_eq!(alike.lines.len(), 2, "{:?}", alike.lines);
    assert_eq!(
        (&alike.lines[0]["first"], &alike.lines[0]["second"], &alike.lines[0]["supporting_faces"]),
        (&json!("Barack"), &json!("Obama"), &json!(2))
    );
    assert_eq!(alike.summary()["pairs"], 1);
    assert_eq!(act(&["duplicates", "--threshold", "0.999"]).lines.len(), 1);

    assert_eq!(act(&["merge", "Barack", "Obama"]).lines, [json!({"person": "Obama", "merged_from": "Barack", "moved_faces": 1})]);
    let who = |only: &[&str]| {
        let photo = photo("obama3.jpg");
        let args = ["identify", "--gallery", &gallery, &photo].into_iter().chain(only.iter().copied());
        with_models(&shared, args).lines[0]["faces"][0]["person"].clone()
    };
    assert_eq!((who(&[]), who(&["--only", "Obama"]), who(&["--only", "Biden"])), (json!("Obama"), json!("Obama"), Value::Null));
    let misspelt = with_models(&shared, ["identify", "--gallery", &gallery, &photo("obama3.jpg"), "--only", "Obama", "--only", "Obana"]);
    assert_eq!(misspelt.failed(), (4, "person_not_found"), "{:?}", misspelt.lines);
    assert_eq!(who(&["--where", "site=north"]), Value::Null);
    assert_eq!(
        act(&["split", "Obama", "Barack", "--face", "1"]).lines,
        [json!({"person": "Barack", "split_from": "Obama", "moved_faces": 1})]
    );
    let nobody = act(&["merge", "Ana", "Obama"]);
    assert_eq!((nobody.code, &nobody.lines[0]["error"]["code"]), (4, &json!("person_not_found")));
    assert_eq!(act(&["split", "Obama", "Barack", "--face", "3"]).code, 2, "Biden's face");
    assert_eq!(act(&["verify"]).lines, [json!({"ok": true, "faces": 3, "problems": []})]);
}

#[test]
fn clusters_of_a_labelled_folder_are_scored() {
    let Some(shared) = shared() else { return };
    let images = shared.join("data/lfw/images");
    let folder = tempfile::tempdir().unwrap();
    for name in ["Abdullah_Gul", "Adrien_Brody", "Abdullah", "Colin_Powell"] {
        let Ok(photos) = fs::read_dir(images.join(name)) else { return };
        fs::create_dir(folder.path().join(name)).unwrap();
        for photo in photos.map(|photo| photo.unwrap().path()).take(6) {
            fs::copy(&photo, folder.path().join(name).join(photo.file_name().unwrap())).unwrap();
        }
    }
    let scored = with_models(
        &shared,
        ["evaluate", "clusters", "--from", folder.path().to_str().unwrap(), "--threshold", "-1", "--threshold", "0.325"],
    );
    assert_eq!(scored.lines.len(), 2, "{}", scored.stderr);
    assert_eq!(
        (&scored.lines[0]["clusters"], &scored.lines[0]["mixed"], &scored.lines[0]["pairs"]["recall"]),
        (&json!(1), &json!(1), &json!(1.0))
    );
    let good = &scored.lines[1];
    assert_eq!((&good["persons"], &good["mixed"], &good["pairs"]["precision"]), (&json!(4), &json!(0), &json!(1.0)));
    assert!(good["bcubed"]["f1"].as_f64().unwrap() > 0.9, "{good}");
}
