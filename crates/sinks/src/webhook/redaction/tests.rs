//! Tests of the redaction: no secret stays in an answer, in no spelling, at no place and at no cut.

use proptest::prelude::*;

use super::*;

const SECRET: &str = "tok/en+1\"&2";

fn redaction(secrets: &[&str]) -> Redaction {
    let secrets = secrets.iter();
    Redaction::new(secrets.map(|secret| Secret::new(secret.as_bytes().to_vec())))
}

fn body(text: &[u8], is_cut: bool) -> AnswerBody {
    AnswerBody {
        bytes: Bytes::copy_from_slice(text),
        is_cut,
    }
}

fn redacted(secrets: &[&str], text: &str, is_cut: bool) -> String {
    let bytes = redaction(secrets).apply(body(text.as_bytes(), is_cut), 4096);
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[track_caller]
fn check(text: &str, wanted: &str) {
    assert_eq!(
        redacted(&[SECRET, "aabaaab"], text, false),
        wanted,
        "{text}"
    );
}

#[test]
fn every_occurrence_is_replaced_and_other_text_stays() {
    check("", "");
    check("no such course", "no such course");
    check("tok/en+1\"&2", "…");
    check("[tok/en+1\"&2] and tok/en+1\"&2.", "[…] and ….");
    check("tok/en+1\"&2tok/en+1\"&2", "…");
    check("tok/tok/en+1\"&2", "tok/…");
    check("aabaabaaab aabaaabaaab", "aab… …");
}

#[test]
fn escapes_of_urls_json_and_html_are_found() {
    check("?t=tok%2Fen%2B1%22%262&x", "?t=…&x");
    check("?t=tok%2fen%2b1%22%262;", "?t=…;");
    check(r#"{"t":"tok/en+1\"&2"}"#, r#"{"t":"…"}"#);
    check(r#"{"t":"tok\/en\u002b1\u0022\u00262"}"#, r#"{"t":"…"}"#);
    check("<b>tok/en&#43;1&quot;&amp;2</b>", "<b>…</b>");
    check("<b>tok&#x2F;en+1&#34;&amp;2</b>", "<b>…</b>");
    let with_space = redacted(&["open sesame"], "p=open+sesame&q=open%20sesame", false);
    assert_eq!(with_space, "p=…&q=…");
    // JSON in ASCII has a surrogate pair for the smiley.
    let smiley = redacted(&["pass🙂word"], r"pass\ud83d\ude42word", false);
    assert_eq!(smiley, "…");
    let with_percent = redacted(&["100%25sure"], "100%25sure 100%2525sure", false);
    assert_eq!(with_percent, "… …");
}

#[test]
fn a_secret_that_the_end_cuts_is_replaced() {
    for end in 1..=SECRET.len() {
        let (start, _end) = SECRET.split_at(end);
        let text = format!("say {start}");
        assert_eq!(redacted(&[SECRET], &text, true), "say …");
        let is_short = end < MIN_SECRET_BYTES;
        let wanted = if is_short { &*text } else { "say …" };
        assert_eq!(redacted(&[SECRET], &text, false), wanted);
    }
    assert_eq!(redacted(&[SECRET], "say tok%2", true), "say …");
    assert_eq!(redacted(&[SECRET], r"say tok\u00", true), "say …");
    assert_eq!(redacted(&[SECRET], "say tok&#4", true), "say …");
    assert_eq!(redacted(&[SECRET], "say nothing", true), "say nothing");
}

#[test]
fn a_short_text_is_no_secret() {
    assert_eq!(redacted(&["12345", ""], "12345", true), "12345");
    assert_eq!(redacted(&["123456"], "123456", true), "…");
}

#[test]
fn the_limit_is_applied_after_the_replacement() {
    let apply =
        |text: &str, max_bytes| redaction(&[SECRET]).apply(body(text.as_bytes(), false), max_bytes);
    let text = format!("ab{SECRET}cd");
    for (max_bytes, wanted) in [
        (1, "a"),
        (2, "ab"),
        (3, "ab"),
        (4, "ab"),
        (5, "ab…"),
        (6, "ab…c"),
        (9, "ab…cd"),
    ] {
        assert_eq!(apply(&text, max_bytes), wanted, "{max_bytes}");
    }
    let long = redaction(&[]).apply(body(b"abc", true), 2);
    assert_eq!(long, "ab");
}

#[test]
fn debug_output_has_no_secret() {
    assert_eq!(format!("{:?}", redaction(&[SECRET])), "Redaction { .. }");
}

/// How an endpoint writes one byte of a secret.
#[derive(Clone, Copy, Debug)]
enum ByteSpelling {
    Plain,
    Percent,
    Json,
    Html,
}

/// Writes a secret. Whoever escapes some characters also escapes the start of an escape.
fn spelled(secret: &str, spellings: &[ByteSpelling]) -> String {
    let escape = |character: char, spelling| {
        let code = u32::from(character);
        match spelling {
            ByteSpelling::Plain => character.to_string(),
            ByteSpelling::Percent => format!("%{code:02X}"),
            ByteSpelling::Json => format!("\\u{code:04x}"),
            ByteSpelling::Html => format!("&#{code};"),
        }
    };
    let starts = |character, spelling: &ByteSpelling| match spelling {
        ByteSpelling::Plain => false,
        ByteSpelling::Percent => character == '%',
        ByteSpelling::Json => character == '\\',
        ByteSpelling::Html => character == '&',
    };
    let characters = secret.chars().zip(spellings.iter().cycle());
    let spelled = characters.map(|(character, spelling)| {
        let needed = spellings.iter().find(|kind| starts(character, kind));
        escape(character, *needed.unwrap_or(spelling))
    });
    spelled.collect()
}

fn spellings() -> impl Strategy<Value = Vec<ByteSpelling>> {
    use ByteSpelling::{Html, Json, Percent, Plain};
    let alone = [Plain, Percent, Json, Html].map(|spelling| vec![spelling]);
    let mixed = [
        vec![Plain, Percent],
        vec![Plain, Json],
        vec![Plain, Plain, Html],
        vec![Json, Percent],
    ];
    proptest::sample::select([&alone[..], &mixed[..]].concat())
}

proptest! {
    /// The other text has only characters that are neither in the secret nor in an escape.
    #[test]
    fn no_part_of_a_secret_stays_at_any_place_and_any_cut(
        secret in "[g-kG-K2-4+/=_.%\\\\\"&-]{6,40}",
        before in "[ !?Z]{0,60}",
        after in "[ !?Z]{0,60}",
        spellings in spellings(),
        cut in any::<prop::sample::Index>(),
        max_bytes in 0_usize..200,
        is_cut in any::<bool>(),
    ) {
        let text = format!("{before}{}{after}", spelled(&secret, &spellings));
        let end = if is_cut { cut.index(text.len() + 1) } else { text.len() };
        let bytes = redaction(&[&secret]).apply(body(&text.as_bytes()[..end], is_cut), max_bytes);
        prop_assert!(bytes.len() <= max_bytes);
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        let is_other = |c: char| " !?Z…".contains(c);
        prop_assert!(shown.chars().all(is_other), "{text} became {shown}");
    }

    #[test]
    fn any_text_keeps_no_secret_and_changes_only_where_a_secret_was(
        secrets in prop::collection::vec("[ab%2]{6,9}", 1..4),
        text in "[ab%2\\\\&]{0,80}",
        is_cut in any::<bool>(),
    ) {
        let secrets: Vec<_> = secrets.iter().map(String::as_str).collect();
        let shown = redacted(&secrets, &text, is_cut);
        prop_assert!(secrets.iter().all(|secret| !shown.contains(secret)));
        // Every part between two replacements is a part of the text, in order.
        let mut rest = &*text;
        for part in shown.split('…') {
            let found = rest.split_once(part);
            prop_assert!(part.is_empty() || found.is_some(), "{text} became {shown}");
            rest = found.map_or(rest, |(_before, after)| after);
        }
    }

    #[test]
    fn any_bytes_can_be_redacted(
        secret in prop::collection::vec(any::<u8>(), 0..12),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        is_cut in any::<bool>(),
        max_bytes in 0_usize..300,
    ) {
        let redaction = Redaction::new([Secret::new(secret)]);
        prop_assert!(redaction.apply(body(&bytes, is_cut), max_bytes).len() <= max_bytes);
    }
}
