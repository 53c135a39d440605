//! `facerec evaluate report`.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use facerec_core::evaluate::report::{EvaluationReport, PackReport};
use facerec_core::evaluate::{EvaluateOptions, ReportOptions, report};
use facerec_core::{Error, text};
use serde_json::Value;

use super::exit::{Exit, Outcome};
use super::options::Global;
use super::output::Output;
use super::record::{passed_over, passed_over_line};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The photos, one sub-folder per person.
    #[arg(long, value_name = "FOLDER")]
    from: PathBuf,
    /// Where the page is written.
    #[arg(long, value_name = "OUT.html")]
    out: PathBuf,
    /// A table of people and groups, to show the figures of each group: CSV or with tabs, a header `person,group`, a line per person.
    #[arg(long, value_name = "FILE")]
    groups: Option<PathBuf>,
    /// Leave out faces, names and paths of people.
    #[arg(long)]
    no_pictures: bool,
}

pub(crate) fn run(global: &Global, args: &Args, output: &mut Output) -> Outcome {
    let folder = args.out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if args.out.is_dir() || !folder.is_dir() {
        // Known before minutes of work.
        let reason = format!("expected a file in a folder that exists, got `{}`", text::escape_path(&args.out));
        return Err(Error::InvalidArgument { name: "out", reason }.into());
    }
    let engines = global.engines()?;
    let packs: Vec<_> = engines.iter().map(|(name, engine)| engine.judged_as(*name)).collect();
    let workers = engines.iter().map(|(_, engine)| engine.workers()).max().unwrap_or(1);
    let (bar, progress) = output.counting_bar("photos");
    let options = EvaluateOptions { workers, progress: &progress, ..EvaluateOptions::default() };
    let wanted = ReportOptions {
        pictures: !args.no_pictures,
        groups: args.groups.clone(),
        command: Some(command(global, args)),
        ..ReportOptions::default()
    };
    let found = report(&packs, &args.from, &wanted, options)?;
    bar.finish_and_clear();
    found.write_html(&args.out)?;
    output.emit(&record(&found, &args.out)?, format_args!("{}", words(&found, &args.out)))?;
    Ok(Exit::Done)
}

/// How the report can be had again. Paths may name people, and are left out with the pictures.
fn command(global: &Global, args: &Args) -> String {
    let path = |path: &Path, stand_in: &str| if args.no_pictures { stand_in.to_owned() } else { text::escape_path(path) };
    let mut command = format!("facerec evaluate report --from {} --out {}", path(&args.from, "FOLDER"), path(&args.out, "OUT.html"));
    let mut add = |option: &str, value: &str| command.extend([" ", option, " ", value]);
    global.packs.iter().for_each(|pack| add("--pack", pack));
    global.detector.iter().for_each(|id| add("--detector", id));
    global.embedder.iter().for_each(|id| add("--embedder", id));
    args.groups.iter().for_each(|groups| add("--groups", &path(groups, "FILE")));
    if args.no_pictures {
        command.push_str(" --no-pictures");
    }
    command
}

fn record(found: &EvaluationReport, out: &Path) -> Outcome<Value> {
    let unreadable = |error: serde_json::Error| Error::Internal { reason: format!("read a report's JSON: {error}") };
    let mut record: Value = serde_json::from_str(&found.to_json()?).map_err(unreadable)?;
    record["passed_over"] = passed_over(&found.passed_over);
    record["out"] = text::path_text(out).into();
    Ok(record)
}

fn words(found: &EvaluationReport, out: &Path) -> String {
    let mut words = format!("people          {}\nphotos          {}\n", found.people, found.photos);
    for pack in &found.packs {
        let _ = write!(words, "\n{}", figures(pack));
    }
    let _ = write!(words, "{}\npage            {}\n", passed_over_line(&found.passed_over), text::escape_path(out));
    words
}

fn figures(pack: &PackReport) -> String {
    let verification = &pack.verification;
    let mut words = format!(
        "{}\n  photos        {} without a face, {} not recognisable\n",
        pack.pack, verification.no_face, verification.unrecognisable
    );
    for point in &verification.operating_points {
        let (Some(threshold), Some(fnmr)) = (point.threshold, point.fnmr) else { continue };
        let _ = writeln!(words, "  FNMR at {:e}  {fnmr:.4} (threshold {threshold:.3})", point.fmr);
    }
    if let Some(searched) = &pack.identification {
        let _ = writeln!(words, "  rank 1        {:.4}", searched.rank1);
        for point in &searched.open_set {
            let Some(fnir) = point.fnir else { continue };
            let _ = writeln!(words, "  FNIR at {:e}  {fnir:.4}", point.fpir);
        }
    }
    words
}
