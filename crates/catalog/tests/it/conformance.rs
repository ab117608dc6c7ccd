//! Payloads as they are sent: our own fixtures and, where they lie beside the checkout, the
//! published ones.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use easel_catalog::{Event, Facts, Limits, admit};
use serde_json::value::RawValue;

#[test]
fn our_own_payloads_are_admitted_in_both_spellings() {
    assert_eq!(check_folder(Path::new("fixtures")), 4);
}

#[test]
fn published_payloads_are_admitted_in_both_spellings() {
    for folder in ["seeds/canvas", "examples/canvas"] {
        let folder = Path::new("../../../shared").join(folder);
        if in_crate(&folder).is_dir() {
            assert!(check_folder(&folder) > 0, "{} is empty", folder.display());
        } else {
            // Written past the test harness, which would keep it to itself.
            writeln!(
                std::io::stderr(),
                "left out: there is no {}",
                folder.display()
            )
            .unwrap();
        }
    }
}

fn in_crate(folder: &Path) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)
}

/// Checks every payload in a folder and counts them.
#[expect(
    clippy::disallowed_methods,
    reason = "the room is pure, its payloads are files"
)]
fn check_folder(folder: &Path) -> usize {
    let mut count = 0;
    for file in fs::read_dir(in_crate(folder)).expect("a folder") {
        let path = file.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("a text");
        let payloads: Vec<&RawValue> = if text.trim_start().starts_with('[') {
            serde_json::from_str(&text).expect("an array")
        } else {
            vec![serde_json::from_str(&text).expect("an object")]
        };
        for payload in payloads {
            check(payload.get(), &path);
            count += 1;
        }
    }
    count
}

fn check(payload: &str, path: &Path) {
    let admit = |text: &str| -> Event {
        admit(text.as_bytes(), &Limits::default())
            .unwrap_or_else(|fault| panic!("{}: {fault}", path.display()))
    };
    let event = admit(payload);
    assert_eq!(event.bytes, strip_space(payload), "{}", path.display());
    // The outermost key is the first one in all payloads that have the word elsewhere too.
    assert!(payload.contains("\"metadata\":"), "{}", path.display());
    assert_eq!(
        admit(&payload.replacen("\"metadata\":", "\"attributes\":", 1)),
        event
    );
    let value: serde_json::Value = serde_json::from_str(payload).expect("an object");
    let metadata = &value["metadata"];
    assert_eq!(metadata["event_name"], event.event_type.as_ref());
    let facts = Facts::of(&event.bytes);
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

/// The text without the white space outside its strings.
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
