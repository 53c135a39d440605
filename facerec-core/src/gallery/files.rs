//! Exports as files.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter};
use std::path::Path;

use super::{Gallery, ImportReport};
use crate::error::{Error, Result};

impl Gallery {
    /// [`export`](Self::export) into the file `path`, which is there whole or not at all. Returns the number of faces.
    ///
    /// # Errors
    /// As [`export`](Self::export).
    pub fn export_to(&self, path: impl AsRef<Path>) -> Result<usize> {
        let path = path.as_ref();
        let failed = |source| Error::io("write", path, source);
        let name = path.file_name().map_or_else(|| "export".into(), |name| name.to_string_lossy().into_owned());
        // Beside its place and then renamed.
        let part = path.with_file_name(format!(".{name}.part"));
        let write = || -> Result<usize> {
            let mut file = BufWriter::new(File::create(&part).map_err(failed)?);
            let faces = self.export(&mut file)?;
            file.into_inner().map_err(|error| failed(error.into_error()))?.sync_all().map_err(failed)?;
            fs::rename(&part, path).map_err(failed)?;
            Ok(faces)
        };
        write().inspect_err(|_| {
            // The failure that matters is reported.
            let _ = fs::remove_file(&part);
        })
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
