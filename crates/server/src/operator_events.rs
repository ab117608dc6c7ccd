//! Appends operator events to the log.
//!
//! Other rooms put operator events into a bounded queue and never wait. One task appends them to the
//! log. If the queue is full or the log refuses an event, the event is counted, logged and dropped.
//!
//! If a subscription lost only operator events, no operator event reports the loss. Otherwise the
//! subscription could lose this event too, and each loss would cause another event, without end.

use std::ops::Range;
use std::sync::Arc;

use easel_audit::Audit;
use easel_catalog::{Event, OperatorEvent, TellOperator};
use easel_log::{Appended, Clock, Log, NewRecord, Offset, Provenance};
use jiff::Timestamp;
use metrics::{counter, describe_counter};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, channel};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::audit_records::entry_of_operator_event;

const OPERATOR_EVENTS: &str = "easel_operator_events_total";

/// The capacity of the queue.
const MAX_QUEUED: usize = 1024;
/// The maximum number of events in one append.
const MAX_APPENDED: usize = 64;

/// The result for an operator event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AppendResult {
    /// The event is on the log.
    Stored,
    /// The queue was full.
    QueueFull,
    /// The log refused the event.
    Refused,
    /// The event would report only the loss of other operator events.
    LeftOut,
}

impl AppendResult {
    const ALL: [Self; 4] = [Self::Stored, Self::QueueFull, Self::Refused, Self::LeftOut];

    fn count(self, event_count: usize) {
        let outcome = match self {
            Self::Stored => "stored",
            Self::QueueFull => "queue_full",
            Self::Refused => "refused",
            Self::LeftOut => "left_out",
        };
        counter!(OPERATOR_EVENTS, "outcome" => outcome).increment(event_count as u64);
    }
}

/// The operator events that are not on the log yet.
#[derive(Debug)]
pub(crate) struct OperatorEvents {
    queue: Receiver<(Timestamp, OperatorEvent)>,
    /// The offsets of the latest operator events of this process. Between them there is no other event.
    latest_run: Range<Offset>,
    /// Where changes that the server makes by itself are recorded.
    audit: Option<Arc<Audit>>,
}

impl OperatorEvents {
    /// Creates an empty queue, and a handle that puts events into the queue with the time of `clock`.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> (TellOperator, Self) {
        describe_counter!(OPERATOR_EVENTS, "Operator events, by outcome.");
        for outcome in AppendResult::ALL {
            outcome.count(0);
        }
        let (sender, queue) = channel(MAX_QUEUED);
        let tell = TellOperator::new(move |event: OperatorEvent| {
            let event_type = event.event_type();
            match sender.try_send((clock.now(), event)) {
                Ok(()) => (),
                Err(TrySendError::Full(_)) => {
                    AppendResult::QueueFull.count(1);
                    warn!(
                        event_type,
                        "operator event dropped because the queue is full"
                    );
                }
                Err(TrySendError::Closed(_)) => {
                    AppendResult::Refused.count(1);
                    warn!(
                        event_type,
                        "operator event dropped because the server stops"
                    );
                }
            }
        });
        let latest_run = Offset::ZERO..Offset::ZERO;
        let audit = None;
        let events = Self {
            queue,
            latest_run,
            audit,
        };
        (tell, events)
    }

    /// Records changes that the server makes by itself in `audit`.
    pub(crate) fn with_audit(self, audit: Arc<Audit>) -> Self {
        Self {
            audit: Some(audit),
            ..self
        }
    }

    /// Appends events to `log`. After `stop`, closes the queue, appends the queued events, and returns.
    pub(crate) async fn run(mut self, log: &dyn Log, stop: CancellationToken) {
        let mut queued = Vec::new();
        loop {
            tokio::select! {
                biased;
                count = self.queue.recv_many(&mut queued, MAX_APPENDED) => if count == 0 {
                    return;
                },
                () = stop.cancelled() => self.queue.close(),
            }
            self.record_changes(&queued).await;
            self.append(log, std::mem::take(&mut queued)).await;
        }
    }

    /// Records in the audit what the server has changed by itself.
    async fn record_changes(&self, events: &[(Timestamp, OperatorEvent)]) {
        let Some(audit) = &self.audit else {
            return;
        };
        for (time, event) in events {
            if let Some(entry) = entry_of_operator_event(*time, event)
                && audit.record(entry).await.is_err()
            {
                warn!("change by the server not recorded in the audit yet");
            }
        }
    }

    async fn append(&mut self, log: &dyn Log, queued: Vec<(Timestamp, OperatorEvent)>) {
        let queued_count = queued.len();
        let queued = queued.into_iter();
        let events = queued.filter(|(_, event)| !self.is_about_operator_events(event));
        let records: Vec<_> = events
            .map(|(time, event)| record(event.event(time)))
            .collect();
        AppendResult::LeftOut.count(queued_count - records.len());
        if records.is_empty() {
            return;
        }
        let event_count = records.len();
        match log.append(records).await {
            Ok(appended) => {
                AppendResult::Stored.count(event_count);
                for appended in appended {
                    self.extend_latest_run(appended);
                }
                debug!(event_count, "operator events stored");
            }
            Err(error) => {
                AppendResult::Refused.count(event_count);
                warn!(%error, event_count, "operator events dropped");
            }
        }
    }

    /// Returns whether an event reports only the loss of other operator events.
    fn is_about_operator_events(&self, event: &OperatorEvent) -> bool {
        let OperatorEvent::TrimmedPastCursor { offsets, .. } = event else {
            return false;
        };
        self.latest_run.start.get() <= offsets.start && offsets.end <= self.latest_run.end.get()
    }

    fn extend_latest_run(&mut self, appended: Appended) {
        match appended {
            Appended::Stored(offset) if offset == self.latest_run.end => {
                self.latest_run.end = offset.next();
            }
            Appended::Stored(offset) => self.latest_run = offset..offset.next(),
            Appended::Duplicate(_) => (),
        }
    }
}

/// Converts an operator event to a record of the log.
fn record(event: Event) -> NewRecord {
    let provenance = Provenance {
        root_account_id: event.root_account_id,
        root_account_uuid: event.root_account_uuid,
        ..Provenance::default()
    };
    NewRecord {
        id: event.id,
        event_type: event.event_type,
        occurred_at: Some(event.occurred_at),
        provenance: Arc::new(provenance),
        arrival: None,
        bytes: event.bytes,
    }
}

#[cfg(test)]
mod tests;
