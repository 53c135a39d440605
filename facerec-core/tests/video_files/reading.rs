//! What healthy files give.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use facerec_core::{Frame, FrameSource, Image, VideoOptions, VideoReader};

use super::{Folder, ffmpeg, ffmpeg_is_there, frames};

/// Presentation times of all frames as FFmpeg's own tool states them, in seconds from the first.
fn stated_times(path: &Path) -> Vec<f64> {
    let arguments = "-v error -select_streams v:0 -show_entries frame=best_effort_timestamp_time -of csv=p=0";
    let output = Command::new("ffprobe").args(arguments.split_whitespace()).arg(path).output().expect("ffprobe starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let times: Vec<f64> = text.lines().filter_map(|line| line.trim_matches(',').parse().ok()).collect();
    times.iter().map(|time| time - times[0]).collect()
}

/// The options of an AV1 encoder, when there is one.
fn av1_encoder() -> Option<&'static str> {
    let output = Command::new("ffmpeg").args(["-v", "error", "-encoders"]).output().ok()?;
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    let known = [("libsvtav1", "-c:v libsvtav1 -preset 12"), ("libaom-av1", "-c:v libaom-av1 -usage realtime -cpu-used 8")];
    known.into_iter().find(|(name, _)| names.contains(name)).map(|(_, options)| options)
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
        ("av1.mkv", "testsrc=s=320x240:r=25:d=1", "AV1"),
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
    let av1 = av1_encoder();
    for (name, source, more) in clips {
        let more = match (more, &av1) {
            ("AV1", Some(encoder)) => encoder,
            ("AV1", None) => {
                eprintln!("SKIPPED: this ffmpeg has no AV1 encoder");
                continue;
            }
            (more, _) => more,
        };
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
        ("odd.mkv", "-vf scale=175:143,setsar=1 -c:v libx264 -crf 5 -pix_fmt yuv444p"),
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

/// A raw AVI whose rows are stored from the bottom to the top, as its description says.
fn bottom_up(path: &Path) {
    let mut bytes = std::fs::read(path).expect("written");
    let find = |bytes: &[u8], name: &[u8; 4]| bytes.windows(4).position(|four| four == name).expect("a chunk");
    let (format, list, header) = (find(&bytes, b"strf"), find(&bytes, b"strl"), find(&bytes, b"hdrl"));
    let mut grow = |at: usize, by: u32| {
        let size = u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four")) + by;
        bytes[at..at + 4].copy_from_slice(&size.to_le_bytes());
    };
    grow(format + 4, 9);
    [4, header - 4, list - 4].into_iter().for_each(|at| grow(at, 10));
    let end = format + 8 + 40;
    bytes.splice(end..end, *b"BottomUp\0\0");
    std::fs::write(path, bytes).expect("written");
}

#[test]
fn pictures_stored_bottom_up_are_upright() {
    if !ffmpeg_is_there() {
        return;
    }
    let folder = Folder::new();
    // Grey: FFmpeg turns only the luma of such pictures.
    let source = "color=c=black:s=320x200:r=5:d=1,drawbox=x=0:y=0:w=160:h=100:color=white:t=fill";
    let path = folder.make("flip.avi", source, "-c:v rawvideo -pix_fmt yuv420p");
    bottom_up(&path);
    let frame = frames(&path).remove(0);
    let (image, small) = (frame.to_image().expect("converts"), frame.thumbnail().expect("made"));
    let (first, last) = (image.data()[0], image.data()[199 * 320 * 3]);
    assert!(first < 20 && last > 230, "white is at the bottom: {first} above, {last} below");
    assert!(small.len() == 64 * 36 && small[0] < 40 && small[35 * 64] > 200, "in the thumbnail too: {} {}", small[0], small[35 * 64]);
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
    let beyond = |start: Duration| VideoOptions::default().start(start);
    for nothing in [
        beyond(Duration::from_secs(7)),
        beyond(Duration::MAX).end(Duration::MAX),
        beyond(Duration::from_micros(3_000_100)).end(Duration::from_micros(3_000_200)),
    ] {
        let read: Vec<_> = VideoReader::open_with(&path, nothing).expect("opens").collect();
        assert!(
            matches!(&read[..], [Err(error)] if error.kind().code() == "invalid_argument" && error.to_string().contains("over at 6s")),
            "{read:?}"
        );
    }
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
