//! Whoever watches the connection to a live source, never blocked by FFmpeg: ends it when it is late, and makes the next one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::connect::silent;
use super::line::{Line, News, no_frame};
use super::{LiveOptions, Shared};
use crate::error::{Error, Result};

/// How often the caller is asked, and the time is looked at.
const TICK: Duration = Duration::from_millis(50);

/// How long after its time limit a connection may still end in words of its own. One that is stuck in a driver does not.
const SLACK: Duration = Duration::from_millis(250);

/// How long an end in order waits for the connection to say goodbye.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// Pauses before trying again.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

pub(super) struct Watch {
    pub(super) address: String,
    pub(super) options: LiveOptions,
    pub(super) shared: Arc<Shared>,
    /// Nobody wants frames any more.
    pub(super) stop: Arc<AtomicBool>,
}

/// A connection under watch.
pub(super) struct Connection {
    line: Line,
    news: Receiver<News>,
    thread: JoinHandle<()>,
}

/// The attempts since a loss.
struct Attempts {
    since: Instant,
    pause: Duration,
    /// Frames before the loss.
    frames: u64,
}

impl Watch {
    /// Starts a connection in a thread of its own: a webcam's driver or a pipe may block where FFmpeg cannot be interrupted.
    pub(super) fn connect(&self, timeout: Duration) -> Result<Connection> {
        let (line, (tell, news)) = (Line::new(timeout), channel());
        let (address, options, shared, work) = (self.address.clone(), self.options.clone(), Arc::clone(&self.shared), line.clone());
        let run = move || work.run(&address, &options, &shared, &tell);
        let thread = std::thread::Builder::new().name("facerec-live".into()).spawn(run);
        let thread = thread.map_err(|error| Error::internal(format!("cannot start a thread: {error}")))?;
        Ok(Connection { line, news, thread })
    }

    /// Waits for the next news of a connection, which is `opened` or not yet, or for the end of patience with it.
    pub(super) fn news(&self, connection: &Connection, opened: bool) -> News {
        loop {
            match connection.news.recv_timeout(TICK) {
                Ok(news) => return news,
                Err(RecvTimeoutError::Disconnected) => return News::Ended(Err(Error::internal("the receiving thread panicked"))),
                Err(RecvTimeoutError::Timeout) if self.is_stopped() => return News::Ended(Ok(())),
                Err(RecvTimeoutError::Timeout) if connection.line.is_overdue(SLACK) => {
                    let (address, timeout) = (&self.address, self.options.timeout);
                    let stage = connection.line.stage();
                    let late = if opened { no_frame(address, timeout) } else { silent(address, stage, timeout) };
                    return News::Ended(Err(late));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || (self.options.stopped.0)()
    }

    /// Watches a connection that is opened, and those that follow it, to the end.
    pub(super) fn run(&self, mut connection: Connection, live: bool) {
        let mut attempts = Attempts::new(&self.shared);
        let end = loop {
            let News::Ended(end) = self.news(&connection, true) else { continue };
            connection.end();
            let Err(error) = end else { break Ok(()) };
            let again = live && !self.options.reconnect.is_zero() && is_passing(&error);
            if !again {
                break Err(error);
            }
            match self.reconnect(error, &mut attempts) {
                Ok(Some(next)) => connection = next,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.shared.end(end, self.is_stopped());
    }

    /// The next connection; `None` when nobody wants it any more.
    fn reconnect(&self, error: Error, attempts: &mut Attempts) -> Result<Option<Connection>> {
        tracing::warn!(%error, "trying again");
        self.shared.away();
        if attempts.frames != self.shared.next_index() {
            *attempts = Attempts::new(&self.shared);
        }
        let mut last = error;
        loop {
            let left = self.options.reconnect.saturating_sub(attempts.since.elapsed());
            if left.is_zero() {
                return Err(self.gave_up(last));
            }
            if !self.sleep(attempts.pause.min(left)) {
                return Ok(None);
            }
            attempts.pause = (attempts.pause * 2).min(LONGEST_PAUSE);
            self.shared.clock.reconnected();
            let connection = self.connect(self.options.timeout.min(left.max(Duration::from_secs(1))))?;
            match self.news(&connection, false) {
                News::Opened(_) => return Ok(Some(connection)),
                News::Ended(end) => {
                    connection.end();
                    let Err(error) = end else { return Ok(None) };
                    tracing::debug!(%error, "not yet");
                    last = error;
                }
            }
        }
    }

    fn gave_up(&self, last: Error) -> Error {
        let within = self.options.reconnect;
        let reason = match &last {
            Error::SourceLost { reason, .. } | Error::DecodeVideo { reason, .. } => reason.clone(),
            other => other.to_string(),
        };
        let address = crate::text::address_text(self.address.as_ref()).into_owned();
        let reason = format!("it did not come back within {within:?} (`reconnect`, `--reconnect SECONDS`); at last: {reason}");
        Error::SourceLost { address, reason, source: Some(Box::new(last)) }
    }

    /// Sleeps; `false` when nobody wants frames any more.
    fn sleep(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        while !self.is_stopped() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(TICK));
        }
        false
    }
}

/// Whether trying again may help.
fn is_passing(error: &Error) -> bool {
    matches!(error, Error::SourceLost { .. } | Error::DecodeVideo { .. })
}

impl Attempts {
    fn new(shared: &Shared) -> Self {
        Self { since: Instant::now(), pause: FIRST_PAUSE, frames: shared.next_index() }
    }
}

impl Connection {
    /// Ends it. A thread that is stuck in a driver is left to itself: it ends when the driver lets it go.
    pub(super) fn end(self) {
        let is_stuck = self.line.is_overdue(SLACK);
        self.line.stop();
        let deadline = Instant::now() + GRACE;
        while !is_stuck && !self.thread.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        if self.thread.is_finished() {
            let _ = self.thread.join(); // its panic was told
        }
    }
}
