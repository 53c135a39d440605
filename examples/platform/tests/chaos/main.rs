//! Nothing lost, and nothing kept that was to go: photos are enrolled and videos queried, people forgotten and merged and sessions removed
//! while gateway, forwarder, workers, services, nats-server and PostgreSQL are killed with `kill -9` and started again at random. Real
//! programs, real servers, real models.
//!
//! `FACEREC_CHAOS_SECONDS` (20) is how long, `FACEREC_CHAOS_SEED` repeats the choices of an earlier run. The load is that of 50 videos
//! and 500 photos in ten minutes:
//!
//!     FACEREC_CHAOS_SECONDS=600 cargo test --release --workspace --features ... --test chaos -- --nocapture
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::print_stderr)] // helpers of tests; what is skipped is said aloud

mod checks;
mod client;
mod cluster;
mod material;
#[path = "../platform/nats_server.rs"]
mod nats_server;
#[path = "../../../../facerec-core/tests/postgres_server/mod.rs"]
mod postgres_server;
mod undone;

use std::sync::Mutex;
use std::time::{Duration, Instant};

use client::Client;
use cluster::{Cluster, Victim};

/// xorshift64: choices that a seed repeats.
pub struct Dice(u64);

impl Dice {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name}: expected a number, got `{text}`")))
}

#[test]
fn nothing_is_lost_while_everything_is_killed() {
    let seconds = number("FACEREC_CHAOS_SECONDS", 20);
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let seed = number("FACEREC_CHAOS_SEED", clock.as_nanos() as u64 | 1);
    let Some(material) = material::Material::make() else { return };
    let Some(cluster) = Cluster::start(&material.models) else { return };
    eprintln!("chaos: {seconds} s, FACEREC_CHAOS_SEED={seed}");
    let client = Client { address: cluster.gateway, key: cluster.key.clone() };
    // What a video gives when nobody disturbs; whoever is enrolled later looks like nobody in it.
    let known: Vec<_> = material.known.iter().map(|(name, photo)| ((*name).to_owned(), client.enrol(name, name, photo).unwrap())).collect();
    known.iter().for_each(|(_, id)| drop(client.settled(&format!("/v1/enrolments/{id}"), Duration::from_secs(60))));
    let reference = client.query("reference", &material.clip).unwrap();
    let tracks = client.tracks(&reference);
    assert!(known.iter().all(|(name, _)| tracks.iter().any(|track| track.contains(name))), "both are in the video: {tracks:?}");

    let (photos, videos) = ((seconds * 500 / 600).max(12), (seconds * 50 / 600).max(2));
    let span = Duration::from_secs(seconds);
    let start = Instant::now();
    let cluster = Mutex::new(cluster);
    let (mut enrolled, mut queried, undone, killed) = std::thread::scope(|scope| {
        let enrolling = scope.spawn(|| {
            let one = |number: u64| {
                std::thread::sleep((start + span * number as u32 / photos as u32).saturating_duration_since(Instant::now()));
                let id = client.enrol(
                    &format!("photo-{number}"),
                    &format!("Person {number}"),
                    &material.photos[number as usize % material.photos.len()],
                );
                (format!("Person {number}"), id.unwrap())
            };
            (0..photos).map(one).collect::<Vec<_>>()
        });
        let querying = scope.spawn(|| {
            let one = |number: u64| {
                std::thread::sleep((start + span * number as u32 / videos as u32).saturating_duration_since(Instant::now()));
                client.query(&format!("video-{number}"), &material.clip).unwrap()
            };
            (0..videos).map(one).collect::<Vec<_>>()
        });
        let undoing = scope.spawn(|| {
            let rounds = (seconds / 20).max(1);
            let one = |number: u64| {
                std::thread::sleep((start + span * number as u32 / rounds as u32).saturating_duration_since(Instant::now()));
                undone::some(&client, &material, number)
            };
            (0..rounds).map(one).collect::<Vec<_>>()
        });
        let killing = scope.spawn(|| {
            let (mut dice, mut killed) = (Dice(seed | 1), Vec::new());
            while start.elapsed() < span {
                let victim = Victim::ALL[dice.below(Victim::ALL.len() as u64) as usize];
                cluster.lock().unwrap().kill(victim);
                killed.push(victim);
                std::thread::sleep(Duration::from_millis(100 + dice.below(1500)));
                cluster.lock().unwrap().revive(victim);
                std::thread::sleep(Duration::from_millis(200 + dice.below(1800)));
            }
            killed
        });
        // Whoever ended because a server was away is started again, as a service manager would.
        while !(enrolling.is_finished() && querying.is_finished() && undoing.is_finished() && killing.is_finished()) {
            cluster.lock().unwrap().supervise();
            std::thread::sleep(Duration::from_millis(200));
        }
        (enrolling.join().unwrap(), querying.join().unwrap(), undoing.join().unwrap(), killing.join().unwrap())
    });
    let count = |victim: Victim| killed.iter().filter(|&&other| other == victim).count();
    let kills: Vec<String> = Victim::ALL.iter().map(|&victim| format!("{victim:?} {}", count(victim))).collect();
    eprintln!("chaos: {} kills ({}), {} photos, {} videos acknowledged", killed.len(), kills.join(", "), enrolled.len(), queried.len());
    eprintln!("chaos: {} people forgotten, {} merged, {} sessions removed", undone.len(), undone.len(), undone.len());
    enrolled.extend(known);
    queried.push(reference);
    let settled = Instant::now();
    let load = checks::Load { enrolled, queried, undone, tracks };
    checks::everything_is_final_once(&client, &cluster, &load);
    checks::nothing_is_left_of_what_was_undone(&client, &cluster, &load.undone);
    eprintln!(
        "chaos: all final {:.1} s after the last kill, nothing lost, nothing twice, nothing left over",
        settled.elapsed().as_secs_f64()
    );
}
