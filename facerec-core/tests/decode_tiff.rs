//! TIFF: every depth, colour and layout that is read shows the scene, and what is not read is called by its name.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::Path;

use facerec_core::error::ErrorKind;
use facerec_core::image::Image;

const WIDTH: usize = 48;
const HEIGHT: usize = 32;

fn scene() -> Image {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/images/scene.png");
    Image::decode(&fs::read(fixture).unwrap()).unwrap()
}

/// The scene in shades of grey.
fn grey() -> Vec<u8> {
    scene().data().chunks_exact(3).map(|p| ((u32::from(p[0]) * 299 + u32::from(p[1]) * 587 + u32::from(p[2]) * 114) / 1000) as u8).collect()
}

fn image_of(grey: &[u8]) -> Image {
    Image::from_rgb(WIDTH as u32, HEIGHT as u32, grey.iter().flat_map(|&value| [value; 3]).collect()).unwrap()
}

fn largest_difference(a: &Image, b: &Image) -> u8 {
    assert_eq!((a.width(), a.height()), (b.width(), b.height()));
    a.data().iter().zip(b.data()).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

#[derive(Clone)]
enum Value {
    Bytes(Vec<u8>),
    Short(Vec<u16>),
    Long(Vec<u32>),
    Float(Vec<f32>),
}

use Value::{Bytes, Float, Long, Short};

/// A TIFF file to be.
#[derive(Clone)]
struct Tiff {
    little: bool,
    big: bool,
    tags: Vec<(u16, Value)>,
    /// Strips or tiles.
    parts: Vec<Vec<u8>>,
}

impl Tiff {
    /// One strip of 48 x 32 pixels.
    fn new(photometric: u16, samples: u16, bits: u16, data: Vec<u8>) -> Self {
        let tags = vec![
            (256, Short(vec![WIDTH as u16])),
            (257, Short(vec![HEIGHT as u16])),
            (258, Short(vec![bits; samples.into()])),
            (259, Short(vec![1])),
            (262, Short(vec![photometric])),
            (277, Short(vec![samples])),
        ];
        Self { little: true, big: false, tags, parts: vec![data] }
    }

    fn with(mut self, tag: u16, value: Value) -> Self {
        self.tags.retain(|(other, _)| *other != tag);
        self.tags.push((tag, value));
        self
    }

    fn number(&self, value: u64, size: usize) -> Vec<u8> {
        if self.little { value.to_le_bytes()[..size].to_vec() } else { value.to_be_bytes()[8 - size..].to_vec() }
    }

    fn bytes(&self) -> Vec<u8> {
        let (word, entry) = if self.big { (8, 20) } else { (4, 12) };
        let mut tags = self.tags.clone();
        let tiled = tags.iter().any(|(tag, _)| *tag == 322);
        let mut file = if self.little { b"II".to_vec() } else { b"MM".to_vec() };
        file.extend(self.number(if self.big { 43 } else { 42 }, 2));
        if self.big {
            file.extend([self.number(8, 2), self.number(0, 2)].concat());
        }
        let pointer = file.len();
        file.extend(vec![0; word]);
        let mut offsets = Vec::new();
        for part in &self.parts {
            offsets.push(file.len() as u32);
            file.extend(part);
            file.resize(file.len().next_multiple_of(2), 0);
        }
        tags.push((if tiled { 324 } else { 273 }, Long(offsets)));
        tags.push((if tiled { 325 } else { 279 }, Long(self.parts.iter().map(|part| part.len() as u32).collect())));
        tags.sort_by_key(|(tag, _)| *tag);
        let mut directory = self.number(tags.len() as u64, if self.big { 8 } else { 2 });
        let far_at = |file: &[u8]| file.len();
        for (tag, value) in &tags {
            let (kind, count, data) = match value {
                Bytes(values) => (1, values.len(), values.clone()),
                Short(values) => (3, values.len(), values.iter().flat_map(|&v| self.number(v.into(), 2)).collect()),
                Long(values) => (4, values.len(), values.iter().flat_map(|&v| self.number(v.into(), 4)).collect()),
                Float(values) => (11, values.len(), values.iter().flat_map(|&v| self.number(v.to_bits().into(), 4)).collect()),
            };
            let mut field = data;
            if field.len() > word {
                let at = far_at(&file);
                file.extend(&field);
                file.resize(file.len().next_multiple_of(2), 0);
                field = self.number(at as u64, word);
            }
            field.resize(word, 0);
            directory.extend([self.number(u64::from(*tag), 2), self.number(kind, 2), self.number(count as u64, word), field].concat());
        }
        assert_eq!(directory.len() % entry, if self.big { 8 } else { 2 });
        let at = file.len() as u64;
        file.extend(directory);
        file.extend(vec![0; word]);
        let start = self.number(at, word);
        file[pointer..pointer + word].copy_from_slice(&start);
        file
    }

    fn shows(&self, expected: &Image, allowed: u8, what: &str) {
        for (little, big) in [(true, false), (false, false), (true, true), (false, true)] {
            // Samples of several bytes stand in the order that the test wrote.
            let several = self.tags.iter().any(|(tag, value)| *tag == 258 && matches!(value, Short(bits) if bits[0] > 8));
            if several && little != self.little {
                continue;
            }
            let bytes = Self { little, big, ..self.clone() }.bytes();
            let what = format!("{what}, little {little}, big {big}");
            let image = Image::decode(&bytes).unwrap_or_else(|error| panic!("{what}: {error}"));
            let difference = largest_difference(&image, expected);
            assert!(difference <= allowed, "{what}: {difference}");
            // Cut, it is no picture; and nothing in it makes the decoder panic.
            for end in (0..bytes.len()).step_by(97) {
                if let Ok(image) = Image::decode(&bytes[..end]) {
                    assert_eq!(image, *expected, "{what} cut at {end}");
                }
            }
        }
    }

    fn refused(&self, said: &str) {
        let error = Image::decode(&self.bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnsupportedFormat, "{said}: {error}");
        assert!(error.to_string().contains(said), "expected {said}: {error}");
        assert!(!error.to_string().contains("Unknown("), "{error}");
    }
}

/// Samples of `bits` each, rows padded to whole bytes.
fn packed(samples: &[u8], row: usize, bits: usize) -> Vec<u8> {
    let line = |line: &[u8]| {
        let mut bytes = vec![0_u8; (line.len() * bits).div_ceil(8)];
        for (index, &sample) in line.iter().enumerate() {
            let at = index * bits;
            bytes[at / 8] |= sample << (8 - bits - at % 8);
        }
        bytes
    };
    samples.chunks(row).flat_map(line).collect()
}

/// Interleaved samples one plane after the other.
fn planes(samples: &[u8], count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|plane| samples.iter().skip(plane).step_by(count).copied().collect()).collect()
}

#[test]
fn palettes_of_every_depth() {
    // The scene in steps of grey, through a palette that turns them to other colours.
    for bits in [1, 2, 4, 8] {
        let size = 1 << bits;
        let colour = |index: usize| [(index * 201 + 17) as u8, (255 - index * 63 % 256) as u8, (index * 90 + 5) as u8];
        let indices: Vec<u8> = grey().iter().map(|&value| value >> (8 - bits)).collect();
        let expected = Image::from_rgb(48, 32, indices.iter().flat_map(|&index| colour(index.into())).collect()).unwrap();
        let map =
            |scale: u16| Short((0..3).flat_map(|channel| (0..size).map(move |index| u16::from(colour(index)[channel]) * scale)).collect());
        let tiff = Tiff::new(3, 1, bits as u16, packed(&indices, WIDTH, bits));
        tiff.clone().with(320, map(257)).shows(&expected, 0, &format!("palette of {bits} bits"));
        tiff.clone().with(320, map(1)).shows(&expected, 0, &format!("palette of {bits} bits with values of 8"));
        let error = Image::decode(&tiff.bytes()).unwrap_err();
        assert!(error.to_string().contains("palette"), "{error}");
    }
}

#[test]
fn grey_of_every_depth_white_or_black_at_zero() {
    for bits in [1, 2, 4, 8] {
        let white = (1_u32 << bits) - 1;
        let samples: Vec<u8> = grey().iter().map(|&value| value >> (8 - bits)).collect();
        let expected = image_of(&samples.iter().map(|&value| (u32::from(value) * 255 / white) as u8).collect::<Vec<_>>());
        Tiff::new(1, 1, bits as u16, packed(&samples, WIDTH, bits)).shows(&expected, 0, &format!("grey of {bits}"));
        let inverted: Vec<u8> = samples.iter().map(|&value| white as u8 - value).collect();
        Tiff::new(0, 1, bits as u16, packed(&inverted, WIDTH, bits)).shows(&expected, 0, &format!("inverted grey of {bits}"));
    }
    let deep = |invert: bool| {
        grey().iter().flat_map(|&v| (if invert { 65_535 - u16::from(v) * 257 } else { u16::from(v) * 257 }).to_le_bytes()).collect()
    };
    Tiff::new(1, 1, 16, deep(false)).shows(&image_of(&grey()), 0, "grey of 16");
    Tiff::new(0, 1, 16, deep(true)).shows(&image_of(&grey()), 0, "inverted grey of 16");
    let mut other = Tiff::new(1, 1, 16, grey().iter().flat_map(|&v| (u16::from(v) * 257).to_be_bytes()).collect());
    other.little = false;
    other.shows(&image_of(&grey()), 0, "grey of 16, high byte first");
}

#[test]
fn floats_and_wide_integers_where_black_and_white_are_known() {
    let floats = |scale: f32| grey().iter().flat_map(|&v| (f32::from(v) * scale).to_le_bytes()).collect::<Vec<_>>();
    let float = |data| Tiff::new(1, 1, 32, data).with(339, Short(vec![3]));
    float(floats(1.0 / 255.0)).shows(&image_of(&grey()), 0, "0 to 1");
    float(floats(1.0)).shows(&image_of(&grey()), 0, "whole numbers to 255");
    float(floats(257.0)).shows(&image_of(&grey()), 0, "whole numbers to 65535");
    float(floats(-0.1)).with(340, Float(vec![0.0])).with(341, Float(vec![-25.5])).refused("without a known black and white");
    float(floats(0.1)).with(340, Float(vec![0.0])).with(341, Float(vec![25.5])).shows(&image_of(&grey()), 1, "a range in tags");
    float(floats(0.1)).refused("expected samples from 0 to 1");
    let double: Vec<u8> = scene().data().iter().flat_map(|&v| (f64::from(v) / 255.0).to_le_bytes()).collect();
    Tiff::new(2, 3, 64, double).with(339, Short(vec![3; 3])).shows(&scene(), 0, "RGB of 64-bit floats");
    let wide = |scale: u32, kind: u16| {
        let data = grey().iter().flat_map(|&v| (u32::from(v) * scale).to_le_bytes()).collect();
        Tiff::new(1, 1, 32, data).with(339, Short(vec![kind]))
    };
    wide(1, 1).shows(&image_of(&grey()), 0, "32 bits that hold 8");
    wide(257, 2).shows(&image_of(&grey()), 0, "32 signed bits that hold 16");
    wide(70_000, 1).refused("without a known black and white");
}

#[test]
fn colours_of_every_kind_and_layout() {
    let rgb = scene().data().to_vec();
    let tiff = Tiff::new(2, 3, 8, rgb.clone());
    tiff.shows(&scene(), 0, "RGB");
    let mut strips = tiff.clone().with(278, Long(vec![5]));
    strips.parts = rgb.chunks(WIDTH * 3 * 5).map(<[u8]>::to_vec).collect();
    strips.shows(&scene(), 0, "strips");
    // Runs of at most 128 bytes as they are.
    let runs = |data: &[u8]| data.chunks(128).flat_map(|run| [&[run.len() as u8 - 1], run].concat()).collect::<Vec<u8>>();
    let mut packed_bits = strips.clone().with(259, Short(vec![32_773]));
    packed_bits.parts.iter_mut().for_each(|part| *part = runs(part));
    packed_bits.shows(&scene(), 0, "PackBits");
    let mut planar = tiff.clone().with(284, Short(vec![2]));
    planar.parts = planes(&rgb, 3);
    planar.shows(&scene(), 0, "planes");
    let mut tiles = tiff.clone().with(322, Short(vec![32])).with(323, Short(vec![16]));
    let tile = |left: usize, top: usize| {
        (top..top + 16)
            .flat_map(|y| (left..left + 32).flat_map(move |x| (0..3).map(move |c| (y, x, c))))
            .map(|(y, x, c)| rgb.get((y * WIDTH + x.min(47)) * 3 + c).copied().unwrap_or_default())
            .collect::<Vec<u8>>()
    };
    tiles.parts = [(0, 0), (32, 0), (0, 16), (32, 16)].map(|(left, top)| tile(left, top)).to_vec();
    tiles.shows(&scene(), 0, "tiles that reach over the edge");
    let colour = |part: &[u8], plane: usize| part.iter().skip(plane).step_by(3).copied().collect::<Vec<u8>>();
    let mut colour_tiles = tiles.clone().with(284, Short(vec![2]));
    colour_tiles.parts = (0..3).flat_map(|plane| tiles.parts.iter().map(move |part| colour(part, plane))).collect();
    colour_tiles.refused("tiles that hold one colour each");

    let inks: Vec<u8> = rgb.chunks_exact(3).flat_map(|p| [255 - p[0], 255 - p[1], 255 - p[2], 0]).collect();
    Tiff::new(5, 4, 8, inks.clone()).shows(&scene(), 0, "CMYK");
    let mut ink_planes = Tiff::new(5, 4, 8, vec![]).with(284, Short(vec![2]));
    ink_planes.parts = planes(&inks, 4);
    ink_planes.shows(&scene(), 0, "CMYK in planes");
    let luma: Vec<u8> = rgb
        .chunks_exact(3)
        .flat_map(|p| {
            let [r, g, b] = [0, 1, 2].map(|c| f32::from(p[c]));
            let y = 0.299 * r + 0.587 * g + 0.114 * b;
            [y, (b - y) / 1.772 + 128.0, (r - y) / 1.402 + 128.0].map(|v| v.round() as u8)
        })
        .collect();
    Tiff::new(6, 3, 8, luma.clone()).with(530, Short(vec![1, 1])).shows(&scene(), 3, "YCbCr");
    Tiff::new(6, 3, 8, luma).with(530, Short(vec![2, 2])).refused("a TIFF");

    // Alpha over white: plain, premultiplied, and a fourth sample that is none.
    let half: Vec<u8> = rgb.iter().map(|&v| ((u32::from(v) * 128 + 255 * 127 + 127) / 255) as u8).collect();
    let half = Image::from_rgb(48, 32, half).unwrap();
    let four = |scale: u32| {
        rgb.chunks_exact(3)
            .flat_map(|p| [p[0], p[1], p[2]].map(|v| (u32::from(v) * scale / 255) as u8).into_iter().chain([128]))
            .collect::<Vec<u8>>()
    };
    Tiff::new(2, 4, 8, four(255)).with(338, Short(vec![2])).shows(&half, 1, "alpha");
    Tiff::new(2, 4, 8, four(128)).with(338, Short(vec![1])).shows(&half, 2, "premultiplied alpha");
    Tiff::new(2, 4, 8, four(255)).with(338, Short(vec![0])).shows(&scene(), 0, "a sample of no meaning");
    let grey_alpha: Vec<u8> = grey().iter().flat_map(|&v| [v, 255]).collect();
    Tiff::new(1, 2, 8, grey_alpha).with(338, Short(vec![2])).shows(&image_of(&grey()), 0, "grey with alpha");
}

#[test]
fn jpeg_strips_and_tiles_are_read_as_jpeg_is() {
    let strip = |top: usize, rows: usize| {
        let data = scene().data()[top * WIDTH * 3..(top + rows) * WIDTH * 3].to_vec();
        Image::from_rgb(WIDTH as u32, rows as u32, data).unwrap().encode_jpeg(97).unwrap()
    };
    let mut tiff = Tiff::new(6, 3, 8, vec![]).with(259, Short(vec![7])).with(278, Long(vec![16])).with(530, Short(vec![2, 2]));
    tiff.parts = vec![strip(0, 16), strip(16, 16)];
    let image = Image::decode(&tiff.bytes()).unwrap();
    let whole: u32 = image.data().iter().zip(scene().data()).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
    assert!(whole / (image.data().len() as u32) < 3, "{whole}");
    // Tables of their own, as libtiff writes them: all segments before the frame.
    let tables_of = |jpeg: &[u8]| {
        let (mut at, mut tables, mut rest) = (2, b"\xFF\xD8".to_vec(), b"\xFF\xD8".to_vec());
        while jpeg[at + 1] != 0xDA {
            let length = 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
            let target = if matches!(jpeg[at + 1], 0xDB | 0xC4) { &mut tables } else { &mut rest };
            target.extend(&jpeg[at..at + length]);
            at += length;
        }
        rest.extend(&jpeg[at..]);
        tables.extend(b"\xFF\xD9");
        (tables, rest)
    };
    let (tables, first) = tables_of(&strip(0, 16));
    let (_, second) = tables_of(&strip(16, 16));
    let mut apart = tiff.clone().with(347, Bytes(tables));
    apart.parts = vec![first, second];
    assert_eq!(Image::decode(&apart.bytes()).unwrap(), image);
    tiff.parts[1].truncate(300);
    assert_eq!(Image::decode(&tiff.bytes()).unwrap_err().kind(), ErrorKind::DecodeImage);
}

#[test]
fn orientation_is_undone() {
    let turned: Vec<u8> = scene().data().chunks_exact(3).rev().flatten().copied().collect();
    let tiff = Tiff::new(2, 3, 8, turned);
    let xmp = "<rdf:Description xmlns:tiff=\"http://ns.adobe.com/tiff/1.0/\" tiff:Orientation=\"3\"/>";
    for (tag, value) in [(274, Short(vec![3])), (274, Long(vec![3])), (274, Bytes(vec![3])), (700, Bytes(xmp.into()))] {
        tiff.clone().with(tag, value).shows(&scene(), 0, &format!("orientation in tag {tag}"));
    }
    tiff.with(274, Short(vec![3])).with(700, Bytes(xmp.replace('3', "6").into())).shows(&scene(), 0, "both");
}

#[test]
fn what_is_not_read_is_called_by_its_name() {
    let rgb = Tiff::new(2, 3, 8, scene().data().to_vec());
    let coloured = |photometric: u16| rgb.clone().with(262, Short(vec![photometric]));
    let packed = |compression: u16| rgb.clone().with(259, Short(vec![compression]));
    coloured(8).refused("Lab colours; convert it to RGB");
    coloured(9).refused("Lab colours");
    coloured(32_845).refused("LogLuv");
    coloured(4).refused("transparency mask");
    coloured(32_803).refused("raw file");
    coloured(999).refused("photometric interpretation 999");
    packed(34_925).refused("LZMA");
    packed(50_000).refused("Zstandard");
    packed(50_001).refused("WebP");
    packed(34_712).refused("JPEG 2000");
    packed(6).refused("old-style JPEG");
    packed(3).refused("CCITT");
    packed(4_711).refused("number 4711");
    rgb.clone().with(266, Short(vec![2])).refused("FillOrder");
    rgb.clone().with(50_706, Bytes(vec![1, 4, 0, 0])).refused("raw file");
    rgb.clone().with(254, Long(vec![1])).with(330, Long(vec![8])).refused("raw file");
    Tiff::new(5, 4, 8, vec![0; WIDTH * HEIGHT * 4]).with(332, Short(vec![2])).refused("inks");
    Tiff::new(1, 1, 12, vec![0; WIDTH * HEIGHT * 2]).refused("a TIFF");
}
