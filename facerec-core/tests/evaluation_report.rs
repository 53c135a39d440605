//! `evaluate::report`: figures and page on made photos, with a detector and an embedder that look at colours; and the command on real ones.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)] // what is skipped is said aloud

#[cfg(feature = "cli")]
mod facerec_command;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use facerec_core::evaluate::{EvaluateOptions, EvaluationReport, JudgedPack, ReportOptions, report};
use facerec_core::{Analyzer, Detect, Detection, Embed, Embedding, Image, ImageView, Landmarks, ModelKey, Point, Rect, Result};

const POINTS: [Point; 5] =
    [Point::new(20.0, 24.0), Point::new(44.0, 24.0), Point::new(32.0, 36.0), Point::new(24.0, 48.0), Point::new(40.0, 48.0)];

/// Finds a face in every picture that is not black.
struct Colourful;

impl Detect for Colourful {
    fn detect_batch(&self, images: &[ImageView<'_>]) -> Result<Vec<Vec<Detection>>> {
        let face = Detection { rect: Rect::new(0.0, 0.0, 64.0, 64.0), score: 0.9, landmarks: Landmarks(POINTS) };
        Ok(images.iter().map(|image| if image.to_rgb().iter().any(|&value| value > 8) { vec![face] } else { vec![] }).collect())
    }
}

/// The mean colour as a vector.
struct Colour(Arc<ModelKey>);

impl Embed for Colour {
    fn model_key(&self) -> &Arc<ModelKey> {
        &self.0
    }

    fn template(&self) -> ([Point; 5], u32) {
        (POINTS, 64)
    }

    fn embed_batch(&self, aligned: &[Image]) -> Result<Vec<Embedding>> {
        let mean = |image: &Image, channel: usize| {
            let values: Vec<f32> = image.data().iter().skip(channel).step_by(3).map(|&value| f32::from(value) - 100.0).collect();
            values.iter().sum::<f32>() / values.len() as f32
        };
        aligned.iter().map(|image| Embedding::new(Arc::clone(&self.0), (0..3).map(|n| mean(image, n)).collect())).collect()
    }
}

fn analyzer() -> Analyzer {
    Analyzer::new(Arc::new(Colourful), Arc::new(Colour(Arc::new(ModelKey::new("colour", "c0ffee"))))).turned(false)
}

fn photo(folder: &Path, person: &str, name: &str, colour: [u8; 3]) {
    fs::create_dir_all(folder.join(person)).unwrap();
    Image::filled(64, 64, colour).save(folder.join(person).join(name)).unwrap();
}

/// Twelve people of three photos in a colour of their own, and one of the photos black.
fn people() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for person in 0..12_u8 {
        for n in 0..3_u8 {
            let colour = [20 + 19 * person, 240 - 17 * person, 60 + 50 * (person % 4) + 5 * n];
            photo(folder.path(), &format!("Person-{person}"), &format!("photo-{n}.png"), colour);
        }
    }
    photo(folder.path(), "Person-3", "photo-2.png", [0; 3]);
    folder
}

fn options() -> ReportOptions {
    let mut options = ReportOptions::default();
    options.replicates = 100;
    options
}

fn made(folder: &Path, options: &ReportOptions) -> Result<EvaluationReport> {
    let analyzer = analyzer();
    report(&[JudgedPack::new("colours", &analyzer, &[])], folder, options, EvaluateOptions::default())
}

fn page(report: &EvaluationReport) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    report.write_html(&path).unwrap();
    let page = fs::read_to_string(&path).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    assert!(!page.contains("<script") && !page.contains("NaN") && !page.contains(" inf"));
    let outside = page.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    assert!(!outside.contains("http") && !outside.contains("url(") && !outside.contains("@import"), "the page needs nothing else");
    page
}

#[test]
fn two_packs_stand_side_by_side() {
    let folder = people();
    let (one, other) = (analyzer(), analyzer());
    let files = [ModelKey::new("finder", "0123456789abcdef0123")];
    let packs = [JudgedPack::new("first", &one, &files), JudgedPack::new("second & last", &other, &[])];
    let told = std::sync::Mutex::new(Vec::new());
    let progress = |done, all| told.lock().unwrap().push((done, all));
    let found = report(&packs, folder.path(), &options(), EvaluateOptions { progress: &progress, ..EvaluateOptions::default() }).unwrap();
    assert_eq!(told.lock().unwrap().iter().max(), Some(&(72, 72)));
    assert_eq!((found.people, found.photos, found.packs.len()), (12, 36, 2));
    let [first, second] = [&found.packs[0], &found.packs[1]];
    assert_eq!(first.verification, second.verification);
    let verification = &first.verification;
    assert_eq!((verification.no_face, verification.genuine_pairs, verification.impostor_pairs), (1, 36, 35 * 34 / 2 - 34));
    let at_1e2 = &verification.operating_points[0];
    assert_eq!(at_1e2.false_matches, Some(5));
    assert!(verification.operating_points[1].threshold.is_none() && at_1e2.threshold_interval.is_some());
    let searched = first.identification.as_ref().unwrap();
    assert_eq!((searched.enrolled, searched.mated, searched.non_mated), (12, 24, 24));
    assert_eq!((first.worst.impostor.len(), first.worst.genuine.len()), (8, 8));
    assert!(first.worst.genuine[0].similarity <= first.worst.genuine[7].similarity);
    assert!(first.worst.impostor[0].photos[0].path.ends_with(".png") && !first.worst.impostor[0].photos[0].picture.is_empty());

    let page = page(&found);
    for text in
        ["first", "second &amp; last", "finder", "0123456789abcdef<", "colour", "c0ffee", env!("CARGO_PKG_VERSION"), "prefers-color-scheme"]
    {
        assert!(page.contains(text), "{text}");
    }
    assert!(page.matches("<svg ").count() >= 4 && page.matches("data:image/jpeg;base64,").count() == 64);
    assert_eq!(found.to_json().unwrap().matches("Person-").count(), 2 * 64, "names and paths of two packs' worst pairs");
}

#[test]
fn closed_set_figures_are_those_of_the_neighbours() {
    let folder = people();
    let found = made(folder.path(), &options()).unwrap();
    let analyzer = analyzer();
    let closed = facerec_core::evaluate::identification(&analyzer, folder.path(), EvaluateOptions::default()).unwrap();
    let searched = found.packs[0].identification.as_ref().unwrap();
    assert_eq!((searched.enrolled, searched.mated), (closed.persons, closed.probes));
    assert!((searched.rank1 - closed.rank1).abs() < 1e-12);
    let calibrated = facerec_core::evaluate::calibrate(&analyzer, folder.path(), &[1e-2], EvaluateOptions::default()).unwrap();
    let threshold = found.packs[0].verification.operating_points[0].threshold.unwrap();
    assert!((threshold - calibrated[0].threshold).abs() < 1e-6, "{threshold} {}", calibrated[0].threshold);
}

#[test]
fn without_pictures_nothing_says_who_they_are() {
    let folder = people();
    let mut options = options();
    options.pictures = false;
    let found = made(folder.path(), &options).unwrap();
    let folder_name = folder.path().file_name().unwrap().to_str().unwrap();
    for text in [page(&found), found.to_json().unwrap()] {
        for secret in ["Person-", "photo-", ".png", "data:image", "<img", folder_name] {
            assert!(!text.contains(secret), "{secret}");
        }
    }
    options.pictures = true;
    let shown = made(folder.path(), &options).unwrap();
    assert!(page(&shown).contains("Person-"));
}

#[cfg(unix)]
#[test]
fn names_cannot_do_anything_in_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let hostile = ["<script>alert(1)<", "\"><img src=x onerror=alert(1)>", "a&b\u{202e}c", "new\nline"];
    for (n, name) in hostile.iter().enumerate() {
        for photo_number in 0..2_u8 {
            photo(folder.path(), name, &format!("{photo_number}'>.png"), [40 * n as u8 + 20, 200 - 30 * n as u8, 90 + photo_number]);
        }
    }
    let groups = folder.path().join("groups.csv");
    fs::write(&groups, "person,<b>kind\n\"a&b\u{202e}c\",<i>x\n<script>alert(1)<,<i>y\n").unwrap();
    let mut options = options();
    options.groups = Some(groups);
    options.command = Some("facerec --pack <script>".into());
    let found = report(&[JudgedPack::new("<script>pack", &analyzer(), &[])], folder.path(), &options, EvaluateOptions::default()).unwrap();
    let page = page(&found);
    for markup in ["<img src=x", "<b>kind", "<i>x", "<i>y"] {
        assert!(!page.contains(markup), "{markup}");
    }
    assert!(page.contains("&lt;script&gt;alert(1)&lt;") && page.contains("&lt;b&gt;kind") && page.contains("&lt;script&gt;pack"));
    assert_eq!(found.packs[0].groups.len(), 2);
}

#[test]
fn groups_have_figures_of_their_own() {
    let folder = people();
    let table = |text: &str| {
        let path = folder.path().join("groups.csv");
        fs::write(&path, text).unwrap();
        let mut options = options();
        options.groups = Some(path);
        made(folder.path(), &options)
    };
    let rows: String = (0..11).map(|n| format!("Person-{n},{}\n", if n < 6 { "low" } else { "high" })).collect();
    let found = table(&format!("person,half\n{rows}Nobody,low\n")).unwrap();
    let grouping = found.grouping.as_ref().unwrap();
    assert_eq!((grouping.attribute.as_str(), &grouping.groups[..]), ("half", &["high".to_owned(), "low".to_owned()][..]));
    assert_eq!((grouping.people_without, grouping.people_elsewhere), (1, 1));
    let [high, low] = [&found.packs[0].groups[0], &found.packs[0].groups[1]];
    assert_eq!((high.verification.people, high.verification.impostor_pairs, high.verification.no_face), (5, 15 * 14 / 2 - 15, 0));
    assert_eq!((low.verification.people, low.verification.impostor_pairs, low.verification.no_face), (6, 17 * 16 / 2 - 16, 1));
    assert!(low.at_common_thresholds[0].fmr.is_some() && low.at_common_thresholds[1].fmr.is_none());
    assert_eq!(low.identification.as_ref().unwrap().mated, 12);
    let page = page(&found);
    assert!(page.contains("half") && page.contains("<bdi>low</bdi>"));

    let error = table("person,half\nPerson-1,low\nPerson-1\n").unwrap_err();
    assert!(error.kind().code() == "invalid_argument" && error.to_string().contains("line 3"), "{error}");
    let mut missing = options();
    missing.groups = Some(folder.path().join("none.csv"));
    assert_eq!(made(folder.path(), &missing).unwrap_err().kind().code(), "io");
}

#[test]
fn little_is_no_error_and_nothing_is() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(made(folder.path(), &options()).unwrap_err().kind().code(), "invalid_argument");
    assert_eq!(made(&folder.path().join("missing"), &options()).unwrap_err().kind().code(), "io");
    // Nobody to take for another.
    photo(folder.path(), "Ana", "1.png", [200, 10, 10]);
    let single = made(folder.path(), &options()).unwrap();
    assert_eq!((single.packs[0].verification.genuine_pairs, &single.packs[0].identification), (0, &None));
    page(&single);
    photo(folder.path(), "Ana", "2.png", [200, 20, 10]);
    let one = made(folder.path(), &options()).unwrap();
    let found = &one.packs[0];
    assert_eq!((found.verification.genuine_pairs, found.verification.impostor_pairs, found.verification.eer), (1, 0, None));
    assert_eq!((found.identification.as_ref().unwrap().rank1, found.worst.genuine.len()), (1.0, 1));
    page(&one);
    // No face at all.
    let black = tempfile::tempdir().unwrap();
    for person in ["Ana", "Bob"] {
        (0..2).for_each(|n| photo(black.path(), person, &format!("{n}.png"), [0; 3]));
    }
    let none = made(black.path(), &options()).unwrap();
    assert_eq!((none.packs[0].verification.no_face, none.packs[0].verification.impostor_pairs), (4, 0));
    assert_eq!(none.packs[0].identification.as_ref().unwrap().rank1, 0.0);
    page(&none);
    fs::write(black.path().join("Ana/broken.png"), "no picture").unwrap();
    assert!(made(black.path(), &options()).is_err());
    assert_eq!(report(&[], folder.path(), &options(), EvaluateOptions::default()).unwrap_err().kind().code(), "invalid_argument");
}

#[cfg(feature = "cli")]
#[test]
fn the_command_writes_the_page_and_prints_the_figures() {
    use facerec_command::{shared, with_models};

    let Some(shared) = shared() else { return };
    let (root, photos) = (tempfile::tempdir().unwrap(), shared.join("data/photos/face_recognition/tests/test_images"));
    for (from, to) in
        [("obama.jpg", "Obama/1.jpg"), ("obama2.jpg", "Obama/2.jpg"), ("obama3.jpg", "Obama/3.jpg"), ("biden.jpg", "Biden/1.jpg")]
    {
        fs::create_dir_all(root.path().join(to).parent().unwrap()).unwrap();
        fs::copy(photos.join(from), root.path().join(to)).unwrap();
    }
    let path = |name: &str| root.path().join(name).to_string_lossy().into_owned();
    let (from, out, groups) = (path(""), path("report.html"), path("groups.tsv"));
    fs::write(&groups, "person\toffice\nObama\tpresident\nBiden\tpresident\n").unwrap();
    let run = with_models(&shared, ["evaluate", "report", "--from", &from, "--out", &out, "--groups", &groups]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let line = &run.lines[0];
    let keys: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["command", "facerec", "grouping", "out", "packs", "passed_over", "people", "photos"]);
    let pack = &line["packs"][0];
    assert_eq!((pack["pack"].as_str(), pack["embedder"]["id"].as_str()), (Some("scrfd-2.5g + edgeface-xs"), Some("edgeface-xs")));
    assert_eq!((pack["verification"]["genuine_pairs"].as_i64(), pack["verification"]["impostor_pairs"].as_i64()), (Some(3), Some(3)));
    assert_eq!((pack["verification"]["eer"].as_f64(), pack["identification"]["rank1"].as_f64()), (Some(0.0), Some(1.0)));
    assert_eq!(
        (pack["groups"][0]["group"].as_str(), pack["worst"]["genuine"][0]["photos"][0]["person"].as_str()),
        (Some("president"), Some("Obama"))
    );
    let page = fs::read_to_string(&out).unwrap();
    assert!(page.contains("Obama") && page.contains("data:image/jpeg") && page.contains("evaluate report --from"));

    let bare = with_models(&shared, ["evaluate", "report", "--from", &from, "--out", &out, "--no-pictures"]);
    assert_eq!(bare.code, 0, "{}", bare.stderr);
    let page = fs::read_to_string(&out).unwrap();
    for secret in ["Obama", "Biden", "data:image", from.trim_end_matches('/')] {
        assert!(!page.contains(secret), "{secret}");
    }
    assert!(page.contains("--no-pictures") && !bare.lines[0]["packs"].to_string().contains("Obama"));

    let nowhere = path("none/report.html");
    assert_eq!(with_models(&shared, ["evaluate", "report", "--from", &from, "--out", &nowhere]).failed(), (2, "invalid_argument"));
    fs::write(&groups, "person\toffice\nObama\n").unwrap();
    let wrong = with_models(&shared, ["evaluate", "report", "--from", &from, "--out", &out, "--groups", &groups]);
    assert!(wrong.failed() == (2, "invalid_argument") && wrong.stderr.contains("line 2"), "{}", wrong.stderr);
    // Several packs are compared with each other, nowhere else.
    let several = |args: &[&str]| with_models(&shared, ["--pack", "a", "--pack", "b"].into_iter().chain(args.iter().copied()));
    assert_eq!(several(&["detect", "a.jpg"]).failed(), (2, "invalid_argument"));
    assert_eq!(
        several(&["evaluate", "report", "--from", &from, "--out", &out]).failed(),
        (2, "invalid_argument"),
        "with a detector of its own"
    );
}
