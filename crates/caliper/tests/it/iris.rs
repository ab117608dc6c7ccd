//! Ids that the checker accepts, and ids that the strict dialect writes.

use easel_caliper::{Dialect, Level, check, is_iri};
use easel_catalog::{Limits, admit};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::published::translator;

#[test]
fn an_iri_has_only_the_characters_of_rfc_3987() {
    for iri in [
        "http://a.example/50%25",
        "http://a.example/%E2%82%ac?q=%20#%41",
        "http://a.example/ø/日本?q=\u{e000}",
        "http://[2001:db8::7]:8080/",
        "https://example.com/#/texts/guide/cfi/6/10!/4/2/2/2@0:0",
        "https://a.example/book#epubcfi(/4/3/1)",
        "mailto:a@b.example",
        "urn:uuid:3f672715-6aa8-4293-b62a-3b3319ff5701",
    ] {
        assert!(is_iri(iri), "{iri}");
    }
    for other in [
        "http://a.example/50%",
        "http://a.example/%4",
        "http://a.example/%zz",
        "http://a.example/?q=100%&r=1",
        "http://a.example/#%",
        "http://a%.example/",
        "urn:canvas:50%",
        "mailto:a%b@c.example",
        "http://a.example/a[1]",
        "http://a.example/?a[]=1",
        "http://a.example/#a#b",
        "http://a.example/\u{e000}",
        "http://a.example/\u{fffd}",
        "http://a.example/\0",
        "http://a.example/a b",
        "http://a.example/<a>",
        "http://a.example/\"",
        "http://a.example/{a}",
        "http://a.example/a|b",
        "http://a.example/a\\b",
        "http://a.example/a^b",
        "http://a.example/a`b",
        "http://a.example:port/",
        "http://[2001:db8::7/",
        "http:///path",
        "http://:80/",
        "http:a.example",
        ":a",
        "1a:b",
        "a_b:c",
        "//a.example/",
        "/a",
        "a",
        "",
    ] {
        assert!(!is_iri(other), "{other}");
    }
}

/// Returns the codes of the rules that a document with this id breaks.
fn codes(id: &str) -> Vec<&'static str> {
    let context = "http://purl.imsglobal.org/ctx/caliper/v1p1";
    let envelope = json!({
        "sensor": "http://lms.example.edu/",
        "sendTime": "2026-02-11T08:15:43.000Z",
        "dataVersion": context,
        "data": [{ "@context": context, "id": id, "type": "Document" }],
    });
    let breaches = check(envelope.to_string().as_bytes()).unwrap();
    breaches.iter().map(|breach| breach.rule.code()).collect()
}

#[test]
fn an_id_with_a_stray_percent_sign_is_invalid() {
    assert_eq!(codes("http://a.example/50%25"), [""; 0]);
    assert_eq!(codes("http://a.example/50%"), ["N1"]);
    assert_eq!(codes("http://a.example/%u00e9"), ["N1"]);
}

/// Translates an event with this metadata and body to the strict dialect, in an envelope.
fn strict(metadata: &Value, body: &Value) -> Vec<u8> {
    let mut event = json!({
        "metadata": { "event_name": "wiki_page_deleted", "event_time": "2026-02-11T08:15:42Z" },
        "body": body,
    });
    for (name, value) in metadata.as_object().unwrap() {
        event["metadata"][name] = value.clone();
    }
    // An unpaired surrogate can only be written as an escape.
    let event = event.to_string().replace("@@surrogate", "\\ud800");
    let event = admit(event.as_bytes(), &Limits::default()).unwrap();
    let translated = translator()
        .translate(
            "wiki_page_deleted",
            &event.bytes,
            Uuid::from_u128(0x3f67_2715_6aa8_4293_b62a_3b33_19ff_5701),
            Dialect::Strict,
        )
        .unwrap();
    translated.envelope("2026-02-11T08:15:43Z".parse().unwrap())
}

#[test]
fn strict_events_pass_the_checker_for_any_text_in_ids() {
    for text in [
        "50%",
        "%zz",
        "%41",
        "a[1]",
        "a#b#c",
        "a b",
        "\u{e000}",
        "a@@surrogateb",
        "a:b",
        "[::1]:3000",
        "[x",
        "é",
    ] {
        let metadata = json!({
            "hostname": text,
            "session_id": text,
            "user_id": text,
            "referrer": format!("http://a.example/{text}?b={text}"),
            "url": text,
            "context_type": "Course",
            "context_id": text,
        });
        let envelope = strict(&metadata, &json!({ "title": text, "wiki_page_id": text }));
        let breaches = check(&envelope).expect(text);
        let must: Vec<_> = breaches
            .iter()
            .filter(|breach| breach.rule.level() == Level::Must || breach.rule.code() == "E4s")
            .collect();
        assert!(
            must.is_empty(),
            "{text}: {must:?}\n{}",
            String::from_utf8_lossy(&envelope)
        );
    }
}

#[test]
fn a_referrer_with_brackets_in_its_query_is_encoded_as_an_iri() {
    let metadata = json!({ "referrer": "http://[::1]:3000/a?include[]=50%&b=%41#c#d" });
    let envelope = strict(&metadata, &json!({ "wiki_page_id": "7" }));
    let envelope: Value = serde_json::from_slice(&envelope).unwrap();
    assert_eq!(
        envelope["data"][0]["referrer"],
        "http://[::1]:3000/a?include%5B%5D=50%25&b=%41#c%23d"
    );
}
