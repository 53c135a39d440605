//! A server's double that stands between a client and PostgreSQL, and does what networks do: cuts a connection at the commit, or
//! wraps it in TLS.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;

/// What happens to the next `COMMIT`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    Never,
    /// It does not reach the server.
    Before,
    /// As `Before`, and whoever connects has to wait until the next [`Between::cut`].
    BeforeAndWait,
    /// It reaches the server; the answer does not come back.
    After,
    /// As `After`, and nobody gets through from then on.
    AfterForGood,
}

const CUTS: [Cut; 5] = [Cut::Never, Cut::Before, Cut::BeforeAndWait, Cut::After, Cut::AfterForGood];

pub(crate) struct Between {
    pub(crate) port: u16,
    cut: Arc<AtomicU8>,
    pub(crate) commits: Arc<AtomicUsize>,
}

impl Between {
    pub(crate) fn new(upstream: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (cut, commits) = (Arc::new(AtomicU8::new(0)), Arc::new(AtomicUsize::new(0)));
        let (armed, seen) = (Arc::clone(&cut), Arc::clone(&commits));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let now = || CUTS[usize::from(armed.load(Ordering::SeqCst))];
                while now() == Cut::BeforeAndWait && seen.load(Ordering::SeqCst) > 0 {
                    std::thread::sleep(Duration::from_millis(5));
                }
                if now() == Cut::AfterForGood && seen.load(Ordering::SeqCst) > 0 {
                    continue;
                }
                let server = TcpStream::connect(("127.0.0.1", upstream)).unwrap();
                let back = (server.try_clone().unwrap(), client.try_clone().unwrap());
                let (armed, seen) = (Arc::clone(&armed), Arc::clone(&seen));
                std::thread::spawn(move || copy(back.0, back.1, |_| true));
                std::thread::spawn(move || {
                    let gate = client.try_clone().unwrap();
                    copy(client, server, move |bytes| {
                        let now = CUTS[usize::from(armed.load(Ordering::SeqCst))];
                        if now == Cut::Never || !bytes.windows(7).any(|seven| seven == b"COMMIT\0") {
                            return true;
                        }
                        seen.fetch_add(1, Ordering::SeqCst);
                        if matches!(now, Cut::Before | Cut::After) {
                            armed.store(0, Ordering::SeqCst);
                        }
                        gate.shutdown(Shutdown::Both).unwrap();
                        matches!(now, Cut::After | Cut::AfterForGood)
                    });
                });
            }
        });
        Self { port, cut, commits }
    }

    pub(crate) fn cut(&self, when: Cut) {
        self.commits.store(0, Ordering::SeqCst);
        self.cut.store(CUTS.iter().position(|cut| *cut == when).unwrap() as u8, Ordering::SeqCst);
    }
}

/// Hands on what comes, as long as `pass` lets it.
fn copy(mut from: TcpStream, mut to: TcpStream, mut pass: impl FnMut(&[u8]) -> bool) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if !pass(&buffer[..count]) || to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    // The server sees the end after what was sent to it.
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

/// Speaks TLS with clients and plainly with the server behind it. Returns its port and its certificate in PEM.
pub(crate) fn tls_front(upstream: u16) -> (u16, String) {
    let certificate = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(certificate.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let config = Arc::clone(&config);
            std::thread::spawn(move || {
                // PostgreSQL's question for TLS: 8 bytes, and `S` for yes.
                let mut question = [0; 8];
                client.read_exact(&mut question).ok()?;
                assert_eq!(question, [0, 0, 0, 8, 4, 210, 22, 47]);
                client.write_all(b"S").ok()?;
                let server = TcpStream::connect(("127.0.0.1", upstream)).ok()?;
                client.set_read_timeout(Some(Duration::from_millis(2))).ok()?;
                let stream = rustls::StreamOwned::new(rustls::ServerConnection::new(config).ok()?, client);
                both_ways(stream, server)
            });
        }
    });
    (port, certificate.cert.pem())
}

fn both_ways(mut stream: rustls::StreamOwned<rustls::ServerConnection, TcpStream>, mut server: TcpStream) -> Option<()> {
    server.set_read_timeout(Some(Duration::from_millis(2))).ok()?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return None,
            Ok(count) => server.write_all(&buffer[..count]).ok()?,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return None,
        }
        match server.read(&mut buffer) {
            Ok(0) => return None,
            Ok(count) => stream.write_all(&buffer[..count]).ok()?,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return None,
        }
    }
}
