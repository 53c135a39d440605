//! `facerec gallery cluster`: who is who in photos and videos of people whom nobody has named.

mod gather;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use facerec_core::folder::{MediaFile, MediaFolder, Unreadable, media};
use facerec_core::gallery::{Cluster, NewFace, cluster};
use facerec_core::{Embedding, Engine, Error, Gallery, QualityGate, text};
use serde::Serialize;
use serde_json::json;

use self::gather::{Gathered, Seen, gather};
use super::exit::{Exit, InGallery, Outcome};
use super::options::Global;
use super::output::{ErrorRecord, Output};
use super::photo::report_failed;
use super::record::{QualityRecord, count, passed_over, passed_over_line, round};

#[derive(Debug, clap::Args)]
#[command(after_help = "Clusters are numbered in the order of their size. To name some, run again with `--enroll 1=Ana --enroll 4=Ben`: \
                        the same files give the same clusters, as long as the gallery stays the same.")]
pub(crate) struct Args {
    /// Photos and videos.
    #[arg(value_name = "FILE", required_unless_present = "from")]
    inputs: Vec<PathBuf>,
    /// A folder of photos and videos, with everything below it.
    #[arg(long, value_name = "FOLDER")]
    from: Option<PathBuf>,
    /// Mean similarity from which large clusters are one person, -1 to 1 [default: the embedder's at a false match rate of 1e-4].
    #[arg(long, value_name = "SIMILARITY", allow_negative_numbers = true)]
    threshold: Option<f32>,
    /// Faces that a cluster must have to be listed; 1 lists those who are seen once.
    #[arg(long, value_name = "N", default_value = "2", value_parser = clap::value_parser!(u32).range(1..))]
    min_size: u32,
    /// How good a face must be: off, standard or strict.
    #[arg(long, value_name = "GATE", default_value = "standard")]
    gate: QualityGate,
    /// Write the best face of each cluster into this folder.
    #[arg(long, value_name = "DIR")]
    thumbs: Option<PathBuf>,
    /// Enrol the faces of a cluster under a name; needs `--gallery`. May be given several times.
    #[arg(long, value_name = "CLUSTER=NAME", value_parser = named)]
    enroll: Vec<(usize, String)>,
}

fn named(text: &str) -> Result<(usize, String), String> {
    let (cluster, name) = text.split_once('=').ok_or_else(|| format!("expected a cluster's number and a name as `3=Ana`, got `{text}`"))?;
    let number = cluster.parse().ok().filter(|&number| number > 0);
    Ok((number.ok_or_else(|| format!("expected a cluster's number from 1, got `{cluster}`"))?, name.to_string()))
}

/// The JSON of a cluster.
#[derive(Serialize)]
struct Record<'a> {
    cluster: usize,
    size: usize,
    cohesion: f64,
    best: Place<'a>,
    members: Vec<Place<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thumb: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enrolled: Option<&'a str>,
}

/// Where a face is: in a photo, or in a video at a time.
#[derive(Serialize)]
struct Place<'a> {
    file: Cow<'a, str>,
    #[serde(rename = "box")]
    rect: [f64; 4],
    #[serde(skip_serializing_if = "Option::is_none")]
    ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    track: Option<u64>,
    quality: QualityRecord,
}

impl<'a> Place<'a> {
    fn new(seen: &'a Seen) -> Self {
        let rect = [seen.rect.x1, seen.rect.y1, seen.rect.x2, seen.rect.y2].map(|v| round(v, 2));
        let (ms, track) = seen.shot.as_ref().map(|shot| (shot.ms, shot.track)).unzip();
        Self { file: text::path_text(&seen.file), rect, ms, track, quality: QualityRecord::new(&seen.quality) }
    }
}

pub(crate) fn run(global: &Global, folder: Option<&Path>, args: &Args, output: &mut Output) -> Outcome {
    if folder.is_none() && !args.enroll.is_empty() {
        return Err(Error::InvalidArgument { name: "enroll", reason: "expected `--gallery DIR` to enrol people into".into() }.into());
    }
    let MediaFolder { files: inputs, passed_over: passed, unreadable, .. } = files(args)?;
    if let Some(thumbs) = &args.thumbs {
        std::fs::create_dir_all(thumbs).map_err(|source| Error::Io { action: "create", path: thumbs.clone(), source })?;
    }
    let engine = global.engine(usize::MAX, None)?;
    let gallery = folder.map(|folder| open(global, &engine, folder, !args.enroll.is_empty())).transpose()?.flatten();
    let failed = unreadable.len();
    for Unreadable { path, error, .. } in unreadable {
        report_failed(output, &path, error)?;
    }
    let Gathered { seen, embeddings, known, poor, failed } = gather(&engine, gallery.as_ref(), &inputs, args, output)?.and_failed(failed);
    let mut options = engine.cluster_options()?;
    options.threshold = args.threshold.unwrap_or(options.threshold);
    let clusters = cluster(&embeddings, &options)?;
    let mut exit = if failed == 0 { Exit::Done } else { Exit::SomeFailed };
    let listed: Vec<&Cluster> = clusters.iter().filter(|cluster| cluster.members.len() >= args.min_size as usize).collect();
    if let Some((number, _)) = args.enroll.iter().find(|(number, _)| *number > listed.len()) {
        let reason = format!("expected the number of one of the {} clusters, got `{number}`", listed.len());
        return Err(Error::InvalidArgument { name: "enroll", reason }.into());
    }
    let mut enrolled = 0;
    for (number, cluster) in (1..).zip(&listed) {
        let best = best(cluster, &seen);
        let name = args.enroll.iter().find(|(cluster, _)| *cluster == number).map(|(_, name)| name.as_str());
        if let (Some(gallery), Some(name)) = (&gallery, name) {
            enrolled += enroll(gallery, name, cluster, &seen, &embeddings)?;
        }
        let thumb = match args.thumbs.as_ref().map(|folder| best.write_thumb(folder, number)).transpose() {
            Ok(thumb) => thumb.map(|path| text::path_text(&path).into_owned()),
            Err(error) => {
                exit = Exit::SomeFailed;
                output
                    .emit(&json!({"cluster": number, "error": ErrorRecord::from(&error)}), format_args!("cluster {number}: {error}\n"))?;
                None
            }
        };
        report(number, cluster, best, &seen, thumb, name, output)?;
    }
    let alone = clusters.iter().filter(|cluster| cluster.members.len() == 1).count();
    let summary = json!({
        "files": inputs.len(), "failed": failed, "faces": seen.len(), "known": known, "poor": poor, "clusters": listed.len(),
        "alone": alone, "enrolled": enrolled, "threshold": round(options.threshold, 4), "passed_over": passed_over(&passed),
    });
    let text = format!(
        "{} in {}: {}, {alone} seen once; {known} known already, {poor} too poor to tell\n{}",
        count(seen.len(), "unknown face", "unknown faces"),
        count(inputs.len(), "file", "files"),
        count(listed.len(), "cluster", "clusters"),
        passed_over_line(&passed),
    );
    output.emit(&json!({"summary": summary}), format_args!("{text}"))?;
    Ok(exit)
}

/// Photos and videos below the folder, sorted, and then those named.
fn files(args: &Args) -> Outcome<MediaFolder> {
    let mut found = MediaFolder::default();
    if let Some(folder) = &args.from {
        found = media(folder)?;
        if found.files.is_empty() && found.unreadable.is_empty() {
            let line = passed_over_line(&found.passed_over);
            let passed = if line.is_empty() { String::new() } else { format!("; {}", line.trim_end()) };
            let reason = format!("expected a folder with photos or videos, found none in `{}`{passed}", text::escape_path(folder));
            return Err(Error::InvalidArgument { name: "from", reason }.into());
        }
    }
    found.files.extend(args.inputs.iter().cloned().map(MediaFile::of));
    Ok(found)
}

/// The gallery whose people are left out; none where there is none yet and nobody is to be enrolled.
fn open(global: &Global, engine: &Engine, folder: &Path, write: bool) -> Outcome<Option<Gallery>> {
    let options = global.gallery()?;
    if write {
        return engine.open_gallery_with(folder, options).in_gallery().map(Some);
    }
    match engine.open_gallery_with(folder, options.read_only(true)) {
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        opened => opened.in_gallery().map(Some),
    }
}

/// The face of the highest quality; of several the first.
fn best<'a>(cluster: &Cluster, seen: &'a [Seen]) -> &'a Seen {
    let faces = cluster.members.iter().map(|&member| &seen[member]);
    let better = |a: &'a Seen, b: &'a Seen| if b.quality.score > a.quality.score { b } else { a };
    faces.reduce(better).unwrap_or(&seen[cluster.typical])
}

fn enroll(gallery: &Gallery, name: &str, cluster: &Cluster, seen: &[Seen], embeddings: &[Embedding]) -> Outcome<usize> {
    let face = |&member: &usize| (name, NewFace::new(&embeddings[member]).quality(seen[member].quality));
    let files: Vec<_> = cluster.members.iter().map(|&member| text::path_text(&seen[member].file)).collect();
    let faces = cluster.members.iter().map(face).zip(&files).map(|((name, face), file)| (name, face.source(file)));
    let faces: Vec<(&str, NewFace<'_>)> = faces.collect();
    Ok(gallery.add_many(&faces).in_gallery()?.len())
}

fn report(
    cluster: usize,
    found: &Cluster,
    best: &Seen,
    seen: &[Seen],
    thumb: Option<String>,
    enrolled: Option<&str>,
    output: &mut Output,
) -> Outcome<()> {
    let members: Vec<&Seen> = found.members.iter().map(|&member| &seen[member]).collect();
    let mut text = format!("cluster {cluster}: {}, {:.2} alike", count(members.len(), "face", "faces"), found.cohesion);
    text += &enrolled.map_or_else(String::new, |name| format!(", enrolled as {name}"));
    text += &format!("; best in {}\n", best.describe());
    for member in &members {
        text += &format!("  {}\n", member.describe());
    }
    let record = Record {
        cluster,
        size: members.len(),
        cohesion: round(found.cohesion, 4),
        best: Place::new(best),
        members: members.into_iter().map(Place::new).collect(),
        thumb,
        enrolled,
    };
    output.emit(&record, format_args!("{text}"))
}
