//! The configuration: a TOML file, then the environment, then the command line; checked before anything starts.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use facerec_core::QualityGate;
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::inference::MOST_BYTES;

/// Everything that can be set. The defaults bring up the whole platform in one process without any other server.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Folder of everything that is kept: database, files, gallery.
    pub data: PathBuf,
    /// Address and port of the HTTP server.
    pub listen: SocketAddr,
    /// Folder of the web client's static export.
    pub web: PathBuf,
    /// `postgres://...`; empty: SQLite in the data folder. From `FACEREC_PLATFORM_DATABASE` too, so that its password needs no file.
    pub database: String,
    /// Where people are kept: empty for a folder in the data folder, or `postgres://USER@HOST/DATABASE?gallery=NAME` for a
    /// gallery that many processes share. From `FACEREC_PLATFORM_GALLERY` too.
    pub gallery: String,
    /// `nats://HOST:PORT` or `tls://...`, or several separated by commas: JetStream brings jobs and results from process to process
    /// and keeps the files. Empty: the database does the first two, the data folder the third. From `FACEREC_PLATFORM_NATS` too.
    pub nats: String,
    /// Folders with models, searched before `FACEREC_MODELS` and the usual places.
    pub models: Vec<PathBuf>,
    /// The pack of models.
    pub pack: String,
    /// How strict enrolment is: `off`, `standard` or `strict`.
    pub gate: String,
    /// Address of a detection service (`http://HOST:PORT`), or of several separated by commas; empty: in this process.
    pub detection: String,
    /// Address of a data processing service, or of several; empty: in this process.
    pub data_processing: String,
    /// What these services ask of their callers, and what their callers say. From `FACEREC_PLATFORM_SERVICE_TOKEN` too. Needed where
    /// `grpc_listen` can be reached from other machines; empty: nothing is asked.
    pub service_token: String,
    /// Address and port of the gRPC server of the roles `detection` and `data-processing`.
    pub grpc_listen: SocketAddr,
    /// Certificate chain (PEM) of the HTTP and gRPC servers; with `tls_key`.
    pub tls_certificate: Option<PathBuf>,
    /// Private key (PEM) of the certificate.
    pub tls_key: Option<PathBuf>,
    /// Certificate authority (PEM) that a gRPC client trusts, for addresses with `https://`.
    pub tls_authority: Option<PathBuf>,
    /// Origins that may call the HTTP API from their own pages; none by default.
    pub cors_origins: Vec<String>,
    /// What requests may take.
    pub limits: Limits,
    /// How work is done.
    pub work: Work,
}

/// What a request may take.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Largest photo in bytes.
    pub photo_bytes: u64,
    /// Largest photo in pixels.
    pub photo_pixels: u64,
    /// Largest video in bytes.
    pub upload_bytes: u64,
    /// Days until an upload that nobody finished is removed.
    pub keep_uploads_days: u32,
    /// Photos in memory at the same time.
    pub photos_at_once: usize,
    /// Seconds until a request's head, a photo, or the next piece of a video must have come.
    pub patience_s: u64,
    /// Requests a second of one key, in the long run.
    pub requests_per_second: f64,
    /// Requests of one key at once.
    pub burst: f64,
}

/// How work is done.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Work {
    /// Videos looked through at the same time by this process.
    pub query_workers: usize,
    /// Photos enrolled at the same time by this process.
    pub enrolment_workers: usize,
    /// Frames of a video looked at in parallel; 0: the machine's cores.
    pub frames_at_once: usize,
    /// Milliseconds after which a silent worker counts as dead and its job goes to another.
    pub lease_ms: u64,
    /// How often a job is tried. A server that was away does not count against it.
    pub attempts: u32,
    /// Days that refused and failed photos are listed with their reason (their files go at once), and that answers are known for
    /// repeated requests.
    pub keep_days: i64,
    /// Hours from a job's beginning until servers that are away do count against it.
    pub patience_hours: u32,
    /// Milliseconds that a call of detection or embedding waits for others to share its batch.
    pub batch_wait_ms: u64,
    /// Most images of a batch.
    pub batch: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: "platform-data".into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            web: "examples/platform/client/out".into(),
            database: String::new(),
            gallery: String::new(),
            nats: String::new(),
            models: Vec::new(),
            pack: "default".into(),
            gate: "standard".into(),
            detection: String::new(),
            data_processing: String::new(),
            service_token: String::new(),
            grpc_listen: SocketAddr::from(([127, 0, 0, 1], 50051)),
            tls_certificate: None,
            tls_key: None,
            tls_authority: None,
            cors_origins: Vec::new(),
            limits: Limits::default(),
            work: Work::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            photo_bytes: 20 << 20,
            photo_pixels: 50_000_000,
            upload_bytes: 8 << 30,
            keep_uploads_days: 7,
            photos_at_once: 16,
            patience_s: 30,
            requests_per_second: 200.0,
            burst: 400.0,
        }
    }
}

impl Default for Work {
    fn default() -> Self {
        Self {
            query_workers: 1,
            enrolment_workers: 1,
            frames_at_once: 0,
            lease_ms: 15_000,
            attempts: 4,
            keep_days: 30,
            patience_hours: 24,
            batch_wait_ms: 3,
            batch: 16,
        }
    }
}

/// Variables of what may hold passwords: the addresses of `database`, `gallery` and `nats`, and `service_token`. Each may instead be in a
/// file that the variable with `_FILE` after its name names, as orchestrators mount secrets.
pub const SECRETS: [&str; 4] =
    ["FACEREC_PLATFORM_DATABASE", "FACEREC_PLATFORM_GALLERY", "FACEREC_PLATFORM_NATS", "FACEREC_PLATFORM_SERVICE_TOKEN"];

impl Config {
    /// Reads the file, if one is given, and the environment. What is read is not checked yet: the command line comes last.
    ///
    /// # Errors
    /// `config` when the file cannot be read or has an entry that is not known.
    pub fn load(file: Option<&Path>) -> Result<Self> {
        let mut config: Self = match file {
            None => Self::default(),
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|e| Error::Config(format!("cannot read `{}`: {e}", path.display())))?;
                toml::from_str(&text).map_err(|e| Error::Config(format!("`{}`: {e}", path.display())))?
            }
        };
        let settings = [&mut config.database, &mut config.gallery, &mut config.nats, &mut config.service_token];
        for (name, setting) in SECRETS.iter().zip(settings) {
            match (std::env::var(name), std::env::var(format!("{name}_FILE"))) {
                (Ok(value), _) => *setting = value,
                (_, Ok(path)) => {
                    let text = std::fs::read_to_string(&path);
                    *setting = text.map_err(|e| Error::Config(format!("{name}_FILE: cannot read `{path}`: {e}")))?.trim().to_owned();
                }
                _ => {}
            }
        }
        Ok(config)
    }

    /// Refuses what could not work, and says what to mend.
    ///
    /// # Errors
    /// `config`.
    pub fn check(&self) -> Result<()> {
        let require = |good: bool, message: &str| if good { Ok(()) } else { Err(Error::Config(message.to_owned())) };
        self.quality_gate()?;
        let database = self.database.is_empty() || self.database.starts_with("postgres://") || self.database.starts_with("postgresql://");
        require(database, "`database`: expected an address that starts with postgres://, or nothing for SQLite in the data folder")?;
        let nats = self.nats.is_empty() || self.nats.split(',').all(|one| ["nats://", "tls://"].iter().any(|s| one.trim().starts_with(s)));
        require(nats, "`nats`: expected an address that starts with nats:// or tls://, or nothing")?;
        require(
            self.detection.is_empty() == self.data_processing.is_empty(),
            "`detection` and `data_processing` are needed both or neither",
        )?;
        for (name, address) in [("detection", &self.detection), ("data_processing", &self.data_processing)] {
            let one = |one: &str| one.trim().starts_with("http://") || one.trim().starts_with("https://");
            let good = address.is_empty() || address.split(',').all(one);
            require(good, &format!("`{name}`: expected an address such as http://127.0.0.1:50051, or nothing; got `{address}`"))?;
        }
        require(self.tls_certificate.is_some() == self.tls_key.is_some(), "`tls_certificate` and `tls_key` are needed both or neither")?;
        let (limits, work) = (&self.limits, &self.work);
        require(limits.photo_bytes > 0 && limits.upload_bytes > 0 && limits.photos_at_once > 0, "`limits`: sizes must be above 0")?;
        require(limits.keep_uploads_days > 0, "`limits.keep_uploads_days`: expected at least 1")?;
        let fits = self.detection.is_empty() || limits.photo_pixels.saturating_mul(3) < MOST_BYTES as u64;
        require(fits, "`limits.photo_pixels`: a photo of this size is more than one message to `detection` can hold (89,000,000 pixels)")?;
        require(limits.patience_s > 0, "`limits.patience_s`: expected at least 1")?;
        require(limits.requests_per_second > 0.0 && limits.burst >= 1.0, "`limits`: requests_per_second above 0 and burst of at least 1")?;
        require(work.attempts > 0 && work.batch > 0, "`work`: attempts and batch must be at least 1")?;
        require(work.patience_hours > 0, "`work.patience_hours`: expected at least 1")?;
        require(work.lease_ms >= 1000, "`work.lease_ms`: expected at least 1000: shorter ones end while a worker is only busy")?;
        require((1..=36_500).contains(&work.keep_days), "`work.keep_days`: expected 1 to 36500")?;
        require(work.batch_wait_ms <= 1000, "`work.batch_wait_ms`: expected at most 1000")?;
        require(
            self.cors_origins.iter().all(|origin| origin != "*"),
            "`cors_origins`: name each origin; `*` would open the API to any page",
        )
    }

    /// The folder `name` in the data folder, made when missing.
    ///
    /// # Errors
    /// `config`.
    pub fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.data.join(name);
        std::fs::create_dir_all(&path).map_err(|e| Error::Config(format!("`data`: cannot create `{}`: {e}", path.display())))?;
        Ok(path)
    }

    /// The gate of enrolment.
    ///
    /// # Errors
    /// `config` for another word.
    pub fn quality_gate(&self) -> Result<QualityGate> {
        match self.gate.as_str() {
            "off" => Ok(QualityGate::Off),
            "standard" => Ok(QualityGate::Standard),
            "strict" => Ok(QualityGate::Strict),
            other => Err(Error::Config(format!("`gate`: expected off, standard or strict, got `{other}`"))),
        }
    }

    /// The time that a worker may be silent.
    pub fn lease(&self) -> Duration {
        Duration::from_millis(self.work.lease_ms)
    }

    /// The time until something that a caller sends must have come.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(self.limits.patience_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_good_and_mistakes_are_named() {
        Config::default().check().unwrap();
        let read =
            |text: &str| toml::from_str::<Config>(text).map_err(|e| e.to_string()).and_then(|c| c.check().map_err(|e| e.to_string()));
        read("listen = '0.0.0.0:80'\n[limits]\nphoto_bytes = 1000").unwrap();
        for (text, named) in [
            ("databse = 'x'", "databse"),
            ("database = 'mysql://x'", "database"),
            ("nats = 'localhost:4222'", "nats"),
            ("gate = 'mild'", "mild"),
            ("detection = 'localhost:1'\ndata_processing = 'http://x:1'", "detection"),
            ("detection = 'http://x:1'", "data_processing"),
            ("detection = 'http://x:1'\ndata_processing = 'http://x:1'\n[limits]\nphoto_pixels = 100000000", "photo_pixels"),
            ("tls_key = 'k.pem'", "tls_certificate"),
            ("cors_origins = ['*']", "cors_origins"),
            ("[work]\nlease_ms = 10", "lease_ms"),
            ("[work]\nkeep_days = 0", "keep_days"),
            ("[limits]\nburst = 0.0", "burst"),
            ("[limits]\nkeep_uploads_days = 0", "keep_uploads_days"),
            ("[work]\npatience_hours = 0", "patience_hours"),
            ("listen = 'here'", "listen"),
        ] {
            let message = read(text).unwrap_err();
            assert!(message.contains(named), "{text}: {message}");
        }
    }
}
