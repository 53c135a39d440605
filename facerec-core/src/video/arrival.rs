//! The times of a live source: the stream's clock as far as it agrees with the time of arrival.
//!
//! A camera's clock gives even times where the network does not. But it may restart, jump, wrap around or count something else than
//! seconds, and nobody is in view for sixteen minutes because of that. What disagrees is joined: times go on from where they were.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Time stamps of MPEG have 33 bits of 90,000 ticks a second.
const WRAP: f64 = (1_u64 << 33) as f64 / 90_000.0;
/// A step that is off by less is the network's, which holds frames back and brings several at once.
const JITTER: f64 = 1.0;
/// So many seconds the network may hold frames back. Longer is no delay but a loss, with the usual time limit.
const BEHIND: f64 = 10.0;
/// So many seconds a clock may run ahead beyond its first burst.
const AHEAD: f64 = 5.0;
/// A first burst takes no longer, and brings no more: some segments at once, each a while after the other.
const BURST: f64 = 10.0;
const BURST_BRINGS: f64 = 60.0;
/// A clock that disagrees so often, each time within a minute of the last, does not count seconds.
const ODD: u32 = 3;
const ODD_WITHIN: f64 = 60.0;
/// Two frames are at least so far apart.
const LEAST: f64 = 1e-3;

/// Times of the frames of a live source since its first one, over all its connections. Clones are one clock.
#[derive(Debug, Clone, Default)]
pub(super) struct LiveClock(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    zero: Option<Instant>,
    waited: Duration,
    clock: ArrivalClock,
}

impl LiveClock {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time of the next frame, received at `arrived`, with the stream's own time `stamp` in seconds, where it has any.
    pub(super) fn time(&self, stamp: Option<f64>, arrived: Instant) -> Duration {
        let mut state = self.state();
        let zero = *state.zero.get_or_insert(arrived);
        let waited = state.waited.as_secs_f64();
        state.clock.time(stamp, arrived.saturating_duration_since(zero).as_secs_f64(), waited)
    }

    /// Whether the next frame, of a playlist that was joined again, was given before.
    pub(super) fn is_repeated(&self, stamp: f64, arrived: Instant) -> bool {
        let mut state = self.state();
        let zero = state.zero.unwrap_or(arrived);
        state.clock.is_repeated(stamp, arrived.saturating_duration_since(zero).as_secs_f64())
    }

    /// Frames are received so much later than they came, because those before them were not taken.
    pub(super) fn held_up(&self, waited: Duration) {
        self.state().waited = waited;
    }

    /// The stream begins anew, with another zero.
    pub(super) fn reconnected(&self) {
        self.state().clock.reconnected();
    }

    /// How often the stream's clock jumped.
    pub(super) fn jumps(&self) -> u64 {
        self.state().clock.jumps
    }

    /// The time of the last frame.
    pub(super) fn last(&self) -> Option<Duration> {
        self.state().clock.last.map(|last| Duration::from_secs_f64(last.time))
    }
}

/// In seconds since the first frame.
#[derive(Debug, Default)]
struct ArrivalClock {
    last: Option<Last>,
    /// What a stamp needs to be a time; `None` before the first one.
    offset: Option<f64>,
    /// The usual step between two frames.
    usual: f64,
    /// How far times may be ahead of arrivals: as far as a first burst brought them. Segments come several at a time.
    lead: f64,
    /// When this connection's first frame came.
    since: f64,
    /// When the first frame of this connection came, given or not.
    joined_at: Option<f64>,
    /// The last stamp of the connection before, until a later one comes.
    seen_until: Option<f64>,
    jumps: u64,
    odd: u32,
    /// When the clock last disagreed without a jump.
    odd_at: f64,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    arrived: f64,
    time: f64,
}

impl ArrivalClock {
    fn reconnected(&mut self) {
        let seen = self.last.zip(self.offset).map(|(last, offset)| last.time - offset);
        *self = Self { last: self.last, seen_until: seen.or(self.seen_until), jumps: self.jumps, ..Self::default() };
    }

    /// A playlist keeps its last parts for a while: who joins it again gets them once more, as a burst.
    fn is_repeated(&mut self, stamp: f64, arrived: f64) -> bool {
        let Some(seen) = self.seen_until else { return false };
        let since = *self.joined_at.get_or_insert(arrived);
        let repeated = stamp < seen + LEAST && seen - stamp < BURST_BRINGS && arrived - since < BURST;
        if !repeated {
            self.seen_until = None;
        }
        repeated
    }

    fn time(&mut self, stamp: Option<f64>, arrived: f64, waited: f64) -> Duration {
        let time = match (self.last, stamp.zip(self.offset)) {
            (None, _) => arrived,
            // Stamps of no use: the time of arrival, or half as fast until that has caught up.
            (Some(last), Some(_)) if self.odd >= ODD => arrived.max(last.time + (arrived - last.arrived) / 2.0),
            (Some(last), Some((stamp, offset))) => self.follow(stamp + offset, last, arrived, waited),
            (Some(last), None) if self.offset.is_some() => self.joined(last, arrived),
            (Some(_), None) => arrived,
        };
        let time = time.max(self.last.map_or(0.0, |last| last.time + LEAST));
        if let Some(stamp) = stamp {
            self.since = if self.offset.is_none() { arrived } else { self.since };
            self.offset = Some(time - stamp);
        }
        self.last = Some(Last { arrived, time });
        Duration::from_secs_f64(time)
    }

    /// The time of a frame for which the stream's clock says `stated`.
    fn follow(&mut self, stated: f64, last: Last, arrived: f64, waited: f64) -> f64 {
        let pace = arrived - last.arrived;
        let mut step = stated - last.time;
        if (step + WRAP - pace).abs() < BEHIND + self.lead + AHEAD {
            step += WRAP;
        }
        let (lead, before) = (last.time + step - arrived, last.time - last.arrived);
        let sudden = step > JITTER.max(self.usual * 2.5) && (step - pace).abs() > JITTER.max(step / 2.0);
        // After frames that the network lost, a sudden step makes up for it.
        if step < 0.0 || sudden && lead.abs() > before.abs() + JITTER {
            self.jumps += 1;
            return self.joined(last, arrived);
        }
        // Frames that come much faster than they are shown; a clock that runs too fast is no burst.
        if pace < step / 4.0 && arrived - self.since < BURST {
            self.lead = self.lead.max(lead.min(BURST_BRINGS));
        }
        if !(-(BEHIND + waited)..=self.lead + AHEAD).contains(&lead) {
            self.jumps += 1;
            self.odd = if self.odd > 0 && arrived - self.odd_at < ODD_WITHIN { self.odd + 1 } else { 1 };
            self.odd_at = arrived;
            return arrived.max(last.time + pace / 2.0);
        }
        if step > 0.0 {
            self.usual = if self.usual > 0.0 { step.min(self.usual * 1.25) } else { step };
        }
        last.time + step
    }

    /// The time after `last` where the stream's clock says nothing: as long after it as in the world, unless the stream is ahead of the
    /// world, as it is after a burst.
    fn joined(&self, last: Last, arrived: f64) -> f64 {
        let with_the_world = (last.time + arrived - last.arrived).min(arrived);
        with_the_world.max(last.time + self.usual)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times in milliseconds of frames with these stamps and arrivals in seconds, and how often the clock jumped.
    fn run(frames: impl IntoIterator<Item = (Option<f64>, f64)>) -> (Vec<u128>, u64) {
        let mut clock = ArrivalClock::default();
        let times = frames.into_iter().map(|(stamp, arrived)| clock.time(stamp, arrived, 0.0).as_millis()).collect();
        (times, clock.jumps)
    }

    /// 25 frames a second that arrive as they are taken, with stamps from `stamp`.
    fn even(seconds: u32, stamp: impl Fn(f64) -> f64) -> (Vec<u128>, u64) {
        run((0..seconds * 25).map(|i| f64::from(i) / 25.0).map(|time| (Some(stamp(time)), time)))
    }

    #[track_caller]
    fn is_even(times: &[u128]) {
        assert!(times.iter().zip(0..).all(|(time, i)| time.abs_diff(i * 40) <= 41), "{times:?}");
    }

    #[test]
    fn an_even_clock_is_followed_whatever_the_network_does() {
        let late = [0.0, 0.3, 0.31, 0.32, 0.9, 0.95];
        let frames = (0..6).map(|i| (Some(700.0 + f64::from(i) * 0.2), late[i as usize]));
        assert_eq!(run(frames), (vec![0, 200, 400, 600, 800, 1000], 0));
        // Three segments of four seconds at once, then one every four seconds.
        let arrived = |i: u32| if i < 300 { f64::from(i) * 0.002 } else { f64::from(i / 100 - 2) * 4.0 + f64::from(i % 100) * 0.002 };
        let (times, jumps) = run((0..1000).map(|i| (Some(f64::from(i) / 25.0), arrived(i))));
        assert_eq!((times[999], jumps), (39_960, 0));
        is_even(&times);
        // Nothing for eight seconds, then all that was held back.
        let arrived = |time: f64| if (4.0..12.0).contains(&time) { 12.0 + time * 1e-3 } else { time };
        let (times, jumps) = run((0..500).map(|i| f64::from(i) / 25.0).map(|time| (Some(time), arrived(time))));
        assert_eq!(jumps, 0);
        is_even(&times);
        // Nothing for three seconds, and what was sent meanwhile is lost.
        let lost = (0..500).map(|i| f64::from(i) / 25.0).filter(|time| !(4.0..7.0).contains(time)).map(|time| (Some(time), time));
        assert_eq!((run(lost.clone()).0.last(), run(lost).1), (Some(&19_960), 0));
    }

    #[test]
    fn jumps_are_joined_and_counted() {
        for jump in [1000.0, 30.0, 3.0, -3.0, -9.0, -1000.0, 95_443.7, -26.0 * 3600.0] {
            let (times, jumps) = even(20, |time| if time < 9.0 { time + 3e5 } else { time + 3e5 + jump });
            assert_eq!(jumps, 1, "by {jump}");
            is_even(&times);
        }
        // To and fro.
        let (times, jumps) = even(20, |time| if (time as u64).is_multiple_of(2) { time } else { time + 1000.0 });
        assert_eq!(jumps, 19);
        is_even(&times);
        // The camera starts again, which takes it five seconds.
        let frames = (0..100).map(|i| f64::from(i) / 25.0).flat_map(|time| [(Some(time), time)]);
        let again = (0..100).map(|i| f64::from(i) / 25.0).map(|time| (Some(time), time + 9.0));
        let (times, jumps) = run(frames.chain(again));
        assert_eq!((times[99], times[100], times[199], jumps), (3960, 9000, 12_960, 1));
        // A segment of another programme among segments that come four seconds before they are shown.
        let arrived = |i: u32| if i < 200 { f64::from(i) * 0.002 } else { f64::from(i / 100 - 1) * 4.0 + f64::from(i % 100) * 0.002 };
        let stamp = |i: u32| f64::from(i) / 25.0 + if i < 400 { 0.0 } else { -15.0 };
        let (times, jumps) = run((0..600).map(|i| (Some(stamp(i)), arrived(i))));
        assert_eq!(jumps, 1);
        is_even(&times);
    }

    #[test]
    fn pauses_and_the_wrap_of_mpeg_are_no_jumps() {
        assert_eq!(run([(Some(0.0), 0.0), (Some(9.0), 9.1)]), (vec![0, 9000], 0));
        let (times, jumps) = even(20, |time| (WRAP - 9.0 + time) % WRAP);
        assert_eq!(jumps, 0);
        is_even(&times);
        // One frame every five seconds.
        let (times, jumps) = run((0..20).map(|i| f64::from(i) * 5.0).map(|time| (Some(time), time + (time % 3.0))));
        assert_eq!((times[19], jumps), (95_000, 0));
    }

    #[test]
    fn a_clock_that_does_not_count_seconds_is_not_believed() {
        for (speed, off) in [(2.0, 6000), (1.5, 6000), (0.04, 10_000), (0.0, 10_000), (10.0, 66_000)] {
            let (times, jumps) = even(60, |time| time * speed);
            let worst = times.iter().zip(0..).map(|(time, i)| time.abs_diff(i * 40)).max();
            assert!(worst < Some(off + 500) && jumps <= 20, "{speed} times as fast: {worst:?}, {jumps} jumps");
            // What ran ahead is made up for at half the speed of the world.
            assert!(speed == 1.5 || speed == 10.0 || times[1499].abs_diff(59_960) < 100, "{speed} times as fast: {}", times[1499]);
        }
        // A quartz that is off by 50 millionths, over two days.
        let frames = (0..172_800).map(|i| (Some(f64::from(i) * 1.000_05), f64::from(i)));
        let (times, jumps) = run(frames);
        assert!(times[172_799].abs_diff(172_799_000) < 6000 && jumps <= 10, "{}, {jumps} jumps", times[172_799]);
    }

    #[test]
    fn frames_without_stamps_are_at_their_arrival() {
        assert_eq!(run((0..5).map(|i| (None, f64::from(i) * 1.5))).0, [0, 1500, 3000, 4500, 6000]);
        // Some frames lack them.
        let (times, jumps) = run((0..500).map(|i| (Some(f64::from(i) / 25.0).filter(|_| i % 3 > 0), f64::from(i) / 25.0)));
        assert_eq!(jumps, 0);
        is_even(&times);
    }

    #[test]
    fn what_a_playlist_shows_again_is_told_from_what_is_new() {
        let mut clock = ArrivalClock::default();
        for i in 0..100 {
            clock.time(Some(50.0 + f64::from(i) / 25.0), f64::from(i) / 25.0, 0.0);
        }
        assert!(!clock.is_repeated(50.0, 4.0), "nothing repeats itself in one connection");
        clock.reconnected();
        clock.reconnected(); // the second attempt
        let repeated = (0..200).map(|i| clock.is_repeated(51.0 + f64::from(i) / 25.0, 9.0 + f64::from(i) * 1e-3));
        assert_eq!(repeated.filter(|repeated| *repeated).count(), 75);
        assert!(!clock.is_repeated(51.0, 9.5), "what comes after something new is new");
        // A clock that has started anew: far away, or as slow as the world.
        for (stamp, arrived) in [(900.0, 20.0), (-900.0, 20.0), (53.0, 31.0)] {
            clock.time(Some(54.0), 10.0, 0.0);
            clock.reconnected();
            clock.is_repeated(53.0, 20.0);
            assert!(!clock.is_repeated(stamp, arrived), "{stamp} at {arrived}");
        }
    }

    #[test]
    fn after_an_absence_times_go_on_with_the_world() {
        let mut clock = ArrivalClock::default();
        clock.time(Some(50.0), 0.0, 0.0);
        clock.reconnected();
        assert_eq!(clock.time(Some(7.0), 12.0, 0.0).as_secs(), 12);
        assert_eq!((clock.time(Some(7.5), 12.6, 0.0).as_millis(), clock.jumps), (12_500, 0));
    }
}
