//! Names and paths through the command: one spelling, nothing that a terminal would obey, and no two people for one byte that is not text.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod facerec_command;
mod gallery_vectors;

use std::path::Path;
use std::process::Command;

use facerec_command::{command, engine_options, facerec, shared};
use facerec_core::gallery::{Gallery, GalleryOptions, NewFace};
use facerec_core::text::is_unsafe;
use gallery_vectors::{embedding, model};

const NFD: &str = "Andre\u{301}";
const NFC: &str = "Andr\u{e9}";
/// What a stranger may be called: an escape sequence of 7 bits is refused, what turns text around is not.
const TURNED: &str = "\u{202e}gnp.evil";

fn gallery(folder: &Path, people: &[&str]) -> String {
    let gallery = Gallery::open(folder, &model(), GalleryOptions::default()).unwrap();
    for (number, name) in (1..).zip(people) {
        let source = format!("photos/{number}\u{1b}[31m\r.jpg");
        gallery.add(name, NewFace::new(&embedding(number)).source(&source)).unwrap();
    }
    folder.to_str().unwrap().to_owned()
}

/// Standard output and error of the command for people, neither of which may hold what a terminal obeys.
fn shown(args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_facerec")).args(args).output().unwrap();
    let text = |bytes: Vec<u8>| {
        let text = String::from_utf8(bytes).unwrap();
        let bad = text.chars().find(|&c| c != '\n' && is_unsafe(c));
        assert_eq!(bad, None, "{args:?}: {text:?}");
        text
    };
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn any_spelling_of_a_name_finds_its_person() {
    let folder = tempfile::tempdir().unwrap();
    let at = gallery(&folder.path().join("g"), &[NFD, "Bo"]);
    let run = |args: &[&str]| facerec(["gallery", "--gallery", &at].into_iter().chain(args.iter().copied()));
    assert_eq!(run(&["list"]).lines[0]["person"], NFC);
    assert_eq!(run(&["show", NFD]).lines[0]["person"], NFC);
    let taken = run(&["rename", "Bo", NFD]);
    assert_eq!(taken.failed(), (2, "invalid_argument"));
    let renamed = run(&["rename", NFD, "Jose\u{301} "]);
    assert_eq!((renamed.code, &renamed.lines[0]["person"], &renamed.lines[0]["renamed_from"]), (0, &"Jos\u{e9}".into(), &NFC.into()));
    assert_eq!(run(&["merge", "Jos\u{e9}", "Bo"]).code, 0);
    assert_eq!(run(&["split", "Bo", NFD, "--face", "1"]).lines[0]["person"], NFC);
    assert_eq!(run(&["export", "--person", NFC]).lines[0]["faces"], 1);
    assert_eq!(run(&["remove", NFC]).lines[0]["removed_faces"], 1);
    assert_eq!(run(&["list"]).lines.len(), 1);
}

#[test]
fn names_and_paths_are_shown_and_not_obeyed() {
    let folder = tempfile::tempdir().unwrap();
    let evil = folder.path().join("evil\u{1b}[31m\rOK\u{7}");
    let at = gallery(&evil, &[TURNED, "Bo"]);
    let list = shown(&["gallery", "--gallery", &at, "list"]);
    assert!(list.0 == 0 && list.1.contains(r"\u{202e}gnp.evil"), "{list:?}");
    assert!(shown(&["gallery", "--gallery", &at, "show", "Bo"]).1.contains(r"photos/2\u{1b}[31m\r.jpg"));
    // Errors that quote names, paths and arguments; clap's own too.
    let (missing, other) = (format!("{at}x"), format!("--\u{9b}2J{TURNED}"));
    for (args, code, expected) in [
        (&["gallery", "--gallery", &at, "show", "x\u{1b}[2J"][..], 4, r"`x\u{1b}[2J`"),
        (&["gallery", "--gallery", &at, "rename", "Bo", "x\u{1b}[2J"], 2, r"`x\u{1b}[2J`"),
        (&["gallery", "--gallery", &at, "rename", "Bo", TURNED], 2, r"`\u{202e}gnp.evil`"),
        (&["gallery", "--gallery", &at, "split", "Bo", "Cy", "--face", "\u{9b}1"], 2, r"\u{9b}1"),
        (&["gallery", "--gallery", &missing, "list"], 4, r"OK\u{7}x"),
        (&["gallery", "--gallery", &at, &other], 2, r"\u{9b}2J\u{202e}gnp.evil"),
        (&["\u{9b}31m"], 2, r"\u{9b}31m"),
        (&["gallery", "--gallery", &at, "import", "a\nfacerec: all is well"], 1, r"a\nfacerec: all is well"),
    ] {
        let (found, stdout, stderr) = shown(args);
        assert_eq!(found, code, "{args:?}: {stderr}");
        assert!(stderr.contains(expected), "{args:?}: {stdout}{stderr}");
    }
    // JSON keeps what it quotes, and is as harmless.
    let output = command().args(["gallery", "--gallery", &at, "export"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.chars().any(|c| c != '\n' && is_unsafe(c)) && text.contains(r#""person":"\u202egnp.evil""#), "{text}");
    let listed = facerec(["gallery", "--gallery", &at, "list"]);
    assert!(listed.lines.iter().any(|line| line["person"] == TURNED), "{:?}", listed.lines);
    // And those who are called so can go.
    assert_eq!(facerec(["gallery", "--gallery", &at, "rename", TURNED, "Cy"]).code, 0);
}

#[cfg(unix)]
mod bytes {
    use std::ffi::{OsStr, OsString};
    use std::os::unix::ffi::{OsStrExt, OsStringExt};

    use super::*;

    fn os(bytes: &[u8]) -> &OsStr {
        OsStr::from_bytes(bytes)
    }

    #[test]
    fn a_name_that_is_no_text_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = gallery(&folder.path().join("g"), &["Bo"]);
        for args in [
            [b"gallery".as_slice(), b"--gallery", at.as_bytes(), b"remove", b"Jos\xe9"],
            [b"gallery", b"--gallery", at.as_bytes(), b"show", b"Jos\xe9\x1b"],
            [b"identify", b"--gallery", at.as_bytes(), b"--only=Jos\xe9", b"x.jpg"],
            [b"enroll", b"--gallery", at.as_bytes(), b"--person=Jos\xe9", b"x.jpg"],
            [b"gallery", b"cluster", b"x.jpg", b"--enroll", b"1=Jos\xe9"],
        ] {
            let output = Command::new(env!("CARGO_BIN_EXE_facerec")).args(args.map(os)).output().unwrap();
            let text = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{text}");
            assert!(text.contains(r"Jos\xe9") && !text.contains('\u{1b}'), "{text:?}");
        }
    }

    #[test]
    fn folders_and_photos_that_are_no_text() {
        let folder = tempfile::tempdir().unwrap();
        let at = |bytes: &[u8]| folder.path().join(os(bytes));
        for name in [b"Jos\xe9".as_slice(), b"Jos\xe8"] {
            std::fs::create_dir_all(at(b"people").join(os(name))).unwrap();
            std::fs::write(at(b"people").join(os(name)).join("1.jpg"), b"no photo").unwrap();
        }
        let run = |args: &[OsString]| facerec(args.iter());
        let args = |texts: &[&[u8]]| texts.iter().map(|text| OsString::from_vec(text.to_vec())).collect::<Vec<_>>();
        let gallery = at(b"g");
        let found = run(&args(&[b"enroll", b"--gallery", gallery.as_os_str().as_bytes(), b"--from", at(b"people").as_os_str().as_bytes()]));
        assert_eq!(found.failed(), (2, "invalid_argument"));
        let both = [r"Jos\xe8", r"Jos\xe9"].iter().all(|name| found.stderr.contains(name));
        assert!(both && !gallery.exists(), "{}", found.stderr);

        let Some(shared) = shared() else { return };
        let photo = shared.join("data/photos/face_recognition/examples/obama_small.jpg");
        let (one, other) = (at(b"\xe9\x1b[31m.jpg"), at(b"\xe8\x1b[31m.jpg"));
        for path in [&one, &other] {
            std::fs::copy(&photo, path).unwrap();
        }
        let paths = [&one, &other].map(|path| path.as_os_str().to_owned());
        let options: Vec<OsString> = engine_options(&shared).into_iter().map(Into::into).collect();
        let with = |more: Vec<OsString>| run(&options.iter().cloned().chain(more).collect::<Vec<_>>());
        let drawn = at(b"drawn");
        let mut detect = args(&[b"detect", b"--annotate", drawn.as_os_str().as_bytes()]);
        detect.extend(paths.clone());
        let found = with(detect);
        assert_eq!((found.code, found.lines.len()), (0, 2), "{}", found.stderr);
        let images: Vec<&str> = found.lines.iter().map(|line| line["image"].as_str().unwrap()).collect();
        assert!(images[0].ends_with("\\xe9\u{1b}[31m.jpg") && images[1].ends_with("\\xe8\u{1b}[31m.jpg"), "{images:?}");
        let mut written: Vec<_> = std::fs::read_dir(&drawn).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        written.sort();
        assert_eq!(written, [os(b"\xe8\x1b[31m.jpg"), os(b"\xe9\x1b[31m.jpg")]);
        // A thumbnail is cut from the file that was found.
        let thumbs = at(b"thumbs");
        let mut cluster = args(&[b"gallery", b"cluster", b"--min-size", b"1", b"--thumbs", thumbs.as_os_str().as_bytes()]);
        cluster.extend(paths);
        let found = with(cluster);
        assert!(found.code == 0 && found.lines[0]["thumb"].is_string(), "{:?} {}", found.lines, found.stderr);
    }
}
