//! Which faces an embedder can tell apart.
//!
//! Pictures that an embedder cannot read (faces turned on their side or upside down, smeared, a few pixels large, or no human face
//! at all) do not scatter in its space: they fall near one place, where strangers look alike (Deng et al. 2021, "Harnessing
//! Unrecognizable Faces for Improving Face Recognition"). Deng measures the distance to the mean direction of such pictures, which
//! is one linear function of the vector. [`Recognisability`] is the linear function that a logistic regression finds between upright
//! faces and pictures that are recognised no more. `benches/recognisability` measures both: they are equally good on turned faces, the
//! fitted one is better on smeared ones.

use crate::error::{Error, Result};

/// An embedder's measure of what it can recognise: a logistic function of the unit vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Recognisability {
    weights: Box<[f32]>,
    bias: f32,
}

/// From here on a face is recognisable. The manifest's weights and bias are chosen so that this is the place to part.
pub const RECOGNISABLE: f32 = 0.5;

impl Recognisability {
    /// The measure `1 / (1 + exp(-(weights . vector + bias)))`, one weight per dimension of the embedding.
    ///
    /// # Errors
    /// `invalid_argument` without weights, or when a number is not finite.
    pub fn new(weights: impl Into<Box<[f32]>>, bias: f32) -> Result<Self> {
        let weights = weights.into();
        if weights.is_empty() || !bias.is_finite() || !weights.iter().all(|weight| weight.is_finite()) {
            return Err(Error::argument("recognisability", format!("expected finite weights and bias, got `{}` weights", weights.len())));
        }
        Ok(Self { weights, bias })
    }

    /// The weights, one per dimension.
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// What is added to the weighted sum.
    pub fn bias(&self) -> f32 {
        self.bias
    }

    /// How recognisable the face with this unit `vector` is, `0..=1`; `None` for a vector of another length.
    pub fn of(&self, vector: &[f32]) -> Option<f32> {
        let sum = || self.weights.iter().zip(vector).map(|(weight, value)| weight * value).sum::<f32>();
        (vector.len() == self.weights.len()).then(|| 1.0 / (1.0 + (-(sum() + self.bias)).exp()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_measure_is_a_logistic_function_of_the_vector() {
        let measure = Recognisability::new([4.0, 0.0], 0.0).expect("finite");
        assert_eq!(measure.of(&[0.0, 1.0]), Some(0.5));
        assert!(measure.of(&[1.0, 0.0]).is_some_and(|value| (value - 0.982).abs() < 1e-3));
        assert!(measure.of(&[-1.0, 0.0]).is_some_and(|value| value < RECOGNISABLE));
        assert_eq!(measure.of(&[1.0]), None, "a vector of another model");
    }

    #[test]
    fn numbers_that_are_none_are_refused() {
        assert!(Recognisability::new([], 0.0).is_err());
        assert!(Recognisability::new([f32::NAN], 0.0).is_err());
        assert!(Recognisability::new([1.0], f32::INFINITY).is_err());
    }
}
