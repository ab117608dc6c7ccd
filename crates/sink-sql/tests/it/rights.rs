//! The rights that Easel needs, and those that it leaves to others.

use easel_sink_sql::SqlSink;
use easel_testkit::Postgres;

use crate::campus::{event, options, send, sink};

#[tokio::test]
async fn a_schema_of_an_administrator_requires_no_right_on_the_database() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let reader = postgres.reader().await;
    reader
        .execute("create role writer login; revoke create on database postgres from public")
        .await;
    let url = postgres.url().replace("easel@", "writer@");
    let first = || vec![event(0, "grade_change", r#"{"submission_id":"1"}"#)];
    let refused = send(&SqlSink::new(options(&url)), first())
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("permission denied"),
        "{refused}"
    );

    reader
        .execute("create schema live authorization writer")
        .await;
    send(&SqlSink::new(options(&url)), first()).await.unwrap();
    let rows = "select count(*) from live.grade_change";
    assert_eq!(reader.number(rows).await, 1);
}

#[tokio::test]
async fn readers_of_views_keep_their_rights_when_tables_are_added() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let sink = sink(&postgres.url());
    let grade = event(0, "grade_change", r#"{"submission_id":"1"}"#);
    send(&sink, vec![grade]).await.unwrap();
    let reader = postgres.reader().await;
    reader
        .execute(
            "create role analyst; grant select on live.grades_now, live.activity_by_day to analyst",
        )
        .await;
    let created = event(1, "course_created", r#"{"course_id":"1"}"#);
    send(&sink, vec![created]).await.unwrap();
    for view in ["grades_now", "activity_by_day"] {
        let right = format!("has_table_privilege('analyst', 'live.{view}', 'select')");
        assert_eq!(
            reader.value(&right).await.as_deref(),
            Some("true"),
            "{view}"
        );
    }
    let days = "select count(*) from live.activity_by_day";
    assert_eq!(reader.number(days).await, 2, "the view has the new table");
}
