//! HEIC photos, as phones take them: the only user of `heic_decoder`.

use heic_decoder::{AlphaPlane, HeifError};
use image::RgbImage;

use super::{DecodeLimits, check, damaged, over_white};
use crate::error::{Error, Result};

/// Of the planes of a 4:2:0 picture, 32 bits a sample; RGB adds three.
const BYTES_PER_PIXEL: u64 = 6;

/// The picture upright: its own turns, mirrors and crops are applied. EXIF does not count here, as the standard says.
pub(super) fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<RgbImage> {
    let info = heic_decoder::probe(bytes).map_err(translate)?;
    let side = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
    limits.check_sides(side(info.width), side(info.height))?;
    // Planes of 32 bits, and more pixels than are shown: small pictures are padded.
    let coded = (info.coded_width as u64).saturating_mul(info.coded_height as u64);
    check("decoded image in bytes", limits.max_memory(), coded.saturating_mul(BYTES_PER_PIXEL))?;
    let picture = heic_decoder::decode(bytes).map_err(translate)?;
    let mut rgb = picture.to_rgb8().map_err(translate)?;
    if let Some(alpha) = &picture.alpha {
        lay_over_white(&mut rgb.data, alpha);
    }
    let (width, height) = (rgb.width as u32, rgb.height as u32); // checked above
    RgbImage::from_raw(width, height, rgb.data).ok_or_else(|| damaged("the HEIC decoder gave too few pixels"))
}

fn lay_over_white(rgb: &mut [u8], alpha: &AlphaPlane) {
    let most = (1i64 << alpha.bit_depth.clamp(1, 16)) - 1;
    for (pixel, &opacity) in rgb.chunks_exact_mut(3).zip(&alpha.samples) {
        let opacity = (i64::from(opacity).clamp(0, most) * 255 / most) as u8;
        let colours = [pixel[0], pixel[1], pixel[2]];
        let laid = if alpha.premultiplied { colours.map(|v| v.saturating_add(255 - opacity)) } else { over_white(colours, opacity) };
        pixel.copy_from_slice(&laid);
    }
}

fn translate(error: HeifError) -> Error {
    match error {
        HeifError::Unsupported(what) => {
            Error::UnsupportedFormat { reason: format!("this HEIC picture has something that is not read ({what}); convert it first") }
        }
        HeifError::LimitExceeded(what) => {
            Error::UnsupportedFormat { reason: format!("this HEIC picture is too large to be read ({what}); convert it first") }
        }
        error => damaged(format!("the HEIC picture is damaged: {error}")),
    }
}
