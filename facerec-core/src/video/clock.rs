//! Presentation times that never go back, and whether a file is as long as it says.

use std::time::Duration;

/// Later than any video: 30 years. A time beyond it is damage.
const LONGEST: f64 = 1e9;

/// Presentation times, in seconds since the video's start.
pub(super) struct Clock {
    /// Seconds per tick.
    pub(super) seconds: f64,
    /// The tick at which the video starts.
    pub(super) first: Option<i64>,
    /// Usual seconds between two frames.
    pub(super) frame: f64,
    last: Option<f64>,
    /// Added to all times since they jumped.
    shift: f64,
}

impl Clock {
    pub(super) fn new(seconds: f64, first: Option<i64>, frame_rate: Option<f64>) -> Self {
        Self { seconds, first, frame: 1.0 / frame_rate.unwrap_or(25.0).max(1e-3), last: None, shift: 0.0 }
    }

    /// The time of the next frame. One without a time follows its predecessor; when times jump back (joined recordings, a
    /// restarted camera) or out of all reason they go on from where they were.
    pub(super) fn time(&mut self, ticks: Option<i64>) -> Duration {
        let next = self.last.map_or(0.0, |last| last + self.frame);
        let seconds = match ticks {
            Some(ticks) => {
                let first = *self.first.get_or_insert(ticks);
                let stated = self.since(first, ticks) + self.shift;
                if stated > LONGEST || self.last.is_some_and(|last| stated <= last) {
                    self.shift += next - stated;
                    next
                } else {
                    stated
                }
            }
            None => next,
        };
        let seconds = seconds.clamp(0.0, LONGEST);
        self.last = Some(seconds);
        Duration::from_secs_f64(seconds)
    }

    /// Seconds from tick `first` to tick `ticks`.
    pub(super) fn since(&self, first: i64, ticks: i64) -> f64 {
        ticks.saturating_sub(first) as f64 * self.seconds
    }

    /// When the last frame ends.
    pub(super) fn end(&self) -> Option<f64> {
        self.last.map(|last| last + self.frame)
    }

    pub(super) fn place(&self) -> String {
        self.last.map_or_else(|| "at the start".into(), |last| format!("after {last:.1} s"))
    }
}

/// The length that a file states, and how much of it came, in seconds.
#[derive(Default)]
pub(super) struct Promise {
    /// The video's own length.
    pub(super) video: Option<f64>,
    /// The length of the longest stream, which need not be the video.
    pub(super) file: Option<f64>,
    /// When the file starts.
    pub(super) file_start: f64,
    /// Until when packets of the video came.
    pub(super) video_until: f64,
    /// Until when packets of any stream came.
    pub(super) file_until: f64,
}

impl Promise {
    /// Seconds that are missing at the end, when that is more than rounding and rubbing out of edit lists explain.
    pub(super) fn missing(&self, shown: Option<f64>) -> Option<f64> {
        let (promised, came) = match (self.video, self.file) {
            (Some(video), _) => (video, self.video_until.max(shown?)),
            (None, Some(file)) => (file, self.file_until.max(shown?)),
            (None, None) => return None,
        };
        let missing = promised - came;
        (missing > (0.05 * promised).clamp(0.5, 2.0)).then_some(missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_out_of_all_reason_follow_their_predecessor() {
        let mut clock = Clock::new(1e-3, Some(-5), Some(25.0));
        let times = [-5, 35, i64::MAX, 115, i64::MIN, 195].map(|ticks| clock.time(Some(ticks)).as_millis());
        assert_eq!(times, [0, 40, 80, 120, 160, 200]);
        // An hour without a frame is possible.
        assert_eq!(clock.time(Some(195 + 3_600_000)).as_secs(), 3600);
    }

    #[test]
    fn only_a_missing_end_is_missed() {
        let long = |until: f64| Promise { video: Some(7200.0), video_until: until, ..Promise::default() };
        assert_eq!(long(7190.0).missing(Some(7100.0)), Some(10.0));
        assert_eq!(long(7199.0).missing(Some(0.0)), None, "the last frame stands for long");
        let with_sound = |file_until: f64| Promise { file: Some(6.0), file_until, ..Promise::default() };
        assert_eq!(with_sound(3.0).missing(Some(3.0)), Some(3.0));
        assert_eq!(with_sound(6.0).missing(Some(3.0)), None, "the sound is longer than the video");
    }
}
