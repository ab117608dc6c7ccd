//! The door for changes.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use easel_access::{Authorizer, Scope, Tokens};
use easel_ingest::{IntakeOptions, KinesisAuth};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::doors::{Answer, Doors};

impl Doors {
    async fn changes(&self, content_type: &str, body: impl Into<Body>) -> Answer {
        let request = Request::post("/v1/changes")
            .header("content-type", content_type)
            .body(body.into());
        self.send(request.unwrap()).await
    }

    async fn change(&self, change: &Value) -> Answer {
        self.changes("application/json", change.to_string()).await
    }

    async fn ask(&self, query: &str, changes: &Value) -> Answer {
        let request = Request::post(format!("/v1/changes{query}"))
            .header("content-type", "application/json")
            .body(changes.to_string().into());
        self.send(request.unwrap()).await
    }

    async fn names(&self) -> Vec<String> {
        let stored = self.stored().await;
        let name = |bytes: &bytes::Bytes| {
            let event: Value = serde_json::from_slice(bytes).unwrap();
            event["metadata"]["event_name"].as_str().unwrap().to_owned()
        };
        stored.iter().map(name).collect()
    }
}

fn page(title: &str) -> Value {
    json!({ "id": 5, "title": title, "body": "<p>Fins.</p>", "workflow_state": "active", "updated_at": "2026-02-11T08:15:41Z" })
}

fn renamed(number: u32) -> Value {
    json!({
        "record": "WikiPage",
        "operation": "update",
        "before": page("Fish"),
        "after": page(&format!("Fish, part {number}")),
    })
}

fn idle() -> Value {
    let mut after = page("Fish");
    after["updated_at"] = json!("2026-02-12T00:00:00Z");
    json!({ "record": "WikiPage", "operation": "update", "before": page("Fish"), "after": after })
}

#[tokio::test]
async fn the_answer_has_the_events_of_a_change_and_the_gates_of_the_others() {
    let doors = Doors::open();
    let answer = doors.change(&renamed(1)).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    assert_eq!(answer.json["accepted"], 1);
    let event = &answer.json["changes"][0]["events"][0];
    assert_eq!(
        (&event["event_name"], &event["offset"], &event["status"]),
        (&json!("wiki_page_updated"), &json!(0), &json!("accepted"))
    );
    assert_eq!(event["id"].as_str().unwrap().len(), 36);

    let answer = doors.change(&idle()).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    let no_event = ["wiki_page_updated", "wiki_page_deleted"].map(
        |name| json!({ "event_name": name, "gate": "only updated_at or sis_batch_id changed" }),
    );
    assert_eq!(
        answer.json,
        json!({ "accepted": 0, "duplicates": 0, "changes": [{ "events": [], "no_event": no_event, "warnings": [] }] })
    );
    let deleted = json!({ "record": "Course", "operation": "delete", "before": { "id": 1 } });
    let answer = doors.change(&deleted).await;
    assert_eq!(
        answer.json["changes"][0]["no_event"],
        json!([{ "gate": "deleting this record makes no event" }])
    );
    assert_eq!(doors.names().await, ["wiki_page_updated"]);
}

#[tokio::test]
async fn changes_are_sent_alone_in_an_array_or_one_per_line() {
    let doors = Doors::open();
    let two = json!([renamed(1), idle(), renamed(2)]);
    let answer = doors.change(&two).await;
    assert_eq!(answer.json["accepted"], 2, "{answer:?}");
    let lines = format!("{}\n\n{}\n", renamed(3), renamed(4));
    let answer = doors.changes("application/x-ndjson", lines).await;
    assert_eq!(answer.json["accepted"], 2, "{answer:?}");
    assert_eq!(answer.json["changes"].as_array().unwrap().len(), 2);
    // Equal changes at the same time: in one request, each makes an event; in two requests, the second
    // event is a duplicate.
    let twice =
        json!([renamed(5), renamed(5), { "action": "logged_out" }, { "action": "logged_out" }]);
    let answer = doors.change(&twice).await;
    assert_eq!(answer.json["accepted"], 4, "{answer:?}");
    let answer = doors.change(&renamed(4)).await;
    assert_eq!(answer.json["duplicates"], 1, "{answer:?}");
    assert_eq!(doors.names().await.len(), 8);
}

#[tokio::test]
async fn a_fault_rejects_the_request_and_the_answer_has_the_place_of_each_fault() {
    let doors = Doors::open();
    let mut wrong = renamed(2);
    wrong["record"] = json!("WikiPage");
    wrong["operation"] = json!("insert");
    wrong["before"] = Value::Null;
    wrong["after"] = json!({ "id": 5, "title": 7, "body": 9 });
    let answer = doors
        .change(&json!([renamed(1), wrong, {"record": "Fish", "after": 7}]))
        .await;
    assert_eq!(
        answer.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{answer:?}"
    );
    assert_eq!(answer.json["code"], "bad_change");
    assert_eq!(answer.json["fault_count"], 4);
    assert_eq!(answer.json["faulty_change_count"], 2);
    assert_eq!(
        answer.json["faults"],
        json!([
            { "change": 1, "at": "/after/body", "detail": "`body` must be a string" },
            { "change": 1, "at": "/after/title", "detail": "`title` must be a string" },
            { "change": 2, "at": "/after", "detail": "this must be an object" },
            { "change": 2, "at": "/operation", "detail": "this must be `insert`, `update` or `delete`" },
        ])
    );
    assert_eq!(doors.names().await, [""; 0]);
}

#[tokio::test]
async fn a_value_that_the_catalogue_does_not_expect_is_stored_with_a_warning() {
    let doors = Doors::open();
    let mut change = renamed(1);
    change["after"]["title"] = Value::Null;
    change["after"]["workflow_state"] = json!("archived");
    let answer = doors.change(&change).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    assert_eq!(
        answer.json["changes"][0]["warnings"],
        json!([
            { "at": "/after/title", "detail": "this is null, but the catalogue says that `title` is never null" },
            { "at": "/after/workflow_state", "detail": "\"archived\" is not one of the values of `workflow_state`" },
        ])
    );
    assert_eq!(doors.names().await, ["wiki_page_updated"]);
}

#[tokio::test]
async fn with_on_fault_skip_the_other_changes_are_stored_and_each_is_answered() {
    let doors = Doors::open();
    let mut wrong = renamed(2);
    wrong["after"]["title"] = json!(7);
    let changes = json!([renamed(1), wrong, { "record": "Fish" }, idle(), renamed(3)]);
    let answer = doors.ask("?on_fault=skip", &changes).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    assert_eq!(answer.json["accepted"], 2);
    let changes = answer.json["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 5);
    assert_eq!(
        changes[1]["faults"],
        json!([{ "at": "/after/title", "detail": "`title` must be a string" }])
    );
    assert_eq!(changes[2]["faults"].as_array().unwrap().len(), 1);
    assert_eq!(changes[3]["no_event"].as_array().unwrap().len(), 2);
    assert_eq!(changes[0].get("faults"), None);
    assert_eq!(changes[4]["events"][0]["offset"], 1);
    assert_eq!(doors.names().await.len(), 2);
    // If every change has a fault, the request is rejected.
    let answer = doors.ask("?on_fault=skip", &json!([{}, 7])).await;
    assert_eq!(
        answer.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{answer:?}"
    );
    assert_eq!(answer.json["changes"].as_array().unwrap().len(), 2);
    assert_eq!(doors.names().await.len(), 2);
}

#[tokio::test]
async fn a_dry_run_explains_and_stores_nothing() {
    let doors = Doors::open();
    let changes = json!([renamed(1), renamed(1), idle()]);
    let answer = doors.ask("?dry_run=1", &changes).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(
        (&answer.json["dry_run"], &answer.json["accepted"]),
        (&json!(true), &json!(0))
    );
    let explained = answer.json["changes"].as_array().unwrap();
    let event = &explained[0]["events"][0];
    assert_eq!(event["event"]["body"]["title"], "Fish, part 1");
    assert_eq!((event.get("offset"), event.get("status")), (None, None));
    assert_ne!(event["id"], explained[1]["events"][0]["id"]);
    assert_eq!(explained[2]["no_event"].as_array().unwrap().len(), 2);
    assert_eq!(doors.names().await, [""; 0]);
    // A dry run rejects and skips like a real request.
    let changes = json!([renamed(1), { "record": "Fish" }]);
    let answer = doors.ask("?dry_run=true", &changes).await;
    assert_eq!(
        answer.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{answer:?}"
    );
    let answer = doors.ask("?dry_run=true&on_fault=skip", &changes).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.json["changes"][1]["faults"][0]["at"], "/operation");
    assert_eq!(doors.names().await, [""; 0]);
    // The same request for real makes the events that were explained.
    let dry = doors.ask("?dry_run", &json!([renamed(1)])).await;
    let real = doors.ask("", &json!([renamed(1)])).await;
    let id = |answer: &Answer| answer.json["changes"][0]["events"][0]["id"].clone();
    assert_eq!(id(&dry), id(&real));
}

#[tokio::test]
async fn an_unknown_query_parameter_is_rejected() {
    let doors = Doors::open();
    for query in [
        "?dry_run=perhaps",
        "?on_fault=ignore",
        "?on_faults=skip",
        "?dryrun=1",
    ] {
        let answer = doors.ask(query, &renamed(1)).await;
        assert_eq!(
            answer.status,
            StatusCode::BAD_REQUEST,
            "{query}: {answer:?}"
        );
        assert_eq!(answer.json["code"], "invalid_query", "{query}");
    }
    assert_eq!(doors.names().await, [""; 0]);
}

#[test]
fn the_document_describes_every_change_and_every_reference_leads_somewhere() {
    let triggers = crate::doors::triggers();
    let document = easel_ingest::document(&triggers);
    let document = serde_json::to_value(document).unwrap();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for (name, _) in triggers.schemas() {
        assert!(schemas.contains_key(&name), "{name}");
    }
    for name in [
        "Change.WikiPage.update",
        "Change.logged_in",
        "Change.MasterCourses.MasterTemplate.insert",
    ] {
        assert!(schemas.contains_key(name), "{name}");
    }
    let is_name = |name: &str| {
        name.chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "._-".contains(letter))
    };
    assert!(schemas.keys().all(|name| is_name(name)));
    let text = document.to_string();
    let references = text.split("\"#/components/schemas/").skip(1);
    for reference in references {
        let name = reference.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name}");
    }
    let body = &document["paths"]["/v1/changes"]["post"]["requestBody"]["content"];
    assert_eq!(
        body["application/json"]["schema"]["$ref"],
        "#/components/schemas/Changes"
    );
    let row = &schemas["Row.WikiPage.update"];
    assert_eq!(
        row["properties"]["title"]["type"],
        json!(["string", "null"])
    );
    assert!(
        row["required"]
            .as_array()
            .unwrap()
            .contains(&json!("title")),
        "{row}"
    );
}

#[tokio::test]
async fn a_body_that_is_not_a_change_is_rejected() {
    let doors = Doors::open();
    for (body, status, code) in [
        ("", 400, "body_empty"),
        ("[{}", 400, "bad_array"),
        ("nonsense", 422, "bad_change"),
        ("7", 422, "bad_change"),
        (
            "{\"record\":\"Course\",\"record\":\"User\"}",
            422,
            "bad_change",
        ),
        ("{\"record\":\"Course\",\"recrd\":1}", 422, "bad_change"),
    ] {
        let answer = doors.changes("application/json", body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json["code"].as_str()),
            (status, Some(code)),
            "{body}: {answer:?}"
        );
    }
    let answer = doors.changes("text/plain", "{}").await;
    assert_eq!(answer.json["code"], "unsupported_type");
}

#[tokio::test]
async fn a_change_with_too_many_values_is_rejected() {
    let doors = Doors::open();
    let many = vec!["{\"\":1}"; 100_000].join(",");
    let change = format!("{{\"record\":\"Course\",\"x\":[{many}]}}");
    let answer = doors.changes("application/json", change).await;
    let detail = answer.json["faults"][0]["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("this cannot be read: there must not be more than 100000 values"),
        "{detail}"
    );
}

#[tokio::test]
async fn a_hundred_faults_are_reported_and_all_are_counted() {
    let doors = Doors::open();
    let many: Vec<_> = (0..250).map(|_| json!({})).collect();
    let answer = doors.change(&many.into()).await;
    assert_eq!(answer.json["fault_count"], 250);
    assert_eq!(answer.json["faults"].as_array().unwrap().len(), 100);
}

#[tokio::test]
async fn changes_whose_events_are_too_large_together_are_rejected() {
    let doors = Doors::with_options(IntakeOptions {
        max_request_bytes: 4096,
        ..IntakeOptions::default()
    });
    // Each event repeats the large context of its change.
    let url = "x".repeat(900);
    let request = json!({
        "root_account_id": 1, "root_account_uuid": "u", "root_account_lti_guid": "g",
        "request_id": "r", "hostname": "h", "http_method": "PUT", "client_ip": "192.0.2.1",
        "url": url,
    });
    let course = |id: u32, syllabus: &str| {
        json!({
            "id": id, "account_id": 2, "name": "Fish", "uuid": "f", "workflow_state": "available",
            "created_at": "2026-02-11T08:15:41Z", "updated_at": "2026-02-11T08:15:41Z",
            "syllabus_body": syllabus,
        })
    };
    let change = |id: u32| {
        json!({
            "record": "Course", "operation": "update",
            "before": course(id, "a"), "after": course(id, "b"),
            "context": { "request": request },
        })
    };
    let answer = doors.change(&json!([change(1), change(2)])).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{answer:?}");
    assert_eq!(answer.json["code"], "events_too_large");
    assert_eq!(doors.names().await, [""; 0]);
    let answer = doors.change(&change(1)).await;
    assert_eq!(answer.json["accepted"], 2, "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_stored_when_the_log_fails() {
    let doors = Doors::open();
    doors.log.fail_appends(true);
    let answer = doors.change(&json!([renamed(1), renamed(2)])).await;
    assert_eq!(answer.json["code"], "log_unavailable", "{answer:?}");
    assert_eq!(doors.names().await, [""; 0]);
}

#[tokio::test]
async fn a_token_needs_the_scope_ingest() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = Arc::new(Tokens::open(&folder.path().join("access.db")).unwrap());
    let make = |scope: Scope| {
        let scopes = easel_access::Scopes::from_iter([scope]);
        let (_token, secret) = tokens.create("one", scopes, Timestamp::UNIX_EPOCH).unwrap();
        secret.expose().clone()
    };
    let (sends, reads) = (make(Scope::Ingest), make(Scope::Read));
    let authorizer = Authorizer::new(Arc::clone(&tokens));
    let doors = Doors::with(IntakeOptions::default(), authorizer, KinesisAuth::Open);
    let ask = async |token: &str| {
        let request = Request::post("/v1/changes")
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {token}"))
            .body(renamed(1).to_string().into());
        doors.send(request.unwrap()).await.status
    };
    assert_eq!(ask("nonsense").await, StatusCode::UNAUTHORIZED);
    assert_eq!(ask(&reads).await, StatusCode::FORBIDDEN);
    assert_eq!(ask(&sends).await, StatusCode::ACCEPTED);
}
