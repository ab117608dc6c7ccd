//! A persistent HTTP/1.1 connection to the server.

use std::net::SocketAddr;

use anyhow::{Result, bail};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// A persistent HTTP/1.1 connection to the server.
#[derive(Debug)]
pub(crate) struct Connection {
    host: String,
    requests: SendRequest<Full<Bytes>>,
    /// The task that transfers the bytes. It ends with the connection.
    _driver: JoinSet<()>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let mut driver = JoinSet::new();
        driver.spawn(async move { drop(connection.await) });
        Ok(Self {
            host: address.to_string(),
            requests,
            _driver: driver,
        })
    }

    /// Posts a body and returns the JSON of a 2xx answer; null if the answer is empty.
    pub(crate) async fn post(&mut self, target: &Target, body: Bytes) -> Result<Value> {
        let mut request = self.request(Method::POST, target.path, body)?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, target.content_type.parse()?);
        if let Some(operation) = target.operation {
            headers.insert("x-amz-target", operation.parse()?);
        }
        self.exchange(request).await
    }

    /// Sends a GET request for a path and returns the JSON of a 2xx answer.
    pub(crate) async fn get(&mut self, path: &str) -> Result<Value> {
        let request = self.request(Method::GET, path, Bytes::new())?;
        self.exchange(request).await
    }

    fn request(&self, method: Method, path: &str, body: Bytes) -> Result<Request<Full<Bytes>>> {
        Ok(Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.host)
            .body(Full::new(body))?)
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Value> {
        let path = request.uri().path().to_owned();
        self.requests.ready().await?;
        let (head, body) = self.requests.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        if !head.status.is_success() {
            let answer = String::from_utf8_lossy(&body);
            bail!("{path} answered {}: {answer}", head.status);
        }
        if body.is_empty() {
            return Ok(Value::Null);
        }
        Ok(serde_json::from_slice(&body)?)
    }
}

/// The target of a POST request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) path: &'static str,
    pub(crate) content_type: &'static str,
    /// The Kinesis operation.
    pub(crate) operation: Option<&'static str>,
}
