//! Videos and live sources: where frames come from, and how they are written. The only folder that names `video_rs`.
//!
//! [`FrameSource`] is all that a pipeline knows of video: [`VideoReader`], [`LiveSource`] and [`VideoSource`], which is either,
//! implement it (feature `video`), and so can frames of one's own.

#[cfg(feature = "video")]
mod arrival;
#[cfg(feature = "video")]
mod aspect;
#[cfg(feature = "video")]
mod clock;
#[cfg(feature = "video")]
mod damage;
#[cfg(feature = "video")]
mod decoder;
#[cfg(feature = "video")]
mod deinterlace;
#[cfg(feature = "video")]
mod ffmpeg;
mod frame;
#[cfg(feature = "video")]
mod hardware;
#[cfg(feature = "video")]
mod input;
#[cfg(feature = "video")]
mod interlacing;
#[cfg(feature = "video")]
mod live;
mod orientation;
#[cfg(feature = "video")]
mod pixels;
#[cfg(feature = "video")]
mod planes;
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

use crate::error::{Error, Result};

/// Where frames come from, in the order in which they are shown.
pub trait FrameSource: Send {
    /// The next frame; `None` at the end, and for ever after. Times never go back.
    ///
    /// # Errors
    /// `decode_video` and whatever else ends the source early. After an error comes the end.
    fn next_frame(&mut self) -> Result<Option<Frame>>;

    /// What is known of the source.
    fn info(&self) -> VideoInfo;

    /// How it was received so far. Nothing to tell, unless it is live.
    fn reception(&self) -> Reception {
        Reception::default()
    }
}

impl<S: FrameSource + ?Sized> FrameSource for Box<S> {
    fn next_frame(&mut self) -> Result<Option<Frame>> {
        (**self).next_frame()
    }

    fn info(&self) -> VideoInfo {
        (**self).info()
    }

    fn reception(&self) -> Reception {
        (**self).reception()
    }
}

/// Whether `address` names a live source (`rtsp://...`, `http://...`, `/dev/video0`) rather than a file.
pub fn is_live(address: &Path) -> bool {
    address.to_string_lossy().contains("://") || address.starts_with("/dev")
}

/// What is known of a source of frames.
///
/// Frames are upright and have square pixels. Where stored pixels are not square (PAL and NTSC wide screen, 1440 x 1080), one side
/// of the picture grows and none shrinks, as in browsers: 720 x 576 with pixels of 64:45 is 1024 x 576. Boxes are in these pixels;
/// a box in stored pixels is that divided by the same factor, before the picture was turned upright.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct VideoInfo {
    /// Width of an upright frame in square pixels.
    pub width: u32,
    /// Height of an upright frame in square pixels.
    pub height: u32,
    /// Frames in all, when the file says so or its length and rate do; an estimate.
    pub frames: Option<u64>,
    /// When the last frame ends, on the clock of the frames' times, when the file says so. A video that starts late is shorter.
    pub duration: Option<Duration>,
    /// Average frames a second, when the file says so.
    pub frame_rate: Option<f64>,
    /// The codec's name, such as `h264`; empty for frames that were never coded.
    pub codec: String,
    /// Whether frames come in real time and are lost when nobody takes them.
    pub live: bool,
}

/// How a live source was received: what was left out and why, and where its times are not the camera's own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Reception {
    /// Frames left out because they came faster, for longer, than they were looked at.
    pub too_slow: u64,
    /// Packets that arrived damaged, or after others were lost, and gave no frame.
    pub undecodable: u64,
    /// Jumps of the source's clock. Times go on over them as if there were none.
    pub clock_jumps: u64,
    /// When the source was away, in order.
    pub absences: Vec<Absence>,
}

/// A time without a live source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Absence {
    /// The time of the last frame before it.
    pub from: Duration,
    /// The time of the first frame after it; `None` when none came.
    pub to: Option<Duration>,
}

impl Reception {
    /// Frames left out, whatever the reason.
    pub fn left_out(&self) -> u64 {
        self.too_slow + self.undecodable
    }
}

/// Whether interlaced frames are taken apart: two fields were taken one after the other, and what moved between them shows as combs.
/// A frame then shows its first field, whole where nothing moves and interpolated where something does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Deinterlace {
    /// Where the stream says that it is interlaced and does not show otherwise, and where it shows without being said.
    #[default]
    Auto,
    /// Never.
    Off,
    /// Every frame, whatever the stream says. Progressive frames lose detail where something moves.
    On,
}

impl std::str::FromStr for Deinterlace {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "auto" => Ok(Self::Auto),
            "off" => Ok(Self::Off),
            "on" => Ok(Self::On),
            other => Err(Error::argument("deinterlace", format!("expected auto, off or on, got `{other}`"))),
        }
    }
}
