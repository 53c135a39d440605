//! Frames between the thread that receives them and whoever looks at them: a burst waits its turn, and who cannot keep up gets the newest.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Bytes of frames that wait: some seconds of 1920 x 1080.
const MOST_BYTES: usize = 256 << 20;

/// Frames that wait where waiting costs nothing: enough to keep both sides busy.
const MOST_AHEAD: usize = 4;

#[derive(Debug)]
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    /// How long something may wait before it is left out.
    patience: Duration,
    most_bytes: usize,
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<Waiting<T>>,
    bytes: usize,
    /// Since when it was full now and then, and never empty.
    crowded: Option<Instant>,
    /// How long whoever puts something in has waited since then.
    waited: Duration,
    lost: u64,
    closed: bool,
}

#[derive(Debug)]
struct Waiting<T> {
    since: Instant,
    bytes: usize,
    item: T,
}

/// What happens when the queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WhenFull {
    /// It waits as long as it takes: whoever sends waits too.
    Wait,
    /// It waits for as long as a frame may wait, then leaves out the oldest: what comes meanwhile waits on its way.
    WaitABit,
    /// It leaves out the oldest: what comes meanwhile would be lost on its way.
    LeaveOut,
}

impl<T> Queue<T> {
    pub(super) fn new(patience: Duration) -> Self {
        let state = State { waiting: VecDeque::new(), bytes: 0, crowded: None, waited: Duration::ZERO, lost: 0, closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new(), patience, most_bytes: MOST_BYTES }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many were left out.
    pub(super) fn lost(&self) -> u64 {
        self.state().lost
    }

    /// How long the last [`put`](Self::put)s have waited, since the queue was empty.
    pub(super) fn waited(&self) -> Duration {
        self.state().waited
    }

    /// Nothing is taken in any more; whoever waits goes on.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }

    /// Appends something of so many bytes; `false` when the queue is closed. One is always taken in, however large.
    pub(super) fn put(&self, item: T, bytes: usize, full: WhenFull) -> bool {
        let mut state = self.state();
        let is_full = |state: &State<T>| {
            let too_many = full == WhenFull::Wait && state.waiting.len() >= MOST_AHEAD;
            too_many || !state.waiting.is_empty() && state.bytes + bytes > self.most_bytes
        };
        while !state.closed && is_full(&state) {
            let since = *state.crowded.get_or_insert_with(Instant::now);
            let left = match full {
                WhenFull::Wait => self.patience.max(Duration::from_secs(1)),
                WhenFull::WaitABit => self.patience.saturating_sub(since.elapsed()),
                WhenFull::LeaveOut => Duration::ZERO,
            };
            if left.is_zero() {
                state.leave_out();
            } else {
                let start = Instant::now();
                state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
                state.waited += start.elapsed();
            }
        }
        state.bytes += bytes;
        state.waiting.push_back(Waiting { since: Instant::now(), bytes, item });
        while full != WhenFull::Wait && state.waiting.len() > 1 && state.waiting[0].since.elapsed() > self.patience {
            state.leave_out();
        }
        self.changed.notify_all();
        !state.closed
    }

    /// Forgets what waits, uncounted.
    pub(super) fn clear(&self) {
        let mut state = self.state();
        state.waiting.clear();
        state.bytes = 0;
        self.changed.notify_all();
    }

    /// The oldest, when one comes; `None` when the queue is empty and closed.
    pub(super) fn take(&self) -> Option<T> {
        let mut state = self.state();
        loop {
            if let Some(Waiting { bytes, item, .. }) = state.waiting.pop_front() {
                state.bytes -= bytes;
                if state.waiting.is_empty() {
                    (state.crowded, state.waited) = (None, Duration::ZERO);
                }
                self.changed.notify_all();
                return Some(item);
            }
            if state.closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<T> State<T> {
    fn leave_out(&mut self) {
        if let Some(oldest) = self.waiting.pop_front() {
            self.bytes -= oldest.bytes;
            self.lost += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(patience: Duration) -> Queue<u32> {
        Queue { most_bytes: 10, ..Queue::new(patience) }
    }

    fn all(queue: &Queue<u32>) -> Vec<u32> {
        let waiting = queue.state().waiting.len();
        std::iter::from_fn(|| queue.take()).take(waiting).collect()
    }

    #[test]
    fn the_oldest_are_left_out_when_there_is_no_room_or_no_time() {
        let full = queue(Duration::from_secs(9));
        (0..8).for_each(|item| assert!(full.put(item, 3, WhenFull::LeaveOut)));
        assert_eq!((all(&full), full.lost()), (vec![5, 6, 7], 5));
        assert!(full.put(9, 300, WhenFull::LeaveOut), "one is always taken");
        assert_eq!(all(&full), [9]);
        let late = queue(Duration::ZERO);
        for item in 0..3 {
            late.put(item, 1, WhenFull::WaitABit);
            std::thread::sleep(Duration::from_millis(2));
        }
        assert_eq!((all(&late), late.lost()), (vec![2], 2));
    }

    #[test]
    fn a_burst_waits_and_nothing_of_it_is_left_out() {
        for full in [WhenFull::Wait, WhenFull::WaitABit] {
            let queue = queue(Duration::from_secs(20));
            std::thread::scope(|scope| {
                scope.spawn(|| (0..40).for_each(|item| assert!(queue.put(item, 4, full))));
                let taken: Vec<u32> = (0..40)
                    .map(|_| {
                        std::thread::sleep(Duration::from_millis(1));
                        queue.take().expect("one comes")
                    })
                    .collect();
                assert_eq!(taken, (0..40).collect::<Vec<_>>());
            });
            assert_eq!((queue.lost(), queue.waited()), (0, Duration::ZERO));
        }
    }

    #[test]
    fn whoever_cannot_keep_up_is_waited_for_only_so_long() {
        let queue = queue(Duration::from_millis(40));
        let start = Instant::now();
        (0..6).for_each(|item| assert!(queue.put(item, 5, WhenFull::WaitABit)));
        assert!(start.elapsed() >= Duration::from_millis(40) && queue.waited() >= Duration::from_millis(35));
        assert_eq!(queue.lost(), 4);
    }

    #[test]
    fn a_closed_queue_holds_nobody_up() {
        let queue = queue(Duration::from_secs(20));
        std::thread::scope(|scope| {
            let put = scope.spawn(|| (0..9).map(|item| queue.put(item, 9, WhenFull::Wait)).collect::<Vec<_>>());
            std::thread::sleep(Duration::from_millis(20));
            queue.close();
            assert!(put.join().expect("no panic").contains(&false));
        });
        all(&queue);
        assert_eq!(queue.take(), None);
    }
}
