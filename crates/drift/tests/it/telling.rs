//! Operators are told of what is new, once and not too often.

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

/// A lookout, and the events that it reported.
fn lookout(fixture: &Fixture) -> (DriftScanner, Events) {
    let events = Events::default();
    let sink = Arc::clone(&events);
    let tell = TellOperator::new(move |event| sink.lock().unwrap().push(event));
    (fixture.lookout(&fixture.log).with_operator(tell), events)
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
async fn what_is_new_is_told_at_once_then_gathered_for_a_minute_and_never_told_again() {
    let fixture = Fixture::new();
    let (lookout, events) = lookout(&fixture);
    let stop = CancellationToken::new();
    let sends = async {
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

        // Another root account sends what is known by now, and two things are new.
        let other = with_field("theme").replace("70000000000001", "80000000000001");
        fixture.append(&[unknown, other, with_field("pace")]).await;
        sleep(Duration::from_secs(10)).await;
        // A value of another kind is drift, but neither a new type nor a new field.
        let changed = event("module_created", "\"position\":3", "\"position\":true");
        fixture.append(&[with_field("color"), changed]).await;
        sleep(Duration::from_secs(30)).await;
        assert_eq!(events.lock().unwrap().len(), 1, "a minute has not passed");
        sleep(Duration::from_secs(20)).await;
        let second = OperatorEvent::DriftFound {
            found: vec![field("/body/pace"), field("/body/color")],
            found_count: 2,
        };
        assert_eq!(*events.lock().unwrap(), [first, second]);
        stop.cancel();
    };
    tokio::join!(lookout.run(stop.clone()), sends);
    assert_eq!(events.lock().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_event_names_a_hundred_findings_and_counts_the_rest() {
    let fixture = Fixture::new();
    let (lookout, events) = lookout(&fixture);
    fixture
        .append(&[with_fields((0..120).map(|n| format!("f{n}")))])
        .await;
    fixture.report(&lookout).await;
    let events = events.lock().unwrap();
    let [OperatorEvent::DriftFound { found, found_count }] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!((found.len(), *found_count), (100, 120));
}

#[tokio::test(start_paused = true)]
async fn what_was_gathered_is_told_at_the_end_and_a_restart_tells_nothing_again() {
    let fixture = Fixture::new();
    let (first, events) = lookout(&fixture);
    fixture.append(&[with_field("theme")]).await;
    fixture.report(&first).await;
    fixture.append(&[with_field("pace")]).await;
    fixture.report(&first).await;
    assert_eq!(events.lock().unwrap().len(), 2);
    drop(first);

    let (second, events) = lookout(&fixture);
    fixture.append(&[with_field("pace")]).await;
    fixture.report(&second).await;
    assert_eq!(*events.lock().unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn operator_events_are_no_drift() {
    let fixture = Fixture::new();
    let (lookout, events) = lookout(&fixture);
    let own = OperatorEvent::DriftFound {
        found: vec![field("/body/theme")],
        found_count: 1,
    };
    let own = own.event(Timestamp::UNIX_EPOCH);
    let record = easel_log::NewRecord::new(own.id, own.event_type, own.bytes);
    fixture.log.append(vec![record]).await.unwrap();
    let report = fixture.report(&lookout).await;
    assert_eq!((report.sightings, report.cursor.get()), (Vec::new(), 1));
    assert_eq!(*events.lock().unwrap(), []);
}
