//! The intake: the part that all doors share, from a request's body to the log and to quarantine.
//!
//! A door checks the head of a request. Its [`BodyParser`] verifies and parses the body. The intake
//! does the rest: it receives the body, runs the parser, and appends the result. Verifying and
//! parsing run together on one thread. Parsing reserves its memory before it uses it. If there is
//! no room, the body is parsed again once there is room.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use easel_catalog::Limits;
use easel_log::{AppendError, Appended, Clock, NewRecord, Offset, SharedLog};
use easel_quarantine::{NewQuarantined, Quarantine};
use jiff::Timestamp;
use thiserror::Error;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::body::{self, BodyError, BufferedBody, Coding, MAX_DECODER_BYTES, Shortage, Unread};
use crate::budget::{Budget, NoRoom, Reservation};
use crate::door::Door;
use crate::metrics;
use crate::work::on_cpu;

/// The most memory of one event, change or record of a request, in addition to its bytes: its facts,
/// its place in the log's queue, and its answer.
pub(crate) const PART_BYTES: usize = 512;

/// How often a waiting request checks whether the log still refuses writes.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Limits and timeouts of the doors.
#[derive(Clone, Debug)]
pub struct IntakeOptions {
    /// The limits for events.
    pub limits: Limits,
    /// The largest body of one request, in bytes, after decompression.
    pub max_request_bytes: usize,
    /// The memory of all requests together, in bytes: their bodies and everything parsed from them,
    /// until they are answered. One request of the largest size always fits.
    pub max_in_flight_bytes: usize,
    /// How long a request waits for room, for its sender, or for the log, before it is rejected.
    pub max_wait: Duration,
}

impl Default for IntakeOptions {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            max_request_bytes: 16 * 1024 * 1024,
            max_in_flight_bytes: 128 * 1024 * 1024,
            max_wait: Duration::from_secs(20),
        }
    }
}

/// Verifies and parses the body of one request. The door has accepted the head before.
pub(crate) trait BodyParser: Send + Sync + 'static {
    /// The data for the door's answer, in addition to the offsets of the events.
    type Answer: Send + 'static;
    /// The error of a rejected body.
    type Refusal: Send + 'static;

    /// Rejects a body whose signature does not match.
    fn verify(&self, _body: &[u8]) -> Result<(), Self::Refusal> {
        Ok(())
    }

    /// Parses a body. Reserves room before it uses memory. Does not change the body until it has all
    /// the room.
    fn parse(
        &self,
        buffered: &mut BufferedBody,
    ) -> Result<Parsed<Self::Answer>, ParseError<Self::Refusal>>;
}

/// The content of a body.
#[derive(Debug)]
pub(crate) struct Parsed<A> {
    pub(crate) events: Vec<NewRecord>,
    /// Records that are not valid events, for quarantine.
    pub(crate) invalid_records: Vec<NewQuarantined>,
    pub(crate) answer: A,
}

/// An error while parsing a body.
#[derive(Debug)]
pub(crate) enum ParseError<R> {
    /// There is not enough room. Parse the body again with more room.
    NoRoom(Shortage),
    Refused(R),
}

impl<R> From<Shortage> for ParseError<R> {
    fn from(shortage: Shortage) -> Self {
        Self::NoRoom(shortage)
    }
}

/// A request that was parsed, with the results of storing it.
#[derive(Debug)]
pub(crate) struct Taken<A> {
    pub(crate) answer: A,
    /// The offsets of the events.
    pub(crate) appended: Result<Vec<Appended>, NotStored>,
    /// The offsets of the invalid records in quarantine.
    pub(crate) quarantined: Result<Vec<Offset>, NotStored>,
    /// The room of the request. Drop it once the answer is sent.
    pub(crate) room: Reservation,
}

/// An error before anything of a request was stored.
#[derive(Debug)]
pub(crate) enum IntakeError<R> {
    Body(BodyError),
    Refused(R),
}

/// A body that was not parsed. If the parser refused it, another parser may try it.
#[derive(Debug)]
pub(crate) struct ParseFailure<R> {
    pub(crate) error: IntakeError<R>,
    /// The unchanged body, if it was refused.
    pub(crate) buffered: Option<BufferedBody>,
}

impl<R> From<IntakeError<R>> for ParseFailure<R> {
    fn from(error: IntakeError<R>) -> Self {
        Self {
            error,
            buffered: None,
        }
    }
}

/// The part that all doors share: log, quarantine, clock, options and memory budget.
#[derive(Debug)]
pub struct Intake {
    log: SharedLog,
    quarantine: Quarantine,
    clock: Arc<dyn Clock>,
    options: IntakeOptions,
    budget: Budget,
    stop: CancellationToken,
}

impl Intake {
    /// The most events, changes or Kinesis records of one request. The limit bounds the memory of the
    /// parsed request and the size of the answer.
    pub(crate) const MAX_EVENTS: usize = 65_536;

    /// Creates an intake that appends events to `log` and puts other records into `quarantine`.
    pub fn new(
        log: SharedLog,
        quarantine: Quarantine,
        clock: Arc<dyn Clock>,
        options: IntakeOptions,
    ) -> Self {
        metrics::describe();
        // Two more bytes: a body is read up to one byte past its limit, and the buffer needs room for one
        // more byte to notice the end.
        let max_bytes = options.max_request_bytes;
        let largest_body = max_bytes.saturating_add(MAX_DECODER_BYTES + 2);
        // The most memory of a parsed request: its body, its events, and `PART_BYTES` for each part. A part
        // is one event, change or Kinesis record. All events together can be as large as the largest body.
        // A part and its separator take at least two bytes of the body.
        let max_parts = std::cmp::min(Self::MAX_EVENTS, max_bytes / 2 + 1);
        let largest_parsed = max_bytes
            .saturating_mul(2)
            .saturating_add(max_parts * PART_BYTES + 2);
        let reserve = std::cmp::max(largest_body, largest_parsed);
        let shared = options.max_in_flight_bytes.saturating_sub(reserve);
        let budget = Budget::new(std::cmp::max(shared, largest_body), reserve);
        Self {
            log,
            quarantine,
            clock,
            options,
            budget,
            stop: CancellationToken::new(),
        }
    }

    /// Sets a token that ends the wait for a log that refuses writes.
    #[must_use]
    pub fn with_stop(self, stop: CancellationToken) -> Self {
        Self { stop, ..self }
    }

    pub(crate) const fn limits(&self) -> &Limits {
        &self.options.limits
    }

    /// Returns the most bytes of the body of one request. All events made from one body may have as many
    /// bytes together.
    pub(crate) const fn max_request_bytes(&self) -> usize {
        self.options.max_request_bytes
    }

    /// Returns how long a request waits for the log before it is rejected.
    pub(crate) const fn max_wait(&self) -> Duration {
        self.options.max_wait
    }

    pub(crate) fn log(&self) -> &SharedLog {
        &self.log
    }

    /// Returns the quarantine, which has the received records that are not events.
    pub(crate) const fn quarantine(&self) -> &Quarantine {
        &self.quarantine
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Receives, parses and stores one request. Returns once its events are on stable storage.
    pub(crate) async fn take<P: BodyParser>(
        &self,
        door: Door,
        (body, coding): (Body, Coding),
        parser: Arc<P>,
    ) -> Result<Taken<P::Answer>, IntakeError<P::Refusal>> {
        let buffered = self
            .read(body, coding, self.options.max_request_bytes)
            .await;
        let buffered = buffered.map_err(IntakeError::Body)?;
        let parsed = self.parse(buffered, parser).await;
        let (parsed, room) = parsed.map_err(|failure| failure.error)?;
        Ok(self.store(door, parsed, room).await)
    }

    /// Receives a body of at most `max_bytes`.
    pub(crate) async fn read(
        &self,
        body: Body,
        coding: Coding,
        max_bytes: usize,
    ) -> Result<BufferedBody, BodyError> {
        let max_bytes = std::cmp::min(max_bytes, self.options.max_request_bytes);
        body::read(body, coding, max_bytes, &self.budget, self.options.max_wait).await
    }

    /// Stores what was parsed. Returns once it is on stable storage.
    pub(crate) async fn store<A>(
        &self,
        door: Door,
        parsed: Parsed<A>,
        mut room: Reservation,
    ) -> Taken<A> {
        let Parsed {
            events,
            invalid_records,
            answer,
        } = parsed;
        let (appended, quarantined) = tokio::join!(
            self.append(door, events),
            self.quarantine_records(door, invalid_records, &mut room),
        );
        Taken {
            answer,
            appended,
            quarantined,
            room,
        }
    }

    /// Verifies and parses a body. The room moves along with the body. So it stays reserved while the bytes
    /// are in memory, even if the client disconnects.
    pub(crate) async fn parse<P: BodyParser>(
        &self,
        mut buffered: BufferedBody,
        parser: Arc<P>,
    ) -> Result<(Parsed<P::Answer>, Reservation), ParseFailure<P::Refusal>> {
        let IntakeOptions {
            max_request_bytes: max,
            max_wait,
            ..
        } = self.options;
        let mut is_verified = false;
        loop {
            let (parser, size) = (Arc::clone(&parser), buffered.bytes.len());
            let work = move || {
                let verified = if is_verified {
                    Ok(())
                } else {
                    parser.verify(&buffered.bytes)
                };
                let parsed = verified
                    .map_err(ParseError::Refused)
                    .and_then(|()| parser.parse(&mut buffered));
                (parsed, buffered)
            };
            let (parsed, returned) = on_cpu(size, work).await;
            buffered = returned;
            match parsed {
                Ok(parsed) => return Ok((parsed, buffered.room)),
                Err(ParseError::Refused(refusal)) => {
                    let error = IntakeError::Refused(refusal);
                    return Err(ParseFailure {
                        error,
                        buffered: Some(buffered),
                    });
                }
                Err(ParseError::NoRoom(Shortage { bytes })) => {
                    if bytes > self.budget.reserve_bytes() {
                        return Err(IntakeError::Body(BodyError::TooComplex).into());
                    }
                    if let Err(NoRoom) = buffered.room.grow_to(bytes).await {
                        let unread = Box::new(Unread::from_buffered(buffered, max, max_wait));
                        return Err(IntakeError::Body(BodyError::NoRoom { unread }).into());
                    }
                    is_verified = true;
                }
            }
        }
    }

    /// Reserves room for `bytes`, or for the largest amount if there are more. Waits at most `max_wait`.
    pub(crate) async fn reserve(&self, bytes: usize) -> Result<Reservation, NotStored> {
        let max_wait = self.options.max_wait;
        let bytes = std::cmp::min(bytes, self.options.max_request_bytes);
        let reserved = self.budget.reserve(bytes, max_wait).await;
        reserved.map_err(|NoRoom| NotStored::TimedOut { max_wait })
    }

    /// Appends events to the log, all or none. Returns once they are on stable storage.
    pub(crate) async fn append(
        &self,
        door: Door,
        records: Vec<NewRecord>,
    ) -> Result<Vec<Appended>, NotStored> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let is_refusing = || self.log.stats().refusing;
        let appended = self
            .store_with_timeout(is_refusing, self.log.append(records))
            .await?;
        let stored = appended
            .iter()
            .filter(|result| matches!(result, Appended::Stored(_)))
            .count();
        metrics::accepted(door, stored);
        metrics::duplicates(door, appended.len() - stored);
        Ok(appended)
    }

    /// Puts invalid records into quarantine. Returns once they are on stable storage. Reserves room for
    /// their base64 form first.
    pub(crate) async fn quarantine_records(
        &self,
        door: Door,
        records: Vec<NewQuarantined>,
        room: &mut Reservation,
    ) -> Result<Vec<Offset>, NotStored> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let base64_bytes = records.iter().map(|record| record.bytes.len() * 4 / 3);
        let written_bytes: usize = base64_bytes.sum();
        let bytes = std::cmp::min(room.bytes() + written_bytes, self.budget.reserve_bytes());
        if let Err(NoRoom) = room.grow_to(bytes).await {
            return Err(NotStored::TimedOut {
                max_wait: self.options.max_wait,
            });
        }
        let is_refusing = || self.quarantine.is_refusing();
        let offsets = self
            .store_with_timeout(is_refusing, self.quarantine.put(records))
            .await?;
        metrics::quarantined(door, offsets.len());
        Ok(offsets)
    }

    /// Runs `storing`, and waits at most `max_wait` for it. In addition, waits while the log refuses
    /// writes, before and after `storing`. This wait ends `max_wait` after the call at the latest.
    ///
    /// A log that refuses writes answers immediately. A sender without a pause between retries
    /// would use up its retries before an operator can restart the server. So the answer is
    /// delayed.
    async fn store_with_timeout<T>(
        &self,
        is_refusing: impl Fn() -> bool,
        storing: impl Future<Output = Result<T, AppendError>>,
    ) -> Result<T, NotStored> {
        let deadline = Instant::now() + self.options.max_wait;
        self.wait_while(&is_refusing, deadline).await;
        let stored = match timeout(self.options.max_wait, storing).await {
            Ok(stored) => stored.map_err(NotStored::from),
            Err(_elapsed) => Err(NotStored::TimedOut {
                max_wait: self.options.max_wait,
            }),
        };
        if stored.is_err() {
            self.wait_while(&is_refusing, deadline).await;
        }
        // The log itself warns the operator, once and not for every request.
        stored.inspect_err(|error| debug!(%error, "records not stored"))
    }
}

impl Intake {
    /// Waits while `is_refusing` returns true, at most until `deadline` or the stop.
    async fn wait_while(&self, is_refusing: impl Fn() -> bool, deadline: Instant) {
        while is_refusing() {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = sleep_until(deadline) => return,
                () = sleep(POLL_INTERVAL) => (),
            }
        }
    }
}

/// An error while storing records. In spite of the error, the records may be stored, even later. Then all
/// of them are stored.
#[derive(Debug, Error)]
pub(crate) enum NotStored {
    #[error("the log did not answer within {max_wait:?}")]
    TimedOut { max_wait: Duration },
    #[error(transparent)]
    Log {
        #[from]
        source: AppendError,
    },
}
