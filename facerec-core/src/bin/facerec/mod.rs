//! The `facerec` command: thin doors to the engine. One file per subcommand.
//!
//! Exit code: 0 all inputs done; 1 some inputs failed (each reported, the rest done); 2 usage; 3 model or runtime; 4 gallery;
//! 130 ended by Ctrl-C, with the results so far.
// Public documentation is the command's own `--help`; standard error is its to write to.
#![allow(missing_docs, clippy::print_stderr)]

mod annotated;
mod batch;
mod calibrate;
mod cluster;
mod compare;
mod detect;
mod doctor;
mod enroll;
mod evaluate;
mod exit;
mod fetch;
mod gallery;
mod identify;
mod models;
mod options;
mod output;
mod people;
mod photo;
mod record;
mod report;
mod video;

use std::ffi::OsString;
use std::io::Write;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use facerec_core::text;
use tracing_subscriber::EnvFilter;

pub use exit::Exit;
use exit::Outcome;
use options::Global;
use output::Output;

/// Find, compare, enrol and identify faces in photos and videos.
#[derive(Debug, Parser)]
#[command(name = "facerec", version, arg_required_else_help = true, max_term_width = 110)]
#[command(after_help = "Exit code: 0 all inputs done; 1 some inputs failed (each reported, the rest done); 2 usage; 3 model or \
                        runtime; 4 gallery; 130 a live source ended by Ctrl-C.\nEnvironment: FACEREC_MODELS model folders, FACEREC_ORT ONNX Runtime library, FACEREC_LOG log filter, FACEREC_GALLERY_KEY or \
                        FACEREC_GALLERY_PASSPHRASE the key of an encrypted gallery.")]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Find faces in photos.
    Detect(detect::Args),
    /// Find faces and turn them into vectors.
    Embed(detect::EmbedArgs),
    /// Say whether two photos show the same person.
    Compare(compare::Args),
    /// Add people to a gallery.
    Enroll(enroll::Args),
    /// Say who is in photos.
    Identify(identify::Args),
    /// Say who is in a video, from when to when.
    Video(video::Args),
    /// Look into, change, check and copy a gallery.
    Gallery(gallery::Args),
    /// Measure how good the models are.
    Evaluate(evaluate::Args),
    /// Find the threshold for a false match rate on your own photos.
    Calibrate(calibrate::Args),
    /// List, fetch and check models.
    Models(models::Args),
    /// Check that everything needed is there, and say how to mend what is not.
    Doctor(doctor::Args),
}

/// Runs the command on `args`, the first of which is the program's name.
pub fn main(args: impl IntoIterator<Item = OsString>) -> Exit {
    let args: Vec<OsString> = video::with_reconnect(args).collect();
    let cli = match Cli::command().try_get_matches_from(&args).and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => {
            say(&error, &args);
            return if error.use_stderr() { Exit::Usage } else { Exit::Done };
        }
    };
    log_to_stderr(cli.global.verbose);
    let mut output = Output::new(cli.global.json);
    match run(&cli, &mut output) {
        Ok(exit) => exit,
        Err(failure) => output.failure(&failure),
    }
}

/// Says what is wrong with `args`, or what was asked for: in colour where nothing in them could play tricks on the terminal.
fn say(error: &clap::Error, args: &[OsString]) {
    let shown: Vec<String> = args.iter().map(text::escape_path).collect();
    let plain = args.iter().zip(&shown).all(|(arg, shown)| arg.to_str() == Some(shown));
    // Nowhere to report that reporting failed.
    let _ = if error.kind() == clap::error::ErrorKind::InvalidUtf8 {
        let wrong: Vec<_> =
            args.iter().zip(&shown).filter(|(arg, _)| arg.to_str().is_none()).map(|(_, shown)| format!("`{shown}`")).collect();
        writeln!(std::io::stderr(), "error: expected names in UTF-8, got {}", wrong.join(", "))
    } else if plain || !error.use_stderr() {
        error.print()
    } else {
        write!(std::io::stderr(), "{}", text::escape_lines(&text::without_secrets(&error.render().to_string())))
    };
}

fn run(cli: &Cli, output: &mut Output) -> Outcome {
    let global = &cli.global;
    let compares = matches!(&cli.command, Command::Evaluate(args) if args.takes_several_packs());
    if global.packs.len() > 1 && !compares {
        let reason = format!("expected one pack, got {}; only `evaluate report` compares several", global.packs.len());
        return Err(facerec_core::Error::InvalidArgument { name: "pack", reason }.into());
    }
    match &cli.command {
        Command::Detect(args) => detect::run(global, args, output),
        Command::Embed(args) => detect::run_embed(global, args, output),
        Command::Compare(args) => compare::run(global, args, output),
        Command::Enroll(args) => enroll::run(global, args, output),
        Command::Identify(args) => identify::run(global, args, output),
        Command::Video(args) => video::run(global, args, output),
        Command::Gallery(args) => gallery::run(global, args, output),
        Command::Evaluate(args) => evaluate::run(global, args, output),
        Command::Calibrate(args) => calibrate::run(global, args, output),
        Command::Models(args) => models::run(global, args, output),
        Command::Doctor(args) => doctor::run(global, args, output),
    }
}

fn log_to_stderr(verbose: u8) {
    let default = match verbose {
        // Two warnings that everybody should see: who holds a gallery, and which licence a model really has.
        0 => "error,facerec_core::gallery::lock=warn,facerec_core::video::live=warn,facerec_core::model::licence=warn",
        1 => "warn,facerec_core=info",
        2 => "info,facerec_core=debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_env("FACEREC_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    // A program that calls the command may log in a way of its own.
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(|| Escaped(std::io::stderr()));
    let _ = log.without_time().try_init();
}

/// Writes each event on one line: what it quotes may hold line breaks and worse.
struct Escaped<W>(W);

impl<W: Write> Write for Escaped<W> {
    /// `event` is a whole one: the subscriber collects it first.
    fn write(&mut self, event: &[u8]) -> std::io::Result<usize> {
        let line = event.strip_suffix(b"\n").unwrap_or(event);
        writeln!(self.0, "{}", text::escape_bytes(line)).map(|()| event.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}
