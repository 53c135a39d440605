//! Faces as plain objects.

use facerec_core as core;
use facerec_core::{Error, Result};
use napi::bindgen_prelude::Float32Array;
use napi_derive::napi;

/// A face in a picture. Pixels of the upright original, origin at the top left.
#[napi(object, object_from_js = false)]
pub struct Face {
    /// `[x1, y1, x2, y2]` in pixels; it may reach beyond the picture.
    #[napi(js_name = "box", ts_type = "Box")]
    pub rect: Vec<f64>,
    /// The detector's confidence, 0 to 1.
    pub score: f64,
    /// Left eye, right eye, nose tip, left and right mouth corner, as seen in the picture, in pixels.
    #[napi(ts_type = "Landmarks")]
    pub landmarks: Vec<Vec<f64>>,
    /// How usable the face is for recognition.
    pub quality: Quality,
}

/// A face with its vector.
#[napi(object, object_from_js = false)]
pub struct EmbeddedFace {
    /// `[x1, y1, x2, y2]` in pixels; it may reach beyond the picture.
    #[napi(js_name = "box", ts_type = "Box")]
    pub rect: Vec<f64>,
    /// The detector's confidence, 0 to 1.
    pub score: f64,
    /// Left eye, right eye, nose tip, left and right mouth corner, as seen in the picture, in pixels.
    #[napi(ts_type = "Landmarks")]
    pub landmarks: Vec<Vec<f64>>,
    /// How usable the face is for recognition.
    pub quality: Quality,
    /// The face as a vector of unit length; comparable only with vectors of the same embedder (`engine.embedder`).
    pub embedding: Float32Array,
}

/// How usable a face is for recognition.
#[napi(object, object_from_js = false)]
pub struct Quality {
    /// Overall usability, 0 to 1.
    pub score: f64,
    /// Sharpness of the aligned face, 0 to 1; a face in focus is above 0.4.
    pub sharpness: f64,
    /// Head turn in degrees; positive to the right of the picture.
    pub yaw: f64,
    /// Head nod in degrees; positive downwards.
    pub pitch: f64,
    /// In-plane rotation in degrees; positive clockwise.
    pub roll: f64,
    /// Side of the face in pixels: the square root of its box's area.
    pub face_px: f64,
    /// Mean brightness of the aligned face, 0 black to 1 white.
    pub exposure: f64,
    /// How well the embedder can tell this face from others, 0 to 1: below 0.5 strangers look alike. Absent where it was not embedded.
    pub recognisability: Option<f64>,
}

/// Whether two photos show the same person.
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct Comparison {
    /// Cosine similarity of the two largest faces, -1 to 1; null when a photo has no face.
    pub similarity: Option<f64>,
    /// Similarity from which two faces are taken for the same person.
    pub threshold: f64,
    /// Whether the similarity reaches the threshold and both faces can be recognised; false without a face.
    pub same: bool,
    /// Whether both photos have a face and both can be told from others; where not, the similarity says nothing.
    pub recognisable: bool,
    /// The largest face of the first photo; null when it has none.
    pub a: Option<EmbeddedFace>,
    /// The largest face of the second photo; null when it has none.
    pub b: Option<EmbeddedFace>,
}

pub(crate) fn rect(rect: &core::Rect) -> Vec<f64> {
    [rect.x1, rect.y1, rect.x2, rect.y2].map(f64::from).into()
}

pub(crate) fn landmarks(landmarks: &core::Landmarks) -> Vec<Vec<f64>> {
    landmarks.0.iter().map(|point| vec![f64::from(point.x), f64::from(point.y)]).collect()
}

impl From<core::Quality> for Quality {
    fn from(quality: core::Quality) -> Self {
        let core::Quality { score, sharpness, yaw_deg, pitch_deg, roll_deg, face_px, exposure, recognisability } = quality;
        let [score, sharpness, yaw, pitch, roll, face_px, exposure] =
            [score, sharpness, yaw_deg, pitch_deg, roll_deg, face_px, exposure].map(f64::from);
        Self { score, sharpness, yaw, pitch, roll, face_px, exposure, recognisability: recognisability.map(f64::from) }
    }
}

/// What the engine gives to every face it finds.
pub(crate) fn complete<T>(part: Option<T>, name: &str) -> Result<T> {
    part.ok_or_else(|| Error::Internal { reason: format!("a face came without its {name}") })
}

pub(crate) fn vector(embedding: &core::Embedding) -> Float32Array {
    Float32Array::new(embedding.as_slice().to_vec())
}

impl TryFrom<core::Face> for Face {
    type Error = Error;

    fn try_from(face: core::Face) -> Result<Self> {
        let core::Detection { rect: place, score, landmarks: points } = face.detection;
        let quality = complete(face.quality, "quality")?.into();
        Ok(Self { rect: rect(&place), score: score.into(), landmarks: landmarks(&points), quality })
    }
}

impl TryFrom<core::Face> for EmbeddedFace {
    type Error = Error;

    fn try_from(face: core::Face) -> Result<Self> {
        let embedding = vector(&complete(face.embedding.clone(), "embedding")?);
        let Face { rect, score, landmarks, quality } = face.try_into()?;
        Ok(Self { rect, score, landmarks, quality, embedding })
    }
}

impl TryFrom<core::Comparison> for Comparison {
    type Error = Error;

    fn try_from(found: core::Comparison) -> Result<Self> {
        let [a, b] = [found.a, found.b].map(|face| face.map(EmbeddedFace::try_from).transpose());
        let core::Comparison { similarity, threshold, same, recognisable, .. } = found;
        Ok(Self { similarity: similarity.map(f64::from), threshold: threshold.into(), same, recognisable, a: a?, b: b? })
    }
}
