//! Writing pictures: PNG and JPEG.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageResult};

use super::Image;
use crate::error::{Error, Result};

/// Visually lossless for photos at a third of quality 100's size.
const SAVED_JPEG_QUALITY: u8 = 92;

impl Image {
    /// Writes the picture to `path`, as PNG or JPEG (quality 92) by the extension. The file appears whole or not at all.
    ///
    /// # Errors
    /// `invalid_argument` for another extension, or a side above 65,535 px in a JPEG; `io` when the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        let bytes = match extension.as_str() {
            "png" => self.encode_png()?,
            "jpg" | "jpeg" => self.encode_jpeg(SAVED_JPEG_QUALITY)?,
            other => return Err(Error::argument("path", format!("expected a name ending in .png, .jpg or .jpeg, got `{other}`"))),
        };
        write_whole(path, &bytes)
    }

    /// The picture as a PNG file.
    ///
    /// # Errors
    /// `internal` when the encoder fails, which no picture is known to cause.
    pub fn encode_png(&self) -> Result<Vec<u8>> {
        self.encode("PNG", |image, out| {
            PngEncoder::new(out).write_image(image.data(), image.width(), image.height(), ExtendedColorType::Rgb8)
        })
    }

    /// The picture as a baseline JPEG file of `quality` 1 (worst) to 100 (best); values outside are clamped.
    ///
    /// # Errors
    /// `invalid_argument` when a side is above 65,535 px, which JPEG cannot express.
    pub fn encode_jpeg(&self, quality: u8) -> Result<Vec<u8>> {
        let longer = self.width().max(self.height());
        if longer > u32::from(u16::MAX) {
            return Err(Error::argument("image", format!("expected sides of at most 65535 px for a JPEG, got `{longer}`; save it as PNG")));
        }
        self.encode("JPEG", |image, out| {
            JpegEncoder::new_with_quality(out, quality).encode(image.data(), image.width(), image.height(), ExtendedColorType::Rgb8)
        })
    }

    fn encode(&self, name: &str, encode: impl FnOnce(&Self, &mut Vec<u8>) -> ImageResult<()>) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(self.data().len() / 4);
        encode(self, &mut bytes).map_err(|error| Error::internal(format!("encode {name} of {self:?}: {error}")))?;
        Ok(bytes)
    }
}

/// Writes beside the target and renames: a reader never sees half a file, and a failed write leaves the old one.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let temporary = path.with_file_name(format!(".facerec-{}-{number}.tmp", std::process::id()));
    let written = File::create_new(&temporary).and_then(|mut file| file.write_all(bytes)).and_then(|()| fs::rename(&temporary, path));
    written.map_err(|source| {
        // Best effort: the error that matters is the first one.
        let _ = fs::remove_file(&temporary);
        Error::io("write", path, source)
    })
}
