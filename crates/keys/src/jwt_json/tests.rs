//! Tests of the JSON of tokens.

use proptest::prelude::*;

use super::*;

#[track_caller]
fn check_header(json: &str, wanted: &Result<(), JwtJsonError>) {
    let read = JwtHeader::read(json.as_bytes());
    assert_eq!(&read.map(|_header| ()), wanted, "{json}");
}

#[track_caller]
fn check_claims(json: &str, wanted: &Result<(), JwtJsonError>) {
    let read = JwtClaims::read(json.as_bytes());
    assert_eq!(&read.map(|_claims| ()), wanted, "{json}");
}

fn duplicate(name: &str) -> Result<(), JwtJsonError> {
    Err(JwtJsonError::Duplicate(name.to_owned()))
}

#[test]
fn a_duplicate_name_in_a_header_is_found_at_any_depth() {
    check_header(r#"{"a":1,"b":{"a":1}}"#, &Ok(()));
    check_header(r#"{"a":1,"a":1}"#, &duplicate("a"));
    check_header(r#"{"a":[{},{"b":{"c":1,"c":2}}]}"#, &duplicate("c"));
    check_header(r#"{"":1,"":1}"#, &duplicate(""));
}

#[test]
fn a_duplicate_name_in_claims_is_found_at_the_top_only() {
    check_claims(r#"{"a":{"b":1,"b":2}}"#, &Ok(()));
    check_claims(r#"{"a":1,"b":2,"a":3}"#, &duplicate("a"));
    check_claims(r#"{"exp":1,"exp":1}"#, &duplicate("exp"));
}

#[test]
fn names_are_compared_after_escapes_are_resolved() {
    check_header(r#"{"alg":1,"\u0061lg":1}"#, &duplicate("alg"));
    check_claims(r#"{"exp":1,"\u0065xp":1}"#, &duplicate("exp"));
    check_claims(r#"{"\/":1,"/":1}"#, &duplicate("/"));
    check_claims(r#"{"\ud83d\ude00":1,"😀":1}"#, &duplicate("😀"));
    check_claims(r#"{"é":1,"e\u0301":1}"#, &Ok(()));
}

#[test]
fn what_is_no_object_is_refused() {
    for json in [
        "",
        "null",
        "1",
        "[]",
        "\"a\"",
        "{",
        "{}{}",
        "{'a':1}",
        "{\"a\":}",
        "{\"a\":1,}",
    ] {
        check_header(json, &Err(JwtJsonError::NotAnObject));
        check_claims(json, &Err(JwtJsonError::NotAnObject));
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_refused() {
    let json = b"{\"a\":\"\xff\"}";
    assert_eq!(JwtHeader::read(json).err(), Some(JwtJsonError::NotAnObject));
    assert_eq!(JwtClaims::read(json).err(), Some(JwtJsonError::NotAnObject));
}

#[test]
fn deep_nesting_does_not_crash() {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(4_000), "]".repeat(4_000));
    check_header(&deep, &Err(JwtJsonError::NotAnObject));
    let deep = format!(
        "{{\"a\":{}{}}}",
        "[".repeat(1_000_000),
        "]".repeat(1_000_000)
    );
    check_claims(&deep, &Ok(()));
}

#[test]
fn a_time_must_be_an_integer() {
    let read = |json: &str| {
        let claims = JwtClaims::read(json.as_bytes()).unwrap();
        (claims.expires().ok(), claims.not_before().ok())
    };
    assert_eq!(read("{}"), (Some(None), Some(None)));
    assert_eq!(
        read(r#"{"exp":1,"nbf":-2}"#),
        (Some(Some(1)), Some(Some(-2)))
    );
    for time in [
        "1.0",
        "1e3",
        "\"1\"",
        "null",
        "true",
        "[1]",
        "{}",
        "9223372036854775808",
    ] {
        let json = format!(r#"{{"exp":{time},"nbf":{time}}}"#);
        assert_eq!(read(&json), (None, None), "{time}");
    }
}

proptest! {
    #[test]
    fn a_duplicate_is_found_whenever_there_is_one(
        names in prop::collection::vec("[ab\"\\\\é]{0,2}", 0..6),
    ) {
        let members: Vec<_> = names
            .iter()
            .map(|name| format!("{}:{{}}", serde_json::Value::from(name.as_str())))
            .collect();
        let json = format!("{{{}}}", members.join(","));
        let unique = names.iter().collect::<HashSet<_>>().len() == names.len();
        prop_assert_eq!(JwtHeader::read(json.as_bytes()).is_ok(), unique);
        prop_assert_eq!(JwtClaims::read(json.as_bytes()).is_ok(), unique);
    }

    #[test]
    fn any_text_is_read_or_refused(json in "\\PC*") {
        let is_object = serde_json::from_str::<serde_json::Map<_, _>>(&json).is_ok();
        prop_assert_eq!(JwtHeader::read(json.as_bytes()).is_ok(), is_object);
        prop_assert_eq!(JwtClaims::read(json.as_bytes()).is_ok(), is_object);
    }
}
