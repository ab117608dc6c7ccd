//! The bound on all accounts together.

use easel_catalog::{Catalog, Limits, admit};
use easel_log::{Clock, Log, LogOptions, MemoryLog, NewRecord, Offset, Provenance, Read};
use easel_testkit::FakeClock;
use std::sync::Arc;

use super::{DriftRecords, MAX_OF_ACCOUNT, MAX_SIGHTINGS};

/// An event of a root account with so many fields that nobody knows.
fn event(account: usize, fields: usize) -> NewRecord {
    let fields: Vec<_> = (0..fields).map(|n| format!("\"f{n}\":1")).collect();
    let text = format!(
        r#"{{"metadata":{{"event_name":"logged_out","event_time":"2026-02-11T08:15:42Z","root_account_id":"{account}"}},"body":{{{}}}}}"#,
        fields.join(",")
    );
    let event = admit(text.as_bytes(), &Limits::default()).unwrap();
    NewRecord {
        provenance: Arc::new(Provenance {
            root_account_id: event.root_account_id,
            ..Provenance::default()
        }),
        ..NewRecord::new(event.id, event.event_type, event.bytes)
    }
}

#[tokio::test]
async fn there_are_no_more_than_the_bound_and_the_rest_is_counted() {
    let clock: Arc<dyn Clock> = Arc::new(FakeClock::default());
    let log = MemoryLog::new(LogOptions::default(), clock);
    // An event tells a thousand findings at most, so that each account takes two.
    let each = MAX_OF_ACCOUNT / 2;
    for account in 1..=20 {
        log.append(vec![event(account, each)]).await.unwrap();
    }
    let (mut sightings, catalog) = (DriftRecords::default(), Catalog::built_in());
    let mut from = Offset::ZERO;
    while let Read::Block(block) = log.read(from).await.unwrap() {
        sightings.look_at(&block, &catalog);
        from = block.next();
    }
    assert_eq!(sightings.all.len(), MAX_SIGHTINGS);
    let untold: u64 = sightings
        .progress
        .untold
        .each()
        .map(|(_, count)| count)
        .sum();
    assert_eq!(untold, u64::try_from(20 * each - MAX_SIGHTINGS).unwrap());
}
