//! What an attempt looks like on the wire.

use std::fmt::Write;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{Method, Request};
use http_body_util::Full;
use jiff::Timestamp;

use super::Endpoint;
use crate::Parcel;

const AGENT: &str = concat!("easel/", env!("CARGO_PKG_VERSION"));

/// The request for one attempt made at `now`.
pub(super) fn build(endpoint: &Endpoint, parcel: &Parcel, now: Timestamp) -> Request<Full<Bytes>> {
    let Parcel {
        id,
        event_name,
        event_time,
        subscription,
        attempt,
        mapper_version,
        body,
    } = parcel;
    let mut request = Request::new(Full::new(body.clone()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = endpoint.uri().clone();
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    headers.insert("webhook-id", header_value(&id.to_string()));
    headers.insert("webhook-timestamp", HeaderValue::from(now.as_second()));
    headers.insert("easel-event-name", header_value(event_name));
    headers.insert("easel-event-time", header_value(event_time));
    headers.insert("easel-attempt", HeaderValue::from(attempt.get()));
    headers.insert("easel-subscription", header_value(subscription));
    if let Some(version) = mapper_version {
        headers.insert("easel-mapper-version", HeaderValue::from_static(version));
    }
    request
}

/// `text` as a header value: visible ASCII and spaces between stand for themselves, every other
/// byte of its UTF-8, and `%`, is percent-encoded. Decoding gives `text` back.
fn header_value(text: &str) -> HeaderValue {
    let mut value = String::with_capacity(text.len());
    let last = text.len().saturating_sub(1);
    for (at, byte) in text.bytes().enumerate() {
        // A space at either end would be taken for padding.
        let inner_space = byte == b' ' && at != 0 && at != last;
        if inner_space || byte.is_ascii_graphic() && byte != b'%' {
            value.push(char::from(byte));
        } else {
            #[expect(clippy::expect_used, reason = "writing to a String does not fail")]
            write!(value, "%{byte:02X}").expect("a String takes it");
        }
    }
    #[expect(
        clippy::expect_used,
        reason = "only visible ASCII and spaces were pushed"
    )]
    HeaderValue::try_from(value).expect("a header value")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(value: &HeaderValue) -> String {
        let mut bytes = Vec::new();
        let mut rest = value.as_bytes();
        while let [first, tail @ ..] = rest {
            if *first == b'%' {
                let hex = std::str::from_utf8(&tail[..2]).unwrap();
                bytes.push(u8::from_str_radix(hex, 16).unwrap());
                rest = &tail[2..];
            } else {
                bytes.push(*first);
                rest = tail;
            }
        }
        String::from_utf8(bytes).unwrap()
    }

    #[track_caller]
    fn check(text: &str, wanted: &str) {
        assert_eq!(header_value(text), wanted, "{text:?}");
    }

    #[test]
    fn ordinary_values_stand_for_themselves() {
        check("course_created", "course_created");
        check("2019-11-01 19:11:05.222 UTC", "2019-11-01 19:11:05.222 UTC");
    }

    #[test]
    fn what_http_does_not_allow_is_percent_encoded() {
        check("", "");
        check(" ", "%20");
        check(" a b ", "%20a b%20");
        check("100%", "100%25");
        check("a\r\nx-evil: 1", "a%0D%0Ax-evil: 1");
        check("æ", "%C3%A6");
        check("\u{7f}\0", "%7F%00");
    }

    proptest! {
        #[test]
        fn any_text_is_allowed_and_can_be_decoded(text in any::<String>()) {
            let value = header_value(&text);
            prop_assert!(value.to_str().is_ok_and(|shown| shown == shown.trim()));
            prop_assert_eq!(decoded(&value), text);
        }
    }
}
