//! `facerec compare`.

use std::path::PathBuf;

use facerec_core::{Image, text};
use serde::Serialize;

use super::exit::{Exit, Outcome};
use super::options::Global;
use super::output::Output;
use super::photo::report_failed;
use super::record::{FaceRecord, describe, round};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// One photo; of several faces, the largest counts.
    a: PathBuf,
    /// The other photo.
    b: PathBuf,
    /// Similarity from which two faces are one person's, -1 to 1 [default: the embedder's at a false match rate of 1e-3].
    #[arg(long, value_name = "SIMILARITY", allow_negative_numbers = true)]
    threshold: Option<f32>,
}

/// The JSON of a comparison; a photo without a face gives null for the face and the similarity.
#[derive(Serialize)]
struct Record<'a> {
    similarity: Option<f64>,
    threshold: f64,
    same: bool,
    /// Why there is no verdict, though both photos have a face.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    a: Option<FaceRecord<'a>>,
    b: Option<FaceRecord<'a>>,
}

pub(crate) fn run(global: &Global, args: &Args, output: &mut Output) -> Outcome {
    let engine = global.engine(1, args.threshold)?;
    let (a, b) = (Image::open(&args.a), Image::open(&args.b));
    let (a, b) = match (a, b) {
        (Ok(a), Ok(b)) => (a, b),
        (a, b) => {
            for (path, image) in [(&args.a, a), (&args.b, b)] {
                if let Err(error) = image {
                    report_failed(output, path, error)?;
                }
            }
            return Ok(Exit::SomeFailed);
        }
    };
    let found = engine.compare(&a, &b)?;
    let record = Record {
        similarity: found.similarity.map(|similarity| round(similarity, 6)),
        threshold: round(found.threshold, 4),
        same: found.same,
        reason: (found.similarity.is_some() && !found.recognisable).then_some("unrecognisable"),
        a: found.a.as_ref().map(FaceRecord::new),
        b: found.b.as_ref().map(FaceRecord::new),
    };
    let verdict = match found.similarity {
        Some(_) if !found.recognisable => {
            "cannot compare: a face cannot be told from others (turned, blurred, too small, badly lit, or not human)".into()
        }
        Some(similarity) => {
            let verdict = if found.same { "same person" } else { "different people" };
            format!("{verdict}: similarity {similarity:.3}, threshold {:.3}", found.threshold)
        }
        None => "cannot compare: no face found".into(),
    };
    let line = |face: &Option<_>| face.as_ref().map_or_else(|| "no face".into(), describe);
    let (a, b) = (text::escape_path(&args.a), text::escape_path(&args.b));
    output.emit(&record, format_args!("{verdict}\n  {a}: {}\n  {b}: {}\n", line(&found.a), line(&found.b)))?;
    Ok(Exit::Done)
}
