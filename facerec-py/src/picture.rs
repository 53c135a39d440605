//! Pictures as Python has them: a path, an encoded file, an array, a PIL image, an open file.

use std::path::{Path, PathBuf};

use facerec_core::{Annotation, Image, ImageView, PixelFormat, Tone};
use numpy::{PyArrayDescrMethods, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArray, PyUntypedArrayMethods};
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
}

/// What [`Input`] holds, for work without the GIL.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    Path(&'a Path),
    Encoded(&'a [u8]),
    Pixels(ImageView<'a>),
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
            return Self::array(array, bgr);
        }
        if picture.hasattr(intern!(py, "convert"))? && picture.hasattr(intern!(py, "getbands"))? {
            let rgb = picture.call_method1(intern!(py, "convert"), ("RGB",))?;
            return Self::array(as_array(&rgb)?.cast()?, bgr);
        }
        if picture.hasattr(intern!(py, "__array__"))? {
            return Self::array(as_array(picture)?.cast()?, bgr);
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

    fn array(array: &Bound<'py, PyUntypedArray>, bgr: bool) -> PyResult<Self> {
        let shape = array.shape();
        let format = match (shape, bgr) {
            ([_, _, 3], false) => Some(PixelFormat::Rgb8),
            ([_, _, 3], true) => Some(PixelFormat::Bgr8),
            ([_, _, 4], false) => Some(PixelFormat::Rgba8),
            ([_, _], false) => Some(PixelFormat::Gray8),
            _ => None,
        };
        let wrong = || {
            let reason = format!("expected an array of uint8 and shape (H, W, 3), got {} and {shape:?}", array.dtype());
            let floats = array.dtype().kind() == b'f';
            argument("image", reason + if floats { "; for values from 0 to 1: (image * 255).astype(\"uint8\")" } else { "" })
        };
        let format = format.ok_or_else(wrong)?;
        if array.is_empty() {
            return Err(argument("image", format!("expected at least one pixel, got shape {shape:?}")));
        }
        let Ok(typed) = array.cast::<PyArrayDyn<u8>>() else { return Err(wrong()) };
        // Crops, flips and channels in reverse are copied into order; what is in order is used where it lies.
        let typed = if typed.is_c_contiguous() { typed.clone() } else { in_order(typed)? };
        Ok(Self(Kind::Array { array: typed.readonly(), format }))
    }

    pub(crate) fn source(&self) -> PyResult<Source<'_>> {
        Ok(match &self.0 {
            Kind::Path(path) => Source::Path(path),
            Kind::Encoded(bytes) => Source::Encoded(bytes),
            Kind::Array { array, format } => {
                let (height, width) = (array.shape()[0], array.shape()[1]);
                let side = |length: usize| u32::try_from(length).map_err(|_| argument("image", format!("a side of {length} pixels")));
                Source::Pixels(ImageView::new(array.as_slice()?, side(width)?, side(height)?, *format).or_raise()?)
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

fn in_order<'py>(array: &Bound<'py, PyArrayDyn<u8>>) -> PyResult<Bound<'py, PyArrayDyn<u8>>> {
    Ok(array.py().import("numpy")?.call_method1("ascontiguousarray", (array,))?.cast_into()?)
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
        Ok(Annotation { rect: detection.rect, landmarks: Some(detection.landmarks), label: person.unwrap_or_default(), tone })
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
