//! A few small photos and a short clip of real people, made from what scripts/setup.sh gets.

use std::path::PathBuf;
use std::time::Duration;

use facerec_core::{Image, Rect, VideoWriter};

pub struct Material {
    pub models: PathBuf,
    /// The people in the clip, each by a photo.
    pub known: [(&'static str, Vec<u8>); 2],
    /// Photos of others.
    pub photos: Vec<Vec<u8>>,
    pub clip: Vec<u8>,
}

impl Material {
    /// `None`, with a word about it, without models and photos.
    pub fn make() -> Option<Self> {
        let crates = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let home = std::env::var_os("FACEREC_HOME").map_or_else(|| crates.join("../../.facerec"), PathBuf::from);
        let (models, people, strangers) = (home.join("models"), home.join("photos/people"), home.join("photos/strangers"));
        if !models.is_dir() || !people.is_dir() {
            assert!(std::env::var_os("CI").is_none(), "no models and photos in {}: scripts/setup.sh gets them", home.display());
            eprintln!("SKIPPED: no models and photos in {}; scripts/setup.sh gets them", home.display());
            return None;
        }
        let open = |path: PathBuf| Image::decode(&std::fs::read(path).unwrap()).unwrap();
        let small = |image: &Image| image.clone().fit(320).unwrap().encode_jpeg(90).unwrap();
        let (obama, biden) = (open(people.join("obama.jpg")), open(people.join("biden.jpg")));
        let known = [("Barack", small(&obama)), ("Joe", small(&biden))];
        // One face out of each group.
        let faces = [("sample3.jpg", Rect::new(490.0, 270.0, 880.0, 720.0)), ("sample6.jpg", Rect::new(160.0, 420.0, 560.0, 870.0))];
        let photos = faces.map(|(name, face)| small(&open(strangers.join(name)).crop(&face).unwrap())).into();
        // Two people, one after the other.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip.mp4");
        let scenes = [obama, biden].map(|image| square(&image, 240));
        let mut writer = VideoWriter::create(&path, 240, 240, 10.0).unwrap();
        for frame in 0..24_u64 {
            writer.write(&scenes[usize::from(frame >= 12)], Duration::from_millis(frame * 100)).unwrap();
        }
        writer.finish().unwrap();
        Some(Self { models, known, photos, clip: std::fs::read(path).unwrap() })
    }
}

/// The picture in the upper left corner of a grey square.
fn square(image: &Image, side: u32) -> Image {
    let small = image.clone().fit(side).unwrap();
    let mut square = Image::filled(side, side, [90; 3]);
    let (wide, row) = (small.width() as usize * 3, side as usize * 3);
    for (from, to) in small.data().chunks_exact(wide).zip(square.data_mut().chunks_exact_mut(row)) {
        to[..wide].copy_from_slice(from);
    }
    square
}
