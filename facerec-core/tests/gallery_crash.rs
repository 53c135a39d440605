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

use facerec_core::gallery::{Gallery, GalleryOptions, IndexKind, NewFace};
use gallery_vectors::{embedding, model, values};

/// Kills, unless `FACEREC_CRASH_ROUNDS` says another number.
const ROUNDS: u64 = 200;
/// Faces that are there from the start, so that there is an index to be built, saved and caught half way.
const CROWD: u64 = 1200;
/// Their name, which the story leaves alone, and the number of the first.
const CROWD_NAME: &str = "crowd";
const CROWD_FIRST: u64 = 1 << 40;
/// The round before which they come: until then the gallery is small, and its creation is caught half way.
const CROWD_COMES: u64 = 40;
/// How the victims open the gallery, in turn.
const KINDS: [IndexKind; 5] = [IndexKind::Flat, IndexKind::Sq8, IndexKind::Ivf, IndexKind::Hnsw, IndexKind::Auto];
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
        let names: Vec<_> = people.keys().filter(|name| *name != CROWD_NAME).collect();
        let someone = names.get(dice % names.len().max(1)).map(|name| name.to_string());
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
                gallery.split(name, &faces, to).unwrap();
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
fn be_killed(folder: &Path, first: u64, round: usize) {
    let kind = if cfg!(feature = "faiss") { KINDS[round % KINDS.len()] } else { IndexKind::Auto };
    let gallery = Gallery::open(folder, &model(), GalleryOptions::default().index(kind)).unwrap();
    let mut people = read(&gallery);
    std::io::stderr().write_all(b"ready\n").unwrap();
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
        let [first, round, folder] = work.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap();
        return be_killed(Path::new(folder), first.parse().unwrap(), round.parse().unwrap());
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gallery");
    let (mut people, mut next, mut unacknowledged) = (People::new(), 0, 0);
    let rounds = std::env::var("FACEREC_CRASH_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    for round in 0..rounds {
        if round == CROWD_COMES {
            let numbers: Vec<u64> = (CROWD_FIRST..CROWD_FIRST + CROWD).collect();
            let add = Change::Add(CROWD_NAME.into(), numbers);
            add.make(&Gallery::open(&path, &model(), GalleryOptions::default()).unwrap());
            add.apply_to(&mut people);
        }
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "two_hundred_kills_lose_nothing_that_was_acknowledged", "--nocapture"])
            .env(VICTIM, format!("{next} {round} {}", path.display()))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(victim.stderr.take().unwrap()).lines().map(Result::unwrap);
        // Every fourth is killed at any moment, so while it opens the gallery, the others after they began to work.
        let opened = round % 4 != 0 && said.next().is_some_and(|line| line == "ready");
        std::thread::sleep(Duration::from_micros((35_000.0 + 30_000.0 * values(round ^ 0xdead, 1)[0]) as u64));
        victim.kill().unwrap();
        let said = said.filter(|line| opened || line != "ready");
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
    eprintln!("{rounds} kills, {next} changes, {unacknowledged} of them complete before they were acknowledged");
    assert!(next > rounds / 2, "only {next} changes in {rounds} rounds: the victims were killed before they could work");
}
