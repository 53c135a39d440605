//! What goes into a model and what comes out, free of `ort` types.

use ort::session::SessionOutputs;
use ort::value::{Outlet, TensorElementType, ValueType};

/// The declared name and shape of a model's input or output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// The tensor's name.
    pub name: String,
    /// Its sides; `None` where any size is allowed.
    pub shape: Vec<Option<usize>>,
    /// Whether the elements are 32-bit floats.
    pub(crate) float32: bool,
}

impl TensorInfo {
    pub(super) fn new(outlet: &Outlet) -> Self {
        let (shape, float32) = match outlet.dtype() {
            ValueType::Tensor { ty, shape, .. } => {
                (shape.iter().map(|&side| usize::try_from(side).ok()).collect(), *ty == TensorElementType::Float32)
            }
            _ => (Vec::new(), false),
        };
        Self { name: outlet.name().to_string(), shape, float32 }
    }
}

/// One output of a run, borrowed from the session.
#[derive(Debug, Clone)]
pub struct Output<'a> {
    /// The tensor's name.
    pub name: &'a str,
    /// Its sides.
    pub shape: Vec<usize>,
    /// Its elements, last axis fastest.
    pub data: &'a [f32],
}

/// The outputs in the order the model declares them.
pub(super) fn read<'a>(outputs: &'a SessionOutputs<'_>, declared: &'a [TensorInfo]) -> ort::Result<Vec<Output<'a>>> {
    declared
        .iter()
        .map(|info| {
            let value = outputs.get(&info.name).ok_or_else(|| ort::Error::new(format!("output `{}` is missing", info.name)))?;
            let (shape, data) = value.try_extract_tensor::<f32>()?;
            let shape = shape.iter().map(|&side| usize::try_from(side).unwrap_or(0)).collect();
            Ok(Output { name: &info.name, shape, data })
        })
        .collect()
}
