//! `facerec enroll`.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use facerec_core::folder::{PassedOver, PeopleFolder, Unreadable, people};
use facerec_core::{EnrollOptions, Enrolment, Error, ErrorKind, QualityGate, RejectReason, text};
use serde::Serialize;
use serde_json::Value;

use super::batch::in_order;
use super::exit::{Exit, InGallery, Outcome, ends_everything};
use super::options::Global;
use super::output::{ErrorRecord, Output};
use super::photo::Photo;
use super::record::{count, passed_over, passed_over_line};

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
    /// A folder with one sub-folder of photos per person, named like the person. Hidden files, and those that systems and photo
    /// programs keep for themselves, are passed over; the summary counts what was.
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

impl<'a> Record<'a> {
    fn new(image: &'a str, person: &'a str) -> Self {
        Self { image, person, accepted: false, face_id: None, reason: None, error: None }
    }
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
    /// Where a folder was walked.
    #[serde(skip_serializing_if = "Option::is_none")]
    passed_over: Option<Value>,
}

pub(crate) fn run(global: &Global, args: &Args, output: &mut Output) -> Outcome {
    let Inputs { photos, passed_over: passed, unreadable } = inputs(args)?;
    let engine = global.engine(photos.len(), None)?;
    let gallery = engine.open_gallery_with(&args.gallery, global.gallery()?).in_gallery()?;
    let bar = output.bar("photos", true);
    bar.set_length(photos.len() as u64);
    let (mut persons, mut faces, mut rejected, mut exit) = (BTreeSet::new(), 0, 0, Exit::Done);
    for (person, Unreadable { path, error, .. }) in &unreadable {
        (rejected, exit) = (rejected + 1, Exit::SomeFailed);
        failed(output, &text::path_text(path), person, error)?;
    }
    let work = |index: usize| Photo::open(&photos[index].1, |image| engine.embed(image));
    in_order(photos.len(), engine.workers(), work, |index, photo| {
        bar.inc(1);
        let (person, path) = &photos[index];
        let image = text::path_text(path);
        let shown = text::escape(&image);
        let mut record = Record::new(&image, person);
        match photo {
            Ok(photo) => {
                let options = EnrollOptions::default().gate(args.gate).source(image.as_ref());
                match engine.enroll_faces(&gallery, person, photo.faces, &options).in_gallery()? {
                    Enrolment::Accepted { face_id, .. } => {
                        faces += 1;
                        persons.insert(person.as_str());
                        record.accepted = true;
                        record.face_id = Some(face_id.0);
                        output.emit(&record, format_args!("{shown}  enrolled as {person} (face {})\n", face_id.0))
                    }
                    Enrolment::Rejected { reason, .. } => {
                        record.reason = Some(reason.code());
                        if reason != RejectReason::Duplicate {
                            exit = Exit::SomeFailed;
                        }
                        let text = format_args!("{shown}  refused for {person}: {}\n", explain(reason));
                        rejected += 1;
                        output.emit(&record, text)
                    }
                }
            }
            Err(error) if ends_everything(&error) => Err(error.into()),
            Err(error) => {
                rejected += 1;
                exit = Exit::SomeFailed;
                failed(output, &image, person, &error)
            }
        }
    })?;
    bar.finish_and_clear();
    let summary = Summary { persons: persons.len(), faces, rejected, passed_over: args.from.as_ref().map(|_| passed_over(&passed)) };
    let text = format!(
        "{} of {} enrolled in {}, {rejected} refused\n{}",
        count(faces, "face", "faces"),
        count(persons.len(), "person", "people"),
        text::escape_path(&args.gallery),
        passed_over_line(&passed)
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
        RejectReason::Unrecognisable => "the face cannot be told from others",
        RejectReason::NotThisPerson => "the face does not fit this person",
        RejectReason::Duplicate => "enrolled already",
    }
}

/// A photo that could not be read, or a folder.
fn failed(output: &mut Output, image: &str, person: &str, error: &Error) -> Outcome<()> {
    let reason = Some(ErrorKind::DecodeImage.code());
    let record = Record { reason, error: Some(error.into()), ..Record::new(image, person) };
    output.emit(&record, format_args!("{}  failed: {error}\n", text::escape(image)))
}

/// What is to be enrolled.
#[derive(Default)]
struct Inputs {
    /// Whose photo, and where it is.
    photos: Vec<(String, PathBuf)>,
    passed_over: PassedOver,
    unreadable: Vec<(String, Unreadable)>,
}

fn inputs(args: &Args) -> Outcome<Inputs> {
    let Some(folder) = &args.from else {
        let person = text::person_name(args.person.as_deref().unwrap_or_default())?.into_owned();
        let photos = args.images.iter().map(|image| (person.clone(), image.clone())).collect();
        return Ok(Inputs { photos, ..Inputs::default() });
    };
    let found = people(folder)?;
    if found.people.is_empty() && found.unreadable.is_empty() {
        return Err(found.nobody("from", folder).into());
    }
    let PeopleFolder { people, passed_over, unreadable, .. } = found;
    let (mut photos, mut wrong) = (Vec::new(), Vec::new());
    for person in people {
        match name_of(&person.path) {
            Ok(name) => photos.extend(person.photos.into_iter().map(|photo| (name.clone(), photo))),
            Err(reason) => wrong.push(reason),
        }
    }
    // All at once: each run reads everything anew.
    if !wrong.is_empty() {
        return Err(Error::InvalidArgument { name: "from", reason: wrong.join("; ") }.into());
    }
    // The folder's name, also where a file in it cannot be looked at.
    let name = |path: &Path| {
        let below = path.strip_prefix(folder).unwrap_or(path).components().next();
        below.map(|name| text::path_text(name.as_ref()).into_owned()).unwrap_or_default()
    };
    Ok(Inputs { photos, passed_over, unreadable: unreadable.into_iter().map(|one| (name(&one.path), one)).collect() })
}

/// The name of the person whose photos are in `folder`, which is the folder's own, or why it cannot be one.
fn name_of(folder: &Path) -> Result<String, String> {
    let shown = text::escape_path(folder);
    let name = folder.file_name().unwrap_or_default().to_str();
    let name = name.ok_or_else(|| format!("expected folders with names in UTF-8, got `{shown}`; rename it, for example with `convmv`"))?;
    text::person_name(name).map(Cow::into_owned).map_err(|error| format!("folder `{shown}`: {error}"))
}
