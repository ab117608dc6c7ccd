//! Serves the connections of one listener, and never more of them than it can hold.
//!
//! Whoever connects is a stranger until a request's head has been read, and may be one who means
//! to hold on to as many connections as there are. So their number is bounded, each has to bring
//! its first head within a time limit, and so does each later one over HTTP/1.1; over HTTP/2 a
//! ping has to be answered. A request that does not name one host is refused here, for all routes;
//! the others learn who is at the other end from `ConnectInfo`. An answer to a request that was not
//! read to its end is followed by a close that lets the client read it. Not here: how long a body may
//! take, which is for who reads it.

mod lingering;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::response::IntoResponse;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tracing::{debug, error, warn};

use crate::host;
use lingering::{Exchange, Lingering};

/// How many connections are served at once; further ones wait to be taken up.
const MAX_CONNECTIONS: usize = 4096;

/// How long a sender may take for a request's head, or leave a connection unused before it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How often an HTTP/2 connection is asked whether it is still there, and how long it may take to
/// answer.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// How long no connection is taken up after one could not be, so that some may end.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// The connections of one listener, and what answers on them.
#[derive(Debug)]
pub(crate) struct Connections {
    listener: TcpListener,
    app: Router,
    head_timeout: Duration,
}

impl Connections {
    /// What `listener` takes up, answered by `app`.
    pub(crate) const fn new(listener: TcpListener, app: Router) -> Self {
        Self {
            listener,
            app,
            head_timeout: HEAD_TIMEOUT,
        }
    }

    /// Serves until told to stop, then until all requests under way are finished. Dropped before
    /// that, it takes all connections with it.
    pub(crate) async fn serve(self, stop: CancellationToken) {
        let mut tasks = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(ended) = tasks.join_next() => note(ended),
                connection = self.accept(), if tasks.len() < MAX_CONNECTIONS => {
                    let (app, stop) = (self.app.clone(), stop.clone());
                    tasks.spawn(serve_one(connection, app, self.head_timeout, stop));
                }
            }
        }
        drop(self.listener);
        while let Some(ended) = tasks.join_next().await {
            note(ended);
        }
    }

    async fn accept(&self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok(accepted) => return accepted,
                // Either the peer has left already, or this process has too many files open.
                Err(error) => {
                    warn!(%error, "connection not taken up");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

fn note(ended: Result<(), tokio::task::JoinError>) {
    if let Err(join_error) = ended {
        error!(%join_error, "connection died");
    }
}

async fn serve_one(
    (stream, peer): (TcpStream, SocketAddr),
    app: Router,
    head_timeout: Duration,
    stop: CancellationToken,
) {
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "answers on this connection may be late");
    }
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout);
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    let asked = CancellationToken::new();
    let exchange = Exchange::default();
    let service = service_fn(|mut request: hyper::Request<hyper::body::Incoming>| {
        asked.cancel();
        let refusal = host::check(&request).err();
        request.extensions_mut().insert(ConnectInfo(peer));
        let (request, watch) = exchange.watch(request);
        let answering = app.clone().oneshot(request);
        async move {
            let response = match refusal {
                Some(problem) => problem.into_response(),
                None => answering.await?,
            };
            Ok::<_, Infallible>(watch.answer(response))
        }
    });
    let stream = Lingering::new(stream, exchange.clone());
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));

    // The time limit for heads begins to count once the version of HTTP is known, which takes as
    // long as the sender likes. So the first head has another one.
    tokio::select! {
        biased;
        ended = connection.as_mut() => return told(ended),
        () = asked.cancelled() => (),
        () = sleep(head_timeout) => return debug!("connection without a request given up"),
        () = stop.cancelled() => return,
    }
    tokio::select! {
        biased;
        ended = connection.as_mut() => return told(ended),
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    told(connection.await);
}

/// Connections break all the time, and whoever had a request on one knows it.
fn told(ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        debug!(%error, "connection broke");
    }
}

#[cfg(test)]
mod tests;
