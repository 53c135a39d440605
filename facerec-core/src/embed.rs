//! Embedding: aligned faces in, unit vectors out, in batches.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::face::{Embedding, ModelKey};
use crate::geometry::Point;
use crate::image::Image;
use crate::model::{EmbedSpec, FmrThresholds, InputSpec, ModelCatalog, ModelTask, ResolvedModel};
use crate::runtime::{Model, Runtime};

/// Turns aligned faces into vectors. All that a pipeline knows of embedding: [`Embedder`] implements it, and so can a
/// remote service.
pub trait Embed: Send + Sync {
    /// The model the vectors come from.
    fn model_key(&self) -> &Arc<ModelKey>;

    /// Where the five landmarks lie in an aligned picture, and the side of that square picture in pixels.
    fn template(&self) -> ([Point; 5], u32);

    /// One vector per aligned picture, in order.
    ///
    /// # Errors
    /// `dimension_mismatch` when a picture is not a square of the template's side, `inference` when the network fails.
    fn embed_batch(&self, aligned: &[Image]) -> Result<Vec<Embedding>>;
}

/// An embedding network. Shared by `&self` between any number of threads.
#[derive(Debug)]
pub struct Embedder {
    model: Model,
    input: InputSpec,
    spec: EmbedSpec,
    output: usize,
    key: Arc<ModelKey>,
}

impl Embedder {
    /// Opens the embedder `id` of `catalog`.
    ///
    /// # Errors
    /// `model_not_found`, `checksum_mismatch`, `invalid_manifest` when the file does not fit its manifest entry.
    pub fn open(runtime: &Runtime, catalog: &ModelCatalog, id: &str) -> Result<Self> {
        Self::from_file(runtime, &catalog.resolve(id)?)
    }

    /// Opens an embedder from a verified file.
    ///
    /// # Errors
    /// As [`Embedder::open`].
    pub fn from_file(runtime: &Runtime, resolved: &ResolvedModel) -> Result<Self> {
        let manifest = &resolved.manifest;
        let spec = match (&manifest.task, &manifest.embed) {
            (ModelTask::Embed, Some(spec)) => spec.clone(),
            _ => return Err(Error::argument("embedder", format!("expected a model with task `embed`, got `{}`", manifest.id))),
        };
        let model = runtime.open(&manifest.id, &resolved.path)?;
        let output = check(&manifest.input, &spec, &model)
            .map_err(|reason| Error::InvalidManifest { origin: format!("of model `{}`", manifest.id), reason })?;
        let key = ModelKey::new(manifest.id.clone(), manifest.preprocessing_hash(&resolved.sha256)).recognisability(spec.measure()?);
        Ok(Self { model, input: manifest.input.clone(), spec, output, key: Arc::new(key) })
    }

    /// The model's id.
    pub fn id(&self) -> &str {
        self.model.id()
    }

    /// Length of the vectors.
    pub fn dim(&self) -> usize {
        self.spec.dim
    }

    /// Similarity thresholds at three false match rates, as far as measured.
    pub fn thresholds(&self) -> FmrThresholds {
        self.spec.thresholds
    }

    /// Appends the network's answers to `pictures` to `rows`, one after the other.
    fn run(&self, pictures: &[Picture<'_>], rows: &mut Vec<f32>) -> Result<()> {
        let side = (self.input.size[0], self.input.size[1]);
        let shape = self.input.shape(pictures.len(), side.0, side.1);
        let each = shape[1] * shape[2] * shape[3];
        let mut data = vec![0.0; each * pictures.len()];
        for (picture, out) in pictures.iter().zip(data.chunks_exact_mut(each)) {
            let Picture { face, mirrored } = picture;
            self.input.fill(face.data(), (face.width(), face.height()), side, out)?;
            if *mirrored {
                self.input.mirror(side, out);
            }
        }
        self.model.run(&shape, &data, |outputs| {
            let (expected, actual) = (pictures.len() * self.spec.dim, outputs[self.output].data.len());
            if actual != expected {
                return Err(Error::DimensionMismatch { what: "embedder output", expected, actual });
            }
            rows.extend_from_slice(outputs[self.output].data);
            Ok(())
        })
    }

    fn embedding(&self, vector: Vec<f32>) -> Result<Embedding> {
        Embedding::new(Arc::clone(&self.key), vector).map_err(|_| Error::Inference {
            model: self.model.id().into(),
            reason: "the network gave a vector that is zero or not finite".into(),
        })
    }
}

/// An aligned face as the network sees it.
struct Picture<'a> {
    face: &'a Image,
    mirrored: bool,
}

impl Embed for Embedder {
    fn model_key(&self) -> &Arc<ModelKey> {
        &self.key
    }

    fn template(&self) -> ([Point; 5], u32) {
        (self.spec.template.points(self.input.size[0]), self.input.size[0])
    }

    fn embed_batch(&self, aligned: &[Image]) -> Result<Vec<Embedding>> {
        for face in aligned {
            for (expected, actual) in [(self.input.size[0], face.width()), (self.input.size[1], face.height())] {
                if expected != actual {
                    return Err(Error::DimensionMismatch { what: "aligned face", expected: expected as usize, actual: actual as usize });
                }
            }
        }
        let ways: &[bool] = if self.spec.mirror { &[false, true] } else { &[false] };
        let pictures: Vec<_> = aligned.iter().flat_map(|face| ways.iter().map(move |&mirrored| Picture { face, mirrored })).collect();
        let most = if self.input.batch == 0 { MOST_PER_RUN } else { self.input.batch };
        let mut rows = Vec::with_capacity(pictures.len() * self.spec.dim);
        for pictures in pictures.chunks(most) {
            self.run(pictures, &mut rows)?;
        }
        rows.chunks_exact(self.spec.dim * ways.len())
            .map(|answers| {
                let (face, mirrored) = answers.split_at(self.spec.dim);
                let mut vector = face.to_vec();
                vector.iter_mut().zip(mirrored).for_each(|(sum, value)| *sum += value);
                self.embedding(vector)
            })
            .collect()
    }
}

/// Pictures in one run of a network with a dynamic batch: the gain per picture levels off here on a CPU, memory does not.
const MOST_PER_RUN: usize = 16;

/// The index of the embedding among the outputs, or what does not fit.
fn check(input: &InputSpec, spec: &EmbedSpec, model: &Model) -> Result<usize, String> {
    if input.size[0] != input.size[1] {
        return Err(format!("expected a square `input.size`, got `{:?}`", input.size));
    }
    let wanted = input.shape(1, input.size[0], input.size[1]);
    let have = &model.input().shape;
    let batch_fits = have.first().is_some_and(|side| side.is_none_or(|n| input.batch != 0 && n == input.batch));
    let rest_fits = have.len() == 4 && have.iter().zip(wanted).skip(1).all(|(side, want)| side.is_none_or(|n| n == want));
    if !batch_fits || !rest_fits {
        return Err(format!("expected an input of {wanted:?} with batch {} (0: any), the file has `{have:?}`", input.batch));
    }
    let named = |name: &str| model.outputs().iter().position(|output| spec.output.is_empty() || output.name == name);
    let index = named(&spec.output).ok_or_else(|| format!("no output is named `{}`", spec.output))?;
    match model.outputs()[index].shape.last() {
        Some(Some(dim)) if *dim != spec.dim => Err(format!("expected vectors of `embed.dim` {}, the file gives `{dim}`", spec.dim)),
        _ => Ok(index),
    }
}
