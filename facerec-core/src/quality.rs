//! How usable a face is for recognition: size, sharpness, pose and exposure, and the gates that refuse a face with a reason.

use crate::face::{Detection, Quality};
use crate::geometry::{Landmarks, Point};
use crate::image::Image;

/// How strict enrolment is about a face.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum QualityGate {
    /// Every detected face is taken, of several the largest.
    Off,
    /// Refuses faces that would harm a gallery: too small, blurred, turned far away, too dark or bright.
    #[default]
    Standard,
    /// Passport-like faces only; the face must also fit the person's other faces.
    Strict,
}

impl std::str::FromStr for QualityGate {
    type Err = crate::Error;

    fn from_str(text: &str) -> crate::Result<Self> {
        match text {
            "off" => Ok(Self::Off),
            "standard" => Ok(Self::Standard),
            "strict" => Ok(Self::Strict),
            _ => Err(crate::Error::argument("gate", format!("expected off, standard or strict, got `{text}`"))),
        }
    }
}

/// Why a face fails a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum QualityIssue {
    /// The face has too few pixels.
    TooSmall,
    /// The face is out of focus, smeared by motion or enlarged.
    Blurred,
    /// The head is turned or tilted too far.
    ExtremePose,
    /// The face is too dark, too bright or has no contrast.
    BadExposure,
}

/// What a gate asks for.
struct Limits {
    face_px: f32,
    sharpness: f32,
    yaw_deg: f32,
    pitch_deg: f32,
    exposure: std::ops::RangeInclusive<f32>,
}

impl QualityGate {
    /// Standard refuses one in fifty of LFW's press photos, all for pose; strict one in six.
    fn limits(self) -> Option<Limits> {
        match self {
            Self::Off => None,
            Self::Standard => Some(Limits { face_px: 40.0, sharpness: 0.12, yaw_deg: 50.0, pitch_deg: 40.0, exposure: 0.12..=0.92 }),
            Self::Strict => Some(Limits { face_px: 80.0, sharpness: 0.3, yaw_deg: 30.0, pitch_deg: 30.0, exposure: 0.2..=0.85 }),
        }
    }

    /// The first reason why a face of this `quality` fails the gate, `None` when it passes.
    pub fn check(self, quality: &Quality) -> Option<QualityIssue> {
        let limits = self.limits()?;
        if quality.face_px < limits.face_px {
            Some(QualityIssue::TooSmall)
        } else if quality.yaw_deg.abs() > limits.yaw_deg || quality.pitch_deg.abs() > limits.pitch_deg {
            Some(QualityIssue::ExtremePose)
        } else if !limits.exposure.contains(&quality.exposure) {
            Some(QualityIssue::BadExposure)
        } else if quality.sharpness < limits.sharpness {
            Some(QualityIssue::Blurred)
        } else {
            None
        }
    }
}

/// Whether a face of this `quality` shows enough to be compared with one that shows no more: as many pixels, as sharp and as well lit as the
/// standard gate asks. Two photos that are enlarged from 14 pixels a face pass an embedder's measure of recognisability, and strangers
/// among them are alike in one pair of ten.
pub(crate) fn shows_enough(quality: &Quality) -> bool {
    QualityGate::Standard.check(&Quality { yaw_deg: 0.0, pitch_deg: 0.0, ..*quality }).is_none()
}

/// Measures a face from its detection and its aligned picture (any size, RGB, face filling it as in the ArcFace template).
pub fn assess(detection: &Detection, aligned: &Image) -> Quality {
    let gray = gray(aligned);
    let (width, height) = (aligned.width() as usize, aligned.height() as usize);
    let sharpness = sharpness(&gray, width, height);
    let exposure = middle(&gray, width, height).sum::<f32>() / middle(&gray, width, height).count().max(1) as f32 / 255.0;
    let (yaw_deg, pitch_deg, roll_deg) = pose(&detection.landmarks);
    let face_px = detection.rect.area().sqrt();
    // Each factor is 1 for a good face and falls to 0 where recognition fails; 112 px is what the networks see.
    let size = (face_px / 112.0).min(1.0);
    let turn = (yaw_deg.to_radians().cos() * pitch_deg.to_radians().cos()).max(0.0);
    let light = (1.0 - (exposure - 0.5).abs() * 2.0).max(0.0).sqrt();
    let score = (size.sqrt() * turn * light * (sharpness / 0.4).min(1.0).sqrt() * detection.score.clamp(0.0, 1.0)).clamp(0.0, 1.0);
    Quality { score, sharpness, yaw_deg, pitch_deg, roll_deg, face_px, exposure, recognisability: None }
}

fn gray(image: &Image) -> Vec<f32> {
    image.data().chunks_exact(3).map(|p| 0.299 * f32::from(p[0]) + 0.587 * f32::from(p[1]) + 0.114 * f32::from(p[2])).collect()
}

/// The middle of the aligned picture: the face without background and hair.
fn middle(gray: &[f32], width: usize, height: usize) -> impl Iterator<Item = f32> + '_ {
    let rows = height / 5..(height - height / 8).max(height / 5);
    let columns = width / 5..(width - width / 5).max(width / 5);
    rows.flat_map(move |y| columns.clone().map(move |x| gray[y * width + x]))
}

/// Variance of the Laplacian (Pech-Pacheco et al. 2000) over the middle of the face, divided by the variance of the
/// grey levels so that contrast does not count as focus, mapped to `0..=1`.
fn sharpness(gray: &[f32], width: usize, height: usize) -> f32 {
    if width < 8 || height < 8 {
        return 0.0;
    }
    let (mut sum, mut squares, mut count) = (0.0f64, 0.0f64, 0.0f64);
    for y in height / 5..height - height / 8 {
        for x in width / 5..width - width / 5 {
            let at = y * width + x;
            let laplacian = f64::from(gray[at - 1] + gray[at + 1] + gray[at - width] + gray[at + width] - 4.0 * gray[at]);
            sum += laplacian;
            squares += laplacian * laplacian;
            count += 1.0;
        }
    }
    let energy = squares / count - (sum / count).powi(2);
    let mean = middle(gray, width, height).map(f64::from).sum::<f64>() / count;
    let contrast = middle(gray, width, height).map(|v| (f64::from(v) - mean).powi(2)).sum::<f64>() / count;
    // Flat grey has neither detail nor contrast; the 100 keeps noise in it from counting as detail.
    let detail = energy / (contrast + 100.0);
    (detail / (detail + DETAIL_HALF)) as f32
}

/// The detail at which sharpness is one half. Aligned LFW faces then have a median sharpness of 0.67, one in a hundred is
/// below 0.36 and none below 0.2.
const DETAIL_HALF: f64 = 0.05;

/// A face seen from the front, in units of the ArcFace template (112 px), origin between the eyes: x to the right,
/// y down, z towards the camera. x and y are the template's own; depths are scaled from adult averages (Farkas 1994):
/// the nose tip stands out about half the distance between the eyes, the mouth corners a seventh.
const FRONTAL: [[f64; 3]; 5] = [[-17.6, 0.0, 0.0], [17.6, 0.0, 0.0], [0.0, 20.1, 18.0], [-14.6, 40.7, 5.0], [14.6, 40.6, 5.0]];

/// Yaw, pitch and roll in degrees from five landmarks: a scaled orthographic camera is fitted to a frontal face
/// (POS, DeMenthon and Davis 1995). Good to about ten degrees.
pub fn pose(landmarks: &Landmarks) -> (f32, f32, f32) {
    let [left, right] = [landmarks.left_eye(), landmarks.right_eye()];
    let roll = (right.y - left.y).atan2(right.x - left.x);
    // Turned upright first, so that yaw and pitch are about the head's own axes.
    let (sin, cos) = (-roll).sin_cos();
    let upright = landmarks.0.map(|p| Point::new(p.x * cos - p.y * sin, p.x * sin + p.y * cos));
    let rows = [fit(&upright.map(|p| f64::from(p.x))), fit(&upright.map(|p| f64::from(p.y)))];
    let [Some(i), Some(j)] = rows else { return (0.0, 0.0, roll.to_degrees()) };
    let length = |v: &[f64; 3]| (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]).sqrt();
    let angle = |part: f64, whole: f64| if whole > 0.0 { (part / whole).clamp(-1.0, 1.0).asin().to_degrees() as f32 } else { 0.0 };
    (angle(i[2], length(&i)), angle(j[2], length(&j)), roll.to_degrees())
}

/// Least-squares `m` with `values[n] = m . FRONTAL[n] + t`: one row of the camera.
fn fit(values: &[f64; 5]) -> Option<[f64; 3]> {
    let mean_of = |axis: usize| FRONTAL.iter().map(|p| p[axis]).sum::<f64>() / 5.0;
    let means = [mean_of(0), mean_of(1), mean_of(2)];
    let value_mean = values.iter().sum::<f64>() / 5.0;
    let mut normal = [[0.0; 3]; 3];
    let mut right = [0.0; 3];
    for (point, value) in FRONTAL.iter().zip(values) {
        let p: [f64; 3] = std::array::from_fn(|axis| point[axis] - means[axis]);
        for r in 0..3 {
            right[r] += p[r] * (value - value_mean);
            for c in 0..3 {
                normal[r][c] += p[r] * p[c];
            }
        }
    }
    let det = |m: &[[f64; 3]; 3]| {
        m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
            + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
    };
    let whole = det(&normal);
    // Cramer's rule.
    let solution: [f64; 3] = std::array::from_fn(|axis| {
        let mut replaced = normal;
        for r in 0..3 {
            replaced[r][axis] = right[r];
        }
        det(&replaced) / whole
    });
    solution.iter().all(|v| v.is_finite()).then_some(solution)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Rect;

    /// The frontal face turned by yaw, pitch and roll (degrees) as a camera would see it.
    fn seen(yaw: f64, pitch: f64, roll: f64) -> Landmarks {
        let (yaw, pitch, roll) = (yaw.to_radians(), pitch.to_radians(), roll.to_radians());
        Landmarks(FRONTAL.map(|[x, y, z]| {
            let (y, z) = (y * pitch.cos() + z * pitch.sin(), z * pitch.cos() - y * pitch.sin());
            let x = x * yaw.cos() + z * yaw.sin();
            Point::new((100.0 + x * roll.cos() - y * roll.sin()) as f32, (100.0 + x * roll.sin() + y * roll.cos()) as f32)
        }))
    }

    #[test]
    fn pose_is_recovered_with_its_signs() {
        for (yaw, pitch, roll) in [(0.0, 0.0, 0.0), (30.0, 0.0, 0.0), (-45.0, 0.0, 20.0), (0.0, 25.0, -30.0), (0.0, -20.0, 0.0)] {
            let (y, p, r) = pose(&seen(yaw, pitch, roll));
            assert!((f64::from(y) - yaw).abs() < 3.0, "yaw {y} for {yaw}");
            assert!((f64::from(p) - pitch).abs() < 3.0, "pitch {p} for {pitch}");
            assert!((f64::from(r) - roll).abs() < 1.0, "roll {r} for {roll}");
        }
        assert_eq!(pose(&Landmarks::default()), (0.0, 0.0, 0.0));
    }

    #[test]
    fn blur_darkness_and_size_are_named() {
        let stripes = |period: u32| {
            let mut image = Image::filled(112, 112, [0; 3]);
            for (n, pixel) in image.data_mut().chunks_exact_mut(3).enumerate() {
                let wave = (n as f32 % 112.0 * std::f32::consts::TAU / period as f32).sin();
                pixel.fill((128.0 + 60.0 * wave) as u8);
            }
            image
        };
        let face = |side: f32| Detection { rect: Rect::new(0.0, 0.0, side, side), score: 0.9, landmarks: seen(0.0, 0.0, 0.0) };
        let sharp = assess(&face(120.0), &stripes(6));
        let soft = assess(&face(120.0), &stripes(60));
        assert!(sharp.sharpness > 0.8 && soft.sharpness < 0.12, "{} {}", sharp.sharpness, soft.sharpness);
        assert_eq!(QualityGate::Standard.check(&sharp), None);
        assert_eq!(QualityGate::Standard.check(&soft), Some(QualityIssue::Blurred));
        assert_eq!(QualityGate::Standard.check(&assess(&face(20.0), &stripes(6))), Some(QualityIssue::TooSmall));
        let dark = assess(&face(120.0), &Image::filled(112, 112, [5; 3]));
        assert_eq!(QualityGate::Standard.check(&dark), Some(QualityIssue::BadExposure));
        assert_eq!(QualityGate::Off.check(&dark), None);
        let turned = Quality { yaw_deg: -60.0, ..sharp };
        assert_eq!(QualityGate::Standard.check(&turned), Some(QualityIssue::ExtremePose));
        assert!(shows_enough(&sharp) && shows_enough(&turned));
        assert!(!shows_enough(&soft) && !shows_enough(&dark) && !shows_enough(&Quality { sharpness: soft.sharpness, ..turned }));
    }
}
