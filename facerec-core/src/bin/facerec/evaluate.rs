//! `facerec evaluate`.

use std::path::PathBuf;

use clap::Subcommand;
use facerec_core::evaluate::{EvaluateOptions, identification, pairs};
use serde_json::json;

use crate::exit::{Exit, Outcome};
use crate::options::Global;
use crate::output::Output;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Tell pairs of photos apart: the protocol of Labeled Faces in the Wild.
    Pairs {
        /// The list of pairs, in the format of LFW's pairs.txt.
        #[arg(long, value_name = "FILE")]
        pairs: PathBuf,
        /// The photos, one sub-folder per person.
        #[arg(long, value_name = "DIR")]
        images: PathBuf,
    },
    /// Find each person's other photos after enrolling the first one.
    Identification {
        /// The photos, one sub-folder per person.
        #[arg(long, value_name = "FOLDER")]
        from: PathBuf,
    },
}

pub(crate) fn run(global: &Global, args: &Args, output: &mut Output) -> Outcome {
    let engine = global.engine(usize::MAX, None)?;
    let bar = output.bar("photos", false);
    let progress = |done: usize, all: usize| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    };
    let options = EvaluateOptions { workers: engine.workers(), progress: &progress };
    match &args.what {
        What::Pairs { pairs: list, images } => {
            let report = pairs(engine.analyzer(), list, images, options)?;
            bar.finish_and_clear();
            let record = json!({
                "pairs": report.pairs, "no_face": report.no_face,
                "accuracy": digits(report.accuracy), "accuracy_std": digits(report.accuracy_std), "eer": digits(report.eer),
                "tar": {"1e-2": digits(report.tar[0]), "1e-3": digits(report.tar[1])},
                "threshold": {"1e-2": digits(report.threshold[0].into()), "1e-3": digits(report.threshold[1].into())},
                "wall_ms": report.wall_ms,
            });
            let text = format!(
                "pairs         {} ({} without a face)\naccuracy      {:.4} +- {:.4}\nequal error   {:.4}\n\
                 TAR at 1e-2   {:.4} (threshold {:.3})\nTAR at 1e-3   {:.4} (threshold {:.3})\ntime          {:.1} s\n",
                report.pairs,
                report.no_face,
                report.accuracy,
                report.accuracy_std,
                report.eer,
                report.tar[0],
                report.threshold[0],
                report.tar[1],
                report.threshold[1],
                report.wall_ms as f64 / 1e3
            );
            output.emit(&record, format_args!("{text}"))?;
        }
        What::Identification { from } => {
            let report = identification(engine.analyzer(), from, options)?;
            bar.finish_and_clear();
            let record = json!({
                "persons": report.persons, "probes": report.probes, "no_face": report.no_face, "rank1": digits(report.rank1),
            });
            let text = format!(
                "people   {}\nprobes   {} ({} photos without a face)\nrank 1   {:.4}\n",
                report.persons, report.probes, report.no_face, report.rank1
            );
            output.emit(&record, format_args!("{text}"))?;
        }
    }
    Ok(Exit::Done)
}

/// Six decimals: one pair in a million.
pub(crate) fn digits(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}
