//! The TLS of a client: whom it trusts, and what it shows of itself.
//!
//! Only connections with TLS read the files and the certificates of the system, because some machines have no
//! certificates.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};
use rustls_native_certs::load_native_certs;

use crate::exit_code::{Code, Failure, OrExit};
use crate::global_args::GlobalArgs;

/// Whom a client trusts, and what it shows of itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct TlsTrust {
    ca_file: Option<PathBuf>,
    identity: Option<PathBuf>,
}

impl TlsTrust {
    /// Returns what the arguments say.
    pub(crate) fn from_args(args: &GlobalArgs) -> Self {
        Self {
            ca_file: args.ca_file.clone(),
            identity: args.identity.clone(),
        }
    }

    /// Returns a connector to servers with TLS.
    pub(crate) fn https(&self) -> Result<HttpsConnector<HttpConnector>, Failure> {
        let roots = self.roots().or_exit(Code::Configuration)?;
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .or_exit(Code::Bug)?
            .with_root_certificates(roots);
        let config = match &self.identity {
            None => config.with_no_client_auth(),
            Some(path) => {
                let (certificates, key) = identity(path).or_exit(Code::Configuration)?;
                let config = config.with_client_auth_cert(certificates, key);
                let unusable = || format!("{} cannot be used as an identity", path.display());
                config.with_context(unusable).or_exit(Code::Configuration)?
            }
        };
        let builder = HttpsConnectorBuilder::new().with_tls_config(config);
        Ok(builder.https_or_http().enable_http1().build())
    }

    fn roots(&self) -> anyhow::Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        let system = load_native_certs();
        roots.add_parsable_certificates(system.certs);
        let Some(path) = &self.ca_file else {
            if roots.is_empty() {
                let advice =
                    "this system has no certificate authorities; give a file with --ca-file";
                return Err(anyhow!("{advice}"));
            }
            return Ok(roots);
        };
        let certificates = certificates(path)?;
        for certificate in certificates {
            let added = roots.add(certificate);
            added.with_context(|| format!("{} has an invalid certificate", path.display()))?;
        }
        Ok(roots)
    }
}

/// Returns what a user can do about a broken connection, if the cause is a certificate.
pub(crate) fn advice(cause: &(dyn Error + 'static)) -> &'static str {
    let mut cause = cause;
    // The error of TLS is inside errors of the connection.
    while let Some(inner) = cause.downcast_ref().and_then(io::Error::get_ref) {
        cause = inner;
    }
    let tls = cause.downcast_ref::<rustls::Error>();
    if let Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) = tls {
        "; if the server has a certificate of a private authority, give the file of the authority with --ca-file"
    } else if let Some(rustls::Error::AlertReceived(AlertDescription::CertificateRequired)) = tls {
        "; the server requires a client certificate: give a file with --identity"
    } else {
        ""
    }
}

/// Returns a connector to servers without TLS.
pub(crate) fn http() -> Result<HttpsConnector<HttpConnector>, Failure> {
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .or_exit(Code::Bug)?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let builder = HttpsConnectorBuilder::new().with_tls_config(config);
    Ok(builder.https_or_http().enable_http1().build())
}

/// Returns the certificates in a PEM file. Fails if there is none.
fn certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let shown = path.display();
    let read = std::fs::read(path).with_context(|| format!("failed to read {shown}"))?;
    let certificates = CertificateDer::pem_slice_iter(&read).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.with_context(|| format!("{shown} is not in PEM format"))?;
    if certificates.is_empty() {
        return Err(anyhow!("{shown} has no certificate in PEM format"));
    }
    Ok(certificates)
}

/// Returns the certificates and the key in a PEM file.
fn identity(path: &Path) -> anyhow::Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let certificates = certificates(path)?;
    let key = PrivateKeyDer::from_pem_file(path);
    let key = key.with_context(|| format!("{} has no private key", path.display()))?;
    Ok((certificates, key))
}
