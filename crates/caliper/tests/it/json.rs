//! Envelopes spelled in every way that RFC 8259 allows.

use easel_caliper::check;

/// An envelope with one document, to which these members are added.
fn envelope(members: &str) -> String {
    format!(
        r#"{{"sensor":"http://a/","sendTime":"2026-02-11T08:15:43.000Z","dataVersion":"http://purl.imsglobal.org/ctx/caliper/v1p1","data":[{{"@context":"http://purl.imsglobal.org/ctx/caliper/v1p1","id":"http://a/1","type":"AssignableDigitalResource"{members}}}]}}"#
    )
}

fn found(members: &str) -> Vec<(String, String)> {
    let breaches = check(envelope(members).as_bytes()).unwrap();
    let found = breaches.into_iter();
    found
        .map(|it| (it.rule.code().to_owned(), it.path))
        .collect()
}

fn one(code: &str, path: &str) -> Vec<(String, String)> {
    vec![(code.to_owned(), path.to_owned())]
}

#[test]
fn half_a_surrogate_pair_is_a_string_like_any_other() {
    assert_eq!(found(r#","name":"a\ud800""#), []);
    assert_eq!(
        found(r#","description":"\udc00\ud800","keywords":["\udfff"]"#),
        []
    );
    assert_eq!(found(r#","extensions":{"\ud800":"\ud800\u0041"}"#), []);
}

#[test]
fn half_pairs_that_differ_are_different_keys() {
    assert_eq!(
        found(r#","extensions":{"\ud800":1,"\ud801":1,"\\ud800":1}"#),
        []
    );
    assert_eq!(
        found(r#","extensions":{"\ud800":1,"\uD800":1}"#),
        one("E9", "/data/0/extensions/\\ud800")
    );
    assert_eq!(
        found(r#","extensions":{"\ud83d\ude00":1,"😀":1}"#),
        one("E9", "/data/0/extensions/😀")
    );
}

#[test]
fn half_a_surrogate_pair_is_no_term_no_iri_and_no_time() {
    assert_eq!(
        found(r#","isPartOf":"http://a/\ud800""#),
        one("N1", "/data/0/isPartOf")
    );
    assert_eq!(
        found(r#","dateCreated":"\ud800""#),
        one("T1", "/data/0/dateCreated")
    );
    assert_eq!(found(r#","\ud800":1"#), one("N6", "/data/0/\\ud800"));
    let action = envelope("").replace(
        r#""type":"AssignableDigitalResource""#,
        r#""type":"Event","actor":"http://a/2","action":"\ud800","object":"http://a/3","eventTime":"2026-02-11T08:15:42.000Z""#,
    ).replace("http://a/1", "urn:uuid:3f672715-6aa8-4293-b62a-3b3319ff5701");
    let codes: Vec<_> = check(action.as_bytes())
        .unwrap()
        .into_iter()
        .map(|it| it.rule.code())
        .collect();
    assert_eq!(codes, ["V4"]);
    let sensor = envelope("").replace(r#""sensor":"http://a/""#, r#""sensor":"\ud800""#);
    let codes: Vec<_> = check(sensor.as_bytes())
        .unwrap()
        .into_iter()
        .map(|it| it.rule.code())
        .collect();
    assert_eq!(codes, ["E4s"]);
    let context = envelope("").replace(
        r#"[{"@context":"http://purl.imsglobal.org/ctx/caliper/v1p1""#,
        r#"[{"@context":"\ud800""#,
    );
    let codes: Vec<_> = check(context.as_bytes())
        .unwrap()
        .into_iter()
        .map(|it| it.rule.code())
        .collect();
    assert_eq!(codes, ["C2"]);
}

#[test]
fn a_number_of_any_size_is_a_number() {
    for number in [
        "1e400",
        "-1e-400",
        "123456789012345678901234567890",
        "1E+400",
        "0.1",
        "-0",
    ] {
        assert_eq!(found(&format!(r#","maxScore":{number}"#)), [], "{number}");
        assert_eq!(
            found(&format!(r#","extensions":{{"n":[{number}]}}"#)),
            [],
            "{number}"
        );
    }
}

#[test]
fn a_number_without_a_fraction_is_an_integer_however_it_is_spelled() {
    for integer in [
        "0.0",
        "2.0",
        "-0",
        "18446744073709551616",
        "123456789012345678901234567890",
        "1e2",
        "1.50e1",
        "1e400",
        "10e-1",
        "0e-5",
        "1e99999999999999999999",
        "0e-99999999999999999999",
        "100e-2",
    ] {
        assert_eq!(
            found(&format!(r#","maxSubmits":{integer}"#)),
            [],
            "{integer}"
        );
    }
    for other in [
        "0.5",
        "1.5e0",
        "1e-1",
        "15e-1",
        "1e-400",
        "1e-99999999999999999999",
        "100e-3",
        "1.05e1",
    ] {
        assert_eq!(
            found(&format!(r#","maxSubmits":{other}"#)),
            one("N4", "/data/0/maxSubmits"),
            "{other}"
        );
    }
}

#[test]
fn an_escaped_nul_is_a_character() {
    assert_eq!(found(r#","name":"\u0000""#), []);
    assert_eq!(found(r#","id\u0000":1"#), one("N6", "/data/0/id\0"));
}

#[test]
fn nesting_is_read_down_to_a_limit_that_the_error_names() {
    let nested = |levels: usize| {
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        envelope(&format!(r#","extensions":{{"a":{open}{close}}}"#))
    };
    // The envelope, its data, the item and the extensions are four levels.
    assert_eq!(check(nested(124).as_bytes()).unwrap(), []);
    let error = check(nested(125).as_bytes()).unwrap_err().to_string();
    assert!(
        error.contains("nested deeper than the 128 levels allowed"),
        "{error}"
    );
}

#[test]
fn what_is_no_json_is_told_with_its_place() {
    for (text, place) in [
        ("{\n  \"data\": [1,\n", "line 3, column 1"),
        ("{\"a\":1} x", "line 1, column 9"),
        ("{\"a\":01}", "line 1, column 7"),
        ("{\"a\":\"\u{1}\"}", "line 1, column 7"),
        ("{\"a\":\"\\ud8\"}", "line 1, column 7"),
    ] {
        let error = check(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(place), "{text}: {error}");
    }
    assert!(
        check(b"{\"a\":\"\xff\"}")
            .unwrap_err()
            .to_string()
            .contains("UTF-8")
    );
}
