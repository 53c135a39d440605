//! A face as a vector.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use facerec_core::ModelKey;
use numpy::{PyArray1, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::{OrRaise, argument};

/// A face as a vector of unit length that knows its model: vectors of different models cannot be compared.
///
/// `numpy.asarray(embedding)` and `embedding.vector` give the array. Compares and hashes by value, can be pickled.
///
/// Args:
///     vector: The values, in any length; brought to unit length.
///     model: Id of the model that made it.
///     model_hash: Hash of the model's weights and preprocessing.
///
/// >>> a = facerec.Embedding([3.0, 4.0], "mine", "1")
/// >>> a.vector
/// array([0.6, 0.8], dtype=float32)
/// >>> a.similarity(a)
/// 1.0
#[pyclass(frozen, eq, module = "facerec")]
#[derive(PartialEq)]
pub(crate) struct Embedding(pub(crate) facerec_core::Embedding);

#[pymethods]
impl Embedding {
    #[new]
    fn new(vector: &Bound<'_, PyAny>, model: String, model_hash: String) -> PyResult<Self> {
        // numpy turns lists and arrays of other types into what is needed, or says why it cannot.
        let py = vector.py();
        let options = PyDict::new(py);
        options.set_item("dtype", "float32")?;
        let array = py.import("numpy")?.call_method("ascontiguousarray", (vector,), Some(&options))?;
        let Ok(array) = array.cast_into::<PyArray1<f32>>() else {
            return Err(argument("vector", "expected one dimension, as in `[0.1, -0.2, ...]`"));
        };
        let key = Arc::new(ModelKey::new(model, model_hash));
        facerec_core::Embedding::new(key, array.to_vec()?).or_raise().map(Self)
    }

    /// The vector: `float32`, of unit length. A copy.
    #[getter]
    fn vector<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f32>> {
        PyArray1::from_slice(py, self.0.as_slice())
    }

    /// Id of the model that it comes from.
    #[getter]
    fn model(&self) -> &str {
        &self.0.model().id
    }

    /// Hash of the model's weights and preprocessing: vectors are comparable only when it is the same.
    #[getter]
    fn model_hash(&self) -> &str {
        &self.0.model().hash
    }

    /// Cosine similarity with another embedding, -1 to 1; higher means more alike.
    ///
    /// Raises:
    ///     EmbeddingModelMismatch: The two come from different models.
    fn similarity(&self, other: &Self) -> PyResult<f32> {
        self.0.similarity(&other.0).or_raise()
    }

    /// The vector, for NumPy.
    #[pyo3(signature = (dtype=None, copy=None))]
    fn __array__<'py>(&self, py: Python<'py>, dtype: Option<Bound<'py, PyAny>>, copy: Option<bool>) -> PyResult<Bound<'py, PyAny>> {
        let _ = copy; // it is always one
        let vector = self.vector(py).into_any();
        match dtype {
            Some(dtype) => vector.call_method1("astype", (dtype,)),
            None => Ok(vector),
        }
    }

    fn __len__(&self) -> usize {
        self.0.as_slice().len()
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.0.model().hash(&mut hasher);
        self.0.as_slice().iter().for_each(|value| (value + 0.0).to_bits().hash(&mut hasher));
        hasher.finish()
    }

    fn __repr__(&self) -> String {
        format!("<Embedding of {} values by {}>", self.0.as_slice().len(), self.0.model().id)
    }

    fn __getnewargs__<'py>(&self, py: Python<'py>) -> (Bound<'py, PyArray1<f32>>, &str, &str) {
        (self.vector(py), self.model(), self.model_hash())
    }
}
