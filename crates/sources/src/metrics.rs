//! The metrics of sources.

use metrics::{counter, describe_counter, describe_gauge, gauge};

use crate::{HealthReport, SourceName, SourceOutcome};

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
        "Unix time of the latest event of a source, in seconds; 0 without one."
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

/// Starts the metrics of a source at 0.
pub(crate) fn start(source: &SourceName) {
    for outcome in SourceOutcome::ALL {
        count(source, outcome, 0);
    }
    publish(source, &HealthReport::default());
}

/// Publishes the health of a source.
pub(crate) fn publish(source: &SourceName, report: &HealthReport) {
    let kinds = [
        ("time_outs", report.last_day.timed_out),
        ("errors", report.last_day.failed),
    ];
    for (kind, count) in kinds {
        let labels = [("source", source.to_string()), ("kind", kind.to_owned())];
        #[expect(clippy::cast_precision_loss, reason = "a count of failures is small")]
        gauge!(FAILURES, &labels).set(count as f64);
    }
    let last_event = report.last_event_at.map_or(0, jiff::Timestamp::as_second);
    #[expect(clippy::cast_precision_loss, reason = "seconds fit for a long time")]
    gauge!(LAST_EVENT, "source" => source.to_string()).set(last_event as f64);
}
