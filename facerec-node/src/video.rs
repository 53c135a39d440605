//! Videos: a thread looks through the file, a little ahead of the loop that takes its sightings.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use facerec_core::video::is_live;
use facerec_core::{
    Cadence, CancelToken, Engine, Error, KnownPeople, LiveOptions, PipelineOptions, Result as CoreResult, VideoOptions as Reading,
    VideoSource, VideoSummary as CoreSummary, pipeline,
};
use napi::bindgen_prelude::Object;
use napi::{Env, JsDeferred};
use napi_derive::napi;

use crate::error::{milliseconds, panicked, rejection, whole};
use crate::sighting::{Progress, Sighting, VideoSummary};

/// How a video is looked through. What is left out is at the core's default.
#[napi(object, object_to_js = false)]
#[derive(Default)]
pub struct VideoOptions {
    /// Look for faces in every frame, not about ten times a second: two to three times the work. Default false.
    pub every_frame: Option<bool>,
    /// List each sighting's box in every frame. Default false.
    pub boxes: Option<bool>,
    /// Give best shots a small picture. Default true; false saves memory.
    pub pictures: Option<bool>,
    /// Also report a track as soon as it can be named, marked `provisional`; its final sighting follows. Default false.
    pub provisional: Option<bool>,
    /// Start here, milliseconds. Default the beginning.
    pub start_ms: Option<f64>,
    /// End here, milliseconds. Default the end.
    pub end_ms: Option<f64>,
    /// How long a person may be out of sight and still continue the same track, milliseconds of video.
    pub rejoin_within_ms: Option<f64>,
    /// Most shots kept and embedded per track, from 1.
    pub best_shots: Option<f64>,
    /// Frames looked at in parallel, from 1.
    pub workers: Option<f64>,
    /// Decode on a device: `vaapi`, `cuda`, `videotoolbox`, `d3d11va` or `qsv`. Default the processor.
    pub hardware: Option<String>,
    /// Whether interlaced frames are taken apart: where the stream says so or combs show (the default), never, or always.
    #[napi(ts_type = "'auto' | 'off' | 'on'")]
    pub deinterlace: Option<String>,
    /// Live sources: how long to wait for the connection, and for each frame, milliseconds. Default 10,000.
    pub timeout_ms: Option<f64>,
    /// Live sources: how long to try again when the source is lost, milliseconds; `Infinity` for ever. Default 0.
    pub reconnect_ms: Option<f64>,
    /// Live sources: how long a frame may wait to be looked at before newer ones take its place, milliseconds. Default 20,000.
    pub backlog_ms: Option<f64>,
}

impl VideoOptions {
    fn receiving(&self) -> CoreResult<LiveOptions> {
        let mut options = LiveOptions::default();
        if let Some(time) = self.timeout_ms {
            options = options.timeout(milliseconds("timeoutMs", time)?);
        }
        match self.reconnect_ms {
            Some(f64::INFINITY) => options = options.reconnect(Duration::MAX),
            Some(time) => options = options.reconnect(milliseconds("reconnectMs", time)?),
            None => {}
        }
        if let Some(time) = self.backlog_ms {
            options = options.backlog(milliseconds("backlogMs", time)?);
        }
        Ok(options)
    }

    fn reading(&self) -> CoreResult<Reading> {
        let mut options = Reading::default();
        if let Some(start) = self.start_ms {
            options = options.start(milliseconds("startMs", start)?);
        }
        if let Some(end) = self.end_ms {
            options = options.end(milliseconds("endMs", end)?);
        }
        if let Some(device) = &self.hardware {
            options = options.hardware(device);
        }
        if let Some(deinterlace) = &self.deinterlace {
            options = options.deinterlace(deinterlace.parse()?);
        }
        Ok(options)
    }

    fn apply(&self, options: PipelineOptions, live: bool) -> CoreResult<PipelineOptions> {
        let mut options = if live { options.live() } else { options };
        if self.every_frame == Some(true) {
            options = options.cadence(Cadence::EveryFrame);
        }
        if let Some(boxes) = self.boxes {
            options = options.boxes(boxes);
        }
        if let Some(pictures) = self.pictures {
            options = options.pictures(pictures);
        }
        if let Some(provisional) = self.provisional {
            options = options.provisional(provisional);
        }
        if let Some(time) = self.rejoin_within_ms {
            options = options.rejoin_within(milliseconds("rejoinWithinMs", time)?);
        }
        if let Some(most) = self.best_shots {
            options = options.best_shots(whole("bestShots", most)? as usize);
        }
        if let Some(workers) = self.workers {
            options = options.workers(whole("workers", workers)? as usize);
        }
        Ok(options)
    }
}

/// Sightings that wait to be taken before the thread pauses.
const AHEAD: usize = 16;

/// How long the end of a process waits for the frame that is being looked at.
const HALT: Duration = Duration::from_secs(5);

/// A promise of the next sighting; null at the end.
type Next = JsDeferred<Option<Sighting>, Box<dyn FnOnce(Env) -> napi::Result<Option<Sighting>> + Send>>;
/// A promise that the thread has ended.
type Ended = JsDeferred<(), Box<dyn FnOnce(Env) -> napi::Result<()> + Send>>;

/// Videos that may be under way, in every worker, for the end of the process.
static RUNNING: Mutex<Vec<(CancelToken, Weak<Shared>)>> = Mutex::new(Vec::new());

/// Ends all videos before the process ends: their threads must not run while the libraries they use are taken down.
pub(crate) fn halt_all() {
    let running = std::mem::take(&mut *running());
    let running: Vec<_> = running.iter().filter_map(|(cancel, shared)| Some((cancel, shared.upgrade()?))).collect();
    running.iter().for_each(|(cancel, shared)| shared.stop(cancel));
    let deadline = Instant::now() + HALT;
    running.iter().for_each(|(_, shared)| shared.wait_until(deadline));
}

fn running() -> MutexGuard<'static, Vec<(CancelToken, Weak<Shared>)>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the thread and JavaScript share.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// There is room for another sighting, or nobody wants one any more, or the thread has ended.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    ready: VecDeque<CoreResult<pipeline::Sighting>>,
    waiting: VecDeque<Next>,
    closers: Vec<Ended>,
    progress: pipeline::Progress,
    summary: CoreSummary,
    closed: bool,
    ended: bool,
}

/// The sightings of a video, as an async iterator: `for await (const seen of engine.video(...))`.
#[napi]
pub struct Sightings {
    shared: Arc<Shared>,
    cancel: CancelToken,
}

impl Sightings {
    pub(crate) fn start(
        engine: Engine,
        path: String,
        known: KnownPeople<'static>,
        options: VideoOptions,
        cancel: CancelToken,
    ) -> CoreResult<Self> {
        let shared = Arc::new(Shared::default());
        let (told, token, told_progress) = (Arc::clone(&shared), cancel.clone(), Arc::clone(&shared));
        let stopping = cancel.clone();
        // What is wrong with them is thrown by the call, not by the first step.
        let reading = options.reading()?.live(options.receiving()?.stopped(move || stopping.is_cancelled()));
        let progress = Arc::new(move |progress: &pipeline::Progress| told_progress.lock().progress = *progress);
        let pipeline = options.apply(engine.video_options()?, is_live(Path::new(&path)))?.cancel(token).progress(progress);
        let work = move || {
            let look = AssertUnwindSafe(|| {
                VideoSource::open(&path, reading).and_then(|source| look_through(&engine, source, known, pipeline, &told))
            });
            let done = catch_unwind(look).unwrap_or_else(|panic| Err(panicked(panic)));
            told.end(done.err());
        };
        let thread = std::thread::Builder::new().name("facerec-video".into()).spawn(work);
        thread.map_err(|error| Error::Internal { reason: format!("cannot start a thread: {error}") })?;
        let mut running = running();
        running.retain(|(_, shared)| shared.upgrade().is_some_and(|shared| !shared.lock().ended));
        running.push((cancel.clone(), Arc::downgrade(&shared)));
        drop(running);
        Ok(Self { shared, cancel })
    }

    fn stop(&self) {
        self.shared.stop(&self.cancel);
    }
}

fn look_through(
    engine: &Engine,
    source: VideoSource,
    known: KnownPeople<'static>,
    options: PipelineOptions,
    shared: &Shared,
) -> CoreResult<()> {
    let mut sightings = engine.watch(source, known, options)?;
    let mut failure = None;
    for seen in sightings.by_ref() {
        match seen {
            Ok(seen) => {
                if !shared.offer(seen) {
                    break;
                }
            }
            Err(error) => failure = Some(error),
        }
    }
    shared.lock().summary = sightings.summary().clone();
    failure.map_or(Ok(()), Err)
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self, cancel: &CancelToken) {
        cancel.cancel();
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Waits for the thread to end.
    fn wait_until(&self, deadline: Instant) {
        let left = deadline.saturating_duration_since(Instant::now());
        // Poisoned or not, there is nothing more to wait for.
        drop(self.changed.wait_timeout_while(self.lock(), left, |state| !state.ended));
    }

    /// Hands a sighting over, when there is room for it. False when nobody wants more.
    fn offer(&self, seen: pipeline::Sighting) -> bool {
        let mut state = self.lock();
        while state.ready.len() >= AHEAD && !state.closed {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed {
            return false;
        }
        match state.waiting.pop_front() {
            Some(next) => settle(next, Ok(Some(seen))),
            None => state.ready.push_back(Ok(seen)),
        }
        true
    }

    /// The thread is through.
    fn end(&self, failure: Option<Error>) {
        let mut state = self.lock();
        state.ended = true;
        if let Some(error) = failure {
            match state.waiting.pop_front() {
                Some(next) => settle(next, Err(error)),
                None => state.ready.push_back(Err(error)),
            }
        }
        state.waiting.drain(..).for_each(|next| settle(next, Ok(None)));
        state.closers.drain(..).for_each(|ended| ended.resolve(Box::new(|_| Ok(()))));
        self.changed.notify_all();
    }
}

fn settle(next: Next, seen: CoreResult<Option<pipeline::Sighting>>) {
    next.resolve(Box::new(|env| match seen {
        Ok(seen) => Ok(seen.map(Sighting::from)),
        Err(error) => Err(rejection(env, error)),
    }));
}

/// The next sighting, null at the end. `js/video.js` makes the iterator of it.
#[napi(skip_typescript, catch_unwind)]
pub fn take_sighting<'env>(env: &'env Env, sightings: &Sightings) -> napi::Result<Object<'env>> {
    let shared = &sightings.shared;
    let (next, promise): (Next, _) = env.create_deferred()?;
    let mut state = shared.lock();
    match state.ready.pop_front() {
        Some(seen) => settle(next, seen.map(Some)),
        None if state.ended || state.closed => settle(next, Ok(None)),
        None => state.waiting.push_back(next),
    }
    shared.changed.notify_all();
    Ok(promise)
}

#[napi]
impl Sightings {
    /// Ends the work and frees everything; resolves when that is done. Leaving the loop calls it.
    #[napi(ts_return_type = "Promise<void>", catch_unwind)]
    pub fn close<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let (ended, promise): (Ended, _) = env.create_deferred()?;
        self.stop();
        let mut state = self.shared.lock();
        state.ready.clear();
        if state.ended {
            ended.resolve(Box::new(|_| Ok(())))
        } else {
            state.closers.push(ended)
        }
        Ok(promise)
    }

    /// How far the video has been looked through.
    #[napi(getter, catch_unwind)]
    pub fn progress(&self) -> Progress {
        (&self.shared.lock().progress).into()
    }

    /// The video in numbers, once the loop has ended; null before.
    #[napi(getter, ts_return_type = "VideoSummary | null", catch_unwind)]
    pub fn summary(&self) -> Option<VideoSummary> {
        let state = self.shared.lock();
        state.ended.then(|| (&state.summary).into())
    }
}

impl Drop for Sightings {
    /// Nobody can take sightings any more. This is also how Node lets go of everything at its end.
    fn drop(&mut self) {
        self.stop();
        self.shared.wait_until(Instant::now() + HALT);
    }
}
