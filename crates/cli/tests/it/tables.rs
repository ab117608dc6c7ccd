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
