//! Rows in the database, compared with the events as they were sent.

use easel_sink_sql::table_name;
use jiff::Timestamp;
use serde_json::Value;

use crate::campus::{examples, item, send, sink};
use easel_testkit::Postgres;

/// Returns true if a column, as PostgreSQL shows it in JSON, has the value that the event has.
fn is_same(shown: &Value, sent: &Value) -> bool {
    match (shown, sent) {
        (Value::Number(shown), Value::String(sent)) => shown.to_string() == *sent,
        (Value::Number(shown), Value::Number(sent)) => shown.as_f64() == sent.as_f64(),
        (Value::String(shown), Value::String(sent)) => {
            let time = |text: &str| {
                let text = match text.len() {
                    10 => format!("{text}T00:00:00Z"),
                    _ => text.replace(" UTC", "Z").replacen(' ', "T", 1),
                };
                text.parse::<Timestamp>().ok()
            };
            shown == sent || time(shown).is_some() && time(shown) == time(sent)
        }
        // In the example of one event type, an id is the empty string, which means that there is no id.
        (Value::Null, Value::String(sent)) => sent.is_empty(),
        _ => shown == sent,
    }
}

#[tokio::test]
async fn the_examples_of_all_event_types_are_rows_with_their_values() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let sink = sink(&postgres.url());
    let examples = examples();
    let items: Vec<_> = examples
        .iter()
        .map(|(offset, json)| item(*offset, json))
        .collect();
    let ids: Vec<_> = items.iter().map(|item| item.id.to_string()).collect();
    send(&sink, items).await.unwrap();
    assert_eq!(sink.mismatch_count(), 0);
    let reader = postgres.reader().await;
    let mut compared_count = 0;
    for ((offset, json), id) in examples.iter().zip(ids) {
        let event: Value = serde_json::from_str(json).unwrap();
        let table = table_name(event["metadata"]["event_name"].as_str().unwrap());
        let sql = format!("select * from live.{table} where easel_offset = {offset}");
        let rows = reader.rows(&sql).await;
        let [row] = rows.as_slice() else {
            panic!("{sql}: {rows:?}");
        };
        assert_eq!(row["event_id"], Value::String(id));
        assert_eq!(row["extra"], Value::Null, "{table}");
        let body = event["body"].as_object().unwrap();
        for (name, sent) in body {
            let column = if row.get(format!("{name}_body")).is_some() {
                format!("{name}_body")
            } else {
                name.clone()
            };
            assert!(
                is_same(&row[&column], sent),
                "{table}.{column}: {sent} {}",
                row[&column]
            );
            compared_count += 1;
        }
        for (name, sent) in event["metadata"].as_object().unwrap() {
            let column = match name.as_str() {
                "event_name" => continue,
                name if row.get(format!("{name}_meta")).is_some() => format!("{name}_meta"),
                name => name.to_owned(),
            };
            assert!(
                is_same(&row[&column], sent),
                "{table}.{column}: {sent} {}",
                row[&column]
            );
            compared_count += 1;
        }
    }
    assert!(compared_count > 3_000, "{compared_count}");
}

#[tokio::test]
async fn a_local_id_joins_with_canvas_data_and_every_column_has_a_comment() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let sink = sink(&postgres.url());
    let items = examples()
        .iter()
        .map(|(offset, json)| item(*offset, json))
        .collect();
    send(&sink, items).await.unwrap();
    let reader = postgres.reader().await;
    let ids = "select user_id || ' ' || user_id_local from live.submission_updated limit 1";
    assert_eq!(
        reader.value(ids).await.as_deref(),
        Some("70000000000031 31")
    );
    let without_comment = "select count(*) from pg_class c join pg_attribute a on a.attrelid = c.oid \
         where relnamespace = 'live'::regnamespace and relkind = 'r' and attnum > 0 \
         and relname not like 'easel\\_%' \
         and (col_description(c.oid, attnum) is null or obj_description(c.oid) is null)";
    assert_eq!(reader.number(without_comment).await, 0);
    let not_received = "select count(*) from live.logged_out \
         where received_at is distinct from event_time + interval '1 second'";
    assert_eq!(reader.number(not_received).await, 0);
    let without_index = "select count(*) from pg_class c where relnamespace = 'live'::regnamespace \
         and relkind = 'r' and relname not like 'easel\\_%' and \
         (select count(*) from pg_index where indrelid = c.oid) <> 2";
    assert_eq!(reader.number(without_index).await, 0);
}
