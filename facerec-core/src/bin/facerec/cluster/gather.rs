//! All faces of photos and videos that are good enough and that the gallery does not know.

use std::path::{Path, PathBuf};
use std::time::Duration;

use facerec_core::folder::MediaFile;
use facerec_core::pipeline::BestShot;
use facerec_core::report::clock;
use facerec_core::{DecisionOptions, Embedding, Engine, Gallery, Image, KnownPeople, Quality, Rect, Result, Sighting, VideoReader, text};

use super::super::batch::in_order;
use super::super::exit::{InGallery, Outcome, ends_everything};
use super::super::output::Output;
use super::super::photo::report_failed;
use super::Args;

/// A face of a photo, or a track of a video by its best shot.
pub(super) struct Seen {
    pub(super) file: PathBuf,
    pub(super) rect: Rect,
    pub(super) quality: Quality,
    pub(super) shot: Option<Shot>,
}

pub(super) struct Shot {
    pub(super) ms: u64,
    pub(super) track: u64,
    picture: Option<Image>,
}

#[derive(Default)]
pub(super) struct Gathered {
    /// In the order of the files.
    pub(super) seen: Vec<Seen>,
    /// The vector of each.
    pub(super) embeddings: Vec<Embedding>,
    /// Faces and tracks of people whom the gallery knows.
    pub(super) known: usize,
    /// Faces and tracks that are not good enough.
    pub(super) poor: usize,
    /// Files that could not be read.
    pub(super) failed: usize,
}

impl Seen {
    /// `party.jpg at 905,54  108x149 px`.
    pub(super) fn describe(&self) -> String {
        let time = self.shot.as_ref().map_or_else(String::new, |shot| format!(" {}", clock(Duration::from_millis(shot.ms))));
        let rect = self.rect;
        format!("{}{time} at {:.0},{:.0}  {:.0}x{:.0} px", text::escape_path(&self.file), rect.x1, rect.y1, rect.width(), rect.height())
    }

    /// Writes the face, small, as `folder/cluster-00N.jpg`.
    pub(super) fn write_thumb(&self, folder: &Path, number: usize) -> Result<PathBuf> {
        /// Share of the box's longer side around it, and the longest side in pixels, as the shots of a video have them.
        const SURROUNDINGS: f32 = 0.3;
        const SIDE: u32 = 160;
        let path = folder.join(format!("cluster-{number:03}.jpg"));
        if let Some(picture) = self.shot.as_ref().and_then(|shot| shot.picture.as_ref()) {
            return picture.save(&path).map(|()| path);
        }
        let half = self.rect.width().max(self.rect.height()) * (0.5 + SURROUNDINGS);
        let center = self.rect.center();
        let around = Rect::new(center.x - half, center.y - half, center.x + half, center.y + half);
        Image::open(&self.file)?.crop(&around)?.fit(SIDE)?.save(&path).map(|()| path)
    }
}

/// Looks through all files: photos on all cores, then the videos one after the other.
pub(super) fn gather(
    engine: &Engine,
    gallery: Option<&Gallery>,
    inputs: &[MediaFile],
    args: &Args,
    output: &mut Output,
) -> Outcome<Gathered> {
    let mut found: Vec<Gathered> = inputs.iter().map(|_| Gathered::default()).collect();
    let photos: Vec<usize> = (0..inputs.len()).filter(|&input| matches!(inputs[input], MediaFile::Photo(_))).collect();
    let bar = output.bar("files", false);
    bar.set_length(inputs.len() as u64);
    let look = |nth: usize| engine.embed(&Image::open(inputs[photos[nth]].path())?);
    in_order(photos.len(), engine.workers(), look, |nth, faces| {
        bar.inc(1);
        let (gathered, path) = (&mut found[photos[nth]], inputs[photos[nth]].path());
        match faces {
            Ok(faces) => {
                for face in faces {
                    let (Some(quality), Some(embedding)) = (face.quality, face.embedding) else { continue };
                    let seen = Seen { file: path.to_path_buf(), rect: face.detection.rect, quality, shot: None };
                    gathered.add(seen, embedding, args);
                }
                gathered.leave_out_known(engine, gallery)
            }
            Err(error) => {
                gathered.failed += 1;
                report_failed(output, path, error).map(drop)
            }
        }
    })?;
    for (input, gathered) in inputs.iter().zip(&mut found) {
        let MediaFile::Video(path) = input else { continue };
        bar.inc(1);
        match video(engine, gallery, path, args, gathered) {
            Err(error) if !ends_everything(&error) => {
                gathered.failed += 1;
                report_failed(output, path, error)?;
            }
            done => done?,
        }
    }
    bar.finish_and_clear();
    let all = found.into_iter().reduce(|mut all, one| {
        all.seen.extend(one.seen);
        all.embeddings.extend(one.embeddings);
        (all.known, all.poor, all.failed) = (all.known + one.known, all.poor + one.poor, all.failed + one.failed);
        all
    });
    Ok(all.unwrap_or_default())
}

impl Gathered {
    /// With inputs that could not even be looked at.
    pub(super) fn and_failed(mut self, failed: usize) -> Self {
        self.failed += failed;
        self
    }

    fn add(&mut self, seen: Seen, embedding: Embedding, args: &Args) {
        // Whatever the gate: what cannot be recognised is nobody's face.
        if !embedding.is_recognisable() || args.gate.check(&seen.quality).is_some() {
            self.poor += 1;
        } else {
            self.seen.push(seen);
            self.embeddings.push(embedding);
        }
    }

    /// All faces of a photo are looked up at once.
    fn leave_out_known(&mut self, engine: &Engine, gallery: Option<&Gallery>) -> Outcome<()> {
        let Some(gallery) = gallery else { return Ok(()) };
        let options = DecisionOptions::new(engine.identify_threshold()?);
        let unknown: Vec<bool> =
            gallery.identify_many(&self.embeddings, &options).in_gallery()?.iter().map(|decision| decision.person.is_none()).collect();
        self.known += unknown.iter().filter(|unknown| !**unknown).count();
        let (mut seen, mut embeddings) = (unknown.iter(), unknown.iter());
        self.seen.retain(|_| seen.next().is_none_or(|unknown| *unknown));
        self.embeddings.retain(|_| embeddings.next().is_none_or(|unknown| *unknown));
        Ok(())
    }
}

/// One vector per track: what its good shots have in common.
fn video(engine: &Engine, gallery: Option<&Gallery>, path: &Path, args: &Args, gathered: &mut Gathered) -> Result<()> {
    let known = gallery.map_or(KnownPeople::Nobody, KnownPeople::Gallery);
    let options = engine.video_options()?.pictures(args.thumbs.is_some());
    for sighting in engine.watch(VideoReader::open(path)?, known, options)? {
        let sighting = sighting?;
        if sighting.decision.person.is_some() {
            gathered.known += 1;
            continue;
        }
        match track(&sighting, path, args)? {
            Some((seen, embedding)) => gathered.add(seen, embedding, args),
            None => gathered.poor += 1,
        }
    }
    Ok(())
}

fn track(sighting: &Sighting, path: &Path, args: &Args) -> Result<Option<(Seen, Embedding)>> {
    let is_good = |shot: &&BestShot| shot.embedding.is_recognisable() && args.gate.check(&shot.quality).is_none();
    let good: Vec<_> = sighting.best_shots.iter().filter(is_good).collect();
    let best = good.iter().max_by(|a, b| a.quality.score.total_cmp(&b.quality.score));
    let template = Embedding::template(good.iter().map(|shot| (&shot.embedding, shot.quality.score)))?;
    Ok(best.zip(template).map(|(best, template)| {
        let ms = u64::try_from(best.time.as_millis()).unwrap_or(u64::MAX);
        let shot = Shot { ms, track: sighting.track, picture: best.picture.clone() };
        (Seen { file: path.to_path_buf(), rect: best.rect, quality: best.quality, shot: Some(shot) }, template)
    }))
}
