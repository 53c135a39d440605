//! The reference's answers (`fixtures/reference`), the photos they were given on, and how ours are compared with them.

// Several test programs use a part of this each.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use facerec_core::face::Detection;
use facerec_core::geometry::{Landmarks, Point, Rect};
use facerec_core::image::Image;
use serde_json::Value;

/// Photos and weights, which are not part of the repository: `FACEREC_SHARED`, or `shared` beside the checkout.
pub fn shared() -> Option<&'static Path> {
    static SHARED: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
        let folder = std::env::var_os("FACEREC_SHARED").map_or(beside, PathBuf::from);
        if folder.join("models").is_dir() {
            return Some(folder);
        }
        eprintln!("SKIPPED: `{}` has no models and photos; set FACEREC_SHARED to compare with the reference", folder.display());
        None
    });
    SHARED.as_deref()
}

/// What the reference said of one photo.
pub struct Photo {
    pub name: String,
    pub image: Image,
    answers: Value,
    default_pack: Value,
}

/// A face as the reference sees it.
pub struct ReferenceFace {
    pub detection: Detection,
    /// Whether the reference agrees with itself, to half the tolerance, when the photo's levels move by one at random.
    /// Where it does not, nobody can agree with it.
    pub steady: bool,
}

impl Photo {
    /// The faces of the reference's `model` with scores from 0.45.
    pub fn detections(&self, model: &str) -> Vec<ReferenceFace> {
        let (faces, wobble) = match model {
            "centerface" => (&self.default_pack["detections"], &self.default_pack["wobble"]),
            _ => (&self.answers["detections"][model], &self.answers["wobble"][model]),
        };
        let faces = rows(faces).into_iter().zip(numbers(wobble));
        faces.map(|(row, wobble)| ReferenceFace { detection: detection(&row), steady: wobble <= 0.5 }).collect()
    }

    /// Faces of scrfd-2.5g with the unit vectors of the default pack's embedder, the mirrored face added, from the pixels that facerec decodes.
    pub fn mirrored_embeddings(&self) -> Vec<(Detection, Vec<f32>)> {
        self.embedded_faces().zip(rows(&self.default_pack["embeddings"])).collect()
    }

    /// Faces of scrfd-2.5g with the unit vectors of the reference's `embedder`, made from the pixels that facerec decodes.
    pub fn embeddings(&self, embedder: &str) -> Vec<(Detection, Vec<f32>)> {
        self.embedded_faces().zip(rows(&self.answers["embeddings"][embedder])).collect()
    }

    /// The same faces with the unit vectors of edgeface-xs as the reference gives them end to end, from pixels it decoded
    /// itself, and its lowest cosine with itself when the photo's levels move by one at random.
    pub fn end_to_end(&self) -> Vec<(Detection, Vec<f32>, f32)> {
        let vectors = rows(&self.answers["end_to_end"]).into_iter().zip(numbers(&self.answers["end_to_end_wobble"]));
        self.embedded_faces().zip(vectors).map(|(face, (vector, wobble))| (face, vector, wobble)).collect()
    }

    fn embedded_faces(&self) -> impl Iterator<Item = Detection> {
        let faces = rows(&self.answers["detections"]["scrfd-2.5g"]);
        numbers(&self.answers["embedded"]).into_iter().map(move |i| detection(&faces[i as usize]))
    }
}

/// All photos of the fixture, decoded and derived.
pub fn photos() -> &'static [Photo] {
    static PHOTOS: LazyLock<Vec<Photo>> = LazyLock::new(|| {
        let text = include_str!("../../../fixtures/reference/reference.json");
        let fixture: Value = serde_json::from_str(text).expect("the fixture is JSON");
        let default_pack = include_str!("../../../fixtures/reference/default_pack.json");
        let default_pack: Value = serde_json::from_str(default_pack).expect("the fixture is JSON");
        let folder = shared().expect("asked for only when present").join("data/photos");
        let photo = |(answers, default_pack): (&Value, &Value)| {
            let image = derive(&folder.join(answers["file"].as_str().expect("a file")), answers["steps"].as_array().expect("a list"));
            let size = [answers["width"].as_u64(), answers["height"].as_u64()];
            assert_eq!(size, [Some(image.width().into()), Some(image.height().into())], "{}", answers["name"]);
            Photo {
                name: answers["name"].as_str().expect("a name").into(),
                image,
                answers: answers.clone(),
                default_pack: default_pack.clone(),
            }
        };
        let list = |fixture: &Value| fixture["photos"].as_array().expect("a list").clone();
        list(&fixture).iter().zip(&list(&default_pack)).map(photo).collect()
    });
    &PHOTOS
}

/// The variant of a photo, by the same exact rules as `derive` in `generate.py`.
fn derive(path: &Path, steps: &[Value]) -> Image {
    let mut bytes = std::fs::read(path).expect("the photo is in the shared folder");
    let mut steps = steps.iter().peekable();
    if let Some(orientation) = steps.peek().and_then(|step| step["exif"].as_u64()) {
        bytes = with_orientation(&bytes, orientation as u8);
        steps.next();
    }
    let mut image = Image::decode(&bytes).expect("the photo decodes");
    for step in steps {
        let number = |name: &str| step[name].as_u64().map(|n| n as u32);
        image = if let Some(crop) = step["crop"].as_array() {
            let [x, y, w, h] = std::array::from_fn(|i| crop[i].as_u64().expect("pixels") as u32);
            pick(&image, w, h, |column, row| (x + column, y + row))
        } else if let Some(n) = number("thin") {
            pick(&image, image.width().div_ceil(n), image.height().div_ceil(n), |x, y| (x * n, y * n))
        } else if let Some(n) = number("enlarge") {
            pick(&image, image.width() * n, image.height() * n, |x, y| (x / n, y / n))
        } else {
            panic!("unknown step {step}")
        };
    }
    image
}

/// The picture whose pixel at `(x, y)` is the one of `image` at `from(x, y)`.
fn pick(image: &Image, width: u32, height: u32, from: impl Fn(u32, u32) -> (u32, u32)) -> Image {
    let mut data = Vec::with_capacity(width as usize * height as usize * 3);
    for y in 0..height {
        for x in 0..width {
            let (x, y) = from(x, y);
            let at = (y as usize * image.width() as usize + x as usize) * 3;
            data.extend_from_slice(&image.data()[at..at + 3]);
        }
    }
    Image::from_rgb(width, height, data).expect("not empty")
}

/// The JPEG with an Exif segment that holds nothing but the orientation tag.
pub fn with_orientation(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut segment = vec![0xff, 0xe1, 0, 34];
    segment.extend_from_slice(b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0");
    segment.extend_from_slice(&[orientation, 0, 0, 0, 0, 0, 0]);
    [&jpeg[..2], &segment, &jpeg[2..]].concat()
}

fn rows(value: &Value) -> Vec<Vec<f32>> {
    value.as_array().expect("rows").iter().map(numbers).collect()
}

fn numbers(row: &Value) -> Vec<f32> {
    row.as_array().expect("a row").iter().map(|v| v.as_f64().expect("a number") as f32).collect()
}

fn detection(row: &[f32]) -> Detection {
    let points = std::array::from_fn(|i| Point::new(row[5 + 2 * i], row[6 + 2 * i]));
    Detection { rect: Rect::new(row[0], row[1], row[2], row[3]), score: row[4], landmarks: Landmarks(points) }
}

/// Side of a face in pixels.
pub fn side(face: &Detection) -> f32 {
    face.rect.area().sqrt()
}

/// How far ours may be from the reference (issue 2: boxes and landmarks 1 px or 1 % of the face, scores 0.01).
#[derive(Clone, Copy)]
pub struct Tolerance {
    pub pixels: f32,
    pub of_face: f32,
    pub score: f32,
}

pub const TOLERANCE: Tolerance = Tolerance { pixels: 1.0, of_face: 0.01, score: 0.01 };

/// The face of `found` that covers `face`, if any.
pub fn counterpart<'a>(face: &Detection, found: &'a [Detection]) -> Option<&'a Detection> {
    found.iter().max_by(|a, b| a.rect.iou(&face.rect).total_cmp(&b.rect.iou(&face.rect))).filter(|best| best.rect.iou(&face.rect) > 0.5)
}

/// The comparison of a detector's answers on many photos with the reference's.
#[derive(Debug, Default)]
pub struct Comparison {
    pub faces: usize,
    /// Faces where the reference does not agree with itself: they must be found, and no more is asked.
    pub unsteady: usize,
    /// The largest deviations seen, as shares of the tolerance.
    pub geometry: f32,
    pub score: f32,
    /// What is outside the tolerance, in words.
    pub failures: Vec<String>,
}

impl Comparison {
    /// Adds one photo. A face whose score is nearer to the threshold than the score's tolerance may be absent on one side.
    pub fn add(&mut self, photo: &str, expected: &[ReferenceFace], found: &[Detection], threshold: f32, tolerance: Tolerance) {
        for ReferenceFace { detection: face, steady } in expected {
            let Some(ours) = counterpart(face, found) else {
                if face.score >= threshold + tolerance.score && *steady {
                    self.failures.push(format!("{photo}: missing {face:?}"));
                }
                continue;
            };
            self.faces += 1;
            if !steady {
                self.unsteady += 1;
                continue;
            }
            let corners = |d: &Detection| [Point::new(d.rect.x1, d.rect.y1), Point::new(d.rect.x2, d.rect.y2)];
            let pairs = corners(face).into_iter().zip(corners(ours)).chain(face.landmarks.0.into_iter().zip(ours.landmarks.0));
            let away = pairs.map(|(a, b)| (a.x - b.x).abs().max((a.y - b.y).abs())).fold(0.0, f32::max);
            let geometry = away / (tolerance.of_face * side(face)).max(tolerance.pixels);
            let score = (face.score - ours.score).abs() / tolerance.score;
            if geometry > 1.0 || score > 1.0 {
                let what = format!("{photo}: {away:.2} px, score {:.4} for {:.4}, face {:.0} px", ours.score, face.score, side(face));
                self.failures.push(what);
            }
            self.geometry = self.geometry.max(geometry);
            self.score = self.score.max(score);
        }
        let known: Vec<Detection> = expected.iter().map(|face| face.detection).collect();
        for extra in found.iter().filter(|ours| counterpart(ours, &known).is_none()) {
            self.failures.push(format!("{photo}: not in the reference {extra:?}"));
        }
    }
}
