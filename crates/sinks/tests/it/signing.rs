//! Tests of what a request shows about its sender: signatures, headers and a client certificate.

use std::sync::Arc;
use std::time::Duration;

use easel_keys::{
    JwtOptions, JwtVerifier, Keys, MasterKeyFile, MasterKeySource, Secret, SigningAlgorithm,
    WebhookHeaders, WebhookKey, WebhookSecret, WebhookVerifier,
};
use easel_sinks::{
    ClientIdentity, CustomHeaders, Endpoint, JwtCell, JwtSigner, RequestSigner, SendError, Webhook,
};
use easel_testkit::{Received, Receiver};
use jiff::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::Value;
use tempfile::TempDir;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::fixtures::{LONG_TIMEOUT, Post, batch, body, client, local_options, settings, webhook};

/// The time of the client's clock in these tests.
const NOW: Timestamp = Timestamp::constant(1_740_988_800, 0);

fn keys() -> (Keys, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let source = MasterKeySource {
        file: MasterKeyFile::new(folder.path().join("master.key")),
        key: None,
        previous: None,
    };
    let month = Duration::from_hours(30 * 24);
    let keys = Keys::open(&folder.path().join("keys.db"), source, month, NOW).unwrap();
    (keys, folder)
}

fn jwt_signer(keys: &Keys, algorithm: SigningAlgorithm) -> JwtSigner {
    JwtSigner {
        keys: keys.signing(),
        algorithm,
        issuer: "easel-test".into(),
    }
}

/// Verifies a JWT with the published keys. Returns the id of the key and the claims.
fn verified(keys: &Keys, request: &Received) -> (String, Value) {
    let options = JwtOptions {
        algorithms: SigningAlgorithm::ALL.to_vec(),
        issuer: Some("easel-test".to_owned()),
        ..JwtOptions::default()
    };
    let verifier = JwtVerifier::new(keys.signing().jwk_set().unwrap(), options);
    let jwt = verifier.verify(&request.body, NOW).unwrap();
    (jwt.kid, serde_json::from_slice(&jwt.payload).unwrap())
}

#[tokio::test]
async fn the_claims_of_a_jwt_are_the_event() {
    let receiver = Receiver::start().await;
    let (keys, _folder) = keys();
    for algorithm in SigningAlgorithm::ALL {
        keys.ensure(algorithm, NOW).unwrap();
        let signer = RequestSigner::Jwt(jwt_signer(&keys, algorithm));
        let webhook = webhook(&receiver.url()).with_signer(Some(signer));
        webhook.post(batch()).await.unwrap();
        let request = receiver.received().pop().unwrap();
        assert_eq!(request.header("content-type"), "application/jwt");
        let (kid, mut claims) = verified(&keys, &request);
        assert_eq!(kid, keys.signing().current(algorithm).unwrap().kid());
        let claims = claims.as_object_mut().unwrap();
        assert_eq!(claims.remove("iss").unwrap(), "easel-test");
        assert_eq!(claims.remove("iat").unwrap(), NOW.as_second());
        assert_eq!(claims.remove("jti").unwrap(), *request.header("webhook-id"));
        let event: Value = serde_json::from_slice(body(&batch())).unwrap();
        assert_eq!(Value::Object(claims.clone()), event);
    }
}

#[tokio::test]
async fn a_shared_jwt_is_signed_once_for_each_key() {
    let receiver = Receiver::start().await;
    let (keys, _folder) = keys();
    keys.ensure(SigningAlgorithm::Es256, NOW).unwrap();
    let shared = Arc::new(JwtCell::default());
    let mut batch = batch();
    let mut item = (*batch.items[0]).clone();
    item.jwt = Some(Arc::clone(&shared));
    batch.items = vec![Arc::new(item)];
    let subscribers: Vec<_> = (0..3)
        .map(|_| {
            let signer = RequestSigner::Jwt(jwt_signer(&keys, SigningAlgorithm::Es256));
            webhook(&receiver.url()).with_signer(Some(signer))
        })
        .collect();
    let bodies = async || {
        let before = receiver.count();
        for webhook in &subscribers {
            webhook.post(batch.clone()).await.unwrap();
        }
        let received = receiver.received().split_off(before);
        let first = received[0].clone();
        // A signature of ES256 is random, so equal bodies have one signature.
        assert!(received.iter().all(|request| request.body == first.body));
        first
    };
    let (first_kid, _) = verified(&keys, &bodies().await);
    keys.rotate(SigningAlgorithm::Es256, NOW).unwrap();
    let (second_kid, _) = verified(&keys, &bodies().await);
    assert_ne!(first_kid, second_kid);
}

#[tokio::test]
async fn without_a_key_nothing_is_sent() {
    let receiver = Receiver::start().await;
    let (keys, _folder) = keys();
    let signer = RequestSigner::Jwt(jwt_signer(&keys, SigningAlgorithm::EdDsa));
    let webhook = webhook(&receiver.url()).with_signer(Some(signer));
    let reason = "there is no key that signs with EdDSA".to_owned();
    assert_eq!(
        webhook.post(batch()).await,
        Err(SendError::NotSent { reason })
    );
    assert_eq!(receiver.count(), 0);
}

#[tokio::test]
async fn each_secret_signs_the_bytes_that_are_sent() {
    let receiver = Receiver::start().await;
    let secrets = [
        WebhookSecret::generate_symmetric().unwrap(),
        WebhookSecret::generate_asymmetric().unwrap(),
    ];
    let public = secrets[1].public_text().unwrap();
    let keys = [
        WebhookKey::parse(secrets[0].to_text().expose()).unwrap(),
        WebhookKey::parse(&public).unwrap(),
    ];
    let signer = RequestSigner::Standard(Arc::from(secrets));
    let webhook = webhook(&receiver.url()).with_signer(Some(signer));
    webhook.post(batch()).await.unwrap();
    let request = receiver.received().pop().unwrap();
    assert_eq!(request.body, body(&batch()));
    let headers = WebhookHeaders {
        id: request.header("webhook-id"),
        timestamp: request.header("webhook-timestamp"),
        signature: request.header("webhook-signature"),
    };
    assert_eq!(headers.signature.split(' ').count(), 2);
    for key in keys {
        let verifier = WebhookVerifier::new(vec![key]);
        assert!(verifier.verify(&headers, &request.body, NOW).is_ok());
        assert!(verifier.verify(&headers, b"{}", NOW).is_err());
    }
}

#[tokio::test]
async fn headers_of_the_subscription_arrive_with_every_attempt() {
    let receiver = Receiver::start().await;
    let secret = |text: &str| Secret::new(text.to_owned());
    let key = secret("s3cret");
    let headers = CustomHeaders::new([("x-api-key", &key)]).unwrap();
    let headers = headers.with_bearer(&secret("t0ken")).unwrap();
    let webhook = webhook(&receiver.url()).with_headers(headers);
    for _ in 0..2 {
        webhook.post(batch()).await.unwrap();
    }
    for request in receiver.received() {
        assert_eq!(request.header("x-api-key"), "s3cret");
        assert_eq!(request.header("authorization"), "Bearer t0ken");
    }
    assert!(!format!("{webhook:?}").contains("s3cret"));
}

#[tokio::test]
async fn an_endpoint_can_require_a_client_certificate() {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let signed = || {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        (params.signed_by(&key, &authority).unwrap(), key)
    };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let (certificate, key) = signed();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let receiver = Receiver::start_tls(config).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), authority.pem()).unwrap();
    let options = easel_sinks::WebhookOptions {
        ca_file: Some(file.path().to_owned()),
        ..local_options()
    };
    let endpoint = Endpoint::parse(&receiver.url()).unwrap();
    let client = client(&options);
    let anonymous = Webhook::new(client.clone(), endpoint.clone(), settings(LONG_TIMEOUT));
    assert!(anonymous.post(batch()).await.is_err());
    assert_eq!(receiver.count(), 0);

    let (certificate, key) = signed();
    let key = Secret::new(key.serialize_pem());
    let identity = ClientIdentity::parse(&certificate.pem(), &key).unwrap();
    let client = client.with_identity(&identity).unwrap();
    let known = Webhook::new(client, endpoint, settings(LONG_TIMEOUT));
    known.post(batch()).await.unwrap();
    assert_eq!(receiver.count(), 1);
}
