//! Landmarks for networks that only give boxes: a second, tiny network looks at each box.

use crate::error::{Error, Result};
use crate::face::Detection;
use crate::geometry::Point;
use crate::image::warp_affine;
use crate::model::{InputSpec, LandmarkSpec, ModelTask, ResolvedModel};
use crate::runtime::{Model, Runtime};

/// A landmark network.
#[derive(Debug)]
pub(super) struct Landmarker {
    model: Model,
    input: InputSpec,
    spec: LandmarkSpec,
    output: usize,
}

impl Landmarker {
    pub(super) fn open(runtime: &Runtime, resolved: &ResolvedModel) -> Result<Self> {
        let manifest = &resolved.manifest;
        let invalid = |reason: String| Error::InvalidManifest { origin: format!("of model `{}`", manifest.id), reason };
        let spec = match (&manifest.task, &manifest.landmark) {
            (ModelTask::Landmark, Some(spec)) => spec.clone(),
            _ => return Err(invalid("expected a model with task `landmark`".into())),
        };
        let model = runtime.open(&manifest.id, &resolved.path)?;
        super::canvas::check_input(&manifest.input, model.input()).map_err(invalid)?;
        let position = model.outputs().iter().position(|output| spec.output.is_empty() || output.name == spec.output);
        let Some(output) = position else {
            return Err(invalid(format!("no output is named `{}`", spec.output)));
        };
        Ok(Self { model, input: manifest.input.clone(), spec, output })
    }

    /// Fills in the landmarks of `faces` found in tightly packed RGB `rgb`.
    pub(super) fn locate(&self, rgb: &[u8], size: (u32, u32), faces: &mut [Detection]) -> Result<()> {
        let most = if self.input.batch == 0 { MOST_PER_RUN } else { self.input.batch };
        for faces in faces.chunks_mut(most) {
            self.run(rgb, size, faces)?;
        }
        Ok(())
    }

    fn run(&self, rgb: &[u8], size: (u32, u32), faces: &mut [Detection]) -> Result<()> {
        let crop = (self.input.size[0], self.input.size[1]);
        let shape = self.input.shape(faces.len(), crop.0, crop.1);
        let per_face = shape[1] * shape[2] * shape[3];
        let mut data = vec![0.0; per_face * faces.len()];
        for (face, out) in faces.iter().zip(data.chunks_exact_mut(per_face)) {
            let (left, top, width, height) = self.region(face);
            let (sx, sy) = (width / crop.0 as f32, height / crop.1 as f32);
            // Pixel centres of the crop fall on the centres of the boxes they stand for, as in a resize.
            let inverse = [sx, 0.0, left + (sx - 1.0) / 2.0, 0.0, sy, top + (sy - 1.0) / 2.0];
            self.input.fill(&warp_affine(rgb, size, inverse, crop), crop, crop, out)?;
        }
        self.model.run(&shape, &data, |outputs| {
            let output = &outputs[self.output];
            let numbers = output.data.len() / faces.len();
            for (face, row) in faces.iter_mut().zip(output.data.chunks_exact(numbers.max(1))) {
                let (left, top, width, height) = self.region(face);
                for (landmark, indices) in face.landmarks.0.iter_mut().zip(&self.spec.points) {
                    let mut sum = (0.0, 0.0);
                    for &index in indices {
                        let Some([x, y]) = row.get(index * 2..index * 2 + 2) else {
                            let what = "landmark output (does `landmark.points` in the manifest fit the file?)";
                            return Err(Error::DimensionMismatch { what, expected: index * 2 + 2, actual: row.len() });
                        };
                        sum = (sum.0 + x, sum.1 + y);
                    }
                    let count = indices.len() as f32;
                    *landmark = Point::new(left + sum.0 / count * width, top + sum.1 / count * height);
                }
            }
            Ok(())
        })
    }

    /// Left, top, width and height of what the network looks at.
    fn region(&self, face: &Detection) -> (f32, f32, f32, f32) {
        let center = face.rect.center();
        let (width, height) = (face.rect.width() * self.spec.crop, face.rect.height() * self.spec.crop);
        (center.x - width / 2.0, center.y - height / 2.0, width, height)
    }
}

/// Faces in one run of a network with a dynamic batch.
const MOST_PER_RUN: usize = 32;
