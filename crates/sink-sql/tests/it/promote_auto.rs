//! `promote = "auto"`: a new field gets a column when it arrives.

use std::fmt::Write;
use std::sync::Arc;

use easel_catalog::Privacy;
use easel_sink_sql::{EventTables, PromoteFields, SqlSink, TableLayout};
use easel_testkit::Postgres;

use crate::campus::{event, options, send, tables};

#[tokio::test]
async fn a_new_field_gets_a_column_when_it_arrives() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let mut options = options(&postgres.url());
    options.promote = PromoteFields::Auto;
    // An excluded field is not new.
    let catalog = Arc::clone(tables(TableLayout::Typed).catalog());
    let excluded = vec![Privacy::DirectIdentifier, Privacy::Content];
    options.tables = Arc::new(EventTables::new(catalog, TableLayout::Typed, excluded));
    let sink = SqlSink::new(options);
    let grade = |offset, more: &str| {
        let body = format!(r#"{{"submission_id":"{offset}","score":7.5{more}}}"#);
        event(offset, "grade_change", &body)
    };
    let items = vec![
        grade(0, ""),
        grade(1, r#","mood":"good","depth":3,"user_id":"x""#),
        grade(2, r#","mood":null,"seen_at":"2026-02-11T08:15:42Z""#),
        event(3, "brand_new", r#"{"shade":"green"}"#),
    ];
    send(&sink, items).await.unwrap();
    let items = vec![
        // A value of another type is kept whole in `extra`.
        grade(4, r#","mood":{"deep":true}"#),
        event(5, "brand_new", r#"{"shade":"red","size":1}"#),
        event(6, "brand_new", r#"{"shade":"red","size":1.5}"#),
    ];
    send(&sink, items).await.unwrap();

    let reader = postgres.reader().await;
    let rows = "select string_agg(concat_ws(' ', easel_offset, mood, depth, seen_at at time zone 'UTC'), ', ' order by easel_offset) \
         from live.grade_change";
    assert_eq!(
        reader.value(rows).await.as_deref(),
        Some("0, 1 good 3, 2 2026-02-11 08:15:42, 4")
    );
    let shades = "select string_agg(concat_ws(' ', easel_offset, shade, size), ', ' order by easel_offset) from live.brand_new";
    assert_eq!(
        reader.value(shades).await.as_deref(),
        Some("3 green, 5 red 1, 6 red 1.5")
    );
    let mood = "select extra -> '_mismatch' -> '/body/mood' -> 'deep' from live.grade_change where easel_offset = 4";
    assert_eq!(reader.value(mood).await.as_deref(), Some("true"));
    let score = "select count(*) from information_schema.columns where table_schema = 'live' and column_name = 'score'";
    assert_eq!(reader.number(score).await, 0);
    let added = "select string_agg(what, ', ' order by id) from live.easel_migrations where why like 'a new field%'";
    assert_eq!(
        reader.value(added).await.as_deref(),
        Some(
            "add column grade_change.mood, add column grade_change.depth, add column grade_change.seen_at, add column brand_new.size"
        )
    );
}

#[tokio::test]
async fn a_table_gets_at_most_500_columns_and_loses_nothing() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let mut options = options(&postgres.url());
    options.promote = PromoteFields::Auto;
    let sink = SqlSink::new(options);
    for batch in 0..5_u64 {
        let fields = (0..150).fold(String::new(), |mut fields, n| {
            write!(fields, r#","f{batch}_{n}":{n}"#).unwrap();
            fields
        });
        let body = format!(r#"{{"submission_id":"1"{fields}}}"#);
        send(&sink, vec![event(batch, "grade_change", &body)])
            .await
            .unwrap();
    }
    let reader = postgres.reader().await;
    let columns = "select count(*) from information_schema.columns where table_schema = 'live' and table_name = 'grade_change'";
    assert_eq!(reader.number(columns).await, 500);
    let last = "select extra ->> 'f4_149' from live.grade_change where easel_offset = 4";
    assert_eq!(reader.value(last).await.as_deref(), Some("149"));
    let first = "select f0_7 from live.grade_change where easel_offset = 0";
    assert_eq!(reader.value(first).await.as_deref(), Some("7"));
}

#[tokio::test]
async fn a_new_field_whose_column_would_be_ambiguous_stays_in_extra() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let body = r#"{"ctid":1,"user_id_meta":2,"url_body":3}"#;
    for offset in 0..2 {
        let mut options = options(&postgres.url());
        options.promote = PromoteFields::Auto;
        let sink = SqlSink::new(options);
        send(&sink, vec![event(offset, "logged_out", body)])
            .await
            .unwrap();
    }
    let rows = "select string_agg(concat_ws(' ', user_id, ctid_body, extra::text), ', ') from live.logged_out";
    let row = r#"70000000000812 1 {"url_body": 3, "user_id_meta": 2}"#;
    let reader = postgres.reader().await;
    assert_eq!(reader.value(rows).await, Some(format!("{row}, {row}")));
}
