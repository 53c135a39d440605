//! How a live source is opened.

use std::sync::Arc;
use std::time::Duration;

use super::super::decoder::DecodeOptions;
use super::super::{Deinterlace, VideoOptions};

/// How a live source is opened, and what is done when it is lost.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LiveOptions {
    pub(super) timeout: Duration,
    pub(super) reconnect: Duration,
    pub(super) backlog: Duration,
    pub(super) stopped: Stopped,
    pub(super) decode: DecodeOptions,
    pub(super) options: Vec<(String, String)>,
}

/// Whether the caller wants no more frames.
#[derive(Clone)]
pub(super) struct Stopped(pub(super) Arc<dyn Fn() -> bool + Send + Sync>);

impl std::fmt::Debug for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stopped")
    }
}

impl Default for LiveOptions {
    fn default() -> Self {
        // One thread: frame threads would hold frames back.
        let decode = DecodeOptions { threads: 1, hardware: None, max_pixels: 1 << 27, deinterlace: Deinterlace::Auto };
        Self {
            timeout: Duration::from_secs(10),
            reconnect: Duration::ZERO,
            backlog: Duration::from_secs(20),
            stopped: Stopped(Arc::new(|| false)),
            decode,
            options: Vec::new(),
        }
    }
}

impl LiveOptions {
    /// What a file's options say that a live source has as well.
    pub(in super::super) fn like(file: &VideoOptions) -> Self {
        let mut options = file.live.clone();
        options.decode.hardware.clone_from(&file.decode.hardware);
        options.decode.max_pixels = file.decode.max_pixels;
        options.decode.deinterlace = file.decode.deinterlace;
        options
    }

    /// How long to wait for the connection with its first frame, and for each next one; default 10 s. Shorter gives up on slow cameras and
    /// those that show only what moves.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long to try again, after pauses of 0.5 to 30 s, when the source is lost; default 0, not at all, and [`Duration::MAX`] is for
    /// ever. It begins anew with each loss. The first connection must succeed. Frames go on in number and time, so people go on as the
    /// pipeline's rules say of an absence.
    #[must_use]
    pub fn reconnect(mut self, time: Duration) -> Self {
        self.reconnect = time;
        self
    }

    /// How long a frame may wait to be taken, default 20 s and at most 256 MiB of frames: a burst is looked at when there is time. Whoever
    /// is slower for longer gets newer frames, and those in between are counted as left out. With 0 the newest frame is given. More makes
    /// results later, and costs memory.
    #[must_use]
    pub fn backlog(mut self, time: Duration) -> Self {
        self.backlog = time;
        self
    }

    /// Asked some twenty times a second, also while the connection is made or awaited: `true` ends the source in order, as at its end.
    #[must_use]
    pub fn stopped(mut self, stopped: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.stopped = Stopped(Arc::new(stopped));
        self
    }

    /// Threads that decode; default 1. More keep up with larger pictures and delay each by a frame.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.decode.threads = threads.clamp(1, 64);
        self
    }

    /// Decodes on a device; see [`VideoOptions::hardware`](crate::VideoOptions::hardware).
    #[must_use]
    pub fn hardware(mut self, device: impl Into<String>) -> Self {
        self.decode.hardware = Some(device.into());
        self
    }

    /// Whether interlaced frames are taken apart; see [`VideoOptions::deinterlace`](crate::VideoOptions::deinterlace).
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
