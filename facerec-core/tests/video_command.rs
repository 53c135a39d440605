//! `facerec video` and `facerec evaluate tracks`: JSON keys, exit codes, files, with real models and a real clip.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use facerec_core::VideoReader;
use serde_json::Value;

struct Run {
    code: i32,
    lines: Vec<Value>,
    stderr: String,
}

fn facerec<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_facerec")).arg("--json").args(args).stdin(Stdio::null()).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let lines = stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: `{line}`"))).collect();
    Run { code: output.status.code().expect("an exit code, no signal"), lines, stderr: String::from_utf8(output.stderr).unwrap() }
}

fn shared() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let folder = std::env::var_os("FACEREC_SHARED").map_or(beside, PathBuf::from);
    let found = folder.join("data/videos/short_hamilton_clip.mp4").is_file();
    if !found {
        eprintln!("SKIPPED: `{}` has no models and videos; set FACEREC_SHARED to test the command with them", folder.display());
    }
    found.then_some(folder)
}

/// Names, and the times they were in view in milliseconds.
fn persons(summary: &Value) -> Vec<(String, i64, i64)> {
    let spans = |(name, spans): (&String, &Value)| {
        let spans = spans.as_array().unwrap().clone();
        let name = name.clone();
        spans.into_iter().map(move |span| (name.clone(), span[0].as_i64().unwrap(), span[1].as_i64().unwrap()))
    };
    summary["persons"].as_object().unwrap().iter().flat_map(spans).collect()
}

#[test]
fn a_real_clip_names_the_enrolled_and_nobody_else() {
    let Some(shared) = shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let models = shared.join("models").to_string_lossy().into_owned();
    let engine = ["--models", &models, "--detector", "scrfd-2.5g", "--embedder", "edgeface-xs"];
    let photos = shared.join("data/photos/face_recognition/examples");
    let gallery = at("gallery");
    for (name, photo) in [("Miranda", "lin-manuel-miranda.png"), ("Obama", "obama.jpg"), ("Lacamoire", "alex-lacamoire.png")] {
        let photo = photos.join(photo).to_string_lossy().into_owned();
        let run = facerec(engine.iter().copied().chain(["enroll", "--gallery", &gallery, "--person", name, &photo]));
        assert_eq!(run.code, 0, "{}", run.stderr);
    }
    let clip = shared.join("data/videos/short_hamilton_clip.mp4").to_string_lossy().into_owned();
    let (annotated, page, thumbs) = (at("out.mp4"), at("out.html"), at("thumbs"));
    let outputs = ["--annotate", &annotated, "--report", &page, "--thumbs", &thumbs, "--boxes"];
    let run = facerec(engine.iter().copied().chain(["video", "--gallery", &gallery, &clip]).chain(outputs));
    assert_eq!(run.code, 0, "{}", run.stderr);

    let (summary, tracks) = run.lines.split_last().unwrap();
    let summary = &summary["summary"];
    for key in ["frames", "duration_ms", "tracks", "unknown_tracks", "detections", "embeddings", "wall_ms"] {
        assert!(summary[key].is_u64(), "summary.{key} in {summary}");
    }
    assert_eq!((summary["frames"].as_u64(), summary["tracks"].as_u64()), (Some(275), Some(tracks.len() as u64)));
    assert!(summary["stages"]["detect"].as_f64().unwrap() > 0.0);
    // The truth by eye: Miranda and Lacamoire on the stage until 0.6 s, Miranda from 2.7 to 7.0 s, Obama in the audience to the end.
    for (name, start, end) in persons(summary) {
        let shown: &[(i64, i64)] = match name.as_str() {
            "Miranda" => &[(0, 650), (2600, 7050)],
            "Lacamoire" => &[(0, 2650)],
            "Obama" => &[(7000, 9200)],
            other => panic!("{other} is not in the gallery"),
        };
        assert!(shown.iter().any(|&(from, to)| start >= from && end <= to), "{name} from {start} to {end} ms");
    }
    assert_eq!(summary["persons"].as_object().unwrap().len(), 3, "each of the three: {summary}");

    for track in tracks {
        for key in ["track", "start_ms", "end_ms", "frames", "embeddings"] {
            assert!(track[key].is_u64(), "{key} in {track}");
        }
        for key in ["similarity", "threshold", "margin"] {
            assert!(track[key].is_f64(), "{key} in {track}");
        }
        assert!(track["reason"].is_string() && (track["person"].is_string() || track["person"].is_null()));
        for shot in track["best_shots"].as_array().unwrap() {
            assert!(shot["ms"].is_u64() && shot["frame"].is_u64() && shot["quality"]["score"].is_f64());
            assert_eq!(shot["box"].as_array().unwrap().len(), 4);
        }
        let boxes = track["boxes"].as_array().unwrap();
        assert_eq!(boxes.len() as u64, track["frames"].as_u64().unwrap());
        assert!(boxes.windows(2).all(|pair| pair[0][0].as_u64() < pair[1][0].as_u64()), "frames in order");
        assert!(boxes.iter().all(|one| one.as_array().unwrap().len() == 6));
    }

    assert_eq!(VideoReader::open(&annotated).unwrap().filter(|frame| frame.is_ok()).count(), 275);
    let html = fs::read_to_string(&page).unwrap();
    assert!(["Miranda", "Obama", "Lacamoire", "data:image/jpeg;base64,"].iter().all(|text| html.contains(text)));
    assert!(!html.contains("http"), "the page needs nothing from anywhere");
    assert!(fs::read_dir(&thumbs).unwrap().count() >= 6);

    // The result is its own truth.
    let result = at("result.jsonl");
    fs::write(&result, run.lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let own = facerec(["evaluate", "tracks", "--truth", &result, "--result", &result]);
    let own = &own.lines[0];
    assert_eq!((own["mota"].as_f64(), own["idf1"].as_f64(), own["id_switches"].as_u64()), (Some(1.0), Some(1.0), Some(0)));
    assert_eq!((own["fragments"].as_u64().is_some(), own["purity"].as_f64()), (true, Some(1.0)));

    // What is no video: reported as a line, exit code 1.
    let text = at("text.mp4");
    fs::write(&text, "no video\n").unwrap();
    for (input, code) in [(text.as_str(), "decode_video"), ("/no/such/file.mp4", "io")] {
        let run = facerec(engine.iter().copied().chain(["video", "--gallery", &gallery, input]));
        assert_eq!((run.code, run.lines[0]["error"]["code"].as_str()), (1, Some(code)), "{}", run.stderr);
    }
    let run = facerec(engine.iter().copied().chain(["video", "--gallery", &at("nobody"), &clip]));
    assert_eq!(run.code, 4, "a gallery that is not there: {}", run.stderr);
}

#[test]
fn tracks_are_judged_as_py_motmetrics_judges_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/tracks");
    for case in 0..4 {
        let file = |what: &str| folder.join(format!("case{case}-{what}")).to_string_lossy().into_owned();
        let ours = facerec(["evaluate", "tracks", "--truth", &file("truth.txt"), "--result", &file("result.txt")]);
        let theirs: Value = serde_json::from_str(&fs::read_to_string(file("motmetrics.json")).unwrap()).unwrap();
        for (key, value) in theirs.as_object().unwrap() {
            let difference = (ours.lines[0][key].as_f64().unwrap() - value.as_f64().unwrap()).abs();
            assert!(difference < 1e-5, "case {case}: {key} is {} and should be {value}", ours.lines[0][key]);
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.txt").to_string_lossy().into_owned();
    fs::write(&bad, "1,1,0,0,10,10\n1,2,zero,0,10,10\n").unwrap();
    let run = facerec(["evaluate", "tracks", "--truth", &bad, "--result", &bad]);
    assert_eq!((run.code, run.lines[0]["error"]["code"].as_str()), (2, Some("invalid_argument")));
    assert!(run.stderr.contains("line 2"), "{}", run.stderr);
}
