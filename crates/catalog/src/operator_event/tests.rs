//! The exact bytes of operator events, and that no sender can forge them.

use std::sync::Mutex;

use super::*;
use crate::{Catalog, FaultCode, Limits, admit, admit_stored};

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// One event of every type.
fn all() -> [OperatorEvent; 8] {
    let (subscription, reason) = ("grades".to_owned(), "the endpoint answered 503".to_owned());
    let since = time("2026-11-30T11:00:00.123456Z");
    let reach = Reach::Everything;
    [
        OperatorEvent::SubscriptionHeld {
            subscription: subscription.clone(),
            reach: Reach::RootAccount("10000000000001".parse().unwrap()),
            reason,
            since,
        },
        OperatorEvent::SubscriptionResumed {
            subscription: subscription.clone(),
            reach: reach.clone(),
            since,
        },
        OperatorEvent::SubscriptionDeactivated {
            subscription: subscription.clone(),
            reach: reach.clone(),
            reason: "held for \"3 days\"".to_owned(),
            since,
        },
        OperatorEvent::ManyDeadLetters {
            subscription: subscription.clone(),
            reach: reach.clone(),
            dead_letter_count: 100,
            since,
        },
        OperatorEvent::DriftFound {
            found: vec![
                FoundDrift {
                    drift: Drift::UnknownEventType,
                    event_type: "course_archived".to_owned(),
                    path: String::new(),
                },
                FoundDrift {
                    drift: Drift::UnknownField,
                    event_type: "course_created".to_owned(),
                    path: "/body/theme".to_owned(),
                },
            ],
            found_count: 2,
        },
        OperatorEvent::DiskLow {
            free_bytes: 1_000,
            total_bytes: 100_000,
            low_below_bytes: 5_000,
        },
        OperatorEvent::TrimmedPastCursor {
            subscription,
            reach,
            event_count: 3,
            offsets: 7..12,
        },
        OperatorEvent::SourceFailing {
            source: "hosted".to_owned(),
            kind: "errors",
            failure_count: 14_000,
            limit: 28_000,
        },
    ]
}

#[test]
fn the_json_of_every_event_is_this() {
    let at = time("2026-11-30T12:00:00.987654Z");
    let bodies = [
        r#""producer":"easel","root_account_id":"10000000000001"},"body":{"reason":"the endpoint answered 503","since":"2026-11-30T11:00:00.123Z","subscription":"grades"}}"#,
        r#""producer":"easel"},"body":{"since":"2026-11-30T11:00:00.123Z","subscription":"grades"}}"#,
        r#""producer":"easel"},"body":{"reason":"held for \"3 days\"","since":"2026-11-30T11:00:00.123Z","subscription":"grades"}}"#,
        r#""producer":"easel"},"body":{"dead_letter_count":100,"since":"2026-11-30T11:00:00.123Z","subscription":"grades"}}"#,
        r#""producer":"easel"},"body":{"found":[{"drift":"unknown_event_type","event_type":"course_archived","path":""},{"drift":"unknown_field","event_type":"course_created","path":"/body/theme"}],"found_count":2}}"#,
        r#""producer":"easel"},"body":{"free_bytes":1000,"low_below_bytes":5000,"total_bytes":100000}}"#,
        r#""producer":"easel"},"body":{"event_count":3,"first_offset":7,"last_offset":11,"subscription":"grades"}}"#,
        r#""producer":"easel"},"body":{"failure_count":14000,"kind":"errors","limit":28000,"source":"hosted"}}"#,
    ];
    for ((event, name), body) in all().iter().zip(OperatorEvent::TYPES).zip(bodies) {
        let written = event.event(at).bytes;
        let wanted = format!(
            r#"{{"metadata":{{"event_name":"{name}","event_time":"2026-11-30T12:00:00.987Z",{body}"#
        );
        assert_eq!(str::from_utf8(&written).unwrap(), wanted);
    }
}

#[test]
fn an_event_equals_its_parsed_bytes_but_no_sender_can_send_it() {
    let limits = Limits::default();
    for event in all() {
        let event = event.event(time("2026-11-30T12:00:00.987654Z"));
        assert_eq!(admit_stored(&event.bytes, &limits), Ok(event.clone()));
        let fault = admit(&event.bytes, &limits).unwrap_err();
        assert_eq!(fault.code, FaultCode::ReservedEventName);
        assert_eq!(fault.at.path, "/metadata/event_name");
    }
}

#[test]
fn operator_events_are_not_in_the_catalogue_and_give_no_findings() {
    let catalog = Catalog::built_in();
    for event in all() {
        let event = event.event(Timestamp::UNIX_EPOCH);
        assert!(is_operator_event(&event.event_type));
        assert!(catalog.get(&event.event_type).is_none());
        let mut findings = Vec::new();
        catalog.check(&event.event_type, &event.bytes, |finding| {
            findings.push(finding.to_string());
        });
        assert_eq!(findings, [""; 0], "{}", event.event_type);
    }
}

#[test]
fn the_callback_receives_every_event() {
    let received = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&received);
    let tell = TellOperator::new(move |event| sink.lock().unwrap().push(event));
    for event in all() {
        tell.clone().tell(event);
    }
    assert_eq!(*received.lock().unwrap(), all());
}
