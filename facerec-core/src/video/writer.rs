//! Writing H.264 in mp4, which every player and browser plays.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::ffmpeg::format::Pixel;
use super::ffmpeg::format::context::Output;
use super::ffmpeg::software::scaling::{Context as Scaler, Flags};
use super::ffmpeg::util::frame::Video as AvFrame;
use super::ffmpeg::{Codec, Dictionary, Error as AvError, Packet, Rational, codec, encoder, format, init};
use crate::error::{Error, Result};
use crate::image::Image;

/// H.264 encoders, best first, each with its settings for a good picture in little time.
const ENCODERS: [(&str, &[(&str, &str)]); 5] = [
    ("libx264", &[("preset", "veryfast"), ("crf", "23")]),
    ("h264_videotoolbox", &[("q", "60")]),
    ("h264_nvenc", &[("cq", "24")]),
    ("libopenh264", &[("rc_mode", "quality")]),
    ("h264_mf", &[]),
];

/// Ticks a second of the written times: divides every usual frame rate.
const TICKS: i32 = 90_000;

/// Writes pictures of one size as an mp4. The file appears under its name only when [`VideoWriter::finish`] has completed it.
pub struct VideoWriter {
    path: PathBuf,
    part: PathBuf,
    output: Output,
    encoder: encoder::video::Encoder,
    scaler: Scaler,
    size: (u32, u32),
    last: Option<i64>,
    /// The newest coded picture, kept back because the last one is told how long it is shown.
    held: Option<Packet>,
    /// When the video ends.
    end: Option<i64>,
    finished: bool,
}

impl std::fmt::Debug for VideoWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VideoWriter({}, {:?})", self.path.display(), self.size)
    }
}

impl VideoWriter {
    /// Starts a video of `width` x `height` pixels with about `frame_rate` frames a second (each frame brings its own time).
    /// H.264 has even sides only: the last row and column of an odd picture are left out.
    ///
    /// # Errors
    /// `unsupported_format` when this FFmpeg has no H.264 encoder, `invalid_argument` for sizes it cannot encode, `io`.
    pub fn create(path: impl AsRef<Path>, width: u32, height: u32, frame_rate: f64) -> Result<Self> {
        init()?;
        let path = path.as_ref().to_path_buf();
        let even = (width / 2 * 2, height / 2 * 2);
        if even.0 == 0 || even.1 == 0 || width > 1 << 14 || height > 1 << 14 {
            return Err(Error::argument("size", format!("expected sides of 2 to 16384 pixels, got `{width} x {height}`")));
        }
        let found = ENCODERS.iter().find_map(|(name, settings)| Some((encoder::find_by_name(name)?, *settings)));
        let Some((codec, settings)) = found else {
            let names = ENCODERS.map(|(name, _)| name).join(", ");
            return Err(Error::UnsupportedFormat { reason: format!("this FFmpeg has no H.264 encoder (looked for {names})") });
        };
        let part = partial(&path);
        // FFmpeg's error would not say so much.
        std::fs::File::create(&part).map_err(|error| Error::io("write", &part, error))?;
        let opened = Self::start(&part, codec, settings, even, frame_rate);
        let (output, encoder) = opened.map_err(|error| {
            let _ = std::fs::remove_file(&part); // what failed is told
            write_failed(&path, &error)
        })?;
        let scaler = Scaler::get(Pixel::RGB24, even.0, even.1, Pixel::YUV420P, even.0, even.1, Flags::BILINEAR);
        let scaler = scaler.map_err(|error| write_failed(&path, &error))?;
        Ok(Self { path, part, output, encoder, scaler, size: (width, height), last: None, held: None, end: None, finished: false })
    }

    fn start(
        part: &Path,
        codec: Codec,
        settings: &[(&str, &str)],
        (width, height): (u32, u32),
        frame_rate: f64,
    ) -> Result<(Output, encoder::video::Encoder), AvError> {
        let name = part.to_str().ok_or(AvError::Other { errno: super::ffmpeg::error::EINVAL })?;
        // With its protocol: `cam-12:30.mp4` would name another.
        let mut output = format::output_as(&format!("file:{name}"), "mp4")?;
        let mut encoder = codec::context::Context::new_with_codec(codec).encoder().video()?;
        encoder.set_width(width);
        encoder.set_height(height);
        encoder.set_format(Pixel::YUV420P);
        encoder.set_time_base(Rational(1, TICKS));
        let rate = if frame_rate.is_finite() { frame_rate.clamp(0.01, 240.0) } else { 25.0 };
        encoder.set_frame_rate(Some(Rational((rate * 1000.0).round() as i32, 1000)));
        encoder.set_flags(codec::Flags::GLOBAL_HEADER);
        encoder.set_threading(codec::threading::Config::count(0));
        let mut options = Dictionary::new();
        settings.iter().for_each(|(key, value)| options.set(key, value));
        let encoder = encoder.open_with(options)?;
        let mut stream = output.add_stream(codec)?;
        stream.set_parameters(&encoder);
        stream.set_time_base(Rational(1, TICKS));
        stream.set_avg_frame_rate(Rational((rate * 1000.0).round() as i32, 1000));
        let mut header = Dictionary::new();
        header.set("movflags", "+faststart"); // plays in a browser before it is loaded whole
        output.write_header_with(header)?;
        Ok((output, encoder))
    }

    /// Adds a picture, shown from `time` on. Times that do not advance are moved by a tick.
    ///
    /// # Errors
    /// `dimension_mismatch` for a picture of another size, `io` when writing fails.
    pub fn write(&mut self, image: &Image, time: Duration) -> Result<()> {
        if (image.width(), image.height()) != self.size {
            let pixels = |size: (u32, u32)| size.0 as usize * size.1 as usize;
            let (expected, actual) = (pixels(self.size), pixels((image.width(), image.height())));
            return Err(Error::DimensionMismatch { what: "video picture in pixels", expected, actual });
        }
        let ticks = ticks(time);
        let ticks = self.last.map_or(ticks, |last| ticks.max(last + 1));
        self.last = Some(ticks);
        self.encode(image, ticks).map_err(|error| write_failed(&self.path, &error))
    }

    fn encode(&mut self, image: &Image, ticks: i64) -> Result<(), AvError> {
        let (width, height) = (self.encoder.width(), self.encoder.height());
        let mut rgb = AvFrame::new(Pixel::RGB24, width, height);
        let (row, stride) = (width as usize * 3, rgb.stride(0));
        let source = image.data().chunks_exact(image.width() as usize * 3);
        for (line, from) in rgb.data_mut(0).chunks_mut(stride).zip(source) {
            line[..row].copy_from_slice(&from[..row]);
        }
        let mut yuv = AvFrame::empty();
        self.scaler.run(&rgb, &mut yuv)?;
        yuv.set_pts(Some(ticks));
        self.encoder.send_frame(&yuv)?;
        self.flush_packets()
    }

    fn flush_packets(&mut self) -> Result<(), AvError> {
        loop {
            let mut packet = Packet::empty();
            match self.encoder.receive_packet(&mut packet) {
                Ok(()) => {}
                Err(AvError::Eof | AvError::Other { errno: super::ffmpeg::error::EAGAIN }) => return Ok(()),
                Err(error) => return Err(error),
            }
            if let Some(before) = self.held.replace(packet) {
                self.put(before)?;
            }
        }
    }

    fn put(&mut self, mut packet: Packet) -> Result<(), AvError> {
        if let (Some(end), Some(last)) = (self.end, self.last.filter(|last| packet.pts() == Some(*last))) {
            packet.set_duration((end - last).max(1));
        }
        packet.set_stream(0);
        let stream = self.output.stream(0).ok_or(AvError::StreamNotFound)?.time_base();
        packet.rescale_ts(Rational(1, TICKS), stream);
        packet.write_interleaved(&mut self.output)
    }

    /// Completes the file, whose last picture is shown until `end`, and gives it its name.
    ///
    /// # Errors
    /// As [`VideoWriter::finish`].
    pub fn finish_at(mut self, end: Duration) -> Result<()> {
        self.end = Some(ticks(end));
        self.finish()
    }

    /// Completes the file, whose last picture is shown as long as the frame rate says, and gives it its name.
    ///
    /// # Errors
    /// `io` when writing fails, for example on a full disk; nothing is left then.
    pub fn finish(mut self) -> Result<()> {
        let coded = self.encoder.send_eof().and_then(|()| self.flush_packets());
        let written = coded.and_then(|()| self.held.take().map_or(Ok(()), |packet| self.put(packet)));
        written.and_then(|()| self.output.write_trailer()).map_err(|error| write_failed(&self.path, &error))?;
        std::fs::rename(&self.part, &self.path).map_err(|error| Error::io("write", &self.path, error))?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for VideoWriter {
    fn drop(&mut self) {
        if !self.finished {
            let _ = std::fs::remove_file(&self.part); // half a video is of no use
        }
    }
}

fn ticks(time: Duration) -> i64 {
    (time.as_secs_f64() * f64::from(TICKS)).round() as i64
}

/// Where a video lies until it is complete: beside its place, so that it can be renamed.
fn partial(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".part");
    path.with_file_name(name)
}

fn write_failed(path: &Path, error: &AvError) -> Error {
    let kind = match error {
        AvError::Other { errno } => std::io::Error::from_raw_os_error(*errno),
        error => std::io::Error::other(error.to_string()),
    };
    Error::io("write", path, kind)
}
