//! Tests of Caliper on the command line and in deliveries.

use std::collections::BTreeSet;
use std::fs;

use easel_catalog::{Catalog, EventOrigin};
use easel_testkit::Receiver;
use jiff::Timestamp;
use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::caller::Caller;
use crate::easel::{check, easel};
use crate::running::Running;

/// Returns a folder with an example of every event type in `events.ndjson`.
fn examples() -> TempDir {
    let folder = tempdir().unwrap();
    let catalog = Catalog::built_in();
    let example = |event_type| {
        catalog.example(event_type, EventOrigin::Request, Timestamp::UNIX_EPOCH) + "\n"
    };
    let lines: String = catalog.types().iter().map(example).collect();
    fs::write(folder.path().join("events.ndjson"), lines).unwrap();
    folder
}

#[test]
fn event_types_with_a_form_are_translated_and_the_others_are_counted() {
    let folder = examples();
    let ran = easel(
        folder.path(),
        &["translate", "--to", "caliper-strict", "events.ndjson"],
    );
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(ran.stdout.lines().count(), 32);
    let without_form = Catalog::built_in().types().len() - 32;
    let wanted = format!("32 translated, {without_form} without a Caliper form\n");
    assert!(ran.stderr.ends_with(&wanted), "{ran}");
    assert!(
        ran.stderr
            .contains("grade_override has no Caliper form: 1 skipped\n"),
        "{ran}"
    );
    fs::write(folder.path().join("strict.ndjson"), &ran.stdout).unwrap();
    check!(easel(folder.path(), &["check", "--caliper", "strict.ndjson"]), @r"
        exit 0
        --- stdout
        --- stderr
        32 envelopes, 0 with findings
        ");

    let ran = easel(
        folder.path(),
        &["translate", "--to", "caliper", "events.ndjson"],
    );
    fs::write(folder.path().join("plain.ndjson"), ran.stdout()).unwrap();
    check!(easel(folder.path(), &["check", "--caliper", "--summary", "plain.ndjson"]), @r"
        exit 65
        --- stdout
        RULE  LEVEL   BROKEN  REQUIRES
        N10   MUST         2  One id must not name entities of unrelated types.
        N6    MUST         9  Unknown properties of an entity must be in `extensions`.
        V5    MUST         1  The event type must allow the action.
        V8    MUST         2  The object must be of a type that the event allows.
        P2    SHOULD       1  An assessment event should have an attempt in `generated`.
        P3    SHOULD       1  An assignable event should have an attempt in `generated`.
        X3    sense        1  An event with a membership should have a group.
        --- stderr
        32 envelopes, 12 with findings
        error: envelopes with findings: 12, values that cannot be parsed: 0
        ");
}

#[test]
fn events_can_be_printed_without_envelopes_and_indented() {
    let folder = tempdir().unwrap();
    let event = r#"{"metadata":{"event_name":"wiki_page_deleted","event_time":"2026-02-11T08:15:42Z"},"body":{"title":"Cells","wiki_page_id":"7"}}"#;
    fs::write(folder.path().join("one.json"), event).unwrap();
    let args = [
        "translate",
        "--to",
        "caliper",
        "--only-event",
        "--pretty",
        "one.json",
    ];
    check!(easel(folder.path(), &args), @r#"
        exit 0
        --- stdout
        {
          "@context": "http://purl.imsglobal.org/ctx/caliper/v1p1",
          "id": "urn:uuid:[id]",
          "type": "Event",
          "actor": {
            "id": "http://www.canvaslms.com/",
            "type": "SoftwareApplication"
          },
          "action": "Deleted",
          "object": {
            "id": "urn:instructure:canvas:wikiPage:7",
            "type": "Page",
            "name": "Cells",
            "extensions": {
              "com.instructure.canvas": {
                "entity_id": "7"
              }
            }
          },
          "eventTime": "[time]",
          "edApp": {
            "id": "http://www.canvaslms.com/",
            "type": "SoftwareApplication"
          },
          "extensions": {
            "com.instructure.canvas": {
              "version": "1.0.0"
            }
          }
        }
        --- stderr
        1 translated, 0 without a Caliper form
        "#);
    let without_id = event.replace("\"7\"", "null");
    fs::write(
        folder.path().join("two.json"),
        format!("{event}\noops\n{without_id}\n"),
    )
    .unwrap();
    let ran = easel(folder.path(), &["translate", "--to", "caliper", "two.json"]);
    assert_eq!(
        (ran.code, ran.stdout.lines().count()),
        (Some(65), 1),
        "{ran}"
    );
    check!(&ran.stderr, @r"
        two.json:2: expected a value, found 'o'
        two.json:3: wiki_page_deleted cannot be translated: the id of the object is missing
        1 translated, 0 without a Caliper form
        error: events that could not be translated: 2
        ");
}

#[test]
fn secrets_are_masked_before_the_translation() {
    let folder = tempdir().unwrap();
    let event = r#"{"metadata":{"event_name":"wiki_page_deleted","event_time":"2026-02-11T08:15:42Z","url":"https://a.example/b?token=s3cret","referrer":"https://a.example/c?d=e&verifier=s3cret"},"body":{"title":"Cells","wiki_page_id":"7"}}"#;
    fs::write(folder.path().join("one.json"), event).unwrap();
    for format in ["caliper", "caliper-strict"] {
        let ran = easel(folder.path(), &["translate", "--to", format, "one.json"]);
        let envelope: Value = serde_json::from_str(&ran.stdout()).unwrap();
        let translated = &envelope["data"][0];
        assert_eq!(
            translated["extensions"]["com.instructure.canvas"]["request_url"],
            "https://a.example/b?token=masked"
        );
        assert_eq!(
            translated["referrer"],
            "https://a.example/c?d=e&verifier=masked"
        );
    }
}

#[test]
fn the_catalog_shows_a_caliper_form() {
    let folder = tempdir().unwrap();
    check!(easel(folder.path(), &["catalog", "syllabus_updated", "--caliper"]), @r"
        exit 0
        --- stdout
        syllabus_updated  in Caliper
          actor    the user of the metadata, else the installation
          course   course_id

        CALIPER
          type     Event
          action   Modified
          without the group
          object
            id        course:{course_id}
            type      'Document'
            name      'Syllabus'
            creators
              id    user:{actor}
              type  'Person'
            body      syllabus_body

        CALIPER-STRICT
          type     Event
          action   Modified
          object
            id          course:{course_id}:syllabus
            type        'Document'
            name        'Syllabus'
            extensions
              body  syllabus_body
            creators
              id    user:{actor}
              type  'Person'
        --- stderr
        ");
    check!(easel(folder.path(), &["catalog", "grade_override", "--caliper"]), @r"
        exit 65
        --- stdout
        --- stderr
        error: grade_override has no Caliper form
        ");
    let list = easel(folder.path(), &["catalog", "--caliper"]);
    let rows = list.stdout.lines().filter(|line| !line.starts_with(' '));
    assert_eq!(rows.count(), 33, "{list}");
}

#[test]
fn a_file_of_envelopes_is_checked_by_line() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("two.json"), "{\"sensor\":7}\n[1]\n{\n").unwrap();
    check!(easel(folder.path(), &["check", "--caliper", "two.json"]), @r"
        exit 65
        --- stdout
        two.json:1: /sendTime E2 (MUST): sendTime is missing
        two.json:1: /dataVersion E2 (MUST): dataVersion is missing
        two.json:1: /data E2 (MUST): data is missing
        two.json:1: /sensor E4 (MUST): must be a string
        two.json:2:  E1 (MUST): must be an object
        two.json:3: the envelope cannot be parsed: expected a key in quotes, found the end
        RULE  LEVEL  BROKEN  REQUIRES
        E1    MUST        1  An envelope must be an object.
        E2    MUST        3  Required: `sensor`, `sendTime`, `dataVersion` and `data`.
        E4    MUST        1  The sensor must be a string.
        --- stderr
        2 envelopes, 2 with findings
        error: envelopes with findings: 2, values that cannot be parsed: 1
        ");
}

#[test]
fn an_envelope_of_another_version_is_counted_separately_without_a_data_check() {
    let folder = tempdir().unwrap();
    let other = r#"{"sensor":"http://a/","sendTime":"2026-02-11T08:15:43.000Z","dataVersion":"http://purl.imsglobal.org/ctx/caliper/v1p2","data":[{"type":"ToolLaunchEvent"}]}"#;
    let strange = r#"{"sensor":"http://a/","sendTime":"2026-02-11T08:15:43.000Z","dataVersion":"http://purl.imsglobal.org/ctx/caliper/v1p1","data":[{"@context":"http://purl.imsglobal.org/ctx/caliper/v1p1","id":"http://a/1","type":"Person","name":"\ud800","extensions":{"\ud801":1e400}}]}"#;
    fs::write(
        folder.path().join("two.json"),
        format!("{other}\n{strange}\n"),
    )
    .unwrap();
    check!(easel(folder.path(), &["check", "--caliper", "two.json"]), @r"
        exit 65
        --- stdout
        two.json:1: /dataVersion E6 (MUST): the version must be http://purl.imsglobal.org/ctx/caliper/v1p1; the data is not checked
        RULE  LEVEL  BROKEN  REQUIRES
        E6    MUST        1  The data version must be that of Caliper 1.1.
        --- stderr
        2 envelopes, 1 with findings, 1 with another data version
        error: envelopes with findings: 1, values that cannot be parsed: 0
        ");
    let ran = easel(
        folder.path(),
        &["--json", "check", "--caliper", "--summary", "two.json"],
    );
    let summary: Value = serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(ran.code, Some(65), "{ran}");
    assert_eq!(
        summary["summary"],
        serde_json::json!({
            "envelopes": 2, "flawed": 1, "rules": { "E6": 1 }, "no_json": 0, "other_version": 1,
        })
    );
}

/// Delivers the same events to one subscription of each format.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_events_arrive_in_each_format_with_the_same_id() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let caller = Caller::new(&running);
    let formats = ["canvas", "caliper", "caliper-strict"];
    let mut receivers = Vec::new();
    for format in formats {
        let receiver = Receiver::start().await;
        let args = [
            "subscriptions",
            "add",
            format,
            "--webhook",
            &receiver.url(),
            "--format",
            format,
        ];
        running.easel(&args).stdout();
        receivers.push(receiver);
    }
    let catalog = Catalog::built_in();
    let types: Vec<_> = catalog
        .types()
        .iter()
        .filter(|event_type| event_type.caliper.is_some())
        .collect();
    for event_type in &types {
        running.easel(&["emit", event_type.name]).stdout();
    }
    running.easel(&["emit", "grade_override"]).stdout();
    let mut ids = Vec::new();
    for (format, receiver) in formats.iter().zip(&receivers) {
        let balance = caller.settled(format).await;
        let only_canvas = u64::from(*format == "canvas");
        assert_eq!(
            (balance.delivered, balance.filtered),
            (32 + only_canvas, 1 - only_canvas),
            "{format}"
        );
        let mut seen = BTreeSet::new();
        for request in receiver.received() {
            let name = request.header("easel-event-name").to_owned();
            let id = request.header("webhook-id").to_owned();
            if *format != "canvas" {
                assert_eq!(request.header("easel-mapper-version"), "1.0");
                let envelope: Value = serde_json::from_slice(&request.body).unwrap();
                assert_eq!(envelope["data"][0]["id"], format!("urn:uuid:{id}"));
            }
            if name != "grade_override" {
                seen.insert((name, id));
            }
        }
        ids.push(seen);
    }
    assert_eq!(ids[0].len(), 32);
    assert!(ids.iter().all(|id| *id == ids[0]));

    let unmapped_only = [
        "subscriptions",
        "add",
        "x",
        "--webhook",
        "http://127.0.0.1:1/",
        "--format",
        "caliper",
        "--event",
        "grade_override",
    ];
    let refused = running.easel(&unmapped_only);
    assert_eq!(refused.code, Some(65), "{refused}");
    assert!(
        refused
            .stderr
            .contains("grade_override has no Caliper form; the event types with a form are "),
        "{refused}"
    );
}
