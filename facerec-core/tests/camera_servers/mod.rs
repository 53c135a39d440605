//! Cameras for tests: servers on 127.0.0.1 that send what a script says, and break where it says. Pictures are made by the `ffmpeg` command.
#![allow(dead_code, clippy::unwrap_used, missing_docs)] // each test file uses some of it

pub(crate) mod http;
pub(crate) mod rtsp;
pub(crate) mod scene;
pub(crate) mod somebody;

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Frames a second of all pictures here.
pub(crate) const RATE: u32 = 25;

/// Makes a file with the `ffmpeg` command and returns its bytes.
pub(crate) fn ffmpeg(arguments: &str, name: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    let made = Command::new("ffmpeg").args(["-y", "-v", "error"]).args(arguments.split_whitespace()).arg(&path).status();
    assert!(made.expect("the tests of cameras need the command `ffmpeg`").success(), "ffmpeg {arguments}");
    std::fs::read(path).unwrap()
}

/// H.264 whose every fifth frame is a key frame.
const CODED: &str = "-c:v libx264 -preset ultrafast -tune zerolatency -g 5 -bf 0 -pix_fmt yuv420p";

/// A transport stream of so many seconds whose time stamps start at `start` seconds.
pub(crate) fn transport(seconds: u32, start: f64) -> Vec<u8> {
    let picture = format!("-f lavfi -i testsrc=s=160x120:r={RATE}:d={seconds}");
    ffmpeg(&format!("{picture} {CODED} -muxdelay 0 -muxpreload 0 -output_ts_offset {start}"), "clip.ts")
}

/// The same ten seconds for every test.
pub(crate) fn ten_seconds() -> &'static [u8] {
    static CLIP: OnceLock<Vec<u8>> = OnceLock::new();
    CLIP.get_or_init(|| transport(10, 0.0))
}

/// The part of a stream of `seconds` that comes between two times.
pub(crate) fn part(stream: &[u8], seconds: f64, from: f64, to: f64) -> &[u8] {
    let at = |time: f64| (stream.len() as f64 / 188.0 * time / seconds) as usize * 188;
    &stream[at(from).min(stream.len())..at(to).min(stream.len())]
}

/// Sends `stream` in `seconds`, in small parts.
pub(crate) fn send_evenly(to: &mut impl Write, stream: &[u8], seconds: f64) -> std::io::Result<()> {
    let (start, parts) = (Instant::now(), (seconds * 50.0).ceil().max(1.0) as usize);
    for (number, part) in (1..).zip(stream.chunks(stream.len().div_ceil(parts).max(1))) {
        to.write_all(part)?;
        to.flush()?;
        let due = start + Duration::from_secs_f64(f64::from(number) * seconds / parts as f64);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(())
}

/// A server whose `script` gets each connection and its number from 0. It ends with the test's process. Returns `127.0.0.1:port`.
pub(crate) fn serve(script: impl Fn(TcpStream, usize) + Send + Sync + 'static) -> String {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = server.local_addr().unwrap().to_string();
    let script = Arc::new(script);
    std::thread::spawn(move || {
        for (number, stream) in server.incoming().enumerate() {
            let (Ok(stream), script) = (stream, Arc::clone(&script)) else { continue };
            std::thread::spawn(move || script(stream, number));
        }
    });
    place
}

/// Keeps a connection open without a word, as a camera that hangs.
pub(crate) fn freeze(connection: TcpStream) {
    std::mem::forget(connection);
}

/// A port on which nothing listens.
pub(crate) fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The command without `--json`, in a folder.
pub(crate) fn plain(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_facerec")).args(arguments).current_dir(folder).stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}
