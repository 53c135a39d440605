//! The catalog: which models there are, and where their files lie.

use std::collections::{HashMap, HashSet};
use std::env;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::licence::KnownLicences;
use super::manifest::to_hex;
use super::{FileLicence, ModelManifest, ModelPack, ModelSource};
use crate::error::{Error, Result};

/// The packs that are part of the crate. Their weights are not: `facerec models fetch` gets those.
const BUILT_IN: [(&str, &str); 11] = [
    ("default", include_str!("../../../models/default.toml")),
    ("ultraface-mobilefacenet", include_str!("../../../models/ultraface-mobilefacenet.toml")),
    ("fast", include_str!("../../../models/fast.toml")),
    ("retail", include_str!("../../../models/retail.toml")),
    ("yunet-edgeface", include_str!("../../../models/yunet-edgeface.toml")),
    ("insightface-buffalo-l", include_str!("../../../models/insightface-buffalo-l.toml")),
    ("insightface-buffalo-s", include_str!("../../../models/insightface-buffalo-s.toml")),
    ("insightface-buffalo-sc", include_str!("../../../models/insightface-buffalo-sc.toml")),
    ("insightface-antelopev2", include_str!("../../../models/insightface-antelopev2.toml")),
    ("opencv-zoo", include_str!("../../../models/opencv-zoo.toml")),
    ("more", include_str!("../../../models/more.toml")),
];

/// A model whose file was found and verified, by [`ModelCatalog::resolve`] or [`ModelCatalog::resolve_file`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ResolvedModel {
    /// Its manifest entry.
    pub manifest: ModelManifest,
    /// The file.
    pub path: PathBuf,
    /// The file's sha256, lower-case hex.
    pub sha256: String,
    /// The file's licence, by its sha256. What the manifest states of it counts only for a file that nobody here knows.
    pub licence: FileLicence,
}

/// The known models: the built-in packs and every pack (`*.toml` beside the weights) in the model folders.
///
/// A folder's model wins over a built-in one of the same id, an earlier folder over a later one.
#[derive(Debug)]
pub struct ModelCatalog {
    folders: Vec<PathBuf>,
    packs: Vec<ModelPack>,
    licences: KnownLicences,
    hashes: Mutex<HashMap<FileVersion, String>>,
    /// Files of whose manifest's wrong licence a warning was given.
    told: Mutex<HashSet<PathBuf>>,
}

/// A file with its length and time of change: what a remembered checksum belongs to.
type FileVersion = (PathBuf, u64, Option<SystemTime>);

impl ModelCatalog {
    /// A catalog of the built-in packs and of those in `folders`, in which model files are looked for too. A folder that is not there is empty.
    ///
    /// # Errors
    /// `invalid_manifest` when a folder holds a TOML file that cannot be read as TOML, or a pack that is wrong; `io` when a file cannot be read.
    pub fn new(folders: Vec<PathBuf>) -> Result<Self> {
        let mut packs = Vec::new();
        for folder in &folders {
            read_folder(folder, &mut packs)?;
        }
        let built_in = packs.len();
        for (name, text) in BUILT_IN {
            packs.push(ModelPack::parse(text, name)?);
        }
        let licences = KnownLicences::new(&packs[built_in..])?;
        Ok(Self { folders, packs, licences, hashes: Mutex::default(), told: Mutex::default() })
    }

    /// A catalog of the usual folders, in this order: `extra`; those of `FACEREC_MODELS` (separated as in `PATH`); `.facerec/models` in the current
    /// folder, the executable's folder and the folders above them (where `scripts/setup.sh` puts it); the user's [`cache folder`](Self::cache_folder).
    ///
    /// # Errors
    /// As [`ModelCatalog::new`].
    pub fn from_env(extra: &[PathBuf]) -> Result<Self> {
        let mut folders = extra.to_vec();
        if let Some(paths) = env::var_os("FACEREC_MODELS") {
            folders.extend(env::split_paths(&paths).filter(|path| !path.as_os_str().is_empty()));
        }
        let starts = [env::current_dir().ok(), env::current_exe().ok()];
        for start in starts.iter().flatten() {
            folders.extend(start.ancestors().map(|above| above.join(".facerec/models")).filter(|folder| folder.is_dir()));
        }
        folders.extend(Self::cache_folder());
        let mut unique: Vec<PathBuf> = Vec::with_capacity(folders.len());
        for folder in folders {
            if !unique.contains(&folder) {
                unique.push(folder);
            }
        }
        Self::new(unique)
    }

    /// The user's own folder for models: `facerec/models` in `XDG_CACHE_HOME`, `~/.cache` or (Windows) `LOCALAPPDATA`. `None` without a home.
    pub fn cache_folder() -> Option<PathBuf> {
        let set = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let cache = set("XDG_CACHE_HOME").or_else(|| set("LOCALAPPDATA")).or_else(|| Some(set("HOME")?.join(".cache")))?;
        Some(cache.join("facerec").join("models"))
    }

    /// The folders in which manifests and files are looked for, in order.
    pub fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// All packs; of two with one name only the first counts.
    pub fn packs(&self) -> impl Iterator<Item = &ModelPack> {
        let first = |(index, pack): &(usize, &ModelPack)| self.packs[..*index].iter().all(|earlier| earlier.name != pack.name);
        self.packs.iter().enumerate().filter(first).map(|(_, pack)| pack)
    }

    /// The pack of this name.
    ///
    /// # Errors
    /// `invalid_argument` with the names there are.
    pub fn pack(&self, name: &str) -> Result<&ModelPack> {
        self.packs.iter().find(|pack| pack.name == name).ok_or_else(|| {
            let known: Vec<_> = self.packs().map(|pack| pack.name.as_str()).collect();
            Error::argument("pack", format!("expected one of {}, got `{name}`", known.join(", ")))
        })
    }

    /// All models with the pack that describes them; of two with one id only the first counts.
    pub fn models(&self) -> impl Iterator<Item = (&ModelPack, &ModelManifest)> {
        self.all()
            .enumerate()
            .filter(|(index, (_, model))| self.all().take(*index).all(|(_, earlier)| earlier.id != model.id))
            .map(|(_, entry)| entry)
    }

    fn all(&self) -> impl Iterator<Item = (&ModelPack, &ModelManifest)> {
        self.packs.iter().flat_map(|pack| pack.models.iter().map(move |model| (pack, model)))
    }

    /// The manifest entry of a model.
    ///
    /// # Errors
    /// `model_not_found` with the ids there are.
    pub fn model(&self, id: &str) -> Result<&ModelManifest> {
        self.entry(id).map(|(_, model)| model)
    }

    fn entry(&self, id: &str) -> Result<(&ModelPack, &ModelManifest)> {
        self.all().find(|(_, model)| model.id == id).ok_or_else(|| {
            let known: Vec<_> = self.models().map(|(_, model)| model.id.as_str()).collect();
            let hint = format!(
                "known ids: {}; a model of your own needs a manifest entry in a `.toml` file in one of the folders",
                known.join(", ")
            );
            Error::ModelNotFound { model: id.into(), looked_in: format!("the built-in packs, {}", self.folder_list()), hint }
        })
    }

    /// What an [`crate::Engine`] with this pack needs: its detector, that detector's landmark model, its embedder. For a pack that names neither
    /// detector nor embedder: all its models.
    ///
    /// # Errors
    /// `invalid_argument` for an unknown pack, `model_not_found` when it names a model that no pack describes.
    pub fn required(&self, pack: &str) -> Result<Vec<&ModelManifest>> {
        let pack = self.pack(pack)?;
        if pack.detector.is_none() && pack.embedder.is_none() {
            return pack.models.iter().map(|model| self.model(&model.id)).collect();
        }
        let mut models = Vec::new();
        for id in [&pack.detector, &pack.embedder].into_iter().flatten() {
            let model = self.model(id)?;
            models.push(model);
            if let Some(landmark) = model.detect.as_ref().and_then(|detect| detect.landmark_model.as_ref()) {
                models.push(self.model(landmark)?);
            }
        }
        Ok(models)
    }

    /// Finds the file of a model by name and checksum in the folders, in their order. A file with a wrong checksum is passed over.
    ///
    /// # Errors
    /// `model_not_found` when there is no file (or no such model), `checksum_mismatch` when there are files but none is right, `io` when the only one
    /// cannot be read.
    pub fn resolve(&self, id: &str) -> Result<ResolvedModel> {
        let (pack, model) = self.entry(id)?;
        let mut problem = None;
        for path in self.candidates(model) {
            match self.verify(model, &path) {
                Ok(sha256) => return Ok(self.resolved(model.clone(), path, sha256)),
                Err(error) => {
                    tracing::warn!(model = %model.id, %error, "passing over a model file");
                    problem.get_or_insert(error);
                }
            }
        }
        Err(problem.unwrap_or_else(|| self.not_found(pack, model)))
    }

    /// A file of one's own with a manifest of one's own, neither of which the catalog need know.
    ///
    /// # Errors
    /// `checksum_mismatch` when the manifest has another checksum, `io` when the file cannot be read.
    pub fn resolve_file(&self, manifest: ModelManifest, path: impl Into<PathBuf>) -> Result<ResolvedModel> {
        let path = path.into();
        let sha256 = self.verify(&manifest, &path)?;
        Ok(self.resolved(manifest, path, sha256))
    }

    fn resolved(&self, manifest: ModelManifest, path: PathBuf, sha256: String) -> ResolvedModel {
        let licence = self.licences.of(&sha256, &manifest.licence);
        // Once: a command may look at the same file for several reasons.
        if licence.contradicts(&manifest.licence) && self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone()) {
            licence.warn(&manifest, &path);
        }
        ResolvedModel { manifest, path, sha256, licence }
    }

    /// What is known of the licence of a model's file, by the checksum that its manifest names: for a file that is not here (yet). A manifest
    /// without a checksum tells nothing; [`ResolvedModel::licence`] is then the file's own.
    pub fn licence(&self, model: &ModelManifest) -> FileLicence {
        self.licences.of(&model.sha256, &model.licence)
    }

    /// The existing files that may be this model's: by its file name, or, when a checksum tells them apart, by the name they have at their sources.
    fn candidates(&self, model: &ModelManifest) -> Vec<PathBuf> {
        let mut names = vec![model.file.as_str()];
        let mut places = self.folders.clone();
        for source in &model.sources {
            match source {
                ModelSource::Folder { path } => places.push(expand_home(path)),
                ModelSource::Https { url, path } if !model.sha256.is_empty() => {
                    names.extend(path.as_deref().unwrap_or(url).rsplit('/').next())
                }
                _ => {}
            }
        }
        let mut found: Vec<PathBuf> =
            places.iter().flat_map(|folder| names.iter().map(move |name| folder.join(name))).filter(|path| path.is_file()).collect();
        found.dedup();
        found
    }

    /// The sha256 of `path`, which must be that of the manifest when it has one.
    fn verify(&self, model: &ModelManifest, path: &Path) -> Result<String> {
        let actual = self.hash(path)?;
        if model.sha256.is_empty() || model.sha256 == actual {
            Ok(actual)
        } else {
            Err(Error::ChecksumMismatch { path: path.into(), expected: model.sha256.clone(), actual })
        }
    }

    /// Each version of a file is read only once: an engine opens the same files many times, and some have hundreds of megabytes.
    fn hash(&self, path: &Path) -> Result<String> {
        let data = fs::metadata(path).map_err(|error| Error::io("read", path, error))?;
        let key = (path.to_path_buf(), data.len(), data.modified().ok());
        if let Some(hash) = self.hashes.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(hash.clone());
        }
        let hash = hash_file(path)?;
        self.hashes.lock().unwrap_or_else(PoisonError::into_inner).insert(key, hash.clone());
        Ok(hash)
    }

    /// The error for a model that is known but has no file.
    #[cfg(feature = "fetch")]
    pub(super) fn missing(&self, id: &str) -> Error {
        self.entry(id).map_or_else(|error| error, |(pack, model)| self.not_found(pack, model))
    }

    fn not_found(&self, pack: &ModelPack, model: &ModelManifest) -> Error {
        let ModelManifest { file, sha256, .. } = model;
        let licence = self.licence(model);
        let known = if sha256.is_empty() { String::new() } else { format!(" (sha256 {sha256})") };
        let hint = if model.sources.iter().any(|source| !matches!(source, ModelSource::Folder { .. })) {
            format!("run `facerec models fetch --pack {}` (licence {licence}), or put `{file}`{known} into one of the folders", pack.name)
        } else {
            format!("put `{file}`{known} into one of the folders; its licence: {licence} ({})", licence.licence().url)
        };
        Error::ModelNotFound { model: model.id.clone(), looked_in: self.folder_list(), hint }
    }

    fn folder_list(&self) -> String {
        if self.folders.is_empty() {
            return "no folder (set FACEREC_MODELS)".into();
        }
        self.folders.iter().map(|folder| format!("`{}`", crate::text::escape_path(folder))).collect::<Vec<_>>().join(", ")
    }
}

/// Reads every pack in `folder`, in the order of their names. Other TOML files (those without a `schema`) are nobody's mistake.
fn read_folder(folder: &Path, packs: &mut Vec<ModelPack>) -> Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            tracing::debug!(folder = %folder.display(), "no such model folder");
            return Ok(());
        }
        Err(error) => return Err(Error::io("read", folder, error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| Error::io("read", folder, error))?.path();
        if path.extension().is_some_and(|extension| extension == "toml") && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    for path in files {
        let origin = crate::text::escape_path(&path);
        let text = fs::read_to_string(&path).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => Error::InvalidManifest { origin: format!("`{origin}`"), reason: "expected UTF-8 text".into() },
            _ => Error::io("read", &path, error),
        })?;
        match text.parse::<toml::Table>() {
            Ok(table) if !table.contains_key("schema") => tracing::debug!(file = %origin, "not a model pack: no `schema`"),
            _ => packs.push(ModelPack::parse(&text, &origin)?),
        }
    }
    Ok(())
}

/// The sha256 of a file, lower-case hex.
pub(super) fn hash_file(path: &Path) -> Result<String> {
    let mut file = File::open(path).map_err(|error| Error::io("read", path, error))?;
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 18]);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(to_hex(&hasher.finalize())),
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::io("read", path, error)),
        }
    }
}

pub(super) fn expand_home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), env::var_os("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::model::Licence;

    const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

    fn pack(name: &str, id: &str, sha256: &str) -> String {
        format!(
            r#"
            schema = 1
            name = "{name}"
            embedder = "{id}"
            [[model]]
            id = "{id}"
            task = "embed"
            file = "mine.onnx"
            sha256 = "{sha256}"
            licence = {{ name = "MIT", url = "https://example.org", commercial = true }}
            source = [{{ kind = "https", url = "https://example.org/there.onnx" }}]
            input = {{ size = [112, 112] }}
            embed = {{ dim = 128 }}
            "#
        )
    }

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    fn catalog(folders: &[&tempfile::TempDir]) -> ModelCatalog {
        ModelCatalog::new(folders.iter().map(|folder| folder.path().to_path_buf()).collect()).unwrap()
    }

    #[test]
    fn built_in_packs_are_whole() {
        let catalog = ModelCatalog::new(vec![]).unwrap();
        for (name, _) in BUILT_IN {
            assert!(!catalog.required(name).unwrap().is_empty(), "{name}");
        }
        for (pack, model) in catalog.models() {
            assert!(
                model.sources.is_empty() || !model.sha256.is_empty(),
                "{}: {} can be fetched, so it needs a checksum",
                pack.name,
                model.id
            );
            assert!(!model.licence.url.is_empty() && !model.sha256.is_empty() && model.bytes > 0, "{}", model.id);
        }
        assert!(catalog.required("default").unwrap().iter().all(|model| model.licence.commercial));
    }

    #[test]
    fn two_files_in_a_folder_add_a_model() {
        let folder = folder(&[("mine.toml", &pack("mine", "my-embedder", HELLO)), ("mine.onnx", "hello"), ("other.toml", "colour = 1")]);
        let catalog = catalog(&[&folder]);
        let found = catalog.resolve("my-embedder").unwrap();
        assert_eq!((found.sha256.as_str(), found.path), (HELLO, folder.path().join("mine.onnx")));
        assert_eq!(catalog.pack("mine").unwrap().embedder.as_deref(), Some("my-embedder"));
        assert_eq!(catalog.required("mine").unwrap().len(), 1);
    }

    #[test]
    fn a_licence_is_the_files_not_the_names() {
        let hello = Licence { name: "not for sale".into(), url: "https://example.org/no".into(), commercial: false };
        let folder = folder(&[("mine.toml", &pack("mine", "my-embedder", "")), ("mine.onnx", "hello")]);
        let mut catalog = catalog(&[&folder]);
        let found = catalog.resolve("my-embedder").unwrap();
        assert_eq!((found.licence.commercial(), found.licence.licence().name.as_str()), (None, "MIT"), "nobody here knows the file");
        let summary = catalog.summary("mine").unwrap();
        assert_eq!((summary.commercial, summary.installed, summary.licences), (None, true, vec![found.licence]));

        // The same file, once it is known: under its own name, another, and with a manifest that the catalog does not know.
        catalog.licences.insert(HELLO, hello.clone());
        let found = catalog.resolve("my-embedder").unwrap();
        assert_eq!(found.licence, FileLicence::Known(hello.clone()));
        assert_eq!(found.manifest.licence.name, "MIT", "what its manifest states stays to be seen");
        assert_eq!(catalog.summary("mine").unwrap().commercial, Some(false));
        fs::rename(folder.path().join("mine.onnx"), folder.path().join("renamed.onnx")).unwrap();
        let direct = catalog.resolve_file(found.manifest, folder.path().join("renamed.onnx")).unwrap();
        assert_eq!(direct.licence, FileLicence::Known(hello));
        fs::write(folder.path().join("renamed.onnx"), "hello, changed").unwrap();
        let changed = catalog.resolve_file(direct.manifest, folder.path().join("renamed.onnx")).unwrap();
        assert_eq!(changed.licence.commercial(), None);
        let checked = ModelManifest { sha256: HELLO.into(), ..changed.manifest };
        assert_eq!(catalog.resolve_file(checked, changed.path).unwrap_err().kind().code(), "checksum_mismatch");
    }

    #[test]
    fn a_users_pack_is_no_authority_on_a_known_file() {
        let insightface = "9cc6e4a75f0e2bf0b1aed94578f144d15175f357bdc05e815e5c4a02b319eb4f"; // w600k_mbf.onnx
        let folder = folder(&[("mine.toml", &pack("mine", "w600k-mbf", insightface))]);
        let catalog = catalog(&[&folder]);
        let model = catalog.model("w600k-mbf").unwrap();
        assert!(model.licence.commercial && catalog.licence(model).commercial() == Some(false), "{:?}", catalog.licence(model));
        let error = catalog.resolve("w600k-mbf").unwrap_err();
        assert!(error.to_string().contains("InsightFace") && error.to_string().contains("non-commercial"), "{error}");
    }

    #[test]
    fn a_pack_says_what_it_costs_and_gives() {
        let figures = "embedder = \"my-embedder\"\ndownload_bytes = 5\nlfw_accuracy = 0.5\ntime_ratio = 1.5";
        let text = pack("mine", "my-embedder", HELLO).replace("embedder = \"my-embedder\"", figures);
        let folder = folder(&[("mine.toml", &text)]);
        let catalog = catalog(&[&folder]);
        let mine = catalog.summary("mine").unwrap();
        assert_eq!((mine.download_bytes, mine.lfw_accuracy, mine.time_ratio, mine.installed), (5, Some(0.5), Some(1.5), false));
        let yunet = catalog.summary("yunet-edgeface").unwrap();
        assert_eq!(
            (yunet.models.len(), yunet.bytes, yunet.download_bytes),
            (2, 229_738 + 9_208_282, 229_738),
            "EdgeFace cannot be fetched"
        );
        assert_eq!((yunet.commercial, yunet.lfw_accuracy, yunet.licences.len()), (Some(false), Some(0.9957), 2));
        assert_eq!(catalog.summary("opencv-zoo").unwrap().commercial, Some(true));
        let words: Vec<_> = catalog.summary("default").unwrap().licences.iter().map(ToString::to_string).collect();
        assert_eq!(words, ["MIT"], "one licence, whatever its addresses");
        assert_eq!(catalog.summary("no-such-pack").unwrap_err().kind().code(), "invalid_argument");
    }

    #[test]
    fn a_wrong_file_is_passed_over_for_a_right_one() {
        let wrong = folder(&[("mine.toml", &pack("mine", "my-embedder", HELLO)), ("mine.onnx", "hallo")]);
        let error = catalog(&[&wrong]).resolve("my-embedder").unwrap_err();
        assert_eq!(error.kind().code(), "checksum_mismatch");
        assert!(error.to_string().contains("mine.onnx"), "{error}");
        let right = folder(&[("there.onnx", "hello")]); // the name it has at its source
        assert_eq!(catalog(&[&wrong, &right]).resolve("my-embedder").unwrap().path, right.path().join("there.onnx"));
    }

    #[test]
    fn a_changed_file_is_read_again() {
        let folder = folder(&[("mine.toml", &pack("mine", "my-embedder", HELLO)), ("mine.onnx", "hello")]);
        let catalog = catalog(&[&folder]);
        catalog.resolve("my-embedder").unwrap();
        fs::write(folder.path().join("mine.onnx"), "hello, changed").unwrap();
        assert_eq!(catalog.resolve("my-embedder").unwrap_err().kind().code(), "checksum_mismatch");
    }

    #[test]
    fn a_file_of_ones_own_needs_no_checksum() {
        let folder = folder(&[("mine.toml", &pack("mine", "my-embedder", "")), ("mine.onnx", "anything")]);
        assert_eq!(catalog(&[&folder]).resolve("my-embedder").unwrap().sha256.len(), 64);
    }

    #[test]
    fn folders_win_over_built_in_and_earlier_over_later() {
        let (first, second) = (folder(&[("a.toml", &pack("a", "landmark68", HELLO))]), folder(&[("a.toml", &pack("a", "landmark68", ""))]));
        let catalog = catalog(&[&first, &second]);
        assert_eq!(catalog.model("landmark68").unwrap().sha256, HELLO);
        assert_eq!(catalog.models().filter(|(_, model)| model.id == "landmark68").count(), 1);
        assert_eq!(catalog.packs().filter(|pack| pack.name == "a").count(), 1);
    }

    #[test]
    fn what_is_missing_is_said() {
        let empty = folder(&[]);
        let catalog = catalog(&[&empty]);
        let error = catalog.resolve("centerface").unwrap_err();
        assert_eq!(error.kind().code(), "model_not_found");
        for word in [empty.path().to_str().unwrap(), "facerec models fetch --pack default", "MIT", "centerface.onnx"] {
            assert!(error.to_string().contains(word), "`{word}` in {error}");
        }
        let error = catalog.resolve("no-such-model").unwrap_err();
        assert!(error.kind().code() == "model_not_found" && error.to_string().contains("landmark68"), "{error}");
        assert_eq!(catalog.pack("no-such-pack").unwrap_err().kind().code(), "invalid_argument");
    }

    #[test]
    fn a_broken_pack_is_named() {
        for text in ["schema = ", "schema = 2\nname = \"x\"", "schema = 1"] {
            let folder = folder(&[("broken.toml", text)]);
            let error = ModelCatalog::new(vec![folder.path().into()]).unwrap_err();
            assert!(error.kind().code() == "invalid_manifest" && error.to_string().contains("broken.toml"), "{error}");
        }
        assert!(ModelCatalog::new(vec!["/no/such/folder".into()]).is_ok());
    }
}
