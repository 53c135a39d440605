//! People made of one colour each, a detector that finds them and an embedder that tells them apart: everything but the
//! networks is real, and no model is needed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use facerec_core::{Detect, Detection, Embed, Embedding, Image, ImageView, Landmarks, ModelKey, Point, Rect, Result, VideoWriter};
use facerec_platform::vision::Vision;

/// A person's colour: red, green or blue.
pub type Colour = usize;
pub const RED: Colour = 0;
pub const GREEN: Colour = 1;
pub const BLUE: Colour = 2;

/// Where the landmarks lie in a face of side 1.
const FACE: [(f32, f32); 5] = [(0.34, 0.46), (0.66, 0.46), (0.5, 0.64), (0.37, 0.82), (0.63, 0.82)];
const SIDE: u32 = 112;

/// A picture with a face of each colour at its left edge `x`.
pub fn picture(faces: &[(Colour, u32)]) -> Image {
    let mut image = Image::filled(480, 240, [128, 128, 128]);
    for &(colour, left) in faces {
        for (x, y) in (0..120u32).flat_map(|x| (0..120u32).map(move |y| (x, y))) {
            let at = ((y + 60) * 480 + x + left) as usize * 3;
            // A pattern: a face without any detail counts as blurred.
            let bright = if (x / 6 + y / 6) % 2 == 0 { 255 } else { 120 };
            let pixel = &mut image.data_mut()[at..at + 3];
            pixel.fill(20);
            pixel[colour] = bright;
        }
    }
    image
}

/// The picture as a file.
pub fn photo(faces: &[(Colour, u32)]) -> Vec<u8> {
    picture(faces).encode_png().unwrap()
}

/// A video in which faces move slowly to the right.
pub fn video(path: &Path, faces: &[(Colour, u32)], frames: u32) {
    let mut writer = VideoWriter::create(path, 480, 240, 25.0).unwrap();
    for frame in 0..frames {
        let moved: Vec<_> = faces.iter().map(|&(colour, left)| (colour, left + frame / 5)).collect();
        writer.write(&picture(&moved), Duration::from_millis(u64::from(frame) * 40)).unwrap();
    }
    writer.finish().unwrap();
}

struct Finder;

impl Detect for Finder {
    fn detect_batch(&self, images: &[ImageView<'_>]) -> Result<Vec<Vec<Detection>>> {
        Ok(images.iter().map(|image| (0..3).filter_map(|colour| find(image, colour)).collect()).collect())
    }
}

fn find(image: &ImageView<'_>, colour: Colour) -> Option<Detection> {
    let (rgb, width) = (image.to_rgb(), image.width() as usize);
    let strong = |pixel: &[u8]| (0..3).all(|other| other == colour || i32::from(pixel[colour]) > i32::from(pixel[other]) + 50);
    let places =
        rgb.chunks_exact(3).enumerate().filter(|(_, pixel)| strong(pixel)).map(|(at, _)| ((at % width) as f32, (at / width) as f32));
    let (mut count, mut rect) = (0, Rect::new(f32::MAX, f32::MAX, 0.0, 0.0));
    for (x, y) in places {
        count += 1;
        rect = Rect::new(rect.x1.min(x), rect.y1.min(y), rect.x2.max(x + 1.0), rect.y2.max(y + 1.0));
    }
    let at = |(x, y): (f32, f32)| Point::new(rect.x1 + x * rect.width(), rect.y1 + y * rect.height());
    (count > 1000).then(|| Detection { rect, score: 0.9, landmarks: Landmarks(FACE.map(at)) })
}

struct Namer(Arc<ModelKey>);

impl Embed for Namer {
    fn model_key(&self) -> &Arc<ModelKey> {
        &self.0
    }

    fn template(&self) -> ([Point; 5], u32) {
        (FACE.map(|(x, y)| Point::new(x * SIDE as f32, y * SIDE as f32)), SIDE)
    }

    fn embed_batch(&self, aligned: &[Image]) -> Result<Vec<Embedding>> {
        let vector = |face: &Image| {
            let mean =
                |channel: usize| face.data().iter().skip(channel).step_by(3).map(|&v| f32::from(v)).sum::<f32>() / (SIDE * SIDE) as f32;
            Embedding::new(Arc::clone(&self.0), (0..3).map(|channel| mean(channel) - 70.0).collect())
        };
        aligned.iter().map(vector).collect()
    }
}

/// Detection and embedding of such people.
pub fn vision() -> Vision {
    let key = Arc::new(ModelKey::new("colours", "1"));
    Vision { detector: Arc::new(Finder), embedder: Arc::new(Namer(key)), compare: 0.6, identify: 0.7 }
}
