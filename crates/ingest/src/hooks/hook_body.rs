//! The body of a request of hosted Canvas: what is signed, and the event in it.
//!
//! A signed body is a JWT in the compact form, bare or as a JSON string, because hosted Canvas sends it in
//! quotes. An unsigned body is the event itself. White space around either is ignored, and so is the content
//! type, which is not documented.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// What a body contains.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HookBody<'a> {
    /// Three parts separated by dots, which is the compact form of a JWT.
    Token(Cow<'a, [u8]>),
    /// Anything else, without quotes and white space around it.
    Plain(Cow<'a, [u8]>),
}

impl<'a> HookBody<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Self {
        let text = unquoted(body.trim_ascii());
        // No JSON object begins like a JWT.
        let dots = memchr::memchr_iter(b'.', &text).count();
        let is_token = !text.starts_with(b"{") && dots == 2;
        if is_token {
            Self::Token(text)
        } else {
            Self::Plain(text)
        }
    }
}

/// Removes the quotes around a text. A JSON string is decoded.
fn unquoted(text: &[u8]) -> Cow<'_, [u8]> {
    if let [b'\'', inner @ .., b'\''] = text {
        return Cow::Borrowed(inner.trim_ascii());
    }
    let [b'"', inner @ .., b'"'] = text else {
        return Cow::Borrowed(text);
    };
    if !inner.contains(&b'\\') {
        return Cow::Borrowed(inner.trim_ascii());
    }
    match serde_json::from_slice::<String>(text) {
        Ok(decoded) => Cow::Owned(decoded.trim().as_bytes().to_vec()),
        Err(_invalid) => Cow::Borrowed(text),
    }
}

/// The claims that are the event. Claims around them, such as `iss` and `exp`, are about the JWT.
#[derive(Deserialize)]
struct EventClaimsJson<'a> {
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    attributes: Option<&'a RawValue>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    #[serde(borrow)]
    sensor: Option<&'a RawValue>,
    #[serde(borrow, rename = "sendTime")]
    send_time: Option<&'a RawValue>,
    #[serde(borrow, rename = "dataVersion")]
    data_version: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// Cuts the event out of verified claims. Its members are copied byte for byte, in a fixed order. So the
/// event, and its id, do not depend on the claims around it.
///
/// Returns the claims unchanged if they have no member of an event; admission names what is missing.
pub(super) fn event_of_claims(claims: &[u8]) -> Cow<'_, [u8]> {
    let Ok(found) = serde_json::from_slice::<EventClaimsJson<'_>>(claims) else {
        return Cow::Borrowed(claims);
    };
    let members = [
        ("metadata", found.metadata),
        ("attributes", found.attributes),
        ("body", found.body),
        ("sensor", found.sensor),
        ("sendTime", found.send_time),
        ("dataVersion", found.data_version),
        ("data", found.data),
    ];
    let members = members
        .iter()
        .filter_map(|(name, value)| Some(format!("\"{name}\":{}", (*value)?.get())));
    let members: Vec<_> = members.collect();
    if members.is_empty() {
        return Cow::Borrowed(claims);
    }
    Cow::Owned(format!("{{{}}}", members.join(",")).into_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(body: &str, token: &str) {
        let wanted = HookBody::Token(Cow::Borrowed(token.as_bytes()));
        assert_eq!(HookBody::parse(body.as_bytes()), wanted, "{body:?}");
    }

    #[test]
    fn a_token_may_be_bare_or_quoted_with_white_space() {
        for body in [
            "a.b-_.c",
            "\"a.b-_.c\"",
            " \r\n\"a.b-_.c\"\r\n",
            "\" a.b-_.c\n\"",
            "'a.b-_.c'",
            "\"a.b-\\u005f.c\"",
            "\ta.b-_.c\n",
        ] {
            check(body, "a.b-_.c");
        }
    }

    #[test]
    fn any_other_body_is_plain() {
        for (body, plain) in [
            (
                " {\"a\":1.5,\"b\":\"x.y.z\"} ",
                "{\"a\":1.5,\"b\":\"x.y.z\"}",
            ),
            ("\"{\\\"a\\\":1}\"", "{\"a\":1}"),
            ("a.b", "a.b"),
            ("a.b.c.d", "a.b.c.d"),
            ("", ""),
            ("\"", "\""),
            ("\"\\x\"", "\"\\x\""),
        ] {
            let wanted = HookBody::Plain(Cow::Borrowed(plain.as_bytes()));
            assert_eq!(HookBody::parse(body.as_bytes()), wanted, "{body:?}");
        }
    }

    #[track_caller]
    fn check_cut(claims: &str, event: &str) {
        let cut = event_of_claims(claims.as_bytes());
        assert_eq!(str::from_utf8(&cut).unwrap(), event, "{claims}");
    }

    #[test]
    fn the_event_does_not_depend_on_the_claims_around_it() {
        let event = r#"{"metadata":{"a": 1.50},"body":{"b":"\u0041"}}"#;
        check_cut(event, event);
        check_cut(
            r#"{"iss":"x","metadata":{"a": 1.50},"exp":9,"body":{"b":"\u0041"},"jti":"1"}"#,
            event,
        );
        check_cut(
            r#"{ "body" : {"b":"\u0041"} ,"iat":7, "metadata" : {"a": 1.50} }"#,
            event,
        );
    }

    #[test]
    fn a_caliper_envelope_is_cut_out_too() {
        check_cut(
            r#"{"sensor":"s","iss":"x","dataVersion":"v","sendTime":"t","data":[{"type":"E"}]}"#,
            r#"{"sensor":"s","sendTime":"t","dataVersion":"v","data":[{"type":"E"}]}"#,
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(body in any::<Vec<u8>>(), text in "[\"'{}.:,a-c\\\\ ]*") {
            for body in [&body, text.as_bytes()] {
                match HookBody::parse(body) {
                    HookBody::Token(part) | HookBody::Plain(part) => {
                        prop_assert!(part.len() <= body.len());
                    }
                }
                prop_assert!(!event_of_claims(body).is_empty() || body.is_empty());
            }
        }
    }

    #[test]
    fn claims_without_an_event_stay_as_they_are() {
        for claims in [r#"{"iss":"x"}"#, "{", r#"{"body":{},"body":{}}"#] {
            check_cut(claims, claims);
        }
    }
}
