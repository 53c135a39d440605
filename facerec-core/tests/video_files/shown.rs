//! Videos as a player shows them: times on the container's clock, and square pixels.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use facerec_core::report::annotate_video;
use facerec_core::{Frame, FrameSource, Image, VideoOptions, VideoReader};

use super::{Folder, code, ffmpeg, ffmpeg_is_there, frames};

fn ffprobe(path: &Path, entries: &str) -> Vec<String> {
    let arguments = format!("-v error -select_streams v:0 -show_entries {entries} -of csv=p=0");
    let output = Command::new("ffprobe").args(arguments.split_whitespace()).arg(path).output().expect("ffprobe starts");
    String::from_utf8_lossy(&output.stdout).lines().map(|line| line.trim_matches(',').to_owned()).filter(|line| !line.is_empty()).collect()
}

/// Times of all frames on the container's clock, by FFmpeg's own tool. Only time stamps of broadcasts start anywhere.
fn clock_times(path: &Path) -> Vec<f64> {
    let start: f64 = ffprobe(path, "format=start_time")[0].parse().expect("a number");
    let origin = if path.extension().is_some_and(|end| end == "ts" || end == "mpg") { start } else { start.min(0.0) };
    let times = ffprobe(path, "frame=best_effort_timestamp_time");
    times.iter().filter_map(|line| line.parse::<f64>().ok()).map(|time| time - origin).collect()
}

/// Clips whose video does not start with the file, and some whose time stamps do not start at zero.
fn odd_starts(folder: &Folder) -> Vec<PathBuf> {
    let video = folder.make("video.mp4", "testsrc=s=160x120:r=25:d=2", "-c:v libx264 -preset ultrafast -bf 2 -g 10 -pix_fmt yuv420p");
    let plain = folder.make("plain.mp4", "testsrc=s=160x120:r=25:d=2", "-c:v mpeg4 -g 10");
    let sound = folder.make("sound.m4a", "sine=d=5", "-c:a aac");
    let mut made = Vec::new();
    let mut mux = |name: &str, before: &str, from: &Path, with: &str, more: &str| {
        let path = folder.path(name);
        let (inputs, maps) = match with {
            "" => (String::new(), ""),
            offset => (format!("{offset} -i {}", sound.display()), "-map 0:v -map 1:a"),
        };
        ffmpeg(&format!("{before} -i {} {inputs} {maps} -c copy {more}", from.display()), &path);
        made.push(path);
    };
    let (late, from_zero) = ("-itsoffset 3", "-itsoffset 0");
    for name in ["late.mp4", "late.mov", "late.mkv", "late.ts", "late.flv"] {
        mux(name, late, &video, from_zero, "");
    }
    mux("plain.avi", "", &plain, from_zero, "");
    mux("late-fragments.mp4", late, &plain, from_zero, "-movflags frag_keyframe+empty_moov+delay_moov");
    mux("fragments.mp4", "", &video, from_zero, "-movflags frag_keyframe+empty_moov");
    mux("lonely.mp4", late, &video, "", "");
    mux("lonely.mkv", late, &video, "", "");
    mux("lonely.ts", late, &video, "", "");
    mux("early.mp4", "-itsoffset -0.5", &video, from_zero, "");
    mux("sound-late.mp4", "", &video, "-itsoffset 1.5", "");
    mux("sound-late.mkv", "", &video, "-itsoffset 1.5", "");
    mux("sound-late.ts", "", &video, "-itsoffset 1.5", "");
    mux("without-edits.mp4", "", &video, from_zero, "-use_editlist 0");
    mux("ten-hours.ts", "", &video, from_zero, "-output_ts_offset 36000");
    mux("late-ten-hours.ts", late, &video, from_zero, "-output_ts_offset 36000");
    // Time stamps of 33 bits begin again after 95443.7 s.
    mux("wrapping.ts", "", &video, from_zero, "-output_ts_offset 95441");
    mux("late.mpg", late, &folder.make("video.mpg", "testsrc=s=160x120:r=25:d=2", "-c:v mpeg2video"), "", "");
    made
}

#[test]
fn times_are_on_the_containers_clock() {
    if !ffmpeg_is_there() {
        return;
    }
    let folder = Folder::new();
    for path in odd_starts(&folder) {
        let name = path.display();
        let (found, expected) = (frames(&path), clock_times(&path));
        assert!(found.len() == expected.len() && found.len() > 30, "{name}: {} frames of {}", found.len(), expected.len());
        for (index, (frame, expected)) in found.iter().zip(&expected).enumerate() {
            let time = frame.time().as_secs_f64();
            assert!(frame.index() == index as u64 && (time - expected).abs() < 0.002, "{name}: frame {index} at {time}, not {expected}");
        }
        // A file that says when it ends says it on the same clock.
        if let Some(end) = VideoReader::open(&path).expect("opens").info().duration {
            let last = found.last().expect("a frame").time();
            assert!(
                end > last && (name.to_string().contains("late") || end < last + Duration::from_secs(4)),
                "{name}: {last:?} of {end:?}"
            );
        }
    }
    let first = |name: &str| frames(&folder.path(name))[0].time().as_secs_f64();
    for name in ["late.mp4", "late.mov", "late.mkv", "late.ts", "late.flv", "lonely.mp4", "lonely.mkv", "late-ten-hours.ts"] {
        assert!((first(name) - 3.0).abs() < 0.05, "{name}: {}", first(name));
    }
    for name in ["lonely.ts", "sound-late.mp4", "sound-late.ts", "ten-hours.ts", "wrapping.ts"] {
        assert!(first(name) < 0.05, "{name}: {}", first(name));
    }
}

#[test]
fn ranges_are_on_the_containers_clock() {
    if !ffmpeg_is_there() {
        return;
    }
    let folder = Folder::new();
    for path in odd_starts(&folder) {
        let all = frames(&path);
        let first = all[0].time();
        for (start, end) in [(0, 600), (700, 1500)] {
            let (start, end) = (first + Duration::from_millis(start), first + Duration::from_millis(end));
            let options = VideoOptions::default().start(start).end(end);
            let part: Vec<Frame> = VideoReader::open_with(&path, options).expect("opens").map(|frame| frame.expect("decodes")).collect();
            let expected = all.iter().filter(|frame| (start..=end).contains(&frame.time()));
            // AVI states no presentation times, and its average frame rate, by which frames are numbered after a jump, is a guess.
            let numbered = path.extension().is_none_or(|extension| extension != "avi");
            let key = |frame: &Frame| (if numbered { frame.index() } else { 0 }, frame.time());
            let (part, expected): (Vec<_>, Vec<_>) = (part.iter().map(key).collect(), expected.map(key).collect());
            assert!(!expected.is_empty() && part == expected, "{}: {start:?} to {end:?}: {part:?}, not {expected:?}", path.display());
        }
        // Before the first frame there is none, and asking for it is no error.
        let options = VideoOptions::default().start(first / 2).end(first + Duration::from_millis(1));
        assert_eq!(VideoReader::open_with(&path, options).expect("opens").filter(|frame| frame.is_ok()).count(), 1, "{}", path.display());
    }
}

/// Width and height of the white square in the middle of a black picture.
fn square(image: &Image) -> (usize, usize) {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let is_white = |x: usize, y: usize| image.data()[(y * width + x) * 3] > 128;
    ((0..width).filter(|&x| is_white(x, height / 2)).count(), (0..height).filter(|&y| is_white(width / 2, y)).count())
}

#[test]
fn pixels_that_are_not_square_are_made_square() {
    if !ffmpeg_is_there() {
        return;
    }
    let folder = Folder::new();
    // A square of 120 pixels, squeezed to the stored size.
    let source = |square: (u32, u32)| {
        format!("color=c=black:s=1024x540:r=5:d=1,drawbox=x=452:y=210:w=120:h=120:color=white:t=fill,scale={}:{}", square.0, square.1)
    };
    let x264 = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p";
    for (name, stored, aspect, shown, more) in [
        ("wide.mp4", (720, 540), "64/45", (1024, 540), x264),
        ("wide.mkv", (720, 540), "64/45", (1024, 540), x264),
        ("wide.ts", (720, 540), "64/45", (1024, 540), x264),
        ("wide.avi", (720, 540), "64/45", (1024, 540), x264),
        ("half.mp4", (512, 540), "2/1", (1024, 540), x264),
        ("high.mp4", (1024, 270), "1/2", (1024, 540), x264),
        ("high.webm", (1024, 270), "1/2", (1024, 540), "-c:v libvpx-vp9 -deadline realtime -cpu-used 8"),
        ("square.mp4", (1024, 540), "1/1", (1024, 540), x264),
        ("silent.ts", (1024, 540), "0/1", (1024, 540), x264),
        ("absurd.mkv", (1024, 540), "1/200", (1024, 540), x264),
    ] {
        let path = folder.make(name, &format!("{},setsar=sar={aspect}:max=1000", source(stored)), more);
        let reader = VideoReader::open(&path).expect("opens");
        assert_eq!((reader.info().width, reader.info().height), shown, "{name}");
        let frame = reader.map(|frame| frame.expect("decodes")).next().expect("a frame");
        let image = frame.to_image().expect("converts");
        assert_eq!((frame.size(), (image.width(), image.height())), (shown, shown), "{name}");
        let (across, down) = square(&image);
        assert!(across.abs_diff(120) <= 4 && down.abs_diff(120) <= 4, "{name}: {across} x {down}");
        let small = VideoOptions::default().max_pixels(1024 * 539);
        let refused = VideoReader::open_with(&path, small).map_or_else(Err, |mut reader| reader.next().expect("an answer"));
        assert_eq!(code(refused), "limit_exceeded", "{name}: what is shown counts");
    }
    // Turned by a quarter, too.
    let turned = folder.path("turned.mp4");
    ffmpeg(&format!("-i {} -c copy -metadata:s:v:0 rotate=90", folder.path("wide.mp4").display()), &turned);
    let reader = VideoReader::open(&turned).expect("opens");
    assert_eq!((reader.info().width, reader.info().height), (540, 1024));
    let image = frames(&turned)[0].to_image().expect("converts");
    let (across, down) = square(&image);
    assert!((image.width(), image.height()) == (540, 1024) && across.abs_diff(120) <= 4 && down.abs_diff(120) <= 4, "{across} x {down}");
    // And changing in mid-stream.
    let joined = folder.path("joined.ts");
    let parts = ["wide.ts", "silent.ts"].map(|name| std::fs::read(folder.path(name)).expect("written"));
    std::fs::write(&joined, parts.concat()).expect("written");
    let sizes: Vec<(u32, u32)> = frames(&joined).iter().map(Frame::size).collect();
    assert_eq!((sizes[0], *sizes.last().expect("a frame")), ((1024, 540), (1024, 540)));
}

#[test]
fn an_annotated_copy_keeps_times_length_and_aspect() {
    if !ffmpeg_is_there() {
        return;
    }
    let folder = Folder::new();
    let mut videos = odd_starts(&folder);
    let pixels = "-vf setsar=64/45 -c:v libx264 -preset ultrafast -pix_fmt yuv420p";
    videos.push(folder.make("wide.mp4", "testsrc=s=160x120:r=25:d=1", pixels));
    videos.push(folder.make("slides.mp4", "testsrc=s=160x120:r=1/4:d=12", "-c:v libx264 -pix_fmt yuv420p"));
    let variable = "-vf select='lt(t,1)+lt(mod(n,5),1)*lt(t,2)+gt(t,3)' -fps_mode vfr -c:v libx264 -bf 2 -pix_fmt yuv420p";
    videos.push(folder.make("variable.mp4", "testsrc=s=160x120:r=25:d=4", variable));
    for path in &videos {
        let copy = folder.path("copy.mp4");
        annotate_video(VideoReader::open(path).expect("opens"), &[], &copy).expect("written");
        let (before, after) = (frames(path), frames(&copy));
        assert_eq!(before.len(), after.len(), "{}", path.display());
        for (before, after) in before.iter().zip(&after) {
            let apart = before.time().as_secs_f64() - after.time().as_secs_f64();
            assert!(apart.abs() < 0.001, "{}: {:?} became {:?}", path.display(), before.time(), after.time());
            let even = |side: u32| side / 2 * 2;
            assert_eq!(after.size(), (even(before.size().0), even(before.size().1)), "{}", path.display());
        }
        let end = |path: &Path| VideoReader::open(path).expect("opens").info().duration;
        let has_late_sound =
            path.file_name().is_some_and(|name| name.to_string_lossy().contains("mkv") || name.to_string_lossy().contains("frag"));
        if let (Some(before), Some(after)) = (end(path), end(&copy))
            && !has_late_sound
        {
            assert!(before.abs_diff(after) < Duration::from_millis(50), "{}: {before:?} became {after:?}", path.display());
        }
    }
}
