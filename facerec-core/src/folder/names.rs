//! What names say: files that systems and programs keep for themselves, and endings.

use std::ffi::OsStr;
use std::path::Path;

use super::content::Kind;

/// Names that systems, network drives and photo programs keep for themselves, in lower case. `*` stands for anything at one end.
///
/// macOS: `._*` (AppleDouble, the other half of a file on a drive that is not Apple's), `.ds_store`, `__macosx`, ...;
/// Windows: `thumbs.db`, `desktop.ini`, ...; Linux: `lost+found`, `.trash-1000`, `.directory`; Synology, QNAP and other network
/// drives: `@eadir`, `#recycle`, `.@__thumb`, ...; photo programs: `.picasa.ini`, `*.xmp` and other side files, previews.
const SYSTEM_NAMES: &[&str] = &[
    // macOS
    "._*",
    ".ds_store",
    ".localized",
    "icon\r",
    "__macosx",
    ".appledouble",
    ".appledb",
    ".appledesktop",
    ".apdisk",
    ".fseventsd",
    ".spotlight-v100",
    ".temporaryitems",
    ".documentrevisions-v100",
    ".volumeicon.icns",
    "network trash folder",
    "temporary items",
    // Windows
    "thumbs.db",
    "ehthumbs*.db",
    "desktop.ini",
    "$recycle.bin",
    "recycler",
    "system volume information",
    "zbthumbnail.info",
    // Linux and the BSDs
    "lost+found",
    ".trash*",
    ".directory",
    ".nomedia",
    ".thumbnails",
    ".thumbs",
    ".thumb",
    // Network drives
    "@eadir",
    "@synoeastream",
    "*@synoeastream",
    "*@synoresource",
    "synophoto_thumb_*",
    "synofile_thumb_*",
    "@tmp",
    "#recycle",
    "#snapshot",
    ".snapshot",
    ".snapshots",
    ".@__thumb",
    "@recycle",
    "@recently-snapshot",
    ".@upload_cache",
    // Photo programs: their settings for a photo, and their previews
    ".picasa.ini",
    "picasa.ini",
    ".picasaoriginals",
    ".dtrash",
    ".comments",
    "*.xmp",
    "*.aae",
    "*.thm",
    "*.lrv",
    "*.pp3",
    "*.dop",
    "*.lrdata",
    "*.lrcat-data",
    // Version control and synchronisation
    ".git",
    ".svn",
    ".hg",
    ".stfolder",
    ".stversions",
    ".sync",
    ".dropbox.cache",
];

const PHOTOS: [&str; 19] = [
    "jpg", "jpeg", "jpe", "jfif", "jif", "png", "webp", "bmp", "dib", "gif", "tif", "tiff", // read
    "heic", "heif", "hif", "avif", "jxl", "jp2", "pjpeg", // perhaps not read, which opening them says
];

const VIDEOS: [&str; 18] =
    ["mp4", "m4v", "mov", "qt", "mkv", "webm", "avi", "mpg", "mpeg", "ts", "mts", "m2ts", "wmv", "3gp", "3g2", "flv", "ogv", "mxf"];

/// Most of them begin like a TIFF file, whose only picture is a thumbnail.
const CAMERA_RAW: [&str; 24] = [
    "3fr", "arw", "cr2", "cr3", "crw", "dcr", "dng", "erf", "iiq", "kdc", "mef", "mos", "mrw", "nef", "nrw", "orf", "pef", "raf", "rw2",
    "rwl", "sr2", "srf", "srw", "x3f",
];

/// Whether systems, network drives or photo programs keep a file or folder of this name for themselves, whatever is in it:
/// `._*`, `.DS_Store`, `__MACOSX`, `Thumbs.db`, `desktop.ini`, `$RECYCLE.BIN`, `lost+found`, `.Trash*`, `.thumbnails`, `@eaDir`,
/// `#recycle`, `.@__thumb`, `.picasa.ini`, `*.xmp`, `.git` and their like, in upper or lower case.
pub fn is_system_name(name: impl AsRef<OsStr>) -> bool {
    let name = name.as_ref().as_encoded_bytes().to_ascii_lowercase();
    SYSTEM_NAMES.iter().any(|pattern| match pattern.split_once('*') {
        None => name == pattern.as_bytes(),
        Some((start, end)) => name.len() > start.len() + end.len() && name.starts_with(start.as_bytes()) && name.ends_with(end.as_bytes()),
    })
}

/// What the ending says; `None` when it says nothing.
pub(super) fn kind(path: &Path) -> Option<Kind> {
    if ends_with(path, &PHOTOS) {
        Some(Kind::Photo)
    } else if ends_with(path, &VIDEOS) {
        Some(Kind::Video)
    } else {
        None
    }
}

pub(super) fn is_camera_raw(path: &Path) -> bool {
    ends_with(path, &CAMERA_RAW)
}

fn ends_with(path: &Path, endings: &[&str]) -> bool {
    path.extension().is_some_and(|ending| endings.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_systems_are_known_in_any_case_and_no_others() {
        for name in ["._p1.jpg", ".DS_Store", "@eaDir", "@EADIR", "Thumbs.db", "ehthumbs_vista.db", "Desktop.ini", "lost+found"] {
            assert!(is_system_name(name), "{name}");
        }
        for name in ["#recycle", ".Trash-1000", ".Trashes", "__MACOSX", ".git", "Icon\r", "IMG_1.XMP", "img_1.jpg.xmp", "$RECYCLE.BIN"] {
            assert!(is_system_name(name), "{name}");
        }
        for name in ["_p1.jpg", ".hidden", "eaDir", "thumbs.jpg", "Git", "xmp", "Lost", "recycle", "Icon", "p.xmp.jpg", ""] {
            assert!(!is_system_name(name), "{name}");
        }
    }

    #[test]
    fn endings_are_hints_in_any_case() {
        for name in ["a.jpg", "a.JPE", "a.Jfif", "a.jif", "a.b.TIFF", "a.heic"] {
            assert_eq!(kind(Path::new(name)), Some(Kind::Photo), "{name}");
        }
        assert_eq!(kind(Path::new("a.MTS")), Some(Kind::Video));
        for name in ["jpg", "a", "a.txt", "a.jpg~", ".jpg", "a."] {
            assert_eq!(kind(Path::new(name)), None, "{name}");
        }
        assert!(is_camera_raw(Path::new("DSC_1.NEF")) && !is_camera_raw(Path::new("nef")));
    }
}
