//! Envelopes of other versions of Caliper.

use easel_caliper::check;
use serde_json::{Value, json};

fn codes(envelope: &Value) -> Vec<&'static str> {
    let breaches = check(envelope.to_string().as_bytes()).unwrap();
    breaches
        .into_iter()
        .map(|breach| breach.rule.code())
        .collect()
}

fn envelope(version: &str) -> Value {
    let context = format!("http://purl.imsglobal.org/ctx/caliper/{version}");
    json!({
        "sensor": "http://lms.example.edu/",
        "sendTime": "2026-02-11T08:15:43.000Z",
        "dataVersion": context,
        "data": [{
            "@context": context,
            "id": "urn:uuid:3f672715-6aa8-4293-b62a-3b3319ff5701",
            "type": "ToolLaunchEvent",
            "profile": "ToolLaunchProfile",
        }],
    })
}

#[test]
fn data_of_another_version_is_not_checked() {
    for version in ["v1p2", "v1p0", "v1p1/", "v1p1/ToolUseProfile-extension"] {
        assert_eq!(codes(&envelope(version)), ["E6"], "{version}");
    }
    assert_ne!(codes(&envelope("v1p1")), [""; 0]);
}

#[test]
fn faults_of_the_envelope_itself_are_reported_for_every_version() {
    let mut other = envelope("v1p2");
    other.as_object_mut().unwrap().remove("sensor");
    other["sendTime"] = "now".into();
    other["more"] = 1.into();
    assert_eq!(codes(&other), ["E2", "E3", "E5", "E6"]);
}

#[test]
fn a_version_that_appears_twice_must_be_caliper_1_1_both_times() {
    let caliper_1_1 = "http://purl.imsglobal.org/ctx/caliper/v1p1";
    let twice = envelope("v1p1").to_string().replacen(
        "\"dataVersion\":",
        &format!("\"dataVersion\":\"{caliper_1_1}\",\"dataVersion\":\"http://a/\",\"x\":"),
        1,
    );
    let breaches = check(twice.as_bytes()).unwrap();
    let codes: Vec<_> = breaches
        .into_iter()
        .map(|breach| breach.rule.code())
        .collect();
    assert_eq!(codes, ["E9", "E3", "E6"]);
}
