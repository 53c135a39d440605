//! The files that `facerec video` writes beside its results.

use std::fs;
use std::path::Path;

use facerec_core::report::{Report, annotate_video};
use facerec_core::video::is_live;
use facerec_core::{Error, Result, Sighting, VideoInfo, VideoReader, VideoSummary, text};
use serde::Serialize;

use super::super::exit::Outcome;
use super::super::output::{ErrorRecord, Output};
use super::{Args, reading};

/// What is to be written, and what that takes. Sightings are kept only for that: a camera's would grow for ever.
pub(super) struct Files<'a> {
    args: &'a Args,
    report: Option<Report>,
}

type Failed<'a> = (&'a Path, Error);

impl<'a> Files<'a> {
    /// Looks whether everything can be written, before hours are spent on the video.
    pub(super) fn plan(args: &'a Args) -> Result<Self, Failed<'a>> {
        if let Some(path) = args.annotate.as_deref().filter(|_| is_live(&args.video)) {
            let reason = "a live source cannot be read twice; record it first".into();
            return Err((path, Error::InvalidArgument { name: "annotate", reason }));
        }
        for (name, path) in [("annotate", &args.annotate), ("report", &args.report)] {
            if let Some(path) = path {
                check(name, path, &args.video).map_err(|error| (path.as_path(), error))?;
            }
        }
        if let Some(folder) = &args.thumbs {
            fs::create_dir_all(folder).map_err(|source| (folder.as_path(), io("create", folder, source)))?;
        }
        Ok(Self { args, report: None })
    }

    pub(super) fn describe(&mut self, info: &VideoInfo) {
        if self.args.annotate.is_some() || self.args.report.is_some() || self.args.thumbs.is_some() {
            self.report = Some(Report::new(&text::path_text(&self.args.video), info));
        }
    }

    pub(super) fn add(&mut self, sighting: Sighting) {
        if let Some(report) = self.report.as_mut().filter(|_| !sighting.provisional) {
            report.add(sighting);
        }
    }

    /// Writes what was asked for, all of it that can be. Returns what failed.
    pub(super) fn write(self, summary: &VideoSummary) -> Vec<Failed<'a>> {
        let (args, Some(mut report)) = (self.args, self.report) else { return Vec::new() };
        report.finish(summary.clone());
        let annotate = |path: &Path| annotate_video(VideoReader::open_with(&args.video, reading(args))?, report.sightings(), path);
        let written = [
            args.report.as_deref().map(|path| (path, report.write_html(path))),
            args.thumbs.as_deref().map(|folder| (folder, report.write_thumbs(folder).map(drop))),
            args.annotate.as_deref().map(|path| (path, annotate(path))),
        ];
        written.into_iter().flatten().filter_map(|(path, result)| Some((path, result.err()?))).collect()
    }
}

/// Whether `path` can be written and is not the video itself. Makes its folder.
fn check(name: &'static str, path: &Path, video: &Path) -> Result<()> {
    if let (Ok(there), Ok(video)) = (path.canonicalize(), video.canonicalize())
        && there == video
    {
        return Err(Error::InvalidArgument { name, reason: format!("`{}` is the video itself", text::escape_path(path)) });
    }
    if path.is_dir() {
        return Err(io("write", path, std::io::ErrorKind::IsADirectory.into()));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|source| io("create", folder, source))?;
    // Only trying tells: permissions say little about read-only disks.
    let probe = folder.join(format!(".facerec-{}", std::process::id()));
    fs::write(&probe, []).and_then(|()| fs::remove_file(&probe)).map_err(|source| io("write", path, source))
}

fn io(action: &'static str, path: &Path, source: std::io::Error) -> Error {
    Error::Io { action, path: path.to_path_buf(), source }
}

/// Reports a file that could not be written.
pub(super) fn failed(path: &Path, error: &Error, output: &mut Output) -> Outcome<()> {
    #[derive(Serialize)]
    struct Record<'a> {
        output: &'a str,
        error: ErrorRecord,
    }
    let (path, shown) = (text::path_text(path), text::escape_path(path));
    output.emit(&Record { output: &path, error: error.into() }, format_args!("{shown}\n  failed: {error}\n"))
}
