//! The published payloads: for each there is a change that means an event of the same shape, in
//! Canvas's form and, where it was published so, in Caliper's.

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

/// Members in which our event differs from the published one, and why.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    ("rubric_assessed", "/body/submitted_at", NEWER),
    ("rubric_assessed", "/body/created_at", NEWER),
    ("rubric_assessed", "/body/updated_at", NEWER),
    ("submission_created", "/data/*/group", OF_RECORD),
    ("submission_created", "/data/*/membership", OF_RECORD),
];

const NEWER: &str = "newer releases send it, the payload is of an older one";
const OF_RECORD: &str = "newer releases tell the context of the record, the payload has none";

fn shared(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/")
        .join(path);
    if path.exists() {
        return Some(path);
    }
    // Written past the test harness, which would keep it to itself.
    writeln!(
        std::io::stderr(),
        "left out: there is no {}",
        path.display()
    )
    .unwrap();
    None
}

#[expect(
    clippy::disallowed_methods,
    reason = "the room is pure, its facts are files"
)]
fn read(path: &Path) -> Value {
    let json = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    match json {
        Value::Array(them) => them.into_iter().next().unwrap(),
        one => one,
    }
}

/// The published payloads of one form, by event type.
#[expect(
    clippy::disallowed_methods,
    reason = "the room is pure, its facts are files"
)]
fn seeds(form: &str) -> Option<Vec<(String, Value)>> {
    let files = fs::read_dir(shared("seeds")?.join(form)).unwrap();
    let seed = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, read(&path))
    };
    Some(files.map(|file| seed(file.unwrap().path())).collect())
}

/// The event of this type that the change of its fixture means.
fn made(event_type: &str) -> Event {
    let fixtures = fixtures();
    let (_, fixture) = fixtures
        .iter()
        .find(|(name, _)| name == event_type)
        .unwrap_or_else(|| panic!("no change for {event_type}"));
    let mut events = fixture.outcome().events.into_iter();
    events.find(|it| &*it.event_type == event_type).unwrap()
}

/// The paths of all members, with `*` for an index.
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
            Value::Array(them) => {
                for it in them {
                    walk(&format!("{path}/*"), it, paths);
                }
            }
            _ => (),
        }
    }
    let mut found = BTreeSet::new();
    walk("", value, &mut found);
    found
}

/// The paths that one has and the other has not, but for those known to differ.
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
