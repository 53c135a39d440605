//! TIFF: the first picture of the file. Samples come from the `tiff` crate, those of JPEG strips from libjpeg; what they mean is told here.

use std::borrow::Cow;
use std::io::{Cursor, ErrorKind};

use image::{ImageFormat, RgbImage};
use tiff::TiffError;
use tiff::decoder::{Decoder, DecodingResult, Limits};

use super::ifd::Directory;
use super::jpeg::{self, Colours};
use super::orientation::Metadata;
use super::{DecodeLimits, check, cut_off, damaged, over_white};
use crate::error::{Error, Result};
use crate::image::samples::Samples;

// Tags, as the TIFF 6.0 specification and its supplements number them.
const SUBFILE: u16 = 254;
const WIDTH: u16 = 256;
const HEIGHT: u16 = 257;
const BITS: u16 = 258;
const COMPRESSION: u16 = 259;
const PHOTOMETRIC: u16 = 262;
const FILL_ORDER: u16 = 266;
const STRIP_OFFSETS: u16 = 273;
const SAMPLES: u16 = 277;
const ROWS_PER_STRIP: u16 = 278;
const STRIP_BYTES: u16 = 279;
const PLANAR: u16 = 284;
const COLOUR_MAP: u16 = 320;
const TILE_WIDTH: u16 = 322;
const TILE_HEIGHT: u16 = 323;
const TILE_OFFSETS: u16 = 324;
const TILE_BYTES: u16 = 325;
const SUB_DIRECTORIES: u16 = 330;
const INK_SET: u16 = 332;
const EXTRA_SAMPLES: u16 = 338;
const LEAST: u16 = 340;
const MOST: u16 = 341;
const JPEG_TABLES: u16 = 347;
const XMP: u16 = 700;
const DNG_VERSION: u16 = 50_706;

/// What the samples of a pixel are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// Zero is white.
    Inverted,
    Grey,
    Rgb,
    Palette,
    Inks,
    YCbCr,
}

impl Meaning {
    fn channels(self) -> usize {
        match self {
            Self::Inverted | Self::Grey | Self::Palette => 1,
            Self::Rgb | Self::YCbCr => 3,
            Self::Inks => 4,
        }
    }
}

/// The pixels as they are stored, not turned, and what the file says about turning them.
pub(super) fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<(RgbImage, Metadata)> {
    let directory = Directory::first(bytes).ok_or_else(|| cut_off(ImageFormat::Tiff, None))?;
    let tags = Tags(&directory);
    let meaning = meaning(&tags)?;
    let side = |tag| u32::try_from(tags.number(tag, 0)).unwrap_or(u32::MAX);
    let (width, height) = (side(WIDTH), side(HEIGHT));
    if width == 0 || height == 0 {
        return Err(damaged(format!("expected sides of at least 1 pixel, got `{width}x{height}`")));
    }
    limits.check_sides(width, height)?;
    let image = match tags.number(COMPRESSION, 1) {
        7 => from_jpegs(bytes, &tags, meaning, (width, height), limits)?,
        _ => from_samples(bytes, &tags, meaning, (width, height), limits)?,
    };
    let mut metadata = Metadata::default();
    metadata.exif(bytes);
    metadata.xmp(directory.find(XMP).and_then(|entry| entry.raw()).unwrap_or_default());
    Ok((image, metadata))
}

/// Reads tags whose absence means something.
struct Tags<'a>(&'a Directory<'a>);

impl Tags<'_> {
    fn number(&self, tag: u16, absent: u64) -> u64 {
        self.value(tag, 0).unwrap_or(absent)
    }

    fn value(&self, tag: u16, index: usize) -> Option<u64> {
        self.0.find(tag)?.unsigned(index)
    }

    fn has(&self, tag: u16) -> bool {
        self.0.find(tag).is_some()
    }
}

/// What the samples are, or the name of what is not read.
fn meaning(tags: &Tags<'_>) -> Result<Meaning> {
    let photometric = tags.number(PHOTOMETRIC, u64::MAX);
    // A raw file's first directory holds a thumbnail; its picture lies deeper.
    if tags.has(DNG_VERSION) || matches!(photometric, 32_803 | 34_892) || (tags.number(SUBFILE, 0) & 1 == 1 && tags.has(SUB_DIRECTORIES)) {
        return Err(Error::UnsupportedFormat { reason: "this is a camera's raw file; develop it to JPEG or TIFF first".into() });
    }
    let compression = match tags.number(COMPRESSION, 1) {
        1 | 4 | 5 | 7 | 8 | 32_773 | 32_946 => None,
        2 | 3 => Some("CCITT fax (group 3)"),
        6 => Some("old-style JPEG"),
        9 | 10 | 34_661 => Some("JBIG"),
        32_766 => Some("NeXT"),
        32_809 => Some("ThunderScan"),
        34_676 | 34_677 => Some("SGI Log"),
        33_003 | 33_005 | 34_712 => Some("JPEG 2000"),
        34_887 => Some("LERC"),
        34_925 => Some("LZMA"),
        50_000 => Some("Zstandard"),
        50_001 => Some("WebP"),
        50_002 | 52_546 => Some("JPEG XL"),
        _ => Some("unknown"),
    };
    if let Some(name) = compression {
        return Err(unsupported(&format!("{name} compression (number {})", tags.number(COMPRESSION, 1))));
    }
    if tags.number(FILL_ORDER, 1) == 2 {
        return Err(unsupported("bits in reverse order (FillOrder 2)"));
    }
    let meaning = match photometric {
        0 => Meaning::Inverted,
        1 => Meaning::Grey,
        2 => Meaning::Rgb,
        3 => Meaning::Palette,
        4 => return Err(unsupported("a transparency mask instead of a picture")),
        5 if tags.number(INK_SET, 1) == 1 => Meaning::Inks,
        5 => return Err(unsupported("inks other than cyan, magenta, yellow and black")),
        6 => Meaning::YCbCr,
        8..=10 => return Err(unsupported("Lab colours")),
        32_844 | 32_845 => return Err(unsupported("logarithmic (LogLuv) colours")),
        51_177 => return Err(unsupported("a depth map instead of a picture")),
        u64::MAX => return Err(damaged("damaged TIFF: it does not say what its colours are")),
        other => return Err(unsupported(&format!("colours of an unknown kind (photometric interpretation {other})"))),
    };
    let samples = tags.number(SAMPLES, 1);
    if samples > 1 && tags.number(PLANAR, 1) == 2 && tags.has(TILE_WIDTH) {
        return Err(unsupported("tiles that hold one colour each (planar configuration 2)"));
    }
    if (samples as usize) < meaning.channels() {
        return Err(damaged(format!("damaged TIFF: expected {} samples a pixel, got `{samples}`", meaning.channels())));
    }
    Ok(meaning)
}

fn unsupported(what: &str) -> Error {
    Error::UnsupportedFormat { reason: format!("a TIFF with {what}; convert it to RGB without compression first") }
}

/// A picture of strips or tiles that are each a JPEG.
fn from_jpegs(bytes: &[u8], tags: &Tags<'_>, meaning: Meaning, (width, height): (u32, u32), limits: &DecodeLimits) -> Result<RgbImage> {
    let colours = match meaning {
        Meaning::Rgb => Colours::Rgb,
        Meaning::YCbCr => Colours::YCbCr,
        Meaning::Grey | Meaning::Inverted => Colours::Marked,
        Meaning::Palette | Meaning::Inks => return Err(unsupported("JPEG-compressed palette or CMYK colours")),
    };
    if tags.number(PLANAR, 1) != 1 && tags.number(SAMPLES, 1) > 1 {
        return Err(unsupported("JPEG-compressed colours in separate planes"));
    }
    let (offsets, lengths, columns, rows) = if tags.has(TILE_WIDTH) {
        (TILE_OFFSETS, TILE_BYTES, tags.number(TILE_WIDTH, 0), tags.number(TILE_HEIGHT, 0))
    } else {
        (STRIP_OFFSETS, STRIP_BYTES, width.into(), tags.number(ROWS_PER_STRIP, height.into()))
    };
    let (columns, rows) = (columns.min(width.into()) as u32, rows.min(height.into()) as u32);
    if columns == 0 || rows == 0 {
        return Err(damaged("damaged TIFF: its strips or tiles have no size"));
    }
    let tables = tags.0.find(JPEG_TABLES).and_then(|entry| entry.raw()).unwrap_or_default();
    // One stream: the tables without their end marker, the strip without its start marker.
    let tables = tables.strip_suffix(b"\xFF\xD9").unwrap_or(tables);
    check("decoded image in bytes", limits.max_memory(), u64::from(width) * u64::from(height) * 3)?;
    let mut image = RgbImage::new(width, height);
    let across = width.div_ceil(columns);
    for index in 0..across as usize * height.div_ceil(rows) as usize {
        let part = || {
            let (at, length) = (tags.value(offsets, index)?, tags.value(lengths, index)?);
            bytes.get(usize::try_from(at).ok()?..)?.get(..usize::try_from(length).ok()?)
        };
        let part = part().ok_or_else(|| cut_off(ImageFormat::Tiff, None))?;
        let joined = match part.strip_prefix(b"\xFF\xD8") {
            Some(rest) if !tables.is_empty() => Cow::Owned([tables, rest].concat()),
            _ => Cow::Borrowed(part),
        };
        let (part, _) = jpeg::decode(&joined, colours, limits)?;
        let (left, top) = (index as u32 % across * columns, index as u32 / across * rows);
        let wanted = (columns.min(width - left), rows.min(height - top));
        if part.width() < wanted.0 || part.height() < wanted.1 {
            return Err(damaged(format!(
                "damaged TIFF: expected a part of {}x{}, got `{}x{}`",
                wanted.0,
                wanted.1,
                part.width(),
                part.height()
            )));
        }
        for y in 0..wanted.1 as usize {
            let length = wanted.0 as usize * 3;
            let source = &part.as_raw()[y * part.width() as usize * 3..][..length];
            let at = ((top as usize + y) * width as usize + left as usize) * 3;
            image.as_mut()[at..at + length].copy_from_slice(source);
        }
    }
    if meaning == Meaning::Inverted {
        image.iter_mut().for_each(|value| *value = 255 - *value);
    }
    Ok(image)
}

/// A picture of samples, uncompressed or without loss.
fn from_samples(bytes: &[u8], tags: &Tags<'_>, meaning: Meaning, (width, height): (u32, u32), limits: &DecodeLimits) -> Result<RgbImage> {
    let bits = tags.number(BITS, 1) as usize;
    let pixels = width as usize * height as usize;
    let bytes_each = (tags.number(SAMPLES, 1) as usize).saturating_mul(bits.div_ceil(8));
    check("decoded image in bytes", limits.max_memory(), pixels.saturating_mul(bytes_each) as u64)?;
    let Read { mut samples, count, planes } = read(&plain(bytes, tags, meaning), limits)?;
    if count < meaning.channels() {
        return Err(damaged(format!("damaged TIFF: expected {} samples a pixel, got `{count}`", meaning.channels())));
    }
    if bits < 8 {
        let DecodingResult::U8(packed) = &samples else { return Err(damaged("damaged TIFF: its samples are of two kinds")) };
        samples = DecodingResult::U8(unpacked(packed, width as usize * (count / planes), bits));
    }
    if meaning == Meaning::Palette {
        return through_palette(&samples, count, tags, bits, (width, height));
    }
    let white = (1_u32 << bits.min(8)) - 1;
    let mut narrow = to_bytes(samples, tags)?;
    if bits < 8 {
        narrow.iter_mut().for_each(|value| *value = (u32::from(*value) * 255 / white) as u8);
    }
    if narrow.len() < pixels * count {
        return Err(cut_off(ImageFormat::Tiff, None));
    }
    narrow.truncate(pixels * count);
    if planes > 1 {
        narrow = (0..pixels * count).map(|at| narrow[at % count * pixels + at / count]).collect();
    }
    let rgb = match meaning {
        Meaning::Rgb if count == 3 => narrow,
        _ => narrow.chunks_exact(count).flat_map(|pixel| colour(pixel, meaning, tags.number(EXTRA_SAMPLES, 0))).collect(),
    };
    RgbImage::from_raw(width, height, rgb).ok_or_else(|| cut_off(ImageFormat::Tiff, None))
}

/// The file with palette indices and inverted grey called grey: the `tiff` crate refuses the one and inverts the other in some depths.
fn plain<'a>(bytes: &'a [u8], tags: &Tags<'_>, meaning: Meaning) -> Cow<'a, [u8]> {
    let mut bytes = Cow::Borrowed(bytes);
    if let (Meaning::Palette | Meaning::Inverted, Some(entry)) = (meaning, tags.0.find(PHOTOMETRIC)) {
        let number = if tags.0.is_little() { [1, 0] } else { [0, 1] };
        if let Some(value) = bytes.to_mut().get_mut(entry.at..entry.at + 2) {
            value.copy_from_slice(&number);
        }
    }
    bytes
}

/// What the `tiff` crate gives.
struct Read {
    samples: DecodingResult,
    /// Samples of a pixel: it leaves out some that have no meaning.
    count: usize,
    /// In how many planes they lie, one after the other.
    planes: usize,
}

fn read(bytes: &[u8], limits: &DecodeLimits) -> Result<Read> {
    let failed = |error| translate(error, limits);
    let memory = usize::try_from(limits.max_memory()).unwrap_or(usize::MAX);
    let mut bounds = Limits::default();
    (bounds.decoding_buffer_size, bounds.intermediate_buffer_size, bounds.ifd_value_size) = (memory, memory, memory);
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(failed)?.with_limits(bounds);
    let mut samples = DecodingResult::U8(Vec::new());
    let layout = decoder.read_image_to_buffer(&mut samples).map_err(failed)?;
    if samples.as_buffer(0).as_bytes().len() < layout.complete_len {
        return Err(failed(TiffError::LimitsExceeded));
    }
    let planes = layout.planes.max(1);
    let count = if planes > 1 { planes } else { decoder.colortype().map_err(failed)?.num_samples().into() };
    Ok(Read { samples, count, planes })
}

/// A byte for each of the samples of `bits` each, whose rows start at whole bytes.
fn unpacked(packed: &[u8], row: usize, bits: usize) -> Vec<u8> {
    let mask = (1_u16 << bits) - 1;
    let sample = |line: &[u8], index: usize| {
        let at = index * bits;
        let pair = u16::from(line[at / 8]) << 8 | u16::from(line.get(at / 8 + 1).copied().unwrap_or_default());
        (pair >> (16 - bits - at % 8) & mask) as u8
    };
    packed.chunks_exact((row * bits).div_ceil(8)).flat_map(|line| (0..row).map(move |index| sample(line, index))).collect()
}

/// Samples of any type as bytes.
fn to_bytes(samples: DecodingResult, tags: &Tags<'_>) -> Result<Vec<u8>> {
    let limit = |tag| tags.0.find(tag)?.float(0);
    let range = limit(LEAST).zip(limit(MOST)).filter(|(least, most)| least < most);
    let wide = |values: Vec<i64>| Samples::I64(&values).scaled(range);
    let scaled = match samples {
        DecodingResult::U8(samples) => Ok(samples),
        DecodingResult::U16(samples) => Samples::U16(&samples).scaled(None),
        DecodingResult::U32(samples) => wide(samples.into_iter().map(i64::from).collect()),
        DecodingResult::U64(samples) => wide(samples.into_iter().map(|value| i64::try_from(value).unwrap_or(i64::MAX)).collect()),
        DecodingResult::I8(samples) => wide(samples.into_iter().map(i64::from).collect()),
        DecodingResult::I16(samples) => wide(samples.into_iter().map(i64::from).collect()),
        DecodingResult::I32(samples) => wide(samples.into_iter().map(i64::from).collect()),
        DecodingResult::I64(samples) => wide(samples),
        DecodingResult::F16(samples) => Samples::F32(&samples.into_iter().map(f32::from).collect::<Vec<_>>()).scaled(range),
        DecodingResult::F32(samples) => Samples::F32(&samples).scaled(range),
        DecodingResult::F64(samples) => Samples::F64(&samples).scaled(range),
    };
    scaled.map_err(|reason| Error::UnsupportedFormat { reason: format!("a TIFF of samples without a known black and white: {reason}") })
}

/// Indices looked up in the file's colour map: all reds, all greens, all blues, 16 bits each.
fn through_palette(samples: &DecodingResult, count: usize, tags: &Tags<'_>, bits: usize, (width, height): (u32, u32)) -> Result<RgbImage> {
    let size = 1_usize << bits.min(16);
    let map = tags.0.find(COLOUR_MAP).filter(|map| map.count >= size * 3);
    let map = map.ok_or_else(|| damaged("damaged TIFF: its palette is missing or too short"))?;
    let values: Vec<u64> = (0..size * 3).map_while(|index| map.unsigned(index)).collect();
    if values.len() < size * 3 {
        return Err(cut_off(ImageFormat::Tiff, None));
    }
    // Some writers put 8-bit values there; libtiff tells them by the same rule.
    let eight = values.iter().all(|&value| value < 256);
    let colours =
        |index: usize| [index, index + size, index + 2 * size].map(|at| if eight { values[at] } else { (values[at] + 128) / 257 } as u8);
    let rgb: Vec<u8> = match samples {
        DecodingResult::U8(indices) => indices.iter().step_by(count).flat_map(|&index| colours(index.into())).collect(),
        DecodingResult::U16(indices) => indices.iter().step_by(count).flat_map(|&index| colours(index.into())).collect(),
        _ => return Err(unsupported("a palette of fractions")),
    };
    RgbImage::from_raw(width, height, rgb).ok_or_else(|| cut_off(ImageFormat::Tiff, None))
}

/// A pixel's samples as RGB. `extra` is the meaning of the first sample beyond the colour: 1 premultiplied alpha, 2 alpha.
fn colour(pixel: &[u8], meaning: Meaning, extra: u64) -> [u8; 3] {
    let rgb = match meaning {
        Meaning::Inverted => [255 - pixel[0]; 3],
        Meaning::Grey | Meaning::Palette => [pixel[0]; 3],
        Meaning::Rgb => [pixel[0], pixel[1], pixel[2]],
        Meaning::Inks => [0, 1, 2].map(|ink| ((255 - u32::from(pixel[ink])) * (255 - u32::from(pixel[3])) / 255) as u8),
        Meaning::YCbCr => {
            // ITU-R 601 at full range, TIFF's default and JPEG's.
            let [luma, blue, red] = [f32::from(pixel[0]), f32::from(pixel[1]) - 128.0, f32::from(pixel[2]) - 128.0];
            [luma + 1.402 * red, luma - 0.344_136 * blue - 0.714_136 * red, luma + 1.772 * blue].map(|value| (value + 0.5) as u8)
        }
    };
    match (extra, pixel.get(meaning.channels())) {
        (1, Some(&alpha)) => rgb.map(|value| value.saturating_add(255 - alpha)),
        (2, Some(&alpha)) => over_white(rgb, alpha),
        _ => rgb,
    }
}

fn translate(error: TiffError, limits: &DecodeLimits) -> Error {
    match error {
        TiffError::LimitsExceeded => super::memory_exceeded(limits),
        TiffError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => cut_off(ImageFormat::Tiff, Some(Box::new(error))),
        TiffError::UnsupportedError(error) => Error::UnsupportedFormat {
            reason: format!("a TIFF of a variant that is not read: {error}; convert it to RGB without compression first"),
        },
        error => Error::DecodeImage { reason: format!("damaged TIFF: {error}"), source: Some(Box::new(error)) },
    }
}
