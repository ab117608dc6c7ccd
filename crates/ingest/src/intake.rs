//! What the doors share: the one way from a request's body onto the log and into quarantine.
//!
//! A door checks a request's head and says, by a [`Call`], how its body is verified and parsed.
//! The rest is here: receive, verify, parse, append. Verifying and parsing are one piece of work
//! on one thread. The memory that parsing takes is asked for before it is used: a call that finds
//! no room for it is parsed again once there is room.

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

use crate::body::{self, BodyError, Coding, Held, MAX_DECODER_BYTES, Shortage, Unread};
use crate::budget::{Budget, NoRoom, Reservation};
use crate::doors::Door;
use crate::metrics;
use crate::work::on_cpu;

/// What one event, change or record of a request takes at most while it is answered for, besides
/// its bytes: what is known about it, its place in the queue for the log, and its answer.
pub(crate) const PART_BYTES: usize = 512;

/// How often a request that waits for a log that refuses writes looks whether it still does.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What the doors take and how long they hold.
#[derive(Clone, Debug)]
pub struct IntakeOptions {
    /// What an event may be.
    pub limits: Limits,
    /// Largest body of one request, after decompression.
    pub max_request_bytes: usize,
    /// Bytes of memory that all requests take at once: their bodies, and what is made of them
    /// until they are answered. One request of the largest size always fits.
    pub max_in_flight_bytes: usize,
    /// How long a request waits for room, for its sender, or for the log before it is refused.
    pub hold: Duration,
}

impl Default for IntakeOptions {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            max_request_bytes: 16 * 1024 * 1024,
            max_in_flight_bytes: 128 * 1024 * 1024,
            hold: Duration::from_secs(20),
        }
    }
}

/// How a door reads the body of one request, whose head it has accepted.
pub(crate) trait Call: Send + Sync + 'static {
    /// What the door answers with, besides where the events are.
    type Answer: Send + 'static;
    /// Why the door refuses a body.
    type Refusal: Send + 'static;

    /// Refuses a body that its sender did not send.
    fn verify(&self, _body: &[u8]) -> Result<(), Self::Refusal> {
        Ok(())
    }

    /// Finds what a body brings. Asks for the memory that this takes before it uses it, and
    /// leaves the body alone until it has all of it.
    fn parse(&self, held: &mut Held) -> Result<Parsed<Self::Answer>, Unparsed<Self::Refusal>>;
}

/// What a body brings.
#[derive(Debug)]
pub(crate) struct Parsed<A> {
    pub(crate) events: Vec<NewRecord>,
    /// What is no event, and is to be quarantined.
    pub(crate) misfits: Vec<NewQuarantined>,
    pub(crate) answer: A,
}

/// Why a body is not parsed.
#[derive(Debug)]
pub(crate) enum Unparsed<R> {
    /// It is, once there is room for what it becomes.
    Short(Shortage),
    Refused(R),
}

impl<R> From<Shortage> for Unparsed<R> {
    fn from(shortage: Shortage) -> Self {
        Self::Short(shortage)
    }
}

/// A request of which everything that can be stored is.
#[derive(Debug)]
pub(crate) struct Taken<A> {
    pub(crate) answer: A,
    /// Where the events are.
    pub(crate) appended: Result<Vec<Appended>, NotStored>,
    /// Where in quarantine the misfits are.
    pub(crate) quarantined: Result<Vec<Offset>, NotStored>,
    /// To be given back once the answer is sent.
    pub(crate) room: Reservation,
}

/// Why nothing of a request is stored.
#[derive(Debug)]
pub(crate) enum Untaken<R> {
    Body(BodyError),
    Refused(R),
}

/// What the doors share.
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
    /// How many events one request may bring, so that its answer stays small too.
    pub(crate) const MAX_EVENTS: usize = 65_536;

    /// An intake that appends to `log` and keeps what is no event in `quarantine`.
    pub fn new(
        log: SharedLog,
        quarantine: Quarantine,
        clock: Arc<dyn Clock>,
        options: IntakeOptions,
    ) -> Self {
        metrics::describe();
        // Two bytes: a body is read to one past its bound, and one past that to see its end.
        let max_bytes = options.max_request_bytes;
        let largest_body = max_bytes.saturating_add(MAX_DECODER_BYTES + 2);
        // The most a request is parsed into: its body, events as large again, and all their parts.
        let max_parts = std::cmp::min(Self::MAX_EVENTS, max_bytes / 2 + 1);
        let largest_call = max_bytes
            .saturating_mul(2)
            .saturating_add(max_parts * PART_BYTES + 2);
        let reserve = std::cmp::max(largest_body, largest_call);
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

    /// Lets no request wait past `stop` for a log that refuses writes.
    #[must_use]
    pub fn with_stop(self, stop: CancellationToken) -> Self {
        Self { stop, ..self }
    }

    pub(crate) const fn limits(&self) -> &Limits {
        &self.options.limits
    }

    /// The most bytes of one request, and of the events that it makes.
    pub(crate) const fn max_request_bytes(&self) -> usize {
        self.options.max_request_bytes
    }

    pub(crate) fn log(&self) -> &SharedLog {
        &self.log
    }

    /// What the doors took in that is no event.
    pub(crate) const fn records(&self) -> &Quarantine {
        &self.quarantine
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Takes one request, from its body to where its events are on stable storage.
    pub(crate) async fn take<C: Call>(
        &self,
        door: Door,
        (body, coding): (Body, Coding),
        call: Arc<C>,
    ) -> Result<Taken<C::Answer>, Untaken<C::Refusal>> {
        let (parsed, mut room) = self.parse(body, coding, call).await?;
        let Parsed {
            events,
            misfits,
            answer,
        } = parsed;
        let (appended, quarantined) = tokio::join!(
            self.append(door, events),
            self.quarantine(door, misfits, &mut room),
        );
        Ok(Taken {
            answer,
            appended,
            quarantined,
            room,
        })
    }

    /// Receives, verifies and parses. The room goes along with the body, so that it stays taken
    /// for as long as the bytes are in memory, even when the client leaves meanwhile.
    async fn parse<C: Call>(
        &self,
        body: Body,
        coding: Coding,
        call: Arc<C>,
    ) -> Result<(Parsed<C::Answer>, Reservation), Untaken<C::Refusal>> {
        let IntakeOptions {
            max_request_bytes: max,
            hold,
            ..
        } = self.options;
        let mut held = body::read(body, coding, max, &self.budget, hold)
            .await
            .map_err(Untaken::Body)?;
        let mut is_verified = false;
        loop {
            let (call, size) = (Arc::clone(&call), held.bytes.len());
            let work = move || {
                let verified = if is_verified {
                    Ok(())
                } else {
                    call.verify(&held.bytes)
                };
                let parsed = verified
                    .map_err(Unparsed::Refused)
                    .and_then(|()| call.parse(&mut held));
                (parsed, held)
            };
            let (parsed, returned) = on_cpu(size, work).await;
            held = returned;
            match parsed {
                Ok(parsed) => return Ok((parsed, held.room)),
                Err(Unparsed::Refused(refusal)) => return Err(Untaken::Refused(refusal)),
                Err(Unparsed::Short(Shortage { bytes })) => {
                    if bytes > self.budget.reserve_bytes() {
                        return Err(Untaken::Body(BodyError::TooComplex));
                    }
                    if let Err(NoRoom) = held.room.grow_to(bytes).await {
                        let unread = Box::new(Unread::read(held, max, hold));
                        return Err(Untaken::Body(BodyError::NoRoom { unread }));
                    }
                    is_verified = true;
                }
            }
        }
    }

    /// Puts events onto the log, all or none, and answers once they are on stable storage.
    pub(crate) async fn append(
        &self,
        door: Door,
        records: Vec<NewRecord>,
    ) -> Result<Vec<Appended>, NotStored> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let is_refusing = || self.log.stats().refusing;
        let appended = self.held(is_refusing, self.log.append(records)).await?;
        let stored = appended
            .iter()
            .filter(|one| matches!(one, Appended::Stored(_)))
            .count();
        metrics::accepted(door, stored);
        metrics::duplicates(door, appended.len() - stored);
        Ok(appended)
    }

    /// Puts records that are no events into quarantine, on stable storage as well. They are
    /// written in base64 there, for which there has to be room.
    async fn quarantine(
        &self,
        door: Door,
        records: Vec<NewQuarantined>,
        room: &mut Reservation,
    ) -> Result<Vec<Offset>, NotStored> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let written_bytes: usize = records.iter().map(|it| it.bytes.len() * 4 / 3).sum();
        let bytes = std::cmp::min(room.bytes() + written_bytes, self.budget.reserve_bytes());
        if let Err(NoRoom) = room.grow_to(bytes).await {
            return Err(NotStored::Held {
                hold: self.options.hold,
            });
        }
        let is_refusing = || self.quarantine.is_refusing();
        let offsets = self.held(is_refusing, self.quarantine.put(records)).await?;
        metrics::quarantined(door, offsets.len());
        Ok(offsets)
    }

    /// Stores something, and waits up to the hold while the log is busy or refuses writes.
    ///
    /// A log that refuses writes would answer at once, and a sender that does not pause would use
    /// up its retries before an operator can restart the server. So the answer waits too.
    async fn held<T>(
        &self,
        is_refusing: impl Fn() -> bool,
        storing: impl Future<Output = Result<T, AppendError>>,
    ) -> Result<T, NotStored> {
        let deadline = Instant::now() + self.options.hold;
        self.wait_while(&is_refusing, deadline).await;
        let stored = match timeout(self.options.hold, storing).await {
            Ok(stored) => stored.map_err(NotStored::from),
            Err(_elapsed) => Err(NotStored::Held {
                hold: self.options.hold,
            }),
        };
        if stored.is_err() {
            self.wait_while(&is_refusing, deadline).await;
        }
        // Operators hear of it from the log itself, once and not for every request.
        stored.inspect_err(|error| debug!(%error, "records not stored"))
    }
}

impl Intake {
    /// Waits while `is_refusing`, at most until `deadline` or the stop.
    async fn wait_while(&self, is_refusing: impl Fn() -> bool, deadline: Instant) {
        while is_refusing() {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = sleep_until(deadline) => return,
                () = sleep(LOOK_AGAIN) => (),
            }
        }
    }
}

/// Why records are not known to be on stable storage.
#[derive(Debug, Error)]
pub(crate) enum NotStored {
    #[error("the log did not answer within {hold:?}")]
    Held { hold: Duration },
    #[error(transparent)]
    Log {
        #[from]
        source: AppendError,
    },
}
