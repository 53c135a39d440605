//! Conversions are Python's: `models/convert.py`, which is part of the crate and serves `scripts/setup.sh` too.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Output;

use super::registry::{output, reason};
use crate::error::{Error, Result};
use crate::model::ModelCatalog;

const CONVERT: &str = include_str!("../../../../models/convert.py");

/// Runs the script with `arguments` and an environment of its own. `folder` is where the script may be put for the time.
pub(super) fn run(arguments: &[OsString], python: Option<OsString>, folder: &Path) -> Result<Output> {
    let python = python.unwrap_or_else(|| if cfg!(windows) { "python".into() } else { "python3".into() });
    let script = folder.join(".convert.py");
    fs::write(&script, CONVERT).map_err(|error| Error::io("write", &script, error))?;
    let venv = ModelCatalog::cache_folder().map_or_else(|| folder.join(".convert"), |models| models.with_file_name("convert"));
    let done = output(std::process::Command::new(&python).arg(&script).args(arguments).arg("--venv").arg(venv));
    let _ = fs::remove_file(&script); // litter at worst
    done.map_err(|error| {
        let why = format!("{error}; models that are converted need Python 3.9 or later (FACEREC_PYTHON names another one)");
        Error::io("run", &python, io::Error::new(error.kind(), why))
    })
}

/// Converts a network in OpenVINO's Intermediate Representation, `description` with its `weights`, to `part`.
pub(super) fn openvino(description: &Path, weights: &Path, python: Option<OsString>, folder: &Path, part: &Path) -> Result<()> {
    let mut arguments: Vec<OsString> = vec!["openvino".into()];
    for (option, file) in [("--description", description), ("--weights", weights), ("--output", part)] {
        arguments.extend([option.into(), file.into()]);
    }
    let done = run(&arguments, python, folder)?;
    if done.status.success() { Ok(()) } else { Err(Error::io("convert", description, io::Error::other(reason(&done)))) }
}
