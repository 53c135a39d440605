//! Decoding: every format and variant gives the same scene, and no bytes make it panic or lie.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use facerec_core::error::ErrorKind;
use facerec_core::image::{DecodeLimits, Image};
use proptest::prelude::*;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/images")
}

fn fixture(name: &str) -> Vec<u8> {
    fs::read(fixtures().join(name)).unwrap()
}

/// All fixture pictures, smallest first.
fn all() -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(fixtures())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.ends_with(".py"))
        .map(|name| (name.clone(), fixture(&name)))
        .collect();
    files.sort_by_key(|(name, bytes)| (bytes.len(), name.clone()));
    assert!(files.len() > 30);
    files
}

fn scene() -> Image {
    Image::decode(&fixture("scene.png")).unwrap()
}

/// The scene in shades of grey (ITU-R 601, as Pillow).
fn grey_scene() -> Image {
    let mut image = scene();
    for pixel in image.data_mut().chunks_exact_mut(3) {
        let grey = (f32::from(pixel[0]) * 0.299 + f32::from(pixel[1]) * 0.587 + f32::from(pixel[2]) * 0.114).round() as u8;
        pixel.fill(grey);
    }
    image
}

fn mean_difference(a: &Image, b: &Image) -> f32 {
    assert_eq!((a.width(), a.height()), (b.width(), b.height()));
    a.data().iter().zip(b.data()).map(|(&a, &b)| f32::from(a.abs_diff(b))).sum::<f32>() / a.data().len() as f32
}

fn code(result: facerec_core::error::Result<Image>) -> &'static str {
    result.map(|image| format!("{image:?}")).expect_err("an error").kind().code()
}

#[test]
fn every_format_and_variant_shows_the_scene() {
    // Allowed mean difference in grey levels: 0 where the format keeps every pixel.
    let table = [
        ("uncompressed.png", 0.0),
        ("baseline.jpg", 2.0),
        ("progressive.jpg", 2.0),
        ("subsampled_restart.jpg", 3.0),
        ("rgb.jpg", 2.0),
        ("cmyk.jpg", 3.0),
        ("palette.png", 6.0),
        ("lossy.webp", 4.0),
        ("lossless.webp", 0.0),
        ("animated.webp", 0.0),
        ("plain.bmp", 0.0),
        ("palette.bmp", 6.0),
        ("first_frame.gif", 6.0),
        ("raw.tif", 0.0),
        ("deflate.tif", 0.0),
        ("cmyk.tif", 1.0),
        ("full.heic", 1.0),
        ("subsampled.heic", 3.0),
    ];
    for (name, allowed) in table {
        let difference = mean_difference(&Image::decode(&fixture(name)).unwrap(), &scene());
        assert!(difference <= allowed, "{name}: {difference}");
    }
    for (name, allowed) in [("grey.jpg", 2.0), ("grey.png", 0.6), ("grey_16.png", 0.6), ("grey.tif", 0.6)] {
        let difference = mean_difference(&Image::decode(&fixture(name)).unwrap(), &grey_scene());
        assert!(difference <= allowed, "{name}: {difference}");
    }
    let one_bit = Image::decode(&fixture("one_bit.png")).unwrap();
    assert!(one_bit.data().iter().all(|&v| v == 0 || v == 255));
    assert!(mean_difference(&one_bit, &grey_scene()) < 128.0);
}

#[test]
fn all_eight_orientations_are_undone() {
    for orientation in 1..=8 {
        let image = Image::decode(&fixture(&format!("exif_{orientation}.jpg"))).unwrap();
        let difference = mean_difference(&image, &scene());
        assert!(difference < 2.0, "orientation {orientation}: {difference}");
    }
    let turned = Image::decode(&fixture("exif_6.heic")).unwrap();
    assert!(mean_difference(&turned, &scene()) < 1.0, "a HEIC is turned once");
    for name in ["exif_6.png", "exif_6.webp", "exif_6.tif"] {
        assert_eq!(mean_difference(&Image::decode(&fixture(name)).unwrap(), &scene()), 0.0, "{name}");
    }
}

#[test]
fn transparent_pixels_lie_over_white() {
    for (name, opaque) in [("alpha.png", scene()), ("alpha.webp", scene()), ("alpha.heic", scene()), ("grey_alpha.png", grey_scene())] {
        let image = Image::decode(&fixture(name)).unwrap();
        let row = image.width() as usize * 3;
        let (top, bottom) = (&image.data()[..row], &image.data()[image.data().len() - row..]);
        assert!(top.iter().all(|&v| v > 245), "{name}: clear at the top, {top:?}");
        let expected = &opaque.data()[opaque.data().len() - row..];
        assert!(bottom.iter().zip(expected).all(|(a, b)| a.abs_diff(*b) < 12), "{name}: opaque at the bottom");
    }
    let cut_out = Image::decode(&fixture("palette_transparent.png")).unwrap();
    assert_eq!(cut_out.data()[..3], [255, 255, 255]);
}

/// A BMP of the scene: `header` bytes of header (the version), and pixels of 16 or 32 bits that `pixel` packs by `masks`.
fn bmp(header: u32, masks: [u32; 4], bits: u16, alpha: impl Fn(usize) -> u32) -> Vec<u8> {
    let scene = scene();
    let field = |value: u32, mask: u32| {
        if mask == 0 { 0 } else { ((value * (mask >> mask.trailing_zeros()) + 127) / 255) << mask.trailing_zeros() }
    };
    let row = |y: usize| &scene.data()[y * 144..(y + 1) * 144];
    let pixels = (0..32).rev().flat_map(|y| row(y).chunks_exact(3).enumerate().map(move |(x, p)| (y * 48 + x, p)));
    let packed = pixels.flat_map(|(at, p)| {
        let colours = [p[0].into(), p[1].into(), p[2].into(), alpha(at)];
        let pixel = colours.iter().zip(masks).fold(0, |sum, (&value, mask)| sum | field(value, mask));
        pixel.to_le_bytes()[..usize::from(bits) / 8].to_vec()
    });
    // Masks stand in the header from version 2 on, before that behind it.
    let behind = if header == 40 { 12 } else { 0 };
    let mut file = b"BM".to_vec();
    file.extend([0, 0, 14 + header + behind, header, 48, 32].iter().flat_map(|v: &u32| v.to_le_bytes()));
    file.extend([1, bits].iter().flat_map(|v| v.to_le_bytes()));
    file.extend([3, 0, 2835, 2835, 0, 0].iter().flat_map(|v: &u32| v.to_le_bytes())); // 3: BI_BITFIELDS
    file.extend(masks.iter().flat_map(|mask| mask.to_le_bytes()));
    file.resize(14 + (header + behind) as usize, 0);
    file.extend(packed);
    file
}

#[test]
fn a_bitmap_whose_alpha_is_zero_everywhere_is_opaque() {
    let eight = [0xFF_0000, 0xFF00, 0xFF, 0xFF00_0000];
    let five = [0x7C00, 0x3E0, 0x1F, 0x8000];
    for header in [40, 52, 56, 108, 124] {
        for (bits, masks, allowed) in
            [(32, eight, 0.0), (32, [0xFF, 0xFF00, 0xFF_0000, 0xFF00_0000], 0.0), (16, five, 5.0), (16, [0xF00, 0xF0, 0xF, 0xF000], 9.0)]
        {
            let image = Image::decode(&bmp(header, masks, bits, |_| 0)).unwrap();
            let difference = mean_difference(&image, &scene());
            assert!(difference <= allowed, "header of {header}, {bits} bits: {difference}");
        }
    }
    // One pixel that is not, and the others are transparent: they lie over white.
    for header in [56, 108, 124] {
        let image = Image::decode(&bmp(header, eight, 32, |at| if at == 100 { 255 } else { 0 })).unwrap();
        assert_eq!(image.data()[300..303], scene().data()[300..303], "header of {header}");
        assert!(image.data()[..300].iter().all(|&value| value == 255), "header of {header}");
    }
}

#[test]
fn sixteen_bit_colour_is_rounded_to_eight() {
    let deep = image::ImageBuffer::<image::Rgb<u16>, _>::from_fn(3, 1, |x, _| image::Rgb([x as u16 * 257, 65_535, 257 * 200 + 100]));
    let mut bytes = Vec::new();
    image::DynamicImage::from(deep).write_to(&mut Cursor::new(&mut bytes), image::ImageFormat::Png).unwrap();
    assert_eq!(Image::decode(&bytes).unwrap().data(), [0, 255, 200, 1, 255, 200, 2, 255, 200]);
}

#[test]
fn odd_sizes_are_read() {
    for (width, height) in [(1, 1), (30_000, 1), (1, 30_000), (7, 3)] {
        let image = Image::filled(width, height, [10, 200, 90]);
        let png = Image::decode(&image.encode_png().unwrap()).unwrap();
        assert_eq!(png, image);
        let jpeg = Image::decode(&image.encode_jpeg(95).unwrap()).unwrap();
        assert!(mean_difference(&jpeg, &image) < 2.0);
    }
    assert_eq!(Image::filled(70_000, 1, [0; 3]).encode_jpeg(90).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(code(Image::decode(&Image::filled(70_000, 1, [0; 3]).encode_png().unwrap())), "limit_exceeded");
}

#[test]
fn a_picture_without_pixels_is_damaged() {
    // The size in the header of each format set to 0 x 0.
    let mut png = fixture("scene.png");
    png[16..24].fill(0);
    let mut gif = fixture("first_frame.gif");
    gif[6..10].fill(0);
    let mut bmp = fixture("plain.bmp");
    bmp[18..26].fill(0);
    let mut jpeg = fixture("baseline.jpg");
    let frame = jpeg.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
    jpeg[frame + 5..frame + 9].fill(0);
    for (name, bytes) in [("png", png), ("bmp", bmp), ("jpeg", jpeg)] {
        let error = Image::decode(&bytes).unwrap_err();
        // The BMP decoder calls it a size that it does not support.
        let expected = if name == "bmp" { ErrorKind::UnsupportedFormat } else { ErrorKind::DecodeImage };
        assert_eq!(error.kind(), expected, "{name}: {error}");
    }
    // A GIF's canvas is only a frame for its pictures; either answer is honest.
    assert!(Image::decode(&gif).is_ok_and(|image| image.width() > 0) || code(Image::decode(&gif)) == "decode_image");
}

#[test]
fn a_file_cut_at_any_point_is_damaged_unless_every_pixel_is_there() {
    for (name, bytes) in all() {
        let whole = Image::decode(&bytes).unwrap();
        for end in 0..bytes.len() {
            match Image::decode(&bytes[..end]) {
                // What is missing then is padding, metadata, a checksum, a later frame.
                Ok(image) => assert_eq!(image, whole, "{name} cut at {end} of {}", bytes.len()),
                Err(error) => assert_eq!(error.kind(), ErrorKind::DecodeImage, "{name} cut at {end}: {error}"),
            }
            // Without its end marker, or half of it, a JPEG is still whole.
            if name.ends_with(".jpg") && end + 2 >= bytes.len() {
                assert!(Image::decode(&bytes[..end]).is_ok(), "{name} cut at {end} of {}", bytes.len());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_bytes_never_panic(file in 0usize..30, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12)) {
        let (_, mut bytes) = all().swap_remove(file);
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        // Small limits keep a header that promises a huge picture cheap.
        if let Ok(image) = Image::decode_with(&bytes, &DecodeLimits::default().max_pixels(4_000_000)) {
            prop_assert!(image.width() > 0 && image.height() > 0);
            prop_assert_eq!(image.data().len(), image.width() as usize * image.height() as usize * 3);
        }
    }
}

#[test]
fn files_that_are_not_pictures_say_what_they_are() {
    let unsupported = [
        ("AVIF", &b"\0\0\0\x1cftypavif\0\0\0\0avifmif1"[..]),
        ("MP4", b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2"),
        ("PDF", b"%PDF-1.7\n1 0 obj"),
        ("WebM", b"\x1A\x45\xDF\xA3\x01\0\0\0"),
        ("AVI", b"RIFF\x24\0\0\0AVI LIST"),
        ("JPEG XL", b"\0\0\0\x0CJXL \r\n\x87\n"),
        ("SVG", b"<svg xmlns=\"\">"),
        ("PNM", b"P6 1 1 255 abc"),
        ("PNM", b"P7\nWIDTH 1\n"),
        ("AVIF", b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif"),
        ("CR3", b"\0\0\0\x18ftypcrx \0\0\0\x01"),
        ("JPEG XL", b"\xFF\x0A\xFA\x1F"),
        ("JPEG 2000", b"\0\0\0\x0CjP  \r\n\x87\n"),
        ("JPEG 2000", b"\xFF\x4F\xFF\x51\0\x2F"),
        ("PSD", b"8BPS\0\x01"),
        ("XCF", b"gimp xcf v011\0"),
        ("CR2", b"II*\0\x10\0\0\0CR\x02\0"),
        ("RAF", b"FUJIFILMCCD-RAW 0201"),
        ("RW2", b"IIU\0\x18\0\0\0"),
        ("OpenEXR", b"\x76\x2F\x31\x01\x02\0\0\0"),
        ("Radiance", b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n"),
        ("QOI", b"qoif\0\0\0\x01\0\0\0\x01\x03\0"),
        ("DDS", b"DDS \x7C\0\0\0"),
        ("ICO", b"\0\0\x01\0\x01\0\x10\x10\0\0\x01\0"),
        ("TGA", b"\0\0\x02\0\0\0\0\0\0\0\0\0\x01\0\x01\0\x18\0abc\0\0\0\0\0\0\0\0TRUEVISION-XFILE.\0"),
        ("MPEG", b"\0\0\x01\xBA\x44"),
        ("SVG", b"\xEF\xBB\xBF<?xml version=\"1.0\"?>\n<svg/>"),
        ("SVG", b"  \n<SVG/>"),
        ("web page", b"\n<!doctype html><html>"),
        ("PostScript", b"%!PS-Adobe-3.0 EPSF-3.0"),
        ("Base64", b"data:image/jpeg;base64,/9j/4AAQ"),
        ("LFS", b"version https://git-lfs.github.com/spec/v1\n"),
        ("ZIP", b"PK\x03\x04\x14\0"),
    ];
    for (name, bytes) in unsupported {
        let error = Image::decode(bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnsupportedFormat, "{name}");
        assert!(error.to_string().contains(name), "{name}: {error}");
    }
    for bytes in [&b""[..], b"\0", b"just some text that someone renamed to .jpg", &[0xFF; 64], &[0xFF, 0xD8, 0xFF]] {
        assert_eq!(code(Image::decode(bytes)), "decode_image", "{bytes:?}");
    }
}

#[test]
fn limits_are_on() {
    for name in ["scene.png", "baseline.jpg", "raw.tif", "full.heic", "exif_6.heic"] {
        let bytes = fixture(name); // 48 x 32, or 32 x 48
        let with = |limits| Image::decode_with(&bytes, &limits);
        assert!(with(DecodeLimits::default().max_pixels(1536).max_side(48).max_bytes(bytes.len() as u64)).is_ok(), "{name}");
        assert_eq!(code(with(DecodeLimits::default().max_pixels(1535))), "limit_exceeded", "{name}");
        assert_eq!(code(with(DecodeLimits::default().max_side(47))), "limit_exceeded", "{name}");
        assert_eq!(code(with(DecodeLimits::default().max_bytes(bytes.len() as u64 - 1))), "limit_exceeded", "{name}");
    }
    // A header that promises 50,000 x 50,000 pixels is refused before anything is allocated.
    let mut bomb = fixture("plain.bmp");
    bomb[18..22].copy_from_slice(&50_000u32.to_le_bytes());
    bomb[22..26].copy_from_slice(&50_000u32.to_le_bytes());
    assert_eq!(code(Image::decode(&bomb)), "limit_exceeded");
    assert!(DecodeLimits::default().max_pixels >= 12_000 * 8_000);
}

#[test]
fn files_are_opened_saved_and_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for missing in [at("no such file.jpg"), folder.path().to_path_buf()] {
        let error = Image::open(&missing).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().contains(&missing.display().to_string()), "{error}");
    }
    for name in ["a.png", "Ünïcödé 名前.PNG"] {
        scene().save(at(name)).unwrap();
        assert_eq!(Image::open(at(name)).unwrap(), scene());
    }
    scene().save(at("b.jpg")).unwrap();
    assert!(mean_difference(&Image::open(at("b.jpg")).unwrap(), &scene()) < 2.0);
    assert_eq!(scene().save(at("c.tga")).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(scene().save(at("no folder/d.png")).unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(Image::open_with(at("b.jpg"), &DecodeLimits::default().max_bytes(9)).unwrap_err().kind(), ErrorKind::LimitExceeded);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "no temporary file is left");
}
