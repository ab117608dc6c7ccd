//! Masks values, so that drift records show the shape of a value but no personal data.
//!
//! Letters become `x` or `X`, and digits become `9`. Other characters, `true`, `false` and `null`
//! stay. Keys that are plain words, such as the names of fields, stay too.

use std::borrow::Cow;

use crate::scanner::Scanner;

/// Masks `json`, which must be well-formed. The result has at most `max_chars` characters and ends in `…` if
/// it was cut.
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

/// Masks a key, unless it is a plain word.
pub(crate) fn mask_key(key: &str) -> Cow<'_, str> {
    if is_plain_word(key) {
        Cow::Borrowed(key)
    } else {
        Cow::Owned(masked(key))
    }
}

/// Returns true for a short text of lower case letters, digits and underscores, such as `user_id`. A text
/// of digits only is not a plain word.
fn is_plain_word(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    text.len() <= 64
        && text.bytes().all(is_plain)
        && !text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns the next token, masked unless it is a plain key or a keyword.
fn token(scanner: &mut Scanner<'_>) -> Option<String> {
    let start = scanner.at();
    let first = scanner.peek()?;
    match first {
        b'"' => {
            scanner.string().ok()?;
            let text = String::from_utf8_lossy(scanner.since(start)).into_owned();
            // A string before a colon is a key.
            let is_key = scanner.peek() == Some(b':');
            let is_plain_key = is_key && is_plain_word(text.trim_matches('"'));
            Some(if is_plain_key { text } else { masked(&text) })
        }
        b'-' | b'0'..=b'9' => {
            scanner.value().ok()?;
            let number = String::from_utf8_lossy(scanner.since(start)).into_owned();
            Some(
                number
                    .chars()
                    .map(|c| if c.is_ascii_digit() { '9' } else { c })
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
        // The letter of an escape would reveal the character, so a backslash replaces it.
        let was_escaped = escaped;
        escaped = character == '\\' && !was_escaped;
        match character {
            _ if was_escaped => '\\',
            c if c.is_numeric() => '9',
            c if c.is_uppercase() => 'X',
            c if c.is_alphabetic() => 'x',
            c => c,
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
    fn letters_and_digits_are_masked_and_other_characters_stay() {
        check(
            r#""Ola.Nordmann@example.edu""#,
            r#""Xxx.Xxxxxxxx@xxxxxxx.xxx""#,
        );
        check(r#""2026-02-11T08:15:42Z""#, r#""9999-99-99X99:99:99X""#);
        check("-1.50E+3", "-9.99E+9");
        check(r#""Søndergård 四 ٣""#, r#""Xxxxxxxxxx x 9""#);
    }

    #[test]
    fn plain_keys_and_keywords_stay() {
        check(
            r#"{"user":{"name":"Ola","is_admin":true},"ids":[12,null]}"#,
            r#"{"user":{"name":"Xxx","is_admin":true},"ids":[99,null]}"#,
        );
    }

    #[test]
    fn keys_that_are_not_plain_words_are_masked() {
        check(
            r#"{"ola@example.edu":1,"7001":2,"Ola":3,"__proto__":4}"#,
            r#"{"xxx@xxxxxxx.xxx":9,"9999":9,"Xxx":9,"__proto__":9}"#,
        );
    }

    #[test]
    fn the_character_of_an_escape_is_hidden() {
        check(r#""\u00e9\n\"q""#, r#""\\99x9\\\\x""#);
    }

    #[test]
    fn a_long_value_is_cut() {
        assert_eq!(mask(br#""abcdef""#, 4), "\"xx…");
        assert_eq!(mask(br#""ab""#, 4), r#""xx""#);
        assert_eq!(mask(b"1", 0), "…");
    }
}
