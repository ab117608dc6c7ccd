//! The JSON and TOML of a source.

use std::fmt;

use easel_keys::{Secret, SecretReference};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use url::Url;
use utoipa::ToSchema;

use super::{HttpsSource, Pollers, SignedBy, SourceKind, SourceSpec, SqsCredentials, SqsSource};
use crate::jwks_url::check_jwks_url;
use crate::{SourceName, SourceNameError};

/// The text that is shown in place of a secret.
const SHOWN: &str = "…";

/// The fewest characters of a secret in a path.
const MIN_SECRET_CHARS: usize = 16;
/// The most characters of a secret in a path.
const MAX_SECRET_CHARS: usize = 200;

/// The JSON and TOML of a source. Members of another kind are rejected.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = Source)]
#[serde(deny_unknown_fields)]
pub struct SourceJson {
    /// 1 to 64 of `a-z`, `0-9`, `-`, `_` and `.`.
    #[schema(example = "hosted")]
    name: String,
    /// How events come in.
    kind: Option<KindJson>,
    /// The root accounts whose events are accepted, each a global id or a UUID. All by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    root_accounts: Vec<String>,
    /// `https`: whether events must be signed. True by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    signed: Option<bool>,
    /// `https`: the URL of the public keys. By default that of hosted Canvas.
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks_url: Option<String>,
    /// `https`: what `iss` must be; `*` accepts every issuer. By default that of hosted Canvas.
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<String>,
    /// `https`: a secret at the end of the path, 16 to 200 of `A-Z`, `a-z`, `0-9`, `-`, `_`, `.` and `~`.
    /// Required if events are not signed. It is never shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// `sqs`: the URL of the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    queue_url: Option<String>,
    /// `sqs`: the AWS region. By default the one in the URL of the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    /// `sqs`: another address of the service, for emulators and private endpoints.
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint_url: Option<String>,
    /// `sqs`: a profile of the file of AWS credentials. Without a profile and a key pair, the credentials
    /// come from the environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
    /// `sqs`: the id of a key pair.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key_id: Option<String>,
    /// `sqs`: the secret of a key pair. It is never shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_access_key: Option<String>,
    /// `sqs`: the token of a temporary key pair. It is never shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_token: Option<String>,
    /// `sqs`: how many requests wait for messages at the same time: 1 to 16, by default 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pollers: Option<u8>,
}

/// How the events of a source come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = SourceKind)]
#[serde(rename_all = "snake_case")]
enum KindJson {
    /// The source sends each event in a request to `/v1/hooks/{source}`.
    Https,
    /// Easel reads the events from a queue of Amazon SQS.
    Sqs,
}

/// Why a source is invalid.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SourceSpecError {
    /// The name is invalid.
    #[error(transparent)]
    Name(#[from] SourceNameError),
    /// A member is missing or has an invalid value.
    #[error("{member} {fault}")]
    Member {
        /// The member.
        member: &'static str,
        /// What is wrong, after the name of the member.
        fault: String,
    },
}

impl SourceSpecError {
    fn new(member: &'static str, fault: impl fmt::Display) -> Self {
        Self::Member {
            member,
            fault: fault.to_string(),
        }
    }

    /// Returns the invalid member.
    pub const fn member(&self) -> &'static str {
        match self {
            Self::Name(_) => "name",
            Self::Member { member, .. } => member,
        }
    }
}

impl TryFrom<SourceJson> for SourceSpec {
    type Error = SourceSpecError;

    fn try_from(json: SourceJson) -> Result<Self, SourceSpecError> {
        let name: SourceName = json.name.parse()?;
        if json.root_accounts.iter().any(String::is_empty) {
            return Err(SourceSpecError::new(
                "root_accounts",
                "must not contain an empty text",
            ));
        }
        let kind = match json.kind {
            None => {
                return Err(SourceSpecError::new("kind", "is missing: use https or sqs"));
            }
            Some(KindJson::Https) => {
                must_lack("https", json.members_of_sqs())?;
                SourceKind::Https(json.https()?)
            }
            Some(KindJson::Sqs) => {
                must_lack("sqs", json.members_of_https())?;
                SourceKind::Sqs(json.sqs()?)
            }
        };
        Ok(Self {
            name,
            kind,
            root_accounts: json.root_accounts,
        })
    }
}

impl SourceJson {
    fn members_of_https(&self) -> [(&'static str, bool); 4] {
        [
            ("signed", self.signed.is_some()),
            ("jwks_url", self.jwks_url.is_some()),
            ("issuer", self.issuer.is_some()),
            ("secret", self.secret.is_some()),
        ]
    }

    fn members_of_sqs(&self) -> [(&'static str, bool); 8] {
        [
            ("queue_url", self.queue_url.is_some()),
            ("region", self.region.is_some()),
            ("endpoint_url", self.endpoint_url.is_some()),
            ("profile", self.profile.is_some()),
            ("access_key_id", self.access_key_id.is_some()),
            ("secret_access_key", self.secret_access_key.is_some()),
            ("session_token", self.session_token.is_some()),
            ("pollers", self.pollers.is_some()),
        ]
    }

    fn https(&self) -> Result<HttpsSource, SourceSpecError> {
        let signed_by = if self.signed == Some(false) {
            let keys = [
                ("jwks_url", self.jwks_url.is_some()),
                ("issuer", self.issuer.is_some()),
            ];
            must_lack("https without signatures", keys)?;
            None
        } else {
            Some(self.signed_by()?)
        };
        let secret = self.secret.clone().map(Secret::new);
        if let Some(secret) = &secret {
            check_path_secret(secret.expose())?;
        }
        if signed_by.is_none() && secret.is_none() {
            return Err(SourceSpecError::new(
                "secret",
                "is required if events are not signed",
            ));
        }
        Ok(HttpsSource { signed_by, secret })
    }

    fn signed_by(&self) -> Result<SignedBy, SourceSpecError> {
        let default = SignedBy::default();
        let jwks_url = self.jwks_url.clone().unwrap_or(default.jwks_url);
        check_jwks_url(&jwks_url).map_err(|fault| SourceSpecError::new("jwks_url", fault))?;
        let issuer = match self.issuer.as_deref() {
            None => default.issuer,
            Some("") => {
                return Err(SourceSpecError::new(
                    "issuer",
                    "must not be empty; `*` accepts every issuer",
                ));
            }
            Some("*") => None,
            Some(issuer) => Some(issuer.to_owned()),
        };
        Ok(SignedBy { jwks_url, issuer })
    }

    fn sqs(&self) -> Result<SqsSource, SourceSpecError> {
        let Some(queue_url) = self.queue_url.clone() else {
            return Err(SourceSpecError::new("queue_url", "is missing"));
        };
        check_url("queue_url", &queue_url)?;
        if let Some(endpoint) = &self.endpoint_url {
            check_url("endpoint_url", endpoint)?;
        }
        let pollers = match self.pollers {
            None => Pollers::default(),
            Some(number) => Pollers::new(number).ok_or_else(|| {
                let fault = format!("must be 1 to {}, not {number}", Pollers::MAX);
                SourceSpecError::new("pollers", fault)
            })?,
        };
        Ok(SqsSource {
            queue_url,
            region: self.region.clone(),
            endpoint_url: self.endpoint_url.clone(),
            credentials: self.credentials()?,
            pollers,
        })
    }

    fn credentials(&self) -> Result<SqsCredentials, SourceSpecError> {
        let half =
            |member| SourceSpecError::new(member, "is missing: a key pair needs both halves");
        let pair = (&self.access_key_id, &self.secret_access_key);
        if let (Some(_), Some(_)) = (&self.profile, &self.access_key_id) {
            return Err(SourceSpecError::new(
                "profile",
                "must not be set together with a key pair",
            ));
        }
        match pair {
            (None, None) if self.session_token.is_some() => Err(half("access_key_id")),
            (None, None) => Ok(match &self.profile {
                Some(profile) => SqsCredentials::Profile(profile.clone()),
                None => SqsCredentials::Environment,
            }),
            (Some(_), None) => Err(half("secret_access_key")),
            (None, Some(_)) => Err(half("access_key_id")),
            (Some(id), Some(secret)) => Ok(SqsCredentials::KeyPair {
                access_key_id: id.clone(),
                secret_access_key: Secret::new(secret.clone()),
                session_token: self.session_token.clone().map(Secret::new),
            }),
        }
    }

    /// Returns the JSON with the secrets, for the store.
    pub fn with_secrets(spec: &SourceSpec) -> Self {
        Self::from_spec(spec, |secret| secret.expose().clone())
    }

    /// Returns the JSON with `…` in place of each secret.
    pub fn without_secrets(spec: &SourceSpec) -> Self {
        Self::from_spec(spec, |_secret| SHOWN.to_owned())
    }

    fn from_spec(spec: &SourceSpec, show: impl Fn(&Secret<String>) -> String) -> Self {
        let base = Self {
            name: spec.name.to_string(),
            root_accounts: spec.root_accounts.clone(),
            ..Self::default()
        };
        match &spec.kind {
            SourceKind::Https(HttpsSource { signed_by, secret }) => {
                let any_issuer = || "*".to_owned();
                Self {
                    kind: Some(KindJson::Https),
                    signed: Some(signed_by.is_some()),
                    jwks_url: signed_by
                        .as_ref()
                        .map(|signed_by| signed_by.jwks_url.clone()),
                    issuer: signed_by
                        .as_ref()
                        .map(|signed_by| signed_by.issuer.clone().unwrap_or_else(any_issuer)),
                    secret: secret.as_ref().map(show),
                    ..base
                }
            }
            SourceKind::Sqs(sqs) => {
                let mut json = Self {
                    kind: Some(KindJson::Sqs),
                    queue_url: Some(sqs.queue_url.clone()),
                    region: sqs.region.clone(),
                    endpoint_url: sqs.endpoint_url.clone(),
                    pollers: Some(sqs.pollers.get()),
                    ..base
                };
                match &sqs.credentials {
                    SqsCredentials::Environment => (),
                    SqsCredentials::Profile(profile) => json.profile = Some(profile.clone()),
                    SqsCredentials::KeyPair {
                        access_key_id,
                        secret_access_key,
                        session_token,
                    } => {
                        json.access_key_id = Some(access_key_id.clone());
                        json.secret_access_key = Some(show(secret_access_key));
                        json.session_token = session_token.as_ref().map(show);
                    }
                }
                json
            }
        }
    }

    /// Takes the secrets of `current` where this JSON has `…`. A secret of AWS is not taken if the
    /// queue or the endpoint changes, so that nobody can send it to another address.
    #[must_use]
    pub fn keep_secrets(mut self, current: &SourceSpec) -> Self {
        let mut current = Self::with_secrets(current);
        let is_same_place =
            self.queue_url == current.queue_url && self.endpoint_url == current.endpoint_url;
        let current = current.secrets().map(|(_member, secret)| secret.clone());
        for ((member, secret), current) in self.secrets().into_iter().zip(current) {
            if secret.as_deref() == Some(SHOWN) && (member == "secret" || is_same_place) {
                *secret = current;
            }
        }
        self
    }

    /// Rejects a text that only stands for a secret, and a reference to a secret.
    pub fn check_secrets(&mut self) -> Result<(), SourceSpecError> {
        for (member, secret) in self.secrets() {
            let Some(text) = secret.as_deref() else {
                continue;
            };
            if text == SHOWN {
                let fault =
                    format!("must be a secret, not {SHOWN:?}, which only stands for a secret");
                return Err(SourceSpecError::new(member, fault));
            }
            if SecretReference::parse(text).is_some() {
                return Err(SourceSpecError::new(
                    member,
                    "must be a secret; only the settings file may have a reference such as env:NAME",
                ));
            }
        }
        Ok(())
    }

    fn secrets(&mut self) -> [(&'static str, &mut Option<String>); 3] {
        [
            ("secret", &mut self.secret),
            ("secret_access_key", &mut self.secret_access_key),
            ("session_token", &mut self.session_token),
        ]
    }
}

/// Rejects members that do not belong to a kind of source.
fn must_lack<const N: usize>(
    kind: &str,
    members: [(&'static str, bool); N],
) -> Result<(), SourceSpecError> {
    match members
        .into_iter()
        .find(|(_member, is_present)| *is_present)
    {
        None => Ok(()),
        Some((member, _)) => Err(SourceSpecError::new(
            member,
            format!("does not belong to a source of the kind {kind}"),
        )),
    }
}

pub(super) fn check_path_secret(secret: &str) -> Result<(), SourceSpecError> {
    // The text that stands for a secret is rejected elsewhere, with a better explanation. A reference is
    // resolved before the source is used.
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~');
    let length = secret.chars().count();
    if secret == SHOWN
        || SecretReference::parse(secret).is_some()
        || (MIN_SECRET_CHARS..=MAX_SECRET_CHARS).contains(&length) && secret.chars().all(is_allowed)
    {
        return Ok(());
    }
    Err(SourceSpecError::new(
        "secret",
        format!(
            "must be {MIN_SECRET_CHARS} to {MAX_SECRET_CHARS} of A-Z, a-z, 0-9, `-`, `_`, `.` and `~`"
        ),
    ))
}

fn check_url(member: &'static str, text: &str) -> Result<(), SourceSpecError> {
    let url = Url::parse(text)
        .map_err(|error| SourceSpecError::new(member, format!("must be a URL: {error}")))?;
    let is_http = matches!(url.scheme(), "http" | "https") && url.has_host();
    if !is_http || !url.username().is_empty() || url.password().is_some() {
        return Err(SourceSpecError::new(
            member,
            "must be a URL that begins with https:// or http:// and has no user name or password",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
