//! `facerec detect` and `facerec embed`.

use std::path::PathBuf;

use facerec_core::{Annotation, Detection, Engine, Face, Tone, text};

use super::annotated::Annotated;
use super::batch::in_order;
use super::exit::{Exit, Outcome};
use super::options::Global;
use super::output::Output;
use super::photo::{Photo, PhotoRecord, report_failed};
use super::record::{FaceRecord, count, describe};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Photos: JPEG, PNG, WebP, BMP, GIF, TIFF or HEIC.
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// Write copies of the photos with the faces marked into this folder.
    #[arg(long, value_name = "DIR")]
    annotate: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct EmbedArgs {
    /// Photos: JPEG, PNG, WebP, BMP, GIF, TIFF or HEIC.
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
}

pub(crate) fn run(global: &Global, args: &Args, output: &mut Output) -> Outcome {
    each_photo(global, &args.images, args.annotate.as_ref(), false, output)
}

pub(crate) fn run_embed(global: &Global, args: &EmbedArgs, output: &mut Output) -> Outcome {
    each_photo(global, &args.images, None, true, output)
}

fn each_photo(global: &Global, images: &[PathBuf], annotate: Option<&PathBuf>, embed: bool, output: &mut Output) -> Outcome {
    let engine = global.engine(images.len(), None)?;
    let annotated = annotate.map(|folder| Annotated::new(folder, images)).transpose()?;
    let bar = output.bar("photos", true);
    bar.set_length(images.len() as u64);
    let mut exit = Exit::Done;
    let work = |index: usize| {
        Photo::open(&images[index], |image| {
            let faces = if embed { engine.embed(image)? } else { engine.detect(image)? };
            if let Some(annotated) = &annotated {
                annotated.write(index, image, faces.iter().map(mark))?;
            }
            Ok(faces)
        })
    };
    in_order(images.len(), engine.workers(), work, |index, photo| {
        bar.inc(1);
        match photo {
            Ok(photo) => report(&engine, &text::path_text(&images[index]), &photo, embed, output)?,
            Err(error) => exit = report_failed(output, &images[index], error)?,
        }
        Ok(())
    })?;
    bar.finish_and_clear();
    Ok(exit)
}

fn mark(face: &Face) -> Annotation {
    let Detection { rect, score, landmarks } = face.detection;
    Annotation { rect, landmarks: Some(landmarks), label: String::new(), detail: format!("{score:.2}"), tone: Tone::Neutral }
}

fn report(engine: &Engine, image: &str, photo: &Photo<Vec<Face>>, embed: bool, output: &mut Output) -> Outcome<()> {
    let Photo { width, height, ref faces } = *photo;
    let record = PhotoRecord {
        image,
        width,
        height,
        embedder: embed.then(|| engine.embedder().id()),
        faces: faces.iter().map(if embed { FaceRecord::embedded } else { FaceRecord::new }).collect(),
    };
    let mut words = format!("{}  {width}x{height}  {}\n", text::escape(image), count(faces.len(), "face", "faces"));
    for face in faces {
        words += &format!("  {}\n", describe(face));
        if let Some(embedding) = &face.embedding {
            let start: Vec<String> = embedding.as_slice().iter().take(4).map(|v| format!("{v:+.3}")).collect();
            words += &format!(
                "    {} values of {}: {} ... (all with --json)\n",
                embedding.as_slice().len(),
                engine.embedder().id(),
                start.join(" ")
            );
        }
    }
    output.emit(&record, format_args!("{words}"))
}
