//! What a caller can say about detection.

/// How faces are looked for.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct DetectOptions {
    pub(super) max_side: u32,
    pub(super) score_threshold: Option<f32>,
    pub(super) nms_iou: Option<f32>,
    pub(super) second_pass: bool,
    pub(super) max_faces: Option<usize>,
    pub(super) min_face_px: f32,
}

impl Default for DetectOptions {
    fn default() -> Self {
        Self { max_side: 640, score_threshold: None, nms_iou: None, second_pass: true, max_faces: None, min_face_px: 0.0 }
    }
}

impl DetectOptions {
    /// Longer side, in pixels, the picture is scaled to before the network sees it; default 640, `64..=4096`.
    /// Less is faster and loses small faces; more finds smaller faces and costs time with its square.
    #[must_use]
    pub fn max_side(mut self, pixels: u32) -> Self {
        self.max_side = pixels.clamp(64, 4096);
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

    /// The same for frames of a video, without the looks that only photos are worth: a face that one frame does not show, the
    /// next one does.
    pub(super) fn for_frames(&self) -> Self {
        self.clone()
    }
}
