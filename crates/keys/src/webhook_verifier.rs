//! Verifies webhooks that are signed as "Standard Webhooks" 1.0 says.
//!
//! One valid signature is enough, because a sender signs with several secrets while it rotates them.
//! Signatures of unknown versions are ignored. The timestamp must be near the time of the receiver,
//! which limits how long a recorded request can be sent again.
//!
//! Not here: recognizing a request that is sent twice within this time. Its id does that.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::signature::{ED25519, ParsedPublicKey};
use jiff::Timestamp;
use thiserror::Error;

use crate::webhook_secret::{
    ED25519_BYTES, WebhookSecret, WebhookSecretError, WebhookSignature, decode, signed_prefix,
};

/// The most signatures in one header that are tried.
const MAX_SIGNATURES: usize = 20;

/// A key that verifies webhooks: a secret, or the public key of one.
#[derive(Clone)]
pub struct WebhookKey(VerifyingKey);

#[derive(Clone)]
enum VerifyingKey {
    Secret(WebhookSecret),
    Public(ParsedPublicKey),
}

impl WebhookKey {
    /// Reads `whsec_…`, `whsk_…` or `whpk_…`.
    ///
    /// # Errors
    ///
    /// The text is none of these, or its base64 or its length is wrong.
    pub fn parse(text: &str) -> Result<Self, WebhookSecretError> {
        let Some(encoded) = text.strip_prefix("whpk_") else {
            let secret = WebhookSecret::parse(text).map_err(|error| match error {
                WebhookSecretError::UnknownPrefix { .. } => WebhookSecretError::UnknownPrefix {
                    expected: "whsec_, whsk_ or whpk_",
                },
                other => other,
            });
            return secret.map(Self::from);
        };
        let public = decode(encoded)?;
        let public = Some(public.expose()).filter(|bytes| bytes.len() == ED25519_BYTES);
        public
            .and_then(|bytes| ParsedPublicKey::new(&ED25519, bytes).ok())
            .map(|key| Self(VerifyingKey::Public(key)))
            .ok_or(WebhookSecretError::InvalidPublicKey)
    }

    fn verifies(&self, prefix: &str, body: &[u8], signature: &WebhookSignature) -> bool {
        match (&self.0, signature) {
            (VerifyingKey::Secret(secret), _) => secret.verifies(prefix, body, signature),
            (VerifyingKey::Public(key), WebhookSignature::Asymmetric(signature)) => {
                let message = [prefix.as_bytes(), body].concat();
                key.verify_sig(&message, signature).is_ok()
            }
            (VerifyingKey::Public(_), WebhookSignature::Symmetric(_)) => false,
        }
    }
}

impl From<WebhookSecret> for WebhookKey {
    fn from(secret: WebhookSecret) -> Self {
        Self(VerifyingKey::Secret(secret))
    }
}

impl fmt::Debug for WebhookKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            VerifyingKey::Secret(secret) => secret.fmt(f),
            VerifyingKey::Public(_) => f.write_str("WebhookKey(whpk_…)"),
        }
    }
}

/// The headers of a webhook that are verified.
#[derive(Clone, Copy, Debug)]
pub struct WebhookHeaders<'a> {
    /// The value of `webhook-id`.
    pub id: &'a str,
    /// The value of `webhook-timestamp`: seconds of Unix time.
    pub timestamp: &'a str,
    /// The value of `webhook-signature`: signatures with spaces between them.
    pub signature: &'a str,
}

/// Verifies webhooks with any of several keys.
#[derive(Clone, Debug)]
pub struct WebhookVerifier {
    keys: Vec<WebhookKey>,
    tolerance: Duration,
}

impl WebhookVerifier {
    /// Makes a verifier that lets the clock of the sender differ by five minutes. Without keys, it
    /// refuses every webhook.
    pub const fn new(keys: Vec<WebhookKey>) -> Self {
        let tolerance = Duration::from_mins(5);
        Self { keys, tolerance }
    }

    /// Changes how far the timestamp may be from the time of the receiver.
    #[must_use]
    pub const fn with_tolerance(mut self, tolerance: Duration) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Verifies one request. `body` is the body as it was received, byte for byte.
    ///
    /// # Errors
    ///
    /// A header is invalid, the timestamp is too far from `now`, or no signature is of one of the keys.
    pub fn verify(
        &self,
        headers: &WebhookHeaders<'_>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), WebhookVerifyError> {
        let timestamp = parse_timestamp(headers.timestamp)?;
        let tolerance = i64::try_from(self.tolerance.as_secs()).unwrap_or(i64::MAX);
        let now = now.as_second();
        if timestamp < now.saturating_sub(tolerance) {
            return Err(WebhookVerifyError::TooOld { timestamp });
        }
        if timestamp > now.saturating_add(tolerance) {
            return Err(WebhookVerifyError::InTheFuture { timestamp });
        }
        let prefix = signed_prefix(headers.id, timestamp).ok_or(WebhookVerifyError::DotInId)?;
        if headers.signature.split(' ').count() > MAX_SIGNATURES {
            return Err(WebhookVerifyError::TooManySignatures);
        }
        let mut signatures = headers
            .signature
            .split(' ')
            .filter_map(WebhookSignature::parse);
        let is_valid = |signature: WebhookSignature| {
            let mut keys = self.keys.iter();
            keys.any(|key| key.verifies(&prefix, body, &signature))
        };
        if signatures.any(is_valid) {
            Ok(())
        } else {
            Err(WebhookVerifyError::InvalidSignature)
        }
    }
}

/// Reads a timestamp. Only one text means one time, because the text is part of what is signed.
fn parse_timestamp(text: &str) -> Result<i64, WebhookVerifyError> {
    let timestamp = text.parse().ok();
    let timestamp = timestamp.filter(|timestamp: &i64| timestamp.to_string() == text);
    timestamp.ok_or(WebhookVerifyError::InvalidTimestamp)
}

/// Why a webhook is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WebhookVerifyError {
    /// `webhook-timestamp` is not an integer.
    #[error("verify the webhook: webhook-timestamp must be an integer")]
    InvalidTimestamp,
    /// The request was signed too long ago.
    #[error("verify the webhook: the timestamp {timestamp} is too old")]
    TooOld {
        /// The time of the signature in seconds of Unix time.
        timestamp: i64,
    },
    /// The request was signed in the future.
    #[error("verify the webhook: the timestamp {timestamp} is in the future")]
    InTheFuture {
        /// The time of the signature in seconds of Unix time.
        timestamp: i64,
    },
    /// The id contains a dot, which separates the parts of what is signed.
    #[error("verify the webhook: webhook-id must not contain a dot")]
    DotInId,
    /// The header has more signatures than a sender needs.
    #[error("verify the webhook: more than {MAX_SIGNATURES} signatures")]
    TooManySignatures,
    /// No signature is of one of the keys.
    #[error("verify the webhook: no signature is valid")]
    InvalidSignature,
}

#[cfg(test)]
mod tests;
