//! A private certificate authority, whose certificates a test can use for servers and clients.

use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// The names of the servers of tests.
const SERVER_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// A private certificate authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, in PEM.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The certificate.
    pub cert: String,
    /// The private key, in PKCS#8.
    pub key: String,
}

impl Authority {
    /// Creates an authority.
    #[expect(clippy::new_without_default, reason = "each authority is another one")]
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = named("Easel Test Authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Returns the certificate of the authority.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Issues a certificate for a server on this machine.
    pub fn server(&self) -> Issued {
        self.issue(|_params| ())
    }

    /// Issues a certificate for a client.
    pub fn client(&self) -> Issued {
        self.issue(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth])
    }

    /// Issues a certificate for a server on this machine. `change` may change what the certificate says.
    pub fn issue(&self, change: impl FnOnce(&mut CertificateParams)) -> Issued {
        let mut params = CertificateParams::new(SERVER_NAMES.map(str::to_owned)).unwrap();
        params.distinguished_name = named("localhost");
        // As long as those of public authorities.
        let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
        let midnight = |date: Date| {
            let (month, day) = (u8::try_from(date.month()), u8::try_from(date.day()));
            date_time_ymd(i32::from(date.year()), month.unwrap(), day.unwrap())
        };
        params.not_before = midnight(today);
        params.not_after = midnight(today + 90.days());
        params.use_authority_key_identifier_extension = true;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.0).unwrap().pem();
        Issued {
            cert,
            key: key.serialize_pem(),
        }
    }

    /// Returns the settings of a client that trusts only this authority, and shows this certificate of its own.
    pub fn trust(&self, own: Option<&Issued>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots);
        match own {
            None => config.with_no_client_auth(),
            Some(issued) => {
                let certificates = CertificateDer::pem_slice_iter(issued.cert.as_bytes());
                let certificates = certificates.collect::<Result<_, _>>().unwrap();
                let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
                config.with_client_auth_cert(certificates, key).unwrap()
            }
        }
    }
}

/// Returns a name of its own. OpenSSL takes a certificate with the name of its authority for self-signed.
fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}
