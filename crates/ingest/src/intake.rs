//! What the doors share: room for bodies, and the way onto the log and into quarantine.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use easel_catalog::{Event, Limits};
use easel_log::{
    AppendError, Appended, Clock, NewQuarantined, NewRecord, Offset, Quarantine, SharedLog,
};
use jiff::Timestamp;
use thiserror::Error;
use tokio::time::timeout;
use tracing::debug;

use crate::body::{self, BodyError, Coding, Held, MAX_DECODER_BYTES};
use crate::budget::Budget;
use crate::doors::Door;
use crate::metrics;

/// What the doors take and how long they hold.
#[derive(Clone, Debug)]
pub struct IntakeOptions {
    /// What an event may be.
    pub limits: Limits,
    /// Largest body of one request, after decompression.
    pub max_request_bytes: usize,
    /// Bytes of all bodies in memory at once. One request of the largest size always fits.
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

/// What the doors share.
#[derive(Debug)]
pub struct Intake {
    log: SharedLog,
    quarantine: Quarantine,
    clock: Arc<dyn Clock>,
    options: IntakeOptions,
    budget: Budget,
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
        let largest = options
            .max_request_bytes
            .saturating_add(MAX_DECODER_BYTES + 2);
        let budget = Budget::new(std::cmp::max(options.max_in_flight_bytes, largest));
        Self {
            log,
            quarantine,
            clock,
            options,
            budget,
        }
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

    /// Reads a request's body into memory once there is room for it.
    pub(crate) async fn receive(&self, body: Body, coding: Coding) -> Result<Held, BodyError> {
        let IntakeOptions {
            max_request_bytes,
            hold,
            ..
        } = self.options;
        body::read(body, coding, max_request_bytes, &self.budget, hold).await
    }

    /// Puts events onto the log, all or none, and answers once they are on stable storage.
    pub(crate) async fn append(
        &self,
        door: Door,
        events: impl IntoIterator<Item = Event>,
    ) -> Result<Vec<Appended>, NotStored> {
        let records: Vec<NewRecord> = events.into_iter().map(record).collect();
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let appended = self.held(self.log.append(records)).await?;
        let stored = appended
            .iter()
            .filter(|one| matches!(one, Appended::Stored(_)))
            .count();
        metrics::accepted(door, stored);
        metrics::duplicates(door, appended.len() - stored);
        Ok(appended)
    }

    /// Puts records that are no events into quarantine, on stable storage as well.
    pub(crate) async fn quarantine(
        &self,
        door: Door,
        records: Vec<NewQuarantined>,
    ) -> Result<Vec<Offset>, NotStored> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let offsets = self.held(self.quarantine.put(records)).await?;
        metrics::quarantined(door, offsets.len());
        Ok(offsets)
    }

    async fn held<T>(
        &self,
        storing: impl Future<Output = Result<T, AppendError>>,
    ) -> Result<T, NotStored> {
        let stored = match timeout(self.options.hold, storing).await {
            Ok(stored) => stored.map_err(NotStored::from),
            Err(_elapsed) => Err(NotStored::Held {
                hold: self.options.hold,
            }),
        };
        // Operators hear of it from the log itself, once and not for every request.
        stored.inspect_err(|error| debug!(%error, "records not stored"))
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

fn record(event: Event) -> NewRecord {
    let Event {
        id,
        event_type,
        occurred_at: _,
        bytes,
    } = event;
    NewRecord {
        id,
        event_type,
        bytes,
    }
}
