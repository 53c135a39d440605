//! A video wherever it comes from.

use std::path::Path;
use std::time::Duration;

use super::{Frame, FrameSource, LiveOptions, LiveSource, Reception, VideoInfo, VideoOptions, VideoReader, is_live};
use crate::error::{Error, Result};

/// A file or a live source, whichever the address names (see [`is_live`]).
#[derive(Debug)]
pub struct VideoSource {
    from: Origin,
}

#[derive(Debug)]
enum Origin {
    File(VideoReader),
    Live { source: LiveSource, start: Duration, end: Option<Duration> },
}

impl VideoSource {
    /// Opens a file, or a live source, of which `options` give the device that decodes, the largest frame, and the times
    /// since its first frame between which frames are given. [`VideoOptions::live`] has the rest.
    ///
    /// # Errors
    /// As [`VideoReader::open_with`] and [`LiveSource::open_with`]; `invalid_argument` for an address that is not Unicode.
    pub fn open(address: impl AsRef<Path>, options: VideoOptions) -> Result<Self> {
        let address = address.as_ref();
        let from = if is_live(address) {
            let name = address.to_str().ok_or_else(|| Error::argument("video", "expected an address in Unicode"))?;
            let source = LiveSource::open_with(name, LiveOptions::like(&options))?;
            Origin::Live { source, start: options.start, end: options.end }
        } else {
            Origin::File(VideoReader::open_with(address, options)?)
        };
        Ok(Self { from })
    }
}

impl FrameSource for VideoSource {
    fn next_frame(&mut self) -> Result<Option<Frame>> {
        match &mut self.from {
            Origin::File(reader) => reader.next_frame(),
            Origin::Live { source, start, end } => loop {
                match source.next_frame()? {
                    Some(frame) if frame.time() < *start => {}
                    frame => return Ok(frame.filter(|frame| end.is_none_or(|end| frame.time() <= end))),
                }
            },
        }
    }

    fn info(&self) -> VideoInfo {
        match &self.from {
            Origin::File(reader) => reader.info(),
            Origin::Live { source, .. } => source.info(),
        }
    }

    fn reception(&self) -> Reception {
        match &self.from {
            Origin::File(reader) => reader.reception(),
            Origin::Live { source, .. } => source.reception(),
        }
    }
}
