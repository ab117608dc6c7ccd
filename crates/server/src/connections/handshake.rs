//! The TLS handshake of one connection, with a time limit.
//!
//! A connection whose first bytes are HTTP without TLS is served only to tell the client so: a client with
//! the wrong scheme gets an answer that a person can read, instead of a connection that closes.

use std::time::Duration;

use axum::Router;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, StatusCode};
use easel_access::Problem;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::debug;

use crate::tls_metrics::HandshakeOutcome;

/// The time limit for a handshake.
pub(super) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The first byte of every TLS connection: the record type of a handshake.
const TLS_RECORD: u8 = 22;

/// A connection that can be served.
pub(super) enum Opened {
    Tls(Box<TlsStream<TcpStream>>),
    /// The client sends HTTP without TLS.
    PlainHttp(TcpStream),
}

/// Makes the handshake. Returns `None` if there is nothing to serve.
pub(super) async fn open(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    limit: Duration,
) -> Option<Opened> {
    let Ok(opened) = timeout(limit, shake_hands(stream, acceptor)).await else {
        HandshakeOutcome::TimedOut.count();
        debug!("connection closed because its handshake took too long");
        return None;
    };
    let outcome = match &opened {
        None => HandshakeOutcome::Failed,
        Some(Opened::PlainHttp(_)) => HandshakeOutcome::PlainHttp,
        Some(Opened::Tls(stream)) => match stream.get_ref().1.peer_certificates() {
            Some(_certificates) => HandshakeOutcome::DoneWithCertificate,
            None => HandshakeOutcome::Done,
        },
    };
    outcome.count();
    opened
}

async fn shake_hands(stream: TcpStream, acceptor: &TlsAcceptor) -> Option<Opened> {
    let mut first = [0];
    match stream.peek(&mut first).await {
        Ok(1) => (),
        Ok(_closed) => return None,
        Err(error) => {
            debug!(%error, "connection broke before its handshake");
            return None;
        }
    }
    let [first] = first;
    if first == TLS_RECORD {
        return match acceptor.accept(stream).await {
            Ok(stream) => Some(Opened::Tls(Box::new(stream))),
            Err(error) => {
                debug!(%error, "handshake failed");
                None
            }
        };
    }
    // Every method of HTTP begins with a capital letter.
    first
        .is_ascii_uppercase()
        .then_some(Opened::PlainHttp(stream))
}

/// Returns the app of clients that send HTTP without TLS.
pub(super) fn tls_required() -> Router {
    Router::new().fallback(async || {
        let detail = "This port speaks only TLS. Use https instead of http.";
        Problem::new(StatusCode::BAD_REQUEST, "tls_required", detail)
            .with_header(CONNECTION, HeaderValue::from_static("close"))
    })
}
