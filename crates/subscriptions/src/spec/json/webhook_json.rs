//! The JSON of a webhook.

use std::collections::BTreeMap;
use std::time::Duration;

use easel_keys::{Secret, SecretUrl, SigningAlgorithm};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use super::secret_text::{SecretText, SecretTexts};
use crate::spec::time_limit;
use crate::spec::{Authentication, BatchSize, ClientCertificate, Signing, WebhookSpec};

/// The webhook of a subscription.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = WebhookSpec)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhookJson {
    /// The endpoint that receives the events. Its query is a secret and is never shown.
    #[schema(value_type = String, example = "https://events.example.edu/canvas")]
    url: SecretText,
    /// The timeout of one attempt: `1s` to `5m`.
    #[schema(value_type = String, example = "15s")]
    #[serde(default = "default_timeout", with = "time_limit")]
    timeout: Duration,
    /// The most events in the envelope of one request, in a Caliper format.
    #[schema(value_type = u16, minimum = 1, maximum = 100, example = 1)]
    #[serde(default)]
    batch: BatchSize,
    /// How requests are signed. The default is no signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signing: Option<SigningJson>,
    /// How requests authenticate with the endpoint. The default is no authentication.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    authentication: Option<AuthenticationJson>,
    /// Additional headers of each request. Their values are secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, SecretText>,
    /// The certificate that the server shows to the endpoint in TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_certificate: Option<ClientCertificateJson>,
}

/// How requests are signed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Signing)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum SigningJson {
    /// The body is a compact JWT whose claims are the event. The server publishes its keys at
    /// `/.well-known/jwks.json`.
    Jwt(JwtJson),
    /// The header `webhook-signature` has signatures as Standard Webhooks requires.
    Standard(StandardJson),
}

/// The settings of a JWT.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = JwtSigning)]
#[serde(deny_unknown_fields)]
struct JwtJson {
    /// The algorithm: `RS256`, `ES256` or `EdDSA`.
    #[schema(schema_with = algorithm_schema)]
    #[serde(default)]
    algorithm: SigningAlgorithm,
}

/// The settings of Standard Webhooks.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = StandardSigning)]
#[serde(deny_unknown_fields)]
struct StandardJson {
    /// The secrets: `whsec_` and 24 to 64 bytes in base64, or `whsk_` and an ed25519 key in base64. Each
    /// of them signs.
    #[schema(min_items = 1, max_items = 8)]
    secrets: Vec<SecretText>,
}

/// How requests authenticate with the endpoint.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Authentication)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum AuthenticationJson {
    /// HTTP basic authentication.
    Basic(BasicJson),
    /// A bearer token.
    Bearer(SecretText),
}

/// The credentials of HTTP basic authentication.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = BasicAuthentication)]
#[serde(deny_unknown_fields)]
struct BasicJson {
    /// The user name, without a colon.
    user: String,
    /// The password.
    password: SecretText,
}

/// A client certificate.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ClientCertificate)]
#[serde(deny_unknown_fields)]
struct ClientCertificateJson {
    /// The certificate and its chain, in PEM.
    certificate: String,
    /// The private key, in PEM.
    key: SecretText,
}

impl WebhookJson {
    pub(super) fn new(webhook: &WebhookSpec, secrets: SecretTexts) -> Self {
        let WebhookSpec {
            url,
            timeout,
            batch,
            signing,
            authentication,
            headers,
            client_certificate,
        } = webhook;
        let texts = |all: &[Secret<String>]| all.iter().map(|text| secrets.text(text)).collect();
        Self {
            url: secrets.url(url),
            timeout: *timeout,
            batch: *batch,
            signing: signing.as_ref().map(|signing| match signing {
                Signing::Jwt { algorithm } => SigningJson::Jwt(JwtJson {
                    algorithm: *algorithm,
                }),
                Signing::Standard { secrets } => SigningJson::Standard(StandardJson {
                    secrets: texts(secrets),
                }),
            }),
            authentication: authentication.as_ref().map(|chosen| match chosen {
                Authentication::Basic { user, password } => AuthenticationJson::Basic(BasicJson {
                    user: user.clone(),
                    password: secrets.text(password),
                }),
                Authentication::Bearer(token) => AuthenticationJson::Bearer(secrets.text(token)),
            }),
            headers: headers
                .iter()
                .map(|(name, value)| (name.clone(), secrets.text(value)))
                .collect(),
            client_certificate: client_certificate.as_ref().map(|certificate| {
                ClientCertificateJson {
                    certificate: certificate.certificate.clone(),
                    key: secrets.text(&certificate.key),
                }
            }),
        }
    }
}

impl From<WebhookJson> for WebhookSpec {
    fn from(json: WebhookJson) -> Self {
        let plain = SecretText::into_secret;
        Self {
            url: SecretUrl::from_secret(plain(json.url)),
            timeout: json.timeout,
            batch: json.batch,
            signing: json.signing.map(|signing| match signing {
                SigningJson::Jwt(JwtJson { algorithm }) => Signing::Jwt { algorithm },
                SigningJson::Standard(StandardJson { secrets }) => Signing::Standard {
                    secrets: secrets.into_iter().map(plain).collect(),
                },
            }),
            authentication: json.authentication.map(|chosen| match chosen {
                AuthenticationJson::Basic(BasicJson { user, password }) => Authentication::Basic {
                    user,
                    password: plain(password),
                },
                AuthenticationJson::Bearer(token) => Authentication::Bearer(plain(token)),
            }),
            headers: json
                .headers
                .into_iter()
                .map(|(name, value)| (name.to_ascii_lowercase(), plain(value)))
                .collect(),
            client_certificate: json
                .client_certificate
                .map(|certificate| ClientCertificate {
                    certificate: certificate.certificate,
                    key: plain(certificate.key),
                }),
        }
    }
}

fn algorithm_schema() -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(SigningAlgorithm::ALL.map(SigningAlgorithm::as_str)))
        .description(Some(
            "The algorithm of the signature. The default is `RS256`.",
        ))
        .into()
}

const fn default_timeout() -> Duration {
    Duration::from_secs(15)
}
