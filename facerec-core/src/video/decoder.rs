//! From packets to frames with times: what files and live sources have in common.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::arrival::LiveClock;
use super::aspect::PixelAspect;
use super::clock::{Clock, Promise};
use super::damage::Damage;
use super::ffmpeg::codec::field_order::FieldOrder;
use super::ffmpeg::format::context::Input;
use super::ffmpeg::format::stream::Disposition;
use super::ffmpeg::util::frame::Video as AvFrame;
use super::ffmpeg::{Error as AvError, Packet, Rational, Stream, broken, codec, decoder, failed, ffi, media};
use super::hardware::{from_hardware, use_hardware};
use super::input::{Sort, is_at_end, is_playlist, is_untimed};
use super::interlacing::Interlacing;
use super::orientation::Orientation;
use super::pixels::{Decoded, Shape, check_size};
use super::{Deinterlace, Frame, VideoInfo};
use crate::error::{Error, Result};

/// How to decode.
#[derive(Debug, Clone)]
pub(super) struct DecodeOptions {
    /// Threads; 0 lets FFmpeg choose.
    pub(super) threads: usize,
    pub(super) hardware: Option<String>,
    pub(super) max_pixels: u64,
    pub(super) deinterlace: Deinterlace,
}

/// The video stream of an opened input, being decoded.
pub(super) struct Decoding {
    input: Input,
    stream: usize,
    decoder: decoder::Video,
    orientation: Orientation,
    /// The pixel aspect that the container states.
    stated_aspect: Rational,
    max_pixels: u64,
    interlacing: Interlacing,
    hardware: Option<String>,
    clock: Clock,
    /// When the video starts by the file's statement, in seconds on the clock.
    video_start: f64,
    promise: Promise,
    damage: Damage,
    pub(super) info: VideoInfo,
    next_index: u64,
    stage: Stage,
    /// Whether the container tells where key frames are.
    has_index: bool,
    live: Option<Live>,
    /// Why there is nothing more to read, when that is not the end.
    broken_off: Option<AvError>,
}

/// What gives a live source's frames their times.
struct Live {
    clock: LiveClock,
    /// It is a list of parts, some of which come again when it is joined again.
    playlist: bool,
    /// The time stamps are FFmpeg's invention.
    untimed: bool,
    /// When the last packet came.
    arrived: Instant,
}

/// Key frames are no farther apart, in seconds. Broadcasts are found by their time stamps, which say nothing of key frames.
const LONGEST_GOP: f64 = 10.0;

#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Packets,
    /// All packets are in; the decoder still holds frames.
    Draining,
    Over,
}

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
        limit_pixels(&mut context, options.max_pixels);
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
        let stated_aspect = stated_aspect(&stream);
        let (width, height) = orientation.size(PixelAspect::new(stated_aspect, decoder.aspect_ratio()).size(stored));
        let positive = |rate: f64| Some(rate).filter(|rate| rate.is_finite() && *rate > 0.0);
        let frame_rate = positive(f64::from(stream.avg_frame_rate())).or_else(|| positive(f64::from(stream.rate())));
        let seconds = f64::from(stream.time_base());
        let timeline = Timeline::of(&input, stream.index());
        let origin = timeline.origin();
        let video_start = Some(stream.start_time())
            .filter(|ticks| *ticks != ffi::AV_NOPTS_VALUE)
            .map_or(0.0, |ticks| (ticks as f64 * seconds - origin.unwrap_or(0.0)).max(0.0));
        let length = |ticks: i64, seconds: f64| Some(ticks as f64 * seconds).filter(|length| timeline.is_stated && *length > 0.0);
        let of_stream = length(stream.duration(), seconds).map(|length| video_start + length);
        let of_file = length(input.duration(), 1.0 / f64::from(ffi::AV_TIME_BASE));
        let end = of_stream.or(of_file);
        let counted = u64::try_from(stream.frames()).ok().filter(|frames| *frames > 0);
        let estimated = end.zip(frame_rate).map(|(end, rate)| ((end - video_start).max(0.0) * rate).round() as u64);
        let info = VideoInfo {
            width,
            height,
            frames: counted.or(estimated),
            duration: end.and_then(|end| Duration::try_from_secs_f64(end).ok()),
            frame_rate,
            codec: id.name().to_owned(),
            live: false,
        };
        let clock = Clock::new(seconds, origin, frame_rate);
        let promise = Promise { video: of_stream, file: of_file, ..Promise::default() };
        let interlacing = Interlacing::new(options.deinterlace, stated_field_order(&stream));
        let stream = stream.index();
        let max_pixels = options.max_pixels;
        Ok(Self {
            input,
            stream,
            decoder,
            orientation,
            stated_aspect,
            max_pixels,
            interlacing,
            hardware: options.hardware.clone(),
            clock,
            video_start,
            promise,
            damage: Damage::default(),
            info,
            next_index: 0,
            stage: Stage::Packets,
            has_index: !timeline.starts_anywhere,
            live: None,
            broken_off: None,
        })
    }

    /// What it is.
    pub(super) fn sort(&self) -> Sort {
        Sort::of(&self.input, self.info.duration.is_some())
    }

    /// Whether a recording that ended was read to its end.
    pub(super) fn is_whole(&self) -> bool {
        self.info.duration.is_some() || is_at_end(&self.input)
    }

    /// The error that ended the reading early.
    pub(super) fn broken_off(&self) -> Option<AvError> {
        self.broken_off
    }

    /// Packets of which no frame came.
    pub(super) fn undecodable(&self) -> u64 {
        self.damage.undecodable
    }

    /// Takes it for a camera, whose frames go on from number `next_index` in the times of `clock`.
    pub(super) fn live(&mut self, clock: LiveClock, next_index: u64) {
        self.info.live = true;
        self.info.frames = None;
        self.next_index = next_index;
        self.live = Some(Live { clock, playlist: is_playlist(&self.input), untimed: is_untimed(&self.input), arrived: Instant::now() });
    }

    /// Goes to a key frame at or before `time`. Frame numbers then follow from the times and the average frame rate.
    pub(super) fn seek(&mut self, time: Duration) -> Result<()> {
        let time = time.as_secs_f64();
        // Nothing lies before the first frame; and where time stamps mean nothing, only counting frames tells where one is.
        if !self.clock.is_stated() {
            return Ok(());
        }
        let early = if self.has_index { time } else { time - LONGEST_GOP };
        if early <= self.video_start {
            return Ok(());
        }
        let target = ((self.clock.origin() + early) * f64::from(ffi::AV_TIME_BASE)) as i64;
        let sought = self.input.seek(target, ..target.saturating_add(1));
        sought.map_err(|error| failed(format!("cannot go to {time:.3} s"), &error))?;
        self.decoder.flush();
        self.interlacing.reset();
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
                Ok(()) if self.is_repeated(&frame) => {}
                Ok(()) => return self.present(frame).map(Some),
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
            Ok(()) => {
                self.note_end(&packet);
                if packet.stream() != self.stream {
                    return Ok(());
                }
                if let Some(live) = &mut self.live {
                    live.arrived = Instant::now();
                }
                self.damage.feed(&packet);
                // Cut off within the packet. Transport streams mark the joint of two recordings so, too.
                self.damage.count += u64::from(packet.is_corrupt() && self.input.format().name() != "mpegts");
                self.decoder.send_packet(&packet).or_else(|error| self.skip(&error))
            }
            Err(AvError::Eof) => {
                self.stage = Stage::Draining;
                self.decoder.send_eof().or_else(|error| self.skip(&error))
            }
            Err(AvError::Exit) => {
                self.stage = Stage::Over; // asked to stop
                Ok(())
            }
            Err(AvError::InvalidData) => self.skip(&AvError::InvalidData),
            Err(error) => {
                self.broken_off = Some(error);
                Err(failed(format!("reading stopped {}", self.clock.place()), &error))
            }
        }
    }

    fn skip(&mut self, error: &AvError) -> Result<()> {
        self.damage.skip(error, self.stage == Stage::Draining, &self.clock.place())
    }

    /// Remembers until when the file goes.
    fn note_end(&mut self, packet: &Packet) {
        let Some(stream) = self.input.stream(packet.stream()) else { return };
        let Some(ticks) = packet.pts().or(packet.dts()) else { return };
        let until = ticks.saturating_add(packet.duration()) as f64 * f64::from(stream.time_base());
        let until = until - self.clock.origin();
        let promise = &mut self.promise;
        promise.file_until = promise.file_until.max(until);
        if packet.stream() == self.stream {
            promise.video_until = promise.video_until.max(until);
        }
    }

    /// The end, which may be too early.
    fn over(&mut self) -> Result<Option<Frame>> {
        if self.live.is_some() {
            return Ok(None); // whether that is an end is not in the data
        }
        if self.next_index == 0 || self.next_index == u64::MAX && self.damage.count > 0 {
            return Err(broken(match self.damage.count {
                0 => "it has a video stream without a frame".to_owned(),
                count => format!("none of its `{count}` video packets can be decoded"),
            }));
        }
        match self.promise.missing(self.clock.end()) {
            Some(missing) => {
                self.broken_off = Some(AvError::Eof);
                Err(broken(format!("it ends {}, `{missing:.1}` s too early: the file is cut off", self.clock.place())))
            }
            None => self.verdict().map(|()| None),
        }
    }

    /// Whether what was read until here is all that there was.
    pub(super) fn verdict(&self) -> Result<()> {
        match self.damage.count {
            0 => Ok(()),
            count => Err(broken(format!("the file is damaged: `{count}` packets or frames could not be decoded, or not wholly"))),
        }
    }

    /// Whether it was given before the playlist was joined again.
    fn is_repeated(&self, frame: &AvFrame) -> bool {
        let Some(Live { clock, arrived, playlist: true, .. }) = &self.live else { return false };
        frame.timestamp().is_some_and(|ticks| clock.is_repeated(self.clock.seconds_of(ticks), *arrived))
    }

    fn present(&mut self, mut frame: AvFrame) -> Result<Frame> {
        check_size((frame.width(), frame.height()), self.max_pixels)?;
        self.damage.show(&frame);
        if let Some(name) = &self.hardware {
            frame = from_hardware(&frame, name, &self.info.codec)?;
        }
        let time = match &self.live {
            None => self.clock.time(frame.timestamp()),
            Some(Live { untimed: true, clock, arrived, .. }) => clock.time(None, *arrived),
            Some(Live { clock, arrived, .. }) => clock.time(frame.timestamp().map(|ticks| self.clock.seconds_of(ticks)), *arrived),
        };
        let counted = |time: Duration| ((time.as_secs_f64() - self.video_start) / self.clock.frame).round() as u64;
        let index = if self.next_index == u64::MAX { counted(time) } else { self.next_index };
        self.next_index = index + 1;
        let aspect = PixelAspect::new(self.stated_aspect, frame.aspect_ratio());
        let shown = aspect.size((frame.width(), frame.height()));
        check_size(shown, self.max_pixels)?;
        let frame = Arc::new(frame);
        let fields = self.interlacing.look(&frame);
        Ok(Frame::decoded(index, time, Decoded::new(frame, fields, Shape { size: shown, orientation: self.orientation })))
    }
}

/// What a container says of its times.
struct Timeline {
    /// Whether its duration is its own statement: FFmpeg otherwise guesses from the size or the last packets.
    is_stated: bool,
    /// When its first stream starts, in seconds of its time stamps.
    start: Option<f64>,
    /// Whether its time stamps may start anywhere, as those of a broadcast do. Those of other containers count from the start of
    /// the presentation, even where nothing is shown at first.
    starts_anywhere: bool,
}

impl Timeline {
    fn of(input: &Input, stream: usize) -> Self {
        // SAFETY: the input is open; the fields are plain numbers. Programmes live as long as the input.
        #[allow(unsafe_code)]
        let (method, start, flags) = unsafe {
            let input = input.as_ptr().cast_mut();
            // Every programme of a broadcast has a clock of its own.
            let program = ffi::av_find_program_from_stream(input, std::ptr::null_mut(), i32::try_from(stream).unwrap_or(-1));
            let start = if program.is_null() { (*input).start_time } else { (*program).start_time };
            ((*input).duration_estimation_method, start, (*(*input).iformat).flags)
        };
        Self {
            is_stated: method == ffi::AVDurationEstimationMethod::AVFMT_DURATION_FROM_STREAM,
            start: (start != ffi::AV_NOPTS_VALUE).then(|| start as f64 / f64::from(ffi::AV_TIME_BASE)),
            starts_anywhere: flags & ffi::AVFMT_TS_DISCONT != 0,
        }
    }

    /// The time stamp, in seconds, at which a player's clock shows zero. `None` when the container does not say.
    ///
    /// As browsers have it (HTML, "offsets into the media resource", and Chromium's `FFmpegDemuxer`): a timeline with a zero of
    /// its own is left alone, unless something is shown before that zero.
    fn origin(&self) -> Option<f64> {
        self.start.map(|start| if self.starts_anywhere { start } else { start.min(0.0) })
    }
}

/// The pixel aspect in the container's description of a stream; 0:1 when it has none.
fn stated_aspect(stream: &Stream<'_>) -> Rational {
    // SAFETY: the stream is live; the field is a pair of plain numbers.
    #[allow(unsafe_code)]
    Rational::from(unsafe { (*stream.as_ptr()).sample_aspect_ratio })
}

/// The order of fields in the container's description of a stream.
fn stated_field_order(stream: &Stream<'_>) -> FieldOrder {
    // SAFETY: the stream and its parameters are live; the field is a plain value.
    #[allow(unsafe_code)]
    FieldOrder::from(unsafe { (*(*stream.as_ptr()).codecpar).field_order })
}

/// Keeps the decoder from making buffers for frames that a later packet states to be huge. Coded sizes are padded, so there is
/// some room: what is shown is checked exactly.
fn limit_pixels(context: &mut codec::Context, most: u64) {
    // SAFETY: the context is live and not opened yet; the field is a plain number.
    #[allow(unsafe_code)]
    unsafe {
        (*context.as_mut_ptr()).max_pixels = i64::try_from(most).unwrap_or(i64::MAX).saturating_mul(2).saturating_add(1 << 16);
    }
}

/// Ends blocked reads when somebody wants to stop.
pub(super) fn interrupt(stop: &Arc<AtomicBool>) -> impl FnMut() -> bool + Send + 'static {
    let stop = Arc::clone(stop);
    move || stop.load(Ordering::Relaxed)
}
