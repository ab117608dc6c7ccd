//! The definition of a source.
//!
//! A [`SourceSpec`] is parsed from the JSON of the API, from `easel.toml` and from the store, always
//! through [`SourceJson`]. It may contain secrets, so it is only written through
//! `SourceJson`, with or without the secrets.

mod json;

use std::num::NonZeroU8;

use easel_keys::{Secret, SecretReference};
use serde::Deserialize;

use crate::SourceName;
use json::check_path_secret;

pub use json::{SourceJson, SourceSpecError};

/// The definition of a source: a system that events come from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "SourceJson")]
pub struct SourceSpec {
    /// The unique name.
    pub name: SourceName,
    /// How its events come in.
    pub kind: SourceKind,
    /// The root accounts whose events are accepted, each a global id or a UUID. Empty means all.
    pub root_accounts: Vec<String>,
}

/// How the events of a source come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// The source sends each event in a POST request to `/v1/hooks/{source}`.
    Https(HttpsSource),
    /// The source sends events to a queue of Amazon SQS, which Easel reads.
    Sqs(SqsSource),
}

/// A source that sends each event in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpsSource {
    /// How the events are signed. `None`: they are not signed, and only the secret protects the source.
    pub signed_by: Option<SignedBy>,
    /// The secret at the end of the path. A source without signatures always has one.
    pub secret: Option<Secret<String>>,
}

/// Whose signatures a source accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedBy {
    /// The URL of the public keys, a JWK set.
    pub jwks_url: String,
    /// What the claim `iss` must be. `None` accepts every issuer.
    pub issuer: Option<String>,
}

/// A source that is a queue of Amazon SQS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqsSource {
    /// The URL of the queue.
    pub queue_url: String,
    /// The AWS region. `None`: the region in the URL of the queue, or that of the environment.
    pub region: Option<String>,
    /// Another address of the service, for emulators and private endpoints.
    pub endpoint_url: Option<String>,
    /// Who reads the queue.
    pub credentials: SqsCredentials,
    /// How many requests wait for messages at the same time.
    pub pollers: Pollers,
}

/// Who reads a queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SqsCredentials {
    /// The credentials of the environment: variables, or the default profile.
    #[default]
    Environment,
    /// A profile of the file of AWS credentials.
    Profile(String),
    /// A key pair.
    KeyPair {
        /// The id of the pair.
        access_key_id: String,
        /// The secret that signs requests.
        secret_access_key: Secret<String>,
        /// The token of a temporary key pair.
        session_token: Option<Secret<String>>,
    },
}

/// How many requests wait for messages of a queue at the same time: 1 to 16, by default 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pollers(NonZeroU8);

impl Pollers {
    /// The largest number.
    pub const MAX: u8 = 16;

    /// Returns the number if it is in the range.
    pub fn new(number: u8) -> Option<Self> {
        NonZeroU8::new(number)
            .filter(|number| number.get() <= Self::MAX)
            .map(Self)
    }

    /// Returns the number.
    pub const fn get(self) -> u8 {
        self.0.get()
    }
}

impl Default for Pollers {
    fn default() -> Self {
        const { Self(NonZeroU8::new(2).unwrap()) }
    }
}

impl SignedBy {
    /// Where hosted Canvas publishes the keys of its production and beta environments
    /// (its guide to data services).
    pub const HOSTED_JWKS_URL: &str =
        "https://8axpcl50e4.execute-api.us-east-1.amazonaws.com/main/jwks";
    /// The issuer of events that hosted Canvas signs.
    pub const HOSTED_ISSUER: &str = "https://live-events.canvas.instructure.com";
}

impl Default for SignedBy {
    fn default() -> Self {
        Self {
            jwks_url: Self::HOSTED_JWKS_URL.to_owned(),
            issuer: Some(Self::HOSTED_ISSUER.to_owned()),
        }
    }
}

impl SourceSpec {
    /// Replaces the references `env:NAME` and `file:PATH` in secrets with the texts that `read` returns.
    /// Only the settings file may have references.
    ///
    /// # Errors
    ///
    /// Returns the member of each reference that `read` rejected, or whose text is invalid, with the fault.
    pub fn resolve_secrets(
        &mut self,
        read: &dyn Fn(SecretReference<'_>) -> Result<Secret<String>, String>,
    ) -> Result<(), Vec<(&'static str, String)>> {
        let mut faults = Vec::new();
        for (member, secret) in self.secrets() {
            let Some(reference) = SecretReference::parse(secret.expose()) else {
                continue;
            };
            match read(reference) {
                Ok(resolved) => *secret = resolved,
                Err(fault) => faults.push((member, fault)),
            }
        }
        let secret = self.https().and_then(|https| https.secret.as_ref());
        if let Some(Err(error)) = secret.map(|secret| check_path_secret(secret.expose())) {
            faults.push(("secret", error.to_string()));
        }
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults)
        }
    }

    fn secrets(&mut self) -> Vec<(&'static str, &mut Secret<String>)> {
        match &mut self.kind {
            SourceKind::Https(https) => {
                let secret = https.secret.as_mut();
                secret
                    .map(|secret| ("secret", secret))
                    .into_iter()
                    .collect()
            }
            SourceKind::Sqs(sqs) => match &mut sqs.credentials {
                SqsCredentials::Environment | SqsCredentials::Profile(_) => Vec::new(),
                SqsCredentials::KeyPair {
                    secret_access_key,
                    session_token,
                    ..
                } => {
                    let token = session_token.as_mut();
                    let token = token.map(|token| ("session_token", token));
                    [("secret_access_key", secret_access_key)]
                        .into_iter()
                        .chain(token)
                        .collect()
                }
            },
        }
    }

    /// Returns the https part; `None` for another kind of source.
    pub const fn https(&self) -> Option<&HttpsSource> {
        match &self.kind {
            SourceKind::Https(https) => Some(https),
            SourceKind::Sqs(_) => None,
        }
    }

    /// Returns the queue; `None` for another kind of source.
    pub const fn sqs(&self) -> Option<&SqsSource> {
        match &self.kind {
            SourceKind::Sqs(sqs) => Some(sqs),
            SourceKind::Https(_) => None,
        }
    }

    /// Returns true if events of this root account are accepted. An event without a root account is only
    /// accepted if the source accepts all.
    pub fn accepts_account(&self, id: Option<&str>, uuid: Option<&str>) -> bool {
        let is_listed = |account: &str| self.root_accounts.iter().any(|listed| listed == account);
        self.root_accounts.is_empty() || id.is_some_and(is_listed) || uuid.is_some_and(is_listed)
    }
}

impl SourceKind {
    /// Returns the name of the kind.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Https(_) => "https",
            Self::Sqs(_) => "sqs",
        }
    }
}
