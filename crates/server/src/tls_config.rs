//! The settings of TLS, and of the second listener for monitoring.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

/// The time for which a browser may remember that the server speaks TLS: one year.
const DEFAULT_HSTS: Duration = Duration::from_hours(365 * 24);

/// The TLS of the server. It is on if a certificate and a key are set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsConfig {
    /// A PEM file with the certificate of the server, followed by the certificates of its authorities.
    pub cert: Option<PathBuf>,
    /// A PEM file with the private key of the certificate.
    pub key: Option<PathBuf>,
    /// A PEM file with the authorities of client certificates. `None`: no client is asked for one.
    pub client_ca: Option<PathBuf>,
    /// Whether every client needs a certificate. Without `client_ca`, this has no effect.
    pub client_certificates: ClientCertificates,
    /// For how long a browser remembers to use TLS (HSTS). Zero: nothing is said about this.
    pub hsts: Duration,
}

/// Whether every client needs a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCertificates {
    /// A client without a certificate is refused.
    Required,
    /// A client may have no certificate. A client with an invalid certificate is refused.
    Optional,
}

/// The second listener, for monitoring.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetricsConfig {
    /// The address of `/metrics`, `/healthz` and `/readyz` without tokens and without TLS.
    pub listen: Option<SocketAddr>,
}

/// Why a setting of TLS cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{setting}: {fault}")]
pub struct TlsFault {
    /// The key of the setting.
    pub setting: &'static str,
    /// What is wrong. It never has a part of a private key.
    pub fault: String,
}

impl TlsConfig {
    /// The key of the setting of the certificate.
    pub const CERT: &str = "tls.cert";
    /// The key of the setting of the private key.
    pub const KEY: &str = "tls.key";
    /// The key of the setting of the authorities of clients.
    pub const CLIENT_CA: &str = "tls.client_ca";

    /// Returns whether the server speaks TLS.
    pub const fn is_on(&self) -> bool {
        self.cert.is_some() && self.key.is_some()
    }
}

impl Default for TlsConfig {
    fn default() -> Self {
        Self {
            cert: None,
            key: None,
            client_ca: None,
            client_certificates: ClientCertificates::Required,
            hsts: DEFAULT_HSTS,
        }
    }
}
