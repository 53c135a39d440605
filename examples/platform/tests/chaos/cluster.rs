//! The platform as many processes with real servers, each of which can be killed and started again.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use futures_util::StreamExt;

use super::nats_server::NatsServer;
use super::postgres_server::PgServer;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Victim {
    Gateway,
    Forwarder,
    Enrolment,
    Query,
    SecondQuery,
    Detection,
    SecondDetection,
    DataProcessing,
    Nats,
    Postgres,
}

impl Victim {
    pub const ALL: [Self; 10] = [
        Self::Gateway,
        Self::Forwarder,
        Self::Enrolment,
        Self::Query,
        Self::SecondQuery,
        Self::Detection,
        Self::SecondDetection,
        Self::DataProcessing,
        Self::Nats,
        Self::Postgres,
    ];

    /// The role of a process of the platform.
    fn role(self) -> Option<&'static str> {
        match self {
            Self::Gateway => Some("gateway"),
            Self::Forwarder => Some("forwarder"),
            Self::Enrolment => Some("enrolment"),
            Self::Query | Self::SecondQuery => Some("query"),
            Self::Detection | Self::SecondDetection => Some("detection"),
            Self::DataProcessing => Some("data-processing"),
            Self::Nats | Self::Postgres => None,
        }
    }
}

pub struct Cluster {
    pub gateway: SocketAddr,
    pub key: String,
    folder: tempfile::TempDir,
    models: PathBuf,
    processes: BTreeMap<Victim, Child>,
    /// Killed on purpose, and not to be started by who looks after the rest.
    down: Vec<Victim>,
    nats: NatsServer,
    postgres: PgServer,
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Cluster {
    /// Everything up; `None`, with a word about it, without the servers' programs.
    pub fn start(models: &Path) -> Option<Self> {
        let (nats, postgres) = (NatsServer::start()?, PgServer::start()?);
        let folder = tempfile::Builder::new().prefix("facerec-chaos").tempdir().unwrap();
        let (gateway, detection, second, processing) = (free(), free(), free(), free());
        let config = format!(
            "listen = '{gateway}'\ngate = 'off'\ndatabase = 'postgres://facerec@127.0.0.1:{}/postgres'\ngallery = '{}'\nnats = '{}'\n\
             detection = 'http://{detection}, http://{second}'\ndata_processing = 'http://{processing}'\n\
             [limits]\nrequests_per_second = 1000.0\nburst = 1000.0\n[work]\nlease_ms = 3000\n",
            postgres.port,
            postgres.address("people").display(),
            nats.address(),
        );
        std::fs::write(folder.path().join("config.toml"), config).unwrap();
        for (victim, address) in [(Victim::Detection, detection), (Victim::SecondDetection, second), (Victim::DataProcessing, processing)] {
            std::fs::write(folder.path().join(format!("{victim:?}.toml")), format!("grpc_listen = '{address}'\n")).unwrap();
        }
        let models = models.to_path_buf();
        let (processes, down) = (BTreeMap::new(), Vec::new());
        let mut cluster = Self { gateway, key: String::new(), folder, models, processes, down, nats, postgres };
        cluster.revive(Victim::DataProcessing);
        cluster.revive(Victim::Detection);
        // The first start makes the schema and the first key.
        let mut child = cluster.spawn("gateway", "Gateway", Stdio::piped());
        let key = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map(Result::unwrap)
            .find_map(|line| Some(line.split_once("shown only now: ")?.1.to_owned()));
        cluster.key = key.unwrap_or_else(|| panic!("the gateway does not start: {}", cluster.log("Gateway")));
        cluster.processes.insert(Victim::Gateway, child);
        for victim in Victim::ALL {
            cluster.revive(victim);
        }
        cluster.subscribe();
        Some(cluster)
    }

    /// A webhook that nobody answers: its deliveries are counted.
    fn subscribe(&self) {
        let body = serde_json::json!({"url": "http://127.0.0.1:9/", "secret": "0123456789abcdef", "events": ["*"]}).to_string();
        let request = ureq::post(format!("http://{}/v1/webhooks", self.gateway)).header("authorization", format!("Bearer {}", self.key));
        assert_eq!(request.header("content-type", "application/json").send(body).unwrap().status().as_u16(), 201);
    }

    fn spawn(&self, role: &str, name: &str, stdout: Stdio) -> Child {
        let own = format!("{name}.toml");
        let config = if self.folder.path().join(&own).exists() { &own } else { "config.toml" };
        let log = std::fs::File::options().create(true).append(true).open(self.folder.path().join(format!("{name}.log"))).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_facerec-platform"));
        command.arg(role).arg("--config").arg(self.folder.path().join(config));
        // A folder of its own for each: nothing is shared but through the servers.
        command.arg("--data").arg(self.folder.path().join(name)).env("RUST_LOG", "info").env("FACEREC_MODELS", &self.models);
        command.stdin(Stdio::null()).stdout(stdout).stderr(log).spawn().unwrap()
    }

    fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(format!("{name}.log"))).unwrap_or_default()
    }

    /// What `psql` prints for `sql`.
    pub fn sql(&self, sql: &str) -> String {
        self.postgres.sql(sql)
    }

    /// The keys of the files, finished or not, whose subject is like this.
    pub fn files(&self, subject: &str) -> BTreeSet<String> {
        let start = "$O.facerec-files.C.";
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = async_nats::connect(self.nats.address()).await.unwrap();
            let stream = async_nats::jetstream::new(client).get_stream("OBJ_facerec-files").await.unwrap();
            let found = stream.info_builder().subjects(format!("{start}{subject}")).fetch().await.unwrap();
            let key = |found: (String, usize)| found.0[start.len()..].rsplit_once('.').unwrap().0.replace('.', "/");
            found.map(|found| key(found.unwrap())).collect().await
        })
    }

    /// `kill -9`.
    pub fn kill(&mut self, victim: Victim) {
        self.down.push(victim);
        match victim {
            Victim::Nats => self.nats.kill(),
            Victim::Postgres => self.postgres.murder(),
            _ => {
                if let Some(mut process) = self.processes.remove(&victim) {
                    process.kill().unwrap();
                    process.wait().unwrap();
                }
            }
        }
    }

    /// Starts what does not run.
    pub fn revive(&mut self, victim: Victim) {
        if let Some(role) = victim.role() {
            if !self.processes.contains_key(&victim) {
                let process = self.spawn(role, &format!("{victim:?}"), Stdio::null());
                self.processes.insert(victim, process);
            }
        } else if self.down.contains(&victim) {
            match victim {
                Victim::Nats => self.nats.run(),
                _ => self.postgres.run(),
            }
        }
        self.down.retain(|&other| other != victim);
    }

    /// Starts again whoever ended without being killed.
    pub fn supervise(&mut self) {
        for victim in Victim::ALL {
            let ended = self.processes.get_mut(&victim).is_some_and(|process| process.try_wait().unwrap().is_some());
            if ended && !self.down.contains(&victim) {
                self.processes.remove(&victim);
                self.revive(victim);
            }
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for process in self.processes.values_mut() {
            let _ = process.kill();
            let _ = process.wait();
        }
        if std::thread::panicking() {
            let kept = std::env::temp_dir().join("facerec-chaos-logs");
            let _ = std::fs::remove_dir_all(&kept);
            std::fs::create_dir_all(&kept).unwrap();
            for entry in std::fs::read_dir(self.folder.path()).unwrap().flatten().filter(|entry| entry.path().is_file()) {
                let _ = std::fs::copy(entry.path(), kept.join(entry.file_name()));
            }
            eprintln!("chaos: the logs are kept in {}", kept.display());
        }
    }
}
