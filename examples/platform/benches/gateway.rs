//! The gateway under small requests at a steady rate: how long they take, and what memory it needs.
//!
//!     cargo bench -p facerec-platform --bench gateway -- [REQUESTS_PER_SECOND] [SECONDS]
//!
//! Each request is due at its own time, and its latency counts from then: a gateway that stalls cannot hide behind clients that wait.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

const CONNECTIONS: u32 = 64;
const PATHS: [&str; 4] = ["/v1/me", "/v1/persons?limit=10", "/v1/sessions?limit=10", "/healthz"];

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(folder: &std::path::Path) -> (Running, SocketAddr, String) {
    let config = folder.join("config.toml");
    std::fs::write(&config, "listen = '127.0.0.1:0'\n[limits]\nrequests_per_second = 100000.0\nburst = 100000.0\n").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_facerec-platform"));
    command.arg("all").arg("--config").arg(config).arg("--data").arg(folder.join("data")).env("RUST_LOG", "warn");
    let mut running = Running(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(running.0.stdout.take().unwrap())).map(Result::unwrap);
    let address = lines.next().expect("the platform starts").rsplit("http://").next().unwrap().trim_end_matches('/').parse().unwrap();
    let key = lines.next().unwrap().rsplit(' ').next().unwrap().to_owned();
    (running, address, key)
}

/// Resident memory in MB, of now and at most.
fn memory(process: u32) -> (f64, f64) {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let field = |name: &str| {
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok()).unwrap() / 1024.0
    };
    (field("VmRSS:"), field("VmHWM:"))
}

/// Sends one request after the other on a connection that is kept, and reads each answer whole.
async fn connection(address: SocketAddr, key: String, due: Vec<(Instant, usize)>, took: Arc<Mutex<Vec<Duration>>>) {
    let mut stream = BufReader::new(TcpStream::connect(address).await.unwrap());
    let (mut mine, mut body) = (Vec::with_capacity(due.len()), Vec::new());
    for (at, path) in due {
        tokio::time::sleep_until(at.into()).await;
        let head = format!("GET {} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\r\n", PATHS[path]);
        stream.get_mut().write_all(head.as_bytes()).await.unwrap();
        let (mut line, mut length, mut first) = (String::new(), 0, true);
        loop {
            line.clear();
            assert_ne!(stream.read_line(&mut line).await.unwrap(), 0, "the gateway hung up");
            assert!(!first || line.starts_with("HTTP/1.1 200"), "{line}");
            first = false;
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        body.resize(length, 0);
        stream.read_exact(&mut body).await.unwrap();
        mine.push(at.elapsed());
    }
    took.lock().unwrap().append(&mut mine);
}

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|text| text.parse::<u32>().ok());
    let (rate, seconds) = (numbers.next().unwrap_or(2000), numbers.next().unwrap_or(20));
    let folder = tempfile::tempdir().unwrap();
    let (running, address, key) = start(folder.path());
    let before = memory(running.0.id());
    let took = Arc::new(Mutex::new(Vec::new()));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let start = Instant::now() + Duration::from_millis(500);
        let due = |request: u32| start + Duration::from_secs(1) * request / rate;
        let clients = (0..CONNECTIONS).map(|number| {
            let mine = (number..rate * seconds)
                .step_by(CONNECTIONS as usize)
                .map(|request| (due(request), request as usize / CONNECTIONS as usize % PATHS.len()));
            tokio::spawn(connection(address, key.clone(), mine.collect(), Arc::clone(&took)))
        });
        for client in clients.collect::<Vec<_>>() {
            client.await.unwrap();
        }
        let reached = f64::from(rate * seconds) / start.elapsed().as_secs_f64();
        println!("{rate} requests/s wanted, {reached:.0} reached over {seconds} s on {CONNECTIONS} connections");
    });
    let mut took = std::mem::take(&mut *took.lock().unwrap());
    took.sort_unstable();
    let at = |part: f64| took[((took.len() - 1) as f64 * part) as usize].as_secs_f64() * 1000.0;
    println!("ms: p50 {:.2}, p90 {:.2}, p99 {:.2}, p99.9 {:.2}, most {:.2}", at(0.5), at(0.9), at(0.99), at(0.999), at(1.0));
    let after = memory(running.0.id());
    println!("resident MB: {:.0} before, {:.0} after, {:.0} at most", before.0, after.0, after.1);
}
