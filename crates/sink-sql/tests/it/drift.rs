//! What the catalogue does not know never stops a sink and is never lost.

use easel_sink_sql::{ObservedFields, SchemaPlan, SqlSink, SqlType, TableLayout};

use crate::campus::{event, options, position, send, sink, tables};
use easel_testkit::Postgres;

#[tokio::test]
async fn unknown_fields_and_mismatches_are_in_extra() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let sink = sink(&postgres.url());
    let bodies = [
        r#"{"score":8.5,"mood":"good","user_id":"70000000000031"}"#,
        r#"{"score":"eight","user_id":{"id":1},"grade":"\u0000"}"#,
        r#"{"score":1e400,"deep":[[[{"a":1,"a":2}]]],"late":null}"#,
        r#"{"score":12345678901234567890123,"attempt":99999999999999999999}"#,
    ];
    let items = bodies
        .iter()
        .zip(0..)
        .map(|(body, offset)| event(offset, "submission_updated", body));
    send(&sink, items.collect()).await.unwrap();
    assert_eq!(sink.mismatch_count(), 7);
    let reader = postgres.reader().await;
    let extra = |offset: u64, path: &str| {
        format!(
            "select extra #>> '{{{path}}}' from live.submission_updated where easel_offset = {offset}"
        )
    };
    for (offset, path, wanted) in [
        (0, "mood", "good"),
        (1, "_mismatch,/body/score", "eight"),
        (1, "_mismatch,/body/user_id,id", "1"),
        (1, "_mismatch,/body/grade,base64", "Ilx1MDAwMCI="),
        (3, "_mismatch,/body/attempt", "99999999999999999999"),
        (3, "_mismatch,/body/score", "12345678901234567890123"),
    ] {
        assert_eq!(
            reader.value(&extra(offset, path)).await.as_deref(),
            Some(wanted),
            "{path}"
        );
    }
    let huge = reader
        .value(&extra(2, "_mismatch,/body/score"))
        .await
        .unwrap();
    assert_eq!(huge.len(), 401);
}

#[tokio::test]
async fn a_new_event_type_gets_a_table_from_its_first_events() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let sink = sink(&postgres.url());
    let first = [
        event(
            0,
            "quizzes.bank_shared",
            r#"{"item_id":"12","points":1,"at":"2026-02-11T08:15:41Z","user_id":"7"}"#,
        ),
        event(
            1,
            "quizzes.bank_shared",
            r#"{"item_id":"13","points":1.25,"at":null,"tags":["a"],"user_id":"8"}"#,
        ),
    ];
    send(&sink, first.to_vec()).await.unwrap();
    let table = easel_sink_sql::table_name("quizzes.bank_shared");
    let reader = postgres.reader().await;
    let types = format!(
        "select string_agg(column_name || ' ' || data_type, ', ' order by column_name) from information_schema.columns \
         where table_schema = 'live' and table_name = '{table}' and column_name in ('item_id', 'points', 'at', 'tags', 'user_id', 'user_id_meta')"
    );
    assert_eq!(
        reader.value(&types).await.as_deref(),
        Some(
            "at timestamp with time zone, item_id bigint, points numeric, tags jsonb, user_id bigint, user_id_meta bigint"
        )
    );
    // A later connection knows the table only from the database.
    let later = crate::campus::sink(&postgres.url());
    let second = event(
        2,
        "quizzes.bank_shared",
        r#"{"item_id":"fourteen","points":2,"new":true,"user_id":"9"}"#,
    );
    send(&later, vec![second]).await.unwrap();
    let row = format!(
        "select concat_ws(' ', points, user_id, user_id_meta, extra::text) from live.{table} where easel_offset = 2"
    );
    assert_eq!(
        reader.value(&row).await.as_deref(),
        Some(r#"2 9 70000000000812 {"new": true, "_mismatch": {"/body/item_id": "fourteen"}}"#)
    );
    assert_eq!(position(&later).await, Some(3));
}

#[tokio::test]
async fn an_observed_integer_column_is_widened_when_decimals_arrive() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let sink = sink(&postgres.url());
    send(
        &sink,
        vec![event(0, "brand_new", r#"{"points":1,"size":2}"#)],
    )
    .await
    .unwrap();
    let reader = postgres.reader().await;
    reader
        .execute("create view sizes as select size from live.brand_new")
        .await;
    let body = r#"{"points":1.25,"size":0.5}"#;
    send(&sink, vec![event(1, "brand_new", body)])
        .await
        .unwrap();
    let row = "select concat_ws(' ', points, size, extra::text) from live.brand_new where easel_offset = 1";
    let wanted = r#"1.25 {"_mismatch": {"/body/size": 0.5}}"#;
    assert_eq!(reader.value(row).await.as_deref(), Some(wanted));
    let changes =
        "select string_agg(what, ', ') from live.easel_migrations where what like 'widen%'";
    let wanted = "widen column brand_new.points from bigint to numeric";
    assert_eq!(reader.value(changes).await.as_deref(), Some(wanted));
}

#[tokio::test]
async fn two_sinks_that_create_the_same_tables_do_not_fail_each_other() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let sinks: Vec<_> = (0..6_u32)
        .map(|number| {
            let mut options = options(&postgres.url());
            options.key.replay = number;
            SqlSink::new(options)
        })
        .collect();
    let sending = sinks.iter().zip(0..).map(|(sink, offset)| {
        let events = ["logged_in", "logged_out", "grade_change", "brand_new"];
        let items = events
            .iter()
            .zip(offset * 10..)
            .map(|(event_type, offset)| event(offset, event_type, "{}"));
        send(sink, items.collect())
    });
    for result in futures::future::join_all(sending).await {
        result.unwrap();
    }
    let reader = postgres.reader().await;
    assert_eq!(
        reader.number("select count(*) from live.brand_new").await,
        6
    );
    let creations =
        "select count(*) from live.easel_migrations where what = 'create table brand_new'";
    assert_eq!(reader.number(creations).await, 1);
}

#[tokio::test]
async fn narrow_columns_are_widened_and_every_change_is_recorded() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let reader = postgres.reader().await;
    reader
        .execute(
            "create schema live; create table live.submission_updated (easel_offset bigint primary key, \
             extra jsonb, attempt smallint, grade varchar(2), score money, workflow_state text)",
        )
        .await;
    let sink = sink(&postgres.url());
    let body = r#"{"attempt":70000,"grade":"excellent","score":8.5,"workflow_state":"graded"}"#;
    send(&sink, vec![event(0, "submission_updated", body)])
        .await
        .unwrap();
    let row = "select concat_ws(' ', attempt, grade, workflow_state, extra::text) from live.submission_updated";
    assert_eq!(
        reader.value(row).await.as_deref(),
        Some(r#"70000 excellent graded {"_mismatch": {"/body/score": 8.5}}"#)
    );
    let changes = reader
        .rows("select what, why, sql from live.easel_migrations order by id")
        .await;
    let whats: Vec<_> = changes
        .iter()
        .map(|change| change["what"].as_str().unwrap())
        .collect();
    for what in [
        "create schema live",
        "widen column submission_updated.attempt from smallint to bigint",
        "widen column submission_updated.grade from character varying(2) to text",
        "add column submission_updated.user_id",
        "change the comment of column submission_updated.grade",
    ] {
        assert!(whats.contains(&what), "{what}: {whats:?}");
    }
    let sql = changes
        .iter()
        .map(|change| change["sql"].as_str().unwrap().len())
        .min();
    assert!(sql > Some(10));
}

#[tokio::test]
async fn a_column_that_a_foreign_view_protects_is_not_widened_and_loses_nothing() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let reader = postgres.reader().await;
    reader
        .execute(
            "create schema live; create table live.submission_updated (easel_offset bigint primary key, \
             extra jsonb, attempt smallint); create view attempts as select attempt from live.submission_updated",
        )
        .await;
    let sink = sink(&postgres.url());
    send(
        &sink,
        vec![event(0, "submission_updated", r#"{"attempt":7}"#)],
    )
    .await
    .unwrap();
    let extra = "select extra::text from live.submission_updated";
    assert_eq!(
        reader.value(extra).await.as_deref(),
        Some(r#"{"_mismatch": {"/body/attempt": 7}}"#)
    );
}

#[tokio::test]
async fn a_promoted_field_is_filled_from_extra_and_from_then_on() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let sink = sink(&postgres.url());
    let body = |offset: u64| match offset {
        5 => r#"{"mood":"odd"}"#.to_owned(),
        6 => r#"{"mood":null,"other":1}"#.to_owned(),
        _ => format!(r#"{{"mood":{offset}}}"#),
    };
    let events = |offsets: std::ops::Range<u64>| {
        offsets
            .map(|offset| event(offset, "logged_out", &body(offset)))
            .collect::<Vec<_>>()
    };
    send(&sink, events(0..5)).await.unwrap();
    let database = options(&postgres.url()).database;
    let operator = easel_sink_sql::PgConnection::open(&database).await.unwrap();
    let table = tables(TableLayout::Typed).table_of("logged_out", &ObservedFields::default());
    let promotion = operator.promote("live", &table, "mood").await.unwrap();
    assert_eq!(
        (promotion.sql_type, promotion.row_count),
        (SqlType::BigInt, 5)
    );
    send(&sink, events(5..8)).await.unwrap();
    let reader = postgres.reader().await;
    let row = "select string_agg(concat_ws(' ', mood, extra::text), ', ' order by easel_offset) from live.logged_out";
    assert_eq!(
        reader.value(row).await.as_deref(),
        Some(r#"0, 1, 2, 3, 4, {"_mismatch": {"/body/mood": "odd"}}, {"other": 1}, 7"#)
    );
    let recorded =
        "select why from live.easel_migrations where what = 'add column logged_out.mood'";
    assert!(reader.value(recorded).await.is_some());
    let again = operator.promote("live", &table, "mood").await.unwrap();
    assert_eq!((again.row_count, again.remaining_count), (0, 0));
    let missing = operator
        .promote("live", &table, "nothing")
        .await
        .unwrap_err();
    assert!(
        missing.to_string().contains("no row has a value"),
        "{missing}"
    );
}

#[tokio::test]
async fn a_plan_lists_what_would_change_and_is_empty_afterwards() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let options = options(&postgres.url());
    let connection = easel_sink_sql::PgConnection::open(&options.database)
        .await
        .unwrap();
    let wanted = tables(TableLayout::Typed).catalog_tables();
    let actual = connection.read_schema("live").await.unwrap();
    let plan = SchemaPlan::compare(&easel_sink_sql::PostgresDialect, "live", &wanted, &actual);
    assert_eq!(plan.changes.len(), wanted.len() + 1);
    let prepared = connection
        .prepare_schema("live", &wanted, &wanted, options.views)
        .await
        .unwrap();
    assert_eq!(prepared.changes, plan.changes);
    let plan = SchemaPlan::compare(
        &easel_sink_sql::PostgresDialect,
        "live",
        &wanted,
        &prepared.actual,
    );
    assert_eq!(plan, SchemaPlan::default());
}

#[tokio::test]
async fn a_promoted_field_with_the_name_of_a_metadata_field_has_a_column_of_its_own() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let sink = sink(&postgres.url());
    let body = r#"{"user_id":7,"event_id":"x"}"#;
    send(&sink, vec![event(0, "logged_out", body)])
        .await
        .unwrap();
    let database = options(&postgres.url()).database;
    let operator = easel_sink_sql::PgConnection::open(&database).await.unwrap();
    let table = tables(TableLayout::Typed).table_of("logged_out", &ObservedFields::default());
    for (field, column) in [("user_id", "user_id_body"), ("event_id", "event_id_body")] {
        let promotion = operator.promote("live", &table, field).await.unwrap();
        assert_eq!(
            (promotion.column.as_str(), promotion.row_count),
            (column, 1)
        );
    }
    send(&sink, vec![event(1, "logged_out", body)])
        .await
        .unwrap();
    let rows = "select string_agg(concat_ws(' ', user_id, user_id_body, event_id_body, extra::text), ', ') from live.logged_out";
    let wanted = "70000000000812 7 x, 70000000000812 7 x";
    assert_eq!(
        postgres.reader().await.value(rows).await.as_deref(),
        Some(wanted)
    );
}

#[tokio::test]
async fn a_field_with_a_name_that_easel_or_postgresql_uses_stops_nothing_and_is_found_again() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    // A name that could also be the name of another field's column has no column.
    let body = r#"{"xmin":1,"ctid":2,"user_id_meta":3,"url_meta":4,"event_id":5,"event_id_body":6,"user_id_local":7,"extra":8,"extra_body":9,"user_id":"10"}"#;
    for offset in 0..2 {
        // A new connection knows the table only from the database.
        let sink = sink(&postgres.url());
        send(&sink, vec![event(offset, "brand_new", body)])
            .await
            .unwrap();
    }
    let rows = "select string_agg(concat_ws(' ', xmin_body, ctid_body, event_id_body, extra_body, user_id, user_id_meta, extra::text), ', ' \
         order by easel_offset) from live.brand_new";
    let row = r#"1 2 5 8 10 70000000000812 {"url_meta": 4, "extra_body": 9, "user_id_meta": 3, "event_id_body": 6, "user_id_local": 7}"#;
    let reader = postgres.reader().await;
    assert_eq!(reader.value(rows).await, Some(format!("{row}, {row}")));
}

#[tokio::test]
async fn a_field_whose_column_would_be_ambiguous_cannot_be_promoted() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let sink = sink(&postgres.url());
    let long = "x".repeat(64);
    let body = format!(r#"{{"user_id_meta":1,"url_body":2,"xmin_body":3,"{long}":4,"xmin":5}}"#);
    send(&sink, vec![event(0, "logged_out", &body)])
        .await
        .unwrap();
    let database = options(&postgres.url()).database;
    let operator = easel_sink_sql::PgConnection::open(&database).await.unwrap();
    let table = tables(TableLayout::Typed).table_of("logged_out", &ObservedFields::default());
    for field in ["user_id_meta", "url_body", "xmin_body", &long] {
        let refused = operator.promote("live", &table, field).await.unwrap_err();
        assert!(refused.to_string().contains(field), "{refused}");
    }
    let promotion = operator.promote("live", &table, "xmin").await.unwrap();
    assert_eq!(promotion.column, "xmin_body");
    send(&sink, vec![event(1, "logged_out", &body)])
        .await
        .unwrap();
    let rows = "select string_agg(concat_ws(' ', user_id, xmin_body, extra::text), ', ') from live.logged_out";
    let row = format!(
        r#"70000000000812 5 {{"url_body": 2, "xmin_body": 3, "user_id_meta": 1, "{long}": 4}}"#
    );
    let reader = postgres.reader().await;
    assert_eq!(reader.value(rows).await, Some(format!("{row}, {row}")));
}

#[tokio::test]
async fn a_new_connection_changes_nothing_in_the_table_of_an_unknown_event_type() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let reader = postgres.reader().await;
    let number = "select max(id) from live.easel_migrations";
    let mut numbers = Vec::new();
    for connection in 0..3 {
        let sink = sink(&postgres.url());
        let types = ["brand_new", r"no\u0000thing"];
        let events = types.iter().zip(connection * 10..);
        let events = events.map(|(name, offset)| event(offset, name, r#"{"user_id":"7"}"#));
        send(&sink, events.collect()).await.unwrap();
        numbers.push(reader.number(number).await);
    }
    assert_eq!(numbers, [numbers[0]; 3]);
}

#[tokio::test]
async fn a_decimal_number_widens_its_column_also_beside_texts() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let sink = sink(&postgres.url());
    send(&sink, vec![event(0, "brand_new", r#"{"size":1}"#)])
        .await
        .unwrap();
    let items = vec![
        event(1, "brand_new", r#"{"size":"large"}"#),
        event(2, "brand_new", r#"{"size":1E+400}"#),
    ];
    send(&sink, items).await.unwrap();
    let reader = postgres.reader().await;
    let sizes = "select string_agg(coalesce(size, -1)::text, ' ' order by easel_offset) from live.brand_new where easel_offset < 2";
    assert_eq!(reader.value(sizes).await.as_deref(), Some("1 -1"));
    let large = "select size = 1e400 and extra is null from live.brand_new where easel_offset = 2";
    assert_eq!(reader.value(large).await.as_deref(), Some("true"));
}
