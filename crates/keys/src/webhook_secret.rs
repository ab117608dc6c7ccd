//! Secrets that sign webhooks as "Standard Webhooks" 1.0 says, and the signatures.
//!
//! | text | key | signature |
//! | --- | --- | --- |
//! | `whsec_` and base64 | 24 to 64 random bytes, which the receiver also knows | `v1,` and base64 of an HMAC-SHA256 |
//! | `whsk_` and base64 | the Ed25519 seed of 32 bytes, with or without the public key of 32 bytes after it | `v1a,` and base64 of an Ed25519 signature |
//! | `whpk_` and base64 | the Ed25519 public key, for the receiver | |
//!
//! The signed text is `{id}.{timestamp}.{body}`. Source: `spec/standard-webhooks.md` in the repository
//! `standard-webhooks/standard-webhooks`.

use std::fmt;

use aws_lc_rs::rand;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use thiserror::Error;

use crate::Secret;

/// The lengths that a symmetric secret may have, in bytes.
const SYMMETRIC_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// The length of a symmetric secret that is generated, in bytes.
const GENERATED_BYTES: usize = 32;

/// The length of an Ed25519 seed, and of an Ed25519 public key, in bytes.
pub(crate) const ED25519_BYTES: usize = 32;

/// Standard base64. The padding may be missing, because people lose it when they copy a secret.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A secret that signs webhooks.
#[derive(Clone)]
pub struct WebhookSecret(SigningScheme);

#[derive(Clone)]
enum SigningScheme {
    Symmetric(Secret<Vec<u8>>),
    Asymmetric {
        seed: Secret<Vec<u8>>,
        pair: Ed25519KeyPair,
    },
}

impl WebhookSecret {
    /// Reads `whsec_…` or `whsk_…`.
    ///
    /// # Errors
    ///
    /// The prefix, the base64 or the length is wrong, or the two halves of an Ed25519 key are not of
    /// one key.
    pub fn parse(text: &str) -> Result<Self, WebhookSecretError> {
        if let Some(encoded) = text.strip_prefix("whsec_") {
            let secret = decode(encoded)?;
            return Self::symmetric(secret);
        }
        let encoded = text.strip_prefix("whsk_");
        let encoded = encoded.ok_or(WebhookSecretError::UnknownPrefix {
            expected: "whsec_ or whsk_",
        })?;
        Self::asymmetric(&decode(encoded)?)
    }

    /// Generates a symmetric secret of 32 bytes.
    ///
    /// # Errors
    ///
    /// The random number generator failed.
    pub fn generate_symmetric() -> Result<Self, WebhookSecretError> {
        let bytes = random_bytes(GENERATED_BYTES)?;
        Ok(Self(SigningScheme::Symmetric(bytes)))
    }

    /// Generates an Ed25519 key.
    ///
    /// # Errors
    ///
    /// The random number generator failed.
    pub fn generate_asymmetric() -> Result<Self, WebhookSecretError> {
        Self::asymmetric(&random_bytes(ED25519_BYTES)?)
    }

    fn symmetric(secret: Secret<Vec<u8>>) -> Result<Self, WebhookSecretError> {
        let bytes = secret.expose().len();
        if SYMMETRIC_BYTES.contains(&bytes) {
            Ok(Self(SigningScheme::Symmetric(secret)))
        } else {
            Err(WebhookSecretError::SymmetricLength { bytes })
        }
    }

    /// Makes a secret of a seed, or of a seed and its public key.
    fn asymmetric(secret: &Secret<Vec<u8>>) -> Result<Self, WebhookSecretError> {
        let bytes = secret.expose();
        let wrong_length = WebhookSecretError::PrivateLength { bytes: bytes.len() };
        let (seed, public) = bytes.split_at_checked(ED25519_BYTES).ok_or(wrong_length)?;
        let pair = match public.len() {
            0 => Ed25519KeyPair::from_seed_unchecked(seed),
            ED25519_BYTES => Ed25519KeyPair::from_seed_and_public_key(seed, public),
            _ => return Err(wrong_length),
        };
        let pair = pair.map_err(|_rejected| WebhookSecretError::Inconsistent)?;
        let seed = Secret::new(seed.to_vec());
        Ok(Self(SigningScheme::Asymmetric { seed, pair }))
    }

    /// Returns the secret as text. An Ed25519 key is written with its public key.
    pub fn to_text(&self) -> Secret<String> {
        // Long enough for each secret, so that no part of a secret stays in a smaller buffer.
        let mut text = String::with_capacity(128);
        match &self.0 {
            SigningScheme::Symmetric(bytes) => {
                text.push_str("whsec_");
                STANDARD.encode_string(bytes.expose(), &mut text);
            }
            SigningScheme::Asymmetric { seed, pair } => {
                let public = pair.public_key().as_ref();
                let bytes = Secret::new([seed.expose(), public].concat());
                text.push_str("whsk_");
                STANDARD.encode_string(bytes.expose(), &mut text);
            }
        }
        Secret::new(text)
    }

    /// Returns the public key `whpk_…` that a receiver needs, or `None` for a symmetric secret.
    pub fn public_text(&self) -> Option<String> {
        match &self.0 {
            SigningScheme::Symmetric(_) => None,
            SigningScheme::Asymmetric { pair, .. } => {
                Some(format!("whpk_{}", STANDARD.encode(pair.public_key())))
            }
        }
    }

    /// Signs one request. `id` is the value of `webhook-id`, `timestamp` that of `webhook-timestamp` in
    /// seconds of Unix time. Returns one signature for `webhook-signature`, such as `v1,…`.
    ///
    /// # Errors
    ///
    /// `id` contains a dot, or the cryptography library failed.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> Result<String, WebhookSignError> {
        let prefix = signed_prefix(id, timestamp).ok_or(WebhookSignError::DotInId)?;
        match &self.0 {
            SigningScheme::Symmetric(secret) => {
                let mac = symmetric_mac(secret, &prefix, body).finalize();
                Ok(format!("v1,{}", STANDARD.encode(mac.into_bytes())))
            }
            SigningScheme::Asymmetric { pair, .. } => {
                let message = [prefix.as_bytes(), body].concat();
                let signature = pair.try_sign(&message);
                let signature = signature.map_err(|_unspecified| WebhookSignError::Failed)?;
                Ok(format!("v1a,{}", STANDARD.encode(signature)))
            }
        }
    }

    /// Signs one request with each secret, for `webhook-signature`. While secrets are rotated, a
    /// receiver needs to know only one of them.
    ///
    /// # Errors
    ///
    /// As in [`Self::sign`].
    pub fn signature_header(
        secrets: &[Self],
        id: &str,
        timestamp: i64,
        body: &[u8],
    ) -> Result<String, WebhookSignError> {
        let signatures = secrets
            .iter()
            .map(|secret| secret.sign(id, timestamp, body));
        let signatures: Vec<_> = signatures.collect::<Result<_, _>>()?;
        Ok(signatures.join(" "))
    }
}

impl WebhookSecret {
    /// Returns whether `signature` is a signature of this secret. Takes the same time for each wrong
    /// HMAC.
    pub(crate) fn verifies(&self, prefix: &str, body: &[u8], signature: &WebhookSignature) -> bool {
        match (&self.0, signature) {
            (SigningScheme::Symmetric(secret), WebhookSignature::Symmetric(mac)) => {
                symmetric_mac(secret, prefix, body)
                    .verify_slice(mac)
                    .is_ok()
            }
            (SigningScheme::Asymmetric { pair, .. }, WebhookSignature::Asymmetric(signature)) => {
                let message = [prefix.as_bytes(), body].concat();
                let key = UnparsedPublicKey::new(&ED25519, pair.public_key());
                key.verify(&message, signature).is_ok()
            }
            (SigningScheme::Symmetric(_), WebhookSignature::Asymmetric(_))
            | (SigningScheme::Asymmetric { .. }, WebhookSignature::Symmetric(_)) => false,
        }
    }
}

/// A signature of one request, as `webhook-signature` has it.
pub(crate) enum WebhookSignature {
    /// `v1`: an HMAC-SHA256.
    Symmetric(Vec<u8>),
    /// `v1a`: an Ed25519 signature.
    Asymmetric(Vec<u8>),
}

impl WebhookSignature {
    /// Reads one signature. A version that this file does not know gives `None`, and so does
    /// base64 that is not canonical.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (version, encoded) = text.split_once(',')?;
        let decode = || STANDARD.decode(encoded).ok();
        match version {
            "v1" => decode().map(Self::Symmetric),
            "v1a" => decode().map(Self::Asymmetric),
            _ => None,
        }
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            SigningScheme::Symmetric(_) => "WebhookSecret(whsec_…)",
            SigningScheme::Asymmetric { .. } => "WebhookSecret(whsk_…)",
        })
    }
}

/// The bytes before the body in what is signed, or `None` if `id` contains a dot. A dot would let an
/// attacker move the border between the id and the timestamp.
pub(crate) fn signed_prefix(id: &str, timestamp: i64) -> Option<String> {
    (!id.contains('.')).then(|| format!("{id}.{timestamp}."))
}

fn symmetric_mac(secret: &Secret<Vec<u8>>, prefix: &str, body: &[u8]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mac = Hmac::<Sha256>::new_from_slice(secret.expose()).expect("a key of any length");
    mac.chain_update(prefix).chain_update(body)
}

/// Decodes the part of a key after its prefix.
pub(crate) fn decode(encoded: &str) -> Result<Secret<Vec<u8>>, WebhookSecretError> {
    let decoded = BASE64.decode(encoded).map(Secret::new);
    decoded.map_err(|_invalid| WebhookSecretError::InvalidBase64)
}

fn random_bytes(count: usize) -> Result<Secret<Vec<u8>>, WebhookSecretError> {
    let mut bytes = vec![0; count];
    rand::fill(&mut bytes).map_err(|_unspecified| WebhookSecretError::NoRandomness)?;
    Ok(Secret::new(bytes))
}

/// Why a secret or key for webhooks cannot be used. The texts contain no part of the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WebhookSecretError {
    /// The text does not begin like a key that is expected here.
    #[error("read the webhook secret: the prefix must be {expected}")]
    UnknownPrefix {
        /// The prefixes that are allowed.
        expected: &'static str,
    },
    /// What follows the prefix is not base64.
    #[error("read the webhook secret: the text after the prefix is not base64")]
    InvalidBase64,
    /// A symmetric secret is too short or too long.
    #[error("read the webhook secret: whsec_ must have 24 to 64 bytes, and this one has {bytes}")]
    SymmetricLength {
        /// The length of the secret in bytes.
        bytes: usize,
    },
    /// An Ed25519 private key has a wrong length.
    #[error("read the webhook secret: whsk_ must have 32 or 64 bytes, and this one has {bytes}")]
    PrivateLength {
        /// The length of the key in bytes.
        bytes: usize,
    },
    /// The public key in an Ed25519 private key is not the one of its seed.
    #[error("read the webhook secret: the public key is not the one of the private key")]
    Inconsistent,
    /// An Ed25519 public key is invalid.
    #[error("read the webhook key: whpk_ must be an Ed25519 public key of 32 bytes")]
    InvalidPublicKey,
    /// The random number generator failed.
    #[error("generate a webhook secret: the random number generator failed")]
    NoRandomness,
}

/// Why a request could not be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WebhookSignError {
    /// The id of the request contains a dot, which separates the parts of what is signed.
    #[error("sign the webhook: the id must not contain a dot")]
    DotInId,
    /// The cryptography library failed.
    #[error("sign the webhook: the cryptography library failed")]
    Failed,
}

#[cfg(test)]
mod tests;
