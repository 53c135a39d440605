//! The network's input picture: the photo scaled to fit, at the top left of a canvas the network can take.

use crate::model::{InputSpec, Layout};
use crate::runtime::TensorInfo;

/// How a photo is placed on the network's canvas.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Canvas {
    /// Width and height of the network's input.
    pub(super) size: (u32, u32),
    /// Width and height of the scaled photo at its top left.
    pub(super) content: (u32, u32),
    /// Canvas pixels per photo pixel.
    pub(super) scale: f32,
}

impl Canvas {
    /// Fits a photo of `photo` (width, height) pixels so that its longer side is `side` (dynamic input: the canvas is the
    /// smallest multiple of the largest stride that holds it) or so that it fits the fixed input.
    /// Sizes and scale are rounded as InsightFace's `retinaface.py` does, so that boxes agree with it.
    pub(super) fn plan(input: &InputSpec, strides: &[u32], photo: (u32, u32), side: u32) -> Self {
        let (width, height) = (f64::from(photo.0), f64::from(photo.1));
        let room = if input.dynamic { [side, side] } else { input.size };
        let ratio = height / width;
        let (w, h) = if ratio > f64::from(room[1]) / f64::from(room[0]) {
            ((f64::from(room[1]) / ratio) as u32, room[1])
        } else {
            (room[0], (f64::from(room[0]) * ratio) as u32)
        };
        let content = (w.max(1), h.max(1));
        let stride = strides.iter().copied().max().unwrap_or(1).max(1);
        let fit = |side: u32| side.div_ceil(stride) * stride;
        let size = if input.dynamic { (fit(content.0), fit(content.1)) } else { (input.size[0], input.size[1]) };
        let scale = f64::from(content.1) / height;
        Self { size, content, scale: scale as f32 }
    }
}

/// Whether the model's declared input can hold what the manifest says, as a message when not.
pub(super) fn check_input(spec: &InputSpec, input: &TensorInfo) -> Result<(), String> {
    let wanted = spec.shape(1, spec.size[0], spec.size[1]);
    if input.shape.len() != 4 {
        return Err(format!("expected an input of 4 axes, got `{:?}`", input.shape));
    }
    let spatial = if spec.layout == Layout::Nchw { [2, 3] } else { [1, 2] };
    for (axis, (have, want)) in input.shape.iter().zip(wanted).enumerate() {
        match have {
            Some(have) if spec.dynamic && spatial.contains(&axis) => {
                return Err(format!("`input.dynamic` is set, but axis {axis} of the input is fixed to `{have}`"));
            }
            Some(have) if axis == 0 && spec.batch == 0 => {
                return Err(format!("`input.batch` is 0 (any number), but the file's batch is fixed to `{have}`"));
            }
            Some(have) if axis > 0 && *have != want => {
                return Err(format!("expected an input of {wanted:?}, the file has `{:?}`", input.shape));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Channels;

    fn input(dynamic: bool) -> InputSpec {
        InputSpec { size: [320, 240], dynamic, batch: 1, channels: Channels::Rgb, layout: Layout::Nchw, mean: [0.0; 3], scale: [1.0; 3] }
    }

    #[test]
    fn a_dynamic_canvas_is_no_larger_than_needed() {
        let plan = Canvas::plan(&input(true), &[8, 16, 32], (1280, 886), 640);
        assert_eq!((plan.content, plan.size, plan.scale), ((640, 443), (640, 448), 0.5));
        let tall = Canvas::plan(&input(true), &[8, 16, 32], (500, 1000), 640);
        assert_eq!((tall.content, tall.size), ((320, 640), (320, 640)));
    }

    #[test]
    fn extreme_shapes_keep_a_pixel() {
        let line = Canvas::plan(&input(true), &[32], (30_000, 1), 640);
        assert_eq!((line.content, line.size), ((640, 1), (640, 32)));
        let dot = Canvas::plan(&input(true), &[32], (1, 1), 640);
        assert_eq!((dot.content, dot.scale), ((640, 640), 640.0));
    }

    #[test]
    fn a_fixed_canvas_is_filled_along_one_side() {
        let plan = Canvas::plan(&input(false), &[8], (1000, 1000), 640);
        assert_eq!((plan.content, plan.size, plan.scale), ((240, 240), (320, 240), 0.24));
    }
}
