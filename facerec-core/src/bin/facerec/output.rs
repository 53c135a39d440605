//! Standard output: JSON Lines or text for people, never both, and progress on a terminal's standard error.

use std::fmt;
use std::io::{self, IsTerminal, StdoutLock, Write};

use facerec_core::{Error, text};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::exit::{Exit, Failure, Outcome};

/// Where results go.
pub(crate) struct Output {
    json: bool,
    out: StdoutLock<'static>,
}

/// An error as in every JSON line that reports one.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorRecord {
    code: &'static str,
    message: String,
}

impl From<&Error> for ErrorRecord {
    fn from(error: &Error) -> Self {
        Self { code: error.kind().code(), message: error.to_string() }
    }
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, out: io::stdout().lock() }
    }

    /// Writes one result: `record` as a JSON line, or `words` for people (which bring their own line breaks). Names and paths in either are
    /// escaped, so that a terminal only shows them, and addresses have no secrets.
    pub(crate) fn emit(&mut self, record: &impl Serialize, words: fmt::Arguments<'_>) -> Outcome<()> {
        let written = if self.json {
            let json = serde_json::to_string(record).map_err(io::Error::from);
            json.and_then(|json| writeln!(self.out, "{}", text::escape_json(&text::without_secrets(&json))))
        } else {
            self.out.write_all(text::escape_lines(&text::without_secrets(&words.to_string())).as_bytes())
        };
        // Flushed per result: whoever reads a pipe sees each as it comes.
        written.and_then(|()| self.out.flush()).map_err(write_failed)
    }

    /// Writes a line for people that brings its own line break; JSON has it in a record.
    pub(crate) fn remark(&mut self, text: &str) -> Outcome<()> {
        if self.json {
            return Ok(());
        }
        self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()).map_err(write_failed)
    }

    /// Raw bytes to standard output, for an export.
    pub(crate) fn raw(&mut self, write: impl FnOnce(&mut dyn Write) -> Outcome<()>) -> Outcome<()> {
        write(&mut self.out)?;
        self.out.flush().map_err(write_failed)
    }

    /// Reports what ended the command, on standard error, and as a JSON line too.
    pub(crate) fn failure(&mut self, failure: &Failure) -> Exit {
        match failure {
            Failure::ReaderGone => Exit::SomeFailed,
            Failure::Error { exit, error } => {
                #[derive(Serialize)]
                struct Record {
                    error: ErrorRecord,
                }
                if self.json {
                    // It is on standard error in any case.
                    let _ = self.emit(&Record { error: error.into() }, format_args!(""));
                }
                let _ = writeln!(io::stderr(), "facerec: {error}");
                *exit
            }
        }
    }

    /// A bar for work that prints nothing on the terminal meanwhile: hidden unless standard error is a terminal.
    pub(crate) fn bar(&self, what: &'static str, prints_results: bool) -> ProgressBar {
        if !io::stderr().is_terminal() || (prints_results && io::stdout().is_terminal()) {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{msg} {bar:32} {human_pos}/{human_len} {per_sec} {eta}");
        let bar = ProgressBar::new(0).with_message(what);
        style.map(|style| bar.clone().with_style(style)).unwrap_or(bar)
    }

    /// A bar for work that prints nothing, and the callback that moves it to so many done of all.
    pub(crate) fn counting_bar(&self, what: &'static str) -> (ProgressBar, impl Fn(usize, usize) + Sync + use<>) {
        let bar = self.bar(what, false);
        let moved = bar.clone();
        let progress = move |done: usize, all: usize| {
            moved.set_length(all as u64);
            moved.set_position(done as u64);
        };
        (bar, progress)
    }

    /// A bar for bytes that come in, with a message that may change.
    #[cfg(feature = "fetch")]
    pub(crate) fn bytes_bar(&self) -> ProgressBar {
        let bar = self.bar("", false);
        let style = ProgressStyle::with_template("{msg} {bar:32} {bytes}/{total_bytes} {bytes_per_sec}");
        style.map(|style| bar.clone().with_style(style)).unwrap_or(bar)
    }
}

fn write_failed(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::ReaderGone,
        _ => Error::Io { action: "write", path: "standard output".into(), source: error }.into(),
    }
}
