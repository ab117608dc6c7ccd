//! Promises of hosted admission for any input, and for envelopes as Canvas writes them.

use std::path::Path;

use easel_catalog::{
    Event, EventShape, Facts, Fault, Limits, UrlMasker, admit, admit_hosted, event_id,
};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::json::{Spaces, damage, draft, node, spaces};
use crate::payloads::{each_payload, in_crate, shared};

/// An event in both formats.
#[derive(Deserialize)]
struct PairJson {
    canvas: Box<RawValue>,
    caliper: Box<RawValue>,
}

fn admit_text(input: &str) -> Result<Event, Fault> {
    admit_hosted(input.as_bytes(), &Limits::default(), None)
}

fn envelope(event: &str) -> String {
    format!(
        r#"{{"sensor":"http://a.example/","sendTime":"2026-09-03T06:48:18.000Z","dataVersion":"http://purl.imsglobal.org/ctx/caliper/v1p1","data":[{event}]}}"#
    )
}

/// Calls `check` with the Canvas form and the envelope of each of our own pairs.
fn each_pair(mut check: impl FnMut(&str, &str, &Path)) {
    let count = each_payload(&in_crate("../caliper/tests/pairs"), |text, file| {
        let pair: PairJson = serde_json::from_str(text).expect("a pair");
        check(pair.canvas.get(), &envelope(pair.caliper.get()), file);
    });
    assert!(count > 100);
}

#[test]
fn an_envelope_has_the_user_the_root_account_and_the_course_of_its_canvas_event() {
    let mut courses = 0;
    each_pair(|canvas, envelope, file| {
        let file = file.display();
        let canvas = admit(canvas.as_bytes(), &Limits::default()).unwrap();
        let caliper = admit_text(envelope).unwrap();
        assert_eq!(caliper.shape, EventShape::Caliper);
        let times = [&caliper, &canvas].map(|event| event.occurred_at.as_millisecond());
        assert_eq!(times[0], times[1], "{file}");
        let (own, wanted) = (
            Facts::from_event(&caliper.bytes),
            Facts::from_event(&canvas.bytes),
        );
        assert_eq!(own.producer.as_deref(), Some("canvas"), "{file}");
        // An actor without values of Canvas does not say its root account.
        if caliper.root_account_id.is_some() {
            assert_eq!(caliper.root_account_id, canvas.root_account_id, "{file}");
            assert_eq!(
                caliper.root_account_uuid, canvas.root_account_uuid,
                "{file}"
            );
        }
        // Grades have the grader as their actor, and some events name their user in the body.
        if wanted.user_id.is_some() && &*canvas.event_type != "grade_change" {
            assert_eq!(own.user_id, wanted.user_id, "{file}");
        }
        if own.context_account_id.is_some() {
            assert_eq!(own.context_account_id, wanted.context_account_id, "{file}");
        }
        let is_course = own.context_type.as_deref() == Some("Course");
        assert!(is_course || own.context_type.is_none(), "{file}");
        courses += usize::from(is_course && own.context_id == wanted.context_id);
    });
    assert!(courses > 50, "{courses}");
}

#[test]
fn published_envelopes_are_stored_as_they_came() {
    for folder in ["seeds/caliper", "examples/caliper"] {
        let Some(folder) = shared(folder) else { return };
        each_payload(&folder, |text, file| {
            let event = admit_text(text).unwrap_or_else(|fault| panic!("{fault}: {file:?}"));
            let compact = minified(text);
            assert_eq!(event.bytes, compact.as_bytes(), "{file:?}");
            let name = file.file_stem().and_then(|stem| stem.to_str());
            let named = admit_hosted(text.as_bytes(), &Limits::default(), name).unwrap();
            assert_eq!(Some(named.event_type.as_ref()), name);
            assert_eq!((named.id, &named.bytes), (event.id, &event.bytes));
            assert!(
                Facts::from_event(&event.bytes).user_id.is_some(),
                "{file:?}"
            );
        });
    }
}

/// Removes the white space between tokens, slowly and simply.
fn minified(text: &str) -> String {
    let (mut out, mut in_string, mut escaped) = (String::new(), false, false);
    for character in text.chars() {
        if in_string {
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else if character.is_ascii_whitespace() {
            continue;
        } else {
            in_string = character == '"';
        }
        out.push(character);
    }
    out
}

#[test]
fn secrets_in_the_urls_of_an_envelope_are_masked() {
    let event = r#"{"type":"Event","action":"Created","eventTime":"2026-09-03T06:48:18Z","referrer":"https://a.example/?token=s3cret&x=1","extensions":{"com.instructure.canvas":{"request_url":"https://u:s3cret@a.example/?access_token=s3cret"}}}"#;
    let admitted = admit_text(&envelope(event)).unwrap();
    let masked = UrlMasker::default().mask(&admitted.bytes).into_owned();
    let masked = String::from_utf8(masked).unwrap();
    assert!(!masked.contains("s3cret"), "{masked}");
    assert!(masked.contains("token=masked&x=1"), "{masked}");
    assert!(admit_text(&masked).is_ok());
}

proptest! {
    #[test]
    fn a_canvas_event_is_admitted_as_by_the_other_doors(draft in draft(), spaces in spaces()) {
        let text = draft.spelled("attributes").spaced(&spaces);
        let wanted = admit(text.as_bytes(), &Limits::default());
        prop_assert_eq!(admit_hosted(text.as_bytes(), &Limits::default(), Some("x")), wanted);
    }

    #[test]
    fn an_envelope_with_any_entities_is_stored_minified(
        entities in prop::collection::vec(node(), 5),
        spaces in spaces(),
    ) {
        let text = any_envelope(&entities, &Spaces::none());
        let spaced = any_envelope(&entities, &spaces);
        match admit_text(&spaced) {
            Ok(event) => {
                prop_assert_eq!(str::from_utf8(&event.bytes), Ok(text.as_str()));
                prop_assert_eq!(event.id, event_id(text.as_bytes()));
                prop_assert_eq!(&*event.event_type, "caliper:Event/Created");
                prop_assert_eq!(admit_text(&text), Ok(event));
            }
            // An entity may have a key twice.
            Err(fault) => prop_assert_eq!(fault.code.as_str(), "duplicate_key"),
        }
    }

    #[test]
    fn any_damage_to_an_envelope_is_harmless(
        entities in prop::collection::vec(node(), 5),
        spaces in spaces(),
        name in prop::option::of("[a-z.:/é]{0,6}"),
        damages in prop::collection::vec(damage(), 0..6),
    ) {
        let mut bytes = any_envelope(&entities, &spaces).into_bytes();
        for damage in &damages {
            damage.apply(&mut bytes);
        }
        match admit_hosted(&bytes, &Limits::default(), name.as_deref()) {
            Ok(event) => {
                prop_assert!(event.bytes.len() <= bytes.len());
                let again = admit_hosted(&event.bytes, &Limits::default(), name.as_deref());
                prop_assert_eq!(again, Ok(event.clone()));
                let facts = Facts::from_event(&event.bytes);
                prop_assert!(facts.event_time.is_some());
                prop_assert_eq!(facts.root_account_id.as_deref(), event.root_account_id.as_deref());
            }
            Err(fault) => {
                prop_assert!(fault.at.byte <= bytes.len(), "{fault}");
                prop_assert!(fault.at.path.is_empty() || fault.at.path.starts_with('/'), "{fault}");
            }
        }
        drop(Facts::from_event(&bytes));
    }
}

/// Returns an envelope whose event has these values as entities and extensions.
fn any_envelope(entities: &[crate::json::Node], spaces: &Spaces) -> String {
    let event = format!(
        r#"{{"type":"Event","actor":{},"object":{},"group":{},"membership":{{"organization":{}}},"action":"Created","eventTime":"2026-09-03T06:48:18Z","extensions":{{"com.instructure.canvas":{}}}}}"#,
        entities[0].spaced(spaces),
        entities[1].spaced(spaces),
        entities[2].spaced(spaces),
        entities[3].spaced(spaces),
        entities[4].spaced(spaces),
    );
    envelope(&event)
}
