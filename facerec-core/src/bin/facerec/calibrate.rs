//! `facerec calibrate`.

use std::path::PathBuf;

use facerec_core::evaluate::{EvaluateOptions, calibrate};
use serde_json::json;

use super::evaluate::digits;
use super::exit::{Exit, Outcome};
use super::options::Global;
use super::output::Output;
use super::record::{passed_over, passed_over_line};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A folder with one sub-folder of photos per person.
    #[arg(long, value_name = "FOLDER")]
    from: PathBuf,
    /// How often two different people may be taken for one, above 0 and below 1; may be given several times.
    #[arg(long, value_name = "RATE", default_value = "1e-3")]
    fmr: Vec<f64>,
}

pub(crate) fn run(global: &Global, args: &Args, output: &mut Output) -> Outcome {
    let engine = global.engine(usize::MAX, None)?;
    let (bar, progress) = output.counting_bar("photos");
    let options = EvaluateOptions { workers: engine.workers(), progress: &progress, ..EvaluateOptions::default() };
    let found = calibrate(engine.analyzer(), &args.from, &args.fmr, options)?;
    bar.finish_and_clear();
    let line = found.first().map_or_else(String::new, |found| passed_over_line(&found.passed_over));
    for found in found {
        let record = json!({
            "threshold": digits(found.threshold.into()), "fmr": digits(found.fmr), "fnmr": digits(found.fnmr), "pairs": found.pairs,
            "passed_over": passed_over(&found.passed_over),
        });
        let text = format!(
            "threshold        {:.4}\nfalse matches    {:.6}\nfalse non-match  {:.6}\npairs            {}\n",
            found.threshold, found.fmr, found.fnmr, found.pairs
        );
        output.emit(&record, format_args!("{text}"))?;
    }
    output.remark(&line)?;
    Ok(Exit::Done)
}
