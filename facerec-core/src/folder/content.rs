//! What the first bytes of a file say it is.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Photo,
    Video,
    Other,
}

/// MPEG transport streams are told by their second and third packet.
const HEAD: u64 = 2 * 188 + 1;

/// Reads the first bytes of a regular file.
pub(super) fn kind_of_file(path: &Path) -> std::io::Result<Kind> {
    let mut head = Vec::new();
    File::open(path)?.take(HEAD).read_to_end(&mut head)?;
    Ok(kind_of(&head))
}

/// What a file that begins with `head` is. Kinds of pictures that are not read count, so that opening them says so.
fn kind_of(head: &[u8]) -> Kind {
    let at = |offset: usize, magic: &[u8]| head.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    let any = |magics: &[(usize, &[u8])]| magics.iter().any(|&(offset, magic)| at(offset, magic));
    const PHOTOS: [(usize, &[u8]); 12] = [
        (0, b"\xFF\xD8\xFF"),
        (0, b"\x89PNG\r\n\x1A\n"),
        (8, b"WEBPVP8"),
        (0, b"GIF87a"),
        (0, b"GIF89a"),
        (0, b"II*\0"),
        (0, b"MM\0*"),
        (0, b"II+\0"),
        (0, b"MM\0+"),
        (0, b"\0\0\0\x0CJXL "),
        (0, b"\0\0\0\x0CjP  "),
        (0, b"\xFF\x4F\xFF\x51"),
    ];
    const VIDEOS: [(usize, &[u8]); 6] = [
        (0, b"\x1A\x45\xDF\xA3"),
        (8, b"AVI "),
        (0, b"\0\0\x01\xBA"),
        (0, b"\0\0\x01\xB3"),
        (0, b"FLV\x01"),
        (0, b"\x30\x26\xB2\x75\x8E\x66\xCF\x11"),
    ];
    if at(4, b"ftyp") {
        return match head.get(8..12) {
            Some(b"avif" | b"avis" | b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"mif1" | b"msf1") => Kind::Photo,
            Some(b"crx " | b"M4A " | b"M4B ") => Kind::Other,
            _ => Kind::Video,
        };
    }
    let transport_stream = at(0, b"G") && at(188, b"G") && at(376, b"G");
    if any(&PHOTOS) || is_bmp(head) {
        Kind::Photo
    } else if any(&VIDEOS) || transport_stream {
        Kind::Video
    } else {
        Kind::Other
    }
}

/// `BM` alone begins many a text: the reserved bytes are zero, and the size of the header is a known one.
fn is_bmp(head: &[u8]) -> bool {
    head.starts_with(b"BM")
        && head.get(6..10) == Some(&[0; 4])
        && matches!(head.get(14..18), Some(&[12 | 16 | 40 | 52 | 56 | 64 | 108 | 124, 0, 0, 0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_by_their_first_bytes() {
        let mut bmp = b"BM\x36\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".to_vec();
        assert_eq!(kind_of(&bmp), Kind::Photo);
        bmp[7] = b'x';
        assert_eq!(kind_of(&bmp), Kind::Other);
        for photo in [&b"\xFF\xD8\xFF\xE0"[..], b"GIF89a..", b"\0\0\0\x18ftypheic", b"RIFF\x10\0\0\0WEBPVP8L", b"MM\0*\0\0"] {
            assert_eq!(kind_of(photo), Kind::Photo, "{photo:?}");
        }
        for video in [&b"\0\0\0\x18ftypisom"[..], b"\x1A\x45\xDF\xA3\x01", b"RIFF\x10\0\0\0AVI LIST"] {
            assert_eq!(kind_of(video), Kind::Video, "{video:?}");
        }
        for other in [&b""[..], b"BMW is a car, and here is more text", b"{}", b"\0\x05\x16\x07\0\x02\0\0Mac OS X", b"%PDF-1.7", b"G"] {
            assert_eq!(kind_of(other), Kind::Other, "{other:?}");
        }
        let mut packets = vec![0; 600];
        [0, 188, 376].into_iter().for_each(|at| packets[at] = b'G');
        assert_eq!(kind_of(&packets[..HEAD as usize]), Kind::Video);
    }
}
