//! The algorithms that sign JWTs.
//!
//! Available without the feature `signing`, so that settings can name an algorithm without a
//! cryptography library.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// An algorithm that signs JWTs. Its name in JSON, in `Display` and in `FromStr` is the name of the
/// JWS algorithm (RFC 7518 section 3.1, RFC 8037 section 3.1).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum SigningAlgorithm {
    /// `RS256`: RSASSA-PKCS1-v1_5 with SHA-256. Hosted Canvas uses this algorithm.
    #[default]
    #[serde(rename = "RS256")]
    Rs256,
    /// `ES256`: ECDSA on the curve P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// `EdDSA`: Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl SigningAlgorithm {
    /// Every algorithm.
    pub const ALL: [Self; 3] = [Self::Rs256, Self::Es256, Self::EdDsa];

    /// Returns the name of the algorithm in JWS.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl fmt::Display for SigningAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SigningAlgorithm {
    type Err = UnknownAlgorithm;

    /// Reads a name. Upper and lower case differ (RFC 7515 section 4.1.1).
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let mut algorithms = Self::ALL.into_iter();
        algorithms
            .find(|algorithm| algorithm.as_str() == name)
            .ok_or(UnknownAlgorithm)
    }
}

/// The error for a name that is not the name of a [`SigningAlgorithm`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the algorithm must be RS256, ES256 or EdDSA")]
pub struct UnknownAlgorithm;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_has_the_name_of_the_standard() {
        let names = SigningAlgorithm::ALL.map(|algorithm| algorithm.to_string());
        assert_eq!(names, ["RS256", "ES256", "EdDSA"]);
    }

    #[test]
    fn a_name_is_read_back() {
        for algorithm in SigningAlgorithm::ALL {
            assert_eq!(algorithm.as_str().parse(), Ok(algorithm));
        }
    }

    #[test]
    fn names_in_another_case_and_other_algorithms_are_refused() {
        for name in ["rs256", "EDDSA", "none", "HS256", "RS512", "Ed25519", ""] {
            assert_eq!(name.parse::<SigningAlgorithm>(), Err(UnknownAlgorithm));
        }
    }

    #[test]
    fn rs256_is_the_default() {
        assert_eq!(SigningAlgorithm::default(), SigningAlgorithm::Rs256);
    }
}
