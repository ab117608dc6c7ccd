//! A connection to PostgreSQL.
//!
//! Dropping a connection closes it, and the server rolls back its transaction. So an attempt that is
//! cancelled leaves nothing behind.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use easel_keys::SecretUrl;
use thiserror::Error;
use tokio::task::JoinSet;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;
use tracing::debug;

use super::failure::SqlFailure;
use super::prepared_table::PreparedTable;
use super::tls::{CertificateCheck, connector};

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The name that the server shows for the connection.
const APPLICATION_NAME: &str = "easel";

/// How to connect to a database.
#[derive(Clone)]
pub struct PgOptions {
    config: Config,
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
    /// `sslrootcert` is a PEM file with the trusted certificates.
    pub fn new(url: &SecretUrl) -> Result<Self, DatabaseUrlError> {
        let text = url.expose();
        if !["postgresql://", "postgres://"]
            .iter()
            .any(|scheme| text.starts_with(scheme))
        {
            return Err(DatabaseUrlError::Scheme);
        }
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        let mut check = CertificateCheck::Off;
        let mut root_file = None;
        let mut parameters = Vec::new();
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some(("sslmode", "verify-ca")) => check = CertificateCheck::Authority,
                Some(("sslmode", "verify-full")) => check = CertificateCheck::Full,
                Some(("sslrootcert", path)) => {
                    root_file = Some(PathBuf::from(path.replace("%2F", "/").replace("%2f", "/")));
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
        config
            .application_name(APPLICATION_NAME)
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_user_timeout(Duration::from_secs(30))
            .keepalives_idle(Duration::from_secs(30));
        let connector = connector(check, root_file.as_deref());
        Ok(Self {
            config,
            connector: connector.map_err(|reason| DatabaseUrlError::Certificates { reason })?,
            statement_timeout: Duration::from_secs(30),
            lock_timeout: Duration::from_secs(10),
        })
    }

    /// Returns the first host, as `name:port`. `None` for a Unix socket.
    pub fn host(&self) -> Option<String> {
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
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
    /// The tables by event type.
    pub(crate) tables: HashMap<Arc<str>, Arc<PreparedTable>>,
    /// The number of the latest change of the schema when the tables were read.
    pub(crate) migration_number: i64,
}

impl PgConnection {
    /// Connects, and sets the timeouts.
    pub async fn open(options: &PgOptions) -> Result<Self, SqlFailure> {
        let connecting = options.config.connect(options.connector.clone());
        let (client, connection) = tokio::time::timeout(2 * CONNECT_TIMEOUT, connecting)
            .await
            .map_err(|_elapsed| SqlFailure::Unconnected {
                reason: "the server does not answer".to_owned(),
            })?
            .map_err(|error| SqlFailure::from_connect(&error))?;
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
            tables: HashMap::new(),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<PgOptions, DatabaseUrlError> {
        PgOptions::new(&SecretUrl::new(url))
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
        ] {
            let error = parse(url).unwrap_err();
            assert!(matches!(error, DatabaseUrlError::Invalid { .. }));
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }
}
