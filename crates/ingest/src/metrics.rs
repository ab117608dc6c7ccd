//! The metrics of the doors. Every label is from a closed set.

use easel_catalog::FaultCode;
use metrics::{counter, describe_counter};

use crate::door::Door;

const ACCEPTED: &str = "easel_accepted_events_total";
const DUPLICATES: &str = "easel_duplicate_events_total";
const REJECTED: &str = "easel_rejected_events_total";
const CHANGES: &str = "easel_changes_total";
const QUARANTINED: &str = "easel_quarantined_records_total";

/// The outcomes of changes.
const OUTCOMES: [&str; 3] = ["events", "no_event", "fault"];

/// Registers the help texts and starts each counter at 0. A second call changes nothing.
pub(crate) fn describe() {
    describe_counter!(ACCEPTED, "Events that a door received and the log stored.");
    describe_counter!(
        DUPLICATES,
        "Events that a door received and the log had already stored."
    );
    describe_counter!(
        REJECTED,
        "Events that the native door rejected, by fault code."
    );
    describe_counter!(
        CHANGES,
        "Changes, by outcome: events, no event, or a fault."
    );
    describe_counter!(
        QUARANTINED,
        "Records that were not events and were put into quarantine."
    );
    for door in Door::ALL {
        accepted(door, 0);
        duplicates(door, 0);
    }
    for code in FaultCode::ALL {
        let labels = [("door", Door::Native.as_str()), ("code", code.as_str())];
        counter!(REJECTED, &labels).increment(0);
    }
    for outcome in OUTCOMES {
        changes(outcome, 0);
    }
    for door in [Door::Kinesis, Door::Hook, Door::Import, Door::Sqs] {
        quarantined(door, 0);
    }
}

/// Counts events of a request that the log stored.
pub(crate) fn accepted(door: Door, count: usize) {
    counter!(ACCEPTED, "door" => door.as_str()).increment(count as u64);
}

/// Counts events that the log had already stored.
pub(crate) fn duplicates(door: Door, count: usize) {
    counter!(DUPLICATES, "door" => door.as_str()).increment(count as u64);
}

/// Counts a rejected event.
pub(crate) fn rejected(door: Door, code: FaultCode) {
    let labels = [("door", door.as_str()), ("code", code.as_str())];
    counter!(REJECTED, &labels).increment(1);
}

/// Counts changes with one of the [`OUTCOMES`].
pub(crate) fn changes(outcome: &'static str, count: usize) {
    counter!(CHANGES, "outcome" => outcome).increment(count as u64);
}

/// Counts records that were put into quarantine.
pub(crate) fn quarantined(door: Door, count: usize) {
    counter!(QUARANTINED, "door" => door.as_str()).increment(count as u64);
}
