//! What damaged files, and what is no video at all, give.

use std::path::{Path, PathBuf};
use std::time::Duration;

use facerec_core::{VideoOptions, VideoReader};

use super::{Folder, code, ffmpeg, ffmpeg_is_there, frames, read};

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
    let (count, error) = read(&cut);
    assert!(count > 100, "{count} of 150 frames");
    let error = error.expect("what is damaged is told");
    assert!(error.kind().code() == "decode_video" && error.to_string().contains("damaged"), "{error}");
    // Also when only a part is asked for; but not what lies outside of it.
    let part = |start: f64, end: f64| {
        let options = VideoOptions::default().start(Duration::from_secs_f64(start)).end(Duration::from_secs_f64(end));
        VideoReader::open_with(&cut, options).expect("opens").filter(Result::is_err).count()
    };
    assert_eq!((part(1.0, 5.0), part(0.0, 1.0)), (1, 0));
    let (count, error) = read(&whole);
    assert!(count == 150 && error.is_none(), "{count} {error:?}");
}

#[test]
fn a_missing_end_is_noticed_in_long_files_and_beside_sound() {
    if !ffmpeg_is_there() {
        return;
    }
    let folder = Folder::new();
    let cut = |path: &Path, share: f64| {
        let bytes = std::fs::read(path).expect("written");
        std::fs::write(path, &bytes[..(bytes.len() as f64 * share) as usize]).expect("written");
        let (count, error) = read(path);
        let error = error.unwrap_or_else(|| panic!("{}: {count} frames and no error", path.display()));
        assert!(error.kind().code() == "decode_video" && count > 0, "{}: {count} frames, {error}", path.display());
    };
    let faststart = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -movflags +faststart";
    cut(&folder.make("minute.mp4", "testsrc=s=320x240:r=25:d=60", faststart), 0.96);
    let sound = "-f lavfi -i sine=d=8 -c:v libx264 -g 25 -pix_fmt yuv420p -c:a aac";
    cut(&folder.make("sound.mkv", "testsrc=s=320x240:r=25:d=8", sound), 0.5);
    cut(&folder.make("mute.mkv", "testsrc=s=320x240:r=25:d=8", "-c:v libx264 -g 25 -pix_fmt yuv420p"), 0.5);
    cut(&folder.make("old.avi", "testsrc=s=320x240:r=25:d=8", "-c:v mpeg4"), 0.5);
}

#[test]
fn healthy_files_raise_no_alarm() {
    if !ffmpeg_is_there() {
        return;
    }
    let folder = Folder::new();
    let source = "testsrc=s=320x240:r=25:d=6";
    let x264 = "-c:v libx264 -g 25 -bf 3 -pix_fmt yuv420p";
    let with_sound = format!("-f lavfi -i sine=d=9 {x264} -c:a aac");
    let open_gop = format!("{x264} -x264-params open-gop=1");
    let hevc = "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=25:open-gop=1:bframes=3";
    let vfr = "-vf select='lt(t,1)+eq(n,140)' -fps_mode vfr -c:v libx264 -bf 2 -pix_fmt yuv420p";
    let mut files: Vec<PathBuf> = [
        ("sound.mp4", with_sound.as_str()),
        ("sound.mkv", &with_sound),
        ("sound.ts", &with_sound),
        ("sound.flv", &with_sound),
        ("open.mp4", &open_gop),
        ("open.ts", &open_gop),
        ("hevc.ts", hevc),
        ("mpeg2.ts", "-c:v mpeg2video -g 12 -bf 2"),
        ("raw.h264", x264),
        ("fragments.mp4", "-c:v libx264 -pix_fmt yuv420p -movflags frag_keyframe+empty_moov"),
        ("gap.mp4", vfr),
        ("gap.mkv", vfr),
        ("interlaced.mp4", "-vf interlace -flags +ilme+ildct -c:v libx264 -pix_fmt yuv420p"),
    ]
    .iter()
    .map(|(name, more)| folder.make(name, source, more))
    .collect();
    files.push(folder.make("slides.mp4", "testsrc=s=320x240:r=1/5:d=20", "-c:v libx264 -pix_fmt yuv420p"));
    // Cut without coding again: an edit list hides what comes before the start.
    for (from, to) in [("sound.mp4", "edit.mp4"), ("open.mp4", "edit-open.mp4"), ("sound.mkv", "edit.mkv")] {
        files.push(folder.path(to));
        ffmpeg(&format!("-ss 1.3 -t 3.3 -i {} -c copy", folder.path(from).display()), &folder.path(to));
    }
    // The video starts two seconds after the sound.
    let (open, sound) = (folder.path("open.mp4"), folder.path("sound.mp4"));
    files.push(folder.path("late.mkv"));
    ffmpeg(&format!("-itsoffset 2 -i {} -i {} -map 0:v -map 1:a -c copy", open.display(), sound.display()), &folder.path("late.mkv"));
    // A broadcast joined between key frames.
    for name in ["sound.ts", "open.ts", "hevc.ts", "mpeg2.ts"] {
        let bytes = std::fs::read(folder.path(name)).expect("written");
        let path = folder.path(&format!("joined-{name}"));
        std::fs::write(&path, &bytes[bytes.len() / 188 * 37 / 100 * 188..]).expect("written");
        files.push(path);
    }
    for path in &files {
        let (count, error) = read(path);
        assert!(count > 3 && error.is_none(), "{}: {count} frames, {error:?}", path.display());
    }
    // And none after a seek into the middle.
    for name in ["sound.mp4", "open.mp4", "open.ts", "hevc.ts", "mpeg2.ts", "sound.mkv"] {
        let options = VideoOptions::default().start(Duration::from_millis(2700)).end(Duration::from_secs(5));
        let found: Vec<_> = VideoReader::open_with(folder.path(name), options).expect("opens").collect();
        assert!(found.len() > 20 && found.iter().all(Result::is_ok), "{name}: {} frames, {:?}", found.len(), found.last());
    }
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
    for name in ["zero.mkv", "zero.avi"] {
        let zero = folder.make(name, "color=s=64x64:d=1:r=1", "-frames:v 0 -c:v mjpeg");
        match VideoReader::open(&zero) {
            Ok(mut reader) => assert_eq!(code(reader.next().expect("an error")), "decode_video", "{name}"),
            Err(error) => assert_eq!(error.kind().code(), "decode_video", "{name}"),
        }
    }
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
