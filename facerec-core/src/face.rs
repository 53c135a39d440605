//! What the stages hand to each other: detections, quality, embeddings, faces. Plain data, no inference.
//!
//! It lives in the lowest layer so that detection, quality, embedding, gallery and tracking exchange these types
//! without importing one another.

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::geometry::{Landmarks, Rect};
use crate::recognisability::{RECOGNISABLE, Recognisability};

/// A face found in an image, in pixels of the upright original.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Detection {
    /// The face's box. It may reach beyond the image.
    pub rect: Rect,
    /// The detector's confidence, `0..=1`.
    pub score: f32,
    /// The five landmarks.
    pub landmarks: Landmarks,
}

/// How usable a face is for recognition.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Quality {
    /// Overall usability, `0..=1`: the product of what follows, each mapped to `0..=1`.
    pub score: f32,
    /// Sharpness of the aligned face, `0..=1`; a face in focus is above 0.4.
    pub sharpness: f32,
    /// Head turn in degrees, estimated from the landmarks; positive to the right of the picture.
    pub yaw_deg: f32,
    /// Head nod in degrees, estimated from the landmarks; positive downwards.
    pub pitch_deg: f32,
    /// In-plane rotation in degrees; positive clockwise.
    pub roll_deg: f32,
    /// Side of the face in pixels: the square root of its box's area.
    pub face_px: f32,
    /// Mean brightness of the aligned face, `0..=1`; 0 black, 1 white.
    pub exposure: f32,
    /// How well the embedder can tell this face from others, `0..=1`: below [`RECOGNISABLE`]
    /// strangers look alike. `None` where the face was not embedded, or the embedder has no such measure.
    #[cfg_attr(feature = "serde", serde(default))]
    pub recognisability: Option<f32>,
}

/// The identity of an embedding model: vectors are comparable only when id and hash are equal.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ModelKey {
    /// The model's id, such as `edgeface-xs`.
    pub id: String,
    /// Hash of the weights and of everything that shapes the input (size, channel order, mean, scale, template), lower-case hex.
    pub hash: String,
    /// How it tells what it can recognise; no part of the identity. `None` where that was not measured.
    pub recognisability: Option<Recognisability>,
}

impl ModelKey {
    /// A model without a measure of recognisability.
    pub fn new(id: impl Into<String>, hash: impl Into<String>) -> Self {
        Self { id: id.into(), hash: hash.into(), recognisability: None }
    }

    /// With a measure of recognisability.
    #[must_use]
    pub fn recognisability(mut self, measure: Option<Recognisability>) -> Self {
        self.recognisability = measure;
        self
    }

    /// Whether `vector` is that of a face that can be told from others; true where that was not measured.
    pub(crate) fn is_recognisable(&self, vector: &[f32]) -> bool {
        let measured = self.recognisability.as_ref().and_then(|measure| measure.of(vector));
        measured.is_none_or(|value| value >= RECOGNISABLE)
    }
}

impl PartialEq for ModelKey {
    fn eq(&self, other: &Self) -> bool {
        (&self.id, &self.hash) == (&other.id, &other.hash)
    }
}

impl Eq for ModelKey {}

impl std::hash::Hash for ModelKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (&self.id, &self.hash).hash(state);
    }
}

impl fmt::Display for ModelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.id, self.hash.get(..12).unwrap_or(&self.hash))
    }
}

/// A face as a vector of unit length that knows its model. Cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding {
    model: Arc<ModelKey>,
    vector: Arc<[f32]>,
}

impl Embedding {
    /// Normalises `vector` to unit length.
    ///
    /// # Errors
    /// `invalid_argument` when the vector is empty, has a value that is not finite, or is all zero.
    pub fn new(model: Arc<ModelKey>, mut vector: Vec<f32>) -> Result<Self> {
        // In f64, so that the length of the result is 1 to f32 precision at any dimension.
        let norm = vector.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt();
        if !norm.is_finite() || norm <= f64::EPSILON {
            return Err(Error::argument("vector", format!("expected finite values that are not all zero, got length `{norm}`")));
        }
        for value in &mut vector {
            *value = (f64::from(*value) / norm) as f32;
        }
        Ok(Self { model, vector: vector.into() })
    }

    /// What several embeddings of one person have in common: their weighted mean at unit length (template averaging, Whitelam
    /// et al. 2017, IARPA Janus Benchmark-B, there with equal weights). `None` without any. Weights count as at least 0.001: a
    /// template needs a direction.
    ///
    /// # Errors
    /// `embedding_model_mismatch` when they come from different models, `invalid_argument` when they cancel each other out or a
    /// weight is not finite.
    pub fn template<'a>(weighted: impl IntoIterator<Item = (&'a Self, f32)>) -> Result<Option<Self>> {
        let mut weighted = weighted.into_iter().peekable();
        let Some(&(first, _)) = weighted.peek() else { return Ok(None) };
        let mut sum = vec![0.0; first.vector.len()];
        for (embedding, weight) in weighted {
            embedding.check_model(first)?;
            sum.iter_mut().zip(embedding.as_slice()).for_each(|(total, value)| *total += weight.max(1e-3) * value);
        }
        Self::new(Arc::clone(&first.model), sum).map(Some)
    }

    /// The model this vector came from.
    pub fn model(&self) -> &Arc<ModelKey> {
        &self.model
    }

    /// The vector, of unit length.
    pub fn as_slice(&self) -> &[f32] {
        &self.vector
    }

    /// Cosine similarity with `other`, `-1..=1`; higher means more alike.
    ///
    /// # Errors
    /// `embedding_model_mismatch` when the two come from different models.
    pub fn similarity(&self, other: &Self) -> Result<f32> {
        self.check_model(other)?;
        let dot: f32 = self.vector.iter().zip(other.vector.iter()).map(|(a, b)| a * b).sum();
        Ok(dot.clamp(-1.0, 1.0))
    }

    /// How well the model can tell this face from others, `0..=1`; `None` where the model has no such measure.
    pub fn recognisability(&self) -> Option<f32> {
        self.model.recognisability.as_ref()?.of(&self.vector)
    }

    /// Whether the face can be told from others: below [`RECOGNISABLE`] strangers look alike. True where that was not measured.
    pub fn is_recognisable(&self) -> bool {
        self.model.is_recognisable(&self.vector)
    }

    fn check_model(&self, other: &Self) -> Result<()> {
        if self.model != other.model {
            return Err(Error::EmbeddingModelMismatch { expected: self.model.to_string(), actual: other.model.to_string() });
        }
        Ok(())
    }
}

/// A face with what was asked to be known about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Face {
    /// Where it is.
    pub detection: Detection,
    /// How usable it is, when quality was asked for.
    pub quality: Option<Quality>,
    /// Its vector, when embedding was asked for.
    pub embedding: Option<Embedding>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str) -> Arc<ModelKey> {
        Arc::new(ModelKey::new(id, "00"))
    }

    #[test]
    fn embeddings_have_unit_length_and_refuse_other_models() {
        let a = Embedding::new(key("m"), vec![3.0, 4.0]).expect("finite");
        assert_eq!(a.as_slice(), [0.6, 0.8]);
        assert!((a.similarity(&a).expect("same model") - 1.0).abs() < 1e-6);
        let b = Embedding::new(key("n"), vec![3.0, 4.0]).expect("finite");
        assert_eq!(a.similarity(&b).expect_err("other model").kind().code(), "embedding_model_mismatch");
        for bad in [vec![], vec![0.0, 0.0], vec![f32::NAN, 1.0], vec![f32::INFINITY]] {
            assert_eq!(Embedding::new(key("m"), bad).expect_err("not a direction").kind().code(), "invalid_argument");
        }
    }

    #[test]
    fn a_template_lies_between_its_embeddings() {
        let at = |x: f32, y: f32| Embedding::new(key("m"), vec![x, y]).expect("finite");
        let (a, b) = (at(1.0, 0.0), at(0.0, 1.0));
        let mean = Embedding::template([(&a, 3.0), (&b, 1.0)]).expect("one model").expect("two embeddings");
        assert!((mean.similarity(&at(3.0, 1.0)).expect("same model") - 1.0).abs() < 1e-6);
        assert_eq!(Embedding::template([]).expect("nothing is no error"), None);
        let other = Embedding::new(key("n"), vec![1.0, 0.0]).expect("finite");
        assert_eq!(Embedding::template([(&a, 1.0), (&other, 1.0)]).expect_err("two models").kind().code(), "embedding_model_mismatch");
    }
}
