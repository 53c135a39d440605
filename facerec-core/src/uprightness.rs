//! Whether a face stands upright, by its landmarks alone.
//!
//! A network that meets a face on its side or upside down still gives landmarks of an upright one, but out of place in their box, each
//! network in its own way.

use crate::error::{Error, Result};
use crate::face::Detection;
use crate::geometry::Landmarks;

/// A detector's measure of how surely a face stands upright: a logistic function of where its landmarks lie in their box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Uprightness {
    weights: [f32; 11],
    bias: f32,
}

/// From here on a face stands upright beyond doubt. A manifest's weights and bias are chosen so that one upright face in twenty is below.
pub const UPRIGHT: f32 = 0.5;

impl Uprightness {
    /// For a detector that was not measured: UltraFace's and SCRFD's landmarks taken together. One to four upright faces in ten are below
    /// [`UPRIGHT`], and at most one turned face in ten above.
    pub const GENERAL: Self =
        Self { weights: [-10.65, -12.83, 8.99, -9.97, 13.21, -7.04, -39.3, 29.24, 15.33, 26.39, -9.94], bias: -28.27 };

    /// The measure `1 / (1 + exp(-(weights . place + bias)))`, where `place` is x and y of each landmark in units of the box, and the box's
    /// width over its height. `benches/recognisability/uprightness.py` fits it.
    ///
    /// # Errors
    /// `invalid_argument` when a number is not finite.
    pub fn new(weights: [f32; 11], bias: f32) -> Result<Self> {
        if !bias.is_finite() || !weights.iter().all(|weight| weight.is_finite()) {
            return Err(Error::argument("uprightness", "expected finite weights and bias"));
        }
        Ok(Self { weights, bias })
    }

    /// How surely a face stands upright, `0..=1`; 0 for a box without extent.
    pub fn of(&self, face: &Detection) -> f32 {
        let (rect, landmarks) = (face.rect, face.landmarks.0);
        let mut sum = self.bias + self.weights[10] * rect.width() / rect.height();
        for (point, weight) in landmarks.iter().zip(self.weights.chunks_exact(2)) {
            sum += weight[0] * (point.x - rect.x1) / rect.width() + weight[1] * (point.y - rect.y1) / rect.height();
        }
        let surely = 1.0 / (1.0 + (-sum).exp());
        if surely.is_finite() { surely } else { 0.0 }
    }
}

/// Whether the mouth is beside or above the eyes, not below them. Some networks see how a turned face stands, but place its landmarks less exactly than
/// an upright face's.
pub(crate) fn lies(landmarks: &Landmarks) -> bool {
    let [left_eye, right_eye, _, left_mouth, right_mouth] = landmarks.0;
    let (right, down) = (left_mouth.x + right_mouth.x - left_eye.x - right_eye.x, left_mouth.y + right_mouth.y - left_eye.y - right_eye.y);
    down <= LEANING * right.abs()
}

/// A face that leans by up to 60 degrees does not lie: of a picture's four ways up, the best shows it at 45 degrees at most, and landmarks
/// are not exact.
const LEANING: f32 = 0.577;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Point, Rect};

    fn face(points: [(f32, f32); 5]) -> Detection {
        let landmarks = Landmarks(points.map(|(x, y)| Point::new(100.0 + 80.0 * x, 50.0 + 100.0 * y)));
        Detection { rect: Rect::new(100.0, 50.0, 180.0, 150.0), score: 0.9, landmarks }
    }

    #[test]
    fn a_face_lies_from_sixty_degrees_on() {
        let upright = [(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8)];
        for (degrees, expected) in [(0_f32, false), (40.0, false), (-55.0, false), (65.0, true), (-90.0, true), (180.0, true)] {
            let (sin, cos) = degrees.to_radians().sin_cos();
            let turned = upright.map(|(x, y): (f32, f32)| Point::new(x * cos - y * sin, x * sin + y * cos));
            assert_eq!(lies(&Landmarks(turned)), expected, "{degrees}");
        }
        // In profile the eyes coincide, and the mouth is still below them.
        assert!(!lies(&Landmarks([(0.3, 0.4), (0.31, 0.39), (0.2, 0.6), (0.3, 0.8), (0.32, 0.8)].map(|(x, y)| Point::new(x, y)))));
    }

    #[test]
    fn landmarks_out_of_place_are_those_of_a_turned_face() {
        let upright = [(0.3, 0.38), (0.7, 0.38), (0.5, 0.58), (0.34, 0.78), (0.66, 0.78)];
        assert!(Uprightness::GENERAL.of(&face(upright)) > UPRIGHT);
        assert!(Uprightness::GENERAL.of(&face(upright.map(|(x, y)| (1.0 - x, 1.0 - y)))) < 0.01);
        assert!(Uprightness::GENERAL.of(&face(upright.map(|(x, y)| (y, 1.0 - x)))) < 0.01);
    }

    #[test]
    fn what_is_no_number_is_refused_and_no_extent_is_in_doubt() {
        assert!(Uprightness::new([f32::NAN; 11], 0.0).is_err());
        let flat = Detection { rect: Rect::new(5.0, 5.0, 5.0, 5.0), ..face([(0.5, 0.5); 5]) };
        assert_eq!(Uprightness::GENERAL.of(&flat), 0.0);
    }
}
