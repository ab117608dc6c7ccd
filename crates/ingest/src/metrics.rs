//! The names of the doors' metrics. Every label is from a closed set.

use easel_catalog::FaultCode;
use metrics::counter;

use crate::doors::Door;

/// Events that a request brought and the log stored.
pub(crate) fn accepted(door: Door, count: usize) {
    counter!("easel_accepted_events_total", "door" => door.as_str()).increment(count as u64);
}

/// Events that the log held already.
pub(crate) fn duplicates(door: Door, count: usize) {
    counter!("easel_duplicate_events_total", "door" => door.as_str()).increment(count as u64);
}

/// An event that was answered with a fault.
pub(crate) fn rejected(door: Door, code: FaultCode) {
    let labels = [("door", door.as_str()), ("code", code.as_str())];
    counter!("easel_rejected_events_total", &labels).increment(1);
}

/// Records that were no events and are kept in quarantine.
pub(crate) fn quarantined(door: Door, count: usize) {
    counter!("easel_quarantined_records_total", "door" => door.as_str()).increment(count as u64);
}
