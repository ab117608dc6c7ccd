//! The parts of a webhook that its spec describes, without connections.

use std::sync::Arc;

use easel_keys::{SigningAlgorithm, WebhookSecret};
use easel_sinks::{ClientIdentity, CustomHeaders, Endpoint, WebhookSettings};
use easel_subscriptions::{Authentication, Signing, Spec, WebhookSpec};

/// The parts of a webhook that its spec describes.
#[derive(Clone, Debug)]
pub(crate) struct WebhookParts {
    pub(crate) endpoint: Endpoint,
    pub(crate) settings: WebhookSettings,
    pub(crate) custom_headers: CustomHeaders,
    pub(crate) signing: Option<SigningParts>,
    pub(crate) client_identity: Option<ClientIdentity>,
}

/// What signs the requests of a webhook.
#[derive(Clone, Debug)]
pub(crate) enum SigningParts {
    Jwt(SigningAlgorithm),
    Standard(Arc<[WebhookSecret]>),
}

impl WebhookParts {
    /// Creates the parts of a spec, and validates them. The error names the invalid place, and never contains a
    /// secret.
    pub(crate) fn from_spec(spec: &Spec) -> Result<Self, String> {
        let Some(webhook) = spec.sink.webhook() else {
            return Err("the subscription has no webhook".to_owned());
        };
        let endpoint = Endpoint::parse(webhook.url.expose());
        Ok(Self {
            endpoint: endpoint.map_err(|error| format!("webhook.url: failed to {error}"))?,
            settings: WebhookSettings {
                timeout: webhook.timeout,
                max_items: webhook.batch.get(),
                max_in_flight: spec.in_flight.get(),
            },
            custom_headers: custom_headers(webhook)?,
            signing: webhook.signing.as_ref().map(signing).transpose()?,
            client_identity: client_identity(webhook)?,
        })
    }
}

fn custom_headers(webhook: &WebhookSpec) -> Result<CustomHeaders, String> {
    let headers = webhook.headers.iter();
    let headers = CustomHeaders::new(headers.map(|(name, value)| (name.as_str(), value)));
    let headers = headers.map_err(|error| format!("webhook.headers: {error}"))?;
    let authorized = match &webhook.authentication {
        None => Ok(headers),
        Some(Authentication::Basic { user, password }) => headers.with_basic(user, password),
        Some(Authentication::Bearer(token)) => headers.with_bearer(token),
    };
    authorized.map_err(|error| format!("webhook.authentication: {error}"))
}

fn signing(signing: &Signing) -> Result<SigningParts, String> {
    match signing {
        Signing::Jwt { algorithm } => Ok(SigningParts::Jwt(*algorithm)),
        Signing::Standard { secrets } => {
            let secrets = secrets.iter().enumerate().map(|(index, secret)| {
                WebhookSecret::parse(secret.expose()).map_err(|error| {
                    format!("webhook.signing.standard.secrets[{index}]: failed to {error}")
                })
            });
            let secrets: Vec<_> = secrets.collect::<Result<_, _>>()?;
            Ok(SigningParts::Standard(secrets.into()))
        }
    }
}

fn client_identity(webhook: &WebhookSpec) -> Result<Option<ClientIdentity>, String> {
    let Some(certificate) = &webhook.client_certificate else {
        return Ok(None);
    };
    let identity = ClientIdentity::parse(&certificate.certificate, &certificate.key);
    let identity = identity.map_err(|error| format!("webhook.client_certificate: {error}"))?;
    Ok(Some(identity))
}
