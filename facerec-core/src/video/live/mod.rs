//! Live sources: network cameras and webcams. Bursts wait to be looked at; whoever is slower for longer gets the newest.
//!
//! Three threads: one receives and decodes ([`line`]), one watches it and connects anew ([`watch`]), the caller's takes the frames.

mod connect;
mod line;
mod options;
mod playlist;
mod queue;
mod watch;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use self::line::News;
pub use self::options::LiveOptions;
use self::queue::{Queue, WhenFull};
use self::watch::{Connection, GRACE, Watch};
use super::arrival::LiveClock;
use super::ffmpeg::init;
use super::{Absence, Frame, FrameSource, Reception, VideoInfo};
use crate::error::{Error, Result};

/// A network camera (`rtsp://`, `http://`, `udp://`, ...) or a webcam (`/dev/video0`). What comes in a burst waits for as long as
/// [`LiveOptions::backlog`] says; after that the newest frames are given, and those in between are counted. What states its length or its
/// size, such as a file at an `http://` address, is no camera: it waits, and no frame of it is lost.
///
/// It ends with such a file, with a playlist that says so, or when it is stopped. Any other end is [`Error::SourceLost`].
#[derive(Debug)]
pub struct LiveSource {
    info: VideoInfo,
    shared: Arc<Shared>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    over: bool,
}

/// What the threads share, over all connections.
#[derive(Debug)]
struct Shared {
    queue: Queue<Frame>,
    clock: LiveClock,
    next_index: AtomicU64,
    undecodable: AtomicU64,
    absences: Mutex<Vec<Absence>>,
    /// Why there are no more frames.
    end: Mutex<Option<Error>>,
}

impl LiveSource {
    /// Connects with default options.
    ///
    /// # Errors
    /// As [`LiveSource::open_with`].
    pub fn open(address: &str) -> Result<Self> {
        Self::open_with(address, LiveOptions::default())
    }

    /// Connects. Frames then fail with `source_lost` when the source is lost, unless it comes back in time ([`LiveOptions::reconnect`]).
    ///
    /// # Errors
    /// `decode_video` when nobody answers within the timeout, or not with a video; `unsupported_format`, `limit_exceeded` and
    /// `device_unavailable` as for files; `cancelled` when it is stopped meanwhile.
    pub fn open_with(address: &str, options: LiveOptions) -> Result<Self> {
        init()?;
        if address.contains('\0') {
            return Err(Error::argument("address", "expected text without a zero byte"));
        }
        let (shared, stop) = (Arc::new(Shared::new(options.backlog)), Arc::new(AtomicBool::new(false)));
        let watch = Watch { address: address.to_owned(), options, shared: Arc::clone(&shared), stop: Arc::clone(&stop) };
        let connection = watch.connect(watch.options.timeout)?;
        let info = match watch.news(&connection, false) {
            News::Opened(info) => info,
            News::Ended(end) => {
                connection.end();
                return Err(end.err().unwrap_or(Error::Cancelled));
            }
        };
        let thread = spawn(watch, connection, info.live)?;
        Ok(Self { info, shared, stop, thread: Some(thread), over: false })
    }

    /// Frames that were left out because nobody took them in time.
    pub fn lost(&self) -> u64 {
        self.shared.queue.lost()
    }
}

fn spawn(watch: Watch, connection: Connection, live: bool) -> Result<JoinHandle<()>> {
    /// Even a thread that panics leaves nobody waiting.
    struct Closing(Arc<Shared>);
    impl Drop for Closing {
        fn drop(&mut self) {
            self.0.queue.close();
        }
    }
    let work = move || {
        let _closing = Closing(Arc::clone(&watch.shared));
        watch.run(connection, live);
    };
    let thread = std::thread::Builder::new().name("facerec-watch".into()).spawn(work);
    thread.map_err(|error| Error::internal(format!("cannot start a thread: {error}")))
}

impl Shared {
    fn new(backlog: Duration) -> Self {
        Self {
            queue: Queue::new(backlog),
            clock: LiveClock::default(),
            next_index: AtomicU64::new(0),
            undecodable: AtomicU64::new(0),
            absences: Mutex::default(),
            end: Mutex::new(Some(Error::internal("the watching thread panicked"))), // unless it says otherwise
        }
    }

    fn absences(&self) -> MutexGuard<'_, Vec<Absence>> {
        self.absences.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the next frame.
    fn next_index(&self) -> u64 {
        self.next_index.load(Ordering::Relaxed)
    }

    fn add_undecodable(&self, packets: u64) {
        self.undecodable.fetch_add(packets, Ordering::Relaxed);
    }

    /// A frame came. `false` when nobody wants it.
    fn put(&self, frame: Frame, bytes: usize, full: WhenFull) -> bool {
        self.next_index.store(frame.index() + 1, Ordering::Relaxed);
        if let Some(absence) = self.absences().last_mut().filter(|absence| absence.to.is_none()) {
            absence.to = Some(frame.time());
        }
        self.queue.put(frame, bytes, full)
    }

    /// The source is lost, for now.
    fn away(&self) {
        let mut absences = self.absences();
        if absences.last().is_none_or(|absence| absence.to.is_some()) {
            absences.push(Absence { from: self.clock.last().unwrap_or_default(), to: None });
        }
    }

    /// No more frames come. When it was stopped, those that wait are not wanted either.
    fn end(&self, end: Result<()>, stopped: bool) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = end.err().filter(|_| !stopped);
        if stopped {
            self.queue.clear();
        }
        self.queue.close();
    }
}

impl FrameSource for LiveSource {
    fn next_frame(&mut self) -> Result<Option<Frame>> {
        if self.over {
            return Ok(None);
        }
        if let Some(frame) = self.shared.queue.take() {
            return Ok(Some(frame));
        }
        self.over = true;
        let end = self.shared.end.lock().unwrap_or_else(PoisonError::into_inner).take();
        end.map_or(Ok(None), Err)
    }

    fn info(&self) -> VideoInfo {
        self.info.clone()
    }

    fn reception(&self) -> Reception {
        Reception {
            too_slow: self.lost(),
            undecodable: self.shared.undecodable.load(Ordering::Relaxed),
            clock_jumps: self.shared.clock.jumps(),
            absences: self.shared.absences().clone(),
        }
    }
}

impl Drop for LiveSource {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.stop.store(true, Ordering::Relaxed);
        self.shared.queue.close(); // whoever waits for room goes on
        let deadline = Instant::now() + GRACE;
        while !thread.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        if thread.is_finished() {
            let _ = thread.join(); // its panic was told
        }
    }
}
