//! Showing a value without telling it.
//!
//! Letters become `x` or `X`, digits `9`; what stands between them, `true`, `false` and `null` stay,
//! and so do keys that are plain words, as the names of fields are. So one sees of what form a value
//! is, and nothing of whom it is about.

use std::borrow::Cow;

use crate::scanner::Scanner;

/// The masked form of `json`, a well-formed value: at most `max_chars` characters, the last of
/// them `…` where something was cut.
pub fn mask(json: &[u8], max_chars: usize) -> String {
    let mut characters = characters(json);
    let mut masked: String = characters.by_ref().take(max_chars).collect();
    if characters.next().is_some() {
        masked.pop();
        masked.push('…');
    }
    masked
}

fn characters(json: &[u8]) -> impl Iterator<Item = char> {
    let mut scanner = Scanner::new(json, usize::MAX);
    std::iter::from_fn(move || {
        let token = token(&mut scanner)?;
        Some(token.chars().collect::<Vec<_>>())
    })
    .flatten()
}

/// A key as it is, if it is a plain word; else masked.
pub(crate) fn mask_key(key: &str) -> Cow<'_, str> {
    if is_plain_word(key) {
        Cow::Borrowed(key)
    } else {
        Cow::Owned(masked(key))
    }
}

/// Whether a text is in small letters, digits and underscores, and not long, as keys are.
fn is_plain_word(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    text.len() <= 64 && text.bytes().all(is_plain) && !text.bytes().all(|it| it.is_ascii_digit())
}

/// The next token, masked unless it is a plain key or a word.
fn token(scanner: &mut Scanner<'_>) -> Option<String> {
    let start = scanner.at();
    let first = scanner.peek()?;
    match first {
        b'"' => {
            scanner.string().ok()?;
            let text = String::from_utf8_lossy(scanner.since(start)).into_owned();
            // A key is what a colon comes after.
            let is_key = scanner.peek() == Some(b':');
            let is_name = is_key && is_plain_word(text.trim_matches('"'));
            Some(if is_name { text } else { masked(&text) })
        }
        b'-' | b'0'..=b'9' => {
            scanner.value().ok()?;
            let number = String::from_utf8_lossy(scanner.since(start)).into_owned();
            Some(
                number
                    .chars()
                    .map(|it| if it.is_ascii_digit() { '9' } else { it })
                    .collect(),
            )
        }
        b't' | b'f' | b'n' => {
            scanner.value().ok()?;
            Some(String::from_utf8_lossy(scanner.since(start)).into_owned())
        }
        _ => {
            scanner.step();
            Some(char::from(first).to_string())
        }
    }
}

fn masked(text: &str) -> String {
    let mut escaped = false;
    let mask = |character: char| {
        // What an escape stands for is told by no letter of it.
        let was_escaped = escaped;
        escaped = character == '\\' && !was_escaped;
        match character {
            _ if was_escaped => '\\',
            it if it.is_numeric() => '9',
            it if it.is_uppercase() => 'X',
            it if it.is_alphabetic() => 'x',
            it => it,
        }
    };
    text.chars().map(mask).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, wanted: &str) {
        assert_eq!(mask(json.as_bytes(), 64), wanted, "{json}");
    }

    #[test]
    fn letters_and_digits_are_hidden_and_the_form_is_kept() {
        check(
            r#""Ola.Nordmann@example.edu""#,
            r#""Xxx.Xxxxxxxx@xxxxxxx.xxx""#,
        );
        check(r#""2026-02-11T08:15:42Z""#, r#""9999-99-99X99:99:99X""#);
        check("-1.50E+3", "-9.99E+9");
        check(r#""Søndergård 四 ٣""#, r#""Xxxxxxxxxx x 9""#);
    }

    #[test]
    fn keys_and_words_are_kept() {
        check(
            r#"{"user":{"name":"Ola","is_admin":true},"ids":[12,null]}"#,
            r#"{"user":{"name":"Xxx","is_admin":true},"ids":[99,null]}"#,
        );
    }

    #[test]
    fn keys_that_are_no_plain_words_are_masked() {
        check(
            r#"{"ola@example.edu":1,"7001":2,"Ola":3,"__proto__":4}"#,
            r#"{"xxx@xxxxxxx.xxx":9,"9999":9,"Xxx":9,"__proto__":9}"#,
        );
    }

    #[test]
    fn an_escape_tells_nothing() {
        check(r#""\u00e9\n\"q""#, r#""\\99x9\\\\x""#);
    }

    #[test]
    fn what_is_longer_is_cut() {
        assert_eq!(mask(br#""abcdef""#, 4), "\"xx…");
        assert_eq!(mask(br#""ab""#, 4), r#""xx""#);
        assert_eq!(mask(b"1", 0), "…");
    }
}
