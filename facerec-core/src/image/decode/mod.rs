//! Reading pictures from files and bytes: the only user of the `image` crate's readers, of libjpeg, and of the `tiff` and `heic-decoder`
//! crates.

#[cfg(feature = "heif")]
mod heif;
mod ifd;
mod jpeg;
mod orientation;
mod tiff;

use std::any::Any;
use std::fs::File;
use std::io::{Cursor, Read};
use std::panic::catch_unwind;
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage};

use self::orientation::Metadata;
use super::Image;
use super::format::{self, Format, name, recognise};
use crate::error::{Cause, Error, Result};

/// How large a picture may be before decoding is refused, so that a small hostile file cannot take all memory.
///
/// ```
/// use facerec_core::image::DecodeLimits;
///
/// let limits = DecodeLimits::default().max_pixels(20_000_000).max_bytes(8 << 20);
/// assert_eq!(limits.max_side, 65_535);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodeLimits {
    /// Width times height. Default 100 million, a 12,000 x 8,000 scan; lower for services that decode many uploads at once.
    pub max_pixels: u64,
    /// Bytes of the file. Default 256 MiB.
    pub max_bytes: u64,
    /// The longer side in pixels. Default 65,535, what JPEG can express.
    pub max_side: u32,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self { max_pixels: 100_000_000, max_bytes: 256 << 20, max_side: 65_535 }
    }
}

impl DecodeLimits {
    /// Sets [`DecodeLimits::max_pixels`]. Decoding takes 3 to 9 bytes of memory per pixel.
    pub fn max_pixels(mut self, pixels: u64) -> Self {
        self.max_pixels = pixels;
        self
    }

    /// Sets [`DecodeLimits::max_bytes`].
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets [`DecodeLimits::max_side`].
    pub fn max_side(mut self, pixels: u32) -> Self {
        self.max_side = pixels;
        self
    }

    /// What a decoder may allocate: a picture of `max_pixels` with four 16-bit channels, and room for tables and metadata.
    fn max_memory(&self) -> u64 {
        self.max_pixels.saturating_mul(8).saturating_add(64 << 20)
    }

    fn check_bytes(&self, bytes: u64) -> Result<()> {
        check("image file in bytes", self.max_bytes, bytes)
    }

    fn check_sides(&self, width: u32, height: u32) -> Result<()> {
        check("longer side of the image in pixels", self.max_side.into(), width.max(height).into())?;
        check("image in pixels", self.max_pixels, u64::from(width) * u64::from(height))
    }
}

impl Image {
    /// Reads a picture file: JPEG, PNG, WebP, BMP, GIF (first frame), TIFF or, with feature `heif`, HEIC, told by its contents and not by its name.
    ///
    /// # Errors
    /// `io` when the file is missing, a folder or not readable; else as [`Image::decode`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, &DecodeLimits::default())
    }

    /// [`Image::open`] with other limits.
    ///
    /// # Errors
    /// As [`Image::open`].
    pub fn open_with(path: impl AsRef<Path>, limits: &DecodeLimits) -> Result<Self> {
        Self::decode_with(&read_file(path.as_ref(), limits)?, limits)
    }

    /// Decodes the bytes of a picture file to upright RGB: the orientation of EXIF, or else XMP, is applied, deeper channels are
    /// rounded to 8 bits, and transparent pixels are laid over white, as most viewers show them. A JPEG may lack its end marker.
    ///
    /// # Errors
    /// `decode_image` when the bytes are damaged, truncated or no picture, `unsupported_format` for a picture or document of
    /// another kind, `limit_exceeded` when the picture is larger than [`DecodeLimits::default`] allows.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        Self::decode_with(bytes, &DecodeLimits::default())
    }

    /// [`Image::decode`] with other limits.
    ///
    /// # Errors
    /// As [`Image::decode`].
    pub fn decode_with(bytes: &[u8], limits: &DecodeLimits) -> Result<Self> {
        limits.check_bytes(bytes.len() as u64)?;
        let format = recognise(bytes)?;
        if format::ends_early(bytes, format) {
            return Err(cut_off(format, None));
        }
        // The `image` crate lists panics on malicious input among its known issues.
        let decoded = catch_unwind(|| decode_pixels(bytes, format, limits))
            .unwrap_or_else(|panic| Err(damaged(format!("the {} decoder gave up: {}", name(format), panic_message(panic.as_ref())))))?;
        if decoded.width() == 0 || decoded.height() == 0 {
            return Err(damaged(format!("expected sides of at least 1 pixel, got `{}x{}`", decoded.width(), decoded.height())));
        }
        Ok(decoded.into())
    }
}

fn check(what: &'static str, limit: u64, actual: u64) -> Result<()> {
    if actual > limit { Err(Error::LimitExceeded { what, limit, actual }) } else { Ok(()) }
}

fn damaged(reason: impl Into<String>) -> Error {
    Error::DecodeImage { reason: reason.into(), source: None }
}

fn read_file(path: &Path, limits: &DecodeLimits) -> Result<Vec<u8>> {
    let failed = |source| Error::io("read", path, source);
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(failed(std::io::Error::new(std::io::ErrorKind::IsADirectory, "it is a folder; expected a picture file")));
    }
    limits.check_bytes(metadata.len())?;
    let mut bytes = Vec::with_capacity(metadata.len() as usize + 1);
    // One byte past the limit: a pipe or device has no length, and a file may grow while it is read.
    file.take(limits.max_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// The picture upright.
fn decode_pixels(bytes: &[u8], format: Format, limits: &DecodeLimits) -> Result<RgbImage> {
    let (image, metadata) = match format {
        Format::Known(ImageFormat::Jpeg) => jpeg::decode(bytes, jpeg::Colours::Marked, limits)?,
        Format::Known(ImageFormat::Tiff) => tiff::decode(bytes, limits)?,
        Format::Known(format) => by_image_crate(bytes, format, limits)?,
        // Upright already, whatever its EXIF says.
        #[cfg(feature = "heif")]
        Format::Heic => (heif::decode(bytes, limits)?, Metadata::default()),
    };
    Ok(orientation::upright(image, metadata.orientation()))
}

/// PNG, WebP, BMP and GIF.
fn by_image_crate(bytes: &[u8], format: ImageFormat, limits: &DecodeLimits) -> Result<(RgbImage, Metadata)> {
    let failed = |error| translate(error, format, limits);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut bounds = Limits::no_limits();
    bounds.max_alloc = Some(limits.max_memory());
    reader.limits(bounds);
    let mut decoder = reader.into_decoder().map_err(failed)?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(damaged(format!("expected sides of at least 1 pixel, got `{width}x{height}`")));
    }
    limits.check_sides(width, height)?;
    check("decoded image in bytes", limits.max_memory(), decoder.total_bytes())?;
    // A picture whose metadata are broken is still a picture.
    let mut metadata = Metadata::default();
    metadata.exif(&decoder.exif_metadata().ok().flatten().unwrap_or_default());
    metadata.xmp(&decoder.xmp_metadata().ok().flatten().unwrap_or_default());
    let image = DynamicImage::from_decoder(decoder).map_err(failed)?;
    Ok((to_rgb(image, format), metadata))
}

/// RGB pixels, without a copy when they are that already.
fn to_rgb(image: DynamicImage, format: ImageFormat) -> RgbImage {
    if !image.color().has_alpha() {
        return image.into_rgb8();
    }
    // Dropping alpha would uncover whatever colour was left under the transparent part, often black around hair.
    let rgba = image.into_rgba8();
    // Programs that know no alpha leave its byte in a BMP at 0; viewers show such a file opaque.
    let no_alpha = format == ImageFormat::Bmp && rgba.pixels().all(|pixel| pixel.0[3] == 0);
    let mut rgb = RgbImage::new(rgba.width(), rgba.height());
    for (target, source) in rgb.pixels_mut().zip(rgba.pixels()) {
        let [r, g, b, alpha] = source.0;
        target.0 = over_white([r, g, b], if no_alpha { 255 } else { alpha });
    }
    rgb
}

fn over_white(rgb: [u8; 3], alpha: u8) -> [u8; 3] {
    let alpha = u32::from(alpha);
    rgb.map(|value| ((u32::from(value) * alpha + 255 * (255 - alpha) + 127) / 255) as u8)
}

fn cut_off(format: impl Into<Format>, source: Option<Cause>) -> Error {
    Error::DecodeImage { reason: format!("the {} ends early; copy or download the file again", name(format)), source }
}

fn memory_exceeded(limits: &DecodeLimits) -> Error {
    let limit = limits.max_memory();
    Error::LimitExceeded { what: "memory to decode the image in bytes (at least)", limit, actual: limit.saturating_add(1) }
}

fn translate(error: ImageError, format: ImageFormat, limits: &DecodeLimits) -> Error {
    let name = name(format);
    match error {
        ImageError::Limits(_) => memory_exceeded(limits),
        ImageError::Unsupported(error) => Error::UnsupportedFormat { reason: format!("a {name} of a variant that is not read: {error}") },
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Error::DecodeImage { reason: format!("the {name} ends early; copy or download the file again"), source: Some(Box::new(error)) }
        }
        error => Error::DecodeImage { reason: format!("damaged {name}: {error}"), source: Some(Box::new(error)) },
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it panicked")
}
