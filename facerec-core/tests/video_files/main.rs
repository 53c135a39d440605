//! Reading and writing videos: times, turns, ranges, damage, and live sources. Inputs are made by the `ffmpeg` command.
#![allow(clippy::print_stderr)] // what was skipped is said aloud
#![cfg(feature = "video")]

mod damage;
mod interlaced;
mod live;
mod pipeline;
mod reading;
mod shown;
mod writing;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Once;

use facerec_core::{Error, Frame, Result, VideoReader};

/// Whether the `ffmpeg` command is there; says so once when it is not.
fn ffmpeg_is_there() -> bool {
    static SAID: Once = Once::new();
    let there = Command::new("ffmpeg").arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success());
    if !there {
        SAID.call_once(|| eprintln!("SKIPPED: the tests of video files need the command `ffmpeg` to make their inputs"));
    }
    there
}

fn ffmpeg(arguments: &str, out: &Path) {
    let status = Command::new("ffmpeg").args(["-y", "-v", "error"]).args(arguments.split_whitespace()).arg(out).status();
    assert!(status.expect("ffmpeg starts").success(), "ffmpeg {arguments}");
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A test picture that moves, as `name`; `more` are FFmpeg's output options.
    fn make(&self, name: &str, source: &str, more: &str) -> PathBuf {
        let path = self.path(name);
        ffmpeg(&format!("-f lavfi -i {source} {more}"), &path);
        path
    }
}

fn frames(path: &Path) -> Vec<Frame> {
    VideoReader::open(path).expect("opens").map(|frame| frame.expect("decodes")).collect()
}

fn code<T>(result: Result<T>) -> &'static str {
    result.err().expect("an error").kind().code()
}

/// Frames until the error or the end.
fn read(path: &Path) -> (usize, Option<Error>) {
    let mut count = 0;
    for frame in VideoReader::open(path).expect("opens") {
        match frame {
            Ok(_) => count += 1,
            Err(error) => return (count, Some(error)),
        }
    }
    (count, None)
}
