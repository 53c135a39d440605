//! Same answers as the reference: InsightFace 2.1 (SCRFD, ArcFace), OpenCV's FaceDetectorYN, and CenterFace read as its paper
//! says, on the photos of `fixtures/reference`. Broken preprocessing must be noticed by the same comparisons.

#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

mod reference;

use std::path::Path;
use std::sync::{Arc, LazyLock};

use facerec_core::analyze::Analyzer;
use facerec_core::detect::{Detail, Detect, DetectOptions, Detector};
use facerec_core::embed::{Embed, Embedder};
use facerec_core::face::Detection;
use facerec_core::model::{Channels, ModelCatalog, ResolvedModel};
use facerec_core::runtime::{Runtime, RuntimeOptions};
use reference::{Comparison, Photo, TOLERANCE, Tolerance, counterpart, photos, shared, side};

/// As the reference was run.
const SCORE_THRESHOLD: f32 = 0.5;
const NMS_IOU: f32 = 0.4;
const NMS_IOU_CENTERFACE: f32 = 0.3;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new(RuntimeOptions::default()).expect("ONNX Runtime is installed"));

/// A model of the shared folder or of the default pack, or `None` (said once, aloud) without the shared folder, which has the photos.
fn model(id: &str) -> Option<ResolvedModel> {
    let folders = vec![shared()?.join("models"), Path::new(env!("CARGO_MANIFEST_DIR")).join("../.facerec/models")];
    Some(
        ModelCatalog::new(folders).expect("folders of models").resolve(id).expect("a model that scripts/setup.sh or the shared folder has"),
    )
}

/// The network's input as InsightFace makes it: a square of 640 pixels, whatever the photo's shape.
fn on_a_square(mut model: ResolvedModel) -> ResolvedModel {
    model.manifest.input.dynamic = false;
    model.manifest.input.size = [640, 640];
    model
}

fn detector(model: &ResolvedModel) -> Detector {
    let nms_iou = if model.manifest.id == "centerface" { NMS_IOU_CENTERFACE } else { NMS_IOU };
    let options = DetectOptions::default().score_threshold(SCORE_THRESHOLD).nms_iou(nms_iou).second_pass(false).detail(Detail::Fast);
    Detector::from_files(&RUNTIME, model, None, options).unwrap()
}

fn detect_all(model: &ResolvedModel) -> Vec<Vec<Detection>> {
    let detector = detector(model);
    photos().iter().map(|photo| detector.detect(&photo.image).unwrap()).collect()
}

fn compare_detections(id: &str, found: &[Vec<Detection>], tolerance: Tolerance) -> Comparison {
    let mut comparison = Comparison::default();
    for (photo, found) in photos().iter().zip(found) {
        comparison.add(&photo.name, &photo.detections(id), found, SCORE_THRESHOLD, tolerance);
    }
    let Comparison { faces, unsteady, geometry, score, failures } = &comparison;
    eprintln!(
        "{id}: {faces} faces ({unsteady} unsteady in the reference); furthest {geometry:.2} of the tolerance in place, {score:.2} in score; {} outside",
        failures.len()
    );
    comparison
}

#[test]
fn scrfd_detects_as_insightface() {
    for id in ["scrfd-2.5g", "scrfd-500m"] {
        let Some(model) = model(id) else { return };
        let comparison = compare_detections(id, &detect_all(&on_a_square(model)), TOLERANCE);
        assert!(comparison.faces > 100 && comparison.failures.is_empty(), "{id}: {:#?}", comparison.failures);
    }
}

#[test]
fn a_canvas_that_fits_the_photo_changes_little() {
    // The default: rows that would only be black are left out, which is a quarter of the work for a 4:3 photo. Beyond the
    // canvas the network then sees its own zero padding instead of black, and answers a little differently.
    let wider = Tolerance { of_face: 0.05, score: 0.05, ..TOLERANCE };
    for (id, percent_outside) in [("scrfd-2.5g", 1), ("scrfd-500m", 3)] {
        let Some(model) = model(id) else { return };
        let found = detect_all(&model);
        let comparison = compare_detections(id, &found, TOLERANCE);
        assert!(comparison.failures.len() * 100 <= comparison.faces * percent_outside, "{id}: {:#?}", comparison.failures);
        let comparison = compare_detections(id, &found, wider);
        assert!(comparison.failures.is_empty(), "{id}: {:#?}", comparison.failures);
    }
}

#[test]
fn yunet_detects_as_opencv() {
    let Some(model) = model("yunet-2026may") else { return };
    let comparison = compare_detections("yunet-2026may", &detect_all(&model), TOLERANCE);
    assert!(comparison.faces > 100 && comparison.failures.is_empty(), "{:#?}", comparison.failures);
}

#[test]
fn centerface_detects_as_its_paper_says() {
    let Some(mut model) = model("centerface") else { return };
    // As the reference was run.
    model.manifest.input.size = [640, 640];
    model.manifest.detect.as_mut().unwrap().min_side = 0;
    let comparison = compare_detections("centerface", &detect_all(&model), TOLERANCE);
    assert!(comparison.faces > 100 && comparison.failures.is_empty(), "{:#?}", comparison.failures);
}

/// Cosines of our vectors with the reference's, from the reference's landmarks: the lowest and the mean.
fn compare_embeddings(model: &ResolvedModel) -> (f32, f32) {
    compare_embeddings_with(model, |photo| photo.embeddings(&model.manifest.id))
}

fn compare_embeddings_with(model: &ResolvedModel, reference: impl Fn(&Photo) -> Vec<(Detection, Vec<f32>)>) -> (f32, f32) {
    let embedder = Arc::new(Embedder::from_file(&RUNTIME, model).unwrap());
    let analyzer = Analyzer::new(Arc::new(NoDetector), embedder);
    let mut cosines = Vec::new();
    for photo in photos() {
        let faces = reference(photo);
        let landmarks: Vec<_> = faces.iter().map(|(face, _)| face.landmarks).collect();
        let ours = analyzer.embed_landmarks(&photo.image, &landmarks).unwrap();
        cosines.extend(ours.iter().zip(&faces).map(|(ours, (_, theirs))| cosine(ours.as_slice(), theirs)));
    }
    let lowest = cosines.iter().copied().fold(1.0, f32::min);
    let mean = cosines.iter().sum::<f32>() / cosines.len() as f32;
    eprintln!("{}: {} faces; cosine with the reference at least {lowest:.5}, mean {mean:.5}", model.manifest.id, cosines.len());
    (lowest, mean)
}

fn embeddings_agree((lowest, mean): (f32, f32)) -> bool {
    lowest >= 0.9995 && mean >= 0.9999
}

/// Stands where a detector must when the landmarks are known.
struct NoDetector;

impl Detect for NoDetector {
    fn detect_batch(&self, _: &[facerec_core::image::ImageView<'_>]) -> facerec_core::Result<Vec<Vec<Detection>>> {
        unreachable!("the landmarks are given")
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    assert_eq!(a.len(), b.len());
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn embedders_embed_as_insightface() {
    for id in ["edgeface-xs", "mobilefacenet-expo-prelu", "mobilefacenet-foamliu"] {
        let Some(model) = model(id) else { return };
        let cosines = compare_embeddings(&model);
        assert!(embeddings_agree(cosines), "{id}: lowest and mean cosine {cosines:?}");
    }
}

#[test]
fn the_mirrored_face_is_added() {
    let Some(mirrored) = model("mobilefacenet-expo-mirror") else { return };
    let mut plain = mirrored.clone();
    plain.manifest.embed.as_mut().unwrap().mirror = false;
    let cosines = compare_embeddings_with(&mirrored, Photo::mirrored_embeddings);
    assert!(embeddings_agree(cosines), "lowest and mean cosine {cosines:?}");
    assert!(!embeddings_agree(compare_embeddings_with(&plain, Photo::mirrored_embeddings)));
}

#[test]
fn end_to_end_vectors_agree() {
    let (Some(detect), Some(embed)) = (model("scrfd-2.5g"), model("edgeface-xs")) else { return };
    // As a user gets it: the default options, second pass included.
    let detector = Detector::from_files(&RUNTIME, &detect, None, DetectOptions::default().detail(Detail::Fast)).unwrap();
    let embedder: Arc<dyn Embed> = Arc::new(Embedder::from_file(&RUNTIME, &embed).unwrap());
    // The reference looks once, at the picture as it stands.
    let analyzer = Analyzer::new(Arc::new(detector), embedder).turned(false);
    let (mut compared, mut lowest, mut failures) = (0, 1.0_f32, Vec::new());
    for photo in photos() {
        let faces = analyzer.embed(&photo.image).unwrap();
        let found: Vec<_> = faces.iter().map(|face| face.detection).collect();
        // 0.995: where the reference is that far from itself under noise, 0.99 says nothing about us.
        for (face, theirs, _) in photo.end_to_end().iter().filter(|(face, _, wobble)| side(face) >= 60.0 && *wobble >= 0.995) {
            let ours = counterpart(face, &found).and_then(|ours| faces.iter().find(|f| f.detection == *ours));
            let cosine = ours.map_or(-1.0, |ours| cosine(ours.embedding.as_ref().unwrap().as_slice(), theirs));
            compared += 1;
            lowest = lowest.min(cosine);
            if cosine < 0.99 {
                failures.push(format!("{}: cosine {cosine:.4}, face {:.0} px, score {:.3}", photo.name, side(face), face.score));
            }
        }
    }
    eprintln!("end to end: {compared} faces of 60 px and more; cosine with the reference at least {lowest:.4}");
    assert!(compared > 20 && failures.is_empty(), "{failures:#?}");
}

#[test]
fn a_wrong_channel_order_or_mean_is_noticed() {
    let (Some(scrfd), Some(yunet), Some(edgeface)) = (model("scrfd-2.5g"), model("yunet-2026may"), model("edgeface-xs")) else { return };
    let with = |model: &ResolvedModel, change: fn(&mut ResolvedModel)| {
        let mut model = model.clone();
        change(&mut model);
        model
    };
    let other_order = |model: &mut ResolvedModel| {
        let channels = &mut model.manifest.input.channels;
        *channels = if *channels == Channels::Rgb { Channels::Bgr } else { Channels::Rgb };
    };
    let other_mean = |model: &mut ResolvedModel| model.manifest.input.mean = [104.0, 117.0, 123.0];
    for change in [other_order, other_mean] {
        for detector in [&on_a_square(scrfd.clone()), &yunet] {
            let comparison = compare_detections(&detector.manifest.id, &detect_all(&with(detector, change)), TOLERANCE);
            assert!(!comparison.failures.is_empty(), "{}", detector.manifest.id);
        }
        assert!(!embeddings_agree(compare_embeddings(&with(&edgeface, change))));
    }
}
