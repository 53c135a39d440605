//! What a caller can say about detection.

use crate::error::{Error, Result};

/// How closely a picture is looked at that is much larger than the network's canvas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Detail {
    /// One look at the whole picture, scaled down: small faces of a large picture are missed.
    Fast,
    /// Faces of 40 pixels and more, in pictures of more than 4 megapixels and in those more than three times as long as wide;
    /// smaller pictures get one look.
    #[default]
    Auto,
    /// Faces of 20 pixels and more, in any picture. Four times the work of `Auto`.
    Full,
}

impl Detail {
    /// Side, in pixels, of the smallest face worth a closer look at a picture of `size` (width, height); `None`: one look will do.
    pub(super) fn smallest_face(self, size: (u32, u32)) -> Option<f32> {
        let (shorter, longer) = (size.0.min(size.1), size.0.max(size.1));
        let large = u64::from(longer) * u64::from(shorter) > LARGE || longer > shorter.saturating_mul(PANORAMA);
        match self {
            Self::Fast => None,
            Self::Auto => large.then_some(40.0),
            Self::Full => Some(20.0),
        }
    }
}

impl std::str::FromStr for Detail {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "fast" => Ok(Self::Fast),
            "auto" => Ok(Self::Auto),
            "full" => Ok(Self::Full),
            _ => Err(Error::argument("detail", format!("expected `fast`, `auto` or `full`, got `{text}`"))),
        }
    }
}

impl std::fmt::Display for Detail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Fast => "fast",
            Self::Auto => "auto",
            Self::Full => "full",
        })
    }
}

/// Pixels from which a picture is large: 4 megapixels. Up to there, one look at 640 pixels finds most faces of 40.
const LARGE: u64 = 4 << 20;

/// How many times as long as wide a panorama is. The first look scales its length to the canvas, and its faces with it.
const PANORAMA: u32 = 3;

/// How faces are looked for.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct DetectOptions {
    pub(super) max_side: Option<u32>,
    pub(super) score_threshold: Option<f32>,
    pub(super) nms_iou: Option<f32>,
    pub(super) second_pass: bool,
    pub(super) max_faces: Option<usize>,
    pub(super) min_face_px: f32,
    pub(super) detail: Detail,
}

impl Default for DetectOptions {
    fn default() -> Self {
        Self {
            max_side: None,
            score_threshold: None,
            nms_iou: None,
            second_pass: true,
            max_faces: None,
            min_face_px: 0.0,
            detail: Detail::Auto,
        }
    }
}

impl DetectOptions {
    /// Longer side, in pixels, the picture is scaled to before the network sees it, `64..=4096`; default as the model's
    /// manifest says (usually 640). A manifest may say that smaller pictures stay as they are. Less is faster and loses small faces; more finds smaller faces and costs time with its square.
    #[must_use]
    pub fn max_side(mut self, pixels: u32) -> Self {
        self.max_side = Some(pixels.clamp(64, 4096));
        self
    }

    /// Least confidence of a face, `0..=1`; default as the model's manifest says (usually 0.5).
    /// Lower finds more faces and more that are none.
    #[must_use]
    pub fn score_threshold(mut self, threshold: f32) -> Self {
        self.score_threshold = Some(threshold.clamp(0.0, 1.0));
        self
    }

    /// Intersection over union above which the weaker of two boxes is dropped, `0..=1`; default as the model's
    /// manifest says (usually 0.4). Lower loses faces that overlap; higher reports a face twice.
    #[must_use]
    pub fn nms_iou(mut self, iou: f32) -> Self {
        self.nms_iou = Some(iou.clamp(0.0, 1.0));
        self
    }

    /// Whether to look again at a small copy of the picture when nothing was found or a face nearly fills it;
    /// default on. Off saves a few milliseconds on pictures without faces.
    #[must_use]
    pub fn second_pass(mut self, on: bool) -> Self {
        self.second_pass = on;
        self
    }

    /// Keep only this many faces, the largest; default all.
    #[must_use]
    pub fn max_faces(mut self, most: usize) -> Self {
        self.max_faces = Some(most);
        self
    }

    /// Least side of a face in pixels of the original (square root of the box's area); default 0, all faces.
    #[must_use]
    pub fn min_face_px(mut self, pixels: f32) -> Self {
        self.min_face_px = pixels.max(0.0);
        self
    }

    /// How closely large pictures are looked at; default [`Detail::Auto`]. `Fast` misses small faces of large pictures, `Full`
    /// finds faces too small to be recognised and costs several times as much. The frames of a video get one look, whatever is said.
    #[must_use]
    pub fn detail(mut self, detail: Detail) -> Self {
        self.detail = detail;
        self
    }

    /// The same for frames of a video, without the looks that only photos are worth: a face that one frame does not show, the
    /// next one does.
    pub(super) fn for_frames(&self) -> Self {
        self.clone().detail(Detail::Fast)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_large_or_long_is_looked_at_closely() {
        for (size, auto) in [((2309, 1732), false), ((2048, 2048), false), ((2828, 1414), false), ((6000, 4000), true), ((600, 3000), true)]
        {
            assert_eq!(Detail::Auto.smallest_face(size).is_some(), auto, "{size:?}");
            assert_eq!((Detail::Fast.smallest_face(size), Detail::Full.smallest_face(size)), (None, Some(20.0)));
        }
        for detail in [Detail::Fast, Detail::Auto, Detail::Full] {
            assert_eq!(detail.to_string().parse::<Detail>().expect("its own name"), detail);
        }
        assert_eq!("Full".parse::<Detail>().expect_err("no such word").kind().code(), "invalid_argument");
    }
}
