//! For how long the database has answered.

use std::time::{Duration, Instant};

use crate::app::App;
use crate::error::Result;

/// For how long the database has answered without a break, as far as whoever asks every few seconds can know.
#[derive(Debug, Default)]
pub(super) struct Answering {
    since: Option<Instant>,
    last: Option<Instant>,
}

impl Answering {
    /// For how long, now.
    ///
    /// # Errors
    /// `database` when it does not answer.
    pub(super) async fn answers_for(&mut self, app: &App) -> Result<Duration> {
        // What a heartbeat does, for no job: it waits for the same lock.
        let asked = sqlx::query("UPDATE job SET attempt = attempt WHERE id = ''").execute(app.db.pool()).await;
        if let Err(error) = asked {
            self.since = None;
            return Err(error.into());
        }
        Ok(self.answered(Instant::now(), super::SWEEP_EVERY + app.config.lease() / 4))
    }

    /// It answered `now`; an answer that took longer than `most` after the last one was a break.
    fn answered(&mut self, now: Instant, most: Duration) -> Duration {
        if self.last.is_none_or(|last| now - last > most) {
            self.since = None;
        }
        self.last = Some(now);
        now - *self.since.get_or_insert(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_break_starts_the_clock_again() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut database = Answering::default();
        let mut at = |seconds: u32| database.answered(start + second * seconds, second * 3).as_secs();
        assert_eq!([at(0), at(2), at(4)], [0, 2, 4]);
        assert_eq!([at(10), at(12)], [0, 2], "nobody knows what was between");
    }
}
