//! A gallery on a server when things go wrong: many processes at once, restarts, lost connections, damage, and whom one talks to.
//!
//! The test runs itself again as the other processes.
#![allow(clippy::unwrap_used, clippy::print_stderr)]
#![cfg(all(unix, feature = "postgres"))]

mod gallery_checks;
mod gallery_vectors;
mod postgres_server;

use std::collections::BTreeMap;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use facerec_core::error::{Error, Result};
use facerec_core::gallery::{DecisionOptions, Gallery, GalleryOptions, NewFace};
use gallery_checks::open;
use gallery_vectors::{embedding, model, near};
use postgres_server::PgServer;
use postgres_server::between::{Between, Cut, tls_front};

const WORK: &str = "FACEREC_TEST_POSTGRES_WORK";

fn with(address: &Path, more: &str) -> PathBuf {
    PathBuf::from(format!("{}&{more}", address.display()))
}

fn refused<T>(result: Result<T>) -> Error {
    result.err().expect("an error")
}

/// This test again, as another process with some work to do.
fn process(test: &str, work: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(WORK, work);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
}

/// Every face that is there, by its source; a source that is there twice fails.
fn sources(gallery: &Gallery) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for person in gallery.persons().unwrap() {
        for face in gallery.faces(&person.name).unwrap() {
            let twice = found.insert(face.source.unwrap(), person.name.clone());
            assert_eq!(twice, None, "a face is there twice");
        }
    }
    found
}

const PROCESSES: usize = 4;
const CHANGES: u64 = 60;

/// Enrols its faces one by one under names that the others use too. When the server goes away it looks, as anyone must, whether
/// the face is there before it tries again.
fn enrol(work: &str) {
    let (number, address) = work.split_once(' ').unwrap();
    let number: u64 = number.parse().unwrap();
    let gallery = open(Path::new(address));
    for change in 0..CHANGES {
        let (name, source) = (format!("person {}", change % 12), format!("{number}/{change}"));
        let vector = near(change % 12, 0.8, number * 1000 + change);
        let there = |gallery: &Gallery| gallery.faces(&name).map(|faces| faces.iter().any(|f| f.source.as_ref() == Some(&source)));
        let start = Instant::now();
        loop {
            match gallery.add(&name, NewFace::new(&vector).source(&source)) {
                Ok(_) => break,
                Err(error) => assert_eq!(error.kind().code(), "io", "{error}"),
            }
            assert!(start.elapsed() < Duration::from_secs(120), "the server does not come back");
            std::thread::sleep(Duration::from_millis(100));
            match there(&gallery) {
                Ok(true) => break,
                Ok(false) => {}
                Err(error) => assert!(["io", "person_not_found"].contains(&error.kind().code()), "{error}"),
            }
        }
        if let Ok(found) = gallery.identify(&near(change % 12, 0.9, 7), &DecisionOptions::new(0.4)) {
            assert_eq!(found.name.as_deref(), Some(name.as_str()));
        }
        // A face that was enrolled by mistake: the person stays, whoever else is enrolling just now.
        if change % 7 == 3 {
            let mistake = gallery.add(&name, NewFace::new(&embedding(number * 1000 + change)).source("a mistake"));
            if let Ok(face) = mistake {
                let gone = gallery.remove_face(face);
                assert!(matches!(gone, Ok(true) | Err(Error::Io { .. })), "{gone:?}");
            }
        }
    }
}

#[test]
fn many_processes_enrol_and_search_one_gallery_while_the_server_restarts() {
    if let Ok(work) = std::env::var(WORK) {
        return enrol(&work);
    }
    let Some(mut server) = PgServer::start() else { return };
    let address = server.address("shared");
    // They start together: all want to create the gallery, and the same people in it.
    let test = "many_processes_enrol_and_search_one_gallery_while_the_server_restarts";
    let work = |number| format!("{number} {}", address.display());
    let workers: Vec<Child> = (0..PROCESSES).map(|number| process(test, &work(number))).collect();
    let half = format!("SELECT count(*) >= {} FROM facerec_shared.faces", PROCESSES as u64 * CHANGES / 3);
    let start = Instant::now();
    while server.sql("SELECT to_regclass('facerec_shared.faces') IS NOT NULL") != "t" || server.sql(&half) != "t" {
        assert!(start.elapsed() < Duration::from_secs(300), "the workers do nothing");
        std::thread::sleep(Duration::from_millis(20));
    }
    server.stop();
    server.run();
    std::thread::sleep(Duration::from_millis(200));
    server.kill();
    server.run();
    for mut worker in workers {
        assert!(worker.wait().unwrap().success());
    }
    let gallery = open(&address);
    let report = gallery.verify().unwrap();
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    assert_eq!(gallery.persons().unwrap().len(), 12, "one person per name");
    // A mistake may be left when its removal met the restart; everything else is there once.
    for person in gallery.persons().unwrap() {
        for face in gallery.faces(&person.name).unwrap().into_iter().filter(|face| face.source.as_deref() == Some("a mistake")) {
            gallery.remove_face(face.id).unwrap();
        }
    }
    let found = sources(&gallery);
    assert_eq!(found.len(), PROCESSES * CHANGES as usize);
    assert!(
        found.iter().all(|(source, name)| *name == format!("person {}", source.split('/').nth(1).unwrap().parse::<u64>().unwrap() % 12))
    );
}

#[test]
fn a_client_that_is_killed_in_a_transaction_leaves_nothing_and_blocks_nobody() {
    if let Ok(work) = std::env::var(WORK) {
        open(Path::new(&work)).import(&mut BufReader::new(std::io::stdin())).unwrap();
        return;
    }
    let Some(server) = PgServer::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let from = open(folder.path());
    let vectors: Vec<_> = (0..1500).map(embedding).collect();
    from.add_many(&vectors.iter().map(|v| ("ana", NewFace::new(v))).collect::<Vec<_>>()).unwrap();
    let mut text = Vec::new();
    from.export(&mut text).unwrap();

    let address = server.address("killed");
    let gallery = open(&address);
    let mut victim = process("a_client_that_is_killed_in_a_transaction_leaves_nothing_and_blocks_nobody", address.to_str().unwrap());
    // All but the last bytes: it has sent the first thousand faces, and waits for the end of the file.
    victim.stdin.as_mut().unwrap().write_all(&text[..text.len() - 20]).unwrap();
    let busy = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND backend_xid IS NOT NULL";
    let start = Instant::now();
    while server.sql(busy) != "1" {
        assert!(start.elapsed() < Duration::from_secs(60), "the victim sends nothing");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(gallery.stats().unwrap().faces, 0, "what is not committed is not seen");
    victim.kill().unwrap();
    victim.wait().unwrap();
    let start = Instant::now();
    // `ana` was being created by the victim.
    gallery.add("ana", NewFace::new(&embedding(1))).unwrap();
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert_eq!(gallery.stats().unwrap().faces, 1);
}

#[test]
fn a_server_that_is_gone_is_an_error_soon_and_one_that_is_back_is_used_again() {
    let Some(mut server) = PgServer::start() else { return };
    let address = server.address("gone");
    let gallery = open(&address);
    gallery.add("ana", NewFace::new(&embedding(1))).unwrap();
    server.stop();
    for attempt in [gallery.search(&embedding(1), 1).map(drop), gallery.add("ben", NewFace::new(&embedding(2))).map(drop)] {
        let error = refused(attempt);
        assert_eq!(error.kind().code(), "io", "{error}");
        assert!(error.to_string().contains("postgres://facerec@127.0.0.1"), "{error}");
    }
    let start = Instant::now();
    assert_eq!(refused(Gallery::open_any(&address, GalleryOptions::default())).kind().code(), "io");
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    let start = Instant::now();
    refused(gallery.stats());
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    server.run();
    gallery.add("ben", NewFace::new(&embedding(2))).unwrap();
    assert_eq!(gallery.search(&embedding(2), 1).unwrap()[0].name, "ben");
}

#[test]
fn an_async_host_may_call_it_on_its_own_threads() {
    let Some(server) = PgServer::start() else { return };
    let address = server.address("hosted");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let found = runtime.block_on(async move {
        let task = tokio::spawn(async move {
            let gallery = open(&address);
            gallery.add("ana", NewFace::new(&embedding(1))).unwrap();
            gallery.search(&embedding(1), 1).unwrap().pop().unwrap().name
        });
        task.await.unwrap()
    });
    assert_eq!(found, "ana");
}

#[test]
fn a_commit_whose_answer_is_lost_is_told_as_it_was() {
    let Some(server) = PgServer::start() else { return };
    let between = Between::new(server.port);
    let direct = open(&server.address("lost"));
    let gallery = open(&server.address_at(between.port, "lost"));
    let faces = || direct.stats().unwrap().faces;
    // The server never got it: it is made again, and is there once.
    between.cut(Cut::Before);
    gallery.add("ana", NewFace::new(&embedding(1))).unwrap();
    assert_eq!((faces(), between.commits.load(std::sync::atomic::Ordering::SeqCst)), (1, 1));
    // The server has it: it is not made again.
    between.cut(Cut::After);
    gallery.add("ana", NewFace::new(&embedding(2))).unwrap();
    assert_eq!(faces(), 2);
    // Nobody can ask the server: that is what the error says.
    between.cut(Cut::AfterForGood);
    let error = refused(gallery.add("ana", NewFace::new(&embedding(3))));
    assert!(error.kind().code() == "io" && error.to_string().contains("look whether it is there"), "{error}");
    assert_eq!(faces(), 3);
}

/// PostgreSQL gives the numbers of transactions that a crash has undone to others: one of theirs must not be taken for ours.
#[test]
fn a_change_that_a_crash_has_undone_is_made_again_even_if_its_number_is_somebody_elses_now() {
    // What is written to disk is written by commits alone.
    let Some(mut server) = PgServer::start_with(&["fsync=off", "wal_writer_delay=10s", "autovacuum=off"]) else { return };
    let between = Between::new(server.port);
    let direct = open(&server.address("undone"));
    let gallery = open(&server.address_at(between.port, "undone"));
    gallery.add("ana", NewFace::new(&embedding(1)).source("first")).unwrap();
    let next = server.sql("SELECT pg_snapshot_xmax(pg_current_snapshot())");
    between.cut(Cut::BeforeAndWait);
    std::thread::scope(|scope| {
        let change = scope.spawn(|| gallery.add("ana", NewFace::new(&embedding(2)).source("second")).unwrap());
        while between.commits.load(std::sync::atomic::Ordering::SeqCst) == 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
        server.kill();
        server.run();
        assert_eq!(server.sql("SELECT pg_snapshot_xmax(pg_current_snapshot())"), next, "the server has forgotten the change");
        direct.add("ben", NewFace::new(&embedding(3)).source("third")).unwrap();
        assert_eq!(server.sql(&format!("SELECT pg_xact_status('{next}'::xid8)")), "committed");
        between.cut(Cut::Never);
        change.join().unwrap();
    });
    assert_eq!(sources(&direct).keys().map(String::as_str).collect::<Vec<_>>(), ["first", "second", "third"]);
}

#[test]
fn tls_is_checked_and_never_given_up() {
    let Some(server) = PgServer::start() else { return };
    let (port, pem) = tls_front(server.port);
    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, pem).unwrap();
    let at = |host: &str, more: &str| PathBuf::from(format!("postgres://facerec@{host}:{port}/postgres?{more}"));
    let known = format!("sslrootcert={}&sslmode", roots.display());
    let gallery = open(&at("localhost", &format!("{known}=verify-full")));
    gallery.add("ana", NewFace::new(&embedding(1))).unwrap();
    assert_eq!(gallery.search(&embedding(1), 1).unwrap()[0].name, "ana");
    let plain = with(&server.address("default"), "sslmode=require");
    for (address, why) in [
        (at("localhost", "sslmode=require"), "UnknownIssuer"),
        (at("127.0.0.1", &format!("{known}=require")), "not valid for name"),
        (plain, "does not support TLS"),
    ] {
        let error = refused(Gallery::open(&address, &model(), GalleryOptions::default()));
        assert!(error.kind().code() == "io" && error.to_string().contains(why), "{error}");
    }
}

#[test]
fn passwords_are_asked_for_and_never_shown() {
    let Some(server) = PgServer::start() else { return };
    server.sql("SET password_encryption = 'scram-sha-256'; CREATE ROLE guarded LOGIN SUPERUSER PASSWORD 'open sesame'");
    let hba = server.folder().join("data/pg_hba.conf");
    let rules = std::fs::read_to_string(&hba).unwrap();
    std::fs::write(&hba, format!("host all guarded 127.0.0.1/32 scram-sha-256\n{rules}")).unwrap();
    server.sql("SELECT pg_reload_conf()");
    let at = |user: &str, more: &str| PathBuf::from(format!("postgres://{user}@127.0.0.1:{}/postgres?gallery=guarded{more}", server.port));
    let gallery = open(&at("guarded:open%20sesame", ""));
    gallery.add("ana", NewFace::new(&embedding(1))).unwrap();
    assert_eq!(gallery.path(), at("guarded", ""));
    assert!(!format!("{gallery:?}").contains("sesame"));
    let error = refused(Gallery::open_any(at("guarded:closed%20sesame", ""), GalleryOptions::default()));
    assert!(error.kind().code() == "io" && !format!("{error} {error:?}").contains("sesame"), "{error:?}");
    let passfile = server.folder().join("pass");
    std::fs::write(&passfile, format!("127.0.0.1:{}:*:guarded:open sesame\n", server.port)).unwrap();
    let from_file = at("guarded", &format!("&passfile={}", passfile.display()));
    let set_mode = |mode| std::fs::set_permissions(&passfile, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    set_mode(0o644);
    assert_eq!(refused(Gallery::open_any(&from_file, GalleryOptions::default())).kind().code(), "io");
    set_mode(0o600);
    assert_eq!(Gallery::open_any(&from_file, GalleryOptions::default()).unwrap().stats().unwrap().faces, 1);
}

#[test]
fn damage_and_newer_formats_are_refused() {
    let Some(server) = PgServer::start() else { return };
    let address = server.address("damaged");
    let gallery = open(&address);
    let face = gallery.add("ana", NewFace::new(&embedding(1))).unwrap();
    gallery.add("ben", NewFace::new(&embedding(2))).unwrap();
    server.sql(&format!("UPDATE facerec_damaged.faces SET source = 'x' WHERE id = {face}"));
    assert_eq!(refused(gallery.search(&embedding(1), 1)).kind().code(), "gallery_corrupt");
    assert_eq!(refused(gallery.faces("ana")).kind().code(), "gallery_corrupt");
    assert_eq!(refused(gallery.export(&mut Vec::new())).kind().code(), "gallery_corrupt");
    let report = gallery.verify().unwrap();
    assert_eq!((report.faces, report.problems), (2, vec![format!("face {face} does not match its checksum")]));
    let salvaged = Gallery::open_any(&address, GalleryOptions::default().read_only(true).salvage(true)).unwrap();
    assert_eq!(salvaged.search(&embedding(1), 1).unwrap()[0].name, "ben");
    assert_eq!(salvaged.export(&mut Vec::new()).unwrap(), 1);
    let key = facerec_core::gallery::GalleryKey::passphrase("a key");
    assert_eq!(refused(Gallery::open_any(&address, GalleryOptions::default().key(key))).kind().code(), "invalid_argument");
    assert_eq!(refused(gallery.set_key(None)).kind().code(), "invalid_argument");
    server.sql("UPDATE facerec_damaged.state SET format = 99");
    for options in [GalleryOptions::default(), GalleryOptions::default().read_only(true)] {
        assert_eq!(refused(Gallery::open_any(&address, options)).kind().code(), "gallery_newer");
    }
}

#[test]
fn a_graph_finds_what_the_exact_search_finds() {
    let Some(server) = PgServer::start() else { return };
    let address = server.address("graph");
    let gallery = open(&address);
    // So many that PostgreSQL does not rather compare them all.
    let vectors: Vec<_> = (0..16_000).map(|i| near(i / 4, 0.7, i)).collect();
    let names: Vec<String> = (0..16_000).map(|i| format!("person {}", i / 4)).collect();
    let faces: Vec<_> = names.iter().zip(&vectors).map(|(name, vector)| (name.as_str(), NewFace::new(vector))).collect();
    gallery.add_many(&faces).unwrap();
    assert_eq!(gallery.stats().unwrap().index_kind, "pgvector-exact");
    let graph = open(&with(&address, "index=hnsw"));
    assert_eq!(graph.stats().unwrap().index_kind, "pgvector-hnsw");
    let exact = open(&with(&address, "index=exact"));
    assert_eq!(exact.stats().unwrap().index_kind, "pgvector-exact");
    server.sql("ANALYZE facerec_graph.faces");
    let queries: Vec<_> = (0..200).map(|i| near(i * 5, 0.75, 9000 + i)).collect();
    let (truth, found) = (exact.search_many(&queries, 1).unwrap(), graph.search_many(&queries, 1).unwrap());
    let right = truth.iter().zip(&found).filter(|(a, b)| a == b).count();
    assert!(right >= 198, "{right} of 200");
    drop(graph); // a server's process hands its statistics over when it ends, or after ten seconds without work
    let uses = || server.sql("SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'faces_graph'").parse::<u32>().unwrap();
    for _ in 0..200 {
        if uses() > 150 {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(uses() > 150, "the graph was used {} times", uses());
    let graph = open(&with(&address, "index=hnsw"));
    // It grows with the gallery.
    graph.add("newcomer", NewFace::new(&embedding(77_777))).unwrap();
    assert_eq!(graph.search(&embedding(77_777), 1).unwrap()[0].name, "newcomer");
}

#[cfg(feature = "cli")]
#[test]
fn the_command_takes_an_address_where_it_takes_a_folder() {
    let Some(server) = PgServer::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let from = open(folder.path());
    from.add("ana", NewFace::new(&embedding(1))).unwrap();
    drop(from);
    let run = |gallery: &Path, arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_facerec"));
        let done = command.args(["--json", "gallery", "--gallery"]).arg(gallery).args(arguments).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    };
    let file = folder.path().join("export.jsonl");
    let file = file.to_str().unwrap();
    run(folder.path(), &["export", "--out", file]);
    let address = server.address("command");
    assert!(run(&address, &["import", file]).contains("\"faces\":1"));
    assert!(run(&address, &["list"]).contains("\"person\":\"ana\""));
    run(&address, &["rename", "ana", "Anna"]);
    assert!(run(&address, &["verify"]).contains("\"ok\":true"));
    assert!(run(&address, &["stats"]).contains("pgvector-exact"));
    run(&address, &["compact"]);
    assert!(run(&address, &["remove", "Anna"]).contains("\"removed_faces\":1"));
}

/// The checksum of a person's row: the first 8 bytes of SHA-256 over its values, each behind its length.
fn checksum(id: i64, name: &str, created_ms: i64) -> i64 {
    use sha2::{Digest, Sha256};
    let text = |text: &str| [&(text.len() as i64).to_le_bytes(), text.as_bytes()].concat();
    let row = [text("person"), id.to_le_bytes().to_vec(), text(name), created_ms.to_le_bytes().to_vec()].concat();
    i64::from_le_bytes(Sha256::digest(row)[..8].try_into().unwrap())
}

#[test]
fn names_of_an_older_version_are_spelt_alike_by_the_first_writer() {
    let Some(server) = PgServer::start() else { return };
    let address = server.address("old");
    let gallery = open(&address);
    for (number, name) in (1..).zip(["Bo", "one", "Andr\u{e9}", "Cy", "other"]) {
        gallery.add(name, NewFace::new(&embedding(number))).unwrap();
    }
    drop(gallery);
    // Format 1 kept names as they came.
    for (name, old) in [("one", "Andre\u{301}"), ("other", "\u{feff}Andr\u{e9}"), ("Cy", "Cy  Lee")] {
        let row = server.sql(&format!("SELECT id, created_ms FROM facerec_old.persons WHERE name = '{name}'"));
        let (id, created) = row.split_once('|').map(|(id, created)| (id.parse().unwrap(), created.parse().unwrap())).unwrap();
        server.sql(&format!("UPDATE facerec_old.persons SET name = '{old}', checksum = {} WHERE id = {id}", checksum(id, old, created)));
    }
    server.sql(
        "ALTER TABLE facerec_old.state DROP COLUMN persons, DROP COLUMN faces, DROP COLUMN persons_mark, DROP COLUMN faces_mark, \
         DROP COLUMN audit_mark; UPDATE facerec_old.state SET format = 1",
    );
    let entries = server.sql("SELECT count(*) FROM facerec_old.audit");
    let reading = GalleryOptions::default().read_only(true);
    let error = refused(Gallery::open(&address, &model(), reading.clone()));
    assert!(error.to_string().contains("open it once for writing"), "{error}");

    let gallery = open(&address);
    let people: Vec<_> = gallery.persons().unwrap().into_iter().map(|person| (person.name, person.faces)).collect();
    assert_eq!(people, [("Andr\u{e9}".into(), 3), ("Bo".into(), 1), ("Cy Lee".into(), 1)]);
    assert_eq!(gallery.verify().unwrap().problems, Vec::<String>::new());
    let log: Vec<_> =
        gallery.audit(entries.parse().unwrap(), 9).unwrap().into_iter().map(|e| (e.action, e.persons.len(), e.faces.len())).collect();
    assert_eq!(log, [("merge".into(), 3, 2), ("rename".into(), 1, 0)]);
    for name in ["Andre\u{301}", " Andr\u{e9}\u{a0}"] {
        assert_eq!(gallery.faces(name).unwrap().len(), 3);
        let filter = facerec_core::SearchFilter::new().persons([name]);
        assert_eq!(gallery.search_among(&[embedding(1)], 9, &filter).unwrap()[0].len(), 3);
    }
    assert_eq!(gallery.rename("Bo", "Andre\u{301}").unwrap_err().kind().code(), "invalid_argument");
    drop(open(&address));
    let reader = Gallery::open(&address, &model(), reading).unwrap();
    assert_eq!(reader.audit(0, 99).unwrap().len() as i64, entries.parse::<i64>().unwrap() + 2, "once");
    assert_eq!(gallery.remove_person("Andre\u{301}").unwrap(), 3);
}
