//! What admission keeps, changes and rejects, rule by rule.

use super::*;
use crate::Facts;

const NAME: &str = r#""event_name":"logged_out""#;
const TIME: &str = r#""event_time":"2019-11-01T19:11:05.222Z""#;

fn with(metadata: &str, body: &str) -> String {
    format!(r#"{{"metadata":{metadata},"body":{body}}}"#)
}

fn admit_text(input: &str) -> Event {
    admit(input.as_bytes(), &Limits::default()).unwrap_or_else(|fault| panic!("{fault}: {input}"))
}

#[track_caller]
fn check(input: &str, stored: &str) {
    assert_eq!(admit_text(input).bytes, stored.as_bytes(), "{input}");
}

#[track_caller]
fn check_rejected(input: impl AsRef<[u8]>, code: FaultCode, column: usize, path: &str) {
    let input = input.as_ref();
    let text = String::from_utf8_lossy(input);
    let fault = admit(input, &Limits::default()).expect_err(&text);
    let found = (
        fault.code,
        fault.at.line,
        fault.at.column,
        fault.at.path.as_str(),
    );
    assert_eq!(found, (code, 1, column, path), "{text}");
}

#[test]
fn an_admitted_event_has_its_type_and_time() {
    let event = admit_text(&with(&format!("{{{NAME},{TIME}}}"), "{}"));
    assert_eq!(event.event_type.as_ref(), "logged_out");
    assert_eq!(
        event.occurred_at,
        "2019-11-01T19:11:05.222Z".parse().unwrap()
    );
    assert_eq!(event.id, event_id(&event.bytes));
}

#[test]
fn an_event_may_have_a_root_account() {
    let check = |id: &str, wanted: Option<&str>| {
        let members = format!(
            r#"{{{NAME},"root_account_id" : {id} ,"x":{{"root_account_id":"no"}},{TIME},"root_account_uuid":{id}}}"#
        );
        let event = admit_text(&with(&members, r#"{"root_account_id":"no"}"#));
        assert_eq!(event.root_account_id.as_deref(), wanted, "{id}");
        assert_eq!(event.root_account_uuid.as_deref(), wanted, "{id}");
        let facts = Facts::from_event(&event.bytes);
        assert_eq!(facts.root_account_id.as_deref(), wanted, "{id}");
        assert_eq!(facts.root_account_uuid.as_deref(), wanted, "{id}");
    };
    check(r#""21070000000000001""#, Some("21070000000000001"));
    check("21070000000000001", Some("21070000000000001"));
    check(r#""\u0037\"""#, Some("7\""));
    check(r#""""#, Some(""));
    for other in ["null", "true", "[7]", r#"{"a":"7"}"#, r#""\ud83d""#] {
        check(other, None);
    }
    let event = admit_text(&with(&format!("{{{NAME},{TIME}}}"), "{}"));
    assert_eq!(
        (event.root_account_id, event.root_account_uuid),
        (None, None)
    );
}

#[test]
fn the_key_attributes_is_replaced_by_metadata() {
    let stored = with(&format!("{{{NAME},{TIME}}}"), "{}");
    check(&stored, &stored);
    check(&stored.replace("metadata", "attributes"), &stored);
    check(&stored.replace("metadata", r"attr\u0069butes"), &stored);
    check(
        &stored.replace(r#"metadata":"#, "attributes\" \n:\n"),
        &stored,
    );
}

#[test]
fn only_the_outermost_key_is_replaced() {
    let inner = format!(r#"{{{NAME},{TIME},"attributes":{{"attributes":"attributes"}}}}"#);
    let stored = with(&inner, r#"{"attributes":[{"attributes":1}]}"#);
    check(&stored, &stored);
    check(&stored.replacen("metadata", "attributes", 1), &stored);
}

#[test]
fn white_space_is_removed_and_everything_else_stays() {
    check(
        &format!(
            " {{ \"zeta\" : [ 1.50 , 1E400, \"a \\u00e9 b\" ] ,\r\n\t\"body\" : {{ \"n\" : -0 , \
             \"\\ud800\":null }} , \"attributes\":{{ {TIME} , \"x\" : [ ] , {NAME} }} }}\n"
        ),
        &format!(
            r#"{{"zeta":[1.50,1E400,"a \u00e9 b"],"body":{{"n":-0,"\ud800":null}},"metadata":{{{TIME},"x":[],{NAME}}}}}"#
        ),
    );
}

#[test]
fn an_event_must_be_an_object() {
    check_rejected("", FaultCode::Empty, 1, "");
    check_rejected(" \n ", FaultCode::Empty, 1, "");
    check_rejected("[]", FaultCode::NotAnObject, 1, "");
    check_rejected("  null", FaultCode::NotAnObject, 3, "");
    check_rejected("nonsense", FaultCode::Syntax, 1, "");
    check_rejected(
        with("{}", "{}").as_bytes().split_last().unwrap().1,
        FaultCode::MissingEventName,
        13,
        "/metadata",
    );
}

#[test]
fn an_event_must_have_metadata_and_a_body() {
    let metadata = format!("{{{NAME},{TIME}}}");
    check_rejected("{}", FaultCode::MissingMetadata, 1, "");
    check_rejected(r#" {"body":{}}"#, FaultCode::MissingMetadata, 2, "");
    check_rejected(
        format!(r#"{{"metadata":{metadata}}}"#),
        FaultCode::MissingBody,
        1,
        "",
    );
    check_rejected(
        with("7", "{}"),
        FaultCode::MetadataNotObject,
        13,
        "/metadata",
    );
    check_rejected(
        r#"{"attributes":[],"body":{}}"#,
        FaultCode::MetadataNotObject,
        15,
        "/attributes",
    );
    check_rejected(
        r#"{"body":[{}],"metadata":{}}"#,
        FaultCode::BodyNotObject,
        9,
        "/body",
    );
    check_rejected(r#"{"body":null}"#, FaultCode::BodyNotObject, 9, "/body");
    check_rejected(r#"{"body":nil}"#, FaultCode::Syntax, 9, "/body");
}

#[test]
fn no_data_may_follow_an_event() {
    let event = with(&format!("{{{NAME},{TIME}}}"), "{}");
    check(&format!("\n{event}\r\n"), &event);
    for more in ["{}", ",", "}", "\u{feff}", "\0"] {
        let input = format!("{event} {more}");
        check_rejected(input, FaultCode::TrailingData, event.len() + 2, "");
    }
}

#[test]
fn an_event_must_not_have_both_metadata_and_attributes() {
    let inner = format!("{{{NAME},{TIME}}}");
    let both = format!(r#"{{"attributes":{inner},"metadata":{inner},"body":{{}}}}"#);
    check_rejected(
        &both,
        FaultCode::TwoSpellings,
        16 + inner.len(),
        "/metadata",
    );
}

#[test]
fn an_event_name_must_have_1_to_128_characters() {
    let named = |name: &str| with(&format!(r#"{{"event_name":{name},{TIME}}}"#), "{}");
    for name in ["a".repeat(128), "é".repeat(128), r"\u00e9".repeat(128)] {
        let event = admit_text(&named(&format!(r#""{name}""#)));
        assert_eq!(event.event_type.chars().count(), 128);
    }
    for name in [
        "a".repeat(129),
        r"\u00e9".repeat(129),
        String::new(),
        r"a\ud83d".to_owned(),
    ] {
        let input = named(&format!(r#""{name}""#));
        check_rejected(input, FaultCode::BadEventName, 27, "/metadata/event_name");
    }
    for name in ["null", "7", r#"["a"]"#] {
        check_rejected(
            named(name),
            FaultCode::BadEventName,
            27,
            "/metadata/event_name",
        );
    }
    check_rejected(
        with(&format!("{{{TIME}}}"), "{}"),
        FaultCode::MissingEventName,
        13,
        "/metadata",
    );
}

#[test]
fn an_event_time_must_be_a_timestamp() {
    let timed = |time: &str| with(&format!(r#"{{"event_time":{time},{NAME}}}"#), "{}");
    let escaped = admit_text(&timed(r#""2019\u002d11-05 07:38:00 -0800""#));
    assert_eq!(escaped.occurred_at, "2019-11-05T15:38:00Z".parse().unwrap());
    for time in [
        "null",
        "1572637865",
        r#""""#,
        r#""yesterday""#,
        r#""2019-11-05""#,
        r#""\udc00""#,
    ] {
        check_rejected(
            timed(time),
            FaultCode::BadEventTime,
            27,
            "/metadata/event_time",
        );
    }
    check_rejected(
        with(&format!("{{{NAME}}}"), "{}"),
        FaultCode::MissingEventTime,
        13,
        "/metadata",
    );
}

#[test]
fn no_key_may_appear_twice_in_the_event_its_metadata_or_its_body() {
    let metadata = format!("{{{NAME},{TIME}}}");
    let twice = format!("{{{NAME},{TIME},{NAME}}}");
    check_rejected(
        with(&twice, "{}"),
        FaultCode::DuplicateKey,
        80,
        "/metadata/event_name",
    );
    check_rejected(
        r#"{"body":{"a":1,"\u0061":2}}"#,
        FaultCode::DuplicateKey,
        16,
        "/body/a",
    );
    check_rejected(
        r#"{"body":{},"x":1,"body":{}}"#,
        FaultCode::DuplicateKey,
        18,
        "/body",
    );
    check_rejected(
        r#"{"body":{"\ud83d\ude00":1,"😀":2}}"#,
        FaultCode::DuplicateKey,
        27,
        "/body/😀",
    );
    let nested = with(&metadata, r#"{"a":{"a":1,"a":2},"b":[{"a":1,"a":2}]}"#);
    check(&nested, &nested);
    let unpaired = with(&metadata, r#"{"\ud83d":1,"\ud83e":2,"\ude00":3}"#);
    check(&unpaired, &unpaired);
}

#[test]
fn duplicate_keys_are_found_fast_among_many_keys() {
    let keys = |range: std::ops::Range<u32>| {
        range
            .map(|n| format!(r#""{n:06}":0"#))
            .collect::<Vec<_>>()
            .join(",")
    };
    let limits = Limits {
        max_event_bytes: usize::MAX,
        ..Limits::default()
    };
    let metadata = format!("{{{NAME},{TIME}}}");
    let many = with(&metadata, &format!("{{{}}}", keys(0..100_000)));
    assert_eq!(
        admit(many.as_bytes(), &limits).map(|event| event.bytes.len()),
        Ok(many.len())
    );
    for repeated in [0, 31, 32, 99_999] {
        let body = format!("{{{},{}}}", keys(0..100_000), keys(repeated..repeated + 1));
        let fault = admit(with(&metadata, &body).as_bytes(), &limits).unwrap_err();
        assert_eq!(fault.code, FaultCode::DuplicateKey);
        assert_eq!(fault.at.path, format!("/body/{repeated:06}"));
    }
}

#[test]
fn the_size_and_depth_of_an_event_are_limited() {
    let event = with(&format!("{{{NAME},{TIME}}}"), r#"{"a":[[]]}"#);
    let verdict = |limits| {
        admit(event.as_bytes(), &limits)
            .map(drop)
            .map_err(|fault| fault.code)
    };
    let fits = Limits {
        max_event_bytes: event.len(),
        max_depth: 4,
    };
    assert_eq!(verdict(fits), Ok(()));
    let small = Limits {
        max_event_bytes: event.len() - 1,
        ..fits
    };
    assert_eq!(verdict(small), Err(FaultCode::TooLarge));
    assert_eq!(
        verdict(Limits {
            max_depth: 3,
            ..fits
        }),
        Err(FaultCode::TooDeep)
    );
    assert_eq!(
        verdict(Limits {
            max_depth: 0,
            ..fits
        }),
        Err(FaultCode::TooDeep)
    );
}

#[test]
fn bytes_that_are_not_utf8_are_rejected_with_their_place() {
    check_rejected(b"\xff", FaultCode::NotUtf8, 1, "");
    check_rejected(
        b"{\"body\":{\"n\xc3\xa9e\":\"Caf\xe9\"}}",
        FaultCode::NotUtf8,
        20,
        "/body/née",
    );
    check_rejected("\u{feff}{}", FaultCode::Syntax, 1, "");
}

#[test]
fn a_fault_has_a_message_and_a_place() {
    let input = with(&format!("{{{NAME},{TIME}}}"), "{\n  \"score\": 07\n}");
    let fault = admit(input.as_bytes(), &Limits::default()).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "expected ',' or '}', found '7', at line 2, column 13 (/body/score)"
    );
}

#[test]
fn codes_are_unique_and_have_plain_letters() {
    let codes: std::collections::BTreeSet<_> =
        FaultCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(codes.len(), FaultCode::ALL.len());
    for code in codes {
        assert!(
            code.bytes()
                .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_')),
            "{code}"
        );
    }
}

#[test]
fn no_sender_may_use_an_event_type_of_easel_itself() {
    let forged = |name: &str| with(&format!(r#"{{{TIME},"event_name":{name}}}"#), "{}");
    let reserved = |name: &str| {
        let path = "/metadata/event_name";
        check_rejected(forged(name), FaultCode::ReservedEventName, 67, path);
        admit_stored(forged(name).as_bytes(), &Limits::default()).unwrap();
    };
    reserved(r#""easel.disk.low""#);
    reserved(r#""easel.""#);
    reserved(r#""\u0065asel.disk.low""#);
    for allowed in ["easel", "easels.x", "my.easel.x", "Easel.x"] {
        admit_text(&forged(&format!("\"{allowed}\"")));
    }
}
