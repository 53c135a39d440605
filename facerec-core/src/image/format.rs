//! What kind of file some bytes are, and whether its end is missing.

use image::ImageFormat;

use crate::error::{Error, Result};

/// A kind of picture that is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Format {
    /// One that the `image` crate has a name for.
    Known(ImageFormat),
    #[cfg(feature = "heif")]
    Heic,
}

impl From<ImageFormat> for Format {
    fn from(format: ImageFormat) -> Self {
        Self::Known(format)
    }
}

/// The format by the first bytes: file names lie.
pub(super) fn recognise(bytes: &[u8]) -> Result<Format> {
    const READ: &str = if cfg!(feature = "heif") {
        "JPEG, PNG, WebP, BMP, GIF, TIFF and HEIC are read"
    } else {
        "JPEG, PNG, WebP, BMP, GIF and TIFF are read, and HEIC with the feature `heif`"
    };
    if bytes.is_empty() {
        return Err(Error::DecodeImage { reason: "the file is empty".into(), source: None });
    }
    #[cfg(feature = "heif")]
    if is_heic(bytes) {
        return Ok(Format::Heic);
    }
    if let Some(kind) = other_kind(bytes) {
        return Err(Error::UnsupportedFormat { reason: format!("this is {kind}; {READ}, convert it first") });
    }
    use ImageFormat::{Bmp, Gif, Jpeg, Png, Tiff, WebP};
    match (bytes.get(..4), image::guess_format(bytes)) {
        // BigTIFF, the kind with 64-bit offsets.
        (Some(b"II+\0" | b"MM\0+"), _) => Ok(Format::Known(Tiff)),
        (_, Ok(format @ (Jpeg | Png | WebP | Bmp | Gif | Tiff))) => Ok(Format::Known(format)),
        _ => Err(Error::DecodeImage { reason: format!("no picture was recognised in these bytes; {READ}"), source: None }),
    }
}

/// The format's usual name.
pub(super) fn name(format: impl Into<Format>) -> &'static str {
    match format.into() {
        Format::Known(ImageFormat::Jpeg) => "JPEG",
        Format::Known(ImageFormat::Png) => "PNG",
        Format::Known(ImageFormat::WebP) => "WebP",
        Format::Known(ImageFormat::Bmp) => "BMP",
        Format::Known(ImageFormat::Gif) => "GIF",
        Format::Known(_) => "TIFF",
        #[cfg(feature = "heif")]
        Format::Heic => "HEIC",
    }
}

/// Whether the file visibly lacks its end, in the format whose decoder would paint the missing part grey and say nothing.
pub(super) fn ends_early(bytes: &[u8], format: Format) -> bool {
    format == Format::Known(ImageFormat::WebP) && !webp_is_complete(bytes)
}

/// Whether the WebP's container has all the bytes it announces.
fn webp_is_complete(bytes: &[u8]) -> bool {
    matches!(bytes, [b'R', b'I', b'F', b'F', a, b, c, d, rest @ ..] if rest.len() as u64 >= u64::from(u32::from_le_bytes([*a, *b, *c, *d])))
}

/// Whether it is a picture in HEIF's container that is coded in HEVC.
fn is_heic(bytes: &[u8]) -> bool {
    const BRANDS: [&[u8]; 6] = [b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"];
    bytes.get(4..8) == Some(b"ftyp")
        && match bytes.get(8..12) {
            // HEIF's general brand: the codec is named among the compatible ones.
            Some(b"mif1" | b"msf1" | b"miaf") => !contains(bytes, b"avif"),
            brand => brand.is_some_and(|brand| BRANDS.contains(&brand)),
        }
}

/// Kinds of files that people hand in by mistake, by their first bytes.
fn other_kind(bytes: &[u8]) -> Option<&'static str> {
    let at = |offset: usize, magic: &[u8]| bytes.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    if at(4, b"ftyp") {
        return Some(match bytes.get(8..12) {
            None => return None, // cut off
            _ if is_heic(bytes) => "a HEIC picture",
            Some(b"avif" | b"avis" | b"mif1" | b"msf1" | b"miaf") => "an AVIF picture",
            Some(b"crx ") => "a camera's raw file (CR3)",
            Some(b"M4A " | b"M4B ") => "a sound file (MPEG-4)",
            _ => "a video (MP4 or MOV)",
        });
    }
    KINDS.iter().find(|(offset, magic, _)| at(*offset, magic)).map(|&(_, _, kind)| kind).or_else(|| text_kind(bytes))
}

/// Offset and first bytes of kinds that are not read.
const KINDS: [(usize, &[u8], &str); 47] = [
    (0, b"%PDF", "a PDF document"),
    (0, b"%!PS", "a PostScript document"),
    (0, b"\xC5\xD0\xD3\xC6", "a PostScript document"),
    (0, b"\x1A\x45\xDF\xA3", "a video (Matroska or WebM)"),
    (8, b"AVI ", "a video (AVI)"),
    (8, b"WAVE", "a sound file (WAV)"),
    (0, b"\0\0\x01\xBA", "a video (MPEG)"),
    (0, b"\0\0\x01\xB3", "a video (MPEG)"),
    (0, b"\x30\x26\xB2\x75\x8E\x66\xCF\x11", "a video (Windows Media)"),
    (0, b"FLV\x01", "a video (Flash)"),
    (0, b"OggS", "a video or sound file (Ogg)"),
    (0, b"ID3", "a sound file (MP3)"),
    (4, b"moov", "a video (MOV)"),
    (4, b"mdat", "a video (MOV)"),
    (0, b"\0\0\0\x0CJXL ", "a JPEG XL picture"),
    (0, b"\xFF\x0A", "a JPEG XL picture"),
    (0, b"\0\0\0\x0CjP  ", "a JPEG 2000 picture"),
    (0, b"\xFF\x4F\xFF\x51", "a JPEG 2000 picture"),
    (0, b"II\xBC", "a JPEG XR picture"),
    (0, b"8BPS", "a Photoshop document (PSD)"),
    (0, b"gimp xcf", "a GIMP document (XCF)"),
    (8, b"CR\x02", "a camera's raw file (CR2)"),
    (0, b"FUJIFILMCCD-RAW", "a camera's raw file (RAF)"),
    (0, b"IIU\0", "a camera's raw file (RW2)"),
    (0, b"IIRO", "a camera's raw file (ORF)"),
    (0, b"IIRS", "a camera's raw file (ORF)"),
    (0, b"MMOR", "a camera's raw file (ORF)"),
    (0, b"FOVb", "a camera's raw file (X3F)"),
    (0, b"\0MRM", "a camera's raw file (MRW)"),
    (0, b"\x76\x2F\x31\x01", "an OpenEXR picture"),
    (0, b"#?RADIANCE", "a Radiance HDR picture"),
    (0, b"#?RGBE", "a Radiance HDR picture"),
    (0, b"qoif", "a QOI picture"),
    (0, b"DDS ", "a DDS texture"),
    (0, b"\xABKTX ", "a KTX texture"),
    (0, b"farbfeld", "a farbfeld picture"),
    (0, b"BPG\xFB", "a BPG picture"),
    (0, b"SIMPLE  =", "a FITS picture"),
    (0, b"\x01\xDA", "an SGI picture"),
    (0, b"\x59\xA6\x6A\x95", "a Sun raster picture"),
    (128, b"DICM", "a DICOM picture"),
    (0, b"\xD7\xCD\xC6\x9A", "a Windows metafile (WMF)"),
    (0, b"PK\x03\x04", "a ZIP archive or office document"),
    (0, b"\x1F\x8B", "a gzip archive"),
    (0, b"7z\xBC\xAF\x27\x1C", "a 7-Zip archive"),
    (0, b"Rar!\x1A\x07", "a RAR archive"),
    (0, b"version https://git-lfs", "a Git LFS pointer, not the file itself"),
];

/// Kinds without distinct first bytes.
fn text_kind(bytes: &[u8]) -> Option<&'static str> {
    // Icons and cursors: a reserved zero, the kind, 1 to 255 pictures, whose first entry has a reserved zero again.
    if let [0, 0, kind @ (1 | 2), 0, 1..=255, 0, _, _, _, 0, ..] = bytes {
        return Some(if *kind == 1 { "an icon (ICO)" } else { "a cursor (CUR)" });
    }
    // Netpbm: P1 to P7 (PAM) or the floating-point PF and Pf, then white space.
    if let [b'P', b'1'..=b'7' | b'F' | b'f', b' ' | b'\t' | b'\n' | b'\r', ..] = bytes {
        return Some("a Netpbm picture (PNM, PAM or PFM)");
    }
    // Targa has no first bytes of its own, but often a last line.
    if bytes.ends_with(b"TRUEVISION-XFILE.\0") {
        return Some("a Targa picture (TGA)");
    }
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii_start();
    let starts = |word: &[u8]| text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    match () {
        _ if starts(b"<svg") => Some("an SVG drawing"),
        _ if starts(b"<?xml") && contains(text, b"<svg") => Some("an SVG drawing"),
        _ if starts(b"<!doctype svg") => Some("an SVG drawing"),
        _ if starts(b"<?xml") => Some("an XML document"),
        _ if starts(b"<!doctype") || starts(b"<html") || starts(b"<head") => Some("a web page"),
        _ if starts(b"data:image/") => Some("a data URL; its part after the comma is a picture in Base64"),
        _ => None,
    }
}

/// Whether the start of a file holds `word`.
fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes[..bytes.len().min(1024)].windows(word.len()).any(|window| window == word)
}
