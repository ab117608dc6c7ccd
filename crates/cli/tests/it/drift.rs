//! Drift after a release of Canvas, as the operator sees it.

use easel_testkit::Receiver;
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::caller::Caller;
use crate::easel::check;
use crate::running::Running;

/// The changes of the release: a new event type, two new fields, a field of another type, a new value
/// of an enum.
const RELEASE: [&[&str]; 4] = [
    &["emit", "page_liked", "--force", "--set", "page_id=\"140\""],
    &[
        "emit",
        "course_created",
        "--force",
        "--set",
        "pace={\"weeks\":8}",
        "--set",
        "theme=dark",
    ],
    &["emit", "module_created", "--set", "position=true"],
    &["emit", "group_created", "--set", "workflow_state=archived"],
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drift_is_listed_and_its_events_are_delivered_unchanged() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let (caller, receiver) = (Caller::new(&running), Receiver::start().await);
    caller.subscribe("every", "", &receiver.url()).await;
    running.easel(&["emit", "grade_change"]).stdout();
    for event in RELEASE {
        running.easel(event).stdout();
    }
    let received = receiver.wait_for(5).await;
    for request in received {
        let id = easel_catalog::event_id(&request.body).to_string();
        assert_eq!(request.header("webhook-id"), id, "{:?}", request.body);
    }
    // Five events that were sent, and one operator event about the first finding.
    let list = wait_until_checked(&caller, 6).await;
    assert_eq!(list["sightings"].as_array().unwrap().len(), 5);
    // The table is sorted by the time of the last occurrence, which several findings can share.
    let shown = running.easel(&["drift"]);
    let width = shown.stdout.lines().map(|line| line.chars().count()).max();
    assert!(width <= Some(80), "{shown}");
    let mut lines = rows(&shown.stdout);
    lines.sort();
    insta::with_settings!({filters => vec![(r"\d{4}-\d\d-\d\d", "[day]")]}, {
        insta::assert_snapshot!(lines.join("\n"), @r#"
            DRIFT WHERE FOUND COUNT LAST SEEN
            type_change module_created boolean (integer 1 [day] /body/position declared): true
            unknown_event_type page_liked nothing: 1 [day] {"metadata":{"event _name":"xxxx_…
            unknown_field course_created object: {"weeks":9} 1 [day] /body/pace
            unknown_field course_created string: "xxxx" 1 [day] /body/theme
            unlisted_value group_created archived (string 1 [day] /body/workflow_state declared): "xxxxxxxx"
            "#);
    });
    assert_eq!(shown.stderr, "6 events checked\n");

    let first: Value = serde_json::from_str(
        &running
            .easel(&["drift", "--event", "module_*", "--json"])
            .stdout(),
    )
    .unwrap();
    let finding = &first["sightings"][0];
    assert_eq!(
        (&finding["declared"], &finding["found"]),
        (&json!("integer"), &json!("boolean"))
    );
    check!(running.easel(&["drift", "--root-account", "1"]), @r"
        exit 0
        --- stdout
        --- stderr
        no drift found
        6 events checked
        ");
    check!(running.easel(&["drift", "clear"]), @r"
        exit 0
        --- stdout
        --- stderr
        deleted 5 findings
        ");
    check!(running.easel(&["drift"]), @r"
        exit 0
        --- stdout
        --- stderr
        no drift found
        6 events checked
        ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operator_events_report_new_drift() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let caller = Caller::new(&running);
    running.easel(RELEASE[0]).stdout();
    wait_until_checked(&caller, 2).await;
    check!(running.easel(&["tail", "--event", "easel.drift.*"]), @r#"
        exit 0
        --- stdout
        {"metadata":{"event_name":"easel.drift.found","event_time":"[time]","producer":"easel"},"body":{"found":[{"drift":"unknown_event_type","event_type":"page_liked","path":""}],"found_count":1}}
        --- stderr
        "#);
    check!(running.easel(&["tail", "--event", "easel.drift"]), @r"
        exit 0
        --- stdout
        --- stderr
        warning: --event easel.drift matches no event type of the catalogue; did you mean easel.drift.found?
        ");
    let all = running.easel(&["tail"]).stdout();
    assert_eq!(all.lines().count(), 1, "{all}");
    assert!(all.contains("page_liked"), "{all}");

    // Operator events pass a check and cannot be sent by clients.
    let own = folder.path().join("own.ndjson");
    let tail = running.easel(&["tail", "--event", "easel.*"]).stdout();
    std::fs::write(&own, tail).unwrap();
    check!(running.easel(&["check", own.to_str().unwrap()]), @r"
        exit 0
        --- stdout
        EVENT TYPE         EVENTS  WITH FINDINGS  FINDINGS
        easel.drift.found       1              0         0
        total                   1              0         0
        --- stderr
        ");
    check!(running.easel(&["emit", "easel.disk.low", "--force"]), @r#"
        exit 65
        --- stdout
        --- stderr
        the catalogue has no event type "easel.disk.low"; sending only the fields of --set
        error: the event_name must not begin with `easel.`; Easel alone sends such events, at line 1, column 27 (/metadata/event_name) (reserved_event_name)
        "#);
}

/// Returns the rows of a table with the words of their cells. A cell may span several lines.
fn rows(table: &str) -> Vec<String> {
    let mut rows: Vec<Vec<&str>> = Vec::new();
    for line in table.lines() {
        let words = line.split_whitespace();
        match rows.last_mut() {
            Some(row) if line.starts_with(' ') => row.extend(words),
            _ => rows.push(words.collect()),
        }
    }
    rows.into_iter().map(|row| row.join(" ")).collect()
}

/// Waits until `count` events were checked and returns the drift.
async fn wait_until_checked(caller: &Caller, count: u64) -> Value {
    caller
        .wait_until("/v1/drift", |list: &Value| list["cursor"] == count)
        .await
}
