//! Selectors, and one session. Appendix D.1 defines a type, a start and an end for selectors, but no id.

use easel_caliper::check;
use serde_json::{Value, json};

fn envelope(item: &Value) -> String {
    let context = "http://purl.imsglobal.org/ctx/caliper/v1p1";
    let mut item = item.clone();
    item["@context"] = context.into();
    json!({
        "sensor": "http://lms.example.edu/",
        "sendTime": "2026-02-11T08:15:43.000Z",
        "dataVersion": context,
        "data": [item],
    })
    .to_string()
}

/// Returns the codes and paths of the rules that an annotation with this selection breaks.
fn found(selection: &Value) -> Vec<(&'static str, String)> {
    let annotation = json!({
        "id": "http://a.example/highlights/7",
        "type": "HighlightAnnotation",
        "annotated": "http://a.example/pages/3",
        "selection": selection,
        "selectionText": "mitosis",
    });
    let breaches = check(envelope(&annotation).as_bytes()).unwrap();
    let breaches = breaches.into_iter();
    breaches
        .map(|breach| (breach.rule.code(), breach.path))
        .collect()
}

fn selection(code: &'static str, member: &str) -> Vec<(&'static str, String)> {
    vec![(code, format!("/data/0/selection{member}"))]
}

#[test]
fn a_selector_needs_no_id() {
    let selector = json!({ "type": "TextPositionSelector", "start": 45, "end": 52 });
    assert_eq!(found(&selector), []);
}

#[test]
fn a_selector_requires_a_type_and_an_integer_start_and_end() {
    assert_eq!(
        found(&json!({ "start": 1, "end": 2 })),
        selection("N2", "/type")
    );
    let without = json!({ "type": "TextPositionSelector", "start": 1 });
    assert_eq!(found(&without), selection("N2", "/end"));
    let text = json!({ "type": "TextPositionSelector", "start": "1", "end": 2 });
    assert_eq!(found(&text), selection("N4", "/start"));
    let null = json!({ "type": "TextPositionSelector", "start": 1, "end": null });
    assert_eq!(found(&null), selection("N2", "/end"));
    let more = json!({ "type": "TextPositionSelector", "id": "http://a/", "start": 1, "end": 2 });
    assert_eq!(found(&more), selection("N6", "/id"));
}

#[test]
fn a_selection_must_be_a_selector() {
    assert_eq!(
        found(&"http://a.example/selectors/1".into()),
        selection("N4", "")
    );
    assert_eq!(found(&json!([1])), selection("N4", ""));
    let document = json!({ "id": "http://a.example/d", "type": "Document" });
    assert_eq!(found(&document), selection("N5", ""));
    let unknown = json!({ "type": "TextQuoteSelector", "exact": "mitosis" });
    assert_eq!(found(&unknown), selection("N3", "/type"));
}

#[test]
fn a_selector_is_only_valid_as_a_selection() {
    let selector = json!({ "type": "TextPositionSelector", "start": 45, "end": 52 });
    let codes = |item: &Value| -> Vec<_> {
        let breaches = check(envelope(item).as_bytes()).unwrap();
        breaches
            .into_iter()
            .map(|breach| (breach.rule.code(), breach.path))
            .collect()
    };
    assert_eq!(codes(&selector), [("N3", "/data/0/type".to_owned())]);
    let document = json!({ "id": "http://a/", "type": "Document", "isPartOf": selector });
    assert_eq!(codes(&document), [("N5", "/data/0/isPartOf".to_owned())]);
}

#[test]
fn a_session_may_have_a_user_and_any_message_parameters() {
    let session = json!({
        "id": "http://a.example/lti/7",
        "type": "LtiSession",
        "user": "http://a.example/users/31",
        "messageParameters": { "iss": "x", "context": { "id": "no iri", "type": ["C"] }, "exp": 1.5 },
    });
    assert_eq!(check(envelope(&session).as_bytes()).unwrap(), []);
}
