//! A hosted Canvas: its key, the server that publishes the key, and the requests that it signs.

use std::convert::Infallible;
use std::thread::{available_parallelism, scope};

use anyhow::{Result, anyhow};
use bytes::Bytes;
use easel_keys::{JwkSet, PrivateKey, SigningAlgorithm, event_claims, sign_jwt};
use http::Response;
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::connection::{Connection, Target};
use super::process::ServerProcess;

/// The name of the source.
const SOURCE: &str = "hosted";

/// A hosted Canvas. It publishes its key until it is dropped.
#[derive(Debug)]
pub(crate) struct BenchHosted {
    key: PrivateKey,
    _jwks_server: JoinSet<()>,
}

impl BenchHosted {
    /// Creates a key, publishes it, and adds the source to the server.
    pub(crate) async fn start(server: &ServerProcess) -> Result<Self> {
        let key = PrivateKey::generate(SigningAlgorithm::Rs256, "current".to_owned())?;
        let set = Bytes::from(JwkSet::new(vec![key.public_jwk().clone()])?.to_json());
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let jwks_url = format!("http://{}/", listener.local_addr()?);
        let mut jwks_server = JoinSet::new();
        jwks_server.spawn(async move {
            while let Ok((stream, _peer)) = listener.accept().await {
                let set = set.clone();
                let service = service_fn(move |_request| {
                    let answer = Response::new(Full::new(set.clone()));
                    async move { Ok::<_, Infallible>(answer) }
                });
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                drop(connection.await);
            }
        });
        let source = json!({
            "name": SOURCE, "kind": "https", "jwks_url": jwks_url, "issuer": "*",
        });
        let target = Target {
            path: "/v1/sources",
            content_type: "application/json",
            operation: None,
        };
        let mut connection = Connection::open(server.address()).await?;
        connection.post(&target, source.to_string().into()).await?;
        Ok(Self {
            key,
            _jwks_server: jwks_server,
        })
    }

    /// Signs events on all processors. Each body is a JWT in quotes, as hosted Canvas sends it.
    pub(crate) fn sign(&self, events: &[Bytes]) -> Result<Vec<Bytes>> {
        let threads = available_parallelism()?.get();
        let sign = |event: &Bytes| {
            let claims = event_claims(event, "bench", 0, "");
            let claims = claims.ok_or_else(|| anyhow!("an event is not a JSON object"))?;
            Ok(Bytes::from(format!(
                "\"{}\"",
                sign_jwt(&self.key, &claims)?
            )))
        };
        let signed = scope(|scope| {
            let parts = events.chunks(std::cmp::max(events.len().div_ceil(threads), 1));
            let workers: Vec<_> = parts
                .map(|part| scope.spawn(|| part.iter().map(sign).collect::<Result<Vec<_>>>()))
                .collect();
            let signed = workers.into_iter().map(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|_panic| Err(anyhow!("a signing thread panicked")))
            });
            signed.collect::<Result<Vec<_>>>()
        })?;
        Ok(signed.concat())
    }
}
