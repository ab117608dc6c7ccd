//! Tests the bound on the records of all root accounts together.

use easel_catalog::{Catalog, Limits, admit, admit_hosted};
use easel_log::{Clock, Log, LogOptions, MemoryLog, NewRecord, Offset, Provenance, Read, Shape};
use easel_testkit::FakeClock;
use std::sync::Arc;

use super::{DriftRecords, MAX_RECORDS, MAX_RECORDS_PER_ROOT_ACCOUNT};

/// Returns an event of a root account with this number of unknown fields.
fn event(root_account: usize, fields: usize) -> NewRecord {
    let fields: Vec<_> = (0..fields).map(|n| format!("\"f{n}\":1")).collect();
    let text = format!(
        r#"{{"metadata":{{"event_name":"logged_out","event_time":"2026-02-11T08:15:42Z","root_account_id":"{root_account}"}},"body":{{{}}}}}"#,
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
async fn the_number_of_records_is_bounded_and_further_findings_are_counted_as_dropped() {
    let clock: Arc<dyn Clock> = Arc::new(FakeClock::default());
    let log = MemoryLog::new(LogOptions::default(), clock);
    // A check reports at most a thousand findings per event, so one event must have fewer unknown fields.
    let fields_per_event = MAX_RECORDS_PER_ROOT_ACCOUNT / 2;
    for root_account in 1..=20 {
        log.append(vec![event(root_account, fields_per_event)])
            .await
            .unwrap();
    }
    let (mut records, catalog) = (DriftRecords::default(), Catalog::built_in());
    let mut from = Offset::ZERO;
    while let Read::Block(block) = log.read(from).await.unwrap() {
        records.scan_block(&block, &catalog);
        from = block.end();
    }
    assert_eq!(records.all.len(), MAX_RECORDS);
    let dropped: u64 = records
        .progress
        .dropped
        .each()
        .map(|(_, count)| count)
        .sum();
    assert_eq!(
        dropped,
        u64::try_from(20 * fields_per_event - MAX_RECORDS).unwrap()
    );
}

#[tokio::test]
async fn an_event_that_came_in_caliper_has_no_drift_and_is_counted_as_unchecked() {
    let clock: Arc<dyn Clock> = Arc::new(FakeClock::default());
    let log = MemoryLog::new(LogOptions::default(), clock);
    let text =
        br#"{"data":[{"type":"Event","action":"Created","eventTime":"2026-02-11T08:15:42Z"}]}"#;
    let caliper = admit_hosted(text, &Limits::default(), None).unwrap();
    let caliper = NewRecord {
        provenance: Arc::new(Provenance {
            shape: Shape::Caliper,
            ..Provenance::default()
        }),
        ..NewRecord::new(caliper.id, caliper.event_type, caliper.bytes)
    };
    log.append(vec![event(1, 1), caliper]).await.unwrap();
    let Read::Block(block) = log.read(Offset::ZERO).await.unwrap() else {
        panic!("the log has no block")
    };
    let mut records = DriftRecords::default();
    let counts = records.scan_block(&block, &Catalog::built_in());
    assert_eq!(counts.unchecked, 1);
    assert_eq!(
        counts.findings.each().map(|(_, count)| count).sum::<u64>(),
        1
    );
}
