//! Compares translations with published pairs and payloads, and validates them.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use easel_caliper::{Breach, Dialect, TranslationOptions, Translator, check};
use easel_catalog::{Catalog, Limits, UrlMasker, admit, parse_timestamp};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

#[derive(Deserialize)]
struct PairJson {
    event: String,
    canvas: Box<RawValue>,
    caliper: Box<RawValue>,
}

/// The same event in both formats.
struct Pair {
    event: String,
    canvas: String,
    caliper: Value,
}

fn shared(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/")
        .join(path);
    if path.exists() {
        return Some(path);
    }
    // Bypasses the test harness, which captures printed output.
    writeln!(std::io::stderr(), "skipped: {} is missing", path.display()).unwrap();
    None
}

pub(crate) fn translator() -> Translator {
    let options = TranslationOptions::default();
    Translator::new(Arc::new(Catalog::built_in()), options).unwrap()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the crate is pure, but its reference data are files"
)]
fn pairs() -> Option<Vec<Pair>> {
    let text = fs::read_to_string(shared("caliper/pairs.json")?).unwrap();
    let pairs: Vec<PairJson> = serde_json::from_str(&text).unwrap();
    let pair = |json: PairJson| Pair {
        event: json.event,
        canvas: json.canvas.get().to_owned(),
        caliper: serde_json::from_str(json.caliper.get()).unwrap(),
    };
    Some(pairs.into_iter().map(pair).collect())
}

/// Reads the payloads published in Caliper form, with a Canvas event for each. The Canvas event is
/// from its pair or, if it has no pair, from `tests/written`. A person wrote those files by hand.
#[expect(
    clippy::disallowed_methods,
    reason = "the crate is pure, but its reference data are files"
)]
fn payloads() -> Option<Vec<Pair>> {
    let pairs = pairs()?;
    let mut payloads = Vec::new();
    for folder in ["seeds/caliper", "examples/caliper"] {
        for file in fs::read_dir(shared(folder)?).unwrap() {
            let path = file.unwrap().path();
            let event = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let text = fs::read_to_string(&path).unwrap();
            let caliper: Value = serde_json::from_str(&text).unwrap();
            let caliper = match caliper {
                Value::Array(envelopes) => envelopes.into_iter().next().unwrap(),
                envelope => envelope,
            };
            let matching = pairs
                .iter()
                .find(|pair| pair.event == event && pair.caliper == caliper);
            let canvas = match matching {
                Some(pair) => pair.canvas.clone(),
                None => fs::read_to_string(format!("tests/written/{event}.json")).unwrap(),
            };
            payloads.push(Pair {
                event,
                canvas,
                caliper,
            });
        }
    }
    Some(payloads)
}

/// Translates the Canvas event of a pair, with the id and send time of its Caliper form.
fn translate(translator: &Translator, pair: &Pair, dialect: Dialect) -> String {
    let id = pair.caliper["data"][0]["id"].as_str().unwrap();
    let id: Uuid = id.strip_prefix("urn:uuid:").unwrap().parse().unwrap();
    let send_time = parse_timestamp(pair.caliper["sendTime"].as_str().unwrap()).unwrap();
    let event = admit(pair.canvas.as_bytes(), &Limits::default()).unwrap();
    let translated = translator.translate(&pair.event, &event.bytes, id, dialect);
    String::from_utf8(translated.unwrap().envelope(send_time)).unwrap()
}

#[test]
fn translations_match_the_published_pairs_byte_for_byte() {
    let Some(pairs) = pairs() else { return };
    assert_eq!(pairs.len(), 32);
    let translator = translator();
    for pair in &pairs {
        let translated = translate(&translator, pair, Dialect::Compatible);
        // `to_string` adds no white space and keeps the order of the file.
        assert_eq!(translated, pair.caliper.to_string(), "{}", pair.event);
    }
}

#[test]
fn translations_match_the_published_payloads_byte_for_byte() {
    let Some(payloads) = payloads() else { return };
    assert_eq!(payloads.len(), 31);
    let translator = translator();
    for pair in &payloads {
        let translated = translate(&translator, pair, Dialect::Compatible);
        assert_eq!(translated, pair.caliper.to_string(), "{}", pair.event);
    }
    let names: BTreeSet<_> = payloads.iter().map(|pair| pair.event.as_str()).collect();
    let missing: Vec<_> = translator
        .event_types()
        .into_iter()
        .filter(|name| !names.contains(name))
        .collect();
    assert_eq!(missing, ["asset_accessed"], "it has its own pairs");
}

fn codes(breaches: &[Breach]) -> Vec<&'static str> {
    let mut codes: Vec<_> = breaches.iter().map(|breach| breach.rule.code()).collect();
    codes.sort_unstable();
    codes
}

/// Returns the codes of the rules that the published payload of an event type breaks.
fn expected(event: &str) -> &'static [&'static str] {
    match event {
        "assignment_override_created" | "assignment_override_updated" => &["N6", "N6"],
        "attachment_created" | "attachment_deleted" | "attachment_updated" => &["X4"],
        "enrollment_created" | "enrollment_state_updated" => &["X4"],
        "enrollment_state_created" | "group_created" => &["N6", "X4"],
        "group_membership_created" => &["N6"],
        "submission_created" => &["N6", "P3", "V8"],
        "syllabus_updated" => &["N10", "N6", "X3", "X4"],
        "discussion_topic_created" => &["V5"],
        "grade_change" => &["N10"],
        "quiz_submitted" => &["P2", "V8"],
        _ => &[],
    }
}

#[test]
fn published_payloads_break_exactly_their_known_rules() {
    let Some(payloads) = payloads() else { return };
    for pair in payloads {
        let breaches = check(pair.caliper.to_string().as_bytes()).unwrap();
        assert_eq!(
            codes(&breaches),
            expected(&pair.event),
            "{}: {breaches:?}",
            pair.event
        );
    }
}

#[test]
fn published_asset_events_break_only_two_known_rules() {
    let Some(pairs) = pairs() else { return };
    for pair in pairs.iter().filter(|pair| pair.event == "asset_accessed") {
        let breaches = check(pair.caliper.to_string().as_bytes()).unwrap();
        let object = &pair.caliper["data"][0]["object"]["type"];
        let is_application = pair.caliper["data"][0]["actor"]["type"] == "SoftwareApplication";
        let without_sense: Vec<_> = codes(&breaches)
            .into_iter()
            .filter(|code| !code.starts_with('X'))
            .collect();
        let wanted: &[_] = match (object == "Entity", is_application) {
            (true, true) => &["V7", "V8"],
            (true, false) => &["V8"],
            (false, _) => &[],
        };
        assert_eq!(without_sense, wanted, "{object}");
    }
}

#[test]
fn the_strict_form_of_every_published_event_breaks_no_rule() {
    let (Some(mut all), Some(pairs)) = (payloads(), pairs()) else {
        return;
    };
    all.extend(pairs);
    let translator = translator();
    for pair in &mut all {
        let masked = UrlMasker::default()
            .mask(pair.canvas.as_bytes())
            .into_owned();
        pair.canvas = String::from_utf8(masked).unwrap();
        let strict = translate(&translator, pair, Dialect::Strict);
        let breaches = check(strict.as_bytes()).unwrap();
        assert_eq!(
            codes(&breaches),
            [""; 0],
            "{}: {breaches:?}\n{strict}",
            pair.event
        );
    }
}
