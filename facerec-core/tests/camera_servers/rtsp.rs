//! A camera that speaks RTSP (RFC 2326) with H.264 over RTP (RFC 6184), interleaved with the replies on one connection.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::{CODED, RATE, ffmpeg, serve};

/// Bytes of a packet.
const MOST: usize = 1200;

/// What becomes of the connection after the frames of the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// It ends, as when the camera is switched off.
    Ends,
    /// It stays, without a word.
    Freezes,
}

/// A camera that sends `burst` frames at once and then `frames` in all, 25 a second, to each connection.
pub(crate) fn camera(burst: usize, frames: usize, after: After) -> String {
    let units = pictures();
    let place = serve(move |stream, _| {
        if let Some(mut stream) = describe(stream) {
            let start = Instant::now();
            let mut sequence = 0;
            for (number, picture) in units.iter().cycle().take(frames).enumerate() {
                let due = Duration::from_secs_f64(number.saturating_sub(burst) as f64 / f64::from(RATE));
                std::thread::sleep(due.saturating_sub(start.elapsed()));
                if send(&mut stream, picture, number as u32 * 90_000 / RATE, &mut sequence).is_err() {
                    return;
                }
            }
            if after == After::Freezes {
                super::freeze(stream);
            }
        }
    });
    format!("rtsp://{place}/main")
}

/// A camera that wants a password nobody has.
pub(crate) fn locked() -> String {
    let place = serve(|mut stream, _| {
        while let Some((_, sequence)) = request(&stream) {
            let realm = "WWW-Authenticate: Basic realm=\"camera\"\r\n";
            let _ = write!(stream, "RTSP/1.0 401 Unauthorized\r\nCSeq: {sequence}\r\n{realm}\r\n");
        }
    });
    format!("{place}/main")
}

/// NAL units of ten seconds, frame by frame.
fn pictures() -> &'static [Vec<Vec<u8>>] {
    static PICTURES: OnceLock<Vec<Vec<Vec<u8>>>> = OnceLock::new();
    PICTURES.get_or_init(|| {
        let source = format!("-f lavfi -i testsrc=s=160x120:r={RATE}:d=10 {CODED} -x264-params aud=1:repeat-headers=1 -f h264");
        let stream = ffmpeg(&source, "clip.h264");
        let starts: Vec<usize> = stream.windows(3).enumerate().filter(|(_, bytes)| *bytes == [0, 0, 1]).map(|(at, _)| at + 3).collect();
        let ends = starts.iter().skip(1).map(|start| start - 3).chain([stream.len()]);
        let mut pictures: Vec<Vec<Vec<u8>>> = Vec::new();
        for (&start, end) in starts.iter().zip(ends) {
            let unit = &stream[start..end];
            if unit[0] & 31 == 9 {
                pictures.push(Vec::new()); // a delimiter begins a picture
            } else if let Some(picture) = pictures.last_mut() {
                picture.push(unit.to_vec());
            }
        }
        pictures
    })
}

/// The method and the number of a request.
fn request(stream: &TcpStream) -> Option<(String, String)> {
    let mut lines = BufReader::with_capacity(1, stream).lines().map_while(Result::ok);
    let first = lines.next()?;
    let mut sequence = String::new();
    for line in lines.take_while(|line| !line.is_empty()) {
        if let Some(number) = line.strip_prefix("CSeq:") {
            sequence = number.trim().to_owned();
        }
    }
    Some((first.split(' ').next()?.to_owned(), sequence))
}

/// Answers until the client wants to see something.
fn describe(mut stream: TcpStream) -> Option<TcpStream> {
    loop {
        let (method, sequence) = request(&stream)?;
        let (more, body) = match method.as_str() {
            "OPTIONS" => ("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n", ""),
            "DESCRIBE" => (
                "Content-Type: application/sdp\r\n",
                "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:video\r\n",
            ),
            "SETUP" => ("Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n", ""),
            "PLAY" => ("Session: 1\r\n", ""),
            _ => return None,
        };
        write!(stream, "RTSP/1.0 200 OK\r\nCSeq: {sequence}\r\n{more}Content-Length: {}\r\n\r\n{body}", body.len()).ok()?;
        if method == "PLAY" {
            return Some(stream);
        }
    }
}

fn send(stream: &mut TcpStream, units: &[Vec<u8>], stamp: u32, sequence: &mut u16) -> std::io::Result<()> {
    for (number, unit) in (1..).zip(units) {
        let chunks = unit[1..].chunks(MOST).count();
        for (part, chunk) in (1..).zip(unit[1..].chunks(MOST)) {
            let mut payload = if chunks == 1 {
                vec![unit[0]]
            } else {
                // A fragment: its first byte says so, its second whether it starts or ends the unit.
                vec![unit[0] & 0xe0 | 28, unit[0] & 31 | u8::from(part == 1) << 7 | u8::from(part == chunks) << 6]
            };
            payload.extend_from_slice(chunk);
            let last = number == units.len() && part == chunks;
            let mut packet = vec![0x80, 96 | u8::from(last) << 7];
            packet.extend(sequence.to_be_bytes());
            packet.extend(stamp.to_be_bytes());
            packet.extend([0, 0, 0, 1]);
            packet.extend(payload);
            let mut framed = vec![b'$', 0];
            framed.extend((packet.len() as u16).to_be_bytes());
            framed.extend(packet);
            stream.write_all(&framed)?;
            *sequence = sequence.wrapping_add(1);
        }
    }
    Ok(())
}
