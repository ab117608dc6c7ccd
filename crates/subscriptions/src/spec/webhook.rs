//! The webhook of a subscription.

use std::collections::BTreeMap;
use std::time::Duration;

use easel_keys::{Secret, SecretUrl, SigningAlgorithm};

use super::{BatchSize, time_limit};

/// The webhook of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookSpec {
    /// The endpoint that receives the events.
    pub url: SecretUrl,
    /// The timeout of one attempt: `1s` to `5m`.
    pub timeout: Duration,
    /// The most events in the envelope of one request, in a Caliper format.
    pub batch: BatchSize,
    /// How requests are signed; `None` if they are not.
    pub signing: Option<Signing>,
    /// How requests authenticate with the endpoint; `None` if they do not.
    pub authentication: Option<Authentication>,
    /// Additional headers of each request, by name in lower case.
    pub headers: BTreeMap<String, Secret<String>>,
    /// The certificate that the server shows to the endpoint in TLS; `None` for no certificate.
    pub client_certificate: Option<ClientCertificate>,
}

/// How requests are signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signing {
    /// The body is a compact JWT whose claims are the event, signed with a key of the server.
    Jwt {
        /// The algorithm of the signature.
        algorithm: SigningAlgorithm,
    },
    /// The header `webhook-signature` has signatures over id, time and body, as Standard Webhooks
    /// requires.
    Standard {
        /// The secrets, `whsec_…` or `whsk_…`: 1 to 8. Each secret makes a signature, so that a receiver can
        /// change to a new secret without an interruption.
        secrets: Vec<Secret<String>>,
    },
}

/// How requests authenticate with the endpoint, in the header `authorization`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// HTTP basic authentication (RFC 7617).
    Basic {
        /// The user name.
        user: String,
        /// The password.
        password: Secret<String>,
    },
    /// A bearer token (RFC 6750).
    Bearer(Secret<String>),
}

/// A client certificate for TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate and its chain, in PEM.
    pub certificate: String,
    /// The private key, in PEM.
    pub key: Secret<String>,
}

impl WebhookSpec {
    /// Parses the timeout of one attempt: `1s` to `5m`. The error names the valid range.
    pub fn parse_timeout(text: &str) -> Result<Duration, String> {
        time_limit::parse(text)
    }

    /// Returns the number of secrets that sign.
    pub(super) const fn signing_secret_count(&self) -> usize {
        match &self.signing {
            Some(Signing::Standard { secrets }) => secrets.len(),
            Some(Signing::Jwt { .. }) | None => 0,
        }
    }

    /// Returns the algorithm of the JWTs; `None` if the body is not a JWT.
    pub const fn jwt_algorithm(&self) -> Option<SigningAlgorithm> {
        match self.signing {
            Some(Signing::Jwt { algorithm }) => Some(algorithm),
            Some(Signing::Standard { .. }) | None => None,
        }
    }
}
