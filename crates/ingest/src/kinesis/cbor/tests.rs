//! Valid, invalid and hostile CBOR.

use std::borrow::Cow;

use ciborium::Value;
use proptest::prelude::*;
use serde::de::IgnoredAny;

use super::*;

#[derive(Debug, PartialEq, Deserialize)]
struct Call<'a> {
    text: Option<String>,
    number: Option<i64>,
    #[serde(borrow)]
    list: Option<Vec<Text<'a>>>,
    inner: Option<Box<Self>>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn call(body: &[u8]) -> Result<Call<'_>, CborError> {
    let checked = copied_bytes(body);
    let parsed = from_slice(body);
    if parsed.is_ok() {
        assert!(checked.is_ok(), "{body:x?}: {checked:?}");
    }
    parsed
}

#[track_caller]
fn check_rejected(body: &[u8], wanted: &str) {
    let error = call(body).unwrap_err().to_string();
    assert_eq!(error, format!("invalid CBOR: {wanted}"), "{body:x?}");
}

#[test]
fn lengths_and_end_marks_mean_the_same() {
    let wanted = Call {
        text: Some("ab".to_owned()),
        number: Some(-2),
        list: Some(vec![Text("c".into()), Text("".into())]),
        inner: Some(Box::new(Call {
            text: None,
            number: None,
            list: None,
            inner: None,
        })),
    };
    let lengths = b"\xa4\x64text\x62ab\x66number\x21\x64list\x82\x61c\x60\x65inner\xa0";
    let marks = b"\xbf\x64text\x7f\x61a\x61b\xff\x66number\x39\x00\x01\x64list\x9f\x61c\x7f\xff\xff\x65inner\xbf\xff\xff";
    assert_eq!(call(lengths).unwrap(), wanted);
    assert_eq!(call(marks).unwrap(), wanted);
    assert_eq!(copied_bytes(lengths), Ok(0));
    assert_eq!(copied_bytes(marks), Ok(2));
}

#[test]
fn a_text_with_a_length_is_not_copied() {
    let read = call(b"\xa1\x64list\x82\x61c\x7f\x61c\xff").unwrap();
    let [Text(whole), Text(parts)] = &read.list.unwrap()[..] else {
        panic!("two texts")
    };
    assert!(matches!(whole, Cow::Borrowed("c")));
    assert!(matches!(parts, Cow::Owned(_)));
}

#[test]
fn unknown_members_tags_and_missing_values_are_skipped() {
    let read = call(
        b"\xa3\x63new\xc1\x82\xf9\x3c\x00\xa1\x01\x5f\x41a\xff\x66number\xd8\x20\x07\x64text\xf7",
    );
    let read = read.unwrap();
    assert_eq!((read.number, read.text), (Some(7), None));
}

#[test]
fn invalid_items_are_rejected_with_their_place() {
    check_rejected(b"", "the body ends too early at byte 0");
    check_rejected(b"\xa1\x64text", "the body ends too early at byte 6");
    check_rejected(b"\xa1\x64text\x19\x01", "the body ends too early at byte 6");
    check_rejected(b"\xbf\x64text\x61a", "the body ends too early at byte 8");
    check_rejected(b"\xa0\xa0", "the body has more than one item at byte 1");
    check_rejected(b"\x80", "a map is missing at byte 0");
    check_rejected(b"\xff", "a map is missing at byte 0");
    check_rejected(
        b"\xa1\x64text\xff",
        "an end mark stands where an item must be at byte 6",
    );
    check_rejected(b"\xa1\x64text\x1c", "an item has an unknown type at byte 6");
    check_rejected(
        b"\xa1\x64text\xf8\xff",
        "an item has an unknown simple value at byte 6",
    );
    check_rejected(
        b"\xa1\x00\x61a",
        "the name of a member is not a text at byte 1",
    );
    check_rejected(b"\xa1\x64text\x62\xff\xfe", "a text is not UTF-8 at byte 6");
    check_rejected(b"\xa1\x61u\x62\xff\xfe", "a text is not UTF-8 at byte 3");
    check_rejected(
        b"\xa1\x64text\x7f\x41a\xff",
        "a part of a string has another type at byte 7",
    );
    check_rejected(
        b"\xa1\x66number\x3b\xff\xff\xff\xff\xff\xff\xff\xff",
        "a number is too low at byte 8",
    );
}

#[test]
fn members_with_the_same_name_are_rejected() {
    check_rejected(
        b"\xa2\x64text\x61a\x64text\x61b",
        "duplicate field `text` at byte 8",
    );
}

#[test]
fn members_of_another_type_are_rejected_with_their_place() {
    check_rejected(
        b"\xa1\x64text\x07",
        "invalid type: integer `7`, expected a string at byte 6",
    );
    check_rejected(
        b"\xa1\x65inner\xa1\x66number\x61a",
        "invalid type: string \"a\", expected i64 at byte 15",
    );
}

#[test]
fn huge_lengths_are_rejected_without_memory() {
    let huge = b"\xff\xff\xff\xff\xff\xff\xff\xff";
    for (head, wanted) in [
        (
            &b"\xa1\x64text\x7b"[..],
            "a string is longer than the body at byte 6",
        ),
        (b"\xa1\x64list\x9b", "the body ends too early at byte 15"),
        (
            b"\xa1\x61u\x5b",
            "a string is longer than the body at byte 3",
        ),
        (b"\xa1\x61u\x9b", "the body ends too early at byte 12"),
        (b"\xa1\x61u\xbb", "the body ends too early at byte 12"),
        (b"\xbb", "the body ends too early at byte 9"),
    ] {
        check_rejected(&[head, huge].concat(), wanted);
    }
}

#[test]
fn deep_nesting_is_rejected() {
    for (open, size) in [
        (&b"\x81"[..], 1),
        (b"\x9f", 1),
        (b"\xc1", 1),
        (b"\xa1\x00", 2),
        (b"\xbf\x00", 2),
    ] {
        let nested = |depth: usize| [b"\xa1\x61u", &open.repeat(depth)[..], b"\x00"].concat();
        let place = 3 + size * (MAX_DEPTH - 1);
        let wanted = format!("items are nested too deeply at byte {place}");
        check_rejected(&nested(MAX_DEPTH), &wanted);
        check_rejected(&nested(1_000_000), &wanted);
    }
    let deepest = [b"\xa1\x61u", &[0x81; MAX_DEPTH - 1][..], b"\x00"].concat();
    call(&deepest).unwrap();
    let inner = [&b"\xa1\x65inner".repeat(MAX_DEPTH + 1)[..], b"\xf6"].concat();
    check_rejected(&inner, "items are nested too deeply at byte 896");
}

fn value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
        ".{0,6}".prop_map(Value::from),
        any::<Vec<u8>>().prop_map(Value::from),
    ];
    scalar.prop_recursive(5, 40, 6, |value| {
        prop_oneof![
            prop::collection::vec(value.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((".{0,3}".prop_map(Value::from), value.clone()), 0..6)
                .prop_map(Value::Map),
            (any::<u64>(), value).prop_map(|(tag, value)| Value::Tag(tag, Box::new(value))),
        ]
    })
}

/// Returns the bytes of a value, in another library's words.
fn written(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

proptest! {
    #[test]
    fn what_another_library_writes_is_read_whole(value in value()) {
        let bytes = written(&value);
        prop_assert_eq!(copied_bytes(&bytes), Ok(0));
        prop_assert!(from_slice::<IgnoredAny>(&bytes).is_ok());
        for end in 0..bytes.len() {
            prop_assert!(copied_bytes(&bytes[..end]).is_err());
        }
    }

    #[test]
    fn numbers_and_texts_are_read_as_another_library_wrote_them(
        text in ".{0,300}",
        number: i64,
        list in prop::collection::vec(".{0,30}", 0..300),
    ) {
        let members = [
            ("text", Value::from(text.clone())),
            ("number", Value::from(number)),
            ("list", Value::Array(list.iter().cloned().map(Value::from).collect())),
        ];
        let members = members.map(|(name, value)| (Value::from(name), value));
        let bytes = written(&Value::Map(members.into()));
        let read = call(&bytes).unwrap();
        prop_assert_eq!(read.text, Some(text));
        prop_assert_eq!(read.number, Some(number));
        let texts: Vec<String> = read.list.unwrap().into_iter().map(|Text(text)| text.into_owned()).collect();
        prop_assert_eq!(texts, list);
    }

    #[test]
    fn arbitrary_bytes_are_read_without_a_panic(
        bytes in prop_oneof![
            any::<Vec<u8>>(),
            prop::collection::vec(
                prop::sample::select(&b"\xa1\xbf\x64text\x64list\x65inner\x81\x9f\xff\x01\x5f\x41\xc1\xf6\xfb\x3b"[..]),
                0..60,
            ),
        ]
    ) {
        if call(&bytes).is_err() && copied_bytes(&bytes).is_ok() {
            // The body is well formed, so every value can be skipped.
            prop_assert!(from_slice::<IgnoredAny>(&bytes).is_ok());
        }
    }
}
