//! One file out of an archive: a zip archive (a wheel of PyPI is one) or an npm package. Nothing is unpacked under a name from the archive.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use flate2::read::GzDecoder;

use super::{LARGEST, open, remove};
use crate::error::{Error, Result};

/// Takes `member` (or the only entry with its file name) out of a zip archive, at most `limit` bytes. `origin` names the archive in errors.
pub(super) fn from_zip(archive: &Path, origin: &str, member: &str, part: &Path, limit: u64) -> Result<()> {
    let mut zip = zip::ZipArchive::new(open(archive)?).map_err(|error| broken(origin, format!("expected a zip archive: {error}")))?;
    let base = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    let names: Vec<String> = zip.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect();
    let same: Vec<&String> = names.iter().filter(|name| base(name) == base(member)).collect();
    let name = match same.as_slice() {
        _ if names.iter().any(|name| name == member) => member,
        [only] => only.as_str(),
        _ => return Err(missing(origin, member)),
    };
    let entry = zip.by_name(name).map_err(|error| broken(origin, error.to_string()))?;
    save(entry, origin, name, part, limit)
}

/// Takes the file `member` out of a gzipped tar archive, at most `limit` bytes.
pub(super) fn from_tgz(archive: &Path, origin: &str, member: &str, part: &Path, limit: u64) -> Result<()> {
    from_tar(GzDecoder::new(BufReader::new(open(archive)?)), LARGEST, origin, member, part, limit)
}

/// `most`: the bytes to read of the archive at most. A few megabytes can unpack to terabytes.
fn from_tar(archive: impl Read, most: u64, origin: &str, member: &str, part: &Path, limit: u64) -> Result<()> {
    let unreadable = |error: io::Error| broken(origin, format!("expected a gzipped tar archive of at most {most} bytes: {error}"));
    let mut tar = tar::Archive::new(archive.take(most));
    // Raw, that is without names longer than 255 bytes: those are entries of their own, which the crate reads into memory whole.
    for entry in tar.entries().map_err(unreadable)?.raw(true) {
        let entry = entry.map_err(unreadable)?;
        if entry.header().entry_type().is_file() && *entry.path_bytes() == *member.as_bytes() {
            return save(entry, origin, member, part, limit);
        }
    }
    Err(missing(origin, member))
}

fn save(entry: impl Read, origin: &str, name: &str, part: &Path, limit: u64) -> Result<()> {
    let mut to = File::create(part).map_err(|error| Error::io("create", part, error))?;
    let copied =
        io::copy(&mut entry.take(limit + 1), &mut to).map_err(|error| broken(origin, format!("cannot unpack `{name}`: {error}")))?;
    if copied > limit {
        remove(part)?;
        return Err(broken(origin, format!("expected `{name}` to have at most {limit} bytes")));
    }
    to.flush().map_err(|error| Error::io("write", part, error))
}

fn missing(origin: &str, member: &str) -> Error {
    broken(origin, format!("expected an entry `{member}` in the archive"))
}

fn broken(origin: &str, reason: String) -> Error {
    Error::io("read", origin, io::Error::new(io::ErrorKind::InvalidData, reason))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn tar(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, kind, bytes) in entries {
            let mut header = tar::Header::new_ustar();
            header.set_entry_type(*kind);
            header.set_size(bytes.len() as u64);
            header.set_path(name).unwrap();
            if kind.is_symlink() {
                header.set_link_name("/etc/passwd").unwrap();
            }
            header.set_cksum();
            tar.append(&header, *bytes).unwrap();
        }
        tar.into_inner().unwrap()
    }

    #[test]
    fn only_a_file_of_that_very_name_is_taken() {
        use tar::EntryType::{Regular, Symlink};
        let folder = tempfile::tempdir().unwrap();
        let part = folder.path().join("part");
        let archive = tar(&[
            ("package/model.onnx", Symlink, b""),
            ("other/model.onnx", Regular, b"other"),
            ("package/model.onnx", Regular, b"weights"),
        ]);
        from_tar(&*archive, 1 << 20, "here", "package/model.onnx", &part, 100).unwrap();
        assert_eq!(std::fs::read(&part).unwrap(), b"weights");
        let refuse = |member: &str, most, limit, words: &str| {
            let error = from_tar(&*archive, most, "here", member, &part, limit).unwrap_err();
            assert!(error.kind().code() == "io" && error.to_string().contains(words), "{error}");
        };
        refuse("model.onnx", 1 << 20, 100, "expected an entry `model.onnx`");
        refuse("package/model.onnx", 1 << 20, 6, "at most 6 bytes");
        assert!(!part.exists());
        refuse("package/model.onnx", 1000, 100, "at most 1000 bytes"); // ends within the archive
    }

    #[test]
    fn a_name_as_long_as_the_archive_fills_no_memory() {
        let folder = tempfile::tempdir().unwrap();
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::GNULongName);
        header.set_size(1 << 40);
        header.set_path("././@LongLink").unwrap();
        header.set_cksum();
        let endless = header.as_bytes().chain(io::repeat(b'a'));
        let error = from_tar(endless, 64 << 20, "here", "model.onnx", &folder.path().join("part"), 100).unwrap_err();
        assert!(error.to_string().contains("at most 67108864 bytes"), "{error}");
    }
}
