//! A folder with one sub-folder of photos per person.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A person's name and photos, sorted by name.
pub(super) struct PersonFolder {
    pub(super) photos: Vec<PathBuf>,
}

/// The people of `folder`, sorted by name; sub-folders without a photo are left out.
pub(super) fn people(folder: &Path) -> Result<Vec<PersonFolder>> {
    let mut people = Vec::new();
    for person in sorted(folder)?.into_iter().filter(|path| path.is_dir()) {
        let photos: Vec<PathBuf> = sorted(&person)?.into_iter().filter(|path| path.is_file() && is_photo(path)).collect();
        if !photos.is_empty() {
            people.push(PersonFolder { photos });
        }
    }
    if people.is_empty() {
        return Err(Error::argument(
            "folder",
            format!("expected one sub-folder of photos per person, found none in `{}`", folder.display()),
        ));
    }
    Ok(people)
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |source| Error::io("read", folder, source);
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).map_err(failed)?.map(|entry| Ok(entry.map_err(failed)?.path())).collect::<Result<_>>()?;
    paths.sort();
    Ok(paths)
}

fn is_photo(path: &Path) -> bool {
    let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    extension.is_some_and(|e| ["jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff"].contains(&e.as_str()))
}
