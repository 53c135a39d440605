//! `facerec models`.

use std::path::PathBuf;

use clap::Subcommand;
use facerec_core::model::ModelTask;
#[cfg(feature = "fetch")]
use facerec_core::model::{FetchOptions, FetchProgress};
use facerec_core::{ErrorKind, ModelCatalog, ModelManifest};
use serde_json::json;

use crate::exit::{Exit, InModels, Outcome};
use crate::gallery::size;
use crate::options::Global;
use crate::output::{ErrorRecord, Output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// The known models: whether their files are here, and their licences.
    List,
    /// Fetch the models of a pack (`--pack`), or those named, from where their manifests say.
    Fetch {
        /// Ids of models [default: what the pack needs].
        #[arg(value_name = "ID")]
        ids: Vec<String>,
        /// Folder to put them into [default: the first `--models`, else the user's cache folder].
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
        /// Agree to licences that forbid commercial use; `models list` names them.
        #[arg(long)]
        accept_licence: bool,
    },
    /// Check the files of the models that are here against their checksums.
    Verify,
    /// Where model files are looked for; with an id, where that model's file is.
    Path {
        /// A model's id.
        #[arg(value_name = "ID")]
        id: Option<String>,
    },
}

pub(crate) fn run(global: &Global, args: &Args, output: &mut Output) -> Outcome {
    let mut folders = global.models.clone();
    if let Action::Fetch { to: Some(to), .. } = &args.action {
        folders.insert(0, to.clone());
    }
    let catalog = ModelCatalog::from_env(&folders).in_models()?;
    match &args.action {
        Action::List => list(&catalog, output),
        Action::Fetch { ids, accept_licence, .. } => fetch(global, &catalog, ids, folders.first(), *accept_licence, output),
        Action::Verify => verify(&catalog, output),
        Action::Path { id: None } => {
            let folders: Vec<_> = catalog.folders().iter().map(|folder| folder.to_string_lossy()).collect();
            output.emit(&json!({"folders": folders}), format_args!("{}\n", folders.join("\n")))?;
            Ok(Exit::Done)
        }
        Action::Path { id: Some(id) } => {
            let found = catalog.resolve(id).in_models()?;
            let path = found.path.to_string_lossy();
            output.emit(&json!({"model": id, "path": path, "sha256": found.sha256}), format_args!("{path}\n"))?;
            Ok(Exit::Done)
        }
    }
}

fn list(catalog: &ModelCatalog, output: &mut Output) -> Outcome {
    let widest = catalog.models().map(|(_, model)| model.id.len()).max().unwrap_or_default();
    for (pack, model) in catalog.models() {
        let found = catalog.resolve(&model.id);
        let path = found.as_ref().ok().map(|found| found.path.to_string_lossy().into_owned());
        let state = match &found {
            Ok(_) => "here",
            Err(error) if error.kind() == ErrorKind::ModelNotFound => "missing",
            Err(_) => "wrong file",
        };
        let record = json!({
            "model": model.id, "task": task(model), "pack": pack.name, "installed": found.is_ok(), "path": path, "file": model.file,
            "bytes": model.bytes, "sha256": model.sha256,
            "licence": {"name": model.licence.name, "url": model.licence.url, "commercial": model.licence.commercial},
            "error": found.as_ref().err().filter(|error| error.kind() != ErrorKind::ModelNotFound).map(ErrorRecord::from),
        });
        let licence = if model.licence.commercial { model.licence.name.clone() } else { format!("{}, non-commercial", model.licence.name) };
        let text = format_args!("{:<widest$}  {:<8}  {:<10}  {:<22}  {licence}\n", model.id, task(model), state, pack.name);
        output.emit(&record, text)?;
    }
    Ok(Exit::Done)
}

#[cfg(feature = "fetch")]
fn fetch(global: &Global, catalog: &ModelCatalog, ids: &[String], to: Option<&PathBuf>, accept: bool, output: &mut Output) -> Outcome {
    let mut options = FetchOptions::default().accept_licence(accept);
    if let Some(folder) = to {
        options = options.destination(folder);
    }
    let bar = output.bytes_bar();
    let mut progress = |at: FetchProgress<'_>| {
        bar.set_message(format!("{} from {}", at.model, at.source));
        bar.set_length(at.total.unwrap_or(at.received));
        bar.set_position(at.received);
    };
    let mut report = |id: &str, path: PathBuf| {
        bar.suspend(|| {
            let licence = &catalog.model(id).in_models()?.licence;
            let record = json!({"model": id, "path": path.to_string_lossy(), "licence": licence.name});
            output.emit(&record, format_args!("{id}  {}  (licence {})\n", path.display(), licence.name))
        })
    };
    if ids.is_empty() {
        // Together, for an archive may hold several.
        let wanted = catalog.required(&global.pack).in_models()?;
        let paths = catalog.fetch_pack(&global.pack, &options, &mut progress).in_models()?;
        for (model, path) in wanted.iter().zip(paths) {
            report(&model.id, path)?;
        }
    }
    for id in ids {
        let path = catalog.fetch(id, &options, &mut progress).in_models()?;
        report(id, path)?;
    }
    bar.finish_and_clear();
    Ok(Exit::Done)
}

#[cfg(not(feature = "fetch"))]
fn fetch(_: &Global, _: &ModelCatalog, _: &[String], _: Option<&PathBuf>, _: bool, _: &mut Output) -> Outcome {
    Err(facerec_core::Error::FeatureDisabled { feature: "fetch", what: "downloading models".into() }.into())
}

fn verify(catalog: &ModelCatalog, output: &mut Output) -> Outcome {
    let (mut checked, mut wrong) = (0, 0);
    for (_, model) in catalog.models() {
        let (path, error) = match catalog.resolve(&model.id) {
            Ok(found) => (Some(found.path.to_string_lossy().into_owned()), None),
            Err(error) if error.kind() == ErrorKind::ModelNotFound => continue,
            Err(error) => (None, Some(error)),
        };
        checked += 1;
        wrong += usize::from(error.is_some());
        let verdict = match (&path, &error, model.sha256.is_empty()) {
            (_, Some(error), _) => error.to_string(),
            (Some(path), None, false) => format!("right: {path}"),
            (path, None, _) => format!("no checksum to compare with: {}", path.as_deref().unwrap_or_default()),
        };
        let record = json!({
            "model": model.id, "ok": error.is_none(), "path": path, "checked": !model.sha256.is_empty(),
            "bytes": model.bytes, "error": error.as_ref().map(ErrorRecord::from),
        });
        let bytes = if model.bytes > 0 { format!(" ({})", size(model.bytes)) } else { String::new() };
        output.emit(&record, format_args!("{}{bytes}  {verdict}\n", model.id))?;
    }
    if checked == 0 {
        output.emit(&json!({"checked": 0}), format_args!("no model file is here; run `facerec models fetch`\n"))?;
    }
    Ok(if wrong == 0 { Exit::Done } else { Exit::Model })
}

pub(crate) fn task(model: &ModelManifest) -> &'static str {
    match model.task {
        ModelTask::Detect => "detect",
        ModelTask::Landmark => "landmark",
        ModelTask::Embed => "embed",
        _ => "other",
    }
}
