//! Reading and writing videos: times, turns, ranges, damage, and live sources. Inputs are made by the `ffmpeg` command.
#![allow(clippy::print_stderr)] // what was skipped is said aloud
#![cfg(feature = "video")]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};

use facerec_core::{Error, Frame, FrameSource, Image, LiveOptions, LiveSource, Result, VideoOptions, VideoReader, VideoWriter};

/// Whether the `ffmpeg` command is there; says so once when it is not.
fn ffmpeg_is_there() -> bool {
    static SAID: Once = Once::new();
    let there = Command::new("ffmpeg").arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success());
    if !there {
        SAID.call_once(|| eprintln!("SKIPPED: the tests of video files need the command `ffmpeg` to make their inputs"));
    }
    there
}

fn ffmpeg(arguments: &str, out: &Path) {
    let status = Command::new("ffmpeg").args(["-y", "-v", "error"]).args(arguments.split_whitespace()).arg(out).status();
    assert!(status.expect("ffmpeg starts").success(), "ffmpeg {arguments}");
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A test picture that moves, as `name`; `more` are FFmpeg's output options.
    fn make(&self, name: &str, source: &str, more: &str) -> PathBuf {
        let path = self.path(name);
        ffmpeg(&format!("-f lavfi -i {source} {more}"), &path);
        path
    }
}

fn frames(path: &Path) -> Vec<Frame> {
    VideoReader::open(path).expect("opens").map(|frame| frame.expect("decodes")).collect()
}

fn code<T>(result: Result<T>) -> &'static str {
    result.err().expect("an error").kind().code()
}

/// Frames until the error or the end.
fn read(path: &Path) -> (usize, Option<Error>) {
    let mut count = 0;
    for frame in VideoReader::open(path).expect("opens") {
        match frame {
            Ok(_) => count += 1,
            Err(error) => return (count, Some(error)),
        }
    }
    (count, None)
}

/// Presentation times of all frames as FFmpeg's own tool states them, in seconds from the first.
fn stated_times(path: &Path) -> Vec<f64> {
    let arguments = "-v error -select_streams v:0 -show_entries frame=best_effort_timestamp_time -of csv=p=0";
    let output = Command::new("ffprobe").args(arguments.split_whitespace()).arg(path).output().expect("ffprobe starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let times: Vec<f64> = text.lines().filter_map(|line| line.trim_matches(',').parse().ok()).collect();
    times.iter().map(|time| time - times[0]).collect()
}

#[test]
fn times_are_those_of_presentation_in_every_container() {
    if !ffmpeg_is_there() {
        return;
    }
    let folder = Folder::new();
    let clips = [
        ("b-frames.mp4", "testsrc=s=320x240:r=25:d=2", "-c:v libx264 -bf 3 -pix_fmt yuv420p"),
        ("ntsc.mkv", "testsrc=s=320x240:r=30000/1001:d=2", "-c:v libx264 -bf 2 -pix_fmt yuv420p"),
        ("old.avi", "testsrc=s=320x240:r=20:d=1", "-c:v mpeg4"),
        ("vp9.webm", "testsrc=s=320x240:r=25:d=1", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8"),
        ("hevc.mp4", "testsrc=s=320x240:r=25:d=1", "-c:v libx265 -preset ultrafast -x265-params log-level=none"),
        ("quick.mov", "testsrc=s=320x240:r=50:d=1", "-c:v libx264 -pix_fmt yuv422p10le"),
        ("moving.gif", "testsrc=s=160x120:r=10:d=1", ""),
        // Frames come at 25 a second, then at 5, then not for a second.
        (
            "variable.mp4",
            "testsrc=s=320x240:r=25:d=4",
            "-vf select='lt(t,1)+lt(mod(n,5),1)*lt(t,2)+gt(t,3)' -fps_mode vfr -c:v libx264 -bf 2 -pix_fmt yuv420p",
        ),
    ];
    for (name, source, more) in clips {
        let path = folder.make(name, source, more);
        let found = frames(&path);
        let expected = stated_times(&path);
        assert_eq!(found.len(), expected.len(), "{name}");
        for (index, (frame, expected)) in found.iter().zip(&expected).enumerate() {
            assert_eq!(frame.index(), index as u64);
            assert!((frame.time().as_secs_f64() - expected).abs() < 0.002, "{name}: frame {index} at {:?}, not {expected}", frame.time());
        }
        assert!(found.windows(2).all(|pair| pair[0].time() < pair[1].time()), "{name}: times advance");
    }
    let info = VideoReader::open(folder.path("b-frames.mp4")).expect("opens").info();
    assert_eq!((info.width, info.height, info.frames, info.codec.as_str(), info.live), (320, 240, Some(50), "h264", false));
    assert!((info.frame_rate.expect("stated") - 25.0).abs() < 0.01 && info.duration.expect("stated") == Duration::from_secs(2));
}

#[test]
fn pixels_are_those_of_ffmpeg() {
    if !ffmpeg_is_there() {
        return;
    }
    let folder = Folder::new();
    for (name, more) in [
        ("plain.mp4", "-c:v libx264 -crf 5 -pix_fmt yuv420p"),
        ("full.mp4", "-c:v libx264 -crf 5 -pix_fmt yuvj420p"),
        ("ten.mkv", "-c:v libx264 -crf 5 -pix_fmt yuv420p10le"),
        (
            "hd.mp4",
            "-vf scale=out_color_matrix=bt709 -colorspace bt709 -color_primaries bt709 -color_trc bt709 -c:v libx264 -crf 5 -pix_fmt yuv420p",
        ),
        ("odd.mkv", "-vf scale=175:143 -c:v libx264 -crf 5 -pix_fmt yuv444p"),
    ] {
        let path = folder.make(name, "testsrc2=s=320x240:r=5:d=1", more);
        let raw = folder.path("raw.rgb");
        ffmpeg(&format!("-i {} -f rawvideo -pix_fmt rgb24", path.display()), &raw);
        let expected = std::fs::read(&raw).expect("written");
        let ours: Vec<u8> = frames(&path).iter().flat_map(|frame| frame.to_image().expect("converts").into_data()).collect();
        assert_eq!(ours.len(), expected.len(), "{name}");
        let difference: u64 = ours.iter().zip(&expected).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        let mean = difference as f64 / ours.len() as f64;
        assert!(mean < 1.5, "{name}: colours differ by {mean:.2} on average");
    }
}

/// Where the red quarter of a picture is: (right, bottom).
fn red_corner(image: &Image) -> (bool, bool) {
    let at = |right: bool, bottom: bool| {
        let (x, y) =
            (image.width() as usize * (1 + 2 * usize::from(right)) / 4, image.height() as usize * (1 + 2 * usize::from(bottom)) / 4);
        let p = &image.data()[(y * image.width() as usize + x) * 3..][..3];
        p[0] > 150 && p[1] < 90
    };
    let corners = [(false, false), (true, false), (false, true), (true, true)];
    corners.into_iter().find(|&(right, bottom)| at(right, bottom)).expect("a red corner")
}

#[test]
fn phone_videos_are_upright() {
    if !ffmpeg_is_there() {
        return;
    }
    let folder = Folder::new();
    let source = "color=c=blue:s=320x200:r=5:d=1,drawbox=x=0:y=0:w=160:h=100:color=red:t=fill";
    let stored = folder.make("stored.mp4", source, "-c:v libx264 -pix_fmt yuv420p");
    for (degrees, size, corner) in [
        (0, (320, 200), (false, false)),
        (90, (200, 320), (false, true)),
        (180, (320, 200), (true, true)),
        (270, (200, 320), (true, false)),
    ] {
        let turned = folder.path("turned.mp4");
        ffmpeg(&format!("-i {} -c copy -metadata:s:v:0 rotate={degrees}", stored.display()), &turned);
        let reader = VideoReader::open(&turned).expect("opens");
        assert_eq!((reader.info().width, reader.info().height), size, "{degrees} degrees");
        let frame = reader.map(|frame| frame.expect("decodes")).next().expect("a frame");
        let image = frame.to_image().expect("converts");
        // FFmpeg turns it upright itself when it converts.
        let shown = folder.path("shown.png");
        ffmpeg(&format!("-i {} -frames:v 1", turned.display()), &shown);
        let expected = red_corner(&Image::open(&shown).expect("a picture"));
        assert_eq!((red_corner(&image), frame.size()), (expected, size), "{degrees} degrees");
        assert!(degrees == 90 || degrees == 270 || expected == corner);
    }
}

#[test]
fn ranges_start_and_end_where_asked() {
    if !ffmpeg_is_there() {
        return;
    }
    let folder = Folder::new();
    let path = folder.make("clip.mp4", "testsrc=s=320x240:r=25:d=6", "-c:v libx264 -g 50 -bf 2 -pix_fmt yuv420p");
    let all = frames(&path);
    let options = VideoOptions::default().start(Duration::from_millis(3100)).end(Duration::from_millis(4000));
    let part: Vec<Frame> = VideoReader::open_with(&path, options).expect("opens").map(|frame| frame.expect("decodes")).collect();
    let expected: Vec<&Frame> = all.iter().filter(|f| (3100..=4000).contains(&f.time().as_millis())).collect();
    assert_eq!(part.len(), expected.len());
    for (frame, expected) in part.iter().zip(expected) {
        assert_eq!((frame.index(), frame.time()), (expected.index(), expected.time()));
        assert_eq!(frame.to_image().expect("converts"), expected.to_image().expect("converts"));
    }
}

#[test]
fn damage_is_reported_after_what_can_be_shown() {
    if !ffmpeg_is_there() {
        return;
    }
    let folder = Folder::new();
    let whole = folder.make("whole.mp4", "testsrc=s=320x240:r=25:d=6", "-c:v libx264 -g 25 -pix_fmt yuv420p");
    let bytes = std::fs::read(&whole).expect("written");
    // The index comes last: cut off, nothing can be found.
    let cut = folder.path("cut.mp4");
    std::fs::write(&cut, &bytes[..bytes.len() / 2]).expect("written");
    assert_eq!(code(VideoReader::open(&cut)), "decode_video");
    // The index first: half the frames are there.
    let fast = folder.path("fast.mp4");
    ffmpeg(&format!("-i {} -c copy -movflags +faststart", whole.display()), &fast);
    let bytes = std::fs::read(&fast).expect("written");
    std::fs::write(&cut, &bytes[..bytes.len() * 6 / 10]).expect("written");
    let (count, error) = read(&cut);
    assert!((40..140).contains(&count), "{count} frames");
    assert_eq!(error.expect("the end is missing").kind().code(), "decode_video");
    // Rubbish in the middle: the rest is still shown.
    let mut torn = bytes.clone();
    let middle = torn.len() / 2;
    torn[middle..middle + 3000].iter_mut().enumerate().for_each(|(i, byte)| *byte = (i * 7 % 251) as u8);
    std::fs::write(&cut, &torn).expect("written");
    let (count, _) = read(&cut);
    assert!(count > 100, "{count} of 150 frames");
    let (count, error) = read(&whole);
    assert!(count == 150 && error.is_none(), "{count} {error:?}");
}

#[test]
fn what_is_no_video_is_refused_with_a_reason() {
    let folder = Folder::new();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path(name);
        std::fs::write(&path, bytes).expect("written");
        path
    };
    assert_eq!(code(VideoReader::open(folder.path("missing.mp4"))), "io");
    assert_eq!(code(VideoReader::open(folder.path("."))), "io");
    assert_eq!(code(VideoReader::open(file("empty.mp4", b""))), "decode_video");
    assert_eq!(code(VideoReader::open(file("text.mp4", b"this is no video, whatever its name says\n"))), "decode_video");
    assert_eq!(code(VideoReader::open(file("noise.mp4", &[0x5a; 5000]))), "decode_video");
    let playlist = b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n/etc/passwd\n#EXT-X-ENDLIST\n";
    assert_eq!(code(VideoReader::open(file("list.m3u8", playlist))), "decode_video", "a playlist opens no other file");
    if !ffmpeg_is_there() {
        return;
    }
    let sound = folder.make("sound.mp4", "sine=d=1", "-c:a aac");
    let error = VideoReader::open(&sound).expect_err("refused");
    assert!(error.to_string().contains("no video stream"), "{error}");
    let picture = folder.make("wide.mkv", "color=s=2000x1000:d=1:r=1", "-c:v libx264 -pix_fmt yuv420p");
    assert_eq!(code(VideoReader::open_with(&picture, VideoOptions::default().max_pixels(1_000_000))), "limit_exceeded");
    assert_eq!(code(VideoReader::open_with(&picture, VideoOptions::default().hardware("no-such-device"))), "device_unavailable");
    assert_eq!(code(VideoReader::open_with(&picture, VideoOptions::default().hardware("vaapi"))), "device_unavailable");
    // One frame, and a name of letters beyond ASCII.
    let one = folder.make("één 視頻.mkv", "color=s=64x64:d=1:r=1", "-c:v libx264 -pix_fmt yuv420p");
    assert_eq!(frames(&one).len(), 1);
}

#[test]
fn times_that_jump_back_go_on() {
    if !ffmpeg_is_there() {
        return;
    }
    let folder = Folder::new();
    // Two recordings joined byte by byte: the second starts at zero again.
    let first = folder.make("a.ts", "testsrc=s=320x240:r=25:d=2", "-c:v libx264 -pix_fmt yuv420p -muxdelay 0");
    let mut joined = std::fs::read(&first).expect("written");
    joined.extend(std::fs::read(&first).expect("written"));
    let path = folder.path("joined.ts");
    std::fs::write(&path, joined).expect("written");
    let mut times = Vec::new();
    for frame in VideoReader::open(&path).expect("opens") {
        match frame {
            Ok(frame) => times.push(frame.time()),
            Err(error) => assert_eq!(error.kind().code(), "decode_video"),
        }
    }
    assert!(times.len() >= 90, "{} frames", times.len());
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "times never go back");
    assert!((3.0..5.0).contains(&times.last().expect("frames").as_secs_f64()), "{:?}", times.last());
}

/// Threads of this process that decode.
#[cfg(target_os = "linux")]
fn decoding_threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task")
        .expect("Linux")
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    tasks.filter(|name| name.starts_with("facerec-decode") || name.starts_with("facerec-live")).count()
}

#[test]
#[cfg(target_os = "linux")]
fn readers_that_are_dropped_leave_nothing_behind() {
    if !ffmpeg_is_there() {
        return;
    }
    let folder = Folder::new();
    let path = folder.make("4k.mp4", "testsrc=s=3840x2160:r=25:d=8", "-c:v libx264 -preset ultrafast -pix_fmt yuv420p");
    let start = Instant::now();
    for _ in 0..10 {
        let mut reader = VideoReader::open(&path).expect("opens");
        assert!(reader.next_frame().expect("decodes").is_some());
    }
    assert!(start.elapsed() < Duration::from_secs(60));
    let rss = || {
        let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
        let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("stated").to_owned();
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<usize>().ok()).expect("a number") / 1024
    };
    let before = rss();
    let mut count = 0;
    for frame in VideoReader::open(&path).expect("opens") {
        frame.expect("decodes");
        count += 1;
        if count % 10 == 0 {
            std::thread::sleep(Duration::from_millis(20)); // slower than decoding
        }
    }
    assert_eq!(count, 200);
    // 200 frames of 12 MiB would be 2.4 GiB.
    assert!(rss().saturating_sub(before) < 700, "{} MiB more", rss() - before);
    let deadline = Instant::now() + Duration::from_secs(10);
    while decoding_threads() > 6 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50)); // other tests' readers
    }
    assert!(decoding_threads() <= 6, "{} decoding threads are left", decoding_threads());
}

#[test]
fn written_videos_can_be_read_and_appear_whole_or_not_at_all() {
    let folder = Folder::new();
    let path = folder.path("out.mp4");
    let picture = |value: u8| Image::filled(175, 143, [value, 60, 200]);
    let mut writer = VideoWriter::create(&path, 175, 143, 25.0).expect("an encoder");
    let times: Vec<Duration> = [0u64, 40, 80, 200, 240, 1000].into_iter().map(Duration::from_millis).collect();
    for (index, time) in times.iter().enumerate() {
        writer.write(&picture(index as u8 * 40), *time).expect("written");
    }
    assert_eq!(code(writer.write(&Image::filled(64, 64, [0; 3]), Duration::from_secs(2))), "dimension_mismatch");
    assert!(!path.exists(), "not before it is complete");
    writer.finish().expect("completed");
    let read: Vec<Frame> = frames(&path);
    assert_eq!(read.iter().map(Frame::time).collect::<Vec<_>>(), times);
    assert_eq!(read[0].size(), (174, 142), "even sides");
    for (index, frame) in read.iter().enumerate() {
        let image = frame.to_image().expect("converts");
        let middle = &image.data()[(70 * 174 + 80) * 3..][..3];
        assert!(middle[0].abs_diff(index as u8 * 40) < 12 && middle[2].abs_diff(200) < 12, "{middle:?}");
    }
    let mut given_up = VideoWriter::create(folder.path("gone.mp4"), 64, 64, 25.0).expect("an encoder");
    given_up.write(&Image::filled(64, 64, [9; 3]), Duration::ZERO).expect("written");
    drop(given_up);
    let left: Vec<_> = std::fs::read_dir(folder.0.path()).expect("readable").map(|e| e.expect("an entry").file_name()).collect();
    assert_eq!(left, ["out.mp4"], "half a video is not left lying about");
    assert_eq!(code(VideoWriter::create(folder.path("no/such/folder.mp4"), 64, 64, 25.0)), "io");
    assert_eq!(code(VideoWriter::create(folder.path("zero.mp4"), 0, 64, 25.0)), "invalid_argument");
}

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
        match LiveSource::open_with(&address, LiveOptions::default().timeout(Duration::from_secs(8))) {
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
