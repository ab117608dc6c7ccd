//! The door of imports. The log detects no duplicates, so only the position can prevent them.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use bytes::Bytes;
use easel_ingest::recover_imports;
use easel_log::{Arrival, Log as _, NewRecord, Offset, Provenance, Read, SharedLog};
use easel_quarantine::NewQuarantined;
use easel_sources::{ImportKey, PendingPart};
use easel_testkit::event;
use serde_json::{Value, json};

use crate::doors::{Answer, Doors};

/// The space that each record takes in the file of these tests.
const SPACING: u64 = 2000;

/// A client of the door that imports one file. Record `n` is at byte `n * SPACING`.
struct Client<'a> {
    doors: &'a Doors,
    key: String,
    generation: u64,
}

impl<'a> Client<'a> {
    async fn begin(doors: &'a Doors) -> Self {
        let answer = begin(doors, "v1").await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let file = &answer.json["files"][0];
        Self {
            doors,
            key: file["key"].as_str().unwrap().to_owned(),
            generation: file["generation"].as_u64().unwrap(),
        }
    }

    /// Sends the records with these numbers as a part that ends before the record `end`.
    async fn send(&self, numbers: std::ops::Range<u64>, records: &[Bytes]) -> Answer {
        let (start, end) = (numbers.start * SPACING, numbers.end * SPACING);
        let mut body = Vec::new();
        for (number, record) in numbers.zip(records) {
            let head = json!({ "at": number * SPACING, "length": record.len() });
            body.extend_from_slice(format!("{head}\n").as_bytes());
            body.extend_from_slice(record);
            body.push(b'\n');
        }
        let query = format!("start={start}&end={end}&checkpoint=c{end}");
        self.send_body(&query, body).await
    }

    async fn send_body(&self, query: &str, body: impl Into<Body>) -> Answer {
        let Self {
            key, generation, ..
        } = self;
        let path = format!("/v1/imports/{key}/parts?generation={generation}&{query}");
        self.doors
            .send(Request::post(path).body(body.into()).unwrap())
            .await
    }

    async fn show(&self) -> Value {
        let path = format!("/v1/imports/{}", self.key);
        self.doors
            .send(Request::get(path).body(Body::empty()).unwrap())
            .await
            .json
    }
}

async fn begin(doors: &Doors, version: &str) -> Answer {
    let file = json!({ "location": "/archive/a.json", "size": 9, "version": version });
    let body = json!({ "files": [file] }).to_string();
    doors
        .send(Request::post("/v1/imports").body(body.into()).unwrap())
        .await
}

/// Returns record `n`: every third one is no event.
fn record(n: u64) -> Bytes {
    if n % 3 == 2 {
        return format!("{{\"broken\":{n}}}").into();
    }
    event("course_created", n)
}

fn records(numbers: std::ops::Range<u64>) -> Vec<Bytes> {
    numbers.map(record).collect()
}

#[track_caller]
fn check_counts(json: &Value, wanted: [u64; 4]) {
    let names = ["position", "accepted", "duplicates", "rejected"];
    let found = names.map(|name| json[name].as_u64().unwrap());
    assert_eq!(found, wanted, "{json}");
}

/// Checks that log and quarantine have the first `count` records of the file, each once.
async fn check_all(doors: &Doors, count: u64) {
    let (events, broken): (Vec<_>, Vec<_>) = (0..count).partition(|n| n % 3 != 2);
    let wanted: Vec<_> = events.into_iter().map(record).collect();
    let stored = doors.stored().await;
    assert!(stored == wanted, "{} events are stored", stored.len());
    let found: Vec<_> = doors
        .quarantined()
        .await
        .into_iter()
        .map(|found| found.bytes)
        .collect();
    assert_eq!(found, broken.into_iter().map(record).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_part_is_stored_with_its_place_and_moves_the_position() {
    let doors = Doors::without_duplicate_window();
    let client = Client::begin(&doors).await;
    let answer = client.send(0..4, &records(0..4)).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    check_counts(&answer.json["file"], [8000, 3, 0, 1]);
    assert_eq!(answer.json["faults"][0]["at"], 4000);
    assert_eq!(answer.json["faults"][0]["code"], "missing_metadata");
    check_all(&doors, 4).await;
    let Read::Block(block) = doors.log.read(Offset::ZERO).await.unwrap() else {
        panic!("no block");
    };
    let stored = block.record(Offset::new(2)).unwrap();
    assert_eq!(stored.provenance.source.as_deref(), Some("import:default"));
    let place = format!("{}:6000", client.key);
    assert_eq!(stored.arrival.unwrap().message_id.as_deref(), Some(&*place));
    let quarantined = &doors.quarantined().await[0];
    assert!(
        quarantined
            .detail
            .ends_with("; in /archive/a.json at byte 4000"),
        "{quarantined:?}"
    );
    assert_eq!(
        (&*quarantined.door, quarantined.source.as_deref()),
        ("import", Some("import:default"))
    );
}

#[tokio::test]
async fn a_part_that_is_sent_again_is_not_stored_again() {
    let doors = Doors::without_duplicate_window();
    let client = Client::begin(&doors).await;
    let first = client.send(0..4, &records(0..4)).await;
    let again = client.send(0..4, &records(0..4)).await;
    assert_eq!(first.json["file"], again.json["file"]);
    client.send(4..6, &records(4..6)).await;
    let again = client.send(0..4, &records(0..4)).await;
    check_counts(&again.json["file"], [12_000, 4, 0, 2]);
    check_all(&doors, 6).await;
}

#[tokio::test]
async fn a_part_at_another_position_is_refused() {
    let doors = Doors::without_duplicate_window();
    let client = Client::begin(&doors).await;
    for (start, end) in [(1, 2), (0, 4), (0, 2), (3, 5), (1, 5)] {
        let answer = client.send(start..end, &records(start..end)).await;
        let is_allowed = (start, end) == (0, 4) || (start, end) == (0, 2);
        let wanted = if is_allowed {
            StatusCode::OK
        } else {
            StatusCode::CONFLICT
        };
        assert_eq!(answer.status, wanted, "{start}..{end}: {answer:?}");
        if !is_allowed {
            assert_eq!(answer.json["code"], "wrong_position");
        }
    }
    check_all(&doors, 4).await;
}

#[tokio::test]
async fn a_second_client_takes_over_and_the_first_one_is_refused() {
    let doors = Doors::without_duplicate_window();
    let first = Client::begin(&doors).await;
    first.send(0..2, &records(0..2)).await;
    let second = Client::begin(&doors).await;
    let refused = first.send(2..4, &records(2..4)).await;
    assert_eq!(
        (refused.status, &refused.json["code"]),
        (StatusCode::CONFLICT, &json!("import_taken_over"))
    );
    check_counts(&second.show().await, [4000, 2, 0, 0]);
    second.send(2..4, &records(2..4)).await;
    check_all(&doors, 4).await;
}

#[tokio::test]
async fn a_value_of_many_parts_keeps_its_position_until_its_end() {
    let doors = Doors::without_duplicate_window();
    let client = Client::begin(&doors).await;
    let body = |numbers: std::ops::Range<u64>| {
        let mut body = String::new();
        for number in numbers {
            let text = String::from_utf8(record(number).to_vec()).unwrap();
            let head = json!({ "at": number, "length": text.len() });
            writeln!(body, "{head}\n{text}").unwrap();
        }
        body
    };
    client.send_body("start=0&end=0", body(0..3)).await;
    // A client that was interrupted sends the value from its start.
    client.send_body("start=0&end=0", body(0..3)).await;
    let answer = client
        .send_body("start=0&end=90&last=true", body(3..6))
        .await;
    check_counts(&answer.json["file"], [90, 4, 0, 2]);
    assert_eq!(answer.json["file"]["finished"], true);
    check_all(&doors, 6).await;
}

#[tokio::test]
async fn a_finished_file_stays_finished_until_it_changes() {
    let doors = Doors::without_duplicate_window();
    let client = Client::begin(&doors).await;
    let answer = client
        .send_body("start=0&end=90&checkpoint=x&last=true", Body::empty())
        .await;
    assert_eq!(answer.json["file"]["finished"], true);
    let same = begin(&doors, "v1").await.json["files"][0].clone();
    assert_eq!(
        (&same["generation"], &same["finished"]),
        (&json!(1), &json!(true))
    );
    let changed = begin(&doors, "v2").await.json["files"][0].clone();
    assert_eq!(
        (&changed["generation"], &changed["finished"]),
        (&json!(2), &json!(false))
    );
    assert_eq!(
        (&changed["position"], &changed["checkpoint"]),
        (&json!(90), &json!("x"))
    );
}

/// Appends the records of a part as a server does that is killed before it saves the position.
async fn append_and_crash(
    doors: &Doors,
    key: &str,
    numbers: std::ops::Range<u64>,
    with_events: bool,
) {
    let key: ImportKey = key.parse().unwrap();
    let heads = PendingPart {
        log: doors.log.bounds().borrow().head.get(),
        quarantine: doors.quarantine.head().get(),
    };
    doors.imports.mark_pending(&key, heads).unwrap();
    let provenance = Arc::new(Provenance {
        source: Some("import:default".into()),
        ..Provenance::default()
    });
    // Another door stores events too.
    let live = NewRecord::new(
        uuid::Uuid::from_u128(1),
        "live",
        Bytes::from_static(b"live"),
    );
    doors.log.append(vec![live]).await.unwrap();
    let (events, broken): (Vec<_>, Vec<_>) = numbers.partition(|n| n % 3 != 2);
    let broken = broken.into_iter().map(|n| NewQuarantined {
        door: "import",
        code: "x".to_owned(),
        detail: "x".to_owned(),
        source: Some("import:default".into()),
        reach: None,
        event_name: None,
        message_id: Some(format!("{key}:{}", n * SPACING).into()),
        bytes: record(n),
    });
    doors.quarantine.put(broken.collect()).await.unwrap();
    if with_events {
        let events = events.into_iter().map(|n| NewRecord {
            provenance: Arc::clone(&provenance),
            arrival: Some(Arc::new(Arrival {
                message_id: Some(format!("{key}:{}", n * SPACING).into()),
                sent_at: None,
            })),
            ..NewRecord::new(
                uuid::Uuid::from_u128(u128::from(n) + 7),
                "course_created",
                record(n),
            )
        });
        doors.log.append(events.collect()).await.unwrap();
    }
}

#[tokio::test]
async fn a_part_that_a_killed_server_stored_without_saving_is_not_stored_again() {
    for (with_events, at_start) in [(true, true), (true, false), (false, true), (false, false)] {
        let doors = Doors::without_duplicate_window();
        let client = Client::begin(&doors).await;
        client.send(0..4, &records(0..4)).await;
        append_and_crash(&doors, &client.key, 4..9, with_events).await;
        if at_start {
            let log: SharedLog = Arc::<easel_testkit::FailingLog>::clone(&doors.log);
            recover_imports(&doors.imports, &log, &doors.quarantine)
                .await
                .unwrap();
            assert!(doors.imports.pending().unwrap().is_empty());
        }
        let second = Client::begin(&doors).await;
        check_counts(&second.show().await, [8000, 3, 0, 1]);
        // The client may choose other parts now.
        second.send(4..6, &records(4..6)).await;
        second.send(6..10, &records(6..10)).await;
        check_counts(&second.show().await, [20_000, 7, 0, 3]);
        let live = doors
            .stored()
            .await
            .iter()
            .filter(|bytes| bytes[..] == b"live"[..])
            .count();
        assert_eq!(live, 1);
        let mut stored = doors.stored().await;
        stored.retain(|bytes| bytes[..] != b"live"[..]);
        let wanted: Vec<_> = (0..10).filter(|n| n % 3 != 2).map(record).collect();
        assert!(
            stored == wanted,
            "{with_events} {at_start}: {}",
            stored.len()
        );
        assert_eq!(doors.quarantined().await.len(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_part_that_the_log_stores_late_is_stored_once() {
    let doors = Doors::without_duplicate_window();
    let client = Client::begin(&doors).await;
    doors.log.hold_appends(true);
    let answer = client.send(0..4, &records(0..4)).await;
    assert_eq!(
        (answer.status, &answer.json["code"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("import_busy"))
    );
    let sent = records(0..4);
    let (again, ()) = tokio::join!(client.send(0..4, &sent), async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        doors.log.hold_appends(false);
    });
    check_counts(&again.json["file"], [8000, 3, 0, 1]);
    check_all(&doors, 4).await;
}

#[tokio::test]
async fn a_log_that_refuses_writes_leaves_the_position() {
    let doors = Doors::without_duplicate_window();
    let client = Client::begin(&doors).await;
    doors.log.fail_appends(true);
    let answer = client.send(0..4, &records(0..4)).await;
    assert_eq!(answer.json["code"], "log_unavailable", "{answer:?}");
    assert!(answer.headers.contains_key("retry-after"));
    doors.log.fail_appends(false);
    let answer = client.send(0..4, &records(0..4)).await;
    check_counts(&answer.json["file"], [8000, 3, 0, 1]);
    check_all(&doors, 4).await;
}

#[tokio::test]
async fn a_malformed_part_is_refused_with_its_reason() {
    let doors = Doors::without_duplicate_window();
    let client = Client::begin(&doors).await;
    for (query, body, status, code) in [
        ("start=0&end=9", "{}\n", 400, "bad_part"),
        ("start=0", "", 400, "invalid_query"),
        ("start=0&end=x", "", 400, "invalid_query"),
        ("start=2&end=1", "", 400, "invalid_query"),
        ("start=0&end=1&last=yes", "", 400, "invalid_query"),
        ("start=0&end=1&other=1", "", 400, "invalid_query"),
    ] {
        let answer = client.send_body(query, body).await;
        let found = (
            answer.status.as_u16(),
            answer.json["code"].as_str().unwrap(),
        );
        assert_eq!(found, (status, code), "{query}");
    }
    let request = Request::post("/v1/imports/0123456789abcdef/parts?generation=1&start=0&end=1");
    let answer = doors.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.json["code"], "no_such_import");
    for body in [
        "",
        "[]",
        "{}",
        r#"{"files":[{"location":""}]}"#,
        r#"{"name":"A","files":[]}"#,
    ] {
        let answer = doors
            .send(Request::post("/v1/imports").body(body.into()).unwrap())
            .await;
        assert_eq!(answer.json["code"], "invalid_import", "{body}: {answer:?}");
    }
}

#[tokio::test]
async fn a_forgotten_file_is_imported_from_its_start() {
    let doors = Doors::without_duplicate_window();
    let client = Client::begin(&doors).await;
    client.send(0..2, &records(0..2)).await;
    let list = doors
        .send(
            Request::get("/v1/imports?limit=5")
                .body(Body::empty())
                .unwrap(),
        )
        .await;
    assert_eq!(list.json["files"].as_array().unwrap().len(), 1);
    let delete = || {
        let path = format!("/v1/imports/{}", client.key);
        doors.send(Request::delete(path).body(Body::empty()).unwrap())
    };
    assert_eq!(delete().await.status, StatusCode::NO_CONTENT);
    assert_eq!(delete().await.json["code"], "no_such_import");
    let file = begin(&doors, "v1").await.json["files"][0].clone();
    check_counts(&file, [0, 0, 0, 0]);
}

#[tokio::test]
async fn a_large_record_and_a_message_of_sqs_come_with_what_is_known_about_them() {
    let doors = Doors::without_duplicate_window();
    let client = Client::begin(&doors).await;
    let envelope = r#"{"sensor":"s","data":[{"type":"Event","action":"Created","eventTime":"2019-11-05T07:38:00Z"}]}"#;
    let head = json!({ "at": 0, "length": envelope.len(), "event_name": "course_created", "sent_at": 1_573_000_000_000_u64 });
    let body = format!(
        "{head}\n{envelope}\n{{\"at\":100,\"length\":2,\"total_length\":99000000}}\n{{\"\n"
    );
    let answer = client
        .send_body("start=0&end=99000100&last=true", body)
        .await;
    assert_eq!(answer.json["faults"][0]["code"], "too_large", "{answer:?}");
    let Read::Block(block) = doors.log.read(Offset::ZERO).await.unwrap() else {
        panic!("no block");
    };
    let stored = block.record(Offset::ZERO).unwrap();
    assert_eq!(&*stored.event_type, "course_created");
    let sent_at = stored.arrival.unwrap().sent_at.unwrap();
    assert_eq!(sent_at.as_millisecond(), 1_573_000_000_000);
}
