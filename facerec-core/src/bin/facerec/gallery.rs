//! `facerec gallery`: needs no model, since what is enrolled is there already; only `cluster` looks at photos.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Subcommand;
use facerec_core::gallery::{FaceId, FaceRecord, IndexKind};
use facerec_core::text::{self, canonical_name};
use facerec_core::{Error, Gallery, ModelKey};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::exit::{Exit, InGallery, Outcome};
use super::options::{Global, gallery_key};
use super::output::Output;
use super::record::{QualityRecord, count};
use super::{cluster, people};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The gallery's folder, or the address of a shared one: postgres://USER@HOST/DATABASE?gallery=NAME.
    // Clap has no required global arguments.
    #[arg(long, value_name = "DIR", global = true)]
    gallery: Option<PathBuf>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Everybody, with the number of their faces.
    List,
    /// A person's faces.
    Show {
        /// The person.
        #[arg(value_name = "NAME")]
        person: String,
    },
    /// Remove a person with all faces, or one face, from every file of the gallery.
    Remove {
        /// The person.
        #[arg(value_name = "NAME", required_unless_present = "face", conflicts_with = "face")]
        person: Option<String>,
        /// Id of the one face to remove (see `show`).
        #[arg(long, value_name = "ID")]
        face: Option<i64>,
    },
    /// Give a person another name.
    Rename {
        /// The name so far.
        #[arg(value_name = "NAME")]
        person: String,
        /// The name from now on.
        #[arg(value_name = "NEW_NAME")]
        new_name: String,
    },
    /// Make one person of two.
    Merge {
        /// The person who is no more afterwards.
        #[arg(value_name = "NAME")]
        person: String,
        /// The person who gets the faces.
        #[arg(value_name = "INTO")]
        into: String,
    },
    /// Give some of a person's faces to another one, who is made when there is none of that name.
    Split {
        /// The person whose faces they are.
        #[arg(value_name = "NAME")]
        person: String,
        /// The person who gets them.
        #[arg(value_name = "INTO")]
        into: String,
        /// Ids of the faces (see `show`); may be given several times.
        #[arg(long = "face", value_name = "ID", required = true)]
        faces: Vec<i64>,
    },
    /// Who changed what and when: one entry for each change, with ids and no names.
    Audit {
        /// Start after this entry.
        #[arg(long, value_name = "ID", default_value = "0")]
        after: i64,
        /// Most entries to list.
        #[arg(long, value_name = "N", default_value = "1000")]
        limit: usize,
    },
    /// Pairs of people who look alike: most likely one person under two names.
    Duplicates {
        /// Similarity from which two faces are one person's, -1 to 1 [default: the embedder's at a false match rate of 1e-4].
        #[arg(long, value_name = "SIMILARITY", allow_negative_numbers = true)]
        threshold: Option<f32>,
        /// Most pairs to list.
        #[arg(long, value_name = "N", default_value = "100")]
        limit: usize,
    },
    /// Put the faces of unknown people in photos and videos together; with `--gallery`, those whom it does not know.
    Cluster(cluster::Args),
    /// The gallery in numbers.
    Stats,
    /// Read and check everything; repairs nothing.
    Verify,
    /// Give the space of removed faces back to the disk; build the index and save it.
    Compact {
        /// How it is to be searched from now on: auto, flat, sq8, fp16, ivf or hnsw [default: as before, else by size].
        #[arg(long, value_name = "KIND", default_value = "auto", hide_default_value = true)]
        index: IndexKind,
    },
    /// Delete the faces that expired.
    Purge,
    /// Encrypt the gallery, change its key, or decrypt it. The key so far is given as for every other subcommand.
    ///
    /// The new key is in a file or in the variables FACEREC_GALLERY_NEW_KEY or FACEREC_GALLERY_NEW_PASSPHRASE.
    Rekey {
        /// File with the new key: 32 bytes, or these as hex digits or base64.
        #[arg(long, value_name = "FILE", conflicts_with = "decrypt")]
        new_key_file: Option<PathBuf>,
        /// Make everything readable without a key.
        #[arg(long)]
        decrypt: bool,
    },
    /// Write everything as JSON Lines.
    Export {
        /// Only what is held about this person, with the audit log's entries about them.
        #[arg(long, value_name = "NAME")]
        person: Option<String>,
        /// The file to write [default: standard output].
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Leave damaged faces out instead of refusing a damaged gallery.
        #[arg(long)]
        salvage: bool,
    },
    /// Add what an export holds, all or nothing.
    Import {
        /// The file to read.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

pub(crate) fn run(global: &Global, args: &Args, output: &mut Output) -> Outcome {
    if let Action::Cluster(files) = &args.action {
        return cluster::run(global, args.gallery.as_deref(), files, output);
    }
    let missing = || Error::InvalidArgument { name: "gallery", reason: "expected `--gallery DIR`".into() };
    let folder = args.gallery.as_deref().ok_or_else(missing)?;
    let reader = || Gallery::open_any(folder, global.gallery()?.read_only(true)).in_gallery();
    let writer = || Gallery::open_any(folder, global.gallery()?.create(false)).in_gallery();
    match &args.action {
        Action::List => list(&reader()?, output),
        Action::Show { person } => show(&reader()?, person, output),
        Action::Remove { person: Some(person), .. } => {
            let removed = writer()?.remove_person(person).in_gallery()?;
            let text = format_args!("{person} removed with {}\n", count(removed, "face", "faces"));
            output.emit(&json!({"person": person, "removed_faces": removed}), text)
        }
        Action::Remove { person: None, face } => {
            let face = face.unwrap_or_default();
            let removed = usize::from(writer()?.remove_face(FaceId(face)).in_gallery()?);
            let text = format_args!("{}\n", if removed == 0 { "there is no such face" } else { "face removed" });
            output.emit(&json!({"face_id": face, "removed_faces": removed}), text)
        }
        Action::Rename { person, new_name } => {
            writer()?.rename(person, new_name).in_gallery()?;
            output.emit(
                &json!({"person": canonical_name(new_name), "renamed_from": canonical_name(person)}),
                format_args!("{person} is now {new_name}\n"),
            )
        }
        Action::Merge { person, into } => {
            let moved = writer()?.merge(person, into).in_gallery()?;
            let text = format_args!("{person} is now {into}, with {}\n", count(moved, "face", "faces"));
            output.emit(&json!({"person": canonical_name(into), "merged_from": canonical_name(person), "moved_faces": moved}), text)
        }
        Action::Split { person, into, faces } => {
            let faces: Vec<FaceId> = faces.iter().copied().map(FaceId).collect();
            let moved = writer()?.split(person, &faces, into).in_gallery()?;
            let text = format_args!("{} of {person} given to {into}\n", count(moved, "face", "faces"));
            output.emit(&json!({"person": canonical_name(into), "split_from": canonical_name(person), "moved_faces": moved}), text)
        }
        Action::Audit { after, limit } => people::audit(&reader()?, *after, *limit, output),
        Action::Duplicates { threshold, limit } => people::duplicates(global, &reader()?, *threshold, *limit, output),
        Action::Cluster(_) => Ok(()), // needs no gallery: done above
        Action::Stats => stats(&reader()?, output),
        Action::Verify => return verify(global, folder, output),
        Action::Compact { index } => {
            let gallery = Gallery::open_any(folder, global.gallery()?.create(false).index(*index)).in_gallery()?;
            let before = gallery.stats().in_gallery()?.bytes_on_disk;
            gallery.compact().in_gallery()?;
            let after = gallery.stats().in_gallery()?.bytes_on_disk;
            output.emit(
                &json!({"bytes_before": before, "bytes_after": after}),
                format_args!("{} before, {} now\n", size(before), size(after)),
            )
        }
        Action::Purge => {
            let gallery = writer()?;
            // Opening it did so already.
            let purged = gallery.purge_expired().in_gallery()?;
            let stats = gallery.stats().in_gallery()?;
            let text = format_args!("expired faces are deleted, {} left\n", count(stats.faces, "face is", "faces are"));
            output.emit(&json!({"purged_faces": purged, "faces": stats.faces}), text)
        }
        Action::Rekey { new_key_file, decrypt } => rekey(&writer()?, new_key_file.as_deref(), *decrypt, output),
        Action::Export { person, out, salvage } => {
            let options = global.gallery()?.read_only(true).salvage(*salvage);
            export(&Gallery::open_any(folder, options).in_gallery()?, person.as_deref(), out.as_deref(), output)
        }
        Action::Import { file } => import(global, folder, file, output),
    }?;
    Ok(Exit::Done)
}

fn list(gallery: &Gallery, output: &mut Output) -> Outcome<()> {
    let persons = gallery.persons().in_gallery()?;
    let widest = persons.iter().map(|person| person.name.chars().count()).max().unwrap_or_default();
    for person in &persons {
        let record = json!({"person": person.name, "id": person.id.0, "faces": person.faces, "created_ms": person.created_ms});
        output.emit(&record, format_args!("{:<widest$}  {}\n", person.name, count(person.faces, "face", "faces")))?;
    }
    Ok(())
}

/// The JSON of an enrolled face.
#[derive(Serialize)]
struct EnrolledRecord<'a> {
    person: &'a str,
    face_id: i64,
    quality: Option<QualityRecord>,
    source: Option<&'a str>,
    metadata: Option<Value>,
    created_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_ms: Option<i64>,
}

fn show(gallery: &Gallery, person: &str, output: &mut Output) -> Outcome<()> {
    let person = &*canonical_name(person);
    for face in gallery.faces(person).in_gallery()? {
        let FaceRecord { id, ref quality, ref source, ref metadata, created_ms, expires_ms, .. } = face;
        let record = EnrolledRecord {
            person,
            face_id: id.0,
            quality: quality.as_ref().map(QualityRecord::new),
            source: source.as_deref(),
            metadata: metadata.as_deref().and_then(|text| serde_json::from_str(text).ok()),
            created_ms,
            expires_ms,
        };
        let quality = quality.map_or_else(|| "quality   - ".into(), |quality| format!("quality {:.2}", quality.score));
        output.emit(&record, format_args!("face {:<6}  {quality}  {}\n", id.0, source.as_deref().unwrap_or("")))?;
    }
    Ok(())
}

fn stats(gallery: &Gallery, output: &mut Output) -> Outcome<()> {
    let stats = gallery.stats().in_gallery()?;
    let record = json!({
        "persons": stats.persons, "faces": stats.faces, "dim": stats.dim, "model": stats.model, "model_hash": stats.model_hash,
        "index": stats.index_kind, "recall": stats.recall, "tombstones": stats.tombstones,
        "index_bytes_per_face": stats.index_bytes_per_face, "index_building": stats.index_building,
        "bytes": stats.bytes_on_disk, "generation": stats.generation, "encrypted": stats.encrypted,
    });
    let dim = stats.dim.map_or_else(String::new, |dim| format!(", {dim} values"));
    let recall = stats.recall.map_or_else(|| "not measured".into(), |recall| format!("{recall:.4}"));
    let building = if stats.index_building { " (being built)" } else { "" };
    let text = format!(
        "people  {}\nfaces   {}\nmodel   {}{dim}\nindex   {}{building}, recall {recall}, {} tombstones, {} bytes per face\nsize    {}\n",
        stats.persons,
        stats.faces,
        stats.model,
        stats.index_kind,
        stats.tombstones,
        stats.index_bytes_per_face,
        size(stats.bytes_on_disk)
    );
    output.emit(&record, format_args!("{text}"))
}

fn verify(global: &Global, folder: &Path, output: &mut Output) -> Outcome {
    let options = global.gallery()?.read_only(true).salvage(true);
    let report = Gallery::open_any(folder, options).and_then(|gallery| gallery.verify()).in_gallery()?;
    let ok = report.problems.is_empty();
    let mut text = format!("{} checked: {}\n", count(report.faces, "face", "faces"), if ok { "all is well" } else { "damaged" });
    for problem in &report.problems {
        text += &format!("  {problem}\n");
    }
    output.emit(&json!({"ok": ok, "faces": report.faces, "problems": report.problems}), format_args!("{text}"))?;
    Ok(if ok { Exit::Done } else { Exit::Gallery })
}

fn rekey(gallery: &Gallery, file: Option<&Path>, decrypt: bool, output: &mut Output) -> Outcome<()> {
    let key = if decrypt { None } else { gallery_key(file, "FACEREC_GALLERY_NEW_KEY", "FACEREC_GALLERY_NEW_PASSPHRASE")? };
    if key.is_none() && !decrypt {
        let reason = "expected `--new-key-file FILE`, FACEREC_GALLERY_NEW_KEY, FACEREC_GALLERY_NEW_PASSPHRASE or `--decrypt`".into();
        return Err(Error::InvalidArgument { name: "new_key_file", reason }.into());
    }
    gallery.set_key(key).in_gallery()?;
    let text = if decrypt { "the gallery is readable without a key\n" } else { "the gallery opens with the new key only\n" };
    output.emit(&json!({"encrypted": !decrypt}), format_args!("{text}"))
}

fn export(gallery: &Gallery, person: Option<&str>, out: Option<&Path>, output: &mut Output) -> Outcome<()> {
    let Some(path) = out else {
        return output.raw(|out| match person {
            Some(person) => gallery.export_person(person, out).in_gallery().map(drop),
            None => gallery.export(out).in_gallery().map(drop),
        });
    };
    let faces = match person {
        Some(person) => gallery.export_person_to(person, path),
        None => gallery.export_to(path),
    };
    let faces = faces.in_gallery()?;
    let words = format_args!("{} written to {}\n", count(faces, "face", "faces"), text::escape_path(path));
    output.emit(&json!({"faces": faces, "file": text::path_text(path)}), words)
}

fn import(global: &Global, folder: &Path, file: &Path, output: &mut Output) -> Outcome<()> {
    let failed = |source| Error::Io { action: "read", path: file.to_path_buf(), source };
    let mut input = BufReader::new(File::open(file).map_err(failed)?);
    let gallery = match Gallery::open_any(folder, global.gallery()?.create(false)) {
        // A new gallery is made for the model that the export names, so that a restore needs no model files.
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            let mut start = Vec::new();
            File::open(file).and_then(|file| BufReader::new(file.take(1 << 20)).read_until(b'\n', &mut start)).map_err(failed)?;
            let header: Header = serde_json::from_slice(&start).map_err(|error| Error::InvalidArgument {
                name: "file",
                reason: format!("expected an export of a gallery, got something whose first line is not its header: {error}"),
            })?;
            let model = Arc::new(ModelKey::new(header.model.id, header.model.hash));
            Gallery::open(folder, &model, global.gallery()?)
        }
        opened => opened,
    };
    let report = gallery.and_then(|gallery| gallery.import(&mut input)).in_gallery()?;
    let text = format!(
        "{} of {} added, {} there already\n",
        count(report.faces, "face", "faces"),
        count(report.persons, "new person", "new people"),
        count(report.duplicates, "face", "faces")
    );
    let record = json!({"persons": report.persons, "faces": report.faces, "duplicates": report.duplicates});
    output.emit(&record, format_args!("{text}"))
}

/// What a new gallery must know of an export's first line.
#[derive(Deserialize)]
struct Header {
    model: HeaderModel,
}

#[derive(Deserialize)]
struct HeaderModel {
    id: String,
    hash: String,
}

/// `3.4 MB`.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}
