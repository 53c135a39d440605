//! `facerec video`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use facerec_core::pipeline::{BestShot, OnProgress, Progress, Stages};
use facerec_core::report::{Report, annotate_video};
use facerec_core::{
    Cadence, Engine, Error, FrameSource, Gallery, GalleryOptions, KnownPeople, LiveSource, PipelineOptions, Sighting, VideoOptions,
    VideoReader, VideoSummary,
};
use serde::Serialize;
use serde_json::json;

use crate::exit::{Exit, InGallery, Outcome, ends_everything};
use crate::options::Global;
use crate::output::{ErrorRecord, Output};
use crate::record::{CandidateRecord, QualityRecord, count, round};

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
    /// Start here, in seconds.
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
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| format!("expected seconds, got `{text}`"))?;
    Duration::try_from_secs_f64(number).map_err(|_| format!("expected seconds from 0, got `{text}`"))
}

pub(crate) fn run(global: &Global, args: &Args, output: &mut Output) -> Outcome {
    let engine = global.engine(usize::MAX, args.threshold)?;
    let open = |folder: &PathBuf| engine.open_gallery_with(folder, GalleryOptions::default().read_only(true)).in_gallery();
    let gallery = args.gallery.as_ref().map(open).transpose()?;
    match look_through(&engine, gallery.as_ref(), args, output) {
        Err(Stopped::Video(error)) if !ends_everything(&error) => {
            report_failed(&args.video, &error, output)?;
            Ok(Exit::SomeFailed)
        }
        Err(Stopped::Video(error)) => Err(error.into()),
        Err(Stopped::Other(failure)) => Err(failure),
        Ok(exit) => Ok(exit),
    }
}

/// What keeps a video from being looked through at all.
enum Stopped {
    Video(Error),
    Other(crate::exit::Failure),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Video(error)
    }
}

impl From<crate::exit::Failure> for Stopped {
    fn from(failure: crate::exit::Failure) -> Self {
        Self::Other(failure)
    }
}

fn look_through(engine: &Engine, gallery: Option<&Gallery>, args: &Args, output: &mut Output) -> Result<Exit, Stopped> {
    let live = args.video.to_string_lossy().contains("://") || args.video.starts_with("/dev");
    if live && args.annotate.is_some() {
        return Err(
            Error::InvalidArgument { name: "annotate", reason: "a live source cannot be read twice; record it first".into() }.into()
        );
    }
    let source: Box<dyn FrameSource> = if live {
        Box::new(LiveSource::open(&args.video.to_string_lossy())?)
    } else {
        Box::new(VideoReader::open_with(&args.video, reading(args))?)
    };
    let info = source.info();
    let bar = output.bar("frames", true);
    bar.set_length(info.frames.unwrap_or_default());
    let shown = bar.clone();
    let options = options(engine, args, live, Arc::new(move |progress: &Progress| shown.set_position(progress.frames)))?;
    let known = gallery.map_or(KnownPeople::Nobody, KnownPeople::Gallery);
    let mut sightings = engine.watch(source, known, options)?;
    let mut report = Report::new(&args.video.to_string_lossy(), &info);
    let mut exit = Exit::Done;
    for sighting in sightings.by_ref() {
        match sighting {
            Ok(sighting) => {
                bar.suspend(|| output.emit(&SightingRecord::new(&sighting, args.boxes), format_args!("{}", describe(&sighting))))?;
                if !sighting.provisional {
                    report.add(sighting);
                }
            }
            Err(error) if ends_everything(&error) => return Err(error.into()),
            Err(error) => {
                report_failed(&args.video, &error, output)?;
                exit = Exit::SomeFailed;
            }
        }
    }
    bar.finish_and_clear();
    let summary = sightings.summary().clone();
    drop(sightings);
    report.finish(summary.clone());
    if let Some(path) = &args.report {
        report.write_html(path)?;
    }
    if let Some(folder) = &args.thumbs {
        report.write_thumbs(folder)?;
    }
    if let Some(path) = &args.annotate {
        let again = VideoReader::open_with(&args.video, reading(args))?;
        annotate_video(again, report.sightings(), path)?;
    }
    output.emit(&json!({"summary": SummaryRecord::new(&summary)}), format_args!("{}", summarise(&summary)))?;
    Ok(exit)
}

fn reading(args: &Args) -> VideoOptions {
    let mut options = VideoOptions::default().start(args.start.unwrap_or_default());
    if let Some(end) = args.end {
        options = options.end(end);
    }
    match &args.hardware {
        Some(device) => options.hardware(device),
        None => options,
    }
}

fn options(engine: &Engine, args: &Args, live: bool, progress: OnProgress) -> Result<PipelineOptions, Error> {
    let options = engine.video_options()?.progress(progress).provisional(live);
    let options = options.boxes(args.boxes || args.annotate.is_some()).pictures(args.report.is_some() || args.thumbs.is_some());
    // Live results are wanted soon: a person who is away for longer starts a new track.
    let options = if live { options.rejoin_within(Duration::from_secs(5)) } else { options };
    Ok(if args.every_frame { options.cadence(Cadence::EveryFrame) } else { options })
}

fn report_failed(video: &Path, error: &Error, output: &mut Output) -> Outcome<()> {
    #[derive(Serialize)]
    struct Record<'a> {
        video: &'a str,
        error: ErrorRecord,
    }
    let video = video.to_string_lossy();
    output.emit(&Record { video: &video, error: error.into() }, format_args!("{video}\n  failed: {error}\n"))
}

/// A track in the JSON of `video`.
#[derive(Debug, Serialize)]
struct SightingRecord<'a> {
    track: u64,
    person: Option<&'a str>,
    similarity: f64,
    threshold: f64,
    margin: f64,
    reason: &'static str,
    candidates: Vec<CandidateRecord<'a>>,
    start_ms: u64,
    end_ms: u64,
    spans_ms: Vec<[u64; 2]>,
    frames: u64,
    embeddings: usize,
    best_shots: Vec<ShotRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    boxes: Option<Vec<BoxRecord>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    provisional: bool,
}

#[derive(Debug, Serialize)]
struct ShotRecord {
    ms: u64,
    frame: u64,
    #[serde(rename = "box")]
    rect: [f64; 4],
    quality: QualityRecord,
}

/// `[frame, ms, x1, y1, x2, y2]`.
#[derive(Debug, Serialize)]
struct BoxRecord(u64, u64, f64, f64, f64, f64);

impl<'a> SightingRecord<'a> {
    fn new(sighting: &'a Sighting, boxes: bool) -> Self {
        let decision = &sighting.decision;
        Self {
            track: sighting.track,
            person: sighting.name(),
            similarity: round(decision.similarity, 4),
            threshold: round(decision.threshold, 4),
            margin: round(decision.margin, 4),
            reason: decision.reason.code(),
            candidates: decision.candidates.iter().map(CandidateRecord::new).collect(),
            start_ms: ms(sighting.start),
            end_ms: ms(sighting.end),
            spans_ms: sighting.spans.iter().map(|&(start, end)| [ms(start), ms(end)]).collect(),
            frames: sighting.frames,
            embeddings: sighting.embeddings,
            best_shots: sighting.best_shots.iter().map(ShotRecord::new).collect(),
            boxes: boxes.then(|| sighting.boxes.iter().map(BoxRecord::new).collect()),
            provisional: sighting.provisional,
        }
    }
}

impl ShotRecord {
    fn new(shot: &BestShot) -> Self {
        let rect = [shot.rect.x1, shot.rect.y1, shot.rect.x2, shot.rect.y2].map(|v| round(v, 2));
        Self { ms: ms(shot.time), frame: shot.frame, rect, quality: QualityRecord::new(&shot.quality) }
    }
}

impl BoxRecord {
    fn new(one: &facerec_core::pipeline::TrackBox) -> Self {
        let rect = one.rect;
        Self(one.frame, ms(one.time), round(rect.x1, 2), round(rect.y1, 2), round(rect.x2, 2), round(rect.y2, 2))
    }
}

/// The last line.
#[derive(Debug, Serialize)]
struct SummaryRecord {
    frames: u64,
    duration_ms: u64,
    tracks: usize,
    persons: BTreeMap<String, Vec<[u64; 2]>>,
    unknown_tracks: usize,
    frames_detected: u64,
    detections: u64,
    embeddings: u64,
    cuts: u64,
    wall_ms: u64,
    stages: BTreeMap<&'static str, f64>,
}

impl SummaryRecord {
    fn new(summary: &VideoSummary) -> Self {
        let spans = |spans: &Vec<(Duration, Duration)>| spans.iter().map(|&(start, end)| [ms(start), ms(end)]).collect();
        Self {
            frames: summary.frames,
            duration_ms: ms(summary.duration),
            tracks: summary.tracks,
            persons: summary.persons.iter().map(|(name, times)| (name.clone(), spans(times))).collect(),
            unknown_tracks: summary.unknown_tracks,
            frames_detected: summary.frames_detected,
            detections: summary.detections,
            embeddings: summary.embeddings,
            cuts: summary.cuts,
            wall_ms: ms(summary.wall),
            stages: stages(&summary.stages).into_iter().collect(),
        }
    }
}

/// Milliseconds per stage.
fn stages(stages: &Stages) -> [(&'static str, f64); 7] {
    let Stages { decode, convert, detect, quality, track, embed, identify, .. } = *stages;
    let named = [
        ("decode", decode),
        ("convert", convert),
        ("detect", detect),
        ("quality", quality),
        ("track", track),
        ("embed", embed),
        ("identify", identify),
    ];
    named.map(|(name, time)| (name, (time.as_secs_f64() * 1e4).round() / 10.0))
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// `0:03.2-0:07.9  Ana  0.71  track 4, 118 frames, 3 shots`.
fn describe(sighting: &Sighting) -> String {
    let decision = &sighting.decision;
    let reason = match (sighting.name(), decision.candidates.first()) {
        (Some(_), _) => format!("threshold {:.2}, margin {:.2}", decision.threshold, decision.margin),
        (None, Some(best)) => format!("nearest: {}; {}", best.name, decision.reason.code().replace('_', " ")),
        (None, None) => decision.reason.code().replace('_', " "),
    };
    format!(
        "{}-{}  {:<20} {:>5.2}  track {}, {}, {} ({reason}){}\n",
        clock(sighting.start),
        clock(sighting.end),
        sighting.name().unwrap_or("unknown"),
        decision.similarity,
        sighting.track,
        count(usize::try_from(sighting.frames).unwrap_or(usize::MAX), "frame", "frames"),
        count(sighting.best_shots.len(), "shot", "shots"),
        if sighting.provisional { "  so far" } else { "" },
    )
}

fn summarise(summary: &VideoSummary) -> String {
    let mut text = format!(
        "\n{} frames, {} of video in {:.1} s; {} ({} unknown), {} detections, {} embeddings\n",
        summary.frames,
        clock(summary.duration),
        summary.wall.as_secs_f64(),
        count(summary.tracks, "track", "tracks"),
        summary.unknown_tracks,
        summary.detections,
        summary.embeddings
    );
    for (name, spans) in &summary.persons {
        let spans: Vec<String> = spans.iter().map(|&(start, end)| format!("{}-{}", clock(start), clock(end))).collect();
        text += &format!("  {name}: {}\n", spans.join(", "));
    }
    text
}

/// `1:02:03.4` or `2:03.4`.
fn clock(time: Duration) -> String {
    let (seconds, tenths) = (time.as_secs(), time.subsec_millis() / 100);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}.{tenths}") } else { format!("{minutes}:{seconds:02}.{tenths}") }
}
