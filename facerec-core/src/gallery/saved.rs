//! The index on disk: everything a search needs in one file, in blocks.
//!
//! It saves reading every row from the database when a gallery is opened, and holds nothing that is not in the database: when
//! anything about it does not fit, it is left alone and the index is built anew. Every block carries a BLAKE3 checksum over its
//! bytes and its place, or is sealed with the gallery's key, so that a changed byte anywhere is noticed before anything is used.
//!
//! Layout: `MAGIC`, the length of the header (4 bytes, little-endian), the header, then the blocks whose lengths it lists: owners,
//! names, one per shard of vectors, and, with a base, its faces and its parts.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::index::{Base, IndexKind, PartReader, SavedBase, Vectors, each};
use super::live::{Live, Owner, SavedLive};
use super::names::Names;
use super::records::{FaceId, PersonId};
use super::rows::vector_values;
use super::seal::Seal;
use super::store::{Checked, Snapshot};
use crate::error::{Error, Result};
use crate::face::ModelKey;

const MAGIC: &[u8; 8] = b"FRECIDX2";
const VERSION: u32 = 2;
const FILE: &str = "index.snapshot";
/// Every file that may hold vectors outside the database, whichever version wrote it.
const FILES: [&str; 8] =
    [FILE, "index.snapshot.part", "index.json", "index.faiss", "index.bin", "index.json.part", "index.faiss.part", "index.bin.part"];
/// Shards that are read one after the other into the same memory.
const SHARDS_PER_BUFFER: usize = 8;
/// The same for the parts of a base, which are smaller.
const PARTS_PER_BUFFER: usize = 64;
/// A header that is longer is none.
const MAX_HEADER: u32 = 16 << 20;
/// Faces that are compared with the database when the index is opened: as many of the newest as of all.
const COMPARED: usize = 64;

#[derive(Serialize, Deserialize)]
struct Header {
    version: u32,
    little_endian: bool,
    /// Tells this file's blocks from those of every other.
    id: u64,
    model_id: String,
    model_hash: String,
    dim: usize,
    count: usize,
    generation: u64,
    rewritten: u64,
    last_person: i64,
    people_mark: i64,
    faces_mark: Option<i64>,
    shards: usize,
    base: Option<BaseHeader>,
    /// The kind that was searched, also where its base is left out.
    #[serde(default)]
    kind: Option<String>,
    /// Bytes of each block as it is in the file.
    blocks: Vec<u64>,
}

#[derive(Serialize, Deserialize)]
struct BaseHeader {
    kind: String,
    effort: usize,
    recall: f32,
    trained_on: usize,
}

/// Reads the saved index with what seals it. The error says in words why it cannot be used.
pub(super) fn load(folder: &Path, snapshot: &Snapshot<'_>, seal: &Seal) -> Result<Live, String> {
    let text = |e: io::Error| e.to_string();
    let path = folder.join(FILE);
    let mut file = File::open(&path).map_err(|e| format!("there is none: {e}"))?;
    let state = snapshot.state().map_err(|e| e.to_string())?;
    let mut start = [0; 12];
    file.read_exact(&mut start).map_err(text)?;
    let [magic @ .., a, b, c, d] = start;
    let length = u32::from_le_bytes([a, b, c, d]);
    if &magic != MAGIC || length > MAX_HEADER {
        return Err("it is of another format".into());
    }
    let mut header = vec![0; length as usize];
    file.read_exact(&mut header).map_err(text)?;
    let header = seal.open(&context(0, u32::MAX), header).ok_or("its header was changed")?;
    let header: Header = serde_json::from_slice(&header).map_err(|e| format!("header: {e}"))?;
    if header.version != VERSION || header.little_endian != cfg!(target_endian = "little") {
        return Err(format!("it is of version {} or another kind of machine", header.version));
    }
    if header.model_id != state.model.id || header.model_hash != state.model.hash || header.dim != state.dim || state.dim == 0 {
        return Err("it is of another model".into());
    }
    if header.generation > state.generation {
        return Err(format!("it is of generation {}, the database of {}", header.generation, state.generation));
    }
    if state.rewritten <= header.generation && state.rewritten != header.rewritten {
        return Err("it is of another copy of the gallery".into());
    }
    let mut at = 12 + u64::from(length);
    let mut places = Vec::with_capacity(header.blocks.len());
    for (number, &bytes) in (0..).zip(&header.blocks) {
        places.push((number, at, bytes));
        at = at.checked_add(bytes).ok_or("its blocks are too long")?;
    }
    if at != file.metadata().map_err(text)?.len() || places.len() < 2 + header.shards {
        return Err("it is not as long as it says".into());
    }
    let blocks = Blocks { path: &path, id: header.id, seal };
    let read = |place: &Place| blocks.read(Vec::new(), place);
    let (small, rest) = places.split_at(2);
    let (shards, base_blocks) = rest.split_at(header.shards);
    let owners = owners_from(&read(&small[0])?).ok_or("its owners are not in order")?;
    let names = Names::from_bytes(&read(&small[1])?).ok_or("its names are cut short")?;
    let parts = blocks.each(shards, SHARDS_PER_BUFFER, || (), |(), bytes| Vectors::shard(header.dim, &values(bytes)))?;
    let vectors = Vectors::join(header.dim, parts).map_err(|e| e.to_string())?;
    if vectors.len() != owners.len() || owners.len() != header.count {
        return Err(format!("it holds {} vectors for {} faces", vectors.len(), owners.len()));
    }
    compare(snapshot, &owners, &vectors, state.rewritten <= header.generation)?;
    let Header { generation, rewritten, last_person, people_mark, faces_mark, .. } = header;
    let last_kind = header.kind.as_deref().and_then(|kind| kind.parse().ok());
    let mut live =
        Live::from_saved(SavedLive { vectors, owners, names, last_kind, last_person, people_mark, faces_mark, generation, rewritten });
    if let (Some(base), Some((faces, parts))) = (&header.base, base_blocks.split_first()) {
        let faces = ids_from(&read(faces)?);
        let reader = || PartReader::new(header.dim);
        let part = |reader: &mut io::Result<PartReader>, bytes: &[u8]| match reader {
            Ok(reader) => Ok(reader.read(bytes)),
            Err(error) => Ok(Err(error.kind().into())),
        };
        let parts = blocks.each(parts, PARTS_PER_BUFFER, reader, part)?.into_iter().collect::<io::Result<_>>();
        let kind = base.kind.parse::<IndexKind>().map_err(|e| e.to_string())?;
        let saved = SavedBase { kind, faces, effort: base.effort, recall: base.recall, trained_on: base.trained_on };
        match parts.and_then(|parts| Base::from_parts(saved, parts)) {
            Ok(base) => live.install(Arc::new(base), &Arc::clone(live.line())),
            Err(error) => tracing::info!(%error, "the saved base is not used"),
        }
    }
    Ok(live)
}

/// Number, first byte and length of a block.
type Place = (u32, u64, u64);

/// The blocks of one file.
struct Blocks<'a> {
    path: &'a Path,
    id: u64,
    seal: &'a Seal,
}

impl Blocks<'_> {
    /// Reads a block and checks it. `buffer` is used again for it where there is no cipher: fresh memory costs more than reading into it.
    fn read(&self, mut buffer: Vec<u8>, &(number, at, bytes): &Place) -> Result<Vec<u8>, String> {
        let text = |e: io::Error| e.to_string();
        let mut file = File::open(self.path).map_err(text)?;
        file.seek(SeekFrom::Start(at)).map_err(text)?;
        buffer.clear();
        buffer.reserve_exact(bytes as usize);
        file.take(bytes).read_to_end(&mut buffer).map_err(text)?;
        self.seal.open(&context(self.id, number), buffer).ok_or_else(|| format!("block {number} was changed"))
    }

    /// Makes something of each block, on all processors; `per_buffer` blocks share one buffer and one `helper`.
    fn each<T: Send, H>(
        &self,
        places: &[Place],
        per_buffer: usize,
        helper: impl Fn() -> H + Sync,
        make: impl Fn(&mut H, &[u8]) -> Result<T> + Sync,
    ) -> Result<Vec<T>, String> {
        let groups: Vec<_> = places.chunks(per_buffer).collect();
        let made = each(&groups, true, |group| {
            let (mut buffer, mut helper) = (Vec::new(), helper());
            let one = |place| {
                buffer = self.read(std::mem::take(&mut buffer), place).map_err(Error::internal)?;
                make(&mut helper, &buffer)
            };
            group.iter().map(one).collect::<Result<Vec<_>>>()
        });
        Ok(made.map_err(|e| e.to_string())?.into_iter().flatten().collect())
    }
}

/// A copy of the folder's database from another time may come together with an index that seems to fit.
fn compare(snapshot: &Snapshot<'_>, owners: &[Owner], vectors: &Vectors, all_there: bool) -> Result<(), String> {
    let rows = vectors.rows();
    let newest = owners.len().saturating_sub(COMPARED)..owners.len();
    for at in (0..owners.len()).step_by((owners.len() / COMPARED).max(1)).chain(newest) {
        let (face, person) = owners[at];
        let vector = rows.get(at).unwrap_or_default();
        let (mut found, mut same) = (false, true);
        let read = snapshot.face(face, |row| {
            found = true;
            // A damaged row is for others to report.
            if let Checked::Good(row) = row {
                let bits = vector_values(row.vector).map(f32::to_bits).eq(vector.iter().map(|v| v.to_bits()));
                same = bits && (row.person == person || !all_there);
            }
            Ok(())
        });
        read.map_err(|e| e.to_string())?;
        if !same || (all_there && !found) {
            return Err(format!("face {face} is not that of the database"));
        }
    }
    Ok(())
}

/// Writes the index so that a crash at any moment leaves the old one or the new one.
pub(super) fn save(folder: &Path, live: &Live, model: &ModelKey, seal: &Seal) -> Result<()> {
    let Some(vectors) = &live.vectors else { return Ok(()) };
    // What was removed is in no file: a base that still knows it is not saved.
    let base = live.base.as_ref().filter(|_| live.tombstones() == 0);
    let mut base_blocks = Vec::new();
    let base = base.and_then(|base| {
        for block in base.to_bytes() {
            match block {
                Ok(block) => base_blocks.push(block),
                Err(error) => {
                    tracing::info!(%error, "the base is not saved; it is built when the gallery is opened");
                    return None;
                }
            }
        }
        Some(base)
    });
    let owners: Vec<u8> = live.owners.iter().flat_map(|owner| [owner.0.0.to_le_bytes(), owner.1.0.to_le_bytes()]).flatten().collect();
    let names = live.names.to_bytes();
    let faces: Vec<u8> = base.iter().flat_map(|base| base.faces()).flat_map(|face| face.0.to_le_bytes()).collect();
    let mut blocks: Vec<&[u8]> = vec![&owners, &names];
    blocks.extend(vectors.shards().map(bytemuck::cast_slice::<f32, u8>));
    if base.is_some() {
        blocks.push(&faces);
        blocks.extend(base_blocks.iter().map(Vec::as_slice));
    }
    let id = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
    let header = Header {
        version: VERSION,
        little_endian: cfg!(target_endian = "little"),
        id,
        model_id: model.id.clone(),
        model_hash: model.hash.clone(),
        dim: vectors.dim(),
        count: live.owners.len(),
        generation: live.generation,
        rewritten: live.rewritten,
        last_person: live.last_person(),
        people_mark: live.people_mark,
        faces_mark: live.faces_mark,
        shards: vectors.shards().count(),
        kind: live.last_kind.map(|kind| kind.code().into()),
        base: base.map(|base| BaseHeader {
            kind: base.kind().code().into(),
            effort: base.effort(),
            recall: base.recall(),
            trained_on: base.trained_on(),
        }),
        blocks: blocks.iter().map(|block| (block.len() + seal.overhead()) as u64).collect(),
    };
    let header = serde_json::to_vec(&header).map_err(|e| Error::internal(e.to_string()))?;
    let header = [seal.close(&context(0, u32::MAX), &header)?].concat().concat();
    let path = folder.join(FILE);
    let part = part_of(&path);
    let failed = |e| Error::io("write", &part, e);
    let mut file = File::create(&part).map_err(failed)?;
    file.write_all(MAGIC).map_err(failed)?;
    file.write_all(&(header.len() as u32).to_le_bytes()).map_err(failed)?;
    file.write_all(&header).map_err(failed)?;
    for (number, block) in (0..).zip(blocks) {
        for piece in seal.close(&context(id, number), block)? {
            file.write_all(&piece).map_err(failed)?;
        }
    }
    file.sync_all().map_err(failed)?;
    drop(file);
    fs::rename(&part, &path).map_err(|e| Error::io("write", &path, e))?;
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

/// What a block is: of which file, and which of its blocks.
fn context(id: u64, number: u32) -> Vec<u8> {
    [FILE.as_bytes(), &id.to_le_bytes(), &number.to_le_bytes()].concat()
}

fn values(bytes: &[u8]) -> std::borrow::Cow<'_, [f32]> {
    bytemuck::try_cast_slice(bytes).map_or_else(|_| bytemuck::pod_collect_to_vec(bytes).into(), Into::into)
}

fn ids_from(bytes: &[u8]) -> Vec<FaceId> {
    bytes.as_chunks().0.iter().map(|&id| FaceId(i64::from_le_bytes(id))).collect()
}

fn owners_from(bytes: &[u8]) -> Option<Vec<Owner>> {
    let numbers = bytes.as_chunks::<8>().0.iter().map(|&n| i64::from_le_bytes(n)).collect::<Vec<_>>();
    let owners: Vec<Owner> = numbers.as_chunks().0.iter().map(|&[face, person]| (FaceId(face), PersonId(person))).collect();
    owners.is_sorted_by(|a, b| a.0 < b.0).then_some(owners)
}
