//! How a server starts, reports its health, and stops.

use std::time::Duration;

use easel_server::{Auth, Config, ConfigError, LocalServer, Server, StartError};
use easel_testkit::{Receiver, event};
use hyper::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::test_server::{TestServer, config, declarations};

#[tokio::test]
async fn the_first_token_is_shown_only_at_the_first_start_and_is_required() {
    let folder = tempfile::tempdir().unwrap();
    let with_tokens = || Config {
        auth: Auth::Tokens,
        ..config(folder.path())
    };
    let first = Server::start(with_tokens()).await.unwrap();
    let token = first.first_token().unwrap().expose().clone();
    drop(first);
    let again = Server::start(with_tokens()).await.unwrap();
    assert!(again.first_token().is_none());
    drop(again);

    let test_server = TestServer::open(with_tokens()).await;
    let ask = async |token: &str| {
        let request = test_server.request("GET", "/v1/balance");
        test_server
            .send(
                request.header("authorization", format!("Bearer {token}")),
                "",
            )
            .await
            .0
    };
    assert_eq!(ask(&token).await, StatusCode::OK);
    assert_eq!(ask("easel_wrong").await, StatusCode::UNAUTHORIZED);
    let local = LocalServer::read(folder.path()).unwrap();
    assert_eq!(local.address, test_server.address);
    assert_eq!(ask(local.token.unwrap().expose()).await, StatusCode::OK);
    test_server.close().await;
    assert!(LocalServer::read(folder.path()).is_err());
}

#[tokio::test]
async fn a_data_folder_serves_one_process_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let first = Server::start(config(folder.path())).await.unwrap();
    let refused = Server::start(config(folder.path())).await.unwrap_err();
    assert!(refused.is_configuration());
    let error = refused.to_string();
    assert!(error.contains("another server runs on it"), "{error}");
    assert!(error.contains(&std::process::id().to_string()), "{error}");
    drop(first);
    Server::start(config(folder.path())).await.unwrap();
}

#[tokio::test]
async fn a_public_address_without_tokens_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let open = Config {
        listen: "0.0.0.0:0".parse().unwrap(),
        ..config(folder.path())
    };
    let refused = Server::start(open).await.unwrap_err();
    let StartError::Config(faults) = refused else {
        panic!("{refused}");
    };
    assert!(
        matches!(faults.0.as_slice(), [ConfigError::OpenToOthers { .. }]),
        "{faults}"
    );
}

#[tokio::test]
async fn invalid_declared_subscriptions_are_rejected_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let refused = async |specs: &str| {
        let bad = Config {
            subscriptions: declarations(specs),
            ..config(folder.path())
        };
        let refused = Server::start(bad).await.unwrap_err();
        assert!(refused.is_configuration(), "{refused}");
        refused.to_string()
    };
    let bad = refused(r#"[{"name":"bad","webhook":{"url":"gopher://x/"}}]"#).await;
    assert_eq!(
        bad,
        "subscription bad: webhook.url: failed to parse the URL: its scheme must be http or https"
    );
    let one = r#"{"name":"one","webhook":{"url":"http://x/"}}"#;
    let taken = refused(&format!("[{one},{one}]")).await;
    assert_eq!(taken, "subscription one is declared twice");
}

#[tokio::test]
async fn only_a_successful_start_creates_the_first_token() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config {
        auth: Auth::Tokens,
        ..config(folder.path())
    };
    config.webhook.ca_file = Some(folder.path().join("missing.pem"));
    Server::start(config.clone()).await.unwrap_err();
    config.webhook.ca_file = None;
    let server = Server::start(config).await.unwrap();
    assert!(server.first_token().is_some());
}

#[tokio::test]
async fn the_quarantine_is_trimmed_to_its_limit() {
    let folder = tempfile::tempdir().unwrap();
    // `{"no":"event"}`, as base64.
    let call = r#"{"StreamName":"s","Data":"eyJubyI6ImV2ZW50In0=","PartitionKey":"1"}"#;
    let test_server = TestServer::open(config(folder.path())).await;
    test_server.kinesis("PutRecord", call).await;
    test_server.close().await;

    let mut config = config(folder.path());
    config.quarantine.max_bytes = Some(0);
    let test_server = TestServer::open(config).await;
    let trimmed = async {
        while test_server.get("/v1/quarantine").await
            != r#"{"records":[],"next":0,"count":0,"gone":1}"#
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let trimmed = tokio::time::timeout(Duration::from_secs(10), trimmed).await;
    assert!(trimmed.is_ok(), "the record is still there");
    test_server.close().await;
}

#[tokio::test]
async fn health_readiness_and_metrics_show_the_state_of_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start().await;
    let spec = format!(
        r#"{{"name":"all","webhook":{{"url":"{}"}}}}"#,
        receiver.url()
    );
    let declared = Config {
        subscriptions: declarations(&format!("[{spec}]")),
        ..config(folder.path())
    };
    let test_server = TestServer::open(declared).await;
    test_server
        .post("/v1/events", event("grade_change", 1))
        .await;
    receiver.wait_for(1).await;

    assert_eq!(test_server.get("/healthz").await, "ok");
    let ready = test_server.get("/readyz").await;
    assert_eq!(
        ready,
        r#"{"ready":true,"log":"writable","audit":"writable","deliveries":"running","lanes":1,"active":1,"holding":0}"#
    );
    let metrics = test_server.get("/metrics").await;
    for name in [
        "easel_accepted_events_total{door=\"native\"}",
        "easel_log_commit_seconds_bucket",
        "easel_attempts_total{subscription=\"all\",outcome=\"delivered\"}",
        "easel_deliveries_total{subscription=\"all\"}",
        "easel_lane_lag_events{subscription=\"all\"}",
        "easel_refused_requests_total{reason=\"signature_mismatch\"} 0",
    ] {
        assert!(metrics.contains(name), "{name} is not in\n{metrics}");
    }
    test_server.close().await;
}

#[tokio::test]
async fn a_stop_ends_long_polls_and_a_restart_continues_at_the_cursor() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start().await;
    let test_server = TestServer::open(config(folder.path())).await;
    test_server.subscribe("all", "", &receiver.url()).await;
    test_server
        .post("/v1/events", event("grade_change", 1))
        .await;
    receiver.wait_for(1).await;
    let began = tokio::time::Instant::now();
    let poll = test_server.get("/v1/events?from=latest&wait=60s");
    let stop = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        test_server.stop();
    };
    let (page, ()) = tokio::join!(poll, stop);
    assert!(page.starts_with(r#"{"events":[]"#), "{page}");
    assert!(began.elapsed() < Duration::from_secs(30));
    test_server.close().await;

    let test_server = TestServer::open(config(folder.path())).await;
    test_server
        .post("/v1/events", event("grade_change", 2))
        .await;
    let received = receiver.wait_for(2).await;
    assert_eq!(received.last().unwrap().body, event("grade_change", 2));
    assert_eq!(received.len(), 2);
    test_server.close().await;
}

#[tokio::test]
async fn hanging_requests_and_deliveries_share_one_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start().await;
    let mut config = config(folder.path());
    config.drain = Duration::from_secs(2);
    let test_server = TestServer::open(config).await;
    receiver.hang(true);
    test_server.subscribe("all", "", &receiver.url()).await;
    test_server
        .post("/v1/events", event("grade_change", 1))
        .await;
    receiver.wait_for(1).await;
    // The body never arrives. The server has asked for it, so the request is being handled.
    let head = "POST /v1/events HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
                content-length: 9\r\nexpect: 100-continue\r\n\r\n";
    let mut request = TcpStream::connect(test_server.address).await.unwrap();
    request.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    request.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100");

    let began = tokio::time::Instant::now();
    test_server.close().await;
    let took = began.elapsed();
    assert!(took < Duration::from_millis(3500), "{took:?}");
}
