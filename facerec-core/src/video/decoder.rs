//! From packets to frames with times: what files and live sources have in common.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::ffmpeg::format::context::Input;
use super::ffmpeg::format::stream::Disposition;
use super::ffmpeg::util::frame::Video as AvFrame;
use super::ffmpeg::{Error as AvError, Packet, codec, decoder, ffi, media};
use super::ffmpeg::{broken, failed};
use super::orientation::Orientation;
use super::pixels::{Decoded, check_size};
use super::{Frame, VideoInfo};
use crate::error::{Error, Result};

/// How to decode.
#[derive(Debug, Clone)]
pub(super) struct DecodeOptions {
    /// Threads; 0 lets FFmpeg choose.
    pub(super) threads: usize,
    pub(super) hardware: Option<String>,
    pub(super) max_pixels: u64,
}

/// The video stream of an opened input, being decoded.
pub(super) struct Decoding {
    input: Input,
    stream: usize,
    decoder: decoder::Video,
    orientation: Orientation,
    max_pixels: u64,
    clock: Clock,
    pub(super) info: VideoInfo,
    next_index: u64,
    /// Packets that could not be decoded, in all and since the last frame.
    skipped: u64,
    skipped_in_a_row: u32,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Packets,
    /// All packets are in; the decoder still holds frames.
    Draining,
    Over,
}

/// So many packets without a frame are no passing damage.
const MOST_SKIPPED_IN_A_ROW: u32 = 2000;

impl Decoding {
    pub(super) fn new(input: Input, options: &DecodeOptions) -> Result<Self> {
        let stream = input.streams().best(media::Type::Video).filter(|stream| !stream.disposition().contains(Disposition::ATTACHED_PIC));
        let Some(stream) = stream else { return Err(broken("it has no video stream (sound, subtitles or a cover picture only)")) };
        let mut context =
            codec::Context::from_parameters(stream.parameters()).map_err(|e| failed("its video stream is not described", &e))?;
        context.set_threading(codec::threading::Config {
            count: options.threads,
            ..codec::threading::Config::kind(codec::threading::Type::Frame)
        });
        if let Some(name) = &options.hardware {
            use_hardware(&mut context, name)?;
        }
        let id = context.id();
        let mut decoder = context.decoder();
        decoder.set_packet_time_base(stream.time_base());
        let decoder = decoder.video().map_err(|error| match error {
            AvError::DecoderNotFound => Error::UnsupportedFormat { reason: format!("this FFmpeg has no decoder for `{}`", id.name()) },
            error => failed(format!("its codec `{}` cannot be opened", id.name()), &error),
        })?;
        let stored = (decoder.width(), decoder.height());
        if stored.0 > 0 && stored.1 > 0 {
            check_size(stored, options.max_pixels)?;
        }
        let matrix = stream.side_data().find(|data| data.kind() == codec::packet::side_data::Type::DisplayMatrix);
        let orientation = matrix.map_or_else(Orientation::default, |matrix| Orientation::from_matrix(matrix.data()));
        let (width, height) = orientation.size(stored);
        let positive = |rate: f64| Some(rate).filter(|rate| rate.is_finite() && *rate > 0.0);
        let frame_rate = positive(f64::from(stream.avg_frame_rate())).or_else(|| positive(f64::from(stream.rate())));
        let seconds = f64::from(stream.time_base());
        let of_stream = Some(stream.duration()).filter(|ticks| *ticks > 0).map(|ticks| ticks as f64 * seconds);
        let alone = input.nb_streams() == 1;
        let of_file = Some(input.duration()).filter(|ticks| *ticks > 0).map(|ticks| ticks as f64 / f64::from(ffi::AV_TIME_BASE));
        let length = of_stream.or(of_file).and_then(|length| Duration::try_from_secs_f64(length).ok());
        let counted = u64::try_from(stream.frames()).ok().filter(|frames| *frames > 0);
        let estimated = length.zip(frame_rate).map(|(length, rate)| (length.as_secs_f64() * rate).round() as u64);
        let info = VideoInfo {
            width,
            height,
            frames: counted.or(estimated),
            duration: length,
            frame_rate,
            codec: id.name().to_owned(),
            live: false,
        };
        let first = Some(stream.start_time()).filter(|ticks| *ticks != ffi::AV_NOPTS_VALUE);
        let clock = Clock {
            seconds,
            first,
            frame: 1.0 / frame_rate.unwrap_or(25.0),
            promised: of_stream.or(of_file.filter(|_| alone)),
            last: None,
            shift: 0.0,
        };
        let stream = stream.index();
        let max_pixels = options.max_pixels;
        Ok(Self {
            input,
            stream,
            decoder,
            orientation,
            max_pixels,
            clock,
            info,
            next_index: 0,
            skipped: 0,
            skipped_in_a_row: 0,
            stage: Stage::Packets,
        })
    }

    /// Goes to the key frame at or before `time`. Frame numbers then follow from the times and the average frame rate.
    pub(super) fn seek(&mut self, time: Duration) -> Result<()> {
        let start = self.clock.first.map_or(0.0, |ticks| ticks as f64 * self.clock.seconds);
        let target = ((start + time.as_secs_f64()) * f64::from(ffi::AV_TIME_BASE)) as i64;
        self.input.seek(target, ..target + 1).map_err(|error| failed(format!("cannot go to {time:?}"), &error))?;
        self.decoder.flush();
        self.next_index = u64::MAX; // to be set from the first frame's time
        Ok(())
    }

    /// The next frame in the order of presentation; `None` at the end. After an error comes the end.
    pub(super) fn next_frame(&mut self, stop: &AtomicBool) -> Result<Option<Frame>> {
        let result = self.advance(stop);
        if !matches!(result, Ok(Some(_))) {
            self.stage = Stage::Over;
        }
        result
    }

    fn advance(&mut self, stop: &AtomicBool) -> Result<Option<Frame>> {
        while self.stage != Stage::Over && !stop.load(Ordering::Relaxed) {
            let mut frame = AvFrame::empty();
            match self.decoder.receive_frame(&mut frame) {
                Ok(()) => {
                    self.skipped_in_a_row = 0;
                    return self.present(frame).map(Some);
                }
                Err(AvError::Eof) => return self.over(),
                Err(AvError::Other { errno: super::ffmpeg::error::EAGAIN }) if self.stage == Stage::Packets => self.feed()?,
                // Draining, or a frame that cannot be decoded: the next one may be.
                Err(error) => self.skip(&error)?,
            }
        }
        Ok(None)
    }

    /// Gives the decoder another packet, or tells it that there are no more.
    fn feed(&mut self) -> Result<()> {
        let mut packet = Packet::empty();
        match packet.read(&mut self.input) {
            Ok(()) if packet.stream() != self.stream => Ok(()),
            Ok(()) => match self.decoder.send_packet(&packet) {
                Ok(()) => Ok(()),
                Err(error) => self.skip(&error),
            },
            Err(AvError::Eof) => {
                self.stage = Stage::Draining;
                self.decoder.send_eof().or_else(|error| self.skip(&error))
            }
            Err(AvError::Exit) => {
                self.stage = Stage::Over; // asked to stop
                Ok(())
            }
            Err(AvError::InvalidData) => self.skip(&AvError::InvalidData),
            Err(error) => Err(failed(format!("reading stopped {}", self.clock.place()), &error)),
        }
    }

    fn skip(&mut self, error: &AvError) -> Result<()> {
        (self.skipped, self.skipped_in_a_row) = (self.skipped + 1, self.skipped_in_a_row + 1);
        tracing::warn!(%error, skipped = self.skipped, "damaged video data skipped");
        if self.skipped_in_a_row > MOST_SKIPPED_IN_A_ROW || self.stage == Stage::Draining && self.skipped_in_a_row > 64 {
            return Err(failed(format!("nothing more can be decoded {}", self.clock.place()), error));
        }
        Ok(())
    }

    /// The end, which may be too early.
    fn over(&mut self) -> Result<Option<Frame>> {
        if self.next_index == 0 || self.next_index == u64::MAX && self.skipped > 0 {
            return Err(broken(match self.skipped {
                0 => "it has a video stream without a frame".to_owned(),
                skipped => format!("none of its `{skipped}` video packets can be decoded"),
            }));
        }
        match self.clock.missing() {
            Some(missing) => Err(broken(format!("it ends {}, `{missing:.1}` s too early: the file is cut off", self.clock.place()))),
            None => Ok(None),
        }
    }

    fn present(&mut self, frame: AvFrame) -> Result<Frame> {
        check_size((frame.width(), frame.height()), self.max_pixels)?;
        let time = self.clock.time(frame.timestamp());
        let index = if self.next_index == u64::MAX { (time.as_secs_f64() / self.clock.frame).round() as u64 } else { self.next_index };
        self.next_index = index + 1;
        Ok(Frame::decoded(index, time, Decoded::new(from_hardware(frame)?, self.orientation)))
    }
}

/// Presentation times that never go back.
struct Clock {
    /// Seconds per tick.
    seconds: f64,
    /// The tick at which the video starts.
    first: Option<i64>,
    /// Usual seconds between two frames.
    frame: f64,
    /// Length in seconds as the file states it for the video itself.
    promised: Option<f64>,
    last: Option<f64>,
    /// Added to all times since they jumped back.
    shift: f64,
}

impl Clock {
    /// The time of the next frame. One without a time follows its predecessor; when times jump back (joined recordings, a
    /// restarted camera) they go on from where they were.
    fn time(&mut self, ticks: Option<i64>) -> Duration {
        let next = self.last.map_or(0.0, |last| last + self.frame);
        let seconds = match ticks {
            Some(ticks) => {
                let first = *self.first.get_or_insert(ticks);
                let stated = (ticks - first) as f64 * self.seconds + self.shift;
                if self.last.is_some_and(|last| stated <= last) {
                    self.shift += next - stated;
                    next
                } else {
                    stated
                }
            }
            None => next,
        };
        let seconds = seconds.max(0.0);
        self.last = Some(seconds);
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    /// Seconds that are missing at the end, when that is more than rounding and rubbing out of edit lists explain.
    fn missing(&self) -> Option<f64> {
        let (promised, last) = (self.promised?, self.last?);
        let missing = promised - (last + self.frame);
        (missing > 0.5 && missing > 0.05 * promised).then_some(missing)
    }

    fn place(&self) -> String {
        self.last.map_or_else(|| "at the start".into(), |last| format!("after {last:.1} s"))
    }
}

/// Decodes on the named device (`vaapi`, `cuda`, `videotoolbox`, `d3d11va`, ...). FFmpeg's default choice of pixel format
/// takes the device's once it is set.
fn use_hardware(context: &mut codec::Context, name: &str) -> Result<()> {
    let absent = |reason: String| Error::DeviceUnavailable { device: format!("video decoder {name}"), reason };
    let c_name = std::ffi::CString::new(name).map_err(|_| absent("its name has a zero byte".into()))?;
    // SAFETY: the name is a C string that lives through the call; the device reference that FFmpeg makes is handed to the
    // codec context, which owns and releases it.
    #[allow(unsafe_code)]
    unsafe {
        let kind = ffi::av_hwdevice_find_type_by_name(c_name.as_ptr());
        if kind == ffi::AVHWDeviceType::AV_HWDEVICE_TYPE_NONE {
            return Err(absent("FFmpeg knows no such device; try vaapi, cuda, videotoolbox, d3d11va or qsv".into()));
        }
        let mut device = std::ptr::null_mut();
        let code = ffi::av_hwdevice_ctx_create(&mut device, kind, std::ptr::null(), std::ptr::null_mut(), 0);
        if code < 0 {
            return Err(absent(format!("it cannot be opened on this machine: {}", AvError::from(code))));
        }
        (*context.as_mut_ptr()).hw_device_ctx = device;
    }
    Ok(())
}

/// A frame in the device's memory brought to ours; any other as it is.
fn from_hardware(frame: AvFrame) -> Result<AvFrame> {
    // SAFETY: both frames are live; FFmpeg allocates the target's buffers and copies the frame's properties.
    #[allow(unsafe_code)]
    unsafe {
        if (*frame.as_ptr()).hw_frames_ctx.is_null() {
            return Ok(frame);
        }
        let mut copy = AvFrame::empty();
        let code = ffi::av_hwframe_transfer_data(copy.as_mut_ptr(), frame.as_ptr(), 0);
        if code < 0 {
            return Err(failed("a frame cannot be fetched from the device", &AvError::from(code)));
        }
        ffi::av_frame_copy_props(copy.as_mut_ptr(), frame.as_ptr());
        Ok(copy)
    }
}

/// Ends blocked reads when somebody wants to stop.
pub(super) fn interrupt(stop: &Arc<AtomicBool>) -> impl FnMut() -> bool + Send + 'static {
    let stop = Arc::clone(stop);
    move || stop.load(Ordering::Relaxed)
}
