//! A video as an iterator of sightings. The work runs in a thread of its own, so that signals are seen while it does.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use facerec_core::pipeline::Progress;
use facerec_core::video::is_live;
use facerec_core::{
    Cadence, CancelToken, Deinterlace, FrameSource, KnownPeople, LiveOptions, Sighting, VideoInfo, VideoOptions, VideoSource, VideoSummary,
    text,
};
use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::error::{OrRaise, argument};
use crate::{process, records};

/// How often signals are looked for and progress is told.
const POLL: Duration = Duration::from_millis(50);

/// How long `close` waits for the work to stop: a frame takes less, a silent camera is left to its own time limit.
const PATIENCE: Duration = Duration::from_secs(1);

/// Results that may wait to be taken.
const AHEAD: usize = 16;

/// Keywords of `Engine.video`; times in seconds.
pub(crate) struct VideoRequest {
    pub(crate) every_frame: Option<bool>,
    pub(crate) start: Option<f64>,
    pub(crate) end: Option<f64>,
    pub(crate) boxes: Option<bool>,
    pub(crate) pictures: Option<bool>,
    pub(crate) best_shots: Option<usize>,
    pub(crate) rejoin_within: Option<f64>,
    pub(crate) provisional: Option<bool>,
    pub(crate) hardware: Option<String>,
    pub(crate) deinterlace: Deinterlace,
    pub(crate) live: LiveOptions,
}

/// How long a lost source is tried again: for ever or not at all, or seconds.
#[derive(FromPyObject)]
pub(crate) enum Reconnect {
    Always(bool),
    For(f64),
}

/// How a live source is received.
pub(crate) fn receiving(timeout: Option<f64>, reconnect: Option<Reconnect>, backlog: Option<f64>) -> PyResult<LiveOptions> {
    let mut options = LiveOptions::default();
    if let Some(time) = timeout {
        options = options.timeout(seconds("timeout", time)?);
    }
    match reconnect {
        Some(Reconnect::Always(true) | Reconnect::For(f64::INFINITY)) => options = options.reconnect(Duration::MAX),
        Some(Reconnect::For(time)) => options = options.reconnect(seconds("reconnect", time)?),
        Some(Reconnect::Always(false)) | None => {}
    }
    if let Some(time) = backlog {
        options = options.backlog(seconds("backlog", time)?);
    }
    Ok(options)
}

/// A video being looked through: an iterator of one `Sighting` per person and appearance, each as soon as it is final.
///
/// Made by `Engine.video`. The work runs ahead in threads of its own; leaving the `with` statement, `close` and Ctrl-C stop it.
#[pyclass(frozen, module = "facerec")]
pub(crate) struct Video {
    path: PathBuf,
    info: VideoInfo,
    shared: Arc<Shared>,
    cancel: CancelToken,
    running: Mutex<Option<Running>>,
    progress: Option<Py<PyAny>>,
}

struct Running {
    results: Receiver<facerec_core::Result<Sighting>>,
    thread: JoinHandle<()>,
}

/// What the working thread tells besides results.
#[derive(Default)]
struct Shared {
    progress: Mutex<Progress>,
    summary: Mutex<VideoSummary>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the working thread did since the last look.
enum Heard {
    Sighting(Box<Sighting>),
    Failed(facerec_core::Error),
    Nothing,
    End,
}

impl Video {
    pub(crate) fn start(
        py: Python<'_>,
        engine: &Arc<facerec_core::Engine>,
        path: PathBuf,
        gallery: Option<Arc<facerec_core::Gallery>>,
        request: VideoRequest,
        progress: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let start = request.start.map(|value| seconds("start", value)).transpose()?;
        let end = request.end.map(|value| seconds("end", value)).transpose()?;
        let rejoin = request.rejoin_within.map(|value| seconds("rejoin_within", value)).transpose()?;
        let progress = match progress {
            Some(given) if !given.is_none() => Some(py.import("facerec._progress")?.getattr("reporter")?.call1((given,))?),
            _ => None,
        };
        let (shared, cancel) = (Arc::new(Shared::default()), CancelToken::new());
        let (told, token, file) = (Arc::clone(&shared), cancel.clone(), path.clone());
        let (live, stopping) = (request.live, cancel.clone());
        let opened = py.detach(|| {
            let mut options = engine.video_options()?.cancel(token);
            options = options.progress(Arc::new(move |progress: &Progress| *lock(&told.progress) = *progress));
            if is_live(&file) {
                options = options.live();
            }
            if request.every_frame == Some(true) {
                options = options.cadence(Cadence::EveryFrame);
            }
            // Each keyword that was given.
            macro_rules! pass {
                ($($name:ident: $value:expr),*) => { $(if let Some(value) = $value { options = options.$name(value); })* };
            }
            pass!(boxes: request.boxes, pictures: request.pictures, best_shots: request.best_shots, provisional: request.provisional);
            pass!(rejoin_within: rejoin);
            let reading = reading(start, end, request.hardware).deinterlace(request.deinterlace);
            let source = VideoSource::open(&file, reading.live(live.stopped(move || stopping.is_cancelled())))?;
            let info = source.info();
            let known = gallery.map_or(KnownPeople::Nobody, KnownPeople::Shared);
            Ok((info, engine.watch(source, known, options)?))
        });
        let (info, mut sightings) = opened.or_raise()?;
        let (out, results) = sync_channel(AHEAD);
        let told = Arc::clone(&shared);
        let work = move || {
            while let Some(result) = sightings.next() {
                *lock(&told.summary) = sightings.summary().clone();
                if out.send(result).is_err() {
                    return; // nobody listens any more
                }
            }
            *lock(&told.summary) = sightings.summary().clone();
        };
        let thread = std::thread::Builder::new().name("facerec-video".into()).spawn(work)?;
        let running = Mutex::new(Some(Running { results, thread }));
        Ok(Self { path, info, shared, cancel, running, progress: progress.map(Bound::unbind) })
    }

    fn hear(&self) -> Heard {
        let mut running = lock(&self.running);
        let Some(Running { results, .. }) = running.as_ref() else { return Heard::End };
        match results.recv_timeout(POLL) {
            Ok(Ok(sighting)) => Heard::Sighting(Box::new(sighting)),
            Ok(Err(error)) => Heard::Failed(error),
            Err(RecvTimeoutError::Timeout) => Heard::Nothing,
            Err(RecvTimeoutError::Disconnected) => {
                let finished = running.take();
                match finished.map(|running| running.thread.join()) {
                    Some(Err(_)) => Heard::Failed(facerec_core::Error::Internal { reason: "the video's thread panicked".into() }),
                    _ => Heard::End,
                }
            }
        }
    }

    /// Stops the work and waits a moment for its end.
    fn stop(&self) {
        self.cancel.cancel();
        let Some(Running { results, thread }) = lock(&self.running).take() else { return };
        drop(results); // a thread that waits to hand over a result wakes up
        let deadline = Instant::now() + PATIENCE;
        while !thread.is_finished() && Instant::now() < deadline && !process::is_forked() {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn tell_progress(&self, py: Python<'_>, finished: bool) -> PyResult<()> {
        let Some(told) = &self.progress else { return Ok(()) };
        let progress = records::progress(py, &lock(&self.shared.progress))?;
        told.call1(py, (progress, finished)).map(drop)
    }
}

fn reading(start: Option<Duration>, end: Option<Duration>, hardware: Option<String>) -> VideoOptions {
    let mut options = VideoOptions::default();
    if let Some(start) = start {
        options = options.start(start);
    }
    if let Some(end) = end {
        options = options.end(end);
    }
    if let Some(device) = hardware {
        options = options.hardware(device);
    }
    options
}

/// `value` seconds.
pub(crate) fn seconds(name: &'static str, value: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value).map_err(|_| argument(name, format!("expected seconds from 0, got `{value}`")))
}

#[pymethods]
impl Video {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        process::enter()?;
        loop {
            let heard = py.detach(|| self.hear());
            match heard {
                Heard::Sighting(sighting) => {
                    self.tell_progress(py, false)?;
                    return records::sighting(py, *sighting).map(Some);
                }
                Heard::Failed(error) => return Err(crate::error::raise(error)),
                Heard::End => {
                    self.tell_progress(py, true)?;
                    return Ok(None);
                }
                Heard::Nothing => {
                    let interrupted = py.check_signals().and_then(|()| self.tell_progress(py, false));
                    if let Err(error) = interrupted {
                        py.detach(|| self.stop());
                        return Err(error);
                    }
                }
            }
        }
    }

    /// Stops the work.
    fn close(&self, py: Python<'_>) {
        py.detach(|| self.stop());
    }

    /// The remaining sightings as a `pandas.DataFrame`.
    fn to_pandas<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("facerec._results")?.getattr("Table")?.call1((slf,))?.call_method0("to_pandas")
    }

    /// The file, or the address without its secrets.
    #[getter]
    fn path(&self) -> PathBuf {
        if is_live(&self.path) { text::address_text(&self.path).into_owned().into() } else { self.path.clone() }
    }

    /// What the video says of itself.
    #[getter]
    fn info<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        records::video_info(py, &self.info)
    }

    /// How far it has been looked through.
    #[getter]
    fn progress<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let progress = *lock(&self.shared.progress);
        records::progress(py, &progress)
    }

    /// The video in numbers: complete once the iterator has ended, so far before.
    #[getter]
    fn summary<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let summary = lock(&self.shared.summary).clone();
        records::summary(py, &summary)
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        _exc_type: Option<Bound<'_, PyType>>,
        _exc: Option<Bound<'_, PyAny>>,
        _traceback: Option<Bound<'_, PyAny>>,
    ) {
        self.close(py);
    }

    fn __repr__(&self) -> String {
        let length = self.info.duration.map_or_else(String::new, |time| format!(", {:.1} s", time.as_secs_f64()));
        format!("<Video `{}`, {}x{}{length}>", text::escape_path(&self.path), self.info.width, self.info.height)
    }
}

impl Drop for Video {
    fn drop(&mut self) {
        self.stop();
    }
}
