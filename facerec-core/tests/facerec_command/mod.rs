//! Running `facerec --json`, for the tests of the command, and the data that some of them need.
#![allow(dead_code, clippy::unwrap_used, clippy::print_stderr)] // each test file uses some of it; what is skipped is said aloud

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// What a run gave: standard output is JSON Lines, nothing else.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) lines: Vec<Value>,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn of(command: &mut Command) -> Self {
        Self::from(command.stdin(Stdio::null()).output().unwrap())
    }

    /// What a process gave that ran with `--json`.
    pub(crate) fn from(output: Output) -> Self {
        let stdout = String::from_utf8(output.stdout).unwrap();
        let lines = stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: `{line}`"))).collect();
        Self { code: output.status.code().expect("an exit code, no signal"), lines, stderr: String::from_utf8(output.stderr).unwrap() }
    }

    /// The last line's summary.
    pub(crate) fn summary(&self) -> &Value {
        &self.lines.last().unwrap_or_else(|| panic!("no line; {}", self.stderr))["summary"]
    }

    /// Exit code, and the code of the first error.
    pub(crate) fn failed(&self) -> (i32, &str) {
        (self.code, self.lines.iter().find_map(|line| line["error"]["code"].as_str()).unwrap_or("none"))
    }
}

/// The command with `--json`, yet to be run.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_facerec"));
    command.arg("--json");
    command
}

pub(crate) fn facerec<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Run {
    Run::of(command().args(args))
}

/// Runs with the shared models.
pub(crate) fn with_models<'a>(shared: &Path, args: impl IntoIterator<Item = &'a str>) -> Run {
    facerec(engine_options(shared).into_iter().chain(args.into_iter().map(String::from)))
}

/// Options for the models that the shared folder has.
pub(crate) fn engine_options(shared: &Path) -> Vec<String> {
    let models = shared.join("models").to_string_lossy().into_owned();
    ["--models", &models, "--detector", "scrfd-2.5g", "--embedder", "edgeface-xs"].map(String::from).to_vec()
}

/// Weights, photos and videos that are not part of the repository.
pub(crate) fn shared() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let folder = std::env::var_os("FACEREC_SHARED").map_or(beside, PathBuf::from);
    let found = folder.join("data/videos/short_hamilton_clip.mp4").is_file();
    if !found {
        eprintln!("SKIPPED: `{}` has no models and videos; set FACEREC_SHARED to test the command with them", folder.display());
    }
    found.then(|| folder.canonicalize().unwrap())
}
