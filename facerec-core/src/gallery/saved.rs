//! The index on disk: the vectors in one file, and beside it a small JSON manifest that says what they are.
//!
//! It saves reading every vector from the database when a gallery is opened, and holds nothing that is not in the
//! database: when anything about it does not fit, it is left alone and the index is built anew.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::index::VectorIndex;
use super::live::Live;
use super::records::{FaceId, PersonId};
use super::rows::State;
use super::store::Snapshot;
use crate::error::{Error, Result};
use crate::model::{hash_file, to_hex};

const VERSION: u32 = 1;
const MANIFEST: &str = "index.json";
/// Every file that may hold vectors outside the database, whichever build wrote it.
const FILES: [&str; 6] = [MANIFEST, "index.faiss", "index.bin", "index.json.part", "index.faiss.part", "index.bin.part"];

#[derive(Serialize, Deserialize)]
struct Manifest {
    version: u32,
    kind: String,
    metric: String,
    model_id: String,
    model_hash: String,
    dim: usize,
    count: usize,
    /// The database's generation that is in the file.
    generation: u64,
    /// The highest face id in the file.
    last_face: i64,
    /// Over the ids of all faces and their people, in the order of the vectors.
    owners_sha256: String,
    /// Over the file of vectors.
    sha256: String,
}

/// Reads the saved index. The error says in words why it cannot be used.
pub(super) fn load(folder: &Path, snapshot: &Snapshot<'_>) -> Result<Live, String> {
    let text = fs::read_to_string(folder.join(MANIFEST)).map_err(|e| format!("no manifest: {e}"))?;
    let manifest: Manifest = serde_json::from_str(&text).map_err(|e| format!("manifest: {e}"))?;
    let state = snapshot.state().map_err(|e| e.to_string())?;
    if manifest.version != VERSION || manifest.kind != VectorIndex::KIND || manifest.metric != "inner_product" {
        return Err(format!("it is of version {} and kind {}", manifest.version, manifest.kind));
    }
    if manifest.model_id != state.model.id || manifest.model_hash != state.model.hash || manifest.dim != state.dim {
        return Err("it is of another model".into());
    }
    if manifest.generation > state.generation {
        return Err(format!("it is of generation {}, the database of {}", manifest.generation, state.generation));
    }
    let mut owners = snapshot.owners().map_err(|e| e.to_string())?;
    owners.truncate(owners.partition_point(|owner| owner.0.0 <= manifest.last_face));
    if owners.len() != manifest.count || owners_sha256(&owners) != manifest.owners_sha256 {
        return Err("its faces are not those of the database".into());
    }
    let path = folder.join(VectorIndex::FILE);
    if hash_file(&path).map_err(|e| e.to_string())? != manifest.sha256 {
        return Err("its checksum does not match".into());
    }
    let index = VectorIndex::load(&path, manifest.dim).map_err(|e| e.to_string())?;
    if index.len() != owners.len() {
        return Err(format!("it holds {} vectors for {} faces", index.len(), owners.len()));
    }
    Ok(Live::from_saved(index, owners, manifest.generation))
}

/// Writes the index so that a crash at any moment leaves the old one, the new one, or one that is recognised as unfit.
pub(super) fn save(folder: &Path, live: &Live, state: &State) -> Result<()> {
    let Some(index) = &live.index else { return Ok(()) };
    let path = folder.join(VectorIndex::FILE);
    let part = part_of(&path);
    index.save(&part)?;
    let sync = |part: &Path| {
        let file = File::open(part)?;
        file.sync_all()?;
        file.metadata().map(|data| data.len())
    };
    let bytes = sync(&part).map_err(|e| Error::io("write", &part, e))?;
    if bytes < size_of_val(index.vectors()) as u64 {
        // FAISS does not look at what closing the file says.
        return Err(Error::io("write", &part, io::ErrorKind::StorageFull.into()));
    }
    let manifest = Manifest {
        version: VERSION,
        kind: VectorIndex::KIND.into(),
        metric: "inner_product".into(),
        model_id: state.model.id.clone(),
        model_hash: state.model.hash.clone(),
        dim: index.dim(),
        count: live.owners.len(),
        generation: live.generation,
        last_face: live.owners.last().map_or(0, |owner| owner.0.0),
        owners_sha256: owners_sha256(&live.owners),
        sha256: hash_file(&part)?,
    };
    let text = serde_json::to_string_pretty(&manifest).map_err(|e| Error::internal(e.to_string()))?;
    let manifest_path = folder.join(MANIFEST);
    let manifest_part = part_of(&manifest_path);
    let replace = || {
        fs::write(&manifest_part, text)?;
        sync(&manifest_part)?;
        fs::rename(&part, &path)?;
        fs::rename(&manifest_part, &manifest_path)
    };
    replace().map_err(|e| Error::io("write", &path, e))?;
    sync_folder(folder)
}

/// Deletes the saved index and anything a crash left of one: what is about to be removed must not live on in it.
pub(super) fn discard(folder: &Path) -> Result<()> {
    for name in FILES {
        remove_if_there(&folder.join(name))?;
    }
    sync_folder(folder)
}

/// Deletes what a crash left half written.
pub(super) fn discard_parts(folder: &Path) -> Result<()> {
    FILES.iter().filter(|name| name.ends_with(".part")).try_for_each(|name| remove_if_there(&folder.join(name)))
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    if cfg!(unix) {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|e| Error::io("write", folder, e))?;
    }
    Ok(())
}

fn remove_if_there(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("delete", path, error)),
        _ => Ok(()),
    }
}

fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

fn owners_sha256(owners: &[(FaceId, PersonId)]) -> String {
    let mut hash = Sha256::new();
    for (face, person) in owners {
        hash.update(face.0.to_le_bytes());
        hash.update(person.0.to_le_bytes());
    }
    to_hex(&hash.finalize())
}
