//! Tests of the Caliper formats: translated events, events without a form, and envelopes.

use std::sync::Arc;

use easel_catalog::{Catalog, EventOrigin, Limits, admit, admit_hosted};
use easel_log::{NewRecord, Provenance, Shape};
use easel_sinks::{Batch, Item};
use easel_subscriptions::Term;
use easel_testkit::RecordingSink;
use serde_json::Value;
use uuid::Uuid;

use crate::fixture::{Fixture, refused};

/// Returns the catalogue's example of an event type. `second` is its time.
fn event(event_type: &str, second: i64) -> NewRecord {
    let catalog = Catalog::built_in();
    let time = jiff::Timestamp::from_second(second).unwrap();
    let example = catalog.example(catalog.get(event_type).unwrap(), EventOrigin::Request, time);
    record(&example)
}

fn record(text: &str) -> NewRecord {
    let event = admit(text.as_bytes(), &Limits::default()).unwrap();
    NewRecord::new(event.id, event.event_type, event.bytes)
}

/// Returns an event that came in as a Caliper envelope.
fn came_in_caliper(event_name: &str, user: u64, course: u64) -> NewRecord {
    let text = format!(
        r#"{{"sensor":"http://a.example/","sendTime":"2026-09-03T06:48:18.000Z","dataVersion":"v","data":[{{"type":"AssessmentEvent","action":"Submitted","eventTime":"2026-09-03T06:48:17.268Z","referrer":"https://a.example/?token=s3cret","actor":{{"id":"urn:instructure:canvas:user:{user}"}},"group":{{"id":"urn:instructure:canvas:course:{course}"}}}}]}}"#
    );
    let event = admit_hosted(text.as_bytes(), &Limits::default(), Some(event_name)).unwrap();
    let provenance = Provenance {
        shape: Shape::Caliper,
        ..Provenance::default()
    };
    NewRecord {
        provenance: Arc::new(provenance),
        ..NewRecord::new(event.id, event.event_type, event.bytes)
    }
}

fn json(item: &Item) -> Value {
    serde_json::from_slice(item.form.bytes()).unwrap()
}

fn ids(batch: &Batch) -> Vec<Uuid> {
    batch.items.iter().map(|item| item.id).collect()
}

fn subscription(name: &str, format: &str, more: &str) -> String {
    format!(r#"{{"name":"{name}","format":"{format}","webhook":{{"url":"http://a/"{more}}}}}"#)
}

#[tokio::test(start_paused = true)]
async fn each_format_gets_its_own_form_and_an_event_without_a_form_is_filtered() {
    let fixture = Fixture::new().await;
    let mut sinks = Vec::new();
    for format in ["canvas", "caliper", "caliper-strict"] {
        sinks.push(fixture.subscribe(&subscription(format, format, "")).await);
    }
    let sent = event("grade_change", 1);
    let without_user = r#"{"metadata":{"event_name":"quiz_submitted","event_time":"2026-02-11T08:15:42Z"},"body":{}}"#;
    let records = vec![
        sent.clone(),
        event("module_created", 2),
        record(without_user),
    ];
    fixture.log.append(records).await.unwrap();

    for (format, delivered) in [("canvas", 3), ("caliper", 1), ("caliper-strict", 1)] {
        let balance = fixture.settled(format).await;
        let terms = [Term::Delivered, Term::Filtered, Term::OtherFormat];
        let others = 3 - delivered;
        assert_eq!(
            terms.map(|term| balance.get(term)),
            [delivered, others, others],
            "{format}"
        );
    }
    let items: Vec<_> = sinks
        .iter()
        .map(|sink| Arc::clone(&sink.received()[0].items[0]))
        .collect();
    assert!(
        items
            .iter()
            .all(|item| item.id == sent.id && &*item.event_type == "grade_change")
    );
    assert_eq!(items[0].form.bytes(), sent.bytes);
    let urn = format!("urn:uuid:{}", sent.id);
    for (item, attempt_name) in [
        (&items[1], "submission:233"),
        (&items[2], "submission:233:score"),
    ] {
        let event = json(item);
        assert_eq!(event["id"], urn);
        let score = event["generated"]["id"].as_str().unwrap();
        assert!(
            score.ends_with(&attempt_name.replace("233", "70000000000233")),
            "{score}"
        );
        assert!(!event.to_string().contains("grade_change"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_envelope_that_came_in_is_sent_as_it_is_and_only_in_the_format_caliper() {
    let fixture = Fixture::new().await;
    let mut sinks = Vec::new();
    for format in ["canvas", "caliper", "caliper-strict"] {
        sinks.push(fixture.subscribe(&subscription(format, format, "")).await);
    }
    let open = subscription("open", "caliper", r#","batch":10"#)
        .replace("\"format\"", "\"masking\":\"off\",\"format\"");
    let open = fixture.subscribe(&open).await;
    let sent: Vec<_> = (0..3)
        .map(|n| came_in_caliper("quiz_submitted", n + 1, 5))
        .collect();
    fixture.log.append(sent.clone()).await.unwrap();

    for (format, delivered) in [
        ("canvas", 0),
        ("caliper", 3),
        ("caliper-strict", 0),
        ("open", 3),
    ] {
        let balance = fixture.settled(format).await;
        let terms = [Term::Delivered, Term::Filtered, Term::OtherFormat];
        let others = 3 - delivered;
        assert_eq!(
            terms.map(|term| balance.get(term)),
            [delivered, others, others],
            "{format}"
        );
    }
    let items = |sink: &RecordingSink| -> Vec<_> {
        let batches = sink.received();
        // Envelopes that came in never share a request.
        assert!(batches.iter().all(|batch| batch.items.len() == 1));
        let mut items: Vec<_> = batches.into_iter().flat_map(|batch| batch.items).collect();
        items.sort_by_key(|item| item.offset);
        items
    };
    for ((item, plain), sent) in items(&sinks[1]).iter().zip(items(&open)).zip(&sent) {
        assert_eq!(plain.form.bytes(), sent.bytes);
        let wanted = String::from_utf8(sent.bytes.to_vec()).unwrap();
        let wanted = wanted.replace("token=s3cret", "token=masked");
        assert_eq!(str::from_utf8(item.form.bytes()), Ok(wanted.as_str()));
        assert_eq!(item.event_time, "2026-09-03T06:48:17.268Z");
        assert_eq!(&*item.event_type, "quiz_submitted");
    }
}

#[tokio::test(start_paused = true)]
async fn globs_and_conditions_select_envelopes_and_the_rest_is_not_counted_as_another_format() {
    let fixture = Fixture::new().await;
    let with = |name: &str, format: &str, more: &str| {
        subscription(name, format, "").replace("\"format\"", &format!("{more},\"format\""))
    };
    let course = r#""conditions":{"course":["5"]}"#;
    let user = r#""events":["quiz_*"],"conditions":{"user":["1","2"]}"#;
    fixture.subscribe(&with("course", "caliper", course)).await;
    fixture.subscribe(&with("user", "caliper", user)).await;
    fixture.subscribe(&with("canvas", "canvas", course)).await;
    let records = vec![
        came_in_caliper("quiz_submitted", 1, 5),
        came_in_caliper("quiz_submitted", 2, 6),
        came_in_caliper("grade_change", 3, 5),
        event("grade_change", 1),
        event("module_created", 2),
    ];
    fixture.log.append(records).await.unwrap();
    for (name, delivered, other_format) in [("course", 2, 0), ("user", 2, 0), ("canvas", 0, 2)] {
        let balance = fixture.settled(name).await;
        let terms = [Term::Delivered, Term::Filtered, Term::OtherFormat];
        assert_eq!(
            terms.map(|term| balance.get(term)),
            [delivered, 5 - delivered, other_format],
            "{name}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_matches_for_itself_counts_the_same_as_one_that_follows_the_feed() {
    let mut fixture = Fixture::new().await;
    // More events of each kind than a lane may owe.
    let records: Vec<_> = (0..3_000)
        .map(|n| match n % 3 {
            0 => came_in_caliper("quiz_submitted", n + 1, 5),
            1 => event("grade_change", i64::try_from(n).unwrap()),
            _ => event("module_created", i64::try_from(n).unwrap()),
        })
        .collect();
    fixture.log.append(records[..1_500].to_vec()).await.unwrap();
    for (name, format) in [
        ("canvas", "canvas"),
        ("caliper", "caliper"),
        ("strict", "caliper-strict"),
    ] {
        let json = subscription(name, format, "")
            .replace("\"format\"", "\"start\":\"earliest\",\"format\"");
        fixture.subscribe(&json).await;
        fixture.settled(name).await;
    }
    for chunk in records[1_500..].chunks(100) {
        fixture.log.append(chunk.to_vec()).await.unwrap();
    }
    for name in ["canvas", "caliper", "strict"] {
        fixture.settled(name).await;
    }
    fixture.crash().await;
    fixture.start();
    for (name, wanted) in [
        ("canvas", [2_000, 1_000, 1_000]),
        ("caliper", [2_000, 1_000, 1_000]),
        ("strict", [1_000, 2_000, 2_000]),
    ] {
        let balance = fixture.settled(name).await;
        let terms = [Term::Delivered, Term::Filtered, Term::OtherFormat];
        assert_eq!(terms.map(|term| balance.get(term)), wanted, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_form_is_made_once_for_all_lanes_and_attempts() {
    let fixture = Fixture::new().await;
    let first = fixture.subscribe(&subscription("a", "caliper", "")).await;
    let second = fixture.subscribe(&subscription("b", "caliper", "")).await;
    second.answer_in_order([Err(refused(500))]);
    fixture
        .log
        .append(vec![event("grade_change", 1)])
        .await
        .unwrap();
    fixture.settled("a").await;
    fixture.settled("b").await;
    let item = |sink: &RecordingSink, index: usize| Arc::clone(&sink.received()[index].items[0]);
    let wanted = item(&first, 0);
    assert!(Arc::ptr_eq(&wanted, &item(&second, 0)));
    assert!(Arc::ptr_eq(&wanted, &item(&second, 1)));
}

#[tokio::test(start_paused = true)]
async fn several_events_share_an_envelope_and_its_result() {
    let fixture = Fixture::new().await;
    let sink = fixture
        .subscribe(&subscription("store", "caliper", r#","batch":4"#))
        .await;
    sink.answer_in_order([Err(refused(500))]);
    let records: Vec<_> = (0..10).map(|n| event("course_created", n)).collect();
    let mut wanted: Vec<_> = records.iter().map(|record| record.id).collect();
    fixture.log.append(records).await.unwrap();

    let balance = fixture.settled("store").await;
    assert_eq!(balance.get(Term::Delivered), 10);
    let batches = sink.received();
    // The first batch failed. All its events are sent again, in one batch.
    let first = ids(&batches[0]);
    assert_eq!(first.len(), 4);
    let again: Vec<_> = batches[1..]
        .iter()
        .filter(|batch| ids(batch) == first)
        .collect();
    assert_eq!(again.len(), 1);
    assert_eq!((batches[0].attempt.get(), again[0].attempt.get()), (1, 2));
    assert!(
        batches
            .iter()
            .all(|batch| (1..=4).contains(&batch.items.len()))
    );
    let mut arrived: Vec<_> = batches[1..].iter().flat_map(ids).collect();
    arrived.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(arrived, wanted);
    assert!(batches.len() < 10, "{} requests", batches.len());
}

#[tokio::test(start_paused = true)]
async fn events_of_different_installations_do_not_share_an_envelope() {
    let fixture = Fixture::new().await;
    let sink = fixture
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
    fixture.log.append(records).await.unwrap();
    assert_eq!(fixture.settled("store").await.get(Term::Delivered), 6);
    for batch in sink.received() {
        let sensors = batch
            .items
            .iter()
            .map(|item| json(item)["edApp"]["id"].clone());
        let sensors: Vec<_> = sensors.collect();
        assert!(
            sensors.iter().all(|sensor| *sensor == sensors[0]),
            "{sensors:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_envelope_is_filled_up_to_its_limits() {
    let one_in_flight = subscription("store", "caliper", r#","batch":100"#)
        .replace("\"format\"", "\"in_flight\":1,\"format\"");
    let sizes = async |title: &str, events: i64| {
        let fixture = Fixture::new().await;
        let sink = fixture.subscribe(&one_in_flight).await;
        let records = (0..events).map(|n| {
            let text = String::from_utf8(event("course_created", n).bytes.to_vec()).unwrap();
            let (before, after) = text.split_once("\"name\":\"").unwrap();
            record(&format!("{before}\"name\":\"{title}{after}"))
        });
        fixture.log.append(records.collect()).await.unwrap();
        assert_eq!(
            fixture.settled("store").await.get(Term::Delivered),
            u64::try_from(events).unwrap()
        );
        let batches = sink.received();
        let bytes = |batch: &Batch| -> usize {
            let items = batch.items.iter();
            items.map(|item| item.form.bytes().len()).sum()
        };
        assert!(batches.iter().all(|batch| bytes(batch) < 300 * 1024));
        batches
            .iter()
            .map(|batch| batch.items.len())
            .collect::<Vec<_>>()
    };
    assert_eq!(sizes("", 150).await, [100, 50]);
    // About thirty events of 8 KiB fit into 256 KiB.
    let long = sizes(&"long ".repeat(1600), 60).await;
    assert!((20..=32).contains(&long[0]), "{long:?}");
}
