//! The names of the doors' metrics. Every label is from a closed set.

use easel_catalog::FaultCode;
use metrics::{counter, describe_counter};

use crate::doors::Door;

const ACCEPTED: &str = "easel_accepted_events_total";
const DUPLICATES: &str = "easel_duplicate_events_total";
const REJECTED: &str = "easel_rejected_events_total";
const CHANGES: &str = "easel_changes_total";
const QUARANTINED: &str = "easel_quarantined_records_total";

/// The outcomes of changes.
const OUTCOMES: [&str; 3] = ["events", "no_event", "fault"];

/// Says what each of them means, and has each begin at 0; to say it again changes nothing.
pub(crate) fn describe() {
    describe_counter!(ACCEPTED, "Events a door brought and the log stored.");
    describe_counter!(
        DUPLICATES,
        "Events a door brought that the log held already."
    );
    describe_counter!(
        REJECTED,
        "Events the native door answered with a fault, by its code."
    );
    describe_counter!(
        CHANGES,
        "Changes of records and actions, by what came of them: events, no event, or a fault."
    );
    describe_counter!(
        QUARANTINED,
        "Records that were no events and are kept in quarantine."
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
    quarantined(Door::Kinesis, 0);
}

/// Events that a request brought and the log stored.
pub(crate) fn accepted(door: Door, count: usize) {
    counter!(ACCEPTED, "door" => door.as_str()).increment(count as u64);
}

/// Events that the log held already.
pub(crate) fn duplicates(door: Door, count: usize) {
    counter!(DUPLICATES, "door" => door.as_str()).increment(count as u64);
}

/// An event that was answered with a fault.
pub(crate) fn rejected(door: Door, code: FaultCode) {
    let labels = [("door", door.as_str()), ("code", code.as_str())];
    counter!(REJECTED, &labels).increment(1);
}

/// Changes of one outcome, which comes from a closed set.
pub(crate) fn changes(outcome: &'static str, count: usize) {
    counter!(CHANGES, "outcome" => outcome).increment(count as u64);
}

/// Records that were no events and are kept in quarantine.
pub(crate) fn quarantined(door: Door, count: usize) {
    counter!(QUARANTINED, "door" => door.as_str()).increment(count as u64);
}
