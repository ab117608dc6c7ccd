//! Every finding is counted exactly once, despite crashes and restarts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use easel_catalog::Drift;
use easel_drift::Report;
use easel_log::{Offset, SharedLog};
use easel_testkit::FailingLog;
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use crate::fixture::{Fixture, event};

fn event_with(fields: usize) -> String {
    let members: String = (0..fields)
        .map(|n| ["\"f", &n.to_string(), "\":1,"].concat())
        .collect();
    event(
        "course_created",
        "\"name\":",
        &format!("{members}\"name\":"),
    )
}

fn counts(report: &Report) -> BTreeMap<String, u64> {
    let records = report.records.iter();
    records
        .map(|record| (record.path().to_owned(), record.count))
        .collect()
}

#[derive(Clone, Debug)]
enum Step {
    /// Appends two events, the first with this number of unknown fields.
    Append(usize),
    /// A scanner reads everything and stops normally.
    Finish,
    /// A scanner crashes after this number of milliseconds.
    Crash(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..5_usize).prop_map(Step::Append),
        1 => Just(Step::Finish),
        1 => (0..3_000_u64).prop_map(Step::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_crash_neither_loses_a_finding_nor_counts_it_twice(steps in prop::collection::vec(step(), 1..20)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let fixture = Fixture::new();
            for step in steps {
                match step {
                    Step::Append(fields) => fixture.append(&[event_with(fields), event_with(1)]).await,
                    Step::Finish => drop(fixture.report(&fixture.scanner(&fixture.log)).await),
                    // Sometimes the scanner saves before it crashes.
                    Step::Crash(milliseconds) => {
                        let scanner = fixture.scanner(&fixture.log);
                        let crash = tokio::time::sleep(Duration::from_millis(milliseconds));
                        tokio::select! {
                            () = scanner.run(CancellationToken::new()) => (),
                            () = crash => (),
                        }
                    }
                }
            }
            let with_stops_and_crashes = fixture.report(&fixture.scanner(&fixture.log)).await;
            let without_stops = fixture.report(&fixture.new_scanner()).await;
            assert_eq!(counts(&with_stops_and_crashes), counts(&without_stops));
            assert_eq!((with_stops_and_crashes.cursor, with_stops_and_crashes.missed), (without_stops.cursor, 0));
        });
    }
}

#[tokio::test]
async fn records_survive_a_restart_until_they_are_cleared() {
    let fixture = Fixture::new();
    fixture.append(&[event_with(2)]).await;
    let before = fixture.report(&fixture.scanner(&fixture.log)).await;
    assert_eq!(before.records.len(), 2);
    let scanner = fixture.scanner(&fixture.log);
    assert_eq!(scanner.report(), before);

    assert_eq!(scanner.clear().await.unwrap(), 2);
    assert_eq!(scanner.report().records, []);
    assert_eq!(fixture.scanner(&fixture.log).report().records, []);
    fixture.append(&[event_with(1)]).await;
    let again = fixture.report(&scanner).await;
    assert_eq!(counts(&again), BTreeMap::from([("/body/f0".to_owned(), 1)]));
    assert_eq!(again.cursor, Offset::new(2));
}

#[tokio::test]
async fn one_root_account_cannot_use_up_the_records_of_other_root_accounts() {
    let fixture = Fixture::new();
    fixture.append(&[event_with(900)]).await;
    // More unknown fields of the same root account.
    let more = event_with(900).replace("\"f", "\"g");
    fixture.append(&[more]).await;
    let other = event_with(3).replace("70000000000001", "80000000000001");
    fixture.append(&[other]).await;
    let scanner = fixture.scanner(&fixture.log);
    let report = fixture.report(&scanner).await;
    let count = |root_account| {
        report
            .records
            .iter()
            .filter(|record| record.root_account() == Some(root_account))
            .count()
    };
    assert_eq!(
        (count("70000000000001"), count("80000000000001")),
        (1024, 3)
    );
    assert_eq!(report.dropped, [(Drift::UnknownField, 776)]);
    assert_eq!(fixture.scanner(&fixture.log).report(), report);
}

#[tokio::test]
async fn trimmed_and_unreadable_events_are_counted_as_missed() {
    let fixture = Fixture::new();
    for _ in 0..4 {
        fixture.append(&[event_with(1), event_with(1)]).await;
    }
    fixture.log.trim_to(Offset::new(2)).await.unwrap();
    let failing = Arc::new(FailingLog::new(Arc::clone(&fixture.log)));
    failing.damage(Offset::new(4)..Offset::new(6));
    let log: SharedLog = failing;
    let report = fixture.report(&fixture.scanner(&log)).await;
    assert_eq!(report.missed, 4);
    assert_eq!(
        counts(&report),
        BTreeMap::from([("/body/f0".to_owned(), 4)])
    );
}
