//! Questions to the gallery of a video's people. One on a server may be away for a while: it is asked again, and nobody is lost.

use std::io;
use std::time::{Duration, Instant};

use super::options::{CancelToken, PipelineOptions};
use crate::error::{Error, Result};
use crate::face::Embedding;
use crate::gallery::{Decision, DecisionOptions, Gallery};

/// Time between two questions, in which a cancellation is noticed too.
const PAUSE: Duration = Duration::from_millis(500);
const TICK: Duration = Duration::from_millis(50);

/// A gallery that is asked again while its server is away.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    gallery: &'a Gallery,
    patience: Duration,
    cancel: &'a CancelToken,
}

impl<'a> Asked<'a> {
    pub(super) fn new(gallery: &'a Gallery, options: &'a PipelineOptions) -> Self {
        Self { gallery, patience: options.gallery_patience, cancel: &options.cancel }
    }

    pub(super) fn identify(&self, template: &Embedding, options: &DecisionOptions) -> Result<Decision> {
        self.ask(|| self.gallery.identify(template, options))
    }

    pub(super) fn identify_many(&self, probes: &[Embedding], options: &DecisionOptions) -> Result<Vec<Decision>> {
        self.ask(|| self.gallery.identify_many(probes, options))
    }

    fn ask<T>(&self, question: impl Fn() -> Result<T>) -> Result<T> {
        let start = Instant::now();
        loop {
            match question() {
                Err(error) if is_away(&error) && start.elapsed() < self.patience => {
                    tracing::warn!(%error, "the gallery is asked again");
                    self.pause()?;
                }
                answer => return answer,
            }
        }
    }

    fn pause(&self) -> Result<()> {
        let until = Instant::now() + PAUSE;
        while Instant::now() < until {
            if self.cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            std::thread::sleep(TICK);
        }
        Ok(())
    }
}

/// Whether it may be back by itself: the server stops, starts, does not answer or is not reached. No gallery in a folder fails so.
fn is_away(error: &Error) -> bool {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable, ResourceBusy, TimedOut,
        UnexpectedEof,
    };
    let Error::Io { source, .. } = error else { return false };
    matches!(
        source.kind(),
        BrokenPipe
            | ConnectionAborted
            | ConnectionRefused
            | ConnectionReset
            | HostUnreachable
            | NetworkUnreachable
            | ResourceBusy
            | TimedOut
            | UnexpectedEof
    )
}
