//! How a face moves: a constant-velocity Kalman filter over the box's middle and size, with real time steps.

use crate::geometry::{Point, Rect};

/// One coordinate with its rate of change, and their covariance.
#[derive(Debug, Clone, Copy)]
struct Axis {
    value: f32,
    rate: f32,
    /// Variance of the value, covariance, variance of the rate.
    covariance: [f32; 3],
}

impl Axis {
    fn new(value: f32, noise: f32, rate_noise: f32) -> Self {
        Self { value, rate: 0.0, covariance: [noise * noise, 0.0, rate_noise * rate_noise] }
    }

    /// `seconds` later, under white-noise acceleration of density `jerk` squared (Bar-Shalom et al. 2001, section 6.2).
    fn predict(&mut self, seconds: f32, jerk: f32) {
        let [p, c, r] = self.covariance;
        let q = jerk * jerk;
        self.value += self.rate * seconds;
        self.covariance = [
            p + 2.0 * c * seconds + r * seconds * seconds + q * seconds.powi(3) / 3.0,
            c + r * seconds + q * seconds * seconds / 2.0,
            r + q * seconds,
        ];
    }

    fn update(&mut self, measured: f32, noise: f32) {
        let [p, c, r] = self.covariance;
        let total = p + noise * noise;
        let (gain, rate_gain) = (p / total, c / total);
        let error = measured - self.value;
        self.value += gain * error;
        self.rate += rate_gain * error;
        self.covariance = [(1.0 - gain) * p, (1.0 - gain) * c, r - rate_gain * c];
    }
}

/// Noise of a detected box's middle, in face sides: a few per cent from frame to frame.
const PLACE_NOISE: f32 = 0.04;
/// Noise of the logarithm of its size.
const SIZE_NOISE: f32 = 0.06;
/// What is not known of a new face's speed, in sides a second: people walk past a camera at up to a few.
const START_SPEED: f32 = 2.5;
/// How quickly the speed changes, in sides a second per square root of a second.
const PLACE_JERK: f32 = 4.0;
const SIZE_JERK: f32 = 0.6;
/// A face that was out of sight for longer starts again from the two ends of the gap: what the filter believed in between was
/// not observed (observation-centric re-update, OC-SORT: Cao et al. 2023).
const REUPDATE_AFTER: f32 = 0.25;

/// The motion of one face.
#[derive(Debug, Clone, Copy)]
pub(super) struct Motion {
    x: Axis,
    y: Axis,
    /// Logarithm of the side (square root of the area).
    size: Axis,
    /// Width over height, smoothed: heads turn, which says nothing about where they go.
    aspect: f32,
}

impl Motion {
    pub(super) fn new(rect: &Rect) -> Self {
        let (center, side) = (rect.center(), side(rect));
        Self {
            x: Axis::new(center.x, PLACE_NOISE * side, START_SPEED * side),
            y: Axis::new(center.y, PLACE_NOISE * side, START_SPEED * side),
            size: Axis::new(side.ln(), SIZE_NOISE, 0.5),
            aspect: aspect(rect),
        }
    }

    /// The motion `seconds` later, as far as can be foreseen.
    pub(super) fn after(&self, seconds: f32) -> Self {
        let side = self.side();
        let mut later = *self;
        later.x.predict(seconds, PLACE_JERK * side);
        later.y.predict(seconds, PLACE_JERK * side);
        later.size.predict(seconds, SIZE_JERK);
        // A guess may not grow or shrink without bound.
        later.size.value = later.size.value.clamp(self.size.value - 0.7, self.size.value + 0.7);
        later
    }

    /// Takes a detection into account, `gap` seconds after the one at `last`.
    pub(super) fn update(&mut self, rect: &Rect, last: &Rect, gap: f32) {
        let (center, new_side) = (rect.center(), side(rect));
        if gap > REUPDATE_AFTER {
            let before = last.center();
            let aspect = self.aspect;
            *self = Self::new(rect);
            self.aspect = aspect;
            (self.x.rate, self.y.rate) = ((center.x - before.x) / gap, (center.y - before.y) / gap);
            for axis in [&mut self.x, &mut self.y] {
                axis.covariance[2] = (PLACE_NOISE * new_side / gap).powi(2) + PLACE_JERK.powi(2) * new_side.powi(2) * gap / 4.0;
            }
        } else {
            self.x.update(center.x, PLACE_NOISE * new_side);
            self.y.update(center.y, PLACE_NOISE * new_side);
            self.size.update(new_side.ln(), SIZE_NOISE);
        }
        self.aspect += 0.2 * (aspect(rect) - self.aspect);
    }

    pub(super) fn center(&self) -> Point {
        Point::new(self.x.value, self.y.value)
    }

    /// Pixels a second.
    pub(super) fn velocity(&self) -> Point {
        Point::new(self.x.rate, self.y.rate)
    }

    /// Square root of the box's area.
    pub(super) fn side(&self) -> f32 {
        self.size.value.exp()
    }

    /// Standard deviation of the middle, in pixels.
    pub(super) fn uncertainty(&self) -> f32 {
        self.x.covariance[0].max(self.y.covariance[0]).max(0.0).sqrt()
    }

    pub(super) fn rect(&self) -> Rect {
        let (center, side, shape) = (self.center(), self.side(), self.aspect.sqrt());
        let (half_width, half_height) = (side * shape / 2.0, side / shape / 2.0);
        Rect::new(center.x - half_width, center.y - half_height, center.x + half_width, center.y + half_height)
    }
}

/// Side of a box in pixels, never 0.
pub(super) fn side(rect: &Rect) -> f32 {
    rect.area().sqrt().max(1e-3)
}

fn aspect(rect: &Rect) -> f32 {
    (rect.width() / rect.height().max(1e-3)).clamp(0.2, 5.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x: f32) -> Rect {
        Rect::new(x, 100.0, x + 50.0, 160.0)
    }

    #[test]
    fn speed_is_learned_whatever_the_time_steps() {
        let mut motion = Motion::new(&at(0.0));
        let (mut x, mut last) = (0.0, at(0.0));
        for step in [0.04, 0.1, 0.05, 0.12, 0.04, 0.08, 0.1] {
            x += 200.0 * step;
            motion = motion.after(step);
            motion.update(&at(x), &last, step);
            last = at(x);
        }
        assert!((motion.velocity().x - 200.0).abs() < 10.0, "{}", motion.velocity().x);
        assert!(motion.velocity().y.abs() < 1.0);
        let ahead = motion.after(0.2);
        assert!((ahead.rect().x1 - (x + 40.0)).abs() < 5.0);
        assert!(ahead.uncertainty() > motion.uncertainty());
    }

    #[test]
    fn after_a_gap_the_speed_is_what_the_ends_say() {
        let mut motion = Motion::new(&at(0.0)).after(0.5);
        motion.update(&at(100.0), &at(0.0), 0.5);
        assert!((motion.velocity().x - 200.0).abs() < 1.0);
    }
}
