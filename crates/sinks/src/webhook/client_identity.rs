//! The client certificate that a webhook shows to an endpoint in TLS.

use std::fmt;
use std::sync::Arc;

use easel_keys::Secret;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use thiserror::Error;

/// A certificate with its chain, and its private key.
#[derive(Clone)]
pub struct ClientIdentity(pub(super) Arc<CertifiedKey>);

/// Why a certificate and a key cannot be used. The error never contains the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ClientIdentityError {
    /// The text is not a certificate.
    #[error("certificate must be one or more certificates in PEM")]
    Certificate,
    /// The text has something else beside certificates, such as a private key. Certificates are shown to
    /// people, so a key must not be among them.
    #[error(
        "certificate must contain certificates only: remove every other section and every private key; \
         the private key belongs in key"
    )]
    NotOnlyCertificates,
    /// The text is not a private key.
    #[error("key must be a private key in PEM: RSA, ECDSA or Ed25519, without a password")]
    Key,
    /// The key is not the key of the certificate.
    #[error("key must be the private key of the first certificate")]
    Mismatch,
}

impl ClientIdentity {
    /// Parses a certificate with its chain, and its private key, both in PEM. The text of the certificate may
    /// have comments between its sections, but no other section.
    ///
    /// # Errors
    ///
    /// Fails if the certificate or the key is invalid, or if the key is not the key of the certificate.
    pub fn parse(certificate: &str, key: &Secret<String>) -> Result<Self, ClientIdentityError> {
        if !has_only_certificates(certificate) {
            return Err(ClientIdentityError::NotOnlyCertificates);
        }
        let chain = CertificateDer::pem_slice_iter(certificate.as_bytes());
        let chain = chain.collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|_malformed| ClientIdentityError::Certificate)?;
        if chain.is_empty() {
            return Err(ClientIdentityError::Certificate);
        }
        let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes());
        let key = key.map_err(|_malformed| ClientIdentityError::Key)?;
        let key = any_supported_type(&key).map_err(|_unsupported| ClientIdentityError::Key)?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            Ok(()) => Ok(Self(Arc::new(certified))),
            Err(rustls::Error::InconsistentKeys(_)) => Err(ClientIdentityError::Mismatch),
            Err(_invalid) => Err(ClientIdentityError::Certificate),
        }
    }
}

/// Returns whether a text in PEM has no section of another kind, and no sign of a private key. Parsers skip
/// sections that they do not know, such as an encrypted key, so this function looks at the text itself.
fn has_only_certificates(pem: &str) -> bool {
    let mut sections = pem.split("-----BEGIN").skip(1);
    let mentions_key = pem.to_ascii_uppercase().contains("PRIVATE KEY");
    !mentions_key && sections.all(|section| section.starts_with(" CERTIFICATE-----"))
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientIdentity").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertifiedKey as GeneratedKey, generate_simple_self_signed};

    use super::*;

    fn generated() -> (String, Secret<String>) {
        let GeneratedKey { cert, signing_key } =
            generate_simple_self_signed(vec!["meadow.example".to_owned()]).unwrap();
        (cert.pem(), Secret::new(signing_key.serialize_pem()))
    }

    #[test]
    fn a_certificate_and_its_key_are_accepted_and_not_printed() {
        let (certificate, key) = generated();
        let identity = ClientIdentity::parse(&certificate, &key).unwrap();
        assert_eq!(format!("{identity:?}"), "ClientIdentity { .. }");
    }

    #[test]
    fn parts_that_do_not_belong_together_or_are_invalid_are_refused() {
        let ((certificate, key), (_, other_key)) = (generated(), generated());
        let error = |certificate: &str, key: &Secret<String>| {
            ClientIdentity::parse(certificate, key).unwrap_err()
        };
        assert_eq!(
            error(&certificate, &other_key),
            ClientIdentityError::Mismatch
        );
        assert_eq!(error("", &key), ClientIdentityError::Certificate);
        let no_key = Secret::new(certificate.clone());
        assert_eq!(error(&certificate, &no_key), ClientIdentityError::Key);
    }

    #[test]
    fn a_certificate_with_another_section_is_refused_without_showing_anything() {
        let (certificate, key) = generated();
        let key_pem = key.expose().as_str();
        let encrypted = key_pem.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        for certificate in [
            key_pem.to_owned(),
            format!("{certificate}{key_pem}"),
            format!("{key_pem}{certificate}{certificate}"),
            format!(
                "{certificate}{}",
                key_pem.replace("PRIVATE KEY", "EC PRIVATE KEY")
            ),
            format!("{certificate}{encrypted}"),
            format!("{certificate}{}", encrypted.to_lowercase()),
            format!("{certificate}{}", key_pem.replace("-----", "----")),
            format!("{certificate}x {key_pem}"),
            format!(
                "{certificate}{}",
                key_pem.replace("PRIVATE KEY", "PUBLIC KEY")
            ),
            format!(
                "{certificate}{}",
                key_pem.replace("PRIVATE KEY", "X509 CRL")
            ),
            format!("{certificate}{}", key_pem.replace("PRIVATE KEY", "SECRET")),
            format!("{certificate}-----BEGIN"),
        ] {
            let error = ClientIdentity::parse(&certificate, &key).unwrap_err();
            assert_eq!(
                error,
                ClientIdentityError::NotOnlyCertificates,
                "{certificate}"
            );
            let shown = format!("{error} {error:?}");
            let lines = key_pem.lines().filter(|line| !line.contains("--"));
            assert!(lines.clone().count() > 0);
            assert!(lines.clone().all(|line| !shown.contains(line)), "{shown}");
        }
    }

    #[test]
    fn a_chain_with_comments_is_accepted() {
        let ((certificate, key), (issuer, _)) = (generated(), generated());
        let chain = format!("subject=meadow\n{certificate}\nissuer=meadow\n{issuer}\n");
        let ClientIdentity(certified) = ClientIdentity::parse(&chain, &key).unwrap();
        assert_eq!(certified.cert.len(), 2);
    }
}
