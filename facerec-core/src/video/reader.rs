//! Video files.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::decoder::{DecodeOptions, Decoding, interrupt};
use super::ffmpeg::format::context::StreamIo;
use super::ffmpeg::{Dictionary, broken, failed, format, init};
use super::{Deinterlace, Frame, FrameSource, LiveOptions, VideoInfo};
use crate::error::{Error, Result};

/// How a video file is read.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct VideoOptions {
    pub(super) start: Duration,
    pub(super) end: Option<Duration>,
    queue: usize,
    pub(super) decode: DecodeOptions,
    pub(super) live: LiveOptions,
}

impl Default for VideoOptions {
    fn default() -> Self {
        let decode = DecodeOptions { threads: 0, hardware: None, max_pixels: 1 << 27, deinterlace: Deinterlace::Auto };
        Self { start: Duration::ZERO, end: None, queue: 4, decode, live: LiveOptions::default() }
    }
}

impl VideoOptions {
    /// Skips what comes before `start`; default the beginning. Times stay those of the container's clock; frame numbers are then
    /// computed from the times and the average frame rate, and exact only where that is constant. No frame from `start` to the end,
    /// or to `end`, is an error, `invalid_argument`.
    #[must_use]
    pub fn start(mut self, start: Duration) -> Self {
        self.start = start;
        self
    }

    /// Stops after `end`; default the end.
    #[must_use]
    pub fn end(mut self, end: Duration) -> Self {
        self.end = Some(end);
        self
    }

    /// Threads that decode; default FFmpeg's choice, one per core. More shorten nothing and cost a frame's memory each.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.decode.threads = threads.min(64);
        self
    }

    /// Decoded frames that may wait to be taken, default 4, at least 1. Each costs a frame's memory.
    #[must_use]
    pub fn queue(mut self, frames: usize) -> Self {
        self.queue = frames.clamp(1, 1024);
        self
    }

    /// The error for a range in which no frame lies. Without a range the video has no frames, which is none.
    fn check_range(&self, info: &VideoInfo) -> Result<()> {
        let (name, asked) = match self.end {
            None if self.start == Duration::ZERO => return Ok(()),
            None => ("start", format!("{:?}", self.start)),
            Some(end) => ("end", format!("{:?} to {end:?}", self.start)),
        };
        let over = info.duration.map(|over| format!("; the video is over at {over:?}")).unwrap_or_default();
        Err(Error::argument(name, format!("expected a range with a frame in it, got {asked}{over}")))
    }

    /// Decodes on a device, by FFmpeg's name for it: `vaapi`, `cuda`, `videotoolbox`, `d3d11va`, `qsv`. Default the processor.
    /// A device that is not there is an error.
    #[must_use]
    pub fn hardware(mut self, device: impl Into<String>) -> Self {
        self.decode.hardware = Some(device.into());
        self
    }

    /// Most pixels of a frame, default 134 million (16384 x 8192). A hostile file can state any size.
    #[must_use]
    pub fn max_pixels(mut self, pixels: u64) -> Self {
        self.decode.max_pixels = pixels;
        self
    }

    /// Whether interlaced frames are taken apart; default [`Deinterlace::Auto`]. `Off` leaves combs where something moves, in which
    /// faces are missed; `On` costs progressive videos detail.
    #[must_use]
    pub fn deinterlace(mut self, deinterlace: Deinterlace) -> Self {
        self.decode.deinterlace = deinterlace;
        self
    }

    /// How [`VideoSource`](super::VideoSource) opens an address that is live. The device that decodes, the largest frame and deinterlacing
    /// are those for files.
    #[must_use]
    pub fn live(mut self, options: LiveOptions) -> Self {
        self.live = options;
        self
    }
}

/// Reads a video file, decoding on a thread of its own: any container and codec that the FFmpeg at hand knows (mp4, mov, mkv,
/// webm, avi, gif; H.264, HEVC, VP9, AV1, MPEG-4, ...). An iterator over frames.
///
/// A damaged or truncated file gives the frames that can be decoded, then the error, once, as far as FFmpeg notices: a part
/// that is missing from the middle of a Matroska file looks like a pause, and HEVC states nothing to check its pixels by.
#[derive(Debug)]
pub struct VideoReader {
    info: VideoInfo,
    frames: Option<Receiver<Result<Frame>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl VideoReader {
    /// Opens a file with default options.
    ///
    /// # Errors
    /// As [`VideoReader::open_with`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, VideoOptions::default())
    }

    /// Opens a file.
    ///
    /// # Errors
    /// `io` when it cannot be read, `decode_video` when it is no video or has no video stream, `unsupported_format` without a
    /// decoder for it, `limit_exceeded` when its frames are too large, `device_unavailable` for a decoding device.
    pub fn open_with(path: impl AsRef<Path>, options: VideoOptions) -> Result<Self> {
        init()?;
        let path = path.as_ref();
        let stop = Arc::new(AtomicBool::new(false));
        let mut decoding = Decoding::new(open_file(path, &stop)?, &options.decode)?;
        if options.start > Duration::ZERO {
            decoding.seek(options.start)?;
        }
        let info = decoding.info.clone();
        let (out, frames) = sync_channel(options.queue);
        let stopped = Arc::clone(&stop);
        let work = move || pump(&mut decoding, &options, &stopped, &out);
        let thread = std::thread::Builder::new().name("facerec-decode".into()).spawn(work);
        let thread = thread.map_err(|error| Error::internal(format!("cannot start a thread: {error}")))?;
        Ok(Self { info, frames: Some(frames), stop, thread: Some(thread) })
    }
}

fn open_file(path: &Path, stop: &Arc<AtomicBool>) -> Result<format::context::Input> {
    let file = File::open(path).map_err(|error| Error::io("read", path, error))?;
    let metadata = file.metadata().map_err(|error| Error::io("read", path, error))?;
    if metadata.is_dir() {
        return Err(Error::io("read", path, io::ErrorKind::IsADirectory.into()));
    }
    if metadata.is_file() && metadata.len() == 0 {
        return Err(broken("the file is empty"));
    }
    let reading = StreamIo::from_read_seek(file).map_err(|error| failed("it cannot be read", &error))?;
    let mut options = Dictionary::new();
    // A playlist must not make us open other files or addresses.
    options.set("protocol_whitelist", "data");
    let name = path.to_str();
    let opened = format::input_from_stream_with_interrupt(reading, name, Some(options), interrupt(stop));
    opened.map_err(|error| failed("it is no video that FFmpeg can read", &error))
}

/// Decodes until the end, the end of the range, an error, or nobody listens any more.
fn pump(decoding: &mut Decoding, options: &VideoOptions, stop: &AtomicBool, out: &SyncSender<Result<Frame>>) {
    let mut given = false;
    let end = loop {
        match decoding.next_frame(stop) {
            Ok(Some(frame)) if frame.time() < options.start => {}
            Ok(Some(frame)) if options.end.is_some_and(|end| frame.time() > end) => break decoding.verdict(),
            Ok(Some(frame)) => {
                given = true;
                if out.send(Ok(frame)).is_err() {
                    return;
                }
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    let end = end.and_then(|()| if given { Ok(()) } else { options.check_range(&decoding.info) });
    if let Err(error) = end {
        let _ = out.send(Err(error)); // nobody listens: nobody to tell
    }
}

impl FrameSource for VideoReader {
    fn next_frame(&mut self) -> Result<Option<Frame>> {
        let Some(frames) = &self.frames else { return Ok(None) };
        let next = frames.recv();
        if !matches!(next, Ok(Ok(_))) {
            self.frames = None;
        }
        match next {
            Ok(frame) => frame.map(Some),
            // The thread is through; had it panicked, the end would look like a regular one.
            Err(_) => match self.thread.take().map(JoinHandle::join) {
                Some(Err(_)) => Err(Error::internal("the decoding thread panicked")),
                _ => Ok(None),
            },
        }
    }

    fn info(&self) -> VideoInfo {
        self.info.clone()
    }
}

impl Iterator for VideoReader {
    type Item = Result<Frame>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_frame().transpose()
    }
}

impl std::iter::FusedIterator for VideoReader {}

impl Drop for VideoReader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.frames.take()); // a thread that waits to hand over a frame wakes up
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // its panic has no one left to matter to
        }
    }
}
