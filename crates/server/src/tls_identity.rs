//! What the server shows to its clients in a handshake: the certificates, and the rules for clients.
//!
//! TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1. A key that does not belong to the certificate is rejected here, so
//! it is found by `easel config check`, at a start and at a reload, and never in a handshake.

use std::sync::Arc;
use std::time::Duration;

use blake3::Hash;
use jiff::{SignedDuration, Timestamp};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use x509_cert::der::{DateTime, Decode};
use x509_cert::time::Validity;

use crate::tls_config::{ClientCertificates, TlsConfig, TlsFault};
use crate::tls_files::{PemFile, TlsFiles};

/// A certificate that expires earlier than this needs an operator.
pub(crate) const EXPIRES_SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// The protocols after the handshake, the preferred one first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// What the server shows to its clients in a handshake.
#[derive(Clone, Debug)]
pub(crate) struct TlsIdentity {
    pub(crate) server: Arc<ServerConfig>,
    /// A digest of the files.
    pub(crate) digest: Hash,
    /// When the first certificate of the file becomes valid.
    starts_at: Timestamp,
    /// When the first of the certificates of the file expires.
    pub(crate) expires_at: Timestamp,
    /// The path of the certificates, for messages.
    cert_path: String,
    /// The path of the private key, if every user of the machine can read the key.
    public_key_path: Option<String>,
}

impl TlsIdentity {
    /// Reads the files of these settings. Returns `None` if TLS is off.
    pub(crate) fn read(config: &TlsConfig) -> Result<Option<Self>, TlsFault> {
        let files = TlsFiles::read(config)?;
        files
            .map(|files| Self::new(&files, config.client_certificates))
            .transpose()
    }

    /// Creates an identity from the bytes of the files.
    pub(crate) fn new(
        files: &TlsFiles,
        client_certificates: ClientCertificates,
    ) -> Result<Self, TlsFault> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let certificates = certificates(&files.cert)?;
        let (starts_at, expires_at) = period(&files.cert, &certificates)?;
        let key = private_key(files)?;
        let versions = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| files.cert.fault(&format!("cannot be used: {error}")))?;
        let builder = match &files.client_ca {
            None => versions.with_no_client_auth(),
            Some(file) => {
                versions.with_client_cert_verifier(client_verifier(file, client_certificates)?)
            }
        };
        check_pair(files, &certificates, &key)?;
        let server = builder.with_single_cert(certificates, key);
        let mut server =
            server.map_err(|error| files.cert.fault(&format!("cannot be used: {error}")))?;
        // All cipher suites are strong. The server prefers those with the longest keys.
        server.ignore_client_order = true;
        server.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
        Ok(Self {
            server: Arc::new(server),
            digest: files.digest(),
            starts_at,
            expires_at,
            cert_path: files.cert.path.display().to_string(),
            public_key_path: files
                .is_key_public
                .then(|| files.key.path.display().to_string()),
        })
    }

    /// Returns what an operator should repair, although the server can use the files.
    pub(crate) fn warnings(&self, now: Timestamp) -> Vec<String> {
        let key = self.public_key_path.as_ref().map(|path| {
            let setting = TlsConfig::KEY;
            format!(
                "{setting}: every user of this machine can read {path}; run chmod o-r on this file"
            )
        });
        self.period_warning(now).into_iter().chain(key).collect()
    }

    /// Returns a warning if a certificate is not valid now, or expires soon.
    pub(crate) fn period_warning(&self, now: Timestamp) -> Option<String> {
        let Self {
            starts_at,
            expires_at,
            cert_path,
            ..
        } = self;
        let setting = TlsConfig::CERT;
        let warning = if now >= *expires_at {
            format!("{setting}: a certificate in {cert_path} expired at {expires_at}")
        } else if now < *starts_at {
            format!("{setting}: the certificate in {cert_path} is not valid before {starts_at}")
        } else if expires_at.duration_since(now) < EXPIRES_SOON {
            format!("{setting}: a certificate in {cert_path} expires at {expires_at}")
        } else {
            return None;
        };
        Some(warning)
    }
}

/// Returns the certificates of a PEM file. Fails if there is none.
fn certificates(file: &PemFile<Vec<u8>>) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let certificates = CertificateDer::pem_slice_iter(&file.bytes).collect::<Result<Vec<_>, _>>();
    match certificates {
        Ok(certificates) if certificates.is_empty() => {
            Err(file.fault("has no certificate in PEM format"))
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(file.fault(&format!("is not in PEM format: {error}"))),
    }
}

/// Returns the private key of the PEM file. The error has no part of the file.
fn private_key(files: &TlsFiles) -> Result<PrivateKeyDer<'static>, TlsFault> {
    let bytes = files.key.bytes.expose().as_slice();
    let has = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    if has(b"BEGIN ENCRYPTED PRIVATE KEY") || has(b"Proc-Type: 4,ENCRYPTED") {
        let what = "is encrypted with a password; store the key without one";
        return Err(files.key.fault(what));
    }
    let what = "has no private key in PEM format (PKCS#8, PKCS#1 or SEC1)";
    PrivateKeyDer::from_pem_slice(bytes).map_err(|_parse_error| files.key.fault(what))
}

/// Rejects a key that does not belong to the first certificate.
fn check_pair(
    files: &TlsFiles,
    certificates: &[CertificateDer<'static>],
    key: &PrivateKeyDer<'static>,
) -> Result<(), TlsFault> {
    let load = aws_lc_rs::default_provider().key_provider;
    let signing_key = load.load_private_key(key.clone_key());
    let unusable =
        "has a private key that cannot be used; use RSA, ECDSA (P-256, P-384, P-521) or Ed25519";
    let signing_key = signing_key.map_err(|_error| files.key.fault(unusable))?;
    let belongs = |certificate: &CertificateDer<'static>| {
        let pair = CertifiedKey::new(vec![certificate.clone()], Arc::clone(&signing_key));
        pair.keys_match().is_ok()
    };
    let cert_path = files.cert.path.display();
    match certificates.iter().position(belongs) {
        Some(0) => Ok(()),
        Some(_later) => Err(files.cert.fault(
            "must begin with the certificate of the server; those of its authorities come after it",
        )),
        None => Err(files.key.fault(&format!(
            "does not belong to the certificate in {cert_path}"
        ))),
    }
}

fn client_verifier(
    file: &PemFile<Vec<u8>>,
    client_certificates: ClientCertificates,
) -> Result<Arc<dyn ClientCertVerifier>, TlsFault> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        let added = roots.add(certificate);
        added.map_err(|error| file.fault(&format!("has an invalid certificate: {error}")))?;
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = match client_certificates {
        ClientCertificates::Required => builder,
        ClientCertificates::Optional => builder.allow_unauthenticated(),
    };
    let verifier = builder.build();
    verifier.map_err(|error| file.fault(&format!("cannot be used: {error}")))
}

/// Returns when the first certificate becomes valid, and when the first of all certificates expires.
fn period(
    file: &PemFile<Vec<u8>>,
    certificates: &[CertificateDer<'static>],
) -> Result<(Timestamp, Timestamp), TlsFault> {
    let validities = certificates.iter().map(|certificate| {
        let parsed = x509_cert::Certificate::from_der(certificate);
        parsed.map(|certificate| certificate.tbs_certificate.validity)
    });
    let validities: Vec<Validity> = validities
        .collect::<Result<_, _>>()
        .map_err(|error| file.fault(&format!("has a certificate that is not X.509: {error}")))?;
    let starts_at = validities
        .first()
        .map(|period| period.not_before.to_date_time());
    let ends = validities.iter();
    let expires_at = ends
        .map(|period| to_timestamp(period.not_after.to_date_time()))
        .min();
    Ok((
        starts_at.map_or(Timestamp::MIN, to_timestamp),
        expires_at.unwrap_or(Timestamp::MAX),
    ))
}

fn to_timestamp(time: DateTime) -> Timestamp {
    let since_epoch: Duration = time.unix_duration();
    let seconds = i64::try_from(since_epoch.as_secs());
    seconds
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
