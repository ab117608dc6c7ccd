//! Tests of the counts.

use super::*;

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 - 1_800_000_000 % BUCKET_SECONDS + minutes * 60).unwrap()
}

#[test]
fn counts_leave_the_window_after_a_day() {
    let health = SourceHealth::default();
    health.count(SourceOutcome::Accepted, 3, at(0));
    health.count(SourceOutcome::Failed, 2, at(10));
    let report = health.report(at(20));
    assert_eq!((report.last_day.accepted, report.last_day.failed), (3, 2));
    let report = health.report(at(24 * 60 + 4));
    assert_eq!((report.last_day.accepted, report.last_day.failed), (0, 2));
    assert_eq!(report.last_event_at, Some(at(0)));
    assert_eq!(
        health.report(at(24 * 60 + 15)).last_day,
        SourceCounts::default()
    );
}

#[test]
fn the_rate_is_that_of_the_last_five_minutes() {
    let health = SourceHealth::default();
    for minute in 0..10 {
        health.count(SourceOutcome::Accepted, 60, at(minute));
    }
    // Half of the bucket before, and the current one until now.
    let rate = health.report(at(7)).events_per_minute;
    assert!((rate - (300.0 + 300.0 * 0.6) / 5.0).abs() < 0.001, "{rate}");
    assert!(health.report(at(30)).events_per_minute.abs() < 0.001);
}

#[test]
fn health_survives_its_saved_form_except_for_the_connection() {
    let health = SourceHealth::default();
    health.count(SourceOutcome::Duplicate, 1, at(0));
    health.set_unreachable("no such host", at(1));
    let restored = SourceHealth::from_saved(&health.to_saved(at(1)).unwrap());
    let (before, after) = (health.report(at(1)), restored.report(at(1)));
    assert_eq!(before.unreachable.as_ref().unwrap().reason, "no such host");
    assert_eq!(
        HealthReport {
            unreachable: None,
            ..before
        },
        after
    );
    assert_eq!(
        SourceHealth::from_saved("{").report(at(1)),
        HealthReport::default()
    );
}

#[test]
fn an_unreachable_source_keeps_the_time_since_when() {
    let health = SourceHealth::default();
    health.set_unreachable("first", at(0));
    health.set_unreachable("second", at(5));
    let unreachable = health.report(at(6)).unreachable.unwrap();
    assert_eq!(
        (unreachable.at, unreachable.reason.as_str()),
        (at(0), "second")
    );
    health.set_reachable();
    assert_eq!(health.report(at(6)).unreachable, None);
}
