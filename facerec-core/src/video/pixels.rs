//! A decoded frame and its way to RGB.

use std::cell::RefCell;
use std::sync::Arc;

use super::deinterlace::deinterlaced;
use super::ffmpeg::format::Pixel;
use super::ffmpeg::software::scaling::{Context as Scaler, Flags};
use super::ffmpeg::util::frame::Video as AvFrame;
use super::ffmpeg::{color, failed, ffi};
use super::frame::shrink;
use super::interlacing::Fields;
use super::orientation::Orientation;
use crate::error::{Error, Result};
use crate::image::{Image, THUMBNAIL};

/// A frame as FFmpeg decoded it, in the decoder's own buffers, and how it is shown.
pub(super) struct Decoded {
    frame: Arc<AvFrame>,
    /// Its fields when it is interlaced.
    fields: Option<Fields>,
    shape: Shape,
}

/// How a stored picture is shown: scaled to `size`, where its pixels are square, then turned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) size: (u32, u32),
    pub(super) orientation: Orientation,
}

impl std::fmt::Debug for Decoded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Decoded({} x {}, {:?})", self.frame.width(), self.frame.height(), self.frame.format())
    }
}

thread_local! {
    /// Setting a converter up costs more than converting a small frame; a thread mostly sees frames of one kind.
    static TO_RGB: RefCell<Option<Converter>> = const { RefCell::new(None) };
    static TO_GRAY: RefCell<Option<Converter>> = const { RefCell::new(None) };
}

struct Converter {
    scaler: Scaler,
    kind: Kind,
}

/// What a converter is made for.
#[derive(Clone, Copy, PartialEq)]
struct Kind {
    format: Pixel,
    from: (u32, u32),
    to: (u32, u32),
    space: color::Space,
    range: color::Range,
}

impl Decoded {
    pub(super) fn new(frame: Arc<AvFrame>, fields: Option<Fields>, shape: Shape) -> Self {
        Self { frame, fields, shape }
    }

    pub(super) fn size(&self) -> (u32, u32) {
        self.shape.orientation.size(self.shape.size)
    }

    /// Its memory.
    pub(super) fn bytes(&self) -> usize {
        (0..self.frame.planes()).map(|plane| self.frame.data(plane).len()).sum()
    }

    pub(super) fn to_image(&self) -> Result<Image> {
        let Shape { size, orientation } = self.shape;
        let whole = self.fields.as_ref().and_then(|fields| deinterlaced(&self.frame, fields));
        let rgb = convert(whole.as_ref().unwrap_or(&self.frame), &TO_RGB, Pixel::RGB24, size)?;
        orientation.apply(Image::from_rgb(size.0, size.1, packed(&rgb, size, 3))?)
    }

    pub(super) fn thumbnail(&self) -> Result<Vec<u8>> {
        // A picture stored bottom up has a negative distance between its rows, which FFmpeg's converter knows.
        if has_luma_plane(self.frame.format()) && self.is_top_down() {
            let (stride, luma) = (self.frame.stride(0), self.frame.data(0));
            let at = |x: usize, y: usize| u32::from(luma[y * stride + x]);
            return Ok(shrink(self.frame.width() as usize, self.frame.height() as usize, at));
        }
        let gray = convert(&self.frame, &TO_GRAY, Pixel::GRAY8, THUMBNAIL)?;
        Ok(packed(&gray, THUMBNAIL, 1))
    }

    fn is_top_down(&self) -> bool {
        // SAFETY: the frame is live; the field is a plain number.
        #[allow(unsafe_code)]
        unsafe {
            (*self.frame.as_ptr()).linesize[0] > 0
        }
    }
}

fn convert(
    frame: &AvFrame,
    cache: &'static std::thread::LocalKey<RefCell<Option<Converter>>>,
    to: Pixel,
    size: (u32, u32),
) -> Result<AvFrame> {
    let from = (frame.width(), frame.height());
    let kind = Kind { format: frame.format(), from, to: size, space: frame.color_space(), range: frame.color_range() };
    cache.with_borrow_mut(|cache| {
        let converter = match cache.take().filter(|converter| converter.kind == kind) {
            Some(converter) => cache.insert(converter),
            None => cache.insert(Converter::new(kind, to)?),
        };
        let mut out = AvFrame::empty();
        converter.scaler.run(frame, &mut out).map_err(|error| failed("cannot convert the frame to RGB", &error))?;
        Ok(out)
    })
}

impl Converter {
    fn new(kind: Kind, to: Pixel) -> Result<Self> {
        let Kind { format, from, to: size, .. } = kind;
        let scaler = Scaler::get(format, from.0, from.1, to, size.0, size.1, Flags::BILINEAR);
        let mut scaler = scaler.map_err(|error| failed(format!("no conversion from {format:?} to RGB"), &error))?;
        colours(&mut scaler, &kind);
        Ok(Self { scaler, kind })
    }
}

/// Tells the converter which matrix and range the video was made with. Videos that do not say are BT.601, as FFmpeg and
/// OpenCV take them.
fn colours(scaler: &mut Scaler, kind: &Kind) {
    let space = match kind.space {
        color::Space::BT709 => ffi::SWS_CS_ITU709,
        color::Space::BT2020NCL | color::Space::BT2020CL => ffi::SWS_CS_BT2020,
        color::Space::SMPTE240M => ffi::SWS_CS_SMPTE240M,
        color::Space::FCC => ffi::SWS_CS_FCC,
        _ => ffi::SWS_CS_DEFAULT,
    };
    let jpeg = matches!(kind.format, Pixel::YUVJ411P | Pixel::YUVJ420P | Pixel::YUVJ422P | Pixel::YUVJ440P | Pixel::YUVJ444P);
    let full = kind.range == color::Range::JPEG || jpeg;
    let neutral = 1 << 16; // contrast and saturation, 16.16 fixed point
    // SAFETY: the context is live and owned by `scaler`; the coefficients are FFmpeg's own static tables.
    #[allow(unsafe_code)]
    let result = unsafe {
        let table = ffi::sws_getCoefficients(space);
        ffi::sws_setColorspaceDetails(scaler.as_mut_ptr(), table, i32::from(full), table, 1, 0, neutral, neutral)
    };
    // Formats that are RGB already have nothing to set and say -1.
    tracing::trace!(result, format = ?kind.format, "colour space of the video");
}

/// 8-bit formats whose first plane is luma.
fn has_luma_plane(format: Pixel) -> bool {
    use Pixel::{
        GRAY8, NV12, NV21, YUV410P, YUV411P, YUV420P, YUV422P, YUV440P, YUV444P, YUVA420P, YUVJ420P, YUVJ422P, YUVJ440P, YUVJ444P,
    };
    matches!(
        format,
        GRAY8
            | NV12
            | NV21
            | YUV410P
            | YUV411P
            | YUV420P
            | YUV422P
            | YUV440P
            | YUV444P
            | YUVA420P
            | YUVJ420P
            | YUVJ422P
            | YUVJ440P
            | YUVJ444P
    )
}

/// The first plane without the padding of its rows.
fn packed(frame: &AvFrame, size: (u32, u32), channels: usize) -> Vec<u8> {
    let (row, stride, data) = (size.0 as usize * channels, frame.stride(0), frame.data(0));
    if row == stride {
        return data[..row * size.1 as usize].to_vec();
    }
    data.chunks(stride.max(1)).take(size.1 as usize).flat_map(|line| &line[..row]).copied().collect()
}

/// Refuses frames larger than `most` pixels before any buffer is made for them.
pub(super) fn check_size((width, height): (u32, u32), most: u64) -> Result<()> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels > most {
        return Err(Error::LimitExceeded { what: "video frame in pixels", limit: most, actual: pixels });
    }
    Ok(())
}
