//! Certificates for the HTTP and gRPC servers and clients.

use std::path::Path;
use std::sync::Arc;

use axum_server::tls_rustls::RustlsConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::Config;
use crate::error::{Error, Result};

/// What the HTTP server needs for https; `None` without a certificate.
///
/// # Errors
/// `config` when a file cannot be read or used.
pub fn http(config: &Config) -> Result<Option<RustlsConfig>> {
    let (Some(certificate), Some(key)) = (&config.tls_certificate, &config.tls_key) else { return Ok(None) };
    let bad = |path: &Path, reason: String| Error::Config(format!("`{}`: {reason}", path.display()));
    let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|error| bad(certificate, format!("expected certificates in PEM: {error}")))?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| bad(key, format!("expected a private key in PEM: {error}")))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Error::Config(format!("TLS: {error}")))?;
    let mut server = builder
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|error| bad(certificate, format!("certificate and key do not fit: {error}")))?;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(RustlsConfig::from_config(Arc::new(server))))
}
