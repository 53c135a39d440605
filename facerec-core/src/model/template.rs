//! Where an embedder wants a face to stand.

use serde::{Deserialize, Serialize};

use crate::geometry::Point;

/// Where the five landmarks land in the aligned picture.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AlignTemplate {
    /// ArcFace's five points for 112x112, scaled with the input; for multiples of 128 shifted by 8/128 of the width (insightface `face_align.py`).
    #[default]
    Arcface,
    /// Points of its own, in pixels of the input picture.
    Points([[f32; 2]; 5]),
}

/// ArcFace's alignment template for a 112x112 picture (insightface `face_align.py`, `arcface_dst`).
const ARCFACE_112: [[f32; 2]; 5] = [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]];

impl AlignTemplate {
    /// The five points in pixels of a picture `size` pixels wide.
    pub fn points(&self, size: u32) -> [Point; 5] {
        match self {
            Self::Points(points) => points.map(|[x, y]| Point::new(x, y)),
            Self::Arcface if size.is_multiple_of(112) || !size.is_multiple_of(128) => {
                let ratio = size as f32 / 112.0;
                ARCFACE_112.map(|[x, y]| Point::new(x * ratio, y * ratio))
            }
            Self::Arcface => {
                let ratio = size as f32 / 128.0;
                ARCFACE_112.map(|[x, y]| Point::new((x + 8.0) * ratio, y * ratio))
            }
        }
    }
}
