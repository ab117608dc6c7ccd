//! Tests of tables: events that arrive become rows of a real PostgreSQL.

use easel_testkit::{Postgres, event};
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::caller::Caller;
use crate::running::Running;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_become_rows_once_and_a_replay_changes_nothing() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let folder = tempdir().unwrap();
    let running = Running::start_with(
        &folder.path().join("data"),
        &["--auth", "none"],
        |_command| (),
    );
    let caller = Caller::new(&running);
    let before: Vec<_> = (0..50).map(|n| event("grade_change", n)).collect();
    caller.put_records(&before).await.unwrap().stored();
    caller
        .subscribe_tables("warehouse", "", &postgres.url())
        .await;
    let after: Vec<_> = (50..300)
        .map(|n| {
            event(
                ["grade_change", "course_created"][usize::from(n % 2 == 0)],
                n,
            )
        })
        .collect();
    caller.put_records(&after).await.unwrap().stored();

    let balance = caller.settled("warehouse").await;
    assert_eq!((balance.accepted, balance.delivered), (250, 250));
    let reader = postgres.reader().await;
    let rows = "select (select count(*) from live.grade_change) || ' ' || (select count(*) from live.course_created)";
    assert_eq!(reader.value(rows).await.as_deref(), Some("125 125"));

    // A replay fills in the events from before the subscription, and inserts no row twice.
    let replay = ["replay", "start", "warehouse", "--from", "0", "--wait"];
    running.easel(&replay).stdout();
    assert_eq!(reader.value(rows).await.as_deref(), Some("175 125"));

    let shown = running
        .easel(&["subscriptions", "show", "warehouse"])
        .stdout();
    assert!(shown.contains("schema"), "{shown}");
    let listed: Value = caller.read("/v1/subscriptions/warehouse").await;
    assert_eq!(listed["sql"]["schema"], "live");
    assert_eq!(listed["webhook"], json!(null));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_plans_promotes_and_rebuilds_while_events_arrive() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let folder = tempdir().unwrap();
    let running = open(&folder.path().join("data"));
    let caller = Caller::new(&running);
    let tables = |args: &[&str]| running.easel(&[&["tables"], args].concat());
    let refused = tables(&["status"]);
    assert_eq!(refused.code, Some(65));
    assert!(
        refused.stderr.contains("no subscription has tables"),
        "{}",
        refused.stderr
    );

    caller
        .subscribe_tables("warehouse", "", &postgres.url())
        .await;
    let plan = tables(&["plan"]).stdout();
    assert!(
        plan.contains("create table if not exists \"live\".\"course_created\""),
        "{plan}"
    );
    let applied = tables(&["apply"]);
    assert!(
        applied.stderr.contains("create table course_created"),
        "{}",
        applied.stderr
    );
    assert_eq!(tables(&["plan"]).stdout, "", "nothing is left to change");

    let events: Vec<_> = (0..200)
        .map(|n| {
            let event = String::from_utf8(event("course_created", n).to_vec()).unwrap();
            event
                .replacen(
                    "\"course_id\"",
                    &format!("\"mood\":\"m{n}\",\"course_id\""),
                    1,
                )
                .into()
        })
        .collect();
    caller.put_records(&events).await.unwrap().stored();
    caller.settled("warehouse").await;
    let promoted = tables(&["promote", "course_created", "mood"]);
    assert!(
        promoted.stderr.contains("200 rows got a value"),
        "{}",
        promoted.stderr
    );
    let missing = tables(&["promote", "course_created", "nothing"]);
    assert_eq!(missing.code, Some(65), "{}", missing.stderr);

    let rebuilt = tables(&["rebuild", "--wait"]);
    assert_eq!(rebuilt.code, Some(0), "{}", rebuilt.stderr);
    assert!(
        rebuilt
            .stderr
            .contains("200 rows from the log, 0 rows copied"),
        "{}",
        rebuilt.stderr
    );
    let again = tables(&["rebuild", "--wait"]);
    assert_eq!(again.code, Some(69));
    assert!(
        again.stderr.contains("live_before_rebuild"),
        "{}",
        again.stderr
    );

    let more: Vec<_> = (200..260).map(|n| event("course_created", n)).collect();
    caller.put_records(&more).await.unwrap().stored();
    let balance = caller.settled("warehouse").await;
    assert_eq!(balance.delivered, 260);
    let reader = postgres.reader().await;
    let rows = "select count(*) || ' ' || count(distinct event_id) || ' ' || count(mood) from live.course_created";
    assert_eq!(reader.value(rows).await.as_deref(), Some("260 260 200"));

    let status = tables(&["status"]).stdout();
    for part in [
        "next offset 261; the log ends at 261",
        "course_created",
        "replace all tables",
        "rebuild     failed to execute",
        "rebuild     failed to",
    ] {
        assert!(status.contains(part), "{part}: {status}");
    }
}

/// Starts a server without tokens.
fn open(data: &std::path::Path) -> Running {
    Running::start_with(data, &["--auth", "none"], |_command| ())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_can_change_from_a_webhook_to_tables_and_back() {
    let folder = tempdir().unwrap();
    let running = open(&folder.path().join("data"));
    let edit = |args: &str| {
        let args: Vec<_> = args.split_whitespace().collect();
        running.easel(&[&["subscriptions", "edit", "both"], &args[..]].concat())
    };
    let add = [
        "subscriptions",
        "add",
        "both",
        "--webhook",
        "http://127.0.0.1:1/",
    ];
    running.easel(&add).stdout();
    edit("--sql postgresql://ida:hush@127.0.0.1:1/x --exclude direct --exclude quasi").stdout();
    let shown = running.easel(&["subscriptions", "show", "both"]).stdout();
    assert!(shown.contains("postgresql://…@127.0.0.1:1/x"), "{shown}");
    assert!(
        shown.contains("direct, quasi") && !shown.contains("http:"),
        "{shown}"
    );
    edit("--exclude none").stdout();
    let shown = running.easel(&["subscriptions", "show", "both"]).stdout();
    assert!(shown.contains("excluded    none"), "{shown}");
    edit("--webhook http://127.0.0.1:1/back").stdout();
    let shown = running.easel(&["subscriptions", "show", "both"]).stdout();
    assert!(
        shown.contains("http://127.0.0.1:1/back") && !shown.contains("schema"),
        "{shown}"
    );
}
