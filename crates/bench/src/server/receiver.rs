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
    pub(crate) answer_delay: Duration,
    /// The number of requests per thousand that get 503. They are chosen at random.
    pub(crate) failing_per_mille: u32,
    /// The interval at which one request gets no answer.
    pub(crate) hang_interval: Option<Duration>,
    /// The number of users whose events get 503, and the time from the start for which they get it.
    pub(crate) failing_users: Option<(usize, Duration)>,
    /// Whether no request gets an answer.
    pub(crate) hangs_always: bool,
}

/// An endpoint that receives deliveries. It stops when it is dropped.
#[derive(Debug)]
pub(crate) struct BenchReceiver {
    address: SocketAddr,
    arrivals: Arc<ArrivalTimes>,
    _server: JoinSet<()>,
}

/// What arrived, and when.
#[derive(Debug)]
pub(crate) struct ArrivalTimes {
    load: Arc<EventLoad>,
    behaviour: Behaviour,
    /// The time when each event was first accepted.
    first_accepted_at: Vec<Mutex<Option<Instant>>>,
    distinct_count: AtomicUsize,
    repeated_count: AtomicU64,
    unknown_count: AtomicU64,
    next_hang: Mutex<Option<Instant>>,
    started: Instant,
    /// The number of the last event of each user that was accepted for the first time.
    latest_of_user: Vec<Mutex<Option<usize>>>,
    inversion_count: AtomicU64,
    /// Notified at every thousandth accepted event and at the last one.
    progress: Notify,
}

impl BenchReceiver {
    /// Starts an endpoint for deliveries of these events.
    pub(crate) async fn start(load: Arc<EventLoad>, behaviour: Behaviour) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let arrivals = Arc::new(ArrivalTimes {
            first_accepted_at: (0..load.count()).map(|_| Mutex::default()).collect(),
            load,
            behaviour,
            distinct_count: AtomicUsize::new(0),
            repeated_count: AtomicU64::new(0),
            unknown_count: AtomicU64::new(0),
            started: Instant::now(),
            latest_of_user: (0..USERS).map(|_| Mutex::default()).collect(),
            inversion_count: AtomicU64::new(0),
            next_hang: Mutex::new(
                behaviour
                    .hang_interval
                    .map(|interval| Instant::now() + interval),
            ),
            progress: Notify::new(),
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
    pub(crate) fn distinct_count(&self) -> usize {
        self.distinct_count.load(Ordering::Acquire)
    }

    /// Returns the number of deliveries of events that were already accepted.
    pub(crate) fn repeated_count(&self) -> u64 {
        self.repeated_count.load(Ordering::Acquire)
    }

    /// Returns the number of deliveries whose event is not part of the load.
    pub(crate) fn unknown_count(&self) -> u64 {
        self.unknown_count.load(Ordering::Acquire)
    }

    /// Returns the number of events that were accepted after a later event of the same user.
    pub(crate) fn inversion_count(&self) -> u64 {
        self.inversion_count.load(Ordering::Acquire)
    }

    /// Returns the time when an event was first accepted.
    pub(crate) fn accepted_at(&self, number: usize) -> Option<Instant> {
        let accepted_at = self.first_accepted_at.get(number)?;
        *accepted_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `count` events are accepted. Returns `false` if the deadline passes first.
    pub(crate) async fn wait_for(&self, count: usize, deadline: Instant) -> bool {
        while self.distinct_count() < count {
            if Instant::now() >= deadline {
                return false;
            }
            tokio::select! {
                () = self.progress.notified() => (),
                () = sleep(Duration::from_millis(5)) => (),
            }
        }
        true
    }

    /// Records one accepted delivery.
    fn accept(&self, id: Option<Uuid>) {
        let Some(number) = id.and_then(|id| self.load.number(id)) else {
            self.unknown_count.fetch_add(1, Ordering::AcqRel);
            return;
        };
        let Some(accepted_at) = self.first_accepted_at.get(number) else {
            return;
        };
        let mut accepted_at = accepted_at.lock().unwrap_or_else(PoisonError::into_inner);
        if accepted_at.is_some() {
            self.repeated_count.fetch_add(1, Ordering::AcqRel);
            return;
        }
        *accepted_at = Some(Instant::now());
        drop(accepted_at);
        if let Some(latest) = self.latest_of_user.get(number % USERS) {
            let mut latest = latest.lock().unwrap_or_else(PoisonError::into_inner);
            if latest.replace(number).is_some_and(|before| before > number) {
                self.inversion_count.fetch_add(1, Ordering::AcqRel);
            }
        }
        let distinct_count = self.distinct_count.fetch_add(1, Ordering::AcqRel) + 1;
        if distinct_count.is_multiple_of(1000) || distinct_count == self.load.count() {
            self.progress.notify_one();
        }
    }

    /// Returns whether the current request must hang. If it must, schedules the next request that hangs.
    fn start_hang_if_due(&self) -> bool {
        let Some(interval) = self.behaviour.hang_interval else {
            return false;
        };
        let mut next = self
            .next_hang
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let is_due = next.is_some_and(|due| due <= now);
        if is_due {
            *next = Some(now + interval);
        }
        is_due
    }

    /// Returns whether the event belongs to a user whose events currently fail.
    fn fails_user(&self, id: Option<Uuid>) -> bool {
        let Some((count, duration)) = self.behaviour.failing_users else {
            return false;
        };
        let number = id.and_then(|id| self.load.number(id));
        self.started.elapsed() < duration && number.is_some_and(|number| number % USERS < count)
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let id = request.headers().get("webhook-id");
        let id = id.and_then(|id| Uuid::try_parse_ascii(id.as_bytes()).ok());
        drop(request.into_body().collect().await);
        if self.behaviour.hangs_always || self.start_hang_if_due() {
            return pending().await;
        }
        if !self.behaviour.answer_delay.is_zero() {
            sleep(self.behaviour.answer_delay).await;
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
                    // A broken connection is not reported here, because missing arrivals show it.
                    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
                });
            }
            Some(_) = connections.join_next() => (),
        }
    }
}

/// Reads a member of a JSON answer as a count.
pub(crate) fn read_count(value: &serde_json::Value, member: &str) -> Result<u64> {
    let count = value.get(member).and_then(serde_json::Value::as_u64);
    count.with_context(|| format!("{member:?} is missing in the answer"))
}
