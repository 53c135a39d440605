//! `facerec video` and `facerec evaluate tracks`: JSON keys, exit codes, files, with real models and a real clip.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, missing_docs)]

mod facerec_command;

use std::fs;
use std::path::Path;
use std::process::Command;

use facerec_command::{Run, command, engine_options, facerec, shared, with_models};
use facerec_core::VideoReader;
use serde_json::Value;

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
    let photos = shared.join("data/photos/face_recognition/examples");
    let gallery = at("gallery");
    for (name, photo) in [("Miranda", "lin-manuel-miranda.png"), ("Obama", "obama.jpg"), ("Lacamoire", "alex-lacamoire.png")] {
        let photo = photos.join(photo).to_string_lossy().into_owned();
        let run = with_models(&shared, ["enroll", "--gallery", &gallery, "--person", name, &photo]);
        assert_eq!(run.code, 0, "{}", run.stderr);
    }
    let clip = shared.join("data/videos/short_hamilton_clip.mp4").to_string_lossy().into_owned();
    let (annotated, page, thumbs) = (at("out.mp4"), at("out.html"), at("thumbs"));
    let outputs = ["--annotate", &annotated, "--report", &page, "--thumbs", &thumbs, "--boxes"];
    let run = with_models(&shared, ["video", "--gallery", &gallery, &clip].into_iter().chain(outputs));
    assert_eq!(run.code, 0, "{}", run.stderr);

    let (summary, tracks) = run.lines.split_last().unwrap();
    let summary = &summary["summary"];
    for key in ["frames", "duration_ms", "tracks", "unknown_tracks", "detections", "embeddings", "wall_ms"] {
        assert!(summary[key].is_u64(), "summary.{key} in {summary}");
    }
    assert_eq!((summary["frames"].as_u64(), summary["tracks"].as_u64()), (Some(275), Some(tracks.len() as u64)));
    assert!(summary["stages"]["detect"].as_f64().unwrap() > 0.0);
    // The truth by eye, on the container's clock: the sound starts the file, the first frame comes at 0.85 s. Miranda and Lacamoire on the
    // stage for 0.6 s, Miranda again from 2.7 to 7.0 s after the first frame, Obama in the audience to the end.
    for (name, start, end) in persons(summary) {
        let shown: &[(i64, i64)] = match name.as_str() {
            "Miranda" => &[(852, 1502), (3452, 7902)],
            "Lacamoire" => &[(852, 3502)],
            "Obama" => &[(7852, 10_052)],
            other => panic!("{other} is not in the gallery"),
        };
        assert!(shown.iter().any(|&(from, to)| start >= from && end <= to), "{name} from {start} to {end} ms");
    }
    assert_eq!(summary["persons"].as_object().unwrap().len(), 3, "each of the three: {summary}");

    // Shots by eye; the cut at 3.6 s may be seen a frame early.
    for shot in [0..1452, 1452..3502, 3502..7852, 7852..i64::MAX] {
        let mut tracks_of = std::collections::BTreeMap::<&str, usize>::new();
        for track in tracks {
            let begins = |span: &Value| shot.contains(&span[0].as_i64().unwrap());
            if let (Some(name), true) = (track["person"].as_str(), track["spans_ms"].as_array().unwrap().iter().any(begins)) {
                *tracks_of.entry(name).or_default() += 1;
            }
        }
        assert!(tracks_of.values().all(|&count| count <= 2), "{shot:?}: {tracks_of:?}");
    }

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

    let bare = at("bare.jsonl");
    let without = run.lines.iter().map(|line| {
        let mut line = line.clone();
        line.as_object_mut().unwrap().remove("boxes");
        format!("{line}\n")
    });
    fs::write(&bare, without.collect::<String>()).unwrap();
    let judged = facerec(["evaluate", "tracks", "--truth", &result, "--result", &bare]);
    assert!(judged.code == 2 && judged.stderr.contains("--boxes"), "{}", judged.stderr);

    // A part of it.
    let part = with_models(&shared, ["video", "--gallery", &gallery, &clip, "--start", "3", "--end", "6.5"]);
    assert_eq!(part.code, 0, "{}", part.stderr);
    let summary = &part.lines.last().unwrap()["summary"];
    assert_eq!(persons(summary).iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>(), ["Miranda"], "{summary}");
    assert!(persons(summary).iter().all(|&(_, start, end)| start >= 3000 && end <= 6500), "{summary}");
    assert!((100..110).contains(&summary["frames"].as_u64().unwrap()), "{summary}");

    // What is no video: reported as a line, exit code 1.
    let text = at("text.mp4");
    fs::write(&text, "no video\n").unwrap();
    for (input, code) in [(text.as_str(), "decode_video"), ("/no/such/file.mp4", "io")] {
        let run = with_models(&shared, ["video", "--gallery", &gallery, input]);
        assert_eq!((run.code, run.lines[0]["error"]["code"].as_str()), (1, Some(code)), "{}", run.stderr);
    }
    let run = with_models(&shared, ["video", "--gallery", &at("nobody"), &clip]);
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

fn ffmpeg(folder: &Path, arguments: &str) {
    let ffmpeg = Command::new("ffmpeg").args(["-y", "-v", "error"]).args(arguments.split_whitespace()).current_dir(folder).status();
    assert!(ffmpeg.expect("the tests of the command with videos need `ffmpeg`").success(), "ffmpeg {arguments}");
}

/// Runs `facerec video` in a folder.
fn video(folder: &Path, arguments: &str) -> Run {
    let engine = engine_options(&shared().unwrap());
    Run::of(command().args(engine).arg("video").args(arguments.split_whitespace()).current_dir(folder))
}

#[test]
fn what_cannot_be_meant_is_refused_and_the_video_is_safe() {
    if shared().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    ffmpeg(folder, "-f lavfi -i testsrc=s=320x240:r=25:d=1 -c:v libx264 -pix_fmt yuv420p clip.mp4");
    let before = fs::read(folder.join("clip.mp4")).unwrap();
    for arguments in [
        "clip.mp4 --annotate clip.mp4",
        "clip.mp4 --annotate ./clip.mp4",
        "clip.mp4 --report clip.mp4",
        "clip.mp4 --start 3 --end 2",
        "rtsp://127.0.0.1:1/camera --annotate out.mp4",
        "file:///dev/null --annotate out.mp4",
    ] {
        assert_eq!(video(folder, arguments).failed(), (2, "invalid_argument"), "{arguments}");
    }
    for arguments in ["clip.mp4 --start soon", "clip.mp4 --end -1", "clip.mp4 --no-such", ""] {
        assert_eq!(video(folder, arguments).code, 2, "{arguments}");
    }
    assert_eq!(fs::read(folder.join("clip.mp4")).unwrap(), before);
    let entries = fs::read_dir(folder).unwrap().count();
    assert_eq!(entries, 1, "nothing is left lying about");
}

#[test]
fn a_failing_output_is_a_line_and_the_summary_stays_the_last() {
    if shared().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    ffmpeg(folder, "-f lavfi -i testsrc=s=320x240:r=25:d=1 -c:v libx264 -pix_fmt yuv420p clip.mp4");
    fs::write(folder.join("file"), "").unwrap();
    // Seen before the video is looked through.
    for (arguments, output) in [("--report file/x.html", "file/x.html"), ("--annotate file/x.mp4", "file/x.mp4"), ("--thumbs file", "file")]
    {
        let run = video(folder, &format!("clip.mp4 {arguments}"));
        assert_eq!(run.failed(), (1, "io"), "{arguments}");
        assert_eq!((run.lines.len(), run.lines[0]["output"].as_str()), (1, Some(output)));
    }
    // Seen when it is written.
    fs::create_dir(folder.join("late.mp4.part")).unwrap();
    let run = video(folder, "clip.mp4 --annotate late.mp4 --report new/page.html");
    assert_eq!(run.failed(), (1, "io"));
    assert_eq!((run.lines[0]["output"].as_str(), run.summary()["frames"].as_u64()), (Some("late.mp4"), Some(25)));
    assert!(folder.join("new/page.html").is_file(), "the others are written");
    // A name that looks like a protocol.
    let run = video(folder, "clip.mp4 --annotate cam-12:30.mp4");
    assert_eq!(run.code, 0, "{:?}", run.lines);
    assert!(folder.join("cam-12:30.mp4").is_file());
    // A broadcast whose size changes.
    ffmpeg(folder, "-f lavfi -i testsrc=s=320x240:r=25:d=1 -c:v libx264 -pix_fmt yuv420p a.ts");
    ffmpeg(folder, "-f lavfi -i testsrc=s=640x360:r=25:d=1 -c:v libx264 -pix_fmt yuv420p b.ts");
    let joined = [fs::read(folder.join("a.ts")).unwrap(), fs::read(folder.join("b.ts")).unwrap()].concat();
    fs::write(folder.join("joined.ts"), joined).unwrap();
    let run = video(folder, "joined.ts --annotate joined.mp4");
    assert_eq!(run.code, 0, "{:?}", run.lines);
    let frames: Vec<_> = VideoReader::open(folder.join("joined.mp4")).unwrap().map(|frame| frame.unwrap().size()).collect();
    assert_eq!(frames, [(320, 240); 50]);
    // A video that breaks off: the error, then the summary.
    ffmpeg(folder, "-f lavfi -i testsrc=s=320x240:r=25:d=6 -c:v libx264 -pix_fmt yuv420p -movflags +faststart whole.mp4");
    let bytes = fs::read(folder.join("whole.mp4")).unwrap();
    fs::write(folder.join("cut.mp4"), &bytes[..bytes.len() * 6 / 10]).unwrap();
    let run = video(folder, "cut.mp4");
    assert_eq!(run.failed(), (1, "decode_video"));
    assert!(run.summary()["frames"].as_u64().unwrap() > 30, "{}", run.summary());
}

#[test]
fn files_at_addresses_end_when_asked_and_lose_nothing() {
    let Some(shared) = shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let clip = shared.join("data/videos/short_hamilton_clip.mp4");
    ffmpeg(folder, &format!("-stream_loop 2 -i {} -an -c:v libx264 -preset ultrafast -g 25 live.ts", clip.display()));
    // A transport stream states no length, but this one has a size: it waits, however fast it could be read.
    let address = format!("file://{}/live.ts", folder.display());
    let run = video(folder, &format!("{address} --start 1 --end 20 --report page.html"));
    assert_eq!(run.code, 0, "{:?}", run.lines);
    let summary = run.summary();
    assert!((1_000..=20_000).contains(&summary["duration_ms"].as_u64().unwrap()), "{summary}");
    assert_eq!((summary["lost_frames"].as_u64(), summary["clock_jumps"].as_u64()), (Some(0), Some(0)), "{summary}");
    assert!(!run.stderr.contains("left out") && folder.join("page.html").is_file(), "{}", run.stderr);
    assert!(run.lines.iter().filter_map(|line| line["start_ms"].as_u64()).all(|start| start >= 1000));
    assert_eq!(video(folder, &format!("{address} --hardware no-such")).failed(), (3, "device_unavailable"));
    // A file at an address states its length: nothing of it is lost.
    let run = video(folder, &format!("file://{} --end 3", clip.display()));
    assert_eq!((run.code, run.summary()["lost_frames"].as_u64()), (0, Some(0)));
    // The first frame comes at 0.85 s.
    assert!((60..=70).contains(&run.summary()["frames"].as_u64().unwrap()), "{}", run.summary());
}

/// The same scene however it is stored: what a player shows is what counts.
#[test]
fn late_squeezed_and_interlaced_videos_name_the_same_people() {
    let Some(shared) = shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let photo = shared.join("data/videos/lin-manuel-miranda.png").to_string_lossy().into_owned();
    let gallery = folder.join("gallery").to_string_lossy().into_owned();
    assert_eq!(with_models(&shared, ["enroll", "--gallery", &gallery, "--person", "Miranda", &photo]).code, 0);
    let clip = shared.join("data/videos/short_hamilton_clip.mp4");
    let x264 = "-an -c:v libx264 -preset veryfast -crf 18 -pix_fmt yuv420p";
    ffmpeg(folder, &format!("-ss 4 -i {} -t 2.4 {x264} plain.mp4", clip.display()));
    ffmpeg(folder, "-itsoffset 3 -i plain.mp4 -f lavfi -i sine=d=6 -map 0:v -map 1:a -c:v copy -c:a aac late.mp4");
    ffmpeg(folder, "-itsoffset 3 -i plain.mp4 -f lavfi -i sine=d=6 -map 0:v -map 1:a -c:v copy -c:a aac late.ts");
    ffmpeg(folder, &format!("-i plain.mp4 -vf scale=360:360,setsar=sar=16/9 {x264} squeezed.mp4"));
    ffmpeg(folder, &format!("-i plain.mp4 -vf interlace=lowpass=0 {x264} -flags +ilme+ildct -x264-params tff=1 interlaced.mp4"));
    ffmpeg(folder, &format!("-i plain.mp4 -vf interlace=lowpass=0,setfield=prog {x264} silent.mkv"));
    let look = |name: &str, more: &str| {
        let mut arguments = vec!["video".to_owned(), "--gallery".into(), gallery.clone(), folder.join(name).to_string_lossy().into_owned()];
        arguments.extend(more.split_whitespace().map(String::from));
        let run = with_models(&shared, arguments.iter().map(String::as_str));
        assert_eq!(run.code, 0, "{name}: {}", run.stderr);
        run
    };
    let plain = persons(look("plain.mp4", "").summary());
    assert_eq!(plain.len(), 1, "{plain:?}");
    for (name, offset) in [("late.mp4", 3000), ("late.ts", 3023), ("squeezed.mp4", 0), ("interlaced.mp4", 0), ("silent.mkv", 0)] {
        let run = look(name, "--boxes");
        let found = persons(run.summary());
        // Until combs are noticed that the stream does not tell of, faces are combed too: for a third of a second nobody is named.
        let most = if name == "silent.mkv" { 400 } else { 250 };
        let close = |a: i64, b: i64| (a - b - offset).abs() < most;
        assert!(found.len() == 1 && close(found[0].1, plain[0].1) && close(found[0].2, plain[0].2), "{name}: {found:?}, not {plain:?}");
        // The lines say the same as the summary, box by box.
        for track in run.lines.iter().filter(|line| line["boxes"].is_array()) {
            let (boxes, start) = (track["boxes"].as_array().unwrap(), track["start_ms"].as_i64().unwrap());
            assert!(start >= offset && boxes[0][1].as_i64() == Some(start), "{name}: {track}");
            assert!(track["best_shots"].as_array().unwrap().iter().all(|shot| shot["ms"].as_i64().unwrap() >= start), "{name}");
            assert!(boxes.iter().all(|one| one[4].as_f64().unwrap() <= 641.0), "{name}: boxes are in square pixels");
        }
    }
    assert_eq!(look("interlaced.mp4", "--deinterlace off").code, 0);
    let wrong = with_models(&shared, ["video", "plain.mp4", "--deinterlace", "sideways"]);
    assert!(wrong.code == 2 && wrong.stderr.contains("auto, off or on"), "{}", wrong.stderr);
}
