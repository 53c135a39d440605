//! JPEG of every structure: what libjpeg-turbo's `cjpeg` and `jpegtran` write is decoded as its `djpeg` decodes it, whole, cut or damaged.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use facerec_core::error::ErrorKind;
use facerec_core::image::{DecodeLimits, Image};

/// Sampling of the three components, luma first: usual, odd, chroma finer than luma, and chroma components that differ.
const SAMPLING: [&str; 24] = [
    "1x1,1x1,1x1",
    "2x1,1x1,1x1",
    "1x2,1x1,1x1",
    "2x2,1x1,1x1",
    "3x1,1x1,1x1",
    "1x3,1x1,1x1",
    "4x1,1x1,1x1",
    "1x4,1x1,1x1",
    "3x2,1x1,1x1",
    "2x3,1x1,1x1",
    "4x2,1x1,1x1",
    "2x4,1x1,1x1",
    "4x4,1x1,1x1",
    "2x2,2x1,2x1",
    "2x2,1x2,1x2",
    "2x2,2x2,2x2",
    "4x1,2x1,2x1",
    "4x2,2x1,1x1",
    "2x1,1x1,2x1",
    "2x2,1x1,2x2",
    "1x1,2x2,2x2",
    "1x1,2x1,2x1",
    "1x2,2x1,2x1",
    "1x1,1x2,2x1",
];

/// How the components are spread over scans: a script for `cjpeg -scans`, or none.
const SCANS: [(&str, &[&str], &str); 9] = [
    ("interleaved", &[], ""),
    ("one scan each", &[], "0; 1; 2;"),
    ("chroma together", &[], "0; 1 2;"),
    ("chroma first", &[], "2; 1; 0;"),
    ("progressive", &["-progressive"], ""),
    ("spectral only", &[], "0 1 2: 0-0, 0, 0; 0: 1-5, 0, 0; 0: 6-63, 0, 0; 1: 1-63, 0, 0; 2: 1-63, 0, 0;"),
    (
        "bit by bit",
        &[],
        "0: 0-0, 0, 1; 1: 0-0, 0, 1; 2: 0-0, 0, 1; 0: 1-63, 0, 2; 1: 1-63, 0, 1; 2: 1-63, 0, 1; 0: 1-63, 2, 1; 0: 0-0, 1, 0; \
         1: 0-0, 1, 0; 2: 0-0, 1, 0; 1: 1-63, 1, 0; 2: 1-63, 1, 0; 0: 1-63, 1, 0;",
    ),
    ("arithmetic", &["-arithmetic"], ""),
    ("arithmetic progressive", &["-arithmetic", "-progressive"], ""),
];

/// Other options, taken in turn so that each meets every kind of scan.
const OPTIONS: [&[&str]; 7] = [
    &[],
    &["-restart", "1B"],
    &["-restart", "1"],
    &["-optimize"],
    &["-restart", "3B", "-optimize"],
    &["-quality", "97"],
    &["-quality", "1"],
];

const SIZES: [(usize, usize); 7] = [(61, 45), (64, 48), (1, 1), (17, 130), (131, 9), (33, 31), (8, 8)];

struct Variant {
    name: String,
    bytes: Vec<u8>,
}

impl Variant {
    fn is_arithmetic(&self) -> bool {
        self.name.contains("arithmetic")
    }

    /// Whether coarser pictures come before the last.
    fn is_progressive(&self) -> bool {
        self.bytes.windows(2).any(|marker| matches!(marker, [0xFF, 0xC2 | 0xCA]))
    }
}

fn tools_are_there() -> bool {
    let there = ["cjpeg", "djpeg", "jpegtran"].iter().all(|tool| run(tool, &["-version"], b"").is_some());
    if !there {
        eprintln!("SKIPPED: cjpeg, djpeg and jpegtran are missing; install libjpeg-turbo-progs (scripts/setup.sh --tests)");
    }
    there
}

/// The tool's output, or `None` when it is missing or fails.
fn run(tool: &str, options: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let mut command = Command::new(tool);
    command.args(options).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    // A tool that refuses its options closes its input.
    let _ = child.stdin.take()?.write_all(input);
    let output = child.wait_with_output().ok()?;
    output.status.success().then_some(output.stdout)
}

/// A picture with slopes, edges and colours, as a PPM file.
fn scene(width: usize, height: usize) -> Vec<u8> {
    let mut ppm = format!("P6 {width} {height} 255\n").into_bytes();
    for y in 0..height {
        for x in 0..width {
            let stripe = if (x / 7 + y / 5) % 3 == 0 { 70 } else { 0 };
            ppm.extend([(x * 4 + stripe) as u8, (200_usize.wrapping_sub(y * 3)) as u8, ((x + y) * 2 + stripe) as u8]);
        }
    }
    ppm
}

/// More than 400 structures.
fn variants(folder: &Path) -> Vec<Variant> {
    let mut variants = Vec::new();
    let mut add = |name: String, options: &[&str], script: &str, (width, height): (usize, usize)| {
        let mut options = options.to_vec();
        let file = folder.join("scans.txt").display().to_string();
        if !script.is_empty() {
            fs::write(&file, script).unwrap();
            options.extend(["-scans", &file]);
        }
        // `None`: a sampling that cannot be interleaved.
        if let Some(bytes) = run("cjpeg", &options, &scene(width, height)) {
            variants.push(Variant { name: format!("{name} {width}x{height} {options:?}"), bytes });
        }
    };
    let mut turn = 0;
    for sampling in SAMPLING {
        for (name, scans, script) in SCANS {
            for _ in 0..2 {
                let mut options = vec!["-sample", sampling];
                options.extend(scans);
                options.extend(OPTIONS[turn % OPTIONS.len()]);
                // Arithmetic coding has no Huffman tables to optimise, and cjpeg would take the option as Huffman coding.
                if name.starts_with("arithmetic") {
                    options.retain(|option| *option != "-optimize");
                }
                add(name.to_string(), &options, script, SIZES[turn / OPTIONS.len() % SIZES.len()]);
                turn += 1;
            }
        }
    }
    for options in OPTIONS {
        for size in SIZES {
            add("grey".into(), &[options, &["-grayscale"]].concat(), "", size);
            add("RGB".into(), &[options, &["-rgb"]].concat(), "", size);
        }
        add("RGB one scan each".into(), &[options, &["-rgb"]].concat(), "0; 1; 2;", SIZES[0]);
        add("grey progressive".into(), &[options, &["-grayscale", "-progressive"]].concat(), "", SIZES[0]);
    }
    variants.extend(inks(folder));
    variants
}

/// CMYK and YCCK, which `cjpeg` does not write: a fixture with other scans.
fn inks(folder: &Path) -> Vec<Variant> {
    let fixture = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/images/cmyk.jpg")).unwrap();
    let script = folder.join("inks.txt").display().to_string();
    fs::write(&script, "0; 1; 2; 3;").unwrap();
    let options: [&[&str]; 5] = [&[], &["-progressive"], &["-scans", &script], &["-restart", "2B"], &["-arithmetic"]];
    let made = options
        .iter()
        .map(|options| (format!("CMYK {options:?}"), run("jpegtran", &[&["-copy", "all"], *options].concat(), &fixture).unwrap()));
    // The Adobe marker's last byte tells CMYK (0) from YCCK (2). Read as the other the picture is odd, but it is one.
    let ycck = |(name, mut bytes): (String, Vec<u8>)| {
        let at = bytes.windows(5).position(|window| window == b"Adobe").unwrap();
        bytes[at + 11] = 2 - bytes[at + 11];
        (format!("YCCK of {name}"), bytes)
    };
    let made: Vec<_> = made.collect();
    let other: Vec<_> = made.iter().cloned().map(ycck).collect();
    made.into_iter().chain(other).map(|(name, bytes)| Variant { name, bytes }).collect()
}

/// `djpeg`'s pixels as RGB.
fn reference(jpeg: &[u8]) -> Option<Image> {
    let pnm = run("djpeg", &["-pnm"], jpeg)?;
    let mut fields = pnm.splitn(4, |&byte| byte == b'\n' || byte == b' ').map(|field| field.to_vec());
    let (magic, width, height) = (fields.next()?, fields.next()?, fields.next()?);
    let number = |field: Vec<u8>| String::from_utf8(field).unwrap().parse::<u32>().unwrap();
    let (width, height) = (number(width), number(height));
    let rest = fields.next()?;
    let pixels = rest.strip_prefix(b"255\n")?;
    let pixels = if magic == b"P5" { pixels.iter().flat_map(|&value| [value; 3]).collect() } else { pixels.to_vec() };
    Some(Image::from_rgb(width, height, pixels).unwrap())
}

/// Median and largest difference in levels.
fn differences(a: &Image, b: &Image) -> (u8, u8) {
    assert_eq!((a.width(), a.height()), (b.width(), b.height()));
    let mut all: Vec<u8> = a.data().iter().zip(b.data()).map(|(a, b)| a.abs_diff(*b)).collect();
    all.sort_unstable();
    (all[all.len() / 2], all[all.len() - 1])
}

/// Runs `test` on all variants, on all processors.
fn each(variants: &[Variant], test: impl Fn(&Variant) + Sync) {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(variant) = variants.get(next.fetch_add(1, Ordering::Relaxed)) {
                    test(variant);
                }
            });
        }
    });
}

#[test]
fn every_structure_is_decoded_as_libjpeg_turbo_does() {
    if !tools_are_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let variants = variants(folder.path());
    let (same, within_one) = (AtomicUsize::new(0), AtomicUsize::new(0));
    each(&variants, |variant| match reference(&variant.bytes) {
        Some(expected) => {
            let image = Image::decode(&variant.bytes).unwrap_or_else(|error| panic!("{}: {error}", variant.name));
            let (median, most) = differences(&image, &expected);
            assert!(median <= 1, "{}: a median of {median} levels, at most {most}", variant.name);
            same.fetch_add(usize::from(most == 0), Ordering::Relaxed);
            within_one.fetch_add(usize::from(most <= 1), Ordering::Relaxed);
        }
        None => {
            let error = Image::decode(&variant.bytes).expect_err(&variant.name);
            assert_eq!(error.kind(), ErrorKind::UnsupportedFormat, "{}: {error}", variant.name);
        }
    });
    eprintln!("{} structures: {same:?} to the bit, {within_one:?} within a level everywhere", variants.len());
    assert!(variants.len() >= 400, "only {} structures were made", variants.len());
    // No variant of the list is beyond libjpeg-turbo, and its own code is what decodes them.
    assert!(within_one.into_inner() * 10 >= variants.len() * 9);
}

#[test]
fn only_the_end_marker_may_be_missing() {
    if !tools_are_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    each(&variants(folder.path()), |variant| {
        let Variant { name, bytes } = variant;
        let whole = Image::decode(bytes).unwrap();
        for end in [bytes.len() - 1, bytes.len() - 2] {
            match Image::decode(&bytes[..end]) {
                Ok(image) => assert_eq!(image, whole, "{name}"),
                // Its decoder cannot tell the end of the data from data that are missing.
                Err(error) => assert!(variant.is_arithmetic(), "{name} without its end: {error}"),
            }
        }
        // Stray bytes and a second picture after the end are no part of it.
        assert_eq!(Image::decode(&[bytes, &bytes[..40]].concat()).unwrap(), whole, "{name}");
        for part in 1..24 {
            let end = (bytes.len() - 2) * part / 24;
            match Image::decode(&bytes[..end]) {
                Ok(image) => assert_eq!(image, whole, "{name} cut at {end} of {}", bytes.len()),
                Err(error) => assert_eq!(error.kind(), ErrorKind::DecodeImage, "{name} cut at {end}: {error}"),
            }
            // A false end does not make it whole; in a progressive file it may end a coarser picture, as libjpeg-turbo shows it.
            if !variant.is_arithmetic() && !variant.is_progressive() {
                let closed = Image::decode(&[&bytes[..end], b"\xFF\xD9"].concat());
                assert!(closed.is_err() || closed.is_ok_and(|image| image == whole), "{name} closed at {end} of {}", bytes.len());
            }
        }
    });
}

#[test]
fn damaged_structures_are_answered() {
    if !tools_are_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let rounds: u64 = std::env::var("FACEREC_JPEG_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(12);
    let limits = DecodeLimits::default().max_pixels(4_000_000);
    each(&variants(folder.path()), |Variant { name, bytes }| {
        let mut state = bytes.len() as u64 + name.len() as u64 * 7919;
        let mut random = |below: usize| {
            // xorshift64*, Vigna 2016: the same damage at every run.
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % below
        };
        for _ in 0..rounds {
            let mut damaged = bytes.clone();
            for _ in 0..=random(6) {
                let at = random(damaged.len());
                match random(4) {
                    0 => damaged[at] = random(256) as u8,
                    1 => damaged[at] ^= 1 << random(8),
                    2 => drop(damaged.splice(at..(at + random(9)).min(damaged.len()), [random(256) as u8, 0xFF])),
                    _ => damaged.insert(at, [0x00, 0xFF, 0xD9, 0xDA][random(4)]),
                }
            }
            if let Err(error) = Image::decode_with(&damaged, &limits) {
                let code = error.kind();
                let expected = [ErrorKind::DecodeImage, ErrorKind::UnsupportedFormat, ErrorKind::LimitExceeded];
                assert!(expected.contains(&code), "{name}: {error}");
                assert!(!error.to_string().contains("gave up"), "a panic in {name}: {error}");
            }
        }
    });
}

#[test]
fn a_thousand_empty_scans_of_a_large_picture_are_refused_soon() {
    if !tools_are_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("scans.txt").display().to_string();
    fs::write(&script, "0: 0-0, 0, 0; 0: 1-63, 0, 1; 0: 1-63, 1, 0;").unwrap();
    let grey = b"P5 2000 2000 255\n".to_vec().into_iter().chain(vec![90; 4_000_000]).collect::<Vec<_>>();
    let mut bytes = run("cjpeg", &["-grayscale", "-scans", &script], &grey).unwrap();
    assert!(Image::decode(&bytes).is_ok());
    // The last scan again and again: a refinement of nothing.
    let last = bytes.windows(2).rposition(|window| window == b"\xFF\xDA").unwrap();
    let scan = bytes[last..bytes.len() - 2].to_vec();
    bytes.truncate(bytes.len() - 2);
    bytes.extend(scan.repeat(5_000));
    bytes.extend(b"\xFF\xD9");
    let error = Image::decode(&bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{error}");
    assert!(error.to_string().contains("scans"), "{error}");
    let error = Image::decode_with(&bytes, &DecodeLimits::default().max_pixels(4_000_000)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{error}");
}

#[test]
fn what_libjpeg_does_not_read_is_called_by_its_name() {
    if !tools_are_there() {
        return;
    }
    let jpeg = run("cjpeg", &["-sample", "3x1,1x1,1x1"], &scene(40, 30)).unwrap();
    let frame = jpeg.windows(2).position(|window| window == b"\xFF\xC0").unwrap();
    // Its fields: marker and length (4 bytes), bits, height, width (4), number of components, then number, sampling, table of each.
    for (at, value, name) in [(4, 12, "12 bits"), (1, 0xC3, "lossless"), (1, 0xC5, "hierarchical"), (14, 0x21, "fraction")] {
        let mut changed = jpeg.clone();
        changed[frame + at] = value;
        let error = Image::decode(&changed).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnsupportedFormat, "{name}: {error}");
        assert!(error.to_string().contains(name), "{name}: {error}");
    }
}
