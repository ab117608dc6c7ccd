//! Every finding is counted once, whatever happens between.

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
    let them = report.sightings.iter();
    them.map(|it| (it.path().to_owned(), it.count)).collect()
}

#[derive(Clone, Debug)]
enum Step {
    /// Two events, one with so many fields that nobody knows.
    Append(usize),
    /// The process looks at everything, and ends well.
    Finish,
    /// The process ends at once after so many milliseconds.
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
    fn a_crash_loses_no_finding_and_counts_none_twice(steps in prop::collection::vec(step(), 1..20)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let fixture = Fixture::new();
            for step in steps {
                match step {
                    Step::Append(fields) => fixture.append(&[event_with(fields), event_with(1)]).await,
                    Step::Finish => drop(fixture.report(&fixture.lookout(&fixture.log)).await),
                    // Longer than the pause between two saves, at times.
                    Step::Crash(milliseconds) => {
                        let lookout = fixture.lookout(&fixture.log);
                        let crash = tokio::time::sleep(Duration::from_millis(milliseconds));
                        tokio::select! {
                            () = lookout.run(CancellationToken::new()) => (),
                            () = crash => (),
                        }
                    }
                }
            }
            let counted = fixture.report(&fixture.lookout(&fixture.log)).await;
            let at_once = fixture.report(&fixture.lookout_anew()).await;
            assert_eq!(counts(&counted), counts(&at_once));
            assert_eq!((counted.cursor, counted.missed), (at_once.cursor, 0));
        });
    }
}

#[tokio::test]
async fn sightings_outlive_the_process_but_not_their_removal() {
    let fixture = Fixture::new();
    fixture.append(&[event_with(2)]).await;
    let before = fixture.report(&fixture.lookout(&fixture.log)).await;
    assert_eq!(before.sightings.len(), 2);
    let lookout = fixture.lookout(&fixture.log);
    assert_eq!(lookout.report(), before);

    assert_eq!(lookout.clear().await.unwrap(), 2);
    assert_eq!(lookout.report().sightings, []);
    assert_eq!(fixture.lookout(&fixture.log).report().sightings, []);
    fixture.append(&[event_with(1)]).await;
    let again = fixture.report(&lookout).await;
    assert_eq!(counts(&again), BTreeMap::from([("/body/f0".to_owned(), 1)]));
    assert_eq!(again.cursor, Offset::new(2));
}

#[tokio::test]
async fn an_account_cannot_take_the_place_of_others() {
    let fixture = Fixture::new();
    fixture.append(&[event_with(900)]).await;
    // The same again, and more.
    let more = event_with(900).replace("\"f", "\"g");
    fixture.append(&[more]).await;
    let other = event_with(3).replace("70000000000001", "80000000000001");
    fixture.append(&[other]).await;
    let lookout = fixture.lookout(&fixture.log);
    let report = fixture.report(&lookout).await;
    let of = |account| {
        report
            .sightings
            .iter()
            .filter(|it| it.root_account() == Some(account))
            .count()
    };
    assert_eq!((of("70000000000001"), of("80000000000001")), (1024, 3));
    assert_eq!(report.untold, [(Drift::UnknownField, 776)]);
    assert_eq!(fixture.lookout(&fixture.log).report(), report);
}

#[tokio::test]
async fn what_is_gone_or_unreadable_is_counted_as_missed() {
    let fixture = Fixture::new();
    for _ in 0..4 {
        fixture.append(&[event_with(1), event_with(1)]).await;
    }
    fixture.log.trim_to(Offset::new(2)).await.unwrap();
    let failing = Arc::new(FailingLog::new(Arc::clone(&fixture.log)));
    failing.damage(Offset::new(4)..Offset::new(6));
    let log: SharedLog = failing;
    let report = fixture.report(&fixture.lookout(&log)).await;
    assert_eq!(report.missed, 4);
    assert_eq!(
        counts(&report),
        BTreeMap::from([("/body/f0".to_owned(), 4)])
    );
}
