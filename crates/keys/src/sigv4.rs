//! The signing keys of AWS Signature Version 4, for clients that sign and servers that verify.
//!
//! Source: "Create a signed AWS API request" in the AWS documentation.

use hmac::digest::Output;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::Secret;

/// A signing key, derived from a secret access key for one day, region and service.
#[derive(Clone, Debug)]
pub struct SigningKey(Secret<Vec<u8>>);

impl SigningKey {
    /// Derives the key for a credential scope of AWS: the day, the region, the service and
    /// `aws4_request`.
    pub fn derive(secret: &Secret<String>, credential_scope: &[&str]) -> Self {
        let initial_key = format!("AWS4{}", secret.expose()).into_bytes();
        let key = credential_scope.iter().fold(initial_key, |key, part| {
            hmac(&key, part.as_bytes()).to_vec()
        });
        Self(Secret::new(key))
    }

    /// Returns the signature of `text` as lower-case hexadecimal digits.
    pub fn sign(&self, text: &[u8]) -> String {
        format!("{:x}", hmac(self.0.expose(), text))
    }
}

fn hmac(key: &[u8], text: &[u8]) -> Output<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    mac.chain_update(text).finalize().into_bytes()
}
