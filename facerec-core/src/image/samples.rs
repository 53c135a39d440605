//! Samples of more than 8 bits, as 16-bit and floating-point pictures have them, brought to 8.

use crate::error::{Error, Result};

/// Samples of another type than a byte, borrowed.
///
/// ```
/// use facerec_core::image::Samples;
///
/// assert_eq!(Samples::F32(&[0.0, 0.5, 1.0]).to_u8().unwrap(), [0, 128, 255]);
/// assert_eq!(Samples::U16(&[0, 65_535]).to_u8().unwrap(), [0, 255]);
/// assert!(Samples::F32(&[-1.5, 3.0]).to_u8().is_err());
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Samples<'a> {
    /// 0 to 65,535, as in a 16-bit PNG.
    U16(&'a [u16]),
    /// From 0: to 255 if no sample is larger, else to 65,535. A 32-bit integer picture holds one of the two.
    I64(&'a [i64]),
    /// 0 to 1; or whole numbers, as [`Samples::I64`].
    F32(&'a [f32]),
    /// As [`Samples::F32`].
    F64(&'a [f64]),
}

impl Samples<'_> {
    /// The samples from 0 to 255, rounded.
    ///
    /// # Errors
    /// `invalid_argument` when the samples lie outside of the ranges above: what is black and white in them is not known.
    pub fn to_u8(self) -> Result<Vec<u8>> {
        self.scaled(None).map_err(|reason| Error::argument("image", reason))
    }

    /// [`Samples::to_u8`] where `range` may say which values are black and white.
    pub(super) fn scaled(self, range: Option<(f64, f64)>) -> std::result::Result<Vec<u8>, String> {
        match self {
            Self::U16(samples) => Ok(samples.iter().map(|&value| narrowed(value)).collect()),
            Self::I64(samples) => to_bytes(samples, range, false, |value| value as f64),
            Self::F32(samples) => to_bytes(samples, range, true, f64::from),
            Self::F64(samples) => to_bytes(samples, range, true, |value| value),
        }
    }
}

/// 16 bits to 8, rounded to the nearest.
fn narrowed(value: u16) -> u8 {
    ((u32::from(value) + 128) / 257) as u8
}

fn to_bytes<T: Copy>(
    samples: &[T],
    range: Option<(f64, f64)>,
    fractions: bool,
    float: impl Fn(T) -> f64,
) -> std::result::Result<Vec<u8>, String> {
    let (black, white) = match range {
        Some(range) => range,
        None => guess(samples, fractions, &float)?,
    };
    // `as` saturates, so that what lies outside of a range given by the file is black or white.
    Ok(samples.iter().map(|&value| ((float(value) - black) / (white - black) * 255.0 + 0.5) as u8).collect())
}

/// Which values are black and white. `fractions` says that 1 may be white.
fn guess<T: Copy>(samples: &[T], fractions: bool, float: impl Fn(T) -> f64) -> std::result::Result<(f64, f64), String> {
    // What rounds to 0 and 255 counts as such: resizing leaves values a little outside.
    const SLACK: f64 = 0.5 / 255.0;
    let (mut least, mut most, mut whole) = (f64::INFINITY, f64::NEG_INFINITY, true);
    for &value in samples {
        let value = float(value);
        if !value.is_finite() {
            return Err(format!("expected finite samples, got `{value}`"));
        }
        (least, most, whole) = (least.min(value), most.max(value), whole && value.fract() == 0.0);
    }
    let unit = fractions && least >= -SLACK && most <= 1.0 + SLACK;
    match (unit, whole && least >= 0.0) {
        (true, _) => Ok((0.0, 1.0)),
        (false, true) if most <= 255.0 => Ok((0.0, 255.0)),
        (false, true) if most <= 65_535.0 => Ok((0.0, 65_535.0)),
        _ => Err(format!(
            "expected samples from 0 to 1, or whole numbers to 255 or 65535, got `{least}` to `{most}`; scale them to 0 to 255 as uint8 first"
        )),
    }
}
