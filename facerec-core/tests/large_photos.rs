//! Large pictures: collages of the sample photos with faces at known places and sizes, at every detail.

#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use facerec_core::detect::{Detail, DetectOptions, Detector};
use facerec_core::model::ModelCatalog;
use facerec_core::{Detection, Image, Rect, Runtime, RuntimeOptions};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new(RuntimeOptions::default()).expect("ONNX Runtime is installed"));

/// What scripts/setup.sh fetches: models and photos.
fn home() -> Option<PathBuf> {
    let home = std::env::var_os("FACEREC_HOME").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../.facerec"), PathBuf::from);
    let there = home.join("models").is_dir() && home.join("photos/people/obama.jpg").is_file();
    if !there {
        eprintln!("SKIPPED: `{}` has no models and photos; scripts/setup.sh fetches them", home.display());
    }
    there.then_some(home)
}

fn detector(home: &Path, id: &str, options: DetectOptions) -> Option<Detector> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let shared = std::env::var_os("FACEREC_SHARED").map_or(beside, PathBuf::from).join("models");
    let catalog = ModelCatalog::new(vec![home.join("models"), shared]).unwrap();
    if catalog.resolve(id).is_err() {
        eprintln!("SKIPPED: no file of the model `{id}`");
        return None;
    }
    Some(Detector::open(&RUNTIME, &catalog, id, options).unwrap())
}

fn side(rect: &Rect) -> f32 {
    rect.area().sqrt()
}

/// A portrait with hair and shoulders around its one face, and the face's box in it.
fn portrait(home: &Path, detector: &Detector, name: &str) -> (Image, Rect) {
    let photo = Image::open(home.join("photos/people").join(name)).unwrap();
    let [face] = detector.detect(&photo).unwrap()[..] else { panic!("{name}: expected one face") };
    let (rect, room) = (face.rect, side(&face.rect) * 0.6);
    let around = Rect::new((rect.x1 - room).floor(), (rect.y1 - room).floor(), rect.x2 + room, rect.y2 + room);
    let (left, top) = (around.x1.max(0.0), around.y1.max(0.0));
    (photo.crop(&around).unwrap(), Rect::new(rect.x1 - left, rect.y1 - top, rect.x2 - left, rect.y2 - top))
}

/// A picture of soft stripes, of `width` x `height`.
fn ground(width: u32, height: u32) -> Image {
    let mut image = Image::filled(width, height, [0; 3]);
    for (index, pixel) in image.data_mut().chunks_exact_mut(3).enumerate() {
        let (x, y) = (index as u32 % width, index as u32 / width);
        pixel.copy_from_slice(&[(90 + x / 7 % 60) as u8, (100 + y / 11 % 50) as u8, (110 + (x + y) / 13 % 40) as u8]);
    }
    image
}

/// Puts the portrait at `x`, `y` with a face of about `size` pixels (the mean of the pixels that fall on one; enlarged by
/// repeating them). Returns the face's box and the portrait's.
fn paste(image: &mut Image, (portrait, face): &(Image, Rect), size: f32, (x, y): (u32, u32)) -> (Rect, Rect) {
    let scale = size / side(face);
    let (width, height) = ((portrait.width() as f32 * scale) as u32, (portrait.height() as f32 * scale) as u32);
    let row = image.width() as usize * 3;
    let reach = |at: u32, most: u32| {
        let from = ((at as f32 / scale) as u32).min(most - 1);
        from..(((at + 1) as f32 / scale) as u32).clamp(from + 1, most)
    };
    for v in 0..height.min(image.height() - y) {
        for u in 0..width.min(image.width() - x) {
            let (columns, rows) = (reach(u, portrait.width()), reach(v, portrait.height()));
            let count = (columns.len() * rows.len()) as u32;
            let to = (y + v) as usize * row + (x + u) as usize * 3;
            for c in 0..3 {
                let level = |a: u32, b: u32| u32::from(portrait.data()[(b * portrait.width() + a) as usize * 3 + c]);
                let sum: u32 = rows.clone().flat_map(|b| columns.clone().map(move |a| level(a, b))).sum();
                image.data_mut()[to + c] = (sum / count) as u8;
            }
        }
    }
    let (x, y) = (x as f32, y as f32);
    let face = Rect::new(x + face.x1 * scale, y + face.y1 * scale, x + face.x2 * scale, y + face.y2 * scale);
    (face, Rect::new(x, y, x + width as f32, y + height as f32))
}

/// Truth that no box meets, and boxes that meet no truth or one that another box meets.
fn wrong(truth: &[Rect], found: &[Detection]) -> (Vec<Rect>, Vec<Detection>) {
    let meets = |rect: &Rect, face: &Detection| rect.iou(&face.rect) >= 0.3;
    let missed = truth.iter().filter(|rect| !found.iter().any(|face| meets(rect, face))).copied().collect();
    let first = |rect: &Rect| found.iter().position(|face| meets(rect, face));
    let right: Vec<usize> = truth.iter().filter_map(first).collect();
    (missed, found.iter().enumerate().filter(|(index, _)| !right.contains(index)).map(|(_, face)| *face).collect())
}

#[test]
fn faces_of_every_size_are_found_wherever_they_stand() {
    let Some(home) = home() else { return };
    for id in ["centerface", "ultraface-rfb", "scrfd-2.5g", "yunet-2026may"] {
        let Some(detector) = detector(&home, id, DetectOptions::default()) else { continue };
        let fast = detector.with_options(DetectOptions::default().detail(Detail::Fast));
        let faces: Vec<_> = ["obama.jpg", "biden.jpg", "obama2.jpg"].map(|name| portrait(&home, &fast, name)).into();
        // A phone photo, and panoramas both ways.
        for (width, height, large) in [(6000, 4000, 1500.0), (8000, 1500, 500.0), (1200, 9000, 400.0)] {
            let mut image = ground(width, height);
            let (whole, taken) = paste(&mut image, &faces[0], large, (width / 20, height / 20));
            let mut truth = vec![whole];
            // Small ones all over, at steps that no tile has, so that the tiles' borders cut some of them.
            let sizes = [42.0, 50.0, 64.0, 90.0, 128.0, 200.0];
            let places = (20..height - 550).step_by(431).flat_map(|y| (30..width - 550).step_by(613).map(move |x| (x, y)));
            let free = |&(x, y): &(u32, u32)| taken.intersection(&Rect::new(x as f32, y as f32, x as f32 + 600.0, y as f32 + 600.0)) == 0.0;
            for (index, place) in places.filter(free).enumerate() {
                truth.push(paste(&mut image, &faces[index % 3], sizes[index % sizes.len()], place).0);
            }
            let (missed, false_ones) = wrong(&truth, &detector.detect(&image).unwrap());
            // Of the very smallest, at the edge of what is promised, one may be missed, and one in ten of many.
            let smallest = |rects: &[Rect]| rects.iter().filter(|rect| side(rect) < 45.0).count();
            let few = missed.len() == smallest(&missed) && missed.len() <= 1.max(smallest(&truth) / 10);
            assert!(few && false_ones.is_empty(), "{id} in {width}x{height}: missed {missed:?}, false {false_ones:?}");
            let (missed, _) = wrong(&truth, &fast.detect(&image).unwrap());
            assert!(missed.len() > truth.len() / 4, "{id}: one look would do, so this test tests nothing");
        }
    }
}
