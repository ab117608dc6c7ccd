//! What the audit records about requests, and how it is read.

use std::path::PathBuf;

use axum::http::StatusCode;
use easel_audit::AuditQuery;
use easel_catalog::Reach;
use serde_json::{Value, json};

use crate::fixture::Fixture;

/// Returns all entries as action, object and details.
async fn entries(fixture: &Fixture) -> Vec<(String, String, Value)> {
    let query = AuditQuery {
        limit: 1000,
        ..AuditQuery::default()
    };
    let (entries, _) = fixture.audit.list(query).await.unwrap();
    let entries = entries.into_iter();
    entries
        .map(|entry| (entry.action, entry.object, entry.details))
        .collect()
}

/// Makes every write of the audit fail, or succeed again.
fn block(path: PathBuf, sql: &str) {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.execute_batch(sql).unwrap();
}

const BLOCK: &str =
    "CREATE TRIGGER full BEFORE INSERT ON entries BEGIN SELECT raise(ABORT, 'full'); END";

#[tokio::test]
async fn a_change_is_recorded_with_its_object_and_the_names_of_changed_fields() {
    let fixture = Fixture::new().await;
    let spec = r#"{"name":"grades","webhook":{"url":"http://a.example/hunter2"}}"#;
    fixture.ask("POST", "/v1/subscriptions", spec).await;
    let patch = r#"{"events":["grade_*"],"webhook":{"url":"http://a.example/hunter3"}}"#;
    fixture
        .ask("PATCH", "/v1/subscriptions/grades", patch)
        .await;
    fixture
        .ask("POST", "/v1/subscriptions/grades/pause", "")
        .await;
    let token = r#"{"name":"reader","scopes":["read"]}"#;
    let (_, made) = fixture.ask("POST", "/v1/tokens", token).await;
    let id = made["id"].as_str().unwrap().to_owned();
    fixture.ask("DELETE", &format!("/v1/tokens/{id}"), "").await;
    fixture
        .ask("POST", "/v1/keys/signing/ES256/rotate", "")
        .await;
    fixture.ask("DELETE", "/v1/subscriptions/grades", "").await;
    let found = entries(&fixture).await;
    let shown: Vec<_> = found
        .iter()
        .map(|(action, object, _)| (action.as_str(), object.as_str()))
        .collect();
    assert_eq!(
        shown,
        [
            ("subscription.create", "grades"),
            ("subscription.change", "grades"),
            ("subscription.pause", "grades"),
            ("token.create", id.as_str()),
            ("token.remove", id.as_str()),
            ("signing_key.rotate", "ES256"),
            ("subscription.remove", "grades"),
        ]
    );
    assert_eq!(found[1].2, json!({ "changed": ["events", "webhook.url"] }));
    assert_eq!(
        found[3].2,
        json!({ "name": "reader", "scopes": "read", "reach": "*" })
    );
    let text = format!("{found:?}");
    assert!(
        !text.contains("hunter") && !text.contains("easel_"),
        "{text}"
    );
}

#[tokio::test]
async fn a_refused_change_is_not_recorded() {
    let fixture = Fixture::new().await;
    fixture.ask("POST", "/v1/subscriptions", "{}").await;
    fixture.ask("DELETE", "/v1/subscriptions/nobody", "").await;
    fixture.raw("DELETE", "/v1/drift", "", None).await;
    fixture
        .raw("DELETE", "/v1/drift", "", Some("easel_wrong"))
        .await;
    fixture.ask("GET", "/v1/events/7", "").await;
    fixture.ask("GET", "/v1/status", "").await;
    assert_eq!(entries(&fixture).await, []);
}

#[tokio::test]
async fn every_look_at_a_payload_is_recorded_and_an_empty_page_is_not() {
    let fixture = Fixture::new().await;
    fixture.get("/v1/events").await;
    assert_eq!(entries(&fixture).await, []);
    fixture.append("course_created", 0..5).await;
    let page = fixture.get("/v1/events?from=1&limit=3").await;
    let id = page["events"][0]["id"].as_str().unwrap().to_owned();
    fixture.get(&format!("/v1/events/{id}")).await;
    let stream = fixture.stream("/v1/events/stream?from=0").await;
    assert_eq!(stream.status(), StatusCode::OK);
    let found = entries(&fixture).await;
    assert_eq!(
        found,
        [
            (
                "events.read".to_owned(),
                String::new(),
                json!({ "events": 3, "first_offset": 1, "last_offset": 3 })
            ),
            (
                "event.read".to_owned(),
                id,
                json!({ "events": 1, "first_offset": 1, "last_offset": 1 })
            ),
            (
                "events.stream".to_owned(),
                String::new(),
                json!({ "stream": "begun" })
            ),
        ]
    );
    // Further looks within the minute are summed up.
    fixture.get("/v1/events").await;
    assert_eq!(entries(&fixture).await.len(), 3);
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_is_not_recorded() {
    let fixture = Fixture::new().await;
    let spec = r#"{"name":"grades","webhook":{"url":"http://a.example/"}}"#;
    fixture.ask("POST", "/v1/subscriptions", spec).await;
    fixture.append("course_created", 0..5).await;
    let path = "/v1/subscriptions/grades/replays";
    let dry_run = r#"{"from":"earliest","dry_run":true}"#;
    let (status, _) = fixture.ask("POST", path, dry_run).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(entries(&fixture).await.len(), 1);
    let (status, _) = fixture.ask("POST", path, r#"{"from":"earliest"}"#).await;
    assert_eq!(status, StatusCode::CREATED);
    let found = entries(&fixture).await;
    let started = ("replay.start".to_owned(), "grades/1".to_owned());
    assert_eq!((found[1].0.clone(), found[1].1.clone()), started);
    assert_eq!(found[1].2, json!({ "from": 0, "to": 5 }));
}

#[tokio::test]
async fn nothing_is_changed_or_shown_while_the_audit_cannot_be_written() {
    let fixture = Fixture::new().await;
    fixture.append("course_created", 0..1).await;
    let path = fixture.folder().join("audit.db");
    block(path.clone(), BLOCK);
    // The first change is made before its entry fails. The entry is written later.
    let token = r#"{"name":"one","scopes":["read"]}"#;
    let (status, problem) = fixture.ask("POST", "/v1/tokens", token).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{problem}");
    assert_eq!(problem["code"], "audit_unavailable");
    let count = fixture.tokens.list(&Reach::Everything).len();
    let (status, _) = fixture.ask("POST", "/v1/tokens", token).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(fixture.tokens.list(&Reach::Everything).len(), count);
    let (status, problem) = fixture.ask("GET", "/v1/events", "").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(problem["code"], "audit_unavailable");
    let status = fixture.get("/v1/status").await;
    assert_eq!(status["attention"][0]["code"], "audit_failing");

    block(path, "DROP TRIGGER full");
    fixture.audit.write_due().await.unwrap();
    fixture.get("/v1/events").await;
    let found = entries(&fixture).await;
    let actions: Vec<_> = found.iter().map(|(action, ..)| action.as_str()).collect();
    assert_eq!(actions, ["token.create", "events.read"]);
}

#[tokio::test]
async fn a_change_is_made_and_recorded_although_its_client_leaves() {
    let fixture = Fixture::new().await;
    let token = r#"{"name":"one","scopes":["read"]}"#;
    {
        let asking = fixture.ask("POST", "/v1/tokens", token);
        let asking = std::pin::pin!(asking);
        // The request begins, and its client leaves before the answer.
        let waker = std::task::Waker::noop();
        let mut context = std::task::Context::from_waker(waker);
        assert!(asking.poll(&mut context).is_pending());
    }
    fixture.tasks.close();
    fixture.tasks.wait().await;
    assert_eq!(fixture.tokens.list(&Reach::Everything).len(), 2);
    assert_eq!(entries(&fixture).await[0].0, "token.create");
}

#[tokio::test]
async fn entries_are_listed_by_filters_and_pages_and_the_chain_is_verified() {
    let fixture = Fixture::new().await;
    for name in ["a", "b", "c"] {
        let spec = format!(r#"{{"name":"{name}","webhook":{{"url":"http://a.example/"}}}}"#);
        fixture.ask("POST", "/v1/subscriptions", &spec).await;
    }
    fixture.ask("POST", "/v1/deliveries/pause", "").await;
    let page = fixture.get("/v1/audit?limit=2").await;
    assert_eq!(page["entries"].as_array().unwrap().len(), 2);
    let entry = &page["entries"][0];
    assert_eq!(entry["number"], 1);
    assert_eq!(entry["reach"], "*");
    assert_eq!(
        entry["actor"],
        fixture.tokens.list(&Reach::Everything)[0].id
    );
    assert_eq!(page["next"], "3");
    let rest = fixture.get("/v1/audit?from=3&action=subscription.*").await;
    assert_eq!(rest["entries"].as_array().unwrap().len(), 1);
    assert_eq!(rest["entries"][0]["object"], "c");
    let none = fixture.get("/v1/audit?until=2000-01-01T00:00:00Z").await;
    assert_eq!(none["entries"], json!([]));
    for query in ["from=x", "limit=0", "since=soon"] {
        let (status, problem) = fixture.ask("GET", &format!("/v1/audit?{query}"), "").await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{query}");
        assert_eq!(problem["code"], "invalid_range");
    }
    let checked = fixture.get("/v1/audit/verify").await;
    assert_eq!(
        (&checked["valid"], &checked["entries"]),
        (&json!(true), &json!(4))
    );
    let newest = checked["newest"].as_str().unwrap();
    let again = fixture
        .get(&format!("/v1/audit/verify?expect={newest}"))
        .await;
    assert_eq!(again["valid"], true);
    let other = format!("4:{}", "0".repeat(64));
    let wrong = fixture
        .get(&format!("/v1/audit/verify?expect={other}"))
        .await;
    assert_eq!(wrong["faults"][0]["fault"], "not_expected");
    let (status, _) = fixture.ask("GET", "/v1/audit/verify?expect=4", "").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
}
