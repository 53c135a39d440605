//! The manifest: one TOML file per pack, one `[[model]]` per model file.

use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::AlignTemplate;
use crate::error::{Error, Result};
use crate::recognisability::Recognisability;
use crate::uprightness::Uprightness;

/// A named set of models: which detector and which embedder work together, and the models themselves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelPack {
    /// Format of the file; 1.
    pub schema: u32,
    /// The pack's name, such as `default`.
    pub name: String,
    /// One line on what the pack is for.
    #[serde(default)]
    pub description: String,
    /// Id of the detector that [`crate::Engine`] opens for this pack.
    #[serde(default)]
    pub detector: Option<String>,
    /// Id of the embedder that [`crate::Engine`] opens for this pack.
    #[serde(default)]
    pub embedder: Option<String>,
    /// Bytes that fetching what it needs transfers, where packages or archives hold other files too; absent: the size of the files that
    /// have sources.
    #[serde(default)]
    pub download_bytes: Option<u64>,
    /// LFW accuracy of detector and embedder together, `0..=1`; absent: that of the embedder.
    #[serde(default)]
    pub lfw_accuracy: Option<f32>,
    /// Time for a photo as measured here, as a multiple of what the pack `default` takes; absent when not measured.
    #[serde(default)]
    pub time_ratio: Option<f32>,
    /// The models. A pack may also name models of another pack.
    #[serde(default, rename = "model")]
    pub models: Vec<ModelManifest>,
}

/// One model file: what it does, how its input is made, what its outputs mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelManifest {
    /// Stable id, lower case with hyphens, such as `scrfd-2.5g`.
    pub id: String,
    /// What the model does.
    pub task: ModelTask,
    /// File name looked for in the model folders.
    pub file: String,
    /// sha256 of the file, lower-case hex. Empty for "bring your own file": then any contents are taken.
    #[serde(default)]
    pub sha256: String,
    /// Size of the file; 0 when unknown.
    #[serde(default)]
    pub bytes: u64,
    /// The licence of the weights, as whoever wrote this states it; [`crate::ModelCatalog::licence`] says what is known of the file.
    pub licence: Licence,
    /// Where the file can be had, in the order to try. May be empty: the file is then only looked for locally.
    #[serde(default, rename = "source")]
    pub sources: Vec<ModelSource>,
    /// How a picture becomes the model's input.
    pub input: InputSpec,
    /// For `task = "detect"`.
    #[serde(default)]
    pub detect: Option<DetectSpec>,
    /// For `task = "landmark"`.
    #[serde(default)]
    pub landmark: Option<LandmarkSpec>,
    /// For `task = "embed"`.
    #[serde(default)]
    pub embed: Option<EmbedSpec>,
}

/// What a model does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ModelTask {
    /// Picture in, face boxes (and landmarks) out.
    Detect,
    /// Face crop in, landmarks out: for detectors that only give boxes.
    Landmark,
    /// Aligned face in, embedding out.
    Embed,
}

/// The licence of a model's weights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Licence {
    /// SPDX id or name as stated by the source.
    pub name: String,
    /// Where to read it.
    pub url: String,
    /// Whether commercial use is allowed. When it is not, fetching needs an explicit yes.
    pub commercial: bool,
}

/// Where a model file can be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
#[non_exhaustive]
pub enum ModelSource {
    /// A local folder.
    Folder {
        /// The folder; `~` is the home folder.
        path: String,
    },
    /// A file inside an npm package.
    Npm {
        /// Package name.
        package: String,
        /// Exact version.
        version: String,
        /// Path inside the package's archive.
        path: String,
        /// Name of the conversion that turns that file into ours, when one is needed.
        #[serde(default)]
        convert: Option<String>,
    },
    /// A file inside a PyPI package.
    Pypi {
        /// Package name.
        package: String,
        /// Exact version.
        version: String,
        /// Path inside the package's archive.
        path: String,
        /// Name of the conversion that turns that file into ours, when one is needed.
        #[serde(default)]
        convert: Option<String>,
    },
    /// A file on the web, or a file inside a zip archive on the web.
    Https {
        /// Its address.
        url: String,
        /// Path inside the zip archive, when `url` is one.
        #[serde(default)]
        path: Option<String>,
    },
    /// A network in OpenVINO's Intermediate Representation on the web, converted to ONNX.
    Openvino {
        /// The address of its description, which ends in `.xml`; its weights lie beside it and end in `.bin`.
        url: String,
    },
}

/// How a picture becomes a model's input: resize or warp, then `(pixel - mean) * scale` per channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSpec {
    /// Width and height in pixels; for a dynamic size, the default one.
    pub size: [u32; 2],
    /// Whether other sizes than `size` may be used: any multiple of the detector's largest stride.
    #[serde(default)]
    pub dynamic: bool,
    /// Most items in one run; 0 for any number.
    #[serde(default = "one")]
    pub batch: usize,
    /// Channel order.
    #[serde(default)]
    pub channels: Channels,
    /// Axis order.
    #[serde(default)]
    pub layout: Layout,
    /// Subtracted from each channel, in the model's channel order; 0..=255.
    #[serde(default)]
    pub mean: [f32; 3],
    /// Multiplied after the mean is subtracted, per channel; the file may give one number for all.
    #[serde(default = "unit_scale", deserialize_with = "one_or_three")]
    pub scale: [f32; 3],
}

fn one() -> usize {
    1
}

fn unit() -> f32 {
    1.0
}

fn unit_scale() -> [f32; 3] {
    [1.0; 3]
}

fn one_or_three<'de, D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<[f32; 3], D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "one number or three")]
    enum Scale {
        One(f32),
        Three([f32; 3]),
    }
    Ok(match Scale::deserialize(deserializer)? {
        Scale::One(scale) => [scale; 3],
        Scale::Three(scales) => scales,
    })
}

/// Channel order of a model's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Channels {
    /// Red, green, blue.
    #[default]
    Rgb,
    /// Blue, green, red.
    Bgr,
    /// One channel: luma as in ITU-R BT.601.
    Gray,
}

/// Axis order of a model's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Layout {
    /// Batch, channel, row, column.
    #[default]
    Nchw,
    /// Batch, row, column, channel.
    Nhwc,
}

/// How to read a detector's outputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectSpec {
    /// The kind of network head.
    pub head: DetectHead,
    /// Strides of the feature maps, ascending.
    pub strides: Vec<u32>,
    /// Anchors per cell (SCRFD); ignored by other heads.
    #[serde(default = "two")]
    pub anchors: u32,
    /// Output names of the scores per stride. Empty: outputs are taken by number in the head's usual order.
    #[serde(default)]
    pub scores: Vec<String>,
    /// Output names of the objectness per stride (YuNet).
    #[serde(default)]
    pub objectness: Vec<String>,
    /// Output name of the centres' places (CenterFace).
    #[serde(default)]
    pub offsets: Vec<String>,
    /// Output names of the boxes per stride.
    #[serde(default)]
    pub boxes: Vec<String>,
    /// Output names of the landmarks per stride.
    #[serde(default)]
    pub landmarks: Vec<String>,
    /// Id of the landmark model: for a head that only gives boxes, or to be averaged with the landmarks that the head gives.
    #[serde(default)]
    pub landmark_model: Option<String>,
    /// Longer side, in pixels, to which smaller pictures are enlarged; those between it and the canvas stay as they are.
    /// 0: every picture is scaled to the canvas.
    #[serde(default)]
    pub min_side: u32,
    /// Longest side, in pixels of the network's input, of a face that the network still frames well; 0 for any. A larger one
    /// is looked at again in a smaller copy of the picture.
    #[serde(default)]
    pub max_face: f32,
    /// Side (square root of the area), in pixels of the network's input, of the smallest face to which the network gives at least
    /// half of `score_threshold`. It says how far large pictures are magnified; see `models/README.md` for how it is measured.
    #[serde(default = "sixteen")]
    pub min_face: f32,
    /// How its landmarks tell whether a face stands upright; absent when not measured. See `benches/recognisability`.
    #[serde(default)]
    pub uprightness: Option<UprightnessSpec>,
    /// Default score threshold, `0..=1`.
    #[serde(default = "half")]
    pub score_threshold: f32,
    /// Default IoU above which the weaker of two boxes is dropped.
    #[serde(default = "two_fifths")]
    pub nms_iou: f32,
}

/// Weights and bias of an [`Uprightness`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UprightnessSpec {
    /// Added to the weighted sum; the place where 0.5 lies.
    pub bias: f32,
    /// For x and y of each landmark, and for the box's width over its height.
    pub weights: [f32; 11],
}

fn two() -> u32 {
    2
}

fn sixteen() -> f32 {
    16.0
}

fn half() -> f32 {
    0.5
}

fn two_fifths() -> f32 {
    0.4
}

/// The kinds of detection network that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum DetectHead {
    /// SCRFD and the RetinaFace family of InsightFace: distances from anchor centres (Guo et al. 2021).
    Scrfd,
    /// YuNet: class times objectness, boxes from cell corners (Wu et al. 2023; OpenCV's FaceDetectorYN).
    Yunet,
    /// Ultra-Light-Fast-Generic RFB: SSD priors, boxes only; needs a landmark model.
    Ultraface,
    /// CenterFace: one heat map of centres at the first stride (Xu et al. 2019). The last stride is what sides are a multiple of.
    Centerface,
}

/// How to read a landmark model's output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LandmarkSpec {
    /// Output name; empty for the first output.
    #[serde(default)]
    pub output: String,
    /// For each of our five landmarks, the indices of the model's points whose mean it is.
    pub points: [Vec<usize>; 5],
    /// How far the crop reaches beyond the box, as a factor of its sides; 1 is the box itself.
    #[serde(default = "unit")]
    pub crop: f32,
}

/// How an embedder is fed and what its scores mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbedSpec {
    /// Length of the vector.
    pub dim: usize,
    /// Output name; empty for the first output.
    #[serde(default)]
    pub output: String,
    /// Where the five landmarks land in the input picture.
    #[serde(default)]
    pub template: AlignTemplate,
    /// Similarity thresholds per false match rate, measured as `models/README.md` says.
    #[serde(default)]
    pub thresholds: FmrThresholds,
    /// Whether a face's vector is the sum of the network's answers to the face and to its mirror image, which costs twice the time
    /// (ArcFace's `verification.py`).
    #[serde(default)]
    pub mirror: bool,
    /// How this embedder tells what it can recognise; absent when not measured. See `benches/recognisability`.
    #[serde(default)]
    pub recognisability: Option<RecognisabilitySpec>,
    /// LFW accuracy as measured here, with protocol in `models/README.md`; absent when not measured.
    #[serde(default)]
    pub lfw_accuracy: Option<f32>,
}

/// Weights and bias of a [`Recognisability`](crate::recognisability::Recognisability).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecognisabilitySpec {
    /// Added to the weighted sum; the place where 0.5 lies.
    pub bias: f32,
    /// One weight per dimension of the vector.
    pub weights: Vec<f32>,
}

/// Similarity thresholds at three false match rates.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FmrThresholds {
    /// One impostor pair in a hundred passes.
    #[serde(default, rename = "1e-2")]
    pub fmr_1e2: Option<f32>,
    /// One in a thousand.
    #[serde(default, rename = "1e-3")]
    pub fmr_1e3: Option<f32>,
    /// One in ten thousand.
    #[serde(default, rename = "1e-4")]
    pub fmr_1e4: Option<f32>,
}

impl ModelPack {
    /// Reads and checks a manifest; `origin` names it in errors.
    ///
    /// # Errors
    /// `invalid_manifest` with the model and field that is wrong.
    pub fn parse(text: &str, origin: &str) -> Result<Self> {
        let invalid = |reason: String| Error::InvalidManifest { origin: format!("`{origin}`"), reason };
        let pack: Self = toml::from_str(text).map_err(|error| invalid(error.to_string().trim().replace('\n', " ")))?;
        if pack.schema != 1 {
            return Err(invalid(format!("expected schema 1, got `{}`", pack.schema)));
        }
        if pack.lfw_accuracy.is_some_and(|accuracy| !(0.0..=1.0).contains(&accuracy)) {
            return Err(invalid("expected `lfw_accuracy` in 0..=1".into()));
        }
        if pack.time_ratio.is_some_and(|ratio| !ratio.is_finite() || ratio <= 0.0) {
            return Err(invalid("expected `time_ratio` above 0".into()));
        }
        for model in &pack.models {
            model.check().map_err(|reason| invalid(format!("model `{}`: {reason}", model.id)))?;
        }
        Ok(pack)
    }
}

impl ModelManifest {
    fn check(&self) -> Result<(), String> {
        let id_ok = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._".contains(c);
        if self.id.is_empty() || !self.id.chars().all(id_ok) {
            return Err(format!("expected an id of lower-case letters, digits, `-`, `.`, `_`, got `{}`", self.id));
        }
        // The name is joined to folders and written to: it must not lead elsewhere.
        if Path::new(&self.file).file_name().is_none_or(|name| name != self.file.as_str()) {
            return Err(format!("expected `file` to be a plain file name, got `{}`", self.file));
        }
        let hex = self.sha256.len() == 64 && self.sha256.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c));
        if !self.sha256.is_empty() && !hex {
            return Err(format!("expected `sha256` to be 64 lower-case hex digits, got `{}`", self.sha256));
        }
        let [width, height] = self.input.size;
        if !(1..=8192).contains(&width) || !(1..=8192).contains(&height) {
            return Err(format!("expected `input.size` sides of 1..=8192, got `{width}x{height}`"));
        }
        if self.input.scale.iter().any(|s| !s.is_finite() || *s == 0.0) || self.input.mean.iter().any(|m| !m.is_finite()) {
            return Err("expected `input.mean` finite and `input.scale` finite and not 0".into());
        }
        match self.task {
            ModelTask::Detect => self.detect.as_ref().ok_or("task `detect` needs a [model.detect] table")?.check(),
            ModelTask::Landmark => self.landmark.as_ref().ok_or("task `landmark` needs a [model.landmark] table")?.check(),
            ModelTask::Embed => self.embed.as_ref().ok_or("task `embed` needs a [model.embed] table")?.check(),
        }
    }

    /// Hash of the weights and of everything that shapes the input of an embedder: vectors with different hashes are not comparable.
    ///
    /// `file_sha256` is the checksum of the file in use (the manifest's own may be empty).
    pub fn preprocessing_hash(&self, file_sha256: &str) -> String {
        let InputSpec { size, channels, layout, mean, scale, .. } = &self.input;
        let points = self.embed.as_ref().map(|embed| embed.template.points(size[0]));
        let mirror = if self.embed.as_ref().is_some_and(|embed| embed.mirror) { "|mirror" } else { "" };
        let text = format!("facerec-embedding-1|{file_sha256}|{size:?}|{channels:?}|{layout:?}|{mean:?}|{scale:?}|{points:?}{mirror}");
        digest(text.as_bytes())
    }
}

impl DetectSpec {
    fn check(&self) -> Result<(), String> {
        if self.strides.is_empty() || self.strides.windows(2).any(|w| w[0] >= w[1]) || self.strides.iter().any(|s| !(1..=512).contains(s)) {
            return Err(format!("expected `detect.strides` ascending in 1..=512, got `{:?}`", self.strides));
        }
        if !(0.0..=1.0).contains(&self.score_threshold) || !(0.0..=1.0).contains(&self.nms_iou) {
            return Err("expected `detect.score_threshold` and `detect.nms_iou` in 0..=1".into());
        }
        if !(1..=16).contains(&self.anchors) {
            return Err(format!("expected `detect.anchors` in 1..=16, got `{}`", self.anchors));
        }
        if !self.min_face.is_finite() || self.min_face < 1.0 {
            return Err(format!("expected `detect.min_face` of 1 or more, got `{}`", self.min_face));
        }
        self.upright().map_err(|error| error.to_string())?;
        if !self.max_face.is_finite() || self.max_face < 0.0 {
            return Err(format!("expected `detect.max_face` of 0 or more, got `{}`", self.max_face));
        }
        if self.head == DetectHead::Ultraface && self.landmark_model.is_none() {
            return Err("head `ultraface` gives no landmarks: name a `detect.landmark_model`".into());
        }
        Ok(())
    }
}

impl DetectSpec {
    /// The measure of uprightness, or the general one.
    pub(crate) fn upright(&self) -> Result<Uprightness> {
        self.uprightness.as_ref().map_or(Ok(Uprightness::GENERAL), |spec| Uprightness::new(spec.weights, spec.bias))
    }
}

impl LandmarkSpec {
    fn check(&self) -> Result<(), String> {
        if self.points.iter().any(Vec::is_empty) || !(self.crop.is_finite() && self.crop > 0.0) {
            return Err("expected `landmark.points` to be five non-empty lists and `landmark.crop` above 0".into());
        }
        Ok(())
    }
}

impl EmbedSpec {
    fn check(&self) -> Result<(), String> {
        if !(1..=16384).contains(&self.dim) {
            return Err(format!("expected `embed.dim` in 1..=16384, got `{}`", self.dim));
        }
        let lengths = self.recognisability.as_ref().map(|spec| spec.weights.len());
        if lengths.is_some_and(|length| length != self.dim) {
            return Err(format!("expected `embed.recognisability.weights` to be {} numbers, got `{}`", self.dim, lengths.unwrap_or(0)));
        }
        let FmrThresholds { fmr_1e2, fmr_1e3, fmr_1e4 } = self.thresholds;
        let thresholds: Vec<f32> = [fmr_1e2, fmr_1e3, fmr_1e4].into_iter().flatten().collect();
        if !thresholds.iter().all(|threshold| (-1.0..=1.0).contains(threshold)) || !thresholds.is_sorted() {
            return Err(format!("expected `embed.thresholds` in -1..=1, higher for a lower rate, got `{thresholds:?}`"));
        }
        if self.lfw_accuracy.is_some_and(|accuracy| !(0.0..=1.0).contains(&accuracy)) {
            return Err("expected `embed.lfw_accuracy` in 0..=1".into());
        }
        self.measure().map(|_| ()).map_err(|error| error.to_string())
    }

    /// The measure of recognisability, when there is one.
    pub(crate) fn measure(&self) -> Result<Option<Recognisability>> {
        self.recognisability.as_ref().map(|spec| Recognisability::new(spec.weights.clone(), spec.bias)).transpose()
    }
}

/// The sha256 of `bytes`, lower-case hex.
pub(super) fn digest(bytes: &[u8]) -> String {
    to_hex(&Sha256::digest(bytes))
}

/// Lower-case hex.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}"); // writing to a String cannot fail
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = r#"
        schema = 1
        name = "mine"
        [[model]]
        id = "my-embedder"
        task = "embed"
        file = "my.onnx"
        licence = { name = "MIT", url = "https://example.org", commercial = true }
        input = { size = [112, 112], mean = [127.5, 127.5, 127.5], scale = 0.00784313725 }
        embed = { dim = 256 }
    "#;

    #[test]
    fn a_manifest_entry_needs_little() {
        let pack = ModelPack::parse(MINIMAL, "test").expect("valid");
        assert_eq!(pack.models[0].embed.as_ref().expect("embed").dim, 256);
        assert_eq!(pack.models[0].input.batch, 1);
    }

    #[test]
    fn mistakes_are_named() {
        for (from, to, word) in [
            ("schema = 1", "schema = 9", "schema"),
            ("my.onnx", "../my.onnx", "plain file name"),
            ("my-embedder", "My Embedder", "lower-case"),
            ("dim = 256", "dim = 0", "embed.dim"),
            ("dim = 256", "dimm = 256", "dimm"),
            ("dim = 256", "dim = 256, thresholds = { 1e-3 = -5.0 }", "embed.thresholds"),
            ("dim = 256", "dim = 256, thresholds = { 1e-4 = nan }", "embed.thresholds"),
            ("dim = 256", "dim = 256, thresholds = { 1e-3 = 0.4, 1e-4 = 0.3 }", "embed.thresholds"),
            ("dim = 256", "dim = 256, lfw_accuracy = 9.93", "embed.lfw_accuracy"),
            ("name = \"mine\"", "name = \"mine\"\nlfw_accuracy = 99.3", "lfw_accuracy"),
            ("name = \"mine\"", "name = \"mine\"\ntime_ratio = 0.0", "time_ratio"),
            ("task = \"embed\"", "task = \"detect\"", "[model.detect]"),
            ("scale = 0.00784313725", "scale = 0.0", "input.scale"),
        ] {
            let error = ModelPack::parse(&MINIMAL.replace(from, to), "test").expect_err(word);
            assert_eq!(error.kind().code(), "invalid_manifest");
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    #[test]
    fn the_hash_follows_everything_that_shapes_the_input() {
        let pack = |text: &str| ModelPack::parse(text, "test").expect("valid").models.remove(0);
        let hash = pack(MINIMAL).preprocessing_hash("aa");
        assert_eq!(hash, pack(MINIMAL).preprocessing_hash("aa"));
        assert_ne!(hash, pack(MINIMAL).preprocessing_hash("ab"));
        assert_ne!(hash, pack(&MINIMAL.replace("127.5, 127.5]", "127.5, 0.0]")).preprocessing_hash("aa"));
        assert_ne!(hash, pack(&MINIMAL.replace("size =", "channels = \"bgr\", size =")).preprocessing_hash("aa"));
        assert_ne!(hash, pack(&MINIMAL.replace("dim = 256", "dim = 256, mirror = true")).preprocessing_hash("aa"));
        assert_eq!(hash, pack(&MINIMAL.replace("dim = 256", "dim = 256, mirror = false")).preprocessing_hash("aa"));
    }
}
