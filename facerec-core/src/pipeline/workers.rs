//! Threads that look at frames and embed faces, and the two jobs they do.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::looks::Looks;
use crate::align::align_rgb;
use crate::detect::Detect;
use crate::embed::Embed;
use crate::error::{Error, Result};
use crate::face::{Detection, Embedding, Quality};
use crate::image::{Image, Turn};
use crate::quality::assess;
use crate::video::Frame;

type Job = Box<dyn FnOnce() + Send>;

/// A few threads that take jobs in order. Dropped, it finishes the jobs at hand and forgets the rest.
pub(super) struct Workers {
    jobs: Option<Sender<Job>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// The result of a job, when it comes.
pub(super) struct Promise<T>(Receiver<Result<T>>);

impl<T> Promise<T> {
    /// Waits for the result.
    pub(super) fn wait(self) -> Result<T> {
        self.0.recv().unwrap_or_else(|_| Err(Error::internal("a worker thread ended without an answer")))
    }
}

impl Workers {
    pub(super) fn new(count: usize) -> Result<Self> {
        let (jobs, inbox) = channel::<Job>();
        let (inbox, stop) = (Arc::new(Mutex::new(inbox)), Arc::new(AtomicBool::new(false)));
        let start = |number: usize| {
            let (inbox, stop) = (Arc::clone(&inbox), Arc::clone(&stop));
            let work = move || {
                loop {
                    let job = inbox.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(job) = job else { break };
                    if !stop.load(Ordering::Relaxed) {
                        job();
                    }
                }
            };
            let name = format!("facerec-worker-{number}");
            std::thread::Builder::new().name(name).spawn(work).map_err(|error| Error::internal(format!("cannot start a thread: {error}")))
        };
        let threads = (0..count.max(1)).map(start).collect::<Result<_>>()?;
        Ok(Self { jobs: Some(jobs), stop, threads })
    }

    /// Does `work` on one of the threads.
    pub(super) fn submit<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Promise<T> {
        let (answer, promise) = sync_channel(1);
        let job = Box::new(move || {
            // A panic of a detector or embedder that is not ours must not take the thread with it.
            let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Error::internal("detection or embedding panicked")));
            let _ = answer.send(result); // nobody may be waiting any more
        });
        if let Some(jobs) = &self.jobs {
            let _ = jobs.send(job); // fails only without threads, and then the promise says so
        }
        Promise(promise)
    }

    pub(super) fn count(&self) -> usize {
        self.threads.len()
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.jobs.take());
        for thread in self.threads.drain(..) {
            let _ = thread.join(); // jobs catch their panics
        }
    }
}

/// A frame that was looked at.
pub(super) struct Looked {
    pub(super) image: Image,
    /// By which its faces stand upright.
    pub(super) turn: Turn,
    pub(super) faces: Vec<LookedFace>,
    pub(super) convert: Duration,
    pub(super) detect: Duration,
    pub(super) quality: Duration,
}

/// A face of a frame, with its aligned picture.
#[derive(Clone)]
pub(super) struct LookedFace {
    pub(super) detection: Detection,
    pub(super) quality: Quality,
    pub(super) aligned: Image,
    pub(super) looks: Looks,
}

/// Finds the faces of a frame, which `turn` sets upright, and judges them. Places are those of the frame as it stands.
pub(super) fn look(frame: &Frame, turn: Turn, detector: &dyn Detect, embedder: &dyn Embed) -> Result<Looked> {
    let start = Instant::now();
    let image = frame.to_image()?;
    let converted = Instant::now();
    let size = (image.width(), image.height());
    let upright = (turn != Turn::None).then(|| turn.apply(image.data(), size)).transpose()?;
    let found = detector.detect_frames(&[upright.as_ref().unwrap_or(&image).into()])?.pop().unwrap_or_default();
    let detected = Instant::now();
    let (template, side) = embedder.template();
    let judge = |found: Detection| {
        let detection = turn.undo(found, size);
        // Landmarks on one point: not a face that anything can be done with.
        let aligned = align_rgb(image.data(), size, &detection.landmarks, &template, side).ok()?;
        Some(LookedFace { quality: assess(&detection, &aligned), looks: Looks::new(&aligned), detection, aligned })
    };
    let faces = found.into_iter().filter_map(judge).collect();
    Ok(Looked { faces, image, turn, convert: converted - start, detect: detected - converted, quality: detected.elapsed() })
}

/// Embeds `faces` on all threads; in order.
pub(super) fn embed(workers: &Workers, embedder: &Arc<dyn Embed>, faces: Vec<Image>) -> Result<(Vec<Embedding>, Duration)> {
    let share = faces.len().div_ceil(workers.count()).clamp(1, MOST_PER_BATCH);
    let mut rest = faces.into_iter();
    let mut promises = Vec::new();
    loop {
        let batch: Vec<Image> = rest.by_ref().take(share).collect();
        if batch.is_empty() {
            break;
        }
        let embedder = Arc::clone(embedder);
        promises.push(workers.submit(move || {
            let start = Instant::now();
            Ok((embedder.embed_batch(&batch)?, start.elapsed()))
        }));
    }
    let (mut embeddings, mut time) = (Vec::new(), Duration::ZERO);
    for promise in promises {
        let (batch, took) = promise.wait()?;
        embeddings.extend(batch);
        time += took;
    }
    Ok((embeddings, time))
}

/// Larger batches gain nothing on a processor and cost memory.
const MOST_PER_BATCH: usize = 16;
