//! Live sources.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use facerec_core::{FrameSource, LiveOptions, LiveSource};

use super::{Folder, code, ffmpeg_is_there};

/// A running `ffmpeg` that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port()
}

#[test]
fn a_live_source_gives_the_newest_frame_and_counts_the_lost() {
    if !ffmpeg_is_there() {
        return;
    }
    let port = free_port();
    let address = format!("http://127.0.0.1:{port}/live");
    let arguments = format!(
        "-v error -re -f lavfi -i testsrc=s=320x240:r=25:d=4 -c:v libx264 -tune zerolatency -g 5 -pix_fmt yuv420p -f mpegts -listen 1 {address}"
    );
    let _server = Running(Command::new("ffmpeg").args(arguments.split_whitespace()).stderr(Stdio::null()).spawn().expect("ffmpeg starts"));
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut source = loop {
        match LiveSource::open_with(&address, LiveOptions::default().timeout(Duration::from_secs(8)).backlog(Duration::ZERO)) {
            Ok(source) => break source,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    assert!(source.info().live && source.info().frames.is_none());
    let mut times = Vec::new();
    while let Ok(Some(frame)) = source.next_frame() {
        times.push(frame.time());
        std::thread::sleep(Duration::from_millis(150)); // slower than 25 a second
    }
    assert!(times.len() >= 8, "{} frames", times.len());
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(source.lost() > 20, "{} lost", source.lost());
    assert!(source.next_frame().expect("the end stays the end").is_none());
}

#[test]
fn an_rtsp_camera_is_received() {
    if !ffmpeg_is_there() {
        return;
    }
    // FFmpeg can play the server when it listens: our side listens, the "camera" pushes, over the same RTSP and RTP.
    let port = free_port();
    let address = format!("rtsp://127.0.0.1:{port}/camera");
    let camera = address.clone();
    let pushing = std::thread::spawn(move || {
        let arguments = format!(
            "-v error -re -f lavfi -i testsrc=s=320x240:r=15:d=5 -c:v libx264 -tune zerolatency -g 5 -pix_fmt yuv420p -f rtsp -rtsp_transport tcp {camera}"
        );
        for _ in 0..20 {
            std::thread::sleep(Duration::from_millis(300));
            let status = Command::new("ffmpeg").args(arguments.split_whitespace()).stderr(Stdio::null()).status();
            if status.is_ok_and(|status| status.success()) {
                break;
            }
        }
    });
    let options = LiveOptions::default().option("rtsp_flags", "listen").timeout(Duration::from_secs(15));
    let mut source = LiveSource::open_with(&address, options).expect("the camera comes");
    let mut count = 0;
    while count < 20 {
        assert!(source.next_frame().expect("a frame").is_some());
        count += 1;
    }
    drop(source);
    pushing.join().expect("no panic");
}

#[test]
fn a_source_that_does_not_answer_is_given_up() {
    let refused = format!("http://127.0.0.1:{}/live", free_port());
    assert_eq!(code(LiveSource::open(&refused)), "decode_video");
    // Accepts and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}/live", silent.local_addr().expect("an address"));
    let start = Instant::now();
    let error = LiveSource::open_with(&address, LiveOptions::default().timeout(Duration::from_secs(1))).expect_err("given up");
    assert_eq!(error.kind().code(), "decode_video");
    assert!(start.elapsed() < Duration::from_secs(6), "after {:?}", start.elapsed());
    let missing = code(LiveSource::open("/dev/video99"));
    assert!(["decode_video", "unsupported_format"].contains(&missing), "{missing}");
}

/// A pipe blocks where FFmpeg cannot be interrupted, as a webcam's driver may.
#[test]
#[cfg(unix)]
fn a_driver_that_hangs_is_left_to_itself() {
    if !ffmpeg_is_there() {
        return;
    }
    let folder = Folder::new();
    let pipe = folder.path("pipe.ts");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("starts").success());
    let address = format!("file:{}", pipe.display());
    let options = || LiveOptions::default().timeout(Duration::from_secs(1));
    let start = Instant::now();
    let error = LiveSource::open_with(&address, options()).expect_err("nobody writes");
    assert!(error.to_string().contains("did not answer"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(6), "after {:?}", start.elapsed());
    // Something comes, then nothing, and the other side stays there.
    let other = folder.path("other.ts");
    assert!(Command::new("mkfifo").arg(&other).status().expect("starts").success());
    let clip = std::fs::read(folder.make("clip.ts", "testsrc=s=320x240:r=25:d=6", "-c:v libx264 -g 25 -pix_fmt yuv420p")).expect("written");
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let writer = std::thread::spawn({
        let other = other.clone();
        move || {
            let mut out = std::fs::File::create(other).expect("a reader comes");
            let _ = out.write_all(&clip);
            let _ = wait.recv();
        }
    });
    let mut source = LiveSource::open_with(&format!("file:{}", other.display()), options().timeout(Duration::from_secs(2))).expect("opens");
    let start = Instant::now();
    let error = loop {
        match source.next_frame() {
            Ok(frame) => assert!(frame.is_some(), "the pipe is still open"),
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("no frame came"), "{error}");
    drop(source);
    assert!(start.elapsed() < Duration::from_secs(15), "after {:?}", start.elapsed());
    drop(done);
    writer.join().expect("no panic");
}

#[test]
fn a_file_at_an_address_waits_and_loses_nothing() {
    if !ffmpeg_is_there() {
        return;
    }
    let folder = Folder::new();
    let more = "-c:v libx264 -pix_fmt yuv420p -movflags +faststart";
    let clip = std::fs::read(folder.make("clip.mp4", "testsrc=s=320x240:r=25:d=4", more)).expect("written");
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}/clip.mp4", server.local_addr().expect("an address"));
    // Ends with the test's process.
    std::thread::spawn(move || {
        for stream in server.incoming() {
            let Ok(mut stream) = stream else { continue };
            let _ = stream.read(&mut [0; 4096]);
            let head = format!("HTTP/1.0 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: {}\r\n\r\n", clip.len());
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&clip));
        }
    });
    let mut source = LiveSource::open(&address).expect("opens");
    assert!(!source.info().live && source.info().duration == Some(Duration::from_secs(4)));
    let mut count = 0;
    while source.next_frame().expect("decodes").is_some() {
        std::thread::sleep(Duration::from_millis(5)); // slower than decoding
        count += 1;
    }
    assert_eq!((count, source.lost()), (100, 0));
    // One that is dropped while a frame waits does not hang.
    let source = LiveSource::open(&address).expect("opens");
    let start = Instant::now();
    drop(source);
    assert!(start.elapsed() < Duration::from_secs(1));
}
