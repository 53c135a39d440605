//! Enrolment and identification: analysed faces meet a gallery.

use crate::error::{Error, Result};
use crate::face::{Embedding, Face};
use crate::gallery::{Decision, DecisionOptions, FaceId, Gallery, NewFace, SearchFilter};
use crate::quality::{QualityGate, QualityIssue, shows_enough};
use crate::text::canonical_name;

/// How a photo is enrolled.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct EnrollOptions {
    gate: QualityGate,
    source: Option<String>,
    metadata: Option<String>,
    expires_at_ms: Option<i64>,
}

impl EnrollOptions {
    /// How strict to be about the face; default [`QualityGate::Standard`]. Off lets faces in that later match strangers.
    #[must_use]
    pub fn gate(mut self, gate: QualityGate) -> Self {
        self.gate = gate;
        self
    }

    /// Where the photo came from, kept with the face: a path, a URL, an id. Default nothing.
    #[must_use]
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// A JSON object kept with the face. Default nothing.
    #[must_use]
    pub fn metadata(mut self, json: impl Into<String>) -> Self {
        self.metadata = Some(json.into());
        self
    }

    /// When the face is to be forgotten, milliseconds since 1970 UTC. Default never.
    #[must_use]
    pub fn expires_at_ms(mut self, time: i64) -> Self {
        self.expires_at_ms = Some(time);
        self
    }
}

/// What became of a photo that was to be enrolled.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Enrolment {
    /// The face is in the gallery, durably.
    Accepted {
        /// Its id.
        face_id: FaceId,
        /// The face.
        face: Box<Face>,
    },
    /// Nothing was stored.
    Rejected {
        /// Why.
        reason: RejectReason,
        /// The face that was refused, when there was one.
        face: Option<Box<Face>>,
    },
}

/// Why a photo was not enrolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectReason {
    /// No face was found.
    NoFace,
    /// More than one face could be meant.
    SeveralFaces,
    /// The face has too few pixels.
    TooSmall,
    /// The face is out of focus or smeared.
    Blurred,
    /// The head is turned or tilted too far.
    ExtremePose,
    /// The face is too dark, too bright or has no contrast.
    BadExposure,
    /// The face cannot be told from others (upside down, smeared, or no human face), whatever the gate: strangers would match it.
    Unrecognisable,
    /// The face does not fit the person's enrolled faces, or fits somebody else's.
    NotThisPerson,
    /// The person has this very photo already.
    Duplicate,
}

impl RejectReason {
    /// The stable snake_case code.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoFace => "no_face",
            Self::SeveralFaces => "several_faces",
            Self::TooSmall => "too_small",
            Self::Blurred => "blurred",
            Self::ExtremePose => "extreme_pose",
            Self::BadExposure => "bad_exposure",
            Self::Unrecognisable => "unrecognisable",
            Self::NotThisPerson => "not_this_person",
            Self::Duplicate => "duplicate",
        }
    }
}

impl From<QualityIssue> for RejectReason {
    fn from(issue: QualityIssue) -> Self {
        match issue {
            QualityIssue::TooSmall => Self::TooSmall,
            QualityIssue::Blurred => Self::Blurred,
            QualityIssue::ExtremePose => Self::ExtremePose,
            QualityIssue::BadExposure => Self::BadExposure,
        }
    }
}

/// A face and who it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Identified {
    /// The face, with quality and embedding.
    pub face: Face,
    /// Who it is, with the evidence.
    pub decision: Decision,
}

/// Two embeddings of one person this alike are the same photo, resized or compressed again; two photos are never.
const SAME_PHOTO: f32 = 0.99;

/// How many of the most similar people are looked at for contradictions.
const NEIGHBOURS: usize = 16;

/// A second face at least this large, relative to the largest, could be the one that is meant.
const RIVAL_SIDE: f32 = 0.5;

/// Enrols the face that is meant among `faces` as `person`; `threshold` is the similarity from which two faces are one person's.
/// [`Engine::enroll_faces`](crate::Engine::enroll_faces) for who detects and embeds elsewhere, for example in a service.
///
/// # Errors
/// The gallery's errors, `invalid_argument` for an empty name, `internal` for a face without its embedding.
pub fn enroll_faces(gallery: &Gallery, person: &str, faces: Vec<Face>, threshold: f32, options: &EnrollOptions) -> Result<Enrolment> {
    let rejected = |reason, face: Option<Face>| Ok(Enrolment::Rejected { reason, face: face.map(Box::new) });
    let face = match choose(faces, options.gate) {
        Ok(face) => face,
        Err((reason, face)) => return rejected(reason, face.map(|face| *face)),
    };
    let embedding = face.embedding.clone().ok_or_else(|| Error::internal("a face was to be enrolled without its embedding"))?;
    if let Some(reason) = conflict(gallery, person, &embedding, threshold, options.gate)? {
        return rejected(reason, Some(face));
    }
    let mut new = NewFace::new(&embedding);
    if let Some(quality) = face.quality {
        new = new.quality(quality);
    }
    if let Some(source) = &options.source {
        new = new.source(source);
    }
    if let Some(metadata) = &options.metadata {
        new = new.metadata(metadata);
    }
    if let Some(time) = options.expires_at_ms {
        new = new.expires_at_ms(time);
    }
    let face_id = gallery.add(person, new)?;
    Ok(Enrolment::Accepted { face_id, face: Box::new(face) })
}

/// The face that a photo is about: the largest, unless only one that is nearly as large can be recognised.
pub(crate) fn main_face(faces: Vec<Face>) -> Option<Face> {
    by_size(faces).into_iter().next()
}

/// The largest face first; before it those that are nearly as large and, unlike it, can be recognised.
fn by_size(mut faces: Vec<Face>) -> Vec<Face> {
    let largest = faces.iter().map(side).fold(0.0, f32::max);
    let meant = |face: &Face| is_recognisable(face) && side(face) >= RIVAL_SIDE * largest;
    faces.sort_by(|a, b| meant(b).cmp(&meant(a)).then(side(b).total_cmp(&side(a))));
    faces
}

fn side(face: &Face) -> f32 {
    face.detection.rect.area().sqrt()
}

/// Whether the face can be told from others by itself, without the better photos of a gallery.
pub(crate) fn is_comparable(face: &Face) -> bool {
    face.embedding.as_ref().is_some_and(Embedding::is_recognisable) && face.quality.as_ref().is_none_or(shows_enough)
}

fn is_recognisable(face: &Face) -> bool {
    face.embedding.as_ref().is_none_or(Embedding::is_recognisable)
}

/// The one face of the photo that is meant, or why there is none.
fn choose(faces: Vec<Face>, gate: QualityGate) -> Result<Face, (RejectReason, Option<Box<Face>>)> {
    let mut faces = by_size(faces).into_iter();
    let face = faces.next().ok_or((RejectReason::NoFace, None))?;
    // Before the gate: an upside-down face has a strange pose, a dog none that means anything.
    if !is_recognisable(&face) {
        return Err((RejectReason::Unrecognisable, Some(Box::new(face))));
    }
    if gate == QualityGate::Off {
        return Ok(face);
    }
    if faces.next().is_some_and(|rival| is_recognisable(&rival) && side(&rival) >= RIVAL_SIDE * side(&face)) {
        return Err((RejectReason::SeveralFaces, Some(Box::new(face))));
    }
    match face.quality.and_then(|quality| gate.check(&quality)) {
        Some(issue) => Err((issue.into(), Some(Box::new(face)))),
        None => Ok(face),
    }
}

/// Whether the face contradicts what the gallery holds.
fn conflict(gallery: &Gallery, person: &str, embedding: &Embedding, threshold: f32, gate: QualityGate) -> Result<Option<RejectReason>> {
    if gate == QualityGate::Off {
        return Ok(None);
    }
    let name = canonical_name(person);
    let decision = gallery.identify(embedding, &DecisionOptions::new(threshold).candidates(NEIGHBOURS))?;
    let own = decision.candidates.iter().find(|candidate| candidate.name == *name).map(|candidate| candidate.similarity);
    if own.is_some_and(|similarity| similarity >= SAME_PHOTO) {
        return Ok(Some(RejectReason::Duplicate));
    }
    if gate != QualityGate::Strict {
        return Ok(None);
    }
    let stranger = decision.candidates.iter().find(|candidate| candidate.name != *name).map_or(-1.0, |candidate| candidate.similarity);
    let known = match gallery.person(&name) {
        Ok(_) => true,
        Err(Error::PersonNotFound { .. }) => false,
        Err(error) => return Err(error),
    };
    let fits = if known { own.is_some_and(|own| own >= threshold && own > stranger) } else { stranger < threshold };
    Ok((!fits).then_some(RejectReason::NotThisPerson))
}

/// Names faces that were analysed already.
pub(crate) fn identify_faces(
    gallery: &Gallery,
    faces: Vec<Face>,
    options: &DecisionOptions,
    filter: &SearchFilter,
) -> Result<Vec<Identified>> {
    let embeddings: Vec<Embedding> = faces.iter().filter_map(|face| face.embedding.clone()).collect();
    if embeddings.len() != faces.len() {
        return Err(Error::internal("faces were to be identified without their embeddings"));
    }
    let decisions = gallery.identify_among(&embeddings, options, filter)?;
    Ok(faces.into_iter().zip(decisions).map(|(face, decision)| Identified { face, decision }).collect())
}
