//! Operator events report each new event type and field once. There is at most one such event a minute.

use std::slice;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use easel_catalog::{Drift, FoundDrift, OperatorEvent, TellOperator};
use easel_drift::DriftScanner;
use jiff::Timestamp;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::fixture::{Fixture, event};

type Events = Arc<Mutex<Vec<OperatorEvent>>>;

/// Returns a scanner, and the operator events that it reports.
fn scanner(fixture: &Fixture) -> (DriftScanner, Events) {
    let events = Events::default();
    let recorded = Arc::clone(&events);
    let tell = TellOperator::new(move |event| recorded.lock().unwrap().push(event));
    (fixture.scanner(&fixture.log).with_operator(tell), events)
}

fn field(path: &str) -> FoundDrift {
    FoundDrift {
        drift: Drift::UnknownField,
        event_type: "course_created".to_owned(),
        path: path.to_owned(),
    }
}

fn with_fields(names: impl IntoIterator<Item = String>) -> String {
    let members: String = names
        .into_iter()
        .map(|name| ["\"", &name, "\":1,"].concat())
        .collect();
    event(
        "course_created",
        "\"name\":",
        &format!("{members}\"name\":"),
    )
}

fn with_field(name: &str) -> String {
    with_fields([name.to_owned()])
}

#[tokio::test(start_paused = true)]
async fn new_drift_is_reported_immediately_but_at_most_once_a_minute_and_never_twice() {
    let fixture = Fixture::new();
    let (scanner, events) = scanner(&fixture);
    let stop = CancellationToken::new();
    let send_and_check = async {
        let unknown = event("grade_change", "grade_change", "grade_imported");
        fixture
            .append(&[unknown.clone(), with_field("theme")])
            .await;
        sleep(Duration::from_secs(10)).await;
        let theme = field("/body/theme");
        let imported = FoundDrift {
            drift: Drift::UnknownEventType,
            event_type: "grade_imported".to_owned(),
            path: String::new(),
        };
        let first = OperatorEvent::DriftFound {
            found: vec![imported, theme],
            found_count: 2,
        };
        assert_eq!(*events.lock().unwrap(), slice::from_ref(&first));

        // Another root account sends a field that is known by now. The field `pace` is new.
        let other = with_field("theme").replace("70000000000001", "80000000000001");
        fixture.append(&[unknown, other, with_field("pace")]).await;
        sleep(Duration::from_secs(10)).await;
        // A value of another kind is drift, but not a new event type or field.
        let changed = event("module_created", "\"position\":3", "\"position\":true");
        fixture.append(&[with_field("color"), changed]).await;
        sleep(Duration::from_secs(30)).await;
        assert_eq!(
            events.lock().unwrap().len(),
            1,
            "reported before a minute passed"
        );
        sleep(Duration::from_secs(20)).await;
        let second = OperatorEvent::DriftFound {
            found: vec![field("/body/pace"), field("/body/color")],
            found_count: 2,
        };
        assert_eq!(*events.lock().unwrap(), [first, second]);
        stop.cancel();
    };
    tokio::join!(scanner.run(stop.clone()), send_and_check);
    assert_eq!(events.lock().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_event_lists_a_hundred_findings_and_counts_all() {
    let fixture = Fixture::new();
    let (scanner, events) = scanner(&fixture);
    fixture
        .append(&[with_fields((0..120).map(|n| format!("f{n}")))])
        .await;
    fixture.report(&scanner).await;
    let events = events.lock().unwrap();
    let [OperatorEvent::DriftFound { found, found_count }] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!((found.len(), *found_count), (100, 120));
}

#[tokio::test(start_paused = true)]
async fn pending_findings_are_reported_at_shutdown_and_not_again_after_a_restart() {
    let fixture = Fixture::new();
    let (first, events) = scanner(&fixture);
    fixture.append(&[with_field("theme")]).await;
    fixture.report(&first).await;
    fixture.append(&[with_field("pace")]).await;
    fixture.report(&first).await;
    assert_eq!(events.lock().unwrap().len(), 2);
    drop(first);

    let (second, events) = scanner(&fixture);
    fixture.append(&[with_field("pace")]).await;
    fixture.report(&second).await;
    assert_eq!(*events.lock().unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn operator_events_are_not_drift() {
    let fixture = Fixture::new();
    let (scanner, events) = scanner(&fixture);
    let own = OperatorEvent::DriftFound {
        found: vec![field("/body/theme")],
        found_count: 1,
    };
    let own = own.event(Timestamp::UNIX_EPOCH);
    let record = easel_log::NewRecord::new(own.id, own.event_type, own.bytes);
    fixture.log.append(vec![record]).await.unwrap();
    let report = fixture.report(&scanner).await;
    assert_eq!((report.records, report.cursor.get()), (Vec::new(), 1));
    assert_eq!(*events.lock().unwrap(), []);
}
