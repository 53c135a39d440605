//! What enrolment and identification take and give.

use facerec_core as core;
use facerec_core::{Error, Result};
use napi::bindgen_prelude::Float32Array;
use napi_derive::napi;
use serde_json::{Map, Value};

use crate::error::whole;
use crate::face::{EmbeddedFace, Quality};

/// How a photo is enrolled.
#[napi(object, object_to_js = false)]
pub struct EnrollOptions {
    /// How strict to be about the face. `off` takes every face, of several the largest; `strict` takes passport-like faces
    /// that fit the person's other faces. Default `standard`.
    #[napi(ts_type = "'off' | 'standard' | 'strict'")]
    pub gate: Option<String>,
    /// Where the photo came from, kept with the face: a path, a URL, an id. Default nothing.
    pub source: Option<String>,
    /// Anything to be kept with the face. Default nothing.
    #[napi(ts_type = "Metadata")]
    pub metadata: Option<Map<String, Value>>,
    /// When the face is to be forgotten, milliseconds since 1970 UTC. Default never.
    pub expires_ms: Option<f64>,
}

impl EnrollOptions {
    pub(crate) fn into_core(self) -> Result<core::EnrollOptions> {
        let mut options = core::EnrollOptions::default();
        if let Some(gate) = self.gate {
            options = options.gate(gate.parse()?);
        }
        if let Some(source) = self.source {
            options = options.source(source);
        }
        if let Some(metadata) = self.metadata {
            options = options.metadata(Value::Object(metadata).to_string());
        }
        if let Some(time) = self.expires_ms {
            options = options.expires_at_ms(time as i64);
        }
        Ok(options)
    }
}

/// What became of a photo that was to be enrolled.
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct Enrolment {
    /// Whether the face is in the gallery now, durably.
    pub accepted: bool,
    /// The enrolled face's id, a safe integer that is never reused; null when refused.
    pub face_id: Option<i64>,
    /// Why it was refused; null when accepted.
    #[napi(ts_type = "RejectReason | null")]
    pub reason: Option<String>,
    /// The face; null when there was none.
    pub face: Option<EmbeddedFace>,
}

impl TryFrom<core::Enrolment> for Enrolment {
    type Error = Error;

    fn try_from(done: core::Enrolment) -> Result<Self> {
        let (face_id, reason, face) = match done {
            core::Enrolment::Accepted { face_id, face } => (Some(face_id.0), None, Some(face)),
            core::Enrolment::Rejected { reason, face } => (None, Some(reason.code().into()), face),
            other => return Err(Error::Internal { reason: format!("an enrolment of an unknown kind: {other:?}") }),
        };
        Ok(Self { accepted: face_id.is_some(), face_id, reason, face: face.map(|face| (*face).try_into()).transpose()? })
    }
}

/// How sure to be before a face is named.
#[napi(object, object_to_js = false)]
#[derive(Default)]
pub struct IdentifyOptions {
    /// Smallest similarity that names a person, -1 to 1. Default `engine.identifyThreshold`. Lower names more strangers.
    pub threshold: Option<f64>,
    /// Smallest lead over the runner-up, 0 to 2. Default the core's. 0 always takes the better one.
    pub min_margin: Option<f64>,
    /// How many people to list as evidence. Default the core's.
    pub candidates: Option<f64>,
    /// Look only among these people. Default everybody.
    pub only: Option<Vec<String>>,
    /// Look only among faces whose metadata has these entries. Default all.
    #[napi(ts_type = "Metadata")]
    pub metadata: Option<Map<String, Value>>,
}

impl IdentifyOptions {
    pub(crate) fn into_core(self, engine: &core::Engine) -> Result<(core::DecisionOptions, core::SearchFilter)> {
        let threshold = self.threshold.map_or_else(|| engine.identify_threshold(), |threshold| Ok(threshold as f32));
        let mut options = core::DecisionOptions::new(threshold?);
        if let Some(margin) = self.min_margin {
            options = options.min_margin(margin as f32);
        }
        if let Some(count) = self.candidates {
            options = options.candidates(whole("candidates", count)? as usize);
        }
        Ok((options, filter(self.only, self.metadata)))
    }
}

/// Whom a call looks among.
pub(crate) fn filter(only: Option<Vec<String>>, metadata: Option<Map<String, Value>>) -> core::SearchFilter {
    let people = only.map_or_else(core::SearchFilter::new, |names| core::SearchFilter::new().persons(names));
    metadata.into_iter().flatten().fold(people, |filter, (key, value)| filter.metadata(key, value))
}

/// A face and who it is. Unknown (`person: null`) is a normal answer.
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct IdentifiedFace {
    /// The person's name; null for unknown.
    pub person: Option<String>,
    /// The person's id, a safe integer that is never reused; null for unknown.
    pub person_id: Option<i64>,
    /// Similarity of the best candidate, named or not, -1 to 1; -1 when nobody is enrolled.
    pub similarity: f64,
    /// Similarity from which a person is named.
    pub threshold: f64,
    /// Lead of the best candidate over the runner-up, 0 to 2.
    pub margin: f64,
    /// Why the answer is what it is.
    #[napi(ts_type = "DecisionReason")]
    pub reason: String,
    /// The best people, best first.
    pub candidates: Vec<Candidate>,
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
    /// The face as a vector of unit length.
    pub embedding: Float32Array,
}

/// A person and their most similar enrolled face.
#[napi(object, object_from_js = false)]
pub struct Candidate {
    /// The person's name.
    pub person: String,
    /// The person's id, a safe integer.
    pub person_id: i64,
    /// Cosine similarity of their most similar face, -1 to 1.
    pub similarity: f64,
    /// That face's id, a safe integer.
    pub face_id: i64,
}

impl From<core::Candidate> for Candidate {
    fn from(one: core::Candidate) -> Self {
        Self { person: one.name, person_id: one.person.0, similarity: one.similarity.into(), face_id: one.face.0 }
    }
}

impl TryFrom<core::Identified> for IdentifiedFace {
    type Error = Error;

    fn try_from(found: core::Identified) -> Result<Self> {
        let EmbeddedFace { rect, score, landmarks, quality, embedding } = found.face.try_into()?;
        let core::Decision { person, name, similarity, threshold, margin, reason, candidates, .. } = found.decision;
        Ok(Self {
            person: name,
            person_id: person.map(|id| id.0),
            similarity: similarity.into(),
            threshold: threshold.into(),
            margin: margin.into(),
            reason: reason.code().into(),
            candidates: candidates.into_iter().map(Candidate::from).collect(),
            rect,
            score,
            landmarks,
            quality,
            embedding,
        })
    }
}
