//! `kill -9` at random moments: what was acknowledged is there, nothing is half there, `verify` is clean.
//!
//! The test runs itself again as the victim: a process that enrols, removes, renames, merges and splits, and says so after each change.
#![allow(clippy::print_stderr)] // what was skipped and what was measured is said aloud
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod gallery_vectors;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use facerec_core::gallery::{Gallery, GalleryOptions, NewFace};
use gallery_vectors::{embedding, model, values};

const ROUNDS: u64 = 200;
const VICTIM: &str = "FACEREC_TEST_CRASH_VICTIM";

/// What the gallery must hold: the number of each embedding, by the name of its person.
type People = BTreeMap<String, Vec<u64>>;

/// The changes are a fixed story: each follows from its number and from what is there.
#[derive(Debug, Clone)]
enum Change {
    Add(String, Vec<u64>),
    Remove(String),
    Rename(String, String),
    Merge(String, String),
    /// Every other face, from the second on.
    Split(String, String),
    Compact,
}

impl Change {
    fn number(number: u64, people: &People) -> Self {
        let dice = (values(number, 1)[0] * 500.0 + 500.0) as usize;
        let newcomer = format!("person {}", dice % 12);
        let someone = people.keys().nth(dice % people.len().max(1)).cloned();
        match (dice / 7 % 10, someone) {
            (0 | 1, Some(name)) => Self::Remove(name),
            (2, Some(name)) => Self::Rename(name, format!("renamed {number}")),
            (3, _) => Self::Compact,
            (5, Some(name)) if people.len() > 1 => Self::Merge(name.clone(), people.keys().find(|other| **other != name).unwrap().clone()),
            (6, Some(name)) if people[&name].len() > 1 => Self::Split(name, format!("split {number}")),
            (4, _) => Self::Add(newcomer, vec![3 * number, 3 * number + 1, 3 * number + 2]),
            _ => Self::Add(newcomer, vec![3 * number]),
        }
    }

    fn apply_to(self, people: &mut People) {
        match self {
            Self::Add(name, faces) => people.entry(name).or_default().extend(faces),
            Self::Remove(name) => drop(people.remove(&name)),
            Self::Rename(name, to) => {
                let faces = people.remove(&name).unwrap();
                people.insert(to, faces);
            }
            Self::Merge(name, into) => {
                let faces = people.remove(&name).unwrap();
                let all = people.get_mut(&into).unwrap();
                all.extend(faces);
                all.sort_unstable(); // as they were enrolled
            }
            Self::Split(name, to) => {
                let faces = people.remove(&name).unwrap();
                let (stay, go) = faces.iter().enumerate().partition::<Vec<_>, _>(|(place, _)| place % 2 == 0);
                let numbers = |faces: Vec<(usize, &u64)>| faces.into_iter().map(|(_, face)| *face).collect();
                people.insert(name, numbers(stay));
                people.insert(to, numbers(go));
            }
            Self::Compact => {}
        }
    }

    fn make(&self, gallery: &Gallery) {
        match self {
            Self::Add(name, faces) => {
                let vectors: Vec<_> = faces.iter().map(|&face| (embedding(face), face.to_string())).collect();
                let faces: Vec<_> = vectors.iter().map(|(v, source)| (name.as_str(), NewFace::new(v).source(source))).collect();
                gallery.add_many(&faces).unwrap();
            }
            Self::Remove(name) => drop(gallery.remove_person(name).unwrap()),
            Self::Rename(name, to) => gallery.rename(name, to).unwrap(),
            Self::Merge(name, into) => drop(gallery.merge(name, into).unwrap()),
            Self::Split(name, to) => {
                let faces: Vec<_> = gallery.faces(name).unwrap().into_iter().skip(1).step_by(2).map(|face| face.id).collect();
                drop(gallery.split(name, &faces, to).unwrap());
            }
            Self::Compact => gallery.compact().unwrap(),
        }
    }
}

/// What the gallery holds; every face must have the very vector that was enrolled.
fn read(gallery: &Gallery) -> People {
    let faces = |name: &str| {
        let records = gallery.faces(name).unwrap();
        let numbers = records.iter().map(|record| {
            let number = record.source.as_ref().unwrap().parse().unwrap();
            let stored = gallery.embedding(record.id).unwrap().unwrap();
            assert!(stored.similarity(&embedding(number)).unwrap() > 0.999_999, "face {number}");
            number
        });
        numbers.collect()
    };
    gallery.persons().unwrap().into_iter().map(|person| (person.name.clone(), faces(&person.name))).collect()
}

/// The victim: one change after another, acknowledged one by one, until it is killed.
fn be_killed(folder: &Path, first: u64) {
    let gallery = Gallery::open(folder, &model(), GalleryOptions::default()).unwrap();
    let mut people = read(&gallery);
    for number in first.. {
        let change = Change::number(number, &people);
        change.make(&gallery);
        change.apply_to(&mut people);
        // One write, so that the signal cannot come between the word and the number.
        std::io::stderr().write_all(format!("ack {number}\n").as_bytes()).unwrap();
    }
}

#[test]
fn two_hundred_kills_lose_nothing_that_was_acknowledged() {
    if let Ok(work) = std::env::var(VICTIM) {
        let (first, folder) = work.split_once(' ').unwrap();
        return be_killed(Path::new(folder), first.parse().unwrap());
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gallery");
    let (mut people, mut next, mut unacknowledged) = (People::new(), 0, 0);
    for round in 0..ROUNDS {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "two_hundred_kills_lose_nothing_that_was_acknowledged", "--nocapture"])
            .env(VICTIM, format!("{next} {}", path.display()))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_micros((35_000.0 + 30_000.0 * values(round ^ 0xdead, 1)[0]) as u64));
        victim.kill().unwrap();
        let said = BufReader::new(victim.stderr.take().unwrap()).lines().map(Result::unwrap);
        let status = victim.wait().unwrap();
        for line in said {
            let number = line.strip_prefix("ack ").unwrap_or_else(|| panic!("the victim failed: {line}"));
            assert_eq!(number, next.to_string());
            Change::number(next, &people).apply_to(&mut people);
            next += 1;
        }
        assert_eq!(status.code(), None, "the victim was killed, it did not end");
        if !path.join("gallery.db").exists() {
            assert_eq!(next, 0);
            continue;
        }
        // A reader sees what the crash left; a writer takes over, and its index is what the next victim starts from.
        let options = GalleryOptions::default().read_only(round % 2 == 0 && next > 0);
        let gallery = Gallery::open(&path, &model(), options).unwrap();
        let found = read(&gallery);
        if found != people {
            // The change that was under way when the signal came: whole, and not yet acknowledged.
            Change::number(next, &people).apply_to(&mut people);
            next += 1;
            unacknowledged += 1;
        }
        assert_eq!(found, people, "round {round}");
        let report = gallery.verify().unwrap();
        assert!(report.problems.is_empty(), "round {round}: {:?}", report.problems);
        for (name, faces) in &people {
            let best = gallery.search(&embedding(faces[0]), 1).unwrap();
            assert_eq!(best[0].name, *name, "round {round}");
        }
    }
    eprintln!("{ROUNDS} kills, {next} changes, {unacknowledged} of them complete before they were acknowledged");
    assert!(next > ROUNDS, "only {next} changes in {ROUNDS} rounds: the victims were killed before they could work");
}
