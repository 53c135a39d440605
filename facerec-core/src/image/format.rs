//! What kind of file some bytes are, and whether its end is missing.

use image::ImageFormat;

use crate::error::{Error, Result};

/// The format by the first bytes: file names lie.
pub(super) fn recognise(bytes: &[u8]) -> Result<ImageFormat> {
    const READ: &str = "JPEG, PNG, WebP, BMP, GIF and TIFF are read";
    if bytes.is_empty() {
        return Err(Error::DecodeImage { reason: "the file is empty".into(), source: None });
    }
    if let Some(kind) = other_kind(bytes) {
        return Err(Error::UnsupportedFormat { reason: format!("this is {kind}; {READ}, convert it first") });
    }
    match image::guess_format(bytes) {
        Ok(
            format @ (ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP | ImageFormat::Bmp | ImageFormat::Gif | ImageFormat::Tiff),
        ) => Ok(format),
        Ok(other) => Err(Error::UnsupportedFormat { reason: format!("this is a picture of type {other:?}; {READ}, convert it first") }),
        Err(_) => Err(Error::DecodeImage { reason: format!("no picture was recognised in these bytes; {READ}"), source: None }),
    }
}

/// The format's usual name.
pub(super) fn name(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::Png => "PNG",
        ImageFormat::WebP => "WebP",
        ImageFormat::Bmp => "BMP",
        ImageFormat::Gif => "GIF",
        _ => "TIFF",
    }
}

/// Whether the file visibly lacks its end, in the formats whose decoders would paint the missing part grey and say nothing.
pub(super) fn ends_early(bytes: &[u8], format: ImageFormat) -> bool {
    match format {
        ImageFormat::Jpeg => !jpeg_is_complete(bytes),
        ImageFormat::WebP => !webp_is_complete(bytes),
        _ => false,
    }
}

/// Whether the JPEG's end-of-image marker is there: walks over the segments, so that a thumbnail's end does not count.
fn jpeg_is_complete(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(&byte) = bytes.get(at) {
        // Between segments (fill bytes, stray bytes) and inside entropy-coded data alike: on to the next marker.
        let Some(&marker) = bytes.get(at + 1) else { return false };
        if byte != 0xFF || marker == 0xFF {
            at += 1;
            continue;
        }
        match marker {
            0xD9 => return true,
            // A stuffed zero, TEM, restart markers and start-of-image stand alone.
            0x00 | 0x01 | 0xD0..=0xD8 => at += 2,
            _ => match bytes.get(at + 2..at + 4) {
                Some(&[high, low]) => at += 2 + usize::from(u16::from_be_bytes([high, low])),
                _ => return false,
            },
        }
    }
    false
}

/// Whether the WebP's container has all the bytes it announces.
fn webp_is_complete(bytes: &[u8]) -> bool {
    matches!(bytes, [b'R', b'I', b'F', b'F', a, b, c, d, rest @ ..] if rest.len() as u64 >= u64::from(u32::from_le_bytes([*a, *b, *c, *d])))
}

/// Kinds of files that people hand in by mistake, by their first bytes.
fn other_kind(bytes: &[u8]) -> Option<&'static str> {
    let at = |offset: usize, magic: &[u8]| bytes.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    if at(4, b"ftyp") {
        return Some(match bytes.get(8..12) {
            Some(b"avif" | b"avis") => "an AVIF picture",
            Some(b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"mif1" | b"msf1") => "a HEIC picture",
            Some(b"crx ") => "a camera's raw file",
            _ => "a video (MP4 or MOV)",
        });
    }
    const KINDS: [(usize, &[u8], &str); 17] = [
        (0, b"%PDF", "a PDF document"),
        (0, b"\x1A\x45\xDF\xA3", "a video (Matroska or WebM)"),
        (8, b"AVI ", "a video (AVI)"),
        (0, b"\0\0\x01\xBA", "a video (MPEG)"),
        (0, b"\0\0\0\x0CJXL ", "a JPEG XL picture"),
        (0, b"\xFF\x0A", "a JPEG XL picture"),
        (0, b"\0\0\0\x0CjP  ", "a JPEG 2000 picture"),
        (0, b"\xFF\x4F\xFF\x51", "a JPEG 2000 picture"),
        (0, b"8BPS", "a Photoshop document"),
        (8, b"CR\x02", "a camera's raw file"),
        (0, b"FUJIFILMCCD-RAW", "a camera's raw file"),
        (0, b"<svg", "an SVG drawing"),
        (0, b"<?xml", "an XML document"),
        (0, b"<!DOCTYPE", "a web page"),
        (0, b"<html", "a web page"),
        (0, b"PK\x03\x04", "a ZIP archive or office document"),
        (0, b"\x1F\x8B", "a gzip archive"),
    ];
    KINDS.iter().find(|(offset, magic, _)| at(*offset, magic)).map(|&(_, _, kind)| kind)
}
