//! `facerec models`.

use clap::Subcommand;
use facerec_core::model::ModelTask;
use facerec_core::{ErrorKind, ModelCatalog, ModelManifest, text};
use serde_json::json;

use super::exit::{Exit, InModels, Outcome};
use super::fetch;
use super::gallery::size;
use super::options::Global;
use super::output::{ErrorRecord, Output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// The known models: whether their files are here, and their licences.
    List,
    /// Get models from their sources, checked before they are installed; an interrupted download goes on where it stopped.
    Fetch(fetch::Args),
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
    let catalog = ModelCatalog::from_env(&global.models).in_models()?;
    match &args.action {
        Action::Fetch(args) => fetch::run(global, args, output),
        Action::List => list(&catalog, output),
        Action::Verify => verify(&catalog, output),
        Action::Path { id: None } => {
            let folders: Vec<_> = catalog.folders().iter().map(|folder| text::path_text(folder)).collect();
            output.emit(&json!({"folders": folders}), format_args!("{}\n", folders.join("\n")))?;
            Ok(Exit::Done)
        }
        Action::Path { id: Some(id) } => {
            let found = catalog.resolve(id).in_models()?;
            let path = text::path_text(&found.path);
            output.emit(&json!({"model": id, "path": path, "sha256": found.sha256}), format_args!("{path}\n"))?;
            Ok(Exit::Done)
        }
    }
}

fn list(catalog: &ModelCatalog, output: &mut Output) -> Outcome {
    let widest = catalog.models().map(|(_, model)| model.id.len()).max().unwrap_or_default();
    for (pack, model) in catalog.models() {
        let found = catalog.resolve(&model.id);
        let path = found.as_ref().ok().map(|found| text::path_text(&found.path).into_owned());
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

fn verify(catalog: &ModelCatalog, output: &mut Output) -> Outcome {
    let (mut checked, mut wrong) = (0, 0);
    for (_, model) in catalog.models() {
        let (path, error) = match catalog.resolve(&model.id) {
            Ok(found) => (Some(text::path_text(&found.path).into_owned()), None),
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
    }
}
