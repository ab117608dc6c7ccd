//! A release of Canvas that changes things, as its operator sees it.

use easel_testkit::Receiver;
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::caller::Caller;
use crate::easel::check;
use crate::running::Running;

/// What the release brings: a new event type, two new fields, a field of another kind, a new value
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
async fn what_a_release_changes_is_shown_and_delivered_untouched() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let (caller, receiver) = (Caller::of(&running), Receiver::start().await);
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
    // Five that were sent, and the one by which operators are told of the first that is new.
    let list = looked_at(&caller, 6).await;
    assert_eq!(list["sightings"].as_array().unwrap().len(), 5);
    // The order is that of the last time, which may be the same for several.
    let told = running.easel(&["drift"]);
    let width = told.stdout.lines().map(|line| line.chars().count()).max();
    assert!(width <= Some(80), "{told}");
    let mut lines = rows(&told.stdout);
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
    assert_eq!(told.stderr, "6 events looked at\n");

    let one: Value = serde_json::from_str(
        &running
            .easel(&["drift", "--event", "module_*", "--json"])
            .stdout(),
    )
    .unwrap();
    let it = &one["sightings"][0];
    assert_eq!(
        (&it["declared"], &it["found"]),
        (&json!("integer"), &json!("boolean"))
    );
    check!(running.easel(&["drift", "--root-account", "1"]), @r"
        exit 0
        --- stdout
        --- stderr
        nothing that the catalogue does not know
        6 events looked at
        ");
    check!(running.easel(&["drift", "clear"]), @r"
        exit 0
        --- stdout
        --- stderr
        forgot 5
        ");
    check!(running.easel(&["drift"]), @r"
        exit 0
        --- stdout
        --- stderr
        nothing that the catalogue does not know
        6 events looked at
        ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_see_what_is_new_by_asking_for_operator_events() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let caller = Caller::of(&running);
    running.easel(RELEASE[0]).stdout();
    looked_at(&caller, 2).await;
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

    // They are no finding of a check, and cannot be sent.
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
        the catalogue has no event type "easel.disk.low"; only what is set is sent
        error: the event_name must not begin with `easel.`; Easel alone sends such events, at line 1, column 27 (/metadata/event_name) (reserved_event_name)
        "#);
}

/// The rows of a table, each with the words of its cells, however many lines those take.
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

/// What is seen once so many events were looked at.
async fn looked_at(caller: &Caller, count: u64) -> Value {
    caller
        .wait_until("/v1/drift", |list: &Value| list["cursor"] == count)
        .await
}
