//! The HTTP request of an attempt.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;
use easel_caliper::{MAPPER_VERSION, envelope};
use easel_catalog::event_id;
use easel_keys::WebhookSecret;
use http::header::{CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{Method, Request};
use http_body_util::Full;
use jiff::Timestamp;
use uuid::Uuid;

use super::Endpoint;
use super::custom_headers::CustomHeaders;
use super::signer::RequestSigner;
use crate::{Batch, Form, Item, SendError};

const AGENT: &str = concat!("easel/", env!("CARGO_PKG_VERSION"));

/// The media type of a JWT (RFC 7519 section 10.3).
const JWT: HeaderValue = HeaderValue::from_static("application/jwt");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The parts of the request for one batch that are made once for all its connections.
pub(super) struct RequestContent {
    body: Bytes,
    media_type: HeaderValue,
    id: String,
    /// The value of `webhook-signature`.
    signature: Option<HeaderValue>,
    now: Timestamp,
}

/// Builds the content of the request for a batch, at the time `now`, and signs it.
///
/// # Errors
///
/// Fails if the content cannot be signed.
pub(super) async fn content(
    batch: &Batch,
    signer: Option<&RequestSigner>,
    now: Timestamp,
) -> Result<RequestContent, SendError> {
    let id = id(batch).to_string();
    let plain = || plain_body(batch, now);
    let (body, media_type) = match (signer, batch.items.first()) {
        (Some(RequestSigner::Jwt(signer)), Some(item)) => {
            (signer.jwt(item, plain, now).await?, JWT)
        }
        _ => (plain(), JSON),
    };
    let signature = match signer {
        Some(RequestSigner::Standard(secrets)) => {
            let signature = WebhookSecret::signature_header(secrets, &id, now.as_second(), &body);
            let signature = signature.map_err(|error| SendError::NotSent {
                reason: error.to_string(),
            })?;
            Some(signature_value(signature)?)
        }
        Some(RequestSigner::Jwt(_)) | None => None,
    };
    Ok(RequestContent {
        body,
        media_type,
        id,
        signature,
        now,
    })
}

/// Returns the value of `webhook-signature`.
fn signature_value(signature: String) -> Result<HeaderValue, SendError> {
    let value = HeaderValue::try_from(signature);
    value.map_err(|_invalid| SendError::NotSent {
        reason: "sign the webhook: the signature is not a valid header value".to_owned(),
    })
}

/// Returns the JSON of a batch: an event, or an envelope.
fn plain_body(batch: &Batch, now: Timestamp) -> Bytes {
    match batch.items.first().map(|item| &item.form) {
        Some(Form::Canvas(event) | Form::Envelope(event)) => event.clone(),
        Some(Form::Caliper(_)) => {
            let events = batch.items.iter().filter_map(|item| item.form.caliper());
            envelope(&events.collect::<Vec<_>>(), now).into()
        }
        None => Bytes::new(),
    }
}

/// Builds the request for one attempt.
pub(super) fn build(
    endpoint: &Endpoint,
    custom_headers: &CustomHeaders,
    batch: &Batch,
    content: &RequestContent,
) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(content.body.clone()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = endpoint.uri().clone();
    let headers = request.headers_mut();
    let items = &batch.items;
    headers.insert(CONTENT_TYPE, content.media_type.clone());
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    headers.insert("webhook-id", header_value(&content.id));
    headers.insert(
        "webhook-timestamp",
        HeaderValue::from(content.now.as_second()),
    );
    if let Some(signature) = &content.signature {
        headers.insert("webhook-signature", signature.clone());
    }
    headers.insert(
        "easel-event-name",
        header_value(&joined(items, |item| &item.event_type)),
    );
    headers.insert(
        "easel-event-time",
        header_value(&joined(items, |item| &item.event_time)),
    );
    headers.insert("easel-attempt", HeaderValue::from(batch.attempt.get()));
    headers.insert("easel-subscription", header_value(&batch.subscription));
    if let Some(replay) = batch.replay {
        headers.insert("easel-replay", HeaderValue::from(replay.get()));
    }
    if items
        .first()
        .is_some_and(|item| item.form.caliper().is_some())
    {
        headers.insert(
            "easel-mapper-version",
            HeaderValue::from_static(MAPPER_VERSION),
        );
    }
    custom_headers.add_to(headers);
    request
}

/// Returns the event's id; for several events, an id derived from their ids.
fn id(batch: &Batch) -> Uuid {
    match &batch.items[..] {
        [alone] => alone.id,
        items => {
            let ids: Vec<u8> = items.iter().flat_map(|item| *item.id.as_bytes()).collect();
            event_id(&ids)
        }
    }
}

/// Joins one text per item with commas.
fn joined(items: &[Arc<Item>], text: fn(&Item) -> &str) -> Cow<'_, str> {
    match items {
        [alone] => Cow::Borrowed(text(alone)),
        items => {
            let texts: Vec<_> = items.iter().map(|item| text(item)).collect();
            Cow::Owned(texts.join(","))
        }
    }
}

/// Encodes `text` as a header value. Visible ASCII and inner spaces stay; `%` and all other bytes of the UTF-8
/// text are percent-encoded. Decoding returns `text`.
fn header_value(text: &str) -> HeaderValue {
    let mut value = String::with_capacity(text.len());
    let last = text.len().saturating_sub(1);
    for (index, byte) in text.bytes().enumerate() {
        // HTTP would strip a space at either end.
        let inner_space = byte == b' ' && index != 0 && index != last;
        if inner_space || byte.is_ascii_graphic() && byte != b'%' {
            value.push(char::from(byte));
        } else {
            #[expect(clippy::expect_used, reason = "writing to a String does not fail")]
            write!(value, "%{byte:02X}").expect("a String is writable");
        }
    }
    #[expect(
        clippy::expect_used,
        reason = "only visible ASCII and spaces were pushed"
    )]
    HeaderValue::try_from(value).expect("the header value is valid")
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
    fn a_signature_that_no_header_can_have_is_an_error() {
        assert_eq!(signature_value("v1,abc=".to_owned()).unwrap(), "v1,abc=");
        let error = signature_value("v1,abc\n".to_owned()).unwrap_err();
        assert_eq!(error.name(), "not_sent");
        assert!(!error.to_string().contains("abc"), "{error}");
    }

    #[test]
    fn ordinary_values_stay_unchanged() {
        check("course_created", "course_created");
        check("2019-11-01 19:11:05.222 UTC", "2019-11-01 19:11:05.222 UTC");
    }

    #[test]
    fn characters_that_http_does_not_allow_are_percent_encoded() {
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
        fn any_text_can_be_encoded_and_decoded(text in any::<String>()) {
            let value = header_value(&text);
            prop_assert!(value.to_str().is_ok_and(|shown| shown == shown.trim()));
            prop_assert_eq!(decoded(&value), text);
        }
    }
}
