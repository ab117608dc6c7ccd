//! Tests of requests with several Caliper events.

use std::sync::Arc;

use easel_caliper::{Dialect, MAPPER_VERSION, TranslationOptions, Translator};
use easel_catalog::{Catalog, EventOrigin, Limits, admit};
use easel_log::Offset;
use easel_sinks::{Batch, Form, Item, Webhook};
use easel_testkit::Receiver;
use jiff::Timestamp;
use serde_json::Value;

use crate::fixtures::{Post, batch, webhook};

/// Returns an item with the catalogue's example of an event type, in Caliper. `second` is its time and offset.
fn item(event_type: &str, second: i64) -> Arc<Item> {
    let catalog = Arc::new(Catalog::built_in());
    let time = Timestamp::from_second(second).unwrap();
    let example = catalog.example(catalog.get(event_type).unwrap(), EventOrigin::Request, time);
    let event = admit(example.as_bytes(), &Limits::default()).unwrap();
    let translator = Translator::new(catalog, TranslationOptions::default()).unwrap();
    let translated = translator.translate(event_type, &event.bytes, event.id, Dialect::Compatible);
    Arc::new(Item {
        offset: Offset::new(second.unsigned_abs()),
        id: event.id,
        event_type: event.event_type,
        occurred_at: time,
        appended_at: None,
        event_time: format!("{second}"),
        form: Form::Caliper(translated.unwrap()),
        jwt: None,
    })
}

#[tokio::test]
async fn an_envelope_has_all_events_and_the_headers_name_each_event() {
    let receiver = Receiver::start().await;
    let items: Vec<_> = (1..=3)
        .map(|second| item("course_created", second))
        .collect();
    let several = Batch {
        items: items.clone(),
        ..batch()
    };
    let alone = Batch {
        items: items[..1].to_vec(),
        ..batch()
    };
    let webhook = webhook(&receiver.url());
    for batch in [&several, &several, &alone] {
        webhook.post(batch.clone()).await.unwrap();
    }
    let received = receiver.received();
    let envelope: Value = serde_json::from_slice(&received[0].body).unwrap();
    let ids: Vec<_> = items
        .iter()
        .map(|item| format!("urn:uuid:{}", item.id))
        .collect();
    let data = envelope["data"].as_array().unwrap();
    assert_eq!(
        data.iter().map(|event| &event["id"]).collect::<Vec<_>>(),
        ids.iter().collect::<Vec<_>>()
    );
    assert!(
        data.iter()
            .all(|event| event["edApp"]["id"] == envelope["sensor"])
    );
    assert_eq!(
        received[0].header("easel-event-name"),
        ["course_created"; 3].join(",")
    );
    assert_eq!(received[0].header("easel-event-time"), "1,2,3");
    assert_eq!(received[0].header("easel-mapper-version"), MAPPER_VERSION);
    // The same events give the same id. A single event keeps its own id.
    let id = |index: usize| received[index].header("webhook-id").to_owned();
    assert_eq!(id(0), id(1));
    assert_eq!(id(2), items[0].id.to_string());
    assert_ne!(id(0), id(2));
}

#[test]
fn caliper_events_share_an_envelope_and_a_canvas_event_is_sent_alone() {
    let first = item("course_created", 1);
    assert!(Webhook::can_share_envelope(&[], &first));
    assert!(Webhook::can_share_envelope(
        &[Arc::clone(&first)],
        &item("course_created", 2)
    ));
    let canvas = Arc::clone(&batch().items[0]);
    assert!(Webhook::can_share_envelope(&[], &canvas));
    assert!(!Webhook::can_share_envelope(&[Arc::clone(&first)], &canvas));
    assert!(!Webhook::can_share_envelope(
        &[Arc::clone(&canvas)],
        &canvas
    ));
}

#[test]
fn the_event_types_of_an_envelope_must_fit_into_one_header() {
    let long = Arc::new(Item {
        event_type: "x".repeat(128).into(),
        ..(*item("course_created", 1)).clone()
    });
    let fits = |count: usize| Webhook::can_share_envelope(&vec![Arc::clone(&long); count], &long);
    assert!(fits(20) && !fits(40));
}
