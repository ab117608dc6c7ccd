//! Verifies the bearer that Canvas sends to its own services, the "services JWT".
//!
//! The bearer is base64 of a compact JWE (RFC 7516) whose plaintext is a compact JWS (RFC 7515) with the claims.
//! The JWE is accepted without base64 around it too. The secrets are those of Canvas:
//!
//! - the JWE has `alg` `dir` and `enc` `A256GCM`, with the 32 bytes of the encryption secret as its key;
//! - the JWS has `alg` `HS256` with the signing secret or the deprecated one, or `RS256` with a key of a set
//!   of public keys, if there is one.
//!
//! Every other algorithm is refused, so `none` and an HMAC made with a public key are refused. Headers with a
//! key of the sender's choice, an extension or a compression are refused. Other members of the headers are
//! ignored. `exp` and `nbf` are checked without leeway, but if `iat` is at most five minutes in the future,
//! its time counts as now. That is how Canvas verifies its own tokens. `iss` and `aud` are not checked.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use jiff::Timestamp;
use sha2::Sha256;
use thiserror::Error;

use crate::jwk_set::JwkSet;
use crate::jwt_json::{JwtClaims, JwtHeader};
use crate::{Secret, SigningAlgorithm};

/// The largest bearer that is read, in bytes. A normal one has about 1,000.
const MAX_BYTES: usize = 32 * 1024;

/// How far `iat` may be in the future, in seconds.
const MAX_SKEW_SECONDS: i64 = 300;

/// The bytes of the tag of A256GCM.
const TAG_BYTES: usize = 16;

/// Members of a header that name a key of the sender's choice or change the meaning of the token.
const REFUSED_MEMBERS: [&str; 6] = ["jku", "jwk", "x5u", "x5c", "crit", "zip"];

/// The secrets and keys of a Canvas installation.
#[derive(Clone, Debug)]
pub struct ServicesJwtSecrets {
    /// `encryption_secret`, 32 bytes.
    pub encryption: Secret<String>,
    /// `signing_secret`.
    pub signing: Secret<String>,
    /// `signing_secret_deprecated`, the signing secret before the current one.
    pub deprecated_signing: Option<Secret<String>>,
    /// The public keys of `services-jwt`. Versions of Canvas from some years sign with such a key.
    pub keys: JwkSet,
}

impl ServicesJwtSecrets {
    /// The length of an encryption secret, in bytes.
    pub const ENCRYPTION_BYTES: usize = 32;

    /// Checks an encryption secret. The error reads after the name of the secret.
    pub fn check_encryption(secret: &str) -> Result<(), String> {
        match secret.len() {
            Self::ENCRYPTION_BYTES => Ok(()),
            length => Err(format!("must have exactly 32 bytes, not {length}")),
        }
    }

    /// Checks a signing secret. The error reads after the name of the secret.
    pub fn check_signing(secret: &str) -> Result<(), String> {
        if secret.is_empty() {
            return Err("must not be empty".to_owned());
        }
        Ok(())
    }
}

/// Verifies the tokens of one Canvas installation.
pub struct ServicesJwtVerifier {
    decryption_key: LessSafeKey,
    /// The current secret and the deprecated one.
    signing: Vec<Hmac<Sha256>>,
    keys: JwkSet,
}

impl std::fmt::Debug for ServicesJwtVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServicesJwtVerifier")
            .finish_non_exhaustive()
    }
}

impl ServicesJwtVerifier {
    /// Creates a verifier.
    ///
    /// # Errors
    ///
    /// The encryption secret has another length, or a signing secret is empty. The text reads after the name
    /// of the secret.
    pub fn new(secrets: &ServicesJwtSecrets) -> Result<Self, String> {
        let encryption = secrets.encryption.expose();
        ServicesJwtSecrets::check_encryption(encryption)?;
        let key = UnboundKey::new(&AES_256_GCM, encryption.as_bytes());
        let key = key.map_err(|_unspecified| "must have exactly 32 bytes".to_owned())?;
        let signing = [Some(&secrets.signing), secrets.deprecated_signing.as_ref()];
        let signing = signing.into_iter().flatten().map(|secret| {
            ServicesJwtSecrets::check_signing(secret.expose())?;
            Hmac::new_from_slice(secret.expose().as_bytes())
                .map_err(|_any_length_is_valid| "is invalid".to_owned())
        });
        Ok(Self {
            decryption_key: LessSafeKey::new(key),
            signing: signing.collect::<Result<_, _>>()?,
            keys: secrets.keys.clone(),
        })
    }

    /// Verifies a bearer. Returns its claims, a JSON object, byte for byte.
    pub fn verify(&self, bearer: &[u8], now: Timestamp) -> Result<Vec<u8>, ServicesJwtError> {
        if bearer.len() > MAX_BYTES {
            return Err(ServicesJwtError::TooLong);
        }
        // The alphabet of base64 has no dot, and a JWE has four.
        let decoded = if bearer.contains(&b'.') {
            bearer.to_vec()
        } else {
            let decoded = STANDARD.decode(bearer);
            decoded.map_err(|_invalid| ServicesJwtError::NotBase64)?
        };
        let jws = self.decrypt(&decoded)?;
        let claims = self.verify_jws(jws.expose())?;
        check_times(&claims, now.as_second())?;
        Ok(claims)
    }

    /// Decrypts a compact JWE.
    fn decrypt(&self, jwe: &[u8]) -> Result<Secret<Vec<u8>>, ServicesJwtError> {
        let parts: Vec<_> = jwe.split(|byte| *byte == b'.').collect();
        let [header, encrypted_key, iv, ciphertext, tag] = parts[..] else {
            return Err(ServicesJwtError::Parts {
                part: "JWE",
                count: 5,
            });
        };
        let (algorithm, encryption) = {
            let bytes = decode("JWE", header)?;
            let header = read_header("JWE", &bytes)?;
            (header.text("alg"), header.text("enc"))
        };
        if algorithm.as_deref() != Some("dir") || encryption.as_deref() != Some("A256GCM") {
            return Err(ServicesJwtError::Algorithm { part: "JWE" });
        }
        let nonce: Result<[u8; 12], _> = decode("JWE", iv)?.try_into();
        let nonce = nonce.map_err(|_other_length| ServicesJwtError::NotDecrypted)?;
        let tag = decode("JWE", tag)?;
        if !encrypted_key.is_empty() || tag.len() != TAG_BYTES {
            return Err(ServicesJwtError::NotDecrypted);
        }
        let mut text = decode("JWE", ciphertext)?;
        text.extend(tag);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let opened = self
            .decryption_key
            .open_in_place(nonce, Aad::from(header), &mut text);
        let length = match opened {
            Ok(opened) => opened.len(),
            Err(_unspecified) => return Err(ServicesJwtError::NotDecrypted),
        };
        text.truncate(length);
        Ok(Secret::new(text))
    }

    /// Verifies a compact JWS. Returns its payload.
    fn verify_jws(&self, jws: &[u8]) -> Result<Vec<u8>, ServicesJwtError> {
        let parts: Vec<_> = jws.split(|byte| *byte == b'.').collect();
        let [header, payload, signature] = parts[..] else {
            return Err(ServicesJwtError::Parts {
                part: "JWS",
                count: 3,
            });
        };
        let signed = [header, b".", payload].concat();
        let signature = decode("JWS", signature)?;
        let bytes = decode("JWS", header)?;
        let header = read_header("JWS", &bytes)?;
        let is_valid = match header.text("alg").as_deref() {
            Some("HS256") => {
                // All secrets are tried, so that the time does not show which one signed.
                let results = self.signing.iter().map(|key| {
                    let mac = key.clone().chain_update(&signed);
                    mac.verify_slice(&signature).is_ok()
                });
                results.fold(false, |any, is_valid| any | is_valid)
            }
            Some("RS256") => {
                let key = header.text("kid").and_then(|kid| self.keys.find(&kid));
                let key = key.filter(|key| key.algorithm() == SigningAlgorithm::Rs256);
                let key = key.ok_or(ServicesJwtError::UnknownKey)?;
                key.verifies(&signed, &signature)
            }
            Some(_) | None => return Err(ServicesJwtError::Algorithm { part: "JWS" }),
        };
        if is_valid {
            decode("JWS", payload)
        } else {
            Err(ServicesJwtError::InvalidSignature)
        }
    }
}

fn check_times(claims: &[u8], now: i64) -> Result<(), ServicesJwtError> {
    let claims =
        JwtClaims::read(claims).map_err(|_invalid| ServicesJwtError::Json { part: "claims" })?;
    let not_an_integer = |claim| move |_invalid| ServicesJwtError::InvalidTime { claim };
    let expires = claims.expires().map_err(not_an_integer("exp"))?;
    let not_before = claims.not_before().map_err(not_an_integer("nbf"))?;
    let issued_at = claims.issued_at().map_err(not_an_integer("iat"))?;
    let now = issued_at
        .filter(|time| (now..=now.saturating_add(MAX_SKEW_SECONDS)).contains(time))
        .unwrap_or(now);
    if expires.is_some_and(|time| now >= time) {
        return Err(ServicesJwtError::Expired);
    }
    if not_before.is_some_and(|time| now < time) {
        return Err(ServicesJwtError::NotYetValid);
    }
    Ok(())
}

fn read_header<'a>(part: &'static str, json: &'a [u8]) -> Result<JwtHeader<'a>, ServicesJwtError> {
    let header = JwtHeader::read(json).map_err(|_invalid| ServicesJwtError::Json { part })?;
    let mut refused = REFUSED_MEMBERS.into_iter();
    match refused.find(|name| header.contains(name)) {
        Some(member) => Err(ServicesJwtError::RefusedMember { member }),
        None => Ok(header),
    }
}

/// Decodes base64url without padding.
fn decode(part: &'static str, encoded: &[u8]) -> Result<Vec<u8>, ServicesJwtError> {
    let decoded = URL_SAFE_NO_PAD.decode(encoded);
    decoded.map_err(|_invalid| ServicesJwtError::NotBase64Url { part })
}

/// Why a services JWT is refused. The texts contain nothing of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ServicesJwtError {
    /// The bearer is too long.
    #[error("verify the services JWT: it is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// The bearer is not base64 with padding.
    #[error("verify the services JWT: it is neither base64 with padding nor a compact JWE")]
    NotBase64,
    /// The JWE or the JWS has another number of parts.
    #[error("verify the services JWT: the {part} must have {count} parts separated by dots")]
    Parts {
        /// `JWE` or `JWS`.
        part: &'static str,
        /// The number of parts.
        count: usize,
    },
    /// A part is not canonical base64url without padding.
    #[error("verify the services JWT: a part of the {part} is not base64url without padding")]
    NotBase64Url {
        /// `JWE` or `JWS`.
        part: &'static str,
    },
    /// A header or the claims are no JSON object, or two members have the same name.
    #[error("verify the services JWT: the JSON of the {part} is invalid")]
    Json {
        /// `JWE`, `JWS` or `claims`.
        part: &'static str,
    },
    /// A header has a member that carries a key or changes the meaning of the token.
    #[error("verify the services JWT: `{member}` is not allowed in a header")]
    RefusedMember {
        /// The name of the member.
        member: &'static str,
    },
    /// The algorithm is not one that Canvas uses.
    #[error("verify the services JWT: the algorithm of the {part} is not allowed")]
    Algorithm {
        /// `JWE` or `JWS`.
        part: &'static str,
    },
    /// The encryption secret did not encrypt this token.
    #[error("verify the services JWT: it cannot be decrypted with the encryption secret")]
    NotDecrypted,
    /// The JWS is signed with an RSA key that is not known.
    #[error("verify the services JWT: no public key has the id of its header")]
    UnknownKey,
    /// No secret signed this token.
    #[error("verify the services JWT: the signature is invalid")]
    InvalidSignature,
    /// A time is not an integer of 64 bits.
    #[error("verify the services JWT: `{claim}` must be an integer")]
    InvalidTime {
        /// The name of the claim.
        claim: &'static str,
    },
    /// The token has expired.
    #[error("verify the services JWT: it has expired; compare the clocks of both machines")]
    Expired,
    /// The token is not valid yet.
    #[error("verify the services JWT: it is not valid yet; compare the clocks of both machines")]
    NotYetValid,
}

#[cfg(test)]
mod tests;
