//! Waiting for the server on the caller's own thread, for as long as was said and no longer.
//!
//! The network has a thread of its own ([`super::connection`]). So a caller may be inside an async runtime, and a server that stops in
//! the middle of an answer stops nobody else.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// What `work` comes to; `None` when it has not after `time`.
pub(super) fn wait<T>(work: impl Future<Output = T>, time: Duration) -> Option<T> {
    wait_while(work, time, || false)
}

/// [`wait`], and each time that `time` is over, once more as long as `alive` says so.
pub(super) fn wait_while<T>(work: impl Future<Output = T>, time: Duration, mut alive: impl FnMut() -> bool) -> Option<T> {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut work = pin!(work);
    let mut since = Instant::now();
    loop {
        if let Poll::Ready(result) = work.as_mut().poll(&mut context) {
            return Some(result);
        }
        let left = time.saturating_sub(since.elapsed());
        if !left.is_zero() {
            std::thread::park_timeout(left);
        } else if alive() {
            since = Instant::now();
        } else {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_come_is_not_waited_for() {
        let start = Instant::now();
        assert_eq!(wait(std::future::pending::<()>(), Duration::from_millis(30)), None);
        assert!(start.elapsed() >= Duration::from_millis(30));
        let mut asked = 0;
        let alive = || {
            asked += 1;
            asked < 3
        };
        assert_eq!(wait_while(std::future::pending::<()>(), Duration::from_millis(5), alive), None);
        assert_eq!(asked, 3);
    }

    #[test]
    fn another_thread_brings_it() {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            sender.send(7)
        });
        assert_eq!(wait(receiver, Duration::from_secs(20)), Some(Ok(7)));
        assert!(thread.join().is_ok());
    }
}
