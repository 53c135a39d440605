//! Who may lean on whom (design, section 3): imports go downward only, and each foreign crate has one door.

#![allow(missing_docs)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Modules of the crate by layer; a module imports from its own layer or below. Modules of `SEPARATE` do not import each other.
const LAYERS: [(usize, &[&str]); 7] = [
    (0, &["error", "geometry", "recognisability", "face", "uprightness", "folder", "image", "text"]),
    (1, &["model", "runtime"]),
    (2, &["detect", "quality", "align", "embed", "gallery", "track", "video"]),
    (3, &["analyze", "enroll", "evaluate"]),
    (4, &["pipeline", "report"]),
    (5, &["engine"]),
    (6, &["bin"]),
];
const SEPARATE: usize = 2;

/// Foreign crates (or their parts) and the only files that may name them, as prefixes below `src`.
const DOORS: [(&str, &[&str]); 29] = [
    ("ort::", &["runtime/"]),
    ("faiss::", &["gallery/index/"]),
    ("faiss_sys", &["gallery/index/"]),
    ("blake3::", &["gallery/seal.rs"]),
    ("rustix::", &["gallery/index/trained.rs"]),
    ("rusqlite", &["gallery/store"]),
    ("rustls::", &["gallery/server/tls.rs"]),
    ("tokio_postgres", &["gallery/server/"]),
    ("tokio::", &["gallery/server/"]),
    ("video_rs", &["video/"]),
    ("ImageReader", &["image/decode/mod.rs"]),
    ("ImageDecoder", &["image/decode/mod.rs"]),
    ("plotters", &["evaluate/report/plot.rs"]),
    ("mozjpeg_sys", &["image/decode/jpeg.rs"]),
    ("TiffError", &["image/decode/tiff.rs"]),
    ("heic_decoder", &["image/decode/heif.rs"]),
    ("fast_image_resize", &["image/resize.rs"]),
    ("ureq::", &["model/fetch"]),
    ("ab_glyph", &["image/draw"]),
    ("cosmic_text", &["image/draw"]),
    ("deunicode", &["image/draw"]),
    ("unicode_script", &["image/draw"]),
    ("unicode_security", &["image/draw"]),
    ("unicode_normalization", &["text.rs", "image/draw"]),
    ("chacha20poly1305", &["gallery/crypto.rs"]),
    ("argon2::", &["gallery/crypto.rs"]),
    ("hkdf::", &["gallery/crypto.rs"]),
    ("getrandom", &["gallery/crypto.rs"]),
    ("zeroize", &["gallery/crypto.rs", "gallery/key.rs"]),
];

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().find(|(_, modules)| modules.contains(&module)).map(|(layer, _)| *layer)
}

/// Source files below `src`, with their path from there and their code without comments.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut files) = (vec![root.clone()], Vec::<PathBuf>::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a readable source folder") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    let name = |path: &Path| path.strip_prefix(&root).expect("below src").to_string_lossy().replace('\\', "/");
    let code = |path: &Path| {
        let text = std::fs::read_to_string(path).expect("a readable source file");
        text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
    };
    files.iter().filter(|path| path.extension().is_some_and(|e| e == "rs")).map(|path| (name(path), code(path))).collect()
}

/// The modules of this crate that `code` names: all of `crate::a::..`, `crate::{a::.., b}`, and `super::a` where `super` is the crate.
fn named_modules(file: &str, code: &str) -> BTreeSet<String> {
    let mut prefixes = vec!["crate::".to_string()];
    let depth = file.trim_end_matches("/mod.rs").matches('/').count();
    if !file.starts_with("bin/") {
        prefixes.push("super::".repeat(depth + 1));
    }
    let mut found = BTreeSet::new();
    for prefix in prefixes {
        for (at, _) in code.match_indices(&prefix) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let rest = &code[at + prefix.len()..];
            match rest.strip_prefix('{') {
                Some(group) => found.extend(heads(group)),
                None => found.extend(word(rest)),
            }
        }
    }
    found
}

/// The identifier at the start of `text`.
fn word(text: &str) -> Option<String> {
    let word: String = text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!word.is_empty()).then_some(word)
}

/// The first identifiers of the items of a `{..}` group whose opening brace was just read.
fn heads(group: &str) -> Vec<String> {
    let (mut depth, mut start, mut heads) = (1, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || (depth == 1 && c == ',') {
            heads.extend(word(&group[start..at]));
            start = at + 1;
        }
        if depth == 0 {
            break;
        }
    }
    heads
}

/// What is wrong with the imports of `file`.
fn violations(file: &str, code: &str) -> Vec<String> {
    let own = file.split('/').next().unwrap_or_default().trim_end_matches(".rs");
    let Some(from) = layer(own) else {
        return if own == "lib" {
            Vec::new()
        } else {
            vec![format!("{file}: module `{own}` has no layer; give it one in tests/layering.rs")]
        };
    };
    let mut wrong = Vec::new();
    // The command sees the crate from outside (`facerec_core::`); `crate::` is its own.
    for target in named_modules(file, code).iter().filter(|_| own != "bin") {
        match layer(target) {
            _ if target == own || target == "Error" || target == "Result" || target == "ErrorKind" => {}
            Some(to) if to > from => wrong.push(format!("{file} (layer {from}) leans on `{target}` (layer {to})")),
            Some(to) if to == from && from == SEPARATE => wrong.push(format!("{file} and `{target}` are both of layer {from}")),
            Some(_) => {}
            // A type re-exported at the top hides its layer.
            None if target.starts_with(char::is_uppercase) => {
                wrong.push(format!("{file}: name `{target}` by its module, not by `crate::{target}`"))
            }
            None => {}
        }
    }
    for (name, doors) in DOORS {
        let named = code.match_indices(name).any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'));
        if named && !doors.iter().any(|door| file.starts_with(door)) {
            wrong.push(format!("{file} names `{name}`, whose door is {doors:?}"));
        }
    }
    wrong
}

#[test]
fn imports_go_downward_through_one_door_each() {
    let sources = sources();
    assert!(sources.len() > 30, "found {} source files", sources.len());
    let wrong: Vec<String> = sources.iter().flat_map(|(file, code)| violations(file, code)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_scan_notices_what_it_must() {
    for (file, code) in [
        ("detect/mod.rs", "use crate::engine::Engine;"),
        ("detect/mod.rs", "use crate::{error::Result, gallery::{a, b}};"),
        ("embed.rs", "fn f(x: super::align::A) {}"),
        ("image/draw/mod.rs", "use super::super::gallery::Gallery;"),
        ("analyze.rs", "use crate::Engine;"),
        ("engine.rs", "let s = ort::session::Session::builder();"),
        ("gallery/mod.rs", "use rusqlite::Connection;"),
        ("novelty.rs", ""),
    ] {
        assert!(!violations(file, code).is_empty(), "{file}: {code}");
    }
    for (file, code) in [
        ("engine.rs", "use crate::{analyze::Analyzer, error::Error}; fn report() {}"),
        ("runtime/model.rs", "use ort::session::Session;"),
        ("gallery/store/edit.rs", "use super::super::records::Row;"),
        ("detect/nms.rs", "use super::scrfd; use crate::Result;"),
    ] {
        assert!(violations(file, code).is_empty(), "{file}: {:?}", violations(file, code));
    }
}
