//! The licence of a model file, by what is in it: a file's name says nothing, and a manifest only what its author believes.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::Path;

use serde::Deserialize;

use super::{Licence, ModelManifest, ModelPack};
use crate::error::{Error, Result};

const MORE_FILES: &str = include_str!("../../../models/licences.toml");

/// The licence of a model file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileLicence {
    /// The file is a known one, by its sha256: its licence, whatever its name and its manifest are.
    Known(Licence),
    /// Nobody here knows the file. Its licence is unknown and yours to check; this is what its manifest states.
    Stated(Licence),
}

impl FileLicence {
    /// The licence, known or only stated.
    pub fn licence(&self) -> &Licence {
        match self {
            Self::Known(licence) | Self::Stated(licence) => licence,
        }
    }

    /// Whether commercial use is allowed; `None` when unknown.
    pub fn commercial(&self) -> Option<bool> {
        match self {
            Self::Known(licence) => Some(licence.commercial),
            Self::Stated(_) => None,
        }
    }

    /// Who says so: `content` for a known file, `manifest` for any other.
    pub fn source(&self) -> &'static str {
        match self {
            Self::Known(_) => "content",
            Self::Stated(_) => "manifest",
        }
    }

    /// Whether `stated` is another licence. Two addresses of one licence are no contradiction.
    pub fn contradicts(&self, stated: &Licence) -> bool {
        let licence = self.licence();
        licence.name != stated.name || licence.commercial != stated.commercial
    }

    /// Says that `manifest` states another licence of the file at `path` than this one.
    pub(super) fn warn(&self, manifest: &ModelManifest, path: &Path) {
        let (model, file, stated) = (&manifest.id, crate::text::escape_path(path), &manifest.licence.name);
        tracing::warn!(%model, %file, "by its content this file is licensed `{self}`, not `{stated}` as its manifest states");
    }
}

impl fmt::Display for FileLicence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Licence { name, commercial, .. } = self.licence();
        let terms = if *commercial { "" } else { ", non-commercial" };
        match self {
            Self::Known(_) => write!(f, "{name}{terms}"),
            Self::Stated(_) => write!(f, "unknown: yours to check (its manifest states {name}{terms})"),
        }
    }
}

/// The licences of all known files, by sha256.
#[derive(Debug)]
pub(super) struct KnownLicences(HashMap<String, Licence>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    licence: Vec<Group>,
}

/// Files under one licence: what each is, by sha256.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    name: String,
    url: String,
    commercial: bool,
    files: BTreeMap<String, String>,
}

impl KnownLicences {
    /// Those of the built-in packs and of `models/licences.toml`. A pack out of a user's folder is no authority.
    pub(super) fn new(built_in: &[ModelPack]) -> Result<Self> {
        let mut known = HashMap::new();
        for group in more_files()? {
            let Group { name, url, commercial, files } = group;
            let licence = Licence { name, url, commercial };
            known.extend(files.into_keys().map(|sha256| (sha256, licence.clone())));
        }
        let models = built_in.iter().flat_map(|pack| &pack.models).filter(|model| !model.sha256.is_empty());
        known.extend(models.map(|model| (model.sha256.clone(), model.licence.clone())));
        Ok(Self(known))
    }

    #[cfg(test)]
    pub(super) fn insert(&mut self, sha256: &str, licence: Licence) {
        self.0.insert(sha256.into(), licence);
    }

    /// The licence of the file with this sha256, of which a manifest states `stated`.
    pub(super) fn of(&self, sha256: &str, stated: &Licence) -> FileLicence {
        match self.0.get(sha256) {
            Some(known) => FileLicence::Known(known.clone()),
            None => FileLicence::Stated(stated.clone()),
        }
    }
}

fn more_files() -> Result<Vec<Group>> {
    let table: Table = toml::from_str(MORE_FILES).map_err(|error| Error::InvalidManifest {
        origin: "`licences.toml`".into(),
        reason: error.to_string().trim().replace('\n', " "),
    })?;
    Ok(table.licence)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::model::ModelCatalog;

    fn licence(name: &str, commercial: bool) -> Licence {
        Licence { name: name.into(), url: "https://example.org".into(), commercial }
    }

    #[test]
    fn no_file_has_two_licences() {
        let catalog = ModelCatalog::new(vec![]).unwrap();
        let mut seen: HashMap<String, (String, bool)> = HashMap::new();
        let mut add = |sha256: &str, name: &str, commercial| {
            let licence = (name.to_owned(), commercial);
            assert!(sha256.len() == 64 && sha256.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)), "{sha256}");
            assert_eq!(seen.entry(sha256.to_owned()).or_insert(licence.clone()), &licence, "{sha256}");
        };
        for pack in catalog.packs() {
            pack.models.iter().for_each(|model| add(&model.sha256, &model.licence.name, model.licence.commercial));
        }
        for group in more_files().unwrap() {
            assert!(group.url.starts_with("https://"), "{}", group.name);
            for (sha256, what) in &group.files {
                assert!(!what.is_empty());
                add(sha256, &group.name, group.commercial);
            }
        }
    }

    #[test]
    fn what_is_unknown_is_said_so() {
        let known = KnownLicences::new(&[]).unwrap();
        let stated = licence("MIT", true);
        let unknown = known.of(&"0".repeat(64), &stated);
        assert_eq!((unknown.commercial(), unknown.source()), (None, "manifest"));
        assert_eq!(unknown.to_string(), "unknown: yours to check (its manifest states MIT)");
        assert!(!unknown.contradicts(&stated));
        let swapper = known.of("e4a3f08c753cb72d04e10aa0f7dbe3deebbf39567d4ead6dce08e98aa49e16af", &stated);
        assert_eq!((swapper.commercial(), swapper.source()), (Some(false), "content"));
        assert!(swapper.contradicts(&stated) && swapper.to_string().contains("InsightFace"), "{swapper}");
        // Two files of one name.
        let aura = known.of("a7933ea5330113b01c9b60351d8f4c33003f145d8470ac5f0e52ee2effe25c60", &licence("Apache-2.0", true));
        assert_eq!((aura.commercial(), aura.contradicts(&licence("Apache-2.0", true))), (Some(true), false));
    }
}
