//! A night in miniature: a camera breaks off, freezes, starts its clock anew and changes its size and rate, while the server of two
//! galleries is stopped, restarted and failed over. Nobody gets a wrong name, nobody is seen twice, nothing waits for longer than is said.
//!
//! Needs what `scripts/setup.sh --tests` installs. `FACEREC_STRESS_SECONDS` says for how long (default 40): an hour has 200 faults.
#![cfg(all(unix, feature = "cli", feature = "postgres"))]
#![allow(clippy::unwrap_used, clippy::print_stderr)] // what was measured is said aloud

mod camera_servers;
mod facerec_command;
mod gallery_vectors;
mod postgres_server;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use camera_servers::scene::{Appearance, FAULTS, Fault, Scene, resident_mib};
use camera_servers::somebody::Somebody;
use camera_servers::{ffmpeg, part, ten_seconds};
use facerec_core::gallery::{DecisionOptions, Gallery, GalleryOptions, NewFace};
use facerec_core::{CancelToken, Embed, VideoOptions, VideoSource};
use gallery_vectors::{embedding, model, near};
use postgres_server::PgServer;
use serde_json::Value;

/// Seconds after which the timetable begins again.
const ROUND: u32 = 36;

const TIMETABLE: [Appearance; 4] = [
    Appearance { who: "obama", from: 3, to: 11 },
    Appearance { who: "biden", from: 11, to: 18 },
    Appearance { who: "stranger", from: 20, to: 26 },
    Appearance { who: "biden", from: 26, to: 33 },
];

/// The limit that the command is given for the camera's silence.
const TIMEOUT: u64 = 3;

/// How far the times of the command and the timetable may be apart: a connection, a picture on its way, a busy machine.
const SLACK: f64 = 2.5;

/// Whoever is in view for so long is seen, and named.
const LONG_ENOUGH: f64 = 4.0;

/// How long one search may take: two addresses with their limits of connection and statement, tried again, on a busy machine.
const LONGEST_SEARCH: Duration = Duration::from_secs(30);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn command() -> Command {
    let mut command = facerec_command::command();
    command.current_dir(root()).env("FACEREC_MODELS", root().join(".facerec/models")).args(["--threads", "1"]).stdin(Stdio::null());
    command
}

/// Two servers, of which one follows the other.
struct Pair(PgServer, PgServer);

impl Pair {
    /// The address of a gallery on whichever server takes changes.
    fn address(&self, gallery: &str) -> String {
        let ports = [self.0.port, self.1.port].map(|port| format!("127.0.0.1:{port}")).join(",");
        format!("postgres://facerec@{ports}/postgres?gallery={gallery}&target_session_attrs=read-write&connect_timeout=1&timeout_s=2")
    }

    /// What happens to the servers the `number`th time.
    fn fails(&mut self, number: usize) {
        let (primary, standby) = (&mut self.0, &mut self.1);
        match number % 4 {
            0 => {
                primary.freeze(true);
                std::thread::sleep(Duration::from_secs(3));
                primary.freeze(false);
            }
            1 => {
                primary.stop();
                primary.run();
            }
            2 => {
                primary.kill();
                std::thread::sleep(Duration::from_secs(1));
                standby.promote();
                primary.follow(standby);
                std::mem::swap(primary, standby);
            }
            _ => {
                primary.murder();
                std::thread::sleep(Duration::from_secs(2));
                primary.run();
            }
        }
    }
}

/// What the command has printed, and what it took.
struct Watched {
    lines: Vec<Value>,
    code: i32,
    resident: Vec<f64>,
}

/// Even a test that fails ends the others' work.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_night_in_miniature() {
    let seconds: u64 = std::env::var("FACEREC_STRESS_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(40);
    let Some(primary) = PgServer::start() else { return };
    let standby = primary.standby();
    let mut servers = Pair(primary, standby);
    let folder = tempfile::tempdir().unwrap();
    let photos = root().join(".facerec/photos");
    assert!(photos.is_dir(), "scripts/setup.sh gets the photos");
    let photo = |name: &str| photos.join(name);
    let staff = servers.address("staff");
    for (name, file) in [("obama", "people/obama.jpg"), ("biden", "people/biden.jpg")] {
        let enrolled = facerec_command::Run::of(command().args(["enroll", "--gallery", &staff, "--person", name]).arg(photo(file)));
        assert_eq!(enrolled.code, 0, "{:?}", enrolled.lines);
    }
    let guests = Gallery::open(servers.address("guests"), &model(), GalleryOptions::default()).unwrap();
    for number in 0..50 {
        guests.add(&format!("guest {number}"), NewFace::new(&embedding(number))).unwrap();
    }
    let (obama, biden, stranger) = (photo("people/obama2.jpg"), photo("people/biden.jpg"), folder.path().join("stranger.png"));
    let group = photo("strangers/sample2.jpg");
    std::fs::write(&stranger, ffmpeg(&format!("-i {} -vf crop=560:600:170:0", group.display()), "stranger.png")).unwrap();
    let people = [("obama", &*obama), ("biden", &*biden), ("stranger", &*stranger)];
    let scene = Scene::new(folder.path(), &people, &TIMETABLE, ROUND);

    let timeout = TIMEOUT.to_string();
    let mut watching = command();
    watching.args(["video", "--gallery", &staff, &scene.address, "--reconnect", "--timeout", &timeout]);
    let mut watching = watching.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let over = AtomicBool::new(false);
    let every = Duration::from_secs_f64((seconds as f64 / 200.0).clamp(6.0, 18.0));
    let (watched, faults, searches) = std::thread::scope(|scope| {
        let ending = Ending(&over);
        let searching = scope.spawn(|| search(&guests, &over));
        let failing = scope.spawn(|| {
            let mut number = 0;
            while !over.load(Ordering::Relaxed) {
                std::thread::sleep(every);
                servers.fails(number);
                number += 1;
            }
            number
        });
        let (watched, faults) = watch(&mut watching, &scene, seconds, every);
        drop(ending);
        let server_faults = failing.join().unwrap();
        eprintln!("{} faults of the camera, {server_faults} of the servers", faults.len());
        (watched, faults, searching.join().unwrap())
    });
    eprintln!("{} searches, {} refused, the longest took {:?}", searches.0, searches.1, searches.2);
    assert!(searches.0 > seconds && searches.2 < LONGEST_SEARCH, "{searches:?}");
    assert_eq!(guests.search(&embedding(7), 1).unwrap()[0].name, "guest 7", "when the server is back");
    if seconds >= 600 {
        flat(&watched.resident);
    }
    judge(&watched, &faults);
}

#[test]
fn a_gallery_that_is_away_for_a_while_is_asked_again() {
    let Some(mut server) = PgServer::start() else { return };
    let somebody = Somebody::new();
    let address = format!("{}&connect_timeout=1", server.address("away").display());
    let gallery = Gallery::open(address, somebody.model_key(), GalleryOptions::default()).unwrap();
    gallery.add("ana", NewFace::new(&somebody.embedding())).unwrap();
    let clip = tempfile::NamedTempFile::with_suffix(".ts").unwrap();
    std::fs::write(clip.path(), part(ten_seconds(), 10.0, 0.0, 3.0)).unwrap();
    let run = |patience, cancel: &CancelToken| {
        let pipeline = Somebody::pipeline(|options| options.min_quality(0.0).gallery_patience(patience).cancel(cancel.clone()));
        let found: Vec<_> = pipeline.run(VideoSource::open(clip.path(), VideoOptions::default()).unwrap(), &gallery).unwrap().collect();
        (found.iter().flatten().map(|one| one.name() == Some("ana")).collect::<Vec<_>>(), found.into_iter().find_map(Result::err))
    };
    server.stop();
    let (named, error) = run(Duration::ZERO, &CancelToken::new());
    assert_eq!((named, error.unwrap().kind().code()), (vec![], "io"));
    let cancel = CancelToken::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_secs(3));
            cancel.cancel();
        });
        assert_eq!(run(Duration::MAX, &cancel).1.unwrap().kind().code(), "cancelled");
    });
    std::thread::scope(|scope| {
        // The gallery itself tries again for a shorter time.
        scope.spawn(|| {
            std::thread::sleep(Duration::from_secs(4));
            server.run();
        });
        let (named, error) = run(Duration::from_secs(60), &CancelToken::new());
        assert_eq!((named, error.map(|error| error.to_string())), (vec![true], None));
    });
}

/// Searches until it is `over`; how often, how often without an answer, and how long the longest took.
fn search(guests: &Gallery, over: &AtomicBool) -> (u64, u64, Duration) {
    let (mut count, mut refused, mut longest) = (0, 0, Duration::ZERO);
    while !over.load(Ordering::Relaxed) {
        let start = Instant::now();
        let found = guests.identify(&near(count % 60, 0.8, count), &DecisionOptions::new(0.6));
        longest = longest.max(start.elapsed());
        let known = (count % 60 < 50).then(|| format!("guest {}", count % 60));
        match found {
            Ok(decision) => assert_eq!(decision.name, known),
            Err(error) => {
                assert_eq!(error.kind().code(), "io", "{error}");
                refused += 1;
            }
        }
        count += 1;
        std::thread::sleep(Duration::from_millis(50));
    }
    (count, refused, longest)
}

/// Lets the camera fail now and then, and ends the command in order after so many seconds. Returns the times of the faults too.
fn watch(watching: &mut Child, scene: &Scene, seconds: u64, every: Duration) -> (Watched, Vec<(f64, Fault)>) {
    let output = BufReader::new(watching.stdout.take().unwrap());
    let reading =
        std::thread::spawn(move || output.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect::<Vec<Value>>());
    let (start, mut faults, mut resident) = (Instant::now(), Vec::new(), Vec::new());
    while scene.time().is_none() {
        assert!(start.elapsed() < Duration::from_secs(60) && watching.try_wait().unwrap().is_none(), "the command does not look");
        std::thread::sleep(Duration::from_millis(50));
    }
    let time = || scene.time().unwrap();
    while time() < Duration::from_secs(seconds) {
        std::thread::sleep(Duration::from_secs(1));
        resident.push(resident_mib(watching.id()));
        if time() > every * (faults.len() as u32 + 1) {
            let fault = FAULTS[faults.len() % FAULTS.len()];
            scene.fails(fault);
            faults.push((time().as_secs_f64(), fault));
        }
        if let Some(status) = watching.try_wait().unwrap() {
            let lines = reading.join().unwrap();
            panic!("the command ended at {:?}: {status}, {:?}", time(), lines.iter().find(|line| line["error"].is_object()));
        }
    }
    assert!(Command::new("kill").args(["-INT", &watching.id().to_string()]).status().unwrap().success());
    let code = watching.wait().unwrap().code().unwrap_or(-1);
    (Watched { lines: reading.join().unwrap(), code, resident }, faults)
}

/// Compares what the command has said with the timetable.
fn judge(watched: &Watched, faults: &[(f64, Fault)]) {
    let Watched { lines, code, .. } = watched;
    let summary = &lines.last().unwrap()["summary"];
    eprintln!("{summary}");
    assert_eq!(*code, 130, "{:?}", lines.iter().filter(|line| line["error"].is_object()).collect::<Vec<_>>());
    let end = summary["duration_ms"].as_f64().unwrap() / 1000.0;
    let mut seen: Vec<(f64, f64, Option<&str>)> = Vec::new();
    for line in lines.iter().filter(|line| line["spans_ms"].is_array() && line["provisional"] != true) {
        let times = |span: &Value| (span[0].as_f64().unwrap() / 1000.0, span[1].as_f64().unwrap() / 1000.0);
        seen.extend(line["spans_ms"].as_array().unwrap().iter().map(times).map(|(from, to)| (from, to, line["person"].as_str())));
    }
    seen.sort_by(|a, b| a.0.total_cmp(&b.0));
    for pair in seen.windows(2) {
        assert!(pair[0].1 <= pair[1].0, "one is in view at a time: {pair:?}");
    }
    let appearances = || {
        (0..)
            .map(|round| round * ROUND)
            .flat_map(|zero| TIMETABLE.map(|one| (one.who, f64::from(zero + one.from), f64::from(zero + one.to))))
    };
    let appearances = || appearances().take_while(|one| one.1 < end);
    for (from, to, who) in &seen {
        let Some(who) = who else { continue };
        let fits = appearances().any(|(name, first, last)| name == *who && first - SLACK <= *from && *to <= last + SLACK);
        assert!(fits, "a wrong name: {who} from {from} to {to}");
    }
    // Whoever is in view for long enough without a fault is seen, and named.
    let (mut due, mut named) = (0, 0);
    for (who, from, to) in appearances().filter(|(_, _, to)| *to < end) {
        if undisturbed(from, to, faults) < LONG_ENOUGH {
            continue;
        }
        let names: Vec<_> = seen.iter().filter(|one| one.0 < to - SLACK && one.1 > from + SLACK).map(|one| one.2).collect();
        let right = Some(who).filter(|who| *who != "stranger");
        due += 1;
        named += usize::from(names.contains(&right));
    }
    eprintln!("{} times seen, {named} of {due} appearances as they should be", seen.len());
    assert!(named == due && due > 0, "{named} of {due}: {seen:?}");
    // Told late by the limit, and tried again after pauses of at most as long as it was away.
    for absence in summary["absences_ms"].as_array().unwrap() {
        let (from, to) = (absence[0].as_f64().unwrap(), absence[1].as_f64().unwrap_or(end * 1000.0));
        assert!(to - from < (TIMEOUT as f64 * 2.0 + 4.0) * 1000.0, "{absence}");
    }
    assert!(!summary["absences_ms"].as_array().unwrap().is_empty(), "the camera was away");
}

/// The longest time between two moments in which nothing happened to the camera, in seconds.
fn undisturbed(from: f64, to: f64, faults: &[(f64, Fault)]) -> f64 {
    let (mut since, mut longest) = (from, 0.0_f64);
    for (time, fault) in faults {
        let back = match fault {
            Fault::Drops => 3.0,
            Fault::Freezes => TIMEOUT as f64 + 3.0,
            Fault::Clock | Fault::Size | Fault::Rate => 1.0,
        };
        longest = longest.max(time.min(to) - since);
        since = since.max(time + back);
    }
    longest.max(to - since)
}

/// Memory: the median of the second fifth and that of the last.
fn flat(resident: &[f64]) {
    let median = |fifth: usize| {
        let mut part = resident[resident.len() * fifth / 5..resident.len() * (fifth + 1) / 5].to_vec();
        part.sort_by(f64::total_cmp);
        part[part.len() / 2]
    };
    let (early, late) = (median(1), median(4));
    eprintln!("memory: {early:.0} MiB in the second fifth, {late:.0} MiB in the last");
    assert!(late < early * 1.05, "memory grows from {early:.0} to {late:.0} MiB");
}
