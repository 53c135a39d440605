//! The program `facerec-platform`: a role per service, or all of them in one process.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use facerec_core::text::{escape_json, without_secrets};
use facerec_platform::config::Config;
use facerec_platform::error::Result;
use facerec_platform::run::{self, Roles, Service};
use facerec_platform::vision::Vision;
use tokio::sync::watch;

/// facerec as services.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    role: Role,
    /// Configuration file (TOML).
    #[arg(long, global = true, env = "FACEREC_PLATFORM_CONFIG")]
    config: Option<PathBuf>,
    /// Folder of everything that is kept.
    #[arg(long, global = true)]
    data: Option<PathBuf>,
    /// Address and port of the HTTP server.
    #[arg(long, global = true)]
    listen: Option<SocketAddr>,
    /// Address and port of the gRPC server.
    #[arg(long, global = true)]
    grpc_listen: Option<SocketAddr>,
    /// Folder of the web client's static export.
    #[arg(long, global = true)]
    web: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Role {
    /// Every role in this process, without any other server.
    All,
    /// Only the HTTP API; needs database and gallery on a server, as do the next three.
    Gateway,
    /// Only enrolment workers.
    Enrolment,
    /// Only query workers.
    Query,
    /// Only the forwarder; one at a time.
    Forwarder,
    /// Only detection, as a gRPC service.
    Detection,
    /// Only embedding and a gallery, as a gRPC service.
    DataProcessing,
    /// Make a further admin key, show it, and end: for whoever has lost all of them.
    Key,
    /// Check the configuration and end.
    Check,
}

fn main() -> ExitCode {
    let log = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().json().flatten_event(true).with_writer(|| Escaped(std::io::stderr())).with_env_filter(log).init();
    match start(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(code = error.code(), %error, "facerec-platform ends");
            ExitCode::FAILURE
        }
    }
}

fn start(arguments: Arguments) -> Result<()> {
    let mut config = Config::load(arguments.config.as_deref())?;
    config.data = arguments.data.unwrap_or(config.data);
    config.listen = arguments.listen.unwrap_or(config.listen);
    config.grpc_listen = arguments.grpc_listen.unwrap_or(config.grpc_listen);
    config.web = arguments.web.unwrap_or(config.web);
    config.check()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match arguments.role {
        Role::Check => return Ok(()),
        Role::Key => return runtime.block_on(run::further_key(&config)).map(|key| say(&format!("API key (admin), shown only now: {key}"))),
        _ => {}
    }
    let scheme = if config.tls_certificate.is_some() { "https" } else { "http" };
    runtime.block_on(async {
        let (stopper, stop) = watch::channel(false);
        tokio::spawn(async move {
            interrupted().await;
            tracing::info!("ends when the work at hand is given back");
            stopper.send_replace(true);
        });
        let none = Roles::default();
        let roles = match arguments.role {
            Role::Gateway => Roles { gateway: true, ..none },
            Role::Enrolment => Roles { enrolment: true, ..none },
            Role::Query => Roles { query: true, ..none },
            Role::Forwarder => Roles { forwarder: true, ..none },
            Role::All | Role::Key | Role::Check => Roles::ALL,
            Role::Detection | Role::DataProcessing => none,
        };
        let service = match arguments.role {
            Role::Detection => Service::Detection,
            Role::DataProcessing => Service::DataProcessing,
            _ => {
                let vision = run::vision(&config).await?;
                return run::platform(roles, config, vision, stop, |address, key| announce(scheme, address, key)).await;
            }
        };
        let vision = Vision::open(&config)?;
        run::serve(service, config, vision, stop, |address| announce(scheme, Some(address), None)).await
    })
}

/// What a person who starts it wants to know.
fn announce(scheme: &str, address: Option<SocketAddr>, key: Option<String>) {
    say(&address.map_or("works".to_owned(), |address| format!("{scheme}://{address}/")));
    if let Some(key) = key {
        say(&format!("first API key (admin), shown only now: {key}"));
    }
}

/// On standard output: the log is on standard error.
#[allow(clippy::print_stdout)]
fn say(text: &str) {
    println!("facerec-platform: {text}");
}

/// Waits for Ctrl-C or the signal that service managers send.
async fn interrupted() {
    let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// Writes log lines so that a terminal only shows what they quote, without the secrets of addresses.
struct Escaped<W>(W);

impl<W: Write> Write for Escaped<W> {
    /// `line` is a whole one, of JSON: the subscriber collects it first.
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        self.0.write_all(escape_json(&without_secrets(&text)).as_bytes()).map(|()| line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}
