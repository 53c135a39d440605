//! One writer, many readers: across processes and across threads.
#![allow(clippy::print_stderr)] // what was skipped and what was measured is said aloud
#![allow(clippy::unwrap_used)]

mod gallery_vectors;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

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

    let refused = Gallery::open(folder.path(), &model(), GalleryOptions::default()).unwrap_err();
    assert_eq!(refused.kind().code(), "gallery_locked");
    assert!(refused.to_string().contains(&format!("process {}", other.child.id())), "{refused}");
    other.end();
    let taken_over = writer(folder.path());
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
