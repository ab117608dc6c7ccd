//! Keys that RFC 7515 and RFC 8037 publish, for tests.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::{PrivateKey, SigningAlgorithm};

/// The id of the keys. Hosted Canvas uses ids of this form.
pub(crate) const KID: &str = "2019-10-01T21:08:45Z";

/// The DER form of the published private key for an algorithm.
pub(crate) fn pkcs8(algorithm: SigningAlgorithm) -> &'static [u8] {
    match algorithm {
        SigningAlgorithm::Rs256 => include_bytes!("../fixtures/rfc7515-a2.pkcs8"),
        SigningAlgorithm::Es256 => include_bytes!("../fixtures/rfc7515-a3.pkcs8"),
        SigningAlgorithm::EdDsa => include_bytes!("../fixtures/rfc8037-a4.pkcs8"),
    }
}

/// The published private key for an algorithm, under an id.
pub(crate) fn key_with_id(algorithm: SigningAlgorithm, kid: &str) -> PrivateKey {
    PrivateKey::from_pkcs8(algorithm, kid.to_owned(), pkcs8(algorithm)).unwrap()
}

/// The published private key for an algorithm, under the id [`KID`].
pub(crate) fn key(algorithm: SigningAlgorithm) -> PrivateKey {
    key_with_id(algorithm, KID)
}

pub(crate) fn from_base64url(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

pub(crate) fn to_base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
