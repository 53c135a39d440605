//! Faces as JSON records and as lines of text.

use facerec_core::folder::{PassedOver, PassedOverReason};
use facerec_core::gallery::{Candidate, Decision};
use facerec_core::{Face, Quality};
use serde::Serialize;
use serde_json::Value;

/// A face in the JSON of `detect`, `embed`, `compare` and `identify`.
#[derive(Debug, Serialize)]
pub(crate) struct FaceRecord<'a> {
    #[serde(rename = "box")]
    rect: [f64; 4],
    score: f64,
    landmarks: [[f64; 2]; 5],
    quality: Option<QualityRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    embedding: Option<&'a [f32]>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    decision: Option<DecisionRecord<'a>>,
}

#[derive(Debug, Serialize)]
pub(crate) struct QualityRecord {
    score: f64,
    sharpness: f64,
    yaw: f64,
    pitch: f64,
    roll: f64,
    face_px: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    recognisability: Option<f64>,
}

/// Who a face is, in the JSON of `identify`.
#[derive(Debug, Serialize)]
struct DecisionRecord<'a> {
    person: Option<&'a str>,
    similarity: f64,
    threshold: f64,
    margin: f64,
    reason: &'static str,
    candidates: Vec<CandidateRecord<'a>>,
}

#[derive(Debug, Serialize)]
pub(crate) struct CandidateRecord<'a> {
    person: &'a str,
    similarity: f64,
}

impl<'a> FaceRecord<'a> {
    /// The face without its vector.
    pub(crate) fn new(face: &'a Face) -> Self {
        let rect = face.detection.rect;
        Self {
            rect: [rect.x1, rect.y1, rect.x2, rect.y2].map(|v| round(v, 2)),
            score: round(face.detection.score, 4),
            landmarks: face.detection.landmarks.0.map(|p| [round(p.x, 2), round(p.y, 2)]),
            quality: face.quality.as_ref().map(QualityRecord::new),
            embedding: None,
            decision: None,
        }
    }

    /// With its vector.
    pub(crate) fn embedded(face: &'a Face) -> Self {
        Self { embedding: face.embedding.as_ref().map(|embedding| embedding.as_slice()), ..Self::new(face) }
    }

    /// With who it is.
    pub(crate) fn identified(face: &'a Face, decision: &'a Decision) -> Self {
        let decision = DecisionRecord {
            person: decision.name.as_deref(),
            similarity: round(decision.similarity, 4),
            threshold: round(decision.threshold, 4),
            margin: round(decision.margin, 4),
            reason: decision.reason.code(),
            candidates: decision.candidates.iter().map(CandidateRecord::new).collect(),
        };
        Self { decision: Some(decision), ..Self::new(face) }
    }
}

impl QualityRecord {
    pub(crate) fn new(quality: &Quality) -> Self {
        Self {
            score: round(quality.score, 4),
            sharpness: round(quality.sharpness, 4),
            yaw: round(quality.yaw_deg, 1),
            pitch: round(quality.pitch_deg, 1),
            roll: round(quality.roll_deg, 1),
            face_px: round(quality.face_px, 1),
            recognisability: quality.recognisability.map(|value| round(value, 4)),
        }
    }
}

impl<'a> CandidateRecord<'a> {
    pub(crate) fn new(candidate: &'a Candidate) -> Self {
        Self { person: &candidate.name, similarity: round(candidate.similarity, 4) }
    }
}

/// `value` to `digits` decimals; JSON has no other numbers than finite ones.
pub(crate) fn round(value: f32, digits: i32) -> f64 {
    let unit = 10f64.powi(digits);
    let rounded = (f64::from(value) * unit).round() / unit;
    if rounded.is_finite() { rounded } else { 0.0 }
}

/// The face in a line for people: `at 905,54  108x149 px  score 0.87  quality 0.62`.
pub(crate) fn describe(face: &Face) -> String {
    let rect = face.detection.rect;
    let place = format!("{:.0},{:.0}", rect.x1, rect.y1);
    let size = format!("{:.0}x{:.0} px", rect.width(), rect.height());
    let quality = face.quality.map_or_else(String::new, |quality| {
        format!(
            "  quality {:.2}  yaw {:+.0}  pitch {:+.0}  sharpness {:.2}",
            quality.score, quality.yaw_deg, quality.pitch_deg, quality.sharpness
        )
    });
    let doubt = if face.embedding.as_ref().is_some_and(|embedding| !embedding.is_recognisable()) { "  unrecognisable" } else { "" };
    format!("at {place:<11} {size:<12} score {:.2}{quality}{doubt}", face.detection.score)
}

/// How many files and folders were passed over, by reason, in the JSON of whatever walks a folder. Every reason is there.
pub(crate) fn passed_over(found: &PassedOver) -> Value {
    PassedOverReason::ALL.iter().map(|&reason| (reason.code(), Value::from(found.count(reason)))).collect()
}

/// The same as a line for people; nothing when nothing was.
pub(crate) fn passed_over_line(found: &PassedOver) -> String {
    if found.total() == 0 { String::new() } else { format!("passed over: {found}\n") }
}

/// `1 face`, `3 faces`.
pub(crate) fn count(number: usize, singular: &str, plural: &str) -> String {
    format!("{number} {}", if number == 1 { singular } else { plural })
}
