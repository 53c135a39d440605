//! Exports as files.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;

use super::{Gallery, ImportReport};
use crate::error::{Error, Result};

impl Gallery {
    /// [`export`](Self::export) into the file `path`, which is there whole or not at all. Returns the number of faces.
    ///
    /// # Errors
    /// As [`export`](Self::export).
    pub fn export_to(&self, path: impl AsRef<Path>) -> Result<usize> {
        whole_file(path.as_ref(), |out| self.export(out))
    }

    /// [`export_person`](Self::export_person) into the file `path`, which is there whole or not at all. Returns the number of faces.
    ///
    /// # Errors
    /// As [`export_person`](Self::export_person).
    pub fn export_person_to(&self, name: &str, path: impl AsRef<Path>) -> Result<usize> {
        whole_file(path.as_ref(), |out| self.export_person(name, out))
    }

    /// [`import`](Self::import) of the file `path`.
    ///
    /// # Errors
    /// As [`import`](Self::import).
    pub fn import_from(&self, path: impl AsRef<Path>) -> Result<ImportReport> {
        let path = path.as_ref();
        self.import(&mut BufReader::new(File::open(path).map_err(|source| Error::io("read", path, source))?))
    }
}

/// Writes a file beside its place and then renames it.
fn whole_file(path: &Path, export: impl FnOnce(&mut dyn Write) -> Result<usize>) -> Result<usize> {
    let failed = |source| Error::io("write", path, source);
    let name = path.file_name().map_or_else(|| "export".into(), |name| name.to_string_lossy().into_owned());
    let part = path.with_file_name(format!(".{name}.part"));
    let write = || -> Result<usize> {
        let mut file = BufWriter::new(File::create(&part).map_err(failed)?);
        let faces = export(&mut file)?;
        file.into_inner().map_err(|error| failed(error.into_error()))?.sync_all().map_err(failed)?;
        fs::rename(&part, path).map_err(failed)?;
        Ok(faces)
    };
    write().inspect_err(|_| {
        // The failure that matters is reported.
        let _ = fs::remove_file(&part);
    })
}
