//! One connection, and the thread that carries all of them.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::address::Address;
use super::failure::Failure;
use super::pool::Extension;
use super::tls;
use super::wait::{wait, wait_while};
use crate::error::{Error, Result};

/// How often the server must show that it lives while it works on something without a limit of time.
pub(super) const ALIVE_EVERY: Duration = Duration::from_secs(10);
/// Memory for building a graph; PostgreSQL's own 64 MB make it many times slower.
const TO_MAINTAIN: &str = "-c maintenance_work_mem=512MB -c statement_timeout=0";

/// What makes connections, and the thread that reads and writes them.
pub(super) struct Network {
    /// Always there but while it is dropped.
    runtime: Option<Runtime>,
    tls: MakeRustlsConnect,
    /// How long a connection may take to be made, with the server's first answer.
    pub(super) connect_limit: Duration,
}

impl Drop for Network {
    fn drop(&mut self) {
        // Without waiting for it: the caller may be inside another runtime, which would not allow that.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

pub(super) struct Connection {
    client: Client,
    /// Not to be used by the next one.
    pub(super) spent: bool,
}

impl Network {
    pub(super) fn new(address: &Address) -> Result<Self> {
        let tls = tls::connector(address.roots.as_deref())?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("facerec-postgres").enable_all().build();
        let runtime = runtime.map_err(|error| Error::internal(format!("cannot start a thread: {error}")))?;
        // The time to reach each host, and as long again for the first answer.
        let hosts = address.config.get_hosts().len().max(address.config.get_hostaddrs().len()).max(1);
        let connect_limit = address.connect_timeout().saturating_mul(hosts as u32 + 1);
        Ok(Self { runtime: Some(runtime), tls, connect_limit })
    }

    pub(super) fn connect(&self, address: &Address) -> Result<Connection, Failure> {
        self.connect_by(&address.config, &address.shown)
    }

    /// A connection with settings for long work, where it is possible to give any: older PgBouncers refuse them.
    pub(super) fn connect_to_maintain(&self, address: &Address) -> Result<Connection, Failure> {
        let mut config = address.config.clone();
        let own = config.get_options().map_or_else(String::new, |options| format!("{options} "));
        config.options(format!("{own}{TO_MAINTAIN}"));
        self.connect_by(&config, &address.shown).or_else(|_| self.connect(address))
    }

    fn connect_by(&self, config: &Config, place: &Path) -> Result<Connection, Failure> {
        let Some(runtime) = &self.runtime else { return Err(Error::internal("the gallery is closed").into()) };
        let (asked, tls) = (config.clone(), self.tls.clone());
        let connecting = runtime.spawn(async move { asked.connect(tls).await });
        let abort = connecting.abort_handle();
        let Some(connected) = wait(connecting, self.connect_limit) else {
            abort.abort();
            let text = format!(
                "somebody takes the connection and does not answer within {:?}: the server is stopped or overloaded, or it is none of PostgreSQL",
                self.connect_limit
            );
            return Err(Failure::silent(place, "connect to", text));
        };
        let connected = connected.map_err(|error| Error::internal(format!("the network's thread: {error}")))?;
        let (client, connection) = connected.map_err(|error| Failure::connecting(place, &error))?;
        // Its error comes to whoever waits for an answer.
        runtime.spawn(async move { connection.await.ok() });
        Ok(Connection { client, spent: false })
    }
}

impl Connection {
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Waits for an answer outside a transaction.
    fn ask<T>(&self, place: &Path, limit: Duration, work: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, Failure> {
        match wait(work, limit) {
            Some(answer) => answer.map_err(|error| Failure::new(place, "connect to", &error)),
            None => Err(Failure::silent(
                place,
                "connect to",
                format!("the server did not answer within {limit:?}: it is stopped or overloaded"),
            )),
        }
    }

    /// Asks whether the server answers.
    pub(super) fn check(&self, place: &Path, limit: Duration) -> Result<(), Failure> {
        self.ask(place, limit, self.client.batch_execute("SELECT 1"))
    }

    /// The server's version, and where pgvector is, if it is installed in the database.
    pub(super) fn extension(&self, place: &Path, limit: Duration) -> Result<(i32, Option<Extension>), Failure> {
        let sql = "SELECT current_setting('server_version_num')::int, quote_ident(n.nspname), e.extversion FROM (VALUES (1)) one \
                   LEFT JOIN pg_catalog.pg_extension e ON e.extname = 'vector' LEFT JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace";
        let row = self.ask(place, limit, self.client.query_typed_one(sql, &[]))?;
        let schema = row.get::<_, Option<String>>(1).zip(row.get::<_, Option<String>>(2));
        let extension = schema.map(|(schema, version)| {
            let mut numbers = version.split('.').map(|part| part.parse::<u32>().unwrap_or_default());
            let iterates = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default()) >= (0, 8);
            Extension { schema, iterates }
        });
        Ok((row.get(0), extension))
    }

    /// Runs one statement for as long as it takes, while the server is `alive`.
    pub(super) fn work(&self, place: &Path, action: &'static str, sql: &str, alive: impl FnMut() -> bool) -> Result<(), Failure> {
        match wait_while(self.client.batch_execute(sql), ALIVE_EVERY, alive) {
            Some(answer) => answer.map_err(|error| Failure::new(place, action, &error)),
            None => Err(Failure::silent(place, action, "the server does not answer any more: it is stopped, cut off or overloaded".into())),
        }
    }
}
