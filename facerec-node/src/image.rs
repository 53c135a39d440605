//! Pictures as JavaScript has them.

use facerec_core::{Error, Image, ImageView, PixelFormat, Result};
use napi::bindgen_prelude::{FromNapiValue, JsObjectValue, Object, Uint8Array, Uint8ClampedArray, Unknown};
use napi::{JsValue, ValueType};

use crate::error::{argument, whole};

/// A picture that no longer depends on JavaScript's memory, which a caller may change while a thread reads: bytes and
/// pixels are copied when the call is made.
pub(crate) enum Input {
    /// Path of a picture file.
    Path(String),
    /// The bytes of a picture file.
    Encoded(Vec<u8>),
    /// Decoded pixels, rows tightly packed.
    Pixels { data: Vec<u8>, width: u32, height: u32, format: PixelFormat },
}

const EXPECTED: &str = "expected a path, a Buffer or Uint8Array with the bytes of a picture file, or `{data, width, height}` with 1, 3 \
                        (RGB) or 4 (RGBA) bytes per pixel";

impl Input {
    /// Reads the argument `name`.
    pub(crate) fn new(name: &'static str, value: Unknown<'_>) -> Result<Self> {
        let wrong = |got: &str| argument(name, format!("{EXPECTED}, got `{got}`"));
        let failed = |error: napi::Error| argument(name, error.reason.clone());
        let kind = value.get_type().map_err(failed)?;
        match kind {
            ValueType::String => String::from_unknown(value).map(Self::Path).map_err(failed),
            ValueType::Object => {
                if let Some(bytes) = bytes(value) {
                    return Ok(Self::Encoded(bytes));
                }
                let object = Object::from_unknown(value).map_err(failed)?;
                let data = object.get::<Unknown<'_>>("data").map_err(failed)?;
                match data.and_then(bytes) {
                    Some(data) => pixels(name, &object, data),
                    // 16 bits or floats: what is black and white in them is not known.
                    None if data.is_some_and(|data| data.is_typedarray().unwrap_or_default()) => {
                        Err(wrong("`data` of other numbers; scale them to 0 to 255 in a Uint8Array"))
                    }
                    None => Err(wrong("an object without pixels in `data`")),
                }
            }
            other => Err(wrong(&other.to_string().to_lowercase())),
        }
    }

    /// The picture: read and decoded where that is still to be done.
    pub(crate) fn open(self) -> Result<Image> {
        match self {
            Self::Path(path) => Image::open(path),
            Self::Encoded(bytes) => Image::decode(&bytes),
            Self::Pixels { data, width, height, format: PixelFormat::Rgb8 } => Image::from_rgb(width, height, data),
            Self::Pixels { data, width, height, format } => Ok(ImageView::new(&data, width, height, format)?.to_image()),
        }
    }
}

/// A copy of a `Uint8Array` (a Buffer is one) or `Uint8ClampedArray` (a canvas has one).
fn bytes(value: Unknown<'_>) -> Option<Vec<u8>> {
    if !value.is_typedarray().unwrap_or_default() {
        return None;
    }
    let plain = Uint8Array::from_unknown(value).map(|array| array.to_vec());
    plain.or_else(|_| Uint8ClampedArray::from_unknown(value).map(|array| array.to_vec())).ok()
}

fn pixels(name: &'static str, object: &Object<'_>, data: Vec<u8>) -> Result<Input> {
    let side = |key: &'static str| {
        let number = object.get::<f64>(key).map_err(|error| argument(name, format!("`{key}`: {}", error.reason)))?;
        whole(key, number.unwrap_or(f64::NAN))
    };
    let (width, height) = (side("width")?, side("height")?);
    let asked = match object.has_named_property("channels") {
        Ok(true) => Some(side("channels")? as usize),
        _ => None,
    };
    // A canvas does not say how many channels it has; its bytes do.
    let channels = asked.unwrap_or(data.len() / (width as usize).saturating_mul(height as usize).max(1));
    let format = match channels {
        1 => PixelFormat::Gray8,
        3 => PixelFormat::Rgb8,
        4 => PixelFormat::Rgba8,
        other => return Err(argument(name, format!("expected 1, 3 or 4 channels, got `{other}`"))),
    };
    let expected = (width as usize).saturating_mul(height as usize).saturating_mul(channels);
    if data.len() != expected {
        return Err(Error::DimensionMismatch { what: "`data` of width x height x channels", expected, actual: data.len() });
    }
    Ok(Input::Pixels { data, width, height, format })
}
