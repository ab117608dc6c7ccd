//! The layout `ledbelly`: tables that another loader made are filled as they are.

use std::sync::Arc;

use easel_catalog::{Catalog, Privacy};
use easel_sink_sql::{EventTables, SqlSink, SqlSinkOptions, TableLayout};
use easel_sinks::{Blame, Sink};
use jiff::Timestamp;
use jiff::tz::{TimeZone, offset};
use serde_json::Value;

use crate::campus::{event, examples, item, options, position, send};
use crate::ledbelly_ddl::{OLD_ROWS, TABLES};
use easel_testkit::{Postgres, TableReader};

/// Returns the options of a sink whose time zone is 8 hours behind UTC.
fn ledbelly(url: &str) -> SqlSinkOptions {
    ledbelly_without(url, Vec::new())
}

fn ledbelly_without(url: &str, excluded: Vec<Privacy>) -> SqlSinkOptions {
    let catalog = Arc::new(Catalog::built_in());
    let tables = EventTables::new(catalog, TableLayout::Ledbelly, excluded);
    let tables = tables.with_time_zone(TimeZone::fixed(offset(-8)));
    let mut options = options(url);
    options.tables = Arc::new(tables);
    options
}

/// Creates the tables with some rows, and lets the server refuse every change of a table.
async fn create_old_tables(reader: &TableReader) {
    reader.execute(TABLES).await;
    reader.execute(OLD_ROWS).await;
    reader
        .execute(
            "create function public.refuse() returns event_trigger language plpgsql as \
             $$ begin raise exception 'nobody may change a table'; end $$; \
             create event trigger refuse on ddl_command_start \
             when tag in ('ALTER TABLE', 'DROP TABLE', 'CREATE VIEW') execute function public.refuse()",
        )
        .await;
}

/// Returns everything about the columns, constraints, indexes and comments of the older tables.
async fn definitions(reader: &TableReader) -> Vec<Value> {
    let old = "('live_asset_accessed', 'live_course_completed', 'live_enrollment_created', 'live_grade_change', \
         'live_logged_in', 'live_quiz_submitted', 'live_stream', 'live_submission_created')";
    reader
        .rows(&format!(
            "select c.table_name, c.column_name, c.ordinal_position, c.data_type, c.character_maximum_length, \
             c.is_nullable, c.column_default, \
             col_description(('live.' || c.table_name)::regclass, c.ordinal_position::int) as about, \
             obj_description(('live.' || c.table_name)::regclass) as table_about, \
             (select string_agg(indexdef, ';' order by indexdef) from pg_indexes i \
              where i.schemaname = 'live' and i.tablename = c.table_name) as indexes \
             from information_schema.columns c where c.table_schema = 'live' and c.table_name in {old} \
             order by 1, 3"
        ))
        .await
}

/// Returns true if a column shows the value that an event has.
fn is_shown(shown: &Value, sent: &Value) -> bool {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Array(elements) if elements.iter().all(Value::is_string) => {
            let elements = elements.iter().filter_map(Value::as_str);
            elements.collect::<Vec<_>>().join(",")
        }
        other => other.to_string(),
    };
    let time = |text: &str| {
        let text = text.trim_end_matches('Z').trim_end_matches(" UTC");
        if text.len() == 10 {
            return format!("{text}T00:00:00Z").parse::<Timestamp>().ok();
        }
        format!("{}Z", text.replacen(' ', "T", 1))
            .parse::<Timestamp>()
            .ok()
    };
    let json = |text: &str| serde_json::from_str::<Value>(text).map_err(|_error| text.to_owned());
    match (shown, sent) {
        (Value::Null, Value::Null) => true,
        (Value::Null, sent) => text(sent).is_empty(),
        (Value::Number(shown), Value::Number(sent)) => shown.as_f64() == sent.as_f64(),
        (shown, sent) => {
            let (shown, sent) = (text(shown), text(sent));
            shown == sent
                || json(&shown) == json(&sent)
                || time(&shown).is_some() && time(&shown) == time(&sent)
        }
    }
}

#[tokio::test]
async fn older_tables_are_filled_without_a_change_and_keep_their_rows() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let reader = postgres.reader().await;
    create_old_tables(&reader).await;
    let before = definitions(&reader).await;
    assert!(before.len() > 200, "{}", before.len());
    let old = reader
        .rows("select * from live.live_grade_change order by 1")
        .await;
    let sink = SqlSink::new(ledbelly(&postgres.url()));
    let examples = examples();
    let items = examples
        .iter()
        .map(|(offset, json)| item(*offset, json))
        .collect();
    send(&sink, items).await.unwrap();

    assert_eq!(definitions(&reader).await, before);
    let first = "select * from live.live_grade_change order by 1 limit 2";
    assert_eq!(reader.rows(first).await, old);
    let numbers =
        "select string_agg(grade_change_id::text, ' ' order by 1) from live.live_grade_change";
    assert_eq!(reader.value(numbers).await.as_deref(), Some("1 2 3 4"));
    let changes =
        "select string_agg(what, ', ') from live.easel_migrations where what not like 'create %'";
    assert_eq!(reader.value(changes).await, None);
    let all = i64::try_from(examples.len()).unwrap();
    let register = "select count(*) from live.easel_events";
    assert_eq!(reader.number(register).await, all);
    let stream = "select count(*) from live.live_stream";
    assert_eq!(reader.number(stream).await, all + 1);
    let views = "select count(*) from pg_views where schemaname = 'live'";
    assert_eq!(reader.number(views).await, 0);
}

#[tokio::test]
async fn the_columns_have_the_values_of_the_examples() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let reader = postgres.reader().await;
    create_old_tables(&reader).await;
    let sink = SqlSink::new(ledbelly(&postgres.url()));
    let examples = examples();
    let items = examples
        .iter()
        .map(|(offset, json)| item(*offset, json))
        .collect();
    send(&sink, items).await.unwrap();
    let mut compared_count = 0;
    for (offset, json) in &examples {
        let event: Value = serde_json::from_str(json).unwrap();
        let event_type = event["metadata"]["event_name"].as_str().unwrap();
        let table = format!("live_{}", event_type.replace(['.', '-'], "_"));
        let time = event["metadata"]["event_time"].as_str().unwrap();
        let condition = format!("event_time = '{time}'::timestamp");
        let sql = format!(
            "select * from live.{table} where event_name = '{event_type}' and {condition} order by 1 desc limit 1"
        );
        let rows = reader.rows(&sql).await;
        let [row] = rows.as_slice() else {
            panic!("{sql}: {rows:?}");
        };
        let extra = format!("select extra from live.easel_events where easel_offset = {offset}");
        let extra = &reader.rows(&extra).await[0]["extra"];
        for (part, unknown) in [("metadata", &extra["_metadata"]), ("body", extra)] {
            for (name, sent) in event[part].as_object().unwrap() {
                let suffixed = format!("{name}_meta");
                let column = if part == "metadata" && row.get(&suffixed).is_some() {
                    &suffixed
                } else {
                    name
                };
                let is_stored = row.get(column).is_some_and(|shown| is_shown(shown, sent));
                // An object can have columns for its fields.
                let is_flat = sent.is_object() && row.get(column).is_none();
                let pointer = format!("/{part}/{name}");
                let is_kept = unknown[name] == *sent || extra["_mismatch"][&pointer] == *sent;
                assert!(
                    is_stored || is_flat || is_kept,
                    "{table}.{column}: {sent} {extra}"
                );
                compared_count += 1;
            }
        }
    }
    assert!(compared_count > 3_000, "{compared_count}");
    // LEDbelly's columns for this field are too short for every value.
    let others = "select count(*) from live.easel_events, jsonb_object_keys(extra -> '_mismatch') as pointer \
         where pointer <> '/metadata/root_account_lti_guid'";
    assert_eq!(reader.number(others).await, 0);
    // Three tables have that column, and each has two of the events.
    assert_eq!(sink.mismatch_count(), 6);
    let course = "select concat_ws(' ', requirement_count, requirement_completed_count, course_name, user_name, completed_at) \
         from live.live_course_completed where live_course_completed.course_completed_id = 1";
    assert_eq!(
        reader.value(course).await.as_deref(),
        Some("6 6 Botany Ola Nordmann 2026-02-11 08:13:41")
    );
}

#[tokio::test]
async fn times_are_in_utc_except_those_on_the_local_clock() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let reader = postgres.reader().await;
    create_old_tables(&reader).await;
    let sink = SqlSink::new(ledbelly(&postgres.url()));
    let json = r#"{"metadata":{"event_name":"logged_in","event_time":"2026-02-11T08:15:42.067Z","user_login":"ida","root_account_id":"70000000000001"},"body":{"redirect_url":"https://lms.example.edu"}}"#;
    send(&sink, vec![item(0, json)]).await.unwrap();
    let row = "select concat_ws(', ', event_time, event_time_local, processed_at, user_login, root_account_id, redirect_url) \
         from live.live_logged_in where event_name = 'logged_in' order by logged_in_id desc limit 1";
    let wanted = "2026-02-11 08:15:42.067, 2026-02-11 00:15:42.067, 2026-02-11 00:15:43.067, ida, 70000000000001, https://lms.example.edu";
    assert_eq!(reader.value(row).await.as_deref(), Some(wanted));
}

#[tokio::test]
async fn a_report_for_the_older_loader_runs_over_older_and_newer_rows() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let reader = postgres.reader().await;
    create_old_tables(&reader).await;
    let sink = SqlSink::new(ledbelly(&postgres.url()));
    let enrollment = |offset, user: u64, course: u64| {
        let body = format!(
            r#"{{"enrollment_id":"{offset}","user_id":"{user}","course_id":"{course}","workflow_state":"active","limit_privileges_to_course_section":false}}"#
        );
        event(offset, "enrollment_created", &body)
    };
    let grade = |offset, student: u64, score: f64| {
        let body = format!(
            r#"{{"submission_id":"9","student_id":"{student}","score":{score},"grade":"{score}","muted":false}}"#
        );
        event(offset, "grade_change", &body)
    };
    let items = vec![
        enrollment(0, 103, 7),
        enrollment(1, 104, 8),
        grade(2, 103, 7.0),
        grade(3, 101, 10.0),
        grade(4, 104, 2.5),
        event(
            5,
            "grade_change",
            r#"{"student_id":"101","score":1,"muted":true}"#,
        ),
    ];
    send(&sink, items).await.unwrap();
    let report = "select string_agg(concat_ws(' ', course_id, students, changes, average), ', ' order by course_id) from ( \
           select e.course_id, count(distinct g.student_id) as students, count(*) as changes, \
                  round(avg(g.score)::numeric, 2) as average \
           from live.live_grade_change g join live.live_enrollment_created e on e.user_id = g.student_id \
           where g.muted = 'false' and e.limit_privileges_to_course_section = 'false' \
             and g.event_time >= '2025-01-01' \
           group by e.course_id) r";
    // Older rows: the students 101 and 102 of course 7 have the scores 6 and 8.
    let wanted = "7 3 4 7.75, 8 1 1 2.50";
    assert_eq!(reader.value(report).await.as_deref(), Some(wanted));
    let users = "select string_agg(day || ' ' || users, ', ' order by day) from ( \
           select event_time_local::date as day, count(distinct user_id_meta) as users \
           from live.live_stream group by 1) r";
    let wanted = "2025-09-01 1, 2026-02-11 1";
    assert_eq!(reader.value(users).await.as_deref(), Some(wanted));
}

#[tokio::test]
async fn no_event_is_two_rows() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let reader = postgres.reader().await;
    create_old_tables(&reader).await;
    let sink = SqlSink::new(ledbelly(&postgres.url()));
    let events = |offsets: std::ops::Range<u64>| {
        let body = r#"{"submission_id":"1","quiz_id":"2"}"#;
        offsets
            .map(|offset| event(offset, "quiz_submitted", body))
            .collect::<Vec<_>>()
    };
    let counts = "select concat_ws(' ', (select count(*) from live.live_quiz_submitted), \
         (select count(*) from live.live_stream), (select count(*) from live.easel_events))";
    send(&sink, events(0..10)).await.unwrap();
    // Each of these tables had one older row, except the register.
    assert_eq!(reader.value(counts).await.as_deref(), Some("11 11 10"));
    send(&sink, events(0..10)).await.unwrap();
    send(&sink, events(5..15)).await.unwrap();
    assert_eq!(reader.value(counts).await.as_deref(), Some("16 16 15"));
    // A dead letter leaves a gap, which its redelivery fills once.
    send(&sink, events(16..20)).await.unwrap();
    assert_eq!(reader.value(counts).await.as_deref(), Some("20 20 19"));
    for _redelivery in 0..2 {
        send(&sink, events(15..16)).await.unwrap();
        assert_eq!(reader.value(counts).await.as_deref(), Some("21 21 20"));
        assert_eq!(position(&sink).await, Some(20));
    }
    let mut replay = ledbelly(&postgres.url());
    replay.key.replay = 1;
    replay.rows_may_exist = true;
    send(&SqlSink::new(replay), events(10..22)).await.unwrap();
    assert_eq!(reader.value(counts).await.as_deref(), Some("23 23 22"));
}

#[tokio::test]
async fn what_a_column_cannot_hold_is_in_the_register() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let reader = postgres.reader().await;
    create_old_tables(&reader).await;
    let sink = SqlSink::new(ledbelly(&postgres.url()));
    let long = "ä".repeat(90);
    let grade = format!(
        r#"{{"grade":"{long}","score":"8.5","grader_id":"none","mood":{{"a":1}},"muted":true}}"#
    );
    let completed = r#"{"progress":{"requirement_count":3000000000,"completed_at":"2026-02-11T08:15:41Z"},"user":{"id":"7","shoe_size":44},"course":{"id":"70000000000012","name":"Physics"}}"#;
    let items = vec![
        event(0, "grade_change", &grade),
        event(1, "course_completed", completed),
    ];
    send(&sink, items).await.unwrap();
    let row = "select concat_ws(' ', length(grade), score, grader_id, muted) from live.live_grade_change \
         order by grade_change_id desc limit 1";
    assert_eq!(reader.value(row).await.as_deref(), Some("80 8.5 true"));
    let row = "select concat_ws(' ', requirement_count, completed_at, user_id, course_id, course_name) \
         from live.live_course_completed order by 1 desc limit 1";
    assert_eq!(
        reader.value(row).await.as_deref(),
        Some("2026-02-11 08:15:41 7 Physics")
    );
    let extras = reader
        .rows("select extra from live.easel_events order by easel_offset")
        .await;
    let extra = &extras[0]["extra"];
    assert_eq!(extra["_mismatch"]["/body/grade"], long.as_str());
    assert_eq!(extra["_mismatch"]["/body/score"], "8.5");
    assert_eq!(extra["_mismatch"]["/body/grader_id"], "none");
    assert_eq!(extra["mood"]["a"], 1);
    let extra = &extras[1]["extra"];
    assert_eq!(
        extra["_mismatch"]["/body/progress"]["requirement_count"],
        3_000_000_000_u64
    );
    assert_eq!(extra["_mismatch"]["/body/course"]["id"], "70000000000012");
    assert_eq!(extra["user"]["shoe_size"], 44);
    assert_eq!(sink.mismatch_count(), 5);
}

#[tokio::test]
async fn missing_tables_are_created_by_the_same_conventions() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let sink = SqlSink::new(ledbelly(&postgres.url()));
    let examples = examples();
    let items = examples.iter().map(|(offset, json)| item(*offset, json));
    let unknown = event(
        1_000,
        "quizzes-lti.bank_shared",
        r#"{"score_to_keep":"avg","is_late":true,"at":"2026-02-11T08:15:41Z"}"#,
    );
    send(&sink, items.chain([unknown]).collect()).await.unwrap();
    assert_eq!(sink.mismatch_count(), 0);
    let reader = postgres.reader().await;
    let columns = |table: &str| {
        format!(
            "select string_agg(column_name || ' ' || data_type, ', ' order by ordinal_position) \
             from information_schema.columns where table_schema = 'live' and table_name = '{table}'"
        )
    };
    let shown = reader
        .value(&columns("live_submission_created"))
        .await
        .unwrap();
    let start = "submission_created_id bigint, processed_at timestamp without time zone, event_time_local timestamp without time zone, ";
    assert!(shown.starts_with(start), "{shown}");
    for column in [
        "context_id_meta bigint",
        "event_name text",
        "event_time timestamp without time zone",
        "root_account_id_meta bigint",
        "root_account_uuid text",
        "url_meta text",
        "user_id_meta bigint",
        "user_login_meta text",
        "submission_id bigint",
        "user_id bigint",
        "score double precision",
        "late character varying",
        "body text",
        "url text",
    ] {
        assert!(
            shown.split(", ").any(|found| found == column),
            "{column}: {shown}"
        );
    }
    let shown = reader
        .value(&columns("live_quizzes_lti_bank_shared"))
        .await
        .unwrap();
    assert!(
        shown.starts_with("quizzes_lti_bank_shared_id bigint"),
        "{shown}"
    );
    assert!(
        shown.ends_with(
            "score_to_keep text, is_late character varying, at timestamp without time zone"
        ),
        "{shown}"
    );
    let extras = "select string_agg(distinct event_name || extra::text, ', ') from live.easel_events where extra is not null";
    assert_eq!(reader.value(extras).await, None);
    let without_comment = "select count(*) from pg_class c join pg_attribute a on a.attrelid = c.oid \
         where relnamespace = 'live'::regnamespace and relkind = 'r' and attnum > 0 and relname like 'live\\_%' \
         and relname <> 'live_quizzes_lti_bank_shared' \
         and (col_description(c.oid, attnum) is null or obj_description(c.oid) is null)";
    assert_eq!(reader.number(without_comment).await, 0);
    let stream = "select count(*) from pg_class where relname = 'live_stream'";
    assert_eq!(reader.number(stream).await, 0);
    // A table that exists stays as it is, also when Easel made it.
    send(
        &sink,
        vec![event(1_001, "quizzes-lti.bank_shared", r#"{"new":1.5}"#)],
    )
    .await
    .unwrap();
    let extra = "select extra::text from live.easel_events where easel_offset = 1001";
    assert_eq!(
        reader.value(extra).await.as_deref(),
        Some(r#"{"new": 1.5}"#)
    );
}

#[tokio::test]
async fn an_excluded_privacy_class_is_in_none_of_the_tables() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let reader = postgres.reader().await;
    create_old_tables(&reader).await;
    let classes = vec![Privacy::DirectIdentifier, Privacy::QuasiIdentifier];
    let sink = SqlSink::new(ledbelly_without(&postgres.url(), classes));
    let json = |event_type: &str, body: &str| {
        format!(
            r#"{{"metadata":{{"event_name":"{event_type}","event_time":"2026-02-11T08:15:42Z","user_login":"s3cret","user_sis_id":"s3cret","client_ip":"s3cret"}},"body":{body}}}"#
        )
    };
    let completed = json(
        "course_completed",
        r#"{"user":{"id":"4","email":"s3cret","new":1},"course":{"name":"Physics"}}"#,
    );
    let items = vec![item(0, &json("logged_in", "{}")), item(1, &completed)];
    send(&sink, items).await.unwrap();
    for table in [
        "live_logged_in",
        "live_course_completed",
        "live_stream",
        "easel_events",
    ] {
        let sql = format!("select count(*) from live.{table} t where t::text like '%s3cret%'");
        assert_eq!(reader.number(&sql).await, 0, "{table}");
    }
    let name = "select course_name from live.live_course_completed order by 1 limit 1";
    assert_eq!(reader.value(name).await.as_deref(), Some("Physics"));
}

#[tokio::test]
async fn a_table_that_cannot_number_its_rows_is_refused_with_the_name_of_the_column() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let reader = postgres.reader().await;
    reader
        .execute("create schema live; create table live.live_logged_out (logged_out_id bigint primary key)")
        .await;
    let sink = SqlSink::new(ledbelly(&postgres.url()));
    let failure = send(&sink, vec![event(0, "logged_out", "{}")])
        .await
        .unwrap_err();
    assert!(
        matches!(failure.blame(), Blame::Endpoint { .. }),
        "{failure}"
    );
    let wanted = "the column logged_out_id of the table live_logged_out must have a default";
    assert!(failure.to_string().contains(wanted), "{failure}");
    assert_eq!(sink.resume_at(None).await.unwrap(), None);
}
