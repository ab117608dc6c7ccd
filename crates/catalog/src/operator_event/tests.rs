//! What operators are told, to the byte, and that nobody else can say it.

use std::sync::Mutex;

use super::*;
use crate::{Catalog, FaultCode, Limits, admit, admit_stored};

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// One event of every type.
fn all() -> [OperatorEvent; 7] {
    let (subscription, reason) = ("grades".to_owned(), "the endpoint answered 503".to_owned());
    let since = time("2026-11-30T11:00:00.123456Z");
    let reach = Reach::Everything;
    [
        OperatorEvent::SubscriptionHeld {
            subscription: subscription.clone(),
            reach: Reach::RootAccount("10000000000001".to_owned()),
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
fn an_event_is_what_would_be_read_of_its_bytes_but_no_sender_can_send_it() {
    let limits = Limits::default();
    for event in all() {
        let event = event.event(time("2026-11-30T12:00:00.987654Z"));
        assert_eq!(admit_stored(&event.bytes, &limits), Ok(event.clone()));
        let refused = admit(&event.bytes, &limits).unwrap_err();
        assert_eq!(refused.code, FaultCode::ReservedEventName);
        assert_eq!(refused.at.path, "/metadata/event_name");
    }
}

#[test]
fn the_catalogue_has_none_of_them_and_finds_nothing_in_them() {
    let catalog = Catalog::built_in();
    for event in all() {
        let event = event.event(Timestamp::UNIX_EPOCH);
        assert!(is_operator_event(&event.event_type));
        assert!(catalog.get(&event.event_type).is_none());
        let mut findings = Vec::new();
        catalog.check(&event.event_type, &event.bytes, |it| {
            findings.push(it.to_string());
        });
        assert_eq!(findings, [""; 0], "{}", event.event_type);
    }
}

#[test]
fn whoever_tells_operators_is_heard_by_whoever_listens() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    let tell = TellOperator::new(move |event| hears.lock().unwrap().push(event));
    for event in all() {
        tell.clone().tell(event);
    }
    assert_eq!(*heard.lock().unwrap(), all());
}
