//! Changes while a server runs: paused deliveries, and new settings.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use easel_catalog::Reach;
use easel_keys::Secret;
use easel_server::{Auth, Config, Deliveries, KinesisKey, LocalServer, Prepared, Reloader, Server};
use easel_testkit::{Receiver, event};
use hyper::StatusCode;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::test_server::{TestServer, config, declarations};

/// Starts a server, and returns it with its reloader.
async fn open(config: Config) -> (TestServer, Reloader) {
    let server = Server::start(config).await.unwrap();
    let reloader = server.reloader();
    (TestServer::from_server(server), reloader)
}

fn prepare(config: &Config) -> Prepared {
    config.clone().prepare().unwrap()
}

fn declare(name: &str, url: &str, more: &str) -> String {
    format!(r#"{{"name":"{name}",{more}"webhook":{{"url":"{url}"}}}}"#)
}

#[tokio::test]
async fn a_paused_server_accepts_events_and_delivers_them_after_a_resume() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start().await;
    let paused = Config {
        deliveries: Deliveries::Paused,
        ..config(folder.path())
    };
    let test_server = TestServer::open(paused.clone()).await;
    test_server.subscribe("all", "", &receiver.url()).await;
    for number in 0..3 {
        let (status, _) = test_server
            .post("/v1/events", event("grade_change", number))
            .await;
        assert_eq!(status, StatusCode::ACCEPTED);
    }
    assert_eq!(
        test_server.get("/v1/deliveries").await,
        r#"{"paused":true}"#
    );
    let ready = test_server.get("/readyz").await;
    assert!(ready.contains(r#""ready":true"#), "{ready}");
    assert!(ready.contains(r#""deliveries":"paused""#), "{ready}");
    assert_eq!(test_server.balance("all").await["pending"], 3);
    test_server.close().await;
    assert_eq!(receiver.count(), 0);

    // The setting pauses every start, independent of the state before.
    let test_server = TestServer::open(paused).await;
    assert_eq!(test_server.balance("all").await["pending"], 3);
    assert_eq!(receiver.count(), 0);
    let (status, answer) = test_server.post("/v1/deliveries/resume", "").await;
    assert_eq!(
        (status, answer["paused"].as_bool()),
        (StatusCode::OK, Some(false))
    );
    receiver.wait_for(3).await;
    let ready = test_server.get("/readyz").await;
    assert!(ready.contains(r#""deliveries":"running""#), "{ready}");

    test_server.post("/v1/deliveries/pause", "").await;
    while !test_server.get("/readyz").await.contains(r#""lanes":0"#) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    test_server
        .post("/v1/events", event("grade_change", 3))
        .await;
    test_server.post("/v1/deliveries/resume", "").await;
    let received = receiver.wait_for(4).await;
    assert_eq!(received.len(), 4, "each event once");
    test_server.close().await;
}

#[tokio::test]
async fn a_reload_changes_declared_subscriptions_and_keeps_the_lanes_of_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (Receiver::start().await, Receiver::start().await);
    let specs = |specs: &[String]| declarations(&format!("[{}]", specs.join(",")));
    let stays = declare("stays", &first.url(), "");
    let old = Config {
        subscriptions: specs(&[stays.clone(), declare("goes", &second.url(), "")]),
        ..config(folder.path())
    };
    let (test_server, reloader) = open(old.clone()).await;
    test_server
        .post("/v1/events", event("grade_change", 1))
        .await;
    first.wait_for(1).await;
    second.wait_for(1).await;

    let new = Config {
        subscriptions: specs(&[stays, declare("comes", &second.url(), "")]),
        ..old.clone()
    };
    let reloaded = reloader.reload(prepare(&new)).await.unwrap();
    assert!(reloaded.changed);
    test_server
        .post("/v1/events", event("grade_change", 2))
        .await;
    first.wait_for(2).await;
    second.wait_for(2).await;
    let list = test_server.get("/v1/subscriptions").await;
    assert!(list.contains(r#""deactivated""#), "{list}");
    assert!(!reloader.reload(prepare(&new)).await.unwrap().changed);

    // A refused subscription changes nothing, even if it is the last one.
    let bad = Config {
        subscriptions: specs(&[
            declare("early", &first.url(), ""),
            declare("late", &first.url(), r#""start":99,"#),
        ]),
        ..old
    };
    let refused = reloader
        .reload(prepare(&bad))
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("after the end of the log"), "{refused}");
    assert_eq!(
        test_server
            .get("/v1/subscriptions")
            .await
            .matches(r#""name""#)
            .count(),
        3
    );
    test_server.close().await;
}

#[tokio::test]
async fn reloaded_key_pairs_are_valid_immediately() {
    let folder = tempfile::tempdir().unwrap();
    let old = Config {
        auth: Auth::Tokens,
        ..config(folder.path())
    };
    let (test_server, reloader) = open(old.clone()).await;
    let refusal = async || test_server.kinesis("ListStreams", "{}").await.1["__type"].clone();
    assert_eq!(refusal().await, "AccessDeniedException");
    let mut new = old.clone();
    new.kinesis.keys.push(KinesisKey {
        access_key_id: "canvas".to_owned(),
        secret_access_key: Secret::new("hush".to_owned()),
        reach: Reach::Everything,
    });
    assert!(reloader.reload(prepare(&new)).await.unwrap().changed);
    assert_eq!(refusal().await, "MissingAuthenticationTokenException");
    // `auth` changes only with a restart.
    let open = Config {
        auth: Auth::None,
        ..old
    };
    assert!(reloader.reload(prepare(&open)).await.unwrap().changed);
    assert_eq!(refusal().await, "AccessDeniedException");
    test_server.close().await;
}

/// Starts a receiver over TLS, and writes the certificate of its authority to `file`.
async fn tls_receiver(file: &Path) -> Receiver {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &authority).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        );
    fs::write(file, authority.pem()).unwrap();
    Receiver::start_tls(config.unwrap()).await
}

#[tokio::test]
async fn reloaded_certificate_authorities_are_trusted_immediately() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old.pem"), folder.path().join("new.pem"));
    let _unused = tls_receiver(&old).await;
    let receiver = tls_receiver(&new).await;
    let mut config = config(&folder.path().join("data"));
    let file = folder.path().join("ca.pem");
    fs::copy(&old, &file).unwrap();
    config.webhook.ca_file = Some(file.clone());
    let (test_server, reloader) = open(config.clone()).await;
    test_server.subscribe("all", "", &receiver.url()).await;
    test_server
        .post("/v1/events", event("grade_change", 1))
        .await;
    while !test_server.get("/readyz").await.contains(r#""holding":1"#) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(receiver.count(), 0);

    // The same path, with other bytes.
    fs::copy(&new, &file).unwrap();
    assert!(reloader.reload(prepare(&config)).await.unwrap().changed);
    receiver.wait_for(1).await;
    assert!(!reloader.reload(prepare(&config)).await.unwrap().changed);
    test_server.close().await;
}

#[tokio::test]
async fn a_preset_first_token_is_accepted_and_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let token = "A-preset_token.for~tests+0123456789/abc=";
    let preset = Config {
        auth: Auth::Tokens,
        first_token: Some(Secret::new(token.to_owned())),
        ..config(folder.path())
    };
    let server = Server::start(preset).await.unwrap();
    assert!(server.first_token().is_none());
    assert!(server.first_token_file().is_none());
    let test_server = TestServer::from_server(server);
    let request = test_server.request("GET", "/v1/tokens");
    let request = request.header("authorization", format!("Bearer {token}"));
    assert_eq!(test_server.send(request, "").await.0, StatusCode::OK);
    assert_ne!(
        LocalServer::read(folder.path()).unwrap().token,
        Some(Secret::new(token.to_owned()))
    );
    test_server.close().await;

    for weak in [
        "",
        "short",
        "white space is not allowed in a token at all",
        &"ab".repeat(20),
    ] {
        let weak = Config {
            auth: Auth::Tokens,
            first_token: Some(Secret::new(weak.to_owned())),
            ..config(folder.path())
        };
        let refused = Server::start(weak).await.unwrap_err().to_string();
        assert!(refused.starts_with("auth.first_token must"), "{refused}");
    }
}
