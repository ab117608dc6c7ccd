//! Envelopes in every JSON spelling that RFC 8259 allows.

use easel_caliper::check;

/// Returns an envelope with one document that has these additional members.
fn envelope(members: &str) -> String {
    format!(
        r#"{{"sensor":"http://a/","sendTime":"2026-02-11T08:15:43.000Z","dataVersion":"http://purl.imsglobal.org/ctx/caliper/v1p1","data":[{{"@context":"http://purl.imsglobal.org/ctx/caliper/v1p1","id":"http://a/1","type":"AssignableDigitalResource"{members}}}]}}"#
    )
}

fn found(members: &str) -> Vec<(String, String)> {
    let breaches = check(envelope(members).as_bytes()).unwrap();
    let breaches = breaches.into_iter();
    breaches
        .map(|breach| (breach.rule.code().to_owned(), breach.path))
        .collect()
}

fn one_breach(code: &str, path: &str) -> Vec<(String, String)> {
    vec![(code.to_owned(), path.to_owned())]
}

#[test]
fn an_unpaired_surrogate_is_valid_in_strings() {
    assert_eq!(found(r#","name":"a\ud800""#), []);
    assert_eq!(
        found(r#","description":"\udc00\ud800","keywords":["\udfff"]"#),
        []
    );
    assert_eq!(found(r#","extensions":{"\ud800":"\ud800\u0041"}"#), []);
}

#[test]
fn keys_with_different_unpaired_surrogates_differ() {
    assert_eq!(
        found(r#","extensions":{"\ud800":1,"\ud801":1,"\\ud800":1}"#),
        []
    );
    assert_eq!(
        found(r#","extensions":{"\ud800":1,"\uD800":1}"#),
        one_breach("E9", "/data/0/extensions/\\ud800")
    );
    assert_eq!(
        found(r#","extensions":{"\ud83d\ude00":1,"😀":1}"#),
        one_breach("E9", "/data/0/extensions/😀")
    );
}

#[test]
fn an_unpaired_surrogate_is_invalid_in_terms_iris_and_times() {
    assert_eq!(
        found(r#","isPartOf":"http://a/\ud800""#),
        one_breach("N1", "/data/0/isPartOf")
    );
    assert_eq!(
        found(r#","dateCreated":"\ud800""#),
        one_breach("T1", "/data/0/dateCreated")
    );
    assert_eq!(found(r#","\ud800":1"#), one_breach("N6", "/data/0/\\ud800"));
    let action = envelope("").replace(
        r#""type":"AssignableDigitalResource""#,
        r#""type":"Event","actor":"http://a/2","action":"\ud800","object":"http://a/3","eventTime":"2026-02-11T08:15:42.000Z""#,
    ).replace("http://a/1", "urn:uuid:3f672715-6aa8-4293-b62a-3b3319ff5701");
    let codes: Vec<_> = check(action.as_bytes())
        .unwrap()
        .into_iter()
        .map(|breach| breach.rule.code())
        .collect();
    assert_eq!(codes, ["V4"]);
    let sensor = envelope("").replace(r#""sensor":"http://a/""#, r#""sensor":"\ud800""#);
    let codes: Vec<_> = check(sensor.as_bytes())
        .unwrap()
        .into_iter()
        .map(|breach| breach.rule.code())
        .collect();
    assert_eq!(codes, ["E4s"]);
    let context = envelope("").replace(
        r#"[{"@context":"http://purl.imsglobal.org/ctx/caliper/v1p1""#,
        r#"[{"@context":"\ud800""#,
    );
    let codes: Vec<_> = check(context.as_bytes())
        .unwrap()
        .into_iter()
        .map(|breach| breach.rule.code())
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
fn a_number_without_a_fraction_is_an_integer_in_every_spelling() {
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
            one_breach("N4", "/data/0/maxSubmits"),
            "{other}"
        );
    }
}

#[test]
fn an_escaped_nul_is_valid_in_strings_and_keys() {
    assert_eq!(found(r#","name":"\u0000""#), []);
    assert_eq!(found(r#","id\u0000":1"#), one_breach("N6", "/data/0/id\0"));
}

#[test]
fn nesting_beyond_the_limit_is_an_error_that_names_the_limit() {
    let nested = |levels: usize| {
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        envelope(&format!(r#","extensions":{{"a":{open}{close}}}"#))
    };
    // The envelope, its data, the item and the extensions are four levels.
    assert_eq!(check(nested(124).as_bytes()).unwrap(), []);
    let error = check(nested(125).as_bytes()).unwrap_err().to_string();
    assert!(
        error.contains("the nesting must not be deeper than 128 levels"),
        "{error}"
    );
}

#[test]
fn the_error_for_invalid_json_names_its_place() {
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
