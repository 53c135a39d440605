//! When to look for faces next.

use std::time::Duration;

use super::options::Cadence;
use crate::track::TrackedFace;

/// A face may move by this many of its sides between two detections: beyond it, boxes of neighbouring people get mixed up.
const MOST_MOVE: f32 = 0.3;

/// Faces that meet are looked at this many times as often: that is where tracks are mixed up.
const MEETING: f32 = 2.0;

/// Decides frame by frame. It sees what the tracker knew a fixed number of detections ago, so that the answers do not
/// depend on how fast the threads were.
#[derive(Debug)]
pub(super) struct Pacer {
    cadence: Cadence,
    last: Option<Duration>,
    interval: Duration,
    /// Time between the last two frames.
    frame: Duration,
    previous: Option<Duration>,
}

impl Pacer {
    pub(super) fn new(cadence: Cadence) -> Self {
        let interval = match cadence {
            Cadence::EveryFrame => Duration::ZERO,
            Cadence::Adaptive { per_second } => Duration::from_secs_f32((1.0 / per_second).min(MOST_APART)),
        };
        Self { cadence, last: None, interval, frame: Duration::ZERO, previous: None }
    }

    /// Whether to look for faces in the frame at `time`, which is the first of a scene if `cut`.
    pub(super) fn is_due(&mut self, time: Duration, cut: bool) -> bool {
        if let Some(previous) = self.previous.replace(time) {
            self.frame = time.saturating_sub(previous);
        }
        // The frame nearest to the moment: the next one would be later by more than this one is early.
        let due = match self.last {
            Some(last) => cut || time.saturating_sub(last).saturating_add(self.frame / 2) >= self.interval,
            None => true,
        };
        if due {
            self.last = Some(time);
        }
        due
    }

    /// Takes the tracker's word on how fast faces move.
    pub(super) fn learn(&mut self, faces: &[TrackedFace]) {
        let Cadence::Adaptive { per_second } = self.cadence else { return };
        let mut wanted = per_second;
        for face in faces.iter().filter(|face| face.detection.is_some()) {
            wanted = wanted.max(face.speed / MOST_MOVE);
            if face.ambiguous {
                wanted = wanted.max(per_second * MEETING);
            }
        }
        let wanted = if wanted.is_finite() { wanted } else { per_second };
        self.interval = Duration::from_secs_f32((1.0 / wanted).min(MOST_APART));
    }
}

/// Seconds between two detections at the most, however few a second were asked for.
const MOST_APART: f32 = 60.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn looked(cadence: Cadence, frames: u64, rate: f64) -> usize {
        let mut pacer = Pacer::new(cadence);
        (0..frames).filter(|&i| pacer.is_due(Duration::from_secs_f64(i as f64 / rate), false)).count()
    }

    #[test]
    fn about_as_often_as_asked_whatever_the_frame_rate() {
        for rate in [24.0, 25.0, 29.97, 50.0, 60.0] {
            let count = looked(Cadence::default(), (rate * 10.0) as u64, rate);
            assert!((80..=125).contains(&count), "{count} in ten seconds at {rate} frames a second");
        }
        assert_eq!(looked(Cadence::default(), 50, 5.0), 50, "never more often than there are frames");
        assert_eq!(looked(Cadence::EveryFrame, 50, 25.0), 50);
    }

    #[test]
    fn a_cut_is_looked_at_at_once() {
        let mut pacer = Pacer::new(Cadence::Adaptive { per_second: 1.0 });
        let at = Duration::from_millis;
        assert!(pacer.is_due(at(0), false));
        assert!(!pacer.is_due(at(40), false));
        assert!(pacer.is_due(at(80), true));
        assert!(!pacer.is_due(at(120), false));
    }
}
