//! Which photos and videos are meant.

use std::path::{Path, PathBuf};

use facerec_core::Error;

use super::super::enroll::{PHOTOS, sorted};
use super::super::exit::Outcome;

/// Extensions of the videos that `--from` takes.
const VIDEOS: [&str; 10] = ["mp4", "m4v", "mov", "mkv", "webm", "avi", "mpg", "mpeg", "ts", "wmv"];

/// A file to look for faces in.
#[derive(Debug, PartialEq)]
pub(super) enum Input {
    Photo(PathBuf),
    Video(PathBuf),
}

impl Input {
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Photo(path) | Self::Video(path) => path,
        }
    }
}

/// Photos and videos below `folder`, sorted, and then those named; a named file that is no photo by its name is a video.
pub(super) fn find(folder: Option<&Path>, named: &[PathBuf]) -> Outcome<Vec<Input>> {
    let mut inputs = Vec::new();
    if let Some(folder) = folder {
        below(folder, &mut inputs)?;
        if inputs.is_empty() {
            let reason = format!("expected a folder with photos or videos, found none in `{}`", folder.display());
            return Err(Error::InvalidArgument { name: "from", reason }.into());
        }
    }
    inputs.extend(named.iter().map(|path| if has(path, &PHOTOS) { Input::Photo(path.clone()) } else { Input::Video(path.clone()) }));
    Ok(inputs)
}

fn below(folder: &Path, inputs: &mut Vec<Input>) -> Outcome<()> {
    for path in sorted(folder)? {
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        // A link to a folder could lead in a circle.
        let linked = path.is_symlink() && path.is_dir();
        if hidden || linked {
            continue;
        }
        if path.is_dir() {
            below(&path, inputs)?;
        } else if has(&path, &PHOTOS) {
            inputs.push(Input::Photo(path));
        } else if has(&path, &VIDEOS) {
            inputs.push(Input::Video(path));
        }
    }
    Ok(())
}

fn has(path: &Path, extensions: &[&str]) -> bool {
    path.extension().is_some_and(|extension| extensions.contains(&extension.to_string_lossy().to_ascii_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn photos_and_videos_are_found_below_a_folder_in_order() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        for sub in ["b/c", ".hidden"] {
            std::fs::create_dir_all(at(sub)).expect("made");
        }
        for file in ["z.JPG", "b/c/clip.MP4", "b/notes.txt", "a.png", ".hidden/x.jpg"] {
            std::fs::write(at(file), []).expect("written");
        }
        let named = [PathBuf::from("what")];
        let found = find(Some(folder.path()), &named).map_err(|_| "failed").expect("files");
        let expected =
            [Input::Photo(at("a.png")), Input::Video(at("b/c/clip.MP4")), Input::Photo(at("z.JPG")), Input::Video("what".into())];
        assert_eq!(found, expected);
        assert!(find(Some(&at(".hidden/none")), &[]).is_err());
        assert!(find(Some(&at("b")), &[]).is_ok_and(|found| found.len() == 1));
    }
}
