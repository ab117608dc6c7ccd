//! The published payloads. For each of them, the change of a fixture makes an event with the same
//! members, in the Canvas format or in the Caliper format.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use easel_caliper::{Dialect, TranslationOptions, Translator};
use easel_catalog::{Catalog, Event};
use jiff::Timestamp;
use serde_json::Value;

use crate::changes::fixtures;

/// Members that only one of the made event and the published event has, and why.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    ("rubric_assessed", "/body/submitted_at", NEWER),
    ("rubric_assessed", "/body/created_at", NEWER),
    ("rubric_assessed", "/body/updated_at", NEWER),
    ("submission_created", "/data/*/group", ROW_CONTEXT),
    ("submission_created", "/data/*/membership", ROW_CONTEXT),
];

const NEWER: &str = "newer releases send this member; the payload is from an older release";
const ROW_CONTEXT: &str = "newer releases send the context of the row; the payload has no context";

/// Returns a path outside the repository; `None` if it does not exist.
fn shared(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/")
        .join(path);
    if path.exists() {
        return Some(path);
    }
    // Write directly to stderr: the test harness would capture `eprintln!`.
    writeln!(
        std::io::stderr(),
        "skipped: {} does not exist",
        path.display()
    )
    .unwrap();
    None
}

#[expect(
    clippy::disallowed_methods,
    reason = "the room is pure, its test data are files"
)]
fn read(path: &Path) -> Value {
    let json = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    match json {
        Value::Array(events) => events.into_iter().next().unwrap(),
        event => event,
    }
}

/// Returns the published payloads in one format, by event type.
#[expect(
    clippy::disallowed_methods,
    reason = "the room is pure, its test data are files"
)]
fn seeds(format: &str) -> Option<Vec<(String, Value)>> {
    let files = fs::read_dir(shared("seeds")?.join(format)).unwrap();
    let seed = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, read(&path))
    };
    Some(files.map(|file| seed(file.unwrap().path())).collect())
}

/// Returns the event of this type that the change of its fixture makes.
fn made(event_type: &str) -> Event {
    let fixtures = fixtures();
    let (_, fixture) = fixtures
        .iter()
        .find(|(name, _)| name == event_type)
        .unwrap_or_else(|| panic!("no change for {event_type}"));
    let mut events = fixture.outcome().events.into_iter();
    events
        .find(|event| &*event.event_type == event_type)
        .unwrap()
}

/// Returns the paths of all members, with `*` for an index.
fn paths(value: &Value) -> BTreeSet<String> {
    fn walk(path: &str, value: &Value, paths: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    let path = format!("{path}/{name}");
                    walk(&path, value, paths);
                    paths.insert(path);
                }
            }
            Value::Array(elements) => {
                for element in elements {
                    walk(&format!("{path}/*"), element, paths);
                }
            }
            _ => (),
        }
    }
    let mut found = BTreeSet::new();
    walk("", value, &mut found);
    found
}

/// Returns the paths that only one of the two events has, except the known differences.
fn differences(event_type: &str, made: &Value, published: &Value) -> Vec<String> {
    let (made, published) = (paths(made), paths(published));
    let known = |path: &str| {
        let is_below = |member: &str| {
            let rest = path.strip_prefix(member);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let mut known = DIFFERENCES.iter();
        known.any(|(event, member, _)| *event == event_type && is_below(member))
    };
    made.symmetric_difference(&published)
        .filter(|path| !known(path))
        .map(|path| format!("{event_type}: {path}"))
        .collect()
}

#[test]
fn each_published_event_is_made_by_a_change() {
    let Some(canvas) = seeds("canvas") else {
        return;
    };
    let mut wrong = Vec::new();
    assert_eq!(canvas.len(), 14);
    for (event_type, published) in canvas {
        let made: Value = serde_json::from_slice(&made(&event_type).bytes).unwrap();
        wrong.extend(differences(&event_type, &made, &published));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_published_caliper_event_is_made_by_a_change_and_translated() {
    let Some(caliper) = seeds("caliper") else {
        return;
    };
    let translator =
        Translator::new(Arc::new(Catalog::built_in()), TranslationOptions::default()).unwrap();
    let mut wrong = Vec::new();
    assert_eq!(caliper.len(), 23);
    for (event_type, published) in caliper {
        let event = made(&event_type);
        let translated = translator
            .translate(&event_type, &event.bytes, event.id, Dialect::Compatible)
            .unwrap();
        let envelope = translated.envelope(Timestamp::UNIX_EPOCH);
        let envelope: Value = serde_json::from_slice(&envelope).unwrap();
        wrong.extend(differences(&event_type, &envelope, &published));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
