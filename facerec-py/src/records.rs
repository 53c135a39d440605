//! The core's results as Python's dataclasses, field by field in their order, and faces back again.

use std::time::Duration;

use facerec_core::gallery::{
    AuditEntry, Cluster, Decision, Duplicate, FaceRecord, GalleryStats, ImportReport, Match, Person, VerifyReport,
};
use facerec_core::pipeline::{BestShot, Progress, Sighting, TrackBox, VideoSummary};
use facerec_core::{
    Comparison, Detection, Enrolment, Face, Identified, Image, Landmarks, Point, Quality, Reception, Rect, TrackStep, TrackedFace,
    VideoInfo,
};
use numpy::{PyArray1, PyArrayMethods};
use pyo3::call::PyCallArgs;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::embedding::Embedding;
use crate::error::argument;

type Made<'py> = PyResult<Bound<'py, PyAny>>;

/// An instance of a class of `facerec._results`.
pub(crate) fn make<'py>(py: Python<'py>, class: &str, fields: impl PyCallArgs<'py>) -> Made<'py> {
    py.import("facerec._results")?.getattr(class)?.call1(fields)
}

/// An instance of a class of `facerec._reports`.
pub(crate) fn report<'py>(py: Python<'py>, class: &str, fields: impl PyCallArgs<'py>) -> Made<'py> {
    py.import("facerec._reports")?.getattr(class)?.call1(fields)
}

/// A tuple of what `each` makes of the items.
fn tuple<'py, T>(py: Python<'py>, items: impl IntoIterator<Item = T>, each: impl Fn(T) -> Made<'py>) -> PyResult<Bound<'py, PyTuple>> {
    PyTuple::new(py, items.into_iter().map(each).collect::<PyResult<Vec<_>>>()?)
}

/// A `Table` (a list) of what `each` makes of the items.
pub(crate) fn table<'py, T>(py: Python<'py>, items: impl IntoIterator<Item = T>, each: impl Fn(T) -> Made<'py>) -> Made<'py> {
    make(py, "Table", (items.into_iter().map(each).collect::<PyResult<Vec<_>>>()?,))
}

fn edges(rect: &Rect) -> (f32, f32, f32, f32) {
    (rect.x1, rect.y1, rect.x2, rect.y2)
}

fn spans(spans: &[(Duration, Duration)]) -> Vec<(f64, f64)> {
    spans.iter().map(|(start, end)| (start.as_secs_f64(), end.as_secs_f64())).collect()
}

fn quality<'py>(py: Python<'py>, quality: &Quality) -> Made<'py> {
    let Quality { score, sharpness, yaw_deg, pitch_deg, roll_deg, face_px, exposure, recognisability } = *quality;
    make(py, "Quality", (score, sharpness, yaw_deg, pitch_deg, roll_deg, face_px, exposure, recognisability))
}

pub(crate) fn decision<'py>(py: Python<'py>, decision: &Decision) -> Made<'py> {
    let candidates = tuple(py, &decision.candidates, |one| make(py, "Candidate", (&one.name, one.similarity, one.person.0, one.face.0)))?;
    let Decision { person, name, similarity, threshold, margin, reason, .. } = decision;
    make(py, "Decision", (name, similarity, threshold, margin, reason.code(), candidates, person.map(|id| id.0)))
}

pub(crate) fn face<'py>(py: Python<'py>, face: &Face, found: Option<&Decision>) -> Made<'py> {
    let Detection { rect, score, landmarks } = &face.detection;
    let landmarks = PyTuple::new(py, landmarks.0.map(|point| (point.x, point.y)))?;
    let quality = face.quality.as_ref().map(|known| quality(py, known)).transpose()?;
    let embedding = face.embedding.clone().map(Embedding);
    let found = found.map(|found| decision(py, found)).transpose()?;
    make(py, "Face", (edges(rect), score, landmarks, quality, embedding, found))
}

/// `Faces` of the picture that was given.
pub(crate) fn faces<'py>(faces: &[Face], picture: &Bound<'py, PyAny>, bgr: bool) -> Made<'py> {
    let py = picture.py();
    let list = faces.iter().map(|one| face(py, one, None)).collect::<PyResult<Vec<_>>>()?;
    make(py, "Faces", (list, picture, bgr))
}

pub(crate) fn identified<'py>(found: &[Identified], picture: &Bound<'py, PyAny>, bgr: bool) -> Made<'py> {
    let py = picture.py();
    let list = found.iter().map(|one| face(py, &one.face, Some(&one.decision))).collect::<PyResult<Vec<_>>>()?;
    make(py, "Faces", (list, picture, bgr))
}

pub(crate) fn comparison<'py>(py: Python<'py>, result: &Comparison) -> Made<'py> {
    let side = |known: &Option<Face>| known.as_ref().map(|known| face(py, known, None)).transpose();
    make(py, "Comparison", (result.same, result.similarity, result.threshold, side(&result.a)?, side(&result.b)?, result.recognisable))
}

pub(crate) fn enrolment<'py>(py: Python<'py>, person: &str, enrolment: &Enrolment) -> Made<'py> {
    match enrolment {
        Enrolment::Accepted { face_id, face: enrolled } => {
            make(py, "Enrolment", (true, person, face_id.0, py.None(), face(py, enrolled, None)?))
        }
        Enrolment::Rejected { reason, face: refused } => {
            let refused = refused.as_ref().map(|refused| face(py, refused, None)).transpose()?;
            make(py, "Enrolment", (false, person, py.None(), reason.code(), refused))
        }
        other => Err(pyo3::exceptions::PyNotImplementedError::new_err(format!("{other:?}"))),
    }
}

pub(crate) fn person<'py>(py: Python<'py>, person: &Person) -> Made<'py> {
    make(py, "Person", (&person.name, person.faces, person.id.0, person.created_ms as f64 / 1e3))
}

pub(crate) fn audit_entry<'py>(py: Python<'py>, entry: &AuditEntry) -> Made<'py> {
    let AuditEntry { id, at_ms, actor, action, persons, faces, .. } = entry;
    let (persons, faces): (Vec<i64>, Vec<i64>) = (persons.iter().map(|id| id.0).collect(), faces.iter().map(|id| id.0).collect());
    make(py, "AuditEntry", (id, *at_ms as f64 / 1e3, actor, action, PyTuple::new(py, persons)?, PyTuple::new(py, faces)?))
}

pub(crate) fn enrolled_face<'py>(py: Python<'py>, record: &FaceRecord) -> Made<'py> {
    let expires = record.expires_ms.map(|time| time as f64 / 1e3);
    let quality = record.quality.as_ref().map(|known| quality(py, known)).transpose()?;
    make(
        py,
        "EnrolledFace",
        (record.id.0, record.person.0, quality, &record.source, &record.metadata, record.created_ms as f64 / 1e3, expires),
    )
}

pub(crate) fn a_match<'py>(py: Python<'py>, found: &Match) -> Made<'py> {
    make(py, "Match", (&found.name, found.similarity, found.person.0, found.face.0))
}

pub(crate) fn duplicate<'py>(py: Python<'py>, pair: &Duplicate) -> Made<'py> {
    let Duplicate { first_name, second_name, similarity, supporting_faces, .. } = pair;
    let ids = (pair.first.0, pair.second.0, pair.first_face.0, pair.second_face.0);
    make(py, "Duplicate", (first_name, second_name, similarity, supporting_faces, ids.0, ids.1, ids.2, ids.3))
}

pub(crate) fn cluster<'py>(py: Python<'py>, cluster: &Cluster) -> Made<'py> {
    make(py, "Cluster", (PyTuple::new(py, &cluster.members)?, cluster.typical, cluster.cohesion))
}

pub(crate) fn stats<'py>(py: Python<'py>, stats: &GalleryStats) -> Made<'py> {
    let GalleryStats { persons, faces, dim, model, model_hash, index_kind, recall, tombstones, .. } = stats;
    let GalleryStats { index_bytes_per_face, index_building, bytes_on_disk, generation, encrypted, .. } = stats;
    let about = (persons, faces, dim, model, model_hash, index_kind, recall).into_pyobject(py)?;
    let more = (tombstones, index_bytes_per_face, index_building, bytes_on_disk, generation, encrypted).into_pyobject(py)?;
    let fields = about.as_sequence().concat(more.as_sequence())?.to_tuple()?; // PyO3's own tuples end at twelve
    make(py, "GalleryStats", fields)
}

pub(crate) fn verify_report<'py>(py: Python<'py>, report: &VerifyReport) -> Made<'py> {
    make(py, "VerifyReport", (report.faces, PyTuple::new(py, &report.problems)?))
}

pub(crate) fn import_report<'py>(py: Python<'py>, report: &ImportReport) -> Made<'py> {
    make(py, "ImportReport", (report.persons, report.faces, report.duplicates))
}

/// A picture as an array `(height, width, 3)`.
pub(crate) fn pixels<'py>(py: Python<'py>, image: Image) -> Made<'py> {
    let shape = [image.height() as usize, image.width() as usize, 3];
    Ok(PyArray1::from_vec(py, image.into_data()).reshape(shape)?.into_any())
}

fn best_shot<'py>(py: Python<'py>, shot: BestShot) -> Made<'py> {
    let picture = shot.picture.map(|picture| pixels(py, picture)).transpose()?;
    let quality = quality(py, &shot.quality)?;
    make(py, "BestShot", (shot.frame, shot.time.as_secs_f64(), edges(&shot.rect), quality, Embedding(shot.embedding), picture))
}

fn track_box<'py>(py: Python<'py>, one: &TrackBox) -> Made<'py> {
    make(py, "TrackBox", (one.frame, one.time.as_secs_f64(), edges(&one.rect), one.detected))
}

pub(crate) fn sighting<'py>(py: Python<'py>, sighting: Sighting) -> Made<'py> {
    let fields = (
        sighting.track,
        sighting.start.as_secs_f64(),
        sighting.end.as_secs_f64(),
        PyTuple::new(py, spans(&sighting.spans))?,
        sighting.frames,
        decision(py, &sighting.decision)?,
        tuple(py, sighting.best_shots, |shot| best_shot(py, shot))?,
        sighting.embeddings,
        tuple(py, &sighting.boxes, |one| track_box(py, one))?,
        sighting.provisional,
    );
    make(py, "Sighting", fields)
}

pub(crate) fn progress<'py>(py: Python<'py>, progress: &Progress) -> Made<'py> {
    make(py, "Progress", (progress.frames, progress.total, progress.time.as_secs_f64(), progress.tracks))
}

pub(crate) fn video_info<'py>(py: Python<'py>, info: &VideoInfo) -> Made<'py> {
    let VideoInfo { width, height, frames, duration, frame_rate, codec, live, .. } = info;
    make(py, "VideoInfo", (width, height, frames, duration.map(|time| time.as_secs_f64()), frame_rate, codec, live))
}

pub(crate) fn summary<'py>(py: Python<'py>, summary: &VideoSummary) -> Made<'py> {
    let persons = PyDict::new(py);
    for (name, times) in &summary.persons {
        persons.set_item(name, spans(times))?;
    }
    let stages = &summary.stages;
    let named = [
        ("decode", stages.decode),
        ("convert", stages.convert),
        ("detect", stages.detect),
        ("quality", stages.quality),
        ("track", stages.track),
        ("embed", stages.embed),
        ("identify", stages.identify),
    ];
    let times = PyDict::new(py);
    for (name, time) in named {
        times.set_item(name, time.as_secs_f64())?;
    }
    let VideoSummary { frames, frames_detected, tracks, unknown_tracks, detections, embeddings, cuts, turned_deg, .. } = summary;
    let (duration, wall) = (summary.duration.as_secs_f64(), summary.wall.as_secs_f64());
    let numbers =
        (frames, duration, tracks, persons, unknown_tracks, frames_detected, detections, embeddings, cuts, turned_deg, wall, times);
    let received = (reception(py, &summary.reception)?,);
    // A tuple of Rust has twelve fields at most.
    let fields = numbers.into_pyobject(py)?.as_sequence().concat(received.into_pyobject(py)?.as_sequence())?;
    make(py, "VideoSummary", fields.to_tuple()?)
}

fn reception<'py>(py: Python<'py>, reception: &Reception) -> Made<'py> {
    let absences: Vec<_> = reception.absences.iter().map(|away| (away.from.as_secs_f64(), away.to.map(|to| to.as_secs_f64()))).collect();
    make(py, "Reception", (reception.too_slow, reception.undecodable, reception.clock_jumps, PyTuple::new(py, absences)?))
}

pub(crate) fn track_step<'py>(py: Python<'py>, step: &TrackStep) -> Made<'py> {
    let ended: Vec<u64> = step.ended.iter().map(|track| track.0).collect();
    make(py, "TrackStep", (tracked_faces(py, &step.faces)?, PyTuple::new(py, ended)?))
}

pub(crate) fn tracked_faces<'py>(py: Python<'py>, faces: &[TrackedFace]) -> Made<'py> {
    let tracked =
        |face: &TrackedFace| make(py, "TrackedFace", (face.track.0, edges(&face.rect), face.detection, face.speed, face.ambiguous));
    Ok(tuple(py, faces, tracked)?.into_any())
}

/// Where a Python `Face` is.
pub(crate) fn detection_of(face: &Bound<'_, PyAny>) -> PyResult<Detection> {
    let (x1, y1, x2, y2) = face.getattr("box")?.extract()?;
    let points: [(f32, f32); 5] = face.getattr("landmarks")?.extract()?;
    let score = face.getattr("score")?.extract()?;
    Ok(Detection { rect: Rect::new(x1, y1, x2, y2), score, landmarks: Landmarks(points.map(|(x, y)| Point::new(x, y))) })
}

/// The vector of a Python `Face`, or an `Embedding` itself.
pub(crate) fn embedding_of(object: &Bound<'_, PyAny>) -> PyResult<facerec_core::Embedding> {
    if let Ok(embedding) = object.extract::<PyRef<'_, Embedding>>() {
        return Ok(embedding.0.clone());
    }
    let embedding = face_of(object)?.and_then(|face| face.embedding);
    embedding.ok_or_else(|| argument("faces", "expected faces with embeddings, as `engine.embed` gives them, or embeddings"))
}

/// A Python `Face` as the core's; `None` for any other object.
pub(crate) fn face_of(object: &Bound<'_, PyAny>) -> PyResult<Option<Face>> {
    let class = object.py().import("facerec._results")?.getattr("Face")?;
    if !object.is_instance(&class)? {
        return Ok(None);
    }
    let quality: Option<Bound<'_, PyAny>> = object.getattr("quality")?.extract()?;
    let number = |known: &Bound<'_, PyAny>, name: &str| known.getattr(name)?.extract::<f32>();
    let quality = quality.map(|known| -> PyResult<Quality> {
        Ok(Quality {
            score: number(&known, "score")?,
            sharpness: number(&known, "sharpness")?,
            yaw_deg: number(&known, "yaw")?,
            pitch_deg: number(&known, "pitch")?,
            roll_deg: number(&known, "roll")?,
            face_px: number(&known, "face_px")?,
            exposure: number(&known, "exposure")?,
            recognisability: known.getattr("recognisability")?.extract()?,
        })
    });
    let embedding: Option<PyRef<'_, Embedding>> = object.getattr("embedding")?.extract()?;
    let embedding = embedding.map(|known| known.0.clone());
    Ok(Some(Face { detection: detection_of(object)?, quality: quality.transpose()?, embedding }))
}
