//! The HTTP client for AWS: hyper and rustls, as for webhooks, behind the trait of AWS's library.
//!
//! An answer is read whole, up to a limit. The addresses are the operator's, so the address guard does not see
//! them. Redirects are not followed, and proxies of the environment have no effect.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_sdk_sqs::config::{HttpClient as AwsHttpClient, RuntimeComponents, SharedHttpClient};
use aws_smithy_runtime_api::client::http::{
    HttpConnector as AwsConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use http_body_util::{BodyExt, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;
use tokio::time::timeout;

/// The most bytes of an answer: ten messages of 1 MiB, with room for escapes in JSON.
const MAX_ANSWER_BYTES: usize = 32 << 20;
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an idle connection stays open.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);
/// The most idle connections to one host.
const MAX_IDLE_PER_HOST: usize = 64;

/// The HTTP client for AWS. Clones share the connections.
#[derive(Clone)]
pub struct AwsHttp {
    /// Certificate authorities in PEM, in addition to those of the operating system.
    authorities: Arc<[u8]>,
    /// Created by the first request: without queues, no certificates are read.
    client: Arc<OnceLock<Result<HttpsClient, String>>>,
}

type HttpsClient = Client<HttpsConnector<HttpConnector>, SdkBody>;

/// Why a request has no answer.
#[derive(Debug, Error)]
pub enum AwsHttpError {
    /// No connection was made, so nothing was sent.
    #[error("connect")]
    Connect(#[source] hyper_util::client::legacy::Error),
    /// The connection broke.
    #[error("send")]
    Send(#[source] hyper_util::client::legacy::Error),
    /// The answer broke off, or is too large.
    #[error("read the answer")]
    Read(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// There was no answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// TLS cannot be used.
    #[error("set up TLS: {reason}")]
    Tls {
        /// The reason.
        reason: String,
    },
}

impl AwsHttp {
    /// Creates a client that trusts the authorities of the operating system and those in `authorities` (PEM).
    pub fn new(authorities: &[u8]) -> Self {
        Self {
            authorities: authorities.into(),
            client: Arc::default(),
        }
    }

    fn client(&self) -> Result<HttpsClient, AwsHttpError> {
        let client = self.client.get_or_init(|| self.create());
        client
            .clone()
            .map_err(|reason| AwsHttpError::Tls { reason })
    }

    fn create(&self) -> Result<HttpsClient, String> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        for certificate in CertificateDer::pem_slice_iter(&self.authorities) {
            let certificate = certificate.map_err(|error| error.to_string())?;
            roots.add(certificate).map_err(|error| error.to_string())?;
        }
        let tls = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(MAX_IDLE_PER_HOST)
            .build(connector);
        Ok(client)
    }

    /// Returns the client for AWS's library.
    pub(crate) fn shared(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }
}

impl AwsHttpClient for AwsHttp {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        // Connecting alone has its own limit. A long poll has no read timeout, and lasts longer than connecting.
        let limit = settings
            .read_timeout()
            .map(|read| read + settings.connect_timeout().unwrap_or_default());
        SharedHttpConnector::new(LimitedConnector {
            http: self.clone(),
            limit,
        })
    }
}

/// Makes requests with a time limit.
#[derive(Debug)]
struct LimitedConnector {
    http: AwsHttp,
    limit: Option<Duration>,
}

impl AwsConnector for LimitedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (http, limit) = (self.http.clone(), self.limit);
        HttpConnectorFuture::new(async move {
            let client = http.client();
            let client = client.map_err(|error| ConnectorError::other(error.into(), None))?;
            let exchange = exchange(client, request);
            match limit {
                None => exchange.await,
                Some(limit) => timeout(limit, exchange).await.unwrap_or_else(|_elapsed| {
                    Err(ConnectorError::timeout(AwsHttpError::TimedOut.into()))
                }),
            }
        })
    }
}

async fn exchange(
    client: HttpsClient,
    request: HttpRequest,
) -> Result<HttpResponse, ConnectorError> {
    let request = request.try_into_http1x();
    let request = request.map_err(|error| ConnectorError::user(error.into()))?;
    let answer = client.request(request).await.map_err(|error| {
        if error.is_connect() {
            ConnectorError::io(AwsHttpError::Connect(error).into()).never_connected()
        } else {
            ConnectorError::io(AwsHttpError::Send(error).into())
        }
    })?;
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await;
    let body = body.map_err(|error| ConnectorError::io(AwsHttpError::Read(error).into()))?;
    let answer = http::Response::from_parts(head, SdkBody::from(body.to_bytes()));
    HttpResponse::try_from(answer).map_err(|error| ConnectorError::other(error.into(), None))
}

impl fmt::Debug for AwsHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsHttp").finish_non_exhaustive()
    }
}
