//! A connection to PostgreSQL.
//!
//! Dropping a connection closes it, and the server rolls back its transaction. So an attempt that is
//! cancelled leaves nothing behind.

use std::sync::Arc;
use std::time::Duration;

use easel_keys::SecretUrl;
use easel_sinks::{Guard, Resolve, SystemResolver};
use thiserror::Error;
use tokio::task::JoinSet;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;
use tracing::debug;

use super::failure::SqlFailure;
use super::prepared_table::PreparedTables;
use super::tls::{CertificateCheck, connector};

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The port of PostgreSQL, if a URL has none.
const DEFAULT_PORT: u16 = 5432;

/// The name of this machine, for the guard.
const LOCAL_HOST: &str = "localhost";

/// The name that the server shows for the connection.
const APPLICATION_NAME: &str = "easel";

/// Returns the rules about addresses. They can change while a server runs.
pub type GuardSource = Arc<dyn Fn() -> Guard + Send + Sync>;

/// How to connect to a database.
#[derive(Clone)]
pub struct PgOptions {
    config: Config,
    guard: GuardSource,
    resolver: Arc<dyn Resolve>,
    connector: MakeRustlsConnect,
    /// How long a statement may take.
    pub statement_timeout: Duration,
    /// How long a statement may wait for a lock.
    pub lock_timeout: Duration,
}

/// Why a URL of a database is invalid.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DatabaseUrlError {
    /// The URL has another scheme.
    #[error("the URL of the database must begin with postgresql:// or postgres://")]
    Scheme,
    /// The URL is invalid.
    #[error("the URL of the database is invalid: {reason}")]
    Invalid {
        /// The reason. It has no part of the URL.
        reason: String,
    },
    /// A certificate cannot be used.
    #[error("the certificates for the database cannot be used: {reason}")]
    Certificates {
        /// The reason.
        reason: String,
    },
}

impl PgOptions {
    /// Parses the URL of a database, such as `postgresql://easel:secret@db.example/events?sslmode=verify-full`.
    ///
    /// `sslmode` is `disable`, `prefer`, `require`, `verify-ca` or `verify-full`. Without it, it is `prefer`.
    /// `ca` has the trusted certificates in PEM; `None` means those of the operating system. `guard` says which
    /// addresses a connection may use.
    pub fn new(
        url: &SecretUrl,
        ca: Option<&str>,
        guard: GuardSource,
    ) -> Result<Self, DatabaseUrlError> {
        let text = url.expose();
        if !["postgresql://", "postgres://"]
            .iter()
            .any(|scheme| text.starts_with(scheme))
        {
            return Err(DatabaseUrlError::Scheme);
        }
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        let mut check = CertificateCheck::Off;
        let mut parameters = Vec::new();
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some(("sslmode", "verify-ca")) => check = CertificateCheck::Authority,
                Some(("sslmode", "verify-full")) => check = CertificateCheck::Full,
                Some((name @ ("sslrootcert" | "sslcert" | "sslkey" | "hostaddr"), _)) => {
                    let reason = format!("the parameter {name} is not supported");
                    return Err(DatabaseUrlError::Invalid { reason });
                }
                _ => parameters.push(parameter),
            }
        }
        let plain = format!("{base}?{}", parameters.join("&"));
        let mut config: Config = plain.parse().map_err(|error: tokio_postgres::Error| {
            // The cause names the parameter. It can contain a value, so only its kind is shown.
            let reason = error.to_string();
            DatabaseUrlError::Invalid { reason }
        })?;
        if check != CertificateCheck::Off {
            config.ssl_mode(SslMode::Require);
        }
        let connector = connector(check, ca);
        let is_unix = |host: &Host| !matches!(host, Host::Tcp(_));
        let unix_count = config
            .get_hosts()
            .iter()
            .filter(|host| is_unix(host))
            .count();
        if config.get_hosts().is_empty() {
            let reason = "it has no host".to_owned();
            return Err(DatabaseUrlError::Invalid { reason });
        }
        if unix_count > 0 && unix_count < config.get_hosts().len() {
            let reason = "it has a Unix socket and a host".to_owned();
            return Err(DatabaseUrlError::Invalid { reason });
        }
        Ok(Self {
            config,
            guard,
            resolver: Arc::new(SystemResolver),
            connector: connector.map_err(|reason| DatabaseUrlError::Certificates { reason })?,
            statement_timeout: Duration::from_secs(30),
            lock_timeout: Duration::from_secs(10),
        })
    }

    /// Replaces the resolver of the operating system, for tests.
    #[must_use]
    pub fn with_resolver(mut self, resolver: Arc<dyn Resolve>) -> Self {
        self.resolver = resolver;
        self
    }

    /// Returns the names and addresses of the hosts in the URL. A Unix socket counts as this machine.
    pub fn host_names(&self) -> impl Iterator<Item = &str> {
        self.config.get_hosts().iter().map(|host| match host {
            Host::Tcp(name) => name.as_str(),
            #[cfg(unix)]
            Host::Unix(_) => LOCAL_HOST,
        })
    }

    /// Returns true if both have the same hosts and ports.
    pub fn has_same_hosts(&self, other: &Self) -> bool {
        self.config.get_hosts() == other.config.get_hosts()
            && self.config.get_ports() == other.config.get_ports()
    }

    /// Returns the configuration for one connection. It has the addresses that the guard has checked, so no name
    /// is resolved again.
    async fn checked_config(&self) -> Result<Config, SqlFailure> {
        let unchecked = &self.config;
        let mut config = Config::new();
        copy_settings(unchecked, &mut config);
        let (guard, resolver) = ((self.guard)(), self.resolver.as_ref());
        let ports = unchecked.get_ports();
        for (index, host) in unchecked.get_hosts().iter().enumerate() {
            let port = ports.get(index).or(ports.first());
            let port = port.copied().unwrap_or(DEFAULT_PORT);
            match host {
                Host::Tcp(name) => {
                    for address in guard.checked_addresses(name, resolver).await? {
                        config.host(name).hostaddr(address).port(port);
                    }
                }
                #[cfg(unix)]
                Host::Unix(path) => {
                    guard.checked_addresses(LOCAL_HOST, resolver).await?;
                    config.host_path(path).port(port);
                }
            }
        }
        Ok(config)
    }

    /// Returns the first host, as `name:port`. `None` for a Unix socket.
    pub fn host(&self) -> Option<String> {
        let port = self
            .config
            .get_ports()
            .first()
            .copied()
            .unwrap_or(DEFAULT_PORT);
        match self.config.get_hosts().first()? {
            Host::Tcp(name) => Some(format!("{name}:{port}")),
            #[cfg(unix)]
            Host::Unix(_) => None,
        }
    }
}

/// Shows no part of the connection string.
impl std::fmt::Debug for PgOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PgOptions")
            .field("host", &self.host())
            .field("statement_timeout", &self.statement_timeout)
            .field("lock_timeout", &self.lock_timeout)
            .finish_non_exhaustive()
    }
}

/// A connection, with the tables that it has prepared.
#[derive(Debug)]
pub struct PgConnection {
    pub(super) client: Client,
    /// The task that reads from and writes to the socket. It ends when the connection is dropped.
    tasks: JoinSet<()>,
    /// The tables that are ready for rows.
    pub(crate) tables: PreparedTables,
    /// The number of the latest change of the schema when the tables were read.
    pub(crate) migration_number: i64,
}

impl PgConnection {
    /// Connects, and sets the timeouts.
    pub async fn open(options: &PgOptions) -> Result<Self, SqlFailure> {
        let connecting = async {
            let config = options.checked_config().await?;
            let connected = config.connect(options.connector.clone()).await;
            connected.map_err(|error| SqlFailure::from_connect(&error))
        };
        let (client, connection) = tokio::time::timeout(2 * CONNECT_TIMEOUT, connecting)
            .await
            .map_err(|_elapsed| SqlFailure::Unconnected {
                reason: "the server does not answer".to_owned(),
            })??;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // The statements in progress get an error of their own.
            if let Err(error) = connection.await {
                debug!(%error, "connection to the database ended");
            }
        });
        let opened = Self {
            client,
            tasks,
            tables: PreparedTables::default(),
            migration_number: 0,
        };
        let set_up = format!(
            "set statement_timeout = {}; set lock_timeout = {}; \
             set idle_in_transaction_session_timeout = {}; \
             set standard_conforming_strings = on; set time zone 'UTC'",
            options.statement_timeout.as_millis(),
            options.lock_timeout.as_millis(),
            2 * options.statement_timeout.as_millis(),
        );
        opened.execute(&set_up).await?;
        Ok(opened)
    }

    /// True if the connection was lost.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed() || self.tasks.is_empty()
    }

    /// True if the connection uses TLS.
    pub async fn is_encrypted(&self) -> Result<bool, SqlFailure> {
        let sql = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
        Ok(self.client.query_one(sql, &[]).await?.try_get(0)?)
    }

    /// Executes statements without results.
    pub async fn execute(&self, sql: &str) -> Result<(), SqlFailure> {
        Ok(self.client.batch_execute(sql).await?)
    }

    /// Rolls back the transaction.
    pub(crate) async fn roll_back(&self) -> Result<(), SqlFailure> {
        self.execute("rollback").await
    }
}

/// Copies everything except hosts and ports, and sets what is the same for every connection.
fn copy_settings(from: &Config, to: &mut Config) {
    if let Some(user) = from.get_user() {
        to.user(user);
    }
    if let Some(password) = from.get_password() {
        to.password(password);
    }
    if let Some(database) = from.get_dbname() {
        to.dbname(database);
    }
    if let Some(options) = from.get_options() {
        to.options(options);
    }
    to.ssl_mode(from.get_ssl_mode())
        .ssl_negotiation(from.get_ssl_negotiation())
        .channel_binding(from.get_channel_binding())
        .target_session_attrs(from.get_target_session_attrs())
        .load_balance_hosts(from.get_load_balance_hosts())
        .application_name(APPLICATION_NAME)
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_user_timeout(Duration::from_secs(30))
        .keepalives_idle(Duration::from_secs(30));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<PgOptions, DatabaseUrlError> {
        PgOptions::new(&SecretUrl::new(url), None, Arc::new(Guard::default))
    }

    #[test]
    fn a_url_has_all_modes_of_libpq_and_shows_no_password() {
        for mode in ["disable", "prefer", "require", "verify-ca", "verify-full"] {
            let options = parse(&format!(
                "postgresql://ida:s3cret@db.example/x?sslmode={mode}"
            ))
            .unwrap();
            assert_eq!(options.host().as_deref(), Some("db.example:5432"));
            assert!(!format!("{options:?}").contains("s3cret"));
        }
    }

    #[test]
    fn other_urls_are_rejected_without_showing_their_secrets() {
        assert_eq!(
            parse("mysql://ida:s3cret@x").unwrap_err(),
            DatabaseUrlError::Scheme
        );
        for url in [
            "postgresql://ida:s3cret@db.example/x?sslmode=s3cret",
            "postgresql://ida:s3cret@db.example/x?s3cret=1",
            "postgresql://ida:s3cret@db.example/x?sslrootcert=/s3cret",
            "postgresql://ida:s3cret@db.example/x?hostaddr=10.0.0.1",
            "postgresql:///s3cret",
            "postgresql://db.example,%2Fs3cret/x",
        ] {
            let error = parse(url).unwrap_err();
            assert!(matches!(error, DatabaseUrlError::Invalid { .. }));
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }
}
