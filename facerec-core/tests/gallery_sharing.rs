//! One writer, many readers: across processes and across threads.
#![allow(clippy::print_stderr)] // what was skipped and what was measured is said aloud
#![allow(clippy::unwrap_used)]

mod gallery_vectors;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use facerec_core::gallery::{DecisionOptions, Gallery, GalleryOptions, NewFace};
use gallery_vectors::{embedding, model};

const WRITER: &str = "FACEREC_TEST_WRITER";

fn reader(folder: &Path) -> Gallery {
    Gallery::open(folder, &model(), GalleryOptions::default().read_only(true)).unwrap()
}

fn writer(folder: &Path) -> Gallery {
    Gallery::open(folder, &model(), GalleryOptions::default()).unwrap()
}

/// Another process that has the gallery open for writing and does as it is told, line by line.
struct OtherProcess {
    child: Child,
    answers: BufReader<std::process::ChildStderr>,
}

impl OtherProcess {
    fn start(folder: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "readers_see_what_another_process_writes_and_writers_wait", "--nocapture"])
            .env(WRITER, folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let answers = BufReader::new(child.stderr.take().unwrap());
        let mut other = Self { child, answers };
        other.wait_for("ready");
        other
    }

    fn tell(&mut self, order: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{order}").unwrap();
        self.wait_for("done");
    }

    fn wait_for(&mut self, answer: &str) {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), answer);
    }

    fn end(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

fn obey(folder: &Path) {
    let gallery = writer(folder);
    eprintln!("ready");
    for order in std::io::stdin().lines() {
        let order = order.unwrap();
        let (verb, rest) = order.split_once(' ').unwrap();
        match verb {
            "add" => {
                let (name, number) = rest.split_once(' ').unwrap();
                gallery.add(name, NewFace::new(&embedding(number.parse().unwrap()))).unwrap();
            }
            "remove" => drop(gallery.remove_person(rest).unwrap()),
            "rename" => {
                let (name, to) = rest.split_once(' ').unwrap();
                gallery.rename(name, to).unwrap();
            }
            _ => unreachable!("{order}"),
        }
        eprintln!("done");
    }
}

#[test]
fn readers_see_what_another_process_writes_and_writers_wait() {
    if let Some(folder) = std::env::var_os(WRITER) {
        return obey(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let mut other = OtherProcess::start(folder.path());
    let reader = reader(folder.path());
    let who = |number| reader.identify(&embedding(number), &DecisionOptions::new(0.5)).unwrap().name;
    assert_eq!(who(1), None);
    other.tell("add ana 1");
    assert_eq!(who(1).as_deref(), Some("ana"));
    other.tell("add ben 2");
    other.tell("add ana 3");
    assert_eq!((who(2).as_deref(), who(3).as_deref()), (Some("ben"), Some("ana")));
    other.tell("rename ana anna");
    assert_eq!(who(3).as_deref(), Some("anna"));
    other.tell("remove anna");
    other.tell("add cai 4");
    assert_eq!((who(1), who(3), who(4).as_deref()), (None, None, Some("cai")));
    assert_eq!(reader.persons().unwrap().len(), 2);
    assert_eq!(reader.verify().unwrap().problems, Vec::<String>::new());

    let impatient = GalleryOptions::default().wait(Duration::ZERO);
    let refused = Gallery::open(folder.path(), &model(), impatient).unwrap_err();
    assert_eq!(refused.kind().code(), "gallery_locked");
    assert!(refused.to_string().contains(&format!("process {}", other.child.id())), "{refused}");
    // Who waits sees what the other one wrote last, and a reader is kept from nothing meanwhile.
    let taken_over = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| writer(folder.path()));
        std::thread::sleep(Duration::from_millis(80));
        assert!(!waiting.is_finished(), "two writers at once");
        assert_eq!(who(4).as_deref(), Some("cai"));
        other.tell("add cai 6");
        other.end();
        waiting.join().unwrap()
    });
    assert_eq!(taken_over.identify(&embedding(6), &DecisionOptions::new(0.5)).unwrap().name.as_deref(), Some("cai"));
    taken_over.add("dora", NewFace::new(&embedding(5))).unwrap();
    assert_eq!(who(5).as_deref(), Some("dora"));
}

#[test]
fn eight_threads_search_while_one_writes() {
    let folder = tempfile::tempdir().unwrap();
    let gallery = writer(folder.path());
    for number in 0..64 {
        gallery.add(&format!("person {number}"), NewFace::new(&embedding(number))).unwrap();
    }
    let reader = reader(folder.path());
    let (writing, searches) = (AtomicBool::new(true), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let gallery = if thread % 2 == 0 { &gallery } else { &reader };
            let (writing, searches) = (&writing, &searches);
            scope.spawn(move || {
                while writing.load(Ordering::Acquire) {
                    for number in 0..32 {
                        // The first half stays throughout: it must be found at any moment.
                        let best = &gallery.search(&embedding(number), 3).unwrap()[0];
                        assert_eq!(best.name, format!("person {number}"));
                        assert!(best.similarity > 0.999_999);
                        searches.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        for number in 64..128 {
            gallery.add(&format!("person {number}"), NewFace::new(&embedding(number))).unwrap();
            gallery.remove_person(&format!("person {}", number - 32)).unwrap();
        }
        writing.store(false, Ordering::Release);
    });
    assert!(searches.load(Ordering::Relaxed) > 256);
    assert_eq!(gallery.stats().unwrap().faces, 64);
    for gallery in [&gallery, &reader] {
        let names = gallery.search(&embedding(127), 64).unwrap();
        assert_eq!(names.len(), 64);
        assert_eq!(gallery.verify().unwrap().problems, Vec::<String>::new());
    }
}

/// A writer that waits for so many milliseconds.
fn patient(folder: &Path, ms: u64) -> facerec_core::Result<Gallery> {
    Gallery::open(folder, &model(), GalleryOptions::default().wait(Duration::from_millis(ms)))
}

#[test]
fn a_writer_waits_as_long_as_it_was_told_and_can_be_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let first = patient(folder.path(), 0).unwrap();
    let start = Instant::now();
    assert_eq!(patient(folder.path(), 120).unwrap_err().kind().code(), "gallery_locked");
    assert!(start.elapsed() >= Duration::from_millis(120), "{:?}", start.elapsed());

    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let options = GalleryOptions::default().cancelled(move || counted.fetch_add(1, Ordering::Relaxed) == 3);
    assert_eq!(Gallery::open(folder.path(), &model(), options).unwrap_err().kind().code(), "cancelled");
    assert_eq!(asked.load(Ordering::Relaxed), 4);
    drop(first);
    drop(patient(folder.path(), 0).unwrap());
}

#[test]
fn one_who_waits_is_not_overtaken_by_one_who_comes_again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let (done, turns) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        // Leaves the gallery closed for hardly a moment.
        let greedy = scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                let _open = patient(folder.path(), 60_000).unwrap();
                turns.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        while turns.load(Ordering::Relaxed) < 2 {
            std::thread::yield_now();
        }
        let before = turns.load(Ordering::Relaxed);
        for _ in 0..5 {
            drop(patient(folder.path(), 60_000).unwrap());
        }
        let overtaken = turns.load(Ordering::Relaxed) - before;
        done.store(true, Ordering::Release);
        greedy.join().unwrap();
        // Each time by the holder of the moment, and by whoever was at the same place at the start.
        assert!(overtaken <= 5 * 20, "overtaken {overtaken} times");
    });
}

#[cfg(unix)]
#[test]
fn a_gallery_that_is_removed_and_made_again_meanwhile_has_one_writer() {
    let folder = tempfile::tempdir().unwrap();
    let gallery = folder.path().join("gallery");
    let first = patient(&gallery, 0).unwrap();
    std::thread::scope(|scope| {
        let second = scope.spawn(|| patient(&gallery, 60_000));
        std::thread::sleep(Duration::from_millis(80));
        std::fs::remove_dir_all(&gallery).unwrap();
        let third = patient(&gallery, 0).unwrap();
        third.add("ana", NewFace::new(&embedding(1))).unwrap();
        drop(first);
        std::thread::sleep(Duration::from_millis(80));
        assert!(!second.is_finished(), "two writers at once");
        drop(third);
        assert_eq!(second.join().unwrap().unwrap().stats().unwrap().faces, 1);
    });
}

#[test]
fn a_writer_that_is_killed_leaves_its_turn_to_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let mut other = OtherProcess::start(folder.path());
    other.tell("add ana 1");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| writer(folder.path()));
        std::thread::sleep(Duration::from_millis(50));
        assert!(!waiting.is_finished(), "two writers at once");
        let killed = Instant::now();
        other.child.kill().unwrap();
        other.child.wait().unwrap();
        let taken_over = waiting.join().unwrap();
        assert!(killed.elapsed() < Duration::from_secs(10), "{:?}", killed.elapsed());
        assert_eq!(taken_over.stats().unwrap().faces, 1);
    });
}

#[test]
fn twelve_writers_that_make_the_gallery_together_take_turns() {
    let folder = tempfile::tempdir().unwrap();
    let gallery = folder.path().join("not yet there");
    let inside = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for number in 0..12 {
            let (gallery, inside) = (&gallery, &inside);
            scope.spawn(move || {
                let open = writer(gallery);
                assert_eq!(inside.fetch_add(1, Ordering::AcqRel), 0, "two writers at once");
                open.add(&format!("person {number}"), NewFace::new(&embedding(number))).unwrap();
                // Encrypting, changing the key and compacting rewrite everything under the same turn.
                match number % 3 {
                    0 => open.compact().unwrap(),
                    1 => drop(open.purge_expired().unwrap()),
                    _ => drop(open.remove_person("nobody")),
                }
                inside.fetch_sub(1, Ordering::AcqRel);
            });
        }
    });
    let gallery = reader(&gallery);
    assert_eq!((gallery.stats().unwrap().persons, gallery.verify().unwrap().problems), (12, vec![]));
}

#[test]
fn a_writer_waits_for_a_program_that_knows_only_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    writer(folder.path()).add("ana", NewFace::new(&embedding(1))).unwrap();
    let database = folder.path().join("gallery.db");
    let script = "import sqlite3, sys\nwith sqlite3.connect(sys.argv[1]) as db:\n  db.execute('BEGIN IMMEDIATE'); print('held', flush=True); \
                  sys.stdin.read(); db.rollback()";
    let program = Command::new("python3").args(["-c", script]).arg(&database).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut program) = program else { return eprintln!("SKIPPED: no python3 to hold a lock of SQLite's") };
    let mut line = String::new();
    BufReader::new(program.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "held");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| writer(folder.path()).add("ben", NewFace::new(&embedding(2))));
        std::thread::sleep(Duration::from_millis(120));
        assert!(!waiting.is_finished(), "it cannot have been written yet");
        drop(program.stdin.take());
        waiting.join().unwrap().unwrap();
    });
    assert!(program.wait().unwrap().success());
    assert_eq!(reader(folder.path()).stats().unwrap().persons, 2);
}
