//! One connection to a live source: a thread that receives, and what it shares with whoever watches it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use super::super::VideoInfo;
use super::super::decoder::Decoding;
use super::super::ffmpeg::Error as AvError;
use super::super::input::Sort;
use super::connect::{connect, silent};
use super::playlist;
use super::queue::WhenFull;
use super::{LiveOptions, Shared};
use crate::error::{Error, Result};
use crate::text::address_text;

/// How far a connection came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing was said yet.
    Reaching,
    /// It sends something; no frame came of it yet.
    Receiving,
}

/// The state of a connection. Clones are one connection's.
#[derive(Debug, Clone)]
pub(super) struct Line(Arc<State>);

#[derive(Debug)]
struct State {
    opened: Instant,
    /// Nobody waits for it any more.
    stop: AtomicBool,
    /// The moment until which FFmpeg may block, in milliseconds after `opened`.
    patience: AtomicU64,
    stage: AtomicU8,
}

/// What a connection tells whoever watches it.
pub(super) enum News {
    /// The first frame has come.
    Opened(VideoInfo),
    /// The end: in order, or with the error.
    Ended(Result<()>),
}

impl Line {
    pub(super) fn new(timeout: Duration) -> Self {
        let (stop, patience, stage) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU8::new(Stage::Reaching as u8));
        let line = Self(Arc::new(State { opened: Instant::now(), stop, patience, stage }));
        line.wait_at_most(timeout);
        line
    }

    fn wait_at_most(&self, time: Duration) {
        let until = self.0.opened.elapsed().saturating_add(time);
        self.0.patience.store(until.as_millis().try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How long the thread is late, at least by `grace`.
    pub(super) fn is_overdue(&self, grace: Duration) -> bool {
        let patience = Duration::from_millis(self.0.patience.load(Ordering::Relaxed));
        self.0.opened.elapsed() > patience.saturating_add(grace)
    }

    /// Whether a blocked read must give up.
    pub(super) fn is_impatient(&self) -> bool {
        self.is_stopped() || self.is_overdue(Duration::ZERO)
    }

    pub(super) fn stop(&self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }

    fn is_stopped(&self) -> bool {
        self.0.stop.load(Ordering::Relaxed)
    }

    pub(super) fn reach(&self, stage: Stage) {
        self.0.stage.store(stage as u8, Ordering::Relaxed);
    }

    pub(super) fn stage(&self) -> Stage {
        if self.0.stage.load(Ordering::Relaxed) == Stage::Reaching as u8 { Stage::Reaching } else { Stage::Receiving }
    }

    /// The thread: connects, says how that went, receives.
    pub(super) fn run(&self, address: &str, options: &LiveOptions, shared: &Shared, news: &Sender<News>) {
        let end = self.receive(address, options, shared, news);
        let _ = news.send(News::Ended(end)); // nobody watches any more: nobody to tell
    }

    fn receive(&self, address: &str, options: &LiveOptions, shared: &Shared, news: &Sender<News>) -> Result<()> {
        let decoding = connect(address, options, self).and_then(|input| Decoding::new(input, &options.decode));
        // Past the time limit, what came so far is given, and no more is waited for.
        let mut limit = if self.is_impatient() { Duration::ZERO } else { options.timeout };
        let mut decoding =
            decoding.map_err(|error| if limit.is_zero() { silent(address, self.stage(), options.timeout) } else { error })?;
        let recorded = decoding.sort() == Sort::Recording;
        // Whoever was received live goes on so, though the playlist has ended meanwhile.
        if !recorded || shared.next_index() > 0 {
            decoding.live(shared.clock.clone(), shared.next_index());
        }
        let full = when_full(address, options, recorded);
        let (mut opened, mut undecodable) = (false, 0);
        loop {
            if opened {
                self.wait_at_most(limit);
            }
            shared.clock.held_up(shared.queue.waited());
            let next = decoding.next_frame(&self.0.stop);
            let patience = limit.max(options.timeout);
            if self.is_impatient() {
                limit = Duration::ZERO;
            }
            shared.add_undecodable(decoding.undecodable() - std::mem::replace(&mut undecodable, decoding.undecodable()));
            match next {
                Ok(Some(frame)) => {
                    self.wait_at_most(FOREVER); // whoever takes frames may be slow
                    if !opened {
                        let (width, height) = frame.size();
                        let _ = news.send(News::Opened(VideoInfo { width, height, ..decoding.info.clone() })); // as below
                        opened = true;
                        if !limit.is_zero() && decoding.sort() == Sort::Playlist {
                            limit = limit.max(self.between_parts(address, options));
                        }
                    }
                    let bytes = frame.bytes();
                    if self.is_stopped() || !shared.put(frame, bytes, full) {
                        return Ok(());
                    }
                }
                _ if self.is_stopped() => return Ok(()),
                _ if self.is_impatient() && !opened => return Err(silent(address, self.stage(), options.timeout)),
                _ if self.is_impatient() => return Err(no_frame(address, patience)),
                Ok(None) if recorded && decoding.is_whole() => return Ok(()),
                Ok(None) => return self.ended(address, options, &decoding, shared),
                Err(error) => {
                    // A damaged file is one wherever it is.
                    let cause = decoding.broken_off().filter(|_| !address.starts_with("file:"));
                    return Err(cause.map_or(error, |cause| broken_off(address, cause, shared)));
                }
            }
        }
    }

    /// The most time that may pass between two parts of a playlist: a part's, and half as much again for its list (RFC 8216, 6.2.1).
    fn between_parts(&self, address: &str, options: &LiveOptions) -> Duration {
        self.wait_at_most(options.timeout);
        let part = playlist::read(address, options, self).and_then(|text| playlist::longest_part(&text)).unwrap_or_default();
        self.wait_at_most(FOREVER);
        part.min(LONGEST_PART).mul_f64(1.5)
    }

    /// The end of what did not say where it ends, which is one only of a playlist.
    fn ended(&self, address: &str, options: &LiveOptions, decoding: &Decoding, shared: &Shared) -> Result<()> {
        self.wait_at_most(options.timeout);
        let playlist = Some(decoding.sort()).filter(|sort| *sort == Sort::Playlist).and_then(|_| playlist::read(address, options, self));
        if playlist.is_some_and(|text| playlist::says_end(&text)) {
            return Ok(());
        }
        Err(broken_off(address, AvError::Eof, shared))
    }
}

/// Parts are a few seconds long.
const LONGEST_PART: Duration = Duration::from_secs(60);

/// Longer than anybody waits.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// What waits until it is asked, and where it is lost when it is not.
fn when_full(address: &str, options: &LiveOptions, recorded: bool) -> WhenFull {
    let datagrams = options.options.iter().any(|(name, value)| name == "rtsp_transport" && value.starts_with("udp"));
    if recorded || address.starts_with("file:") {
        WhenFull::Wait
    } else if datagrams || ["udp:", "rtp:", "srtp:", "srt:", "/dev/"].iter().any(|start| address.starts_with(start)) {
        WhenFull::LeaveOut
    } else {
        WhenFull::WaitABit
    }
}

fn lost(address: &str, reason: String, source: Option<AvError>) -> Error {
    let source = source.map(|error| Box::new(error) as crate::error::Cause);
    Error::SourceLost { address: address_text(Path::new(address)).into_owned(), reason, source }
}

/// The time limit for the next frame has passed.
pub(super) fn no_frame(address: &str, timeout: Duration) -> Error {
    let longer = "(`timeout`, `--timeout SECONDS`, waits longer; `reconnect`, `--reconnect`, tries again)";
    lost(address, format!("no frame came within {timeout:?}; is the camera on, and its network up? {longer}"), None)
}

fn broken_off(address: &str, cause: AvError, shared: &Shared) -> Error {
    let place = shared.clock.last().map_or_else(String::new, |time| format!(" after {:.1} s", time.as_secs_f64()));
    let how = if cause == AvError::Eof { String::new() } else { format!(": {cause}") };
    lost(address, format!("the connection ended{place}{how} (`reconnect`, `--reconnect`, tries again)"), Some(cause))
}
