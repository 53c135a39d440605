//! The network heads behind one door: which outputs are what, and their decoding into candidates.

use super::{centerface, scrfd, ultraface, yunet};
use crate::error::{Error, Result};
use crate::face::Detection;
use crate::model::{DetectHead, DetectSpec};
use crate::runtime::{Output, TensorInfo};

/// A network head with its outputs found.
#[derive(Debug)]
pub(super) struct Head {
    kind: DetectHead,
    strides: Vec<u32>,
    anchors: u32,
    scores: Vec<usize>,
    objectness: Vec<usize>,
    boxes: Vec<usize>,
    offsets: Vec<usize>,
    landmarks: Vec<usize>,
}

/// One feature map's outputs for one picture: cells row by row, anchors within a cell.
pub(super) struct Level<'a> {
    pub(super) stride: u32,
    pub(super) columns: usize,
    pub(super) scores: &'a [f32],
    pub(super) objectness: &'a [f32],
    pub(super) boxes: &'a [f32],
    pub(super) landmarks: &'a [f32],
}

impl Head {
    /// Finds the outputs by the manifest's names or, without names, by number in the head's usual order.
    pub(super) fn new(spec: &DetectSpec, outputs: &[TensorInfo]) -> Result<Self, String> {
        let levels = if matches!(spec.head, DetectHead::Ultraface | DetectHead::Centerface) { 1 } else { spec.strides.len() };
        let mut next = 0;
        let mut find = |role: &str, names: &[String], wanted: bool| -> Result<Vec<usize>, String> {
            if !names.is_empty() {
                if names.len() != levels {
                    return Err(format!("expected {levels} output names for `{role}`, got `{}`", names.len()));
                }
                let index = |name: &String| outputs.iter().position(|output| output.name == *name);
                return names.iter().map(|n| index(n).ok_or_else(|| missing(n, outputs))).collect();
            }
            if !wanted {
                return Ok(Vec::new());
            }
            let range = next..next + levels;
            next += levels;
            if range.end > outputs.len() {
                return Err(format!("expected at least {} outputs for `{role}`, the file has `{}`", range.end, outputs.len()));
            }
            Ok(range.collect())
        };
        let scores = find("scores", &spec.scores, true)?;
        let objectness = find("objectness", &spec.objectness, spec.head == DetectHead::Yunet)?;
        let boxes = find("boxes", &spec.boxes, true)?;
        let offsets = find("offsets", &spec.offsets, spec.head == DetectHead::Centerface)?;
        let with_landmarks = spec.head != DetectHead::Ultraface && (spec.landmark_model.is_none() || outputs.len() >= levels * 3);
        let landmarks = find("landmarks", &spec.landmarks, with_landmarks)?;
        let anchors = if spec.head == DetectHead::Scrfd { spec.anchors } else { 1 };
        Ok(Self { kind: spec.head, strides: spec.strides.clone(), anchors, scores, objectness, boxes, offsets, landmarks })
    }

    /// Whether the network itself gives landmarks.
    pub(super) fn gives_landmarks(&self) -> bool {
        !self.landmarks.is_empty()
    }

    /// Candidates with a score of at least `threshold` of picture `index` of `count`, in canvas pixels.
    pub(super) fn decode(
        &self,
        outputs: &[Output<'_>],
        (index, count): (usize, usize),
        canvas: (u32, u32),
        threshold: f32,
    ) -> Result<Vec<Detection>> {
        let part = |output: usize| -> &[f32] {
            let data = outputs[output].data;
            let length = data.len() / count;
            &data[index * length..(index + 1) * length]
        };
        let of = |outputs: &[usize], level: usize| outputs.get(level).map_or(&[][..], |&output| part(output));
        if self.kind == DetectHead::Ultraface {
            return ultraface::decode(part(self.scores[0]), part(self.boxes[0]), &self.strides, canvas, threshold);
        }
        if self.kind == DetectHead::Centerface {
            return self.centres(part, canvas, threshold);
        }
        let mut found = Vec::new();
        for (level, &stride) in self.strides.iter().enumerate() {
            let (columns, rows) = (canvas.0.div_ceil(stride) as usize, canvas.1.div_ceil(stride) as usize);
            let cells = columns * rows * self.anchors as usize;
            let level = Level {
                stride,
                columns,
                scores: expect_len(of(&self.scores, level), cells)?,
                objectness: expect_len(of(&self.objectness, level), if self.objectness.is_empty() { 0 } else { cells })?,
                boxes: expect_len(of(&self.boxes, level), cells * 4)?,
                landmarks: expect_len(of(&self.landmarks, level), if self.landmarks.is_empty() { 0 } else { cells * 10 })?,
            };
            match self.kind {
                DetectHead::Yunet => yunet::decode(&level, threshold, &mut found),
                _ => scrfd::decode(&level, self.anchors as usize, threshold, &mut found),
            }
        }
        Ok(found)
    }

    /// CenterFace's candidates; `part` gives an output of the picture.
    fn centres<'o>(&self, part: impl Fn(usize) -> &'o [f32], canvas: (u32, u32), threshold: f32) -> Result<Vec<Detection>> {
        let stride = self.strides[0]; // a manifest has at least one
        let (columns, rows) = (canvas.0.div_ceil(stride) as usize, canvas.1.div_ceil(stride) as usize);
        let map = |outputs: &[usize], channels: usize| expect_len(part(outputs[0]), columns * rows * channels);
        let maps = centerface::Maps {
            stride: stride as f32,
            columns,
            scores: map(&self.scores, 1)?,
            boxes: map(&self.boxes, 2)?,
            offsets: map(&self.offsets, 2)?,
            landmarks: map(&self.landmarks, 10)?,
        };
        Ok(centerface::decode(&maps, threshold))
    }
}

/// `data`, when it has the length that the canvas asks for.
pub(super) fn expect_len(data: &[f32], expected: usize) -> Result<&[f32]> {
    if data.len() == expected {
        Ok(data)
    } else {
        Err(Error::DimensionMismatch {
            what: "detector output (does `detect` in the manifest fit the file?)",
            expected,
            actual: data.len(),
        })
    }
}

fn missing(name: &str, outputs: &[TensorInfo]) -> String {
    let names: Vec<&str> = outputs.iter().map(|output| output.name.as_str()).collect();
    format!("no output is named `{name}`; the file has {}", names.join(", "))
}
