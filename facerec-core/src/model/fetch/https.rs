//! Downloads that resume.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use ureq::http::{Response, StatusCode, header};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

use super::FetchOptions;
use crate::error::{Error, Result};

/// How often a connection that broke is taken up again, each time only when it brought something.
const ATTEMPTS: usize = 8;

/// Downloads over https (and http where an address says so), with the options of one fetch.
pub(super) struct Client {
    secure: Agent,
    plain: Agent,
}

/// What became of one connection.
enum Outcome {
    Complete,
    /// The connection broke or the server went silent; what came is kept.
    Broken(io::Error),
}

impl Client {
    pub(super) fn new(options: &FetchOptions) -> Result<Self> {
        let mut tls = TlsConfig::builder();
        if let Some(file) = &options.root_certificate {
            let pem = fs::read(file).map_err(|error| Error::io("read", file, error))?;
            let certificates: Vec<_> = parse_pem(&pem)
                .filter_map(|item| item.ok())
                .filter_map(|item| if let PemItem::Certificate(c) = item { Some(c) } else { None })
                .collect();
            if certificates.is_empty() {
                return Err(Error::argument(
                    "root_certificate",
                    format!("expected certificates in PEM, got none in `{}`", crate::text::escape_path(file)),
                ));
            }
            tls = tls.root_certs(RootCerts::new_with_certs(&certificates));
        }
        let tls = tls.build();
        // What starts with https is not redirected to http.
        let agent = |https_only| -> Agent {
            let config = Agent::config_builder()
                .https_only(https_only)
                .tls_config(tls.clone())
                .timeout_connect(Some(options.connect_timeout))
                .timeout_per_read(Some(options.idle_timeout))
                .timeout_per_write(Some(options.idle_timeout))
                .http_status_as_error(false)
                .user_agent(concat!("facerec/", env!("CARGO_PKG_VERSION")));
            config.build().into()
        };
        Ok(Self { secure: agent(true), plain: agent(false) })
    }

    /// Downloads `url` to `part`, from where an earlier download stopped if the server can. `size`: the bytes it must have, `limit`: may have at most.
    /// Returns whether bytes of an earlier download are part of it.
    pub(super) fn download(
        &self,
        url: &str,
        part: &Path,
        size: Option<u64>,
        limit: u64,
        report: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<bool> {
        let failed = |error: io::Error| Error::io("fetch", url, error);
        let mut resumed = length(part) > 0;
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            let before = length(part);
            if size == Some(before) {
                report(before, size);
                return Ok(resumed);
            }
            let response = self.request(url, before).map_err(failed)?;
            let start = match response.status() {
                StatusCode::OK => 0,
                StatusCode::PARTIAL_CONTENT if range_start(&response) == Some(before) => before,
                // What is there is no beginning of what the server has (any more).
                StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::PARTIAL_CONTENT if before > 0 => {
                    super::remove(part)?;
                    resumed = false;
                    continue;
                }
                status => return Err(failed(io::Error::other(format!("the server answered `{status}`")))),
            };
            resumed &= start > 0;
            match receive(response, part, start, size, limit, report)
                .map_err(|error| if error.1 { failed(error.0) } else { Error::io("write", part, error.0) })?
            {
                Outcome::Complete => return Ok(resumed),
                Outcome::Broken(error) if length(part) <= before.max(start) => return Err(failed(error)),
                Outcome::Broken(error) => {
                    tracing::debug!(url, %error, received = length(part), "the connection broke, going on");
                    last = error.to_string();
                }
            }
        }
        Err(failed(io::Error::other(format!("the connection broke {ATTEMPTS} times ({last}); what came is kept for the next fetch"))))
    }

    fn request(&self, url: &str, from: u64) -> io::Result<Response<Body>> {
        let agent = if url.starts_with("http:") { &self.plain } else { &self.secure };
        // Compressed, a range would be one of the compressed bytes.
        let mut request = agent.get(url).header(header::ACCEPT_ENCODING, "identity");
        if from > 0 {
            request = request.header(header::RANGE, format!("bytes={from}-"));
        }
        request.call().map_err(ureq::Error::into_io)
    }
}

/// Writes the body to `part` from byte `start` on. The error says whether the server is to blame (or else the disk).
fn receive(
    response: Response<Body>,
    part: &Path,
    start: u64,
    size: Option<u64>,
    limit: u64,
    report: &mut dyn FnMut(u64, Option<u64>),
) -> Result<Outcome, (io::Error, bool)> {
    let disk = |error| (error, false);
    let announced =
        response.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok()).map(|rest| start + rest);
    let total = size.or(announced);
    let too_long = || (io::Error::new(io::ErrorKind::InvalidData, format!("expected at most {limit} bytes, got more")), true);
    if announced.is_some_and(|announced| announced > limit) {
        return Err(too_long());
    }
    let mut file = OpenOptions::new().create(true).write(true).truncate(start == 0).append(start > 0).open(part).map_err(disk)?;
    let mut body = response.into_body().into_reader();
    let (mut received, mut buffer) = (start, vec![0; 1 << 16]);
    report(received, total);
    loop {
        match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                received += read as u64;
                if received > limit {
                    return Err(too_long());
                }
                file.write_all(&buffer[..read]).map_err(disk)?;
                report(received, total);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Ok(Outcome::Broken(error)),
        }
    }
    if announced.is_some_and(|announced| received < announced) {
        return Ok(Outcome::Broken(io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(Outcome::Complete)
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |data| data.len())
}

/// The first byte of a partial answer: 100 of `bytes 100-199/200`.
fn range_start(response: &Response<Body>) -> Option<u64> {
    let value = response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    value.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}
