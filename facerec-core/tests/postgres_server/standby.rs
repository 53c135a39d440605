//! A second server that follows the first, and takes its place.

use std::time::{Duration, Instant};

use super::PgServer;

impl PgServer {
    /// A server that has what this one has and follows it, at a port of its own.
    pub(crate) fn standby(&self) -> Self {
        let mut standby = Self::empty(&self.settings).expect("the first one found its programs");
        standby.follow(self);
        standby
    }

    /// Becomes a standby of `primary`, at the port it has.
    pub(crate) fn follow(&mut self, primary: &Self) {
        self.kill();
        let _ = std::fs::remove_dir_all(self.data());
        let mut copy = self.command("pg_basebackup");
        copy.args(["-h", "127.0.0.1", "-p", &primary.port.to_string(), "-U", "facerec", "-R", "-X", "stream", "-c", "fast", "-D"]);
        let made = copy.arg(self.data()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        self.run();
    }

    /// Takes the place of the server that it follows.
    pub(crate) fn promote(&self) {
        self.sql("SELECT pg_promote()");
        let start = Instant::now();
        while self.sql("SELECT pg_is_in_recovery()") != "f" {
            assert!(start.elapsed() < Duration::from_secs(60), "it does not take over");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
