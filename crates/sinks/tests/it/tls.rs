//! Tests of TLS: the HTTP version, and the certificates that the client trusts.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use easel_sinks::{ClientError, Endpoint, SendError, Webhook, WebhookClient, WebhookOptions};
use easel_testkit::Receiver;
use http::Version;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::NamedTempFile;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::fixtures::{LONG_TIMEOUT, Post, batch, body, client, local_options, settings};

/// Starts a receiver that offers these protocols. Returns the receiver and the file of its certificate
/// authority.
pub(crate) async fn receiver(protocols: &[&str], host: &str) -> (Receiver, NamedTempFile) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = vec![String::from(host)];
    let certificate = CertificateParams::new(names)
        .unwrap()
        .signed_by(&key, &authority)
        .unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = protocols
        .iter()
        .map(|protocol| protocol.as_bytes().to_vec())
        .collect();
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(authority.pem().as_bytes()).unwrap();
    (Receiver::start_tls(config).await, file)
}

fn options(ca_file: &Path) -> WebhookOptions {
    WebhookOptions {
        ca_file: Some(ca_file.to_owned()),
        ..local_options()
    }
}

fn webhook(receiver: &Receiver, options: &WebhookOptions) -> Webhook {
    Webhook::new(
        client(options),
        Endpoint::parse(&receiver.url()).unwrap(),
        settings(LONG_TIMEOUT),
    )
}

#[tokio::test]
async fn an_endpoint_that_offers_http_2_gets_all_requests_on_one_connection() {
    let (receiver, ca) = receiver(&["h2", "http/1.1"], "127.0.0.1").await;
    let webhook = webhook(&receiver, &options(ca.path()));
    for _ in 0..20 {
        webhook.post(batch()).await.unwrap();
    }
    let received = receiver.received();
    assert!(
        received
            .iter()
            .all(|request| request.version == Version::HTTP_2)
    );
    assert!(
        received
            .iter()
            .all(|request| request.body == body(&batch()))
    );
    assert_eq!(
        received[0].header("content-length"),
        body(&batch()).len().to_string()
    );
    assert_eq!((received.len(), receiver.connection_count()), (20, 1));
}

#[tokio::test]
async fn an_endpoint_that_does_not_offer_http_2_gets_http_1() {
    for protocols in [&["http/1.1"][..], &[]] {
        let (receiver, ca) = receiver(protocols, "127.0.0.1").await;
        webhook(&receiver, &options(ca.path()))
            .post(batch())
            .await
            .unwrap();
        assert_eq!(receiver.received()[0].version, Version::HTTP_11);
    }
}

#[tokio::test]
async fn an_unknown_authority_is_not_trusted() {
    let (receiver, _ca) = receiver(&["h2"], "127.0.0.1").await;
    let error = webhook(&receiver, &local_options())
        .post(batch())
        .await
        .unwrap_err();
    assert!(matches!(error, SendError::Unconnected { .. }), "{error:?}");
    assert!(error.to_string().contains("certificate"), "{error}");
    assert_eq!(receiver.count(), 0);
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not_trusted() {
    let (receiver, ca) = receiver(&["h2"], "lms.meadow.example").await;
    let error = webhook(&receiver, &options(ca.path()))
        .post(batch())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("not valid for name"), "{error}");
    assert_eq!(receiver.count(), 0);
}

#[test]
fn an_empty_or_missing_authority_file_is_rejected_with_its_path() {
    let empty = NamedTempFile::new().unwrap();
    let missing = Path::new("/no/such/file.pem");
    for path in [empty.path(), missing] {
        let error = WebhookClient::new(&options(path), Arc::new(jiff::Timestamp::now)).unwrap_err();
        assert!(matches!(error, ClientError::CaFile { .. }), "{error:?}");
        assert!(
            error.to_string().contains(path.to_str().unwrap()),
            "{error}"
        );
    }
}
