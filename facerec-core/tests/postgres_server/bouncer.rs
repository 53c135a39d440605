//! PgBouncer in front of a server, in transaction mode: each transaction may run on another connection.

use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{NOBODY, PgServer, is_root};

pub(crate) struct Bouncer {
    pub(crate) port: u16,
    process: Child,
}

impl Bouncer {
    /// `None` with a word about it where there is no PgBouncer.
    pub(crate) fn start(server: &PgServer) -> Option<Self> {
        if Command::new("pgbouncer").arg("-V").stdout(Stdio::null()).status().is_err() {
            assert!(std::env::var_os("CI").is_none(), "no pgbouncer: scripts/setup.sh --tests installs it");
            eprintln!("SKIPPED: no pgbouncer; scripts/setup.sh --tests installs it");
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let settings = server.folder().join(format!("pgbouncer-{port}.ini"));
        let text = format!(
            "[databases]\npostgres = host=127.0.0.1 port={} user=facerec\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 3\n",
            server.port
        );
        std::fs::write(&settings, text).unwrap();
        let mut command = Command::new("pgbouncer");
        command.arg("-q").arg(&settings).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        let process = command.spawn().unwrap();
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < Duration::from_secs(60), "pgbouncer does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(Self { port, process })
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
