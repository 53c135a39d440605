//! Orientation: in EXIF of any number type or in XMP of any form, in every format that carries them.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::io::Cursor;
use std::path::Path;

use facerec_core::image::Image;

fn scene() -> Image {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/images/scene.png");
    Image::decode(&fs::read(fixture).unwrap()).unwrap()
}

/// The scene as a camera stores it that says `orientation`: the EXIF specification's "0th row at the top, 0th column on the left" is 1.
fn stored(orientation: u16) -> Image {
    let scene = scene();
    let (w, h) = (scene.width() as usize, scene.height() as usize);
    let (width, height) = if orientation > 4 { (h, w) } else { (w, h) };
    let from = |x: usize, y: usize| match orientation {
        2 => (w - 1 - x, y),
        3 => (w - 1 - x, h - 1 - y),
        4 => (x, h - 1 - y),
        5 => (y, x),
        6 => (w - 1 - y, x),
        7 => (w - 1 - y, h - 1 - x),
        8 => (y, h - 1 - x),
        _ => (x, y),
    };
    let pixel = |x, y| {
        let (x, y) = from(x, y);
        scene.data()[(y * w + x) * 3..][..3].to_vec()
    };
    let data = (0..height).flat_map(|y| (0..width).flat_map(move |x| [(x, y)])).flat_map(|(x, y)| pixel(x, y)).collect();
    Image::from_rgb(width as u32, height as u32, data).unwrap()
}

#[derive(Debug, Clone, Copy)]
enum Form {
    ExifShort,
    ExifLong,
    ExifByte,
    ExifTwoShorts,
    ExifLittle,
    XmpAttribute,
    XmpElement,
    XmpOtherPrefix,
}

use Form::*;

const FORMS: [Form; 8] = [ExifShort, ExifLong, ExifByte, ExifTwoShorts, ExifLittle, XmpAttribute, XmpElement, XmpOtherPrefix];

/// The metadata block, and whether it is XMP.
fn block(form: Form, orientation: u16) -> (bool, Vec<u8>) {
    let value = orientation as u8;
    let exif = |kind: u8, count: u8, field: [u8; 4]| {
        let entry = [&[1, 0x12, 0, kind, 0, 0, 0, count][..], &field].concat();
        (false, [b"MM\0\x2A\0\0\0\x08\0\x01".as_slice(), &entry, &[0; 4]].concat())
    };
    let xmp = |body: String| {
        let packet = format!(
            "<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?><x:xmpmeta xmlns:x='adobe:ns:meta/'>\
             <rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>{body}</rdf:RDF></x:xmpmeta><?xpacket end='w'?>"
        );
        (true, packet.into_bytes())
    };
    let space = "http://ns.adobe.com/tiff/1.0/";
    match form {
        ExifShort => exif(3, 1, [0, value, 0, 0]),
        ExifLong => exif(4, 1, [0, 0, 0, value]),
        ExifByte => exif(1, 1, [value, 0, 0, 0]),
        ExifTwoShorts => exif(3, 2, [0, value, 0, 0]),
        ExifLittle => (false, [b"II\x2A\0\x08\0\0\0\x01\0\x12\x01\x04\0\x01\0\0\0".as_slice(), &[value, 0, 0, 0], &[0; 4]].concat()),
        XmpAttribute => xmp(format!("<rdf:Description rdf:about='' xmlns:tiff='{space}' tiff:Orientation='{value}'/>")),
        XmpElement => {
            xmp(format!("<rdf:Description xmlns:tiff=\"{space}\">\n<tiff:Orientation>{value}</tiff:Orientation></rdf:Description>"))
        }
        XmpOtherPrefix => xmp(format!("<rdf:Description xmlns:ns1 = \"{space}\" ns1:Orientation = \"{value}\"/>")),
    }
}

fn jpeg(image: &Image, blocks: &[(bool, Vec<u8>)]) -> Vec<u8> {
    let mut file = image.encode_jpeg(97).unwrap();
    for (xmp, block) in blocks.iter().rev() {
        let data = [if *xmp { b"http://ns.adobe.com/xap/1.0/\0".as_slice() } else { b"Exif\0\0" }, block].concat();
        let segment = [&[0xFF, 0xE1], ((data.len() + 2) as u16).to_be_bytes().as_slice(), &data].concat();
        file.splice(2..2, segment);
    }
    file
}

fn png(image: &Image, blocks: &[(bool, Vec<u8>)]) -> Vec<u8> {
    let mut file = image.encode_png().unwrap();
    for (xmp, block) in blocks.iter().rev() {
        let (name, data) =
            if *xmp { (b"iTXt", [b"XML:com.adobe.xmp\0\0\0\0\0".as_slice(), block].concat()) } else { (b"eXIf", block.clone()) };
        let body = [name.as_slice(), &data].concat();
        let chunk = [&(data.len() as u32).to_be_bytes(), body.as_slice(), &crc(&body).to_be_bytes()].concat();
        file.splice(33..33, chunk); // after the signature and IHDR
    }
    file
}

/// CRC-32 as PNG has it (ISO 3309).
fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), |crc, _| step(crc)))
}

fn webp(image: &Image, blocks: &[(bool, Vec<u8>)]) -> Vec<u8> {
    let rgb = image::RgbImage::from_raw(image.width(), image.height(), image.data().to_vec()).unwrap();
    let mut plain = Vec::new();
    rgb.write_to(&mut Cursor::new(&mut plain), image::ImageFormat::WebP).unwrap();
    let chunk = |name: &[u8; 4], data: &[u8]| {
        let mut chunk = [name.as_slice(), &(data.len() as u32).to_le_bytes(), data].concat();
        chunk.resize(chunk.len().next_multiple_of(2), 0);
        chunk
    };
    let flags = blocks.iter().fold(0, |flags, (xmp, _)| flags | if *xmp { 4 } else { 8 });
    let side = |side: u32| (side - 1).to_le_bytes()[..3].to_vec();
    let mut body = chunk(b"VP8X", &[vec![flags, 0, 0, 0], side(image.width()), side(image.height())].concat());
    body.extend(&plain[12..]);
    body.extend(blocks.iter().flat_map(|(xmp, block)| chunk(if *xmp { b"XMP " } else { b"EXIF" }, block)));
    [b"RIFF".as_slice(), &(body.len() as u32 + 4).to_le_bytes(), b"WEBP", &body].concat()
}

fn difference(a: &Image, b: &Image) -> f32 {
    if (a.width(), a.height()) != (b.width(), b.height()) {
        return 255.0;
    }
    a.data().iter().zip(b.data()).map(|(&a, &b)| f32::from(a.abs_diff(b))).sum::<f32>() / a.data().len() as f32
}

type Writer = fn(&Image, &[(bool, Vec<u8>)]) -> Vec<u8>;
const WRITERS: [(&str, Writer); 3] = [("jpeg", jpeg), ("png", png), ("webp", webp)];

#[test]
fn every_form_in_every_format() {
    for (name, write) in WRITERS {
        for form in FORMS {
            for orientation in 1..=8 {
                let image = Image::decode(&write(&stored(orientation), &[block(form, orientation)])).unwrap();
                let difference = difference(&image, &scene());
                assert!(difference < 3.0, "{name}, {form:?} {orientation}: {difference}");
            }
        }
    }
}

#[test]
fn exif_goes_before_xmp_and_nonsense_is_passed_over() {
    for (name, write) in WRITERS {
        let right = |blocks: &[(bool, Vec<u8>)], stored: &Image, what: &str| {
            let difference = difference(&Image::decode(&write(stored, blocks)).unwrap(), &scene());
            assert!(difference < 3.0, "{name}, {what}: {difference}");
        };
        right(&[block(ExifShort, 6), block(XmpAttribute, 3)], &stored(6), "EXIF first");
        right(&[block(XmpAttribute, 3), block(ExifShort, 6)], &stored(6), "XMP first");
        right(&[block(ExifShort, 0), block(XmpElement, 8)], &stored(8), "EXIF says nothing");
        right(&[block(ExifShort, 9)], &stored(1), "EXIF out of range");
        right(&[block(XmpAttribute, 9)], &stored(1), "XMP out of range");
        right(&[(false, b"MM\0\x2A\xFF\xFF\xFF\xFF".to_vec())], &stored(1), "EXIF that points outside");
        right(&[(true, b"<tiff:Orientation".to_vec())], &stored(1), "XMP cut off");
    }
}
