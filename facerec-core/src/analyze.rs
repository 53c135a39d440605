//! The photo path: detect -> align -> quality -> embed, for one image and for many.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::align::align_rgb;
use crate::detect::Detect;
use crate::embed::Embed;
use crate::error::Result;
use crate::face::{Detection, Embedding, Face};
use crate::geometry::Landmarks;
use crate::image::{Image, ImageView};
use crate::quality::assess;

/// Detection and embedding joined: images in, faces with quality and vectors out.
///
/// It knows inference only through [`Detect`] and [`Embed`], so a remote service or a test double can take either place.
#[derive(Clone)]
pub struct Analyzer {
    detector: Arc<dyn Detect>,
    embedder: Arc<dyn Embed>,
}

impl std::fmt::Debug for Analyzer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Analyzer({})", self.embedder.model_key())
    }
}

impl Analyzer {
    /// Joins a detector and an embedder.
    pub fn new(detector: Arc<dyn Detect>, embedder: Arc<dyn Embed>) -> Self {
        Self { detector, embedder }
    }

    /// The faces of an image with their quality, best score first.
    ///
    /// # Errors
    /// `inference` when the network fails; no face is an empty list.
    pub fn detect<'a>(&self, image: impl Into<ImageView<'a>>) -> Result<Vec<Face>> {
        let image = image.into();
        let aligned = self.look(image)?;
        Ok(aligned.into_iter().map(|(face, _)| face).collect())
    }

    /// The faces of an image with quality and embedding, best score first. All faces go through the network together.
    ///
    /// # Errors
    /// `inference` when a network fails; no face is an empty list.
    pub fn embed<'a>(&self, image: impl Into<ImageView<'a>>) -> Result<Vec<Face>> {
        let image = image.into();
        let (mut faces, aligned): (Vec<Face>, Vec<Image>) = self.look(image)?.into_iter().unzip();
        for (face, embedding) in faces.iter_mut().zip(self.embedder.embed_batch(&aligned)?) {
            face.embedding = Some(embedding);
        }
        Ok(faces)
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

    /// Faces with quality, and their aligned pictures.
    fn look(&self, image: ImageView<'_>) -> Result<Vec<(Face, Image)>> {
        let rgb = image.to_rgb();
        let size = (image.width(), image.height());
        let packed = ImageView::new(&rgb, size.0, size.1, crate::image::PixelFormat::Rgb8)?;
        let found = self.detector.detect_batch(&[packed])?.pop().unwrap_or_default();
        let (template, side) = self.embedder.template();
        let finish = |detection: Detection| {
            // Landmarks on one point: not a face that anything can be done with.
            let aligned = align_rgb(&rgb, size, &detection.landmarks, &template, side).ok()?;
            let quality = Some(assess(&detection, &aligned));
            Some((Face { detection, quality, embedding: None }, aligned))
        };
        Ok(found.into_iter().filter_map(finish).collect())
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
