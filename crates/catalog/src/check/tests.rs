//! Every rule of the check, with valid and invalid values of an invented event type.

use crate::{Catalog, CatalogFile};

const PARTY: &str = r#"
meaning = "A party."
trigger = "Somebody gives one."

[body]
host_id = { type = "id", scope = "local", about = "Who gives it.", example = "7" }
guest_ids = { type = "array<id>", scope = "global", null = true, about = "Who comes.", example = ["70000000000008"] }
number = { type = "integer", scope = "local", null = true, about = "Its number." }
room_id = { type = "id", scope = "local", empty = true, null = true, about = "Where." }
begins_at = { type = "timestamp", null = true, about = "When it begins." }
day = { type = "timestamp", date_only = true, null = true, about = "The day." }
kind = { type = "string", null = true, values = ["tea", "dance"], about = "What it is." }
mood = { type = "string", null = true, values = ["good"], open = true, numbered = "mood_", about = "How it is." }
drinks = { type = "string", null = true, values = ["tea", "milk"], separator = ",", about = "What there is to drink." }
title = { type = "string", null = true, max_chars = 5, about = "What it is called." }
count = { type = "integer", null = true, about = "How many come." }
cost = { type = "number", null = true, about = "What it costs." }
is_over = { type = "boolean", null = true, about = "Whether it is over." }
notes = { type = "array<string>", null = true, about = "Notes." }
extra = { type = "object", null = true, about = "Anything." }

[body.cake]
type = "object"
when = "there is one"
about = "The cake."

[body.cake.fields]
layers = { type = "array<object>", about = "Its layers.", fields = { height = { type = "number", about = "Its height.", example = 2 } } }
"#;

fn catalog() -> Catalog {
    let path = "own/party.toml";
    Catalog::with_files(&[CatalogFile { path, text: PARTY }]).unwrap()
}

fn findings(event_type: &str, event: &str) -> Vec<String> {
    let mut found = Vec::new();
    catalog().check(event_type, event.as_bytes(), |finding| {
        let value = String::from_utf8(finding.value.to_vec()).unwrap();
        let (rule, pointer) = (finding.rule.code(), finding.pointer());
        found.push(format!(
            "{rule} {pointer} {}: {value}",
            finding.found.code()
        ));
    });
    found
}

/// Checks a body with these members and the required member `host_id`.
#[track_caller]
fn check(members: &str, wanted: &[&str]) {
    let event = format!(
        r#"{{"metadata":{{"event_name":"party","event_time":"2026-02-11T08:15:42Z"}},"body":{{"host_id":"7",{members}}}}}"#
    );
    assert_eq!(findings("party", &event), wanted, "{members}");
}

#[test]
fn valid_values_give_no_findings() {
    check(
        r#""guest_ids":["70000000000008","8"],"number":3,"room_id":"","begins_at":"2026-02-11 08:15:42 -0800",
           "day":"2026-02-11","kind":"tea","mood":"mood_12","drinks":"tea, milk","title":"ééééé","count":3,
           "cost":1.5e1,"is_over":false,"notes":["a"],"extra":{"any":[{}]},"cake":{"layers":[{"height":2}]}"#,
        &[],
    );
    check(
        r#""number":"3","room_id":"12","day":"2026-02-11T08:15:42Z","cost":2,"notes":[]"#,
        &[],
    );
}

#[test]
fn a_value_of_another_kind_is_found() {
    check(r#""count":1.5"#, &["wrong_type /body/count number: 1.5"]);
    check(r#""count":"3""#, &[r#"wrong_type /body/count digits: "3""#]);
    check(r#""cost":true"#, &["wrong_type /body/cost boolean: true"]);
    check(r#""is_over":1"#, &["wrong_type /body/is_over integer: 1"]);
    check(
        r#""title":{"a":1}"#,
        &[r#"wrong_type /body/title object: {"a":1}"#],
    );
    check(r#""extra":[1]"#, &["wrong_type /body/extra array: [1]"]);
    check(r#""notes":"a""#, &[r#"wrong_type /body/notes string: "a""#]);
    check(
        r#""notes":["a",1]"#,
        &["wrong_type /body/notes/1 integer: 1"],
    );
    check(
        r#""guest_ids":[70000000000008]"#,
        &["wrong_type /body/guest_ids/0 integer: 70000000000008"],
    );
    check(r#""number":1.0"#, &["wrong_type /body/number number: 1.0"]);
    check(r#""room_id":12"#, &["wrong_type /body/room_id integer: 12"]);
    check(
        r#""cake":{"layers":[7]}"#,
        &["wrong_type /body/cake/layers/0 integer: 7"],
    );
}

#[test]
fn an_id_must_be_digits_and_has_a_shard_only_if_global() {
    check(
        r#""room_id":"7~12""#,
        &[r#"not_an_id /body/room_id string: "7~12""#],
    );
    check(r#""number":"""#, &[r#"not_an_id /body/number string: """#]);
    check(r#""room_id":"9999999999999""#, &[]);
    check(r#""room_id":"\u0037","number":"00000000000007""#, &[]);
    check(
        r#""room_id":"10000000000000""#,
        &[r#"global_id /body/room_id digits: "10000000000000""#],
    );
}

#[test]
fn a_timestamp_must_be_valid() {
    check(
        r#""begins_at":"019-11-01T19:11:01Z""#,
        &[r#"not_a_timestamp /body/begins_at string: "019-11-01T19:11:01Z""#],
    );
    check(
        r#""begins_at":"2026-02-11""#,
        &[r#"not_a_timestamp /body/begins_at string: "2026-02-11""#],
    );
    check(
        r#""day":"2026-02-30""#,
        &[r#"not_a_timestamp /body/day string: "2026-02-30""#],
    );
}

#[test]
fn a_value_that_is_not_listed_is_found() {
    check(
        r#""kind":"rave""#,
        &[r#"unlisted_value /body/kind string: "rave""#],
    );
    check(
        r#""mood":"bad""#,
        &[r#"new_value /body/mood string: "bad""#],
    );
    check(
        r#""mood":"mood_""#,
        &[r#"new_value /body/mood string: "mood_""#],
    );
    check(
        r#""drinks":"tea,gin""#,
        &[r#"unlisted_value /body/drinks string: "tea,gin""#],
    );
    check(
        r#""drinks":"tea,  milk""#,
        &[r#"unlisted_value /body/drinks string: "tea,  milk""#],
    );
    check(r#""kind":"t\u0065a""#, &[]);
}

#[test]
fn the_length_of_a_text_is_in_characters() {
    check(
        r#""title":"éééééé""#,
        &[r#"too_long /body/title string: "éééééé""#],
    );
    check(r#""title":"\u00e9\u00e9\u00e9\u00e9\u00e9""#, &[]);
}

#[test]
fn null_and_missing_values_of_required_fields_are_found() {
    check(r#""host_id":null"#, &["null /body/host_id null: null"]);
    check(r#""cake":{}"#, &["missing /body/cake/layers nothing: "]);
    check(
        r#""cake":{"layers":[{}]}"#,
        &["missing /body/cake/layers/0/height nothing: "],
    );
    let event = r#"{"metadata":{"event_time":"2026-02-11T08:15:42Z"},"body":{}}"#;
    assert_eq!(
        findings("party", event),
        [
            "missing /metadata/event_name nothing: ",
            "missing /body/host_id nothing: "
        ]
    );
}

#[test]
fn the_metadata_of_a_request_or_a_job_has_further_required_fields() {
    let missing = |metadata: &str| {
        let event = format!(
            r#"{{"attributes":{{"event_name":"party","event_time":"2026-02-11T08:15:42Z",{metadata}}},"body":{{"host_id":"7"}}}}"#
        );
        let found = findings("party", &event);
        assert!(
            found
                .iter()
                .all(|finding| finding.starts_with("missing /attributes/")),
            "{found:?}"
        );
        found.len()
    };
    assert_eq!(missing(r#""context_type":"Course""#), 0);
    // producer, root_account_*, job_tag
    assert_eq!(missing(r#""job_id":"7""#), 5);
    // producer, root_account_*, hostname, http_method, client_ip, url
    assert_eq!(missing(r#""request_id":"7""#), 8);
}

#[test]
fn an_unknown_member_is_found_once() {
    check(
        r#""a~b/c":{"d":[1]}"#,
        &[r#"unknown_field /body/a~0b~1c object: {"d":[1]}"#],
    );
    check(
        r#""cake":{"layers":[],"icing":1}"#,
        &["unknown_field /body/cake/icing integer: 1"],
    );
    let event = r#"{"metadata":{"event_name":"x","event_time":"2026-02-11T08:15:42Z","mood":"2026-02-11T08:15:42Z"},"body":{"a":1},"shard":7}"#;
    assert_eq!(
        findings("x", event),
        [
            "unknown_event_type  nothing: ",
            r#"unknown_field /metadata/mood timestamp: "2026-02-11T08:15:42Z""#,
            "unknown_field /shard integer: 7",
        ]
    );
}

#[test]
fn an_open_body_may_have_unknown_members() {
    let event = r#"{"metadata":{"event_name":"quiz_export_complete","event_time":"2026-02-11T08:15:42Z"},"body":{"content_export_id":"content-export-7","more":1}}"#;
    assert_eq!(findings("quiz_export_complete", event), [""; 0]);
}

#[test]
fn at_most_a_thousand_findings_are_reported() {
    let notes = vec!["1"; 2000].join(",");
    let event = format!(
        r#"{{"metadata":{{"event_name":"party","event_time":"2026-02-11T08:15:42Z"}},"body":{{"notes":[{notes}]}}}}"#
    );
    assert_eq!(findings("party", &event).len(), 1000);
}

#[test]
fn a_pattern_is_the_same_for_every_index() {
    let mut patterns = Vec::new();
    let event = r#"{"metadata":{"event_name":"party","event_time":"2026-02-11T08:15:42Z"},"body":{"host_id":"7","notes":[1,"a",2]}}"#;
    catalog().check("party", event.as_bytes(), |finding| {
        patterns.push(finding.pattern());
    });
    assert_eq!(patterns, ["/body/notes/*", "/body/notes/*"]);
}

#[test]
fn a_finding_has_its_byte_position() {
    let event = r#"{"metadata":{"event_name":"party","event_time":"2026-02-11T08:15:42Z"}, "body":{ "notes": [1, "a"] } }"#;
    let mut places = Vec::new();
    catalog().check("party", event.as_bytes(), |finding| {
        places.push((finding.at, finding.rule.code()));
    });
    let at = |part| event.find(part).unwrap();
    assert_eq!(
        places,
        [(at("1, "), "wrong_type"), (at("} }") + 1, "missing")]
    );
}
