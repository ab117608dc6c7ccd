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
    &["emit", "page_liked", "--set", "page_id=\"140\""],
    &[
        "emit",
        "course_created",
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
    let list = looked_at(&caller, 5).await;
    assert_eq!(list["sightings"].as_array().unwrap().len(), 5);
    // The order is that of the last time, which may be the same for several.
    let told = running.easel(&["drift"]);
    let mut lines: Vec<_> = told
        .stdout
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    lines.sort();
    insta::with_settings!({filters => vec![(r"\d{4}-\d\d-\d\dT[0-9:]+Z", "[time]")]}, {
        insta::assert_snapshot!(lines.join("\n"), @r#"
            DRIFT EVENT TYPE WHERE DECLARED FOUND COUNT FIRST SEEN LAST SEEN ROOT ACCOUNT EXAMPLE
            type_change module_created /body/position integer boolean 1 [time] [time] 70000000000001 true
            unknown_event_type page_liked - nothing 1 [time] [time] - {"metadata":{"event_name":"xxxx_…
            unknown_field course_created /body/pace - object 1 [time] [time] 70000000000001 {"weeks":9}
            unknown_field course_created /body/theme - string 1 [time] [time] 70000000000001 "xxxx"
            unlisted_value group_created /body/workflow_state string archived 1 [time] [time] 70000000000001 "xxxxxxxx"
            "#);
    });
    assert_eq!(told.stderr, "5 events looked at\n");

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
        5 events looked at
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
        5 events looked at
        ");
}

/// What is seen once so many events were looked at.
async fn looked_at(caller: &Caller, count: u64) -> Value {
    caller
        .wait_until("/v1/drift", |list: &Value| list["cursor"] == count)
        .await
}
