//! Who sees health and metrics: everybody, a caller with a token, and the listener for monitoring.

use std::path::Path;

use bytes::Bytes;
use easel_keys::Secret;
use easel_server::{Auth, Config, LocalServer, MetricsConfig, Server};
use hyper::StatusCode;
use serde_json::{Value, json};

use crate::test_server::{TestServer, config, declarations};

/// Starts a server that requires tokens, with a subscription and a listener for monitoring.
async fn open(data: &Path) -> (TestServer, TestServer, Secret<String>) {
    let spec = r#"{"name":"grades","webhook":{"url":"http://127.0.0.1:1/"}}"#;
    let config = Config {
        auth: Auth::Tokens,
        first_token: Some(Secret::new("0123456789abcdefghijklmnopqrstuv".to_owned())),
        metrics: MetricsConfig {
            listen: Some("127.0.0.1:0".parse().unwrap()),
        },
        subscriptions: declarations(&format!("[{spec}]")),
        ..config(data)
    };
    let server = Server::start(config).await.unwrap();
    let monitoring = TestServer::other_address(server.metrics_address().unwrap());
    let token = LocalServer::read(data).unwrap().token.unwrap();
    (TestServer::from_server(server), monitoring, token)
}

/// Sends a GET request, with a token or without.
async fn get(server: &TestServer, path: &str, token: Option<&str>) -> (StatusCode, String) {
    let mut request = server.request("GET", path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let (status, body) = server.send(request, Bytes::new()).await;
    (status, String::from_utf8(body.into()).unwrap())
}

/// Creates a token with these scopes, and returns its secret.
async fn new_token(server: &TestServer, manager: &str, scope: &str) -> String {
    let request = server
        .request("POST", "/v1/tokens")
        .header("authorization", format!("Bearer {manager}"))
        .header("content-type", "application/json");
    let token = json!({ "name": scope, "scopes": [scope] }).to_string();
    let (status, body) = server.send(request, token).await;
    assert_eq!(status, StatusCode::CREATED, "{body:?}");
    let created: Value = serde_json::from_slice(&body).unwrap();
    created["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn metrics_need_a_token_with_the_scope_read() {
    let folder = tempfile::tempdir().unwrap();
    let (server, _monitoring, local) = open(folder.path()).await;
    let reader = new_token(&server, local.expose(), "read").await;
    let sender = new_token(&server, local.expose(), "ingest").await;
    for (token, status, part) in [
        (None, StatusCode::UNAUTHORIZED, "token_missing"),
        (Some("wrong"), StatusCode::UNAUTHORIZED, "token_unknown"),
        (
            Some(sender.as_str()),
            StatusCode::FORBIDDEN,
            "scope_missing",
        ),
        (Some(reader.as_str()), StatusCode::OK, "easel_build_info{"),
        (Some(local.expose()), StatusCode::OK, "easel_build_info{"),
    ] {
        let (found, body) = get(&server, "/metrics", token).await;
        assert_eq!(found, status, "{body}");
        assert!(body.contains(part), "{body}");
        assert_eq!(body.contains("grades"), status == StatusCode::OK, "{body}");
    }
    server.close().await;
}

#[tokio::test]
async fn readiness_has_counts_and_names_only_for_readers() {
    let folder = tempfile::tempdir().unwrap();
    let (server, _monitoring, local) = open(folder.path()).await;
    let reader = new_token(&server, local.expose(), "read").await;
    let sender = new_token(&server, local.expose(), "ingest").await;
    // The lane starts after the server listens.
    while get(&server, "/readyz", None).await.0 != StatusCode::OK {
        tokio::task::yield_now().await;
    }
    let words = r#"{"ready":true,"log":"writable","audit":"writable","deliveries":"running"}"#;
    let details = r#"{"ready":true,"log":"writable","audit":"writable","deliveries":"running","lanes":1,"active":1,"holding":0}"#;
    for (token, wanted) in [
        (None, words),
        (Some("wrong"), words),
        (Some(sender.as_str()), words),
        (Some(reader.as_str()), details),
    ] {
        let (status, body) = get(&server, "/readyz", token).await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, wanted));
        let (status, body) = get(&server, "/healthz", token).await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, "ok"));
    }
    server.close().await;
}

#[tokio::test]
async fn the_listener_for_monitoring_needs_no_token_and_has_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (server, monitoring, local) = open(folder.path()).await;
    while get(&monitoring, "/readyz", None).await.0 != StatusCode::OK {
        tokio::task::yield_now().await;
    }
    let (status, page) = get(&monitoring, "/metrics", None).await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("subscription=\"grades\""), "{page}");
    let (_, ready) = get(&monitoring, "/readyz", None).await;
    assert!(ready.contains("\"lanes\":1"), "{ready}");
    assert_eq!(get(&monitoring, "/healthz", None).await.1, "ok");
    for path in ["/", "/v1/status", "/v1/subscriptions", "/v1/openapi.json"] {
        let (status, body) = get(&monitoring, path, Some(local.expose())).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}: {body}");
    }
    server.close().await;
}
