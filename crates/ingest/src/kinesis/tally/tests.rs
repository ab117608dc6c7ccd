//! The counts, compared with those of a full parser.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// Counts the records of a call that arrives in pieces.
fn count(format: KinesisFormat, call: &[u8], piece: usize) -> Option<usize> {
    let mut tally = RecordTally::new(format);
    call.chunks(piece).for_each(|piece| tally.add_chunk(piece));
    tally.count()
}

#[track_caller]
fn check(call: &str, wanted: Option<usize>) {
    let counted = count(KinesisFormat::Json, call.as_bytes(), call.len() + 1);
    assert_eq!(counted, wanted, "{call}");
}

#[track_caller]
fn check_cbor(call: &[u8], wanted: Option<usize>) {
    for piece in [1, 2, 1_000] {
        assert_eq!(count(KinesisFormat::Cbor, call, piece), wanted, "{call:x?}");
    }
}

#[test]
fn only_the_elements_of_the_member_records_count_in_cbor() {
    // Declared lengths, and strings that resemble the member.
    check_cbor(
        b"\xa2\x61s\x67Records\x67Records\x82\xa1\x64Data\x45\x9f\xff\x82\xbf\x82\xa0",
        Some(2),
    );
    // End marks, as in Java.
    check_cbor(
        b"\xbf\x67Records\x9f\xbf\x64Data\x41\xff\xff\xbf\xff\x9f\x01\xff\xff\x61z\xf6\xff",
        Some(3),
    );
    // A name in parts, and tags.
    check_cbor(
        b"\xbf\x7f\x63Rec\x60\x64ords\xff\xd8\x20\x81\xc1\xc1\x01\xff",
        Some(1),
    );
    // Another map, and a name that only starts like the member.
    check_cbor(
        b"\xa3\x61a\xa1\x67Records\x81\x01\x66Record\x81\x01\x67Records\x82\x01\x02",
        Some(2),
    );
}

#[test]
fn an_invalid_call_has_no_count_in_cbor() {
    for call in [
        &b""[..],
        b"\x07",
        b"\xff",
        b"\xa0",
        b"\x82\x67Records\x81\x01",
        b"\xa1\x67Records\x80",
        b"\xa1\x67Records\xa1\x67Records\x81\x01",
        b"\xa1\x67Records\x9f\x01",
        b"\xa1\x67Records\x81\x01\x00",
        b"\xa1\x67Records\x81\x1c",
        b"\xa1\x67Records\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\xbf\x67Records\x81\x01\x01\xff",
    ] {
        check_cbor(call, None);
    }
    check_cbor(&[b"\xa1\x67Records", &[0x81; 1_000][..]].concat(), None);
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
        let counted = count(KinesisFormat::Json, call.as_bytes(), piece);
        prop_assert_eq!(counted, wanted.filter(|count| *count > 0));
        let mut call = Vec::new();
        ciborium::into_writer(&value, &mut call).unwrap();
        let counted = count(KinesisFormat::Cbor, &call, piece);
        prop_assert_eq!(counted, wanted.filter(|count| *count > 0));
    }

    #[test]
    fn arbitrary_bytes_are_counted_without_a_panic(
        bytes in prop_oneof![
            any::<Vec<u8>>(),
            "\\{(\"Records\"|[\\[\\]{}:,\"\\\\ 7]){0,20}".prop_map(String::into_bytes),
            prop::collection::vec(prop::sample::select(&b"\xa1\xbf\x67Records\x81\x9f\xff\x01\x5f\x41"[..]), 0..40),
        ]
    ) {
        for format in [KinesisFormat::Json, KinesisFormat::Cbor] {
            let counted = count(format, &bytes, bytes.len() + 1);
            prop_assert!(counted.is_none_or(|count| count < bytes.len()));
        }
    }
}
