//! The connections that all webhooks share.
//!
//! One client has one connection pool, so all webhooks reuse the connections to a host. With TLS, the
//! endpoint chooses HTTP/2 or HTTP/1.1. Without TLS, the client uses HTTP/1.1. It validates certificates
//! against the root certificates of the operating system and of the operator. Every connection passes the
//! guard.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use easel_keys::SecretUrl;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use super::Endpoint;
use super::client_identity::ClientIdentity;
use super::connector::GuardedConnector;
use super::proxy::ProxyError;
use super::read_counts::{CountingConnector, ReadCounts};
use crate::SendError;
use crate::error_text::text_with_causes;
use crate::guard::{CheckedAddress, Guard, Refused, Resolve, SystemResolver};

/// Returns the current time, which every request contains.
pub type TimeSource = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The maximum number of idle connections per host: as many as one lane may use at the same time.
const MAX_IDLE_PER_HOST: usize = 256;
/// How long an idle connection stays open.
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);
/// The interval of HTTP/2 pings on a connection with open requests. Many requests share the connection.
/// Without pings, a dead connection would make every one of them time out.
const PING_INTERVAL: Duration = Duration::from_secs(5);
/// The maximum bytes that are read of an answer's body, so that its connection can be reused.
const MAX_ANSWER_BYTES: usize = 16 * 1024;
/// The maximum bytes of an answer's head.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// The maximum number of header lines of an answer. Memory for all of them is allocated for each answer, so a
/// higher limit would cost throughput.
const MAX_HEADERS: usize = 256;
/// How many bytes of a body an endpoint may send over HTTP/2 before the client reads them.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;

/// The connection settings of all webhooks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookOptions {
    /// A PEM file of certificate authorities to trust, in addition to those of the operating system.
    pub ca_file: Option<PathBuf>,
    /// The rules about addresses. The default refuses every address that is not public.
    pub guard: Guard,
    /// The URL of an HTTP proxy, such as `http://user:password@proxy.example:3128`. Every connection then goes
    /// through a tunnel of the proxy (the method CONNECT), with or without TLS. The proxy resolves the names,
    /// so the proxy must refuse names with private addresses. Proxies of the environment are never used.
    pub proxy: Option<SecretUrl>,
}

/// An error while creating a client.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The file of certificate authorities is missing or invalid.
    #[error("read certificate authorities from {}", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: Box<dyn Error + Send + Sync>,
    },
    /// TLS could not be set up.
    #[error("set up TLS")]
    Tls(#[from] rustls::Error),
    /// The URL of the proxy is invalid.
    #[error("parse the setting webhook.proxy")]
    Proxy(#[from] ProxyError),
}

/// The start of an answer's body, as the endpoint sent it. It may contain the secrets of the request.
pub(super) struct AnswerBody {
    pub(super) bytes: Bytes,
    /// True if the endpoint sent more, or if the connection broke.
    pub(super) is_cut: bool,
}

/// The connections that all webhooks share. Clones share the same connections.
#[derive(Clone)]
pub struct WebhookClient {
    http: Arc<Client<CountingConnector, Full<Bytes>>>,
    /// Opens a new connection for every request.
    fresh: Arc<Client<CountingConnector, Full<Bytes>>>,
    connector: GuardedConnector,
    roots: Arc<RootCertStore>,
    now: TimeSource,
}

impl WebhookClient {
    /// Creates a client without connections. The operating system resolves the names.
    pub fn new(options: &WebhookOptions, now: TimeSource) -> Result<Self, ClientError> {
        Self::with_resolver(options, Arc::new(SystemResolver), now)
    }

    /// Creates a client without connections. `resolver` resolves the names.
    pub fn with_resolver(
        options: &WebhookOptions,
        resolver: Arc<dyn Resolve>,
        now: TimeSource,
    ) -> Result<Self, ClientError> {
        let roots = Arc::new(roots(options.ca_file.as_deref())?);
        let guard = options.guard.clone();
        let connector = GuardedConnector::new(guard, options.proxy.as_ref(), resolver)?;
        Ok(Self::connecting(connector, roots, None, now)?)
    }

    /// Returns a client with the same settings. It has its own connections, and shows this certificate to the
    /// endpoints.
    pub fn with_identity(&self, identity: &ClientIdentity) -> Result<Self, ClientError> {
        let (connector, roots) = (self.connector.clone(), Arc::clone(&self.roots));
        Ok(Self::connecting(
            connector,
            roots,
            Some(identity),
            Arc::clone(&self.now),
        )?)
    }

    fn connecting(
        connector: GuardedConnector,
        roots: Arc<RootCertStore>,
        identity: Option<&ClientIdentity>,
        now: TimeSource,
    ) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(Arc::clone(&roots));
        let tls = match identity {
            None => tls.with_no_client_auth(),
            Some(ClientIdentity(certified)) => {
                let resolver = SingleCertAndKey::from(Arc::clone(certified));
                tls.with_client_cert_resolver(Arc::new(resolver))
            }
        };
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(connector.clone());
        let https = CountingConnector(https);
        let mut builder = Client::builder(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(MAX_IDLE_PER_HOST)
            .http1_max_buf_size(MAX_HEAD_BYTES)
            .http1_max_headers(MAX_HEADERS)
            .http2_initial_stream_window_size(STREAM_WINDOW_BYTES)
            .http2_keep_alive_interval(PING_INTERVAL)
            .http2_keep_alive_timeout(PING_INTERVAL);
        let http = builder.build(https.clone());
        let fresh = builder.pool_max_idle_per_host(0).build(https);
        Ok(Self {
            http: Arc::new(http),
            fresh: Arc::new(fresh),
            connector,
            roots,
            now,
        })
    }

    /// Checks an endpoint before it is saved, and resolves its name once, for at most 5 seconds. With a proxy,
    /// no name is resolved. Then the check refuses only special addresses in URLs, and the names of this
    /// machine and of metadata services.
    pub async fn check(&self, endpoint: &Endpoint) -> Result<CheckedAddress, Refused> {
        self.connector.check(endpoint).await
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.now)()
    }

    /// Sends the request that `build_request` builds, and returns the answer with any status. `timeout`
    /// includes reading the body. `needs_body` returns whether the caller needs the body for a status.
    pub(super) async fn exchange(
        &self,
        build_request: impl Fn() -> Request<Full<Bytes>> + Send + Sync,
        timeout: Duration,
        needs_body: impl FnOnce(StatusCode) -> bool + Send,
    ) -> Result<Response<AnswerBody>, SendError> {
        let deadline = Instant::now() + timeout;
        let (head, body) = timeout_at(deadline, self.send(build_request))
            .await
            .map_err(|_elapsed| SendError::TimedOut)??
            .into_parts();
        // The head decides the outcome. If the body is too long, late or broken, only the connection is lost.
        let body = read_start(body, deadline, needs_body(head.status)).await;
        if let Some(counts) = head.extensions.get::<Arc<ReadCounts>>() {
            counts.answer_ended();
        }
        Ok(Response::from_parts(head, body))
    }

    /// Sends a request and returns the answer. If the connection was stale, builds the request again and
    /// sends it on a new connection. A copy of the request for every attempt would cost throughput.
    async fn send(
        &self,
        build_request: impl Fn() -> Request<Full<Bytes>> + Send + Sync,
    ) -> Result<Response<Incoming>, SendError> {
        let error = match self.http.request(build_request()).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        if !error.connect_info().is_some_and(ReadCounts::was_stale) {
            return Err(send_error(&error));
        }
        let answer = self.fresh.request(build_request()).await;
        answer.map_err(|error| send_error(&error))
    }
}

/// Reads a body, up to [`MAX_ANSWER_BYTES`]. Returns the bytes that have arrived in time, or no bytes if the
/// body is not needed.
async fn read_start(mut body: Incoming, deadline: Instant, is_needed: bool) -> AnswerBody {
    let (mut start, mut read_bytes) = (Vec::new(), 0);
    let is_cut = loop {
        if read_bytes >= MAX_ANSWER_BYTES {
            break !body.is_end_stream();
        }
        match timeout_at(deadline, body.frame()).await {
            Ok(Some(Ok(frame))) => {
                let data = frame.into_data().unwrap_or_default();
                read_bytes += data.len();
                if is_needed {
                    start.extend_from_slice(&data);
                }
            }
            Ok(None) => break false,
            Ok(Some(Err(_))) | Err(_) => break true,
        }
    };
    AnswerBody {
        bytes: start.into(),
        is_cut,
    }
}

impl fmt::Debug for WebhookClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookClient").finish_non_exhaustive()
    }
}

fn send_error(error: &hyper_util::client::legacy::Error) -> SendError {
    if let Some(refused) = refusal(error) {
        let reason = refused.to_string();
        return SendError::NotSent { reason };
    }
    let reason = text_with_causes(error);
    if error.is_connect() {
        SendError::Unconnected { reason }
    } else {
        SendError::Unreachable { reason }
    }
}

/// Returns the refusal of the guard that caused an error, if there is one.
fn refusal<'error>(error: &'error (dyn Error + 'static)) -> Option<&'error Refused> {
    let mut errors = std::iter::successors(Some(error), |&error| error.source());
    errors.find_map(|error| error.downcast_ref())
}

/// Returns the certificate authorities to trust.
fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, ClientError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        warn!("no root certificates found on this machine");
    }
    if let Some(path) = ca_file {
        add_ca_file(path, &mut roots).map_err(|source| ClientError::CaFile {
            path: path.to_owned(),
            source,
        })?;
    }
    Ok(roots)
}

fn add_ca_file(path: &Path, roots: &mut RootCertStore) -> Result<(), Box<dyn Error + Send + Sync>> {
    let pem = std::fs::read(path)?;
    let certificates = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|_malformed| "it is not a valid PEM file")?;
    if certificates.is_empty() {
        return Err("it has no certificate".into());
    }
    for (index, certificate) in certificates.into_iter().enumerate() {
        let number = index + 1;
        let added = roots.add(certificate);
        added.map_err(|_malformed| format!("certificate {number} is invalid"))?;
    }
    Ok(())
}
