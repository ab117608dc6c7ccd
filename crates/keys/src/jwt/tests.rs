//! Tests of signed tokens.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::SigningAlgorithm;
use crate::standard_keys::{from_base64url, key, key_with_id};

#[test]
fn the_header_names_the_type_the_algorithm_and_the_key() {
    for algorithm in SigningAlgorithm::ALL {
        let token = sign_jwt(&key(algorithm), b"{}").unwrap();
        let header = from_base64url(token.split('.').next().unwrap());
        assert_eq!(
            String::from_utf8(header).unwrap(),
            format!(r#"{{"typ":"JWT","alg":"{algorithm}","kid":"2019-10-01T21:08:45Z"}}"#)
        );
    }
}

#[test]
fn the_id_of_the_key_is_escaped_in_the_header() {
    let key = key_with_id(SigningAlgorithm::EdDsa, "a\"b");
    let token = sign_jwt(&key, b"{}").unwrap();
    let header = from_base64url(token.split('.').next().unwrap());
    let header: Value = serde_json::from_slice(&header).unwrap();
    assert_eq!(header["kid"], "a\"b");
}

#[test]
fn the_claims_are_signed_byte_for_byte() {
    let claims = "{ \"n\" : 1.50,\r\n\"n\":1e2, \"é\":\"\\u00e9\" }";
    let token = sign_jwt(&key(SigningAlgorithm::EdDsa), claims.as_bytes()).unwrap();
    let parts: Vec<_> = token.split('.').collect();
    assert_eq!(from_base64url(parts[1]), claims.as_bytes());
    assert_eq!(parts.len(), 3);
}

#[track_caller]
fn check(event: &str, wanted: &str) {
    let claims = event_claims(
        event.as_bytes(),
        "https://easel.example",
        1_700_000_000,
        "1-2",
    );
    assert_eq!(String::from_utf8(claims.unwrap()).unwrap(), wanted);
}

#[test]
fn claims_are_added_at_the_end_of_the_event() {
    check(
        r#"{"metadata":{},"body":{"n":1.50}}"#,
        r#"{"metadata":{},"body":{"n":1.50},"iss":"https://easel.example","iat":1700000000,"jti":"1-2"}"#,
    );
}

#[test]
fn registered_claims_of_the_event_itself_are_left_out() {
    check(
        r#"{"iss":"evil","metadata":{"iss":1},"\u0065xp":0,"body":{"jti":1.50},"aud":[1]}"#,
        r#"{"metadata":{"iss":1},"body":{"jti":1.50},"iss":"https://easel.example","iat":1700000000,"jti":"1-2"}"#,
    );
}

#[test]
fn a_name_that_is_no_unicode_text_hides_no_claim() {
    check(
        r#"{"\ud800":1,"exp":1, "iss" : "evil","\u0061ud":2,"metadata":{}}"#,
        r#"{"\ud800":1,"metadata":{},"iss":"https://easel.example","iat":1700000000,"jti":"1-2"}"#,
    );
}

#[test]
fn bytes_that_are_no_object_are_not_signed() {
    for event in [
        "",
        "[]",
        "{",
        "}",
        "{{}",
        "null",
        r#"{"a":1}{"exp":1}"#,
        r#"{"a"}"#,
    ] {
        assert_eq!(event_claims(event.as_bytes(), "a", 0, "b"), None, "{event}");
    }
}

#[test]
fn an_empty_event_gets_no_comma_before_its_claims() {
    check(
        "{}",
        r#"{"iss":"https://easel.example","iat":1700000000,"jti":"1-2"}"#,
    );
    check(
        " { \n} ",
        " { \n\"iss\":\"https://easel.example\",\"iat\":1700000000,\"jti\":\"1-2\"} ",
    );
}

#[test]
fn braces_in_texts_and_empty_objects_inside_the_event_do_not_matter() {
    check(
        r#"{"a":"{"}"#,
        r#"{"a":"{","iss":"https://easel.example","iat":1700000000,"jti":"1-2"}"#,
    );
    check(
        "{\"a\":{}\n}\n",
        "{\"a\":{}\n,\"iss\":\"https://easel.example\",\"iat\":1700000000,\"jti\":\"1-2\"}\n",
    );
}

proptest! {
    #[test]
    fn claims_are_json_and_keep_the_event(
        members in prop::collection::btree_map("[a-h]{1,4}", "\\PC*", 0..5),
        issuer in "\\PC*",
        issued_at in any::<i64>(),
        jti in "\\PC*",
    ) {
        let event = json!(members).to_string();
        let claims = event_claims(event.as_bytes(), &issuer, issued_at, &jti).unwrap();
        let end = event.len() - 1;
        prop_assert_eq!(&claims[..end], &event.as_bytes()[..end]);
        let mut claims: Value = serde_json::from_slice(&claims).unwrap();
        let claims = claims.as_object_mut().unwrap();
        prop_assert_eq!(claims.remove("iss"), Some(json!(issuer)));
        prop_assert_eq!(claims.remove("iat"), Some(json!(issued_at)));
        prop_assert_eq!(claims.remove("jti"), Some(json!(jti)));
        prop_assert_eq!(json!(claims), json!(members));
    }
}
