//! Detection: picture in, faces with five landmarks out.

mod buffers;
mod canvas;
mod centerface;
mod closer;
mod heads;
mod landmark;
mod network;
mod nms;
mod options;
mod scrfd;
mod tiles;
mod ultraface;
mod yunet;

use std::borrow::Cow;
use std::sync::Arc;

pub use options::{Detail, DetectOptions};

use crate::error::Result;
use crate::face::{Detection, ModelKey};
use crate::geometry::Rect;
use crate::image::ImageView;
use crate::model::{DetectSpec, ModelCatalog, ResolvedModel};
use crate::runtime::Runtime;
use crate::uprightness::Uprightness;
use network::{Network, Picture};

/// Finds faces. All that a pipeline knows of detection: [`Detector`] implements it, and so can a remote service.
pub trait Detect: Send + Sync {
    /// The faces of each image, best score first, in pixels of that image. No face is an empty list.
    ///
    /// # Errors
    /// `inference` and whatever else keeps the detector from working; never the absence of faces.
    fn detect_batch(&self, images: &[ImageView<'_>]) -> Result<Vec<Vec<Detection>>>;

    /// The faces of frames of a video, as [`Detect::detect_batch`] but without the looks that only a photo is worth, for a
    /// detector that has such.
    ///
    /// # Errors
    /// As [`Detect::detect_batch`].
    fn detect_frames(&self, frames: &[ImageView<'_>]) -> Result<Vec<Vec<Detection>>> {
        self.detect_batch(frames)
    }

    /// How this detector's landmarks tell whether a face stands upright.
    fn uprightness(&self) -> Uprightness {
        Uprightness::GENERAL
    }
}

/// A face detector: an opened network and how faces are looked for with it. Cheap to clone; shared by `&self` between any
/// number of threads.
#[derive(Debug, Clone)]
pub struct Detector {
    network: Arc<Network>,
    files: Arc<[ModelKey]>,
    options: DetectOptions,
}

impl Detector {
    /// Opens the detector `id` of `catalog`, with its landmark model when it needs one.
    ///
    /// # Errors
    /// `model_not_found`, `checksum_mismatch`, `invalid_manifest` when the file does not fit its manifest entry.
    pub fn open(runtime: &Runtime, catalog: &ModelCatalog, id: &str, options: DetectOptions) -> Result<Self> {
        let model = catalog.resolve(id)?;
        let landmark = match &model.manifest.detect {
            Some(DetectSpec { landmark_model: Some(id), .. }) => Some(catalog.resolve(id)?),
            _ => None,
        };
        Self::from_files(runtime, &model, landmark.as_ref(), options)
    }

    /// Opens a detector from verified files; `landmark` is the landmark model of a network that only gives boxes.
    ///
    /// # Errors
    /// As [`Detector::open`].
    pub fn from_files(runtime: &Runtime, model: &ResolvedModel, landmark: Option<&ResolvedModel>, options: DetectOptions) -> Result<Self> {
        let files = std::iter::once(model).chain(landmark).map(|file| ModelKey::new(&file.manifest.id, &file.sha256)).collect();
        Ok(Self { network: Arc::new(Network::open(runtime, model, landmark)?), files, options })
    }

    /// The same opened network with other options: no model is opened again, and its sessions are shared.
    #[must_use]
    pub fn with_options(&self, options: DetectOptions) -> Self {
        Self { network: Arc::clone(&self.network), files: Arc::clone(&self.files), options }
    }

    /// The model's id.
    pub fn id(&self) -> &str {
        self.network.id()
    }

    /// The files it consists of: the network, and its landmark network when it needs one. Each hash is the file's sha256.
    pub fn files(&self) -> &[ModelKey] {
        &self.files
    }

    /// How it looks for faces.
    pub fn options(&self) -> &DetectOptions {
        &self.options
    }

    /// The faces of one image, best score first.
    ///
    /// # Errors
    /// `inference` when the network fails to run.
    pub fn detect<'a>(&self, image: impl Into<ImageView<'a>>) -> Result<Vec<Detection>> {
        let image = image.into();
        let rgb = image.to_rgb();
        let size = (image.width(), image.height());
        Ok(self.faces(&[(&rgb, size)])?.pop().unwrap_or_default())
    }

    /// The faces of pictures of equal canvas and side.
    fn faces(&self, pictures: &[Picture<'_>]) -> Result<Vec<Vec<Detection>>> {
        let close = pictures.iter().any(|&(_, size)| !self.levels(size).is_empty());
        let Some(&(_, size)) = pictures.first() else { return Ok(Vec::new()) };
        let found = self.network.pass(pictures, self.side(size), if close { self.guess() } else { self.threshold() })?;
        found.into_iter().zip(pictures).map(|(found, &picture)| self.finish(picture, found)).collect()
    }

    /// Further passes where they are needed, suppression, landmarks and limits.
    fn finish(&self, picture: Picture<'_>, found: Vec<Detection>) -> Result<Vec<Detection>> {
        let (rgb, size) = picture;
        let (mut faces, guesses): (Vec<_>, Vec<_>) = found.into_iter().partition(|face| face.score >= self.threshold());
        nms::suppress(&mut faces, self.nms_iou());
        let most = self.side(size);
        let mut side = most;
        while side / 2 >= SMALLEST_PASS && faces.iter().any(|face| self.is_outgrown(face, size, side)) {
            let outgrown = |face: &Detection| self.is_outgrown(face, size, side);
            if !self.look_again(rgb, size, side / 2, &mut faces, outgrown)? {
                break;
            }
            side /= 2;
        }
        if self.options.second_pass && most / SECOND_PASS >= SMALLEST_PASS && needs_second_look(&faces, size) {
            self.look_again(rgb, size, most / SECOND_PASS, &mut faces, |_| false)?;
        }
        let levels = self.levels(size);
        if !levels.is_empty() {
            faces = self.look_closer(picture, &levels, faces, guesses)?;
        }
        faces.retain(|face| face.rect.area() >= self.options.min_face_px * self.options.min_face_px);
        if let Some(most) = self.options.max_faces.filter(|&most| faces.len() > most) {
            faces.sort_by(|a, b| b.rect.area().total_cmp(&a.rect.area()));
            faces.truncate(most);
            faces.sort_by(|a, b| b.score.total_cmp(&a.score));
        }
        self.network.locate(rgb, size, &mut faces)?;
        Ok(faces)
    }

    /// Looks at a copy of the picture of `side` pixels and adds what only it shows. Faces for which `replace` holds give way
    /// to what the copy shows in their place. Returns whether there was anything new.
    fn look_again(
        &self,
        rgb: &[u8],
        size: (u32, u32),
        side: u32,
        faces: &mut Vec<Detection>,
        replace: impl Fn(&Detection) -> bool,
    ) -> Result<bool> {
        if !self.network.input().dynamic {
            return Ok(false);
        }
        let mut again = self.network.pass(&[(rgb, size)], side, self.threshold())?.pop().unwrap_or_default();
        nms::suppress(&mut again, self.nms_iou());
        faces.retain(|face| !replace(face) || again.iter().all(|new| apart(&new.rect, &face.rect)));
        // A face that both passes see keeps the answer of the first, which saw more detail.
        again.retain(|new| faces.iter().all(|face| face.rect.iou(&new.rect) < SAME_FACE));
        let found = !again.is_empty();
        faces.extend(again);
        nms::suppress(faces, self.nms_iou());
        Ok(found)
    }

    /// Longer side, in canvas pixels, of the first look at a picture of `size` (width, height).
    fn side(&self, size: (u32, u32)) -> u32 {
        let (input, spec) = (self.network.input(), self.network.spec());
        let most = self.options.max_side.unwrap_or(input.size[0].max(input.size[1]));
        if spec.min_side == 0 { most } else { size.0.max(size.1).clamp(spec.min_side.min(most), most) }
    }

    /// Least score of a face.
    fn threshold(&self) -> f32 {
        self.options.score_threshold.unwrap_or(self.network.spec().score_threshold)
    }

    fn nms_iou(&self) -> f32 {
        self.options.nms_iou.unwrap_or(self.network.spec().nms_iou)
    }

    /// Whether `face` was too large for the network when the picture's longer side was `side`.
    fn is_outgrown(&self, face: &Detection, size: (u32, u32), side: u32) -> bool {
        let (scale, most) = (self.network.plan(size, side).scale, self.network.spec().max_face);
        most > 0.0 && face.rect.width().max(face.rect.height()) * scale > most
    }
}

/// Whether two boxes have nothing to do with each other.
fn apart(a: &Rect, b: &Rect) -> bool {
    a.intersection(b) < 0.3 * a.area().min(b.area())
}

/// Least side of a copy of the picture that is worth a pass.
const SMALLEST_PASS: u32 = 64;

/// Intersection over union from which two boxes frame the same face; below it, one may be a part of the other.
const SAME_FACE: f32 = 0.6;

/// The second pass looks at the picture this many times smaller. InsightFace 2.1 merges passes at 128 and 640.
const SECOND_PASS: u32 = 4;

/// A face as large as the picture exceeds the network's largest anchors: it is missed, or found by a part of it.
/// Looking again at a small copy finds it (InsightFace issues #1518 and #2877).
fn needs_second_look(faces: &[Detection], (width, height): (u32, u32)) -> bool {
    let limit = 0.6 * width.min(height) as f32;
    faces.is_empty() || faces.iter().any(|face| face.rect.width().max(face.rect.height()) > limit)
}

impl Detect for Detector {
    fn detect_batch(&self, images: &[ImageView<'_>]) -> Result<Vec<Vec<Detection>>> {
        let pixels: Vec<Cow<'_, [u8]>> = images.iter().map(ImageView::to_rgb).collect();
        let sizes = images.iter().map(|image| (image.width(), image.height()));
        let pictures: Vec<Picture<'_>> = pixels.iter().map(|rgb| rgb.as_ref()).zip(sizes).collect();
        let most = self.network.batch();
        let mut results = Vec::with_capacity(images.len());
        let mut rest = pictures.as_slice();
        while let Some((_, size)) = rest.first() {
            let plan = |size| (self.side(size), self.network.plan(size, self.side(size)).size);
            // Neighbours with the same canvas go through the network together.
            let together = rest.iter().take(most).take_while(|(_, other)| plan(*other) == plan(*size)).count();
            let (run, tail) = rest.split_at(together);
            results.extend(self.faces(run)?);
            rest = tail;
        }
        Ok(results)
    }

    fn detect_frames(&self, frames: &[ImageView<'_>]) -> Result<Vec<Vec<Detection>>> {
        self.with_options(self.options.for_frames()).detect_batch(frames)
    }

    fn uprightness(&self) -> Uprightness {
        self.network.uprightness()
    }
}
