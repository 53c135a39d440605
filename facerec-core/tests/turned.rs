//! Photos and videos on their side or upside down are read upright, and faces that cannot be recognised are nobody's, whoever asks.

#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use facerec_core::gallery::{ClusterOptions, cluster};
use facerec_core::pipeline::TrackDecisionOptions;
use facerec_core::{
    Analyzer, DecisionOptions, DecisionReason, Detect, Detection, Embed, Embedding, Engine, EnrollOptions, Enrolment, Face, Frame,
    FrameSource, Gallery, GalleryOptions, Image, ImageView, Landmarks, ModelKey, NewFace, PipelineOptions, Point, QualityGate,
    Recognisability, Rect, RejectReason, Result, Sighting, VideoInfo, VideoPipeline, VideoSummary,
};

const TEMPLATE: [Point; 5] =
    [Point::new(38.3, 51.7), Point::new(73.5, 51.5), Point::new(56.0, 71.7), Point::new(41.5, 92.4), Point::new(70.7, 92.2)];

/// Like real detectors, finds the 112 px face at the middle of a picture however it stands, always with upright landmarks.
#[derive(Default)]
struct Finder {
    looks: AtomicUsize,
    /// Sees upright faces only.
    blind: bool,
    /// Sees nothing in black pictures.
    wary: bool,
    /// Sees faces half as large.
    small: bool,
}

impl Detect for Finder {
    fn detect_batch(&self, images: &[ImageView<'_>]) -> Result<Vec<Vec<Detection>>> {
        self.looks.fetch_add(images.len(), Ordering::Relaxed);
        let face = |image: &ImageView<'_>| {
            let scale = if self.small { 0.5 } else { 1.0 };
            let (left, top) = (image.width() as f32 / 2.0 - 56.0 * scale, image.height() as f32 / 2.0 - 56.0 * scale);
            let at = |x: f32, y: f32| Point::new(left + x * scale, top + y * scale);
            let landmarks = Landmarks(TEMPLATE.map(|point| at(point.x, point.y)));
            let upright = is_upright(&image.to_image());
            let (from, to) = (at(20.0, 15.0), at(92.0, 105.0));
            let found = Detection { rect: Rect::new(from.x, from.y, to.x, to.y), score: 0.9, landmarks };
            if self.blind && !upright || self.wary && brightness(image.to_image().data()) < 1.0 { Vec::new() } else { vec![found] }
        };
        Ok(images.iter().map(face).collect())
    }
}

/// Upright faces are light above and dark below; what is not upright cannot be recognised.
struct Reader(Arc<ModelKey>);

impl Reader {
    fn new() -> Self {
        Self::sure(8.0)
    }

    /// The larger `by`, the nearer is the recognisability to 0 and 1.
    fn sure(by: f32) -> Self {
        let measure = Recognisability::new([by, 0.0, 0.0], 0.0).unwrap();
        Self(Arc::new(ModelKey::new("halves", "1").recognisability(Some(measure))))
    }
}

impl Embed for Reader {
    fn model_key(&self) -> &Arc<ModelKey> {
        &self.0
    }

    fn template(&self) -> ([Point; 5], u32) {
        (TEMPLATE, 112)
    }

    fn embed_batch(&self, aligned: &[Image]) -> Result<Vec<Embedding>> {
        let vector = |face: &Image| vec![if is_upright(face) { 1.0 } else { -1.0 }, 0.3, 0.2];
        aligned.iter().map(|face| Embedding::new(Arc::clone(&self.0), vector(face))).collect()
    }
}

fn brightness(pixels: &[u8]) -> f32 {
    pixels.iter().map(|&value| f32::from(value)).sum::<f32>() / pixels.len() as f32
}

/// By the middle columns, so that a picture on its side is neither.
fn is_upright(image: &Image) -> bool {
    let half = image.data().len() / 2;
    brightness(&image.data()[..half]) > brightness(&image.data()[half..]) + 40.0
}

/// A portrait, light above and dark below, turned clockwise by so many quarters.
fn portrait(quarters: usize) -> Image {
    portrait_of((300, 240), quarters)
}

fn portrait_of((width, height): (u32, u32), quarters: usize) -> Image {
    let mut image = Image::filled(width, height, [0; 3]);
    let half = image.data().len() / 2;
    image.data_mut()[..half].fill(200);
    (0..quarters).fold(image, |image, _| quarter(&image))
}

fn quarter(image: &Image) -> Image {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let mut data = Vec::with_capacity(image.data().len());
    for y in 0..width {
        for x in 0..height {
            let at = ((height - 1 - x) * width + y) * 3;
            data.extend_from_slice(&image.data()[at..at + 3]);
        }
    }
    Image::from_rgb(height as u32, width as u32, data).unwrap()
}

fn analyzer(finder: Finder) -> (Arc<Finder>, Analyzer) {
    let finder = Arc::new(finder);
    (Arc::clone(&finder), Analyzer::new(finder, Arc::new(Reader::new())))
}

#[test]
fn a_turned_photo_is_read_upright_and_an_upright_one_is_looked_at_once() {
    for blind in [false, true] {
        for quarters in 0..4 {
            let (finder, analyzer) = analyzer(Finder { blind, ..Finder::default() });
            let faces = analyzer.embed(&portrait(quarters)).unwrap();
            assert_eq!(faces.len(), 1, "{quarters} quarters, blind {blind}");
            assert!(faces[0].embedding.as_ref().unwrap().is_recognisable(), "{quarters} quarters");
            assert!(faces[0].quality.unwrap().recognisability.unwrap() > 0.9);
            let (eyes, mouth) = (faces[0].detection.landmarks.left_eye(), faces[0].detection.landmarks.left_mouth());
            let down = [(0.0, 1.0), (-1.0, 0.0), (0.0, -1.0), (1.0, 0.0)][quarters];
            let along = (mouth.x - eyes.x) * down.0 + (mouth.y - eyes.y) * down.1;
            assert!(along > 35.0, "the mouth lies below the eyes as the photo is turned: {quarters} quarters, {along}");
            assert_eq!(finder.looks.load(Ordering::Relaxed), if quarters == 0 { 1 } else { 4 });
        }
    }
}

#[test]
fn a_small_turned_face_counts_where_a_face_was_seen_or_in_a_small_picture() {
    let read = |blind: bool, size: (u32, u32)| {
        let analyzer = Analyzer::new(Arc::new(Finder { blind, small: true, ..Finder::default() }), Arc::new(Reader::sure(2.2)));
        let faces = analyzer.embed(&portrait_of(size, 2)).unwrap();
        faces.first().map(|face| face.quality.unwrap().recognisability.unwrap())
    };
    let surely = |found: Option<f32>| found.is_some_and(|value| (0.8..0.95).contains(&value));
    assert!(surely(read(false, (300, 240))), "the picture as it stands shows a face there: {:?}", read(false, (300, 240)));
    assert_eq!(read(true, (300, 240)), None, "nothing is seen there: it may be none");
    assert!(surely(read(true, (110, 110))), "a portrait: {:?}", read(true, (110, 110)));
}

#[test]
fn a_photo_is_read_as_it_stands_when_asked() {
    let (finder, analyzer) = analyzer(Finder::default());
    let faces = analyzer.turned(false).embed(&portrait(2)).unwrap();
    assert!(!faces[0].embedding.as_ref().unwrap().is_recognisable());
    assert_eq!(finder.looks.load(Ordering::Relaxed), 1);
}

#[test]
fn a_face_that_cannot_be_recognised_is_nobodys() {
    let reader = Reader::new();
    let key = Arc::clone(reader.model_key());
    let vector = |first: f32, second: f32| Embedding::new(Arc::clone(&key), vec![first, second, 0.1]).unwrap();
    let (clear, smeared) = (vector(1.0, 0.3), vector(-1.0, 0.3));

    let folder = tempfile::tempdir().unwrap();
    let gallery = Gallery::open(folder.path(), &key, GalleryOptions::default()).unwrap();
    let face = |embedding: &Embedding| {
        let detection = Finder::default().detect_batch(&[portrait(0).view()]).unwrap().remove(0).remove(0);
        Face { detection, quality: None, embedding: Some(embedding.clone()) }
    };
    let enroll = |name: &str, faces: Vec<Face>, gate| {
        facerec_core::enroll::enroll_faces(&gallery, name, faces, 0.4, &EnrollOptions::default().gate(gate)).unwrap()
    };
    for gate in [QualityGate::Off, QualityGate::Standard, QualityGate::Strict] {
        let refused = enroll("Ana", vec![face(&smeared)], gate);
        assert!(matches!(refused, Enrolment::Rejected { reason: RejectReason::Unrecognisable, .. }), "{gate:?}: {refused:?}");
    }
    // What is no face is no rival of one.
    assert!(matches!(enroll("Ana", vec![face(&smeared), face(&clear)], QualityGate::Standard), Enrolment::Accepted { .. }));

    let options = DecisionOptions::new(-1.0);
    let known = gallery.identify(&clear, &options).unwrap();
    assert_eq!((known.name.as_deref(), known.reason), (Some("Ana"), DecisionReason::Match));
    let unknown = gallery.identify(&smeared, &options).unwrap();
    assert_eq!((unknown.name, unknown.reason.code()), (None, "unrecognisable"));
    assert_eq!(unknown.candidates.len(), 1, "the evidence stays");
    // A vector that came as bare numbers is judged by the gallery's own measure.
    let bare = Embedding::new(Arc::new(ModelKey::new("halves", "1")), smeared.as_slice().to_vec()).unwrap();
    assert_eq!(gallery.identify(&bare, &options).unwrap().reason, DecisionReason::Unrecognisable);

    let faces = [clear.clone(), smeared.clone(), clear, smeared];
    let clusters = cluster(&faces, &ClusterOptions::new(0.5, 0.0)).unwrap();
    let members: Vec<Vec<usize>> = clusters.into_iter().map(|cluster| cluster.members).collect();
    assert_eq!(members, [vec![0, 2], vec![1], vec![3]], "strangers that look alike are not put together");
}

/// Ten frames a second; each shows the portrait turned by so many quarters, or nobody.
struct Film(Vec<Option<usize>>, usize);

impl Film {
    fn seconds(parts: &[(usize, Option<usize>)]) -> Self {
        Self(parts.iter().flat_map(|(seconds, shown)| vec![*shown; seconds * 10]).collect(), 0)
    }
}

impl FrameSource for Film {
    fn next_frame(&mut self) -> Result<Option<Frame>> {
        let Some(shown) = self.0.get(self.1) else { return Ok(None) };
        let image = shown.map_or_else(|| Image::filled(300, 240, [0; 3]), portrait);
        self.1 += 1;
        Ok(Some(Frame::from_image(self.1 as u64 - 1, Duration::from_millis(self.1 as u64 * 100 - 100), image)))
    }

    fn info(&self) -> VideoInfo {
        VideoInfo::default()
    }
}

/// Whoever is upright is Ana. The sightings, the summary and the number of looks.
fn watch(film: Film, change: impl FnOnce(PipelineOptions) -> PipelineOptions) -> (Vec<Sighting>, VideoSummary, usize) {
    let (finder, reader) = (Arc::new(Finder { wary: true, ..Finder::default() }), Arc::new(Reader::new()));
    let folder = tempfile::tempdir().unwrap();
    let gallery = Gallery::open(folder.path(), reader.model_key(), GalleryOptions::default()).unwrap();
    let ana = reader.embed_batch(&[portrait(0)]).unwrap().remove(0);
    gallery.add("Ana", NewFace::new(&ana)).unwrap();
    let options = change(PipelineOptions::new(TrackDecisionOptions::new(0.8, 0.05)).boxes(true));
    let pipeline = VideoPipeline::new(Arc::clone(&finder) as _, reader, options).unwrap();
    let mut sightings = pipeline.run(film, &gallery).unwrap();
    let found = sightings.by_ref().map(Result::unwrap).collect();
    (found, sightings.summary().clone(), finder.looks.load(Ordering::Relaxed))
}

fn seconds(sighting: &Sighting) -> [f32; 2] {
    [sighting.start, sighting.end].map(|time| time.as_secs_f32())
}

#[test]
fn a_turned_video_is_read_upright_from_its_first_frame() {
    for quarters in 0..4 {
        let (found, summary, looks) = watch(Film::seconds(&[(6, Some(quarters))]), |options| options);
        assert_eq!(found.iter().map(Sighting::name).collect::<Vec<_>>(), [Some("Ana")], "{quarters} quarters");
        assert_eq!(seconds(&found[0]), [0.0, 5.9], "{quarters} quarters");
        assert_eq!(summary.turned_deg as usize, [0, 270, 180, 90][quarters]);
        // The face's box is 72 x 90, its middle 4 pixels below the frame's: a place in the frame as it is.
        let (rect, frame) = (found[0].boxes[0].rect, portrait(quarters));
        assert_eq!((rect.width(), rect.height()), if quarters % 2 == 0 { (72.0, 90.0) } else { (90.0, 72.0) });
        let aside = (rect.center().x - frame.width() as f32 / 2.0, rect.center().y - frame.height() as f32 / 2.0);
        assert_eq!(aside, [(0.0, 4.0), (-4.0, 0.0), (0.0, -4.0), (4.0, 0.0)][quarters], "{quarters} quarters");
        assert!(is_upright(found[0].best_shots[0].picture.as_ref().unwrap()), "the evidence is shown upright");
        // Two frames are asked; a turned video is asked again after five seconds, the frames ahead are looked at again.
        assert!(looks <= if quarters == 0 { 62 } else { 60 + 12 + 8 }, "{quarters} quarters: {looks} looks");
    }
}

#[test]
fn a_turned_video_is_read_as_it_stands_when_asked() {
    let (found, summary, looks) = watch(Film::seconds(&[(4, Some(2))]), |options| options.turned(false));
    assert!(found.iter().all(|found| found.name().is_none()));
    assert_eq!((summary.turned_deg, looks), (0, 40));
}

#[test]
fn a_video_s_first_face_may_be_late_and_may_lie_down() {
    let (found, ..) = watch(Film::seconds(&[(20, None), (6, Some(1))]), |options| options);
    let named: Vec<[f32; 2]> = found.iter().filter(|found| found.name() == Some("Ana")).map(seconds).collect();
    assert!(named.len() == 1 && named[0][0] <= 23.0 && named[0][1] == 25.9, "{named:?}");

    let (found, summary, _) = watch(Film::seconds(&[(6, Some(1)), (20, Some(0))]), |options| options);
    let named: Vec<[f32; 2]> = found.iter().filter(|found| found.name() == Some("Ana")).map(seconds).collect();
    assert_eq!(summary.turned_deg, 0, "a film that begins in bed is no turned film");
    assert!(named.iter().any(|span| span[0] <= 11.5 && span[1] == 25.9), "{named:?}");

    for late in 20..26 {
        let (found, ..) = watch(Film::seconds(&[(late, None), (2, Some(1)), (2, None)]), |options| options);
        assert!(found.iter().any(|found| found.name() == Some("Ana")), "who passes by in two seconds, after {late}");
    }

    let (_, _, looks) = watch(Film::seconds(&[(60, None)]), |options| options);
    assert!(looks <= 600 + 20 * 4, "nobody there costs little: {looks}");
}

/// The default models and the sample photos, which `scripts/setup.sh` fetches.
fn samples() -> Option<(Engine, PathBuf)> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.facerec");
    let photos = home.join("photos/people");
    if !photos.is_dir() {
        assert!(std::env::var_os("CI").is_none(), "`{}` is missing: run scripts/setup.sh", photos.display());
        eprintln!("SKIPPED: `{}` is missing; run scripts/setup.sh", photos.display());
        return None;
    }
    Some((Engine::builder().model_folder(home.join("models")).build().unwrap(), photos))
}

#[test]
fn turned_photos_of_people_are_enrolled_compared_and_named() {
    let Some((engine, photos)) = samples() else { return };
    let obama = Image::open(photos.join("obama.jpg")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let gallery = engine.open_gallery(folder.path()).unwrap();
    for (name, photo) in [("Barack Obama", "obama2.jpg"), ("Joe Biden", "biden.jpg")] {
        let upside_down = quarter(&quarter(&Image::open(photos.join(photo)).unwrap()));
        let enrolled = engine.enroll(&gallery, name, &upside_down, &EnrollOptions::default()).unwrap();
        assert!(matches!(enrolled, Enrolment::Accepted { .. }), "{photo}: {enrolled:?}");
    }
    let mut turned = obama.clone();
    for quarters in 0..4 {
        let found = engine.identify(&gallery, &turned).unwrap();
        let names: Vec<Option<&str>> = found.iter().map(|found| found.decision.name.as_deref()).collect();
        assert_eq!(names, [Some("Barack Obama")], "{quarters} quarters");
        assert!(engine.compare(&obama, &turned).unwrap().similarity.unwrap() > 0.8, "{quarters} quarters");
        let shown = engine.detect(&turned).unwrap();
        assert_eq!(shown.len(), 1);
        assert!(shown[0].detection.landmarks.nose().distance(found[0].face.detection.landmarks.nose()) < 2.0, "detect agrees");
        turned = quarter(&turned);
    }
}
