//! The project's own pairs: one event in both formats. A person wrote both by hand, from the rules of the
//! translation.

use std::collections::BTreeSet;
use std::fs;

use easel_caliper::{Dialect, Level, check};
use easel_catalog::{Limits, UrlMasker, admit};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::published::translator;

/// One event in both formats.
#[derive(Deserialize)]
struct Pair {
    /// A description of the case.
    case: String,
    id: String,
    sensor: String,
    canvas: Box<RawValue>,
    caliper: Value,
}

#[expect(
    clippy::disallowed_methods,
    reason = "the crate is pure, but its test data are files"
)]
fn pairs() -> Vec<Pair> {
    let files = fs::read_dir("tests/pairs").unwrap();
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    let read = |path| serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    paths.into_iter().map(read).collect()
}

#[test]
fn the_translation_of_every_pair_matches_byte_for_byte() {
    let translator = translator();
    let mut seen = BTreeSet::new();
    for pair in pairs() {
        let event = admit(pair.canvas.get().as_bytes(), &Limits::default()).unwrap();
        let bytes = UrlMasker::default().mask(&event.bytes).into_owned();
        let id: Uuid = pair.id.strip_prefix("urn:uuid:").unwrap().parse().unwrap();
        let translated = translator
            .translate(&event.event_type, &bytes, id, Dialect::Compatible)
            .unwrap();
        let json = str::from_utf8(&translated.json).unwrap();
        assert_eq!(json, pair.caliper.to_string(), "{}", pair.case);
        assert_eq!(
            translated.sensor(),
            format!("\"{}\"", pair.sensor).as_bytes(),
            "{}",
            pair.case
        );
        let strict = translator.translate(&event.event_type, &bytes, id, Dialect::Strict);
        let strict = strict
            .unwrap()
            .envelope("2200-01-01T00:00:00Z".parse().unwrap());
        let mut breaches = check(&strict).unwrap();
        breaches.retain(|breach| breach.rule.level() == Level::Must);
        assert!(breaches.is_empty(), "{}: {breaches:?}", pair.case);
        seen.insert(event.event_type.to_string());
    }
    let seen: Vec<_> = seen.iter().map(String::as_str).collect();
    assert_eq!(seen, translator.event_types());
}
