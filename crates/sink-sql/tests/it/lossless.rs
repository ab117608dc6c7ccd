//! Rows of any event, without a database: nothing is lost.

use easel_catalog::{Catalog, Event, Limits, Privacy, admit};
use easel_sink_sql::{
    ColumnSource, EventFacts, EventTables, ObservedFields, SqlTable, SqlType, SqlValue, TableLayout,
};
use proptest::prelude::*;

use crate::campus::{examples, tables};
use crate::inverse::assert_nothing_is_lost;

fn facts(event: &Event, offset: u64) -> EventFacts<'_> {
    EventFacts {
        offset,
        id: event.id,
        event_type: &event.event_type,
        occurred_at: event.occurred_at,
        received_at: None,
    }
}

/// Returns the table and the value of a column for an event.
fn check_event(json: &str) -> (SqlTable, Vec<SqlValue<'static>>) {
    let event = admit(json.as_bytes(), &Limits::default()).unwrap();
    let tables = tables(TableLayout::Typed);
    let mut observed = ObservedFields::default();
    observed.observe(&event.bytes);
    let table = tables.table_of(&event.event_type, &observed);
    let bytes: &'static [u8] = Box::leak(event.bytes.to_vec().into_boxed_slice());
    let row = tables.row(&table, facts(&event, 7), bytes).unwrap();
    assert_nothing_is_lost(&table, &row, &event.bytes);
    (table, row.values)
}

fn value<'a>(found: &'a (SqlTable, Vec<SqlValue<'static>>), name: &str) -> &'a SqlValue<'static> {
    let index = found
        .0
        .columns
        .iter()
        .position(|column| column.name == name);
    &found.1[index.unwrap_or_else(|| panic!("{name}"))]
}

fn submission(body: &str) -> (SqlTable, Vec<SqlValue<'static>>) {
    check_event(&format!(
        r#"{{"metadata":{{"event_name":"submission_updated","event_time":"2026-02-11T08:15:42.067Z","user_id":"70000000000812"}},"body":{body}}}"#
    ))
}

#[test]
fn the_example_of_every_event_type_fits_without_extra() {
    for (_offset, json) in examples() {
        let found = check_event(&json);
        assert_eq!(value(&found, "extra"), &SqlValue::Null, "{json}");
    }
}

#[test]
fn a_name_in_metadata_and_body_is_two_columns() {
    let found = submission(r#"{"user_id":"70000000000031"}"#);
    assert_eq!(
        value(&found, "user_id"),
        &SqlValue::BigInt(70_000_000_000_031)
    );
    assert_eq!(
        value(&found, "user_id_meta"),
        &SqlValue::BigInt(70_000_000_000_812)
    );
    let names: Vec<_> = found
        .0
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    for name in [
        "user_id_local",
        "user_id_meta_local",
        "url",
        "url_meta",
        "body",
    ] {
        assert!(names.contains(&name), "{name}");
    }
}

#[test]
fn a_value_that_does_not_fit_leaves_its_column_empty() {
    let found = submission(
        r#"{"score":"eight","attempt":1.5,"late":{"a":[1]},"graded_at":"soon","mood":"good"}"#,
    );
    for name in ["score", "attempt", "late", "graded_at"] {
        assert_eq!(value(&found, name), &SqlValue::Null, "{name}");
    }
    let SqlValue::Json(extra) = value(&found, "extra") else {
        panic!("extra is empty");
    };
    let wanted = r#"{"mood":"good","_mismatch":{"/body/score":"eight","/body/attempt":1.5,"/body/late":{"a":[1]},"/body/graded_at":"soon"}}"#;
    assert_eq!(str::from_utf8(extra).unwrap(), wanted);
}

#[test]
fn spellings_that_a_json_column_would_change_are_kept() {
    for body in [
        r#"{"score":9007199254740993}"#,
        r#"{"score":1e400,"mood":1e400}"#,
        r#"{"x":{"a":1,"a":2},"y":"\u0000","z":"\ud800","w":[1e999999]}"#,
        r#"{"_mismatch":1,"_metadata":{"a":1},"_event":null,"grade":{"base64":"eA=="}}"#,
        r#"{"updated_at":"2026-02-11 08:15:41.123456789 -0800","graded_at":"2016-12-31T23:59:60Z"}"#,
        r#"{"submission_id":"007","assignment_id":"","group_id":7,"":1,"a/b~c":2,"\ud800":3}"#,
        r#"{"grade":"\u0000","body":"\ud83d","url":"é\u00e9\n\"\\"}"#,
    ] {
        submission(body);
    }
}

#[test]
fn members_beside_metadata_and_body_are_kept() {
    let found = check_event(
        r#"{"note":{"a":1},"metadata":{"event_name":"new_type","event_time":"2026-02-11T08:15:42Z","mood":1},"body":{"course_id":"7","at":"2026-02-11T08:15:41Z","size":12}}"#,
    );
    assert_eq!(value(&found, "course_id"), &SqlValue::BigInt(7));
    let SqlValue::Json(extra) = value(&found, "extra") else {
        panic!("extra is empty");
    };
    let wanted = r#"{"_metadata":{"mood":1},"_event":{"note":{"a":1}}}"#;
    assert_eq!(str::from_utf8(extra).unwrap(), wanted);
    let at = found.0.body_column("at").unwrap();
    assert_eq!(at.sql_type, SqlType::Timestamp);
}

#[test]
fn an_excluded_privacy_class_has_no_column_and_no_value_anywhere() {
    let catalog = std::sync::Arc::new(Catalog::built_in());
    let excluded = vec![Privacy::DirectIdentifier];
    for layout in [TableLayout::Typed, TableLayout::Wide] {
        let tables = EventTables::new(std::sync::Arc::clone(&catalog), layout, excluded.clone());
        let json = br#"{"metadata":{"event_name":"submission_updated","event_time":"2026-02-11T08:15:42Z","user_login":"s3cret"},"body":{"user_id":"7000031","lti_user_id":{"s3cret":1},"grade":"B+"}}"#;
        let event = admit(json, &Limits::default()).unwrap();
        let table = tables.table_of(&event.event_type, &ObservedFields::default());
        let row = tables.row(&table, facts(&event, 1), &event.bytes).unwrap();
        let shown = format!(
            "{:?}",
            row.values
                .iter()
                .map(|value| match value {
                    SqlValue::Json(json) => String::from_utf8(json.to_vec()).unwrap(),
                    other => format!("{other:?}"),
                })
                .collect::<Vec<_>>()
        );
        assert!(
            !shown.contains("s3cret") && !shown.contains("7000031"),
            "{shown}"
        );
        assert!(shown.contains("B+"), "{shown}");
        let sources: Vec<_> = table.columns.iter().map(|column| &column.source).collect();
        assert!(!sources.contains(&&ColumnSource::Metadata("user_login".to_owned())));
    }
}

#[test]
fn every_name_in_every_table_is_unique_and_short() {
    let mut table_names = std::collections::HashSet::new();
    for table in tables(TableLayout::Typed).catalog_tables() {
        let mut names = std::collections::HashSet::new();
        for column in &table.columns {
            assert!(names.insert(&column.name), "{}.{}", table.name, column.name);
            assert!(column.name.len() <= 63);
            assert!(!column.comment.is_empty(), "{}.{}", table.name, column.name);
        }
        assert!(table_names.insert(table.name.clone()), "{}", table.name);
    }
}

fn any_json(depth: u32) -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|truth| truth.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>()
            .prop_filter("finite", |number| number.is_finite())
            .prop_map(|number| format!("{number:e}")),
        "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,25})?([eE][+-]?[0-9]{1,4})?",
        "\"[ -!#-\\[\\]-~é😀]{0,12}\"",
        "\"(\\\\u0000|\\\\ud800|\\\\udfff|\\\\ud83d\\\\ude00|\\\\n|x){0,3}\"",
        "\"[0-9]{1,20}\"",
        "\"20[0-9]{2}-0[1-9]-[0-2][0-9][T ]0[0-9]:[0-5][0-9]:[0-6][0-9](\\.[0-9]{1,9})?( UTC|Z|[+-]0[0-9]:?00)?\"",
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let inner = any_json(depth - 1);
    let key = "\"([a-c]|\\\\u0061|\\\\u0000)\"";
    prop_oneof![
        4 => leaf,
        1 => prop::collection::vec(inner.clone(), 0..4).prop_map(|list| format!("[{}]", list.join(","))),
        1 => prop::collection::vec((key, inner), 0..4).prop_map(|members| {
            let members: Vec<_> = members.iter().map(|(key, value)| format!("{key}:{value}")).collect();
            format!("{{{}}}", members.join(","))
        }),
    ]
    .boxed()
}

/// Keys of the body: known, unknown, reserved and odd.
const KEYS: [&str; 22] = [
    "assignment_id",
    "attempt",
    "body",
    "grade",
    "graded_at",
    "group_id",
    "late",
    "score",
    "submission_id",
    "updated_at",
    "url",
    "user_id",
    "extra",
    "event_id",
    "easel_offset",
    "mood",
    "_metadata",
    "_mismatch",
    "_event",
    "a/b",
    "~",
    "\\ud800",
];

/// Keys of the metadata.
const META_KEYS: [&str; 8] = [
    "user_id",
    "context_id",
    "job_id",
    "client_ip",
    "url",
    "mood",
    "_metadata",
    "\\u0000",
];

fn members<'a>(keys: &'a [&'a str]) -> impl Strategy<Value = String> + 'a {
    prop::collection::btree_map(0..keys.len(), any_json(2), 0..8).prop_map(move |members| {
        let members: Vec<_> = members
            .iter()
            .map(|(key, value)| format!("\"{}\":{value}", keys[*key]))
            .collect();
        members.join(",")
    })
}

proptest! {
    #[test]
    fn every_value_of_any_event_is_found_again(
        metadata in members(&META_KEYS),
        body in members(&KEYS),
        is_known in any::<bool>(),
        time in "2026-02-11[T ]08:15:4[0-9](\\.[0-9]{1,9})?Z",
    ) {
        let event_type = if is_known { "submission_updated" } else { "brand_new" };
        let comma = if metadata.is_empty() { "" } else { "," };
        check_event(&format!(
            r#"{{"metadata":{{"event_name":"{event_type}","event_time":"{time}"{comma}{metadata}}},"body":{{{body}}}}}"#
        ));
    }

    #[test]
    fn no_bytes_make_a_row_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0_usize..200) {
        let tables = tables(TableLayout::Typed);
        let table = tables.table_of("submission_updated", &ObservedFields::default());
        let event = admit(br#"{"metadata":{"event_name":"submission_updated","event_time":"2026-02-11T08:15:42Z"},"body":{"grade":"B+","x":[1,{"a":"\u0000"}]}}"#, &Limits::default()).unwrap();
        let mut mangled = event.bytes.to_vec();
        mangled.truncate(std::cmp::min(cut, mangled.len()));
        mangled.extend(&bytes);
        drop(tables.row(&table, facts(&event, 1), &mangled));
        let mut observed = ObservedFields::default();
        observed.observe(&mangled);
    }
}
