//! Real payloads are admitted, and their stored form has the same content.

use std::path::Path;

use easel_catalog::{Event, Facts, Limits, admit};

use crate::payloads::{each_payload, in_crate, shared};

#[test]
fn our_own_payloads_are_admitted_in_both_spellings() {
    assert_eq!(each_payload(&in_crate("fixtures"), check), 4);
}

#[test]
fn published_payloads_are_admitted_in_both_spellings() {
    for folder in ["seeds/canvas", "examples/canvas"] {
        if let Some(folder) = shared(folder) {
            assert!(
                each_payload(&folder, check) > 0,
                "{} is empty",
                folder.display()
            );
        }
    }
}

fn check(payload: &str, path: &Path) {
    let admit = |text: &str| -> Event {
        admit(text.as_bytes(), &Limits::default())
            .unwrap_or_else(|fault| panic!("{}: {fault}", path.display()))
    };
    let event = admit(payload);
    assert_eq!(event.bytes, strip_space(payload), "{}", path.display());
    // The first occurrence of the key is the outermost one in all payloads.
    assert!(payload.contains("\"metadata\":"), "{}", path.display());
    assert_eq!(
        admit(&payload.replacen("\"metadata\":", "\"attributes\":", 1)),
        event
    );
    let value: serde_json::Value = serde_json::from_str(payload).expect("an object");
    let metadata = &value["metadata"];
    assert_eq!(metadata["event_name"], event.event_type.as_ref());
    let facts = Facts::from_event(&event.bytes);
    for (found, name) in [
        (facts.event_time, "event_time"),
        (facts.root_account_id, "root_account_id"),
        (facts.root_account_uuid, "root_account_uuid"),
        (facts.context_type, "context_type"),
        (facts.context_id, "context_id"),
        (facts.context_account_id, "context_account_id"),
        (facts.user_id, "user_id"),
        (facts.producer, "producer"),
    ] {
        let wanted = match &metadata[name] {
            serde_json::Value::String(text) => Some(text.clone()),
            serde_json::Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        assert_eq!(
            found.as_deref(),
            wanted.as_deref(),
            "{name} in {}",
            path.display()
        );
    }
}

/// Returns the text without the white space outside strings.
fn strip_space(text: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    text.chars()
        .filter(|character| {
            in_string ^= *character == '"' && !escaped;
            escaped = in_string && *character == '\\' && !escaped;
            in_string || !character.is_ascii_whitespace()
        })
        .collect()
}
