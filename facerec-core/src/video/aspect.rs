//! Pixels that are not square: how large a stored picture is when it is shown.

use super::ffmpeg::Rational;

/// How wide a pixel is shown for its height; 1 for square ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PixelAspect(f64);

/// Closer to square than this is taken as square: the rounding of sizes (480 x 272 for a picture of 16:9 is 136:135), not worth
/// a conversion that blurs.
const NEARLY_SQUARE: f64 = 0.01;

/// Wider or higher pixels than this are damage. The widest in use are 32:11, half of a DVD's columns at 16:9.
const MOST: f64 = 8.0;

impl Default for PixelAspect {
    fn default() -> Self {
        Self(1.0)
    }
}

impl PixelAspect {
    /// What the container says, or else the decoder: as FFmpeg's `av_guess_sample_aspect_ratio`. Absurd statements are none.
    pub(super) fn new(container: Rational, decoder: Rational) -> Self {
        let stated = [container, decoder].into_iter().find_map(|ratio| {
            let aspect = f64::from(ratio.numerator()) / f64::from(ratio.denominator());
            (aspect.is_finite() && (1.0 / MOST..=MOST).contains(&aspect)).then_some(aspect)
        });
        Self(stated.filter(|aspect| (aspect - 1.0).abs() >= NEARLY_SQUARE).unwrap_or(1.0))
    }

    /// The size in square pixels of a stored picture. One side grows, none shrinks: nothing is lost, and browsers say the same
    /// of `videoWidth` and `videoHeight` (HTML, "natural width").
    pub(super) fn size(self, (width, height): (u32, u32)) -> (u32, u32) {
        let grown = |side: u32, factor: f64| (f64::from(side) * factor).round() as u32;
        if self.0 >= 1.0 { (grown(width, self.0), height) } else { (width, grown(height, 1.0 / self.0)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_side_grows_and_absurd_statements_are_ignored() {
        let none = Rational(0, 1);
        let shown = |ratio: Rational, stored: (u32, u32)| PixelAspect::new(ratio, none).size(stored);
        assert_eq!(shown(Rational(64, 45), (720, 576)), (1024, 576));
        assert_eq!(shown(Rational(8, 9), (720, 480)), (720, 540));
        assert_eq!(shown(Rational(4, 3), (1440, 1080)), (1920, 1080));
        for ratio in [(1, 1), (136, 135), (0, 1), (0, 0), (1, 0), (-4, 3), (4, -3), (1, 10_000), (10_000, 1)] {
            assert_eq!(shown(Rational(ratio.0, ratio.1), (720, 576)), (720, 576), "{ratio:?}");
        }
        assert_eq!(PixelAspect::new(none, Rational(16, 11)).size((352, 288)), (512, 288), "the decoder's, when the container says none");
        assert_eq!(PixelAspect::new(Rational(1, 1), Rational(16, 11)).size((352, 288)), (352, 288), "the container's first");
        assert_eq!(PixelAspect::new(Rational(1, 10_000), Rational(16, 11)).size((352, 288)), (512, 288));
    }
}
