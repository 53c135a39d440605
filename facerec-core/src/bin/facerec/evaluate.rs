//! `facerec evaluate`.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use facerec_core::evaluate::{ClusterReport, EvaluateOptions, TrackFile, clusters, identification, pairs, tracks};
use facerec_core::gallery::ClusterOptions;
use serde_json::json;

use super::exit::{Exit, Outcome};
use super::options::Global;
use super::output::Output;
use super::record::{passed_over, passed_over_line};
use super::report;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

impl Args {
    /// Whether several packs are compared.
    pub(crate) fn takes_several_packs(&self) -> bool {
        matches!(self.what, What::Report(_))
    }
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
    /// Put the faces of a labelled folder together without its labels, and compare.
    Clusters {
        /// The photos, one sub-folder per person.
        #[arg(long, value_name = "FOLDER")]
        from: PathBuf,
        /// Mean similarity from which large clusters are one person; may be given several times [default: the embedder's at a
        /// false match rate of 1e-4].
        #[arg(long, value_name = "SIMILARITY", allow_negative_numbers = true)]
        threshold: Vec<f32>,
    },
    /// Judge packs on your own photos: figures, and a page that shows them with curves and the worst pairs.
    Report(report::Args),
    /// Compare tracks with a truth.
    Tracks {
        /// The truth: JSON Lines like the command `video --boxes` prints, or MOT text.
        #[arg(long, value_name = "FILE")]
        truth: PathBuf,
        /// The tracks to judge, in either format.
        #[arg(long, value_name = "FILE")]
        result: PathBuf,
    },
}

pub(crate) fn run(global: &Global, args: &Args, output: &mut Output) -> Outcome {
    if let What::Tracks { truth, result } = &args.what {
        return judge(truth, result, output);
    }
    if let What::Report(args) = &args.what {
        return report::run(global, args, output);
    }
    let engine = global.engine(usize::MAX, None)?;
    let (bar, progress) = output.counting_bar("photos");
    let options = EvaluateOptions { workers: engine.workers(), progress: &progress, ..EvaluateOptions::default() };
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
                "passed_over": passed_over(&report.passed_over),
            });
            let text = format!(
                "people   {}\nprobes   {} ({} photos without a face)\nrank 1   {:.4}\n{}",
                report.persons,
                report.probes,
                report.no_face,
                report.rank1,
                passed_over_line(&report.passed_over)
            );
            output.emit(&record, format_args!("{text}"))?;
        }
        What::Clusters { from, threshold } => {
            let usual = engine.cluster_options()?;
            let mut ways: Vec<ClusterOptions> = threshold.iter().map(|&t| ClusterOptions::new(t, usual.strict_step)).collect();
            if ways.is_empty() {
                ways.push(usual);
            }
            let reports = clusters(engine.analyzer(), from, &ways, options)?;
            bar.finish_and_clear();
            ways.iter().zip(&reports).try_for_each(|(way, report)| put_together(way, report, output))?;
            output.remark(&reports.first().map_or_else(String::new, |report| passed_over_line(&report.passed_over)))?;
        }
        What::Tracks { .. } | What::Report(_) => {} // need no engine, or several: done above
    }
    Ok(Exit::Done)
}

fn put_together(way: &ClusterOptions, report: &ClusterReport, output: &mut Output) -> Outcome<()> {
    let record = json!({
        "threshold": digits(way.threshold.into()), "strict_step": digits(way.strict_step.into()),
        "faces": report.faces, "no_face": report.no_face, "persons": report.persons, "clusters": report.clusters, "mixed": report.mixed,
        "pairs": {"precision": digits(report.pair_precision), "recall": digits(report.pair_recall), "f1": digits(report.pair_f1())},
        "bcubed": {"precision": digits(report.bcubed_precision), "recall": digits(report.bcubed_recall), "f1": digits(report.bcubed_f1())},
        "passed_over": passed_over(&report.passed_over),
    });
    let text = format!(
        "threshold  {:.3}, {:.3} for single faces\nfaces      {} of {} people ({} photos without a face)\nclusters   {}, {} of them mixed\n\
         pairs      precision {:.4}  recall {:.4}  F1 {:.4}\nBCubed     precision {:.4}  recall {:.4}  F1 {:.4}\n",
        way.threshold,
        way.threshold + way.strict_step,
        report.faces,
        report.persons,
        report.no_face,
        report.clusters,
        report.mixed,
        report.pair_precision,
        report.pair_recall,
        report.pair_f1(),
        report.bcubed_precision,
        report.bcubed_recall,
        report.bcubed_f1()
    );
    output.emit(&record, format_args!("{text}"))
}

fn judge(truth: &Path, result: &Path, output: &mut Output) -> Outcome {
    let report = tracks(&TrackFile::read(truth)?, &TrackFile::read(result)?);
    let mut record = json!({
        "mota": digits(report.mota), "idf1": digits(report.idf1), "id_switches": report.id_switches, "fragments": report.fragments,
        "purity": digits(report.purity), "misses": report.misses, "false_boxes": report.false_boxes, "boxes": report.true_boxes,
        "tracks_per_person": digits(report.tracks_per_person),
    });
    let mut text = format!(
        "MOTA               {:.4}\nIDF1               {:.4}\nswitches           {}\nfragments          {}\npurity             {:.4}\n\
         missed boxes       {} of {}\nfalse boxes        {}\ntracks per person  {:.2}\n",
        report.mota,
        report.idf1,
        report.id_switches,
        report.fragments,
        report.purity,
        report.misses,
        report.true_boxes,
        report.false_boxes,
        report.tracks_per_person
    );
    if let Some(named) = report.identification {
        record["identification"] = json!({
            "precision": digits(named.precision), "recall": digits(named.recall), "named": named.named, "appearances": named.appearances,
        });
        text += &format!(
            "named rightly      {:.4} of {} tracks\nfound by name      {:.4} of {} appearances\n",
            named.precision, named.named, named.recall, named.appearances
        );
    }
    output.emit(&record, format_args!("{text}"))?;
    Ok(Exit::Done)
}

/// Six decimals: one pair in a million.
pub(crate) fn digits(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}
