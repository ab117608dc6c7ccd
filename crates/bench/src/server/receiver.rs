//! An endpoint that receives deliveries. It counts them per event and fails as configured.

use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::load::{EventLoad, USERS};

/// The behaviour of the endpoint.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Behaviour {
    /// The delay before each answer.
    pub(crate) pause: Duration,
    /// The number of requests per thousand, chosen at random, that get 503.
    pub(crate) failing_per_mille: u32,
    /// The interval at which one request gets no answer.
    pub(crate) hanging_every: Option<Duration>,
    /// The number of users whose events get 503, and how long after the start.
    pub(crate) failing_users: Option<(usize, Duration)>,
    /// Whether every request hangs.
    pub(crate) is_hanging: bool,
}

/// An endpoint that receives deliveries. It stops when it is dropped.
#[derive(Debug)]
pub(crate) struct BenchReceiver {
    address: SocketAddr,
    arrivals: Arc<ArrivalTimes>,
    _server: JoinSet<()>,
}

/// The arrivals of deliveries.
#[derive(Debug)]
pub(crate) struct ArrivalTimes {
    load: Arc<EventLoad>,
    behaviour: Behaviour,
    first: Vec<Mutex<Option<Instant>>>,
    distinct: AtomicUsize,
    repeated: AtomicU64,
    unknown: AtomicU64,
    next_hang: Mutex<Option<Instant>>,
    started: Instant,
    /// The number of the last event of each user that was accepted for the first time.
    latest_of_user: Vec<Mutex<Option<usize>>>,
    inversions: AtomicU64,
    /// Notified at every thousandth arrival and at the last one.
    moved: Notify,
}

impl BenchReceiver {
    /// Starts an endpoint for deliveries of these events.
    pub(crate) async fn start(load: Arc<EventLoad>, behaviour: Behaviour) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let arrivals = Arc::new(ArrivalTimes {
            first: (0..load.count()).map(|_| Mutex::default()).collect(),
            load,
            behaviour,
            distinct: AtomicUsize::new(0),
            repeated: AtomicU64::new(0),
            unknown: AtomicU64::new(0),
            started: Instant::now(),
            latest_of_user: (0..USERS).map(|_| Mutex::default()).collect(),
            inversions: AtomicU64::new(0),
            next_hang: Mutex::new(behaviour.hanging_every.map(|every| Instant::now() + every)),
            moved: Notify::new(),
        });
        let mut server = JoinSet::new();
        server.spawn(serve(listener, Arc::clone(&arrivals)));
        Ok(Self {
            address,
            arrivals,
            _server: server,
        })
    }

    /// Returns the URL of the endpoint.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Returns the arrivals.
    pub(crate) const fn arrivals(&self) -> &Arc<ArrivalTimes> {
        &self.arrivals
    }
}

impl ArrivalTimes {
    /// Returns the number of different events that were accepted.
    pub(crate) fn distinct(&self) -> usize {
        self.distinct.load(Ordering::Acquire)
    }

    /// Returns the number of deliveries of events that were already accepted.
    pub(crate) fn repeated(&self) -> u64 {
        self.repeated.load(Ordering::Acquire)
    }

    /// Returns the number of deliveries whose event is not part of the load.
    pub(crate) fn unknown(&self) -> u64 {
        self.unknown.load(Ordering::Acquire)
    }

    /// Returns the number of events that were accepted after a later event of the same user.
    pub(crate) fn inversions(&self) -> u64 {
        self.inversions.load(Ordering::Acquire)
    }

    /// Returns the time when an event was first accepted.
    pub(crate) fn accepted_at(&self, number: usize) -> Option<Instant> {
        let first = self.first.get(number)?;
        *first.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `count` events are accepted. Returns `false` if the deadline passes first.
    pub(crate) async fn reached(&self, count: usize, deadline: Instant) -> bool {
        while self.distinct() < count {
            if Instant::now() >= deadline {
                return false;
            }
            tokio::select! {
                () = self.moved.notified() => (),
                () = sleep(Duration::from_millis(5)) => (),
            }
        }
        true
    }

    /// Records one accepted delivery.
    fn accept(&self, id: Option<Uuid>) {
        let Some(number) = id.and_then(|id| self.load.number(id)) else {
            self.unknown.fetch_add(1, Ordering::AcqRel);
            return;
        };
        let Some(first) = self.first.get(number) else {
            return;
        };
        let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
        if first.is_some() {
            self.repeated.fetch_add(1, Ordering::AcqRel);
            return;
        }
        *first = Some(Instant::now());
        drop(first);
        if let Some(latest) = self.latest_of_user.get(number % USERS) {
            let mut latest = latest.lock().unwrap_or_else(PoisonError::into_inner);
            if latest.replace(number).is_some_and(|before| before > number) {
                self.inversions.fetch_add(1, Ordering::AcqRel);
            }
        }
        let distinct = self.distinct.fetch_add(1, Ordering::AcqRel) + 1;
        if distinct.is_multiple_of(1000) || distinct == self.load.count() {
            self.moved.notify_one();
        }
    }

    /// Returns whether the current request must hang and, if so, schedules the next one.
    fn start_hang_if_due(&self) -> bool {
        let Some(every) = self.behaviour.hanging_every else {
            return false;
        };
        let mut next = self
            .next_hang
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let is_due = next.is_some_and(|due| due <= now);
        if is_due {
            *next = Some(now + every);
        }
        is_due
    }

    /// Returns whether the event belongs to a user whose events currently fail.
    fn fails_user(&self, id: Option<Uuid>) -> bool {
        let Some((count, until)) = self.behaviour.failing_users else {
            return false;
        };
        let number = id.and_then(|id| self.load.number(id));
        self.started.elapsed() < until && number.is_some_and(|number| number % USERS < count)
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let id = request.headers().get("webhook-id");
        let id = id.and_then(|id| Uuid::try_parse_ascii(id.as_bytes()).ok());
        drop(request.into_body().collect().await);
        if self.behaviour.is_hanging || self.start_hang_if_due() {
            return pending().await;
        }
        if !self.behaviour.pause.is_zero() {
            sleep(self.behaviour.pause).await;
        }
        let mut response = Response::new(Full::default());
        let fails_by_chance = fastrand::u32(0..1000) < self.behaviour.failing_per_mille;
        if fails_by_chance || self.fails_user(id) {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        } else {
            self.accept(id);
        }
        Ok(response)
    }
}

async fn serve(listener: TcpListener, arrivals: Arc<ArrivalTimes>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                let arrivals = Arc::clone(&arrivals);
                let service = service_fn(move |request| {
                    let arrivals = Arc::clone(&arrivals);
                    async move { arrivals.answer(request).await }
                });
                connections.spawn(async move {
                    drop(stream.set_nodelay(true));
                    // A broken connection is not an error here: missing arrivals show it.
                    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
                });
            }
            Some(_) = connections.join_next() => (),
        }
    }
}

/// Reads a member of a JSON answer as a count.
pub(crate) fn count(value: &serde_json::Value, member: &str) -> Result<u64> {
    let count = value.get(member).and_then(serde_json::Value::as_u64);
    count.with_context(|| format!("{member:?} is missing in the answer"))
}
