//! Checks of other inputs than events with one fault: invalid JSON, entities, and very long input.

use easel_caliper::check;

fn codes(json: &str) -> Vec<&'static str> {
    check(json.as_bytes())
        .unwrap()
        .iter()
        .map(|breach| breach.rule.code())
        .collect()
}

#[test]
fn invalid_json_is_an_error() {
    assert!(check(b"{").is_err());
    assert!(check(b"").is_err());
    assert!(
        check(&[b"[".repeat(200), b"]".repeat(200)].concat()).is_err(),
        "nesting must be limited"
    );
}

#[test]
fn an_entity_may_be_a_top_level_item() {
    let envelope = |entity: &str| {
        format!(
            r#"{{"sensor":"http://a/","sendTime":"2026-02-11T08:15:43.000Z","dataVersion":"http://purl.imsglobal.org/ctx/caliper/v1p1","data":[{entity}]}}"#
        )
    };
    let context = r#""@context":"http://purl.imsglobal.org/ctx/caliper/v1p1""#;
    let person = format!(r#"{{{context},"id":"http://a/1","type":"Person"}}"#);
    assert_eq!(codes(&envelope(&person)), [""; 0]);
    assert_eq!(
        codes(&envelope(r#"{"id":"http://a/1","type":"Person"}"#)),
        ["C1"]
    );
    assert_eq!(
        codes(&envelope(&format!(r#"{{{context},"id":"http://a/1"}}"#))),
        ["N2"]
    );
}

#[test]
fn a_key_must_not_appear_twice_even_in_extensions() {
    let breaches = check(br#"{"sensor":"http://a/","sendTime":"2026-02-11T08:15:43.000Z","dataVersion":"http://purl.imsglobal.org/ctx/caliper/v1p1","data":[{"@context":"http://purl.imsglobal.org/ctx/caliper/v1p1","id":"http://a/1","type":"Person","extensions":{"a":{"b~c":1,"b~c":2}}}]}"#).unwrap();
    assert_eq!(breaches.len(), 1);
    assert_eq!(breaches[0].path, "/data/0/extensions/a/b~0c");
    assert_eq!(breaches[0].to_string(), "E9 (MUST): this key appears twice");
}

#[test]
fn the_number_of_reported_breaches_is_limited() {
    let envelope = |data: String| {
        format!(
            r#"{{"sensor":"http://a/","sendTime":"2026-02-11T08:15:43.000Z","dataVersion":"http://purl.imsglobal.org/ctx/caliper/v1p1","data":[{data}]}}"#
        )
    };
    let empty = check(envelope(vec!["{}"; 100_000].join(",")).as_bytes()).unwrap();
    assert_eq!(empty.len(), 2000);

    // The time to check many ids or roles in one entity grows only linearly.
    let creators: Vec<_> = (0..50_000)
        .map(|number| format!(r#"{{"id":"http://a/{number}","type":"Person"}}"#))
        .collect();
    let document = format!(
        r#"{{"@context":"http://purl.imsglobal.org/ctx/caliper/v1p1","id":"http://a/d","type":"Document","creators":[{}]}}"#,
        creators.join(",")
    );
    assert_eq!(codes(&envelope(document)), [""; 0]);

    // A broken MUST rule is reported after any number of other breaches.
    let role = r#""Mentor#Advisor""#;
    let roles = vec![role; 5000].join(",");
    let membership = format!(
        r#"{{"@context":"http://purl.imsglobal.org/ctx/caliper/v1p1","id":"http://a/m","type":"Membership","member":"http://a/u","organization":"http://a/c","roles":[{roles},"King"]}}"#
    );
    let reported = codes(&envelope(membership));
    assert_eq!(reported.last(), Some(&"N7"));
    assert!(reported.len() <= 1002, "{}", reported.len());
}
