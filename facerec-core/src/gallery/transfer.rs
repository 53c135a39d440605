//! A gallery as JSON Lines: a header, then one face per line, with everything that is known about it but its ids.

use std::collections::{BTreeSet, HashMap};
use std::io::{BufRead, Read, Write};

use serde::{Deserialize, Serialize};

use super::records::{AuditEntry, FaceId, ImportReport, Person, PersonId, check_details, quality_from, quality_values};
use super::rows::{FaceRow, vector_bytes, vector_values};
use super::source::{Sink, Source};
use super::store::Checked;
use crate::error::{Error, Result};
use crate::face::ModelKey;
use crate::text::{canonical_name, escape_json, person_name};

const FORMAT: &str = "facerec-gallery";
const VERSION: u32 = 1;
/// Longest line that is read: 65536 values of 13 characters, and some room for metadata.
const MAX_LINE_BYTES: u64 = 4 << 20;
/// How far the length of an imported vector may be from 1.
const UNIT_TOLERANCE: f64 = 1e-3;

#[derive(Serialize, Deserialize)]
struct Header {
    format: String,
    version: u32,
    model: Model,
    dim: usize,
    persons: usize,
    faces: usize,
    /// In an export of one person: who they are here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    person: Option<PersonHeader>,
}

#[derive(Serialize, Deserialize)]
struct PersonHeader {
    id: i64,
    name: String,
    created_ms: i64,
}

/// An entry of the audit log in an export of one person; an import passes over it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AuditLine {
    audit: AuditEntryLine,
}

#[derive(Serialize, Deserialize)]
struct AuditEntryLine {
    id: i64,
    at_ms: i64,
    actor: String,
    action: String,
    faces: Vec<i64>,
}

#[derive(Serialize, Deserialize)]
struct Model {
    id: String,
    hash: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    person: String,
    embedding: Vec<f32>,
    #[serde(default)]
    quality: Option<QualityLine>,
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    digest: Option<String>,
    #[serde(default)]
    metadata: Option<serde_json::Map<String, serde_json::Value>>,
    #[serde(default)]
    created_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_ms: Option<i64>,
}

#[derive(Serialize, Deserialize)]
struct QualityLine {
    score: f32,
    sharpness: f32,
    yaw: f32,
    pitch: f32,
    roll: f32,
    face_px: f32,
    exposure: f32,
}

/// Writes every face; returns how many. With `salvage`, damaged rows are left out and counted in a warning.
pub(super) fn export(snapshot: &dyn Source, salvage: bool, out: &mut dyn Write) -> Result<usize> {
    let state = snapshot.state()?;
    let damaged = |what: &str, id: i64| {
        tracing::warn!(id, "a damaged {what} is left out of the export");
        if salvage { Ok(()) } else { Err(snapshot.corrupt(&format!("{what} {id} does not match its checksum"))) }
    };
    let mut names = HashMap::new();
    snapshot.each_person(&mut |row| match row {
        Checked::Good(person) => {
            names.insert(person.id, canonical_name(person.name).into_owned());
            Ok(())
        }
        Checked::Damaged(id) => damaged("person", id),
    })?;
    // The header's count lets an import notice a file that was cut short, so it counts what will be written.
    let writable = |row: &Checked<FaceRow<'_>>| matches!(row, Checked::Good(face) if names.contains_key(&face.person));
    let mut faces = 0;
    if salvage {
        snapshot.each_face(&mut |row| {
            faces += usize::from(writable(&row));
            Ok(())
        })?;
    } else {
        faces = state.faces as usize;
    }
    let persons = names.values().collect::<BTreeSet<_>>().len();
    let model = Model { id: state.model.id, hash: state.model.hash };
    let header = Header { format: FORMAT.into(), version: VERSION, model, dim: state.dim, persons, faces, person: None };
    write_line(out, &header)?;
    snapshot.each_face(&mut |row| match row {
        Checked::Good(face) => match names.get(&face.person) {
            Some(name) => write_line(out, &line_of(name, &face)),
            None => damaged("face", face.id.0),
        },
        Checked::Damaged(id) => damaged("face", id),
    })?;
    out.flush().map_err(|e| Error::io("write", "the export", e))?;
    Ok(faces)
}

/// Writes everything about one person, whose rows may be those of several `ids`; returns the number of their faces.
pub(super) fn export_person(snapshot: &dyn Source, person: &Person, ids: &[PersonId], salvage: bool, out: &mut dyn Write) -> Result<usize> {
    let state = snapshot.state()?;
    let (mut lines, mut own) = (Vec::new(), BTreeSet::new());
    let mut each = |row: Checked<FaceRow<'_>>| match row {
        Checked::Good(face) => {
            own.insert(face.id);
            lines.push(line_of(&person.name, &face));
            Ok(())
        }
        Checked::Damaged(_) if salvage => Ok(()),
        Checked::Damaged(id) => Err(snapshot.corrupt(&format!("face {id} does not match its checksum"))),
    };
    ids.iter().try_for_each(|&id| snapshot.each_face_of(id, &mut each))?;
    let model = Model { id: state.model.id, hash: state.model.hash };
    let header = PersonHeader { id: person.id.0, name: person.name.clone(), created_ms: person.created_ms };
    let (persons, faces) = (1, lines.len());
    write_line(out, &Header { format: FORMAT.into(), version: VERSION, model, dim: state.dim, persons, faces, person: Some(header) })?;
    lines.iter().try_for_each(|line| write_line(out, line))?;
    snapshot.each_entry(&mut |row| {
        let entry = match row {
            Checked::Good(entry) => entry.entry(),
            Checked::Damaged(_) if salvage => return Ok(()),
            Checked::Damaged(id) => return Err(snapshot.corrupt(&format!("audit entry {id} does not match its checksum"))),
        };
        if !ids.iter().any(|id| entry.persons.contains(id)) {
            return Ok(());
        }
        // An entry may be about others as well: only their own faces are theirs to see.
        let faces = entry.faces.iter().filter(|face| own.contains(face)).map(|face| face.0).collect();
        let AuditEntry { id, at_ms, actor, action, .. } = entry;
        write_line(out, &AuditLine { audit: AuditEntryLine { id, at_ms, actor, action, faces } })
    })?;
    out.flush().map_err(|e| Error::io("write", "the export", e))?;
    Ok(faces)
}

/// Gives every face of an export to `sink`, in its transaction: an error leaves nothing behind.
pub(super) fn import(sink: &mut dyn Sink, model: &ModelKey, input: &mut dyn BufRead) -> Result<ImportReport> {
    let mut lines = Lines { input, number: 0 };
    let text = lines.next()?.ok_or_else(|| lines.wrong("an empty file"))?;
    let header: Header = serde_json::from_str(&text).map_err(|e| lines.wrong(&format!("no header: {e}")))?;
    if header.format != FORMAT || header.version != VERSION {
        return Err(lines.wrong(&format!("format {} {}", header.format, header.version)));
    }
    if header.model.id != model.id || header.model.hash != model.hash {
        let actual = ModelKey::new(header.model.id, header.model.hash);
        return Err(Error::EmbeddingModelMismatch { expected: model.to_string(), actual: actual.to_string() });
    }
    let mut lines_read = 0;
    while let Some(text) = lines.next()? {
        if text.starts_with(r#"{"audit":"#) && serde_json::from_str::<AuditLine>(&text).is_ok() {
            continue;
        }
        let line: Line = serde_json::from_str(&text).map_err(|e| lines.wrong(&e.to_string()))?;
        let length = line.embedding.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
        if line.embedding.len() != header.dim || (length - 1.0).abs() > UNIT_TOLERANCE {
            return Err(lines.wrong(&format!("a vector of {} values and length {length}", line.embedding.len())));
        }
        add(sink, &line).map_err(|e| match e {
            Error::InvalidArgument { name, reason } => lines.wrong(&format!("{name}: {reason}")),
            other => other,
        })?;
        lines_read += 1;
    }
    if lines_read != header.faces {
        return Err(lines.wrong(&format!("{lines_read} faces of {}: the file was cut short", header.faces)));
    }
    sink.finish()
}

fn add(sink: &mut dyn Sink, line: &Line) -> Result<()> {
    let quality = line.quality.as_ref().map(|q| quality_from([q.score, q.sharpness, q.yaw, q.pitch, q.roll, q.face_px, q.exposure]));
    let metadata = line.metadata.clone().map(|map| serde_json::Value::Object(map).to_string());
    check_details(quality.as_ref(), line.digest.as_deref(), metadata.as_deref())?;
    let face = FaceRow {
        id: FaceId(0),
        person: PersonId(0),
        vector: &vector_bytes(&line.embedding),
        quality,
        source: line.source.as_deref(),
        digest: line.digest.as_deref(),
        metadata: metadata.as_deref(),
        created_ms: line.created_ms,
        expires_ms: line.expires_ms,
        mark: 0,
    };
    sink.take(&person_name(&line.person)?, face)
}

fn line_of(name: &str, face: &FaceRow<'_>) -> Line {
    let quality = face.quality.as_ref().map(quality_values).map(|[score, sharpness, yaw, pitch, roll, face_px, exposure]| QualityLine {
        score,
        sharpness,
        yaw,
        pitch,
        roll,
        face_px,
        exposure,
    });
    Line {
        person: name.to_owned(),
        embedding: vector_values(face.vector).collect(),
        quality,
        source: face.source.map(Into::into),
        digest: face.digest.map(Into::into),
        // It was checked when it was stored.
        metadata: face.metadata.and_then(|text| serde_json::from_str(text).ok()),
        created_ms: face.created_ms,
        expires_ms: face.expires_ms,
    }
}

fn write_line(out: &mut dyn Write, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string(value).map_err(|e| Error::internal(e.to_string()))?;
    // It may be looked at in a terminal.
    let text = escape_json(&text).into_owned() + "\n";
    out.write_all(text.as_bytes()).map_err(|e| Error::io("write", "the export", e))
}

/// The lines of an import, with their number for messages.
struct Lines<'a> {
    input: &'a mut dyn BufRead,
    number: usize,
}

impl Lines<'_> {
    /// The next line that is not blank.
    fn next(&mut self) -> Result<Option<String>> {
        loop {
            self.number += 1;
            let mut line = Vec::new();
            let mut limited = (&mut *self.input).take(MAX_LINE_BYTES);
            let read = limited.read_until(b'\n', &mut line).map_err(|e| Error::io("read", "the import", e))?;
            if read as u64 == MAX_LINE_BYTES && line.last() != Some(&b'\n') {
                return Err(Error::LimitExceeded {
                    what: "bytes in a line of the import",
                    limit: MAX_LINE_BYTES,
                    actual: MAX_LINE_BYTES + 1,
                });
            }
            if read == 0 {
                return Ok(None);
            }
            if !line.trim_ascii().is_empty() {
                return String::from_utf8(line).map(Some).map_err(|_| self.wrong("bytes that are not UTF-8"));
            }
        }
    }

    fn wrong(&self, got: &str) -> Error {
        Error::argument("import", format!("expected an export of facerec in line {}, got `{got}`; nothing was imported", self.number))
    }
}
