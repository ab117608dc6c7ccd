//! The endpoints of the demo's subscribers: an HTTP server on its own port.

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

/// The path whose requests fail from time to time.
pub(super) const UNRELIABLE: &str = "/unreliable";

/// The outages of [`UNRELIABLE`]: their interval, the time of the first outage, and their length.
const OUTAGE_EVERY: Duration = Duration::from_secs(30);
const FIRST_OUTAGE: Duration = Duration::from_secs(6);
const OUTAGE: Duration = Duration::from_secs(3);

/// The endpoints of the demo's subscribers.
#[derive(Debug)]
pub(super) struct DemoReceiver {
    listener: TcpListener,
    pub(super) address: SocketAddr,
    arrivals: Arc<ArrivalReport>,
}

/// Remembers the event type that was received last.
#[derive(Debug)]
pub(super) struct ArrivalReport {
    started: Instant,
    last_event_type: Mutex<String>,
}

impl DemoReceiver {
    pub(super) async fn listen() -> Result<Self, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.or_exit(Code::Unavailable)?;
        Ok(Self {
            address: listener.local_addr().or_exit(Code::Unavailable)?,
            listener,
            arrivals: Arc::new(ArrivalReport {
                started: Instant::now(),
                last_event_type: Mutex::default(),
            }),
        })
    }

    pub(super) fn arrivals(&self) -> Arc<ArrivalReport> {
        Arc::clone(&self.arrivals)
    }

    /// Serves requests until `stop` is cancelled.
    pub(super) async fn run_until(self, stop: CancellationToken) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(_ended) = connections.join_next() => (),
                Ok((stream, _peer)) = self.listener.accept() => {
                    connections.spawn(serve(stream, Arc::clone(&self.arrivals)));
                }
            }
        }
        connections.shutdown().await;
    }
}

async fn serve(stream: TcpStream, arrivals: Arc<ArrivalReport>) {
    let service = service_fn(move |request| {
        let arrivals = Arc::clone(&arrivals);
        async move { Ok::<_, Infallible>(arrivals.answer(request).await) }
    });
    let server = auto::Builder::new(TokioExecutor::new());
    // The client may close the connection at any time.
    drop(server.serve_connection(TokioIo::new(stream), service).await);
}

impl ArrivalReport {
    /// Returns the event type that was received last.
    pub(super) fn last_event_type(&self) -> String {
        self.last_event_type
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Empty<Bytes>> {
        let mut answer = Response::new(Empty::new());
        if request.uri().path() == UNRELIABLE && self.is_in_outage() {
            *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            return answer;
        }
        if let Some(name) = request.headers().get("easel-event-name") {
            let name = String::from_utf8_lossy(name.as_bytes()).into_owned();
            *self
                .last_event_type
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = name;
        }
        // An incomplete request does not count as received.
        if request.into_body().collect().await.is_err() {
            *answer.status_mut() = StatusCode::BAD_REQUEST;
        }
        answer
    }

    fn is_in_outage(&self) -> bool {
        let Some(since) = self.started.elapsed().checked_sub(FIRST_OUTAGE) else {
            return false;
        };
        Duration::from_secs(since.as_secs() % OUTAGE_EVERY.as_secs()) < OUTAGE
    }
}
