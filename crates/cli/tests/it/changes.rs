//! Tests of `easel changes`, without a server.

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
    let lines: Vec<_> = changes.iter().map(|change| format!("{change}\n")).collect();
    fs::write(folder.join("changes.ndjson"), lines.concat()).unwrap();
    easel(
        folder,
        &[&["changes", "explain", "changes.ndjson"], args].concat(),
    )
}

#[test]
fn the_events_of_a_change_are_explained() {
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
          no event: deleting this record makes no event
        changes.ndjson:4: logged_out
          logged_out [id]
        --- stderr
        changes: 4, events: 2
        ");
    check!(explain(folder.path(), &changes[..2], &["--json"]), @r#"
        exit 0
        --- stdout
        {"file":"changes.ndjson","line":1,"events":[{"event_name":"wiki_page_updated","id":"[id]","event":{"metadata":{"event_name":"wiki_page_updated","event_time":"[time]"},"body":{"body":"<p>Fins.</p>","old_title":"Fish","title":"Birds","wiki_page_id":"5","workflow_state":"active"}}}],"no_event":[{"event_name":"wiki_page_deleted","gate":"workflow_state did not become deleted"}],"warnings":[]}
        {"file":"changes.ndjson","line":2,"events":[],"no_event":[{"event_name":"wiki_page_updated","gate":"only updated_at or sis_batch_id changed"},{"event_name":"wiki_page_deleted","gate":"only updated_at or sis_batch_id changed"}],"warnings":[]}
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
fn a_fault_is_reported_with_its_line_and_place() {
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
    let last = "{\"file\":\"changes.ndjson\",\"line\":4,\"faults\":[{\"at\":\"\",\"detail\":\"a change must be an object\"}]}";
    assert_eq!(json.stdout.lines().last(), Some(last));
    check!(explain(folder.path(), &changes, &[]), @r#"
        exit 65
        --- stdout
        changes.ndjson:1: WikiPage update
          wiki_page_updated [id]
          no wiki_page_deleted: workflow_state did not become deleted
        --- stderr
        changes.ndjson:2: /after/title: `title` must be a string
        changes.ndjson:3: /record: "Fish" is an unknown record type
        changes.ndjson:4: a change must be an object
        changes: 4, events: 1
        error: invalid changes: 3
        "#);
}

#[test]
fn the_trigger_settings_apply() {
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

#[test]
fn warnings_are_printed_and_change_nothing_else() {
    let folder = tempdir().unwrap();
    let mut change = json!({ "record": "WikiPage", "operation": "insert",
        "after": page("Fish", "2026-02-11T08:15:41Z") });
    change["after"]["tilte"] = json!("Fish");
    change["after"]["title"] = Value::Null;
    check!(explain(folder.path(), &[change], &[]), @r#"
        exit 0
        --- stdout
        changes.ndjson:1: WikiPage insert
          wiki_page_created [id]
        --- stderr
        changes.ndjson:1: /after/tilte: warning: this column is unknown; did you mean "title"?
        changes.ndjson:1: /after/title: warning: this is null, but the catalogue says that `title` is never null
        changes: 1, events: 1, warnings: 2
        "#);
}

#[test]
fn identical_changes_get_different_times_as_in_one_request() {
    let folder = tempdir().unwrap();
    let logout = json!({ "action": "logged_out" });
    let changes = [logout.clone(), logout];
    let ran = explain(
        folder.path(),
        &changes,
        &["--events", "--at", "2026-02-11T08:15:42Z"],
    );
    let times: Vec<_> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["metadata"]["event_time"].clone())
        .collect();
    assert_eq!(
        times,
        ["2026-02-11T08:15:42.000Z", "2026-02-11T08:15:42.001Z"],
        "{ran}"
    );
}

#[test]
fn a_template_is_a_valid_change() {
    let folder = tempdir().unwrap();
    let template = easel(
        folder.path(),
        &["changes", "template", "WikiPage", "--operation", "update"],
    );
    let change: Value = serde_json::from_str(&template.stdout).unwrap();
    assert_eq!(
        (&change["record"], &change["operation"]),
        (&json!("WikiPage"), &json!("update"))
    );
    let ran = explain(folder.path(), &[change], &["--events"]);
    assert_eq!(ran.stdout.lines().count(), 1, "{ran}");
    let all = easel(folder.path(), &["changes", "template"]);
    let changes: Vec<Value> = all
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let ran = explain(folder.path(), &changes, &["--json"]);
    assert_eq!(ran.stdout.lines().count(), changes.len());
    assert!(ran.to_string().starts_with("exit 0"), "{ran}");
    check!(easel(folder.path(), &["changes", "template", "WikiPge"]), @r#"
        exit 64
        --- stdout
        --- stderr
        error: "WikiPge" is an unknown record type or action; did you mean WikiPage?
        "#);
}

#[test]
fn records_are_listed_with_their_columns_and_related_rows() {
    let folder = tempdir().unwrap();
    check!(easel(folder.path(), &["changes", "records", "SubmissionComment"]), @r"
        exit 0
        --- stdout
        SubmissionComment insert: submission_comment_created
          id*, comment, created_at*, submission_id*, author_id, attachment_ids*
        --- stderr
        ");
    let ran = easel(
        folder.path(),
        &["changes", "records", "DiscussionEntry", "--json"],
    );
    let shapes: Vec<Value> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(shapes[0]["operation"], "insert");
    assert_eq!(
        shapes[0]["columns"][0],
        json!({ "name": "id", "type": "id", "required": true })
    );
    // Only a gate needs this column.
    let topic = &shapes[0]["related"]["discussion_topic"];
    let names: Vec<_> = topic
        .as_array()
        .unwrap()
        .iter()
        .map(|column| &column["name"])
        .collect();
    assert!(names.contains(&&json!("assignment_id")), "{topic}");
    let all = easel(folder.path(), &["changes", "records"]);
    assert!(
        all.stdout.contains("\nlogged_in action: logged_in\n"),
        "{all}"
    );
}
