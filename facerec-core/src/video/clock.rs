//! Presentation times that never go back, and whether a file is as long as it says.

use std::time::Duration;

/// Later than any video: 30 years. A time beyond it is damage.
const LONGEST: f64 = 1e9;

/// Presentation times, in seconds on the container's clock.
pub(super) struct Clock {
    /// Seconds per tick.
    seconds: f64,
    /// Where the container's timeline starts, in seconds of its time stamps; `None` starts it at the first frame.
    origin: Option<f64>,
    /// Usual seconds between two frames.
    pub(super) frame: f64,
    last: Option<f64>,
    /// Added to all times since they jumped.
    shift: f64,
}

impl Clock {
    pub(super) fn new(seconds: f64, origin: Option<f64>, frame_rate: Option<f64>) -> Self {
        Self { seconds, origin, frame: 1.0 / frame_rate.unwrap_or(25.0).max(1e-3), last: None, shift: 0.0 }
    }

    /// A time stamp in seconds.
    pub(super) fn seconds_of(&self, ticks: i64) -> f64 {
        ticks as f64 * self.seconds
    }

    /// Whether the container says where its timeline starts.
    pub(super) fn is_stated(&self) -> bool {
        self.origin.is_some()
    }

    /// Where time zero lies, in seconds of the container's time stamps.
    pub(super) fn origin(&self) -> f64 {
        self.origin.unwrap_or(0.0)
    }

    /// The time of the next frame. One without a time follows its predecessor; when times jump back (joined recordings, a
    /// restarted camera) or out of all reason they go on from where they were. A first frame from before the start is at 0.
    pub(super) fn time(&mut self, ticks: Option<i64>) -> Duration {
        let next = self.last.map_or(0.0, |last| last + self.frame);
        let seconds = match ticks {
            Some(ticks) => {
                let stamp = self.seconds_of(ticks);
                let stated = stamp - *self.origin.get_or_insert(stamp) + self.shift;
                let goes_back = self.last.map_or(stated < 0.0, |last| stated <= last);
                if stated > LONGEST || goes_back {
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

    /// When the last frame ends.
    pub(super) fn end(&self) -> Option<f64> {
        self.last.map(|last| last + self.frame)
    }

    pub(super) fn place(&self) -> String {
        self.last.map_or_else(|| "at the start".into(), |last| format!("after {last:.1} s"))
    }
}

/// The length that a file states, and how much of it came, in seconds on the container's clock.
#[derive(Default)]
pub(super) struct Promise {
    /// When the video ends by its own statement.
    pub(super) video: Option<f64>,
    /// When the longest stream ends, which need not be the video.
    pub(super) file: Option<f64>,
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
        let mut clock = Clock::new(1e-3, Some(-5e-3), Some(25.0));
        let times = [-5, 35, i64::MAX, 115, i64::MIN, 195].map(|ticks| clock.time(Some(ticks)).as_millis());
        assert_eq!(times, [0, 40, 80, 120, 160, 200]);
        // An hour without a frame is possible.
        assert_eq!(clock.time(Some(195 + 3_600_000)).as_secs(), 3600);
    }

    #[test]
    fn the_first_frame_need_not_be_at_zero() {
        let times = |origin: Option<f64>, ticks: [i64; 3]| {
            let mut clock = Clock::new(1e-3, origin, Some(25.0));
            ticks.map(|ticks| clock.time(Some(ticks)).as_millis())
        };
        assert_eq!(times(Some(0.0), [3000, 3040, 3080]), [3000, 3040, 3080]);
        assert_eq!(times(Some(-2.5), [-2300, -2260, -2220]), [200, 240, 280]);
        assert_eq!(times(None, [3000, 3040, 3080]), [0, 40, 80], "without a timeline the first frame starts it");
        assert_eq!(times(Some(1.0), [900, 940, 1000]), [0, 40, 100], "frames from before the start keep their distances");
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
