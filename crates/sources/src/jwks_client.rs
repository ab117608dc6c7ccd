//! Fetches public keys: one GET request, without redirects, with limits of size and time. For an OpenID Connect
//! issuer, a request for its discovery document comes before.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use thiserror::Error;
use tokio::time::timeout;

use easel_keys::{JwkSet, JwkSetError};

use crate::jwks_url::check_jwks_url;

/// How long a fetch may take. The door must answer within ten seconds, with time left for the log.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Where the discovery document is, after the issuer.
const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";

/// The members of a discovery document that are used.
#[derive(Deserialize)]
struct DiscoveryJson {
    issuer: String,
    jwks_uri: String,
}

/// Fetches sets of public keys. Clones share their connections.
#[derive(Clone)]
pub struct JwksClient {
    authorities: Arc<[u8]>,
    /// Created by the first fetch, because reading the authorities of the operating system takes a while.
    client: Arc<OnceLock<Result<HttpClient, String>>>,
}

type HttpClient = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

/// Why a set of keys could not be fetched.
#[derive(Debug, Error)]
pub enum JwksFetchError {
    /// The URL is invalid.
    #[error("fetch the keys: the URL is invalid")]
    Url,
    /// There was no answer in time.
    #[error("fetch the keys: no answer within {} seconds", TIMEOUT.as_secs())]
    TimedOut,
    /// There was no connection, or it broke.
    #[error("fetch the keys: {reason}")]
    Connection {
        /// What failed, with its causes.
        reason: String,
    },
    /// The answer is not a success. Redirects are not followed, because they could name another host.
    #[error("fetch the keys: the answer has the status {status}")]
    Status {
        /// The status.
        status: StatusCode,
    },
    /// The answer is too large.
    #[error("fetch the keys: the answer has more than {} bytes", JwkSet::MAX_BYTES)]
    TooLarge,
    /// The answer is no set of keys.
    #[error("fetch the keys: the answer of the type {content_type:?} is no JWK set: {source}")]
    Invalid {
        /// The content type of the answer.
        content_type: String,
        /// Why the answer is no set of keys.
        source: JwkSetError,
    },
    /// The discovery document of an issuer cannot be used.
    #[error("read the discovery document: {fault}")]
    Discovery {
        /// What is wrong with the document.
        fault: String,
    },
    /// The set has no key that can verify a signature.
    #[error("fetch the keys: the set has no usable key")]
    Empty,
}

impl JwksClient {
    /// Creates a client that trusts the authorities of the operating system and those in `authorities` (PEM).
    pub fn new(authorities: &[u8]) -> Self {
        Self {
            authorities: authorities.into(),
            client: Arc::default(),
        }
    }

    fn client(&self) -> Result<&HttpClient, JwksFetchError> {
        let client = self.client.get_or_init(|| create(&self.authorities));
        let unusable = |reason: &String| JwksFetchError::Connection {
            reason: reason.clone(),
        };
        client.as_ref().map_err(unusable)
    }

    /// Fetches and parses the set at `url`. Returns its text too.
    pub(crate) async fn fetch(&self, url: &str) -> Result<(JwkSet, Bytes), JwksFetchError> {
        let (content_type, text) = self.get(url).await?;
        let set = JwkSet::parse(&text).map_err(|source| JwksFetchError::Invalid {
            content_type,
            source,
        })?;
        if set.keys().is_empty() {
            return Err(JwksFetchError::Empty);
        }
        Ok((set, text))
    }

    /// Returns the URL of the keys of an issuer, from its discovery document (OpenID Connect Discovery 1.0,
    /// section 4). The document must name the same issuer.
    pub(crate) async fn discover(&self, issuer: &str) -> Result<String, JwksFetchError> {
        let place = format!("{}{DISCOVERY_PATH}", issuer.trim_end_matches('/'));
        let (_content_type, text) = self.get(&place).await?;
        let document: DiscoveryJson =
            serde_json::from_slice(&text).map_err(|_invalid| JwksFetchError::Discovery {
                fault: "it has no `issuer` and `jwks_uri`".to_owned(),
            })?;
        if document.issuer != issuer {
            return Err(JwksFetchError::Discovery {
                fault: "it is about another issuer".to_owned(),
            });
        }
        check_jwks_url(&document.jwks_uri).map_err(|fault| JwksFetchError::Discovery {
            fault: format!("`jwks_uri` {fault}"),
        })?;
        Ok(document.jwks_uri)
    }

    /// Returns the content type and the body at `url`.
    async fn get(&self, url: &str) -> Result<(String, Bytes), JwksFetchError> {
        let uri: Uri = url.parse().map_err(|_invalid| JwksFetchError::Url)?;
        let request = Request::get(uri)
            .header(ACCEPT, "application/json")
            .body(Empty::new())
            .map_err(|_invalid| JwksFetchError::Url)?;
        let fetched = timeout(TIMEOUT, self.answer(request)).await;
        fetched.map_err(|_elapsed| JwksFetchError::TimedOut)?
    }

    async fn answer(
        &self,
        request: Request<Empty<Bytes>>,
    ) -> Result<(String, Bytes), JwksFetchError> {
        let answer = self.client()?.request(request).await;
        let answer = answer.map_err(|error| connection(&error))?;
        let status = answer.status();
        if status != StatusCode::OK {
            return Err(JwksFetchError::Status { status });
        }
        let content_type = answer.headers().get(CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default().chars().take(100).collect();
        match Limited::new(answer.into_body(), JwkSet::MAX_BYTES)
            .collect()
            .await
        {
            Ok(body) => Ok((content_type, body.to_bytes())),
            Err(error) if error.is::<LengthLimitError>() => Err(JwksFetchError::TooLarge),
            Err(error) => Err(connection(&*error)),
        }
    }
}

fn create(authorities: &[u8]) -> Result<HttpClient, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(authorities).flatten());
    let tls = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .build();
    let builder = &mut Client::builder(TokioExecutor::new());
    Ok(builder.pool_max_idle_per_host(1).build(connector))
}

fn connection(error: &(dyn std::error::Error + 'static)) -> JwksFetchError {
    let mut reason = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        reason.push_str(": ");
        reason.push_str(&error.to_string());
        cause = error.source();
    }
    JwksFetchError::Connection { reason }
}

impl fmt::Debug for JwksClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwksClient").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
