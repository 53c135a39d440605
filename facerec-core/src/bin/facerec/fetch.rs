//! `facerec models fetch`.

use std::path::PathBuf;

use facerec_core::{ModelCatalog, text};
use serde_json::json;

use super::exit::{Exit, InModels, Outcome};
use super::models;
use super::options::Global;
use super::output::Output;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Ids of models [default: what the pack (--pack) needs].
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// Folder to install into [default: the first --models, or the user's cache folder].
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Agree to licences that forbid commercial use.
    #[arg(long)]
    accept_licence: bool,
    /// PEM file with the certificate authorities to trust instead of the built-in ones.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

pub(crate) fn run(global: &Global, args: &Args, output: &mut Output) -> Outcome {
    let catalog = ModelCatalog::from_env(&global.models).in_models()?;
    let mut options = facerec_core::model::FetchOptions::default().accept_licence(args.accept_licence);
    if let Some(folder) = args.to.as_ref().or(global.models.first()) {
        options = options.destination(folder);
    }
    if let Some(file) = &args.ca {
        options = options.root_certificate(file);
    }
    let ids: Vec<String> = match args.ids.as_slice() {
        [] => catalog.required(global.pack()).in_models()?.iter().map(|model| model.id.clone()).collect(),
        ids => ids.to_vec(),
    };
    let bar = output.bytes_bar();
    let fetched = catalog.fetch_many(&ids, &options, &mut |progress| {
        bar.set_message(format!("{} from {}", progress.model, progress.source));
        bar.set_length(progress.total.unwrap_or(progress.received));
        bar.set_position(progress.received);
    });
    bar.finish_and_clear();
    for (id, path) in ids.iter().zip(fetched.in_models()?) {
        let found = catalog.resolve_file(catalog.model(id).in_models()?.clone(), path).in_models()?;
        let (path, licence) = (text::path_text(&found.path), &found.licence);
        let record = json!({"model": id, "path": path, "licence": models::licence(licence)});
        output.emit(&record, format_args!("{id}: {path} ({licence})\n"))?;
    }
    Ok(Exit::Done)
}
