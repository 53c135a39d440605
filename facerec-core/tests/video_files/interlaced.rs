//! Interlaced videos: taken apart when the stream says so or when it shows, and nothing else is touched.

use std::path::{Path, PathBuf};
use std::time::Duration;

use facerec_core::{Deinterlace, VideoOptions, VideoReader};

use super::{Folder, ffmpeg, ffmpeg_is_there};

/// All pixels of a video, and the times of its frames.
fn look(path: &Path, deinterlace: Deinterlace) -> (Vec<Vec<u8>>, Vec<Duration>) {
    let options = VideoOptions::default().deinterlace(deinterlace);
    let frames = VideoReader::open_with(path, options).expect("opens").map(|frame| frame.expect("decodes"));
    frames.map(|frame| (frame.to_image().expect("converts").into_data(), frame.time())).unzip()
}

/// Mean squared difference between two videos, from frame `from` on.
fn error(a: &[Vec<u8>], b: &[Vec<u8>], from: usize) -> f64 {
    let squares =
        |(a, b): (&Vec<u8>, &Vec<u8>)| a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum::<f64>() / a.len() as f64;
    let count = a.len().min(b.len()).saturating_sub(from).max(1);
    a.iter().zip(b).skip(from).map(squares).sum::<f64>() / count as f64
}

/// Things that turn, move and stand still, 50 pictures a second.
const MOVING: &str = "testsrc2=s=352x288:r=50:d=1.6,rotate=0.2*sin(3*t):c=gray";
const X264: &str = "-c:v libx264 -preset veryfast -crf 8 -pix_fmt yuv420p -fps_mode passthrough";

/// `MOVING` with the fields of two pictures in each frame.
fn interlaced(folder: &Folder, name: &str, first: &str, more: &str) -> PathBuf {
    // Colours are those of their field, as a camera's are.
    let format = if more.contains("422") || name.ends_with("mov") { "yuv422p" } else { "yuv420p" };
    folder.make(name, &format!("{MOVING},format={format},interlace=scan={first}:lowpass=0"), more)
}

#[test]
fn interlaced_frames_show_their_first_field() {
    if !ffmpeg_is_there() {
        return;
    }
    let folder = Folder::new();
    let truth = folder.make("truth.mp4", &format!("{MOVING},select=not(mod(n\\,2))"), X264);
    let truth = look(&truth, Deinterlace::Auto).0;
    let flagged = format!("{X264} -flags +ilme+ildct");
    let mpeg2 = "-c:v mpeg2video -q:v 2 -flags +ilme+ildct -fps_mode passthrough";
    for (name, first, more) in [
        ("top.mp4", "tff", format!("{flagged} -x264-params tff=1")),
        ("bottom.mp4", "bff", format!("{flagged} -x264-params bff=1")),
        ("top.ts", "tff", format!("{mpeg2} -top 1")),
        ("bottom.ts", "bff", format!("{mpeg2} -top 0")),
        ("ten.mov", "tff", "-c:v prores_ks -flags +ilme+ildct -top 1 -fps_mode passthrough".to_owned()),
        // Nothing says that these are interlaced.
        ("silent-top.mp4", "tff", format!("-vf setfield=prog {X264}")),
        ("silent-bottom.mkv", "bff", format!("-vf setfield=prog {X264}")),
        ("silent-ten.mkv", "tff", "-vf setfield=prog -c:v ffv1 -pix_fmt yuv422p10le -fps_mode passthrough".to_owned()),
        ("silent-packed.avi", "tff", "-vf setfield=prog -c:v rawvideo -pix_fmt yuyv422 -fps_mode passthrough".to_owned()),
        // And these say the wrong order.
        ("wrong-order.mp4", "bff", format!("-vf setfield=tff {flagged} -x264-params tff=1")),
    ] {
        let path = interlaced(&folder, name, first, &more);
        let (off, times) = look(&path, Deinterlace::Off);
        let (auto, same_times) = look(&path, Deinterlace::Auto);
        assert!(off.len() == auto.len() && off.len() >= 39 && times == same_times, "{name}: {} frames", auto.len());
        // The first frames of an unflagged video show what it is. Colours of two formats differ, too.
        let (combed, clean) = (error(&off, &truth, 6), error(&auto, &truth, 6));
        assert!(clean < 0.8 * combed, "{name}: {clean:.0} with, {combed:.0} without");
        // FFmpeg's own filter, which sees the frame after as well, is not much better.
        let theirs = folder.path("theirs.mkv");
        ffmpeg(&format!("-i {} -vf yadif=deint=all -c:v ffv1 -fps_mode passthrough", path.display()), &theirs);
        let yadif = error(&look(&theirs, Deinterlace::Off).0, &truth, 6);
        if !name.starts_with("wrong") {
            assert!(clean < 1.25 * yadif + 1.0, "{name}: {clean:.1}, yadif {yadif:.1}");
        }
    }
}

#[test]
fn progressive_frames_are_left_alone() {
    if !ffmpeg_is_there() {
        return;
    }
    let folder = Folder::new();
    let stripes = "nullsrc=s=352x288:r=25:d=1.6,geq=lum='if(mod(floor(Y+N*SPEED),2),235,16)':cb=128:cr=128";
    let stripes = |speed: &str| stripes.replace("SPEED", speed);
    let letters = "testsrc=s=352x288:r=25:d=1.6,crop=352:200:0:mod(n*3\\,80)";
    let noise = "nullsrc=s=352x288:r=25:d=1.6,geq=lum='random(1)*255':cb=128:cr=128";
    let lossless = "-c:v ffv1 -pix_fmt yuv420p";
    for (name, source, more) in [
        ("moving", MOVING.to_owned(), X264),
        ("stripes", stripes("0"), lossless),
        ("stripes that flip", stripes("1"), lossless),
        ("stripes that crawl", stripes("0.25"), lossless),
        ("stripes of two", stripes("0.5").replace("Y+", "Y/2+"), lossless),
        ("scrolling", letters.to_owned(), lossless),
        ("life", "life=s=352x288:r=25:mold=10:ratio=0.1,trim=duration=1.6".to_owned(), lossless),
        ("noise", noise.to_owned(), lossless),
        ("fractal", "mandelbrot=s=352x288:r=25,trim=duration=1.6".to_owned(), X264),
        ("fade", "testsrc2=s=352x288:r=25:d=1.6,fade=in:0:30".to_owned(), X264),
        ("still", "smptebars=s=352x288:r=25:d=1.6".to_owned(), X264),
        ("shaken", "testsrc2=s=400x320:r=25:d=1.6,crop=352:288:24*random(1):16*random(2)".to_owned(), X264),
        ("every second row", "testsrc2=s=352x144:r=25:d=1.6,scale=352:288:flags=neighbor".to_owned(), X264),
    ] {
        let path = folder.make(&format!("{name}.mkv").replace(' ', "-"), &source, more);
        assert!(look(&path, Deinterlace::Auto) == look(&path, Deinterlace::Off), "{name}");
    }
}

#[test]
fn what_is_only_said_to_be_interlaced_keeps_its_detail() {
    if !ffmpeg_is_there() {
        return;
    }
    let folder = Folder::new();
    let truth = look(&folder.make("truth.mp4", MOVING, X264), Deinterlace::Off).0;
    let said = folder.make("said.mp4", &format!("{MOVING},setfield=tff"), &format!("{X264} -flags +ilme+ildct -x264-params tff=1"));
    let (auto, on) = (look(&said, Deinterlace::Auto).0, look(&said, Deinterlace::On).0);
    // Noticed within half a second; before that, it costs detail only.
    let (noticed, before) = (error(&auto, &truth, 25), error(&on, &truth, 0));
    assert!(noticed < 10.0 && noticed * 4.0 < before && before < 500.0, "{noticed:.1}, {before:.1}");
    // Film on television: of five frames, two are woven from two pictures each.
    let film = "testsrc2=s=352x288:r=24:d=2,rotate=0.2*sin(3*t):c=gray,telecine=pattern=23,setfield=prog";
    let film = folder.make("film.mkv", film, &format!("{X264} -r 30000/1001"));
    let (auto, off) = (look(&film, Deinterlace::Auto), look(&film, Deinterlace::Off));
    assert!(auto.1 == off.1 && error(&auto.0, &off.0, 0) < 3000.0);
}
