//! A private key that signs.
//!
//! The parsed key is kept, so a signature costs no parsing. `aws-lc-rs` is used directly, because
//! `jsonwebtoken` parses the private key for each signature and has a process-wide setting for its
//! cryptography library.
//!
//! Not here: storing keys, and deciding which key signs.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::error::{KeyRejected, Unspecified};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair, RsaPublicKeyComponents,
};
use thiserror::Error;

use crate::jwk::{Jwk, JwkError, PublicNumbers};
use crate::{Secret, SigningAlgorithm};

/// A private key that signs, with the id (`kid`) under which its public key is published.
pub struct PrivateKey {
    pair: ParsedPair,
    public: Jwk,
}

/// The key pair as the cryptography library keeps it. The library overwrites the memory of a key pair
/// when it is dropped.
enum ParsedPair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl PrivateKey {
    /// Generates a key. An RSA key has 2048 bits; generating it takes a fraction of a second.
    ///
    /// # Errors
    ///
    /// The cryptography library failed.
    pub fn generate(algorithm: SigningAlgorithm, kid: String) -> Result<Self, PrivateKeyError> {
        let pair = match algorithm {
            SigningAlgorithm::Rs256 => RsaKeyPair::generate(KeySize::Rsa2048).map(ParsedPair::Rsa),
            SigningAlgorithm::Es256 => {
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(ParsedPair::P256)
            }
            SigningAlgorithm::EdDsa => Ed25519KeyPair::generate().map(ParsedPair::Ed25519),
        };
        let pair = pair.map_err(|source| PrivateKeyError::Generate { algorithm, source })?;
        Self::new(pair, kid)
    }

    /// Reads a private key in the DER form of PKCS#8 (RFC 5208).
    ///
    /// # Errors
    ///
    /// The bytes are not a key of this algorithm, or an RSA key has less than 2048 or more than
    /// 8192 bits.
    pub fn from_pkcs8(
        algorithm: SigningAlgorithm,
        kid: String,
        pkcs8: &[u8],
    ) -> Result<Self, PrivateKeyError> {
        let pair = match algorithm {
            SigningAlgorithm::Rs256 => RsaKeyPair::from_pkcs8(pkcs8).map(ParsedPair::Rsa),
            SigningAlgorithm::Es256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8)
                    .map(ParsedPair::P256)
            }
            SigningAlgorithm::EdDsa => Ed25519KeyPair::from_pkcs8(pkcs8).map(ParsedPair::Ed25519),
        };
        let pair = pair.map_err(|source| PrivateKeyError::Read { algorithm, source })?;
        Self::new(pair, kid)
    }

    fn new(pair: ParsedPair, kid: String) -> Result<Self, PrivateKeyError> {
        let public = pair
            .public_numbers()
            .and_then(|numbers| Jwk::new(kid, numbers))
            .map_err(|source| PrivateKeyError::Public { source })?;
        Ok(Self { pair, public })
    }

    /// Returns the private key in the DER form of PKCS#8, version 1 (RFC 5208).
    ///
    /// # Errors
    ///
    /// The cryptography library failed.
    pub fn to_pkcs8(&self) -> Result<Secret<Vec<u8>>, PrivateKeyError> {
        let der: Result<Pkcs8V1Der<'static>, Unspecified> = match &self.pair {
            ParsedPair::Rsa(pair) => pair.as_der(),
            ParsedPair::Ed25519(pair) => pair.as_der(),
            ParsedPair::P256(pair) => {
                let document = pair.to_pkcs8v1();
                let document = document.map_err(|source| PrivateKeyError::Write { source })?;
                return Ok(Secret::new(document.as_ref().to_vec()));
            }
        };
        let der = der.map_err(|source| PrivateKeyError::Write { source })?;
        Ok(Secret::new(der.as_ref().to_vec()))
    }

    /// Returns the id of the key.
    pub fn kid(&self) -> &str {
        self.public.kid()
    }

    /// Returns the algorithm that the key signs with.
    pub const fn algorithm(&self) -> SigningAlgorithm {
        self.public.algorithm()
    }

    /// Returns the public key, which anyone may know.
    pub const fn public_jwk(&self) -> &Jwk {
        &self.public
    }

    /// Signs `message` and returns the signature in the form of JWS: RSASSA-PKCS1-v1_5 with SHA-256,
    /// ECDSA as `r` and `s` of 32 bytes each (RFC 7518 section 3.4), or Ed25519 (RFC 8037).
    ///
    /// # Errors
    ///
    /// The cryptography library failed, for example because memory is exhausted.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, PrivateKeyError> {
        self.pair
            .sign(message)
            .map_err(|source| PrivateKeyError::Sign { source })
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey")
            .field("kid", &self.kid())
            .field("algorithm", &self.algorithm())
            .finish_non_exhaustive()
    }
}

impl ParsedPair {
    fn public_numbers(&self) -> Result<PublicNumbers, JwkError> {
        match self {
            Self::Rsa(pair) => {
                let key = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                Ok(PublicNumbers::Rsa {
                    modulus: key.n,
                    exponent: key.e,
                })
            }
            Self::P256(pair) => {
                // The uncompressed point of SEC 1, section 2.3.3: 0x04, x and y.
                match pair.public_key().as_ref().split_first_chunk::<33>() {
                    Some(([0x04, x @ ..], y)) => Ok(PublicNumbers::P256 {
                        x: x.to_vec(),
                        y: y.to_vec(),
                    }),
                    _ => Err(JwkError::Rejected),
                }
            }
            Self::Ed25519(pair) => Ok(PublicNumbers::Ed25519 {
                x: pair.public_key().as_ref().to_vec(),
            }),
        }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let random = SystemRandom::new();
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)?;
                Ok(signature)
            }
            Self::P256(pair) => {
                let signature = pair.sign(&SystemRandom::new(), message)?;
                Ok(signature.as_ref().to_vec())
            }
            Self::Ed25519(pair) => Ok(pair.try_sign(message)?.as_ref().to_vec()),
        }
    }
}

/// Why an operation with a private key failed. The texts contain no part of the key.
#[derive(Clone, Debug, Error)]
pub enum PrivateKeyError {
    /// No key could be generated.
    #[error("generate a private key for {algorithm}")]
    Generate {
        /// The algorithm of the key.
        algorithm: SigningAlgorithm,
        /// The failure of the cryptography library.
        source: Unspecified,
    },
    /// The bytes are no usable private key of the algorithm.
    #[error("read a private key for {algorithm} in PKCS#8")]
    Read {
        /// The algorithm of the key.
        algorithm: SigningAlgorithm,
        /// Why the key was rejected.
        source: KeyRejected,
    },
    /// The public key of the pair is not usable.
    #[error("read the public key of a private key")]
    Public {
        /// Why the public key is not usable.
        source: JwkError,
    },
    /// The key could not be written as PKCS#8.
    #[error("write a private key in PKCS#8")]
    Write {
        /// The failure of the cryptography library.
        source: Unspecified,
    },
    /// The key did not sign.
    #[error("sign with a private key")]
    Sign {
        /// The failure of the cryptography library.
        source: Unspecified,
    },
}

#[cfg(test)]
mod tests;
