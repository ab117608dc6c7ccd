//! The wide layout, and the views.

use easel_sink_sql::{SqlSink, TableLayout};

use crate::campus::{event, examples, item, options, send, sink, tables};
use easel_testkit::Postgres;

#[tokio::test]
async fn the_wide_layout_has_all_events_in_one_table() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let mut options = options(&postgres.url());
    options.tables = tables(TableLayout::Wide);
    let sink = SqlSink::new(options);
    let mut items: Vec<_> = examples()
        .iter()
        .map(|(offset, json)| item(*offset, json))
        .collect();
    let count = items.len() as u64;
    items.push(event(count, "brand_new", r#"{"a":{"b":"\u0000"}}"#));
    send(&sink, items).await.unwrap();
    let reader = postgres.reader().await;
    assert_eq!(
        reader.number("select count(*) from live.events").await,
        i64::try_from(count).unwrap() + 1
    );
    for (offset, json) in examples() {
        let event: serde_json::Value = serde_json::from_str(&json).unwrap();
        let rows = reader
            .rows(&format!(
                "select * from live.events where easel_offset = {offset}"
            ))
            .await;
        assert_eq!(rows[0]["body"], event["body"]);
        assert_eq!(rows[0]["event_name"], event["metadata"]["event_name"]);
        assert_eq!(rows[0]["extra"], serde_json::Value::Null);
    }
    let extra = "select extra #>> '{_mismatch,/body,base64}' from live.events where event_name = 'brand_new'";
    assert!(reader.value(extra).await.is_some());
    assert!(
        reader
            .number("select count(*) from live.activity_by_day")
            .await
            > 50
    );
}

#[tokio::test]
async fn views_show_the_newest_state() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let sink = sink(&postgres.url());
    let enrollment = |offset, event_type, id: u64, state: &str| {
        event(
            offset,
            event_type,
            &format!(
                r#"{{"enrollment_id":"{id}","user_id":"7000{id}","workflow_state":"{state}","type":"StudentEnrollment"}}"#
            ),
        )
    };
    let grade = |offset, submission: u64, score: f64| {
        event(
            offset,
            "grade_change",
            &format!(r#"{{"submission_id":"{submission}","score":{score}}}"#),
        )
    };
    let items = vec![
        enrollment(0, "enrollment_created", 1, "invited"),
        enrollment(1, "enrollment_created", 2, "active"),
        enrollment(2, "enrollment_updated", 1, "active"),
        enrollment(3, "enrollment_updated", 2, "deleted"),
        enrollment(4, "enrollment_created", 3, "active"),
        grade(5, 11, 6.0),
        grade(6, 11, 8.5),
        grade(7, 12, 3.0),
    ];
    send(&sink, items).await.unwrap();
    let reader = postgres.reader().await;
    let now = "select string_agg(enrollment_id || ' ' || workflow_state, ', ' order by enrollment_id) from live.enrollments_now";
    assert_eq!(
        reader.value(now).await.as_deref(),
        Some("1 active, 3 active")
    );
    let grades = "select string_agg(submission_id || ' ' || score, ', ' order by submission_id) from live.grades_now";
    assert_eq!(reader.value(grades).await.as_deref(), Some("11 8.5, 12 3"));
    assert_eq!(
        reader
            .number("select count(*) from live.enrollment_updated_latest")
            .await,
        2
    );
    let activity = "select string_agg(event_name || ' ' || event_count || ' ' || user_count, ', ' order by event_name) from live.activity_by_day";
    assert_eq!(
        reader.value(activity).await.as_deref(),
        Some("enrollment_created 3 1, enrollment_updated 2 1, grade_change 3 1")
    );
    let without_comment = "select count(*) from pg_class where relnamespace = 'live'::regnamespace \
         and relkind = 'v' and obj_description(oid) is null";
    assert_eq!(reader.number(without_comment).await, 0);
    // A new column of a table is in its view too.
    send(
        &sink,
        vec![event(
            8,
            "grade_change",
            r#"{"submission_id":"11","mood":"good"}"#,
        )],
    )
    .await
    .unwrap();
    assert_eq!(
        reader.number("select count(*) from live.grades_now").await,
        2
    );
}
