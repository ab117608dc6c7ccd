//! Events that are masked before the translation.

use easel_caliper::Dialect;
use easel_catalog::{Limits, UrlMasker, admit};
use uuid::Uuid;

use crate::published::translator;

/// Returns the masked translation of an event with this `url` and `referrer`.
fn translate(url: &str, dialect: Dialect) -> String {
    let metadata = format!(
        r#"{{"event_name":"wiki_page_deleted","event_time":"2026-02-11T08:15:42Z","hostname":"a.example","url":"{url}","referrer":"{url}"}}"#
    );
    let body = r#"{"wiki_page_id":"7","title":"?token=x"}"#;
    let event = format!(r#"{{"metadata":{metadata},"body":{body}}}"#);
    let event = admit(event.as_bytes(), &Limits::default()).unwrap();
    let masked = UrlMasker::default().mask(&event.bytes).into_owned();
    let id = Uuid::from_u128(7);
    let translated = translator().translate(&event.event_type, &masked, id, dialect);
    String::from_utf8(translated.unwrap().json.to_vec()).unwrap()
}

/// Compares all bytes of the translations of an event. The strict dialect encodes the referrer.
#[track_caller]
fn check(url: &str, wanted: &str, wanted_strict_referrer: &str) {
    for (dialect, referrer, extension) in [
        (Dialect::Compatible, wanted, ""),
        (
            Dialect::Strict,
            wanted_strict_referrer,
            r#","easel":{"mapper_version":"1.0"}"#,
        ),
    ] {
        let wanted = [
            r#"{"@context":"http://purl.imsglobal.org/ctx/caliper/v1p1","id":"urn:uuid:00000000-0000-0000-0000-000000000007","type":"Event","actor":{"id":"http://a.example/","type":"SoftwareApplication"},"action":"Deleted","object":{"id":"urn:instructure:canvas:wikiPage:7","type":"Page","name":"?token=x","extensions":{"com.instructure.canvas":{"entity_id":"7"}}},"eventTime":"2026-02-11T08:15:42.000Z","referrer":""#,
            referrer,
            r#"","edApp":{"id":"http://a.example/","type":"SoftwareApplication"},"extensions":{"com.instructure.canvas":{"hostname":"a.example","request_url":""#,
            wanted,
            r#"","version":"1.0.0"}"#,
            extension,
            "}}",
        ];
        assert_eq!(translate(url, dialect), wanted.concat());
    }
}

#[test]
fn secrets_are_masked_before_the_translation() {
    for (url, wanted) in [
        (
            "https://a/b?access_token=1~x&c=d",
            "https://a/b?access_token=masked&c=d",
        ),
        (
            "https://a/b?c=d&Verifier=x#e",
            "https://a/b?c=d&Verifier=masked#e",
        ),
        (
            "https://a/b?c=d&amp;token=x&amp;e=f",
            "https://a/b?c=d&amp;token=masked&amp;e=f",
        ),
        (
            r"https:\/\/a\/b?c=d\u0026signature=x",
            "https://a/b?c=d&signature=masked",
        ),
        (
            r"https://a/b\u003faccess_token=1~x",
            "https://a/b?access_token=masked",
        ),
        (
            "https://a/b?access%5Ftoken=1~x",
            "https://a/b?access%5Ftoken=masked",
        ),
        ("https://a/b?a=1;token=x;y", "https://a/b?a=1;token=masked"),
        (r"https://a/b?access_token=1~x&q=\ud83d", "https://a/b"),
        (r"https://a/b\u003Faccess_token=1~x&q=\ud83d", "https://a/b"),
    ] {
        check(url, wanted, wanted);
    }
}

#[test]
fn the_strict_referrer_is_encoded_after_it_was_masked() {
    check(
        "https://a/café b?token=x y&q=[1]&r=ø#z{",
        "https://a/café b?token=masked&q=[1]&r=ø#z{",
        "https://a/café%20b?token=masked&q=%5B1%5D&r=ø#z%7B",
    );
    check(
        r"https:\/\/a\/b?access_token=1~x&q=\ud83d",
        r"https:\/\/a\/b",
        "https://a/b",
    );
    check(
        r"https://a/\ud83d?token=1~x&q=",
        r"https://a/\ud83d",
        "https://a/%5Cud83d",
    );
}

#[test]
fn urls_without_secrets_are_translated_as_they_are() {
    for (url, wanted_strict_referrer) in [
        (r"https:\/\/a\/token=x", "https://a/token=x"),
        (r"https:\/\/a?b=\u0026c", "https://a?b=&c"),
        (
            "https://a?tokens=x&token=&token",
            "https://a?tokens=x&token=&token",
        ),
        ("https://a?b=c&d=%20e", "https://a?b=c&d=%20e"),
    ] {
        check(url, url, wanted_strict_referrer);
    }
}
