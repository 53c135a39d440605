//! TLS on HTTP, gRPC and to NATS, with certificates made for the test.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use facerec_platform::config::Config;
use facerec_platform::inference::client;
use facerec_platform::{nats, run};
use tokio::sync::{oneshot, watch};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::harness::{config, start};
use super::nats_server::NatsServer;
use super::people::vision;

/// The folder's certificate for localhost, which is its own authority, and its key.
fn certificate(folder: &Path) -> (PathBuf, PathBuf) {
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    if !key.exists() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    }
    (certificate, key)
}

fn with_tls(mut config: Config, folder: &Path) -> Config {
    let (certificate, key) = certificate(folder);
    (config.tls_certificate, config.tls_key) = (Some(certificate), Some(key));
    config.check().unwrap();
    config
}

#[test]
fn https_is_answered_and_plain_http_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let config = with_tls(config(folder.path()), folder.path());
    let pem = std::fs::read(config.tls_certificate.as_ref().unwrap()).unwrap();
    let platform = start(config);
    let ask = |roots: RootCerts, scheme: &str| {
        let tls = TlsConfig::builder().root_certs(roots).build();
        let agent = ureq::Agent::config_builder().tls_config(tls).timeout_global(Some(Duration::from_secs(10))).build();
        let url = format!("{scheme}://localhost:{}/healthz", platform.address.port());
        ureq::Agent::new_with_config(agent).get(url).call().map(|answer| answer.status().as_u16())
    };
    let ours = RootCerts::Specific(Arc::new(vec![Certificate::from_pem(&pem).unwrap()]));
    assert_eq!(ask(ours.clone(), "https").unwrap(), 200);
    assert!(ask(RootCerts::WebPki, "https").is_err(), "an authority that nobody knows");
    assert!(ask(ours, "http").is_err());
}

#[test]
fn files_that_are_no_certificates_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = with_tls(config(folder.path()), folder.path());
    std::fs::write(config.tls_key.as_ref().unwrap(), "no key").unwrap();
    let message = facerec_platform::tls::http(&config).unwrap_err().to_string();
    assert!(message.contains("key.pem"), "{message}");
    config.tls_certificate = Some(folder.path().join("nothing.pem"));
    let message = facerec_platform::tls::http(&config).unwrap_err().to_string();
    assert!(message.contains("nothing.pem"), "{message}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_are_called_over_tls_by_who_trusts_them() {
    let folder = tempfile::tempdir().unwrap();
    let (stop, stopped) = watch::channel(false);
    let mut addresses = Vec::new();
    for service in [run::Service::Detection, run::Service::DataProcessing] {
        let mut config = with_tls(config(folder.path()), folder.path());
        config.grpc_listen = ([127, 0, 0, 1], 0).into();
        let (send, started) = oneshot::channel();
        let stopped = stopped.clone();
        tokio::spawn(async move { run::serve(service, config, vision(), stopped, |address| send.send(address).unwrap()).await.unwrap() });
        addresses.push(format!("https://localhost:{}", started.await.unwrap().port()));
    }
    let mut config = config(folder.path());
    (config.detection, config.data_processing) = (addresses[0].clone(), addresses[1].clone());
    config.tls_authority = Some(certificate(folder.path()).0);
    let remote = client::connect(&config).await.unwrap();
    let seen = tokio::task::spawn_blocking(move || {
        let picture = super::people::picture(&[(super::people::RED, 10)]);
        remote.analyzer().embed(&picture).map(|faces| faces.len())
    });
    assert_eq!(seen.await.unwrap().unwrap(), 1);
    stop.send_replace(true);
}

#[tokio::test]
async fn nats_is_reached_over_tls_by_who_trusts_it() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = certificate(folder.path());
    let options = ["--tls", "--tlscert", certificate.to_str().unwrap(), "--tlskey", key.to_str().unwrap()];
    let Some(server) = NatsServer::start_with(&options) else { return };
    let mut config = config(folder.path());
    config.nats = format!("tls://localhost:{}", server.port());
    assert!(nats::connect(&config).await.is_err(), "an authority that nobody knows");
    config.tls_authority = Some(certificate);
    nats::connect(&config).await.unwrap();
    let Some(without) = NatsServer::start_without_jetstream() else { return };
    config.nats = without.address();
    let message = nats::connect(&config).await.unwrap_err().to_string();
    assert!(message.contains("--jetstream"), "{message}");
    config.nats = "nats://127.0.0.1:1".into();
    let message = nats::connect(&config).await.unwrap_err().to_string();
    assert!(message.contains("`nats`"), "{message}");
}
