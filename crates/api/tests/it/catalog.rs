//! Shows the catalogue and the drift.

use axum::http::StatusCode;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::fixture::Fixture;

#[tokio::test]
async fn event_types_are_listed_by_glob_and_shown_completely_by_name() {
    let fixture = Fixture::new().await;
    let list = fixture.get("/v1/catalog?event=grade_*").await;
    let names: Vec<_> = list["event_types"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event_type| &event_type["event"])
        .collect();
    assert_eq!(names, ["grade_change", "grade_override"]);
    assert_eq!(list["metadata"][0]["field"], "event_name");
    let all = fixture.get("/v1/catalog").await;
    let count = easel_catalog::Catalog::built_in().types().len();
    assert_eq!(all["event_types"].as_array().unwrap().len(), count);

    let event_type = fixture
        .get("/v1/catalog/outcomes.retry_outcome_alignment_clone")
        .await;
    assert_eq!(event_type["category"], "outcomes");
    let event_type = fixture.get("/v1/catalog/grade_change").await;
    let wanted = json!({
        "field": "old_grade", "type": "string", "null": true, "old_value_of": "grade",
        "privacy": "content", "about": "Grade before the change.", "example": "C",
    });
    let fields = event_type["body"].as_array().unwrap();
    assert!(fields.contains(&wanted), "{event_type}");
    let metadata = &event_type["example"]["metadata"];
    assert_eq!(metadata["event_name"], "grade_change");
}

#[tokio::test]
async fn a_schema_describes_the_requested_format() {
    let fixture = Fixture::new().await;
    let schema = fixture.get("/v1/catalog/grade_change/schema").await;
    assert_eq!(schema["$id"], "urn:easel:canvas:grade_change");
    assert_eq!(
        fixture
            .get("/v1/catalog/grade_change/schema?format=canvas")
            .await,
        schema
    );
    let (status, problem) = fixture
        .ask("GET", "/v1/catalog/grade_change/schema?format=xml", "")
        .await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::BAD_REQUEST, &json!("invalid_query"))
    );
    let strict = fixture
        .get("/v1/catalog/grade_change/schema?format=caliper-strict")
        .await;
    assert_eq!(strict["$id"], "urn:easel:caliper-strict:grade_change");
    let (status, problem) = fixture
        .ask(
            "GET",
            "/v1/catalog/grade_override/schema?format=caliper",
            "",
        )
        .await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::NOT_FOUND, &json!("no_such_form"))
    );
    for path in ["/v1/catalog/grade_chang", "/v1/catalog/grade_chang/schema"] {
        let (status, problem) = fixture.ask("GET", path, "").await;
        assert_eq!(
            (status, &problem["code"]),
            (StatusCode::NOT_FOUND, &json!("no_such_event_type"))
        );
    }
}

#[tokio::test]
async fn drift_is_listed_by_event_and_account_until_it_is_cleared() {
    let fixture = Fixture::new().await;
    let send = async |n, event: &str, account: &str| {
        let text = format!(
            r#"{{"metadata":{{"event_name":"{event}","event_time":"2026-02-11T08:15:42Z","root_account_id":"{account}"}},"body":{{}}}}"#
        );
        fixture.append_bytes(event, n, Bytes::from(text)).await;
    };
    send(0, "pen_lost", "70000000000001").await;
    send(1, "pen_found", "80000000000001").await;
    send(2, "logged_out", "80000000000001").await;
    let stop = CancellationToken::new();
    let scanned = async {
        while fixture.drift.report().cursor.get() < 3 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    tokio::join!(fixture.drift.run(stop.clone()), scanned);

    let events = async |path: &str| {
        let list = fixture.get(path).await;
        assert_eq!(list["cursor"], 3);
        let records = list["sightings"].as_array().unwrap().iter();
        let mut events: Vec<_> = records
            .map(|record| record["event"].as_str().unwrap().to_owned())
            .collect();
        events.sort();
        events
    };
    assert_eq!(events("/v1/drift").await, ["pen_found", "pen_lost"]);
    assert_eq!(events("/v1/drift?event=*_lost").await, ["pen_lost"]);
    assert_eq!(
        events("/v1/drift?root_account=80000000000001").await,
        ["pen_found"]
    );
    let list = fixture.get("/v1/drift?event=pen_lost").await;
    let record = &list["sightings"][0];
    assert_eq!(
        (&record["drift"], &record["count"]),
        (&json!("unknown_event_type"), &json!(1))
    );
    assert_eq!(record["example"]["offset"], 0);

    let (status, removed) = fixture.ask("DELETE", "/v1/drift", "").await;
    assert_eq!((status, removed), (StatusCode::OK, json!({ "removed": 2 })));
    assert_eq!(
        fixture.get("/v1/drift").await["sightings"],
        Value::Array(vec![])
    );
}
