//! Detection: picture in, faces with five landmarks out.

mod buffers;
mod canvas;
mod heads;
mod landmark;
mod nms;
mod options;
mod scrfd;
mod ultraface;
mod yunet;

use std::borrow::Cow;

pub use options::DetectOptions;

use crate::error::{Error, Result};
use crate::face::Detection;
use crate::geometry::Rect;
use crate::image::{ImageView, resize_bilinear};
use crate::model::{DetectSpec, InputSpec, ModelCatalog, ModelTask, ResolvedModel};
use crate::runtime::{Model, Output, Runtime};
use buffers::Buffers;
use canvas::Canvas;
use heads::Head;
use landmark::Landmarker;

/// Finds faces. All that a pipeline knows of detection: [`Detector`] implements it, and so can a remote service.
pub trait Detect: Send + Sync {
    /// The faces of each image, best score first, in pixels of that image. No face is an empty list.
    ///
    /// # Errors
    /// `inference` and whatever else keeps the detector from working; never the absence of faces.
    fn detect_batch(&self, images: &[ImageView<'_>]) -> Result<Vec<Vec<Detection>>>;
}

/// A face detector: one network and its options. Shared by `&self` between any number of threads.
#[derive(Debug)]
pub struct Detector {
    model: Model,
    input: InputSpec,
    spec: DetectSpec,
    head: Head,
    landmarker: Option<Landmarker>,
    options: DetectOptions,
    inputs: Buffers,
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
        let manifest = &model.manifest;
        let spec = match (&manifest.task, &manifest.detect) {
            (ModelTask::Detect, Some(spec)) => spec.clone(),
            _ => return Err(Error::argument("detector", format!("expected a model with task `detect`, got `{}`", manifest.id))),
        };
        let opened = runtime.open(&manifest.id, &model.path)?;
        let invalid = |reason: String| Error::InvalidManifest { origin: format!("of model `{}`", manifest.id), reason };
        let head = Head::new(&spec, opened.outputs()).map_err(invalid)?;
        canvas::check_input(&manifest.input, opened.input()).map_err(invalid)?;
        let landmarker = landmark.map(|landmark| Landmarker::open(runtime, landmark)).transpose()?;
        if landmarker.is_none() && !head.gives_landmarks() {
            return Err(invalid("the network gives no landmarks: name a `detect.landmark_model`".into()));
        }
        Ok(Self { model: opened, input: manifest.input.clone(), spec, head, landmarker, options, inputs: Buffers::default() })
    }

    /// The model's id.
    pub fn id(&self) -> &str {
        self.model.id()
    }

    /// The options it was opened with.
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
        let mut faces = self.pass(&[(&rgb, size)], self.options.max_side)?.pop().unwrap_or_default();
        self.finish(&rgb, size, &mut faces)?;
        Ok(faces)
    }

    /// One run of the network over pictures of equal canvas: candidates above the threshold, in image pixels, before suppression.
    fn pass(&self, pictures: &[Picture<'_>], side: u32) -> Result<Vec<Vec<Detection>>> {
        let Some(&(_, first)) = pictures.first() else { return Ok(Vec::new()) };
        let canvas = self.plan(first, side);
        let shape = self.input.shape(pictures.len(), canvas.size.0, canvas.size.1);
        let per_picture = shape[1] * shape[2] * shape[3];
        let mut data = self.inputs.take(per_picture * pictures.len());
        let mut scales = Vec::with_capacity(pictures.len());
        for (&(rgb, size), out) in pictures.iter().zip(data.chunks_exact_mut(per_picture)) {
            let canvas = self.plan(size, side);
            let resized = resize_bilinear(rgb, size, canvas.content)?;
            self.input.fill(&resized, canvas.content, canvas.size, out)?;
            scales.push(canvas.scale);
        }
        let threshold = self.options.score_threshold.unwrap_or(self.spec.score_threshold);
        let faces = self.model.run(&shape, &data, |outputs: &[Output<'_>]| {
            let decode = |(index, scale): (usize, &f32)| {
                let mut faces = self.head.decode(outputs, (index, pictures.len()), canvas.size, threshold)?;
                for face in &mut faces {
                    face.rect = face.rect.scale(1.0 / scale);
                    face.landmarks = face.landmarks.scale(1.0 / scale);
                }
                Ok(faces)
            };
            scales.iter().enumerate().map(decode).collect()
        });
        self.inputs.give_back(data);
        faces
    }

    /// Further passes where they are needed, suppression, landmarks and limits.
    fn finish(&self, rgb: &[u8], size: (u32, u32), faces: &mut Vec<Detection>) -> Result<()> {
        nms::suppress(faces, self.nms_iou());
        let most = self.options.max_side;
        let mut side = most;
        while side / 2 >= SMALLEST_PASS && faces.iter().any(|face| self.is_outgrown(face, size, side)) {
            let outgrown = |face: &Detection| self.is_outgrown(face, size, side);
            if !self.look_again(rgb, size, side / 2, faces, outgrown)? {
                break;
            }
            side /= 2;
        }
        if self.options.second_pass && most / SECOND_PASS >= SMALLEST_PASS && needs_second_look(faces, size) {
            self.look_again(rgb, size, most / SECOND_PASS, faces, |_| false)?;
        }
        faces.retain(|face| face.rect.area() >= self.options.min_face_px * self.options.min_face_px);
        if let Some(most) = self.options.max_faces.filter(|&most| faces.len() > most) {
            faces.sort_by(|a, b| b.rect.area().total_cmp(&a.rect.area()));
            faces.truncate(most);
            faces.sort_by(|a, b| b.score.total_cmp(&a.score));
        }
        if let Some(landmarker) = &self.landmarker {
            landmarker.locate(rgb, size, faces)?;
        }
        Ok(())
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
        if !self.input.dynamic {
            return Ok(false);
        }
        let mut again = self.pass(&[(rgb, size)], side)?.pop().unwrap_or_default();
        nms::suppress(&mut again, self.nms_iou());
        faces.retain(|face| !replace(face) || again.iter().all(|new| apart(&new.rect, &face.rect)));
        // A face that both passes see keeps the answer of the first, which saw more detail.
        again.retain(|new| faces.iter().all(|face| face.rect.iou(&new.rect) < SAME_FACE));
        let found = !again.is_empty();
        faces.extend(again);
        nms::suppress(faces, self.nms_iou());
        Ok(found)
    }

    fn plan(&self, photo: (u32, u32), side: u32) -> Canvas {
        Canvas::plan(&self.input, &self.spec.strides, photo, side)
    }

    fn nms_iou(&self) -> f32 {
        self.options.nms_iou.unwrap_or(self.spec.nms_iou)
    }

    /// Whether `face` was too large for the network when the picture's longer side was `side`.
    fn is_outgrown(&self, face: &Detection, size: (u32, u32), side: u32) -> bool {
        let scale = self.plan(size, side).scale;
        self.spec.max_face > 0.0 && face.rect.width().max(face.rect.height()) * scale > self.spec.max_face
    }
}

/// Whether two boxes have nothing to do with each other.
fn apart(a: &Rect, b: &Rect) -> bool {
    a.intersection(b) < 0.3 * a.area().min(b.area())
}

/// Least side of a copy of the picture that is worth a pass.
const SMALLEST_PASS: u32 = 64;

/// Tightly packed RGB, and its width and height.
type Picture<'a> = (&'a [u8], (u32, u32));

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
        let most = if self.input.batch == 0 { MOST_PER_RUN } else { self.input.batch };
        let mut results = Vec::with_capacity(images.len());
        let mut rest = pictures.as_slice();
        while let Some((_, size)) = rest.first() {
            let plan = |size| self.plan(size, self.options.max_side).size;
            // Neighbours with the same canvas go through the network together.
            let together = rest.iter().take(most).take_while(|(_, other)| plan(*other) == plan(*size)).count();
            let (run, tail) = rest.split_at(together);
            for (mut faces, &(rgb, size)) in self.pass(run, self.options.max_side)?.into_iter().zip(run) {
                self.finish(rgb, size, &mut faces)?;
                results.push(faces);
            }
            rest = tail;
        }
        Ok(results)
    }
}

/// Pictures in one run of a network with a dynamic batch: more gains nothing on a CPU and costs memory.
const MOST_PER_RUN: usize = 8;
