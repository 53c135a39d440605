//! The least-squares similarity between two sets of points, in closed form.

use crate::geometry::{Point, Similarity};

/// The rotation, uniform scale and translation that bring `from` nearest to `to` in the least-squares sense
/// (Umeyama 1991, in two dimensions without reflection, where it needs no singular value decomposition).
/// `None` when all points of `from` coincide or a coordinate is not finite.
pub fn estimate_similarity(from: &[Point; 5], to: &[Point; 5]) -> Option<Similarity> {
    let mean = |points: &[Point; 5]| {
        let sum = points.iter().fold((0.0, 0.0), |sum, p| (sum.0 + f64::from(p.x), sum.1 + f64::from(p.y)));
        (sum.0 / 5.0, sum.1 / 5.0)
    };
    let (from_mean, to_mean) = (mean(from), mean(to));
    // With points as complex numbers z -> w, the best factor is sum(conj(z) w) / sum(|z|^2).
    let (mut real, mut imaginary, mut norm) = (0.0, 0.0, 0.0);
    for (p, q) in from.iter().zip(to) {
        let (x, y) = (f64::from(p.x) - from_mean.0, f64::from(p.y) - from_mean.1);
        let (u, v) = (f64::from(q.x) - to_mean.0, f64::from(q.y) - to_mean.1);
        real += x * u + y * v;
        imaginary += x * v - y * u;
        norm += x * x + y * y;
    }
    let (a, b) = (real / norm, imaginary / norm);
    let transform = Similarity {
        a: a as f32,
        b: b as f32,
        tx: (to_mean.0 - (a * from_mean.0 - b * from_mean.1)) as f32,
        ty: (to_mean.1 - (b * from_mean.0 + a * from_mean.1)) as f32,
    };
    [transform.a, transform.b, transform.tx, transform.ty].iter().all(|v| v.is_finite()).then_some(transform)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: [Point; 5] =
        [Point::new(10.0, 12.0), Point::new(31.0, 11.0), Point::new(20.0, 22.0), Point::new(13.0, 33.0), Point::new(29.0, 32.0)];

    #[test]
    fn a_known_transform_is_recovered() {
        let truth = Similarity { a: 1.7, b: -0.6, tx: 40.0, ty: -9.0 };
        let got = estimate_similarity(&SHAPE, &SHAPE.map(|p| truth.apply(p))).expect("distinct points");
        for (got, want) in [(got.a, truth.a), (got.b, truth.b), (got.tx, truth.tx), (got.ty, truth.ty)] {
            assert!((got - want).abs() < 1e-4, "{got} {want}");
        }
    }

    #[test]
    fn points_without_extent_have_no_transform() {
        assert!(estimate_similarity(&[Point::new(3.0, 4.0); 5], &SHAPE).is_none());
        assert!(estimate_similarity(&[Point::new(f32::NAN, 4.0); 5], &SHAPE).is_none());
    }
}
