//! A camera in front of which people come and go by a timetable, and which fails when it is told to.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{freeze, serve};

/// Who is in view from when to when, in seconds of each round. Nobody is between them.
pub(crate) struct Appearance {
    pub(crate) who: &'static str,
    pub(crate) from: u32,
    pub(crate) to: u32,
}

/// What happens to the camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Its connection breaks off.
    Drops,
    /// It sends nothing any more.
    Freezes,
    /// Its clock starts anew, elsewhere.
    Clock,
    /// Its pictures have another size.
    Size,
    /// It sends so many frames a second more or less.
    Rate,
}

pub(crate) const FAULTS: [Fault; 5] = [Fault::Drops, Fault::Freezes, Fault::Clock, Fault::Size, Fault::Rate];

const SIZES: [&str; 3] = ["640x480", "480x360", "800x600"];
const RATES: [u32; 3] = [25, 12, 20];

/// A running camera.
pub(crate) struct Scene {
    pub(crate) address: String,
    state: Arc<Mutex<State>>,
}

struct State {
    began: Option<Instant>,
    fault: Option<Fault>,
    /// How often each fault has happened.
    counts: [usize; 5],
}

impl Scene {
    /// Shows `people` (a name and a photo) by the timetable, which is repeated after `round` seconds. Writes its film into `folder`.
    pub(crate) fn new(folder: &Path, people: &[(&str, &Path)], timetable: &[Appearance], round: u32) -> Self {
        let film = film(folder, people, timetable, round);
        let state = Arc::new(Mutex::new(State { began: None, fault: None, counts: [0; 5] }));
        let shared = Arc::clone(&state);
        let place = serve(move |mut stream, _| send(&mut stream, &film, round, &shared));
        Self { address: format!("tcp://{place}"), state }
    }

    pub(crate) fn fails(&self, fault: Fault) {
        self.state.lock().unwrap().fault = Some(fault);
    }

    /// How long ago the timetable began: when the first client came.
    pub(crate) fn time(&self) -> Option<Duration> {
        self.state.lock().unwrap().began.map(|began| began.elapsed())
    }
}

/// One round of the timetable as a file.
fn film(folder: &Path, people: &[(&str, &Path)], timetable: &[Appearance], round: u32) -> String {
    let mut command = Command::new("ffmpeg");
    command.args(["-y", "-v", "error", "-f", "lavfi", "-i", &format!("color=gray:s=640x480:r=25:d={round}")]);
    let mut graph = String::from("[0]null[scene0]");
    for (number, Appearance { who, from, to }) in timetable.iter().enumerate() {
        let photo = people.iter().find(|(name, _)| name == who).unwrap().1;
        command.args(["-loop", "1", "-t", "1", "-i"]).arg(photo);
        let (input, next) = (number + 1, number + 1);
        graph.push_str(&format!(
            ";[{input}]scale=640:480:force_original_aspect_ratio=decrease,pad=640:480:-1:-1[p{input}];\
             [scene{number}][p{input}]overlay=enable='between(t,{from},{to}-0.001)':eof_action=repeat[scene{next}]"
        ));
    }
    let path = folder.join("film.mp4");
    command.args(["-filter_complex", &graph, "-map", &format!("[scene{}]", timetable.len())]);
    let made = command.args(["-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-pix_fmt", "yuv420p"]).arg(&path).status();
    assert!(made.expect("the tests of cameras need the command `ffmpeg`").success());
    path.to_string_lossy().into_owned()
}

/// One connection, to its end.
fn send(stream: &mut TcpStream, film: &str, round: u32, state: &Mutex<State>) {
    let began = *state.lock().unwrap().began.get_or_insert_with(Instant::now);
    loop {
        let (mut encoder, mut pictures) = encoder(film, began.elapsed().as_secs_f64(), round, &state.lock().unwrap().counts);
        let end = relay(&mut pictures, stream, state);
        encoder.kill().unwrap();
        encoder.wait().unwrap();
        match end {
            End::ClientGone | End::Fault(Fault::Drops) => return,
            End::Fault(Fault::Freezes) => return freeze(stream.try_clone().unwrap()),
            End::FilmOver | End::Fault(Fault::Clock | Fault::Size | Fault::Rate) => {}
        }
    }
}

/// The film from where the timetable is after `time` seconds, as fast as it is shown. FFmpeg's own loop shows a frame of long ago at
/// its joint: whoever needs another round starts again.
fn encoder(film: &str, time: f64, round: u32, counts: &[usize; 5]) -> (Child, ChildStdout) {
    let [_, _, clock, size, rate] = counts;
    let (size, rate) = (SIZES[size % 3].replace('x', ":"), RATES[rate % 3]);
    let (at, stamp) = (time % f64::from(round), (clock * 7919 % 50_000) as f64 + time);
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "quiet", "-re", "-ss", &at.to_string(), "-i", film, "-an"]);
    command.args(["-vf", &format!("fps={rate},scale={size}"), "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency"]);
    command.args(["-g", "10", "-threads", "1", "-muxdelay", "0", "-output_ts_offset", &stamp.to_string(), "-f", "mpegts", "-"]);
    let mut encoder = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let pictures = encoder.stdout.take().unwrap();
    (encoder, pictures)
}

enum End {
    Fault(Fault),
    FilmOver,
    ClientGone,
}

/// Hands on what comes until something happens.
fn relay(from: &mut impl Read, to: &mut TcpStream, state: &Mutex<State>) -> End {
    let mut buffer = [0; 188 * 64];
    loop {
        let Some(count) = from.read(&mut buffer).ok().filter(|&count| count > 0) else { return End::FilmOver };
        if to.write_all(&buffer[..count]).is_err() {
            return End::ClientGone;
        }
        let mut state = state.lock().unwrap();
        if let Some(fault) = state.fault.take() {
            state.counts[FAULTS.iter().position(|one| *one == fault).unwrap()] += 1;
            return End::Fault(fault);
        }
    }
}

/// Resident memory of a process, in MiB.
pub(crate) fn resident_mib(process: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(0.0) / 1024.0
}
