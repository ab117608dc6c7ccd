//! Changes of records, looked at without a server.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::easel::{Ran, check, easel};

fn page(title: &str, updated_at: &str) -> Value {
    json!({ "id": 5, "title": title, "body": "<p>Fins.</p>", "workflow_state": "active", "updated_at": updated_at })
}

fn update(before: &Value, after: &Value) -> Value {
    json!({ "record": "WikiPage", "operation": "update", "before": before, "after": after,
            "occurred_at": "2026-02-11T08:15:42.067Z" })
}

fn explain(folder: &Path, changes: &[Value], args: &[&str]) -> Ran {
    let lines: Vec<_> = changes.iter().map(|it| format!("{it}\n")).collect();
    fs::write(folder.join("changes.ndjson"), lines.concat()).unwrap();
    easel(
        folder,
        &[&["changes", "explain", "changes.ndjson"], args].concat(),
    )
}

#[test]
fn what_a_change_means_is_explained() {
    let folder = tempdir().unwrap();
    let fish = page("Fish", "2026-02-11T08:15:41Z");
    let changes = [
        update(&fish, &page("Birds", "2026-02-11T08:15:42Z")),
        update(&fish, &page("Fish", "2026-02-11T08:15:42Z")),
        json!({ "record": "Course", "operation": "delete", "before": { "id": 1 } }),
        json!({ "action": "logged_out" }),
    ];
    check!(explain(folder.path(), &changes, &[]), @r"
        exit 0
        --- stdout
        changes.ndjson:1: WikiPage update
          wiki_page_updated [id]
          no wiki_page_deleted: workflow_state did not become deleted
        changes.ndjson:2: WikiPage update
          no wiki_page_updated: only updated_at or sis_batch_id changed
          no wiki_page_deleted: only updated_at or sis_batch_id changed
        changes.ndjson:3: Course delete
          no event: a deletion of such a record means no event
        changes.ndjson:4: logged_out
          logged_out [id]
        --- stderr
        changes: 4, events: 2
        ");
    check!(explain(folder.path(), &changes[..2], &["--json"]), @r#"
        exit 0
        --- stdout
        {"file":"changes.ndjson","line":1,"events":[{"event_name":"wiki_page_updated","id":"[id]","event":{"metadata":{"event_name":"wiki_page_updated","event_time":"[time]"},"body":{"body":"<p>Fins.</p>","old_title":"Fish","title":"Birds","wiki_page_id":"5","workflow_state":"active"}}}],"no_event":[{"event_name":"wiki_page_deleted","gate":"workflow_state did not become deleted"}]}
        {"file":"changes.ndjson","line":2,"events":[],"no_event":[{"event_name":"wiki_page_updated","gate":"only updated_at or sis_batch_id changed"},{"event_name":"wiki_page_deleted","gate":"only updated_at or sis_batch_id changed"}]}
        --- stderr
        changes: 2, events: 1
        "#);
    check!(explain(folder.path(), &changes[..1], &["--events"]), @r#"
        exit 0
        --- stdout
        {"metadata":{"event_name":"wiki_page_updated","event_time":"[time]"},"body":{"body":"<p>Fins.</p>","old_title":"Fish","title":"Birds","wiki_page_id":"5","workflow_state":"active"}}
        --- stderr
        changes: 1, events: 1
        "#);
}

#[test]
fn a_fault_is_told_with_its_line_and_place() {
    let folder = tempdir().unwrap();
    let fish = page("Fish", "2026-02-11T08:15:41Z");
    let mut wrong = update(&fish, &page("Birds", "2026-02-11T08:15:42Z"));
    wrong["after"]["title"] = json!(["Birds"]);
    let changes = [
        update(&fish, &page("Birds", "2026-02-11T08:15:42Z")),
        wrong,
        json!({ "record": "Fish", "operation": "insert", "after": {} }),
        json!(7),
    ];
    let json = explain(folder.path(), &changes, &["--json"]);
    assert_eq!(json.stdout.lines().count(), 4, "{json}");
    let last = "{\"file\":\"changes.ndjson\",\"line\":4,\"fault\":{\"at\":\"\",\"detail\":\"a change is an object\"}}";
    assert_eq!(json.stdout.lines().last(), Some(last));
    check!(explain(folder.path(), &changes, &[]), @r#"
        exit 65
        --- stdout
        changes.ndjson:1: WikiPage update
          wiki_page_updated [id]
          no wiki_page_deleted: workflow_state did not become deleted
        --- stderr
        changes.ndjson:2: /after/title: `title` is made of a text
        changes.ndjson:3: /record: no record is of the type "Fish"
        changes.ndjson:4: a change is an object
        changes: 4, events: 1
        error: changes with a fault: 3
        "#);
}

#[test]
fn settings_count() {
    let folder = tempdir().unwrap();
    let fish = page("Fish", "2026-02-11T08:15:41Z");
    let mut birds = page("Birds", "2026-02-11T08:15:42Z");
    birds["body"] = Value::Null;
    let settings = "[triggers]\nshard = 7\nnulls = \"kept\"\n";
    fs::write(folder.path().join("easel.toml"), settings).unwrap();
    check!(explain(folder.path(), &[update(&fish, &birds)], &["--events"]), @r#"
        exit 0
        --- stdout
        {"metadata":{"event_name":"wiki_page_updated","event_time":"[time]"},"body":{"body":null,"old_body":"<p>Fins.</p>","old_title":"Fish","title":"Birds","wiki_page_id":"70000000000005","workflow_state":"active"}}
        --- stderr
        changes: 1, events: 1
        "#);
}
