//! Cameras that speak HTTP: a stream without a length, a file with one, MJPEG, and HLS.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::{ffmpeg, serve};

/// Reads a request and returns its path.
pub(crate) fn request(stream: &TcpStream) -> String {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let first = lines.next().unwrap_or_default();
    lines.find(|line| line.is_empty());
    first.split(' ').nth(1).unwrap_or("/").to_owned()
}

/// The head of an answer, without a length when it is not known.
pub(crate) fn head(stream: &mut TcpStream, kind: &str, length: Option<usize>) {
    let length = length.map_or_else(String::new, |length| format!("Content-Length: {length}\r\n"));
    let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n{length}\r\n");
}

/// A server that answers each request with what `script` writes after the request was read.
pub(crate) fn serve_http(script: impl Fn(TcpStream, usize) + Send + Sync + 'static) -> String {
    let place = serve(move |stream, number| {
        let _ = request(&stream);
        script(stream, number);
    });
    format!("http://{place}")
}

/// A JPEG.
fn picture() -> &'static [u8] {
    static PICTURE: OnceLock<Vec<u8>> = OnceLock::new();
    PICTURE.get_or_init(|| ffmpeg("-f lavfi -i testsrc=s=160x120 -frames:v 1", "picture.jpg"))
}

/// MJPEG with a picture at each of the `times`, in seconds. The connection then ends.
pub(crate) fn mjpeg(times: impl Fn(usize) -> Option<f64> + Send + Sync + 'static) -> String {
    picture(); // not while the camera runs
    serve_http(move |mut stream, _| {
        head(&mut stream, "multipart/x-mixed-replace; boundary=next", None);
        let start = Instant::now();
        for time in (0..).map_while(&times) {
            std::thread::sleep(Duration::from_secs_f64(time).saturating_sub(start.elapsed()));
            let part = format!("--next\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", picture().len());
            if stream.write_all(&[part.as_bytes(), picture(), b"\r\n"].concat()).is_err() {
                return;
            }
        }
    })
}

/// An HLS channel: a playlist of which `parts` of one second each are there from the start, and one more comes each second. It ends with a
/// mark. In the seconds `gone` the server does not answer.
pub(crate) fn hls(parts: usize, ahead: usize, gone: Range<u64>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("list.m3u8");
    let source = format!("-f lavfi -i testsrc=s=160x120:r={}:d={parts}", super::RATE);
    let coded = format!("{} -g 25 -f hls -hls_time 1 -hls_list_size 0", super::CODED.replace("-g 5", ""));
    let mut command = std::process::Command::new("ffmpeg");
    command.args(["-v", "error"]).args(source.split_whitespace()).args(coded.split_whitespace()).arg(&list);
    assert!(command.status().unwrap().success(), "ffmpeg {source} {coded}");
    let read = |number: usize| std::fs::read(folder.path().join(format!("list{number}.ts"))).unwrap();
    let segments: Vec<Vec<u8>> = (0..parts).map(read).collect();
    let start = OnceLock::new();
    let place = serve(move |mut stream, _| {
        let path = request(&stream);
        let time = start.get_or_init(Instant::now).elapsed().as_secs();
        let there = ahead + time as usize;
        if gone.contains(&time) {
            return; // without a word
        }
        if path.ends_with(".m3u8") {
            let names: String = (0..there.min(parts)).map(|number| format!("#EXTINF:1.0,\n{number}.ts\n")).collect();
            let end = if there >= parts { "#EXT-X-ENDLIST\n" } else { "" };
            let text = format!("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0\n{names}{end}");
            head(&mut stream, "application/vnd.apple.mpegurl", Some(text.len()));
            let _ = stream.write_all(text.as_bytes());
        } else {
            let number: usize = path.trim_start_matches('/').trim_end_matches(".ts").parse().unwrap_or(0);
            head(&mut stream, "video/mp2t", Some(segments[number].len()));
            let _ = stream.write_all(&segments[number]);
        }
    });
    format!("http://{place}/channel.m3u8")
}
