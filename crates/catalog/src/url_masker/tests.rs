//! Tests of the masker with written URLs and events.

use super::*;

/// Masks the URL, which is spelled as in JSON, with these names.
fn masked_with(masker: &UrlMasker, raw: &str) -> String {
    let event = format!(r#"{{"metadata":{{"url":"{raw}"}},"body":{{}}}}"#);
    let masked = masker.mask(event.as_bytes()).into_owned();
    let masked = String::from_utf8(masked).unwrap();
    let url = masked.strip_prefix(r#"{"metadata":{"url":""#).unwrap();
    url.strip_suffix(r#""},"body":{}}"#).unwrap().to_owned()
}

#[track_caller]
fn check(raw: &str, wanted: &str) {
    let masked = masked_with(&UrlMasker::default(), raw);
    assert_eq!(masked, wanted, "{raw}");
    assert_eq!(masked_with(&UrlMasker::default(), &masked), wanted, "again");
}

#[track_caller]
fn check_event(event: &str, wanted: &str) {
    let masked = UrlMasker::default().mask(event.as_bytes()).into_owned();
    assert_eq!(String::from_utf8(masked).unwrap(), wanted);
}

#[test]
fn secret_values_are_masked() {
    check(
        "https://a/b?access_token=1~x&c=d",
        "https://a/b?access_token=masked&c=d",
    );
    check(
        "https://a/b?c=d&Verifier=x#e",
        "https://a/b?c=d&Verifier=masked#e",
    );
    check(
        "https://a/b?c=d&amp;token=x&amp;e=f",
        "https://a/b?c=d&amp;token=masked&amp;e=f",
    );
    check(
        r"https:\/\/a\/b?c=d\u0026signature=x",
        "https://a/b?c=d&signature=masked",
    );
    check(
        "https://a/b?token=1&token=2&TOKEN=3",
        "https://a/b?token=masked&token=masked&TOKEN=masked",
    );
}

#[test]
fn a_secret_is_masked_in_every_spelling() {
    for (raw, wanted) in [
        (
            r"https://a/b\u003faccess_token=1~x",
            "https://a/b?access_token=masked",
        ),
        (
            r"https://a/b?access_token\u003D1~x",
            "https://a/b?access_token=masked",
        ),
        (
            "https://a/b?access%5Ftoken=1~x",
            "https://a/b?access%5Ftoken=masked",
        ),
        (
            "https://a/b?%61ccess%255ftoken=1~x",
            "https://a/b?%61ccess%255ftoken=masked",
        ),
        (
            "https://a/b?%2561%2563%2563ess_token=1~x",
            "https://a/b?%2561%2563%2563ess_token=masked",
        ),
        ("https://a/b?token%3Dx", "https://a/b?token%3Dmasked"),
        ("https://a/b%3Ftoken%3Dx", "https://a/b%3Ftoken%3Dmasked"),
        ("https://a/b?a=1;token=x;y", "https://a/b?a=1;token=masked"),
        ("https://a/b;token=x?c=d", "https://a/b;token=masked?c=d"),
        ("https://a/b?a=token=x", "https://a/b?a=token=masked"),
        ("https://a/b?token==x==", "https://a/b?token=masked"),
        ("https://a/b?token=x?y/z", "https://a/b?token=masked"),
        ("https://a/b?token=x%26y", "https://a/b?token=masked"),
        (
            "https://a/b? to\u{a0}ken+=x",
            "https://a/b? to\u{a0}ken+=masked",
        ),
        ("?token=x", "?token=masked"),
        ("token=x", "token=masked"),
    ] {
        check(raw, wanted);
    }
}

#[test]
fn a_name_can_have_brackets_or_a_path() {
    for (raw, wanted) in [
        ("https://a?token[]=x", "https://a?token[]=masked"),
        ("https://a?token[0][b]=x", "https://a?token[0][b]=masked"),
        ("https://a?user[token]=x", "https://a?user[token]=masked"),
        ("https://a?token%5B%5D=x", "https://a?token%5B%5D=masked"),
        ("https://a#!/token=x", "https://a#!/token=masked"),
        ("https://a?b=/c/token=x", "https://a?b=/c/token=masked"),
    ] {
        check(raw, wanted);
    }
}

#[test]
fn a_secret_in_the_fragment_is_masked() {
    check(
        "https://a/b#access_token=x&token_type=bearer",
        "https://a/b#access_token=masked&token_type=bearer",
    );
    check(
        "https://a/b?c=d#/e?token=x",
        "https://a/b?c=d#/e?token=masked",
    );
    check("https://a/b#c#token=x", "https://a/b#c#token=masked");
}

#[test]
fn a_password_is_masked() {
    for (raw, wanted) in [
        ("https://ola:pw@a/b", "https://ola:masked@a/b"),
        (r"https:\/\/ola:pw@a\/b", "https://ola:masked@a/b"),
        ("//ola:p%40w@a", "//ola:masked@a"),
        ("https://ola:p@w:x@a:80/", "https://ola:masked@a:80/"),
        ("https:///ola:p&w@a", "https:///ola:masked@a"),
        (r"https:\\\\ola:pw@a", r"https:\\\\ola:masked@a"),
        ("https://:pw@a", "https://:masked@a"),
        // A user without a password can be a token.
        ("https://7~x@a", "https://masked@a"),
        ("https://7~x:@a", "https://masked:@a"),
        (
            "https://a?b=https%3A%2F%2Fola%3Apw%40c",
            "https://a?b=https%3A%2F%2Fola%3Amasked%40c",
        ),
    ] {
        check(raw, wanted);
    }
}

#[test]
fn a_secret_is_masked_in_a_url_within_a_url() {
    for (raw, wanted) in [
        (
            "https://a?b=https%3A%2F%2Fc%3Faccess_token%3Dx%26d%3De&f=g",
            "https://a?b=https%3A%2F%2Fc%3Faccess_token%3Dmasked%26d%3De&f=g",
        ),
        (
            "https://a?b=https%3A%2F%2Fc%3Fd%3Dhttps%253A%252F%252Fe%253Ftoken%253Dx%252526y",
            "https://a?b=https%3A%2F%2Fc%3Fd%3Dhttps%253A%252F%252Fe%253Ftoken%253Dmasked",
        ),
        (
            "https://a?b=https://c?token=x&d=e",
            "https://a?b=https://c?token=masked&d=e",
        ),
        (
            "https://a/https%3A%2F%2Fb%23token%3Dx?c=d",
            "https://a/https%3A%2F%2Fb%23token%3Dmasked?c=d",
        ),
    ] {
        check(raw, wanted);
    }
}

#[test]
fn escapes_of_escapes_of_escapes_are_masked_without_being_decoded() {
    let nested = |count: usize| format!("https://a?b=%{}3Dx&c=%20", "25".repeat(count));
    check(&nested(6), &nested(6));
    check(&nested(7), "https://a?b=masked&c=%20");
    check(&nested(100_000), "https://a?b=masked&c=%20");
}

#[test]
fn a_url_that_cannot_be_decoded_loses_its_query() {
    for (raw, wanted) in [
        (r"https://a/b?access_token=1~x&q=\ud83d", "https://a/b"),
        (r"https://a/b\u003Faccess_token=1~x&q=\ud83d", "https://a/b"),
        (
            r"https:\/\/a\/b#access_token=1~x&q=\ud83d",
            r"https:\/\/a\/b",
        ),
        (r"https:\/\/a\/b\u0023q=\ud83d", r"https:\/\/a\/b"),
        (r"https://a/\ud83d?c=d", r"https://a/\ud83d"),
        (r"https://a/\\u003f\ud83d?c=d", r"https://a/\\u003f\ud83d"),
        (r"https://a/b\ud83d", r"https://a/b\ud83d"),
        (r"https://ola:pw@a/b?q=\ud83d", "https://ola:masked@a/b"),
        (
            r"https://a/\ud83d;token=x?c=d",
            "https://a/\u{fffd}\u{fffd}\u{fffd};token=masked",
        ),
    ] {
        check(raw, wanted);
    }
}

#[test]
fn a_url_without_secrets_is_unchanged() {
    for raw in [
        r"https:\/\/a\/token=x",
        r"https:\/\/a?b=\u0026c",
        "https://a?tokens=x&token=&token&token_type=y&authenticity-token=z",
        "https://a?token=#b",
        "https://a?b=token",
        "https://a/b=c/token=d",
        "https://a/b/token:x",
        "https://a/@ola:b",
        "https://a?login=https%3A%2F%2Fb.example&hint=ola%40example.edu",
        "mailto:ola@example.edu?subject=%20",
        "https://@a/%zz?%",
        "https://a/b?page=2&per_page=10#c",
        "",
    ] {
        check(raw, raw);
        let event = format!(r#"{{"metadata":{{"referrer":"{raw}"}},"body":{{}}}}"#);
        let masker = UrlMasker::default();
        assert!(matches!(masker.mask(event.as_bytes()), Cow::Borrowed(_)));
    }
}

#[test]
fn a_url_that_is_masked_already_is_unchanged() {
    let raw = r"https:\/\/a?token=masked\u0026b=c";
    check(raw, raw);
}

#[test]
fn urls_are_masked_at_any_depth_and_all_other_bytes_stay() {
    check_event(
        r#"{"metadata":{"url":"a?token=x","n":1.50E+3,"referrer":"b?token=x"},"body":{"url":"c?token=x","deep":[{"url":"d?token=x"}],"text":"e?token=x \/ \u00e9"}}"#,
        r#"{"metadata":{"url":"a?token=masked","n":1.50E+3,"referrer":"b?token=masked"},"body":{"url":"c?token=masked","deep":[{"url":"d?token=masked"}],"text":"e?token=x \/ \u00e9"}}"#,
    );
}

#[test]
fn the_urls_of_a_caliper_event_are_masked() {
    check_event(
        r#"{"sensor":"http://a/","data":[{"referrer":{"id":"a?token=x","type":"WebPage"},"extensions":{"com.instructure.canvas":{"request_url":"b?token=x"}}}]}"#,
        r#"{"sensor":"http://a/","data":[{"referrer":{"id":"a?token=masked","type":"WebPage"},"extensions":{"com.instructure.canvas":{"request_url":"b?token=masked"}}}]}"#,
    );
}

#[test]
fn each_string_below_a_url_is_masked_once() {
    check_event(
        r#"{"referrer":{"url":["a?token=x",{"k?token=x":"b?token=x"}],"url":null},"url":"c?token=x"}"#,
        r#"{"referrer":{"url":["a?token=masked",{"k?token=x":"b?token=masked"}],"url":null},"url":"c?token=masked"}"#,
    );
}

#[test]
fn other_members_and_texts_are_not_urls() {
    for event in [
        r#"{"resource_map_url":"a?verifier=x","my_url":"a?token=x","url2":"a?token=x"}"#,
        r#"{"text":"{\"url\":\"a?token=x\"}"}"#,
        r#"{"a\"url":"a?token=x"}"#,
        r#"{"kind":"url","a":"b?token=x"}"#,
        r#"["url","a?token=x"]"#,
        r#"{"u\u0072l2":"a?token=x"}"#,
    ] {
        check_event(event, event);
    }
}

#[test]
fn a_key_may_be_escaped_and_white_space_may_be_around_it() {
    check_event(
        r#"{"u\u0072l":"a?token=x","request\u005furl":"b?token=x","\u0072eferrer":"c?token=x"}"#,
        r#"{"u\u0072l":"a?token=masked","request\u005furl":"b?token=masked","\u0072eferrer":"c?token=masked"}"#,
    );
    check_event(
        "{ \"url\" :\t\"a?token=x\" }",
        "{ \"url\" :\t\"a?token=masked\" }",
    );
}

#[test]
fn own_names_are_masked_too() {
    let names = ["Sesskey", "Nøkkel", "my key"].map(str::to_owned);
    let masker = UrlMasker::with_names(names).unwrap();
    for (raw, wanted) in [
        ("a?sesskey=x&token=y", "a?sesskey=masked&token=masked"),
        ("a?N\u{d8}KKEL=x", "a?N\u{d8}KKEL=masked"),
        ("a?n%C3%B8kkel=x", "a?n%C3%B8kkel=masked"),
        ("a?my+key=x&my%20key=y", "a?my+key=masked&my%20key=masked"),
        ("a?key=x", "a?key=x"),
    ] {
        assert_eq!(masked_with(&masker, raw), wanted, "{raw}");
    }
}

#[test]
fn maskers_with_the_same_names_are_equal() {
    let masker = |names: &[&str]| UrlMasker::with_names(names.iter().map(|&name| name.to_owned()));
    assert_eq!(masker(&[]).unwrap(), UrlMasker::default());
    assert_eq!(masker(&["TOKEN"]).unwrap(), UrlMasker::default());
    assert_eq!(masker(&["b", "a"]), masker(&["a", "B", "a"]));
}

#[test]
fn a_name_must_be_one_that_a_parameter_can_have() {
    let error = |name: &str| {
        UrlMasker::with_names([name.to_owned()])
            .unwrap_err()
            .to_string()
    };
    for character in ['=', '&', '#', ';', '?'] {
        assert_eq!(
            error(&format!("a{character}b")),
            format!(
                "the name \"a{character}b\" must not contain {character:?}: control characters, \
                 '=', '&', '#', ';' and '?' are not allowed"
            )
        );
    }
    assert!(error("a\nb").starts_with(r#"the name "a\nb" must not contain '\n'"#));
    for name in ["", " ", "+", &"a".repeat(129)] {
        assert_eq!(
            error(name),
            format!("the name {name:?} must have 1 to 128 characters, and not only white space")
        );
    }
    assert!(UrlMasker::with_names(["ø".repeat(128)]).is_ok());
}

#[test]
fn input_that_is_not_json_is_masked_as_far_as_it_can_be_read() {
    for input in [
        "",
        "null",
        "\"url\"",
        "\"url\":",
        "\"url\": ",
        r#"{"url":"a?token=x"#,
        r#"{"url":"a?token=x\"#,
        r#"{"url":["a?tok","#,
        r#"{"url":}}}]"#,
        r#"{"u\u0072l":"a?token=x"#,
        "{\"url\":\"a\u{1}?token=x\"}",
    ] {
        check_event(input, input);
    }
    check_event(r#"{"url":"a?token=x","#, r#"{"url":"a?token=masked","#);
    check_event(r#"["url":["a?token=x"#, r#"["url":["a?token=x"#);
    let masked = UrlMasker::default()
        .mask(b"{\"url\":\"a\xff?token=x\"}")
        .into_owned();
    assert_eq!(masked, "{\"url\":\"a\u{fffd}\"}".as_bytes());
}
