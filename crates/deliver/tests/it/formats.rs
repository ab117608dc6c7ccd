//! Events in the forms of Caliper: translated, skipped where there is none, several in one envelope.

use bytes::Bytes;
use easel_catalog::{Catalog, Limits, Origin, admit};
use easel_log::NewRecord;
use easel_sinks::{Parcel, SendError};
use serde_json::Value;

use crate::campus::Campus;

/// The catalogue's example of an event type, made different by its time.
fn event(name: &str, second: i64) -> NewRecord {
    let catalog = Catalog::built_in();
    let at = jiff::Timestamp::from_second(second).unwrap();
    let example = catalog.example(catalog.get(name).unwrap(), Origin::Request, at);
    record(&example)
}

fn record(text: &str) -> NewRecord {
    let event = admit(text.as_bytes(), &Limits::default()).unwrap();
    NewRecord::new(event.id, event.event_type, event.bytes)
}

fn json(bytes: &Bytes) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn subscription(name: &str, format: &str, more: &str) -> String {
    format!(r#"{{"name":"{name}","format":"{format}","webhook":{{"url":"http://a/"{more}}}}}"#)
}

#[tokio::test(start_paused = true)]
async fn each_format_gets_its_own_of_the_same_event_and_what_has_no_form_is_filtered() {
    let campus = Campus::new();
    let mut sinks = Vec::new();
    for format in ["canvas", "caliper", "caliper-strict"] {
        sinks.push(campus.subscribe(&subscription(format, format, "")).await);
    }
    let sent = event("grade_change", 1);
    let nobody = r#"{"metadata":{"event_name":"quiz_submitted","event_time":"2026-02-11T08:15:42Z"},"body":{}}"#;
    let records = vec![sent.clone(), event("module_created", 2), record(nobody)];
    campus.log.append(records).await.unwrap();

    for (format, delivered) in [("canvas", 3), ("caliper", 1), ("caliper-strict", 1)] {
        let balance = campus.settled(format).await;
        assert_eq!(
            (balance.delivered, balance.filtered),
            (delivered, 3 - delivered),
            "{format}"
        );
    }
    let parcels: Vec<Parcel> = sinks.iter().map(|it| it.received().remove(0)).collect();
    assert!(
        parcels
            .iter()
            .all(|it| it.id == sent.id && &*it.event_name == "grade_change")
    );
    assert_eq!(parcels[0].body, sent.bytes);
    assert_eq!(parcels[0].mapper_version, None);
    let urn = format!("urn:uuid:{}", sent.id);
    for (parcel, attempt_name) in [
        (&parcels[1], "submission:233"),
        (&parcels[2], "submission:233:score"),
    ] {
        let envelope = json(&parcel.body);
        let event = &envelope["data"][0];
        assert_eq!(event["id"], urn);
        let score = event["generated"]["id"].as_str().unwrap();
        assert!(
            score.ends_with(&attempt_name.replace("233", "70000000000233")),
            "{score}"
        );
        assert_eq!(parcel.mapper_version, Some(easel_caliper::MAPPER_VERSION));
        assert!(!String::from_utf8_lossy(&parcel.body).contains("grade_change"));
    }
}

#[tokio::test(start_paused = true)]
async fn several_events_share_an_envelope_and_its_fate() {
    let campus = Campus::new();
    let sink = campus
        .subscribe(&subscription("store", "caliper", r#","batch":4"#))
        .await;
    sink.answer_in_turn([Err(SendError::Refused { status: 500 })]);
    let records: Vec<_> = (0..10).map(|n| event("course_created", n)).collect();
    let ids: Vec<_> = records
        .iter()
        .map(|it| format!("urn:uuid:{}", it.id))
        .collect();
    campus.log.append(records).await.unwrap();

    let balance = campus.settled("store").await;
    assert_eq!(balance.delivered, 10);
    let parcels = sink.received();
    // The first envelope was refused: none of its events is settled, and all come again.
    let refused: Vec<_> = json(&parcels[0].body)["data"].as_array().unwrap().clone();
    assert_eq!(refused.len(), 4);
    // Again as the same, so that a receiver knows it.
    let again: Vec<_> = parcels[1..]
        .iter()
        .filter(|it| it.id == parcels[0].id)
        .collect();
    assert_eq!(again.len(), 1);
    assert_eq!(json(&again[0].body)["data"], Value::from(refused));
    assert_eq!((parcels[0].attempt.get(), again[0].attempt.get()), (1, 2));
    let mut arrived = Vec::new();
    for parcel in &parcels[1..] {
        let envelope = json(&parcel.body);
        let events = envelope["data"].as_array().unwrap();
        assert!((1..=4).contains(&events.len()));
        assert_eq!(parcel.event_name.split(',').count(), events.len());
        assert_eq!(parcel.event_time.split(',').count(), events.len());
        arrived.extend(
            events
                .iter()
                .map(|it| it["id"].as_str().unwrap().to_owned()),
        );
    }
    arrived.sort();
    let mut wanted = ids;
    wanted.sort();
    assert_eq!(arrived, wanted);
    assert!(parcels.len() < 10, "{} requests", parcels.len());
}

#[tokio::test(start_paused = true)]
async fn events_of_different_installations_do_not_share_an_envelope() {
    let campus = Campus::new();
    let sink = campus
        .subscribe(
            &subscription("store", "caliper", r#","batch":100"#)
                .replace("\"format\"", "\"in_flight\":1,\"format\""),
        )
        .await;
    let records: Vec<_> = (0..6)
        .map(|n| {
            let text = String::from_utf8(event("course_created", n).bytes.to_vec()).unwrap();
            record(&text.replace(
                "\"hostname\":\"lms",
                &format!("\"hostname\":\"lms{}", n / 3),
            ))
        })
        .collect();
    campus.log.append(records).await.unwrap();
    assert_eq!(campus.settled("store").await.delivered, 6);
    for parcel in sink.received() {
        let envelope = json(&parcel.body);
        for event in envelope["data"].as_array().unwrap() {
            assert_eq!(event["edApp"]["id"], envelope["sensor"]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_envelope_is_filled_up_to_its_bounds() {
    let one_at_once = subscription("store", "caliper", r#","batch":100"#)
        .replace("\"format\"", "\"in_flight\":1,\"format\"");
    let sizes = async |title: &str, events: i64| {
        let campus = Campus::new();
        let sink = campus.subscribe(&one_at_once).await;
        let records = (0..events).map(|n| {
            let text = String::from_utf8(event("course_created", n).bytes.to_vec()).unwrap();
            let (before, after) = text.split_once("\"name\":\"").unwrap();
            record(&format!("{before}\"name\":\"{title}{after}"))
        });
        campus.log.append(records.collect()).await.unwrap();
        assert_eq!(
            campus.settled("store").await.delivered,
            u64::try_from(events).unwrap()
        );
        let parcels = sink.received();
        assert!(parcels.iter().all(|it| it.body.len() < 300 * 1024));
        let count = |body: &Bytes| json(body)["data"].as_array().unwrap().len();
        parcels.iter().map(|it| count(&it.body)).collect::<Vec<_>>()
    };
    assert_eq!(sizes("", 150).await, [100, 50]);
    // Of 8 KiB each, some thirty fit into 256 KiB.
    let long = sizes(&"long ".repeat(1600), 60).await;
    assert!((20..=32).contains(&long[0]), "{long:?}");
}
