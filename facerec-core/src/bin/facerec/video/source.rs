//! Where `facerec video` takes its frames from.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use facerec_core::{Error, Frame, FrameSource, LiveOptions, LiveSource, Result, VideoInfo, VideoOptions, VideoReader};

use super::Args;

/// A file, or a live source that starts and ends when asked.
pub(super) enum Source {
    File(VideoReader),
    Live { source: LiveSource, start: Duration, end: Option<Duration>, lost: Arc<AtomicU64> },
}

/// Whether the video is an address or a device, not a file.
pub(super) fn is_live(args: &Args) -> bool {
    facerec_core::video::is_live(&args.video)
}

/// The video as a file.
pub(super) fn file(args: &Args) -> Result<VideoReader> {
    let mut options = VideoOptions::default().start(args.start.unwrap_or_default());
    if let Some(end) = args.end {
        options = options.end(end);
    }
    if let Some(device) = &args.hardware {
        options = options.hardware(device);
    }
    VideoReader::open_with(&args.video, options)
}

impl Source {
    pub(super) fn open(args: &Args) -> Result<Self> {
        if !is_live(args) {
            return file(args).map(Self::File);
        }
        let Some(address) = args.video.to_str() else {
            return Err(Error::InvalidArgument { name: "video", reason: "expected an address in Unicode".into() });
        };
        let mut options = LiveOptions::default();
        if let Some(device) = &args.hardware {
            options = options.hardware(device);
        }
        let source = LiveSource::open_with(address, options)?;
        Ok(Self::Live { source, start: args.start.unwrap_or_default(), end: args.end, lost: Arc::default() })
    }

    /// The number of frames that were lost, kept up to date.
    pub(super) fn lost(&self) -> Arc<AtomicU64> {
        match self {
            Self::File(_) => Arc::default(),
            Self::Live { lost, .. } => Arc::clone(lost),
        }
    }
}

impl FrameSource for Source {
    fn next_frame(&mut self) -> Result<Option<Frame>> {
        match self {
            Self::File(reader) => reader.next_frame(),
            Self::Live { source, start, end, lost } => loop {
                let frame = source.next_frame()?;
                lost.store(source.lost(), Ordering::Relaxed);
                match frame {
                    Some(frame) if frame.time() < *start => {}
                    frame => return Ok(frame.filter(|frame| end.is_none_or(|end| frame.time() <= end))),
                }
            },
        }
    }

    fn info(&self) -> VideoInfo {
        match self {
            Self::File(reader) => reader.info(),
            Self::Live { source, .. } => source.info(),
        }
    }
}
