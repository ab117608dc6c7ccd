//! A rebuild: fresh tables from the log, older rows copied, and no row lost.

use std::sync::Arc;

use easel_catalog::Privacy;
use easel_sink_sql::{
    EventTables, RebuildRange, SqlFailure, SqlSink, SqlSinkOptions, TableAdmin, TableLayout,
    TableViews,
};
use easel_sinks::Item;
use easel_testkit::{Postgres, TableReader};

use crate::campus::{event, options, send, tables};

/// The events of the log are 5 to 14 of 20.
const RANGE: RebuildRange = RebuildRange { from: 5, to: 15 };

fn grades(range: std::ops::Range<u64>) -> Vec<Arc<Item>> {
    range
        .map(|offset| {
            let (name, body) = if offset % 4 == 3 {
                ("brand_new", format!(r#"{{"shade":"green {offset}"}}"#))
            } else {
                let body = format!(
                    r#"{{"submission_id":"{offset}","score":{offset}.5,"mood":"m{offset}"}}"#
                );
                ("grade_change", body)
            };
            event(offset, name, &body)
        })
        .collect()
}

fn admin(options: &SqlSinkOptions) -> TableAdmin {
    TableAdmin {
        database: options.database.clone(),
        schema: options.schema.clone(),
        tables: Arc::clone(&options.tables),
        views: TableViews::All,
    }
}

/// Fills the fresh tables as a server does.
async fn fill(options: &SqlSinkOptions, schema: String, range: std::ops::Range<u64>) {
    let mut fresh = options.clone();
    fresh.schema = schema;
    send(&SqlSink::new(fresh), grades(range)).await.unwrap();
}

async fn offsets(reader: &TableReader, schema: &str) -> Option<String> {
    let sql = format!(
        "select string_agg(easel_offset::text, ' ' order by easel_offset) from \
         (select easel_offset from {schema}.grade_change union all select easel_offset from {schema}.brand_new) e"
    );
    reader.value(&sql).await
}

const ALL: &str = "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19";

#[tokio::test]
async fn a_rebuild_keeps_every_row_every_promoted_column_and_every_right() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let options = options(&postgres.url());
    let (sink, admin) = (SqlSink::new(options.clone()), admin(&options));
    send(&sink, grades(0..18)).await.unwrap();
    admin.promote("grade_change", "mood").await.unwrap();
    let reader = postgres.reader().await;
    reader
        .execute(
            "create role analyst; grant usage on schema live to analyst; \
             grant select on live.grade_change to analyst; grant select on live.grades_now to analyst",
        )
        .await;

    let schemas = admin.begin_rebuild().await.unwrap();
    fill(&options, schemas.fresh, 5..15).await;
    // The lane goes on meanwhile.
    send(&sink, grades(18..20)).await.unwrap();
    let copied = admin.finish_rebuild(&options.key, RANGE).await.unwrap();
    assert_eq!(copied, 10);

    assert_eq!(offsets(&reader, "live").await.as_deref(), Some(ALL));
    assert_eq!(
        offsets(&reader, "live_before_rebuild").await.as_deref(),
        Some(ALL)
    );
    let moods = "select count(*) from live.grade_change where mood = 'm' || easel_offset";
    assert_eq!(reader.number(moods).await, 15);
    for (relation, right) in [
        ("live.grade_change", true),
        ("live.grades_now", true),
        ("live.brand_new", false),
    ] {
        let sql = format!("has_table_privilege('analyst', '{relation}', 'select')");
        assert_eq!(
            reader.value(&sql).await,
            Some(right.to_string()),
            "{relation}"
        );
    }
    // The same sink writes to the fresh tables, and repeats nothing.
    send(&sink, grades(19..24)).await.unwrap();
    assert_eq!(
        offsets(&reader, "live").await,
        Some(format!("{ALL} 20 21 22 23"))
    );
    assert_eq!(
        reader
            .number("select count(*) from live_before_rebuild.grade_change")
            .await,
        15
    );
    let latest = "select what from live.easel_migrations order by id desc limit 1";
    assert_eq!(
        reader.value(latest).await.as_deref(),
        Some("replace all tables")
    );

    let refused = admin.begin_rebuild().await.unwrap_err();
    assert!(
        refused.to_string().contains("live_before_rebuild"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_rebuild_that_would_lose_a_row_is_refused_and_changes_nothing() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let options = options(&postgres.url());
    let (sink, admin) = (SqlSink::new(options.clone()), admin(&options));
    send(&sink, grades(0..20)).await.unwrap();
    let reader = postgres.reader().await;

    // The log lacks the event 14.
    let schemas = admin.begin_rebuild().await.unwrap();
    fill(&options, schemas.fresh, 5..14).await;
    let refused = admin.finish_rebuild(&options.key, RANGE).await.unwrap_err();
    assert!(
        matches!(&refused, SqlFailure::Refused { reason } if reason.contains("1 rows of the table grade_change")
            && reason.contains("offset 14")),
        "{refused}"
    );

    // A view of somebody else would go on reading the old tables.
    reader
        .execute("create view public.report as select * from live.grade_change")
        .await;
    let schemas = admin.begin_rebuild().await.unwrap();
    fill(&options, schemas.fresh.clone(), 5..15).await;
    let refused = admin.finish_rebuild(&options.key, RANGE).await.unwrap_err();
    assert!(refused.to_string().contains("public.report"), "{refused}");
    reader.execute("drop view public.report").await;

    // Another lane writes to the same schema.
    let mut other = options.clone();
    other.key.subscription = "other".to_owned();
    send(&SqlSink::new(other), vec![event(30, "other_type", "{}")])
        .await
        .unwrap();
    let refused = admin.finish_rebuild(&options.key, RANGE).await.unwrap_err();
    assert!(
        refused.to_string().contains("another subscription"),
        "{refused}"
    );

    assert_eq!(offsets(&reader, "live").await.as_deref(), Some(ALL));
    send(&sink, grades(20..21)).await.unwrap();
    assert_eq!(offsets(&reader, "live").await, Some(format!("{ALL} 20")));
}

#[tokio::test]
async fn a_rebuild_leaves_out_excluded_fields_also_in_copied_rows() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let options = options(&postgres.url());
    let sink = SqlSink::new(options.clone());
    send(&sink, grades(0..20)).await.unwrap();
    let mut excluding = options.clone();
    let catalog = Arc::clone(tables(TableLayout::Typed).catalog());
    excluding.tables = Arc::new(EventTables::new(
        catalog,
        TableLayout::Typed,
        vec![Privacy::Content],
    ));
    let admin = admin(&excluding);
    let schemas = admin.begin_rebuild().await.unwrap();
    fill(&excluding, schemas.fresh, 5..15).await;
    admin.finish_rebuild(&options.key, RANGE).await.unwrap();
    let reader = postgres.reader().await;
    let column = "select count(*) from information_schema.columns where table_schema = 'live' \
                  and table_name = 'grade_change' and column_name = 'score'";
    assert_eq!(reader.number(column).await, 0);
    let score_count = "select count(*) from live.grade_change where extra ? 'score'";
    assert_eq!(reader.number(score_count).await, 0);
    assert_eq!(offsets(&reader, "live").await.as_deref(), Some(ALL));
}
