//! What stands for the subscribers of the demo: an HTTP server on a port of its own.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::exit_code::{Code, Failure, OrExit};

/// The path whose requests fail now and then.
pub(super) const UNRELIABLE: &str = "/unreliable";

/// How often that fails, when first, and for how long.
const OUTAGE_EVERY: Duration = Duration::from_secs(30);
const FIRST_OUTAGE: Duration = Duration::from_secs(6);
const OUTAGE: Duration = Duration::from_secs(3);

/// What stands for the subscribers of the demo.
#[derive(Debug)]
pub(super) struct DemoReceiver {
    listener: TcpListener,
    pub(super) address: SocketAddr,
    desk: Arc<ArrivalReport>,
}

/// What came in.
#[derive(Debug)]
pub(super) struct ArrivalReport {
    started: Instant,
    last: Mutex<String>,
}

impl DemoReceiver {
    pub(super) async fn listen() -> Result<Self, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.or_exit(Code::Unavailable)?;
        Ok(Self {
            address: listener.local_addr().or_exit(Code::Unavailable)?,
            listener,
            desk: Arc::new(ArrivalReport {
                started: Instant::now(),
                last: Mutex::default(),
            }),
        })
    }

    pub(super) fn desk(&self) -> Arc<ArrivalReport> {
        Arc::clone(&self.desk)
    }

    /// Answers until told to stop.
    pub(super) async fn run_until(self, stop: CancellationToken) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(_ended) = connections.join_next() => (),
                Ok((stream, _peer)) = self.listener.accept() => {
                    connections.spawn(serve(stream, Arc::clone(&self.desk)));
                }
            }
        }
        connections.shutdown().await;
    }
}

async fn serve(stream: TcpStream, desk: Arc<ArrivalReport>) {
    let service = service_fn(move |request| {
        let desk = Arc::clone(&desk);
        async move { Ok::<_, Infallible>(desk.answer(request).await) }
    });
    let server = auto::Builder::new(TokioExecutor::new());
    // A client may hang up whenever it likes.
    drop(server.serve_connection(TokioIo::new(stream), service).await);
}

impl ArrivalReport {
    /// The event type that came in last.
    pub(super) fn last(&self) -> String {
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Empty<Bytes>> {
        let mut answer = Response::new(Empty::new());
        if request.uri().path() == UNRELIABLE && self.is_out() {
            *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            return answer;
        }
        if let Some(name) = request.headers().get("easel-event-name") {
            let name = String::from_utf8_lossy(name.as_bytes()).into_owned();
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = name;
        }
        // Half a request is not received.
        if request.into_body().collect().await.is_err() {
            *answer.status_mut() = StatusCode::BAD_REQUEST;
        }
        answer
    }

    fn is_out(&self) -> bool {
        let Some(since) = self.started.elapsed().checked_sub(FIRST_OUTAGE) else {
            return false;
        };
        Duration::from_secs(since.as_secs() % OUTAGE_EVERY.as_secs()) < OUTAGE
    }
}
