//! An opened network: pictures in, candidates out. It knows nothing of options.

use super::buffers::Buffers;
use super::canvas::{self, Canvas};
use super::heads::Head;
use super::landmark::Landmarker;
use crate::error::{Error, Result};
use crate::face::Detection;
use crate::geometry::{Landmarks, Point, Rect};
use crate::image::{resize_bilinear, resize_part};
use crate::model::{DetectSpec, InputSpec, ModelTask, ResolvedModel};
use crate::runtime::{Model, Output, Runtime};
use crate::uprightness::Uprightness;

/// Tightly packed RGB, and its width and height.
pub(super) type Picture<'a> = (&'a [u8], (u32, u32));

/// A part of a picture as the network is to see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// Left and top edge, in picture pixels.
    pub(super) left: f64,
    pub(super) top: f64,
    /// Canvas pixels per picture pixel.
    pub(super) scale: f64,
    /// Width and height in canvas pixels.
    pub(super) content: (u32, u32),
}

/// What stands at the top left of a canvas: packed RGB, its width and height, its scale, and where it lies in the picture.
struct Shown {
    rgb: Vec<u8>,
    size: (u32, u32),
    scale: f32,
    origin: (f32, f32),
}

/// A detection network, what its manifest says of it, and its landmark network when it needs one.
#[derive(Debug)]
pub(super) struct Network {
    model: Model,
    input: InputSpec,
    spec: DetectSpec,
    uprightness: Uprightness,
    head: Head,
    landmarker: Option<Landmarker>,
    inputs: Buffers,
}

impl Network {
    /// Opens verified files; `landmark` is the landmark model of a network that only gives boxes.
    pub(super) fn open(runtime: &Runtime, model: &ResolvedModel, landmark: Option<&ResolvedModel>) -> Result<Self> {
        let manifest = &model.manifest;
        let spec = match (&manifest.task, &manifest.detect) {
            (ModelTask::Detect, Some(spec)) => spec.clone(),
            _ => return Err(Error::argument("detector", format!("expected a model with task `detect`, got `{}`", manifest.id))),
        };
        let uprightness = spec.upright()?;
        let opened = runtime.open(&manifest.id, &model.path)?;
        let invalid = |reason: String| Error::InvalidManifest { origin: format!("of model `{}`", manifest.id), reason };
        let head = Head::new(&spec, opened.outputs()).map_err(invalid)?;
        canvas::check_input(&manifest.input, opened.input()).map_err(invalid)?;
        let landmarker = landmark.map(|landmark| Landmarker::open(runtime, landmark)).transpose()?;
        if landmarker.is_none() && !head.gives_landmarks() {
            return Err(invalid("the network gives no landmarks: name a `detect.landmark_model`".into()));
        }
        Ok(Self { model: opened, input: manifest.input.clone(), spec, uprightness, head, landmarker, inputs: Buffers::default() })
    }

    pub(super) fn id(&self) -> &str {
        self.model.id()
    }

    pub(super) fn spec(&self) -> &DetectSpec {
        &self.spec
    }

    pub(super) fn uprightness(&self) -> Uprightness {
        self.uprightness
    }

    pub(super) fn input(&self) -> &InputSpec {
        &self.input
    }

    /// Most pictures in one run.
    pub(super) fn batch(&self) -> usize {
        if self.input.batch == 0 { MOST_PER_RUN } else { self.input.batch }
    }

    /// How a photo of `photo` (width, height) pixels is placed before the network when its longer side becomes `side`.
    pub(super) fn plan(&self, photo: (u32, u32), side: u32) -> Canvas {
        Canvas::plan(&self.input, &self.spec.strides, photo, side)
    }

    /// One run of the network over pictures of equal canvas: candidates above the threshold, in image pixels, before suppression.
    /// `threshold` is the least score of a candidate.
    pub(super) fn pass(&self, pictures: &[Picture<'_>], side: u32, threshold: f32) -> Result<Vec<Vec<Detection>>> {
        let Some(&(_, first)) = pictures.first() else { return Ok(Vec::new()) };
        let canvas = self.plan(first, side).size;
        let shown = |index: usize| {
            let (rgb, size) = pictures[index];
            let plan = self.plan(size, side);
            Ok(Shown { rgb: resize_bilinear(rgb, size, plan.content)?, size: plan.content, scale: plan.scale, origin: (0.0, 0.0) })
        };
        self.run(pictures.len(), canvas, threshold, shown)
    }

    /// One run of the network over parts of one picture, each at the top left of a canvas of `canvas` pixels: candidates of at
    /// least `threshold` per part, in pixels of the whole picture, before suppression.
    pub(super) fn look(&self, (rgb, size): Picture<'_>, parts: &[Part], canvas: (u32, u32), threshold: f32) -> Result<Vec<Vec<Detection>>> {
        let shown = |index: usize| {
            let Part { left, top, scale, content } = parts[index];
            // Never a rounding error beyond the picture's edge.
            let reach = |from: f64, pixels: u32, most: u32| (f64::from(pixels) / scale).min(f64::from(most) - from);
            let area = [left, top, reach(left, content.0, size.0), reach(top, content.1, size.1)];
            let rgb = resize_part(rgb, size, area, content)?;
            Ok(Shown { rgb, size: content, scale: scale as f32, origin: (left as f32, top as f32) })
        };
        self.run(parts.len(), canvas, threshold, shown)
    }

    fn run(&self, count: usize, canvas: (u32, u32), threshold: f32, shown: impl Fn(usize) -> Result<Shown>) -> Result<Vec<Vec<Detection>>> {
        let shape = self.input.shape(count, canvas.0, canvas.1);
        let each = shape[1] * shape[2] * shape[3];
        let mut data = self.inputs.take(each * count);
        let mut places = Vec::with_capacity(count);
        for (index, out) in data.chunks_exact_mut(each).enumerate() {
            let Shown { rgb, size, scale, origin } = shown(index)?;
            self.input.fill(&rgb, size, canvas, out)?;
            places.push((scale, origin));
        }
        let faces = self.model.run(&shape, &data, |outputs: &[Output<'_>]| {
            let decode = |(index, &(scale, (left, top))): (usize, &(f32, (f32, f32)))| {
                let mut faces = self.head.decode(outputs, (index, count), canvas, threshold)?;
                for face in &mut faces {
                    let rect = face.rect.scale(1.0 / scale);
                    face.rect = Rect::new(rect.x1 + left, rect.y1 + top, rect.x2 + left, rect.y2 + top);
                    face.landmarks = Landmarks(face.landmarks.scale(1.0 / scale).0.map(|point| Point::new(point.x + left, point.y + top)));
                }
                Ok(faces)
            };
            places.iter().enumerate().map(decode).collect()
        });
        self.inputs.give_back(data);
        faces
    }

    /// Fills in the landmarks of `faces`, or makes those of the network more exact, where there is a landmark network.
    pub(super) fn locate(&self, rgb: &[u8], size: (u32, u32), faces: &mut [Detection]) -> Result<()> {
        let Some(landmarker) = &self.landmarker else { return Ok(()) };
        if !self.head.gives_landmarks() {
            return landmarker.locate(rgb, size, faces);
        }
        let own: Vec<Landmarks> = faces.iter().map(|face| face.landmarks).collect();
        landmarker.locate(rgb, size, faces)?;
        for (face, own) in faces.iter_mut().zip(own) {
            face.landmarks = agreed(&own, &face.landmarks, &face.rect);
        }
        Ok(())
    }
}

/// The mean of both landmarks of a face, or `own` where they disagree: a landmark network sees an upright face in every box, the
/// detector sees how it stands.
fn agreed(own: &Landmarks, other: &Landmarks, face: &Rect) -> Landmarks {
    let apart: f32 = own.0.iter().zip(&other.0).map(|(a, b)| (a.x - b.x).hypot(a.y - b.y)).sum();
    if apart / own.0.len() as f32 > AGREED * face.area().sqrt() {
        return *own;
    }
    Landmarks(std::array::from_fn(|i| Point::new((own.0[i].x + other.0[i].x) / 2.0, (own.0[i].y + other.0[i].y) / 2.0)))
}

/// Most distance of two networks' landmarks, as a share of the face's side, at which they are taken for the same; the mean over the
/// five. For upright faces of LFW it is 0.03, at most 0.06 (309 photos).
const AGREED: f32 = 0.1;

/// Pictures in one run of a network with a dynamic batch: more gains nothing on a CPU and costs memory.
const MOST_PER_RUN: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn landmarks_that_agree_are_averaged_and_others_are_the_detectors() {
        let face = Rect::new(0.0, 0.0, 100.0, 100.0);
        let own = Landmarks([(30.0, 40.0), (70.0, 40.0), (50.0, 60.0), (35.0, 80.0), (65.0, 80.0)].map(|(x, y)| Point::new(x, y)));
        let near = Landmarks(own.0.map(|point| Point::new(point.x + 4.0, point.y - 2.0)));
        assert_eq!(agreed(&own, &near, &face).nose(), Point::new(52.0, 59.0));
        let upside_down = Landmarks(own.0.map(|point| Point::new(100.0 - point.x, 100.0 - point.y)));
        assert_eq!(agreed(&upside_down, &own, &face), upside_down);
    }
}
