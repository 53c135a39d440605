//! Following faces in frames of one's own.

use std::sync::{Mutex, PoisonError};

use facerec_core::{TrackId, TrackOptions};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::error::OrRaise;
use crate::records;
use crate::video::seconds;

/// Follows faces from frame to frame, where the frames are your own. For files, `Engine.video` does more.
///
/// Args:
///     high_score: Score from which a face may start a track.
///     sure_score: Score from which one face is a track at once; a weaker one must be seen again.
///     keep_lost: Seconds for which a missed face's track stays open.
///     coast: Seconds for which a missed face's box is foreseen.
///     split_after: A face missed for longer, in seconds, starts a new track.
#[pyclass(frozen, module = "facerec")]
pub(crate) struct Tracker(Mutex<facerec_core::Tracker>);

impl Tracker {
    fn on<T>(&self, work: impl FnOnce(&mut facerec_core::Tracker) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn ids<'py>(py: Python<'py>, tracks: &[TrackId]) -> PyResult<Bound<'py, PyTuple>> {
    PyTuple::new(py, tracks.iter().map(|track| track.0))
}

#[pymethods]
impl Tracker {
    #[new]
    #[pyo3(signature = (*, high_score=None, sure_score=None, keep_lost=None, coast=None, split_after=None))]
    fn new(
        high_score: Option<f32>,
        sure_score: Option<f32>,
        keep_lost: Option<f64>,
        coast: Option<f64>,
        split_after: Option<f64>,
    ) -> PyResult<Self> {
        let mut options = TrackOptions::default();
        // Each keyword that was given.
        macro_rules! pass {
            ($($name:ident: $value:expr),*) => { $(if let Some($name) = $name { options = options.$name($value); })* };
        }
        pass!(high_score: high_score, sure_score: sure_score, keep_lost: seconds("keep_lost", keep_lost)?, coast: seconds("coast", coast)?);
        pass!(split_after: seconds("split_after", split_after)?);
        Ok(Self(Mutex::new(facerec_core::Tracker::new(options))))
    }

    /// The faces of the frame at `time` (seconds, never going back). Faces of `Engine.detect` and `Engine.embed` both do.
    ///
    /// >>> tracker = facerec.Tracker()
    /// >>> faces = engine.detect(photos / "people" / "obama.jpg")
    /// >>> [tracker.update(time, faces).faces[0].track for time in (0.0, 0.1, 0.2)]
    /// [1, 1, 1]
    fn update<'py>(&self, py: Python<'py>, time: f64, faces: Vec<Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyAny>> {
        let time = seconds("time", time)?;
        let detections = faces.iter().map(records::detection_of).collect::<PyResult<Vec<_>>>()?;
        records::track_step(py, &self.on(|tracker| tracker.update(time, &detections)).or_raise()?)
    }

    /// Where the tracked faces should be at `time`, in a frame without detections. Changes nothing.
    fn predict<'py>(&self, py: Python<'py>, time: f64) -> PyResult<Bound<'py, PyAny>> {
        let time = seconds("time", time)?;
        records::tracked_faces(py, &self.on(|tracker| tracker.predict(time)))
    }

    /// A scene cut: ends all tracks and returns them.
    fn cut<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        ids(py, &self.on(facerec_core::Tracker::cut))
    }

    /// The end: ends all tracks and returns them.
    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        ids(py, &self.on(facerec_core::Tracker::finish))
    }
}
