//! How a video stands. One that was filmed on its side or upside down is noticed, and read upright from then on.
//!
//! Now and then a frame is looked at from all four sides. Two such looks in a row that agree decide. An upright video is settled
//! by that; a turned one is asked again, since a film may begin with somebody who lies in bed.

use std::sync::Arc;
use std::time::Duration;

use super::VideoPipeline;
use super::workers::Workers;
use crate::analyze::Analyzer;
use crate::image::Turn;
use crate::video::Frame;

/// What is known of how a video stands.
pub(super) struct Standing {
    /// `None` once it is settled.
    asks: Option<Analyzer>,
    turn: Turn,
    /// What the last look that told anything said.
    last: Option<Turn>,
    /// When to look, how long to wait after a look that told nothing, and when the last one was.
    next: Duration,
    gap: Duration,
    looked: Duration,
}

/// Time between two looks: the longer, the more of them told nothing. At 10 detections a second five seconds make three looks more
/// in fifty, and only where nobody can be recognised.
const GAP: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// Longest time from a look to the next one when somebody comes into view.
const LEAST_FOR_NEWCOMERS: Duration = Duration::from_secs(1);

impl Standing {
    pub(super) fn new(pipeline: &VideoPipeline) -> Self {
        let asks = pipeline.options.turned.then(|| Analyzer::new(Arc::clone(&pipeline.detector), Arc::clone(&pipeline.embedder)));
        Self { asks, turn: Turn::None, last: None, next: Duration::ZERO, gap: GAP.0, looked: Duration::ZERO }
    }

    /// The turn that sets its frames upright.
    pub(super) fn turn(&self) -> Turn {
        self.turn
    }

    /// Whether it may still change.
    pub(super) fn is_open(&self) -> bool {
        self.asks.is_some()
    }

    /// Somebody came into view. The next look comes early: that person may be gone soon.
    pub(super) fn newcomer(&mut self) {
        self.next = self.next.min(self.looked.saturating_add(self.gap.min(LEAST_FOR_NEWCOMERS)));
    }

    /// Looks at a frame when it is time to. Whether the turn is another one now.
    pub(super) fn ask(&mut self, frame: &Arc<Frame>, workers: &Workers) -> bool {
        if frame.time() < self.next {
            return false;
        }
        let Some(analyzer) = self.asks.clone() else { return false };
        let asked = Arc::clone(frame);
        let vote = workers.submit(move || analyzer.way_up(&asked.to_image()?)).wait();
        // What fails here fails again when the frame itself is looked at, and is told then.
        self.learn(vote.ok().flatten(), frame.time())
    }

    fn learn(&mut self, vote: Option<Turn>, time: Duration) -> bool {
        self.looked = time;
        let Some(vote) = vote else {
            self.next = time.saturating_add(self.gap);
            self.gap = (self.gap * 2).min(GAP.1);
            return false;
        };
        if self.last.replace(vote) != Some(vote) {
            self.next = time; // once more, at the next frame
            return false;
        }
        self.gap = GAP.1;
        self.next = time.saturating_add(self.gap);
        if vote == Turn::None {
            self.asks = None;
        }
        std::mem::replace(&mut self.turn, vote) != vote
    }
}
