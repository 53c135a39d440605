//! `facerec video`.

mod interrupt;
mod output;
mod record;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use facerec_core::pipeline::{OnProgress, Progress};
use facerec_core::video::is_live;
use facerec_core::{
    Cadence, Deinterlace, Engine, Error, FrameSource, Gallery, KnownPeople, LiveOptions, PipelineOptions, VideoOptions, VideoSource, text,
};
use serde::Serialize;
use serde_json::json;

use self::output::Files;
use self::record::{SightingRecord, SummaryRecord, describe, remarks, summarise};
use super::exit::{Exit, InGallery, Outcome, ends_everything};
use super::options::Global;
use super::output::{ErrorRecord, Output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The gallery of people to look for [default: nobody, tracks only].
    #[arg(long, value_name = "DIR")]
    gallery: Option<PathBuf>,
    /// A video file, or a live source: rtsp://..., http://..., /dev/video0.
    #[arg(value_name = "VIDEO")]
    video: PathBuf,
    /// Write the video with boxes, names and track numbers drawn into it (H.264, mp4).
    #[arg(long, value_name = "OUT.mp4")]
    annotate: Option<PathBuf>,
    /// Write a page with a timeline per person and the best shots.
    #[arg(long, value_name = "OUT.html")]
    report: Option<PathBuf>,
    /// Write the best shots as JPEG files into this folder.
    #[arg(long, value_name = "DIR")]
    thumbs: Option<PathBuf>,
    /// List the box of every frame.
    #[arg(long)]
    boxes: bool,
    /// Look for faces in every frame, not about ten times a second.
    #[arg(long)]
    every_frame: bool,
    /// Start here, in seconds; of a live source: so long after its first frame.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    start: Option<Duration>,
    /// End here, in seconds.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    end: Option<Duration>,
    /// Similarity from which a track is named, -1 to 1 [default: the embedder's at a false match rate of 1e-4].
    #[arg(long, value_name = "SIMILARITY", allow_negative_numbers = true)]
    threshold: Option<f32>,
    /// Decode on a device: vaapi, cuda, videotoolbox, d3d11va, qsv.
    #[arg(long, value_name = "NAME")]
    hardware: Option<String>,
    /// Whether interlaced frames are taken apart: auto (where the stream says so or combs show), off or on.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    deinterlace: Deinterlace,
    /// Live sources: wait so long for the connection, and for each frame [default: 10].
    #[arg(long, value_name = "SECONDS", value_parser = limit)]
    timeout: Option<Duration>,
    /// Live sources: try again when the source is lost, for so long; without a number for ever [default: it ends with exit code 1].
    #[arg(long, value_name = "SECONDS", value_parser = limit, num_args = 0..=1, require_equals = true, default_missing_value = "inf")]
    reconnect: Option<Duration>,
    /// Live sources: a frame may wait so long to be looked at, before newer ones take its place [default: 20].
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    backlog: Option<Duration>,
}

/// `--reconnect 30` as `--reconnect=30`: what follows is its number, or it has none, and then it may be the video.
pub(super) fn with_reconnect(args: impl IntoIterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    let mut args = args.into_iter().peekable();
    std::iter::from_fn(move || {
        let mut arg = args.next()?;
        let is_number = |next: &OsString| next.to_str().is_some_and(|text| text.parse::<f64>().is_ok());
        if arg == "--reconnect"
            && let Some(number) = args.next_if(is_number)
        {
            arg.push("=");
            arg.push(number);
        }
        Some(arg)
    })
}

/// Seconds above 0; `inf` is for ever.
fn limit(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(f64::INFINITY) => Ok(Duration::MAX),
        _ => seconds(text).and_then(|time| if time.is_zero() { Err(format!("expected seconds above 0, got `{text}`")) } else { Ok(time) }),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| format!("expected seconds, got `{text}`"))?;
    Duration::try_from_secs_f64(number).map_err(|_| format!("expected seconds from 0, got `{text}`"))
}

pub(crate) fn run(global: &Global, args: &Args, output: &mut Output) -> Outcome {
    if is_live(&args.video) {
        interrupt::end_in_order();
    }
    if args.end.is_some_and(|end| end <= args.start.unwrap_or_default()) {
        return Err(Error::InvalidArgument { name: "end", reason: "expected a time after the start".into() }.into());
    }
    let files = match Files::plan(args) {
        Err((path, error)) if !is_usage(&error) => {
            output::failed(path, &error, output)?;
            return Ok(Exit::SomeFailed);
        }
        planned => planned.map_err(|(_, error)| error)?,
    };
    let engine = global.engine(usize::MAX, args.threshold)?;
    let options = global.gallery()?.read_only(true);
    let open = |folder: &PathBuf| engine.open_gallery_with(folder, options.clone()).in_gallery();
    let gallery = args.gallery.as_ref().map(open).transpose()?;
    let source = match VideoSource::open(&args.video, reading(args)) {
        Err(Error::Cancelled) => return Ok(Exit::Interrupted),
        Err(error) if !ends_everything(&error) && !is_usage(&error) => {
            report_failed(args, &error, output)?;
            return Ok(Exit::SomeFailed);
        }
        opened => opened?,
    };
    look_through(global, &engine, gallery.as_ref(), source, files, args, output)
}

/// What of the video is read, and how.
fn reading(args: &Args) -> VideoOptions {
    let mut options = VideoOptions::default().start(args.start.unwrap_or_default()).deinterlace(args.deinterlace);
    if let Some(end) = args.end {
        options = options.end(end);
    }
    if let Some(device) = &args.hardware {
        options = options.hardware(device);
    }
    options.live(receiving(args))
}

/// How a live source is received.
fn receiving(args: &Args) -> LiveOptions {
    let mut live = LiveOptions::default().stopped(interrupt::is_wanted);
    if let Some(time) = args.timeout {
        live = live.timeout(time);
    }
    if let Some(time) = args.reconnect {
        live = live.reconnect(time);
    }
    if let Some(time) = args.backlog {
        live = live.backlog(time);
    }
    live
}

fn is_usage(error: &Error) -> bool {
    matches!(error, Error::InvalidArgument { .. })
}

fn look_through(
    global: &Global,
    engine: &Engine,
    gallery: Option<&Gallery>,
    source: VideoSource,
    mut files: Files<'_>,
    args: &Args,
    output: &mut Output,
) -> Outcome {
    let info = source.info();
    files.describe(&info);
    let bar = output.bar("frames", true);
    bar.set_length(info.frames.unwrap_or_default());
    let shown = bar.clone();
    let options = options(engine, args, info.live, Arc::new(move |progress: &Progress| shown.set_position(progress.frames)))?;
    let known = gallery.map_or(KnownPeople::Nobody, KnownPeople::Gallery);
    let mut sightings = engine.watch(source, known, options)?;
    let mut exit = Exit::Done;
    for sighting in sightings.by_ref() {
        match sighting {
            Ok(sighting) => {
                bar.suspend(|| output.emit(&SightingRecord::new(&sighting, args.boxes), format_args!("{}", describe(&sighting))))?;
                files.add(sighting);
            }
            Err(error) if ends_everything(&error) => return Err(error.into()),
            Err(error) => {
                report_failed(args, &error, output)?;
                exit = Exit::SomeFailed;
            }
        }
    }
    bar.finish_and_clear();
    let summary = sightings.summary().clone();
    drop(sightings);
    for (path, error) in files.write(&summary) {
        output::failed(path, &error, output)?;
        exit = Exit::SomeFailed;
    }
    if global.json {
        for remark in remarks(&summary.reception) {
            #[expect(clippy::print_stderr)] // for people, whatever the log level
            let () = eprintln!("facerec: {remark}");
        }
    }
    output.emit(&json!({"summary": SummaryRecord::new(&summary)}), format_args!("{}", summarise(&summary)))?;
    Ok(if interrupt::is_wanted() { Exit::Interrupted } else { exit })
}

fn options(engine: &Engine, args: &Args, live: bool, progress: OnProgress) -> Result<PipelineOptions, Error> {
    let options = engine.video_options()?.progress(progress);
    let options = options.boxes(args.boxes || args.annotate.is_some()).pictures(args.report.is_some() || args.thumbs.is_some());
    let options = if live { options.live() } else { options };
    Ok(if args.every_frame { options.cadence(Cadence::EveryFrame) } else { options })
}

fn report_failed(args: &Args, error: &Error, output: &mut Output) -> Outcome<()> {
    #[derive(Serialize)]
    struct Record<'a> {
        video: &'a str,
        error: ErrorRecord,
    }
    let (video, shown) = (text::path_text(&args.video), text::escape_path(&args.video));
    output.emit(&Record { video: &video, error: error.into() }, format_args!("{shown}\n  failed: {error}\n"))
}
