//! Photos and videos in folders as people have them: one rule for what is taken and what is passed over, for enrolment, clustering
//! and evaluation alike.
//!
//! Passed over are names on [the list of systems and photo programs](is_system_name), other names that begin with a dot, what is
//! neither a picture nor a video, pipes and devices, and links that lead back into the folder. Everything that is passed over is
//! counted. A name that ends like a picture's (`.jpg`, `.JFIF`, `.heic`, ...) is enough to be taken, so that a photo that cannot be
//! read fails aloud; every other file is told by its first bytes.

mod content;
mod names;
mod passed_over;

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::path::{Path, PathBuf};

use self::content::Kind;
pub use self::names::is_system_name;
pub use self::passed_over::{PassedOver, PassedOverReason};
use crate::error::{Error, Result};

/// The people of a folder that has one sub-folder of photos per person.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct PeopleFolder {
    /// Those with a photo, sorted by the path of their folder.
    pub people: Vec<PersonFolder>,
    /// What was left out.
    pub passed_over: PassedOver,
    /// What could not be looked at.
    pub unreadable: Vec<Unreadable>,
}

impl PeopleFolder {
    /// The error of the argument `name` for a `folder` without people, with what was passed over in it.
    pub fn nobody(&self, name: &'static str, folder: &Path) -> Error {
        let passed = if self.passed_over.total() == 0 { String::new() } else { format!("; passed over: {}", self.passed_over) };
        let reason =
            format!("expected one sub-folder of photos per person, found no photo in `{}`{passed}", crate::text::escape_path(folder));
        Error::argument(name, reason)
    }
}

/// A person's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PersonFolder {
    /// The folder, whose name is the person's.
    pub path: PathBuf,
    /// Its photos, sorted, at least one.
    pub photos: Vec<PathBuf>,
}

/// The photos and videos below a folder.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct MediaFolder {
    /// Sorted by path, folder by folder.
    pub files: Vec<MediaFile>,
    /// What was left out.
    pub passed_over: PassedOver,
    /// What could not be looked at.
    pub unreadable: Vec<Unreadable>,
}

/// A folder that cannot be listed, or a file of which it cannot be told what it is.
#[derive(Debug)]
#[non_exhaustive]
pub struct Unreadable {
    /// Where it is.
    pub path: PathBuf,
    /// Why: an `io`.
    pub error: Error,
}

/// A photo or a video.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaFile {
    /// A picture that is read, or one of a kind that is not (HEIC without its feature, say), which fails when it is opened.
    Photo(PathBuf),
    /// A video.
    Video(PathBuf),
}

impl MediaFile {
    /// What the file at `path` is, by its name or its first bytes. What is neither counts as a video: FFmpeg reads more kinds than are
    /// known here.
    pub fn of(path: PathBuf) -> Self {
        // Looking into a pipe would take what is in it.
        let look = || if path.is_file() { content::kind_of_file(&path).ok() } else { None };
        match names::kind(&path).or_else(look) {
            Some(Kind::Photo) => Self::Photo(path),
            _ => Self::Video(path),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        match self {
            Self::Photo(path) | Self::Video(path) => path,
        }
    }
}

/// The people of `folder`: each of its sub-folders is a person, with the photos directly in it.
///
/// Folders below a person's are passed over and counted, since their photos would get the name of whatever level was taken for the
/// people's. A link to a folder elsewhere is a person's too.
///
/// # Errors
/// `io` when `folder` itself cannot be read; what cannot be read below it is in [`PeopleFolder::unreadable`].
pub fn people(folder: impl AsRef<Path>) -> Result<PeopleFolder> {
    let mut walk = Walk::new(folder.as_ref())?;
    let mut people = Vec::new();
    for entry in walk.list(folder.as_ref(), false)? {
        match entry {
            Entry::File(_, Kind::Photo) => walk.passed_over.add(PassedOverReason::NoPerson),
            Entry::File(..) => walk.passed_over.add(PassedOverReason::NotAPicture),
            Entry::Folder(path, linked) => {
                let Some(entries) = walk.list_or_report(&path, linked) else { continue };
                let mut photos = Vec::new();
                for entry in entries {
                    match entry {
                        Entry::File(path, Kind::Photo) => photos.push(path),
                        Entry::File(..) => walk.passed_over.add(PassedOverReason::NotAPicture),
                        Entry::Folder(..) => walk.passed_over.add(PassedOverReason::NestedFolder),
                    }
                }
                if photos.is_empty() {
                    walk.passed_over.add(PassedOverReason::EmptyFolder);
                } else {
                    people.push(PersonFolder { path, photos });
                }
            }
        }
    }
    Ok(PeopleFolder { people, passed_over: walk.passed_over, unreadable: walk.unreadable })
}

/// The photos and videos of `folder` and of every folder below it. A link to a folder elsewhere is followed, each folder once.
///
/// # Errors
/// `io` when `folder` itself cannot be read; what cannot be read below it is in [`MediaFolder::unreadable`].
pub fn media(folder: impl AsRef<Path>) -> Result<MediaFolder> {
    let mut walk = Walk::new(folder.as_ref())?;
    let mut files = Vec::new();
    // A stack of what is left to do, the next one last: folders may be nested deeper than a thread's stack is.
    let mut left = walk.list(folder.as_ref(), false)?;
    left.reverse();
    while let Some(entry) = left.pop() {
        match entry {
            Entry::File(path, Kind::Photo) => files.push(MediaFile::Photo(path)),
            Entry::File(path, Kind::Video) => files.push(MediaFile::Video(path)),
            Entry::File(_, Kind::Other) => walk.passed_over.add(PassedOverReason::NotAPicture),
            Entry::Folder(path, linked) => left.extend(walk.list_or_report(&path, linked).unwrap_or_default().into_iter().rev()),
        }
    }
    Ok(MediaFolder { files, passed_over: walk.passed_over, unreadable: walk.unreadable })
}

enum Entry {
    File(PathBuf, Kind),
    /// And whether a link led to it, or to a folder above it.
    Folder(PathBuf, bool),
}

struct Walk {
    /// The folder that was named, without links.
    root: PathBuf,
    /// Folders elsewhere that links have led to, without links.
    followed: BTreeSet<PathBuf>,
    passed_over: PassedOver,
    unreadable: Vec<Unreadable>,
}

impl Walk {
    fn new(folder: &Path) -> Result<Self> {
        let root = folder.canonicalize().map_err(|source| Error::io("read", folder, source))?;
        Ok(Self { root, followed: BTreeSet::new(), passed_over: PassedOver::default(), unreadable: Vec::new() })
    }

    /// What lies in `folder` and is not passed over by its name or its type, sorted.
    fn list(&mut self, folder: &Path, linked: bool) -> Result<Vec<Entry>> {
        let failed = |source| Error::io("read", folder, source);
        let entries = std::fs::read_dir(folder).map_err(failed)?;
        let mut paths = entries.map(|entry| Ok(entry.map_err(failed)?.path())).collect::<Result<Vec<_>>>()?;
        paths.sort();
        Ok(paths.into_iter().filter_map(|path| self.entry(path, linked)).collect())
    }

    fn list_or_report(&mut self, folder: &Path, linked: bool) -> Option<Vec<Entry>> {
        self.list(folder, linked).map_err(|error| self.unreadable.push(Unreadable { path: folder.into(), error })).ok()
    }

    fn entry(&mut self, path: PathBuf, linked: bool) -> Option<Entry> {
        let name = path.file_name().unwrap_or_default();
        if is_system_name(name) {
            return self.pass_over(PassedOverReason::SystemFile);
        }
        if name.as_encoded_bytes().starts_with(b".") {
            return self.pass_over(PassedOverReason::Hidden);
        }
        let source = match std::fs::metadata(&path) {
            Ok(data) if data.is_dir() => return self.folder(path, linked),
            Ok(data) if data.is_file() => return self.file(path, &data),
            Ok(_) => return self.pass_over(PassedOverReason::SpecialFile),
            Err(source) => source,
        };
        match names::kind(&path) {
            // By its name somebody expects a photo or a video there: opening it says what is wrong.
            Some(kind) => Some(Entry::File(path, kind)),
            None if path.is_symlink() => self.pass_over(PassedOverReason::Link),
            None => self.report(path, source),
        }
    }

    fn file(&mut self, path: PathBuf, data: &Metadata) -> Option<Entry> {
        if names::is_camera_raw(&path) {
            return self.pass_over(PassedOverReason::CameraRaw);
        }
        if let Some(kind) = names::kind(&path) {
            return Some(Entry::File(path, kind));
        }
        if data.len() == 0 {
            return Some(Entry::File(path, Kind::Other));
        }
        match content::kind_of_file(&path) {
            Ok(kind) => Some(Entry::File(path, kind)),
            // A name that ends like no picture's says enough about a file that may not be looked into; no ending says nothing.
            Err(_) if path.extension().is_some() => Some(Entry::File(path, Kind::Other)),
            Err(source) => self.report(path, source),
        }
    }

    /// A link is followed where it leads neither into nor above the folder that was named, and to each place once: no circles, and no
    /// photo under two names.
    fn folder(&mut self, path: PathBuf, linked: bool) -> Option<Entry> {
        let linked = linked || path.is_symlink();
        if linked {
            // What cannot be reached says why when it is listed.
            let Ok(target) = path.canonicalize() else { return Some(Entry::Folder(path, linked)) };
            if target.starts_with(&self.root) || self.root.starts_with(&target) || !self.followed.insert(target) {
                return self.pass_over(PassedOverReason::Link);
            }
        }
        Some(Entry::Folder(path, linked))
    }

    fn report(&mut self, path: PathBuf, source: std::io::Error) -> Option<Entry> {
        let error = Error::io("read", &path, source);
        self.unreadable.push(Unreadable { path, error });
        None
    }

    fn pass_over(&mut self, reason: PassedOverReason) -> Option<Entry> {
        self.passed_over.add(reason);
        None
    }
}
