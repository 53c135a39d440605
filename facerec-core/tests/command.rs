//! The command's contract: JSON keys, exit codes, nothing else on standard output, the other inputs still done.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use facerec_core::{Gallery, GalleryOptions};
use serde_json::Value;

/// What a run of the command gave.
struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Run {
    /// Standard output as JSON Lines, nothing else.
    fn lines(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: `{line}`"))).collect()
    }

    fn line(&self) -> Value {
        let mut lines = self.lines();
        assert_eq!(lines.len(), 1, "{}{}", self.stdout, self.stderr);
        lines.remove(0)
    }

    fn error_code(&self) -> String {
        self.line()["error"]["code"].as_str().unwrap_or_default().to_string()
    }
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_facerec"));
    command.env_remove("FACEREC_LOG");
    command
}

fn run(mut command: Command) -> Run {
    let output = command.stdin(Stdio::null()).output().unwrap();
    Run {
        code: output.status.code().expect("an exit code, no signal"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn facerec<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Run {
    let mut command = command();
    command.args(args);
    run(command)
}

/// Weights and photos that are not part of the repository; absence is said once.
fn shared() -> Option<&'static Path> {
    static SHARED: OnceLock<Option<PathBuf>> = OnceLock::new();
    let find = || {
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
        let folder = std::env::var_os("FACEREC_SHARED").map_or(beside, PathBuf::from);
        let found = folder.join("models/scrfd_2.5g_bnkps.onnx").is_file();
        if !found {
            eprintln!("SKIPPED: `{}` has no models and photos; set FACEREC_SHARED to test the command with them", folder.display());
        }
        found.then_some(folder)
    };
    SHARED.get_or_init(find).as_deref()
}

/// Options for the models that the shared folder has.
fn engine_options(shared: &Path) -> Vec<String> {
    let models = shared.join("models").to_string_lossy().into_owned();
    ["--models", &models, "--detector", "scrfd-2.5g", "--embedder", "edgeface-xs", "--json"].map(String::from).to_vec()
}

/// Runs with the shared models and `--json`.
fn with_models<'a>(shared: &Path, args: impl IntoIterator<Item = &'a str>) -> Run {
    facerec(engine_options(shared).into_iter().chain(args.into_iter().map(String::from)))
}

fn photo(shared: &Path, name: &str) -> String {
    let photos = shared.join("data/photos");
    let folder = if name == "t1.jpg" { photos.join("groups") } else { photos.join("face_recognition/tests/test_images") };
    folder.join(name).to_string_lossy().into_owned()
}

fn fixture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/images").join(name).to_string_lossy().into_owned()
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value.as_object().unwrap_or_else(|| panic!("an object, got {value}")).keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

const FACE: [&str; 4] = ["box", "landmarks", "quality", "score"];

fn check_face(face: &Value) {
    assert_eq!(face["box"].as_array().unwrap().len(), 4);
    let landmarks = face["landmarks"].as_array().unwrap();
    assert!(landmarks.len() == 5 && landmarks.iter().all(|point| point.as_array().is_some_and(|xy| xy.len() == 2)));
    assert!((0.0..=1.0).contains(&face["score"].as_f64().unwrap()));
    let mut known = keys(&face["quality"]);
    known.retain(|&key| key != "recognisability"); // where the face was embedded
    assert_eq!(known, ["face_px", "pitch", "roll", "score", "sharpness", "yaw"]);
    assert!(face["quality"].as_object().unwrap().values().all(Value::is_number));
}

#[test]
fn wrong_usage_exits_2_and_leaves_standard_output_alone() {
    let wrong: [&[&str]; 10] = [
        &[],
        &["levitate"],
        &["detect"],
        &["compare", "one.jpg"],
        &["enroll", "--gallery", "g"],
        &["enroll", "--gallery", "g", "--person", "Ana"],
        &["enroll", "--gallery", "g", "--person", "Ana", "--from", "f", "a.jpg"],
        &["enroll", "--gallery", "g", "--person", "Ana", "--gate", "lax", "a.jpg"],
        &["--device", "abacus", "detect", "a.jpg"],
        &["--threads", "0", "detect", "a.jpg"],
    ];
    for args in wrong {
        let run = facerec(args);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{args:?}: {}", run.stderr);
        assert!(!run.stderr.is_empty());
    }
    assert_eq!(facerec(["gallery", "list", "--json"]).code, 2, "a gallery must be named");
    for args in [["--help"], ["--version"]] {
        assert_eq!(facerec(args).code, 0);
    }
}

#[test]
fn what_keeps_the_engine_from_running_exits_3() {
    let mut missing_library = command();
    missing_library.args(["--json", "detect", &fixture("scene.png")]).env("FACEREC_ORT", "/no/such/library.so");
    let missing_library = run(missing_library);
    // Models are looked for first, the runtime after: either may be what is missing here.
    assert_eq!(missing_library.code, 3, "{}", missing_library.stderr);
    assert!(["runtime_library", "model_not_found"].contains(&missing_library.error_code().as_str()));

    let unknown_pack = facerec(["--json", "--pack", "nonsense", "detect", &fixture("scene.png")]);
    assert_eq!((unknown_pack.code, unknown_pack.error_code().as_str()), (2, "invalid_argument"));
    let unknown_model = facerec(["--json", "--detector", "nonsense", "detect", &fixture("scene.png")]);
    assert_eq!(unknown_model.code, 3, "{}", unknown_model.stderr);

    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("broken.toml"), "schema = 1\nname = ").unwrap();
    let broken = facerec(["--json", "--models", folder.path().to_str().unwrap(), "models", "list"]);
    assert_eq!((broken.code, broken.error_code().as_str()), (3, "invalid_manifest"));

    let mut doctor = command();
    doctor.args(["--json", "doctor"]).env("FACEREC_ORT", "/no/such/library.so");
    let doctor = run(doctor);
    assert_eq!(doctor.code, 3);
    let lines = doctor.lines();
    let runtime = lines.iter().find(|line| line["check"] == "onnx runtime").unwrap();
    assert_eq!(runtime["status"], "problem");
    assert!(runtime["detail"].as_str().unwrap().contains("FACEREC_ORT"), "how to mend it: {runtime}");
    assert_eq!(lines.last().unwrap()["summary"]["ok"], false);
}

#[test]
fn models_are_listed_with_their_licences() {
    let list = facerec(["--json", "models", "list"]);
    assert_eq!(list.code, 0, "{}", list.stderr);
    let lines = list.lines();
    for id in ["scrfd-2.5g", "edgeface-xs", "yunet-2023mar", "w600k-r50", "glint360k-r100", "sface"] {
        let model = lines.iter().find(|line| line["model"] == id).unwrap_or_else(|| panic!("{id} is known"));
        assert_eq!(keys(model), ["bytes", "error", "file", "installed", "licence", "model", "pack", "path", "sha256", "task"], "{id}");
        assert!(model["licence"]["name"].is_string() && model["licence"]["commercial"].is_boolean());
    }
    for pack in ["default", "yunet-edgeface", "insightface-buffalo-l", "more"] {
        let line = lines.iter().find(|line| line["pack"] == pack && line["model"].is_null()).unwrap_or_else(|| panic!("{pack} is known"));
        let all = [
            "bytes",
            "commercial",
            "description",
            "download_bytes",
            "installed",
            "lfw_accuracy",
            "licences",
            "models",
            "pack",
            "time_ratio",
        ];
        assert_eq!(keys(line), all, "{pack}");
        assert!(line["bytes"].as_u64() > Some(0) && line["licences"][0]["source"] == "content", "{line}");
    }
    let large = lines.iter().find(|line| line["pack"] == "insightface-buffalo-l").unwrap();
    assert_eq!((&large["commercial"], &large["download_bytes"]), (&Value::from(false), &Value::from(288_621_354)));
    let text = facerec(["models", "list"]).stdout;
    let line = text.lines().find(|line| line.contains("insightface-buffalo-l")).unwrap();
    assert!(line.contains("288.6 MB to fetch") && line.contains("commercial use: no") && line.contains("LFW not measured"), "{line}");
    let folders = facerec(["--json", "--models", "/some/folder", "models", "path"]).line();
    assert_eq!(folders["folders"][0], "/some/folder");
    let unknown = facerec(["--json", "models", "path", "nonsense"]);
    assert_eq!((unknown.code, unknown.error_code().as_str()), (3, "model_not_found"));

    // A wrong file is named and never used.
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("sface.onnx"), "not a model").unwrap();
    let file = lines.iter().find(|line| line["model"] == "sface").unwrap()["file"].as_str().unwrap().to_string();
    fs::write(folder.path().join(&file), "not a model").unwrap();
    let verify = facerec(["--json", "--models", folder.path().to_str().unwrap(), "models", "verify"]);
    let wrong = verify.lines().into_iter().find(|line| line["model"] == "sface").unwrap();
    assert_eq!(verify.code, 3);
    assert_eq!((&wrong["ok"], &wrong["error"]["code"]), (&Value::from(false), &Value::from("checksum_mismatch")));
}

#[test]
fn a_file_keeps_its_licence_under_another_name() {
    let Some(shared) = shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    fs::copy(shared.join("models/det_500m_buffalo_sc.onnx"), folder.path().join("mine.onnx")).unwrap();
    fs::write(folder.path().join("other.onnx"), "another file").unwrap();
    let manifest = |id: &str| {
        format!(
            "[[model]]\nid = '{id}'\ntask = 'detect'\nfile = '{id}.onnx'\ninput = {{ size = [640, 640], dynamic = true }}\n\
             licence = {{ name = 'MIT', url = 'none', commercial = true }}\ndetect = {{ head = 'scrfd', strides = [8, 16, 32] }}\n"
        )
    };
    fs::write(folder.path().join("mine.toml"), format!("schema = 1\nname = 'mine'\n{}{}", manifest("mine"), manifest("other"))).unwrap();
    let list = facerec(["--json", "--models", folder.path().to_str().unwrap(), "models", "list"]);
    let licence = |key: &str, name: &str| list.lines().into_iter().find(|line| line[key] == name).unwrap()["licence"].clone();
    let mine = licence("model", "mine");
    assert!(mine["name"].as_str().unwrap().contains("InsightFace"), "{mine}");
    assert_eq!((&mine["commercial"], &mine["source"]), (&Value::from(false), &Value::from("content")));
    let warnings: Vec<_> = list.stderr.lines().filter(|line| line.contains("mine.onnx")).collect();
    assert!(warnings.len() == 1 && warnings[0].contains("InsightFace") && warnings[0].contains("`MIT`"), "{}", list.stderr);
    let other = licence("model", "other");
    assert_eq!((&other["name"], &other["commercial"], &other["source"]), (&Value::from("MIT"), &Value::Null, &Value::from("manifest")));
    let text = facerec(["--models", folder.path().to_str().unwrap(), "models", "list"]).stdout;
    let line = |id: &str| text.lines().find(|line| line.starts_with(id)).unwrap().to_owned();
    assert!(line("mine ").contains("non-commercial; its manifest states MIT"), "{}", line("mine "));
    assert!(line("other ").contains("unknown: yours to check (its manifest states MIT)"), "{}", line("other "));
    let doctor = facerec(["--models", folder.path().to_str().unwrap(), "--detector", "mine", "doctor"]).stdout;
    assert!(doctor.lines().any(|line| line.contains("mine.onnx") && line.contains("InsightFace")), "{doctor}");
}

#[test]
#[cfg(feature = "fetch")]
fn models_are_fetched_once_their_licence_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("source")).unwrap();
    fs::create_dir_all(at("packs")).unwrap();
    fs::write(at("source/toy.onnx"), "weights").unwrap();
    let manifest = format!(
        r#"
        schema = 1
        name = "toys"
        [[model]]
        id = "toy"
        task = "embed"
        file = "toy.onnx"
        sha256 = "CHECKSUM"
        licence = {{ name = "for toys only", url = "none", commercial = false }}
        input = {{ size = [112, 112] }}
        embed = {{ dim = 4 }}
        [[model.source]]
        kind = "folder"
        path = {:?}
        "#,
        at("source")
    );
    let write = |sha256: &str| {
        fs::write(at("packs/toys.toml"), manifest.replace("CHECKSUM", sha256)).unwrap();
    };
    let (packs, to) = (at("packs").to_string_lossy().into_owned(), at("to").to_string_lossy().into_owned());
    let options = ["--json", "--models", packs.as_str(), "--pack", "toys", "models", "fetch", "--to", to.as_str()];
    let fetch = |more: &[&str]| facerec(options.iter().chain(more));

    write(&"0".repeat(64));
    let wrong = fetch(&["--accept-licence"]);
    assert_eq!((wrong.code, wrong.error_code().as_str()), (3, "checksum_mismatch"), "{}", wrong.stderr);
    write("9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c");
    let refused = fetch(&[]);
    assert_eq!((refused.code, refused.error_code().as_str()), (3, "licence_not_accepted"), "{}", refused.stderr);
    let fetched = fetch(&["--accept-licence"]);
    assert_eq!((fetched.code, fetched.line()["model"].as_str()), (0, Some("toy")), "{}", fetched.stderr);
    assert_eq!(fs::read(at("to/toy.onnx")).unwrap(), b"weights");
    assert_eq!(fetch(&["toy"]).code, 0, "what is there needs no question");
}

#[test]
fn detect_reports_every_input_and_goes_on() {
    let Some(shared) = shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    fs::write(at("empty.jpg"), "").unwrap();
    fs::write(at("text.jpg"), "this is no picture").unwrap();
    let whole = fs::read(photo(shared, "obama.jpg")).unwrap();
    fs::write(at("cut.jpg"), &whole[..whole.len() / 2]).unwrap();
    fs::copy(photo(shared, "obama.jpg"), at("Ünïcödé 名前.jpg")).unwrap();
    let inputs = [
        (at("empty.jpg"), Some("decode_image")),
        (at("text.jpg"), Some("decode_image")),
        (at("cut.jpg"), Some("decode_image")),
        (at(""), Some("io")),
        (at("missing.jpg"), Some("io")),
        (fixture("scene.png"), None),
        (at("Ünïcödé 名前.jpg"), None),
        (photo(shared, "t1.jpg"), None),
    ];
    let out = at("annotated");
    let names = inputs.iter().map(|(path, _)| path.as_str());
    let run = with_models(shared, ["detect", "--annotate", &out].into_iter().chain(names));
    assert_eq!(run.code, 1, "{}", run.stderr);
    let lines = run.lines();
    assert_eq!(lines.len(), inputs.len());
    for ((path, error), line) in inputs.iter().zip(&lines) {
        assert_eq!(line["image"], path.as_str());
        match error {
            Some(code) => {
                assert_eq!(keys(line), ["error", "image"]);
                assert_eq!(keys(&line["error"]), ["code", "message"]);
                assert_eq!(line["error"]["code"], *code, "{line}");
            }
            None => {
                assert_eq!(keys(line), ["faces", "height", "image", "width"]);
                for face in line["faces"].as_array().unwrap() {
                    assert_eq!(keys(face), FACE);
                    check_face(face);
                }
            }
        }
    }
    let faces: Vec<_> = lines[5..].iter().map(|line| line["faces"].as_array().unwrap().len()).collect();
    assert_eq!(faces, [0, 1, 6]);
    assert_eq!((lines[7]["width"].as_u64(), lines[7]["height"].as_u64()), (Some(1280), Some(886)));
    let mut written: Vec<_> = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    written.sort();
    assert_eq!(written, ["scene.png", "t1.jpg", "Ünïcödé 名前.jpg"]);

    let all_done = with_models(shared, ["detect", &fixture("scene.png")]);
    assert_eq!(all_done.code, 0, "a photo without a face is done: {}", all_done.stderr);
}

#[test]
fn embed_and_compare_keep_the_contract() {
    let Some(shared) = shared() else { return };
    let (obama, obama2, biden) = (photo(shared, "obama.jpg"), photo(shared, "obama2.jpg"), photo(shared, "biden.jpg"));
    let embedded = with_models(shared, ["embed", &obama]).line();
    assert_eq!(keys(&embedded), ["embedder", "faces", "height", "image", "width"]);
    assert_eq!(embedded["embedder"], "edgeface-xs");
    let face = &embedded["faces"][0];
    assert_eq!(keys(face), ["box", "embedding", "landmarks", "quality", "score"]);
    check_face(face);
    let vector: Vec<f64> = face["embedding"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    assert_eq!(vector.len(), 512);
    assert!((vector.iter().map(|v| v * v).sum::<f64>() - 1.0).abs() < 1e-5);

    for (other, same) in [(&obama2, true), (&biden, false)] {
        let run = with_models(shared, ["compare", &obama, other]);
        let line = run.line();
        assert_eq!(run.code, 0);
        assert_eq!(keys(&line), ["a", "b", "same", "similarity", "threshold"]);
        assert_eq!(line["same"], same, "{line}");
        assert_eq!(keys(&line["a"]), FACE);
        check_face(&line["b"]);
    }
    let faceless = with_models(shared, ["compare", &obama, &fixture("scene.png")]).line();
    assert!(faceless["similarity"].is_null() && faceless["b"].is_null() && faceless["same"] == false);
    let missing = with_models(shared, ["compare", &obama, "/no/such/photo.jpg"]);
    assert_eq!((missing.code, missing.error_code().as_str()), (1, "io"));
}

#[test]
fn people_are_enrolled_identified_and_removed() {
    let Some(shared) = shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let gallery = folder.path().join("gallery").to_string_lossy().into_owned();
    let people = folder.path().join("people");
    for (person, photos) in [("Barack Obama", ["obama.jpg", "obama2.jpg"].as_slice()), ("Джо Байден", &["biden.jpg"])] {
        fs::create_dir_all(people.join(person)).unwrap();
        for name in photos {
            fs::copy(photo(shared, name), people.join(person).join(name)).unwrap();
        }
        fs::write(people.join(person).join("notes.txt"), "not a photo").unwrap();
    }
    let people = people.to_string_lossy().into_owned();

    let enrolled = with_models(shared, ["enroll", "--gallery", &gallery, "--from", &people]);
    assert_eq!(enrolled.code, 0, "{}{}", enrolled.stdout, enrolled.stderr);
    let lines = enrolled.lines();
    assert_eq!(lines.len(), 4);
    for line in &lines[..3] {
        assert_eq!(keys(line), ["accepted", "face_id", "image", "person"]);
        assert!(line["accepted"] == true && line["face_id"].is_i64());
    }
    let mut summary = lines[3]["summary"].clone();
    let passed_over = summary.as_object_mut().unwrap().remove("passed_over").unwrap();
    assert_eq!(summary, serde_json::json!({"persons": 2, "faces": 3, "rejected": 0}));
    assert_eq!((passed_over["not_a_picture"].as_i64(), passed_over["system_file"].as_i64()), (Some(2), Some(0)), "{passed_over}");

    // Each refusal has its reason; a photo that is enrolled already is no failure.
    let again = with_models(shared, ["enroll", "--gallery", &gallery, "--from", &people]);
    assert_eq!(again.code, 0);
    assert!(again.lines()[..3].iter().all(|line| line["reason"] == "duplicate"));
    let (t1, scene, biden) = (photo(shared, "t1.jpg"), fixture("scene.png"), photo(shared, "biden.jpg"));
    let refused = [
        (&t1, "standard", "several_faces"),
        (&scene, "standard", "no_face"),
        (&people, "standard", "decode_image"),
        (&biden, "strict", "not_this_person"),
    ];
    for (image, gate, reason) in refused {
        let run = with_models(shared, ["enroll", "--gallery", &gallery, "--person", "Barack Obama", "--gate", gate, image]);
        assert_eq!(run.code, 1);
        let lines = run.lines();
        assert_eq!((&lines[0]["accepted"], lines[0]["reason"].as_str()), (&Value::from(false), Some(reason)), "{}", lines[0]);
        assert_eq!(lines[1]["summary"]["rejected"], 1);
    }

    let obama3 = photo(shared, "obama3.jpg");
    let found = with_models(shared, ["identify", "--threshold", "0.33", "--gallery", &gallery, &obama3, "/no/such.jpg", &t1]);
    assert_eq!(found.code, 1);
    let lines = found.lines();
    let face = &lines[0]["faces"][0];
    let expected = ["box", "candidates", "landmarks", "margin", "person", "quality", "reason", "score", "similarity", "threshold"];
    assert_eq!(keys(face), expected);
    assert_eq!((face["person"].as_str(), face["reason"].as_str()), (Some("Barack Obama"), Some("match")));
    assert_eq!(keys(&face["candidates"][0]), ["person", "similarity"]);
    assert_eq!(lines[1]["error"]["code"], "io");
    let strangers = lines[2]["faces"].as_array().unwrap();
    assert!(strangers.len() == 6 && strangers.iter().all(|face| face["person"].is_null() && face["reason"] == "below_threshold"));

    look_after_the_gallery(&gallery, folder.path());
}

/// Every action of `facerec gallery`, on the gallery of two people with three faces.
fn look_after_the_gallery(gallery: &str, folder: &Path) {
    let act = |args: &[&str]| facerec(["--json", "gallery", "--gallery", gallery].iter().chain(args));
    let list = act(&["list"]).lines();
    assert_eq!(list.len(), 2);
    assert_eq!(keys(&list[0]), ["created_ms", "faces", "id", "person"]);
    let show = act(&["show", "Barack Obama"]).lines();
    assert_eq!(show.len(), 2);
    assert_eq!(keys(&show[0]), ["created_ms", "face_id", "metadata", "person", "quality", "source"]);
    let stats = act(&["stats"]).line();
    assert_eq!((stats["persons"].as_i64(), stats["faces"].as_i64(), stats["dim"].as_i64()), (Some(2), Some(3), Some(512)));

    let export = folder.join("export.jsonl").to_string_lossy().into_owned();
    assert_eq!(act(&["export", "--out", &export]).line()["faces"], 3);
    assert_eq!(act(&["export"]).lines().len(), 4, "a header and three faces");
    let copy = folder.join("copy").to_string_lossy().into_owned();
    let import = || facerec(["--json", "gallery", "import", &export, "--gallery", &copy]).line();
    assert_eq!(import(), serde_json::json!({"persons": 2, "faces": 3, "duplicates": 0}));
    assert_eq!(import(), serde_json::json!({"persons": 0, "faces": 0, "duplicates": 3}));
    fs::write(&export, "{}\n").unwrap();
    assert_eq!(facerec(["--json", "gallery", "import", &export, "--gallery", &copy]).code, 2);

    assert_eq!(act(&["rename", "Джо Байден", "Joe Biden"]).line()["person"], "Joe Biden");
    let taken = act(&["rename", "Joe Biden", "Barack Obama"]);
    assert_eq!((taken.code, taken.error_code().as_str()), (2, "invalid_argument"));
    let face = show[0]["face_id"].to_string();
    assert_eq!(act(&["remove", "--face", &face]).line()["removed_faces"], 1);
    assert_eq!(act(&["remove", "--face", &face]).line()["removed_faces"], 0);
    assert_eq!(act(&["remove", "Joe Biden"]).line()["removed_faces"], 1);
    let nobody = act(&["remove", "Joe Biden"]);
    assert_eq!((nobody.code, nobody.error_code().as_str()), (4, "person_not_found"));
    assert_eq!(keys(&act(&["compact"]).line()), ["bytes_after", "bytes_before"]);
    assert_eq!(act(&["verify"]).line(), serde_json::json!({"ok": true, "faces": 1, "problems": []}));
}

#[test]
fn galleries_that_cannot_be_used_exit_4() {
    let Some(shared) = shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let gallery = folder.path().join("gallery").to_string_lossy().into_owned();
    let obama = photo(shared, "obama.jpg");
    let identify = || with_models(shared, ["identify", "--threshold", "0.33", "--gallery", &gallery, &obama]);
    let enroll = || with_models(shared, ["enroll", "--wait", "0", "--gallery", &gallery, "--person", "Ana", &obama]);

    let missing = identify();
    assert_eq!((missing.code, missing.error_code().as_str()), (4, "io"));
    assert_eq!(enroll().code, 0);

    let models = shared.join("models").to_string_lossy().into_owned();
    let other = ["--json", "--models", &models, "--detector", "scrfd-2.5g", "--embedder", "edgeface-xxs"];
    let other = facerec(other.iter().chain(&["enroll", "--gallery", gallery.as_str(), "--person", "Ana", obama.as_str()]));
    assert_eq!((other.code, other.error_code().as_str()), (4, "embedding_model_mismatch"));

    let writer = Gallery::open_any(&gallery, GalleryOptions::default()).unwrap();
    let locked = enroll();
    assert_eq!((locked.code, locked.error_code().as_str()), (4, "gallery_locked"));
    assert_eq!(identify().code, 0, "readers are not kept out");
    drop(writer);

    fs::write(Path::new(&gallery).join("gallery.db"), [7; 5000]).unwrap();
    for run in [enroll(), identify(), facerec(["--json", "gallery", "list", "--gallery", &gallery])] {
        assert_eq!((run.code, run.error_code().as_str()), (4, "gallery_corrupt"), "{}", run.stderr);
    }
    let doctor = with_models(shared, ["doctor", "--gallery", &gallery]);
    assert_eq!(doctor.code, 4, "{}", doctor.stdout);
}

#[test]
fn evaluations_report_what_the_contract_names() {
    let Some(shared) = shared() else { return };
    let images = shared.join("data/lfw/images");
    let Ok(people) = fs::read_dir(&images) else { return };
    // The first people with two photos, so that the test takes seconds.
    let mut names: Vec<String> = people.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names.retain(|name| images.join(name).join(format!("{name}_0002.jpg")).is_file());
    names.truncate(8);
    let folder = tempfile::tempdir().unwrap();
    let mut pairs = "2\t4\n".to_string();
    for fold in names.chunks(4) {
        for name in fold {
            pairs += &format!("{name}\t1\t2\n");
        }
        for (n, name) in fold.iter().enumerate() {
            pairs += &format!("{name}\t1\t{}\t1\n", fold[(n + 1) % 4]);
        }
    }
    let list = folder.path().join("pairs.txt").to_string_lossy().into_owned();
    fs::write(&list, pairs).unwrap();
    let evaluated = with_models(shared, ["evaluate", "pairs", "--pairs", &list, "--images", images.to_str().unwrap()]);
    let line = evaluated.line();
    assert_eq!(keys(&line), ["accuracy", "accuracy_std", "eer", "no_face", "pairs", "tar", "threshold", "wall_ms"]);
    assert_eq!((keys(&line["tar"]), keys(&line["threshold"])), (vec!["1e-2", "1e-3"], vec!["1e-2", "1e-3"]));
    assert_eq!((line["pairs"].as_i64(), line["no_face"].as_i64()), (Some(16), Some(0)));
    assert!(line["accuracy"].as_f64().unwrap() >= 0.8, "{line}");

    let small = folder.path().join("people");
    for name in &names {
        fs::create_dir_all(small.join(name)).unwrap();
        for n in 1..=2 {
            let photo = format!("{name}_000{n}.jpg");
            fs::copy(images.join(name).join(&photo), small.join(name).join(&photo)).unwrap();
        }
    }
    let small = small.to_string_lossy().into_owned();
    let calibrated = with_models(shared, ["calibrate", "--from", &small, "--fmr", "0.05"]);
    assert_eq!(keys(&calibrated.line()), ["fmr", "fnmr", "pairs", "passed_over", "threshold"]);
    assert_eq!(calibrated.line()["pairs"], 16 * 15 / 2);
    let found = with_models(shared, ["evaluate", "identification", "--from", &small]).line();
    assert_eq!((found["persons"].as_i64(), found["probes"].as_i64()), (Some(8), Some(8)));
    assert_eq!(with_models(shared, ["calibrate", "--from", &small, "--fmr", "2"]).code, 2);
}

#[test]
fn people_read_text_and_a_closed_pipe_is_no_panic() {
    let Some(shared) = shared() else { return };
    let mut options = engine_options(shared);
    options.retain(|option| option != "--json");
    let t1 = photo(shared, "t1.jpg");
    let text = facerec(options.iter().map(String::as_str).chain(["detect", &t1]));
    assert!(text.stdout.contains("1280x886") && text.stdout.contains("6 faces"), "{}", text.stdout);
    assert!(!text.stdout.contains('{') && text.stderr.is_empty());

    let scene = fixture("scene.png");
    let mut command = command();
    command.args(engine_options(shared)).arg("detect").args(std::iter::repeat_n(&scene, 60));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(first.starts_with('{'));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code().is_some_and(|code| code <= 1) && stderr.is_empty(), "{:?} {stderr}", output.status);
}
