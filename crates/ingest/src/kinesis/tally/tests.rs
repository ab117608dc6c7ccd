//! The counts, compared with those of a full parser.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

#[track_caller]
fn check(call: &str, wanted: Option<usize>) {
    let mut tally = RecordTally::default();
    tally.add_chunk(call.as_bytes());
    assert_eq!(tally.count(), wanted, "{call}");
}

#[test]
fn only_the_elements_of_the_member_records_count() {
    check(
        r#"{"StreamName":"Records","Records":[{"Data":"]}"},{}]}"#,
        Some(2),
    );
    check(
        r#" { "a\"" : ["Records", [1]], "Records" : [ 1 , [2, 3], "," ] } "#,
        Some(3),
    );
    check(r#"{"a":{"Records":[1]},"Records":["\\","\",["]}"#, Some(2));
}

#[test]
fn an_invalid_call_has_no_count() {
    for call in [
        "",
        "7",
        "[\"Records\",[1]]",
        "{}",
        r#"{"Records":[ ]}"#,
        r#"{"Records":{"Records":[1]}}"#,
        r#"{"Records":[1]"#,
        r#"{"Records":[1]}""#,
    ] {
        check(call, None);
    }
}

#[test]
fn a_call_with_too_many_records_has_no_count() {
    let call = |count| json!({ "Records": vec![0; count] }).to_string();
    check(&call(Intake::MAX_EVENTS), Some(Intake::MAX_EVENTS));
    check(&call(Intake::MAX_EVENTS + 1), None);
}

fn value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![Just("Records".to_owned()), "[a\"\\\\{}\\[\\],:é]{0,4}"];
    let scalar = prop_oneof![
        text.clone().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        Just(Value::Null),
    ];
    scalar.prop_recursive(5, 40, 6, move |value| {
        prop_oneof![
            prop::collection::vec(value.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(text.clone(), value, 0..6)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn the_count_equals_that_of_a_full_parser(
        value in prop_oneof![
            value(),
            prop::collection::vec(value(), 0..6)
                .prop_map(|records| json!({ "A": [7], "Records": records, "Z": [[]] })),
        ],
        piece in 1_usize..9,
        pretty: bool,
    ) {
        let wanted = value.get("Records").and_then(Value::as_array).map(Vec::len);
        let call = if pretty { format!("{value:#}") } else { value.to_string() };
        let mut tally = RecordTally::default();
        call.as_bytes().chunks(piece).for_each(|piece| tally.add_chunk(piece));
        prop_assert_eq!(tally.count(), wanted.filter(|count| *count > 0));
    }

    #[test]
    fn arbitrary_bytes_are_counted_without_a_panic(
        bytes in prop_oneof![
            any::<Vec<u8>>(),
            "\\{(\"Records\"|[\\[\\]{}:,\"\\\\ 7]){0,20}".prop_map(String::into_bytes),
        ]
    ) {
        let mut tally = RecordTally::default();
        tally.add_chunk(&bytes);
        prop_assert!(tally.count().is_none_or(|count| count < bytes.len()));
    }
}
