//! A server on its own port, with a client.

use std::net::SocketAddr;
use std::path::Path;

use bytes::Bytes;
use easel_keys::Secret;
use easel_server::{Auth, Config, Declaration, KeysConfig, Server, Spec, Term};
use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A running server.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
    stop: CancellationToken,
    running: JoinSet<()>,
}

/// Returns settings for a server on `data` that requires no tokens.
pub(crate) fn config(data: &Path) -> Config {
    Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        data: data.to_owned(),
        auth: Auth::None,
        // Without a key, the server would write one beside the data folder.
        keys: KeysConfig {
            master_key: Some(Secret::new("A".repeat(43) + "=")),
            ..KeysConfig::default()
        },
        ..Config::default()
    }
}

impl TestServer {
    pub(crate) async fn open(config: Config) -> Self {
        Self::from_server(Server::start(config).await.unwrap())
    }

    /// Runs a server that already listens.
    pub(crate) fn from_server(server: Server) -> Self {
        let (address, stop) = (server.address(), CancellationToken::new());
        let mut running = JoinSet::new();
        running.spawn(server.run_until(stop.clone()));
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self {
            address,
            client,
            stop,
            running,
        }
    }

    /// Returns a client of another listener of a server.
    pub(crate) fn other_address(address: SocketAddr) -> Self {
        Self {
            address,
            client: Client::builder(TokioExecutor::new()).build_http(),
            stop: CancellationToken::new(),
            running: JoinSet::new(),
        }
    }

    /// Stops the server, as SIGTERM does.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// Stops the server, and waits until it has stopped.
    pub(crate) async fn close(mut self) {
        self.stop();
        self.running.join_next().await.unwrap().unwrap();
    }

    pub(crate) async fn send(
        &self,
        request: hyper::http::request::Builder,
        body: impl Into<Bytes>,
    ) -> (StatusCode, Bytes) {
        let request = request.body(Full::new(body.into())).unwrap();
        let response = self.client.request(request).await.unwrap();
        let status = response.status();
        (
            status,
            response.into_body().collect().await.unwrap().to_bytes(),
        )
    }

    /// Sends a request without a body, and reads the answer up to `text`.
    pub(crate) async fn read_until(
        &self,
        request: hyper::http::request::Builder,
        text: &str,
    ) -> (StatusCode, String) {
        let request = request.body(Full::default()).unwrap();
        let mut response = self.client.request(request).await.unwrap();
        let mut read = String::new();
        while !read.contains(text)
            && let Some(frame) = response.frame().await
        {
            let data = frame.unwrap().into_data().unwrap_or_default();
            read.push_str(&String::from_utf8_lossy(&data));
        }
        (response.status(), read)
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> hyper::http::request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
    }

    pub(crate) async fn get(&self, path: &str) -> String {
        let (status, body) = self.send(self.request("GET", path), Bytes::new()).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        String::from_utf8(body.into()).unwrap()
    }

    pub(crate) async fn post(&self, path: &str, json: impl Into<Bytes>) -> (StatusCode, Value) {
        let request = self
            .request("POST", path)
            .header("content-type", "application/json");
        let (status, body) = self.send(request, json).await;
        (status, serde_json::from_slice(&body).unwrap())
    }

    pub(crate) async fn subscribe(&self, name: &str, more: &str, url: &str) {
        let json = format!(r#"{{"name":"{name}",{more}"webhook":{{"url":"{url}"}}}}"#);
        let (status, answer) = self.post("/v1/subscriptions", json).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
    }

    /// Returns the balance of a subscription. Asserts that the balance adds up.
    pub(crate) async fn balance(&self, name: &str) -> Value {
        let json = self.get(&format!("/v1/subscriptions/{name}/balance")).await;
        let balance: Value = serde_json::from_str(&json).unwrap();
        let sum: u64 = Term::SUMMANDS
            .iter()
            .map(|term| balance[term.name()].as_u64().unwrap())
            .sum();
        assert_eq!(balance["accepted"], sum, "{balance}");
        balance
    }

    /// Sends one call of the Kinesis protocol, unsigned.
    pub(crate) async fn kinesis(
        &self,
        operation: &str,
        json: impl Into<Bytes>,
    ) -> (StatusCode, Value) {
        let request = self
            .request("POST", "/")
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", format!("Kinesis_20131202.{operation}"));
        let (status, body) = self.send(request, json).await;
        (status, serde_json::from_slice(&body).unwrap())
    }
}

/// Parses the specs of subscriptions, and declares each for everything.
pub(crate) fn declarations(specs: &str) -> Vec<Declaration> {
    let specs: Vec<Spec> = serde_json::from_str(specs).unwrap();
    specs.into_iter().map(Declaration::from).collect()
}
