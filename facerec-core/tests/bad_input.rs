//! Bad input through the command: each case is a typed error or a reported answer, with the contract's exit code, and the other
//! inputs are still done.
#![cfg(all(feature = "cli", unix))]
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

mod reference;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use facerec_core::{DetectOptions, Engine, Image};
use reference::shared;
use serde_json::Value;
use tempfile::TempDir;

const DETECTOR: &str = "det_500m_buffalo_sc.onnx";
const EMBEDDER: &str = "edgeface_xxs_dequant.onnx";

/// A folder of its own with copies of two models, and how the command is run there.
struct Place {
    folder: TempDir,
    library: PathBuf,
}

struct Run {
    code: i32,
    lines: Vec<Value>,
    stderr: String,
}

impl Place {
    fn new() -> Option<Self> {
        let shared = shared()?;
        let place = Self { folder: tempfile::tempdir().unwrap(), library: library() };
        fs::create_dir(place.path("models")).unwrap();
        for file in [DETECTOR, EMBEDDER] {
            fs::copy(shared.join("models").join(file), place.path("models").join(file)).unwrap();
        }
        for (name, file) in [("obama.jpg", "obama.jpg"), ("biden.jpg", "biden.jpg"), ("obama2.jpg", "obama2.jpg")] {
            fs::copy(shared.join("data/photos/face_recognition/tests/test_images").join(file), place.path(name)).unwrap();
        }
        Some(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// Runs `facerec` in the folder, with its models only.
    fn run(&self, args: &str) -> Run {
        self.run_with(args, |_| {})
    }

    fn run_with(&self, args: &str, change: impl FnOnce(&mut Command)) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_facerec"));
        command.current_dir(self.folder.path()).env_remove("FACEREC_MODELS").env_remove("ORT_DYLIB_PATH");
        command.env("FACEREC_ORT", &self.library).env("HOME", self.folder.path()).env("XDG_CACHE_HOME", self.path("cache"));
        command.args(["--json", "--models", "models", "--detector", "scrfd-500m"]);
        if !args.contains("--embedder") {
            command.args(["--embedder", "edgeface-xxs"]);
        }
        command.args(args.split_whitespace()).stdin(Stdio::null());
        change(&mut command);
        let output = command.output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let code = output.status.code().unwrap_or_else(|| panic!("ended by a signal: {args}\n{stderr}"));
        let lines = stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect();
        assert!(!stderr.contains("panicked"), "{stderr}");
        Run { code, lines, stderr }
    }
}

impl Run {
    /// Asserts that the command as a whole ended with this exit code and error.
    fn failed(&self, exit: i32, code: &str) {
        let said = self.lines.last().map(|line| line["error"]["code"].clone());
        assert_eq!((self.code, said), (exit, Some(Value::from(code))), "{:?}\n{}", self.lines, self.stderr);
        assert!(!self.lines.last().unwrap()["error"]["message"].as_str().unwrap().is_empty());
    }

    fn accepted(&self) -> bool {
        self.lines.first().is_some_and(|line| line["accepted"] == true)
    }
}

/// The ONNX Runtime library as absolute path: `FACEREC_ORT`, or where scripts/setup.sh puts it.
fn library() -> PathBuf {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.facerec/lib/libonnxruntime.so");
    std::env::var_os("FACEREC_ORT").map_or(installed, PathBuf::from)
}

/// `image` repeated `columns` times `rows` times.
fn mosaic(image: &Image, columns: u32, rows: u32) -> Image {
    let row_of = |y: u32| &image.data()[(y * image.width() * 3) as usize..][..image.width() as usize * 3];
    let data = (0..image.height() * rows).flat_map(|y| row_of(y % image.height()).repeat(columns as usize)).collect();
    Image::from_rgb(image.width() * columns, image.height() * rows, data).unwrap()
}

#[test]
fn bad_photos_are_reported_and_the_others_done() {
    let Some(place) = Place::new() else { return };
    let jpeg = fs::read(place.path("obama.jpg")).unwrap();
    place.write("empty.jpg", b"");
    let mut nothing = b"BM".to_vec(); // a bitmap of 0 x 0 pixels
    nothing.extend([54u32, 0, 54, 40, 0, 0].iter().flat_map(|v| v.to_le_bytes()));
    nothing.extend([1, 0, 24, 0]);
    nothing.extend([0; 24]);
    place.write("nothing.bmp", &nothing);
    Image::filled(1, 1, [9, 9, 9]).save(place.path("dot.png")).unwrap();
    Image::filled(30_000, 1, [9, 99, 9]).save(place.path("line.png")).unwrap();
    place.write("text.jpg", b"Dear diary, this is no photo.\n");
    place.write("cut.jpg", &jpeg[..jpeg.len() / 3]);
    fs::create_dir(place.path("folder.jpg")).unwrap();
    Image::filled(320, 240, [120, 150, 90]).save(place.path("meadow.png")).unwrap();

    let photos = "empty.jpg nothing.bmp dot.png line.png text.jpg cut.jpg folder.jpg missing.jpg meadow.png obama.jpg";
    for subcommand in ["detect", "embed"] {
        let run = place.run(&format!("{subcommand} {photos}"));
        assert_eq!(run.code, 1, "{}", run.stderr);
        assert_eq!(run.lines.len(), 10);
        for (line, name) in run.lines.iter().zip(photos.split_whitespace()) {
            assert!(line["image"].as_str().unwrap().ends_with(name), "{line}");
            let error = line["error"]["code"].as_str();
            match name {
                "empty.jpg" | "cut.jpg" => assert_eq!(error, Some("decode_image"), "{line}"),
                "nothing.bmp" | "text.jpg" => assert!(matches!(error, Some("decode_image" | "unsupported_format")), "{line}"),
                "folder.jpg" | "missing.jpg" => assert_eq!(error, Some("io"), "{line}"),
                "obama.jpg" => assert_eq!(line["faces"].as_array().map(Vec::len), Some(1), "{line}"),
                _ => assert_eq!(line["faces"].as_array().map(Vec::len), Some(0), "{line}"),
            }
        }
    }

    // Enrolment says of each photo why it was not taken, and takes the good one.
    let run = place.run(&format!("enroll --gallery g --person obama {photos}"));
    assert_eq!(run.code, 1, "{}", run.stderr);
    let summary = &run.lines.last().unwrap()["summary"];
    assert_eq!((&summary["persons"], &summary["faces"]), (&Value::from(1), &Value::from(1)), "{:?}", run.lines);
    assert_eq!(run.lines.iter().filter(|line| line["accepted"] == true).count(), 1);
    assert!(run.lines.iter().any(|line| line["reason"] == "no_face"));
}

#[test]
fn photos_without_faces_are_answers() {
    let Some(place) = Place::new() else { return };
    Image::filled(64, 64, [0; 3]).save(place.path("black.png")).unwrap();
    let run = place.run("detect black.png");
    assert_eq!((run.code, &run.lines[0]["faces"]), (0, &Value::Array(Vec::new())));
    let run = place.run("identify --threshold 0.4 --gallery g black.png");
    assert!(run.code == 0 || run.code == 4, "{:?}", run.lines); // an answer, or: there is no gallery
    let run = place.run("compare black.png obama.jpg");
    assert_eq!((run.code, &run.lines[0]["same"]), (0, &Value::Bool(false)), "{:?}", run.lines);
}

#[test]
fn a_thousand_faces_are_found() {
    let (Some(place), Some(shared)) = (Place::new(), shared()) else { return };
    let portrait = Image::open(shared.join("data/photos/face_recognition/examples/obama_small.jpg")).unwrap();
    // 320 x 240 with a face of about 100 px, every third pixel: 40 x 25 portraits.
    let thinned: Vec<u8> = (0..80)
        .flat_map(|y| (0..106).map(move |x| (y * 3 * 320 + x * 3) * 3))
        .flat_map(|at| portrait.data()[at..at + 3].to_vec())
        .collect();
    let crowd = mosaic(&Image::from_rgb(106, 80, thinned).unwrap(), 25, 40);
    crowd.save(place.path("crowd.png")).unwrap();

    let engine =
        Engine::builder().model_folder(place.path("models")).runtime_library(library()).detector("scrfd-500m").embedder("edgeface-xxs");
    let faces = engine.detect_options(DetectOptions::default().max_side(3200)).build().unwrap().embed(&crowd).unwrap();
    assert!((950..=1050).contains(&faces.len()), "found {} of 1000", faces.len());
    assert!(faces.iter().all(|face| face.embedding.is_some()));
    // The command at its default size: whatever it finds is reported.
    let run = place.run("detect crowd.png");
    assert_eq!((run.code, run.lines.len()), (0, 1));
    assert!(run.lines[0]["faces"].is_array());
}

#[test]
fn models_that_do_not_fit_are_refused() {
    let Some(place) = Place::new() else { return };
    let detect = "detect obama.jpg";
    let good = fs::read(place.path("models").join(DETECTOR)).unwrap();
    for (bytes, code) in [(&b"no model"[..], "checksum_mismatch"), (&good[..good.len() / 2], "checksum_mismatch")] {
        place.write(&format!("models/{DETECTOR}"), bytes);
        place.run(detect).failed(3, code);
    }
    fs::remove_file(place.path("models").join(DETECTOR)).unwrap();
    place.run(detect).failed(3, "model_not_found");

    // A user's own manifest without a checksum: the file itself must fit what it promises.
    place.write("models/text.onnx", b"no model");
    place.write("models/good.onnx", &good);
    let manifest = |file: &str, extra: &str| {
        format!(
            "schema = 1\nname = \"mine\"\n[[model]]\nid = \"mine\"\ntask = \"detect\"\nfile = \"{file}\"\ninput = {{ size = [640, 640], dynamic = true }}\n\
             licence = {{ name = \"MIT\", url = \"https://example.org\", commercial = true }}\ndetect = {{ head = \"scrfd\", strides = [8, 16, 32]{extra} }}\n"
        )
    };
    let strides = ", scores = [\"nothing\", \"of\", \"this\"]";
    for text in [manifest("text.onnx", ""), manifest(EMBEDDER, ""), manifest("good.onnx", strides)] {
        let run = place.run_own_detector(&text);
        run.failed(3, "invalid_manifest");
    }
    let works = place.run_own_detector(&manifest("good.onnx", ""));
    assert_eq!(works.code, 0, "{}", works.stderr);

    // A manifest that is none, and one with a typing mistake.
    for text in ["schema = 1\nname = ", &manifest("good.onnx", "").replace("strides", "stirdes")] {
        place.run_own_detector(text).failed(3, "invalid_manifest");
    }
}

impl Place {
    /// `detect` with the detector `mine` of a manifest with this text.
    fn run_own_detector(&self, manifest: &str) -> Run {
        self.write("models/mine.toml", manifest.as_bytes());
        let mut command = Command::new(env!("CARGO_BIN_EXE_facerec"));
        command.current_dir(self.folder.path()).env_remove("FACEREC_MODELS").env("FACEREC_ORT", &self.library);
        command.args(["--json", "--models", "models", "--detector", "mine", "--embedder", "edgeface-xxs", "detect", "obama.jpg"]);
        let output = command.output().unwrap();
        let lines = String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        Run { code: output.status.code().expect("no signal"), lines, stderr: String::from_utf8(output.stderr).unwrap() }
    }
}

#[test]
fn a_missing_runtime_is_named() {
    let Some(place) = Place::new() else { return };
    place.write("libonnxruntime.so", b"no library");
    for library in ["/nowhere/libonnxruntime.so", "./libonnxruntime.so"] {
        let run = place.run_with("detect obama.jpg", |command| {
            command.env("FACEREC_ORT", library);
        });
        run.failed(3, "runtime_library");
        assert!(run.lines[0]["error"]["message"].as_str().unwrap().contains("libonnxruntime.so"));
    }
}

#[test]
fn galleries_that_do_not_fit_are_refused_and_kept() {
    let Some(place) = Place::new() else { return };
    fs::copy(shared().unwrap().join("models/edgeface_xs_dequant.onnx"), place.path("models/edgeface_xs_dequant.onnx")).unwrap();
    assert!(place.run("enroll --gallery g --person obama obama.jpg").accepted());

    place.run("--embedder edgeface-xs identify --threshold 0.4 --gallery g obama2.jpg").failed(4, "embedding_model_mismatch");
    place.run("--embedder edgeface-xs enroll --gallery g --person biden biden.jpg").failed(4, "embedding_model_mismatch");
    let run = place.run("identify --threshold 0.4 --gallery g obama2.jpg");
    assert_eq!((run.code, &run.lines[0]["faces"][0]["person"]), (0, &Value::from("obama")), "{:?}", run.lines);

    // The database, recognised by its first bytes, is overwritten in the middle of its header.
    let is_database = |path: &PathBuf| path.is_file() && fs::read(path).unwrap().starts_with(b"SQLite format 3");
    let database = fs::read_dir(place.path("g")).unwrap().map(|entry| entry.unwrap().path()).find(is_database).expect("a database");
    let mut bytes = fs::read(&database).unwrap();
    bytes[..64].fill(0x5a);
    fs::write(&database, &bytes).unwrap();
    for args in
        ["identify --threshold 0.4 --gallery g obama2.jpg", "enroll --gallery g --person biden biden.jpg", "gallery list --gallery g"]
    {
        place.run(args).failed(4, "gallery_corrupt");
    }
    assert_eq!(fs::read(&database).unwrap(), bytes, "a damaged database is left as it is");
}

#[test]
fn a_read_only_folder_is_an_error() {
    let Some(place) = Place::new() else { return };
    let folder = place.path("locked");
    fs::create_dir(&folder).unwrap();
    // Root may write to any folder but an immutable one.
    let set =
        |flag: &str| Command::new("chattr").arg(flag).arg(&folder).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    let mode =
        |on: bool| fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(if on { 0o555 } else { 0o755 })).unwrap();
    mode(true);
    let immutable = set("+i");
    if fs::write(folder.join("probe"), b"").is_ok() {
        eprintln!("SKIPPED: this user writes to read-only folders and may not make one immutable");
        return;
    }
    let enrolled = place.run("enroll --gallery locked/g --person obama obama.jpg");
    let annotated = place.run("detect obama.jpg --annotate locked/out");
    if immutable {
        set("-i");
    }
    mode(false);
    enrolled.failed(4, "io");
    assert_ne!(annotated.code, 0, "{:?}", annotated.lines);
    assert!(annotated.lines.iter().any(|line| line["error"]["code"] == "io"), "{:?}", annotated.lines);
}

#[test]
fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let Some(place) = Place::new() else { return };
    let disk = place.path("disk");
    fs::create_dir(&disk).unwrap();
    let mount = |args: &[&str]| Command::new(args[0]).args(&args[1..]).arg(&disk).stderr(Stdio::null()).status().is_ok_and(|s| s.success());
    if !mount(&["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs"]) {
        eprintln!("SKIPPED: this user may not mount a small tmpfs, which the full disk is made with");
        return;
    }
    let result = std::panic::catch_unwind(|| {
        assert!(place.run("enroll --gallery disk/g --person obama obama.jpg").accepted());
        // The disk fills up to the last byte.
        let mut filler = fs::File::create(disk.join("filler")).unwrap();
        while std::io::Write::write_all(&mut filler, &[0; 512]).is_ok() {}

        let full = place.run("enroll --gallery disk/g --person biden biden.jpg");
        if !full.accepted() {
            full.failed(4, "io");
        }
        let people = place.run("identify --threshold 0.4 --gallery disk/g obama2.jpg");
        assert_eq!((people.code, &people.lines[0]["faces"][0]["person"]), (0, &Value::from("obama")), "{:?}", people.lines);

        drop(filler);
        fs::remove_file(disk.join("filler")).unwrap();
        let verified = place.run("gallery verify --gallery disk/g");
        assert_eq!(verified.code, 0, "{:?}", verified.lines);
        let again = place.run("enroll --gallery disk/g --person biden obama2.jpg --gate off");
        assert_eq!(again.code, 0, "{:?}\n{}", again.lines, again.stderr);
        full.accepted()
    });
    assert!(mount(&["umount"]));
    assert!(!result.unwrap(), "an enrolment on a full disk was acknowledged");
}
