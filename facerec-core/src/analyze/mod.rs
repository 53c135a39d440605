//! The photo path: detect -> align -> quality -> embed, for one image and for many.

mod turned;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::align::align_rgb;
use crate::detect::Detect;
use crate::embed::Embed;
use crate::error::Result;
use crate::face::{Detection, Embedding, Face, ModelKey, Quality};
use crate::geometry::{Landmarks, Point};
use crate::image::{Image, ImageView, Turn};
use crate::quality::assess;
use crate::uprightness::{UPRIGHT, lies};

/// Detection and embedding joined: images in, faces with quality and vectors out.
///
/// It knows inference only through [`Detect`] and [`Embed`], so a remote service or a test double can take either place.
#[derive(Clone)]
pub struct Analyzer {
    detector: Arc<dyn Detect>,
    embedder: Arc<dyn Embed>,
    turned: bool,
}

/// A face with its aligned picture.
struct AlignedFace {
    face: Face,
    /// Its landmarks leave no doubt that it stands upright where it was found.
    upright: bool,
    /// Its landmarks say that it lies on its side or stands on its head where it was found.
    lies: bool,
    aligned: Image,
}

impl std::fmt::Debug for Analyzer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Analyzer({})", self.embedder.model_key())
    }
}

impl Analyzer {
    /// Joins a detector and an embedder.
    pub fn new(detector: Arc<dyn Detect>, embedder: Arc<dyn Embed>) -> Self {
        Self { detector, embedder, turned: true }
    }

    /// Whether faces that stand on their side or upside down are read upright; default yes. Where a picture shows no face, or one
    /// that cannot be recognised as it stands, its three turned copies are looked at and the best is kept, face by face. A picture
    /// without any face costs four detections. [`Analyzer::detect`] computes vectors where the landmarks leave a doubt, which they
    /// do for some upright faces too. Off leaves turned faces unrecognisable, or unseen.
    #[must_use]
    pub fn turned(mut self, on: bool) -> Self {
        self.turned = on;
        self
    }

    /// The model the vectors come from.
    pub fn model_key(&self) -> &Arc<ModelKey> {
        self.embedder.model_key()
    }

    /// Where the five landmarks lie in an aligned picture, and the side of that square picture in pixels.
    pub(crate) fn template(&self) -> ([Point; 5], u32) {
        self.embedder.template()
    }

    /// Whether turned faces are read upright.
    pub(crate) fn reads_turned(&self) -> bool {
        self.turned
    }

    /// The faces of an image with their quality, best score first.
    ///
    /// # Errors
    /// `inference` when the network fails; no face is an empty list.
    pub fn detect<'a>(&self, image: impl Into<ImageView<'a>>) -> Result<Vec<Face>> {
        let image = image.into();
        let (rgb, size) = (image.to_rgb(), (image.width(), image.height()));
        let mut found = self.find(&rgb, size)?;
        if self.turned && turned::leaves_doubt(&found, |face| face.upright) {
            // Only the vectors tell for certain.
            self.recognise(&mut found)?;
            self.read_turned(&rgb, size, &mut found)?;
            for face in found.iter_mut().map(|found| &mut found.face) {
                face.embedding = None;
                face.quality = face.quality.map(|quality| Quality { recognisability: None, ..quality });
            }
        }
        Ok(found.into_iter().map(|found| found.face).collect())
    }

    /// The faces of an image with quality and embedding, best score first. All faces go through the network together.
    ///
    /// # Errors
    /// `inference` when a network fails; no face is an empty list.
    pub fn embed<'a>(&self, image: impl Into<ImageView<'a>>) -> Result<Vec<Face>> {
        let image = image.into();
        let (rgb, size) = (image.to_rgb(), (image.width(), image.height()));
        let mut found = self.find(&rgb, size)?;
        self.recognise(&mut found)?;
        if self.turned {
            self.read_turned(&rgb, size, &mut found)?;
        }
        Ok(found.into_iter().map(|found| found.face).collect())
    }

    /// [`Analyzer::embed`] for many images on `workers` threads, in order. One image's failure does not touch the others.
    pub fn embed_many(&self, images: &[ImageView<'_>], workers: usize) -> Vec<Result<Vec<Face>>> {
        parallel(images.len(), workers, |index| self.embed(images[index]))
    }

    /// Vectors of faces whose landmarks are known already, in order.
    ///
    /// # Errors
    /// `invalid_argument` for landmarks that lie on one point, `inference` when the network fails.
    pub fn embed_landmarks<'a>(&self, image: impl Into<ImageView<'a>>, landmarks: &[Landmarks]) -> Result<Vec<Embedding>> {
        let image = image.into();
        let rgb = image.to_rgb();
        let (template, side) = self.embedder.template();
        let size = (image.width(), image.height());
        let aligned: Result<Vec<Image>> = landmarks.iter().map(|points| align_rgb(&rgb, size, points, &template, side)).collect();
        self.embedder.embed_batch(&aligned?)
    }

    /// The faces of tightly packed RGB as it stands.
    fn find(&self, rgb: &[u8], size: (u32, u32)) -> Result<Vec<AlignedFace>> {
        let packed = ImageView::new(rgb, size.0, size.1, crate::image::PixelFormat::Rgb8)?;
        let found = self.detector.detect_batch(&[packed])?.pop().unwrap_or_default();
        Ok(self.align(rgb, size, Turn::None, found))
    }

    /// The faces found in tightly packed RGB turned by `turn`, where they lie in the picture as it stands.
    fn align(&self, rgb: &[u8], size: (u32, u32), turn: Turn, found: Vec<Detection>) -> Vec<AlignedFace> {
        let (template, side) = self.embedder.template();
        let finish = |found: Detection| {
            let upright = self.detector.uprightness().of(&found) >= UPRIGHT;
            let lies = lies(&found.landmarks);
            let detection = turn.undo(found, size);
            // From the picture itself: the landmarks say how the face is turned.
            // Landmarks on one point: not a face that anything can be done with.
            let aligned = align_rgb(rgb, size, &detection.landmarks, &template, side).ok()?;
            let quality = Some(assess(&detection, &aligned));
            Some(AlignedFace { face: Face { detection, quality, embedding: None }, upright, lies, aligned })
        };
        found.into_iter().filter_map(finish).collect()
    }

    /// Gives the faces their vectors, all in one batch.
    fn recognise(&self, found: &mut [AlignedFace]) -> Result<()> {
        let aligned: Vec<Image> =
            found.iter_mut().map(|found| std::mem::replace(&mut found.aligned, Image::filled(1, 1, [0; 3]))).collect();
        for (found, embedding) in found.iter_mut().zip(self.embedder.embed_batch(&aligned)?) {
            if let Some(quality) = &mut found.face.quality {
                quality.recognisability = embedding.recognisability();
            }
            found.face.embedding = Some(embedding);
        }
        Ok(())
    }
}

/// `work(0..count)` on `workers` threads, results in order.
pub(crate) fn parallel<T: Send>(count: usize, workers: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let workers = workers.clamp(1, count.max(1));
    if workers == 1 {
        return (0..count).map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, T)>> = Mutex::new(Vec::with_capacity(count));
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        break;
                    }
                    let result = work(index);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}
