//! Videos and live sources: where frames come from, and how they are written. The only folder that names `video_rs`.
//!
//! [`FrameSource`] is all that a pipeline knows of video: [`VideoReader`], [`LiveSource`] and [`VideoSource`], which is either,
//! implement it (feature `video`), and so can frames of one's own.

#[cfg(feature = "video")]
mod clock;
#[cfg(feature = "video")]
mod damage;
#[cfg(feature = "video")]
mod decoder;
#[cfg(feature = "video")]
mod ffmpeg;
mod frame;
#[cfg(feature = "video")]
mod hardware;
#[cfg(feature = "video")]
mod live;
mod orientation;
#[cfg(feature = "video")]
mod pixels;
#[cfg(feature = "video")]
mod reader;
#[cfg(feature = "video")]
mod source;
#[cfg(feature = "video")]
mod writer;

use std::path::Path;
use std::time::Duration;

pub use frame::Frame;
#[cfg(feature = "video")]
pub use live::{LiveOptions, LiveSource};
#[cfg(feature = "video")]
pub use reader::{VideoOptions, VideoReader};
#[cfg(feature = "video")]
pub use source::VideoSource;
#[cfg(feature = "video")]
pub use writer::VideoWriter;

use crate::error::Result;

/// Where frames come from, in the order in which they are shown.
pub trait FrameSource: Send {
    /// The next frame; `None` at the end, and for ever after. Times never go back.
    ///
    /// # Errors
    /// `decode_video` and whatever else ends the source early. After an error comes the end.
    fn next_frame(&mut self) -> Result<Option<Frame>>;

    /// What is known of the source.
    fn info(&self) -> VideoInfo;
}

impl<S: FrameSource + ?Sized> FrameSource for Box<S> {
    fn next_frame(&mut self) -> Result<Option<Frame>> {
        (**self).next_frame()
    }

    fn info(&self) -> VideoInfo {
        (**self).info()
    }
}

/// Whether `address` names a live source (`rtsp://...`, `http://...`, `/dev/video0`) rather than a file.
pub fn is_live(address: &Path) -> bool {
    address.to_string_lossy().contains("://") || address.starts_with("/dev")
}

/// What is known of a source of frames.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct VideoInfo {
    /// Width of an upright frame in pixels.
    pub width: u32,
    /// Height of an upright frame in pixels.
    pub height: u32,
    /// Frames in all, when the file says so or its length and rate do; an estimate.
    pub frames: Option<u64>,
    /// Length, when the file says so.
    pub duration: Option<Duration>,
    /// Average frames a second, when the file says so.
    pub frame_rate: Option<f64>,
    /// The codec's name, such as `h264`; empty for frames that were never coded.
    pub codec: String,
    /// Whether frames come in real time and are lost when nobody takes them.
    pub live: bool,
}
