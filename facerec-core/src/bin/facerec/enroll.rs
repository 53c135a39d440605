//! `facerec enroll`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use facerec_core::{EnrollOptions, Enrolment, Error, ErrorKind, QualityGate, RejectReason};
use serde::Serialize;

use super::batch::in_order;
use super::exit::{Exit, InGallery, Outcome, ends_everything};
use super::options::Global;
use super::output::{ErrorRecord, Output};
use super::photo::Photo;
use super::record::count;

/// Extensions of the photos that `--from` takes; what else lies in the folders is left alone.
pub(super) const PHOTOS: [&str; 8] = ["jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff"];

#[derive(Debug, clap::Args)]
#[command(after_help = "A refused photo counts as a failed input (exit code 1); one that is enrolled already (`duplicate`) does not.")]
pub(crate) struct Args {
    /// The gallery's folder, made when it is not there; or the address of a shared one (postgres://...).
    #[arg(long, value_name = "DIR")]
    gallery: PathBuf,
    /// Whose photos they are.
    #[arg(long, value_name = "NAME", requires = "images", required_unless_present = "from")]
    person: Option<String>,
    /// Photos of that person.
    #[arg(value_name = "IMAGE", requires = "person")]
    images: Vec<PathBuf>,
    /// A folder with one sub-folder of photos per person, named like the person.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["person", "images"])]
    from: Option<PathBuf>,
    /// How strict to be about the faces: off, standard or strict.
    #[arg(long, value_name = "GATE", default_value = "standard")]
    gate: QualityGate,
}

/// The JSON of one photo.
#[derive(Serialize)]
struct Record<'a> {
    image: &'a str,
    person: &'a str,
    accepted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    face_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorRecord>,
}

/// The last JSON line: what this run added and refused.
#[derive(Serialize)]
struct SummaryRecord {
    summary: Summary,
}

#[derive(Serialize)]
struct Summary {
    persons: usize,
    faces: usize,
    rejected: usize,
}

pub(crate) fn run(global: &Global, args: &Args, output: &mut Output) -> Outcome {
    let photos = match (&args.from, &args.person) {
        (Some(folder), _) => photos_in(folder)?,
        (None, person) => {
            let person = person.clone().unwrap_or_default();
            args.images.iter().map(|image| (person.clone(), image.clone())).collect()
        }
    };
    let engine = global.engine(photos.len(), None)?;
    let gallery = engine.open_gallery_with(&args.gallery, global.gallery()?).in_gallery()?;
    let bar = output.bar("photos", true);
    bar.set_length(photos.len() as u64);
    let (mut persons, mut faces, mut rejected, mut exit) = (BTreeSet::new(), 0, 0, Exit::Done);
    let work = |index: usize| Photo::open(&photos[index].1, |image| engine.embed(image));
    in_order(photos.len(), engine.workers(), work, |index, photo| {
        bar.inc(1);
        let (person, path) = &photos[index];
        let image = path.to_string_lossy();
        let mut record = Record { image: &image, person, accepted: false, face_id: None, reason: None, error: None };
        match photo {
            Ok(photo) => {
                let options = EnrollOptions::default().gate(args.gate).source(image.as_ref());
                match engine.enroll_faces(&gallery, person, photo.faces, &options).in_gallery()? {
                    Enrolment::Accepted { face_id, .. } => {
                        faces += 1;
                        persons.insert(person.as_str());
                        record.accepted = true;
                        record.face_id = Some(face_id.0);
                        output.emit(&record, format_args!("{image}  enrolled as {person} (face {})\n", face_id.0))
                    }
                    Enrolment::Rejected { reason, .. } => {
                        record.reason = Some(reason.code());
                        if reason != RejectReason::Duplicate {
                            exit = Exit::SomeFailed;
                        }
                        let text = format_args!("{image}  refused for {person}: {}\n", explain(reason));
                        rejected += 1;
                        output.emit(&record, text)
                    }
                }
            }
            Err(error) if ends_everything(&error) => Err(error.into()),
            Err(error) => {
                rejected += 1;
                exit = Exit::SomeFailed;
                record.reason = Some(ErrorKind::DecodeImage.code());
                record.error = Some((&error).into());
                output.emit(&record, format_args!("{image}  failed: {error}\n"))
            }
        }
    })?;
    bar.finish_and_clear();
    let summary = Summary { persons: persons.len(), faces, rejected };
    let text = format!(
        "{} of {} enrolled in {}, {rejected} refused\n",
        count(faces, "face", "faces"),
        count(persons.len(), "person", "people"),
        args.gallery.display()
    );
    output.emit(&SummaryRecord { summary }, format_args!("{text}"))?;
    Ok(exit)
}

fn explain(reason: RejectReason) -> &'static str {
    match reason {
        RejectReason::NoFace => "no face found",
        RejectReason::SeveralFaces => "several faces, any could be meant; crop the photo",
        RejectReason::TooSmall => "the face is too small",
        RejectReason::Blurred => "the face is blurred",
        RejectReason::ExtremePose => "the head is turned too far",
        RejectReason::BadExposure => "the face is too dark, too bright or flat",
        RejectReason::NotThisPerson => "the face does not fit this person",
        RejectReason::Duplicate => "enrolled already",
    }
}

/// Name and path of every photo in `folder`'s sub-folders, sorted.
fn photos_in(folder: &Path) -> Outcome<Vec<(String, PathBuf)>> {
    let mut photos = Vec::new();
    for person in sorted(folder)?.into_iter().filter(|path| path.is_dir()) {
        let name = person.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with('.') {
            continue;
        }
        let is_photo = |path: &PathBuf| {
            let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
            path.is_file() && extension.is_some_and(|extension| PHOTOS.contains(&extension.as_str()))
        };
        photos.extend(sorted(&person)?.into_iter().filter(is_photo).map(|path| (name.clone(), path)));
    }
    if photos.is_empty() {
        let reason = format!("expected one sub-folder of photos per person, found no photo in `{}`", folder.display());
        return Err(Error::InvalidArgument { name: "from", reason }.into());
    }
    Ok(photos)
}

pub(super) fn sorted(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let failed = |source| Error::Io { action: "read", path: folder.to_path_buf(), source };
    let entries = std::fs::read_dir(folder).map_err(failed)?;
    let mut paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    paths.sort();
    Ok(paths)
}
