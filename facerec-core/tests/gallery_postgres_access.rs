//! Who gets to which gallery on a server, and what is said when nobody does: rights, search paths, servers that stop, halves of galleries.
#![allow(clippy::unwrap_used)]
#![cfg(all(unix, feature = "postgres"))]

mod gallery_checks;
mod gallery_vectors;
mod postgres_server;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use facerec_core::error::{Error, Result};
use facerec_core::gallery::{Gallery, GalleryOptions, NewFace};
use gallery_checks::open;
use gallery_vectors::{embedding, model};
use postgres_server::PgServer;
use postgres_server::bouncer::Bouncer;

fn refused<T>(result: Result<T>) -> String {
    let error: Error = result.err().expect("an error");
    assert_eq!(error.kind().code(), "io", "{error}");
    error.to_string()
}

fn enrol(address: &Path) -> Result<Gallery> {
    let gallery = Gallery::open(address, &model(), GalleryOptions::default())?;
    gallery.add("ana", NewFace::new(&embedding(1)))?;
    Ok(gallery)
}

/// The server as it was before PostgreSQL 15, where everybody may create tables in `public`; `clerk` is nobody special in it.
fn server_of_old(more: &str) -> Option<(PgServer, impl Fn(&str) -> PathBuf)> {
    let server = PgServer::start()?;
    open(&server.address("staff")).add("eve", NewFace::new(&embedding(9))).unwrap();
    server.sql(&format!("GRANT CREATE ON SCHEMA public TO PUBLIC; CREATE ROLE clerk LOGIN; {more}"));
    let port = server.port;
    Some((server, move |gallery: &str| PathBuf::from(format!("postgres://clerk@127.0.0.1:{port}/postgres?gallery={gallery}"))))
}

#[test]
fn who_has_no_right_to_a_gallery_gets_none_instead() {
    let Some((server, clerk)) = server_of_old("") else { return };
    let said = refused(enrol(&clerk("staff")));
    assert!(said.contains("`clerk`") && said.contains("GRANT USAGE ON SCHEMA \"facerec_staff\""), "{said}");
    assert!(refused(Gallery::open_any(clerk("staff"), GalleryOptions::default())).contains("GRANT USAGE"));
    // Nor may they make one of their own.
    let said = refused(enrol(&clerk("own")));
    assert!(said.contains("permission denied for database") && said.contains("docs/galleries.md"), "{said}");
    server.sql("GRANT USAGE ON SCHEMA facerec_staff TO clerk");
    let said = refused(enrol(&clerk("staff")));
    assert!(said.contains("permission denied for table state"), "{said}");
    server.sql("GRANT SELECT ON ALL TABLES IN SCHEMA facerec_staff TO clerk");
    let reader = Gallery::open_any(clerk("staff"), GalleryOptions::default().read_only(true)).unwrap();
    assert_eq!(reader.search(&embedding(9), 1).unwrap()[0].name, "eve");
    assert!(refused(enrol(&clerk("staff"))).contains("permission denied"));
    server.sql("GRANT ALL ON ALL TABLES IN SCHEMA facerec_staff TO clerk; GRANT ALL ON ALL SEQUENCES IN SCHEMA facerec_staff TO clerk");
    assert_eq!(enrol(&clerk("staff")).unwrap().persons().unwrap().len(), 2);
    assert_eq!(server.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "0");
}

#[test]
fn no_search_path_leads_to_another_gallery() {
    let Some((server, clerk)) = server_of_old("GRANT CREATE ON DATABASE postgres TO clerk") else { return };
    enrol(&clerk("own")).unwrap();
    server.sql("ALTER ROLE clerk SET search_path = facerec_staff, public; GRANT ALL ON SCHEMA facerec_staff TO clerk");
    server.sql("GRANT ALL ON ALL TABLES IN SCHEMA facerec_staff TO clerk; GRANT ALL ON ALL SEQUENCES IN SCHEMA facerec_staff TO clerk");
    // What would be found first by name, and lies.
    server.sql("CREATE FUNCTION public.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz'");
    for gallery in [enrol(&clerk("own")).unwrap(), enrol(&clerk("new")).unwrap()] {
        let names: Vec<_> = gallery.persons().unwrap().into_iter().map(|person| person.name).collect();
        assert_eq!(names, ["ana"]);
        assert_eq!(gallery.search(&embedding(9), 9).unwrap().iter().filter(|found| found.name == "eve").count(), 0);
    }
    let staff = open(&server.address("staff"));
    assert_eq!((staff.persons().unwrap().len(), staff.verify().unwrap().problems), (1, Vec::<String>::new()));
    // pgvector may lie in any schema.
    server.sql("CREATE SCHEMA \"Vectors\"; ALTER EXTENSION vector SET SCHEMA \"Vectors\"; GRANT USAGE ON SCHEMA \"Vectors\" TO clerk");
    assert_eq!(enrol(&clerk("third")).unwrap().search(&embedding(1), 1).unwrap()[0].name, "ana");
}

#[test]
fn a_server_that_stops_is_given_up_and_used_again_when_it_goes_on() {
    let Some(server) = PgServer::start() else { return };
    let address = PathBuf::from(format!("{}&timeout_s=1&connect_timeout=1", server.address("frozen").display()));
    let gallery = enrol(&address).unwrap();
    server.freeze(true);
    let start = Instant::now();
    let said = [refused(gallery.search(&embedding(1), 1)), refused(gallery.add("ben", NewFace::new(&embedding(2))))];
    let new = refused(Gallery::open(&address, &model(), GalleryOptions::default()));
    let took = start.elapsed();
    server.freeze(false);
    assert!(said[0].contains("did not answer") && said[0].contains("timeout_s"), "{said:?}");
    assert!(new.contains("takes the connection and does not answer"), "{new}");
    // A second and five on the way for each of the two, a second twice for the new connections.
    assert!(took < Duration::from_secs(25), "{took:?}");
    assert_eq!(gallery.search(&embedding(1), 1).unwrap()[0].name, "ana");
    gallery.add("cy", NewFace::new(&embedding(3))).unwrap();
    assert_eq!(gallery.verify().unwrap().problems, Vec::<String>::new());
}

#[test]
fn a_server_that_follows_another_is_used_when_it_takes_over() {
    let Some(mut primary) = PgServer::start() else { return };
    let standby = primary.standby();
    let more = format!(",127.0.0.1:{}/postgres?target_session_attrs=read-write&", standby.port);
    let address = primary.address("failover").to_string_lossy().replacen("/postgres?", &more, 1);
    let gallery = enrol(Path::new(&address)).unwrap();
    // What a standby has of it is up to the server's settings.
    while standby.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'facerec_failover' AND tablename = 'faces'") != "1"
        || standby.sql("SELECT count(*) FROM facerec_failover.faces") != "1"
    {
        std::thread::sleep(Duration::from_millis(20));
    }
    primary.kill();
    let error = gallery.search(&embedding(1), 1).unwrap_err();
    assert!(error.to_string().contains("it follows another server"), "{error}");
    // By its kind a caller sees that it ends by itself.
    assert!(matches!(&error, Error::Io { source, .. } if source.kind() == std::io::ErrorKind::ConnectionAborted), "{error:?}");
    standby.promote();
    assert_eq!(gallery.search(&embedding(1), 1).unwrap()[0].name, "ana");
    gallery.add("ben", NewFace::new(&embedding(2))).unwrap();
    assert_eq!(gallery.verify().unwrap().problems, Vec::<String>::new());
}

#[test]
fn long_work_is_given_up_when_the_server_stops() {
    let Some(server) = PgServer::start() else { return };
    let gallery = enrol(&PathBuf::from(format!("{}&connect_timeout=1&timeout_s=1", server.address("long").display()))).unwrap();
    // Somebody holds it up for longer than any other call may take: the server lives, so it is waited for.
    let mut holder = server.begin("BEGIN; LOCK TABLE facerec_long.faces; SELECT pg_sleep(300)");
    std::thread::scope(|scope| {
        let work = scope.spawn(|| gallery.compact());
        while server.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") != "1" {
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_secs(12));
        assert!(!work.is_finished(), "the server lives");
        server.freeze(true);
        let start = Instant::now();
        let said = refused(work.join().unwrap());
        server.freeze(false);
        assert!(said.contains("does not answer any more") && start.elapsed() < Duration::from_secs(30), "{said}");
    });
    holder.kill().unwrap();
    holder.wait().unwrap();
    server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()");
    gallery.compact().unwrap();
}

#[test]
fn no_answer_says_which_kind_of_none_it_is() {
    let at = |port: u16| PathBuf::from(format!("postgres://facerec@127.0.0.1:{port}/postgres?connect_timeout=1"));
    let said = |port: u16| refused(Gallery::open_any(at(port), GalleryOptions::default()));
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert!(said(nobody).contains("nobody listens there"), "{}", said(nobody));
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = mute.local_addr().unwrap().port();
    assert!(said(port).contains("takes the connection and does not answer within"), "{}", said(port));
    // Who does not even take connections: as a host behind a firewall.
    let here = SocketAddr::from(([127, 0, 0, 1], port));
    let full: Vec<_> = std::iter::from_fn(|| TcpStream::connect_timeout(&here, Duration::from_millis(200)).ok()).take(5000).collect();
    assert!(said(port).contains("the host is not reached"), "{} after {}", said(port), full.len());
}

#[test]
fn half_a_gallery_is_noticed() {
    let Some(server) = PgServer::start() else { return };
    let damage = |name: &str, sql: &str| {
        let address = server.address(name);
        let gallery = enrol(&address).unwrap();
        gallery.add("ben", NewFace::new(&embedding(2))).unwrap();
        server.sql(&sql.replace("IT", &format!("facerec_{name}")));
        address
    };
    for (name, sql, what) in [
        ("faces", "DROP TABLE IT.faces", "its table `faces` is missing"),
        ("vector", "ALTER TABLE IT.faces DROP COLUMN vector", "its table `faces` has no column `vector`"),
        ("audit", "DROP TABLE IT.audit", "its table `audit` is missing"),
        ("state", "DROP TABLE IT.state", "its table `state` is missing"),
        ("ids", "DROP SEQUENCE IT.face_ids", "its sequence `face_ids` is missing"),
    ] {
        let address = damage(name, sql);
        for options in [GalleryOptions::default(), GalleryOptions::default().read_only(true)] {
            let error = Gallery::open(&address, &model(), options).expect_err("half a gallery");
            assert!(error.kind().code() == "gallery_corrupt" && error.to_string().contains(what), "{name}: {error}");
        }
    }
    for (name, sql, what) in [
        (
            "row",
            "DELETE FROM IT.faces WHERE id = 2; DELETE FROM IT.persons WHERE id = 2",
            "1 faces and 1 people are there, 2 and 2 should be",
        ),
        ("entry", "DELETE FROM IT.audit WHERE id = 2", "rows were taken away"),
        ("all", "TRUNCATE IT.faces, IT.persons", "0 faces and 0 people are there, 2 and 2 should be"),
    ] {
        let problems = open(&damage(name, sql)).verify().unwrap().problems;
        assert!(problems.iter().any(|problem| problem.contains(what)), "{name}: {problems:?}");
    }
}

#[test]
fn many_clients_behind_pgbouncer_enrol_and_search() {
    let Some(server) = PgServer::start() else { return };
    let Some(bouncer) = Bouncer::start(&server) else { return };
    let address = server.address_at(bouncer.port, "bounced");
    let gallery = open(&address);
    std::thread::scope(|scope| {
        for client in 0..8_u64 {
            let address = &address;
            scope.spawn(move || {
                let gallery = open(address);
                for number in (client * 100..).take(12) {
                    gallery.add(&format!("person {number}"), NewFace::new(&embedding(number))).unwrap();
                    assert_eq!(gallery.search(&embedding(number), 1).unwrap()[0].name, format!("person {number}"));
                }
            });
        }
    });
    assert_eq!((gallery.persons().unwrap().len(), gallery.verify().unwrap().problems), (96, Vec::<String>::new()));
    gallery.compact().unwrap();
    let graph = open(&PathBuf::from(format!("{}&index=hnsw", address.display())));
    assert_eq!(
        (graph.stats().unwrap().index_kind.as_str(), graph.search(&embedding(5), 1).unwrap()[0].name.as_str()),
        ("pgvector-hnsw", "person 5")
    );
}
