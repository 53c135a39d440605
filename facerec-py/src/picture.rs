//! Pictures as Python has them: a path, an encoded file, an array, a PIL image, an open file.

use std::path::{Path, PathBuf};

use facerec_core::{Annotation, Image, ImageView, PixelFormat, Samples, Tone};
use numpy::{Element, PyArrayDescrMethods, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView, PyString};

use crate::error::{OrRaise, argument};
use crate::records;

/// A picture that was handed in. Arrays in C order and bytes are borrowed, not copied.
pub(crate) struct Input<'py>(Kind<'py>);

enum Kind<'py> {
    Path(PathBuf),
    Encoded(PyBackedBytes),
    Array { array: PyReadonlyArrayDyn<'py, u8>, format: PixelFormat },
    Deep { array: Deep<'py>, width: u32, height: u32, format: PixelFormat },
}

/// An array of more than 8 bits a sample.
enum Deep<'py> {
    U16(PyReadonlyArrayDyn<'py, u16>),
    I64(PyReadonlyArrayDyn<'py, i64>),
    F32(PyReadonlyArrayDyn<'py, f32>),
    F64(PyReadonlyArrayDyn<'py, f64>),
}

/// What [`Input`] holds, for work without the GIL.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    Path(&'a Path),
    Encoded(&'a [u8]),
    Pixels(ImageView<'a>),
    Deep { samples: Samples<'a>, width: u32, height: u32, format: PixelFormat },
}

/// A picture ready to be looked at.
pub(crate) enum Loaded<'a> {
    Owned(Image),
    Borrowed(ImageView<'a>),
}

impl<'py> Input<'py> {
    /// Takes `picture`; `bgr` says that an array has OpenCV's channel order.
    pub(crate) fn new(picture: &Bound<'py, PyAny>, bgr: bool) -> PyResult<Self> {
        let py = picture.py();
        if picture.is_instance_of::<PyString>() || picture.hasattr(intern!(py, "__fspath__"))? {
            return Self::file(Kind::Path(picture.extract()?), bgr);
        }
        if let Ok(bytes) = picture.cast::<PyBytes>() {
            return Self::file(Kind::Encoded(bytes.clone().into()), bgr);
        }
        if picture.is_instance_of::<PyByteArray>() || picture.is_instance_of::<PyMemoryView>() {
            let copy = py.get_type::<PyBytes>().call1((picture,))?;
            return Self::file(Kind::Encoded(copy.extract()?), bgr);
        }
        if let Ok(array) = picture.cast::<PyUntypedArray>() {
            return Self::array(array, bgr, false);
        }
        if picture.hasattr(intern!(py, "convert"))? && picture.hasattr(intern!(py, "getbands"))? {
            return Self::pil(picture, bgr);
        }
        if picture.hasattr(intern!(py, "__array__"))? {
            return Self::array(as_array(picture)?.cast()?, bgr, false);
        }
        if picture.hasattr(intern!(py, "read"))? {
            let bytes = picture.call_method0(intern!(py, "read"))?;
            let bytes = bytes.extract().map_err(|_| PyTypeError::new_err("expected a file opened in binary mode: open(path, \"rb\")"))?;
            return Self::file(Kind::Encoded(bytes), bgr);
        }
        let name = picture.get_type().name()?;
        Err(PyTypeError::new_err(format!("expected a path, bytes, a NumPy array, a PIL image or an open file, got `{name}`")))
    }

    fn file(kind: Kind<'py>, bgr: bool) -> PyResult<Self> {
        if bgr {
            return Err(argument(
                "bgr",
                "expected False for an encoded picture, which knows its colours; True is for arrays as OpenCV gives",
            ));
        }
        Ok(Self(kind))
    }

    /// A PIL image of any mode: as its file would be read, deep samples brought to 8 bits and transparent pixels laid over white.
    fn pil(picture: &Bound<'py, PyAny>, bgr: bool) -> PyResult<Self> {
        let py = picture.py();
        let mode: String = picture.getattr(intern!(py, "mode")).and_then(|mode| mode.extract()).unwrap_or_default();
        // PIL cuts what is above 255 off.
        if mode == "F" || mode == "I" || mode.starts_with("I;16") {
            return Self::array(as_array(picture)?.cast()?, bgr, true);
        }
        let convert = |image: &Bound<'py, PyAny>, to: &str| {
            image.call_method1(intern!(py, "convert"), (to,)).map_err(|error| {
                argument(
                    "image",
                    format!("expected a PIL image that can become {to}, got mode `{mode}` ({}); convert it first", error.value(py)),
                )
            })
        };
        let info = picture.getattr(intern!(py, "info"));
        let cut_out = info.is_ok_and(|info| info.contains("transparency").unwrap_or_default());
        let rgb = if cut_out || matches!(mode.as_str(), "RGBA" | "LA" | "PA" | "RGBa" | "La") {
            // PIL knows no way from grey with premultiplied alpha but over the plain one.
            let plain = if mode == "La" { convert(picture, "LA")? } else { picture.clone() };
            let rgba = convert(&plain, "RGBA")?;
            let white = ("RGBA", rgba.getattr(intern!(py, "size"))?, "white");
            let white = py.import("PIL.Image")?.call_method1(intern!(py, "new"), white)?;
            white.call_method1(intern!(py, "alpha_composite"), (rgba,))?;
            convert(&white, "RGB")?
        } else {
            convert(picture, "RGB")?
        };
        Self::array(as_array(&rgb)?.cast()?, bgr, false)
    }

    /// An array; `integers` says that whole numbers of 32 bits hold 8 or 16, as PIL's do.
    fn array(array: &Bound<'py, PyUntypedArray>, bgr: bool, integers: bool) -> PyResult<Self> {
        let shape = array.shape();
        let format = match (shape, bgr) {
            ([_, _, 3], false) => Some(PixelFormat::Rgb8),
            ([_, _, 3], true) => Some(PixelFormat::Bgr8),
            ([_, _, 4], false) => Some(PixelFormat::Rgba8),
            ([_, _], false) => Some(PixelFormat::Gray8),
            _ => None,
        };
        let dtype = array.dtype();
        let wrong =
            || argument("image", format!("expected an array of uint8, uint16 or floats and shape (H, W, 3), got {dtype} and {shape:?}"));
        let format = format.ok_or_else(wrong)?;
        if array.is_empty() {
            return Err(argument("image", format!("expected at least one pixel, got shape {shape:?}")));
        }
        let (width, height) = (side(shape[1])?, side(shape[0])?);
        // Crops, flips, channels in reverse and foreign byte orders are copied into order; what is in order is used where it lies.
        let array = match (dtype.kind(), dtype.itemsize()) {
            (b'u', 1) => return Ok(Self(Kind::Array { array: in_order(array, "uint8")?, format })),
            (b'u', 2) => Deep::U16(in_order(array, "uint16")?),
            (b'i', 4) if integers => Deep::I64(in_order(array, "int64")?),
            (b'f', 2 | 4) => Deep::F32(in_order(array, "float32")?),
            (b'f', _) => Deep::F64(in_order(array, "float64")?),
            _ => return Err(wrong()),
        };
        Ok(Self(Kind::Deep { array, width, height, format }))
    }

    pub(crate) fn source(&self) -> PyResult<Source<'_>> {
        Ok(match &self.0 {
            Kind::Path(path) => Source::Path(path),
            Kind::Encoded(bytes) => Source::Encoded(bytes),
            Kind::Array { array, format } => {
                let (height, width) = (array.shape()[0], array.shape()[1]);
                Source::Pixels(ImageView::new(array.as_slice()?, side(width)?, side(height)?, *format).or_raise()?)
            }
            Kind::Deep { array, width, height, format } => {
                let samples = match array {
                    Deep::U16(array) => Samples::U16(array.as_slice()?),
                    Deep::I64(array) => Samples::I64(array.as_slice()?),
                    Deep::F32(array) => Samples::F32(array.as_slice()?),
                    Deep::F64(array) => Samples::F64(array.as_slice()?),
                };
                Source::Deep { samples, width: *width, height: *height, format: *format }
            }
        })
    }
}

impl<'a> Source<'a> {
    pub(crate) fn load(self) -> facerec_core::Result<Loaded<'a>> {
        Ok(match self {
            Self::Path(path) => Loaded::Owned(Image::open(path)?),
            Self::Encoded(bytes) => Loaded::Owned(Image::decode(bytes)?),
            Self::Pixels(view) => Loaded::Borrowed(view),
            Self::Deep { samples, width, height, format } => {
                Loaded::Owned(ImageView::new(&samples.to_u8()?, width, height, format)?.to_image())
            }
        })
    }
}

impl Loaded<'_> {
    pub(crate) fn view(&self) -> ImageView<'_> {
        match self {
            Self::Owned(image) => image.view(),
            Self::Borrowed(view) => *view,
        }
    }
}

fn as_array<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    object.py().import("numpy")?.call_method1("asarray", (object,))
}

/// The array in C order and this machine's byte order.
fn in_order<'py, T: Element>(array: &Bound<'py, PyUntypedArray>, dtype: &str) -> PyResult<PyReadonlyArrayDyn<'py, T>> {
    let array = array.py().import("numpy")?.call_method1("ascontiguousarray", (array, dtype))?;
    Ok(array.cast_into::<PyArrayDyn<T>>()?.readonly())
}

fn side(length: usize) -> PyResult<u32> {
    u32::try_from(length).map_err(|_| argument("image", format!("a side of {length} pixels")))
}

/// The picture with `faces` marked in it, as an array.
#[pyfunction]
#[pyo3(signature = (image, faces, *, bgr=false))]
pub(crate) fn annotate<'py>(image: &Bound<'py, PyAny>, faces: Vec<Bound<'py, PyAny>>, bgr: bool) -> PyResult<Bound<'py, PyAny>> {
    let py = image.py();
    let mark = |face: &Bound<'py, PyAny>| -> PyResult<Annotation> {
        let detection = records::detection_of(face)?;
        let looked_up = !face.getattr("decision")?.is_none();
        let person: Option<String> = face.getattr("person")?.extract()?;
        let tone = match (&person, looked_up) {
            (Some(_), _) => Tone::Known,
            (None, true) => Tone::Unknown,
            (None, false) => Tone::Neutral,
        };
        Ok(Annotation {
            rect: detection.rect,
            landmarks: Some(detection.landmarks),
            label: person.unwrap_or_default(),
            detail: String::new(),
            tone,
        })
    };
    let marks = faces.iter().map(mark).collect::<PyResult<Vec<_>>>()?;
    let input = Input::new(image, bgr)?;
    let source = input.source()?;
    let marked = py.detach(|| {
        let mut image = source.load()?.view().to_image();
        facerec_core::annotate(&mut image, &marks);
        Ok(image)
    });
    records::pixels(py, marked.or_raise()?)
}

/// The picture as a JPEG file.
#[pyfunction]
#[pyo3(signature = (image, *, quality=92))]
pub(crate) fn jpeg<'py>(image: &Bound<'py, PyAny>, quality: u8) -> PyResult<Bound<'py, PyBytes>> {
    let py = image.py();
    let input = Input::new(image, false)?;
    let source = input.source()?;
    let bytes = py.detach(|| source.load()?.view().to_image().encode_jpeg(quality));
    Ok(PyBytes::new(py, &bytes.or_raise()?))
}
