//! Live sources: network cameras and webcams. Frames that nobody takes in time are lost, the newest wins.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::decoder::{DecodeOptions, Decoding};
use super::ffmpeg::format::context::Input;
use super::ffmpeg::{Dictionary, broken, device, failed, format, init};
use super::{Deinterlace, Frame, FrameSource, VideoInfo, VideoOptions};
use crate::error::{Error, Result};

/// How a live source is opened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LiveOptions {
    timeout: Duration,
    decode: DecodeOptions,
    options: Vec<(String, String)>,
}

impl Default for LiveOptions {
    fn default() -> Self {
        // One thread: frame threads would hold frames back.
        let decode = DecodeOptions { threads: 1, hardware: None, max_pixels: 1 << 27, deinterlace: Deinterlace::Auto };
        Self { timeout: Duration::from_secs(10), decode, options: Vec::new() }
    }
}

impl LiveOptions {
    /// What a file's options say that a live source has as well.
    pub(super) fn like(file: &VideoOptions) -> Self {
        let mut options = Self::default();
        options.decode.hardware.clone_from(&file.decode.hardware);
        options.decode.max_pixels = file.decode.max_pixels;
        options.decode.deinterlace = file.decode.deinterlace;
        options
    }

    /// How long to wait for the connection and for each next frame; default 10 s. Shorter gives up on slow cameras.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Threads that decode; default 1. More keep up with larger pictures and delay each by a frame.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.decode.threads = threads.clamp(1, 64);
        self
    }

    /// Decodes on a device; see [`VideoOptions::hardware`](super::VideoOptions::hardware).
    #[must_use]
    pub fn hardware(mut self, device: impl Into<String>) -> Self {
        self.decode.hardware = Some(device.into());
        self
    }

    /// Whether interlaced frames are taken apart; see [`VideoOptions::deinterlace`](super::VideoOptions::deinterlace).
    #[must_use]
    pub fn deinterlace(mut self, deinterlace: Deinterlace) -> Self {
        self.decode.deinterlace = deinterlace;
        self
    }

    /// An option for FFmpeg's protocol or device, such as `video_size` for a webcam. Repeatable.
    #[must_use]
    pub fn option(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.push((name.into(), value.into()));
        self
    }
}

/// A network camera (`rtsp://`, `http://`, `udp://`, ...) or a webcam (`/dev/video0`). When frames come faster than they are
/// taken, the newest is given and those in between are counted as [`LiveSource::lost`]. What states its length, such as a
/// file at an `http://` address, is no camera: it waits, and no frame of it is lost.
#[derive(Debug)]
pub struct LiveSource {
    info: VideoInfo,
    shared: Arc<Shared>,
    timeout: Duration,
    thread: Option<JoinHandle<()>>,
    over: bool,
}

#[derive(Debug)]
struct Shared {
    newest: Mutex<Slot>,
    changed: Condvar,
    stop: AtomicBool,
    lost: AtomicU64,
    /// Whether frames wait until they are taken.
    waits: AtomicBool,
    /// The moment until which FFmpeg may block, in milliseconds after `opened`.
    patience: AtomicU64,
    opened: Instant,
}

#[derive(Debug, Default)]
struct Slot {
    frame: Option<Frame>,
    /// Why there will be no more.
    end: Option<Option<Error>>,
}

impl LiveSource {
    /// Connects with default options.
    ///
    /// # Errors
    /// As [`LiveSource::open_with`].
    pub fn open(address: &str) -> Result<Self> {
        Self::open_with(address, LiveOptions::default())
    }

    /// Connects.
    ///
    /// # Errors
    /// `decode_video` when nobody answers within the timeout, or not with a video; `unsupported_format`, `limit_exceeded` and
    /// `device_unavailable` as for files.
    pub fn open_with(address: &str, options: LiveOptions) -> Result<Self> {
        init()?;
        if address.contains('\0') {
            return Err(Error::argument("address", "expected text without a zero byte"));
        }
        let shared = Arc::new(Shared {
            newest: Mutex::default(),
            changed: Condvar::new(),
            stop: AtomicBool::new(false),
            lost: AtomicU64::new(0),
            waits: AtomicBool::new(false),
            patience: AtomicU64::new(0),
            opened: Instant::now(),
        });
        let timeout = options.timeout;
        shared.wait_at_most(timeout);
        let (opened, answer) = sync_channel(1);
        let (work, name) = (Arc::clone(&shared), address.to_owned());
        // Opened over there, too: a webcam's driver or a pipe may block where FFmpeg cannot be interrupted.
        let thread = std::thread::Builder::new().name("facerec-live".into()).spawn(move || work.run(&name, &options, &opened));
        let thread = thread.map_err(|error| Error::internal(format!("cannot start a thread: {error}")))?;
        let answer = answer.recv_timeout(timeout.saturating_add(GRACE));
        // From here on, dropping it ends the thread.
        let mut source = Self { info: VideoInfo::default(), shared, timeout, thread: Some(thread), over: false };
        source.info = match answer {
            Ok(opened) => opened?,
            Err(RecvTimeoutError::Timeout) => {
                source.detach();
                return Err(silent(address, timeout));
            }
            Err(RecvTimeoutError::Disconnected) => return Err(Error::internal("the receiving thread panicked")),
        };
        Ok(source)
    }

    /// Leaves a thread that is stuck in a driver to itself: it ends when the driver lets it go.
    fn detach(&mut self) {
        self.over = true;
        self.shared.stop.store(true, Ordering::Relaxed);
        drop(self.thread.take());
    }

    /// Frames that came while nobody took them.
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }
}

/// How long FFmpeg may take to notice that it is interrupted.
const GRACE: Duration = Duration::from_secs(2);

/// Longer than anybody waits; an [`Instant`] can hold it.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

fn silent(address: &str, timeout: Duration) -> Error {
    broken(format!("`{address}` did not answer within {timeout:?}"))
}

fn connect(address: &str, options: &LiveOptions, shared: &Arc<Shared>) -> Result<Input> {
    let mut settings = Dictionary::new();
    if address.starts_with("rtsp://") || address.starts_with("rtsps://") {
        settings.set("rtsp_transport", "tcp"); // UDP loses packets, and faces with them
    }
    for (name, value) in &options.options {
        settings.set(name, value);
    }
    let refused = |error: &super::ffmpeg::Error| match error {
        super::ffmpeg::Error::Exit => silent(address, options.timeout),
        error => failed(format!("`{address}` cannot be opened as a live source"), error),
    };
    if address.starts_with("/dev/") {
        let webcam = device::input::video().find(|format| ["v4l2", "video4linux2"].iter().any(|name| format.name().contains(name)));
        let Some(webcam) = webcam else {
            return Err(Error::UnsupportedFormat { reason: "this FFmpeg has no Video4Linux input for webcams".into() });
        };
        return match format::open_with(address, &webcam, settings) {
            Ok(context) => Ok(context.input()),
            Err(error) => Err(refused(&error)),
        };
    }
    let patience = Arc::clone(shared);
    format::input_with_interrupt_and_dictionary(address, move || patience.is_impatient(), settings).map_err(|error| refused(&error))
}

impl Shared {
    fn wait_at_most(&self, time: Duration) {
        let until = self.opened.elapsed().saturating_add(time);
        self.patience.store(until.as_millis().try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Whether a blocked read must give up.
    fn is_impatient(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.opened.elapsed().as_millis() > u128::from(self.patience.load(Ordering::Relaxed))
    }

    /// The thread: opens, says how that went, receives.
    fn run(self: &Arc<Self>, address: &str, options: &LiveOptions, opened: &SyncSender<Result<VideoInfo>>) {
        let decoding = connect(address, options, self).and_then(|input| Decoding::new(input, &options.decode));
        let mut decoding = match decoding {
            Ok(decoding) => decoding,
            Err(error) => {
                let _ = opened.send(Err(error)); // nobody waits any more: nobody to tell
                return;
            }
        };
        if decoding.info.duration.is_none() {
            decoding.live();
        }
        self.waits.store(!decoding.info.live, Ordering::Relaxed);
        if opened.send(Ok(decoding.info.clone())).is_ok() {
            self.pump(&mut decoding, options.timeout);
        }
    }

    fn pump(&self, decoding: &mut Decoding, timeout: Duration) {
        let end = loop {
            self.wait_at_most(timeout);
            match decoding.next_frame(&self.stop) {
                Ok(Some(frame)) => self.put(frame),
                Ok(None) if self.stop.load(Ordering::Relaxed) || !self.is_impatient() => break None,
                Ok(None) => break Some(lost(timeout)),
                Err(error) => break Some(error),
            }
        };
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).end = Some(end);
        self.changed.notify_all();
    }

    fn put(&self, frame: Frame) {
        let mut slot = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        while self.waits.load(Ordering::Relaxed) && slot.frame.is_some() && !self.stop.load(Ordering::Relaxed) {
            slot = self.changed.wait(slot).unwrap_or_else(PoisonError::into_inner);
        }
        if slot.frame.replace(frame).is_some() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        self.changed.notify_all();
    }
}

fn lost(timeout: Duration) -> Error {
    broken(format!("no frame came within {timeout:?}: the connection is lost"))
}

impl FrameSource for LiveSource {
    fn next_frame(&mut self) -> Result<Option<Frame>> {
        if self.over {
            return Ok(None);
        }
        // The thread ends its waits itself; this guards against one that is stuck in a driver.
        let deadline = Instant::now() + self.timeout.min(FOREVER) + GRACE;
        let mut slot = self.shared.newest.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(frame) = slot.frame.take() {
                self.shared.changed.notify_all();
                return Ok(Some(frame));
            }
            if let Some(end) = slot.end.take() {
                self.over = true;
                return end.map_or(Ok(None), Err);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                drop(slot);
                self.detach();
                return Err(lost(self.timeout));
            }
            slot = self.shared.changed.wait_timeout(slot, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn info(&self) -> VideoInfo {
        self.info.clone()
    }
}

impl Drop for LiveSource {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.shared.stop.store(true, Ordering::Relaxed);
        {
            // Under the lock, or a thread about to wait would miss it.
            let _slot = self.shared.newest.lock().unwrap_or_else(PoisonError::into_inner);
            self.shared.changed.notify_all();
        }
        let deadline = Instant::now() + GRACE;
        while !thread.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        if thread.is_finished() {
            let _ = thread.join(); // its panic has no one left to matter to
        }
    }
}
