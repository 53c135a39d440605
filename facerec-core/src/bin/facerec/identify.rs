//! `facerec identify`.

use std::path::PathBuf;

use facerec_core::{Annotation, DecisionOptions, Identified, SearchFilter, Tone, text};
use serde_json::Value;

use super::annotated::Annotated;
use super::batch::in_order;
use super::exit::{Exit, InGallery, Outcome};
use super::options::Global;
use super::output::Output;
use super::photo::{Photo, PhotoRecord, report_failed};
use super::record::{FaceRecord, count};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The gallery's folder, or the address of a shared one (postgres://...).
    #[arg(long, value_name = "DIR")]
    gallery: PathBuf,
    /// Photos: JPEG, PNG, WebP, BMP, GIF, TIFF or HEIC.
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// Write copies of the photos with the faces marked and named into this folder.
    #[arg(long, value_name = "DIR")]
    annotate: Option<PathBuf>,
    /// Similarity from which a face is named, -1 to 1 [default: the embedder's at a false match rate of 1e-4].
    #[arg(long, value_name = "SIMILARITY", allow_negative_numbers = true)]
    threshold: Option<f32>,
    /// Look only among these people; may be given several times.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Look only among faces whose metadata has this value, such as `camera=3` or `site="north"`; may be given several times.
    #[arg(long = "where", value_name = "KEY=JSON", value_parser = entry)]
    metadata: Vec<(String, Value)>,
}

impl Args {
    fn filter(&self) -> SearchFilter {
        let everybody = SearchFilter::new();
        let people = if self.only.is_empty() { everybody } else { everybody.persons(&self.only) };
        self.metadata.iter().fold(people, |filter, (key, value)| filter.metadata(key, value.clone()))
    }
}

/// What is no JSON is text: shells eat quotation marks.
fn entry(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("expected a key and a value as `camera=3`, got `{text}`"))?;
    Ok((key.to_string(), serde_json::from_str(value).unwrap_or_else(|_| value.into())))
}

pub(crate) fn run(global: &Global, args: &Args, output: &mut Output) -> Outcome {
    let engine = global.engine(args.images.len(), args.threshold)?;
    let options = global.gallery()?.read_only(true);
    let gallery = engine.open_gallery_with(&args.gallery, options).in_gallery()?;
    // A misspelt name would make everybody unknown.
    for name in &args.only {
        gallery.person(name).in_gallery()?;
    }
    let annotated = args.annotate.as_ref().map(|folder| Annotated::new(folder, &args.images)).transpose()?;
    let (options, filter) = (DecisionOptions::new(engine.identify_threshold()?), args.filter());
    let bar = output.bar("photos", true);
    bar.set_length(args.images.len() as u64);
    let mut exit = Exit::Done;
    let work = |index: usize| {
        Photo::open(&args.images[index], |image| {
            let faces = engine.identify_among(&gallery, image, &options, &filter)?;
            if let Some(annotated) = &annotated {
                let marks = faces.iter().map(mark);
                annotated.write(index, image, marks)?;
            }
            Ok(faces)
        })
    };
    in_order(args.images.len(), engine.workers(), work, |index, photo| {
        bar.inc(1);
        match photo {
            Ok(photo) => report(&text::path_text(&args.images[index]), &photo, output)?,
            Err(error) => exit = report_failed(output, &args.images[index], error)?,
        }
        Ok(())
    })?;
    bar.finish_and_clear();
    Ok(exit)
}

fn mark(found: &Identified) -> Annotation {
    let (detail, tone) = match &found.decision.name {
        Some(_) => (format!("{:.2}", found.decision.similarity), Tone::Known),
        None => (String::new(), Tone::Unknown),
    };
    let detection = &found.face.detection;
    Annotation { rect: detection.rect, landmarks: Some(detection.landmarks), label: name(found).into(), detail, tone }
}

fn report(image: &str, photo: &Photo<Vec<Identified>>, output: &mut Output) -> Outcome<()> {
    let Photo { width, height, ref faces } = *photo;
    let records = faces.iter().map(|found| FaceRecord::identified(&found.face, &found.decision)).collect();
    let record = PhotoRecord { image, width, height, embedder: None, faces: records };
    let mut words = format!("{}  {width}x{height}  {}\n", text::escape(image), count(faces.len(), "face", "faces"));
    let widest = faces.iter().map(|found| name(found).chars().count()).max().unwrap_or_default();
    for found in faces {
        let decision = &found.decision;
        let guess = match (&decision.name, decision.candidates.first()) {
            (None, Some(best)) => format!("  (nearest: {}; {})", best.name, decision.reason.code().replace('_', " ")),
            (None, None) => format!("  ({})", decision.reason.code().replace('_', " ")),
            _ => format!("  (threshold {:.2}, margin {:.2})", decision.threshold, decision.margin),
        };
        let rect = found.face.detection.rect;
        let place = format!("at {:.0},{:.0} {:.0}x{:.0} px", rect.x1, rect.y1, rect.width(), rect.height());
        words += &format!("  {:<widest$}  {:>5.2}  {place}{guess}\n", name(found), decision.similarity);
    }
    output.emit(&record, format_args!("{words}"))
}

fn name(found: &Identified) -> &str {
    found.decision.name.as_deref().unwrap_or("unknown")
}
