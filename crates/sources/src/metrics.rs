//! The metrics of sources.

use jiff::Timestamp;
use metrics::{counter, describe_counter, describe_gauge, gauge};

use crate::{Source, SourceName, SourceOutcome};

const EVENTS: &str = "easel_source_events_total";
const FAILURES: &str = "easel_source_failures_last_day";
const LAST_EVENT: &str = "easel_source_last_event_seconds";

/// Describes the metrics.
pub fn describe_source_metrics() {
    describe_counter!(EVENTS, "What came from a source, by outcome.");
    describe_gauge!(
        FAILURES,
        "Failed deliveries of a source in the last 24 hours, by kind. Hosted Canvas switches a stream off after about 9500 time-outs or 28000 errors."
    );
    describe_gauge!(
        LAST_EVENT,
        "Unix time of the latest event of a source, in seconds."
    );
}

/// Counts what became of `count` things that a source sent.
pub(crate) fn count(source: &SourceName, outcome: SourceOutcome, count: u64) {
    let labels = [
        ("source", source.to_string()),
        ("outcome", outcome.as_str().to_owned()),
    ];
    counter!(EVENTS, &labels).increment(count);
}

/// Publishes the health of a source.
pub(crate) fn publish(source: &Source, now: Timestamp) {
    let report = source.health.report(now);
    let kinds = [
        ("time_outs", report.last_day.timed_out),
        ("errors", report.last_day.failed),
    ];
    for (kind, count) in kinds {
        let labels = [
            ("source", source.spec.name.to_string()),
            ("kind", kind.to_owned()),
        ];
        #[expect(clippy::cast_precision_loss, reason = "a count of failures is small")]
        gauge!(FAILURES, &labels).set(count as f64);
    }
    if let Some(at) = report.last_event_at {
        #[expect(clippy::cast_precision_loss, reason = "seconds fit for a long time")]
        gauge!(LAST_EVENT, "source" => source.spec.name.to_string()).set(at.as_second() as f64);
    }
}
