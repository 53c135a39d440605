//! A nats-server with JetStream that belongs to one test: in a temporary folder, on a free port, gone with the test.
#![allow(dead_code)] // each test file uses some of it

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub struct NatsServer {
    folder: tempfile::TempDir,
    program: PathBuf,
    port: u16,
    options: Vec<String>,
    process: Option<Child>,
}

impl NatsServer {
    /// A running server, or `None` with a word about it when there is no program for one.
    pub fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// One without JetStream.
    pub fn start_without_jetstream() -> Option<Self> {
        Self::start_as(false, &[])
    }

    /// With further options.
    pub fn start_with(options: &[&str]) -> Option<Self> {
        Self::start_as(true, options)
    }

    fn start_as(jetstream: bool, options: &[&str]) -> Option<Self> {
        let places = std::env::var_os("PATH").unwrap_or_default();
        let program = std::env::split_paths(&places).chain([PathBuf::from("/usr/sbin")]).map(|place| place.join("nats-server"));
        let Some(program) = program.into_iter().find(|program| program.is_file()) else {
            assert!(std::env::var_os("CI").is_none(), "no nats-server: scripts/setup.sh --tests installs it");
            eprintln!("SKIPPED: no nats-server; scripts/setup.sh --tests installs it");
            return None;
        };
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::Builder::new().prefix("facerec-nats").tempdir().unwrap();
        let mut options: Vec<String> = options.iter().map(ToString::to_string).collect();
        if jetstream {
            options.extend(["--jetstream".into(), "--store_dir".into(), folder.path().join("data").to_string_lossy().into_owned()]);
        }
        let mut server = Self { folder, program, port, options, process: None };
        server.run();
        Some(server)
    }

    /// Starts it (again), and waits until it answers.
    pub fn run(&mut self) {
        let log = std::fs::File::options().create(true).append(true).open(self.folder.path().join("log")).unwrap();
        let mut command = Command::new(&self.program);
        command.args(["--addr", "127.0.0.1", "--port", &self.port.to_string()]).args(&self.options);
        self.process = Some(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap());
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let log = || std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(start.elapsed() < Duration::from_secs(30), "nats-server does not answer: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// kill -9.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn address(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
    }
}
