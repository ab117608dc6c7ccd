//! Serves the connections of one listener, with a limit on their number.
//!
//! A client is unknown until its first request head is read, and it can be an attacker who occupies
//! connections. So the number of connections is limited. The first head must arrive within a time
//! limit. Over HTTP/1.1, each later head must also arrive within this time limit. Over HTTP/2 the
//! client must answer pings. For all routes, this module refuses a request that does not name
//! exactly one host, and passes the address of the client in `ConnectInfo`. If a request was not
//! read to its end, the connection is closed so that the client can still read the answer. The
//! reader of a body sets the time limit for the body.
//!
//! With TLS, the handshake has a time limit of its own. It runs in the task of its connection, so a client
//! that hangs or sends garbage delays nobody, and it counts into the number of connections.

mod handshake;
mod lingering;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::HeaderValue;
use axum::http::header::{STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS};
use axum::response::IntoResponse;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tracing::{debug, error, warn};

use crate::host;
use crate::tls::{Tls, TlsAccept};
use handshake::{HANDSHAKE_TIMEOUT, Opened};
use lingering::{Exchange, Lingering};

/// The maximum number of open connections. Further connections wait until they are accepted.
const MAX_CONNECTIONS: usize = 4096;

/// The time limit for a request head. It includes the idle time before the head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// The interval of pings on an HTTP/2 connection.
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// The time limit for the answer to a ping.
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// The pause after a failed accept, so that some connections can end.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// The connections of one listener, and the app that answers them.
#[derive(Debug)]
pub(crate) struct Connections {
    listener: TcpListener,
    app: Router,
    tls: Option<Tls>,
    limits: TimeLimits,
}

/// The time limits of a connection.
#[derive(Clone, Copy, Debug)]
struct TimeLimits {
    handshake: Duration,
    head: Duration,
}

impl Connections {
    /// Creates a server of `app` on `listener`.
    pub(crate) const fn new(listener: TcpListener, app: Router) -> Self {
        Self {
            listener,
            app,
            tls: None,
            limits: TimeLimits {
                handshake: HANDSHAKE_TIMEOUT,
                head: HEAD_TIMEOUT,
            },
        }
    }

    /// Requires TLS of every connection, if there is one.
    #[must_use]
    pub(crate) fn with_tls(self, tls: Option<Tls>) -> Self {
        Self { tls, ..self }
    }

    /// Serves until `stop`, and afterwards until all open requests are finished. If the future is
    /// dropped earlier, all connections are closed.
    pub(crate) async fn serve(self, stop: CancellationToken) {
        let mut tasks = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(ended) = tasks.join_next() => log_failure(ended),
                (stream, peer) = self.accept(), if tasks.len() < MAX_CONNECTIONS => {
                    let connection = ServedConnection {
                        peer,
                        app: self.app.clone(),
                        hsts: None,
                        limits: self.limits,
                        stop: stop.clone(),
                    };
                    match self.tls.as_ref().map(Tls::accept) {
                        None => tasks.spawn(connection.serve(stream)),
                        Some(tls) => tasks.spawn(connection.serve_tls(stream, tls)),
                    };
                }
            }
        }
        drop(self.listener);
        while let Some(ended) = tasks.join_next().await {
            log_failure(ended);
        }
    }

    async fn accept(&self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok(accepted) => return accepted,
                // The peer has already left, or this process has too many open files.
                Err(error) => {
                    warn!(%error, "connection not accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

fn log_failure(ended: Result<(), tokio::task::JoinError>) {
    if let Err(join_error) = ended {
        error!(%join_error, "connection task failed");
    }
}

/// One connection.
struct ServedConnection {
    peer: SocketAddr,
    app: Router,
    /// The header `strict-transport-security` of every answer.
    hsts: Option<HeaderValue>,
    limits: TimeLimits,
    stop: CancellationToken,
}

impl ServedConnection {
    async fn serve_tls(self, stream: TcpStream, tls: TlsAccept) {
        set_nodelay(&stream);
        let opened = tokio::select! {
            opened = handshake::open(stream, &tls.acceptor, self.limits.handshake) => opened,
            () = self.stop.cancelled() => None,
        };
        match opened {
            None => (),
            Some(Opened::Tls(stream)) => {
                let hsts = tls.hsts;
                Self { hsts, ..self }.serve_http(*stream).await;
            }
            Some(Opened::PlainHttp(stream)) => {
                let app = handshake::tls_required();
                Self { app, ..self }.serve_http(stream).await;
            }
        }
    }

    async fn serve(self, stream: TcpStream) {
        set_nodelay(&stream);
        self.serve_http(stream).await;
    }

    async fn serve_http<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: S) {
        let Self {
            peer,
            app,
            hsts,
            limits,
            stop,
        } = self;
        let mut http = auto::Builder::new(TokioExecutor::new());
        http.http1()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head);
        http.http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT);
        let first_request = CancellationToken::new();
        let exchange = Exchange::default();
        let service = service_fn(|mut request: hyper::Request<hyper::body::Incoming>| {
            first_request.cancel();
            let refusal = host::check(&request).err();
            request.extensions_mut().insert(ConnectInfo(peer));
            let (request, watch) = exchange.watch(request);
            let answering = app.clone().oneshot(request);
            let hsts = hsts.clone();
            async move {
                let mut response = match refusal {
                    Some(problem) => problem.into_response(),
                    None => answering.await?,
                };
                let headers = response.headers_mut();
                // Events can contain HTML, and a browser must not show an answer as such.
                headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
                if let Some(hsts) = hsts {
                    headers.insert(STRICT_TRANSPORT_SECURITY, hsts);
                }
                Ok::<_, Infallible>(watch.answer(response))
            }
        });
        let stream = Lingering::new(stream, exchange.clone());
        let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));

        // hyper's time limit for heads starts only when the version of HTTP is known, and the sender
        // can delay that. So the first head has a time limit of its own.
        tokio::select! {
            biased;
            ended = connection.as_mut() => return log_broken(ended),
            () = first_request.cancelled() => (),
            () = sleep(limits.head) => return debug!("connection closed because no request arrived"),
            () = stop.cancelled() => return,
        }
        tokio::select! {
            biased;
            ended = connection.as_mut() => return log_broken(ended),
            () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        log_broken(connection.await);
    }
}

fn set_nodelay(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "answers on this connection may be late");
    }
}

/// Logs a broken connection, at level debug: it is normal, and the client knows about it.
fn log_broken(ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        debug!(%error, "connection broke");
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;
