//! Published pairs and payloads: translated to the byte, and held against the standard.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use easel_caliper::{Breach, Dialect, Secrets, TranslationOptions, Translator, check};
use easel_catalog::{Catalog, Limits, admit, parse_timestamp};
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
    // Written past the test harness, which would keep it to itself.
    writeln!(
        std::io::stderr(),
        "left out: there is no {}",
        path.display()
    )
    .unwrap();
    None
}

pub(crate) fn translator(secrets: Secrets) -> Translator {
    let options = TranslationOptions {
        secrets,
        ..TranslationOptions::default()
    };
    Translator::new(Arc::new(Catalog::built_in()), options).unwrap()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the room is pure, its facts are files"
)]
fn pairs() -> Option<Vec<Pair>> {
    let text = fs::read_to_string(shared("caliper/pairs.json")?).unwrap();
    let pairs: Vec<PairJson> = serde_json::from_str(&text).unwrap();
    let pair = |it: PairJson| Pair {
        event: it.event,
        canvas: it.canvas.get().to_owned(),
        caliper: serde_json::from_str(it.caliper.get()).unwrap(),
    };
    Some(pairs.into_iter().map(pair).collect())
}

/// The payloads published in Caliper form, with a Canvas event for each: that of its pair, or one
/// that was written to fit, by hand, in `tests/written`.
#[expect(
    clippy::disallowed_methods,
    reason = "the room is pure, its facts are files"
)]
fn payloads() -> Option<Vec<Pair>> {
    let known = pairs()?;
    let mut payloads = Vec::new();
    for folder in ["seeds/caliper", "examples/caliper"] {
        for file in fs::read_dir(shared(folder)?).unwrap() {
            let path = file.unwrap().path();
            let event = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let text = fs::read_to_string(&path).unwrap();
            let caliper: Value = serde_json::from_str(&text).unwrap();
            let caliper = match caliper {
                Value::Array(them) => them.into_iter().next().unwrap(),
                one => one,
            };
            let of_pair = known
                .iter()
                .find(|it| it.event == event && it.caliper == caliper);
            let canvas = match of_pair {
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

/// Translates an event, with the id and time of what it is to become.
fn translate(translator: &Translator, pair: &Pair, dialect: Dialect) -> String {
    let id = pair.caliper["data"][0]["id"].as_str().unwrap();
    let id: Uuid = id.strip_prefix("urn:uuid:").unwrap().parse().unwrap();
    let send_time = parse_timestamp(pair.caliper["sendTime"].as_str().unwrap()).unwrap();
    let event = admit(pair.canvas.as_bytes(), &Limits::default()).unwrap();
    let translated = translator.translate(&pair.event, &event.bytes, id, dialect);
    String::from_utf8(translated.unwrap().envelope(send_time)).unwrap()
}

#[test]
fn the_published_pairs_are_translated_to_the_byte() {
    let Some(pairs) = pairs() else { return };
    assert_eq!(pairs.len(), 32);
    let translator = translator(Secrets::Sent);
    for pair in &pairs {
        let translated = translate(&translator, pair, Dialect::Compatible);
        // Printed without white space, in the order of the file.
        assert_eq!(translated, pair.caliper.to_string(), "{}", pair.event);
    }
}

#[test]
fn the_published_payloads_are_rebuilt_to_the_byte() {
    let Some(payloads) = payloads() else { return };
    assert_eq!(payloads.len(), 31);
    let translator = translator(Secrets::Sent);
    for pair in &payloads {
        let translated = translate(&translator, pair, Dialect::Compatible);
        assert_eq!(translated, pair.caliper.to_string(), "{}", pair.event);
    }
    let names: BTreeSet<_> = payloads.iter().map(|it| it.event.as_str()).collect();
    let missing: Vec<_> = translator
        .event_types()
        .into_iter()
        .filter(|it| !names.contains(it))
        .collect();
    assert_eq!(missing, ["asset_accessed"], "which has pairs of its own");
}

fn codes(breaches: &[Breach]) -> Vec<&'static str> {
    let mut codes: Vec<_> = breaches.iter().map(|it| it.rule.code()).collect();
    codes.sort_unstable();
    codes
}

/// What the published payload of an event type breaks.
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
fn what_canvas_publishes_breaks_what_it_is_known_to_break() {
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
fn what_canvas_publishes_of_assets_breaks_two_rules() {
    let Some(pairs) = pairs() else { return };
    for pair in pairs.iter().filter(|it| it.event == "asset_accessed") {
        let breaches = check(pair.caliper.to_string().as_bytes()).unwrap();
        let object = &pair.caliper["data"][0]["object"]["type"];
        let is_application = pair.caliper["data"][0]["actor"]["type"] == "SoftwareApplication";
        let must: Vec<_> = codes(&breaches)
            .into_iter()
            .filter(|it| !it.starts_with('X'))
            .collect();
        let wanted: &[_] = match (object == "Entity", is_application) {
            (true, true) => &["V7", "V8"],
            (true, false) => &["V8"],
            (false, _) => &[],
        };
        assert_eq!(must, wanted, "{object}");
    }
}

#[test]
fn the_strict_form_of_everything_published_breaks_nothing() {
    let (Some(mut all), Some(pairs)) = (payloads(), pairs()) else {
        return;
    };
    all.extend(pairs);
    let translator = translator(Secrets::Masked);
    for pair in &all {
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
