//! `--annotate DIR`: copies of the photos with their faces marked.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use facerec_core::{Annotation, Error, Image, Result, annotate, text};

/// Where the annotated copies of some photos go.
pub(crate) struct Annotated {
    targets: Vec<PathBuf>,
}

impl Annotated {
    /// Plans a file in `folder` for each of `photos`, and makes the folder. Photos of one name get numbers, and no photo is
    /// ever written over.
    pub(crate) fn new(folder: &Path, photos: &[PathBuf]) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(|source| Error::Io { action: "create", path: folder.to_path_buf(), source })?;
        let home = folder.canonicalize().ok();
        let mut taken: HashMap<String, usize> = HashMap::new();
        let targets = photos.iter().map(|photo| {
            let stem = photo.file_stem().map_or_else(|| "photo".into(), OsStr::to_os_string);
            let png = photo.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png"));
            let extension = if png { "png" } else { "jpg" };
            let parent = photo.parent().map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent });
            let beside = home.is_some() && parent.and_then(|parent| parent.canonicalize().ok()) == home;
            // Bytes that are not UTF-8 are kept.
            let with = |mut stem: OsString, end: &str| {
                stem.push(end);
                stem
            };
            let stem = if beside { with(stem, "-annotated") } else { stem };
            // Case is folded: some file systems do not tell `A.jpg` from `a.jpg`.
            let number = taken.entry(format!("{}.{extension}", text::path_text(stem.as_ref())).to_lowercase()).or_default();
            *number += 1;
            let end = if *number == 1 { format!(".{extension}") } else { format!("-{number}.{extension}") };
            folder.join(with(stem, &end))
        });
        Ok(Self { targets: targets.collect() })
    }

    /// Marks `faces` in the photo and writes it.
    pub(crate) fn write(&self, photo: usize, image: &Image, faces: impl Iterator<Item = Annotation>) -> Result<()> {
        let mut copy = image.clone();
        annotate(&mut copy, &faces.collect::<Vec<_>>());
        copy.save(&self.targets[photo])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn photos_of_one_name_do_not_overwrite_each_other_or_themselves() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let out = at("out");
        let photos = [at("a/x.jpg"), at("b/X.JPEG"), at("b/x.png"), out.join("x.jpg")];
        let planned = Annotated::new(&out, &photos).expect("made").targets;
        let names: Vec<_> = planned.iter().map(|path| path.file_name().expect("a name").to_string_lossy()).collect();
        assert_eq!(names, ["x.jpg", "X-2.jpg", "x.png", "x-annotated.jpg"]);
    }
}
