//! `facerec models`.

use clap::Subcommand;
use facerec_core::model::{FileLicence, Licence, ModelTask};
use facerec_core::{ErrorKind, ModelCatalog, ModelManifest, ModelPack, text};
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
    /// The packs, what each costs and gives, then the known models: whether their files are here, and their licences.
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
    let widest = catalog.packs().map(|pack| pack.name.len()).max().unwrap_or_default();
    for pack in catalog.packs() {
        self::pack(catalog, pack, widest, output)?;
    }
    let widest = catalog.models().map(|(_, model)| model.id.len()).max().unwrap_or_default();
    for (pack, model) in catalog.models() {
        let found = catalog.resolve(&model.id);
        let path = found.as_ref().ok().map(|found| text::path_text(&found.path).into_owned());
        let state = match &found {
            Ok(_) => "here",
            Err(error) if error.kind() == ErrorKind::ModelNotFound => "missing",
            Err(_) => "wrong file",
        };
        let known = found.as_ref().map_or_else(|_| catalog.licence(model), |found| found.licence.clone());
        let record = json!({
            "model": model.id, "task": task(model), "pack": pack.name, "installed": found.is_ok(), "path": path, "file": model.file,
            "bytes": model.bytes, "sha256": model.sha256, "licence": licence(&known),
            "error": found.as_ref().err().filter(|error| error.kind() != ErrorKind::ModelNotFound).map(ErrorRecord::from),
        });
        let stated =
            if known.contradicts(&model.licence) { format!("; its manifest states {}", model.licence.name) } else { String::new() };
        let text = format_args!("{:<widest$}  {:<8}  {:<10}  {:<22}  {known}{stated}\n", model.id, task(model), state, pack.name);
        output.emit(&record, text)?;
    }
    Ok(Exit::Done)
}

/// One line on what a pack costs and gives.
fn pack(catalog: &ModelCatalog, pack: &ModelPack, widest: usize, output: &mut Output) -> Outcome<()> {
    let summary = match catalog.summary(&pack.name) {
        Ok(summary) => summary,
        Err(error) => {
            let record = json!({"pack": pack.name, "description": pack.description, "error": ErrorRecord::from(&error)});
            return output.emit(&record, format_args!("pack {:<widest$}  {error}\n", pack.name));
        }
    };
    let record = json!({
        "pack": pack.name, "description": pack.description, "models": summary.models, "installed": summary.installed, "bytes": summary.bytes,
        "download_bytes": summary.download_bytes, "licences": summary.licences.iter().map(licence).collect::<Vec<_>>(),
        "commercial": summary.commercial, "lfw_accuracy": summary.lfw_accuracy, "time_ratio": summary.time_ratio,
    });
    let commercial = match summary.commercial {
        Some(true) => "commercial use: yes",
        Some(false) => "commercial use: no",
        None => "commercial use: yours to check",
    };
    let named = |one: &FileLicence| match one {
        FileLicence::Known(licence) => licence.name.clone(),
        FileLicence::Stated(licence) => format!("stated: {}", licence.name),
    };
    let licences: Vec<_> = summary.licences.iter().map(named).collect();
    let lfw = summary.lfw_accuracy.map_or_else(|| "not measured".into(), |accuracy| format!("{:.2} %", accuracy * 100.0));
    let time = summary.time_ratio.map_or_else(String::new, |ratio| format!(", {ratio:.2} x the default's time"));
    let state = if summary.installed { "here" } else { "missing" };
    let text = format_args!(
        "pack {:<widest$}  {state:<7}  {:>8} to fetch, {commercial} ({}), LFW {lfw}{time}. {}\n",
        pack.name,
        size(summary.download_bytes),
        licences.join(", "),
        pack.description
    );
    output.emit(&record, text)
}

/// A licence as JSON. `commercial` is null for a file that is not known: what its manifest states is then yours to check.
pub(crate) fn licence(known: &FileLicence) -> serde_json::Value {
    let Licence { name, url, .. } = known.licence();
    json!({"name": name, "url": url, "commercial": known.commercial(), "source": known.source()})
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
