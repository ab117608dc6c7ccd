//! A public key that verifies signatures, in the JSON form of RFC 7517 (JWK).
//!
//! RSA keys of 2048 to 8192 bits, keys on the curve P-256 and Ed25519 keys are supported. A [`Jwk`] is
//! validated when it is built. It keeps the parsed key, so verifying a signature needs no parsing.
//!
//! Not here: private keys, certificates (`x5c`) and keys for encryption.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RsaPublicKeyComponents, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;

use crate::SigningAlgorithm;

/// The sizes of RSA moduli that are accepted, in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The length of a coordinate on P-256, and of an Ed25519 public key, in bytes.
const COORDINATE_BYTES: usize = 32;

/// A public key that verifies signatures, with the id that JWTs name in their header (`kid`).
#[derive(Clone)]
pub struct Jwk {
    kid: String,
    numbers: PublicNumbers,
    parsed: ParsedPublicKey,
}

/// What a public key consists of. The numbers are big-endian; those of RSA have no leading zeros.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum PublicNumbers {
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    P256 { x: Vec<u8>, y: Vec<u8> },
    Ed25519 { x: Vec<u8> },
}

impl Jwk {
    /// Validates a public key.
    pub(crate) fn new(kid: String, numbers: PublicNumbers) -> Result<Self, JwkError> {
        let parsed = numbers.parse()?;
        Ok(Self {
            kid,
            numbers,
            parsed,
        })
    }

    /// Reads a JWK. Members that RFC 7517 and RFC 7518 do not define for these keys are ignored.
    ///
    /// # Errors
    ///
    /// The JSON is invalid, the key is of an unsupported kind, it is for another use than signatures,
    /// or its numbers are invalid.
    pub fn parse(json: &str) -> Result<Self, JwkError> {
        let jwk: JwkJson = serde_json::from_str(json).map_err(|error| JwkError::InvalidJson {
            line: error.line(),
            column: error.column(),
        })?;
        jwk.check_use()?;
        let numbers = jwk.numbers()?;
        let algorithm = numbers.algorithm();
        if let Some(name) = jwk.alg.filter(|name| name != algorithm.as_str()) {
            return Err(JwkError::UnsupportedAlgorithm { name });
        }
        Self::new(jwk.kid.ok_or(JwkError::Missing { member: "kid" })?, numbers)
    }

    /// Returns the id of the key.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Returns the only algorithm that this key is used with.
    pub const fn algorithm(&self) -> SigningAlgorithm {
        self.numbers.algorithm()
    }

    /// Returns the JWK with its members `kty`, `kid`, `use`, `alg` and those of the key type
    /// (RFC 7518 section 6, RFC 8037 section 2).
    pub fn to_json(&self) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (kid, alg) = (&self.kid, self.algorithm().as_str());
        match &self.numbers {
            PublicNumbers::Rsa { modulus, exponent } => json!({
                "kty": "RSA", "kid": kid, "use": "sig", "alg": alg,
                "n": encode(modulus), "e": encode(exponent),
            }),
            PublicNumbers::P256 { x, y } => json!({
                "kty": "EC", "kid": kid, "use": "sig", "alg": alg,
                "crv": "P-256", "x": encode(x), "y": encode(y),
            }),
            PublicNumbers::Ed25519 { x } => json!({
                "kty": "OKP", "kid": kid, "use": "sig", "alg": alg,
                "crv": "Ed25519", "x": encode(x),
            }),
        }
    }

    /// Returns whether `signature`, in the form of JWS, is a signature of `message` by this key.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.parsed.verify_sig(message, signature).is_ok()
    }
}

impl PartialEq for Jwk {
    fn eq(&self, other: &Self) -> bool {
        self.kid == other.kid && self.numbers == other.numbers
    }
}

impl Eq for Jwk {}

impl fmt::Debug for Jwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwk")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm())
            .finish_non_exhaustive()
    }
}

impl PublicNumbers {
    const fn algorithm(&self) -> SigningAlgorithm {
        match self {
            Self::Rsa { .. } => SigningAlgorithm::Rs256,
            Self::P256 { .. } => SigningAlgorithm::Es256,
            Self::Ed25519 { .. } => SigningAlgorithm::EdDsa,
        }
    }

    fn parse(&self) -> Result<ParsedPublicKey, JwkError> {
        let parse = |algorithm: &'static dyn VerificationAlgorithm, bytes: &[u8]| {
            ParsedPublicKey::new(algorithm, bytes).map_err(|_rejected| JwkError::Rejected)
        };
        match self {
            Self::Rsa { modulus, exponent } => {
                let bits = bit_length(modulus);
                if !RSA_BITS.contains(&bits) {
                    return Err(JwkError::RsaSize { bits });
                }
                let key = RsaPublicKeyComponents {
                    n: modulus,
                    e: exponent,
                };
                // Only the parser of the DER form validates the exponent.
                let der: PublicKeyX509Der<'_> =
                    key.as_der().map_err(|_unspecified| JwkError::Rejected)?;
                parse(&RSA_PKCS1_2048_8192_SHA256, der.as_ref())
            }
            Self::P256 { x, y } => {
                // The uncompressed point of SEC 1, section 2.3.3.
                let point = [&[0x04], x.as_slice(), y.as_slice()].concat();
                parse(&ECDSA_P256_SHA256_FIXED, &point)
            }
            Self::Ed25519 { x } => parse(&ED25519, x),
        }
    }
}

fn bit_length(number: &[u8]) -> usize {
    let leading_zeros = number
        .first()
        .map_or(0, |byte| byte.leading_zeros() as usize);
    number.len() * 8 - leading_zeros
}

/// Why a JWK cannot be used to verify signatures. The texts contain no part of the key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JwkError {
    /// The text is not JSON, or a member has the wrong type.
    #[error("read the JWK: the JSON is invalid at line {line} column {column}")]
    InvalidJson {
        /// The line in the JWK, from 1; 0 if the place is unknown.
        line: usize,
        /// The column in the line, from 1.
        column: usize,
    },
    /// A required member is missing.
    #[error("read the JWK: `{member}` is missing")]
    Missing {
        /// The name of the member.
        member: &'static str,
    },
    /// The key type `kty` or the curve `crv` is not supported.
    #[error("read the JWK: the key type or curve {name:?} is not supported")]
    UnsupportedType {
        /// The value of `kty` or `crv`.
        name: String,
    },
    /// The member `alg` names another algorithm than the one that this key is used with.
    #[error("read the JWK: the algorithm {name:?} is not supported for this key type")]
    UnsupportedAlgorithm {
        /// The value of `alg`.
        name: String,
    },
    /// The member `use` or `key_ops` says that the key does not verify signatures.
    #[error("read the JWK: the key is not for signatures")]
    NotForSignatures,
    /// A member is not base64url without padding (RFC 7515 section 2).
    #[error("read the JWK: `{member}` is not base64url without padding")]
    InvalidBase64 {
        /// The name of the member.
        member: &'static str,
    },
    /// A coordinate does not have 32 bytes (RFC 7518 section 6.2.1.2).
    #[error("read the JWK: `{member}` must have {COORDINATE_BYTES} bytes")]
    InvalidLength {
        /// The name of the member.
        member: &'static str,
    },
    /// The RSA modulus is too short (RFC 7518 section 3.3) or too long.
    #[error("read the JWK: an RSA key must have 2048 to 8192 bits, and this key has {bits}")]
    RsaSize {
        /// The bits of the modulus.
        bits: usize,
    },
    /// The numbers are no valid public key.
    #[error("read the JWK: the public key is invalid")]
    Rejected,
}

/// The members of a JWK that are read.
#[derive(Deserialize)]
struct JwkJson {
    kty: Option<String>,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    n: Option<String>,
    e: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl JwkJson {
    /// Checks `use` and `key_ops` (RFC 7517 sections 4.2 and 4.3).
    fn check_use(&self) -> Result<(), JwkError> {
        let usage = self.usage.as_ref().is_none_or(|usage| usage == "sig");
        let verify = |operations: &Vec<String>| operations.iter().any(|name| name == "verify");
        if usage && self.key_ops.as_ref().is_none_or(verify) {
            Ok(())
        } else {
            Err(JwkError::NotForSignatures)
        }
    }

    fn numbers(&self) -> Result<PublicNumbers, JwkError> {
        let key_type = required("kty", self.kty.as_ref())?;
        let curve = self.crv.as_deref();
        match (key_type, curve) {
            ("RSA", _) => Ok(PublicNumbers::Rsa {
                modulus: number("n", self.n.as_ref())?,
                exponent: number("e", self.e.as_ref())?,
            }),
            ("EC", Some("P-256")) => Ok(PublicNumbers::P256 {
                x: coordinate("x", self.x.as_ref())?,
                y: coordinate("y", self.y.as_ref())?,
            }),
            ("OKP", Some("Ed25519")) => Ok(PublicNumbers::Ed25519 {
                x: coordinate("x", self.x.as_ref())?,
            }),
            ("EC" | "OKP", None) => Err(JwkError::Missing { member: "crv" }),
            ("EC" | "OKP", Some(name)) | (name, _) => Err(JwkError::UnsupportedType {
                name: name.to_owned(),
            }),
        }
    }
}

fn required<'a>(member: &'static str, value: Option<&'a String>) -> Result<&'a str, JwkError> {
    let value = value.ok_or(JwkError::Missing { member })?;
    Ok(value)
}

fn decode(member: &'static str, value: Option<&String>) -> Result<Vec<u8>, JwkError> {
    let decoded = URL_SAFE_NO_PAD.decode(required(member, value)?);
    decoded.map_err(|_invalid| JwkError::InvalidBase64 { member })
}

/// Decodes a number of RSA. Leading zeros are removed, because some libraries write them
/// (RFC 7518 section 6.3.1.1).
fn number(member: &'static str, value: Option<&String>) -> Result<Vec<u8>, JwkError> {
    let bytes = decode(member, value)?;
    Ok(bytes.into_iter().skip_while(|byte| *byte == 0).collect())
}

fn coordinate(member: &'static str, value: Option<&String>) -> Result<Vec<u8>, JwkError> {
    let bytes = decode(member, value)?;
    if bytes.len() == COORDINATE_BYTES {
        Ok(bytes)
    } else {
        Err(JwkError::InvalidLength { member })
    }
}

#[cfg(test)]
mod tests;
