//! An opened network: pictures in, candidates out. It knows nothing of options.

use super::buffers::Buffers;
use super::canvas::{self, Canvas};
use super::heads::Head;
use super::landmark::Landmarker;
use crate::error::{Error, Result};
use crate::face::Detection;
use crate::image::resize_bilinear;
use crate::model::{DetectSpec, InputSpec, ModelTask, ResolvedModel};
use crate::runtime::{Model, Output, Runtime};

/// Tightly packed RGB, and its width and height.
pub(super) type Picture<'a> = (&'a [u8], (u32, u32));

/// A detection network, what its manifest says of it, and its landmark network when it needs one.
#[derive(Debug)]
pub(super) struct Network {
    model: Model,
    input: InputSpec,
    spec: DetectSpec,
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
        let opened = runtime.open(&manifest.id, &model.path)?;
        let invalid = |reason: String| Error::InvalidManifest { origin: format!("of model `{}`", manifest.id), reason };
        let head = Head::new(&spec, opened.outputs()).map_err(invalid)?;
        canvas::check_input(&manifest.input, opened.input()).map_err(invalid)?;
        let landmarker = landmark.map(|landmark| Landmarker::open(runtime, landmark)).transpose()?;
        if landmarker.is_none() && !head.gives_landmarks() {
            return Err(invalid("the network gives no landmarks: name a `detect.landmark_model`".into()));
        }
        Ok(Self { model: opened, input: manifest.input.clone(), spec, head, landmarker, inputs: Buffers::default() })
    }

    pub(super) fn id(&self) -> &str {
        self.model.id()
    }

    pub(super) fn spec(&self) -> &DetectSpec {
        &self.spec
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
    /// `threshold` is the least score of a candidate; `None` as the manifest says.
    pub(super) fn pass(&self, pictures: &[Picture<'_>], side: u32, threshold: Option<f32>) -> Result<Vec<Vec<Detection>>> {
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
        let threshold = threshold.unwrap_or(self.spec.score_threshold);
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

    /// Fills in the landmarks of `faces` where the network gave only boxes.
    pub(super) fn locate(&self, rgb: &[u8], size: (u32, u32), faces: &mut [Detection]) -> Result<()> {
        self.landmarker.as_ref().map_or(Ok(()), |landmarker| landmarker.locate(rgb, size, faces))
    }
}

/// Pictures in one run of a network with a dynamic batch: more gains nothing on a CPU and costs memory.
const MOST_PER_RUN: usize = 8;
