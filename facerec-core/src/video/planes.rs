//! The rows of a decoded frame, as samples.

use super::ffmpeg::ffi;
use super::ffmpeg::format::Pixel;
use super::ffmpeg::util::frame::Video as AvFrame;

/// The type of a frame's samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Samples {
    /// A byte each.
    Bytes,
    /// Two bytes each, whose value shifted right by so many bits is one of eight bits.
    Words(u32),
}

/// A sample of a plane.
pub(super) trait Sample: bytemuck::Pod {
    /// Its value.
    fn value(self) -> i32;
    /// A value in its range as a sample.
    fn from_value(value: i32) -> Self;
}

impl Sample for u8 {
    fn value(self) -> i32 {
        i32::from(self)
    }

    fn from_value(value: i32) -> Self {
        value as Self
    }
}

impl Sample for u16 {
    fn value(self) -> i32 {
        i32::from(self)
    }

    fn from_value(value: i32) -> Self {
        value as Self
    }
}

impl Samples {
    /// Those of a pixel format whose planes consist of whole samples: all but palettes, samples that share bytes, floating point,
    /// and the other byte order.
    pub(super) fn of(format: Pixel) -> Option<Self> {
        const OTHER: u64 = (ffi::AV_PIX_FMT_FLAG_BE
            | ffi::AV_PIX_FMT_FLAG_PAL
            | ffi::AV_PIX_FMT_FLAG_BITSTREAM
            | ffi::AV_PIX_FMT_FLAG_HWACCEL
            | ffi::AV_PIX_FMT_FLAG_FLOAT
            | ffi::AV_PIX_FMT_FLAG_BAYER) as u64;
        // SAFETY: descriptions are FFmpeg's own static table; one that is missing is null.
        #[allow(unsafe_code)]
        let description = unsafe { ffi::av_pix_fmt_desc_get(format.into()).as_ref() }?;
        let components = description.comp.get(..usize::from(description.nb_components))?;
        let first = components.first().filter(|_| description.flags & OTHER == 0)?;
        let (samples, bytes) = match first.depth {
            8 if first.shift == 0 => (Self::Bytes, 1),
            9..=16 => (Self::Words(u32::try_from(first.depth + first.shift - 8).ok()?), 2),
            _ => return None,
        };
        let whole = |plane: i32| {
            let of_plane = || components.iter().filter(move |component| component.plane == plane);
            let step = of_plane().map(|component| component.step).max().unwrap_or(0);
            of_plane().all(|component| component.depth == first.depth) && of_plane().count() * bytes <= usize::try_from(step).unwrap_or(0)
        };
        (0..4).filter(|plane| components.iter().any(|component| component.plane == *plane)).all(whole).then_some(samples)
    }
}

/// The shown part of a row of each plane in bytes; `None` for pictures stored bottom up.
pub(super) fn row_bytes(frame: &AvFrame) -> Option<Vec<usize>> {
    let width = i32::try_from(frame.width()).ok()?;
    let bytes = |plane: usize| {
        // SAFETY: the frame is live; the function only calculates.
        #[allow(unsafe_code)]
        let (stride, bytes) = unsafe {
            let stride = (*frame.as_ptr()).linesize[plane];
            (stride, ffi::av_image_get_linesize(frame.format().into(), width, plane as i32))
        };
        usize::try_from(bytes).ok().filter(|_| stride >= bytes && bytes > 0)
    };
    (0..frame.planes()).map(bytes).collect()
}

/// Row `y` of a plane: its first `bytes`.
pub(super) fn row<T: Sample>(data: &[u8], stride: usize, y: usize, bytes: usize) -> Option<&[T]> {
    let start = y * stride;
    bytemuck::try_cast_slice(data.get(start..start + bytes)?).ok()
}
