//! Which way up a picture is: EXIF's orientation, XMP's where EXIF has none, and undoing it.

use image::{RgbImage, imageops};

use super::ifd::Directory;
use crate::image::rearranged;

/// EXIF's tag 0x0112, "Orientation".
const TAG: u16 = 0x112;

/// What a file's metadata say of its orientation, from 1 (upright) to 8.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Metadata {
    exif: Option<u64>,
    xmp: Option<u64>,
}

impl Metadata {
    /// Reads an EXIF block: a TIFF structure, with or without the prefix `Exif\0\0`. The first block with an orientation counts.
    pub(super) fn exif(&mut self, bytes: &[u8]) {
        self.exif = self.exif.or_else(|| of_exif(bytes));
    }

    /// Reads an XMP packet.
    pub(super) fn xmp(&mut self, packet: &[u8]) {
        self.xmp = self.xmp.or_else(|| of_xmp(packet));
    }

    /// The orientation. EXIF's is the camera's own and goes before XMP's, which is a copy where both are there.
    pub(super) fn orientation(self) -> u64 {
        self.exif.or(self.xmp).unwrap_or(1)
    }
}

/// The orientation in a TIFF structure.
fn of_exif(bytes: &[u8]) -> Option<u64> {
    let directory = Directory::first(bytes.strip_prefix(b"Exif\0\0").unwrap_or(bytes))?;
    directory.find(TAG)?.unsigned(0).filter(|value| (1..=8).contains(value))
}

/// The orientation in an XMP packet: the property `Orientation` of Adobe's TIFF namespace, as attribute or element.
fn of_xmp(packet: &[u8]) -> Option<u64> {
    // Without zeroes UTF-16 is readable here as well.
    let text: String = packet.iter().filter(|&&byte| byte != 0).map(|&byte| char::from(byte)).collect();
    let declared = text.split("xmlns:").skip(1).filter_map(|rest| {
        let (prefix, rest) = rest.split_once('=')?;
        let address = rest.trim_start().get(1..)?.starts_with("http://ns.adobe.com/tiff/1.0/");
        address.then(|| prefix.trim().to_string())
    });
    declared.chain(["tiff".to_string()]).find_map(|prefix| {
        let name = format!("{prefix}:Orientation");
        text.match_indices(&name).find_map(|(at, _)| value_after(&text[at + name.len()..]))
    })
}

/// `="6"` or `>6<`, with white space and an element's own attributes where XML allows them.
fn value_after(rest: &str) -> Option<u64> {
    let digits = match rest.trim_start().strip_prefix('=') {
        Some(value) => value.trim_start().strip_prefix(['"', '\''])?,
        None => rest.split_once('>')?.1,
    };
    let digits = digits.trim_start();
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok().filter(|value| (1..=8).contains(value))
}

/// Undoes the camera's orientation.
pub(super) fn upright(mut image: RgbImage, orientation: u64) -> RgbImage {
    match orientation {
        2 => imageops::flip_horizontal_in_place(&mut image),
        3 => imageops::rotate180_in_place(&mut image),
        4 => imageops::flip_vertical_in_place(&mut image),
        5 => return transposed(&image, false, false),
        6 => return transposed(&image, true, false),
        7 => return transposed(&image, true, true),
        8 => return transposed(&image, false, true),
        _ => {}
    }
    image
}

fn transposed(image: &RgbImage, flip_x: bool, flip_y: bool) -> RgbImage {
    let (width, height) = image.dimensions();
    // The sides swapped hold as many pixels, so the picture cannot be empty.
    RgbImage::from_raw(height, width, rearranged(image.as_raw(), (width, height), true, flip_x, flip_y)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::of_xmp;

    #[test]
    fn xmp_is_read_in_every_form() {
        let address = "http://ns.adobe.com/tiff/1.0/";
        for (packet, expected) in [
            (format!("<rdf:Description xmlns:tiff=\"{address}\" tiff:Orientation=\"6\"/>"), Some(6)),
            (format!("<rdf:Description xmlns:tiff='{address}' tiff:Orientation = '3'/>"), Some(3)),
            (format!("<x xmlns:tiff=\"{address}\"><tiff:Orientation>8</tiff:Orientation></x>"), Some(8)),
            (format!("<x xmlns:t=\"{address}\"><t:Orientation rdf:datatype=\"i\">\n 5 </t:Orientation></x>"), Some(5)),
            ("<x tiff:Orientation=\"2\"/>".into(), Some(2)),
            ("<x tiff:Orientation=\"9\"/>".into(), None),
            ("<x tiff:Orientation=\"\"/>".into(), None),
            ("<x xmlns:my=\"http://example.org/\" my:Orientation=\"6\"/>".into(), None),
            ("<x>tiff:Orientation".into(), None),
            (String::new(), None),
        ] {
            assert_eq!(of_xmp(packet.as_bytes()), expected, "{packet}");
            let wide: Vec<u8> = packet.encode_utf16().flat_map(u16::to_le_bytes).collect();
            assert_eq!(of_xmp(&wide), expected, "UTF-16: {packet}");
        }
    }
}
