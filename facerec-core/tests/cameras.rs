//! Cameras that freeze, break off, come back, jump in time, send in bursts and have passwords: through the library and the command.
//! The servers are the tests' own, on 127.0.0.1. Needs the command `ffmpeg`, and what `scripts/setup.sh` installs.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, missing_docs)]

mod camera_servers;
mod facerec_command;

use std::io::Write;
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use camera_servers::http::{head, hls, mjpeg, serve_http};
use camera_servers::rtsp::{After, camera, locked};
use camera_servers::somebody::Somebody;
use camera_servers::{closed_port, freeze, part, plain, send_evenly, serve, ten_seconds, transport};
use facerec_command::{Run, command, facerec};
use facerec_core::{Error, FrameSource, KnownPeople, LiveOptions, LiveSource, Reception};

/// A stall of a busy machine, beyond which a time limit is not kept.
const BUSY: Duration = Duration::from_secs(3);

fn limit(seconds: u64) -> LiveOptions {
    LiveOptions::default().timeout(Duration::from_secs(seconds))
}

/// What a source gave.
struct Received {
    indices: Vec<u64>,
    times: Vec<f64>,
    end: Option<Error>,
    /// From the first frame to the last, and from there to the end.
    wall: (Duration, Duration),
    reception: Reception,
}

impl Received {
    fn code(&self) -> &str {
        self.end.as_ref().map_or("none", |error| error.kind().code())
    }

    /// The time of the last frame.
    fn last(&self) -> f64 {
        *self.times.last().unwrap()
    }
}

/// Takes all frames, each of which takes some time.
fn receive(address: &str, options: LiveOptions, each: Duration) -> Received {
    let mut source = LiveSource::open_with(address, options).unwrap_or_else(|error| panic!("{address}: {error}"));
    let (mut indices, mut times, mut first, mut last) = (Vec::new(), Vec::new(), None, Instant::now());
    let end = loop {
        match source.next_frame() {
            Ok(Some(frame)) => {
                indices.push(frame.index());
                times.push(frame.time().as_secs_f64());
                last = Instant::now();
                first.get_or_insert(last);
                std::thread::sleep(each);
            }
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    assert!(source.next_frame().unwrap().is_none(), "the end stays the end");
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{address}: times go back: {times:?}");
    let wall = (last - first.unwrap_or(last), last.elapsed());
    Received { indices, times, end, wall, reception: source.reception() }
}

/// A sender over TCP, of the first two seconds.
fn two_seconds(stream: &mut TcpStream) {
    let _ = send_evenly(stream, part(ten_seconds(), 10.0, 0.0, 2.0), 1.5);
}

#[test]
fn a_camera_that_is_lost_is_an_error_however_it_is_lost() {
    ten_seconds();
    let unsized_http = serve_http(|mut stream, _| {
        head(&mut stream, "video/mp2t", None);
        two_seconds(&mut stream);
    });
    let cut_http = serve_http(|mut stream, _| {
        head(&mut stream, "video/mp2t", Some(ten_seconds().len()));
        two_seconds(&mut stream);
    });
    let tcp_ends = serve(|mut stream, _| two_seconds(&mut stream));
    let tcp_freezes = serve(|mut stream, _| {
        two_seconds(&mut stream);
        freeze(stream);
    });
    let cases = [
        ("HTTP without a length", format!("{unsized_http}/live")),
        ("HTTP with a length", format!("{cut_http}/live")),
        ("TCP that ends", format!("tcp://{tcp_ends}")),
        ("TCP that freezes", format!("tcp://{tcp_freezes}")),
        ("MJPEG", mjpeg(|number| (number < 30).then_some(number as f64 * 0.05))),
        ("RTSP that ends", camera(0, 50, After::Ends)),
        ("RTSP that freezes", camera(0, 50, After::Freezes)),
        ("HLS", hls(8, 2, 2..u64::MAX)),
    ];
    std::thread::scope(|scope| {
        for (name, address) in &cases {
            scope.spawn(move || {
                let got = receive(address, limit(4), Duration::ZERO);
                assert_eq!(got.code(), "source_lost", "{name}");
                assert!(got.times.len() >= 20, "{name}: {} frames", got.times.len());
                // The playlist of a server that is gone is asked for again, for a while.
                let most = Duration::from_secs(if *name == "HLS" { 12 } else { 4 });
                assert!(got.wall.1 < most + BUSY, "{name}: noticed after {:?}", got.wall.1);
                let text = got.end.unwrap().to_string();
                assert_eq!(text.contains("no frame came within 4s"), name.ends_with("freezes"), "{name}: {text}");
                assert!(text.contains("reconnect") && text.contains("is lost"), "{name}: {text}");
            });
        }
    });
}

#[test]
fn what_says_its_end_ends_in_order() {
    let whole = serve_http(|mut stream, _| {
        head(&mut stream, "video/mp2t", Some(ten_seconds().len()));
        let _ = stream.write_all(ten_seconds());
    });
    let file = tempfile::NamedTempFile::with_suffix(".ts").unwrap();
    std::fs::write(file.path(), ten_seconds()).unwrap();
    for (address, frames) in [
        (format!("{whole}/clip.ts"), 250),
        (format!("file://{}", file.path().display()), 250),
        (hls(4, 3, 0..0), 100),
        (hls(4, 4, 0..0), 100),
    ] {
        let got = receive(&address, limit(8), Duration::ZERO);
        assert_eq!((got.code(), got.times.len(), got.reception.left_out()), ("none", frames, 0), "{address}: {:?}", got.end);
        assert!((got.last() - (frames as f64 - 1.0) / 25.0).abs() < 0.2, "{address}: {}", got.last());
    }
}

#[test]
fn bursts_are_looked_at_and_whoever_is_too_slow_gets_the_newest() {
    let burst = serve_http(|mut stream, _| {
        head(&mut stream, "video/mp2t", None);
        let _ = stream.write_all(ten_seconds());
    });
    ten_seconds();
    // Faster than they come, and slower than they come at first. HLS is joined three segments before its end.
    for (address, frames) in [(format!("{burst}/live"), 250), (hls(8, 3, 0..0), 200), (camera(100, 150, After::Ends), 150)] {
        let got = receive(&address, limit(8), Duration::from_millis(10));
        // The last of a stream that is cut off may be lost within the decoder's reach.
        assert!((frames - 1..=frames).contains(&got.times.len()), "{address}: {} frames", got.times.len());
        assert_eq!((got.reception.left_out(), got.reception.clock_jumps), (0, 0), "{address}");
    }
    let got = receive(&format!("{burst}/live"), limit(8).backlog(Duration::ZERO), Duration::from_millis(20));
    let (taken, lost) = (got.times.len() as u64, got.reception.too_slow);
    assert!(lost > 100 && (249..=250).contains(&(taken + lost)), "{taken} taken, {lost} left out");
    assert!(got.last() > 9.0, "the newest is the last: {}", got.last());
    assert!(got.indices.windows(2).any(|pair| pair[1] > pair[0] + 1), "numbers count what is left out");
}

#[test]
fn times_follow_the_world_where_the_cameras_clock_does_not() {
    // It starts anew after three seconds, and jumps by more than an hour after six.
    let clips: Vec<Vec<u8>> = [100.0, 0.0, 5000.0].iter().map(|&start| transport(3, start)).collect();
    let jumping = serve(move |mut stream, _| clips.iter().for_each(|clip| drop(send_evenly(&mut stream, clip, 3.0))));
    // MPEG's counter of 33 bits is full after one second.
    let clip = transport(4, f64::from(1_u32 << 31) * 4.0 / 90_000.0 - 1.0);
    let wrapping = serve(move |mut stream, _| drop(send_evenly(&mut stream, &clip, 4.0)));
    // Five pictures a second, which FFmpeg takes for 25.
    let slow = mjpeg(|number| (number < 30).then_some(number as f64 * 0.2));
    for (name, address, seconds, jumps) in
        [("jumping", format!("tcp://{jumping}"), 9.0, 2), ("wrapping", format!("tcp://{wrapping}"), 4.0, 0), ("MJPEG", slow, 5.8, 0)]
    {
        let got = receive(&address, limit(8), Duration::ZERO);
        assert_eq!(got.reception.clock_jumps, jumps, "{name}: {:?}", got.times);
        // Behind the first frame, a busy machine may be late as a whole.
        assert!((got.last() - seconds).abs() < 1.5 || (got.last() - got.wall.0.as_secs_f64()).abs() < 1.0, "{name}: {}", got.last());
        let widest = got.times.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
        assert!(widest < 2.0, "{name}: {widest} s between two frames");
    }
    let forever = mjpeg(|number| Some(number as f64 * 0.25));
    let run = facerec(["video", &forever, "--end", "2"]);
    assert_eq!(run.code, 0, "{:?} {}", run.lines, run.stderr);
    let summary = run.summary();
    assert!((1_000..=2_000).contains(&summary["duration_ms"].as_u64().unwrap()), "{summary}");
    assert!((5..=9).contains(&summary["frames"].as_u64().unwrap()), "four a second: {summary}");
}

/// Gives two seconds to its first and third connection, and ends all others at once.
fn flickering() -> String {
    ten_seconds();
    let place = serve(|mut stream, number| {
        if number == 0 || number == 2 {
            two_seconds(&mut stream);
        }
    });
    format!("tcp://{place}")
}

#[test]
fn a_camera_that_comes_back_goes_on_with_the_same_people() {
    let got = receive(&flickering(), limit(5).reconnect(Duration::from_secs(4)), Duration::ZERO);
    assert_eq!(got.code(), "source_lost");
    let text = got.end.as_ref().unwrap().to_string();
    assert!(text.contains("did not come back within 4s"), "{text}");
    assert!(got.times.len() >= 90, "{} frames", got.times.len());
    assert!(got.indices.iter().zip(0..).all(|(index, number)| *index == number), "{:?}", got.indices);
    let absences = &got.reception.absences;
    assert_eq!((absences.len(), got.reception.clock_jumps), (2, 0), "{absences:?}");
    let away = absences[0].to.unwrap() - absences[0].from;
    // Pauses of 0.5 and 1 s, less what the stream was ahead of the world.
    assert!((Duration::from_millis(500)..Duration::from_secs(8)).contains(&away), "{away:?}");
    assert_eq!((absences[1].from.as_secs_f64(), absences[1].to), (got.last(), None));

    let source = LiveSource::open_with(&flickering(), limit(5).reconnect(Duration::from_secs(3))).unwrap();
    let mut sightings = Somebody::pipeline(|options| options).run(source, KnownPeople::Nobody).unwrap();
    let (found, failed): (Vec<_>, Vec<_>) = sightings.by_ref().partition(Result::is_ok);
    assert_eq!((found.len(), failed.len(), sightings.summary().reception.absences.len()), (1, 1, 2), "{found:?}");
    let somebody = found.into_iter().next().unwrap().unwrap();
    assert!(somebody.end > sightings.summary().reception.absences[0].to.unwrap(), "before and after: {somebody:?}");
}

#[test]
fn what_a_playlist_shows_again_is_not_seen_again() {
    // It is joined at its first part, each time.
    let options = limit(8).reconnect(Duration::from_secs(30)).option("live_start_index", "0");
    let got = receive(&hls(14, 3, 4..9), options, Duration::ZERO);
    assert_eq!((got.code(), got.times.len(), got.reception.absences.len()), ("none", 14 * 25, 1), "{:?} {:?}", got.end, got.reception);
}

#[test]
fn whoever_waits_for_a_camera_can_stop() {
    let (place, asked) = (flickering(), Arc::new(AtomicBool::new(false)));
    let flag = Arc::clone(&asked);
    let options = limit(5).reconnect(Duration::MAX).stopped(move || flag.load(Ordering::Relaxed));
    let mut source = LiveSource::open_with(&place, options).unwrap();
    let stopping = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(9)); // both connections are over
        asked.store(true, Ordering::Relaxed);
        Instant::now()
    });
    let mut frames = 0;
    while source.next_frame().unwrap().is_some() {
        frames += 1;
    }
    let ended = Instant::now();
    assert!(frames >= 90 && source.reception().absences.len() == 2, "{frames}, {:?}", source.reception());
    assert!(ended.saturating_duration_since(stopping.join().unwrap()) < BUSY, "it waits no longer");
    // While the first connection is made, too.
    let silent = serve(|stream, _| freeze(stream));
    let stopped = LiveSource::open_with(&format!("http://{silent}/live"), limit(60).stopped(|| true));
    assert_eq!(stopped.err().unwrap().kind().code(), "cancelled");
}

#[test]
fn the_command_gives_what_it_saw_and_says_that_the_camera_is_lost() {
    ten_seconds();
    let lost = serve_http(|mut stream, _| {
        head(&mut stream, "video/mp2t", None);
        two_seconds(&mut stream);
    });
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    let run = facerec(["video", &format!("{lost}/live"), "--report", page.to_str().unwrap()]);
    assert_eq!(run.failed(), (1, "source_lost"), "{:?}", run.lines);
    assert!(run.summary()["frames"].as_u64().unwrap() >= 40, "{}", run.summary());
    assert!(page.is_file(), "and the report is written");
    for key in ["lost_frames", "clock_jumps"] {
        assert_eq!(run.summary()[key], 0, "{key}");
    }
    assert_eq!(run.summary()["left_out"], serde_json::json!({"too_slow": 0, "undecodable": 0}));
    let (code, out, _) = plain(folder.path(), &["video", &format!("{lost}/live")]);
    assert!(code == 1 && out.contains("is lost") && out.contains("frames, "), "{out}");

    // Back in time: no error, and the time away is told. The option may stand before the address.
    let address = flickering();
    let run = facerec(["video", "--reconnect", &address, "--end", "3"]);
    assert_eq!((run.code, run.summary()["absences_ms"].as_array().unwrap().len()), (0, 1), "{:?}", run.lines);
    assert!(run.summary()["absences_ms"][0][1].as_u64() > run.summary()["absences_ms"][0][0].as_u64());
    assert!(run.stderr.contains("was away from"), "{}", run.stderr);
    let (code, out, _) = plain(folder.path(), &["video", &flickering(), "--reconnect", "2"]);
    assert!(code == 1 && out.contains("did not come back within 2s") && out.contains("to the end"), "{out}");
    for wrong in [["--reconnect=soon", "--timeout=1"], ["--timeout=0", "--backlog=1"], ["--backlog=-1", "--timeout=1"]] {
        assert_eq!(facerec(["video", &address].into_iter().chain(wrong)).code, 2, "{wrong:?}");
    }
}

#[test]
fn messages_say_what_is_wrong_and_what_to_do() {
    let silent = serve(|stream, _| freeze(stream));
    let sound = camera_servers::ffmpeg("-f lavfi -i sine=d=8 -c:a mp2", "sound.ts");
    let sounding = serve(move |mut stream, _| {
        let _ = send_evenly(&mut stream, &sound, 8.0);
    });
    let nonsense = serve_http(|mut stream, _| {
        head(&mut stream, "text/html", Some(200_000));
        let _ = stream.write_all(&[b'x'; 200_000]);
    });
    let closed = closed_port();
    let cases = [
        (format!("rtsp://{silent}/main"), vec!["did not answer within 2s", "--timeout"]),
        (format!("http://{silent}/main"), vec!["did not answer within 2s", "--timeout"]),
        (format!("tcp://{sounding}"), vec!["no picture came within 2s", "sound", "--timeout"]),
        ("rtsp://no-such-host.invalid/main".into(), vec!["no address is known", "no-such-host.invalid"]),
        ("http://no-such-host.invalid/main".into(), vec!["no address is known", "no-such-host.invalid"]),
        (format!("rtsp://127.0.0.1:{closed}/main"), vec!["nothing listens on port", &"port"]),
        (format!("http://127.0.0.1:{closed}/main"), vec!["nothing listens on port"]),
        (format!("{nonsense}/page"), vec!["nothing that is a video"]),
        (format!("rtsp://cam:x@{}", locked()), vec!["401"]),
    ];
    std::thread::scope(|scope| {
        for (address, words) in &cases {
            scope.spawn(move || {
                let start = Instant::now();
                let error = LiveSource::open_with(address, limit(2)).expect_err(address);
                let text = error.to_string();
                assert!(words.iter().all(|word| text.contains(word)), "{address}: {text}");
                assert!(start.elapsed() < Duration::from_secs(2) + BUSY, "{address}: after {:?}", start.elapsed());
            });
        }
    });
    let run = facerec(["video", &cases[0].0, "--timeout", "1"]);
    assert_eq!(run.failed(), (1, "decode_video"));
    assert!(run.lines[0]["error"]["message"].as_str().unwrap().contains("within 1s"), "{:?}", run.lines);
}

#[test]
fn no_secret_of_an_address_is_shown_anywhere() {
    const SECRET: &str = "SecretPw";
    let folder = tempfile::tempdir().unwrap();
    let with_password = |address: &str| address.replacen("://", &format!("://cam:{SECRET}@"), 1);
    let query = format!("?user=cam&password={SECRET}&token={SECRET}&Signature={SECRET}");
    let lost = camera(0, 40, After::Ends);
    let addresses = [
        with_password(&lost),
        format!("{lost}{query}"),
        format!("{}{query}", mjpeg(|number| (number < 10).then_some(number as f64 * 0.05))),
        format!("rtsp://cam:{SECRET}@{}", locked()),
        format!("rtsp://cam:{SECRET}@127.0.0.1:{}/main", closed_port()),
        format!("rtsp://cam:{SECRET}@no-such-host.invalid/main"),
        format!("rtsp://cam:{SECRET}/@?@no-such-host.invalid/main"),
        // Taken for a file, and for nothing at all.
        format!("rtsp:/cam:{SECRET}@127.0.0.1/main"),
        format!("nonsense://cam:{SECRET}@127.0.0.1/main"),
    ];
    let shows = &|address: &str, number: usize| {
        let page = format!("page-{number}.html");
        for mode in [vec!["--json"], vec![], vec!["-vvv"], vec!["--json", "-vvv"]] {
            let video = ["video", address, "--report", &page, "--thumbs", "thumbs", "--timeout", "3"];
            let (code, out, err) = plain(folder.path(), &[mode.as_slice(), &video].concat());
            assert!(!out.contains(SECRET) && !err.contains(SECRET), "{mode:?} {address}: {out}\n{err}");
            assert_eq!(code, 1, "{address}: {out}\n{err}");
            assert!(out.contains("127.0.0.1") || out.contains("no-such-host"), "the rest is shown: {out}");
        }
        // Refused by the command line itself.
        let (code, out, err) = plain(folder.path(), &["video", "a.mp4", address]);
        assert!(code == 2 && !out.contains(SECRET) && !err.contains(SECRET), "{address}: {out}\n{err}");
    };
    std::thread::scope(|scope| {
        for (number, address) in addresses.iter().enumerate() {
            scope.spawn(move || shows(address, number));
        }
    });
    // What is said while it is tried again.
    let back = format!("tcp://cam:{SECRET}@{}", flickering().trim_start_matches("tcp://"));
    let (code, out, err) = plain(folder.path(), &["video", &back, "--reconnect", "1"]);
    assert!(code == 1 && err.contains("trying again") && !format!("{out}{err}").contains(SECRET), "{out}\n{err}");
    let names = Command::new("find").arg(folder.path()).output().unwrap().stdout;
    let page = std::fs::read(folder.path().join("page-0.html")).unwrap();
    for (what, text) in [("the names of files", names), ("the report", page)] {
        assert!(!String::from_utf8_lossy(&text).contains(SECRET), "{what}");
    }
    let error = LiveSource::open_with(&addresses[3], limit(3)).unwrap_err();
    assert!(!format!("{error} {error:?}").contains(SECRET), "{error:?}");
}

#[test]
fn ctrl_c_ends_a_camera_in_order() {
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let address = mjpeg(move |number| {
        count.store(number, Ordering::Relaxed);
        Some(number as f64 * 0.05)
    });
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    let mut running = command();
    running
        .args(["video", &address, "--report", page.to_str().unwrap()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let running = running.spawn().unwrap();
    while sent.load(Ordering::Relaxed) < 60 {
        std::thread::sleep(Duration::from_millis(50));
    }
    let start = Instant::now();
    assert!(Command::new("kill").args(["-INT", &running.id().to_string()]).status().unwrap().success());
    let run = Run::from(running.wait_with_output().unwrap());
    assert_eq!(run.code, 130, "{:?} {}", run.lines, run.stderr);
    assert!(start.elapsed() < Duration::from_secs(5) + BUSY, "after {:?}", start.elapsed());
    assert!(run.summary()["frames"].as_u64().unwrap() > 10 && page.is_file(), "{}", run.summary());
    assert!(run.lines.iter().all(|line| line["error"].is_null()), "{:?}", run.lines);
}
