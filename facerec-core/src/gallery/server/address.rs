//! The address of a gallery on a server: what to connect to, how it may be shown, and where the password comes from.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::error::{Error, Result};
use crate::gallery::index::IndexKind;

/// How long one statement may take, unless the address says `timeout_s`: an exact search of millions of faces takes seconds.
const STATEMENT_TIMEOUT_S: u32 = 60;
/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A server that vanishes without a word is noticed after 10 s + 3 x 5 s.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(10), Duration::from_secs(5), 3);
/// Connections that one opened gallery makes at most, unless the address says `pool`.
const POOL: u32 = 8;
/// Longest name of a gallery: PostgreSQL's names have 63 bytes.
const MAX_GALLERY: usize = 40;
const EXPECTED: &str = "expected postgres://USER@HOST:PORT/DATABASE?gallery=NAME";

/// Which search the address asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Every face is compared, also when the gallery has a graph.
    Exact,
    /// A graph (HNSW) is made when there is none.
    Hnsw,
}

/// Where a gallery is and how to get there.
pub(super) struct Address {
    pub(super) config: Config,
    /// Without its password.
    pub(super) shown: PathBuf,
    pub(super) gallery: String,
    /// `None`: the graph if the gallery has one.
    pub(super) kind: Option<Kind>,
    /// PEM file of the certificate authorities to trust instead of the public ones.
    pub(super) roots: Option<PathBuf>,
    pub(super) statement_timeout_s: u32,
    pub(super) pool: usize,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address").field("shown", &self.shown).finish_non_exhaustive()
    }
}

impl Address {
    /// Reads an address. Passwords come from it, else from `PGPASSWORD`, else from the password file (`passfile`, `PGPASSFILE` or
    /// `~/.pgpass`, as every PostgreSQL client reads it).
    ///
    /// # Errors
    /// `invalid_argument`, never with the address in it: it may hold a password.
    pub(super) fn parse(path: &Path) -> Result<Self> {
        let text = path.to_str().ok_or_else(|| wrong("something that is not UTF-8"))?;
        check_encoded(text)?;
        let (place, query) = text.split_once('?').unwrap_or((text, ""));
        let (mut gallery, mut sslmode, mut roots, mut passfile, mut kind) = (String::from("default"), None, None, None, None);
        let (mut statement_timeout_s, mut pool) = (STATEMENT_TIMEOUT_S, POOL);
        let mut rest = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, raw) = pair.split_once('=').ok_or_else(|| wrong("a parameter without `=`"))?;
            let value = decode(raw)?;
            match key {
                "gallery" => gallery = value,
                "sslmode" => sslmode = Some(value),
                "sslrootcert" => roots = Some(PathBuf::from(value)),
                "passfile" => passfile = Some(PathBuf::from(value)),
                "timeout_s" => statement_timeout_s = number(key, &value, 86_400)?,
                "pool" => pool = number(key, &value, 1000)?,
                "index" => kind = kind_of(&value)?,
                _ => rest.push(pair),
            }
        }
        check_gallery(&gallery)?;
        let plain = if rest.is_empty() { place.to_owned() } else { format!("{place}?{}", rest.join("&")) };
        let mut config: Config = plain.parse().map_err(|e: tokio_postgres::Error| wrong(&e.to_string()))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(wrong("no host"));
        }
        config.ssl_mode(tls_mode(sslmode.as_deref(), &config)?);
        if config.get_password().is_none()
            && let Some(password) = std::env::var("PGPASSWORD").ok().filter(|p| !p.is_empty()).or_else(|| from_file(passfile, &config))
        {
            config.password(password);
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        let (idle, interval, retries) = KEEPALIVE;
        config.keepalives_idle(idle).keepalives_interval(interval).keepalives_retries(retries).tcp_user_timeout(idle + interval * retries);
        if config.get_application_name().is_none() {
            config.application_name("facerec");
        }
        let shown = PathBuf::from(shown(text));
        Ok(Self { config, shown, gallery, kind, roots, statement_timeout_s, pool: pool as usize })
    }

    /// Searches as the options ask, which win over the address.
    pub(super) fn search_by(mut self, index: IndexKind) -> Result<Self> {
        match index {
            IndexKind::Auto => {}
            IndexKind::Flat => self.kind = Some(Kind::Exact),
            IndexKind::Hnsw => self.kind = Some(Kind::Hnsw),
            other => {
                return Err(Error::argument(
                    "index",
                    format!("expected auto, flat or hnsw for a gallery on a server, got `{}`", other.code()),
                ));
            }
        }
        Ok(self)
    }

    /// How long a connection may take to be made.
    pub(super) fn connect_timeout(&self) -> Duration {
        self.config.get_connect_timeout().copied().unwrap_or(CONNECT_TIMEOUT)
    }

    /// The schema that holds the gallery. Its characters were checked: it may stand in SQL between double quotes.
    pub(super) fn schema(&self) -> String {
        format!("facerec_{}", self.gallery)
    }
}

fn wrong(got: &str) -> Error {
    Error::argument("gallery", format!("{EXPECTED}, got `{got}`"))
}

/// Refuses a password with a character that ends it: otherwise it becomes a wrong host or a wrong database, without a word.
fn check_encoded(text: &str) -> Result<()> {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let Some((user, after)) = rest.split_once('@').filter(|(user, _)| user.contains(':')) else { return Ok(()) };
    if user.split_once('?').is_some_and(|(_, parameters)| parameters.contains('=')) {
        return Ok(());
    }
    let breaks = |c: &char| matches!(c, '/' | '?' | '#' | '[' | ']') || c.is_whitespace();
    let again = after.split(['/', '?']).next().unwrap_or_default().contains('@').then_some('@');
    let Some(bad) = user.chars().find(breaks).or(again) else { return Ok(()) };
    let (expected, code) = ("expected a password whose special characters are encoded", format!("%{:02X}", bad as u32));
    Err(Error::argument("gallery", format!("{expected}, got `{bad}` in it: write `{code}` instead")))
}

fn number(key: &str, value: &str, most: u32) -> Result<u32> {
    let number = value.parse().ok().filter(|n| (1..=most).contains(n));
    number.ok_or_else(|| Error::argument("gallery", format!("expected `{key}` from 1 to {most} in the address, got `{value}`")))
}

fn kind_of(value: &str) -> Result<Option<Kind>> {
    match value {
        "auto" => Ok(None),
        "exact" => Ok(Some(Kind::Exact)),
        "hnsw" => Ok(Some(Kind::Hnsw)),
        other => Err(Error::argument("gallery", format!("expected `index` to be auto, exact or hnsw on a server, got `{other}`"))),
    }
}

fn check_gallery(name: &str) -> Result<()> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    if (1..=MAX_GALLERY).contains(&name.len()) && name.chars().all(good) {
        return Ok(());
    }
    let expected = format!("expected `gallery` to be 1 to {MAX_GALLERY} of a-z 0-9 _ -");
    Err(Error::argument("gallery", format!("{expected}, got `{name}`")))
}

/// Faces and passwords do not travel in the clear unless the address says so: without `sslmode`, TLS is required for every host
/// but this machine's own. Where TLS is used, the certificate and the host's name are always checked, so `require` here means
/// what other clients call `verify-full`; there is no mode that encrypts without knowing to whom.
fn tls_mode(asked: Option<&str>, config: &Config) -> Result<SslMode> {
    let here = |host: &Host| match host {
        Host::Tcp(name) => name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback()),
        #[cfg(unix)]
        Host::Unix(_) => true,
    };
    let all_here = config.get_hosts().iter().all(here) && config.get_hostaddrs().iter().all(std::net::IpAddr::is_loopback);
    match asked {
        None if all_here => Ok(SslMode::Disable),
        Some("disable") => Ok(SslMode::Disable),
        Some("prefer") => Ok(SslMode::Prefer),
        None | Some("require" | "verify-ca" | "verify-full") => Ok(SslMode::Require),
        Some(other) => {
            let expected = "expected `sslmode` to be disable, prefer, require or verify-full";
            Err(Error::argument("gallery", format!("{expected}, got `{other}`")))
        }
    }
}

/// The address without its password. Whatever stands between the user's name and the last `@` goes, so that a password
/// which should have been percent-encoded is not shown in part.
fn shown(text: &str) -> String {
    let (place, query) = text.split_once('?').map_or((text, ""), |(place, query)| (place, query));
    let start = place.find("://").map_or(0, |at| at + 3);
    let (scheme, rest) = place.split_at(start);
    let rest = match rest.rsplit_once('@') {
        Some((user, host)) => format!("{}@{host}", user.split(':').next().unwrap_or_default()),
        None => rest.to_owned(),
    };
    // `rest` of an address whose password holds a `?` would be a part of it.
    let query = query.rsplit_once('@').map_or(query, |(_, after)| after);
    let keep = |pair: &&str| !pair.is_empty() && !pair.to_ascii_lowercase().starts_with("pass");
    let pairs: Vec<&str> = query.split('&').filter(keep).collect();
    let mark = if pairs.is_empty() { "" } else { "?" };
    format!("{scheme}{rest}{mark}{}", pairs.join("&"))
}

/// Resolves `%41`.
fn decode(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let value = match byte {
            b'%' => {
                let hex = |digit: Option<u8>| digit.and_then(|d| char::from(d).to_digit(16));
                let (high, low) = (hex(rest.next()), hex(rest.next()));
                high.zip(low).map(|(h, l)| (h * 16 + l) as u8).ok_or_else(|| wrong("a `%` without two hex digits"))?
            }
            other => other,
        };
        bytes.push(value);
    }
    String::from_utf8(bytes).map_err(|_| wrong("bytes that are not UTF-8"))
}

/// The password of PostgreSQL's password file: lines of `host:port:database:user:password`, `*` for any.
fn from_file(asked: Option<PathBuf>, config: &Config) -> Option<String> {
    let usual = || std::env::home_dir().map(|home| home.join(".pgpass"));
    let path = asked.or_else(|| std::env::var_os("PGPASSFILE").map(PathBuf::from)).or_else(usual)?;
    let text = std::fs::read_to_string(&path).ok()?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if std::fs::metadata(&path).is_ok_and(|data| data.mode() & 0o077 != 0) {
            tracing::warn!(passfile = %path.display(), "the password file is ignored: others may read it; make it u=rw (0600)");
            return None;
        }
    }
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        _ => "localhost".into(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432).to_string();
    let user = config.get_user()?;
    password_of(&text, [&host, &port, config.get_dbname().unwrap_or(user), user])
}

fn password_of(text: &str, wanted: [&str; 4]) -> Option<String> {
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let fields = fields_of(line);
        let fits = fields.len() == 5 && fields.iter().zip(wanted).all(|(field, wanted)| field == "*" || field == wanted);
        fits.then(|| fields.into_iter().next_back()).flatten()
    })
}

/// Splits at colons that no backslash stands before; the fifth field is the rest.
fn fields_of(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        let last = fields.len() - 1;
        match character {
            '\\' => fields[last].extend(characters.next()),
            ':' if fields.len() < 5 => fields.push(String::new()),
            other => fields[last].push(other),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Address> {
        Address::parse(Path::new(text))
    }

    #[test]
    fn an_address_is_read_and_shown_without_its_password() {
        let address = parse("postgres://ana:s%3Acret@db.example:5433/faces?gallery=site-2&index=hnsw&password=again").expect("an address");
        assert_eq!(address.shown, Path::new("postgres://ana@db.example:5433/faces?gallery=site-2&index=hnsw"));
        assert_eq!((address.schema().as_str(), address.kind), ("facerec_site-2", Some(Kind::Hnsw)));
        assert_eq!(address.config.get_password(), Some(b"again".as_slice()));
        assert!(!format!("{address:?} {:?}", address.config).contains("cret"), "{address:?}");
        for (secret, code) in [
            ("postgres://ana:p@ss@h/d", "`@` in it: write `%40`"),
            ("postgres://ana:p/ss@h/d", "`%2F`"),
            ("postgres://ana:p?ss@h/d", "`%3F`"),
            ("postgres://ana:p#ss@h/d?gallery=a", "`%23`"),
            ("postgres://ana:p ss@h/d", "`%20`"),
        ] {
            assert!(!shown(secret).contains("ss@") && !shown(secret).contains("p@"), "{}", shown(secret));
            let error = parse(secret).expect_err(secret).to_string();
            assert!(error.contains(code) && !error.contains("ss@") && !error.contains("ana"), "{error}");
        }
        for fine in ["postgres://ana@h:1/d?password=p@ss", "postgres://h:1/d?user=ana&password=p@ss", "postgres://ana:p%40ss@h/d"] {
            assert!(parse(fine).is_ok(), "{fine}");
        }
    }

    #[test]
    fn nothing_travels_in_the_clear_unless_it_is_said() {
        let mode = |text: &str| parse(text).expect("an address").config.get_ssl_mode();
        assert_eq!(mode("postgres://a@db.example/d"), SslMode::Require);
        assert_eq!(mode("postgres://a@db.example/d?sslmode=disable"), SslMode::Disable);
        assert_eq!(mode("postgres://a@db.example/d?sslmode=verify-full"), SslMode::Require);
        assert_eq!(mode("postgresql://a@127.0.0.1/d"), SslMode::Disable);
        assert_eq!(mode("postgresql://a@localhost,db.example/d"), SslMode::Require);
        assert_eq!(mode("postgres:///d?host=/run/postgresql"), SslMode::Disable);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for bad in [
            "postgres://",
            "postgres:///d",
            "postgres://a@h/d?gallery=",
            "postgres://a@h/d?gallery=A%22;drop",
            "postgres://a@h/d?sslmode=allow",
            "postgres://a@h/d?index=ivf",
            "postgres://a@h/d?pool=0",
            "postgres://a@h/d?timeout_s=x",
            "postgres://a@h/d?colour=red",
            "postgres://a@h/d?gallery=%4",
            "postgres://a@h/d?gallery",
        ] {
            assert_eq!(parse(bad).expect_err(bad).kind().code(), "invalid_argument", "{bad}");
        }
    }

    #[test]
    fn the_password_file_is_read_as_postgresql_does() {
        let text = "# a comment\nother:*:*:ana:no\ndb:5432:faces:ana:s\\:e:cret\n*:*:*:*:last\n";
        assert_eq!(password_of(text, ["db", "5432", "faces", "ana"]).as_deref(), Some("s:e:cret"));
        assert_eq!(password_of(text, ["db", "1", "faces", "ana"]).as_deref(), Some("last"));
        assert_eq!(password_of("db:5432:faces:ana", ["db", "5432", "faces", "ana"]), None);
    }
}
